//! Without a network: the object is where one comes from the clicks, past weaker edges than from elsewhere.
//!
//! A watershed from seeds (the image foresting transform with the strongest edge on the way; Falcão, Stolfi,
//! Lotufo 2004): a path costs its strongest edge, and each pixel goes to the seed that reaches it at
//! the least cost, of equals to the nearer one. Where nothing is said of what is not the object, the pixels of
//! the picture's frame say it that lie behind strong edges, as seen from the clicks; in a box without a
//! click, those inside are the object that lie behind strong edges, as seen from around it.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::memory;
use crate::pixels::{Plane, Rect, RgbImage};
use std::collections::VecDeque;

/// The longer side that it works at.
pub const SIDE: u32 = 768;

const WHAT: &str = "the selection by colour and edges";
/// Edges, of 255, below which a picture has none.
const NOTHING: u8 = 6;
/// Of the strongest edge on the way to the frame, what counts as behind it.
const BEHIND: f32 = 0.6;
/// What an edge of one in lightness counts.
const SCALE: f32 = 255.0;

const OBJECT: u8 = 1;
const GROUND: u8 = 2;

/// Where a click is, in pixels of the small picture.
pub struct Seed {
    /// Column and row.
    pub at: (usize, usize),
    /// Whether the object is there.
    pub wanted: bool,
}

/// A small picture whose edges are known.
pub struct Plain {
    width: usize,
    height: usize,
    /// How strong an edge each pixel lies on, of 255. A path is held up by the pixels on an edge and not by the
    /// steps between them: along a slanted edge it could climb in steps as small as it likes.
    edges: Vec<u8>,
}

impl Plain {
    /// Of a small picture.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn new(picture: &RgbImage) -> Result<Self> {
        let (width, height) = (picture.width, picture.height);
        // Lightness, red against green, yellow against blue; without the finest grain.
        let mut colours = memory::filled(width * height, [0f32; 3], WHAT)?;
        for (i, colour) in colours.iter_mut().enumerate() {
            let (x, y) = (i % width, i / width);
            let mut sum = [0f32; 3];
            // By [1, 2, 1] both ways, the outermost pixels repeated.
            for dy in 0..3 {
                for dx in 0..3 {
                    let near =
                        |at: usize, d: usize, n: usize| (at + d).saturating_sub(1).min(n - 1);
                    let from = (near(y, dy, height) * width + near(x, dx, width)) * 3;
                    let weight = ((1 + dy % 2) * (1 + dx % 2)) as f32 / 16.0;
                    for (s, v) in sum.iter_mut().zip(&picture.data[from..from + 3]) {
                        *s += weight * v;
                    }
                }
            }
            let [r, g, b] = sum;
            let light = 0.3 * r + 0.59 * g + 0.11 * b;
            *colour = [light, 0.7 * (r - g), 0.5 * (0.5 * (r + g) - b)];
        }
        let mut edges = memory::filled(width * height, 0u8, WHAT)?;
        for (i, edge) in edges.iter_mut().enumerate() {
            let (x, y) = (i % width, i / width);
            let row = y * width;
            let (left, right) = (row + x.saturating_sub(1), row + (x + 1).min(width - 1));
            let above = y.saturating_sub(1) * width + x;
            let below = (y + 1).min(height - 1) * width + x;
            let apart = |a: usize, b: usize| {
                let pairs = colours[a].iter().zip(&colours[b]);
                pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f32>()
            };
            let slope = (apart(left, right) + apart(above, below)).sqrt();
            *edge = (slope * SCALE).round().min(255.0) as u8;
        }
        Ok(Self {
            width,
            height,
            edges,
        })
    }

    /// Columns and rows of the small picture.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// What `seeds` and a box of whole pixels mean: above 0 inside.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn select(&self, seeds: &[Seed], within: Option<Rect>) -> Result<Plane<f32>> {
        let mut start = memory::filled(self.width * self.height, 0u8, WHAT)?;
        for y in 0..self.height {
            for x in 0..self.width {
                let inside = within.is_none_or(|r| {
                    (r.x..r.right()).contains(&(x as u32))
                        && (r.y..r.bottom()).contains(&(y as u32))
                });
                start[y * self.width + x] = if inside { 0 } else { GROUND };
            }
        }
        for seed in seeds {
            self.mark(seed, &mut start);
        }
        let wanted = seeds.iter().any(|s| s.wanted);
        if within.is_none() {
            self.frame(&mut start)?;
        } else if !wanted {
            self.behind(&mut start)?;
        }
        let (labels, _) = self.flood(&start)?;
        self.smooth(&labels)
    }

    /// A click and the pixels beside it.
    fn mark(&self, seed: &Seed, start: &mut [u8]) {
        let (x, y) = seed.at;
        for y in y.saturating_sub(1)..(y + 2).min(self.height) {
            for x in x.saturating_sub(1)..(x + 2).min(self.width) {
                start[y * self.width + x] = if seed.wanted { OBJECT } else { GROUND };
            }
        }
    }

    /// Has those of the frame's pixels be ground that lie behind strong edges, as seen from the object.
    fn frame(&self, start: &mut [u8]) -> Result<()> {
        let object: Vec<u8> = start.iter().map(|s| s & OBJECT).collect();
        let (_, costs) = self.flood(&object)?;
        let (w, h) = (self.width, self.height);
        let frame =
            |i: &usize| i.is_multiple_of(w) || i % w == w - 1 || *i < w || *i >= w * (h - 1);
        let most = (0..w * h)
            .filter(frame)
            .map(|i| costs[i])
            .max()
            .unwrap_or(0);
        if most <= NOTHING {
            return Ok(());
        }
        for i in (0..w * h).filter(frame) {
            if start[i] == 0 && f32::from(costs[i]) >= BEHIND * f32::from(most) {
                start[i] = GROUND;
            }
        }
        Ok(())
    }

    /// Has those pixels be the object that lie behind strong edges, as seen from the ground.
    fn behind(&self, start: &mut [u8]) -> Result<()> {
        let (_, costs) = self.flood(start)?;
        let most = costs.iter().copied().max().unwrap_or(0);
        let strong = |edge: u8| f32::from(edge) >= BEHIND * f32::from(most);
        // Where there is no edge, all of the box is meant.
        let behind = |i: usize| most <= NOTHING || strong(costs[i]);
        // What lies on the edge itself goes to the nearer side, if there is anything else.
        let within = |i: usize| behind(i) && (most <= NOTHING || !strong(self.edges[i]));
        let open = |i: &usize| start[*i] == 0;
        let mut object: Vec<usize> = (0..start.len())
            .filter(open)
            .filter(|i| within(*i))
            .collect();
        if object.is_empty() {
            object = (0..start.len())
                .filter(open)
                .filter(|i| behind(*i))
                .collect();
        }
        for i in object {
            start[i] = OBJECT;
        }
        Ok(())
    }

    /// The label of the seed that reaches each pixel, and at what cost.
    fn flood(&self, start: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
        let (w, h) = (self.width, self.height);
        let mut labels = memory::filled(w * h, 0u8, WHAT)?;
        let mut costs = memory::filled(w * h, 255u8, WHAT)?;
        let mut done = memory::filled(w * h, false, WHAT)?;
        let mut queues: Vec<VecDeque<u32>> = (0..256).map(|_| VecDeque::new()).collect();
        for (i, label) in start.iter().enumerate().filter(|(_, l)| **l != 0) {
            (labels[i], costs[i]) = (*label, 0);
            queues[0].push_back(i as u32);
        }
        let mut level = 0;
        while level < queues.len() {
            let Some(i) = queues[level].pop_front().map(|i| i as usize) else {
                level += 1;
                continue;
            };
            if std::mem::replace(&mut done[i], true) {
                continue;
            }
            let (x, y) = (i % w, i / w);
            for ny in y.saturating_sub(1)..(y + 2).min(h) {
                for nx in x.saturating_sub(1)..(x + 2).min(w) {
                    let j = ny * w + nx;
                    let cost = costs[i].max(self.edges[j]);
                    if !done[j] && (cost < costs[j] || labels[j] == 0) {
                        (labels[j], costs[j]) = (labels[i], cost);
                        queues[usize::from(cost)].push_back(j as u32);
                    }
                }
            }
        }
        Ok((labels, costs))
    }

    /// The object's share of each pixel's neighbourhood, less a half: its edge without steps.
    fn smooth(&self, labels: &[u8]) -> Result<Plane<f32>> {
        let (w, h) = (self.width, self.height);
        let mut out = Plane::filled(w, h, 0f32, WHAT)?;
        for y in 0..h {
            for x in 0..w {
                let (mut count, mut own) = (0, 0);
                for ny in y.saturating_sub(1)..(y + 2).min(h) {
                    for nx in x.saturating_sub(1)..(x + 2).min(w) {
                        count += 1;
                        own += usize::from(labels[ny * w + nx] == OBJECT);
                    }
                }
                out.row_mut(y)[x] = own as f32 / count as f32 - 0.5;
            }
        }
        Ok(out)
    }
}
