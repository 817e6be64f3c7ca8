//! How far a long job with bytes is: a bar with speed and time left, or JSON lines.
#![forbid(unsafe_code)]

use crate::terminal::{Terminal, escaped};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Between two JSON lines.
const PAUSE: Duration = Duration::from_millis(500);

/// Counts bytes of several files.
pub struct Meter {
    bar: ProgressBar,
    file: String,
    done: u64,
    total: Option<u64>,
    lines: bool,
    start: Instant,
    /// Bytes that were there at the start: they tell nothing of the speed.
    before: u64,
    told: Instant,
}

impl Meter {
    /// Of `total` bytes, where that is known; `lines` tells it as JSON on standard error.
    pub fn new(terminal: &Terminal, total: Option<u64>, lines: bool) -> Self {
        let draws = !terminal.quiet && !terminal.json && !lines && std::io::stderr().is_terminal();
        let target = if draws {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(total, target);
        let style = ProgressStyle::with_template(
            "{msg} {wide_bar} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
        );
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("━╸ "));
        }
        Self {
            bar,
            file: String::new(),
            done: 0,
            total,
            lines,
            start: Instant::now(),
            before: 0,
            told: Instant::now(),
        }
    }

    /// What is worked on now.
    pub fn file(&mut self, name: &str) {
        self.file = name.to_owned();
        self.bar
            .set_message(escaped(name.rsplit('/').next().unwrap_or(name)));
    }

    /// More is to be done than was known.
    pub fn more(&mut self, bytes: u64) {
        self.total = self.total.map(|t| t.saturating_add(bytes));
        self.bar.inc_length(bytes);
    }

    /// So much was there already.
    pub fn there(&mut self, bytes: u64) {
        self.before = self.before.saturating_add(bytes);
        self.add(bytes);
        self.bar.reset_eta();
    }

    /// So much has to be done again.
    pub fn back(&mut self, bytes: u64) {
        self.done = self.done.saturating_sub(bytes);
        self.before = self.before.min(self.done);
        self.bar.set_position(self.done);
    }

    /// So much was done.
    pub fn add(&mut self, bytes: u64) {
        self.done = self.done.saturating_add(bytes);
        self.bar.set_position(self.done);
        if self.lines && self.told.elapsed() >= PAUSE {
            self.told = Instant::now();
            self.line();
        }
    }

    fn line(&self) {
        let seconds = self.start.elapsed().as_secs_f64();
        let speed = self.done.saturating_sub(self.before) as f64 / seconds.max(1e-3);
        let left = self
            .total
            .map(|t| t.saturating_sub(self.done) as f64 / speed.max(1.0));
        let line = json!({
            "event": "progress", "file": self.file, "bytes": self.done, "total": self.total,
            "bytes_per_second": speed.round(), "seconds_left": left.map(f64::round),
        });
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if self.lines {
            self.line();
        }
        self.bar.finish_and_clear();
    }
}

/// Bytes for people.
pub fn bytes(n: u64) -> String {
    match n {
        0..10_000 => format!("{n} B"),
        10_000..10_000_000 => format!("{:.0} kB", n as f64 / 1e3),
        10_000_000..1_000_000_000 => format!("{:.0} MB", n as f64 / 1e6),
        _ => format!("{:.2} GB", n as f64 / 1e9),
    }
}
