//! A sharp outline between two sides that vary: a thing and its soft shadow.
#![forbid(unsafe_code)]

use super::{Part, WHAT, even};
use crate::blend::slopes;
use crate::error::Result;
use crate::memory;
use crate::pixels::{Plane, Rect};
use crate::progress::Cancel;

/// Two known pixels side by side that differ by no more belong to one side.
const FLAT: f32 = 0.1;
/// The sides are at least so far apart.
const APART: f32 = 0.25;
/// Pixels next to the other side that may be half of it.
const MIXED: usize = 2;
/// Pixels around the hole that the sides are carried on from.
const AROUND: u32 = 16;

/// As [`super::outline`], where the sides vary.
pub fn layered(
    values: &mut Plane<f32>,
    known: &Plane<u8>,
    pixels: &[u32],
    cancel: &Cancel,
) -> Result<bool> {
    let part = Part { values, known };
    let rim = part.rim(pixels)?;
    let Some((low, high)) = part.gap(&rim)? else {
        return Ok(false);
    };
    let mut share = copied(values)?;
    for v in &mut share.data {
        *v = ((*v - low) / (high - low)).clamp(0.0, 1.0);
    }
    if !even(&mut share, known, pixels)? {
        return Ok(false);
    }
    let frame = frame(values, pixels);
    let dark = side(values, known, frame, |v| v <= low, cancel)?;
    let bright = side(values, known, frame, |v| v >= high, cancel)?;
    for &i in pixels {
        let i = i as usize;
        let (x, y) = (i % values.width, i / values.width);
        let (x, y) = (x - frame.x as usize, y - frame.y as usize);
        let (dark, bright) = (dark.row(y)[x], bright.row(y)[x]);
        values.data[i] = dark + (bright - dark) * share.data[i];
    }
    Ok(true)
}

impl Part<'_> {
    /// The most of the darker side's values and the least of the brighter's, where the rim falls into two
    /// soft sides.
    fn gap(&self, rim: &[u32]) -> Result<Option<(f32, f32)>> {
        let mut flat = Vec::new();
        for &i in rim {
            if self.steepest(i) <= FLAT {
                memory::push(&mut flat, self.values.data[i as usize], WHAT)?;
            }
        }
        if flat.len() * 2 < rim.len() {
            return Ok(None);
        }
        flat.sort_unstable_by(f32::total_cmp);
        let pairs = flat.windows(2).map(|p| (p[0], p[1]));
        let widest = pairs.max_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0)));
        let Some((low, high)) = widest.filter(|(low, high)| high - low >= APART) else {
            return Ok(None);
        };
        // A step far from the other side is one within a side.
        let strange = |i: &u32| self.steepest(*i) > FLAT && !self.on_both_sides(*i, low, high);
        Ok((!rim.iter().any(strange)).then_some((low, high)))
    }

    /// The largest difference to a known pixel beside this one.
    fn steepest(&self, i: u32) -> f32 {
        let (x, y) = (
            i as usize % self.values.width,
            i as usize / self.values.width,
        );
        let own = self.values.data[i as usize];
        let beside = [
            (x.wrapping_sub(1), y),
            (x + 1, y),
            (x, y.wrapping_sub(1)),
            (x, y + 1),
        ];
        let beside = beside.into_iter().filter_map(|(x, y)| self.value(x, y));
        beside.map(|v| (v - own).abs()).fold(0.0, f32::max)
    }

    /// Whether both sides are within [`MIXED`] pixels.
    fn on_both_sides(&self, i: u32, low: f32, high: f32) -> bool {
        let (x, y) = (
            i as usize % self.values.width,
            i as usize / self.values.width,
        );
        let near = (y.saturating_sub(MIXED)..y + MIXED + 1)
            .flat_map(|y| (x.saturating_sub(MIXED)..x + MIXED + 1).map(move |x| (x, y)))
            .filter_map(|(x, y)| self.value(x, y));
        let (mut dark, mut bright) = (false, false);
        for v in near {
            (dark, bright) = (dark || v <= low, bright || v >= high);
        }
        dark && bright
    }
}

/// One side's values, which `of` knows, carried on over `frame` as if there were no other.
fn side(
    values: &Plane<f32>,
    known: &Plane<u8>,
    frame: Rect,
    of: impl Fn(f32) -> bool,
    cancel: &Cancel,
) -> Result<Plane<f32>> {
    let (w, h) = (values.width, values.height);
    let (left, top) = (frame.x as usize, frame.y as usize);
    // All that is beyond the frame is no business of this side.
    let mut carried = Plane::filled(frame.width as usize, frame.height as usize, 0.0f32, WHAT)?;
    let mut own = Plane::filled(carried.width, carried.height, 0u8, WHAT)?;
    let mut rest = Plane::filled(carried.width, carried.height, 1u8, WHAT)?;
    for y in 0..carried.height {
        cancel.check()?;
        for x in 0..carried.width {
            let (cx, cy) = (left + x, top + y);
            let mut near = (cy.saturating_sub(MIXED)..(cy + MIXED + 1).min(h)).flat_map(|y| {
                let near = cx.saturating_sub(MIXED)..(cx + MIXED + 1).min(w);
                near.map(move |x| y * w + x)
            });
            let other = |i: usize| known.data[i] != 0 && !of(values.data[i]);
            if known.row(cy)[cx] != 0 && !near.any(other) {
                carried.row_mut(y)[x] = values.row(cy)[cx];
                (own.row_mut(y)[x], rest.row_mut(y)[x]) = (1, 0);
            }
        }
    }
    slopes(&mut carried, &own, &rest, cancel)?;
    Ok(carried)
}

/// The box of `pixels` and what is around it.
fn frame(values: &Plane<f32>, pixels: &[u32]) -> Rect {
    let w = values.width as u32;
    let at = |i: &u32| Rect::new(i % w, i / w, 1, 1);
    let all = pixels.iter().map(at).reduce(|a, b| a.union(&b));
    all.unwrap_or_default()
        .grown_within(AROUND, w, values.height as u32)
}

fn copied(values: &Plane<f32>) -> Result<Plane<f32>> {
    let mut data = memory::with_capacity(values.data.len(), WHAT)?;
    data.extend_from_slice(&values.data);
    Ok(Plane {
        width: values.width,
        height: values.height,
        data,
    })
}
