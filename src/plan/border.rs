//! The regions of a picture that grows: what is around it goes side by side where that is cheaper.
#![forbid(unsafe_code)]

use super::regions::{Frame, OVERLAP, WHAT, regions, too_long};
use super::{Canvas, Costs, Needs, Region};
use crate::error::Result;
use crate::memory;
use crate::params::Extent;
use crate::pixels::{Rect, RunMask};

/// The context of a side is that of a hole no longer than so many times the side's width: what is far from a
/// narrow strip says nothing of it.
const LENGTHS: u32 = 8;

/// The regions that fill `mask`, which selects all of `canvas` around its picture: those of
/// [`regions`](fn@regions), or the sides, one by one, then the corners between them, which go on from both, and
/// then what is selected inside the picture. The latter where that is predicted to be cheaper or to need less
/// scaling, or where they are to be `split`.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn regions_around(
    mask: &RunMask,
    canvas: &Canvas,
    split: bool,
    context: Extent,
    needs: &Needs,
    costs: &Costs,
) -> Result<Vec<Region>> {
    let frame = Frame {
        width: canvas.width,
        height: canvas.height,
        context,
        needs,
        costs,
    };
    let mut apart = frame.border(mask, canvas.picture)?;
    let all = Rect::new(0, 0, canvas.width, canvas.height);
    let inside = mask.cut(all, canvas.picture)?;
    apart.extend(regions(&inside, 0, context, needs, costs)?);
    if split {
        return Ok(apart);
    }
    let together = regions(mask, 0, context, needs, costs)?;
    let seconds = |all: &[Region]| all.iter().map(|r| frame.seconds(r)).sum::<f64>();
    let scale = |all: &[Region]| all.iter().map(|r| r.scale).fold(1.0, f64::min);
    let better = scale(&apart) > scale(&together) || seconds(&apart) < seconds(&together);
    Ok(if better { apart } else { together })
}

impl Frame<'_> {
    /// The regions around `picture`.
    fn border(&self, mask: &RunMask, picture: Rect) -> Result<Vec<Region>> {
        let columns = [0, picture.x, picture.right(), self.width];
        let rows = [0, picture.y, picture.bottom(), self.height];
        let cell = |i: usize, j: usize| {
            let (x, y) = (columns[i], rows[j]);
            Rect::new(x, y, columns[i + 1] - x, rows[j + 1] - y)
        };
        let mut all = memory::with_capacity(8, WHAT)?;
        for (i, j) in [(0, 1), (1, 0), (2, 1), (1, 2)] {
            let Some(mut region) = self.strip(mask, cell(i, j), 0)? else {
                continue;
            };
            // Nothing is known yet of the corners; an engine that asks for a size gets it.
            if self.needs.alignment <= 1 && self.needs.min_side == 0 {
                let (across, down) = match i {
                    1 => ((picture.x, picture.width), (0, self.height)),
                    _ => ((0, self.width), (picture.y, picture.height)),
                };
                let within = Rect::new(across.0, down.0, across.1, down.1);
                region.rect = region.rect.intersect(&within);
                region.scale = self.needs.scale(region.rect.width, region.rect.height);
            }
            memory::push(&mut all, region, WHAT)?;
        }
        for (i, j) in [(0, 0), (2, 0), (0, 2), (2, 2)] {
            // The ends of the sides were made without knowing what comes.
            if let Some(region) = self.strip(mask, cell(i, j), OVERLAP)? {
                memory::push(&mut all, region, WHAT)?;
            }
        }
        match all.iter().any(too_long) {
            true => self.in_pieces(all, mask, 0),
            false => Ok(all),
        }
    }

    /// The region for what is selected in `cell` and up to `reach` pixels around it; none where there is
    /// nothing.
    fn strip(&self, mask: &RunMask, cell: Rect, reach: u32) -> Result<Option<Region>> {
        if cell.is_empty() || mask.bounds_in(cell).is_empty() {
            return Ok(None);
        }
        let hole = mask.bounds_in(cell.grown_within(reach, self.width, self.height));
        let short = hole.width.min(hole.height);
        let longest = short.saturating_mul(LENGTHS);
        let counts = Rect::new(0, 0, hole.width.min(longest), hole.height.min(longest));
        let context = self.context_of(&counts);
        Ok(Some(self.region_with(context, hole, mask.count_in(hole))))
    }
}
