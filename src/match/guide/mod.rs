//! Lines that the user painted over picture and hole: what lies along them goes on along them.
//!
//! Source: Sun, Yuan, Jia, Shum, "Image Completion with Structure Propagation", SIGGRAPH 2005: the patches on a
//! painted curve come from along that curve, and are found before those beside it. Here strokes of any pen are
//! thinned to curves, which are moved to the edges that were meant, and the search pays for leaving them.
#![forbid(unsafe_code)]

mod chain;
mod course;
mod curve;
mod held;
mod snap;
mod thin;
mod trace;
mod track;

pub use self::course::Course;
pub use self::held::Held;

use self::trace::paths;
use super::lines::Line;
use crate::error::Result;
use crate::memory;
use crate::pixels::{Plane, RgbImage};
use crate::progress::Cancel;

/// How near a course another one ends, in pixels, that meets it.
const MEETING: f32 = 10.0;
/// How near a course a line's ends lie, in pixels, and what cosine it may be turned by, for both to be one edge.
const SAME: f32 = 12.0;
const TURNED: f32 = 0.7;

/// The courses through `hole` that are painted in `guide`, of `image`.
///
/// # Errors
/// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
pub fn courses(
    guide: &Plane<u8>,
    image: &RgbImage,
    hole: &Plane<u8>,
    cancel: &Cancel,
) -> Result<Vec<Course>> {
    let mut courses: Vec<Course> = Vec::new();
    for path in paths(guide, cancel)? {
        cancel.check()?;
        if let Some(course) = Course::of(path, image, hole)? {
            memory::push(&mut courses, course, "the guide's courses")?;
        }
    }
    // Branches end at the course that they branch off.
    for one in 0..courses.len() {
        for other in (0..courses.len()).filter(|other| *other != one) {
            let met = courses[one].ends();
            let met = met.filter_map(|end| courses[other].nearest(end, MEETING));
            for at in met.collect::<Vec<_>>() {
                memory::push(&mut courses[other].met, at, "the guide's courses")?;
            }
        }
    }
    Ok(courses)
}

/// Whether a line that was found is the edge that a course was painted for, which may go another way.
pub fn claims(courses: &[Course], line: &Line) -> bool {
    let on = |t: f32| {
        let [nx, ny] = line.normal;
        let at = [nx * line.offset - ny * t, ny * line.offset + nx * t];
        courses
            .iter()
            .any(|c| c.runs_by(at, line.direction(), SAME, TURNED))
    };
    on(line.span.0) || on(line.span.1)
}
