//! The UNet, kept from fill to fill.
#![forbid(unsafe_code)]

use super::folder::Folder;
use super::model::Model;
use super::stages::Choice;
use crate::engines::Run;
use crate::engines::pump::StageReporter;
use crate::engines::slot::{Slot, Stamp};
use crate::error::Result;
use crate::kernels::{Context, Path as Instructions, Precision};
use crate::models::UNet2DConditionModel;
use crate::models::unet_2d_condition::Streamed;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A loaded UNet, and the kernels that it was packed for.
pub struct Unet {
    key: Key,
    pub cx: Context,
    pub net: UNet2DConditionModel,
}

/// What was loaded: another or a changed file is another UNet.
#[derive(Clone, PartialEq)]
pub struct Key {
    precision: Precision,
    /// Layers that are not held.
    streamed: BTreeSet<String>,
    /// Each file, and how much of it is added.
    files: Vec<(Stamp, f64)>,
}

impl Key {
    /// Of the UNet that is packed so; all of its layers are held.
    pub fn of(folder: &Folder, precision: Precision) -> Self {
        let files = folder.unet_files().into_iter();
        Self {
            precision,
            streamed: BTreeSet::new(),
            files: files
                .map(|(path, weight)| (Stamp::of(&path), weight))
                .collect(),
        }
    }

    /// The same UNet with these layers streamed.
    pub fn streaming(self, choice: &Choice) -> Self {
        Self {
            streamed: choice.streamed.clone(),
            ..self
        }
    }
}

/// Room for one.
#[derive(Default)]
pub struct Warm(Slot<Unet>);

impl Warm {
    /// The UNet of `model`: the one that is here, or else another in its place, most of whose layers its
    /// first pass reads.
    pub fn get(
        &self,
        key: Key,
        model: &Model,
        choice: &Choice,
        run: &mut Run<'_>,
        reporter: &StageReporter<'_>,
    ) -> Result<Arc<Unet>> {
        let wanted = key.clone();
        let load = || {
            let cx = Context::new(Instructions::chosen()).packing(key.precision);
            let streamed = Streamed {
                weights: model.unet.clone(),
                layers: key.streamed.clone(),
                later: true,
            };
            let config = model.folder.unet.clone();
            let check = || reporter.layer();
            let net = UNet2DConditionModel::streaming(&cx, &streamed, config, &check)?;
            // What was read while somebody wrote is neither the old nor the new one.
            model.unet.check_unchanged()?;
            Ok(Unet { key, cx, net })
        };
        let fits = |unet: &Unet| unet.key == wanted;
        self.0.get(run, reporter, fits, choice.keep, load)
    }

    /// Whether that UNet is here; not while another fill is about to load one.
    pub fn has(&self, key: &Key) -> bool {
        self.0.holds(|unet| unet.key == *key)
    }

    /// What is here.
    #[cfg(test)]
    pub fn held(&self) -> Option<Arc<Unet>> {
        self.0.held()
    }

    /// Lets it go; a fill that is running with it lets it go at its end.
    pub fn trim(&self) {
        self.0.trim();
    }
}
