//! What was filled and waits to be written.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::memory;
use crate::pixels::{Coverage, ImageViewMut, Plane, Rect, RgbImage, Working, write_back};
use crate::plan::Region;

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
        let Some(runs) = &self.runs else {
            return write_back(dst, self.rect, &self.working, &self.coverage);
        };
        let mut at = 0;
        for run in runs {
            let end = at + run.width as usize;
            let what = "a run of the result";
            let (n, rgb) = (end - at, &self.working.rgb.data[at * 3..end * 3]);
            let mut working = Working {
                rgb: RgbImage::black(n, 1, what)?,
                alpha: None,
            };
            working.rgb.data.copy_from_slice(rgb);
            if let Some(alpha) = &self.working.alpha {
                working.alpha = Some(strip(&alpha.data[at..end])?);
            }
            write_back(dst, *run, &working, &strip(&self.coverage.data[at..end])?)?;
            at = end;
        }
        Ok(())
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

fn strip(values: &[f32]) -> Result<Plane<f32>> {
    let mut data = memory::with_capacity(values.len(), "a run of the result")?;
    data.extend_from_slice(values);
    Ok(Plane {
        width: values.len(),
        height: 1,
        data,
    })
}
