//! From the parts of a mask to the regions that fill them at the least predicted cost.
#![forbid(unsafe_code)]

use super::parts::{Part, parts};
use super::{Costs, Needs, Region};
use crate::error::Result;
use crate::memory;
use crate::params::Extent;
use crate::pixels::{Rect, RunMask};

pub(super) const WHAT: &str = "the plan's regions";
/// Pixels of context at the least, whatever was asked for: something must be known.
const LEAST_CONTEXT: u32 = 8;
/// Longest side of a region: patches are addressed by 16 bits.
pub const LONGEST: u32 = 65_535;
/// Longest side of the pieces of a hole whose region would be longer, and how far one reaches into the
/// next, which fills that again: no patch at its end is to go by what is not filled yet.
const PIECE: u32 = 16_384;
pub(super) const OVERLAP: u32 = 32;
/// Regions that the exact search may start from; more parts than that are first gathered by cells.
const MOST_GROUPS: usize = 1 << 14;

/// The regions that fill `mask` at the least predicted cost, from top to bottom and left to right.
///
/// The boxes of their holes neither overlap nor touch, and together they hold every selected pixel,
/// grown by `grow`. Two regions become one while that is predicted to be cheaper, as long as the
/// engine need not scale further down for it. A hole whose region would be longer than [`LONGEST`] is taken
/// in pieces, each from left to right or from top to bottom: their boxes overlap.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn regions(
    mask: &RunMask,
    grow: u32,
    context: Extent,
    needs: &Needs,
    costs: &Costs,
) -> Result<Vec<Region>> {
    let frame = Frame {
        width: mask.width(),
        height: mask.height(),
        context,
        needs,
        costs,
    };
    let mut parts = parts(mask)?;
    for part in &mut parts {
        part.hole = part.hole.grown_within(grow, mask.width(), mask.height());
    }
    let parts = gather(parts, frame.context_of(&Rect::new(0, 0, 1, 1)))?;
    let mut regions = memory::with_capacity(parts.len(), WHAT)?;
    regions.extend(parts.iter().map(|p| frame.region(p.hole, p.pixels)));
    while frame.merge(&mut regions)? {}
    regions.sort_unstable_by_key(|r| (r.hole.y, r.hole.x));
    match regions.iter().any(too_long) {
        true => frame.in_pieces(regions, mask, grow),
        false => Ok(regions),
    }
}

pub(super) fn too_long(region: &Region) -> bool {
    region.rect.width.max(region.rect.height) > LONGEST
}

/// Gathers small parts that lie so close together that one region is sure to be cheaper, and many
/// parts down to a number that can be searched.
fn gather(mut parts: Vec<Part>, context: u32) -> Result<Vec<Part>> {
    let mut cell = (context / 2).max(1);
    loop {
        // Parts no larger than the cell, by the cell that their middle lies in.
        let key = |p: &Part| {
            let small = p.hole.width.max(p.hole.height) <= cell;
            let middle = |at: u32, len: u32| (u64::from(at) + u64::from(len) / 2) / u64::from(cell);
            small.then(|| {
                (
                    middle(p.hole.y, p.hole.height),
                    middle(p.hole.x, p.hole.width),
                )
            })
        };
        parts.sort_unstable_by_key(|p| (key(p), p.hole.y, p.hole.x));
        let mut kept = 0;
        let mut last = None;
        for i in 0..parts.len() {
            let (part, at) = (parts[i], key(&parts[i]));
            if at.is_some() && at == last {
                let group = &mut parts[kept - 1];
                group.hole = group.hole.union(&part.hole);
                group.pixels += part.pixels;
            } else {
                parts[kept] = part;
                kept += 1;
                last = at;
            }
        }
        parts.truncate(kept);
        if kept <= MOST_GROUPS {
            return Ok(parts);
        }
        cell = cell.saturating_mul(2);
    }
}

pub(super) struct Frame<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) context: Extent,
    pub(super) needs: &'a Needs,
    pub(super) costs: &'a Costs,
}

impl Frame<'_> {
    /// Pixels of context around `hole`.
    pub(super) fn context_of(&self, hole: &Rect) -> u32 {
        let longer = f64::from(hole.width.max(hole.height));
        // A cast of a float saturates, and NaN becomes 0.
        match self.context {
            Extent::Pixels(p) => p.max(LEAST_CONTEXT),
            Extent::Share(s) => ((s * longer).ceil() as u32).max(LEAST_CONTEXT),
            Extent::Auto => ((self.needs.context_share * longer).ceil() as u32)
                .min(self.needs.max_context)
                .max(self.needs.min_context)
                .max(LEAST_CONTEXT),
        }
    }

    /// One side of a region: at least as long as the engine asks, and aligned.
    fn side(&self, at: u32, len: u32, all: u32) -> (u32, u32) {
        let least = self.needs.min_side.min(all);
        let (at, len) = match len < least {
            // One unit of that length, within the image.
            true => aligned(at, len, all, least),
            false => (at, len),
        };
        aligned(at, len, all, self.needs.alignment)
    }

    /// `grown`, or as much of it as the engine can work on unscaled, where that is nearly all.
    fn fitted(&self, hole: &Rect, grown: Rect) -> Rect {
        let Some(most) = self.needs.max_side else {
            return grown;
        };
        let longer = u64::from(grown.width.max(grown.height));
        if longer <= u64::from(most) || 8 * longer > 9 * u64::from(most) {
            return grown;
        }
        let least = self.needs.min_context.max(LEAST_CONTEXT);
        let across = shortened((grown.x, grown.width), (hole.x, hole.width), most, least);
        let down = shortened((grown.y, grown.height), (hole.y, hole.height), most, least);
        match (across, down) {
            (Some((x, width)), Some((y, height))) => Rect::new(x, y, width, height),
            _ => grown,
        }
    }

    fn region(&self, hole: Rect, hole_pixels: u64) -> Region {
        self.region_with(self.context_of(&hole), hole, hole_pixels)
    }

    /// The region of `hole` with so many pixels of context.
    pub(super) fn region_with(&self, context: u32, hole: Rect, hole_pixels: u64) -> Region {
        let grown = hole.grown_within(context, self.width, self.height);
        let grown = self.fitted(&hole, grown);
        let (x, width) = self.side(grown.x, grown.width, self.width);
        let (y, height) = self.side(grown.y, grown.height, self.height);
        Region {
            rect: Rect::new(x, y, width, height),
            hole,
            hole_pixels,
            scale: self.needs.scale(width, height),
            work: hole_pixels,
            alpha_work: 0,
            specks: false,
        }
    }

    /// The regions, those that are too long in pieces and with less context.
    pub(super) fn in_pieces(
        &self,
        regions: Vec<Region>,
        mask: &RunMask,
        grow: u32,
    ) -> Result<Vec<Region>> {
        let mut all = memory::with_capacity(regions.len(), WHAT)?;
        let mut waiting: Vec<Region> = Vec::new();
        for region in regions {
            waiting.push(region);
            // The first piece is the next one to be looked at.
            while let Some(region) = waiting.pop() {
                let hole = region.hole;
                if !too_long(&region) {
                    memory::push(&mut all, region, WHAT)?;
                    continue;
                }
                if hole.width.max(hole.height) <= PIECE + OVERLAP {
                    let mut region = self.region(hole, region.hole_pixels);
                    let within = |at, len, hole: (u32, u32)| {
                        cut_around(
                            (at, len),
                            hole,
                            LONGEST - LONGEST % self.needs.alignment.max(1),
                        )
                    };
                    let rect = &mut region.rect;
                    (rect.x, rect.width) = within(rect.x, rect.width, (hole.x, hole.width));
                    (rect.y, rect.height) = within(rect.y, rect.height, (hole.y, hole.height));
                    region.scale = self.needs.scale(region.rect.width, region.rect.height);
                    memory::push(&mut all, region, WHAT)?;
                    continue;
                }
                let first = waiting.len();
                for slice in slices(hole) {
                    let near = slice.grown_within(grow, self.width, self.height);
                    let own = mask.bounds_in(near);
                    if own.is_empty() {
                        continue;
                    }
                    let hole = own.grown_within(grow, self.width, self.height);
                    let hole = hole.intersect(&slice);
                    let pixels = mask.count_in(hole);
                    memory::push(&mut waiting, self.region(hole, pixels), WHAT)?;
                }
                waiting[first..].reverse();
            }
        }
        Ok(all)
    }

    /// Predicted seconds at the region's working size.
    pub(super) fn seconds(&self, region: &Region) -> f64 {
        let share = region.scale * region.scale;
        let pixels = region.rect.area() as f64 * share;
        let hole = region.hole_pixels as f64 * share;
        self.costs.region_seconds(pixels as u64, hole as u64)
    }

    /// What the region of both saves, or `None` where they should stay two.
    fn saved(&self, a: &Region, b: &Region) -> Option<(f64, Region)> {
        let both = self.region(a.hole.union(&b.hole), a.hole_pixels + b.hole_pixels);
        if touch(&a.hole, &b.hole) {
            return Some((f64::INFINITY, both));
        }
        if both.scale < a.scale.min(b.scale) {
            return None;
        }
        let saved = self.seconds(a) + self.seconds(b) - self.seconds(&both);
        (saved > 0.0).then_some((saved, both))
    }

    /// Merges regions in one sweep from top to bottom; whether any were merged.
    ///
    /// Regions that are apart can only save the fixed cost, which pays for so many more pixels: how
    /// far apart two of the given height may be follows from that.
    fn merge(&self, regions: &mut Vec<Region>) -> Result<bool> {
        regions.sort_unstable_by_key(|r| (r.rect.y, r.rect.x));
        let mut merged = false;
        let mut done = memory::with_capacity(regions.len(), WHAT)?;
        let mut open: Vec<Region> = memory::with_capacity(regions.len(), WHAT)?;
        for region in regions.iter() {
            let mut region = *region;
            let line = u64::from(region.rect.y);
            open.retain(|r| {
                let near = u64::from(r.rect.bottom()) + self.reach(r.rect.width) >= line;
                if !near {
                    done.push(*r);
                }
                near
            });
            loop {
                let mut best: Option<(f64, usize, Region)> = None;
                for (i, other) in open.iter().enumerate() {
                    if !self.near(&region.rect, &other.rect) {
                        continue;
                    }
                    if let Some((saved, both)) = self.saved(&region, other)
                        && best.as_ref().is_none_or(|b| saved > b.0)
                    {
                        best = Some((saved, i, both));
                    }
                }
                let Some((_, i, both)) = best else { break };
                open.remove(i);
                region = both;
                merged = true;
            }
            open.push(region);
        }
        done.append(&mut open);
        *regions = done;
        Ok(merged)
    }

    /// How far from a region with a side of `side` pixels another may lie, at a right angle to that
    /// side, for one fixed cost to pay for the gap.
    fn reach(&self, side: u32) -> u64 {
        let pixel = self.costs.seconds_per_pixel;
        let reach = self.costs.seconds / (pixel * f64::from(side.max(1)));
        // Without a cost a pixel every distance would pay; nothing is gained by going so far.
        if reach.is_finite() {
            (reach as u64).min(1 << 12)
        } else {
            0
        }
    }

    /// Whether one region for both could be cheaper.
    fn near(&self, a: &Rect, b: &Rect) -> bool {
        let gap =
            |a0: u32, a1: u32, b0: u32, b1: u32| u64::from(a0.max(b0).saturating_sub(a1.min(b1)));
        let across = gap(a.x, a.right(), b.x, b.right());
        let down = gap(a.y, a.bottom(), b.y, b.bottom());
        (across == 0 || across <= self.reach(a.height.max(b.height)))
            && (down == 0 || down <= self.reach(a.width.max(b.width)))
    }
}

/// A box that is too long, in slices across its longer side, each with the overlap into the next.
fn slices(hole: Rect) -> impl Iterator<Item = Rect> {
    let across = hole.width >= hole.height;
    let len = hole.width.max(hole.height);
    (0..len).step_by(PIECE as usize).map(move |at| {
        let end = at.saturating_add(PIECE + OVERLAP).min(len);
        match across {
            true => Rect::new(hole.x + at, hole.y, end - at, hole.height),
            false => Rect::new(hole.x, hole.y + at, hole.width, end - at),
        }
    })
}

/// The stretch `at .. at + len` cut to `most`, with the hole as near its middle as may be.
fn cut_around((at, len): (u32, u32), hole: (u32, u32), most: u32) -> (u32, u32) {
    if len <= most {
        return (at, len);
    }
    let before = most.saturating_sub(hole.1) / 2;
    let start = hole.0.saturating_sub(before).max(at);
    (start.min(at + (len - most)), most)
}

/// Whether the two share a pixel, a side or a corner.
fn touch(a: &Rect, b: &Rect) -> bool {
    a.x <= b.right() && b.x <= a.right() && a.y <= b.bottom() && b.y <= a.bottom()
}

/// The stretch `at .. at + len` cut to `most`, first by what is furthest from the hole; none where less
/// than `least` would be left of a side that has more.
fn shortened(
    (at, len): (u32, u32),
    (hole, hole_len): (u32, u32),
    most: u32,
    least: u32,
) -> Option<(u32, u32)> {
    let spare = len.saturating_sub(most);
    let (before, after) = (hole - at, (at + len) - (hole + hole_len));
    if spare == 0 {
        return Some((at, len));
    }
    let left = (u64::from(before) + u64::from(after)).checked_sub(u64::from(spare))?;
    // Both sides keep the same, unless one has less than that.
    let first = (left / 2).max(left.saturating_sub(u64::from(after)));
    let first = (first as u32).min(before);
    let kept = |side: u32, keeps: u64| keeps >= u64::from(least.min(side));
    let enough = kept(before, u64::from(first)) && kept(after, left - u64::from(first));
    enough.then_some((hole - first, len - spare))
}

/// The stretch `at .. at + len` widened to a multiple of `alignment` within `0 .. all`, evenly and
/// shifted at the ends; as it is where `all` is too small for that.
fn aligned(at: u32, len: u32, all: u32, alignment: u32) -> (u32, u32) {
    let wide = u64::from(len).next_multiple_of(u64::from(alignment.max(1)));
    if wide > u64::from(all) {
        return (at, len);
    }
    let wide = wide as u32;
    let at = at.saturating_sub((wide - len) / 2).min(all - wide);
    (at, wide)
}
