//! The outline of a thing goes on through a hole: its ends at the rim are joined by smooth curves.
//!
//! Sources: Masnou, Morel, "Level Lines Based Disocclusion", ICIP 1998, for joining level lines by their
//! ends and directions; Kimia, Frankel, Popescu, "Euler Spiral for Shape Completion", IJCV 2003, for what
//! looks like a continuation.
#![forbid(unsafe_code)]

mod curves;
mod draw;
mod ends;
mod fit;
mod layers;
mod sides;
#[cfg(test)]
mod tests;

use crate::error::Result;
use crate::memory;
use crate::pixels::Plane;
use crate::progress::Cancel;
use curves::{curve, joined, ray};
use draw::draw;
use layers::layered;

const WHAT: &str = "the outline through the hole";

type Point = (f64, f64);

/// Fills `values`, `0.0 ..= 1.0`, at `pixels`, a connected part of a hole, with two sides that a smooth
/// outline parts, and says so; or leaves all as it is, where what is known around the part is no smooth
/// outline between two even or soft sides. `known` is 1 where a value is known.
///
/// # Errors
/// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
pub fn outline(
    values: &mut Plane<f32>,
    known: &Plane<u8>,
    pixels: &[u32],
    cancel: &Cancel,
) -> Result<bool> {
    cancel.check()?;
    Ok(even(values, known, pixels)? || layered(values, known, pixels, cancel)?)
}

/// As [`outline`], where each side has one value.
fn even(values: &mut Plane<f32>, known: &Plane<u8>, pixels: &[u32]) -> Result<bool> {
    let part = Part { values, known };
    let rim = part.rim(pixels)?;
    let Some(mut sides) = part.sides(&rim) else {
        return Ok(false);
    };
    let Some(ends) = part.ends(&rim, &mut sides)? else {
        return Ok(false);
    };
    let curves = joined(&ends);
    // Where the picture ends no outline need come back.
    let (w, h) = (values.width as u32, values.height as u32);
    let closed = pixels.iter().all(|i| {
        let (x, y) = (i % w, i / w);
        x > 0 && y > 0 && x + 1 < w && y + 1 < h
    });
    if closed && curves.iter().any(|c| c.1.is_none()) {
        return Ok(false);
    }
    let size = (values.width + values.height) as f64;
    let lines = curves.iter().map(|(a, b)| match b {
        Some(b) => curve(&ends[*a], &ends[*b]),
        None => ray(&ends[*a], size),
    });
    let lines: Vec<Vec<Point>> = lines.collect();
    draw(values, pixels, &rim, &lines, &sides)
}

/// What is known around a part of a hole.
struct Part<'a> {
    values: &'a Plane<f32>,
    known: &'a Plane<u8>,
}

impl Part<'_> {
    fn value(&self, x: usize, y: usize) -> Option<f32> {
        let there = x < self.values.width && y < self.values.height;
        (there && self.known.row(y)[x] != 0).then(|| self.values.row(y)[x])
    }

    /// The known pixels next to the part, each once, row by row.
    fn rim(&self, pixels: &[u32]) -> Result<Vec<u32>> {
        let w = self.values.width;
        let mut rim = Vec::new();
        for &i in pixels {
            let (x, y) = (i as usize % w, i as usize / w);
            for ny in y.saturating_sub(1)..y + 2 {
                for nx in x.saturating_sub(1)..x + 2 {
                    if self.value(nx, ny).is_some() {
                        memory::push(&mut rim, (ny * w + nx) as u32, WHAT)?;
                    }
                }
            }
        }
        rim.sort_unstable();
        rim.dedup();
        Ok(rim)
    }
}

fn dot(a: Point, b: Point) -> f64 {
    a.0 * b.0 + a.1 * b.1
}

fn length(a: Point) -> f64 {
    dot(a, a).sqrt()
}
