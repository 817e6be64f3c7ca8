//! `mend fill` on several pictures: every picture with its mask, going on past a bad one.
#![forbid(unsafe_code)]

use crate::App;
use crate::args::{FillArgs, SelectArgs};
use crate::budget::Budget;
use crate::files::io_text;
use crate::fill::{self, summary, take_stdin};
use crate::jobs::Jobs;
use crate::terminal::error_json;
use mend::{Error, ErrorKind, Request, Result};
use serde_json::{Value as Json, json};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Runs `fill` on several pictures.
///
/// # Errors
/// The first kind of failure, told already, if any picture failed.
pub fn run(app: &App, args: &FillArgs, request: &Request, jobs: Jobs) -> Result<()> {
    let select = &args.select;
    for (_, why) in &jobs.unreadable {
        app.terminal.note(&format!("{why}: skipped"));
    }
    for image in &jobs.maskless {
        app.terminal
            .note(&format!("{} has no mask: skipped", image.display()));
    }
    if !jobs.existing.is_empty() {
        app.terminal.note(&format!(
            "{} of {} pictures have their output already: skipped",
            jobs.existing.len(),
            jobs.existing.len() + jobs.list.len()
        ));
    }
    make_folder(&args.output)?;
    if jobs.list.is_empty() && jobs.failed.is_empty() && jobs.existing.is_empty() {
        return Err(nothing(select));
    }
    let mut ends = Ends::default();
    for (image, e) in &jobs.failed {
        ends.fail(app, image, e.clone());
    }
    let total = jobs.list.len();
    take_stdin(app, select, &Budget::new(args.machine.memory()))?;
    // One for all: what it loads for the first picture serves the others.
    let mut inpainter = args.machine.inpainter(None);
    for (i, job) in jobs.list.iter().enumerate() {
        let name = job.image.file_name().unwrap_or_default();
        let bar = app
            .terminal
            .bar(&format!("{}/{total} {} ", i + 1, name.to_string_lossy()));
        match fill::one(app, args, request, &mut inpainter, job, bar) {
            Ok(outcome) => {
                for note in &outcome.notes {
                    app.terminal
                        .note(&format!("{}: {note}", job.image.display()));
                }
                app.terminal.chat(&summary(job, &outcome));
                ends.done.push(outcome.to_json(job));
            }
            Err(e) if e.kind() == ErrorKind::Cancelled => {
                let what = format!(
                    "cancelled after {} of {total} pictures; what was finished stays",
                    ends.done.len()
                );
                return Err(Error::new(ErrorKind::Cancelled, what));
            }
            Err(e) => ends.fail(app, &job.image, e),
        }
    }
    ends.tell(app, &jobs)?;
    match ends.failed.into_iter().next() {
        None => Ok(()),
        Some((_, e)) => Err(app.told(Error::new(ErrorKind::Io, e.message()))),
    }
}

fn nothing(select: &SelectArgs) -> Error {
    let images: Vec<_> = select
        .images
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let images = images.join(", ");
    let what = match select.mask.as_ref().filter(|mask| mask.is_dir()) {
        Some(mask) => format!(
            "no picture in {images} has a mask in {}: masks are matched by name, as photo.png or \
             photo.mask.png for photo.jpg",
            mask.display()
        ),
        None => format!("there is no picture in {images}"),
    };
    Error::new(ErrorKind::Argument, what)
}

/// How the fills ended.
#[derive(Default)]
struct Ends {
    done: Vec<Json>,
    failed: Vec<(PathBuf, Error)>,
}

impl Ends {
    fn fail(&mut self, app: &App, image: &Path, e: Error) {
        if !app.terminal.json {
            app.terminal.error(&e);
        }
        self.failed.push((image.to_path_buf(), e));
    }

    /// The end of the run: what was done and, again, what was not.
    fn tell(&self, app: &App, jobs: &Jobs) -> Result<()> {
        if app.terminal.json {
            return app.terminal.result(&self.to_json(jobs));
        }
        if !self.failed.is_empty() {
            let names: Vec<_> = self
                .failed
                .iter()
                .map(|(image, _)| image.display().to_string())
                .collect();
            app.terminal.list(&format!(
                "{} of {} pictures failed: {}",
                self.failed.len(),
                self.failed.len() + self.done.len(),
                names.join(", ")
            ));
        }
        Ok(())
    }

    fn to_json(&self, jobs: &Jobs) -> Json {
        let named = |(image, e): &(PathBuf, Error)| json!({"ok": false, "image": image.to_string_lossy(), "error": error_json(e)});
        let paths = |list: Vec<&PathBuf>| -> Vec<_> {
            list.iter()
                .map(|p| p.to_string_lossy().into_owned())
                .collect()
        };
        json!({
            "ok": self.failed.is_empty(),
            "filled": self.done,
            "skipped": paths(jobs.maskless.iter().collect()),
            "existing": paths(jobs.existing.iter().flat_map(|job| &job.outputs).collect()),
            "unreadable": jobs.unreadable.iter().map(named).collect::<Vec<_>>(),
            "failed": self.failed.iter().map(named).collect::<Vec<_>>(),
        })
    }
}

/// Makes the output folder, in a folder that is there.
///
/// # Errors
/// [`ErrorKind::Io`] naming it.
pub fn make_folder(output: &Path) -> Result<()> {
    if output.is_dir() {
        return Ok(());
    }
    fs::create_dir(output).map_err(|e| {
        let what = match e.kind() {
            io::ErrorKind::NotFound => {
                "the folder that it is in does not exist; create it first".into()
            }
            io::ErrorKind::AlreadyExists => "it is a file; with several pictures, the output \
                                             is a folder too"
                .into(),
            _ => io_text(&e),
        };
        Error::new(
            ErrorKind::Io,
            format!("the folder {} cannot be made: {what}", output.display()),
        )
    })
}
