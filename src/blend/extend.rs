//! Smooth extension of known pixels into unknown ones, by a pyramid (push-pull).
//!
//! Source: Gortler, Grzeszczuk, Szeliski, Cohen, "The Lumigraph", SIGGRAPH 1996, section 3.4.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::memory;

/// Fills the values of `data` (interleaved, `channels` a pixel) where `known` is 0 with a smooth
/// extension of those where it is 1. Where nothing is known, all stay as they are.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn extend(
    data: &mut [f32],
    channels: usize,
    width: usize,
    height: usize,
    known: &[u8],
) -> Result<()> {
    let what = "the smooth extension";
    let mut levels: Vec<(usize, usize, Vec<f32>, Vec<f32>)> = Vec::new();
    let mut weights = memory::with_capacity(width * height, what)?;
    weights.extend(known.iter().map(|&k| f32::from(u8::from(k != 0))));
    if weights.iter().all(|&w| w > 0.0) || weights.iter().all(|&w| w == 0.0) {
        return Ok(());
    }
    let mut values = memory::with_capacity(data.len(), what)?;
    values.extend_from_slice(data);
    let (mut w, mut h) = (width, height);
    loop {
        let complete = weights.iter().all(|&k| k > 0.0);
        levels.push((w, h, values, weights));
        if complete || (w == 1 && h == 1) {
            break;
        }
        // Pull: each coarser pixel is the mean of the known ones below it; its weight saturates, so
        // that one known pixel in four speaks as firmly as four.
        let (lw, lh, lv, lk) = &levels[levels.len() - 1];
        let (cw, ch) = (lw.div_ceil(2), lh.div_ceil(2));
        let mut cv = memory::filled(cw * ch * channels, 0.0f32, what)?;
        let mut ck = memory::filled(cw * ch, 0.0f32, what)?;
        for y in 0..*lh {
            for x in 0..*lw {
                let k = lk[y * lw + x];
                if k > 0.0 {
                    let c = (y / 2) * cw + x / 2;
                    ck[c] += k;
                    for i in 0..channels {
                        cv[c * channels + i] += k * lv[(y * lw + x) * channels + i];
                    }
                }
            }
        }
        for (c, k) in ck.iter_mut().enumerate() {
            if *k > 0.0 {
                for v in &mut cv[c * channels..(c + 1) * channels] {
                    *v /= *k;
                }
                *k = k.min(1.0);
            }
        }
        (w, h, values, weights) = (cw, ch, cv, ck);
    }
    // Push: unknown pixels take the coarser level's value, bilinearly.
    while levels.len() > 1 {
        let (cw, ch, cv, _) = match levels.pop() {
            Some(level) => level,
            None => break,
        };
        let top = levels.len() - 1;
        let (lw, lh, lv, lk) = &mut levels[top];
        for y in 0..*lh {
            let fy = (y as f32 - 0.5) / 2.0;
            let y0 = fy.floor().max(0.0) as usize;
            let (y1, ty) = ((y0 + 1).min(ch - 1), (fy - y0 as f32).clamp(0.0, 1.0));
            for x in 0..*lw {
                let k = lk[y * *lw + x];
                if k >= 1.0 {
                    continue;
                }
                let fx = (x as f32 - 0.5) / 2.0;
                let x0 = fx.floor().max(0.0) as usize;
                let (x1, tx) = ((x0 + 1).min(cw - 1), (fx - x0 as f32).clamp(0.0, 1.0));
                for i in 0..channels {
                    let at = |x: usize, y: usize| cv[(y * cw + x) * channels + i];
                    let a = at(x0, y0) + (at(x1, y0) - at(x0, y0)) * tx;
                    let b = at(x0, y1) + (at(x1, y1) - at(x0, y1)) * tx;
                    let p = &mut lv[(y * *lw + x) * channels + i];
                    let coarse = a + (b - a) * ty;
                    // Unknown values may be anything, NaN too.
                    *p = if k > 0.0 {
                        k * *p + (1.0 - k) * coarse
                    } else {
                        coarse
                    };
                }
            }
        }
    }
    let (_, _, values, _) = &levels[0];
    for (i, k) in known.iter().enumerate() {
        if *k == 0 {
            data[i * channels..(i + 1) * channels]
                .copy_from_slice(&values[i * channels..(i + 1) * channels]);
        }
    }
    Ok(())
}
