//! Points of edges vote for the lines through them.
//!
//! Source: Duda, Hart, "Use of the Hough Transformation to Detect Lines and Curves in Pictures", CACM 1972.
#![forbid(unsafe_code)]

use super::{Line, Point, VOTES, is_on};
use crate::error::Result;
use crate::r#match::complete::hole_bounds;
use crate::r#match::level::Level;
use crate::memory;

/// Directions that are told apart, over a whole turn (a line has a brighter side), and how many on either side an
/// edge point votes for.
const DIRECTIONS: usize = 360;
const SPREAD: usize = 3;

/// The votes of points for the lines through them.
pub struct Votes {
    /// In rows of directions, `width` offsets from the middle of the hole.
    cells: Vec<f32>,
    width: usize,
    middle: [f32; 2],
    turns: Vec<[f32; 2]>,
}

impl Votes {
    pub fn of(points: &[Point], level: &Level, reach: usize) -> Result<Self> {
        let bounds = hole_bounds(&level.hole);
        let (w, h) = (bounds.width as f32, bounds.height as f32);
        let radius = (0.5 * (w * w + h * h).sqrt() + 1.5 * reach as f32).ceil() as usize + 2;
        let width = 2 * radius + 1;
        let mut votes = Self {
            cells: memory::filled(DIRECTIONS * width, 0.0f32, "the votes for lines")?,
            width,
            middle: [bounds.x as f32 + 0.5 * w, bounds.y as f32 + 0.5 * h],
            turns: (0..DIRECTIONS).map(direction).collect(),
        };
        for point in points {
            votes.add(point, 1.0);
        }
        Ok(votes)
    }

    /// Adds a point's votes, or with −1 takes them back.
    fn add(&mut self, point: &Point, sign: f32) {
        let angle = libm::atan2f(point.normal[1], point.normal[0]) / std::f32::consts::TAU;
        let own = (angle * DIRECTIONS as f32).round() as i32;
        let at = [0, 1].map(|i| point.at[i] - self.middle[i]);
        for turn in own - SPREAD as i32..=own + SPREAD as i32 {
            let k = turn.rem_euclid(DIRECTIONS as i32) as usize;
            let product = at[0] * self.turns[k][0] + at[1] * self.turns[k][1];
            let place = product + (self.width / 2) as f32;
            // Whose line does not come near the hole has no vote.
            if place < 0.0 || place >= (self.width - 1) as f32 {
                continue;
            }
            let (low, part) = (place.floor(), place.fract());
            let i = k * self.width + low as usize;
            self.cells[i] += sign * point.weight * (1.0 - part);
            self.cells[i + 1] += sign * point.weight * part;
        }
    }

    /// Takes the votes of the points on a line back, and the points away.
    pub fn withdraw(&mut self, points: &mut Vec<Point>, line: &Line) {
        points.retain(|p| {
            let on = is_on(p, line, 2.0);
            if on {
                self.add(p, -1.0);
            }
            !on
        });
    }

    /// Makes sure that a line is not found again, whoever votes for it.
    pub fn dismiss(&mut self, line: &Line) {
        let (k, i) = self.place(line);
        for i in i.saturating_sub(1)..=(i + 1).min(self.width - 1) {
            self.cells[k * self.width + i] = f32::NEG_INFINITY;
        }
    }

    /// The cell of a line that was found here.
    fn place(&self, line: &Line) -> (usize, usize) {
        let like = |t: &[f32; 2]| t[0] * line.normal[0] + t[1] * line.normal[1];
        let turns = self.turns.iter().enumerate();
        let nearest = turns.max_by(|a, b| like(a.1).total_cmp(&like(b.1)));
        let own = line.offset - self.middle[0] * line.normal[0] - self.middle[1] * line.normal[1];
        let i = (own.round() + (self.width / 2) as f32).max(0.0) as usize;
        (nearest.map_or(0, |n| n.0), i.min(self.width - 1))
    }

    /// The line with most votes.
    pub fn strongest(&self) -> Option<Line> {
        let mut best = (VOTES, None);
        for (k, row) in self.cells.chunks(self.width).enumerate() {
            for (i, near) in row.windows(3).enumerate() {
                let sum = near[1] + 0.5 * (near[0] + near[2]);
                if sum > best.0 {
                    best = (sum, Some((k, i + 1)));
                }
            }
        }
        best.1.map(|(k, i)| {
            let normal = self.turns[k];
            let middle = self.middle[0] * normal[0] + self.middle[1] * normal[1];
            Line::through(normal, middle + i as f32 - (self.width / 2) as f32)
        })
    }
}

/// The `k`-th direction of a turn.
fn direction(k: usize) -> [f32; 2] {
    let angle = k as f32 * (std::f32::consts::TAU / DIRECTIONS as f32);
    [libm::cosf(angle), libm::sinf(angle)]
}
