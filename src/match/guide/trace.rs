//! Thinned strokes as paths: from end to end, through crossings, and round loops.
#![forbid(unsafe_code)]

use super::chain::{chained, joined};
use super::curve::Point;
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
pub const WHAT: &str = "the guide's lines";

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
pub struct Branch {
    pub pixels: Vec<usize>,
    pub ends: [Option<usize>; 2],
    pub closed: bool,
}

/// Where branches meet.
#[derive(Clone, Copy, Default)]
pub struct Crossing {
    pub sum: [f32; 2],
    pub count: f32,
    pub depth: u8,
}

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

pub fn centre(lines: &Plane<u8>, i: usize) -> Point {
    let w = lines.width;
    [(i % w) as f32 + 0.5, (i / w) as f32 + 0.5]
}
