//! A painted path as the course of something through the hole, and on into the picture on either side.
#![forbid(unsafe_code)]

use super::curve::{Point, ahead, dot, length, minus, tangent, unit};
use super::snap::snapped;
use super::trace::{POINTS, Path};
use crate::error::Result;
use crate::memory;
use crate::pixels::{Plane, RgbImage};

/// As much of a course is to lie in the picture beyond the hole, in pixels: what is not painted goes straight on, a
/// part at a time, so that it can be moved to its edge before the next.
const KNOWN: [usize; 3] = [16, 32, 48];
/// How much farther than its pen's radius from the hole's rim a line may end that is meant to reach it.
const SHORT: f32 = 7.0;
/// Fewer pixels in the hole are none.
const LEAST: usize = 3;
/// Pixels over which the direction of an end is seen, beside the painted pen's width.
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
    /// The points, by number, where others end at this one: what lies along it may change there.
    pub met: Vec<usize>,
}

impl Course {
    /// The course of `path`, on its edge in `image`, if it leads through the hole and something of it is seen.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn of(path: Path, image: &RgbImage, hole: &Plane<u8>) -> Result<Option<Self>> {
        let Some(mut course) = Self::painted(path, hole)? else {
            return Ok(None);
        };
        for known in KNOWN {
            if !course.closed {
                for stops in [course.stops[1], course.stops[0]] {
                    if !stops {
                        go_on(&mut course.points, known, hole)?;
                    }
                    // The other end, and back.
                    course.points.reverse();
                }
            }
            course = snapped(course, image, hole)?;
        }
        Ok(Some(course))
    }

    /// The same as it was painted, to the hole's rim if it ends just before that.
    fn painted(path: Path, hole: &Plane<u8>) -> Result<Option<Self>> {
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
                *stop = !reaches_out(&mut points, path.radius, hole)?;
                points.reverse();
            }
        }
        let seen = points.iter().any(|p| value(hole, *p) == Some(0));
        Ok(seen.then_some(Self {
            points,
            stops,
            closed: path.closed,
            met: Vec::new(),
        }))
    }

    /// The ends that stop in the hole.
    pub fn ends(&self) -> impl Iterator<Item = Point> + '_ {
        let ends = [self.points.first(), self.points.last()];
        let stops = self.stops.into_iter().zip(ends);
        stops.filter_map(|(stops, end)| end.filter(|_| stops).copied())
    }

    /// The number of the point nearest to `at`, within `near`.
    pub fn nearest(&self, at: Point, near: f32) -> Option<usize> {
        let far = |p: &Point| length(minus(*p, at));
        let points = self.points.iter().enumerate();
        let best = points.min_by(|a, b| far(a.1).total_cmp(&far(b.1)));
        best.filter(|(_, p)| far(p) <= near).map(|(i, _)| i)
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

/// Extends the last end to the hole's rim, where it is near that; `false` where it stops in the hole.
fn reaches_out(points: &mut Vec<Point>, radius: f32, hole: &Plane<u8>) -> Result<bool> {
    let (end, direction) = leaving(points, SEEN + (2.0 * radius) as usize);
    if value(hole, end) != Some(1) {
        return Ok(true);
    }
    // What is meant to reach the rim often ends somewhat before it.
    let reach = (radius + SHORT) as usize;
    let out = (1..=reach).find(|t| value(hole, ahead(end, direction, *t as f32)) == Some(0));
    for t in 1..=out.unwrap_or(0) {
        memory::push(points, ahead(end, direction, t as f32), WHAT)?;
    }
    Ok(out.is_some())
}

/// Extends the last end straight on, until `known` pixels before it are.
fn go_on(points: &mut Vec<Point>, known: usize, hole: &Plane<u8>) -> Result<()> {
    let seen = points.iter().rev();
    let seen = seen.take_while(|p| value(hole, **p) != Some(1)).count();
    let (end, direction) = leaving(points, SEEN);
    for t in 1..=known.saturating_sub(seen) {
        let at = ahead(end, direction, t as f32);
        if value(hole, at) != Some(0) || points.len() >= POINTS {
            break;
        }
        memory::push(points, at, WHAT)?;
    }
    Ok(())
}

/// The last point, and which way the last `seen` ones lead.
fn leaving(points: &[Point], seen: usize) -> (Point, Point) {
    let last = points.len() - 1;
    let end = points[last];
    (end, unit(minus(end, points[last - seen.min(last)])))
}
