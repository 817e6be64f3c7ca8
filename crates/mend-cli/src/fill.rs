//! `mend fill`: one picture, from file to file.
#![forbid(unsafe_code)]

use crate::App;
use crate::args::{FillArgs, SelectArgs};
use crate::budget::{Budget, peak};
use crate::files::{self, Kind, Meta, Output, Picture, Source, Want, WriteOptions};
use crate::jobs::{self, Job};
use crate::larger::{lay, set_sides};
use crate::mask::{self, Mask};
use crate::mask_file::MaskReading;
use crate::output::place_all;
use crate::previews::Previews;
use crate::sink::{Sink, copy, kind_of_output};
use crate::terminal::{Bar, duration};
use crate::{batch, pipe, pointing};
use mend::pixels::Depth;
use mend::{Canvas, Error, ErrorKind, Inpainter, Plan, Report, Request, Result, Variations};
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What a fill did.
pub struct Outcome {
    plan: Option<Plan>,
    pub report: Report,
    /// Whether the output was written; an empty mask leaves a picture that is its own output alone.
    written: bool,
    pub notes: Vec<String>,
    seconds: f64,
    /// Whether the picture's own alpha was its mask.
    of_alpha: bool,
}

impl Outcome {
    /// The outcome as JSON.
    pub fn to_json(&self, job: &Job) -> Json {
        json!({
            "ok": true,
            "image": job.image.to_string_lossy(),
            "mask": match &job.mask {
                Some(mask) => Some(mask.path.to_string_lossy()),
                None => self.of_alpha.then(|| "alpha".into()),
            },
            "output": job.first().to_string_lossy(),
            "outputs": outputs(job, &self.report.scores),
            "written": self.written,
            "plan": self.plan.as_ref().map(Plan::to_json),
            "report": self.report.to_json(),
            "notes": self.notes,
            "seconds": self.seconds,
            "peak_bytes": peak(),
        })
    }
}

/// Where the fills of a job go, the best first, with how well each goes with what is around the hole.
fn outputs(job: &Job, scores: &[f64]) -> Vec<Json> {
    let outputs = job.outputs.iter().enumerate();
    let one = |(i, path): (usize, &PathBuf)| json!({"path": path.to_string_lossy(), "score": scores.get(i)});
    outputs.map(one).collect()
}

/// Runs `fill`.
///
/// # Errors
/// What went wrong; for several pictures the first failure, told already.
pub fn run(app: &App, args: &FillArgs) -> Result<()> {
    if pipe::is_pipe(&args.output) && args.tell.json {
        return Err(Error::new(
            ErrorKind::Argument,
            "--json prints on standard output, and so would the picture: name a file with --output",
        ));
    }
    let request = args.select.request()?;
    let jobs = jobs::all(app, args)?;
    if jobs::several(&args.select) {
        return batch::run(app, args, &request, jobs);
    }
    match (jobs.list.first(), jobs.existing.first()) {
        (Some(job), _) => alone(app, args, &request, job),
        (None, Some(job)) => skipped(app, job),
        // One picture is named, so there is one.
        (None, None) => Ok(()),
    }
}

/// Fills the one picture, and tells of it.
fn alone(app: &App, args: &FillArgs, request: &Request, job: &Job) -> Result<()> {
    let into_folder = job.output != args.output;
    if into_folder {
        batch::make_folder(&args.output)?;
    }
    take_stdin(app, &args.select, &Budget::new(args.machine.memory()))?;
    let bar = app.terminal.bar("");
    let mut inpainter = args.machine.inpainter(None);
    let outcome = one(app, args, request, &mut inpainter, job, bar)?;
    for note in &outcome.notes {
        app.terminal.note(note);
    }
    if app.terminal.json {
        return app.terminal.result(&outcome.to_json(job));
    }
    app.terminal.chat(&summary(job, &outcome));
    Ok(())
}

/// Tells that the one picture's output is there.
fn skipped(app: &App, job: &Job) -> Result<()> {
    let exist = if job.outputs.len() == 1 {
        "already exists"
    } else {
        "already exist"
    };
    let note = format!("{} {exist}: skipped", job.names());
    app.terminal.note(&note);
    if !app.terminal.json {
        return Ok(());
    }
    app.terminal.result(&json!({
        "ok": true,
        "image": job.image.to_string_lossy(),
        "output": job.first().to_string_lossy(),
        "outputs": outputs(job, &[]),
        "written": false,
        "notes": [note],
    }))
}

/// Takes standard input, if one of the pictures comes from there.
///
/// # Errors
/// As [`pipe::spool`].
pub fn take_stdin(app: &App, select: &SelectArgs, budget: &Budget) -> Result<()> {
    let masks = [
        select.mask.as_ref(),
        select.source_mask.as_ref(),
        select.guide.as_ref(),
    ];
    let mut inputs = select.images.iter().chain(masks.into_iter().flatten());
    match inputs.any(|path| pipe::is_pipe(path)) {
        true => app.take_stdin(budget.picture()),
        false => Ok(()),
    }
}

/// A line on what was done.
pub fn summary(job: &Job, outcome: &Outcome) -> String {
    let report = &outcome.report;
    let regions = if report.regions == 1 {
        "region"
    } else {
        "regions"
    };
    format!(
        "{}: {} {regions}, {} pixels{}{} in {}",
        job.names(),
        report.regions,
        report.pixels,
        if report.engine.is_empty() { "" } else { ", " },
        report.engine,
        duration(outcome.seconds)
    )
}

/// Fills one picture. What the inpainter loads stays there for the next one, unless memory is bounded:
/// then the next picture has the room.
///
/// # Errors
/// Named ones, of whatever went wrong; the output is untouched then.
pub fn one(
    app: &App,
    args: &FillArgs,
    request: &Request,
    inpainter: &mut Inpainter,
    job: &Job,
    bar: Bar,
) -> Result<Outcome> {
    let start = Instant::now();
    let budget = Budget::new(args.machine.memory());
    if budget.left().is_some() {
        inpainter.trim();
    }
    bar.stage("read");
    let task = Task::open(app, args, job, &budget)?;
    let inputs = task.read(request)?;
    let grows = canvas_of(&inputs)?.grows();
    let mut outcome = match inputs.mask.empty && !grows {
        true => task.untouched(inpainter, inputs, &bar)?,
        false => task.filled(inpainter, inputs, bar)?,
    };
    outcome.seconds = start.elapsed().as_secs_f64();
    outcome.of_alpha = args.select.mask_is_alpha();
    Ok(outcome)
}

/// What the picture grows to.
fn canvas_of(inputs: &Inputs) -> Result<Canvas> {
    let picture = &inputs.picture;
    inputs.request.canvas(picture.width, picture.height)
}

/// One picture's way from file to file.
struct Task<'a> {
    app: &'a App,
    args: &'a FillArgs,
    job: &'a Job,
    budget: &'a Budget,
    source: Source<'a>,
    /// The picture's header.
    about: Picture,
    /// Where the fills go, the best first.
    sinks: Vec<Sink>,
    /// The outputs' format.
    kind: Kind,
}

/// What was read for a fill.
struct Inputs {
    picture: Picture,
    mask: Mask,
    request: Request,
    /// What the user should know of how it was read.
    notes: Vec<String>,
}

impl<'a> Task<'a> {
    /// Reads the header, and checks that the output can be written.
    fn open(app: &'a App, args: &'a FillArgs, job: &'a Job, budget: &'a Budget) -> Result<Self> {
        let image = &job.image;
        let source = source(app, image, budget);
        let about = files::read(&source, Want::Header)?;
        let sinks = job.outputs.iter().map(|path| Sink::new(path));
        let sinks = sinks.collect::<Result<Vec<Sink>>>()?;
        let mut kind = about.kind;
        for sink in &sinks {
            kind = kind_of_output(args, sink.named(), &about)?;
            files::check(&about, kind, sink.named())?;
        }
        if sinks.iter().any(|sink| sink.is(image)) && about.kind != kind {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "{} is a {} under another format's name, and would be replaced by a {}: give \
                     --output another name",
                    image.display(),
                    about.kind.name(),
                    kind.name()
                ),
            ));
        }
        budget.need(picture_bytes(&about), pipe::shown(image).display())?;
        Ok(Self {
            app,
            args,
            job,
            budget,
            source,
            about,
            sinks,
            kind,
        })
    }

    /// Reads the picture and the masks.
    fn read(&self, request: &Request) -> Result<Inputs> {
        let (mut picture, mask) =
            read_both(self.app, self.args, self.job, self.budget, &self.source)?;
        let mut request = request.clone();
        set_sides(&mut request, &self.args.select, &picture)?;
        let mut notes: Vec<String> = picture.notes.drain(..).collect();
        let select = &self.args.select;
        let mut reading = MaskReading::new(self.app, select, &self.job.image, self.budget);
        if let Some(path) = &self.job.source {
            request.set_source(&reading.beside(&self.about, path)?.view()?)?;
        }
        if let Some(path) = &self.job.guide {
            request.set_guide(&reading.beside(&self.about, path)?.view()?)?;
        }
        notes.append(&mut reading.notes);
        notes.extend(mask.notes.clone());
        Ok(Inputs {
            picture,
            mask,
            request,
            notes,
        })
    }

    /// The end of a fill of nothing: the output is the picture as it is.
    fn untouched(&self, inpainter: &Inpainter, inputs: Inputs, bar: &Bar) -> Result<Outcome> {
        let Inputs {
            mut picture,
            mask,
            request,
            ..
        } = inputs;
        let report = untouched(self.app, inpainter, &request, &mask)
            .map_err(|e| self.explain(mask.explain(e)))?;
        // How the mask was read may be why.
        let mut notes = mask.notes.clone();
        notes.extend(report.notes.iter().cloned());
        let apart = |sink: &&Sink| !sink.is(&self.job.image);
        let sinks: Vec<&Sink> = self.sinks.iter().filter(apart).collect();
        if self.about.kind == self.kind {
            // Nothing changes: then not a byte does.
            notes.extend(copy(&self.app.cancel, &self.source, &sinks)?);
        } else {
            self.write(&sinks, &mut picture, |_, _| Ok(()), &mut notes, bar)?;
        }
        Ok(Outcome {
            plan: None,
            report,
            written: !sinks.is_empty(),
            notes,
            seconds: 0.0,
            of_alpha: false,
        })
    }

    /// Plans, fills and writes.
    fn filled(&self, inpainter: &mut Inpainter, inputs: Inputs, mut bar: Bar) -> Result<Outcome> {
        let Inputs {
            mut picture,
            mask,
            request,
            mut notes,
        } = inputs;
        set_encoding(&mut picture, &self.args.select);
        let canvas = request.canvas(picture.width, picture.height)?;
        let writing = files::write_bytes((canvas.width, canvas.height), &picture, self.kind);
        // The larger picture is made beside the one that was read.
        let larger = match canvas.grows() {
            true => {
                u64::from(canvas.width) * u64::from(canvas.height) * picture.format.bytes() as u64
            }
            false => 0,
        };
        self.budget.need(writing + larger, "writing the picture")?;
        inpainter.set_max_memory(self.budget.left());
        let explain = |e| self.explain(mask.explain(e));
        let prepared = inpainter
            .prepare(&request, &picture.view()?, &mask.view()?)
            .map_err(explain)?;
        if self.sinks.len() > 1 {
            // The fills are held while each is encoded from a copy of the picture.
            let pixels: u64 = prepared.plan().regions.iter().map(|r| r.hole_pixels).sum();
            let held = pixels * self.sinks.len() as u64 * picture.format.bytes() as u64;
            let copy = (picture.data.len() as u64).max(larger);
            self.budget
                .need(writing + larger + held + copy, "writing the pictures")?;
        }
        let folder = self.args.previews.as_deref();
        let stem = self.job.preview_stem();
        let mut previews = Previews::new(self.app, &mut bar, folder, &stem)?;
        let cancel = &self.app.cancel;
        let filled = match self.sinks.len() {
            1 => prepared.run(&mut previews, cancel).map(Filled::One),
            _ => prepared.vary(&mut previews, cancel).map(Filled::Several),
        };
        let plan = prepared.plan().clone();
        drop(prepared);
        notes.extend(previews.finish()?.map(str::to_owned));
        let filled = filled.map_err(explain)?;
        if canvas.grows() {
            lay(&mut picture, &canvas)?;
        }
        let (report, several) = filled.laid_into(&mut picture)?;
        notes.extend(report.notes.iter().cloned());
        drop(mask);
        let sinks: Vec<&Sink> = self.sinks.iter().collect();
        let apply = |number, picture: &mut Picture| match &several {
            Some(made) => made.apply(number, &mut picture.view_mut()?),
            None => Ok(()),
        };
        self.write(&sinks, &mut picture, apply, &mut notes, &bar)?;
        Ok(Outcome {
            plan: Some(plan),
            report,
            written: true,
            notes,
            seconds: 0.0,
            of_alpha: false,
        })
    }

    fn explain(&self, error: Error) -> Error {
        named(&self.job.image, self.budget.explain(error))
    }

    /// Writes `picture` into each sink, after `apply` has laid the fill of its number into it. Of several
    /// files none appears before all are complete.
    fn write(
        &self,
        sinks: &[&Sink],
        picture: &mut Picture,
        apply: impl Fn(usize, &mut Picture) -> Result<()>,
        notes: &mut Vec<String>,
        bar: &Bar,
    ) -> Result<()> {
        bar.stage("write");
        let cancel = &self.app.cancel;
        let options = WriteOptions {
            png: self.args.png_compression,
            jpeg_quality: self.args.jpeg_quality,
        };
        if let [sink] = sinks {
            apply(0, picture)?;
            notes.extend(self.fitted(picture, sink)?);
            let write = |out: &mut dyn Output| files::write(picture, self.kind, &options, out);
            notes.extend(sink.write(cancel, write)?);
        } else {
            let mut written = Vec::new();
            for (number, sink) in sinks.iter().enumerate() {
                apply(number, picture)?;
                // Encoders change what they are given.
                let mut own = picture.try_clone()?;
                let told = self.fitted(&mut own, sink)?;
                if number == 0 {
                    notes.extend(told);
                }
                let write = |out: &mut dyn Output| files::write(&mut own, self.kind, &options, out);
                written.push(sink.file()?.written(cancel, write)?);
            }
            notes.extend(place_all(written)?);
        }
        // The pixels may be in another byte order now.
        picture.data = Vec::new();
        picture.meta = Meta::default();
        Ok(())
    }

    /// Makes `picture` one that the output's format can hold; what the user should know of that.
    fn fitted(&self, picture: &mut Picture, sink: &Sink) -> Result<Vec<String>> {
        let (kind, output) = (self.kind, sink.named());
        let mut notes = files::fit(picture, kind, output)?;
        if kind == Kind::Jpeg {
            notes.extend(files::jpeg_notes(picture, output));
        }
        Ok(notes)
    }
}

/// What was filled, once or several times.
enum Filled {
    One(mend::inpainter::Filled),
    Several(Variations),
}

impl Filled {
    /// Lays a single fill into the picture, which lets go what it takes; several are left to be chosen from.
    fn laid_into(self, picture: &mut Picture) -> Result<(Report, Option<Variations>)> {
        match self {
            Self::One(filled) => {
                filled.apply(&mut picture.view_mut()?)?;
                Ok((filled.report, None))
            }
            Self::Several(made) => Ok((made.report.clone(), Some(made))),
        }
    }
}

/// The source at `path` under the command's limits.
pub fn source<'a>(app: &'a App, path: &'a Path, budget: &Budget) -> Source<'a> {
    Source {
        path: pipe::shown(path),
        at: app.stdin().filter(|_| pipe::is_pipe(path)),
        cancel: &app.cancel,
        max_bytes: budget.picture(),
    }
}

/// Applies `--linear` and `--encoded`.
pub fn set_encoding(picture: &mut Picture, select: &SelectArgs) {
    picture.format.linear = encoding(picture, select);
}

/// Whether a picture's pixels are proportional to light, with `--linear` and `--encoded`.
fn encoding(picture: &Picture, select: &SelectArgs) -> bool {
    match picture.format.depth {
        Depth::F16 | Depth::F32 => (picture.format.linear || select.linear) && !select.encoded,
        _ => picture.format.linear,
    }
}

/// An error of the library with the name of the picture that it is about.
pub fn named(image: &Path, error: Error) -> Error {
    match error.kind() {
        ErrorKind::Cancelled | ErrorKind::Parameter | ErrorKind::Argument | ErrorKind::Engine => {
            error
        }
        kind => Error::new(kind, format!("{}: {error}", pipe::shown(image).display())),
    }
}

/// Bytes that it takes to read a picture.
fn picture_bytes(about: &Picture) -> u64 {
    let pixels = u64::from(about.width) * u64::from(about.height) * about.format.bytes() as u64;
    pixels + about.reading
}

/// The picture and its mask, read at the same time where more than one thread is allowed.
fn read_both(
    app: &App,
    args: &FillArgs,
    job: &Job,
    budget: &Budget,
    source: &Source<'_>,
) -> Result<(Picture, Mask)> {
    let Some(found) = &job.mask else {
        let picture = files::read(source, Want::Pixels)?;
        let select = &args.select;
        let mask = if select.mask_is_alpha() {
            mask::of_alpha(source, &picture, select.mask_how())?
        } else if select.pointing.is_given() {
            pointed_at(app, select, args.machine.threads, budget, &picture)
                .map_err(|e| named(&job.image, budget.explain(e)))?
        } else {
            Mask::nothing(picture.width, picture.height)?
        };
        return Ok((picture, mask));
    };
    let reading = MaskReading::new(app, &args.select, &job.image, budget);
    let read_mask = || reading.read(found);
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
    let mask = reading.fitted(&picture, &found.path, mask)?;
    Ok((picture, mask))
}

/// The mask of the object that the user points at.
///
/// # Errors
/// As [`pointing::select`].
pub fn pointed_at(
    app: &App,
    select: &SelectArgs,
    threads: u32,
    budget: &Budget,
    picture: &Picture,
) -> Result<Mask> {
    let pixels = (picture, encoding(picture, select));
    pointing::select(app, &select.pointing, None, threads, budget, pixels)?.mask()
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
