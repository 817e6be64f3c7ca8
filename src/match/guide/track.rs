//! A course on a level: what is known along it, and where the rest is first taken from.
#![forbid(unsafe_code)]

use super::course::{Course, value};
use super::curve::{Point, dot, resampled, tangent};
use super::trace::POINTS;
use crate::error::Result;
use crate::r#match::level::Level;
use crate::memory;

/// How much less like what is to be found it is where the course goes another way, by 1 less the cosine, as a share of
/// the way from the hole's rim to its middle.
const UNLIKE: f32 = 4.0;
/// The shortest known stretch that is taken again and again.
const SHORTEST: usize = 4;
/// No sample.
pub const NONE: u16 = u16::MAX;
const WHAT: &str = "the guide's courses";

/// A point of a course, and which way that goes there.
#[derive(Clone, Copy)]
pub struct Sample {
    pub at: Point,
    pub along: Point,
}

/// A course on a level: its samples lie one texel apart.
#[derive(Clone)]
pub struct Track {
    pub samples: Vec<Sample>,
    /// Those of them that whole usable patches lie on.
    pub known: Vec<u16>,
    /// For each that is not known the one that its patch is first taken from, or [`NONE`].
    pub first: Vec<u16>,
}

impl Track {
    /// Of `course` on `level`, number `number`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn of(course: &Course, level: &Level, number: usize) -> Result<Self> {
        let by = 1.0 / (1u64 << number) as f32;
        let samples = samples(course, by)?;
        let mut met = memory::with_capacity(course.met.len(), WHAT)?;
        met.extend(course.met.iter().map(|at| (*at as f32 * by) as usize));
        let (known, first) = sources(&samples, &met, level)?;
        Ok(Self {
            samples,
            known,
            first,
        })
    }
}

/// The course's points on a level where a length counts `by` times as much.
fn samples(course: &Course, by: f32) -> Result<Vec<Sample>> {
    let points = resampled(&course.points, by, POINTS)?;
    let mut out = memory::with_capacity(points.len(), WHAT)?;
    for (i, p) in points.iter().enumerate() {
        out.push(Sample {
            at: *p,
            along: tangent(&points, i, 3),
        });
    }
    Ok(out)
}

/// Which samples are known, and for the others the first sources, where others end at those that are `met`.
fn sources(samples: &[Sample], met: &[usize], level: &Level) -> Result<(Vec<u16>, Vec<u16>)> {
    let is_known = |s: &Sample| value(&level.centres, s.at) == Some(1);
    let mut known = Vec::new();
    let mut first = memory::filled(samples.len(), NONE, WHAT)?;
    // Where the stretches of known and other samples begin.
    let mut bounds = Vec::new();
    for (i, s) in samples.iter().enumerate() {
        if is_known(s) {
            memory::push(&mut known, i as u16, WHAT)?;
        }
        if i == 0 || is_known(s) != is_known(&samples[i - 1]) {
            memory::push(&mut bounds, i, WHAT)?;
        }
    }
    memory::push(&mut bounds, samples.len(), WHAT)?;
    for n in 0..bounds.len() - 1 {
        let (from, to) = (bounds[n], bounds[n + 1]);
        if is_known(&samples[from]) {
            continue;
        }
        let half = (to - from).div_ceil(2);
        let before = n.checked_sub(1).map_or(0, |n| from - bounds[n]);
        let behind = bounds.get(n + 2).map_or(0, |end| end - to);
        let usable = |n: usize| (n >= SHORTEST).then_some(n.min(half.max(SHORTEST)));
        // Up to where the first other one ends here and from the last one on, what lies along the course is that end's.
        let within = || met.iter().copied().filter(|m| (from..to).contains(m));
        let (first_met, last_met) = (within().min(), within().max());
        for k in from..to {
            // As often as it takes what is known before the stretch, and what is known behind it.
            let a = usable(before).map(|n| (k - from, from - n + (k - from) % n));
            let b = usable(behind).map(|n| (to - 1 - k, to + n - 1 - (to - 1 - k) % n));
            let cost = |(way, at): (usize, usize)| {
                let turn = 1.0 - dot(samples[k].along, samples[at].along);
                way as f32 / half as f32 + UNLIKE * turn
            };
            let best = match (a, b) {
                (Some(a), Some(_)) if first_met.is_some_and(|m| k < m) => Some(a),
                (Some(_), Some(b)) if last_met.is_some_and(|m| k >= m) => Some(b),
                (Some(a), Some(b)) if cost(b) < cost(a) => Some(b),
                (a, b) => a.or(b),
            };
            first[k] = best.map_or(NONE, |best| best.1 as u16);
        }
    }
    Ok((known, first))
}
