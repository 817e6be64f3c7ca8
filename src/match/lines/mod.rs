//! Straight edges that enter the hole on one side and leave it on another.
//!
//! Edge points near the hole vote for the lines through them (Duda, Hart, "Use of the Hough Transformation to
//! Detect Lines and Curves in Pictures", CACM 1972). A line counts if it has edge points right before the hole and
//! right behind it, and looks the same on both sides: then it is taken to go on in between.
#![forbid(unsafe_code)]

mod joined;
mod moves;
mod points;
mod votes;

use self::joined::joined;
use self::moves::moves;
use self::points::edge_points;
use self::votes::Votes;
use super::complete::hole_bounds;
use super::level::Level;
use crate::error::Result;
use crate::pixels::Plane;
use crate::progress::Cancel;

/// Edges are looked for on the finest level whose hole is no wider and no higher than this.
const LARGEST: usize = 320;
/// How far from the hole edge points are taken, as a share of the hole's longer side, and the bounds of that in
/// texels.
const SHARE: f32 = 0.35;
const REACH: (usize, usize) = (14, 44);
/// Lines in all, and votes without which there is none.
const MOST: usize = 24;
const VOTES: f32 = 10.0;
/// Candidates that are looked at.
const LOOKS: usize = 60;
/// How far an edge point may lie from its line, in texels, and what cosine it may be turned by.
const NEAR: f32 = 1.5;
const TURN: f32 = 0.97;
/// The part of a line before and behind the hole that is looked at, in texels.
const SUPPORT: f32 = 14.0;
/// How far the profile across a line reaches, in texels.
const ACROSS: i32 = 4;

/// A straight edge through the hole. Points are in pixels of the crop; a pixel's centre lies at a half.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// The unit normal: points of the line have the same product with it.
    pub normal: [f32; 2],
    /// That product.
    pub offset: f32,
    /// Where it enters and leaves the hole, as products with the direction.
    pub span: (f32, f32),
    /// How far along the line each half's pixels are to be taken from, where that goes well with what is known;
    /// else 0.
    pub moves: [f32; 2],
}

impl Line {
    /// The unit direction.
    pub fn direction(&self) -> [f32; 2] {
        [-self.normal[1], self.normal[0]]
    }

    /// One of which only normal and offset are known.
    fn through(normal: [f32; 2], offset: f32) -> Self {
        Self {
            normal,
            offset,
            span: (0.0, 0.0),
            moves: [0.0; 2],
        }
    }

    /// The same, where a length counts `by` times as much.
    pub fn scaled(&self, by: f32) -> Self {
        Self {
            normal: self.normal,
            offset: self.offset * by,
            span: (self.span.0 * by, self.span.1 * by),
            moves: self.moves.map(|m| m * by),
        }
    }

    /// The offset in whole texels that comes nearest to `t` along the line.
    #[inline(always)]
    pub fn step(&self, t: f32) -> (i32, i32) {
        let [dx, dy] = self.direction();
        ((dx * t).round() as i32, (dy * t).round() as i32)
    }

    /// The point at `t`.
    fn at(&self, t: f32) -> [f32; 2] {
        let [nx, ny] = self.normal;
        [nx * self.offset - ny * t, ny * self.offset + nx * t]
    }

    /// The distance of a point, and where along the line it lies.
    pub fn place(&self, [x, y]: [f32; 2]) -> (f32, f32) {
        let [nx, ny] = self.normal;
        (x * nx + y * ny - self.offset, y * nx - x * ny)
    }
}

/// A point of an edge, on the level that was looked at.
#[derive(Clone, Copy)]
struct Point {
    at: [f32; 2],
    /// Across the edge.
    normal: [f32; 2],
    weight: f32,
}

/// The lines through the hole of `levels`, finest first, strongest first.
///
/// # Errors
/// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
pub fn lines(levels: &[Level], cancel: &Cancel) -> Result<Vec<Line>> {
    let fits = |level: &Level| {
        let (w, h) = extent(&level.hole);
        w.max(h) <= LARGEST
    };
    let Some(number) = levels.iter().position(fits) else {
        return Ok(Vec::new());
    };
    let level = &levels[number];
    let (w, h) = extent(&level.hole);
    let reach = ((w.max(h) as f32 * SHARE) as usize).clamp(REACH.0, REACH.1);
    let mut points = edge_points(level, reach, cancel)?;
    let scale = (1u32 << number) as f32;
    let mut votes = Votes::of(&points, level, reach)?;
    let mut found = Vec::new();
    for _ in 0..LOOKS {
        cancel.check()?;
        if found.len() >= MOST {
            break;
        }
        let Some(guess) = votes.strongest() else {
            break;
        };
        if let Some(line) = fitted(&points, guess) {
            for span in joined(level, &points, &line, reach) {
                let moves = moves(level, &line, span).unwrap_or_default();
                found.push(
                    Line {
                        span,
                        moves,
                        ..line
                    }
                    .scaled(scale),
                );
            }
            votes.withdraw(&mut points, &line);
        }
        votes.withdraw(&mut points, &guess);
        votes.dismiss(&guess);
    }
    Ok(found)
}

/// Width and height of the box around the hole.
fn extent(hole: &Plane<u8>) -> (usize, usize) {
    let bounds = hole_bounds(hole);
    (bounds.width as usize, bounds.height as usize)
}

/// Whether a point lies on the line and its edge goes along it, with the same side brighter.
fn is_on(point: &Point, line: &Line, near: f32) -> bool {
    turn(point, line) >= TURN && line.place(point.at).0.abs() <= near
}

/// The cosine between two normals.
fn turn(point: &Point, line: &Line) -> f32 {
    point.normal[0] * line.normal[0] + point.normal[1] * line.normal[1]
}

fn is_hole(hole: &Plane<u8>, x: f32, y: f32) -> bool {
    x >= 0.0
        && y >= 0.0
        && (x as usize) < hole.width
        && (y as usize) < hole.height
        && hole.row(y as usize)[x as usize] != 0
}

/// The line through the points near `guess`: that of least squares, twice.
fn fitted(points: &[Point], guess: Line) -> Option<Line> {
    let mut line = guess;
    for near in [2.5, NEAR] {
        let (mut sum, mut mean) = (0.0f32, [0.0f32; 2]);
        let on = || points.iter().filter(move |p| is_on(p, &line, near));
        for p in on() {
            sum += p.weight;
            mean[0] += p.weight * p.at[0];
            mean[1] += p.weight * p.at[1];
        }
        if sum < VOTES * 0.5 {
            return None;
        }
        mean = mean.map(|m| m / sum);
        let mut moments = [0.0f32; 3];
        for p in on() {
            let (x, y) = (p.at[0] - mean[0], p.at[1] - mean[1]);
            moments[0] += p.weight * x * x;
            moments[1] += p.weight * x * y;
            moments[2] += p.weight * y * y;
        }
        // The direction that the points spread along most; the normal is across.
        let [xx, xy, yy] = moments;
        let angle = 0.5 * libm::atan2f(2.0 * xy, xx - yy);
        let mut normal = [-libm::sinf(angle), libm::cosf(angle)];
        if normal[0] * guess.normal[0] + normal[1] * guess.normal[1] < 0.0 {
            normal = normal.map(|n| -n);
        }
        line = Line::through(normal, normal[0] * mean[0] + normal[1] * mean[1]);
    }
    Some(line)
}
