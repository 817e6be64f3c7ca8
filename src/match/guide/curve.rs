//! Polylines: points at equal steps, smooth, and which way they go.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::memory;

pub type Point = [f32; 2];

const WHAT: &str = "the guide's courses";

pub fn minus(a: Point, b: Point) -> Point {
    [a[0] - b[0], a[1] - b[1]]
}

/// The point `by` times `direction` further on.
pub fn ahead(from: Point, direction: Point, by: f32) -> Point {
    [from[0] + by * direction[0], from[1] + by * direction[1]]
}

pub fn dot(a: Point, b: Point) -> f32 {
    a[0] * b[0] + a[1] * b[1]
}

pub fn length(a: Point) -> f32 {
    dot(a, a).sqrt()
}

/// Of length 1, or along x where there is no direction.
pub fn unit(a: Point) -> Point {
    let n = length(a);
    match n > 1e-6 {
        true => [a[0] / n, a[1] / n],
        false => [1.0, 0.0],
    }
}

/// To the right of `direction`, in a picture whose y goes down.
pub fn normal(direction: Point) -> Point {
    [-direction[1], direction[0]]
}

/// Points of the polyline one apart, at most `most` of them, each `by` times as far from the origin.
pub fn resampled(points: &[Point], by: f32, most: usize) -> Result<Vec<Point>> {
    let mut out: Vec<Point> = Vec::new();
    let Some(first) = points.first() else {
        return Ok(out);
    };
    let mut last = first.map(|v| v * by);
    memory::push(&mut out, last, WHAT)?;
    // How far it is from `last` to the next one.
    let mut left = 1.0;
    for point in &points[1..] {
        let to = point.map(|v| v * by);
        loop {
            let rest = length(minus(to, last));
            if rest < left {
                left -= rest;
                last = to;
                break;
            }
            if out.len() >= most {
                return Ok(out);
            }
            last = ahead(last, unit(minus(to, last)), left);
            memory::push(&mut out, last, WHAT)?;
            left = 1.0;
        }
    }
    if left < 0.5 && out.len() < most {
        memory::push(&mut out, last, WHAT)?;
    }
    Ok(out)
}

/// Smoothed along by a bell of this deviation, in points. Ends stay where they are, but on a closed line.
pub fn smoothed(points: &[Point], deviation: f32, closed: bool) -> Result<Vec<Point>> {
    let n = points.len() as isize;
    let reach = (2.5 * deviation).ceil() as isize;
    let mut weights = memory::with_capacity(2 * reach as usize + 1, WHAT)?;
    for i in -reach..=reach {
        let t = i as f32 / deviation;
        weights.push(libm::expf(-0.5 * t * t));
    }
    let sum: f32 = weights.iter().sum();
    let at = |i: isize| -> Point {
        if closed {
            return points[i.rem_euclid(n) as usize];
        }
        // Beyond an end as before it, turned round.
        let (inner, end) = match i {
            i if i < 0 => (-i, Some(0)),
            i if i >= n => (2 * (n - 1) - i, Some(n - 1)),
            i => (i, None),
        };
        let inner = points[inner.clamp(0, n - 1) as usize];
        match end {
            None => inner,
            Some(end) => minus(points[end as usize].map(|v| 2.0 * v), inner),
        }
    };
    let mut out = memory::with_capacity(points.len(), WHAT)?;
    for i in 0..n {
        let mut mean = [0.0f32; 2];
        for (k, weight) in weights.iter().enumerate() {
            mean = ahead(mean, at(i + k as isize - reach), weight / sum);
        }
        out.push(mean);
    }
    Ok(out)
}

/// Which way the polyline goes at its `i`-th point, seen over `reach` points on either side.
pub fn tangent(points: &[Point], i: usize, reach: usize) -> Point {
    let (a, b) = (i.saturating_sub(reach), (i + reach).min(points.len() - 1));
    unit(minus(points[b], points[a]))
}
