//! The light that is expected of each target, from a soft guess at the hole's content.
//!
//! A patch whose mean is off the guess's costs more, by how sure the guess is. What is found stays the
//! picture's own: the guess takes part in the choice and is never laid over it, so that where it is soft
//! or wrong nothing of it shows.
#![forbid(unsafe_code)]

use super::level::MEAN_SCALE;
use super::maps::Runs;
use crate::error::Result;
use crate::kernels::patch::{RADIUS, SCALE, SIDE};
use crate::memory;
use crate::pixels::{Lower, Plane, RgbImage};
use crate::progress::Cancel;
use rayon::prelude::*;

/// Rows whose means are made at a time.
const BAND: usize = 16;
/// What a difference counts where the variance is [`TYPICAL`], against one from what stands there.
const TRUST: f32 = 1.0;
/// A variance that is usual in a hole, of 1.0.
const TYPICAL: f32 = 0.01;
/// The most that a difference counts: a guess that is surer than this knows no better.
const MOST: f32 = 6.0;
/// What remains of that for a target that a line or a rhythm leads.
const LED: f32 = 0.2;
/// Units of [`Light::wanted`]'s last.
const UNITS: f32 = 1024.0;

/// A guess at what a hole shows, sharp or soft.
#[derive(Clone, Copy)]
pub struct Guess<'a> {
    /// The crop with its hole filled, at any size.
    pub image: &'a RgbImage,
    /// For each of its pixels the variance of what it is off in the hole, of 1.0, more than 0.
    pub variance: &'a Plane<f32>,
}

/// What is expected of a level's targets.
#[derive(Clone)]
pub struct Light {
    /// The targets' box: its corner and its width.
    corner: (usize, usize),
    width: usize,
    /// For each target the mean of its patch in units of texels / [`MEAN_SCALE`], and what it counts.
    wanted: Vec<[i16; 4]>,
}

impl Light {
    /// For a level of this size with these targets, of which `led` ones have something else to go by.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
    pub fn new(
        guess: Guess<'_>,
        size: (usize, usize),
        targets: &[Runs],
        led: impl Fn(usize, usize) -> bool + Sync,
        cancel: &Cancel,
    ) -> Result<Self> {
        let ((x0, x1), (y0, y1)) = bounds(targets);
        let (width, height) = (x1 - x0, y1 - y0);
        let what = "the light that is expected";
        let mut wanted = memory::filled(width * height, [0i16; 4], what)?;
        let sample = Sample::new(guess, size);
        let bands = wanted.par_chunks_mut((width * BAND).max(1)).enumerate();
        bands.for_each(|(band, out)| {
            if cancel.is_cancelled() {
                return;
            }
            // The guess at the box's rows with those around them, summed along the patch's width.
            let first = y0 + band * BAND;
            let rows = out.len() / width;
            let line = |y: usize| across(&sample, (first + y).saturating_sub(RADIUS), x0, width);
            let lines: Vec<Vec<[f32; 4]>> = (0..rows + SIDE - 1).map(line).collect();
            for (y, out) in out.chunks_exact_mut(width).enumerate() {
                for &(start, end) in &targets[first + y] {
                    for x in usize::from(start)..usize::from(end) {
                        let patch = lines[y..y + SIDE].iter().map(|line| line[x - x0]);
                        let sums =
                            patch.fold([0f32; 4], |a, b| std::array::from_fn(|c| a[c] + b[c]));
                        let share = if led(x, first + y) { LED } else { 1.0 };
                        out[x - x0] = said(sums, share);
                    }
                }
            }
        });
        cancel.check()?;
        Ok(Self {
            corner: (x0, y0),
            width,
            wanted,
        })
    }

    /// What a patch of this mean, in units of texels / [`MEAN_SCALE`], shifted by `by` texel units, is off
    /// what is expected of the target at (`x`, `y`): a texel's squared difference, by what it counts.
    #[inline(always)]
    pub fn off(&self, x: usize, y: usize, mean: &[i16; 4], by: [f32; 3]) -> f32 {
        let wanted = &self.wanted[(y - self.corner.1) * self.width + x - self.corner.0];
        let mut off = 0.0;
        for c in 0..3 {
            let d = f32::from(wanted[c] - mean[c]) * (1.0 / MEAN_SCALE) - by[c];
            off += d * d;
        }
        off * (f32::from(wanted[3]) * (1.0 / UNITS))
    }
}

/// The columns and the rows that hold targets.
fn bounds(targets: &[Runs]) -> ((usize, usize), (usize, usize)) {
    let (mut columns, mut rows) = ((usize::MAX, 0), (usize::MAX, 0));
    for (y, runs) in targets.iter().enumerate() {
        if let (Some(first), Some(last)) = (runs.first(), runs.last()) {
            columns.0 = columns.0.min(usize::from(first.0));
            columns.1 = columns.1.max(usize::from(last.1));
            rows = (rows.0.min(y), y + 1);
        }
    }
    match columns.0 < columns.1 {
        true => (columns, rows),
        false => ((0, 0), (0, 0)),
    }
}

/// A target's entry, of its patch's sums.
fn said(sums: [f32; 4], share: f32) -> [i16; 4] {
    let n = (SIDE * SIDE) as f32;
    let [r, g, b] = [0, 1, 2].map(|c| {
        let mean = (sums[c] / n).clamp(-1.0, 3.0);
        (mean * SCALE * MEAN_SCALE).round() as i16
    });
    [r, g, b, (sums[3] / n * share * UNITS).round() as i16]
}

/// Row `y` of a level, from column `x0` on: sums of what stands in a patch's width.
fn across(sample: &Sample<'_>, y: usize, x0: usize, width: usize) -> Vec<[f32; 4]> {
    // A target lies a patch's radius inside, so that there is a column for each.
    let left = x0.saturating_sub(RADIUS);
    let row: Vec<[f32; 4]> = (0..width + SIDE - 1)
        .map(|i| sample.at(left + i, y))
        .collect();
    let sums = row.windows(SIDE).map(|w| {
        let add = |a: [f32; 4], b: &[f32; 4]| std::array::from_fn(|c| a[c] + b[c]);
        w.iter().fold([0f32; 4], add)
    });
    sums.collect()
}

/// A guess seen from a level of another size.
struct Sample<'a> {
    variance: &'a Plane<f32>,
    image: Lower<'a>,
}

impl<'a> Sample<'a> {
    fn new(guess: Guess<'a>, size: (usize, usize)) -> Self {
        Self {
            variance: guess.variance,
            image: Lower::new(guess.image, size),
        }
    }

    /// The colours at a texel, and what they count. Bilinear; a texel of a level that is coarser than the
    /// guess takes one of those that it covers, for a patch's mean is taken of it anyway.
    fn at(&self, x: usize, y: usize) -> [f32; 4] {
        let [r, g, b] = self.image.at(x, y);
        let (left, top) = self.image.corner(x, y);
        let variance = self.variance.row(top)[left].max(1e-6);
        [r, g, b, counts(variance)]
    }
}

/// What a difference counts at this variance: by its fourth root, for what the network is unsure of the
/// search knows no better.
fn counts(variance: f32) -> f32 {
    (TRUST * (TYPICAL / variance).sqrt().sqrt()).min(MOST)
}
