//! Where an outline ends and which way it goes there: a line or a parabola through its last stretch.
#![forbid(unsafe_code)]

use super::ends::{Crossing, End};
use super::{Point, dot, length};

/// How far an outline may stray from a straight line there, in squared pixels, on the mean.
const ROUGH: f64 = 0.8;
/// An outline is taken for bent where a parabola strays from it less than a straight line by this factor.
const BENT: f64 = 0.5;
/// What the steps of a staircase stray from the outline that they follow, in squared pixels, at the most.
const STEPS: f64 = 0.25;

/// The end of an outline where `own` is on the rim, with its direction, from what is near it.
pub fn end(own: &Crossing, crossings: &[Crossing]) -> Option<End> {
    let stretch = Stretch::new(own, crossings)?;
    if stretch.fit.across > ROUGH || stretch.fit.across > 0.2 * stretch.fit.along {
        return None;
    }
    // Where the outline bends its direction is that at its end.
    let bent = stretch.bend();
    let bent = bent.filter(|(_, _, rest)| *rest < BENT * stretch.fit.across);
    Some(match bent {
        Some((off, slope, _)) => stretch.end(off, slope, false),
        None => stretch.end(dot(stretch.fit.mean, stretch.across()), 0.0, true),
    })
}

/// The same of a stretch that may be too long for a straight line; `None` where it is a straight one, or
/// no parabola either.
pub fn bent(own: &Crossing, crossings: &[Crossing]) -> Option<End> {
    let stretch = Stretch::new(own, crossings)?;
    let (off, slope, rest) = stretch.bend()?;
    let bent = rest < BENT * stretch.fit.across && rest < STEPS && slope.abs() < 1.0;
    bent.then(|| stretch.end(off, slope, false))
}

/// The last stretch of an outline before the rim.
struct Stretch {
    at: Point,
    /// Its crossings that are bright on the same side.
    crossings: Vec<Crossing>,
    /// Towards the brighter side, about.
    normal: Point,
    fit: Fit,
    /// Along the outline, away from where it comes from.
    along: Point,
}

impl Stretch {
    fn new(own: &Crossing, crossings: &[Crossing]) -> Option<Self> {
        let (at, bright) = *own;
        let mut chain = chain(own, crossings);
        // First by those that lie as this one does, then by all of this outline's.
        let first = fit(at, &chain, |b| b == bright)?;
        let normal = first.normal(bright);
        chain.retain(|c| dot(c.1, normal) > 1e-6);
        let fit = fit(at, &chain, |_| true)?;
        let along = match dot(fit.axis, fit.mean) > 0.0 {
            true => (-fit.axis.0, -fit.axis.1),
            false => fit.axis,
        };
        Some(Self {
            at,
            crossings: chain,
            normal,
            fit,
            along,
        })
    }

    fn across(&self) -> Point {
        (-self.along.1, self.along.0)
    }

    fn bend(&self) -> Option<(f64, f64, f64)> {
        bend(self.at, self.along, self.crossings.iter())
    }

    /// The end, so far across from where the outline meets the rim: no single step of a staircase tells
    /// where it is. `slope` is across over along.
    fn end(&self, off: f64, slope: f64, straight: bool) -> End {
        let (along, across) = (self.along, self.across());
        let way = (along.0 + slope * across.0, along.1 + slope * across.1);
        let norm = length(way);
        let way = (way.0 / norm, way.1 / norm);
        let normal = self.fit.normal(self.normal);
        End {
            at: (self.at.0 + off * across.0, self.at.1 + off * across.1),
            way,
            left: way.0 * normal.1 - way.1 * normal.0 < 0.0,
            straight,
        }
    }
}

/// The crossings that hang together with `own`, each next to one before it and bright on the same side.
fn chain(own: &Crossing, crossings: &[Crossing]) -> Vec<Crossing> {
    let next = |a: &Crossing, b: &Crossing| {
        let (dx, dy) = (a.0.0 - b.0.0, a.0.1 - b.0.1);
        length((dx, dy)) < 1.5 && dot(a.1, b.1) >= 0.0
    };
    let mut left = crossings.to_vec();
    let mut chain = vec![*own];
    let mut done = 0;
    while done < chain.len() {
        let last = chain[done];
        let found = left.iter().filter(|c| next(c, &last)).copied();
        chain.extend(found.collect::<Vec<_>>());
        left.retain(|c| !next(c, &last));
        done += 1;
    }
    chain.remove(0);
    chain
}

/// The place and the slope at `at`, across over along, of the parabola through the crossings, and how far
/// they stray from it, squared.
fn bend<'a>(
    at: Point,
    along: Point,
    crossings: impl Iterator<Item = &'a Crossing> + Clone,
) -> Option<(f64, f64, f64)> {
    let points = crossings.map(|c| {
        let p = (c.0.0 - at.0, c.0.1 - at.1);
        (dot(p, along), dot(p, (-along.1, along.0)))
    });
    // Moments of the places along, and of what lies across.
    let (mut s, mut t) = ([0.0f64; 5], [0.0f64; 3]);
    for (x, y) in points.clone() {
        let mut power = 1.0;
        for k in 0..5 {
            s[k] += power;
            if k < 3 {
                t[k] += power * y;
            }
            power *= x;
        }
    }
    let det = |m: [[f64; 3]; 3]| {
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
            - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
            + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    };
    let rows = [[s[0], s[1], s[2]], [s[1], s[2], s[3]], [s[2], s[3], s[4]]];
    let all = det(rows);
    if s[0] < 6.0 || all.abs() < 1e-6 {
        return None;
    }
    // Cramer's rule.
    let part = |column: usize| {
        let mut with = rows;
        with.iter_mut().zip(t).for_each(|(row, t)| row[column] = t);
        det(with) / all
    };
    let (a, b, c) = (part(0), part(1), part(2));
    let rest = points.map(|(x, y)| (y - a - b * x - c * x * x).powi(2));
    Some((a, b, rest.sum::<f64>() / s[0]))
}

/// A straight line through points.
struct Fit {
    mean: Point,
    /// The line's direction, of length 1.
    axis: Point,
    /// How far the points spread along it and across, squared.
    along: f64,
    across: f64,
}

impl Fit {
    /// Across the line, to the side of `to`.
    fn normal(&self, to: Point) -> Point {
        let normal = (-self.axis.1, self.axis.0);
        match dot(normal, to) < 0.0 {
            true => (-normal.0, -normal.1),
            false => normal,
        }
    }
}

/// The line through the crossings whose brighter side is as `of` asks, relative to `at`.
fn fit(at: Point, crossings: &[Crossing], of: impl Fn(Point) -> bool) -> Option<Fit> {
    let points = || {
        let own = crossings.iter().filter(|c| of(c.1));
        own.map(|c| (c.0.0 - at.0, c.0.1 - at.1))
    };
    let count = points().count();
    if count < 3 {
        return None;
    }
    let all = count as f64;
    let sum = points().fold((0.0, 0.0), |s, p| (s.0 + p.0, s.1 + p.1));
    let mean = (sum.0 / all, sum.1 / all);
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for p in points() {
        let (dx, dy) = (p.0 - mean.0, p.1 - mean.1);
        xx += dx * dx / all;
        xy += dx * dy / all;
        yy += dy * dy / all;
    }
    let half = 0.5 * (xx - yy);
    let root = length((half, xy));
    let (along, across) = (0.5 * (xx + yy) + root, 0.5 * (xx + yy) - root);
    let axis = match xy.abs() > 1e-9 {
        true => (along - yy, xy),
        false if xx >= yy => (1.0, 0.0),
        false => (0.0, 1.0),
    };
    let norm = length(axis);
    Some(Fit {
        mean,
        axis: (axis.0 / norm, axis.1 / norm),
        along,
        across,
    })
}
