//! What a search will cost, counted on the mask before anything is read.
#![forbid(unsafe_code)]

use super::complete::{self, MAX_DEPTH, MAX_TARGETS, MIN_CENTRES, MIN_SIDE};
use super::guided::{self, ABOVE, Guide};
use super::peel;
use super::rounds::Rounds;
use crate::error::Result;
use crate::kernels::patch::{RADIUS, SIDE};
use crate::pixels::{Rect, RunMask};

/// Pairs for each pixel of a large, compact hole of [`pairs`] and [`guided_pairs`]: what engines' seconds
/// for such a pixel are to be divided by.
pub const PAIRS: f64 = 108.0;
pub const GUIDED_PAIRS: f64 = 48.0;
/// What one round's vote and the costs before it take, in patch pairs looked at.
const VOTE: f64 = 4.0;
/// What a draw takes that hits nothing.
const MISS: f64 = 0.75;

/// What the last vote takes for each of the finest level's targets, likewise.
const LAST_VOTE: f64 = 12.0;
/// What the levels and their maps take for each pixel of the crop, and the last vote and the seam for each
/// pixel of the hole's box.
const LEVELS: f64 = 2.7;
const BOX: f64 = 6.0;

/// Patch pairs that [`super::complete()`] looks at for `hole`, a crop's, with what takes as long: for each
/// pixel of a large, compact hole [`PAIRS`]. `lit`: where the light is expected.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn pairs(hole: &RunMask, lit: bool) -> Result<f64> {
    let levels = levels(hole, |hole, targets, _| {
        Ok(!deserves_coarser(hole, targets)?)
    })?;
    let each = levels.iter().enumerate().map(|(number, level)| {
        let rounds = complete::rounds(number, levels.len());
        let first = number + 1 == levels.len();
        let once = level.targets as f64 * visits(&rounds, level, first);
        match first {
            true => {
                let peeled = peel::pairs(level.texels, level.centres) as f64;
                complete::starts(level.targets as usize, lit) as f64 * (once + peeled)
            }
            false => once,
        }
    });
    let all = u64::from(hole.width()) * u64::from(hole.height());
    let passes = LEVELS * all as f64 + BOX * hole.bounds().area() as f64;
    let last = LAST_VOTE * levels.first().map_or(0, |level| level.targets) as f64;
    Ok(each.sum::<f64>() + last + passes)
}

/// The same of [`super::guided()`], with [`GUIDED_PAIRS`], without the passes over the crop.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn guided_pairs(hole: &RunMask, guide: Guide) -> Result<f64> {
    let levels = levels(hole, |_, _, count| Ok(count > guide.level + ABOVE))?;
    let each = levels.iter().enumerate().map(|(number, level)| {
        let first = number + 1 == levels.len();
        level.targets as f64 * visits(&guided::rounds(number, first, guide), level, first)
    });
    Ok(each.sum())
}

/// Whether something is gained by a coarser level than one with this hole and so many targets.
pub fn deserves_coarser(hole: &RunMask, targets: u64) -> Result<bool> {
    Ok(targets > MAX_TARGETS as u64 || hole.deeper(u32::from(MAX_DEPTH))?)
}

/// Pairs looked at for each target of a level.
fn visits(rounds: &Rounds, level: &Counts, anywhere: bool) -> f64 {
    // Draws of ever smaller radius; one that hits a place without a usable patch costs little.
    let draws = f64::from(rounds.radius.max(1).ilog2() + 1);
    let hits = level.centres as f64 / (level.centres + level.targets).max(1) as f64;
    // And two neighbours' finds, and one draw from a list.
    let others = f64::from(2 + u32::from(anywhere));
    let sweep = others + draws * (MISS + (1.0 - MISS) * hits);
    f64::from(rounds.rounds) * (f64::from(rounds.sweeps) * sweep + VOTE)
}

/// What a level of the search has.
pub struct Counts {
    /// Pixels of the hole.
    pub texels: u64,
    /// Patches that reach one of them.
    pub targets: u64,
    /// Patches that reach none.
    pub centres: u64,
}

impl Counts {
    fn of(hole: &RunMask) -> Result<Self> {
        let radius = RADIUS as u32;
        let along = |side: u32| side.saturating_sub(2 * radius);
        let inside = Rect::new(radius, radius, along(hole.width()), along(hole.height()));
        let targets = hole.widened(radius)?.count_in(inside);
        Ok(Self {
            texels: hole.count(),
            targets,
            centres: inside.area() - targets,
        })
    }
}

/// The levels that the search builds, finest first, until `enough` of the coarsest level's hole, its
/// targets and the number of levels.
pub fn levels(
    hole: &RunMask,
    enough: impl Fn(&RunMask, u64, usize) -> Result<bool>,
) -> Result<Vec<Counts>> {
    let mut levels = vec![Counts::of(hole)?];
    let mut halved: Option<RunMask> = None;
    loop {
        let last = halved.as_ref().unwrap_or(hole);
        let small = (last.width().min(last.height()) as usize) < 2 * MIN_SIDE.max(SIDE);
        if small || enough(last, levels[levels.len() - 1].targets, levels.len())? {
            return Ok(levels);
        }
        let next = last.halved()?;
        let counts = Counts::of(&next)?;
        if counts.texels == 0 || counts.centres < MIN_CENTRES as u64 {
            return Ok(levels);
        }
        levels.push(counts);
        halved = Some(next);
    }
}
