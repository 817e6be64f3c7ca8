//! How far a long job with bytes is: a bar with speed and time left, or JSON lines.
#![forbid(unsafe_code)]

use crate::terminal::{Terminal, escaped};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mend::catalog::Count;
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Between two JSON lines.
const PAUSE: Duration = Duration::from_millis(500);

/// Counts bytes of several files.
pub struct Meter {
    bar: ProgressBar,
    file: String,
    count: Count,
    lines: bool,
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
            count: Count::new(total),
            lines,
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
        self.count.more(bytes);
        self.bar.inc_length(bytes);
    }

    /// So much was there already.
    pub fn there(&mut self, bytes: u64) {
        self.count.there(bytes);
        self.show();
        self.bar.reset_eta();
    }

    /// So much has to be done again.
    pub fn back(&mut self, bytes: u64) {
        self.count.back(bytes);
        self.bar.set_position(self.count.done());
    }

    /// So much was done.
    pub fn add(&mut self, bytes: u64) {
        self.count.add(bytes);
        self.show();
    }

    fn show(&mut self) {
        self.bar.set_position(self.count.done());
        if self.lines && self.told.elapsed() >= PAUSE {
            self.told = Instant::now();
            self.line();
        }
    }

    fn line(&self) {
        let line = json!({
            "event": "progress", "file": self.file, "bytes": self.count.done(),
            "total": self.count.total(), "bytes_per_second": self.count.speed().round(),
            "seconds_left": self.count.seconds_left().map(f64::round),
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
