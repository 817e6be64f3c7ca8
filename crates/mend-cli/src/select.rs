//! `mend select`: an object's mask, from clicks or a box.
#![forbid(unsafe_code)]

use crate::App;
use crate::args::ObjectArgs;
use crate::budget::{Budget, peak};
use crate::files::{self, Kind, Output, Picture, Source, Want, WriteOptions};
use crate::fill::source;
use crate::pipe;
use crate::pointing;
use crate::sink::Sink;
use crate::terminal::duration;
use mend::pixels::{Depth, Layout, PixelFormat};
use mend::{Error, ErrorKind, Result};
use serde_json::json;
use std::path::Path;
use std::time::Instant;

/// Runs `select`.
///
/// # Errors
/// What went wrong; the output is untouched then.
pub fn run(app: &App, args: &ObjectArgs) -> Result<()> {
    let start = Instant::now();
    if !args.pointing.is_given() {
        return Err(Error::new(
            ErrorKind::Argument,
            "nothing says where the object is: give --point X,Y on it, or --box around it",
        ));
    }
    if pipe::is_pipe(&args.output) && args.tell.json {
        return Err(Error::new(
            ErrorKind::Argument,
            "--json prints on standard output, and so would the mask: name a file with --output",
        ));
    }
    let kind = kind(&args.output)?;
    let sink = Sink::new(&args.output)?;
    check_free(args, &sink)?;
    let budget = Budget::new(args.machine.memory());
    if pipe::is_pipe(&args.image) {
        app.take_stdin(budget.picture())?;
    }
    let from = source(app, &args.image, &budget);
    let picture = read(&from, &budget)?;
    let float = matches!(picture.format.depth, Depth::F16 | Depth::F32);
    let linear = picture.format.linear || float && args.linear;
    let pixels = (&picture, linear && !(float && args.encoded));
    let threads = args.machine.threads;
    let made = pointing::select(app, &args.pointing, args.grow, threads, &budget, pixels)
        .map_err(|e| crate::fill::named(&args.image, budget.explain(e)))?;
    let report = made.report();
    let mask = made.mask_as_shown()?;
    drop(made);
    drop(picture);
    let (width, height) = (mask.width, mask.height);
    let format = PixelFormat::new(Layout::Gray, Depth::U8);
    let mut out = Picture::new(kind, width, height, format, mask.into_bytes());
    let options = WriteOptions {
        png: files::Compression::Default,
        jpeg_quality: 95,
    };
    let write = |to: &mut dyn Output| files::write(&mut out, kind, &options, to);
    let mut notes = report.notes.clone();
    notes.extend(sink.write(&app.cancel, write)?);
    let seconds = start.elapsed().as_secs_f64();
    notes.iter().for_each(|note| app.terminal.note(note));
    if app.terminal.json {
        return app.terminal.result(&json!({
            "ok": true,
            "image": args.image.to_string_lossy(),
            "output": args.output.to_string_lossy(),
            "width": width,
            "height": height,
            "report": report.to_json(),
            "notes": notes,
            "seconds": seconds,
            "peak_bytes": peak(),
        }));
    }
    let way = match report.way {
        "plain" => "by colour and edges",
        way => way,
    };
    app.terminal.chat(&format!(
        "{}: {} pixels, {way}, in {}",
        sink.named().display(),
        report.pixels,
        duration(seconds)
    ));
    Ok(())
}

/// The picture, where there is room for it.
fn read(from: &Source<'_>, budget: &Budget) -> Result<Picture> {
    let about = files::read(from, Want::Header)?;
    let pixels = u64::from(about.width) * u64::from(about.height);
    let bytes = pixels * about.format.bytes() as u64 + about.reading + pixels;
    budget.need(bytes, from.path.display())?;
    files::read(from, Want::Pixels)
}

/// The format of the mask: one that keeps every value.
fn kind(output: &Path) -> Result<Kind> {
    if pipe::is_pipe(output) {
        return Ok(Kind::Png);
    }
    match Kind::of_extension(output) {
        Some(kind) if kind.writable() && kind != Kind::Jpeg => Ok(kind),
        _ => Err(Error::new(
            ErrorKind::Argument,
            format!(
                "{} is no name for a mask, which needs a format without loss: give one that ends in .png",
                output.display()
            ),
        )),
    }
}

/// A file that is there is not lost, unless that is asked for; the picture itself never is.
fn check_free(args: &ObjectArgs, sink: &Sink) -> Result<()> {
    let refuse = |what: String| Err(Error::new(ErrorKind::Argument, what));
    if sink.is(&args.image) {
        return refuse(format!(
            "the mask would replace the picture {}: give --output another name",
            args.image.display()
        ));
    }
    if !pipe::is_pipe(&args.output) && args.output.exists() && !args.replace {
        return refuse(format!(
            "{} is there already: give --output another name, or --replace to replace it",
            args.output.display()
        ));
    }
    Ok(())
}
