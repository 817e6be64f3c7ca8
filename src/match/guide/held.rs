//! Which targets of a level lie on the guide's courses, and what is known along those.
#![forbid(unsafe_code)]

use super::course::{Course, value};
use super::curve::{dot, minus, normal};
use super::trace::PATHS;
use super::track::{NONE, Track};
use crate::error::Result;
use crate::r#match::field::Field;
use crate::r#match::level::Level;
use crate::memory;
use crate::pixels::Plane;
use crate::progress::Cancel;

/// How far from a course texels lie on it, in texels, and how far from the hole targets are held to it.
const BAND: f32 = 6.5;
const BEYOND: usize = 5;
/// How far beyond a course's end in the hole what lies along it must not go on.
const STOP: f32 = 9.0;
/// Units of [`Spot::off`] in a texel.
const UNITS: f32 = 1024.0;
/// How much of a turn of a patch is free of cost: 1 less the cosine between courses.
const FREE_TURN: f32 = 0.01;
/// What it costs that a patch comes from where the course goes another way, in squared texels across it, by 1 less
/// the cosine: half of what a turn moves a patch's texels by.
const TURN: f32 = 4.0;
const WHAT: &str = "the guide's courses";

/// What a texel is to the courses.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Not on a course.
    Off,
    /// On one, away from the hole.
    On,
    /// On one in the hole: a target there has its patch from along the course.
    Held,
    /// Beyond where one stops in the hole.
    Behind,
}

#[derive(Clone, Copy)]
struct Spot {
    kind: Kind,
    course: u8,
    /// The nearest of the course's samples.
    at: u16,
    /// The distance to the right of the course.
    off: i16,
}

/// The courses of a level.
#[derive(Clone)]
pub struct Held {
    spots: Plane<Spot>,
    tracks: Vec<Track>,
    /// Whether nothing was found on a coarser level.
    coarsest: bool,
}

impl Held {
    /// For `level`, number `number`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
    pub fn new(
        courses: &[Course],
        level: &Level,
        number: usize,
        coarsest: bool,
        cancel: &Cancel,
    ) -> Result<Self> {
        let (w, h) = (level.hole.width, level.hole.height);
        let off = Spot {
            kind: Kind::Off,
            course: 0,
            at: 0,
            off: 0,
        };
        let mut held = Self {
            spots: Plane::filled(w, h, off, WHAT)?,
            tracks: memory::with_capacity(courses.len().min(PATHS), WHAT)?,
            coarsest,
        };
        for course in courses.iter().take(PATHS) {
            cancel.check()?;
            held.tracks.push(Track::of(course, level, number)?);
            held.stamp(course.stops, &level.hole)?;
        }
        Ok(held)
    }

    /// Marks what lies on the last track, where no other one is nearer.
    fn stamp(&mut self, stops: [bool; 2], hole: &Plane<u8>) -> Result<()> {
        let number = self.tracks.len() - 1;
        let samples = &self.tracks[number].samples;
        let last = samples.len() - 1;
        let mut near = memory::filled(samples.len(), false, WHAT)?;
        for (i, s) in samples.iter().enumerate() {
            if value(hole, s.at) == Some(1) {
                near[i.saturating_sub(BEYOND)..(i + BEYOND).min(last) + 1].fill(true);
            }
        }
        for (i, s) in samples.iter().enumerate() {
            let ends = [i == 0 && stops[0], i == last && stops[1]];
            let reach = if ends.contains(&true) { STOP } else { BAND };
            let range = |v: f32, side: usize| {
                let from = (v - reach).max(0.0) as usize;
                from..((v + reach + 1.0).max(0.0) as usize).min(side)
            };
            for y in range(s.at[1], hole.height) {
                for x in range(s.at[0], hole.width) {
                    let to = minus([x as f32 + 0.5, y as f32 + 0.5], s.at);
                    let (t, off) = (dot(to, s.along), dot(to, normal(s.along)));
                    let distance = dot(to, to);
                    let behind = ends[0] && t < -1.0 || ends[1] && t > 1.0;
                    // What lies before the first sample or behind the last is on no course.
                    let beside = t.abs() <= 1.5 || i > 0 && i < last;
                    if distance > reach * reach || !behind && (off.abs() > BAND || !beside) {
                        continue;
                    }
                    let spot = &mut self.spots.data[y * hole.width + x];
                    if spot.kind != Kind::Off {
                        let other = &self.tracks[usize::from(spot.course)];
                        let other = other.samples[usize::from(spot.at)];
                        let to = minus([x as f32 + 0.5, y as f32 + 0.5], other.at);
                        if dot(to, to) <= distance {
                            continue;
                        }
                    }
                    *spot = Spot {
                        kind: match (behind, near[i]) {
                            (true, _) => Kind::Behind,
                            (_, true) => Kind::Held,
                            _ => Kind::On,
                        },
                        course: number as u8,
                        at: i as u16,
                        off: (off.clamp(-30.0, 30.0) * UNITS) as i16,
                    };
                }
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn spot(&self, x: usize, y: usize) -> &Spot {
        &self.spots.row(y)[x]
    }

    /// Whether a target has its patch from along a course, if anything is known there.
    #[inline(always)]
    pub fn holds(&self, x: usize, y: usize) -> bool {
        let spot = self.spot(x, y);
        spot.kind == Kind::Held && !self.tracks[usize::from(spot.course)].known.is_empty()
    }

    /// What the source at (`sx`, `sy`) is off for the target at (`x`, `y`), in squared texels across the course, at
    /// most `most`; `None` where the target is free.
    #[inline(always)]
    pub fn off(&self, (x, y): (usize, usize), (sx, sy): (usize, usize), most: f32) -> Option<f32> {
        let (target, source) = (self.spot(x, y), self.spot(sx, sy));
        let on = matches!(source.kind, Kind::On | Kind::Held) && source.course == target.course;
        match target.kind {
            Kind::Off | Kind::On => None,
            // What stops must not be seen to go on.
            Kind::Behind => on.then_some(most),
            Kind::Held if !on => Some(most),
            Kind::Held => {
                let samples = &self.tracks[usize::from(target.course)].samples;
                let along = |spot: &Spot| samples[usize::from(spot.at)].along;
                let turn = 1.0 - dot(along(target), along(source)) - FREE_TURN;
                let off = f32::from(target.off) - f32::from(source.off);
                // No offset of whole texels is quite along the course.
                let off = (off.abs() / UNITS - 0.5).max(0.0);
                Some((off * off + TURN * turn.max(0.0)).min(most))
            }
        }
    }

    /// How many places along its course a target may have its patch from.
    #[inline(always)]
    pub fn choices(&self, x: usize, y: usize) -> usize {
        let spot = self.spot(x, y);
        match spot.kind {
            Kind::Held => self.tracks[usize::from(spot.course)].known.len(),
            _ => 0,
        }
    }

    /// The `n`-th of those places, as far from the course as the target.
    pub fn choice(&self, x: usize, y: usize, n: usize) -> (i32, i32) {
        let track = &self.tracks[usize::from(self.spot(x, y).course)];
        self.moved(x, y, track.known[n])
    }

    /// The place at the sample `to` of its course that lies to it as the target does to its own.
    fn moved(&self, x: usize, y: usize, to: u16) -> (i32, i32) {
        let spot = self.spot(x, y);
        let samples = &self.tracks[usize::from(spot.course)].samples;
        let (a, b) = (samples[usize::from(spot.at)], samples[usize::from(to)]);
        let off = f32::from(spot.off) / UNITS;
        let from = [x as f32 + 0.5, y as f32 + 0.5];
        let place = |i: usize| {
            let turn = normal(b.along)[i] - normal(a.along)[i];
            (from[i] + b.at[i] - a.at[i] + off * turn).floor() as i32
        };
        (place(0), place(1))
    }

    /// Takes targets' patches from along their courses: on the coarsest level from beyond the nearer end, on finer
    /// ones from where they were found, but as far from the course as they are. Whether any was taken.
    pub fn lead(&self, field: &mut Field, level: &Level) -> bool {
        let found = |x: usize, y: usize, (sx, sy): (u16, u16)| {
            let (target, source) = (self.spot(x, y), self.spot(sx.into(), sy.into()));
            if !self.holds(x, y) {
                return None;
            }
            let same = source.kind != Kind::Off && source.course == target.course;
            let track = &self.tracks[usize::from(target.course)];
            let to = match same && !self.coarsest {
                true => source.at,
                false => track.first[usize::from(target.at)],
            };
            (to != NONE).then(|| self.moved(x, y, to))
        };
        field.follow_from(level, found)
    }
}
