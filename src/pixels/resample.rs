//! Resampling of working pictures: the mean over the covered area where a side shrinks, Catmull-Rom
//! bicubic where it grows, row by row and column by column.
//!
//! Pixel centres lie at half coordinates and edges are repeated. A constant picture stays exactly
//! constant, and the same picture gives the same bits everywhere.
//!
//! Source: Keys, "Cubic convolution interpolation for digital image processing", 1981, a = -1/2.
#![forbid(unsafe_code)]

use super::{Plane, RgbImage};
use crate::error::Result;
use crate::memory;
use std::cmp::Ordering;
use std::ops::Range;

const WHAT: &str = "a resampled picture";

/// `image` at `width` × `height`. A side of 0 gives an empty picture; bicubic sides may overshoot
/// the source's range a little.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn resize_rgb(image: &RgbImage, width: usize, height: usize) -> Result<RgbImage> {
    let data = resize::<3>(&image.data, image.width, image.height, width, height)?;
    Ok(RgbImage {
        width,
        height,
        data,
    })
}

/// As [`resize_rgb`], for one channel.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn resize_plane(plane: &Plane<f32>, width: usize, height: usize) -> Result<Plane<f32>> {
    let data = resize::<1>(&plane.data, plane.width, plane.height, width, height)?;
    Ok(Plane {
        width,
        height,
        data,
    })
}

/// `flags` at another size: where a side shrinks, 1 if any (or else all) of the pixels covered are.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn resize_flags(
    flags: &Plane<u8>,
    width: usize,
    height: usize,
    any: bool,
) -> Result<Plane<u8>> {
    let mut out = Plane::filled(width, height, 0u8, "a smaller mask")?;
    for y in 0..height {
        for x in 0..width {
            let mut rows = span(y, flags.height, height);
            let columns = span(x, flags.width, width);
            let seen = match any {
                true => rows.any(|r| flags.row(r)[columns.clone()].contains(&1)),
                false => !rows.any(|r| flags.row(r)[columns.clone()].contains(&0)),
            };
            out.row_mut(y)[x] = u8::from(seen);
        }
    }
    Ok(out)
}

/// `plane` at another size: the largest value of the pixels that each covers any of, so that a plane of
/// two values stays one.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn resize_most(plane: &Plane<f32>, width: usize, height: usize) -> Result<Plane<f32>> {
    let mut out = Plane::filled(width, height, 0.0f32, WHAT)?;
    if plane.data.is_empty() {
        return Ok(out);
    }
    for y in 0..height {
        for x in 0..width {
            let columns = span(x, plane.width, width);
            let rows = span(y, plane.height, height).map(|r| &plane.row(r)[columns.clone()]);
            out.row_mut(y)[x] = rows.flatten().copied().fold(f32::NEG_INFINITY, f32::max);
        }
    }
    Ok(out)
}

/// Those of `from` pixels that pixel `i` of `to` covers any of.
fn span(i: usize, from: usize, to: usize) -> Range<usize> {
    let start = i * from / to;
    start..((i + 1) * from).div_ceil(to).clamp(start + 1, from)
}

fn resize<const C: usize>(
    data: &[f32],
    width: usize,
    height: usize,
    to_width: usize,
    to_height: usize,
) -> Result<Vec<f32>> {
    let len = to_width.saturating_mul(to_height).saturating_mul(C);
    let mut out = memory::filled(len, 0.0f32, WHAT)?;
    if width == 0 || height == 0 || len == 0 {
        return Ok(out);
    }
    let across = Taps::new(width, to_width)?;
    let down = Taps::new(height, to_height)?;
    let wide = to_width * C;
    let mut middle = memory::filled(wide.saturating_mul(height), 0.0f32, WHAT)?;
    for (row, out) in data
        .chunks_exact(width * C)
        .zip(middle.chunks_exact_mut(wide))
    {
        let pixels = row.as_chunks::<C>().0;
        for (x, out) in out.as_chunks_mut::<C>().0.iter_mut().enumerate() {
            let (start, weights) = across.at(x);
            let taps = &pixels[start..start + weights.len()];
            // Weights of differences: a constant comes out exact however the weights are rounded.
            let base = taps[0];
            *out = base;
            for (tap, &weight) in taps.iter().zip(weights).skip(1) {
                for c in 0..C {
                    out[c] += weight * (tap[c] - base[c]);
                }
            }
        }
    }
    for (y, out) in out.chunks_exact_mut(wide).enumerate() {
        let (start, weights) = down.at(y);
        let base = &middle[start * wide..(start + 1) * wide];
        out.copy_from_slice(base);
        for (i, &weight) in weights.iter().enumerate().skip(1) {
            let tap = &middle[(start + i) * wide..][..wide];
            for ((o, t), b) in out.iter_mut().zip(tap).zip(base) {
                *o += weight * (t - b);
            }
        }
    }
    Ok(out)
}

/// For each output position the first input position and the weights from there on.
struct Taps {
    starts: Vec<usize>,
    /// Position `i`'s weights are `weights[ends[i - 1] .. ends[i]]`.
    ends: Vec<usize>,
    weights: Vec<f32>,
}

impl Taps {
    fn new(from: usize, to: usize) -> Result<Self> {
        let per = if to < from { from / to + 2 } else { 4 };
        let mut taps = Self {
            starts: memory::with_capacity(to, WHAT)?,
            ends: memory::with_capacity(to, WHAT)?,
            weights: memory::with_capacity(to.saturating_mul(per), WHAT)?,
        };
        for i in 0..to {
            let start = match to.cmp(&from) {
                Ordering::Less => taps.area(from, to, i),
                Ordering::Greater => taps.cubic(from, to, i),
                Ordering::Equal => {
                    taps.weights.push(1.0);
                    i
                }
            };
            taps.starts.push(start);
            taps.ends.push(taps.weights.len());
        }
        Ok(taps)
    }

    fn at(&self, i: usize) -> (usize, &[f32]) {
        let from = if i == 0 { 0 } else { self.ends[i - 1] };
        (self.starts[i], &self.weights[from..self.ends[i]])
    }

    /// Output `i` covers the input from `i from / to` to `(i + 1) from / to`: shares in integers.
    fn area(&mut self, from: usize, to: usize, i: usize) -> usize {
        let (low, high) = (i * from, (i + 1) * from);
        let (start, end) = (low / to, high.div_ceil(to));
        for p in start..end {
            let covered = high.min((p + 1) * to) - low.max(p * to);
            self.weights.push((covered as f64 / from as f64) as f32);
        }
        start
    }

    /// Four cubic weights around the centre, those beyond an edge added to the edge's pixel.
    fn cubic(&mut self, from: usize, to: usize, i: usize) -> usize {
        let centre = (i as f64 + 0.5) * from as f64 / to as f64 - 0.5;
        let floor = centre.floor();
        let t = centre - floor;
        let cubic = [
            ((-0.5 * t + 1.0) * t - 0.5) * t,
            (1.5 * t - 2.5) * t * t + 1.0,
            ((-1.5 * t + 2.0) * t + 0.5) * t,
            (0.5 * t - 0.5) * t * t,
        ];
        let last = from as i64 - 1;
        let clamped = |k: usize| (floor as i64 + k as i64 - 1).clamp(0, last) as usize;
        let (start, end) = (clamped(0), clamped(3));
        let mut weights = [0.0f64; 4];
        for (k, w) in cubic.iter().enumerate() {
            weights[clamped(k) - start] += w;
        }
        self.weights
            .extend(weights[..=end - start].iter().map(|w| *w as f32));
        start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_keep_the_hole_and_give_up_what_is_not_whole() {
        let mut flags = Plane::filled(7, 5, 0u8, "").unwrap();
        flags.row_mut(2)[3] = 1;
        let any = resize_flags(&flags, 3, 2, true).unwrap();
        assert_eq!(any.data, [0, 1, 0, 0, 1, 0]);
        let all = resize_flags(&flags, 3, 2, false).unwrap();
        assert_eq!(all.data, [0; 6]);
        let larger = resize_flags(&flags, 14, 10, true).unwrap();
        assert_eq!(larger.data.iter().filter(|f| **f == 1).count(), 4);
    }
}
