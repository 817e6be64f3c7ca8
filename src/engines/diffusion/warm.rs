//! The UNet, kept from fill to fill.
#![forbid(unsafe_code)]

use super::cost::Model;
use super::folder::Folder;
use super::stages::Choice;
use crate::engines::Run;
use crate::engines::pump::Told;
use crate::engines::slot::Slot;
use crate::error::Result;
use crate::kernels::{Context, Path as Instructions, Precision};
use crate::models::UNet2DConditionModel;
use crate::models::unet_2d_condition::Streamed;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

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
    /// Path, length and time of each file, and how much of it is added.
    files: Vec<(PathBuf, u64, Option<SystemTime>, f64)>,
}

impl Key {
    /// Asked for before the files are opened: what changes later is another UNet.
    pub fn of(folder: &Folder, precision: Precision) -> Self {
        let stamp = |(path, weight): (PathBuf, f64)| {
            // A link's target is what may change.
            let about = fs::metadata(&path).ok()?;
            Some((path, about.len(), about.modified().ok(), weight))
        };
        let files = folder.unet_files().into_iter().filter_map(stamp);
        Self {
            precision,
            streamed: BTreeSet::new(),
            files: files.collect(),
        }
    }
}

/// Room for one.
#[derive(Default)]
pub struct Warm(Slot<Unet>);

impl Warm {
    /// The UNet of `model`: the one that is here, or else another in its place, most of whose layers its
    /// first pass reads, and whether it is another.
    pub fn get(
        &self,
        mut key: Key,
        model: &Model<'_>,
        choice: &Choice,
        run: &mut Run<'_>,
        told: &Told<'_>,
    ) -> Result<(Arc<Unet>, bool)> {
        key.streamed = choice.streamed.clone();
        let wanted = key.clone();
        let mut new = false;
        let load = || {
            new = true;
            let cx = Context::new(Instructions::chosen()).packing(key.precision);
            let streamed = Streamed {
                weights: model.unet.clone(),
                layers: choice.streamed.clone(),
                later: true,
            };
            let config = model.folder.unet.clone();
            let check = || told.layer();
            let net = UNet2DConditionModel::streaming(&cx, &streamed, config, &check)?;
            // What was read while somebody wrote is neither the old nor the new one.
            model.unet.check_unchanged()?;
            Ok(Unet { key, cx, net })
        };
        let fits = |unet: &Unet| unet.key == wanted;
        let unet = self.0.get(run, told, fits, choice.keep, load)?;
        Ok((unet, new))
    }

    /// Whether that UNet is here; not while another fill is about to load one.
    pub fn has(&self, key: &Key, choice: &Choice) -> bool {
        let fits = |unet: &Unet| {
            unet.key.precision == key.precision
                && unet.key.files == key.files
                && unet.key.streamed == choice.streamed
        };
        self.0.holds(fits)
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
