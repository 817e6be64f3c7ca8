//! Voting: each texel of the hole becomes the weighted mean of what the patches over it propose.
//!
//! Sources: Wexler, Shechtman, Irani, "Space-Time Completion of Video", PAMI 2007, section 3;
//! Newson, Almansa, Gousseau, Pérez, "Non-Local Patch-Based Image Inpainting", IPOL 2017; the colour
//! shift: Darabi, Shechtman, Barnes, Goldman, Sen, "Image Melding", SIGGRAPH 2012, section 3.1.
#![forbid(unsafe_code)]

use super::field::Field;
use super::level::Level;
use crate::error::Result;
use crate::kernels::patch::{CHANNELS, PatchKernels, RADIUS, SIDE};
use crate::memory;
use crate::progress::Cancel;
use rayon::prelude::*;

/// How patches are weighed.
#[derive(Clone, Copy, Debug)]
pub struct Weights {
    /// A patch counts as (σ² / cost) to the power 2^`sharpness`, σ² being the 75th percentile of
    /// all costs; `None`: all costs count alike. Sharp weights let the best patch decide.
    pub sharpness: Option<u32>,
    /// Most that a patch's colours are shifted by to meet the target's mean, in texel units.
    pub shift: f32,
    /// The share of the voted texture feature in the new one; the rest stays as it was.
    pub feature: f32,
}

/// A patch's weight falls by this factor for each texel that its centre lies deeper inside the
/// hole: what is near the known is trusted more.
const FALLOFF: f32 = 0.8;
/// Costs below this share of σ² are all as good: noise decides there.
const SAME: f32 = 0.02;

/// The weight of every target, in rows as the field's.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn weigh(level: &Level, field: &Field, weights: Weights) -> Result<Vec<f32>> {
    let w = level.hole.width;
    let percentile = percentile_cost(level, field)?;
    let mut falloff = [1.0f32; 256];
    for d in 1..falloff.len() {
        falloff[d] = (falloff[d - 1] * FALLOFF).max(1e-6);
    }
    let mut out = memory::filled(field.cost.data.len(), 0.0f32, "the patches' weights")?;
    out.par_chunks_mut(w).enumerate().for_each(|(y, row)| {
        for &(start, end) in &level.targets[y] {
            for x in usize::from(start)..usize::from(end) {
                let mut weight = falloff[usize::from(level.depth.row(y)[x])];
                if let Some(sharpness) = weights.sharpness {
                    // Squared again and again, for a power is not the same on every machine.
                    let mut power = 1.0 / (field.cost.row(y)[x] as f32 / percentile + SAME);
                    for _ in 0..sharpness {
                        power *= power;
                    }
                    // At most 50^16: sums of these stay far below what f32 holds.
                    weight *= power.max(1e-20);
                }
                row[x] = weight;
            }
        }
    });
    Ok(out)
}

/// The 75th percentile of the targets' costs, from some thousands of them; at least 1.
fn percentile_cost(level: &Level, field: &Field) -> Result<f32> {
    let every = (level.target_count() / 4096).max(1);
    let mut sample = memory::with_capacity(8192, "the costs")?;
    let mut n = 0;
    for (y, runs) in level.targets.iter().enumerate() {
        for &(start, end) in runs {
            for cost in &field.cost.row(y)[usize::from(start)..usize::from(end)] {
                if n % every == 0 {
                    memory::push(&mut sample, *cost, "the costs")?;
                }
                n += 1;
            }
        }
    }
    sample.sort_unstable();
    Ok(sample
        .get(sample.len() * 3 / 4)
        .map_or(1.0, |c| *c as f32)
        .max(1.0))
}

/// What to add to the colours of the source patch at (`sx`, `sy`) for the target at (`x`, `y`), in
/// texel units.
#[inline(always)]
pub fn shift(
    level: &Level,
    (x, y): (usize, usize),
    (sx, sy): (usize, usize),
    most: f32,
) -> [f32; 3] {
    level.brighter(x, y, sx, sy).map(|m| m.clamp(-most, most))
}

/// Replaces the hole's texels by the votes of the patches over them. The targets' means must be
/// current.
///
/// # Errors
/// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
pub fn vote(
    level: &mut Level,
    field: &Field,
    kernels: PatchKernels,
    weights: Weights,
    cancel: &Cancel,
) -> Result<()> {
    let (w, h) = (level.hole.width, level.hole.height);
    let weight = weigh(level, field, weights)?;
    // Sources are known texels, which do not change: the new ones can wait beside them.
    let mut first = memory::with_capacity(h + 1, "the votes")?;
    first.push(0usize);
    for y in 0..h {
        let count = level.hole.row(y).iter().filter(|h| **h != 0).count();
        first.push(first[y] + count * CHANNELS);
    }
    let mut votes = memory::filled(first[h], 0i16, "the votes")?;
    let mut rows = memory::with_capacity(h, "the votes")?;
    let mut rest = &mut votes[..];
    for y in 0..h {
        let (row, after) = rest.split_at_mut(first[y + 1] - first[y]);
        rest = after;
        if !row.is_empty() {
            rows.push((y, row));
        }
    }
    let reading = &*level;
    rows.into_par_iter().for_each_init(
        // The kernel adds eight texels' sums for the seven of a patch's row.
        || (vec![0.0f32; (w + 1) * CHANNELS], vec![0.0f32; w]),
        |(sums, shares), (y, out)| {
            if cancel.is_cancelled() {
                return;
            }
            sums.fill(0.0);
            shares.fill(0.0);
            vote_row(
                reading,
                field,
                kernels,
                weights.shift,
                &weight,
                y,
                sums,
                shares,
            );
            let hole = reading
                .hole
                .row(y)
                .iter()
                .enumerate()
                .filter(|(_, h)| **h != 0);
            for ((x, _), out) in hole.zip(out.chunks_exact_mut(CHANNELS)) {
                let old = reading.texels.at(x, y);
                out.copy_from_slice(old);
                if shares[x] > 0.0 {
                    let voted: [f32; CHANNELS] =
                        [0, 1, 2, 3].map(|c| sums[x * CHANNELS + c] / shares[x]);
                    for c in 0..3 {
                        out[c] = voted[c].round() as i16;
                    }
                    let old = f32::from(old[3]);
                    out[3] = (old + (voted[3] - old) * weights.feature).round() as i16;
                }
            }
        },
    );
    cancel.check()?;
    for y in 0..h {
        let mut from = votes[first[y]..first[y + 1]].chunks_exact(CHANNELS);
        let hole = level.hole.row(y);
        let row = level.texels.row_mut(y).chunks_exact_mut(CHANNELS);
        for (t, _) in row.zip(hole).filter(|(_, hole)| **hole != 0) {
            if let Some(v) = from.next() {
                t.copy_from_slice(v);
            }
        }
    }
    Ok(())
}

/// Adds up the weighted votes for row `y`, `CHANNELS` sums and one share a texel.
#[allow(clippy::too_many_arguments)]
fn vote_row(
    level: &Level,
    field: &Field,
    kernels: PatchKernels,
    most: f32,
    weight: &[f32],
    y: usize,
    sums: &mut [f32],
    shares: &mut [f32],
) {
    let (w, h) = (level.hole.width, level.hole.height);
    for cy in y.saturating_sub(RADIUS)..(y + RADIUS + 1).min(h) {
        for &(start, end) in &level.targets[cy] {
            for cx in usize::from(start)..usize::from(end) {
                let (sx, sy) = field.source.row(cy)[cx];
                let (sx, sy) = (usize::from(sx), usize::from(sy));
                let weight = weight[cy * w + cx];
                let [r, g, b] = shift(level, (cx, cy), (sx, sy), most);
                let left = cx - RADIUS;
                kernels.vote(
                    &mut sums[left * CHANNELS..],
                    &level.texels,
                    (sx, sy + y - cy),
                    weight,
                    [r, g, b, 0.0],
                );
                for s in &mut shares[left..left + SIDE] {
                    *s += weight;
                }
            }
        }
    }
}
