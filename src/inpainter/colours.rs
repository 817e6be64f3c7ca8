//! A hole's colours: by the engine, then blended, then with native detail.
#![forbid(unsafe_code)]

use super::beside::{Wider, with_beside};
use super::early::{self, InBox};
use super::reading;
use super::region::{Job, Read, Shares};
use super::scaled::fill_scaled;
use crate::blend;
use crate::detail::{self, Guide};
use crate::engines::{Crop, Mark, Run, variation_seed};
use crate::error::{Error, ErrorKind, Result};
use crate::pixels::{Coverage, Plane, Rect, RgbImage, not_numbers};
use crate::plan::Needs;
use crate::progress::Cancel;
use std::cell::{Cell, RefCell};

/// What the engine is asked for.
struct Asked<'a> {
    job: &'a Job<'a>,
    read: &'a Read,
    original: Option<RgbImage>,
    /// The hole with what is transparent beside it, where there is any.
    wider: Option<Wider>,
    /// Pixels along one of the engine's, where that is to be told from the picture.
    softness: Option<f64>,
}

/// The fill of the crop's hole, from the share `from` of the time on.
///
/// # Errors
/// As [`fill_scaled`].
pub(super) fn one(
    job: &Job<'_>,
    rect: Rect,
    shares: Shares,
    read: &Read,
    from: f64,
    run: &mut Run<'_>,
) -> Result<RgbImage> {
    let asked = Asked::new(job, rect, read, run.cancel)?;
    let detail = asked.softness.map_or(0.0, |_| shares.detail);
    let until = from + (1.0 - from) * (1.0 - detail);
    let mut made = None;
    let fill = |run: &mut Run<'_>| {
        fill_scaled(&job.filler, &asked.crop(), run, 1, &mut |filled| {
            made = Some(filled);
            Ok(())
        })
    };
    let mark = match within(run, from, until, fill) {
        Ok((_, mark)) => mark,
        Err(e) if early::as_asked(&e, run.cancel) => return in_box(job, rect, read, from, run),
        Err(e) => return Err(e),
    };
    let made = made.ok_or_else(|| Error::new(ErrorKind::Internal, "an engine made no picture"))?;
    asked.finished(made, until..1.0, mark, run)
}

/// As [`one`], by the engine that needs no model, for the job's was ended before it came to anything.
fn in_box(
    job: &Job<'_>,
    rect: Rect,
    read: &Read,
    from: f64,
    run: &mut Run<'_>,
) -> Result<RgbImage> {
    let engine = InBox::open(job.engines)?;
    engine.tell(job.filler.id, run);
    let job = Job {
        filler: engine.filler(),
        ..*job
    };
    one(&job, rect, Shares::default(), read, from, run)
}

/// Gives `each` fills of the crop's hole, `count` of them, of which the first is that of [`one`].
///
/// # Errors
/// As [`fill_scaled`], and those of `each`.
pub(super) fn many(
    job: &Job<'_>,
    rect: Rect,
    shares: Shares,
    read: &Read,
    count: u32,
    run: &mut Run<'_>,
    each: &mut dyn FnMut(RgbImage) -> Result<()>,
) -> Result<()> {
    let asked = Asked::new(job, rect, read, run.cancel)?;
    let detail = asked.softness.map_or(0.0, |_| shares.detail);
    // The time is the engine's and, after each of its fills, that of detail.
    let engine = (1.0 - detail) * (1.0 + f64::from(count - 1) * shares.variation);
    let all = (engine + detail * f64::from(count)).max(f64::MIN_POSITIVE);
    let of_all = |own: f64, fills: u32| (engine * own + detail * f64::from(fills)) / all;
    let (done, own) = (Cell::new(0), Cell::new(0.0));
    let last = Cell::new(START);
    let (pool, cancel, seed, budget) = (run.pool, run.cancel, run.seed, run.budget);
    // The engine reports, and what comes after one of its fills does while the engine waits.
    let report = RefCell::new(&mut *run.report);
    let note = RefCell::new(&mut *run.note);
    let mut telling = |mark: Mark| {
        own.set(mark.share);
        let mark = Mark {
            share: of_all(mark.share, done.get()),
            ..mark
        };
        last.set(mark);
        (report.borrow_mut())(mark)
    };
    let mut run = Run {
        pool,
        cancel,
        seed,
        budget,
        report: &mut telling,
        show: &mut *run.show,
        note: &mut |text| (note.borrow_mut())(text),
    };
    let filled = fill_scaled(&job.filler, &asked.crop(), &mut run, count, &mut |filled| {
        let number = done.get();
        let mut after = Run {
            pool,
            cancel,
            seed: variation_seed(seed, number),
            budget,
            report: &mut |mark| (report.borrow_mut())(mark),
            show: &mut |_| {},
            note: &mut |text| (note.borrow_mut())(text),
        };
        let shares = of_all(own.get(), number)..of_all(own.get(), number + 1);
        let finished = asked.finished(filled, shares, last.get(), &mut after)?;
        done.set(number + 1);
        each(finished)
    });
    match filled {
        Err(e) if early::as_asked(&e, cancel) => {}
        filled => return filled,
    }
    // Those that are still to be made.
    for number in done.get()..count {
        run.seed = variation_seed(seed, number);
        each(in_box(job, rect, read, last.get().share, &mut run)?)?;
    }
    Ok(())
}

impl<'a> Asked<'a> {
    fn new(job: &'a Job<'a>, rect: Rect, read: &'a Read, cancel: &Cancel) -> Result<Self> {
        let original = match job.filler.needs.original {
            true => Some(original(job, rect, read, cancel)?),
            false => None,
        };
        let wider = match &read.working.alpha {
            Some(alpha) => with_beside(&read.hole, alpha, &read.coverage, cancel)?,
            None => None,
        };
        Ok(Self {
            job,
            read,
            original,
            wider,
            softness: softness(job.filler.needs, rect.width, rect.height),
        })
    }

    /// The hole and how much of each pixel is to be replaced.
    fn hole(&self) -> (&Plane<u8>, &Coverage) {
        match &self.wider {
            Some(wider) => (&wider.hole, &wider.coverage),
            None => (&self.read.hole, &self.read.coverage),
        }
    }

    fn crop(&self) -> Crop<'_> {
        let (hole, coverage) = self.hole();
        Crop {
            image: &self.read.working.rgb,
            original: self.original.as_ref(),
            hole,
            coverage: self.job.filler.needs.coverage.then_some(coverage),
            source: &self.read.source,
            guide: self.read.guide.as_ref(),
        }
    }

    /// The engine's fill, without a seam and with detail; the latter takes the time of these shares. `mark`
    /// is what the engine told last.
    fn finished(
        &self,
        mut filled: RgbImage,
        shares: std::ops::Range<f64>,
        mark: Mark,
        run: &mut Run<'_>,
    ) -> Result<RgbImage> {
        let (hole, source) = (self.hole().0, &self.read.source);
        let (pool, cancel, seed) = (run.pool, run.cancel, run.seed);
        if self.job.filler.needs.blend {
            let rgb = &self.read.working.rgb;
            pool.install(|| blend::paste(rgb, hole, source, &mut filled, cancel))?;
        }
        let Some(scale) = self.softness else {
            return Ok(filled);
        };
        let guide = Guide { scale, weight: 1.0 };
        let steps = &mut |share: f64| {
            run.at(Mark {
                stage: "detail",
                share: shares.start + (shares.end - shares.start) * share,
                ..mark
            })
        };
        detail::transfer(&guide, &filled, hole, source, seed, pool, cancel, steps)
    }
}

/// How many pixels of a region of this size one of the engine's is; none where that is so few that its
/// fill is as sharp as the picture.
pub fn softness(needs: &Needs, width: u32, height: u32) -> Option<f64> {
    const SOFT: f64 = 1.3;
    let (w, h) = needs.working_size(width, height);
    let along = |native: u32, working: u32| f64::from(native) / f64::from(working.max(1));
    let scale = along(width, w).max(along(height, h));
    (scale > SOFT).then_some(scale)
}

/// Where nothing was told.
const START: Mark = Mark {
    stage: Mark::FILL,
    step: 100,
    steps: 100,
    share: 0.0,
};

/// Runs `work`, whose time is from the share `from` of the region's to `until`; what it makes, and the
/// last that it told.
pub(super) fn within<T>(
    run: &mut Run<'_>,
    from: f64,
    until: f64,
    work: impl FnOnce(&mut Run<'_>) -> Result<T>,
) -> Result<(T, Mark)> {
    let mut last = Mark {
        share: until,
        ..START
    };
    let map = |mark: Mark| {
        last = Mark {
            share: from + mark.share * (until - from),
            ..mark
        };
        last
    };
    let made = run.mapped(map, work)?;
    Ok((made, last))
}

/// The picture with the content to be removed; what is known, transparent or no number is as in the crop.
fn original(job: &Job<'_>, rect: Rect, read: &Read, cancel: &Cancel) -> Result<RgbImage> {
    let (w, h) = (rect.width as usize, rect.height as usize);
    let mut unseen = Plane::filled(w, h, 0.0f32, "an empty mask")?;
    // What is no number is replaced whole, or the crop could not have been read.
    if let Some(strange) = not_numbers(job.image, rect)? {
        for (unseen, strange) in unseen.data.iter_mut().zip(&strange.data) {
            *unseen = f32::from(*strange);
        }
    }
    let mut working = reading::working(job.image, rect, &unseen, cancel)?;
    let guess = read.working.rgb.data.as_chunks::<3>().0;
    let pixels = working.rgb.data.as_chunks_mut::<3>().0.iter_mut();
    for (i, (pixel, guess)) in pixels.zip(guess).enumerate() {
        let transparent = working.alpha.as_ref().is_some_and(|a| a.data[i] <= 0.0);
        if read.known.data[i] != 0 || transparent || unseen.data[i] >= 1.0 {
            *pixel = *guess;
        }
    }
    Ok(working.rgb)
}
