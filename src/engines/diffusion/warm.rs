//! The UNet, kept from fill to fill.
#![forbid(unsafe_code)]

use super::cost::Model;
use super::folder::Folder;
use super::stages::Choice;
use crate::engines::Run;
use crate::engines::pump::{Told, pump};
use crate::error::Result;
use crate::kernels::{Context, Path as Instructions, Precision};
use crate::models::UNet2DConditionModel;
use crate::models::unet_2d_condition::Streamed;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, TryLockError};
use std::time::{Duration, SystemTime};

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
pub struct Warm(Mutex<Option<Arc<Unet>>>);

impl Warm {
    /// The UNet of `model`: the one that is here, or loaded now in the place of the other.
    ///
    /// Another fill that is loading is waited for. That happens on the caller's thread and not on the
    /// pool's, where a thread that waits may be handed the work of another fill.
    pub fn get(
        &self,
        mut key: Key,
        model: &Model<'_>,
        choice: &Choice,
        run: &mut Run<'_>,
        told: &Told<'_>,
    ) -> Result<Arc<Unet>> {
        key.streamed = choice.streamed.clone();
        let mut slot = loop {
            match self.0.try_lock() {
                Ok(slot) => break slot,
                // A panic while loading left nothing in there, or what was there.
                Err(TryLockError::Poisoned(e)) => break e.into_inner(),
                Err(TryLockError::WouldBlock) => {
                    run.at(told.mark())?;
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        };
        if let Some(unet) = slot.as_ref().filter(|unet| unet.key == key) {
            return Ok(unet.clone());
        }
        // Room first: two do not fit where one does.
        *slot = None;
        let unet = pump(run, told, || {
            let cx = Context::new(Instructions::chosen()).packing(key.precision);
            let streamed = Streamed {
                weights: model.unet.clone(),
                layers: choice.streamed.clone(),
            };
            let config = model.folder.unet.clone();
            let check = || told.layer();
            let net = UNet2DConditionModel::streaming(&cx, &streamed, config, &check)?;
            // What was read while somebody wrote is neither the old nor the new one.
            model.unet.check_unchanged()?;
            Ok(Arc::new(Unet { key, cx, net }))
        })?;
        if choice.keep {
            *slot = Some(unet.clone());
        }
        Ok(unet)
    }

    /// What is here.
    #[cfg(test)]
    pub fn held(&self) -> Option<Arc<Unet>> {
        self.0.lock().ok()?.clone()
    }

    /// Lets it go; a fill that is running with it lets it go at its end.
    pub fn trim(&self) {
        let mut slot = self.0.lock().unwrap_or_else(|e| e.into_inner());
        *slot = None;
    }
}
