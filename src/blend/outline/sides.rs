//! The two values on the sides of an outline, and what the edge between them is like.
#![forbid(unsafe_code)]

use super::ends::End;
use super::{Part, WHAT};
use crate::error::Result;
use crate::memory;

/// An edge wider than this, in pixels, is drawn as it is outside, a narrower one as a slope.
pub const SLOPE: f64 = 2.0;
/// Half of the widest edge.
const WIDEST: usize = 48;
/// How far back from an end its edge is looked at.
const BACK: usize = 10;

/// The two values on the sides of an outline, and how wide the step between them is.
pub struct Sides {
    pub low: f32,
    pub high: f32,
    pub width: f64,
    /// Of a wide edge, the values from [`WIDEST`] pixels on the darker side to as many on the brighter.
    pub profile: Vec<f32>,
}

impl Sides {
    pub fn middle(&self) -> f32 {
        0.5 * (self.low + self.high)
    }

    /// The value so far on the brighter side of the outline.
    pub fn at(&self, far: f64) -> f32 {
        let Some(last) = self.profile.len().checked_sub(1) else {
            let share = match self.width > 0.0 {
                true => 0.5 + far / self.width.max(1.0),
                false => far.signum(),
            };
            return match share {
                ..=0.0 => self.low,
                1.0.. => self.high,
                _ => self.low + (self.high - self.low) * share as f32,
            };
        };
        let place = (far + WIDEST as f64).clamp(0.0, last as f64);
        let first = place.floor() as usize;
        let (a, b) = (self.profile[first], self.profile[(first + 1).min(last)]);
        a + (b - a) * place.fract() as f32
    }

    /// How far from the outline the value may still be another than that of a side.
    pub fn reach(&self) -> usize {
        match self.profile.is_empty() {
            true => (0.5 * self.width).ceil() as usize + 1,
            false => WIDEST + 1,
        }
    }
}

impl Part<'_> {
    /// The two values that nearly all of the rim has.
    pub fn sides(&self, rim: &[u32]) -> Option<Sides> {
        let of = |i: &u32| self.values.data[*i as usize];
        let low = rim.iter().map(of).fold(f32::INFINITY, f32::min);
        let high = rim.iter().map(of).fold(f32::NEG_INFINITY, f32::max);
        if high - low < 0.1 {
            return None;
        }
        let even = rim.iter().filter(|i| of(i) == low || of(i) == high).count();
        // Where an edge crosses the rim some pixels lie between.
        (3 * even >= rim.len()).then_some(Sides {
            low,
            high,
            width: 0.0,
            profile: Vec::new(),
        })
    }

    /// What a wide edge is like across, the mean over the ends; `None` where it is wider than can be seen.
    pub fn profile(&self, ends: &[End], sides: &Sides) -> Result<Option<Vec<f32>>> {
        const COUNT: usize = 2 * WIDEST + 1;
        let mut sums = memory::filled(COUNT, (0.0f64, 0u32), WHAT)?;
        for end in ends {
            // To the brighter side.
            let normal = match end.left {
                true => (end.way.1, -end.way.0),
                false => (-end.way.1, end.way.0),
            };
            for back in 0..BACK {
                for (i, sum) in sums.iter_mut().enumerate() {
                    let far = i as f64 - WIDEST as f64;
                    let x = end.at.0 + far * normal.0 - back as f64 * end.way.0;
                    let y = end.at.1 + far * normal.1 - back as f64 * end.way.1;
                    if let Some(v) = self.between(x, y) {
                        *sum = (sum.0 + v, sum.1 + 1);
                    }
                }
            }
        }
        let mut profile = memory::with_capacity(COUNT, WHAT)?;
        for (i, (sum, count)) in sums.iter().enumerate() {
            let side = if i > WIDEST { sides.high } else { sides.low };
            let mean = (sum / f64::from((*count).max(1))) as f32;
            profile.push(if *count > 0 { mean } else { side });
        }
        let near = |a: f32, b: f32| (a - b).abs() < 0.02;
        let whole = near(profile[0], sides.low) && near(profile[COUNT - 1], sides.high);
        Ok(whole.then_some(profile))
    }

    /// The value at (`x`, `y`), where it is known around.
    fn between(&self, x: f64, y: f64) -> Option<f64> {
        if x < 0.0 || y < 0.0 {
            return None;
        }
        let (left, top) = (x.floor() as usize, y.floor() as usize);
        let (tx, ty) = (x.fract(), y.fract());
        let mut sum = 0.0;
        for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            let across = if dx == 1 { tx } else { 1.0 - tx };
            let down = if dy == 1 { ty } else { 1.0 - ty };
            if across * down > 1e-9 {
                sum += across * down * f64::from(self.value(left + dx, top + dy)?);
            }
        }
        Some(sum)
    }
}
