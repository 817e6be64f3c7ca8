//! Branches joined to paths: straight through crossings, and on from where a stroke's middle runs astray.
#![forbid(unsafe_code)]

use super::curve::{Point, ahead, minus, resampled, smoothed, unit};
use super::thin::Thinned;
use super::trace::{Branch, Crossing, POINTS, Path, WHAT, centre};
use crate::error::Result;
use crate::memory;
use crate::progress::Cancel;

/// A path of fewer pixels is a speck.
const SPECK: f32 = 5.0;
/// Branches go on in each other at a crossing where their directions away from it have no more than this product.
const STRAIGHT: f32 = -0.5;
/// Most branches that are looked at where they meet.
const MEETING: usize = 12;
/// Pixels over which a branch's direction is seen.
const SEEN: usize = 12;

/// One end of a branch: its number, and 0 for where its pixels begin, 1 for where they end.
type End = (usize, usize);

fn middle(crossing: &Crossing) -> Point {
    crossing.sum.map(|s| s / crossing.count)
}

/// For each branch and end, the branch and end in which it goes on straight.
pub fn joined(
    thin: &Thinned,
    branches: &[Branch],
    crossings: &[Crossing],
) -> Result<Vec<[Option<End>; 2]>> {
    let mut met: Vec<Vec<(End, Point)>> = memory::filled(crossings.len(), Vec::new(), WHAT)?;
    for (b, branch) in branches.iter().enumerate() {
        for (end, crossing) in branch.ends.iter().enumerate() {
            let Some(c) = *crossing else { continue };
            let n = branch.pixels.len();
            let seen = (SEEN.max(usize::from(crossings[c].depth) * 2)).min(n) - 1;
            let there = branch.pixels[if end == 0 { seen } else { n - 1 - seen }];
            let away = unit(minus(centre(&thin.lines, there), middle(&crossings[c])));
            if met[c].len() < MEETING {
                memory::push(&mut met[c], ((b, end), away), WHAT)?;
            }
        }
    }
    let mut joined = memory::filled(branches.len(), [None; 2], WHAT)?;
    for mut open in met {
        while open.len() > 1 {
            // The straightest pair; two are one line, whichever way it turns.
            let mut best = (if open.len() == 2 { 0.5 } else { STRAIGHT }, None);
            for i in 0..open.len() {
                for j in i + 1..open.len() {
                    let turn = open[i].1[0] * open[j].1[0] + open[i].1[1] * open[j].1[1];
                    if turn < best.0 {
                        best = (turn, Some((i, j)));
                    }
                }
            }
            let Some((i, j)) = best.1 else { break };
            let ((b, _), (a, _)) = (open.swap_remove(j), open.swap_remove(i));
            joined[a.0][a.1] = Some(b);
            joined[b.0][b.1] = Some(a);
        }
    }
    Ok(joined)
}

/// Lets the last end go on as the line does before it: there the middle of a stroke runs to one of its corners.
fn straighten(points: &mut [Point], radius: f32) {
    let n = points.len();
    let off = (1.5 * radius + 2.0) as usize;
    let seen = (8.0 + 2.0 * radius) as usize;
    if n < 2 * off + seen {
        return;
    }
    let last = n - 1 - off;
    let (from, before) = (points[last], points[last - seen]);
    let direction = unit(minus(from, before));
    for (t, point) in points[last..].iter_mut().enumerate() {
        *point = ahead(from, direction, t as f32);
    }
}

/// The paths along joined branches.
pub fn chained(
    thin: &Thinned,
    branches: &[Branch],
    crossings: &[Crossing],
    joined: &[[Option<End>; 2]],
    cancel: &Cancel,
) -> Result<Vec<Path>> {
    let mut done = memory::filled(branches.len(), false, WHAT)?;
    let mut paths = Vec::new();
    for round in 0..2 {
        for first in 0..branches.len() {
            let begins = (0..2).find(|e| joined[first][*e].is_none());
            if done[first] || round == 0 && begins.is_none() {
                continue;
            }
            cancel.check()?;
            let start = begins.unwrap_or(0);
            let (mut points, mut depth) = (Vec::new(), 0u64);
            let (mut at, mut closed) = ((first, start), branches[first].closed);
            let pixels_of = loop {
                let (b, end) = at;
                done[b] = true;
                let branch = &branches[b];
                if let Some(c) = branch.ends[end] {
                    memory::push(&mut points, middle(&crossings[c]), WHAT)?;
                }
                let n = branch.pixels.len();
                for k in 0..n {
                    let i = branch.pixels[if end == 0 { k } else { n - 1 - k }];
                    depth += u64::from(thin.depth.data[i]);
                    memory::push(&mut points, centre(&thin.lines, i), WHAT)?;
                }
                match joined[b][1 - end] {
                    Some(next) if !done[next.0] => at = next,
                    next => {
                        closed |= next.is_some();
                        break branch.ends[1 - end];
                    }
                }
            };
            if let Some(c) = pixels_of {
                memory::push(&mut points, middle(&crossings[c]), WHAT)?;
            }
            let radius = (depth as f32 / points.len() as f32 - 0.5).max(0.5);
            if points.len() as f32 <= SPECK.max(1.5 * radius) {
                continue;
            }
            let deviation = (1.5 + 0.5 * radius).min(8.0);
            let even = resampled(&points, 1.0, POINTS)?;
            let mut points = resampled(&smoothed(&even, deviation, closed)?, 1.0, POINTS)?;
            if !closed {
                for _ in 0..2 {
                    straighten(&mut points, radius);
                    // The other end, and back.
                    points.reverse();
                }
            }
            let path = Path {
                points,
                radius,
                closed,
            };
            memory::push(&mut paths, path, WHAT)?;
        }
    }
    Ok(paths)
}
