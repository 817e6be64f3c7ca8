//! Specks: what is so thin that the pixels around it say all about it.
#![forbid(unsafe_code)]

use super::Region;
use super::parts::{Part, labelled};
use crate::error::Result;
use crate::memory;
use crate::pixels::{Rect, RunMask};

const WHAT: &str = "the mask's specks";
/// A part with a longer side than this is a speck only where it is no thicker than two pixels.
const DOT: u32 = 4;
/// Thicker places may make up one in so many pixels of a part for the rest of it to be specks: grain is,
/// a brush stroke with its thin ends is not.
const THICK: u64 = 8;
/// Side of the tiles that specks are filled in.
const TILE: u32 = 512;
/// Side of the blocks whose weights are learned, and what that takes, in pixels of specks.
const CELL: u32 = 16;
const LEARNING: u64 = 56;

/// A mask taken apart.
pub struct Specks {
    /// The specks.
    pub specks: RunMask,
    /// What an engine fills.
    pub rest: RunMask,
}

/// Takes the specks out of `mask`: the parts that are no thicker than two pixels or lie within 4 × 4 of
/// them, and the thin places of parts that are thin nearly everywhere. `None` where there are none.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn specks(mask: &RunMask) -> Result<Option<Specks>> {
    let (parts, labels) = labelled(mask)?;
    let core = mask.core(1)?;
    let thick = overlaps(mask, &labels, parts.len(), &core)?;
    let whole = |label: usize| thick[label] > 0 && thick[label] * THICK >= parts[label].pixels;
    // What must not be thinned out: parts that are thick, and the thick places of the others.
    let compact = chosen(mask, &labels, |label| whole(label) && !dot(&parts[label]))?;
    let thinned = core.without(&compact)?.widened(1)?;
    let (blobs, labels) = labelled(&thinned)?;
    let blobs = chosen(&thinned, &labels, |label| !dot(&blobs[label]))?;
    let rest = compact.or(&blobs)?;
    let specks = mask.without(&rest)?;
    Ok((specks.run_count() > 0).then_some(Specks { specks, rest }))
}

fn dot(part: &Part) -> bool {
    part.hole.width.max(part.hole.height) <= DOT
}

/// Pixels of `of`, which lies in `mask`, in each of the mask's parts.
fn overlaps(mask: &RunMask, labels: &[usize], parts: usize, of: &RunMask) -> Result<Vec<u64>> {
    let mut counts = memory::filled(parts, 0u64, WHAT)?;
    let mut first = 0;
    for y in 0..mask.height() {
        let row = mask.row(y);
        let mut i = 0;
        for &(x, end) in of.row(y) {
            while row[i].1 <= x {
                i += 1;
            }
            counts[labels[first + i]] += u64::from(end - x);
        }
        first += row.len();
    }
    Ok(counts)
}

/// The parts of `mask` whose labels are wanted.
fn chosen(mask: &RunMask, labels: &[usize], wanted: impl Fn(usize) -> bool) -> Result<RunMask> {
    let mut i = 0;
    RunMask::build(mask.width(), mask.height(), |y, out| {
        for run in mask.row(y) {
            if wanted(labels[i]) {
                memory::push(out, *run, WHAT)?;
            }
            i += 1;
        }
        Ok(())
    })
}

impl Specks {
    /// The regions that fill the specks, tile by tile, each with `margin` pixels around it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn regions(&self, margin: u32) -> Result<Vec<Region>> {
        let (w, h) = (self.specks.width(), self.specks.height());
        let mut regions = Vec::new();
        for top in (0..h).step_by(TILE as usize) {
            let mut tiles = memory::filled(w.div_ceil(TILE) as usize, Tile::default(), WHAT)?;
            let mut cells = memory::filled(w.div_ceil(CELL) as usize, false, WHAT)?;
            for y in top..(top + TILE).min(h) {
                if y % CELL == 0 {
                    cells.fill(false);
                }
                for &(x, end) in self.specks.row(y) {
                    for cell in x / CELL..end.div_ceil(CELL) {
                        let tile = &mut tiles[(cell * CELL / TILE) as usize];
                        let (x, end) = (x.max(cell * CELL), end.min((cell + 1) * CELL));
                        tile.hole = tile.hole.union(&Rect::new(x, y, end - x, 1));
                        tile.pixels += u64::from(end - x);
                        let new = !std::mem::replace(&mut cells[cell as usize], true);
                        tile.cells += u64::from(new);
                    }
                }
            }
            for tile in tiles.iter().filter(|tile| tile.pixels > 0) {
                let region = Region {
                    rect: tile.hole.grown_within(margin, w, h),
                    hole: tile.hole,
                    hole_pixels: tile.pixels,
                    scale: 1.0,
                    work: tile.pixels + tile.cells * LEARNING,
                    alpha_work: 0,
                    specks: true,
                };
                memory::push(&mut regions, region, WHAT)?;
            }
        }
        Ok(regions)
    }
}

#[derive(Clone, Default)]
struct Tile {
    hole: Rect,
    pixels: u64,
    cells: u64,
}
