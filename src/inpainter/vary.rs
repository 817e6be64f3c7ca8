//! Several fills of one plan, of which the best are kept.
#![forbid(unsafe_code)]

use super::checks::no_source;
use super::groups::groups;
use super::pace::Pace;
use super::part::Part;
use super::planning::{Work, fills_seconds, region_seconds, total_seconds};
use super::prepared::{Prepared, Telling};
use super::region::{Done, Job, fill_region, vary_region};
use super::specks::fill_specks;
use super::variations::{Kept, Variations};
use super::{Filled, Report};
use crate::engines::{Mark, variation_seed};
use crate::error::{Error, Result};
use crate::memory;
use crate::plan::Region;
use crate::progress::{Cancel, Progress};

impl Prepared<'_> {
    /// Makes as many fills as the plan says, and holds the best of them. Of each only the pixels are kept
    /// that it fills. The fill that is made first is that of the seed as it is.
    ///
    /// An empty mask is no error: all variations are the picture as it is.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn vary(&self, progress: &mut dyn Progress, cancel: &Cancel) -> Result<Variations> {
        let fills = self.plan().variations;
        let (kept, report) = self.chosen(fills.kept, progress, cancel)?;
        Ok(Variations { kept, report })
    }

    /// The best of several fills.
    pub(super) fn best(&self, progress: &mut dyn Progress, cancel: &Cancel) -> Result<Filled> {
        let (kept, mut report) = self.chosen(1, progress, cancel)?;
        let variations = self.plan().variations.kept;
        if variations > 1 {
            report.notes.push(format!(
                "{variations} variations were made, and this is the best of them: to get them all, call \
                 mend_inpaint_variations or, in Rust, Inpainter::vary"
            ));
        }
        Ok(Filled::of_best(kept, report))
    }

    /// The `count` best of the fills that the plan makes.
    fn chosen(
        &self,
        count: u32,
        progress: &mut dyn Progress,
        cancel: &Cancel,
    ) -> Result<(Kept, Report)> {
        let start = self.start();
        cancel.check()?;
        let made = self.plan().variations.made;
        let mut kept = Kept::new(&self.image, self.planned.settings.layer, made)?;
        let (mut stages, mut told) = (Vec::new(), Vec::new());
        if let Some(work) = &self.planned.work {
            let mut pace = Pace::new(start, progress);
            let mut fills = Fills::new(self, work, &mut kept, &mut pace, cancel)?;
            fills.make()?;
            told = std::mem::take(&mut fills.telling.notes);
            if fills.empty {
                return Err(no_source(&self.request));
            }
            cancel.check()?;
            if !pace.finish() {
                return Err(Error::cancelled());
            }
            stages = pace.stages();
        }
        let alike = kept.alike() && kept.pixels() > 0;
        let scores = kept.choose(count)?;
        let mut report = self.report(kept.regions(), kept.pixels(), stages, start);
        report.scores = scores;
        report.notes.extend(told);
        if alike {
            report.notes.push(format!(
                "all {made} variations are the same: nothing is left to chance in these fills"
            ));
        }
        Ok((kept, report))
    }
}

/// Several fills under way.
struct Fills<'a, 'p> {
    prepared: &'a Prepared<'a>,
    work: &'a Work,
    job: Job<'a>,
    kept: &'a mut Kept,
    telling: Telling<'a, 'p>,
    /// Fills of each region.
    made: u32,
    /// Pixels of all regions that an engine fills.
    pixels: f64,
    /// Seconds that are over, and all of them, as they were foreseen.
    done: f64,
    total: f64,
    /// Regions that are done, each as often as it is to be filled.
    count: u32,
    /// Whether all regions so far lie in the void.
    empty: bool,
}

impl<'a, 'p> Fills<'a, 'p> {
    fn new(
        prepared: &'a Prepared<'a>,
        work: &'a Work,
        kept: &'a mut Kept,
        pace: &'a mut Pace<'p>,
        cancel: &'a Cancel,
    ) -> Result<Self> {
        let plan = prepared.plan();
        let filled = plan.regions.iter().filter(|r| !r.specks);
        Ok(Self {
            prepared,
            work,
            job: prepared.job(work, true),
            kept,
            telling: prepared.telling(work, pace, cancel)?,
            made: plan.variations.made,
            pixels: filled.map(|r| r.hole_pixels as f64).sum(),
            done: 0.0,
            total: f64::MIN_POSITIVE,
            count: 0,
            empty: true,
        })
    }

    fn make(&mut self) -> Result<()> {
        let regions = &self.prepared.plan().regions;
        let groups = groups(regions)?;
        self.total = total_seconds(self.work, regions, &groups, self.made);
        let mut parts = Vec::new();
        for region in regions.iter().filter(|r| r.specks) {
            parts.extend(self.specks(region)?);
        }
        for group in &groups {
            match group[..] {
                [i] => self.region(&regions[i], &parts)?,
                // Each piece goes on in those before it, so that each fill is made from its first to its last.
                _ => (0..self.made).try_for_each(|n| self.pieces(regions, group, &mut parts, n))?,
            }
        }
        Ok(())
    }

    /// What is so thin that all fills of it are the same.
    fn specks(&mut self, region: &Region) -> Result<Option<Part>> {
        let Some(found) = &self.work.specks else {
            return Ok(None);
        };
        let (weight, _) = region_seconds(&self.work.needs, &self.work.costs, region);
        let place = self.place(weight, self.made);
        let job = &self.job;
        let part = self
            .telling
            .run(region.rect, job.settings.seed, place, |run| {
                fill_specks(job, &found.specks, region, run)
            })?;
        self.kept.add_common(job.image, &part)?;
        self.end(weight, self.made);
        self.empty &= part.empty;
        Ok(Some(part))
    }

    /// A region whose crop is the same for all fills.
    fn region(&mut self, region: &Region, specks: &[Part]) -> Result<()> {
        let (needs, costs) = (&self.work.needs, &self.work.costs);
        let weight = fills_seconds(needs, costs, region, self.made, true);
        let (_, shares) = region_seconds(needs, costs, region);
        let (place, weighed) = (self.place(weight, self.made), self.weighed(region));
        let (job, kept, made) = (&self.job, &mut *self.kept, self.made);
        let (mut number, mut empty) = (0, true);
        let mut each = |done: Done| {
            empty &= done.part.empty;
            kept.add(job.image, number, &done.part, done.score * weighed)?;
            number += 1;
            Ok(())
        };
        self.telling
            .run(region.rect, job.settings.seed, place, |run| {
                vary_region(job, region, shares, specks, made, run, &mut each)
            })?;
        self.end(weight, self.made);
        self.empty &= empty;
        Ok(())
    }

    /// Fill `number` of the pieces of one hole; `parts` are the specks, and stay so.
    fn pieces(
        &mut self,
        regions: &[Region],
        group: &[usize],
        parts: &mut Vec<Part>,
        number: u32,
    ) -> Result<()> {
        let specks = parts.len();
        let mut score = 0.0;
        for region in group.iter().map(|i| &regions[*i]) {
            let (weight, shares) = region_seconds(&self.work.needs, &self.work.costs, region);
            let (place, job) = (self.place(weight, 1), &self.job);
            let seed = variation_seed(job.settings.seed, number);
            let done = self.telling.run(region.rect, seed, place, |run| {
                fill_region(job, region, shares, parts, run)
            })?;
            self.end(weight, 1);
            self.empty &= done.part.empty;
            score += done.score * self.weighed(region);
            parts.iter_mut().for_each(|p| p.give_way_to(region));
            memory::push(parts, done.part, "the filled regions")?;
        }
        for part in parts.drain(specks..) {
            let own = std::mem::take(&mut score);
            self.kept.add(self.job.image, number as usize, &part, own)?;
        }
        Ok(())
    }

    /// What of a fill's score a region makes up.
    fn weighed(&self, region: &Region) -> f64 {
        region.hole_pixels as f64 / self.pixels.max(1.0)
    }

    /// Where the marks of what takes `weight` seconds and fills a region so many times belong in the whole.
    fn place(&self, weight: f64, fills: u32) -> impl Fn(Mark) -> Mark + use<> {
        let (done, total) = (self.done, self.total);
        let regions = self.prepared.plan().regions.len() as u32;
        let all = regions.saturating_mul(self.made) / fills;
        let number = self.count / fills;
        move |mark| mark.of_whole((done + mark.share * weight) / total, number, all)
    }

    /// Counts what [`Self::place`] was for as done.
    fn end(&mut self, weight: f64, fills: u32) {
        self.done += weight;
        self.count += fills;
    }
}
