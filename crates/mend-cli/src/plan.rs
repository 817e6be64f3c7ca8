//! `mend plan`: what a fill would do.
#![forbid(unsafe_code)]

use crate::App;
use crate::args::PlanArgs;
use crate::budget::{Budget, mib, resident};
use crate::files::{self, Picture, Source, Want};
use crate::fill::{named, pointed_at, source, take_stdin};
use crate::larger::set_sides;
use crate::mask::Mask;
use crate::mask_file::MaskReading;
use crate::terminal::{duration, escaped};
use crate::{jobs, mask};
use mend::{Error, ErrorKind, Plan, Result};
use serde_json::json;

/// Runs `plan`.
pub fn run(app: &App, args: &PlanArgs) -> Result<()> {
    let select = &args.select;
    let [image] = &select.images[..] else {
        return Err(one_at_a_time("several pictures are named"));
    };
    if image.is_dir() {
        return Err(one_at_a_time(format!("{} is a folder", image.display())));
    }
    let jobs::Found {
        mask,
        source: source_mask,
        guide,
    } = jobs::one(select, image)?;
    let budget = Budget::new(args.machine.memory());
    let mut request = select.request()?;
    take_stdin(app, select, &budget)?;
    let from = source(app, image, &budget);
    let mut reading = MaskReading::new(app, select, image, &budget);
    let (mut about, mask) = match &mask {
        None if select.mask_is_alpha() => {
            let picture = files::read(&from, Want::Pixels)?;
            let mask = mask::of_alpha(&from, &picture, select.mask_how())?;
            (picture, mask)
        }
        None if select.pointing.is_given() => {
            let picture = files::read(&from, Want::Pixels)?;
            let threads = args.machine.threads;
            let mask = pointed_at(app, select, threads, &budget, &picture)
                .map_err(|e| named(image, budget.explain(e)))?;
            (picture, mask)
        }
        None => {
            let about = header(&from)?;
            let mask = Mask::nothing(about.width, about.height)?;
            (about, mask)
        }
        Some(found) => {
            let about = header(&from)?;
            let mask = reading.read(found)?;
            let mask = reading.fitted(&about, &found.path, mask)?;
            (about, mask)
        }
    };
    if let Some(path) = &source_mask {
        request.set_source(&reading.beside(&about, path)?.view()?)?;
    }
    if let Some(path) = &guide {
        request.set_guide(&reading.beside(&about, path)?.view()?)?;
    }
    set_sides(&mut request, select, &about)?;
    let canvas = request.canvas(about.width, about.height)?;
    let bytes = |width: u32, height: u32| {
        u64::from(width) * u64::from(height) * about.format.bytes() as u64
    };
    let larger = match canvas.grows() {
        true => bytes(canvas.width, canvas.height),
        false => 0,
    };
    let picture_bytes = bytes(about.width, about.height) + larger;
    let left = budget.left().map(|left| left.saturating_sub(picture_bytes));
    let inpainter = args.machine.inpainter(left);
    let plan = if mask.empty && !canvas.grows() {
        None
    } else {
        let pixels = match about.data.is_empty() {
            true => None,
            false => Some(about.view()?),
        };
        Some(
            inpainter
                .plan(&request, pixels.as_ref(), &mask.view()?)
                .map_err(|e| named(image, mask.explain(budget.explain(e))))?,
        )
    };
    // What is resident then is the command without the picture.
    about.data = Vec::new();
    let mut notes = mask.notes.clone();
    notes.extend(plan.iter().flat_map(|plan| plan.notes.clone()));
    let whole = picture_bytes + plan.as_ref().map_or(0, |p| p.peak_bytes) + resident().unwrap_or(0);
    if app.terminal.json {
        app.terminal.result(&json!({
            "ok": true,
            "image": image.to_string_lossy(),
            "width": about.width,
            "height": about.height,
            "plan": plan.as_ref().map(Plan::to_json),
            "command_bytes": whole,
            "notes": notes,
        }))
    } else {
        notes.iter().for_each(|note| app.terminal.note(note));
        app.terminal.print(&text(&about, plan.as_ref(), whole))
    }
}

/// The picture's header; of its pixels a plan needs their alpha.
fn header(from: &Source<'_>) -> Result<Picture> {
    let about = files::read(from, Want::Header)?;
    match about.format.layout.has_alpha() {
        true => files::read(from, Want::Pixels),
        false => Ok(about),
    }
}

fn one_at_a_time(what: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Argument,
        format!("{what}: plan one picture at a time"),
    )
}

fn text(about: &Picture, plan: Option<&Plan>, whole: u64) -> String {
    let Some(plan) = plan else {
        return "the mask is empty: nothing would be filled\n".into();
    };
    let mut t = format!(
        "picture  {}×{}, {:?} {:?}\nengine   {} ({})\n",
        about.width,
        about.height,
        about.format.layout,
        about.format.depth,
        plan.engine,
        escaped(&plan.reason)
    );
    if let Some(canvas) = &plan.canvas {
        t.push_str(&format!(
            "canvas   {}×{}, with the picture at {},{}\n",
            canvas.width, canvas.height, canvas.picture.x, canvas.picture.y
        ));
    }
    let fills = plan.variations;
    if fills.made > 1 {
        let kept = match fills.kept {
            1 => "the best of them".into(),
            kept if kept == fills.made => "all of them".into(),
            kept => format!("the best {kept} of them"),
        };
        t.push_str(&format!("fills    {}, and {kept} kept\n", fills.made));
    }
    for (i, r) in plan.regions.iter().enumerate() {
        t.push_str(&format!(
            "region {:<2}{}×{} at {},{}: hole {}×{} at {},{}, {} pixels",
            i + 1,
            r.rect.width,
            r.rect.height,
            r.rect.x,
            r.rect.y,
            r.hole.width,
            r.hole.height,
            r.hole.x,
            r.hole.y,
            r.hole_pixels
        ));
        if r.scale < 1.0 {
            t.push_str(&format!(", at {:.0}% of its size", r.scale * 100.0));
        }
        t.push('\n');
    }
    for stage in &plan.stages {
        let line = format!("stage    {:<7}{:>6} MiB", stage.name, mib(stage.bytes));
        t.push_str(&line);
        if !stage.way.is_empty() {
            t.push_str(&format!(": {}", escaped(&stage.way)));
        }
        t.push('\n');
    }
    t.push_str(&format!(
        "memory   {} MiB for the fill, about {} MiB with the picture\ntime     {}\n",
        mib(plan.peak_bytes),
        mib(whole),
        duration(plan.seconds)
    ));
    t
}
