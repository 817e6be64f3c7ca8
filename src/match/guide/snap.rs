//! Courses moved to the edges that they were painted for.
//!
//! Beside what is known of a course, a chain of shifts across it is sought that lies on edges, all with the same
//! side brighter, and bends little. In between, in the hole, the shift goes from the one end's to the other's.
#![forbid(unsafe_code)]

use super::course::{Course, value};
use super::curve::{Point, ahead, normal, resampled, smoothed, tangent};
use super::trace::POINTS;
use crate::error::Result;
use crate::memory;
use crate::pixels::{Plane, RgbImage};

/// Shifts are looked at up to `STEPS` times `STEP` pixels to either side.
const STEPS: usize = 16;
const STEP: f32 = 0.5;
const SHIFTS: usize = 2 * STEPS + 1;
/// Pixels from one place to the next that shifts are sought for, and how far from the hole along the course.
const APART: usize = 2;
const REACH: usize = 64;
/// Places on either side over which the edge is seen.
const WINDOW: usize = 3;
/// The most that the shift changes from place to place, in steps.
const TURN: usize = 2;
/// What a squared pixel of change costs, from place to place and through the hole, and one of shift, as shares of
/// the strongest edge.
const BENT: f32 = 0.1;
const ACROSS: f32 = 0.004;
const OFF: f32 = 0.004;
/// An edge has this gradient at least, of 1.0 over two pixels, and is so much stronger than what is beside it.
const LEAST: f32 = 5.0 / 255.0;
const CLEAR: f32 = 1.6;
const WHAT: &str = "the guide's edges";

type Row<T> = [T; SHIFTS];

/// A place on the course that something is known beside.
struct Place {
    at: usize,
    /// Whether it begins a stretch: it does not lie next to the one before.
    first: bool,
    /// The change of colour across the course at each shift.
    edge: Row<[f32; 3]>,
}

/// The course on its edges.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn snapped(course: Course, image: &RgbImage, hole: &Plane<u8>) -> Result<Course> {
    let points = &course.points;
    let places = places(points, image, hole)?;
    let mut shifts = chain(&places)?;
    dismiss(&places, &mut shifts);
    if shifts.iter().all(|s| *s == 0.0) {
        return Ok(course);
    }
    let mut moved = memory::with_capacity(points.len(), WHAT)?;
    let mut next = 0;
    for (i, p) in points.iter().enumerate() {
        while next < places.len() && places[next].at < i {
            next += 1;
        }
        let after = next.min(places.len() - 1);
        let before = next.saturating_sub(1);
        let (a, b) = (places[before].at, places[after].at);
        let share = match a < b {
            true => ((i as f32 - a as f32) / (b - a) as f32).clamp(0.0, 1.0),
            false => 0.0,
        };
        let by = shifts[before] + share * (shifts[after] - shifts[before]);
        moved.push(ahead(*p, normal(tangent(points, i, 4)), by));
    }
    let even = resampled(&smoothed(&moved, 2.5, course.closed)?, 1.0, POINTS)?;
    Ok(Course {
        points: even,
        ..course
    })
}

/// The places near the hole where something is known beside the course.
fn places(points: &[Point], image: &RgbImage, hole: &Plane<u8>) -> Result<Vec<Place>> {
    let mut near = memory::filled(points.len(), false, WHAT)?;
    for (i, p) in points.iter().enumerate() {
        if value(hole, *p) == Some(1) {
            // Only where the hole begins or ends is there more to mark.
            let inner = [i.wrapping_sub(1), i + 1]
                .iter()
                .all(|k| points.get(*k).is_none_or(|p| value(hole, *p) == Some(1)));
            let reach = if inner { 0 } else { REACH };
            near[i.saturating_sub(reach)..(i + reach + 1).min(points.len())].fill(true);
        }
    }
    let mut found: Vec<Place> = Vec::new();
    for at in (0..points.len()).step_by(APART).filter(|i| near[*i]) {
        if value(hole, points[at]) != Some(0) {
            continue;
        }
        let across = normal(tangent(points, at, 6));
        let mut edge = [[f32::NAN; 3]; SHIFTS];
        for (k, edge) in edge.iter_mut().enumerate() {
            let by = shift(k);
            let a = colour(image, hole, ahead(points[at], across, by + 1.0));
            let b = colour(image, hole, ahead(points[at], across, by - 1.0));
            if let (Some(a), Some(b)) = (a, b) {
                *edge = [0, 1, 2].map(|c| a[c] - b[c]);
            }
        }
        let first = found.last().is_none_or(|p| at - p.at > APART);
        memory::push(&mut found, Place { at, first, edge }, WHAT)?;
    }
    averaged(found)
}

fn shift(k: usize) -> f32 {
    (k as f32 - STEPS as f32) * STEP
}

/// The known colour at a point, between pixels.
fn colour(image: &RgbImage, hole: &Plane<u8>, [x, y]: Point) -> Option<[f32; 3]> {
    let (x, y) = (x - 0.5, y - 0.5);
    if x < 0.0 || y < 0.0 {
        return None;
    }
    let (x0, y0) = (x as usize, y as usize);
    if x0 + 1 >= hole.width || y0 + 1 >= hole.height {
        return None;
    }
    let (fx, fy) = (x.fract(), y.fract());
    let mut sum = [0.0; 3];
    for (dy, wy) in [1.0 - fy, fy].into_iter().enumerate() {
        for (dx, wx) in [1.0 - fx, fx].into_iter().enumerate() {
            if hole.row(y0 + dy)[x0 + dx] != 0 {
                return None;
            }
            let p = &image.row(y0 + dy)[(x0 + dx) * 3..][..3];
            sum = [0, 1, 2].map(|c| sum[c] + wx * wy * p[c]);
        }
    }
    Some(sum)
}

/// Each place's edge as the mean over those around it on its stretch, none where little is known.
fn averaged(places: Vec<Place>) -> Result<Vec<Place>> {
    let mut out = memory::with_capacity(places.len(), WHAT)?;
    for (i, place) in places.iter().enumerate() {
        let mut from = i;
        while from > i.saturating_sub(WINDOW) && !places[from].first {
            from -= 1;
        }
        let mut to = i + 1;
        while to < places.len() && to <= i + WINDOW && !places[to].first {
            to += 1;
        }
        let mut edge = [[0.0; 3]; SHIFTS];
        for (k, mean) in edge.iter_mut().enumerate() {
            let known = places[from..to].iter().filter(|p| !p.edge[k][0].is_nan());
            let count = known.clone().count();
            if count > WINDOW {
                for p in known {
                    *mean = [0, 1, 2].map(|c| mean[c] + p.edge[k][c] / count as f32);
                }
            }
        }
        out.push(Place {
            at: place.at,
            first: place.first,
            edge,
        });
    }
    Ok(out)
}

fn size(edge: [f32; 3]) -> f32 {
    edge.iter().map(|v| v * v).sum::<f32>().sqrt()
}

/// The best chain of shifts, in pixels.
fn chain(places: &[Place]) -> Result<Vec<f32>> {
    let sizes = places.iter().flat_map(|p| p.edge.map(size));
    let scale = sizes.fold(0.0f32, f32::max);
    if places.is_empty() || scale <= 0.0 {
        return memory::filled(places.len(), 0.0, WHAT);
    }
    let mut from: Vec<Row<u8>> = memory::with_capacity(places.len(), WHAT)?;
    let own = |k: usize| -OFF * scale * shift(k) * shift(k);
    let mut sums: Row<f32> = std::array::from_fn(own);
    from.push([0; SHIFTS]);
    for pair in places.windows(2) {
        let (a, b) = (&pair[0], &pair[1]);
        let (turn, cost) = match b.first {
            true => (SHIFTS, ACROSS),
            false => (TURN, BENT),
        };
        let (mut next, mut best) = ([f32::NEG_INFINITY; SHIFTS], [0u8; SHIFTS]);
        for k in 0..SHIFTS {
            for j in k.saturating_sub(turn)..(k + turn + 1).min(SHIFTS) {
                // Two edges with the same side brighter, as strong as both together.
                let product: f32 = (0..3).map(|c| a.edge[j][c] * b.edge[k][c]).sum();
                let by = shift(k) - shift(j);
                let sum = sums[j] + product.max(0.0).sqrt() - cost * scale * by * by + own(k);
                if sum > next[k] {
                    next[k] = sum;
                    best[k] = j as u8;
                }
            }
        }
        sums = next;
        from.push(best);
    }
    let mut k = (0..SHIFTS).fold(STEPS, |a, b| if sums[b] > sums[a] { b } else { a });
    let mut shifts = memory::filled(places.len(), 0.0, WHAT)?;
    for i in (0..places.len()).rev() {
        shifts[i] = shift(k);
        k = usize::from(from[i][k]);
    }
    Ok(shifts)
}

/// Takes the shifts of stretches back on which no clear edge was found.
fn dismiss(places: &[Place], shifts: &mut [f32]) {
    let mut start = 0;
    while start < places.len() {
        let more = places[start + 1..].iter().position(|p| p.first);
        let end = more.map_or(places.len(), |n| start + 1 + n);
        let (mut on, mut all) = (0.0, 0.0);
        for (place, by) in places[start..end].iter().zip(&shifts[start..end]) {
            let k = (by / STEP + STEPS as f32).round() as usize;
            on += size(place.edge[k]);
            all += place.edge.iter().map(|e| size(*e)).sum::<f32>() / SHIFTS as f32;
        }
        let mean = on / (end - start) as f32;
        if mean < LEAST || on < CLEAR * all {
            shifts[start..end].fill(0.0);
        }
        start = end;
    }
}
