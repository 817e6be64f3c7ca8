//! Room for one loaded network, kept from fill to fill.
#![forbid(unsafe_code)]

use super::Run;
use super::pump::{Told, pump};
use crate::error::Result;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, SystemTime};

/// Between two looks at whether another fill has loaded.
const PAUSE: Duration = Duration::from_millis(20);

/// A file as it is now: one that was changed, or is another, has another stamp. Asked for before the file is
/// opened, so that what changes later is not taken for what was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Stamp {
    path: PathBuf,
    len: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    /// Of a file, or of a link's target.
    pub fn of(path: &Path) -> Self {
        let about = fs::metadata(path).ok();
        Self {
            path: path.to_path_buf(),
            len: about.as_ref().map_or(0, fs::Metadata::len),
            modified: about.and_then(|about| about.modified().ok()),
        }
    }
}

/// Room for one network.
pub struct Slot<T>(Mutex<Option<Arc<T>>>);

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Send + Sync> Slot<T> {
    /// The network that is here where `fits` says so, or else what `load` makes on the inpainter's
    /// threads, in the place of the other; with `keep` it stays.
    ///
    /// Another fill that is loading is waited for. That happens on the caller's thread and not on the
    /// pool's, where a thread that waits may be handed the work of another fill.
    ///
    /// # Errors
    /// Those of `load`; [`crate::ErrorKind::Cancelled`].
    pub fn get(
        &self,
        run: &mut Run<'_>,
        told: &Told<'_>,
        fits: impl Fn(&T) -> bool,
        keep: bool,
        load: impl FnOnce() -> Result<T> + Send,
    ) -> Result<Arc<T>> {
        let mut slot = loop {
            match self.0.try_lock() {
                Ok(slot) => break slot,
                // A panic while loading left nothing in there, or what was there.
                Err(TryLockError::Poisoned(e)) => break e.into_inner(),
                Err(TryLockError::WouldBlock) => {
                    run.at(told.mark())?;
                    std::thread::sleep(PAUSE);
                }
            }
        };
        if let Some(here) = slot.as_ref().filter(|here| fits(here)) {
            return Ok(here.clone());
        }
        // Room first: two do not fit where one does.
        *slot = None;
        let loaded = pump(run, told, || load().map(Arc::new))?;
        if keep {
            *slot = Some(loaded.clone());
        }
        Ok(loaded)
    }

    /// Whether one is here that `fits`; does not wait.
    pub fn holds(&self, fits: impl Fn(&T) -> bool) -> bool {
        match self.0.try_lock() {
            Ok(slot) => slot.as_ref().is_some_and(|here| fits(here)),
            Err(_) => false,
        }
    }

    /// What is here.
    #[cfg(test)]
    pub fn held(&self) -> Option<Arc<T>> {
        self.0.lock().ok()?.clone()
    }

    /// Lets it go; a fill that is running with it lets it go at its end.
    pub fn trim(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
