//! PatchMatch: propagation and random search, in bands that do not depend on the number of threads.
//!
//! Source: Barnes, Shechtman, Finkelstein, Goldman, "PatchMatch: A Randomized Correspondence
//! Algorithm for Structural Image Editing", SIGGRAPH 2009.
#![forbid(unsafe_code)]

use super::field::Field;
use super::level::Level;
use super::maps::Runs;
use super::random::Random;
use crate::kernels::patch::{PatchKernels, SIDE};
use crate::pixels::Plane;
use crate::progress::Cancel;
use rayon::prelude::*;

/// Rows of a band. A band is swept by one thread; what crosses its border comes from the sweep
/// before, so that the result is the same on any number of threads.
const BAND: usize = 16;

/// What a squared texel costs that a patch comes from beside its line, and how much of that is free: no offset
/// of whole texels is quite along it.
const OFF: f32 = 60_000.0;
const FREE: f32 = 0.5;
/// The most squared texels that are counted.
const MOST_OFF: f32 = 64.0;
/// Draws along the line for each target on it.
const DRAWS_ALONG: u32 = 2;

/// What it costs to take the very patch that an earlier fill took for a target, how far away one is another, in
/// texels, and how deep in the hole all of that counts.
const AGAIN: f32 = 4e6;
const APART: f32 = 20.0;
const DEEP: u8 = 4;

/// The most that the expected light may cost, of the patches' difference: where the picture shows exactly what goes
/// on, a soft slope say, a guess says nothing to the contrary.
const MOST_LIGHT: f32 = 8.0;

/// How to search one level.
#[derive(Clone, Copy)]
pub struct Search<'a> {
    /// Patch kernels.
    pub kernels: PatchKernels,
    /// The random search starts with this radius in texels and halves it down to 1.
    pub radius: u32,
    /// One patch of this list is drawn for each target as well; empty: none.
    pub anywhere: &'a [(u16, u16)],
    /// Seeds the draws.
    pub seed: u64,
    /// Cost of one squared texel of displacement along x and y.
    pub far: (f32, f32),
    /// Most that a source patch's colours may be shifted by to meet the target's mean, in texel
    /// units. What that gains counts in full.
    pub shift: f32,
    /// How much of the light's trust counts.
    pub trust: f32,
    /// Sources that are not to be taken again, see [`super::rounds::Setting::avoid`].
    pub avoid: &'a [Plane<(u16, u16)>],
    /// Bands are left as they are once it is raised.
    pub cancel: &'a Cancel,
}

impl Search<'_> {
    /// What distance adds to a pair's cost: pictures are layered like the world, so a patch from
    /// the same height is likelier right than one from above or below.
    ///
    /// A target that lies on a line through the hole, painted or found, has its patch from along the line, however
    /// far.
    #[inline(always)]
    pub fn far(&self, level: &Level, x: usize, y: usize, sx: usize, sy: usize) -> f32 {
        let (dx, dy) = (x as f32 - sx as f32, y as f32 - sy as f32);
        let mut far = dx * dx * self.far.0 + dy * dy * self.far.1;
        if !self.avoid.is_empty() {
            far += self.taken(level, x, y, sx, sy);
        }
        if let Some(guide) = &level.guide
            && let Some(off) = guide.off((x, y), (sx, sy), MOST_OFF)
        {
            return off * OFF + 0.05 * far;
        }
        match level.line(x, y) {
            None => far,
            Some(line) => {
                let [nx, ny] = line.normal;
                let off = ((dx * nx + dy * ny).abs() - FREE).max(0.0);
                (off * off).min(MOST_OFF) * OFF + 0.05 * far
            }
        }
    }

    /// What it adds that an earlier fill took a patch from about there for the same target. At the rim what goes on
    /// is what is right, and nothing is added.
    fn taken(&self, level: &Level, x: usize, y: usize, sx: usize, sy: usize) -> f32 {
        let inside = f32::from(level.depth.row(y)[x].min(DEEP)) / f32::from(DEEP);
        let near = self.avoid.iter().map(|taken| {
            let (tx, ty) = taken.row(y)[x];
            let (dx, dy) = (sx as f32 - f32::from(tx), sy as f32 - f32::from(ty));
            (1.0 - (dx * dx + dy * dy) / (APART * APART)).max(0.0)
        });
        AGAIN * inside * near.sum::<f32>()
    }

    /// The cost of the source patch at (`sx`, `sy`) for the target at (`x`, `y`): the squared
    /// difference after the colour shift, and what distance and an unexpected light add.
    #[inline(always)]
    fn cost(&self, level: &Level, x: usize, y: usize, sx: usize, sy: usize) -> u32 {
        let difference = self.kernels.distance(&level.texels, x, y, sx, sy);
        // A shift by b of n texels that lie m apart on average takes n·b·(2m − b) off.
        let apart = level.brighter(x, y, sx, sy);
        let by = apart.map(|m| m.clamp(-self.shift, self.shift));
        let gain: f32 = (0..3).map(|c| by[c] * (2.0 * apart[c] - by[c])).sum();
        let gain = ((SIDE * SIDE) as f32 * gain) as u32;
        let difference = difference.saturating_sub(gain);
        let light = self.trust * (SIDE * SIDE) as f32 * level.off_light(x, y, sx, sy, by);
        let light = light.min(MOST_LIGHT * difference as f32);
        difference.saturating_add((self.far(level, x, y, sx, sy) + light) as u32)
    }

    /// Computes every target's cost for the level's texels as they are now.
    pub fn evaluate(&self, level: &mut Level, field: &mut Field) {
        level.update_means(self.cancel);
        let (level, w) = (&*level, level.hole.width);
        let costs = field.cost.data.par_chunks_mut(w);
        costs
            .zip(field.source.data.par_chunks(w))
            .enumerate()
            .for_each(|(y, (cost, source))| {
                if self.cancel.is_cancelled() {
                    return;
                }
                for &(start, end) in &level.targets[y] {
                    for x in usize::from(start)..usize::from(end) {
                        let (sx, sy) = source[x];
                        cost[x] = self.cost(level, x, y, usize::from(sx), usize::from(sy));
                    }
                }
            });
    }

    /// One sweep over every target; `number` counts sweeps: even ones go down and right, odd ones
    /// up and left. Costs must be current.
    pub fn sweep(&self, level: &Level, field: &mut Field, number: u32) {
        let (w, h) = (level.hole.width, level.hole.height);
        let forward = number.is_multiple_of(2);
        let entry = |band: usize| {
            let y = if forward {
                (band * BAND).checked_sub(1)
            } else {
                Some((band + 1) * BAND)
            };
            y.filter(|y| *y < h)
        };
        // The row before each band, as it was before this sweep.
        let before: Vec<Vec<(u16, u16)>> = (0..h.div_ceil(BAND))
            .map(|band| entry(band).map_or(Vec::new(), |y| field.source.row(y).to_vec()))
            .collect();
        let sources = field.source.data.par_chunks_mut(w * BAND);
        let costs = field.cost.data.par_chunks_mut(w * BAND);
        sources
            .zip(costs)
            .zip(before)
            .enumerate()
            .for_each(|(band, ((source, cost), before))| {
                if self.cancel.is_cancelled() {
                    return;
                }
                let mut random = Random::new(self.seed, (u64::from(number) << 32) | band as u64);
                let rows = source.len() / w;
                let mut previous = before;
                let mut previous_y = entry(band);
                for k in 0..rows {
                    let i = if forward { k } else { rows - 1 - k };
                    let y = band * BAND + i;
                    let source = &mut source[i * w..(i + 1) * w];
                    let cost = &mut cost[i * w..(i + 1) * w];
                    let previous_row = previous_y.map(|py| (&level.targets[py], &previous[..]));
                    self.row(level, y, (source, cost), previous_row, forward, &mut random);
                    previous.clear();
                    previous.extend_from_slice(source);
                    previous_y = Some(y);
                }
            });
    }

    fn row(
        &self,
        level: &Level,
        y: usize,
        (source, cost): (&mut [(u16, u16)], &mut [u32]),
        previous: Option<(&Runs, &[(u16, u16)])>,
        forward: bool,
        random: &mut Random,
    ) {
        let runs = &level.targets[y];
        let step: i32 = if forward { 1 } else { -1 };
        let mut run = 0;
        for r in 0..runs.len() {
            let (start, end) = runs[if forward { r } else { runs.len() - 1 - r }];
            let (start, end) = (usize::from(start), usize::from(end));
            for k in 0..end - start {
                let x = if forward { start + k } else { end - 1 - k };
                let mut best = Best {
                    source: source[x],
                    cost: cost[x],
                };
                if k > 0 {
                    let (sx, sy) = source[if forward { x - 1 } else { x + 1 }];
                    best.consider(self, level, (x, y), i32::from(sx) + step, i32::from(sy));
                }
                if let Some((targets, row)) = previous {
                    // Both rows' runs are in order, so the one that may hold x only moves on.
                    let beside = |n: usize| if forward { n } else { targets.len() - 1 - n };
                    let passed = |n: usize| {
                        let (a, b) = targets[beside(n)];
                        if forward {
                            usize::from(b) <= x
                        } else {
                            usize::from(a) > x
                        }
                    };
                    while run < targets.len() && passed(run) {
                        run += 1;
                    }
                    let holds = run < targets.len() && {
                        let (a, b) = targets[beside(run)];
                        (usize::from(a)..usize::from(b)).contains(&x)
                    };
                    if holds {
                        let (sx, sy) = row[x];
                        best.consider(self, level, (x, y), i32::from(sx), i32::from(sy) + step);
                    }
                }
                if !self.anywhere.is_empty() {
                    let (sx, sy) = self.anywhere[random.below(self.anywhere.len() as u32) as usize];
                    best.consider(self, level, (x, y), i32::from(sx), i32::from(sy));
                }
                if let Some(line) = level.line(x, y) {
                    let (w, h) = (level.hole.width, level.hole.height);
                    for _ in 0..DRAWS_ALONG {
                        let (dx, dy) = line.step(random.within(w.max(h) as u32).0 as f32);
                        best.consider(self, level, (x, y), x as i32 + dx, y as i32 + dy);
                    }
                }
                if let Some(guide) = &level.guide {
                    let choices = guide.choices(x, y) as u32;
                    for _ in 0..DRAWS_ALONG.min(choices) {
                        let (sx, sy) = guide.choice(x, y, random.below(choices) as usize);
                        best.consider(self, level, (x, y), sx, sy);
                    }
                }
                let mut radius = self.radius;
                while radius >= 1 {
                    let (dx, dy) = random.within(radius);
                    let (bx, by) = best.source;
                    best.consider(self, level, (x, y), i32::from(bx) + dx, i32::from(by) + dy);
                    radius /= 2;
                }
                source[x] = best.source;
                cost[x] = best.cost;
            }
        }
    }
}

/// A target's best source patch so far.
struct Best {
    source: (u16, u16),
    cost: u32,
}

impl Best {
    #[inline(always)]
    fn consider(
        &mut self,
        search: &Search<'_>,
        level: &Level,
        (x, y): (usize, usize),
        sx: i32,
        sy: i32,
    ) {
        // A negative coordinate becomes a huge one.
        let (sx, sy) = (sx as usize, sy as usize);
        if sx >= level.centres.width
            || sy >= level.centres.height
            || (sx as u16, sy as u16) == self.source
            || level.centres.row(sy)[sx] == 0
        {
            return;
        }
        let cost = search.cost(level, x, y, sx, sy);
        if cost < self.cost {
            *self = Self {
                source: (sx as u16, sy as u16),
                cost,
            };
        }
    }
}
