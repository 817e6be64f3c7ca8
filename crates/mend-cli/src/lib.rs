//! `mend`: the command line. It uses the library's public interface only; one file a subcommand.
//!
//! What is public is so for the program itself, its tests, the fuzzer and the tools that measure; it is no
//! interface to build on.
#![forbid(unsafe_code)]

mod args;
#[doc(hidden)]
pub mod attributes;
mod batch;
mod bench;
mod budget;
mod doctor;
mod engines;
#[doc(hidden)]
pub mod files;
mod fill;
mod guard;
mod identity;
mod install;
mod jobs;
mod larger;
#[doc(hidden)]
pub mod mask;
mod mask_file;
mod models;
mod numbers;
mod orient;
#[doc(hidden)]
pub mod output;
mod pipe;
mod plan;
mod pointing;
mod previews;
mod select;
mod sink;
mod terminal;

use args::{Cli, Job};
use clap::Parser;
use mend::{Cancel, Error, ErrorKind, Result};
use once_cell::sync::OnceCell;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::NamedTempFile;
use terminal::{Terminal, escaped};

/// What every subcommand works with.
pub(crate) struct App {
    pub terminal: Terminal,
    /// Raised by Ctrl-C.
    pub cancel: Cancel,
    told: AtomicBool,
    stdin: OnceCell<NamedTempFile>,
}

impl App {
    /// Marks an error as told: only its exit code is left to give.
    pub fn told(&self, error: Error) -> Error {
        self.told.store(true, Ordering::Relaxed);
        error
    }

    /// Takes standard input, of which a picture of up to `most` bytes may come.
    ///
    /// # Errors
    /// As [`pipe::spool`].
    pub fn take_stdin(&self, most: u64) -> Result<()> {
        let spool = || pipe::spool(&self.cancel, most);
        self.stdin.get_or_try_init(spool).map(|_| ())
    }

    /// Where what came from standard input lies, once it was taken.
    pub fn stdin(&self) -> Option<&Path> {
        self.stdin.get().map(NamedTempFile::path)
    }
}

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const CANCELLED: u8 = 130;

/// The program, from its arguments to its exit code.
pub fn main() -> ExitCode {
    // A defect ends as an error like any other; its details are for whoever asks for them. A decoder
    // that gives up on a file is no defect of Mend's.
    let asked = std::env::var_os("RUST_BACKTRACE").is_some();
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if asked && !files::is_decoding() {
            print(panic);
        }
    }));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return usage(&e),
    };
    let tell = cli.command.tell();
    let app = App {
        terminal: Terminal {
            json: tell.json,
            quiet: tell.quiet,
        },
        cancel: Cancel::new(),
        told: AtomicBool::new(false),
        stdin: OnceCell::new(),
    };
    let flag = app.cancel.clone();
    // Without a handler Ctrl-C still ends the program, only less tidily.
    let _ = ctrlc::set_handler(move || flag.cancel());
    let result = catch_unwind(AssertUnwindSafe(|| dispatch(&app, &cli.command)));
    let result = result.unwrap_or_else(|_| {
        Err(Error::new(
            ErrorKind::Internal,
            "Mend has a defect and stopped; nothing was written. Please report it with the output \
             of the same command under RUST_BACKTRACE=1",
        ))
    });
    let Err(mut error) = result else {
        return ExitCode::SUCCESS;
    };
    let code = match error.kind() {
        ErrorKind::Cancelled => CANCELLED,
        ErrorKind::Argument | ErrorKind::Parameter => USAGE,
        _ => FAILED,
    };
    if error == Error::cancelled() {
        error = Error::new(ErrorKind::Cancelled, "cancelled; nothing was written");
    }
    if !app.told.load(Ordering::Relaxed) {
        app.terminal.error(&error);
    }
    ExitCode::from(code)
}

fn dispatch(app: &App, job: &Job) -> Result<()> {
    match job {
        Job::Fill(args) => fill::run(app, args),
        Job::Plan(args) => plan::run(app, args),
        Job::Select(args) => select::run(app, args),
        Job::Engines(_) => engines::run(app),
        Job::Doctor(args) => doctor::run(app, args),
        Job::Bench(args) => bench::run(app, args),
        Job::Install(args) => install::run(app, args),
        Job::Models(args) => models::run(app, args),
    }
}

/// Help and version, or what is wrong with the command line.
fn usage(error: &clap::Error) -> ExitCode {
    // The line did not parse: whether JSON was wanted can only be guessed from its words.
    if error.use_stderr() && std::env::args_os().any(|arg| arg == "--json") {
        let text = error.to_string();
        let message = text.trim().trim_start_matches("error: ");
        let terminal = Terminal {
            json: true,
            quiet: false,
        };
        terminal.error(&Error::new(ErrorKind::Argument, message));
    } else if let Err(e) = terminal::written(print_usage(error)) {
        // The help or the version, and no place to print it.
        let terminal = Terminal {
            json: false,
            quiet: false,
        };
        terminal.error(&e);
        return ExitCode::from(FAILED);
    }
    ExitCode::from(if error.use_stderr() { USAGE } else { 0 })
}

/// Prints it as `clap` does, in colour, but with the words of the command line escaped in it: a
/// pattern of the shell may have made them of files' names.
fn print_usage(error: &clap::Error) -> std::io::Result<()> {
    let text = error.to_string();
    let mut shown = text.clone();
    for arg in std::env::args_os() {
        let arg = arg.to_string_lossy();
        let safe = escaped(&arg);
        if safe != arg {
            shown = shown.replace(&*arg, &safe);
        }
    }
    let lines: Vec<String> = shown.split('\n').map(escaped).collect();
    let shown = lines.join("\n");
    if shown == text {
        error.print()
    } else {
        std::io::stderr().write_all(shown.as_bytes())
    }
}
