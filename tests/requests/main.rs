//! Random requests on random pictures and masks, each done in several ways that must agree: planned and
//! filled, on one thread and on three, in place and apart.
//!
//! 2,000 requests are tried; `MEND_REQUESTS=20000 cargo test --release --test requests` tries more, and
//! `MEND_REQUEST=1234` only that one, which a failure names. `tests/requests.sh` says both.

mod draw;
mod peak;

use draw::{Case, Random};
use mend::pixels::{ImageView, ImageViewMut, MaskView, Rect};
use mend::progress::Silent;
use mend::{Cancel, Error, ErrorKind, Inpainter, Options, Plan, Report, Request};
use peak::Peak;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[global_allocator]
static HEAP: peak::Counting = peak::Counting::new();

/// Bytes that no plan speaks of: messages, lists of a few regions, what threads keep.
const SMALL: u64 = 3 << 20;

/// What one way of doing a request came to.
struct Done {
    /// The destination's bytes, those between the rows too.
    bytes: Vec<u8>,
    report: Report,
    /// The most bytes that the call held at once.
    peak: u64,
}

#[test]
fn requests_agree_with_themselves() {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let numbers = match number("MEND_REQUEST") {
        Some(one) => one..one + 1,
        None => 0..number("MEND_REQUESTS").unwrap_or(2000),
    };
    let (mut filled, mut refused) = (0u32, 0u32);
    let mut failed = Vec::new();
    for number in numbers.clone() {
        let case = Case::draw(&mut Random::new(number));
        let outcome = catch_unwind(AssertUnwindSafe(|| check(&case)));
        match outcome {
            Ok(Ok(true)) => filled += 1,
            Ok(Ok(false)) => refused += 1,
            Ok(Err(what)) => failed.push(format!("request {number}: {what}: {case:?}")),
            Err(_) => failed.push(format!("request {number}: it panicked: {case:?}")),
        }
    }
    assert!(
        failed.is_empty(),
        "{} failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
    println!("{filled} filled, {refused} refused");
    // Most requests are good ones, and some are not.
    if numbers.end - numbers.start >= 200 {
        assert!(
            filled > 2 * refused && refused > 0,
            "{filled} filled, {refused} refused"
        );
    }
}

/// Whether the request was filled, or refused as it was when it was planned.
fn check(case: &Case) -> Result<bool, String> {
    let said = |e: Error| -> Result<bool, String> {
        match e.kind() {
            ErrorKind::Internal | ErrorKind::Cancelled => Err(e.to_string()),
            _ => Ok(false),
        }
    };
    let mut request = Request::new();
    for (name, value) in &case.params {
        request.set(name, value).map_err(|e| e.to_string())?;
    }
    let mask = view(&case.mask).map_err(|e| e.to_string())?;
    if let Some(source) = &case.source {
        let set = view(source).and_then(|source| request.set_source(&source));
        set.map_err(|e| e.to_string())?;
    }
    if let Some(guide) = &case.guide {
        let set = view(guide).and_then(|guide| request.set_guide(&guide));
        set.map_err(|e| e.to_string())?;
    }
    let planned = inpainter(case, 1).plan(&request, Some(&case.image.view()), &mask);
    let one = fill(case, &request, &mask, 1, true);
    let (plan, one) = match (planned, one) {
        (Ok(plan), Ok(one)) => (plan, one),
        (Err(plan), Err(fill)) if plan.kind() == fill.kind() => return said(fill),
        (plan, fill) => {
            let (plan, fill) = (plan.err(), fill.err());
            return Err(format!("the plan says {plan:?} and the fill {fill:?}"));
        }
    };
    untouched(case, &mask, &one)?;
    within(case, &plan, &one)?;
    let apart = fill(case, &request, &mask, 3, false).map_err(|e| e.to_string())?;
    if apart.bytes != one.bytes {
        return Err("three threads, apart, give another picture than one, in place".into());
    }
    let told = |done: &Done| {
        let report = &done.report;
        (report.pixels, report.scores.clone(), report.notes.clone())
    };
    if told(&apart) != told(&one) {
        return Err(format!("{:?} and {:?}", apart.report, one.report));
    }
    Ok(true)
}

fn view(mask: &draw::Picture) -> mend::Result<MaskView<'_>> {
    MaskView::new(mask.view())
}

fn inpainter(case: &Case, threads: usize) -> Inpainter {
    let mut options = Options {
        threads,
        // None of the user's own.
        models: Some("/nonexistent".into()),
        ..Options::default()
    };
    options.max_memory = case.max_memory;
    Inpainter::new(options)
}

fn fill(
    case: &Case,
    request: &Request,
    mask: &MaskView<'_>,
    threads: usize,
    in_place: bool,
) -> mend::Result<Done> {
    let inpainter = inpainter(case, threads);
    let format = case.image.format;
    let (width, height, stride) = (case.image.width, case.image.height, case.image.stride);
    let mut bytes = case.image.bytes.clone();
    let peak = Peak::begin(&HEAP);
    let cancel = Cancel::new();
    let filled = {
        let source = match in_place {
            true => ImageView::new(&bytes, width, height, stride, format)?,
            false => case.image.view(),
        };
        inpainter.fill(request, &source, mask, &mut Silent, &cancel)?
    };
    filled.apply(&mut ImageViewMut::new(
        &mut bytes, width, height, stride, format,
    )?)?;
    let peak = peak.end();
    Ok(Done {
        bytes,
        report: filled.report,
        peak,
    })
}

/// What was not selected, and what lies between the rows, is what it was.
fn untouched(case: &Case, mask: &MaskView<'_>, done: &Done) -> Result<(), String> {
    let image = &case.image;
    let (grow, feather) = (case.number("grow"), case.number("feather"));
    let all = Rect::new(0, 0, image.width, image.height);
    let coverage = mask
        .coverage(all, grow, feather)
        .map_err(|e| e.to_string())?;
    let layer = case.param("result") == Some("layer");
    let size = image.format.bytes();
    let row = image.width as usize * size;
    let mut selected = 0;
    for y in 0..image.height as usize {
        let at = y * image.stride;
        let between = at + row..(at + image.stride).min(done.bytes.len());
        if done.bytes[between.clone()] != image.bytes[between] {
            return Err(format!("bytes after row {y} changed"));
        }
        for x in 0..image.width as usize {
            let pixel = at + x * size..at + (x + 1) * size;
            let covered = coverage.row(y)[x] > 0.0;
            selected += u64::from(covered);
            let after = &done.bytes[pixel.clone()];
            let kept = match layer {
                true => after.iter().all(|b| *b == 0),
                false => *after == image.bytes[pixel],
            };
            if !covered && !kept {
                return Err(format!("pixel {x},{y} was not selected and changed"));
            }
        }
    }
    match selected == done.report.pixels {
        true => Ok(()),
        false => Err(format!(
            "{selected} pixels, and it says {}",
            done.report.pixels
        )),
    }
}

/// The call held no more memory than its plan said, and that no more than it was given.
fn within(case: &Case, plan: &Plan, done: &Done) -> Result<(), String> {
    let (said, held) = (plan.peak_bytes, done.peak);
    if held > said + SMALL {
        return Err(format!("it held {held} bytes, planned {said}"));
    }
    match case.max_memory {
        Some(most) if said > most => Err(format!("{said} bytes planned of {most}")),
        _ => Ok(()),
    }
}
