//! How far a job with many bytes is.
#![forbid(unsafe_code)]

use std::time::Instant;

/// Counts the bytes of a job over several files.
#[derive(Clone, Debug)]
pub struct Count {
    done: u64,
    total: Option<u64>,
    /// The speed is that of the bytes after these, since then.
    before: u64,
    since: Instant,
}

impl Count {
    /// Of `total` bytes, where that is known.
    pub fn new(total: Option<u64>) -> Self {
        Self {
            done: 0,
            total,
            before: 0,
            since: Instant::now(),
        }
    }

    /// Bytes that are done.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// All bytes, where that is known.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// More is to be done than was known.
    pub fn more(&mut self, bytes: u64) {
        self.total = self.total.map(|t| t.saturating_add(bytes));
    }

    /// So much was there already, which tells nothing of the speed.
    pub fn there(&mut self, bytes: u64) {
        self.done = self.done.saturating_add(bytes);
        (self.before, self.since) = (self.done, Instant::now());
    }

    /// So much has to be done again.
    pub fn back(&mut self, bytes: u64) {
        self.done = self.done.saturating_sub(bytes);
        self.before = self.before.min(self.done);
    }

    /// So much was done.
    pub fn add(&mut self, bytes: u64) {
        self.done = self.done.saturating_add(bytes);
    }

    /// Bytes a second; 0 before anything came.
    pub fn speed(&self) -> f64 {
        let seconds = self.since.elapsed().as_secs_f64();
        self.done.saturating_sub(self.before) as f64 / seconds.max(1e-3)
    }

    /// Seconds that are left, where the total is known.
    pub fn seconds_left(&self) -> Option<f64> {
        let left = self.total?.saturating_sub(self.done);
        Some(left as f64 / self.speed().max(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_was_there_says_nothing_of_the_speed() {
        let mut count = Count::new(Some(1000));
        count.there(600);
        assert_eq!((count.done(), count.speed()), (600, 0.0));
        std::thread::sleep(Duration::from_millis(20));
        count.add(200);
        let (speed, left) = (count.speed(), count.seconds_left().unwrap());
        assert!(speed > 0.0 && speed <= 200.0 / 0.02, "{speed}");
        assert!((left - 200.0 / speed).abs() < left * 0.5, "{left}");
        count.back(300);
        count.more(50);
        assert_eq!((count.done(), count.total()), (500, Some(1050)));
        // Nothing of this speed is left over that was not done after all.
        assert_eq!(count.speed(), 0.0);
        assert_eq!(Count::new(None).seconds_left(), None);
    }
}
