//! Which targets of a level lie on a line through the hole: their patches come from along it.
#![forbid(unsafe_code)]

use super::lines::Line;
use super::maps::Runs;
use crate::error::Result;
use crate::pixels::Plane;
use rayon::prelude::*;

/// How far from a line a target is held to it, in texels.
const BAND: f32 = 6.0;
/// How far before and behind the hole, likewise.
const BEYOND: f32 = 4.0;

/// The lines of a level.
#[derive(Clone)]
pub struct Along {
    /// For each target the number of the line that it lies on, from 1 on; 0: none.
    which: Plane<u8>,
    /// The lines, in texels of the level.
    lines: Vec<Line>,
}

impl Along {
    /// For level `number`, with these targets, those of them that are `free`. At most 255 of the lines are taken.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn new(
        lines: &[Line],
        number: usize,
        (width, height): (usize, usize),
        targets: &[Runs],
        free: impl Fn(usize, usize) -> bool + Sync,
    ) -> Result<Self> {
        let lines = &lines[..lines.len().min(usize::from(u8::MAX))];
        let scale = (1u64 << number) as f32;
        let mut which = Plane::filled(width, height, 0u8, "the lines through the hole")?;
        let rows = which.data.par_chunks_mut(width.max(1)).enumerate();
        rows.for_each(|(y, row)| {
            for &(start, end) in &targets[y] {
                for x in (usize::from(start)..usize::from(end)).filter(|x| free(*x, y)) {
                    let centre = [(x as f32 + 0.5) * scale, (y as f32 + 0.5) * scale];
                    let mut nearest = BAND * scale;
                    for (i, line) in lines.iter().enumerate() {
                        let (off, at) = line.place(centre);
                        let beyond = BEYOND * scale;
                        let inside = (line.span.0 - beyond..=line.span.1 + beyond).contains(&at);
                        if inside && off.abs() < nearest {
                            nearest = off.abs();
                            row[x] = i as u8 + 1;
                        }
                    }
                }
            }
        });
        Ok(Self {
            which,
            lines: lines.iter().map(|l| l.scaled(1.0 / scale)).collect(),
        })
    }

    /// The line that the target at (`x`, `y`) lies on.
    #[inline(always)]
    pub fn line(&self, x: usize, y: usize) -> Option<&Line> {
        match self.which.row(y)[x] {
            0 => None,
            n => Some(&self.lines[usize::from(n) - 1]),
        }
    }

    /// Where the patch of the target at (`x`, `y`) is first taken from, if it lies on a line.
    pub fn first(&self, x: usize, y: usize) -> Option<(i32, i32)> {
        let line = self.line(x, y)?;
        let (_, t) = line.place([x as f32 + 0.5, y as f32 + 0.5]);
        let half = t > 0.5 * (line.span.0 + line.span.1);
        let by = line.moves[usize::from(half)];
        if by == 0.0 {
            return None;
        }
        let (dx, dy) = line.step(by);
        Some((x as i32 + dx, y as i32 + dy))
    }
}
