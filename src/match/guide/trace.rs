//! Thinned strokes as paths: from end to end, through crossings, and round loops.
#![forbid(unsafe_code)]

use super::curve::{Point, ahead, minus, resampled, smoothed, unit};
use super::thin::{AROUND, Thinned, is_set, thinned};
use crate::error::Result;
use crate::memory;
use crate::pixels::Plane;
use crate::progress::Cancel;

/// Most paths, and points of one and of all: what more is painted says nothing.
pub const PATHS: usize = 64;
pub const POINTS: usize = 30_000;
const ALL_POINTS: usize = 150_000;
/// Most branches that are looked at.
const BRANCHES: usize = 20_000;
/// A path of fewer pixels is a speck.
const SPECK: f32 = 5.0;
/// Branches go on in each other at a crossing where their directions away from it have no more than this product.
const STRAIGHT: f32 = -0.5;
/// Most branches that are looked at where they meet.
const MEETING: usize = 12;
/// Pixels over which a branch's direction is seen.
const SEEN: usize = 12;
const WHAT: &str = "the guide's lines";

/// A painted line: points one pixel apart.
#[derive(Clone, Debug)]
pub struct Path {
    pub points: Vec<Point>,
    /// Half the pen's width.
    pub radius: f32,
    /// Whether the last point is next to the first.
    pub closed: bool,
}

/// Pixels between crossings or ends, in order, and the crossing at either end.
struct Branch {
    pixels: Vec<usize>,
    ends: [Option<usize>; 2],
    closed: bool,
}

/// Where branches meet.
#[derive(Clone, Copy, Default)]
struct Crossing {
    sum: [f32; 2],
    count: f32,
    depth: u8,
}

/// One end of a branch: its number, and 0 for where its pixels begin, 1 for where they end.
type End = (usize, usize);

/// The lines painted in `mask`, longest first.
///
/// # Errors
/// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
pub fn paths(mask: &Plane<u8>, cancel: &Cancel) -> Result<Vec<Path>> {
    let thin = thinned(mask, cancel)?;
    let (mut crossings, of) = crossings(&thin)?;
    cancel.check()?;
    let mut branches = branches(&thin, &of)?;
    cancel.check()?;
    merge(&mut branches, &mut crossings)?;
    // Where a broad stroke ends, its middle forks to the corners.
    branches.retain(|b| {
        let forks = match b.ends {
            [Some(c), None] | [None, Some(c)] => f32::from(crossings[c].depth) * 1.3 + 3.0,
            _ => 0.0,
        };
        b.pixels.len() as f32 > forks
    });
    let joined = joined(&thin, &branches, &crossings)?;
    let mut paths = chained(&thin, &branches, &crossings, &joined, cancel)?;
    paths.sort_by_key(|p| std::cmp::Reverse(p.points.len()));
    paths.truncate(PATHS);
    let mut all = 0;
    paths.retain(|p| {
        all += p.points.len();
        all <= ALL_POINTS
    });
    Ok(paths)
}

/// The line's neighbours of a pixel.
fn neighbours(lines: &Plane<u8>, i: usize) -> impl Iterator<Item = usize> + '_ {
    let w = lines.width;
    AROUND.iter().filter_map(move |(dx, dy)| {
        let (x, y) = (
            (i % w).wrapping_add_signed(*dx),
            (i / w).wrapping_add_signed(*dy),
        );
        is_set(lines, x, y).then_some(y * w + x)
    })
}

/// The crossings, and for each pixel the number of its crossing, from 1 on; 0: none.
fn crossings(thin: &Thinned) -> Result<(Vec<Crossing>, Vec<u32>)> {
    let lines = &thin.lines;
    let is_crossing = |i: usize| neighbours(lines, i).count() > 2;
    let mut of = memory::filled(lines.data.len(), 0u32, WHAT)?;
    let (mut found, mut open) = (Vec::new(), Vec::new());
    for i in 0..lines.data.len() {
        if lines.data[i] == 0 || of[i] != 0 || !is_crossing(i) {
            continue;
        }
        let mut crossing = Crossing::default();
        let number = found.len() as u32 + 1;
        of[i] = number;
        memory::push(&mut open, i, WHAT)?;
        while let Some(i) = open.pop() {
            let at = centre(lines, i);
            crossing.sum = [crossing.sum[0] + at[0], crossing.sum[1] + at[1]];
            crossing.count += 1.0;
            crossing.depth = crossing.depth.max(thin.depth.data[i]);
            for n in neighbours(lines, i) {
                if of[n] == 0 && is_crossing(n) {
                    of[n] = number;
                    memory::push(&mut open, n, WHAT)?;
                }
            }
        }
        memory::push(&mut found, crossing, WHAT)?;
    }
    Ok((found, of))
}

/// The branches between crossings and ends, and loops without either.
fn branches(thin: &Thinned, of: &[u32]) -> Result<Vec<Branch>> {
    let lines = &thin.lines;
    let mut done = memory::filled(lines.data.len(), false, WHAT)?;
    let mut found = Vec::new();
    let on = |i: usize| neighbours(lines, i).filter(|n| of[*n] == 0);
    for round in 0..2 {
        for start in 0..lines.data.len() {
            if lines.data[start] == 0 || of[start] != 0 || done[start] {
                continue;
            }
            // First those that begin somewhere; what is left then are loops.
            if round == 0 && on(start).count() > 1 {
                continue;
            }
            if found.len() >= BRANCHES {
                return Ok(found);
            }
            let mut pixels = Vec::new();
            let mut next = Some(start);
            while let Some(i) = next {
                done[i] = true;
                memory::push(&mut pixels, i, WHAT)?;
                next = on(i).find(|n| !done[*n]);
            }
            let met = |i: usize| neighbours(lines, i).map(|n| of[n]).filter(|c| *c != 0);
            let last = pixels[pixels.len() - 1];
            let first = met(start).next();
            // A single pixel may lie between two crossings.
            let second = match pixels.len() {
                1 => met(start).find(|c| Some(*c) != first),
                _ => met(last).next(),
            };
            let ends = [first, second].map(|c| c.map(|c| c as usize - 1));
            let branch = Branch {
                pixels,
                ends,
                closed: round == 1,
            };
            memory::push(&mut found, branch, WHAT)?;
        }
    }
    Ok(found)
}

/// Makes one of two crossings that are nearer each other than the strokes are broad: those meet at one place.
fn merge(branches: &mut Vec<Branch>, crossings: &mut [Crossing]) -> Result<()> {
    let mut into = memory::with_capacity(crossings.len(), WHAT)?;
    into.extend(0..crossings.len());
    let root = |into: &[usize], mut c: usize| {
        while into[c] != c {
            c = into[c];
        }
        c
    };
    branches.retain(|branch| {
        let [Some(a), Some(b)] = branch.ends else {
            return true;
        };
        let (a, b) = (root(&into, a), root(&into, b));
        let depth = f32::from(crossings[a].depth.max(crossings[b].depth));
        if a == b || branch.pixels.len() as f32 > 1.5 * depth {
            return true;
        }
        let other = crossings[b];
        let own = &mut crossings[a];
        own.sum = [own.sum[0] + other.sum[0], own.sum[1] + other.sum[1]];
        own.count += other.count;
        own.depth = own.depth.max(other.depth);
        into[b] = a;
        false
    });
    for end in branches.iter_mut().flat_map(|b| &mut b.ends) {
        *end = end.map(|c| root(&into, c));
    }
    Ok(())
}

fn centre(lines: &Plane<u8>, i: usize) -> Point {
    let w = lines.width;
    [(i % w) as f32 + 0.5, (i / w) as f32 + 0.5]
}

fn middle(crossing: &Crossing) -> Point {
    crossing.sum.map(|s| s / crossing.count)
}

/// For each branch and end, the branch and end in which it goes on straight.
fn joined(
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
fn chained(
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
