//! A picture's low frequencies.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::memory;
use crate::pixels::RgbImage;
use rayon::prelude::*;

const WHAT: &str = "the answer's low frequencies";
/// Rows that are blurred at a time.
const BAND: usize = 16;

/// Under a Gaussian of three deviations' reach, edges repeated.
pub fn blurred(image: &RgbImage, sigma: f64) -> Result<RgbImage> {
    let reach = (3.0 * sigma).ceil() as usize;
    let mut taps = memory::with_capacity(reach + 1, WHAT)?;
    taps.extend((0..=reach).map(|i| libm::exp(-((i * i) as f64) / (2.0 * sigma * sigma))));
    let sum = taps[0] + 2.0 * taps[1..].iter().sum::<f64>();
    let taps: Vec<f32> = taps.iter().map(|t| (t / sum) as f32).collect();
    across(&down(image, &taps)?, &taps)
}

/// The columns under `taps`, the middle one and those on each side of it.
fn down(from: &RgbImage, taps: &[f32]) -> Result<RgbImage> {
    let mut out = RgbImage::black(from.width, from.height, WHAT)?;
    let last = from.height.saturating_sub(1);
    let rows = out.data.par_chunks_mut((from.width * 3).max(1));
    rows.enumerate().for_each(|(y, row)| {
        add(row, taps[0], from.row(y));
        for (k, tap) in taps.iter().enumerate().skip(1) {
            add(row, *tap, from.row(y.saturating_sub(k)));
            add(row, *tap, from.row((y + k).min(last)));
        }
    });
    Ok(out)
}

/// The rows under `taps`.
fn across(from: &RgbImage, taps: &[f32]) -> Result<RgbImage> {
    let (w, reach) = (from.width, taps.len() - 1);
    let mut out = RgbImage::black(w, from.height, WHAT)?;
    // A band has one row with its ends repeated, so that no tap asks where it is.
    let padded = memory::filled((w + 2 * reach) * 3, 0f32, WHAT)?;
    let bands = out.data.par_chunks_mut((w * 3 * BAND).max(1)).enumerate();
    bands.for_each_with(padded, |padded, (band, rows)| {
        for (y, row) in rows.chunks_exact_mut(w * 3).enumerate() {
            let own = from.row(band * BAND + y);
            let (left, rest) = padded.split_at_mut(reach * 3);
            let (middle, right) = rest.split_at_mut(w * 3);
            middle.copy_from_slice(own);
            for (side, end) in [(left, &own[..3]), (right, &own[w * 3 - 3..])] {
                side.chunks_exact_mut(3)
                    .for_each(|p| p.copy_from_slice(end));
            }
            add(row, taps[0], own);
            for (k, tap) in taps.iter().enumerate().skip(1) {
                add(row, *tap, &padded[(reach - k) * 3..]);
                add(row, *tap, &padded[(reach + k) * 3..]);
            }
        }
    });
    Ok(out)
}

fn add(to: &mut [f32], tap: f32, from: &[f32]) {
    for (o, v) in to.iter_mut().zip(from) {
        *o += tap * v;
    }
}
