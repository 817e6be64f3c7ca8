//! Room for one loaded network, kept from fill to fill.
#![forbid(unsafe_code)]

use super::Run;
use super::pump::{StageReporter, pump};
use crate::error::Result;
use parking_lot::Mutex;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
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

/// Room for one network. Nobody is called back, and nothing is loaded or dropped, while its lock is held.
pub struct Slot<T>(Mutex<State<T>>);

struct State<T> {
    here: Option<Arc<T>>,
    /// Somebody loads what comes here next.
    loading: bool,
    /// And is to let it go at the end of the fill.
    unwanted: bool,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(Mutex::new(State {
            here: None,
            loading: false,
            unwanted: false,
        }))
    }
}

impl<T: Send + Sync> Slot<T> {
    /// The network that is here where `fits` says so, or else what `load` makes on the inpainter's
    /// threads, in the place of the other; with `keep` it stays.
    ///
    /// Another fill that is loading is waited for. That happens on the caller's thread and not on the
    /// pool's, where a thread that waits may be handed the work of another fill. The other may be one
    /// further out on this very thread, whose progress callback fills: what it loads comes here on the
    /// inpainter's threads, without that callback's return.
    ///
    /// # Errors
    /// Those of `load`; [`crate::ErrorKind::Cancelled`].
    pub fn get(
        &self,
        run: &mut Run<'_>,
        reporter: &StageReporter<'_>,
        fits: impl Fn(&T) -> bool,
        keep: bool,
        load: impl FnOnce() -> Result<T> + Send,
    ) -> Result<Arc<T>> {
        let turn = loop {
            let mut state = self.0.lock();
            if let Some(here) = state.here.as_ref().filter(|here| fits(here)) {
                return Ok(here.clone());
            }
            if !state.loading {
                (state.loading, state.unwanted) = (true, !keep);
                let other = state.here.take();
                drop(state);
                // Room first: two do not fit where one does.
                drop(other);
                break Turn(self);
            }
            drop(state);
            run.at(reporter.mark())?;
            std::thread::sleep(PAUSE);
        };
        pump(run, reporter, move || {
            let loaded = Arc::new(load()?);
            turn.made(&loaded);
            Ok(loaded)
        })
    }

    /// Whether one is here that `fits`.
    pub fn holds(&self, fits: impl Fn(&T) -> bool) -> bool {
        self.0.lock().here.as_ref().is_some_and(|here| fits(here))
    }

    /// What is here.
    #[cfg(test)]
    pub fn held(&self) -> Option<Arc<T>> {
        self.0.lock().here.clone()
    }

    /// Lets it go; a fill that is running with it, or loading it, lets it go at its end.
    pub fn trim(&self) {
        let mut state = self.0.lock();
        state.unwanted = true;
        let here = state.here.take();
        drop(state);
        drop(here);
    }
}

/// Whose turn it is to load; its end, a panic's too, is the next one's beginning.
struct Turn<'a, T>(&'a Slot<T>);

impl<T> Turn<'_, T> {
    fn made(&self, loaded: &Arc<T>) {
        let mut state = self.0.0.lock();
        if !state.unwanted {
            state.here = Some(loaded.clone());
        }
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        self.0.0.lock().loading = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Cancel;
    use crate::workers::Workers;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// A run whose reports call `told`.
    fn run<'a>(
        workers: &'a Workers,
        cancel: &'a Cancel,
        told: &'a mut dyn FnMut(crate::engines::Mark) -> bool,
        show: &'a mut dyn FnMut(&crate::pixels::RgbImage),
    ) -> Run<'a> {
        Run {
            pool: workers,
            cancel,
            seed: 0,
            budget: None,
            report: told,
            show,
            note: Box::leak(Box::new(|_| {})),
        }
    }

    /// Whoever is told that something is being loaded may ask for the same, or let it go.
    #[test]
    fn what_is_told_while_loading_may_load_and_let_go() {
        let (slot, cancel) = (Slot::<u32>::default(), Cancel::new());
        for (workers, trims) in [(1, false), (2, false), (1, true), (3, true)] {
            let workers = Workers::new(workers).unwrap();
            let asked = AtomicBool::new(false);
            let mut inner = None;
            let mut within = |_| {
                if asked.swap(true, Ordering::SeqCst) {
                    return true;
                }
                if trims {
                    slot.trim();
                }
                let mut told = |_| true;
                let mut show = |_: &_| {};
                let mut run = run(&workers, &cancel, &mut told, &mut show);
                let reporter = StageReporter::new(&cancel, 1);
                // Of the same, or of another that takes its place.
                let fits = |number: &u32| trims || *number == 7;
                inner = slot.get(&mut run, &reporter, fits, true, || Ok(8)).ok();
                true
            };
            let mut show = |_: &_| {};
            let mut outer = run(&workers, &cancel, &mut within, &mut show);
            let reporter = StageReporter::new(&cancel, 1);
            let slow = || {
                while !asked.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
                std::thread::sleep(2 * PAUSE);
                Ok(7)
            };
            let got = slot
                .get(&mut outer, &reporter, |_| false, true, slow)
                .unwrap();
            assert_eq!(*got, 7);
            // What was let go while it was loaded is nobody's but the outer's.
            assert_eq!(inner.as_deref(), Some(if trims { &8 } else { &7 }));
            assert_eq!(slot.held().as_deref(), inner.as_deref());
            slot.trim();
            assert!(slot.held().is_none());
        }
    }

    #[test]
    fn a_panic_or_an_error_while_loading_is_the_next_ones_turn() {
        let (slot, cancel) = (Slot::<u32>::default(), Cancel::new());
        let workers = Workers::new(1).unwrap();
        let (mut report, mut show) = (|_| true, |_: &_| {});
        let mut run = run(&workers, &cancel, &mut report, &mut show);
        let reporter = StageReporter::new(&cancel, 1);
        let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            slot.get(&mut run, &reporter, |_| true, true, || panic!("broken"))
        }));
        assert!(broken.is_err());
        let refused = slot.get(
            &mut run,
            &reporter,
            |_| true,
            true,
            || Err(crate::Error::cancelled()),
        );
        assert!(refused.is_err() && slot.held().is_none());
        let got = slot
            .get(&mut run, &reporter, |_| true, false, || Ok(3))
            .unwrap();
        assert!(*got == 3 && slot.held().is_none());
        assert_eq!(
            *slot
                .get(&mut run, &reporter, |_| true, true, || Ok(4))
                .unwrap(),
            4
        );
        assert_eq!(slot.held().as_deref(), Some(&4));
    }
}
