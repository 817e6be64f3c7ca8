//! A planned fill, and its run: region after region.
#![forbid(unsafe_code)]

use super::asked::Asked;
use super::checks::no_source;
use super::pace::Pace;
use super::part::Part;
use super::planning::{Planned, Work, region_seconds};
use super::region::{Job, Shares, fill_region};
use super::scaled::Filler;
use super::specks::fill_specks;
use super::{Filled, Held, Inpainter, Report};
use crate::engines::{Mark, Run};
use crate::error::{Error, Result};
use crate::memory;
use crate::pixels::{ImageView, MaskView, Rect, RgbImage};
use crate::plan::{Plan, Region};
use crate::progress::{Cancel, Preview, Progress};
use crate::request::Request;
use crate::workers::Workers;
use std::borrow::Cow;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// A fill that was planned by [`Inpainter::prepare`]: [`Self::plan`] says what [`Self::run`] does.
pub struct Prepared<'a> {
    inpainter: &'a Inpainter,
    pub(super) request: Cow<'a, Request>,
    pub(super) image: ImageView<'a>,
    mask: MaskView<'a>,
    pub(super) planned: Planned,
    /// What the planning took.
    took: Duration,
}

impl<'a> Prepared<'a> {
    pub(super) fn new(
        inpainter: &'a Inpainter,
        asked: Asked<'a>,
        image: ImageView<'a>,
        planned: Planned,
        took: Duration,
    ) -> Self {
        Self {
            inpainter,
            request: asked.request,
            image,
            mask: asked.mask,
            planned,
            took,
        }
    }

    /// What will be done.
    pub fn plan(&self) -> &Plan {
        &self.planned.plan
    }

    /// Does it, and holds the result; where several fills are made, the best of them. Weights are loaded if
    /// they are not here from an earlier fill.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Cancelled`]; [`crate::ErrorKind::Model`], [`crate::ErrorKind::Io`] for weights
    /// that cannot be used; [`crate::ErrorKind::Mask`] where all that is known around the hole is
    /// transparent; [`crate::ErrorKind::Memory`].
    pub fn run(&self, progress: &mut dyn Progress, cancel: &Cancel) -> Result<Filled> {
        if self.plan().variations.made > 1 {
            return self.best(progress, cancel);
        }
        let start = self.start();
        cancel.check()?;
        let Some(work) = &self.planned.work else {
            return Ok(self.filled(Vec::new(), self.report(0, 0, Vec::new(), start)));
        };
        let mut pace = Pace::new(start, progress);
        let (parts, told) = self.regions(work, &mut pace, cancel)?;
        // A speck in the void leaves nothing behind; where all is void, something else was meant.
        if parts.iter().all(|part| part.empty) {
            return Err(no_source(&self.request));
        }
        cancel.check()?;
        if !pace.finish() {
            return Err(Error::cancelled());
        }
        let covered = |p: &Part| p.coverage.data.iter().filter(|c| **c > 0.0).count() as u64;
        let pixels = parts.iter().map(covered).sum();
        let mut report = self.report(parts.len(), pixels, pace.stages(), start);
        report.notes.extend(told);
        Ok(self.filled(parts, report))
    }

    /// When the work began, the planning included.
    pub(super) fn start(&self) -> Instant {
        let now = Instant::now();
        now.checked_sub(self.took).unwrap_or(now)
    }

    /// What all regions share.
    pub(super) fn job<'b>(&'b self, work: &'b Work, scored: bool) -> Job<'b> {
        Job {
            filler: Filler {
                id: work.id,
                engine: work.engine.as_ref(),
                needs: &work.needs,
            },
            engines: &self.inpainter.engines,
            image: &self.image,
            mask: &self.mask,
            request: &self.request,
            settings: &self.planned.settings,
            scored,
        }
    }

    /// What regions run with.
    pub(super) fn telling<'b, 'p>(
        &'b self,
        work: &Work,
        pace: &'b mut Pace<'p>,
        cancel: &'b Cancel,
    ) -> Result<Telling<'b, 'p>> {
        Ok(Telling {
            pool: self.inpainter.pool()?,
            cancel,
            budget: work.room,
            pace,
            preview: Cell::new(None),
            notes: Vec::new(),
        })
    }

    /// Fills each region; and what the user should know of that.
    fn regions(
        &self,
        work: &Work,
        pace: &mut Pace<'_>,
        cancel: &Cancel,
    ) -> Result<(Vec<Part>, Vec<String>)> {
        let plan = &self.planned.plan;
        let job = self.job(work, false);
        let mut telling = self.telling(work, pace, cancel)?;
        let seconds = |r| region_seconds(&work.needs, &work.costs, r);
        let weights: Vec<(f64, Shares)> = plan.regions.iter().map(seconds).collect();
        let total = weights.iter().map(|w| w.0).sum::<f64>();
        let total = total.max(f64::MIN_POSITIVE);
        let mut parts = memory::with_capacity(plan.regions.len(), "the filled regions")?;
        let mut done = 0.0;
        let count = plan.regions.len() as u32;
        for (i, (region, (weight, shares))) in (0u32..).zip(plan.regions.iter().zip(&weights)) {
            let place = |mark: Mark| {
                let share = (done + mark.share * weight) / total;
                mark.of_whole(share, i, count)
            };
            let part = telling.run(region.rect, job.settings.seed, place, |run| {
                fill_one(&job, work, region, *shares, &parts, run)
            })?;
            let before = parts.iter_mut();
            before.for_each(|p: &mut Part| p.give_way_to(region));
            parts.push(part);
            done += weight;
        }
        Ok((parts, telling.notes))
    }

    /// The end of the run.
    fn filled(&self, parts: Vec<Part>, report: Report) -> Filled {
        Filled {
            report,
            held: Held::Parts(parts),
            layer: self.planned.settings.layer,
            canvas: self.planned.plan.canvas,
        }
    }

    /// What was done.
    pub(super) fn report(
        &self,
        regions: usize,
        pixels: u64,
        stages: Vec<(&'static str, f64)>,
        start: Instant,
    ) -> Report {
        let plan = &self.planned.plan;
        let (engine, notes) = match self.planned.work {
            Some(_) => (plan.engine.clone(), plan.notes.clone()),
            None => (
                String::new(),
                vec!["the mask is empty: nothing was filled".into()],
            ),
        };
        Report {
            engine,
            regions,
            pixels,
            seconds: start.elapsed().as_secs_f64(),
            stages,
            scores: Vec::new(),
            notes,
        }
    }
}

/// What regions run with, one after the other, and whom they report to.
pub(super) struct Telling<'a, 'p> {
    pool: &'a Workers,
    cancel: &'a Cancel,
    budget: Option<u64>,
    pace: &'a mut Pace<'p>,
    /// From an engine's preview to the report behind it.
    preview: Cell<Option<Preview>>,
    /// What the user should know, each once.
    pub notes: Vec<String>,
}

impl Telling<'_, '_> {
    /// Does `work` on the region at `rect` with this seed; its marks are told as `place` has them.
    pub fn run<T>(
        &mut self,
        rect: Rect,
        seed: u64,
        place: impl Fn(Mark) -> Mark,
        work: impl FnOnce(&mut Run<'_>) -> Result<T>,
    ) -> Result<T> {
        let (pace, preview, notes) = (&mut *self.pace, &self.preview, &mut self.notes);
        work(&mut Run {
            pool: self.pool,
            cancel: self.cancel,
            seed,
            budget: self.budget,
            report: &mut |mark| pace.report(place(mark), preview.take()),
            show: &mut |picture| preview.set(shown(picture, rect)),
            note: &mut |note| {
                if !notes.contains(&note) {
                    notes.push(note);
                }
            },
        })
    }
}

/// Fills a region, of specks or by the engine.
fn fill_one(
    job: &Job<'_>,
    work: &Work,
    region: &Region,
    shares: Shares,
    before: &[Part],
    run: &mut Run<'_>,
) -> Result<Part> {
    match &work.specks {
        Some(found) if region.specks => fill_specks(job, &found.specks, region, run),
        _ => Ok(fill_region(job, region, shares, before, run)?.part),
    }
}

/// An engine's small picture of the region at `rect`; without the memory for it, none.
fn shown(picture: &RgbImage, rect: Rect) -> Option<Preview> {
    let mut pixels = memory::with_capacity(picture.data.len(), "a preview").ok()?;
    let levels = picture
        .data
        .iter()
        .map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8);
    pixels.extend(levels);
    Some(Preview {
        region: [rect.x, rect.y, rect.width, rect.height],
        width: u32::try_from(picture.width).ok()?,
        height: u32::try_from(picture.height).ok()?,
        pixels,
    })
}
