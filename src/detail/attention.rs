//! Native detail from where a network's attention points: quick, and of the hole's size alone.
//!
//! Source of the idea: RETHINED, arXiv 2503.14757, "attention upscaling": high frequencies of native
//! patches, mixed as the attention mixes those of the low-resolution answer. Here each token takes
//! those of the one patch that it attends to most, for a mean of several is blurred.
#![forbid(unsafe_code)]

use super::blur::blurred;
use crate::error::Result;
use crate::memory;
use crate::pixels::{Lower, Plane, RgbImage};
use rayon::prelude::*;

/// What is above this Gaussian's deviation, in the answer's pixels, is high frequency.
const SIGMA: f64 = 2.01;
/// The share of a token's side over which it fades into the next.
const MARGIN: f32 = 0.25;
const WHAT: &str = "native detail";

/// A low-resolution answer and what its parts are like.
pub struct Attention<'a> {
    /// The crop at a lower resolution, its hole filled.
    pub answer: &'a RgbImage,
    /// The side of a token, in the answer's pixels.
    pub patch: usize,
    /// Tokens in a row.
    pub columns: usize,
    /// Tokens of the hole, row · columns + column, and for each the known one that it is most like.
    pub alike: &'a [(u32, u32)],
}

/// The crop with its hole filled: the answer's low frequencies, and the native high frequencies of
/// what it is like. Only pixels with `source` 1 are taken from.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn attend(
    attention: &Attention<'_>,
    crop: &RgbImage,
    hole: &Plane<u8>,
    source: &Plane<u8>,
) -> Result<RgbImage> {
    let mut out = crop.try_clone(WHAT)?;
    let low = blurred(attention.answer, SIGMA)?;
    let low = Lower::new(&low, (crop.width, crop.height));
    let moves = Moves::new(attention, &low)?;
    let job = Job {
        crop,
        source,
        low: &low,
        moves: &moves,
    };
    let rows = out.data.par_chunks_mut(crop.width * 3).enumerate();
    rows.for_each(|(y, row)| {
        let pixels = row.chunks_exact_mut(3).zip(hole.row(y)).enumerate();
        for (x, (pixel, _)) in pixels.filter(|(_, (_, hole))| **hole != 0) {
            pixel.copy_from_slice(&job.pixel(x, y));
        }
    });
    Ok(out)
}

/// From where in the crop each token takes its detail.
struct Moves {
    rows: usize,
    columns: usize,
    /// A token's side in the crop's pixels.
    side: (f32, f32),
    by: Vec<Option<(isize, isize)>>,
}

impl Moves {
    fn new(attention: &Attention<'_>, low: &Lower<'_>) -> Result<Self> {
        let columns = attention.columns.max(1);
        let rows = attention.answer.height.div_ceil(attention.patch);
        let patch = attention.patch as f32;
        let side = (patch / low.step.0, patch / low.step.1);
        let mut by = memory::filled(rows * columns, None, WHAT)?;
        for (token, like) in attention.alike {
            let (token, like) = (*token as usize, *like as usize);
            let across = (like % columns) as f32 - (token % columns) as f32;
            let down = (like / columns) as f32 - (token / columns) as f32;
            if let Some(by) = by.get_mut(token) {
                let pixels = |tokens: f32, side: f32| (tokens * side).round() as isize;
                *by = Some((pixels(across, side.0), pixels(down, side.1)));
            }
        }
        Ok(Self {
            rows,
            columns,
            side,
            by,
        })
    }

    /// The tokens around a pixel, each with its weight.
    fn around(&self, x: usize, y: usize) -> [(Option<(isize, isize)>, f32); 4] {
        let (across, down) = (
            shares(x, self.side.0, self.columns),
            shares(y, self.side.1, self.rows),
        );
        let of = |row: (usize, f32), column: (usize, f32)| {
            (self.by[row.0 * self.columns + column.0], row.1 * column.1)
        };
        [
            of(down[0], across[0]),
            of(down[0], across[1]),
            of(down[1], across[0]),
            of(down[1], across[1]),
        ]
    }
}

/// The token that pixel `i` lies in and the one next to it, with their weights.
fn shares(i: usize, side: f32, count: usize) -> [(usize, f32); 2] {
    let at = (i as f32 + 0.5) / side;
    let own = (at as usize).min(count - 1);
    let within = at - own as f32;
    let (next, near) = if within < MARGIN && own > 0 {
        (own - 1, within)
    } else if within > 1.0 - MARGIN && own + 1 < count {
        (own + 1, 1.0 - within)
    } else {
        (own, MARGIN)
    };
    let share = 0.5 * (1.0 - near.max(0.0) / MARGIN);
    [(own, 1.0 - share), (next, share)]
}

struct Job<'a> {
    crop: &'a RgbImage,
    source: &'a Plane<u8>,
    /// The answer's low frequencies.
    low: &'a Lower<'a>,
    moves: &'a Moves,
}

impl Job<'_> {
    fn pixel(&self, x: usize, y: usize) -> [f32; 3] {
        let mut high = [0.0f32; 3];
        // Details that have nothing to do with each other lose energy in a mean: this is their sum
        // at the energy of one.
        let mut energy = 0.0f32;
        for (by, weight) in self.moves.around(x, y) {
            let Some((dx, dy)) = by.filter(|_| weight > 0.0) else {
                continue;
            };
            let at = (x.checked_add_signed(dx), y.checked_add_signed(dy));
            let (Some(fx), Some(fy)) = at else {
                continue;
            };
            if fx >= self.crop.width || fy >= self.crop.height || self.source.row(fy)[fx] == 0 {
                continue;
            }
            let low = self.low.at(fx, fy);
            let from = &self.crop.row(fy)[fx * 3..][..3];
            for c in 0..3 {
                high[c] += weight * (from[c] - low[c]);
            }
            energy += weight * weight;
        }
        let by = if energy > 0.0 {
            1.0 / energy.sqrt()
        } else {
            0.0
        };
        let low = self.low.at(x, y);
        [0, 1, 2].map(|c| low[c] + by * high[c])
    }
}
