//! A planned fill, and its run: region after region.
#![forbid(unsafe_code)]

use super::checks::no_source;
use super::pace::{Pace, START};
use super::part::Part;
use super::planning::{Planned, Work, region_seconds};
use super::region::{Job, fill_region};
use super::scaled::Filler;
use super::specks::fill_specks;
use super::{Filled, Inpainter, Report};
use crate::engines::{Mark, Run};
use crate::error::{Error, Result};
use crate::memory;
use crate::pixels::{ImageView, MaskView, Rect, RgbImage};
use crate::plan::{Plan, Region};
use crate::progress::{Cancel, Preview, Progress};
use crate::request::Request;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// A fill that was planned by [`Inpainter::prepare`]: [`Self::plan`] says what [`Self::run`] does.
pub struct Prepared<'a> {
    inpainter: &'a Inpainter,
    request: &'a Request,
    image: ImageView<'a>,
    mask: MaskView<'a>,
    planned: Planned,
    /// What the planning took.
    took: Duration,
}

impl<'a> Prepared<'a> {
    pub(super) fn new(
        inpainter: &'a Inpainter,
        request: &'a Request,
        image: ImageView<'a>,
        mask: MaskView<'a>,
        planned: Planned,
        took: Duration,
    ) -> Self {
        Self {
            inpainter,
            request,
            image,
            mask,
            planned,
            took,
        }
    }

    /// What will be done.
    pub fn plan(&self) -> &Plan {
        &self.planned.plan
    }

    /// Does it, and holds the result. Weights are loaded if they are not here from an earlier fill.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Cancelled`]; [`crate::ErrorKind::Model`], [`crate::ErrorKind::Io`] for weights
    /// that cannot be used; [`crate::ErrorKind::Mask`] where all that is known around the hole is
    /// transparent; [`crate::ErrorKind::Memory`].
    pub fn run(&self, progress: &mut dyn Progress, cancel: &Cancel) -> Result<Filled> {
        let begun = Instant::now();
        let start = begun.checked_sub(self.took).unwrap_or(begun);
        cancel.check()?;
        let Some(work) = &self.planned.work else {
            return Ok(self.filled(Vec::new(), Vec::new(), start));
        };
        let mut pace = Pace::new(start, progress);
        let parts = self.regions(work, &mut pace, cancel)?;
        // A speck in the void leaves nothing behind; where all is void, something else was meant.
        if parts.iter().all(|part| part.empty) {
            return Err(no_source(self.request));
        }
        cancel.check()?;
        if !pace.finish() {
            return Err(Error::cancelled());
        }
        Ok(self.filled(parts, pace.stages(), start))
    }

    /// Fills each region.
    fn regions(&self, work: &Work, pace: &mut Pace<'_>, cancel: &Cancel) -> Result<Vec<Part>> {
        let (plan, settings) = (&self.planned.plan, &self.planned.settings);
        let job = Job {
            filler: Filler {
                id: work.id,
                engine: work.engine.as_ref(),
                needs: &work.needs,
            },
            image: &self.image,
            mask: &self.mask,
            request: self.request,
            settings,
        };
        let pool = self.inpainter.pool()?;
        let seconds = |r| region_seconds(&work.needs, &work.costs, r);
        let weights: Vec<(f64, f64)> = plan.regions.iter().map(seconds).collect();
        let total = weights.iter().map(|w| w.0).sum::<f64>();
        let total = total.max(f64::MIN_POSITIVE);
        let mut parts = memory::with_capacity(plan.regions.len(), "the filled regions")?;
        let mut done = 0.0;
        let count = plan.regions.len() as u32;
        // From an engine's preview to the report behind it.
        let preview = Cell::new(None);
        for (i, (region, (weight, detail))) in (0u32..).zip(plan.regions.iter().zip(&weights)) {
            let mut run = Run {
                pool,
                cancel,
                seed: settings.seed,
                budget: work.room,
                report: &mut |mark| {
                    let share = (done + mark.share * weight) / total;
                    pace.report(mark.of_all(share, i, count), preview.take())
                },
                show: &mut |picture| preview.set(shown(picture, region.rect)),
            };
            let part = fill_one(&job, work, region, *detail, &parts, &mut run)?;
            let before = parts.iter_mut();
            before.for_each(|p: &mut Part| p.give_way_to(region));
            parts.push(part);
            done += weight;
        }
        Ok(parts)
    }

    /// The end of the run.
    fn filled(&self, parts: Vec<Part>, stages: Vec<(&'static str, f64)>, start: Instant) -> Filled {
        let covered = |p: &Part| p.coverage.data.iter().filter(|c| **c > 0.0).count() as u64;
        let plan = &self.planned.plan;
        let (engine, notes) = match self.planned.work {
            Some(_) => (plan.engine.clone(), plan.notes.clone()),
            None => (
                String::new(),
                vec!["the mask is empty: nothing was filled".into()],
            ),
        };
        let report = Report {
            engine,
            regions: parts.len(),
            pixels: parts.iter().map(covered).sum(),
            seconds: start.elapsed().as_secs_f64(),
            stages,
            notes,
        };
        Filled {
            parts,
            layer: self.planned.settings.layer,
            report,
        }
    }
}

/// Fills a region, of specks or by the engine.
fn fill_one(
    job: &Job<'_>,
    work: &Work,
    region: &Region,
    detail: f64,
    before: &[Part],
    run: &mut Run<'_>,
) -> Result<Part> {
    match &work.specks {
        Some(found) if region.specks => fill_specks(job, &found.specks, region, run),
        _ => fill_region(job, region, detail, before, run),
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

impl Mark {
    /// Of the whole call, of which this is region `i` of `count`; hundredths stay hundredths.
    fn of_all(self, share: f64, i: u32, count: u32) -> Self {
        let (step, steps) = match self.stage == START.stage {
            true => ((share * 100.0).round() as u32, 100),
            false => {
                let before = self.steps.saturating_mul(i);
                (before + self.step, self.steps.saturating_mul(count))
            }
        };
        Self {
            step,
            steps,
            share,
            ..self
        }
    }
}
