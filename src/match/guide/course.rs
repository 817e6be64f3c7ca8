//! A painted path as the course of something through the hole, and on into the picture on either side.
#![forbid(unsafe_code)]

use super::curve::{Point, ahead, dot, length, minus, tangent, unit};
use super::trace::{POINTS, Path};
use crate::error::Result;
use crate::memory;
use crate::pixels::Plane;

/// As much of a course is to lie in the picture beyond the hole, in pixels: what is not painted goes straight on.
const KNOWN: usize = 48;
/// How much farther than its pen's radius from the hole's rim a line may end that is meant to reach it.
const SHORT: f32 = 7.0;
/// Fewer pixels in the hole are none.
const LEAST: usize = 3;
/// Pixels over which the direction of an end is seen, beside the pen's width.
const SEEN: usize = 16;
const WHAT: &str = "the guide's courses";

/// A course, in pixels of the crop; a pixel's centre lies at a half.
#[derive(Clone, Debug)]
pub struct Course {
    /// One pixel apart.
    pub points: Vec<Point>,
    /// Whether what follows the course stops at its first and at its last point, in the hole.
    pub stops: [bool; 2],
    /// Whether the last point is next to the first.
    pub closed: bool,
}

impl Course {
    /// The course of `path`, if it leads through the hole and something of it is seen.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn of(path: Path, hole: &Plane<u8>) -> Result<Option<Self>> {
        let mut points = path.points;
        let in_hole = |p: &Point| value(hole, *p) == Some(1);
        if points.iter().filter(|p| in_hole(p)).count() < LEAST {
            return Ok(None);
        }
        let mut stops = [false; 2];
        if path.closed {
            // A loop begins where something is seen of it.
            match points.iter().position(|p| value(hole, *p) == Some(0)) {
                Some(first) => points.rotate_left(first),
                None => return Ok(None),
            }
        } else {
            for stop in stops.iter_mut().rev() {
                *stop = !extended(&mut points, path.radius, hole)?;
                // The other end, and back.
                points.reverse();
            }
        }
        let seen = points.iter().any(|p| value(hole, *p) == Some(0));
        Ok(seen.then_some(Self {
            points,
            stops,
            closed: path.closed,
        }))
    }

    /// Whether the course runs within `near` of a point in about this direction, or the opposite one.
    pub fn runs_by(&self, at: Point, direction: Point, near: f32, cosine: f32) -> bool {
        let points = self.points.iter().enumerate();
        points.step_by(2).any(|(i, p)| {
            length(minus(*p, at)) <= near
                && dot(tangent(&self.points, i, 4), direction).abs() >= cosine
        })
    }
}

/// What the plane says where the point lies, in the picture.
pub fn value(plane: &Plane<u8>, [x, y]: Point) -> Option<u8> {
    let inside = x >= 0.0 && y >= 0.0 && (x as usize) < plane.width && (y as usize) < plane.height;
    inside.then(|| plane.row(y as usize)[x as usize])
}

/// Extends the last end into the picture; `false` where it stops in the hole.
fn extended(points: &mut Vec<Point>, radius: f32, hole: &Plane<u8>) -> Result<bool> {
    let n = points.len();
    let seen = SEEN + (2.0 * radius) as usize;
    let end = points[n - 1];
    let direction = unit(minus(end, points[n - 1 - seen.min(n - 1)]));
    if value(hole, end) == Some(1) {
        // What is meant to reach the rim often ends somewhat before it.
        let reach = (radius + SHORT) as usize;
        let out = (1..=reach).find(|t| value(hole, ahead(end, direction, *t as f32)) == Some(0));
        let Some(out) = out else {
            return Ok(false);
        };
        for t in 1..=out {
            memory::push(points, ahead(end, direction, t as f32), WHAT)?;
        }
    }
    let known = points.iter().rev();
    let known = known.take_while(|p| value(hole, **p) != Some(1)).count();
    let from = points[points.len() - 1];
    for t in 1..=KNOWN.saturating_sub(known) {
        let at = ahead(from, direction, t as f32);
        if value(hole, at) != Some(0) || points.len() >= POINTS {
            break;
        }
        memory::push(points, at, WHAT)?;
    }
    Ok(true)
}
