//! `mend fill`: one picture, from file to file.
#![forbid(unsafe_code)]

use crate::App;
use crate::args::{FillArgs, SelectArgs};
use crate::budget::{Budget, peak};
use crate::files::{self, Kind, Meta, Picture, Source, Want, WriteOptions};
use crate::mask::{self, Mask};
use crate::output::Target;
use crate::previews::Previews;
use crate::terminal::{Bar, duration};
use mend::pixels::Depth;
use mend::{Error, ErrorKind, Inpainter, Plan, Report, Request, Result};
use serde_json::{Value as Json, json};
use std::io::Read;
use std::path::Path;
use std::time::Instant;

/// The files of one fill.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    pub image: &'a Path,
    /// `None`: the image's own alpha.
    pub mask: Option<&'a Path>,
    pub source_mask: Option<&'a Path>,
    pub output: &'a Path,
}

/// What a fill did.
pub struct Outcome {
    plan: Option<Plan>,
    pub report: Report,
    /// Whether the output was written; an empty mask leaves a picture that is its own output alone.
    written: bool,
    pub notes: Vec<String>,
    seconds: f64,
}

impl Outcome {
    /// The outcome as JSON.
    pub fn to_json(&self, files: &Files<'_>) -> Json {
        json!({
            "ok": true,
            "image": files.image.to_string_lossy(),
            "mask": files.mask.map_or("alpha".into(), Path::to_string_lossy),
            "output": files.output.to_string_lossy(),
            "written": self.written,
            "plan": self.plan.as_ref().map(Plan::to_json),
            "report": self.report.to_json(),
            "notes": self.notes,
            "seconds": self.seconds,
            "peak_bytes": peak(),
        })
    }
}

/// Runs `fill` for one picture and tells of it.
pub fn run(app: &App, args: &FillArgs) -> Result<()> {
    let select = &args.select;
    let files = Files {
        image: &select.image,
        mask: (!select.mask_is_alpha()).then_some(&*select.mask),
        source_mask: select.source_mask.as_deref(),
        output: &args.output,
    };
    let request = select.request()?;
    let bar = app.terminal.bar("");
    let outcome = one(app, args, &request, &files, bar)?;
    for note in &outcome.notes {
        app.terminal.note(note);
    }
    if app.terminal.json {
        app.terminal.result(&outcome.to_json(&files));
    } else {
        app.terminal.chat(&summary(&files, &outcome));
    }
    Ok(())
}

/// A line on what was done.
pub fn summary(files: &Files<'_>, outcome: &Outcome) -> String {
    let report = &outcome.report;
    let regions = if report.regions == 1 {
        "region"
    } else {
        "regions"
    };
    format!(
        "{}: {} {regions}, {} pixels{}{} in {}",
        files.output.display(),
        report.regions,
        report.pixels,
        if report.engine.is_empty() { "" } else { ", " },
        report.engine,
        duration(outcome.seconds)
    )
}

/// Fills one picture.
///
/// # Errors
/// Named ones, of whatever went wrong; the output is untouched then.
pub fn one(
    app: &App,
    args: &FillArgs,
    request: &Request,
    files: &Files<'_>,
    mut bar: Bar,
) -> Result<Outcome> {
    let start = Instant::now();
    let budget = Budget::new(args.machine.memory());
    let output = files.output;
    let kind = Kind::of_extension(output).ok_or_else(|| {
        Error::new(
            ErrorKind::Argument,
            format!(
                "{} does not say its format: give it the extension of one of {}",
                output.display(),
                Kind::all_names()
            ),
        )
    })?;
    bar.stage("read");
    let source = source(app, files.image, &budget);
    let about = files::read(&source, Want::Header)?;
    files::check(&about, kind, output)?;
    let target = Target::new(output)?;
    let in_place = target.is(files.image);
    if in_place && about.kind != kind {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "{} is a {} under another format's name, and would be replaced by a {}: give \
                 --output another name",
                files.image.display(),
                about.kind.name(),
                kind.name()
            ),
        ));
    }
    budget.need(picture_bytes(&about), files.image.display())?;

    let (mut picture, mask) = read_both(app, args, files, &budget, &source)?;
    let mut request = request.clone();
    if let Some(path) = files.source_mask {
        let from = mask::read(&self::source(app, path, &budget), false)?;
        check_sizes(files.image, &about, path, &from)?;
        request.set_source(&from.view()?)?;
    }
    let mut notes: Vec<String> = picture.notes.drain(..).chain(mask.notes.clone()).collect();
    let named = |e: Error| named(files.image, budget.explain(e));

    if mask.empty {
        let inpainter = args.machine.inpainter(None);
        let report = untouched(app, &inpainter, &request, &mask).map_err(named)?;
        notes.clear();
        notes.extend(report.notes.iter().cloned());
        let mut outcome = Outcome {
            plan: None,
            report,
            written: !in_place,
            notes,
            seconds: 0.0,
        };
        if about.kind == kind && !in_place {
            // Nothing changes: then not a byte does.
            copy(app, &source, &target)?;
        } else if !in_place {
            write(
                app,
                args,
                &target,
                kind,
                &mut picture,
                &mut outcome.notes,
                &bar,
            )?;
        }
        outcome.seconds = start.elapsed().as_secs_f64();
        return Ok(outcome);
    }

    set_encoding(&mut picture, &args.select);
    budget.need(files::write_bytes(&picture, kind), "writing the picture")?;
    let inpainter = args.machine.inpainter(budget.left());
    let mask_view = mask.view()?;
    let plan = inpainter
        .plan(&request, Some(&picture.view()?), &mask_view)
        .map_err(named)?;
    let mut previews = Previews::new(app, &mut bar, args.previews.as_deref(), output)?;
    let report = inpainter.inpaint(
        &request,
        &mut picture.view_mut()?,
        &mask_view,
        &mut previews,
        &app.cancel,
    );
    notes.extend(previews.finish()?.map(str::to_owned));
    let report = report.map_err(named)?;
    notes.extend(report.notes.iter().cloned());
    drop(mask);
    write(app, args, &target, kind, &mut picture, &mut notes, &bar)?;
    Ok(Outcome {
        plan: Some(plan),
        report,
        written: true,
        notes,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// The source at `path` under the command's limits.
pub fn source<'a>(app: &'a App, path: &'a Path, budget: &Budget) -> Source<'a> {
    Source {
        path,
        cancel: &app.cancel,
        max_bytes: budget.picture(),
    }
}

/// Applies `--linear` and `--encoded`.
pub fn set_encoding(picture: &mut Picture, select: &SelectArgs) {
    if matches!(picture.format.depth, Depth::F16 | Depth::F32) {
        picture.format.linear = (picture.format.linear || select.linear) && !select.encoded;
    }
}

/// An error of the library with the name of the picture that it is about.
pub fn named(image: &Path, error: Error) -> Error {
    match error.kind() {
        ErrorKind::Cancelled | ErrorKind::Parameter | ErrorKind::Argument | ErrorKind::Engine => {
            error
        }
        kind => Error::new(kind, format!("{}: {error}", image.display())),
    }
}

/// Bytes of a picture's pixels.
fn picture_bytes(about: &Picture) -> u64 {
    u64::from(about.width) * u64::from(about.height) * about.format.bytes() as u64
}

/// The picture and its mask, read at the same time where more than one thread is allowed.
fn read_both(
    app: &App,
    args: &FillArgs,
    files: &Files<'_>,
    budget: &Budget,
    source: &Source<'_>,
) -> Result<(Picture, Mask)> {
    let invert = args.select.invert_mask;
    let Some(path) = files.mask else {
        let picture = files::read(source, Want::Pixels)?;
        let mask = mask::of_alpha(source, &picture, invert)?;
        return Ok((picture, mask));
    };
    let read_mask = || {
        let mut source = self::source(app, path, budget);
        source.max_bytes = budget.another();
        mask::read(&source, invert)
    };
    let read_picture = || files::read(source, Want::Pixels);
    // Under a bound one has to know what the other took.
    let (picture, mask) = if args.machine.parallel() && args.machine.memory().is_none() {
        std::thread::scope(|scope| {
            let mask = scope.spawn(read_mask);
            let picture = read_picture();
            let mask = mask
                .join()
                .unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "a thread failed")));
            (picture, mask)
        })
    } else {
        (read_picture(), read_mask())
    };
    let (picture, mask) = (picture?, mask?);
    check_sizes(files.image, &picture, path, &mask)?;
    Ok((picture, mask))
}

/// Checks that a mask has its picture's size.
///
/// # Errors
/// [`ErrorKind::Mask`] naming both files and sizes.
pub fn check_sizes(image: &Path, about: &Picture, path: &Path, mask: &Mask) -> Result<()> {
    let (w, h) = (about.width, about.height);
    if (mask.width, mask.height) == (w, h) {
        return Ok(());
    }
    let turned = (mask.width, mask.height) == (h, w)
        && about
            .meta
            .orientation()
            .is_some_and(|o| (5..=8).contains(&o));
    let advice = if turned {
        format!(
            "{} is stored on its side and turned only for showing (EXIF orientation): make the \
             mask in stored pixels, or rotate the picture itself first",
            image.display()
        )
    } else {
        "give a mask of the picture's size".into()
    };
    Err(Error::new(
        ErrorKind::Mask,
        format!(
            "the mask {} is {}×{} and the picture {} is {w}×{h}: {advice}",
            path.display(),
            mask.width,
            mask.height,
            image.display()
        ),
    ))
}

/// The report on an empty mask. The library looks at the mask alone then, so the mask does for the
/// picture too.
fn untouched(app: &App, inpainter: &Inpainter, request: &Request, mask: &Mask) -> Result<Report> {
    let filled = inpainter.fill(
        request,
        &mask.image()?,
        &mask.view()?,
        &mut mend::progress::Silent,
        &app.cancel,
    )?;
    Ok(filled.report)
}

fn copy(app: &App, source: &Source<'_>, target: &Target) -> Result<()> {
    let mut from = source.reader()?;
    let mut buffer = vec![0; 1 << 18];
    target.write(&app.cancel, |out| {
        loop {
            let n = from.read(&mut buffer).map_err(|e| source.io(&e))?;
            if n == 0 {
                return Ok(());
            }
            out.write_all(&buffer[..n])
                .map_err(|e| Error::new(ErrorKind::Io, files::io_text(&e)))?;
        }
    })?;
    Ok(())
}

fn write(
    app: &App,
    args: &FillArgs,
    target: &Target,
    kind: Kind,
    picture: &mut Picture,
    notes: &mut Vec<String>,
    bar: &Bar,
) -> Result<()> {
    bar.stage("write");
    let output = target.named();
    notes.extend(files::fit(picture, kind, output)?);
    if kind == Kind::Jpeg {
        notes.extend(files::jpeg_notes(picture, output));
    }
    let options = WriteOptions {
        png: args.png_compression,
        jpeg_quality: args.jpeg_quality,
    };
    target.write(&app.cancel, |out| {
        files::write(picture, kind, &options, out)
    })?;
    // The pixels may be in another byte order now.
    picture.data = Vec::new();
    picture.meta = Meta::default();
    Ok(())
}
