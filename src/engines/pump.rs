//! Work on the inpainter's threads, watched from the caller's: progress is told and cancelling looked
//! for there, in the middle of a pass too.
#![forbid(unsafe_code)]

use crate::engines::{Mark, Run};
use crate::error::{Error, Result};
use crate::pixels::RgbImage;
use crate::progress::Cancel;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(60);

/// A stage that nobody has seen yet is taken to be half over after so many layers: networks have
/// some tens to some hundreds of them.
const MANY: f64 = 40.0;

/// How far a fill is, which the threads that work say and the caller's thread reports.
pub struct StageReporter<'a> {
    cancel: &'a Cancel,
    stop: AtomicBool,
    /// Whether it ends where the caller asks for what there is.
    early: AtomicBool,
    state: Mutex<State>,
}

struct State {
    mark: Mark,
    /// The share done at the end of the stage.
    end: f64,
    /// Layers of the stage so far, and of the last stage of that name.
    layers: u32,
    before: Option<(&'static str, u32)>,
    /// Of the last step, until it is shown.
    preview: Option<RgbImage>,
    /// Steps that were done when they ended early.
    ended: Option<u32>,
}

impl<'a> StageReporter<'a> {
    /// Nothing done of `steps`.
    pub fn new(cancel: &'a Cancel, steps: u32) -> Self {
        Self {
            cancel,
            stop: AtomicBool::new(false),
            early: AtomicBool::new(false),
            state: Mutex::new(State {
                mark: Mark {
                    stage: "prepare",
                    step: 0,
                    steps,
                    share: 0.0,
                },
                end: 0.0,
                layers: 0,
                before: None,
                preview: None,
                ended: None,
            }),
        }
    }

    /// Begins a stage, which takes the share done from where it is to `end`.
    pub fn begin(&self, stage: &'static str, step: u32, end: f64) {
        let mut state = self.state.lock();
        state.before = Some((state.mark.stage, state.layers));
        state.mark.stage = stage;
        state.mark.step = step;
        state.mark.share = state.end;
        (state.end, state.layers) = (end.max(state.end), 0);
    }

    /// From here on the work ends early where the caller asks for what there is, see [`Cancel::finish`]:
    /// its next layer is an error then.
    pub fn may_end_early(self) -> Self {
        self.early.store(true, Ordering::Relaxed);
        self
    }

    /// What is begun now goes on to its end.
    pub fn to_the_end(&self) {
        self.early.store(false, Ordering::Relaxed);
    }

    /// Whether to end now with what there is.
    pub fn ends_early(&self) -> bool {
        self.early.load(Ordering::Relaxed) && self.cancel.is_finishing()
    }

    /// The step that was begun last is not done: what there is before it is taken.
    pub fn end_early(&self) {
        let mut state = self.state.lock();
        state.ended = Some(state.mark.step);
    }

    /// Notes how far the steps came, where they ended early.
    pub fn tell_early(&self, run: &mut Run<'_>) {
        let state = self.state.lock();
        if let Some(done) = state.ended {
            let steps = state.mark.steps;
            (run.note)(format!(
                "ended early, as was asked: after {done} of {steps} steps"
            ));
        }
    }

    /// A layer is next: the check of a pass.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`], where it is to end early, too.
    pub fn layer(&self) -> Result<()> {
        self.state.lock().layers += 1;
        match self.stop.load(Ordering::Relaxed) || self.ends_early() {
            true => Err(Error::cancelled()),
            false => self.cancel.check(),
        }
    }

    /// There is a new picture of what the steps have come to; one that nobody has seen goes.
    pub fn show(&self, preview: RgbImage) {
        self.state.lock().preview = Some(preview);
    }

    /// What is to be shown, if it is new.
    pub fn shown(&self) -> Option<RgbImage> {
        self.state.lock().preview.take()
    }

    /// How far it is, inside of a stage too: by the layers of the last one of its name, or else, as
    /// nobody knows how many there will be, ever closer to the end.
    pub fn mark(&self) -> Mark {
        let state = self.state.lock();
        let mut mark = state.mark;
        let layers = f64::from(state.layers);
        let part = match state.before {
            Some((stage, all)) if stage == mark.stage && all > 0 => layers / f64::from(all),
            _ => layers / (layers + MANY),
        };
        mark.share += part.min(1.0) * (state.end - mark.share);
        mark
    }
}

/// Runs `work` on the pool's threads, and meanwhile tells `run` from this one.
///
/// # Errors
/// Those of `work`; [`ErrorKind::Cancelled`], `work`'s layers then end it.
pub fn pump<T: Send>(
    run: &mut Run<'_>,
    reporter: &StageReporter<'_>,
    work: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    let mut stopped = Ok(());
    let workers = run.pool;
    let result = workers.watched(PAUSE, work, || {
        if stopped.is_ok() {
            stopped = look(run, reporter);
            reporter.stop.store(stopped.is_err(), Ordering::Relaxed);
        }
    })?;
    stopped?;
    look(run, reporter)?;
    result
}

/// Tells `run` how far it is, and what there is to see.
fn look(run: &mut Run<'_>, reporter: &StageReporter<'_>) -> Result<()> {
    if let Some(preview) = reporter.shown() {
        (run.show)(&preview);
    }
    run.at(reporter.mark())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_brings_it_on_and_no_stage_is_over_before_its_end() {
        let cancel = Cancel::new();
        let reporter = StageReporter::new(&cancel, 2);
        let mut last = 0.0;
        for (stage, step, end, layers) in [
            ("encode", 0, 0.2, 300),
            ("sample", 0, 0.5, 100),
            ("sample", 1, 0.8, 100),
            ("decode", 2, 1.0, 30),
        ] {
            reporter.begin(stage, step, end);
            for _ in 0..layers {
                assert!(
                    reporter.mark().share >= last && reporter.mark().share < end,
                    "{stage}"
                );
                last = reporter.mark().share;
                reporter.layer().expect("nobody cancelled");
                assert!(reporter.mark().share > last, "{stage}: it stands still");
            }
        }
    }
}
