//! `mend fill` on folders: every picture with its mask, going on past a bad one.
#![forbid(unsafe_code)]

use crate::App;
use crate::args::FillArgs;
use crate::files::{Kind, io_text};
use crate::fill::{self, Files, summary};
use crate::terminal::error_json;
use mend::{Error, ErrorKind, Result};
use serde_json::{Value as Json, json};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What a mask's stem may add to its picture's.
const MARKS: &[&str] = &[".mask", "_mask", "-mask"];

/// Runs `fill` on the pictures of a folder.
///
/// # Errors
/// The first kind of failure, told already, if any picture failed.
pub fn run(app: &App, args: &FillArgs) -> Result<()> {
    let select = &args.select;
    let request = select.request()?;
    let masks = match select.mask_is_alpha() {
        true => None,
        false => Some(pictures(&select.mask)?),
    };
    let sources = match &select.source_mask {
        Some(path) if path.is_dir() => Some(pictures(path)?),
        _ => None,
    };
    let mut images = pictures(&select.image)?;
    if same_folder(&select.image, &select.mask) {
        images.retain(|path| !is_marked(path));
    }
    make_folder(&args.output)?;
    let (mut done, mut skipped, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    let total = images.len();
    for (i, image) in images.iter().enumerate() {
        let result = (|| -> Result<Option<Json>> {
            let mask = match &masks {
                None => None,
                Some(masks) => match find(image, masks, &select.mask)? {
                    None => return Ok(None),
                    mask => mask,
                },
            };
            let source = match (&select.source_mask, &sources) {
                (Some(folder), Some(sources)) => find(image, sources, folder)?,
                (file, _) => file.as_deref(),
            };
            let name = image.file_name().unwrap_or_default();
            let output = args.output.join(name);
            let files = Files {
                image,
                mask,
                source_mask: source,
                output: &output,
            };
            let bar = app
                .terminal
                .bar(&format!("{}/{total} {} ", i + 1, name.to_string_lossy()));
            let outcome = fill::one(app, args, &request, &files, bar)?;
            for note in &outcome.notes {
                app.terminal.note(&format!("{}: {note}", image.display()));
            }
            app.terminal.chat(&summary(&files, &outcome));
            Ok(Some(outcome.to_json(&files)))
        })();
        match result {
            Ok(Some(json)) => done.push(json),
            Ok(None) => skipped.push(image),
            Err(e) if e.kind() == ErrorKind::Cancelled => {
                let what = format!(
                    "cancelled after {} of {total} pictures; what was finished stays",
                    done.len()
                );
                return Err(Error::new(ErrorKind::Cancelled, what));
            }
            Err(e) => {
                if !app.terminal.json {
                    app.terminal.error(&e);
                }
                failed.push((image, e));
            }
        }
    }
    for image in &skipped {
        app.terminal
            .note(&format!("{} has no mask: skipped", image.display()));
    }
    if done.is_empty() && failed.is_empty() {
        return Err(Error::new(
            ErrorKind::Argument,
            format!(
                "no picture in {} has a mask in {}: masks are matched by name, as photo.png or \
                 photo.mask.png for photo.jpg",
                select.image.display(),
                select.mask.display()
            ),
        ));
    }
    tell(app, &done, &skipped, &failed);
    match failed.into_iter().next() {
        None => Ok(()),
        Some((_, e)) => Err(app.told(Error::new(ErrorKind::Io, e.message()))),
    }
}

/// The end of the run: what was done and, again, what was not.
fn tell(app: &App, done: &[Json], skipped: &[&PathBuf], failed: &[(&PathBuf, Error)]) {
    if app.terminal.json {
        let failures: Vec<_> = failed
            .iter()
            .map(|(image, e)| {
                json!({"ok": false, "image": image.to_string_lossy(), "error": error_json(e)})
            })
            .collect();
        app.terminal.result(&json!({
            "ok": failed.is_empty(),
            "filled": done,
            "skipped": skipped.iter().map(|p| p.to_string_lossy()).collect::<Vec<_>>(),
            "failed": failures,
        }));
    } else if !failed.is_empty() {
        let names: Vec<_> = failed
            .iter()
            .map(|(image, _)| image.display().to_string())
            .collect();
        app.terminal.list(&format!(
            "{} of {} pictures failed: {}",
            failed.len(),
            failed.len() + done.len(),
            names.join(", ")
        ));
    }
}

/// The files in `folder` whose extension is a picture's, by name.
fn pictures(folder: &Path) -> Result<Vec<PathBuf>> {
    let fail = |e: io::Error| {
        Error::new(
            ErrorKind::Io,
            format!("{} cannot be read: {}", folder.display(), io_text(&e)),
        )
    };
    if folder.is_file() {
        return Err(Error::new(
            ErrorKind::Argument,
            format!(
                "{} is a file: with a folder of pictures, give a folder of masks or `alpha`",
                folder.display()
            ),
        ));
    }
    let mut list = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let hidden = path
            .file_name()
            .is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
        if !hidden && Kind::of_extension(&path).is_some() && !path.is_dir() {
            list.push(path);
        }
    }
    list.sort();
    Ok(list)
}

/// The mask of `image` among `masks`.
///
/// # Errors
/// [`ErrorKind::Mask`] where several would do.
fn find<'a>(image: &Path, masks: &'a [PathBuf], folder: &Path) -> Result<Option<&'a Path>> {
    let stem = |path: &Path| path.file_stem().unwrap_or_default().to_os_string();
    // The very same name settles it; a picture is never its own mask.
    let same = |m: &&PathBuf| m.file_name() == image.file_name() && *m != image;
    if let Some(mask) = masks.iter().find(same) {
        return Ok(Some(mask));
    }
    let wanted: Vec<_> = ["", ".mask", "_mask", "-mask"]
        .iter()
        .map(|mark| {
            let mut name = stem(image);
            name.push(mark);
            name
        })
        .collect();
    let found: Vec<_> = masks
        .iter()
        .filter(|m| wanted.contains(&stem(m)) && *m != image)
        .collect();
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        several => {
            let names: Vec<_> = several.iter().map(|m| m.display().to_string()).collect();
            Err(Error::new(
                ErrorKind::Mask,
                format!(
                    "{} has several masks in {}: {}; leave one of them",
                    image.display(),
                    folder.display(),
                    names.join(", ")
                ),
            ))
        }
    }
}

fn is_marked(path: &Path) -> bool {
    path.file_stem()
        .and_then(|s| s.to_str())
        .is_some_and(|s| MARKS.iter().any(|mark| s.ends_with(mark)))
}

fn same_folder(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

fn make_folder(output: &Path) -> Result<()> {
    if output.is_dir() {
        return Ok(());
    }
    fs::create_dir(output).map_err(|e| {
        let what = match e.kind() {
            io::ErrorKind::NotFound => {
                "the folder around it is not there; create that first".into()
            }
            io::ErrorKind::AlreadyExists => "it is a file; with a folder of pictures, the output \
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
