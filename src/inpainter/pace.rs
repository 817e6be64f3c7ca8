//! How far a fill is: reports some ten times a second, with the seconds left, and what its stages took.
#![forbid(unsafe_code)]

use crate::engines::Mark;
use crate::progress::{Preview, Progress, Step};
use std::time::Instant;

/// Before anything is told.
pub(super) const START: Mark = Mark {
    stage: Mark::FILL,
    step: 0,
    steps: 100,
    share: 0.0,
};

/// Of the whole time, below which nothing can be said of the rest.
const TOO_EARLY: f64 = 0.02;

/// Reports at most some ten times a second, with the seconds left.
pub(super) struct Pace<'a> {
    start: Instant,
    last: Option<Instant>,
    mark: Mark,
    progress: &'a mut dyn Progress,
    left: Left,
    /// Seconds of each stage, and since when nobody has counted.
    stages: Vec<(&'static str, f64)>,
    under_way: Option<&'static str>,
    since: Instant,
}

impl<'a> Pace<'a> {
    /// Of a fill that began at `start`.
    pub fn new(start: Instant, progress: &'a mut dyn Progress) -> Self {
        Self {
            start,
            last: None,
            mark: START,
            progress,
            left: Left::default(),
            stages: Vec::new(),
            under_way: None,
            since: Instant::now(),
        }
    }

    /// What each stage took, in seconds, in the order in which they began.
    pub fn stages(self) -> Vec<(&'static str, f64)> {
        self.stages
    }

    /// Counts the time since the last report to the stage that was under way.
    fn count(&mut self, stage: &'static str, now: Instant) {
        let seconds = (now - self.since).as_secs_f64();
        self.since = now;
        match self.stages.iter_mut().find(|(name, _)| *name == stage) {
            Some((_, all)) => *all += seconds,
            None => self.stages.push((stage, seconds)),
        }
    }

    /// Tells how far it is; `false` where the caller wants to stop.
    pub fn report(&mut self, mark: Mark, preview: Option<Preview>) -> bool {
        let now = Instant::now();
        let under_way = self.under_way.replace(mark.stage);
        self.count(under_way.unwrap_or(mark.stage), now);
        // A new stage or step is always told: the last of many quick ones, too.
        let same = (mark.stage, mark.step) == (self.mark.stage, self.mark.step);
        let soon = self.last.is_some_and(|l| (now - l).as_secs_f64() <= 0.08);
        let hundredths = mark.stage == START.stage;
        if soon && (same || hundredths) && mark.share < 1.0 && preview.is_none() {
            return true;
        }
        (self.last, self.mark) = (Some(now), mark);
        let elapsed = (now - self.start).as_secs_f64();
        self.progress.report(&Step {
            stage: mark.stage,
            step: mark.step.min(mark.steps),
            steps: mark.steps.max(1),
            seconds_left: self.left.at(mark.share, elapsed),
            preview,
        })
    }

    /// All is done.
    pub fn finish(&mut self) -> bool {
        let last = Mark {
            step: self.mark.steps,
            share: 1.0,
            ..self.mark
        };
        self.report(last, None)
    }
}

/// The seconds left: by the pace so far where there is news of the work, by the clock where there is
/// none.
#[derive(Debug, Default)]
struct Left {
    /// The share done, when that was news, and the seconds left then.
    news: Option<(f64, f64, f64)>,
}

impl Left {
    /// With `share` done after `elapsed` seconds.
    fn at(&mut self, share: f64, elapsed: f64) -> Option<f64> {
        if share <= TOO_EARLY {
            return None;
        }
        match self.news {
            Some((known, when, left)) if share <= known => Some(counted_down(left, elapsed - when)),
            _ => {
                let left = elapsed * (1.0 - share).max(0.0) / share;
                self.news = Some((share, elapsed, left));
                Some(left)
            }
        }
    }
}

/// What is left of `left` seconds after `since`: it goes by the clock, and from half of it on ever
/// more slowly, for then it was too short. It never reaches 0.
fn counted_down(left: f64, since: f64) -> f64 {
    let half = left / 2.0;
    match since <= half {
        true => left - since,
        false => half * half / since,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_goes_down_while_a_long_phase_says_nothing() {
        let mut left = Left::default();
        assert_eq!(left.at(0.01, 1.0), None);
        assert_eq!(left.at(0.5, 20.0), Some(20.0));
        let mut last = 20.0;
        for second in 1..120 {
            let now = left.at(0.5, 20.0 + f64::from(second)).expect("it is known");
            assert!(now < last && now > 0.0, "{second}: {now} after {last}");
            if second <= 10 {
                assert_eq!(now, 20.0 - f64::from(second));
            }
            last = now;
        }
        // News counts again.
        assert_eq!(left.at(0.9, 90.0), Some(90.0 * (1.0 - 0.9) / 0.9));
        assert_eq!(left.at(1.0, 100.0), Some(0.0));
    }
}
