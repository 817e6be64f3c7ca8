//! The last vote, on the crop's own f32 colours and on their differences.
#![forbid(unsafe_code)]

use super::field::Field;
use super::level::Level;
use super::vote::{Weights, shift, weigh};
use crate::error::Result;
use crate::kernels::patch::{RADIUS, SCALE, SIDE};
use crate::memory;
use crate::pixels::{Rect, RgbImage};
use crate::progress::Cancel;
use rayon::prelude::*;
use std::array;

/// The values in a patch's row.
const ROW: usize = SIDE * 3;

/// What the patches propose for a box of the crop.
pub struct Proposal {
    /// The mean colour of each pixel that patches cover; elsewhere the crop's.
    pub colour: RgbImage,
    /// The mean difference to the right neighbour, three values a pixel.
    pub gx: Vec<f32>,
    /// The mean difference to the neighbour below.
    pub gy: Vec<f32>,
}

/// Sums for one row: three values and a share a pixel.
struct Sums {
    values: Vec<f32>,
    shares: Vec<f32>,
}

impl Sums {
    fn new(w: usize) -> Self {
        Self {
            values: vec![0.0; w * 3],
            shares: vec![0.0; w],
        }
    }

    fn clear(&mut self) {
        self.values.fill(0.0);
        self.shares.fill(0.0);
    }

    /// Adds `N` values from pixel `left` on, each as much as its pixel's weight says.
    #[inline(always)]
    fn add<const N: usize>(&mut self, left: usize, weights: &[f32; SIDE], values: &[f32; N]) {
        let sums = &mut self.values[left * 3..left * 3 + N];
        // Of fixed lengths, so that the compiler makes vectors of them.
        let mut each = [0.0f32; N];
        for (i, e) in each.iter_mut().enumerate() {
            *e = weights[i / 3];
        }
        for ((sum, weight), value) in sums.iter_mut().zip(&each).zip(values) {
            *sum += weight * value;
        }
        let shares = &mut self.shares[left..left + N / 3];
        for (share, weight) in shares.iter_mut().zip(weights) {
            *share += weight;
        }
    }

    /// Writes the means of pixels `x .. x + out.len() / 3`; where nothing was added `out` stays.
    fn means(&self, x: usize, out: &mut [f32]) {
        for (i, o) in out.chunks_exact_mut(3).enumerate() {
            let share = self.shares[x + i];
            if share > 0.0 {
                for (o, v) in o.iter_mut().zip(&self.values[(x + i) * 3..]) {
                    *o = v / share;
                }
            }
        }
    }
}

impl Proposal {
    /// Adds `by` to the colours and what it does to the differences between neighbours to those.
    pub fn add(&mut self, by: &RgbImage) {
        let w = self.colour.width * 3;
        for (i, b) in by.data.iter().enumerate() {
            self.colour.data[i] += b;
            if i % w + 3 < w {
                self.gx[i] += by.data[i + 3] - b;
            }
            if i + w < by.data.len() {
                self.gy[i] += by.data[i + w] - b;
            }
        }
    }
}

impl Proposal {
    /// Makes the differences to each pixel that is a guess those of the colours: nothing was voted there, and
    /// no difference is none.
    pub fn keep_beside(&mut self, guess: impl Fn(usize) -> bool) {
        let (w, h) = (self.colour.width, self.colour.height);
        let colours = &self.colour.data;
        let keep = |wanted: &mut [f32], i: usize, next: usize| {
            if guess(i) || guess(next) {
                for c in 0..3 {
                    wanted[i * 3 + c] = colours[next * 3 + c] - colours[i * 3 + c];
                }
            }
        };
        for i in 0..w * h {
            if i % w + 1 < w {
                keep(&mut self.gx, i, i + 1);
            }
            if i / w + 1 < h {
                keep(&mut self.gy, i, i + w);
            }
        }
    }
}

/// The votes for the pixels of `bounds` (within the crop). A source pixel's vote counts as much as
/// `opacity` says of its place in the crop, a difference's as both of its pixels.
///
/// # Errors
/// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
pub fn reconstruct(
    image: &RgbImage,
    level: &Level,
    field: &Field,
    weights: Weights,
    opacity: impl Fn(usize) -> f32 + Sync,
    bounds: Rect,
    cancel: &Cancel,
) -> Result<Proposal> {
    let (w, h) = (image.width, image.height);
    let weight = weigh(level, field, weights)?;
    let (bx, by) = (bounds.x as usize, bounds.y as usize);
    let (bw, bh) = (bounds.width as usize, bounds.height as usize);
    let what = "the fill's differences";
    let mut colour = RgbImage::black(bw, bh, "the fill")?;
    let mut gx = memory::filled(bw * bh * 3, 0.0f32, what)?;
    let mut gy = memory::filled(bw * bh * 3, 0.0f32, what)?;
    let rows = colour.data.par_chunks_mut(bw * 3);
    let rows = rows
        .zip(gx.par_chunks_mut(bw * 3))
        .zip(gy.par_chunks_mut(bw * 3))
        .enumerate();
    rows.for_each_init(
        || [Sums::new(w), Sums::new(w), Sums::new(w)],
        |[sums, across, down], (row, ((out, gx), gy))| {
            if cancel.is_cancelled() {
                return;
            }
            let y = by + row;
            out.copy_from_slice(&image.row(y)[bx * 3..(bx + bw) * 3]);
            for s in [&mut *sums, &mut *across, &mut *down] {
                s.clear();
            }
            for cy in y.saturating_sub(RADIUS)..(y + RADIUS + 1).min(h) {
                for &(start, end) in &level.targets[cy] {
                    for cx in usize::from(start)..usize::from(end) {
                        let (sx, sy) = field.source.row(cy)[cx];
                        let (sx, sy) = (usize::from(sx), usize::from(sy));
                        let weight = weight[cy * w + cx];
                        let left = cx - RADIUS;
                        let from = (sx - RADIUS) * 3;
                        let here = &image.row(sy + y - cy)[from..][..ROW];
                        let b = shift(level, (cx, cy), (sx, sy), weights.shift);
                        let b = b.map(|b| b / SCALE);
                        let first = (sy + y - cy) * w + sx - RADIUS;
                        let own: [f32; SIDE] = array::from_fn(|i| weight * opacity(first + i));
                        let shifted: [f32; ROW] = array::from_fn(|i| here[i] + b[i % 3]);
                        sums.add(left, &own, &shifted);
                        // The last one of a row has no neighbour in the patch.
                        let both = array::from_fn(|i| match i + 1 < SIDE {
                            true => own[i] * opacity(first + i + 1),
                            false => 0.0,
                        });
                        let steps: [f32; ROW - 3] = array::from_fn(|i| here[i + 3] - here[i]);
                        across.add(left, &both, &steps);
                        if y < cy + RADIUS {
                            let below = &image.row(sy + y + 1 - cy)[from..][..ROW];
                            let both = array::from_fn(|i| own[i] * opacity(first + i + w));
                            let steps: [f32; ROW] = array::from_fn(|i| below[i] - here[i]);
                            down.add(left, &both, &steps);
                        }
                    }
                }
            }
            sums.means(bx, out);
            across.means(bx, gx);
            down.means(bx, gy);
        },
    );
    cancel.check()?;
    Ok(Proposal { colour, gx, gy })
}
