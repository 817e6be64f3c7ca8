//! Progress and cancelling: a trait that C, the command line and tests each adapt.
#![forbid(unsafe_code)]

use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One report of how far a fill has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What is being done: `"plan"`, `"fill"`, `"blend"`, … in plain English.
    pub stage: &'static str,
    /// Steps done so far over all regions, `0 ..= steps`.
    pub step: u32,
    /// All steps of this call; at least 1.
    pub steps: u32,
    /// Estimated seconds left, or `None` before anything can be said. By the pace so far; while no
    /// work is reported it goes down by the clock.
    pub seconds_left: Option<f64>,
    /// What the region that is being filled has come to: in the first report after an engine has made
    /// a new one, and only with engines that can tell before the end.
    pub preview: Option<Preview>,
}

/// A small, rough picture of a region: good enough to see where a fill is going, and never a part of
/// the result.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// What it is to be stretched over: left column, top row, columns and rows of the image.
    pub region: [u32; 4],
    /// Columns of the preview.
    pub width: u32,
    /// Rows of the preview.
    pub height: u32,
    /// Red, green and blue of each pixel, `0 ..= 255`, display-encoded, row by row from the top:
    /// `width * height * 3` values.
    pub pixels: Vec<u8>,
}

/// Receives progress on the thread that called the fill. Returning `false` cancels it.
pub trait Progress {
    /// Called a few times a second at most; must return soon.
    fn report(&mut self, step: &Step) -> bool;
}

impl<F: FnMut(&Step) -> bool> Progress for F {
    fn report(&mut self, step: &Step) -> bool {
        self(step)
    }
}

/// Progress for callers that want none.
pub struct Silent;

impl Progress for Silent {
    fn report(&mut self, _: &Step) -> bool {
        true
    }
}

/// A flag that any thread may raise to stop a running fill, or to have it end early with what it has come
/// to. Clones share the flag.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<Flag>);

#[derive(Debug, Default)]
struct Flag {
    raised: AtomicBool,
    finishing: AtomicBool,
    #[cfg(test)]
    looks: std::sync::Mutex<Looks>,
}

/// Who looked at a flag, for a test to see that all do.
#[cfg(test)]
#[derive(Clone, Debug, Default)]
pub(crate) struct Looks {
    /// How often each file did.
    pub by_file: std::collections::BTreeMap<&'static str, u64>,
    /// All of them.
    pub all: u64,
    /// The look that raises the flag.
    pub raise_at: Option<u64>,
}

impl Cancel {
    /// A flag that is not raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the flag. Running and later calls that were given it end with
    /// [`crate::ErrorKind::Cancelled`].
    pub fn cancel(&self) {
        self.0.raised.store(true, Ordering::Relaxed);
    }

    /// Whether the flag is raised.
    #[cfg_attr(test, track_caller)]
    pub fn is_cancelled(&self) -> bool {
        #[cfg(test)]
        if let Ok(mut looks) = self.0.looks.lock() {
            let file = std::panic::Location::caller().file();
            *looks.by_file.entry(file).or_default() += 1;
            looks.all += 1;
            if looks.raise_at == Some(looks.all) {
                self.cancel();
            }
        }
        self.0.raised.load(Ordering::Relaxed)
    }

    /// Asks running and later calls that were given this flag to end soon with what they have: engines that
    /// work in steps decode the latest one, and what no step was done for is filled by an engine that needs
    /// no model. The other engines take no notice, as their fills come soon anyhow. It cannot be taken
    /// back, and [`Self::cancel`] still stops everything.
    pub fn finish(&self) {
        self.0.finishing.store(true, Ordering::Relaxed);
    }

    /// Whether [`Self::finish`] was called.
    pub fn is_finishing(&self) -> bool {
        self.0.finishing.load(Ordering::Relaxed)
    }

    /// A flag that its look number `number` raises.
    #[cfg(test)]
    pub(crate) fn at_look(number: u64) -> Self {
        let cancel = Self::new();
        if let Ok(mut looks) = cancel.0.looks.lock() {
            looks.raise_at = Some(number);
        }
        cancel
    }

    #[cfg(test)]
    pub(crate) fn looks(&self) -> Looks {
        self.0
            .looks
            .lock()
            .map(|looks| looks.clone())
            .unwrap_or_default()
    }

    /// `Err(cancelled)` once the flag is raised.
    #[cfg_attr(test, track_caller)]
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            Err(Error::cancelled())
        } else {
            Ok(())
        }
    }
}
