//! What was filled and waits to be written.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::memory;
use crate::pixels::{
    Coverage, ImageView, ImageViewMut, Plane, Rect, RgbImage, Working, write_back,
};
use crate::plan::Region;
use std::ops::Range;

/// A filled box of the image that has not been written yet, or only runs of it.
pub struct Part {
    /// Where in the image.
    pub rect: Rect,
    /// The filled pixels: those of the box, or those of the runs one after the other in one row.
    pub working: Working,
    /// How much of each is to be replaced.
    pub coverage: Coverage,
    /// Where in the image the runs are, each one pixel high; `None`: all of the box.
    pub runs: Option<Vec<Rect>>,
    /// Whether all that is known around it is transparent.
    pub empty: bool,
}

impl Part {
    /// Writes it into `dst`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Argument`] when it does not fit; [`crate::ErrorKind::Memory`].
    pub fn write(&self, dst: &mut ImageViewMut<'_>) -> Result<()> {
        if self.runs.is_none() {
            return write_back(dst, self.rect, &self.working, &self.coverage);
        }
        for (place, at) in self.strips()? {
            let (working, coverage) = self.strip(place, at)?;
            write_back(dst, place, &working, &coverage)?;
        }
        Ok(())
    }

    /// The runs, or the box's rows: where in the image each is, and where its pixels begin here.
    fn strips(&self) -> Result<Vec<(Rect, usize)>> {
        let own = self.rect;
        let count = self.runs.as_ref().map_or(own.height as usize, Vec::len);
        let mut strips = memory::with_capacity(count, "the places of the result")?;
        let mut at = 0;
        for i in 0..count {
            let place = match &self.runs {
                Some(runs) => runs[i],
                None => Rect::new(own.x, own.y + i as u32, own.width, 1),
            };
            strips.push((place, at));
            at += place.width as usize;
        }
        Ok(strips)
    }

    /// The pixels at `place`, which begin at `at`.
    fn strip(&self, place: Rect, at: usize) -> Result<(Working, Coverage)> {
        let n = place.width as usize;
        let mut rgb = RgbImage::black(n, 1, WHAT)?;
        rgb.data
            .copy_from_slice(&self.working.rgb.data[at * 3..(at + n) * 3]);
        let alpha = self.working.alpha.as_ref();
        let alpha = alpha.map(|alpha| strip(&alpha.data[at..at + n]));
        let working = Working {
            rgb,
            alpha: alpha.transpose()?,
        };
        Ok((working, strip(&self.coverage.data[at..at + n])?))
    }

    /// The runs of pixels that are replaced, if only in part, from the top and from the left.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn places(&self) -> Result<Vec<Rect>> {
        let mut places = Vec::new();
        for (place, at) in self.strips()? {
            let covered = &self.coverage.data[at..at + place.width as usize];
            for run in runs(covered) {
                let own = Rect::new(place.x + run.start as u32, place.y, run.len() as u32, 1);
                memory::push(&mut places, own, WHAT)?;
            }
        }
        Ok(places)
    }

    /// The bytes that [`Self::write`] would write into `image`, those of [`Self::places`] one after the
    /// other; on a `layer`, into nothing.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn bytes(&self, image: &ImageView<'_>, layer: bool) -> Result<Vec<u8>> {
        let (format, pixel) = (image.format(), image.format().bytes());
        let covered = self.coverage.data.iter().filter(|c| **c > 0.0).count();
        let mut bytes = memory::with_capacity(covered * pixel, WHAT)?;
        for (place, at) in self.strips()? {
            let n = place.width as usize;
            let (working, coverage) = self.strip(place, at)?;
            if runs(&coverage.data).next().is_none() {
                continue;
            }
            let (first, before) = image.stored(place.y, place.x, place.right());
            let mut row = memory::filled(n * pixel, 0u8, WHAT)?;
            if !layer {
                let start = (first - place.x) as usize * pixel;
                row[start..start + before.len()].copy_from_slice(before);
            }
            let mut view = ImageViewMut::new(&mut row, place.width, 1, n * pixel, format)?;
            write_back(
                &mut view,
                Rect::new(0, 0, place.width, 1),
                &working,
                &coverage,
            )?;
            for run in runs(&coverage.data) {
                bytes.extend_from_slice(&row[run.start * pixel..run.end * pixel]);
            }
        }
        Ok(bytes)
    }

    /// Whether `region` is to go by it: specks, and a piece of the same hole. Holes that touch or overlap
    /// are one that was taken in pieces.
    pub fn goes_on_in(&self, region: &Region) -> bool {
        let beside = region.hole.grown_within(1, u32::MAX, u32::MAX);
        self.runs.is_some() || !self.rect.intersect(&beside).is_empty()
    }

    /// Leaves to `region`, which fills them again, the pixels of its hole's box.
    pub fn give_way_to(&mut self, region: &Region) {
        let both = self.rect.intersect(&region.hole);
        if both.is_empty() || self.runs.is_some() {
            return;
        }
        for y in both.y..both.bottom() {
            let row = self.coverage.row_mut((y - self.rect.y) as usize);
            row[(both.x - self.rect.x) as usize..(both.right() - self.rect.x) as usize].fill(0.0);
        }
    }

    /// Lays what is filled here into the crop of `region`: there it counts as known, and as nothing that
    /// is to be replaced. What a piece of the same hole reaches over is left to it.
    pub fn lay_into(&self, region: &Region, working: &mut Working, coverage: &mut Coverage) {
        let rect = region.rect;
        if self.rect.intersect(&rect).is_empty() {
            return;
        }
        let again = match self.runs {
            Some(_) => Rect::default(),
            None => region.hole,
        };
        let whole: Vec<Rect>;
        let runs = match &self.runs {
            Some(runs) => runs,
            None => {
                let rows = self.rect.y..self.rect.bottom();
                whole = rows
                    .map(|y| Rect::new(self.rect.x, y, self.rect.width, 1))
                    .collect();
                &whole
            }
        };
        let mut at = 0;
        for run in runs {
            let within = run.intersect(&rect);
            let first = at + within.x.saturating_sub(run.x) as usize;
            at += run.width as usize;
            if within.is_empty() {
                continue;
            }
            for i in 0..within.width as usize {
                let from = first + i;
                let here = Rect::new(within.x + i as u32, within.y, 1, 1);
                if self.coverage.data[from] <= 0.0 || !again.intersect(&here).is_empty() {
                    continue;
                }
                let x = (within.x - rect.x) as usize + i;
                let to = (within.y - rect.y) as usize * coverage.width + x;
                coverage.data[to] = 0.0;
                let colour = &self.working.rgb.data[from * 3..from * 3 + 3];
                working.rgb.data[to * 3..to * 3 + 3].copy_from_slice(colour);
                if let (Some(own), Some(alpha)) = (&self.working.alpha, &mut working.alpha) {
                    alpha.data[to] = own.data[from];
                }
            }
        }
    }
}

const WHAT: &str = "a run of the result";

/// The runs of a row that are replaced, if only in part.
fn runs(coverage: &[f32]) -> impl Iterator<Item = Range<usize>> {
    let mut end = 0;
    std::iter::from_fn(move || {
        let start = end + coverage[end..].iter().position(|c| *c > 0.0)?;
        let mut rest = coverage[start..].iter();
        let stop = rest.position(|c| *c <= 0.0 || c.is_nan());
        end = stop.map_or(coverage.len(), |n| start + n);
        Some(start..end)
    })
}

fn strip(values: &[f32]) -> Result<Plane<f32>> {
    let mut data = memory::with_capacity(values.len(), WHAT)?;
    data.extend_from_slice(values);
    Ok(Plane {
        width: values.len(),
        height: 1,
        data,
    })
}
