//! How busy the picture is, as one number a texel, carried smoothly into the hole.
//!
//! Distances of colours alone favour flat patches, which fit a blurred guess best. The feature asks
//! for patches as busy as the hole's surroundings. Source of the idea: Newson, Almansa, Gousseau,
//! Pérez, "Non-Local Patch-Based Image Inpainting", IPOL 2017, section 3.3. Theirs is taken once at
//! full size; here each level has its own, so that detail of every size is asked for.
#![forbid(unsafe_code)]

use crate::blend;
use crate::error::Result;
use crate::kernels::patch::{CHANNELS, SCALE, Texels};
use crate::memory;
use crate::pixels::Plane;
use crate::progress::Cancel;
use rayon::prelude::*;

/// Weights of the window, of each axis: two boxes of five.
const WINDOW: [f32; 9] = [1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0, 2.0, 1.0];
const REACH: usize = WINDOW.len() / 2;

/// What the feature is multiplied by: its say against the colours'.
const GAIN: f32 = 2.0;

/// The hole asks for a little more than its surroundings have: the search still leans to flat
/// patches, and this is what sets it straight (measured: without, texture is 10 % short).
const ASK: f32 = 1.05;

/// Writes the feature into the last channel of `texels`: the square root of the mean absolute
/// difference of neighbouring known texels nearby.
///
/// # Errors
/// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
pub fn write_texture(
    texels: &mut Texels,
    hole: &Plane<u8>,
    source: &Plane<u8>,
    cancel: &Cancel,
) -> Result<()> {
    let (w, h) = (hole.width, hole.height);
    let what = "the texture feature";
    let mut sum = memory::filled(w * h, 0.0f32, what)?;
    let mut count = memory::filled(w * h, 0.0f32, what)?;
    {
        let texels = &*texels;
        let rows = sum
            .par_chunks_mut(w)
            .zip(count.par_chunks_mut(w))
            .enumerate();
        rows.for_each(|(y, (sum, count))| {
            if cancel.is_cancelled() {
                return;
            }
            let known = source.row(y);
            let below = (y + 1 < h).then(|| source.row(y + 1));
            for x in 0..w {
                if known[x] == 0 {
                    continue;
                }
                let t = texels.at(x, y);
                let mut add = |n: &[i16]| {
                    let d: i32 = (0..3)
                        .map(|c| (i32::from(t[c]) - i32::from(n[c])).abs())
                        .sum();
                    sum[x] += d as f32;
                    count[x] += 1.0;
                };
                if x + 1 < w && known[x + 1] != 0 {
                    add(texels.at(x + 1, y));
                }
                if below.is_some_and(|b| b[x] != 0) {
                    add(texels.at(x, y + 1));
                }
            }
        });
    }
    let sum = windowed(&sum, w, h, cancel)?;
    let count = windowed(&count, w, h, cancel)?;
    let mut feature = memory::filled(w * h, 0.0f32, what)?;
    let mut have = memory::filled(w * h, 0u8, what)?;
    for i in 0..w * h {
        if i % w == 0 {
            cancel.check()?;
        }
        if source.data[i] != 0 && count[i] > 0.0 {
            feature[i] = (sum[i] / (count[i] * 3.0 * SCALE)).sqrt() * (GAIN * SCALE);
            have[i] = 1;
        }
    }
    drop((sum, count));
    blend::extend(&mut feature, 1, w, h, &have, cancel)?;
    for y in 0..h {
        cancel.check()?;
        let row = texels.row_mut(y).chunks_exact_mut(CHANNELS);
        for (x, t) in row.enumerate() {
            let ask = if hole.row(y)[x] != 0 { ASK } else { 1.0 };
            t[3] = (feature[y * w + x] * ask).clamp(0.0, 3.0 * SCALE).round() as i16;
        }
    }
    Ok(())
}

/// Sums over the window around each value; nothing lies beyond the edge.
fn windowed(values: &[f32], w: usize, h: usize, cancel: &Cancel) -> Result<Vec<f32>> {
    let mut out = memory::filled(w * h, 0.0f32, "the texture feature")?;
    out.par_chunks_mut(w).enumerate().for_each_init(
        || vec![0.0f32; w + 2 * REACH],
        |line, (y, out)| {
            if cancel.is_cancelled() {
                return;
            }
            line.fill(0.0);
            for (k, weight) in WINDOW.iter().enumerate() {
                let Some(ny) = (y + k).checked_sub(REACH).filter(|ny| *ny < h) else {
                    continue;
                };
                for (l, v) in line[REACH..REACH + w].iter_mut().zip(&values[ny * w..]) {
                    *l += weight * v;
                }
            }
            for (k, weight) in WINDOW.iter().enumerate() {
                for (o, l) in out.iter_mut().zip(&line[k..]) {
                    *o += weight * l;
                }
            }
        },
    );
    Ok(out)
}
