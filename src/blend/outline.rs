//! The outline of a thing goes on through a hole: its ends at the rim are joined by smooth curves.
//!
//! Sources: Masnou, Morel, "Level Lines Based Disocclusion", ICIP 1998, for joining level lines by their
//! ends and directions; Kimia, Frankel, Popescu, "Euler Spiral for Shape Completion", IJCV 2003, for what
//! looks like a continuation.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::memory;
use crate::pixels::Plane;

/// Ends of outlines at a rim that are joined; more are no outline but a texture.
const MOST_ENDS: usize = 16;
/// Pixels around an end that its direction is taken from.
const REACH: f64 = 18.0;
/// Pixels around an end that tell where the hole is.
const INWARD: f64 = 3.0;
/// How far an outline may stray from a straight line there, in squared pixels, on the mean.
const ROUGH: f64 = 0.8;
/// A turn between two straight ends from which on they meet in a corner, as a cosine.
const CORNER: f64 = 0.6;
/// An outline is taken for bent where a parabola strays from it less than a straight line by this factor.
const BENT: f64 = 0.5;
/// Pieces of a curve.
const PIECES: usize = 48;
/// An edge wider than this, in pixels, is drawn as it is outside, a narrower one as a slope.
const SLOPE: f64 = 2.0;
/// Half of the widest edge.
const WIDEST: usize = 48;
/// How far back from an end its edge is looked at.
const BACK: usize = 10;
const WHAT: &str = "the outline through the hole";

type Point = (f64, f64);
/// Where an outline passes between two pixels, and towards which of them it is brighter.
type Crossing = (Point, Point);

/// Where an outline ends at the rim.
struct End {
    at: Point,
    /// Into the hole, of length 1.
    way: Point,
    /// Whether the brighter side is to the left of the way, y being down.
    left: bool,
    straight: bool,
}

/// The two values on the sides of an outline, and how wide the step between them is.
struct Sides {
    low: f32,
    high: f32,
    width: f64,
    /// Of a wide edge, the values from [`WIDEST`] pixels on the darker side to as many on the brighter.
    profile: Vec<f32>,
}

impl Sides {
    fn middle(&self) -> f32 {
        0.5 * (self.low + self.high)
    }

    /// The value so far on the brighter side of the outline.
    fn at(&self, far: f64) -> f32 {
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
    fn reach(&self) -> usize {
        match self.profile.is_empty() {
            true => (0.5 * self.width).ceil() as usize + 1,
            false => WIDEST + 1,
        }
    }
}

/// Fills `values` at `pixels`, a connected part of a hole, with two values that a smooth outline parts,
/// and says so; or leaves all as it is, where what is known around the part is no smooth outline between
/// two even sides. `known` is 1 where a value is known.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn outline(values: &mut Plane<f32>, known: &Plane<u8>, pixels: &[u32]) -> Result<bool> {
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

    /// The two values that nearly all of the rim has.
    fn sides(&self, rim: &[u32]) -> Option<Sides> {
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
    fn ends(&self, rim: &[u32], sides: &mut Sides) -> Result<Option<Vec<End>>> {
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
                let around = self.around(own.0, sides)?;
                let Some(end) = end(&own, &around) else {
                    return Ok(None);
                };
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

    /// What a wide edge is like across, the mean over the ends; `None` where it is wider than can be seen.
    fn profile(&self, ends: &[End], sides: &Sides) -> Result<Option<Vec<f32>>> {
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

    /// What is known near an end of an outline, on its own side of the hole.
    fn around(&self, at: Point, sides: &Sides) -> Result<Around> {
        let middle = sides.middle();
        let reach = REACH as usize + 1;
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
                if length((dx, dy)) > REACH || beyond {
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

/// What is known near an end of an outline.
struct Around {
    crossings: Vec<Crossing>,
    /// Pixels between the two sides.
    partial: usize,
}

/// The end of an outline where `own` is on the rim, with its direction.
fn end(own: &Crossing, around: &Around) -> Option<End> {
    let (at, bright) = *own;
    let chain = chain(own, &around.crossings);
    // First by those that lie as this one does, then by all of this outline's.
    let first = fit(at, &chain, |b| b == bright)?;
    let normal = first.normal(bright);
    let fit = fit(at, &chain, |b| dot(b, normal) > 1e-6)?;
    if fit.across > ROUGH || fit.across > 0.2 * fit.along {
        return None;
    }
    // Away from where it comes from.
    let back = dot(fit.axis, fit.mean) > 0.0;
    let along = match back {
        true => (-fit.axis.0, -fit.axis.1),
        false => fit.axis,
    };
    let own = |c: &&Crossing| dot(c.1, normal) > 1e-6;
    let across = (-along.1, along.0);
    // Where the outline bends its direction is that at its end.
    let bent = bend(at, along, chain.iter().filter(own));
    let bent = bent.filter(|(_, _, rest)| *rest < BENT * fit.across);
    let straight = bent.is_none();
    let (off, slope) = match bent {
        Some((off, slope, _)) => (off, slope),
        None => (dot(fit.mean, across), 0.0),
    };
    // No single step of a staircase tells where the outline is.
    let at = (at.0 + off * across.0, at.1 + off * across.1);
    let way = (along.0 + slope * across.0, along.1 + slope * across.1);
    let norm = length(way);
    let way = (way.0 / norm, way.1 / norm);
    let normal = fit.normal(normal);
    Some(End {
        at,
        way,
        left: way.0 * normal.1 - way.1 * normal.0 < 0.0,
        straight,
    })
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

fn dot(a: Point, b: Point) -> f64 {
    a.0 * b.0 + a.1 * b.1
}

fn length(a: Point) -> f64 {
    dot(a, a).sqrt()
}

/// Which ends belong together, the best pair first; one that is left over has none.
fn joined(ends: &[End]) -> Vec<(usize, Option<usize>)> {
    let far = |a: &End, b: &End| length((a.at.0 - b.at.0, a.at.1 - b.at.1));
    let each = ends
        .iter()
        .flat_map(|a| ends.iter().map(move |b| far(a, b)));
    let most = each.fold(1e-6, f64::max);
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for a in 0..ends.len() {
        for b in a + 1..ends.len() {
            if ends[a].left != ends[b].left {
                pairs.push((cost(&ends[a], &ends[b], most), a, b));
            }
        }
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let mut free = vec![true; ends.len()];
    let mut made: Vec<(usize, Option<usize>)> = Vec::new();
    for (_, a, b) in pairs {
        let crosses = made.iter().any(|(c, d)| {
            d.is_some_and(|d| crossing(ends[a].at, ends[b].at, ends[*c].at, ends[d].at))
        });
        if free[a] && free[b] && !crosses {
            (free[a], free[b]) = (false, false);
            made.push((a, Some(b)));
        }
    }
    let rest = (0..ends.len()).filter(|i| free[*i]);
    made.extend(rest.map(|i| (i, None)));
    made
}

/// What it takes to join two ends: how much the curve must turn above all, and its length, of the longest.
fn cost(a: &End, b: &End, most: f64) -> f64 {
    let (dx, dy) = (b.at.0 - a.at.0, b.at.1 - a.at.1);
    let chord = length((dx, dy)).max(1e-6);
    let turn = |way: Point, sign: f64| {
        let cos = sign * (way.0 * dx + way.1 * dy) / chord;
        cos.clamp(-1.0, 1.0).acos()
    };
    let (from, to) = (turn(a.way, 1.0), turn(b.way, -1.0));
    from * from + to * to + 0.5 * chord / most
}

/// A curve from one end to the other that leaves both as they come.
fn curve(a: &End, b: &End) -> Vec<Point> {
    let (dx, dy) = (b.at.0 - a.at.0, b.at.1 - a.at.1);
    let chord = length((dx, dy));
    let cross = a.way.0 * b.way.1 - a.way.1 * b.way.0;
    // The way out at b is against its way in.
    let turn = -(a.way.0 * b.way.0 + a.way.1 * b.way.1);
    if a.straight && b.straight && turn < CORNER && cross.abs() > 1e-6 {
        let s = (dx * b.way.1 - dy * b.way.0) / cross;
        let t = (dx * a.way.1 - dy * a.way.0) / cross;
        if (0.0..1.5 * chord).contains(&s) && (0.0..1.5 * chord).contains(&t) {
            let corner = (a.at.0 + s * a.way.0, a.at.1 + s * a.way.1);
            return vec![a.at, corner, b.at];
        }
    }
    // As long as makes an arc of a circle of two ends that turn alike.
    let reach = |way: Point, sign: f64| {
        let cos = (sign * (way.0 * dx + way.1 * dy) / chord.max(1e-6)).clamp(-1.0, 1.0);
        // The square of half the angle's cosine.
        chord / (0.5 * (1.0 + cos)).max(0.5)
    };
    let (from, to) = (reach(a.way, 1.0), reach(b.way, -1.0));
    let hermite = |t: f64| {
        let (t2, t3) = (t * t, t * t * t);
        let (p0, p1) = (2.0 * t3 - 3.0 * t2 + 1.0, 3.0 * t2 - 2.0 * t3);
        let (m0, m1) = (t3 - 2.0 * t2 + t, t3 - t2);
        let at = |p: f64, q: f64, m: f64, n: f64| p0 * p + p1 * q + from * m0 * m - to * m1 * n;
        (
            at(a.at.0, b.at.0, a.way.0, b.way.0),
            at(a.at.1, b.at.1, a.way.1, b.way.1),
        )
    };
    (0..=PIECES)
        .map(|i| hermite(i as f64 / PIECES as f64))
        .collect()
}

/// Straight on for `length`.
fn ray(end: &End, length: f64) -> Vec<Point> {
    let to = (end.at.0 + length * end.way.0, end.at.1 + length * end.way.1);
    vec![end.at, to]
}

/// Whether the stretches `a`–`b` and `c`–`d` cross.
fn crossing(a: Point, b: Point, c: Point, d: Point) -> bool {
    let side =
        |p: Point, q: Point, r: Point| (q.0 - p.0) * (r.1 - p.1) - (q.1 - p.1) * (r.0 - p.0) > 0.0;
    side(a, b, c) != side(a, b, d) && side(c, d, a) != side(c, d, b)
}

/// The distance of `p` from the stretch `a`–`b`.
fn distance(p: Point, a: Point, b: Point) -> f64 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let square = dx * dx + dy * dy;
    let along = (p.0 - a.0) * dx + (p.1 - a.1) * dy;
    let t = if square > 0.0 {
        (along / square).clamp(0.0, 1.0)
    } else {
        0.0
    };
    length((p.0 - a.0 - t * dx, p.1 - a.1 - t * dy))
}

/// Gives each pixel the value of the side that it lies on: from the rim inwards, never across a line.
fn draw(
    values: &mut Plane<f32>,
    pixels: &[u32],
    rim: &[u32],
    lines: &[Vec<Point>],
    sides: &Sides,
) -> Result<bool> {
    const OPEN: u8 = 1;
    const NEAR: u8 = 2;
    const SOFT: u8 = 4;
    let (w, h) = (values.width, values.height);
    let mut state = Plane::filled(w, h, 0u8, WHAT)?;
    for &i in pixels {
        state.data[i as usize] = OPEN;
    }
    mark(&mut state, lines, NEAR, 2);
    if sides.width > 0.0 {
        mark(&mut state, lines, SOFT, sides.reach());
    }
    let pieces = || lines.iter().flat_map(|line| line.windows(2));
    let parted = |a: usize, b: usize, near: bool| {
        let (p, q) = ((a % w) as f64, (a / w) as f64);
        let (r, s) = ((b % w) as f64, (b / w) as f64);
        near && pieces().any(|l| crossing((p, q), (r, s), l[0], l[1]))
    };
    let middle = sides.middle();
    let mut ring: Vec<u32> = Vec::new();
    for &i in rim {
        memory::push(&mut ring, i, WHAT)?;
    }
    let mut reached = Vec::new();
    let mut high = Plane::filled(w, h, 0u8, WHAT)?;
    for &i in rim {
        high.data[i as usize] = u8::from(values.data[i as usize] >= middle);
    }
    while !ring.is_empty() {
        let mut next = Vec::new();
        for &i in &ring {
            let i = i as usize;
            let (x, y) = (i % w, i / w);
            let sides = [
                (x > 0).then(|| i - 1),
                (x + 1 < w).then(|| i + 1),
                (y > 0).then(|| i - w),
                (y + 1 < h).then(|| i + w),
            ];
            for n in sides.into_iter().flatten() {
                let near = (state.data[i] | state.data[n]) & NEAR != 0;
                if state.data[n] & OPEN != 0 && !parted(i, n, near) {
                    state.data[n] &= !OPEN;
                    high.data[n] = high.data[i];
                    memory::push(&mut next, n as u32, WHAT)?;
                    memory::push(&mut reached, n as u32, WHAT)?;
                }
            }
        }
        ring = next;
    }
    // What the lines shut off from all of the rim is nobody's.
    if reached.len() != pixels.len() {
        return Ok(false);
    }
    for &i in pixels {
        let i = i as usize;
        let bright = high.data[i] != 0;
        let mut value = if bright { sides.high } else { sides.low };
        if state.data[i] & SOFT != 0 {
            let p = ((i % w) as f64, (i / w) as f64);
            let far = pieces()
                .map(|l| distance(p, l[0], l[1]))
                .fold(f64::INFINITY, f64::min);
            value = sides.at(if bright { far } else { -far });
        }
        values.data[i] = value;
    }
    Ok(true)
}

/// Marks the pixels no further than `reach` from a line.
fn mark(state: &mut Plane<u8>, lines: &[Vec<Point>], near: u8, reach: usize) {
    let reach = reach as i64;
    let (w, h) = (state.width as i64, state.height as i64);
    for piece in lines.iter().flat_map(|line| line.windows(2)) {
        let (a, b) = (piece[0], piece[1]);
        let steps = (length((b.0 - a.0, b.1 - a.1)).ceil() as i64).clamp(1, 4 * (w + h));
        for i in 0..=steps {
            let t = i as f64 / steps as f64;
            let x = (a.0 + t * (b.0 - a.0)).round() as i64;
            let y = (a.1 + t * (b.1 - a.1)).round() as i64;
            for ny in (y - reach).max(0)..=(y + reach).min(h - 1) {
                for nx in (x - reach).max(0)..=(x + reach).min(w - 1) {
                    state.row_mut(ny as usize)[nx as usize] |= near;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (usize, usize) = (96, 80);

    /// What comes of `truth` where `hole` is, and whether the outline was found. Values are means over
    /// a pixel, or those at its middle.
    fn drawn(
        truth: impl Fn(f64, f64) -> bool,
        smooth: bool,
        hole: impl Fn(usize, usize) -> bool,
    ) -> (Plane<f32>, Plane<f32>, Vec<u32>, bool) {
        let (w, h) = SIZE;
        let mut all = Plane::filled(w, h, 0.0f32, "").unwrap();
        let mut known = Plane::filled(w, h, 1u8, "").unwrap();
        let mut pixels = Vec::new();
        for y in 0..h {
            for x in 0..w {
                let parts = if smooth { 8 } else { 1 };
                let mut inside = 0;
                for i in 0..parts * parts {
                    let at = |i: usize| (i as f64 + 0.5) / parts as f64 - 0.5;
                    let (dx, dy) = (at(i % parts), at(i / parts));
                    inside += usize::from(truth(x as f64 + dx, y as f64 + dy));
                }
                all.row_mut(y)[x] = inside as f32 / (parts * parts) as f32;
                if hole(x, y) {
                    known.row_mut(y)[x] = 0;
                    pixels.push((y * w + x) as u32);
                }
            }
        }
        let mut values = all.clone();
        for i in &pixels {
            values.data[*i as usize] = 0.3;
        }
        let found = outline(&mut values, &known, &pixels).unwrap();
        (all, values, pixels, found)
    }

    /// Pixels of the hole that are off by half or more.
    fn wrong(all: &Plane<f32>, got: &Plane<f32>, pixels: &[u32]) -> usize {
        let off = |i: &&u32| (all.data[**i as usize] - got.data[**i as usize]).abs() >= 0.5;
        pixels.iter().filter(off).count()
    }

    fn square(x: usize, y: usize) -> bool {
        (30..66).contains(&x) && (22..58).contains(&y)
    }

    #[test]
    fn what_is_straight_goes_on_straight() {
        // Across the hole, along each of its sides, and where the picture ends.
        let beside = |x: usize, y: usize| (20..50).contains(&x) && (22..58).contains(&y);
        let below = |x: usize, y: usize| (30..66).contains(&x) && y >= 50;
        for (name, hole) in [
            ("across", &square as &dyn Fn(usize, usize) -> bool),
            ("beside", &beside),
            ("below", &below),
        ] {
            let (all, got, pixels, found) = drawn(|x, _| x < 49.5, false, hole);
            assert!(found, "{name}");
            assert_eq!(all, got, "{name}");
            let (all, got, _, found) = drawn(|x, _| x >= 49.5, false, hole);
            assert!(found && all == got, "{name}");
            for (slope, at) in [(0.4, 30.0), (-1.1, 95.0), (0.1, 45.0)] {
                for smooth in [false, true] {
                    let truth = |x: f64, y: f64| x < at + slope * y;
                    let (all, got, _, found) = drawn(truth, smooth, hole);
                    let off = wrong(&all, &got, &pixels);
                    // Of 36 rows.
                    assert!(!found || off <= 36, "{name} {slope} {smooth}: {off}");
                    assert!(found || hole(0, 0) || name != "across", "{name} {slope}");
                    let partial = |p: &Plane<f32>| {
                        let of = |i: &&u32| (0.01..0.99).contains(&p.data[**i as usize]);
                        pixels.iter().filter(of).count()
                    };
                    if found {
                        let (have, want) = (partial(&got), partial(&all));
                        assert!(have <= 2 * want + 4, "{name} {slope}: {have} of {want}");
                    }
                }
            }
        }
    }

    #[test]
    fn arcs_corners_and_lines_go_on() {
        type Truth = fn(f64, f64) -> bool;
        let cases: [(&str, Truth, usize); 4] = [
            ("disk", |x, y| length((x - 30.0, y - 40.0)) < 25.0, 40),
            ("corner", |x, y| x < 50.0 && y < 44.0, 40),
            ("line", |x, y| (0.3 * x - y + 25.0).abs() < 2.0, 40),
            (
                "two lines",
                |x, _| (x - 40.0).abs() < 3.0 || (x - 55.0).abs() < 4.0,
                8,
            ),
        ];
        for (name, truth, most) in cases {
            let (all, got, pixels, found) = drawn(truth, true, square);
            assert!(found, "{name}");
            let off = wrong(&all, &got, &pixels);
            assert!(off <= most, "{name}: {off} of {}", pixels.len());
        }
    }

    #[test]
    fn a_soft_edge_goes_on_as_soft() {
        let (w, h) = SIZE;
        let soft = |x: usize| 0.5 + 0.5 * ((48.0 - x as f32) / 6.0).tanh();
        let mut values = Plane::filled(w, h, 0.0f32, "").unwrap();
        let mut known = Plane::filled(w, h, 1u8, "").unwrap();
        let mut pixels = Vec::new();
        for y in 0..h {
            for x in 0..w {
                // As a file of 8 bits has it.
                values.row_mut(y)[x] = (255.0 * soft(x)).round() / 255.0;
                if (20..76).contains(&x) && (22..58).contains(&y) {
                    known.row_mut(y)[x] = 0;
                    values.row_mut(y)[x] = 0.3;
                    pixels.push((y * w + x) as u32);
                }
            }
        }
        assert!(outline(&mut values, &known, &pixels).unwrap());
        for i in pixels {
            let x = i as usize % w;
            let off = (values.data[i as usize] - soft(x)).abs();
            assert!(off < 0.01, "{x}: {off}");
        }
    }

    #[test]
    fn what_is_no_outline_is_left() {
        type Truth = fn(f64, f64) -> bool;
        let cases: [(&str, Truth); 3] = [
            ("even", |_, _| true),
            ("noise", |x, y| {
                ((x * 7.3).sin() * (y * 5.1).cos() * 43.7).fract() > 0.0
            }),
            ("teeth", |x, y| x < 48.0 + 4.0 * ((y / 6.0).fract() - 0.5)),
        ];
        for (name, truth) in cases {
            let (_, got, pixels, found) = drawn(truth, false, square);
            assert!(!found, "{name}");
            assert!(
                pixels.iter().all(|i| got.data[*i as usize] == 0.3),
                "{name}"
            );
        }
    }
}
