//! The nearest-neighbour field: for each target patch, the centre of its best source patch so far.
#![forbid(unsafe_code)]

use super::level::Level;
use super::maps::nearest;
use super::random::Random;
use crate::error::Result;
use crate::memory;
use crate::pixels::Plane;
use crate::progress::Cancel;

/// How far a carried source may lie from a usable patch, in texels.
const SNAP: usize = 4;
/// How far around a target without a parent the nearest usable patch is looked for.
const NEARBY: usize = 48;

/// A field over a level. Entries outside the level's targets mean nothing.
pub struct Field {
    /// The source patch's centre (x, y).
    pub source: Plane<(u16, u16)>,
    /// The cost of the pair when it was last looked at.
    pub cost: Plane<u32>,
}

impl Field {
    /// A field of source patches drawn from `centres`, which must not be empty.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn random(level: &Level, centres: &[(u16, u16)], seed: u64) -> Result<Self> {
        let mut field = Self::empty(level)?;
        let mut random = Random::new(seed, 0x1417);
        for (y, runs) in level.targets.iter().enumerate() {
            for &(start, end) in runs {
                for s in &mut field.source.row_mut(y)[usize::from(start)..usize::from(end)] {
                    *s = centres[random.below(centres.len() as u32) as usize];
                }
            }
        }
        Ok(field)
    }

    /// The field of the next coarser level, carried over: offsets double. A target whose part of
    /// the hole is too thin for the coarser level takes the nearest usable patch.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn refined(
        &self,
        coarse: &Level,
        level: &Level,
        seed: u64,
        cancel: &Cancel,
    ) -> Result<Self> {
        let mut field = Self::empty(level)?;
        let mut random = Random::new(seed, 0x2f1e);
        let (w, h) = (level.hole.width, level.hole.height);
        let mut parents = Plane::filled(
            coarse.hole.width,
            coarse.hole.height,
            0u8,
            "the coarser targets",
        )?;
        for (y, runs) in coarse.targets.iter().enumerate() {
            for &(start, end) in runs {
                parents.row_mut(y)[usize::from(start)..usize::from(end)].fill(1);
            }
        }
        for (y, runs) in level.targets.iter().enumerate() {
            cancel.check()?;
            for &(start, end) in runs {
                for x in usize::from(start)..usize::from(end) {
                    let carried = nearest(&parents, x / 2, y / 2, 2).and_then(|(px, py)| {
                        let (sx, sy) = self.source.row(py)[px];
                        let along = |s: u16, at: usize, parent: usize, side: usize| {
                            (2 * i64::from(s) + at as i64 - 2 * parent as i64)
                                .clamp(0, side as i64 - 1) as usize
                        };
                        nearest(
                            &level.centres,
                            along(sx, x, px, w),
                            along(sy, y, py, h),
                            SNAP,
                        )
                    });
                    let found = carried.or_else(|| nearest(&level.centres, x, y, NEARBY));
                    field.source.row_mut(y)[x] = match found {
                        Some((sx, sy)) => (sx as u16, sy as u16),
                        None => any_centre(level, &mut random),
                    };
                }
            }
        }
        Ok(field)
    }

    /// Takes each target's patch from where `from` says, where a usable one is there; whether any was.
    pub fn follow(
        &mut self,
        level: &Level,
        from: impl Fn(usize, usize) -> Option<(i32, i32)>,
    ) -> bool {
        self.follow_from(level, |x, y, _| from(x, y))
    }

    /// As [`Self::follow`]; `from` is told where the patch came from before.
    pub fn follow_from(
        &mut self,
        level: &Level,
        from: impl Fn(usize, usize, (u16, u16)) -> Option<(i32, i32)>,
    ) -> bool {
        let mut any = false;
        for (y, runs) in level.targets.iter().enumerate() {
            for x in runs.iter().flat_map(|r| usize::from(r.0)..usize::from(r.1)) {
                let Some((sx, sy)) = from(x, y, self.source.row(y)[x]) else {
                    continue;
                };
                let (sx, sy) = (sx as usize, sy as usize);
                let inside = sx < level.centres.width && sy < level.centres.height;
                if inside && level.centres.row(sy)[sx] != 0 {
                    self.source.row_mut(y)[x] = (sx as u16, sy as u16);
                    any = true;
                }
            }
        }
        any
    }

    /// The sum of all targets' costs.
    pub fn energy(&self, level: &Level) -> u64 {
        let rows = level.targets.iter().enumerate();
        rows.flat_map(|(y, runs)| runs.iter().map(move |run| (y, run)))
            .flat_map(|(y, (start, end))| &self.cost.row(y)[usize::from(*start)..usize::from(*end)])
            .map(|c| u64::from(*c))
            .sum()
    }

    fn empty(level: &Level) -> Result<Self> {
        let (w, h) = (level.hole.width, level.hole.height);
        let what = "the nearest-neighbour field";
        Ok(Self {
            source: Plane {
                width: w,
                height: h,
                data: memory::filled(w * h, (0, 0), what)?,
            },
            cost: Plane::filled(w, h, 0u32, what)?,
        })
    }
}

/// A usable patch from anywhere: by lot, or else the next one after it row by row.
fn any_centre(level: &Level, random: &mut Random) -> (u16, u16) {
    let n = level.centres.data.len();
    let start = (random.next() % n as u64) as usize;
    let after = level.centres.data[start..]
        .iter()
        .position(|c| *c != 0)
        .map(|i| start + i);
    let found = after
        .or_else(|| level.centres.data.iter().position(|c| *c != 0))
        .unwrap_or(0);
    (
        (found % level.centres.width) as u16,
        (found / level.centres.width) as u16,
    )
}
