//! What the user sees while and after: notes, errors, the progress bar.
#![forbid(unsafe_code)]

use crate::files::io_text;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mend::progress::Step;
use mend::{Error, ErrorKind, Progress, Result};
use serde_json::{Value as Json, json};
use std::io::{IsTerminal, Write};

/// Where and how much to tell.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Results as one JSON object on standard output, and nothing else anywhere.
    pub json: bool,
    /// Errors only.
    pub quiet: bool,
}

impl Terminal {
    /// Something the user should know; part of the result in JSON.
    pub fn note(&self, text: &str) {
        if !self.quiet && !self.json {
            line(&format!("mend: note: {text}"));
        }
    }

    /// What went wrong.
    pub fn error(&self, error: &Error) {
        if self.json {
            let told = self.result(&json!({"ok": false, "error": error_json(error)}));
            if told.is_err() {
                line(&format!("mend: error: {error}"));
            }
        } else {
            line(&format!("mend: error: {error}"));
        }
    }

    /// A closing line on standard error, whatever is told otherwise.
    pub fn list(&self, text: &str) {
        line(&format!("mend: {text}"));
    }

    /// A line that only a person at a terminal wants.
    pub fn chat(&self, text: &str) {
        if !self.quiet && !self.json && std::io::stderr().is_terminal() {
            line(text);
        }
    }

    /// The result, in JSON.
    ///
    /// # Errors
    /// As [`Self::print`].
    pub fn result(&self, json: &Json) -> Result<()> {
        self.print(&format!("{json:#}\n"))
    }

    /// Text on standard output.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where it cannot be written: on a full disk, say.
    pub fn print(&self, text: &str) -> Result<()> {
        let mut out = std::io::stdout().lock();
        written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
    }

    /// A progress bar: drawn on a terminal only.
    pub fn bar(&self, prefix: &str) -> Bar {
        let draws = !self.quiet && !self.json && std::io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(
            Some(100),
            if draws {
                ProgressDrawTarget::stderr()
            } else {
                ProgressDrawTarget::hidden()
            },
        );
        let style = ProgressStyle::with_template("{prefix}{msg:9} {wide_bar} {percent:>3}%");
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("━╸ "));
        }
        bar.set_prefix(prefix.to_owned());
        Bar { bar, draws }
    }
}

/// What became of writing to standard output.
///
/// # Errors
/// [`ErrorKind::Io`], but for a reader that has gone: `mend engines | head` is no failure.
pub fn written(result: std::io::Result<()>) -> Result<()> {
    match result {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::new(
            ErrorKind::Io,
            format!("standard output cannot be written: {}", io_text(&e)),
        )),
        _ => Ok(()),
    }
}

fn line(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// An error as JSON.
pub fn error_json(error: &Error) -> Json {
    error.to_json()
}

/// The progress bar of one picture.
pub struct Bar {
    bar: ProgressBar,
    draws: bool,
}

impl Bar {
    /// A stage without measure.
    pub fn stage(&self, name: &'static str) {
        self.bar.set_message(name);
        self.bar.tick();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Bar {
    fn report(&mut self, step: &Step) -> bool {
        if self.draws {
            self.bar.set_length(u64::from(step.steps));
            self.bar.set_position(u64::from(step.step));
            let left = step.seconds_left.filter(|s| *s >= 0.5 && s.is_finite());
            self.bar.set_message(match left {
                Some(s) => format!("{} {} left", step.stage, duration(s)),
                None => step.stage.to_owned(),
            });
        }
        true
    }
}

/// Seconds in words.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    if seconds < 10.0 {
        format!("{seconds:.1} s")
    } else if whole < 100 {
        format!("{seconds:.0} s")
    } else {
        format!("{} min {:02} s", whole / 60, whole % 60)
    }
}
