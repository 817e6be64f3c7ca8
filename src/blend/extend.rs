//! Smooth extension of known pixels into unknown ones, by a pyramid (push-pull).
//!
//! Source: Gortler, Grzeszczuk, Szeliski, Cohen, "The Lumigraph", SIGGRAPH 1996, section 3.4.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::memory;
use crate::progress::Cancel;
use rayon::prelude::*;

/// Fills the values of `data` (interleaved, `channels` a pixel) where `known` is 0 with a smooth
/// extension of those where it is 1. Where nothing is known, all stay as they are. On the threads of the
/// pool that it is called in, with the same result on any number of them.
///
/// # Errors
/// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
#[allow(clippy::too_many_arguments)]
pub fn extend(
    data: &mut [f32],
    channels: usize,
    width: usize,
    height: usize,
    known: &[u8],
    cancel: &Cancel,
) -> Result<()> {
    if known.iter().all(|&k| k != 0) || known.iter().all(|&k| k == 0) {
        return Ok(());
    }
    // The picture itself is the finest level: it is never copied.
    let own = |i: usize| f32::from(u8::from(known[i] != 0));
    let mut levels = vec![pull(data, &own, channels, width, height, cancel)?];
    while let Some(finest) = levels.last()
        && !finest.complete()
        && (finest.width, finest.height) != (1, 1)
    {
        let weights = |i: usize| finest.weights[i];
        let (w, h) = (finest.width, finest.height);
        let coarser = pull(&finest.values, &weights, channels, w, h, cancel)?;
        levels.push(coarser);
    }
    while let Some(coarse) = levels.pop() {
        match levels.last_mut() {
            Some(finer) => {
                let (weights, w, h) = (&finer.weights, finer.width, finer.height);
                push(
                    &coarse,
                    &mut finer.values,
                    &|i| weights[i],
                    channels,
                    w,
                    h,
                    cancel,
                );
            }
            None => push(&coarse, data, &own, channels, width, height, cancel),
        }
    }
    cancel.check()
}

/// A level of the pyramid.
struct Level {
    width: usize,
    height: usize,
    values: Vec<f32>,
    /// How firmly each value is known, `0.0 ..= 1.0`.
    weights: Vec<f32>,
}

impl Level {
    fn complete(&self) -> bool {
        self.weights.iter().all(|&k| k > 0.0)
    }
}

/// Each coarser pixel is the mean of the known ones below it; its weight saturates, so that one known
/// pixel in four speaks as firmly as four.
fn pull(
    values: &[f32],
    weight: &(impl Fn(usize) -> f32 + Sync),
    channels: usize,
    width: usize,
    height: usize,
    cancel: &Cancel,
) -> Result<Level> {
    const WHAT: &str = "the smooth extension";
    let (w, h) = (width.div_ceil(2), height.div_ceil(2));
    let mut coarse = memory::filled(w * h * channels, 0.0f32, WHAT)?;
    let mut weights = memory::filled(w * h, 0.0f32, WHAT)?;
    let rows = coarse
        .par_chunks_mut(w * channels)
        .zip(weights.par_chunks_mut(w));
    rows.enumerate().for_each(|(row, (coarse, weights))| {
        if cancel.is_cancelled() {
            return;
        }
        for y in 2 * row..height.min(2 * row + 2) {
            for x in 0..width {
                let k = weight(y * width + x);
                if k > 0.0 {
                    weights[x / 2] += k;
                    let own = &values[(y * width + x) * channels..][..channels];
                    for (v, own) in coarse[x / 2 * channels..].iter_mut().zip(own) {
                        *v += k * own;
                    }
                }
            }
        }
        for (pixel, k) in coarse.chunks_exact_mut(channels).zip(weights) {
            if *k > 0.0 {
                pixel.iter_mut().for_each(|v| *v /= *k);
                *k = k.min(1.0);
            }
        }
    });
    cancel.check()?;
    Ok(Level {
        width: w,
        height: h,
        values: coarse,
        weights,
    })
}

/// Unknown pixels take the coarser level's value, bilinearly.
fn push(
    coarse: &Level,
    values: &mut [f32],
    weight: &(impl Fn(usize) -> f32 + Sync),
    channels: usize,
    width: usize,
    height: usize,
    cancel: &Cancel,
) {
    let (cw, ch) = (coarse.width, coarse.height);
    let rows = values.par_chunks_mut(width * channels).take(height);
    rows.enumerate().for_each(|(y, row)| {
        if cancel.is_cancelled() {
            return;
        }
        let fy = (y as f32 - 0.5) / 2.0;
        let y0 = fy.floor().max(0.0) as usize;
        let (y1, ty) = ((y0 + 1).min(ch - 1), (fy - y0 as f32).clamp(0.0, 1.0));
        for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
            let k = weight(y * width + x);
            if k >= 1.0 {
                continue;
            }
            let fx = (x as f32 - 0.5) / 2.0;
            let x0 = fx.floor().max(0.0) as usize;
            let (x1, tx) = ((x0 + 1).min(cw - 1), (fx - x0 as f32).clamp(0.0, 1.0));
            for (i, p) in pixel.iter_mut().enumerate() {
                let at = |x: usize, y: usize| coarse.values[(y * cw + x) * channels + i];
                let a = at(x0, y0) + (at(x1, y0) - at(x0, y0)) * tx;
                let b = at(x0, y1) + (at(x1, y1) - at(x0, y1)) * tx;
                let coarse = a + (b - a) * ty;
                // Unknown values may be anything, NaN too.
                *p = if k > 0.0 {
                    k * *p + (1.0 - k) * coarse
                } else {
                    coarse
                };
            }
        }
    });
}
