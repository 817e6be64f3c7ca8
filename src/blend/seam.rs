//! Seam-free paste: a fill takes on the brightness and colour of what it meets.
//!
//! Source: Pérez, Gangnet, Blake, "Poisson Image Editing", SIGGRAPH 2003. Differences decide, but
//! only where the fill nearly meets its surroundings: where a roof meets the sky the edge is real,
//! and spreading its step over the hole would dye both.
#![forbid(unsafe_code)]

use super::screened::screened;
use crate::error::Result;
use crate::pixels::{Plane, Rect, RgbImage};
use crate::progress::Cancel;

/// A step between wanted and present difference of this size (root mean square of the channels,
/// of 1.0) counts half; smaller ones are smoothed away, larger ones stay. Twice as much is kinder to
/// even water still, and dyes what lies beside a hand.
const STEP: f32 = 0.09;
/// What remains of a correction fades over 1 / √`FADE` pixels, a hundred. Over 45 light lay a little worse (Kodak
/// and skies: −0.01 and −0.05 dB).
const FADE: f32 = 0.0001;

/// Corrects the hole's colours in `fill`, a box of the crop at `bounds`, so that the differences
/// between neighbours come close to `gx` (to the right) and `gy` (below), three values a pixel of
/// the box. Pixels of the box outside the hole become the crop's.
///
/// # Errors
/// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
pub fn seamless(
    image: &RgbImage,
    hole: &Plane<u8>,
    bounds: Rect,
    fill: &mut RgbImage,
    mut gx: Vec<f32>,
    mut gy: Vec<f32>,
    cancel: &Cancel,
) -> Result<()> {
    let (w, h) = (fill.width, fill.height);
    let mut unknown = Plane::filled(w, h, 0u8, "the seam's mask")?;
    for y in 0..h {
        let at = (y + bounds.y as usize) * image.width + bounds.x as usize;
        unknown.row_mut(y).copy_from_slice(&hole.data[at..at + w]);
        for x in 0..w {
            if unknown.row(y)[x] == 0 {
                fill.row_mut(y)[x * 3..x * 3 + 3]
                    .copy_from_slice(&image.data[(at + x) * 3..(at + x) * 3 + 3]);
            }
        }
    }
    for y in 0..h {
        cancel.check()?;
        for x in 0..w {
            let i = y * w + x;
            if x + 1 < w {
                keep_steps(&mut gx[i * 3..i * 3 + 3], &fill.data, i, i + 1);
            }
            if y + 1 < h {
                keep_steps(&mut gy[i * 3..i * 3 + 3], &fill.data, i, i + w);
            }
        }
    }
    screened(&mut fill.data, w, h, &unknown.data, &gx, &gy, FADE, cancel)
}

/// Draws the wanted difference of pixels `i` and `j` to the present one, the more the further they
/// lie apart.
fn keep_steps(wanted: &mut [f32], values: &[f32], i: usize, j: usize) {
    let present: [f32; 3] = std::array::from_fn(|c| values[j * 3 + c] - values[i * 3 + c]);
    let step: [f32; 3] = std::array::from_fn(|c| wanted[c] - present[c]);
    let square: f32 = step.iter().map(|s| s * s).sum::<f32>() / 3.0;
    let share = 1.0 / (1.0 + square / (STEP * STEP));
    for c in 0..3 {
        wanted[c] = present[c] + share * step[c];
    }
}
