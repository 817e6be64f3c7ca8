//! What the user sees while and after: notes, errors, the progress bar.
//!
//! Names of files, models and tensors come from others. On their way to a terminal everything in
//! them that would steer it is shown escaped; JSON keeps them as they are.
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
            line(&format!("mend: note: {}", escaped(text)));
        }
    }

    /// What went wrong.
    pub fn error(&self, error: &Error) {
        if self.json {
            let told = self.result(&json!({"ok": false, "error": error_json(error)}));
            if told.is_err() {
                line(&format!("mend: error: {}", listed(&error.to_string())));
            }
        } else {
            line(&format!("mend: error: {}", listed(&error.to_string())));
        }
    }

    /// A closing line on standard error, whatever is told otherwise.
    pub fn list(&self, text: &str) {
        line(&format!("mend: {}", escaped(text)));
    }

    /// A line that only a person at a terminal wants.
    pub fn chat(&self, text: &str) {
        if !self.quiet && !self.json && std::io::stderr().is_terminal() {
            line(&escaped(text));
        }
    }

    /// The result, in JSON.
    ///
    /// # Errors
    /// As [`Self::print`].
    pub fn result(&self, json: &Json) -> Result<()> {
        self.raw(&format!("{json:#}\n"))
    }

    /// Lines on standard output. A name that may hold a line's end goes through [`escaped`] first.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where it cannot be written: on a full disk, say.
    pub fn print(&self, text: &str) -> Result<()> {
        let lines: Vec<String> = text.split('\n').map(escaped).collect();
        self.raw(&lines.join("\n"))
    }

    fn raw(&self, text: &str) -> Result<()> {
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
        bar.set_prefix(escaped(prefix));
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

/// `text` as one line that steers no terminal: control characters and those that turn the direction
/// of writing stand as `\n` or `\u{1b}`.
pub fn escaped(text: impl std::fmt::Display) -> String {
    let text = text.to_string();
    if !text.contains(steers) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if steers(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// As [`escaped`], but the items of a list, which begin on lines of their own with two spaces, stay
/// there.
fn listed(text: &str) -> String {
    let items: Vec<String> = text.split("\n  ").map(escaped).collect();
    items.join("\n  ")
}

/// Whether a terminal does something at `c` other than showing it: controls (Unicode's Cc), ends of
/// lines, and Unicode's Bidi_Control.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}')
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown_and_the_rest_is_left() {
        assert_eq!(
            escaped("a\u{1b}[31m\n\r\t\u{7}\u{9b}\u{7f}\u{202e}gpj\u{2069}"),
            "a\\u{1b}[31m\\n\\r\\t\\u{7}\\u{9b}\\u{7f}\\u{202e}gpj\\u{2069}"
        );
        for plain in [
            "C:\\new\\photo.png",
            "Größe 写真 صورة",
            "👩\u{200d}🎨 ×",
            "'\"",
        ] {
            assert_eq!(escaped(plain), plain);
        }
    }

    #[test]
    fn a_list_keeps_its_lines_and_a_name_cannot_make_one() {
        assert_eq!(listed("Looked at:\n  a\n  b"), "Looked at:\n  a\n  b");
        assert_eq!(listed("a\nmend: note: b"), "a\\nmend: note: b");
    }
}
