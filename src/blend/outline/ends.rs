//! Where outlines end at a rim.
#![forbid(unsafe_code)]

use super::fit::{bent, end};
use super::sides::{SLOPE, Sides};
use super::{Part, Point, WHAT, length};
use crate::error::Result;
use crate::memory;

/// Ends of outlines at a rim that are joined; more are no outline but a texture.
const MOST_ENDS: usize = 16;
/// Pixels around an end that its direction is taken from.
const REACH: f64 = 18.0;
/// Pixels around it that tell whether the outline bends where these do not.
const FAR: f64 = 40.0;
/// Pixels around an end that tell where the hole is.
const INWARD: f64 = 3.0;

/// Where an outline passes between two pixels, and towards which of them it is brighter.
pub type Crossing = (Point, Point);

/// Where an outline ends at the rim.
pub struct End {
    pub at: Point,
    /// Into the hole, of length 1.
    pub way: Point,
    /// Whether the brighter side is to the left of the way, y being down.
    pub left: bool,
    pub straight: bool,
}

/// What is known near an end of an outline.
struct Around {
    crossings: Vec<Crossing>,
    /// Pixels between the two sides.
    partial: usize,
}

impl Part<'_> {
    /// Where the outline passes between a pixel and the one to its right or below it.
    fn crossing(&self, x: usize, y: usize, down: bool, middle: f32) -> Option<Crossing> {
        let a = self.value(x, y)?;
        let b = self.value(x + usize::from(!down), y + usize::from(down))?;
        if (a >= middle) == (b >= middle) {
            return None;
        }
        let t = f64::from((middle - a) / (b - a));
        let (x, y) = (x as f64, y as f64);
        let sign = if a < middle { 1.0 } else { -1.0 };
        Some(match down {
            true => ((x, y + t), (0.0, sign)),
            false => ((x + t, y), (sign, 0.0)),
        })
    }

    /// The ends of the outlines; `None` where they are too many or too rough. Measures how wide the step
    /// is.
    pub fn ends(&self, rim: &[u32], sides: &mut Sides) -> Result<Option<Vec<End>>> {
        let (w, middle) = (self.values.width, sides.middle());
        let mut ends: Vec<End> = Vec::new();
        let (mut partial, mut length) = (0, 0);
        for &i in rim {
            let (x, y) = (i as usize % w, i as usize / w);
            for down in [false, true] {
                let next = i + if down { w as u32 } else { 1 };
                let Some(own) = self.crossing(x, y, down, middle) else {
                    continue;
                };
                if rim.binary_search(&next).is_err() {
                    continue;
                }
                let around = self.around(own.0, REACH, sides)?;
                let Some(mut end) = end(&own, &around.crossings) else {
                    return Ok(None);
                };
                if end.straight {
                    // A slight bend shows over a longer stretch alone.
                    let far = self.around(own.0, FAR, sides)?;
                    end = bent(&own, &far.crossings).unwrap_or(end);
                }
                // Two steps of one staircase are one end.
                let near = |e: &End| {
                    let (dx, dy) = (e.at.0 - end.at.0, e.at.1 - end.at.1);
                    e.left == end.left && dx.abs().max(dy.abs()) < 1.5
                };
                if ends.iter().any(near) {
                    continue;
                }
                if ends.len() == MOST_ENDS {
                    return Ok(None);
                }
                partial += around.partial;
                length += around.crossings.len();
                memory::push(&mut ends, end, WHAT)?;
            }
        }
        sides.width = partial as f64 / length.max(1) as f64;
        if ends.is_empty() {
            return Ok(None);
        }
        if sides.width > SLOPE {
            match self.profile(&ends, sides)? {
                Some(profile) => sides.profile = profile,
                None => return Ok(None),
            }
        }
        Ok(Some(ends))
    }

    /// What is known near an end of an outline, on its own side of the hole.
    fn around(&self, at: Point, most: f64, sides: &Sides) -> Result<Around> {
        let middle = sides.middle();
        let reach = most as usize + 1;
        let (cx, cy) = (at.0.round() as usize, at.1.round() as usize);
        let (right, bottom) = (self.values.width - 1, self.values.height - 1);
        let columns = || cx.saturating_sub(reach)..=(cx + reach).min(right);
        let rows = || cy.saturating_sub(reach)..=(cy + reach).min(bottom);
        // Into the hole.
        let mut inward = (0.0, 0.0);
        for y in rows() {
            for x in columns() {
                let (dx, dy) = (x as f64 - at.0, y as f64 - at.1);
                if self.known.row(y)[x] == 0 && length((dx, dy)) < INWARD {
                    inward = (inward.0 + dx, inward.1 + dy);
                }
            }
        }
        let mut around = Around {
            crossings: Vec::new(),
            partial: 0,
        };
        for y in rows() {
            for x in columns() {
                let Some(v) = self.value(x, y) else { continue };
                let (dx, dy) = (x as f64 - at.0, y as f64 - at.1);
                let beyond = dx * inward.0 + dy * inward.1 > length(inward);
                if length((dx, dy)) > most || beyond {
                    continue;
                }
                around.partial += usize::from(v > sides.low && v < sides.high);
                for down in [false, true] {
                    if let Some(found) = self.crossing(x, y, down, middle) {
                        memory::push(&mut around.crossings, found, WHAT)?;
                    }
                }
            }
        }
        Ok(around)
    }
}
