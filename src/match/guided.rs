//! Filling a hole whose low frequencies are known: search and vote from the guide's scale up, each
//! vote brought back to the guide's means.
//!
//! Source of the idea: Zhang et al., "Inpainting at Modern Camera Resolution by Guided PatchMatch",
//! ECCV 2022; of the search and the votes, see [`mod@super::complete`].
#![forbid(unsafe_code)]

use super::complete::{WHAT, check_size, finished, pyramid};
use super::field::Field;
use super::level::Level;
use super::low::Low;
use super::rounds::{Meter, Rounds, Setting, Steps};
use super::sparse::{Closed, closed, replaced};
use crate::error::Result;
use crate::kernels::Path;
use crate::kernels::patch::{PatchKernels, SCALE};
use crate::pixels::{Plane, RgbImage};
use crate::progress::Cancel;
use crate::workers::Workers;

/// Levels above the guide's at which the search starts.
pub const ABOVE: usize = 2;
/// Cost of one squared pixel of displacement along x and y: less than where nothing is known, for the
/// guide says what stands where.
const FAR: (f32, f32) = (1.0, 4.0);
/// Most that a patch's colours are shifted by; the guide's means come back anyway.
const SHIFT: f32 = 0.1;
/// Sharpness of the last vote.
const SHARPNESS: u32 = 4;

/// What is known of a hole before it is searched for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guide {
    /// Nothing finer than 2^`level` pixels is taken from the guide.
    pub level: usize,
    /// How much of what the patches lack of the guide's low frequencies is made up for after each
    /// vote: 1 keeps them, less lets the patches have a say.
    pub weight: f32,
}

/// Fills the hole of `image` with patches of its usable pixels that go with the guide, which the
/// hole's pixels carry.
///
/// Sizes and planes are those of [`super::complete()`], and so is what happens where no whole patch of
/// usable pixels is to be had; instead of the guess the guide stands.
///
/// # Errors
/// As [`super::complete()`].
#[allow(clippy::too_many_arguments)]
pub fn guided(
    image: &RgbImage,
    hole: &Plane<u8>,
    source: &Plane<u8>,
    guide: Guide,
    seed: u64,
    pool: &Workers,
    cancel: &Cancel,
    steps: Steps<'_>,
) -> Result<RgbImage> {
    check_size(image, "native detail")?;
    steps(0.0)?;
    let Some(closed) = pool.install(|| closed(image, hole, source, cancel))? else {
        return searched(image, hole, source, guide, seed, pool, cancel, steps);
    };
    let Closed {
        image: near,
        hole: left,
        source: usable,
    } = closed;
    let filled = searched(&near, &left, &usable, guide, seed, pool, cancel, steps)?;
    replaced(image, hole, &filled)
}

/// As [`guided`], where a whole patch is usable; elsewhere the guide stands.
#[allow(clippy::too_many_arguments)]
fn searched(
    image: &RgbImage,
    hole: &Plane<u8>,
    source: &Plane<u8>,
    guide: Guide,
    seed: u64,
    pool: &Workers,
    cancel: &Cancel,
    steps: Steps<'_>,
) -> Result<RgbImage> {
    let enough = |levels: &[Level]| levels.len() > guide.level + ABOVE;
    let mut levels = pool.install(|| pyramid(image, hole, source, enough, cancel))?;
    let count = levels.len();
    let mut meter = Meter::new(passes(&levels, guide), steps);
    let Some(mut level) = levels.pop() else {
        meter.finish()?;
        return image.try_clone(WHAT);
    };
    let low = pool.install(|| Low::new(image, hole, guide.level, guide.weight, cancel))?;
    let setting = Setting {
        kernels: PatchKernels::new(Path::best()),
        seed,
        cancel,
        pool,
        far: FAR,
        shift: SHIFT * SCALE,
        feature: [1.0, 0.0],
        low: Some(&low),
        light: None,
        avoid: &[],
        trust: 1.0,
        guide: None,
    };
    pool.install(|| level.trust_texture(cancel))?;
    let centres = level.centre_list()?;
    let mut field = Field::random(&level, &centres, seed)?;
    let first = Rounds {
        radius: level.hole.width.max(level.hole.height) as u32,
        ..rounds(count - 1, true, guide)
    };
    setting.refine(&mut level, &mut field, &first, &centres, &mut meter)?;
    while let Some(mut finer) = levels.pop() {
        let mut next = pool.install(|| field.refined(&level, &finer, seed, cancel))?;
        drop((level, field));
        let rounds = rounds(levels.len(), false, guide);
        if rounds.number >= guide.level {
            pool.install(|| finer.trust_texture(cancel))?;
        } else {
            pool.install(|| finer.update_means(cancel));
            setting.vote(&mut finer, &next, rounds.number, None)?;
        }
        setting.refine(&mut finer, &mut next, &rounds, &[], &mut meter)?;
        (level, field) = (finer, next);
    }
    let out = pool.install(|| finished(image, hole, (level, field), &setting, SHARPNESS))?;
    meter.finish()?;
    Ok(out)
}

/// The rounds of level `number`; `first`: of the one that the search starts at.
pub fn rounds(number: usize, first: bool, guide: Guide) -> Rounds {
    // What the guide says whole need not be voted on.
    let given = number > guide.level || number == guide.level && guide.weight >= 1.0;
    let (rounds, sweeps, radius) = if given {
        (1, if first { 8 } else { 4 }, 16)
    } else if number == 0 {
        (2, 2, 8)
    } else {
        (3, 2, 16)
    };
    Rounds {
        number,
        rounds,
        sweeps,
        radius,
        sharpness: if number == 0 { 3 } else { 4 },
        last_vote: !given && number > 0,
    }
}

/// Targets times sweeps of all levels, finest first.
fn passes(levels: &[Level], guide: Guide) -> f64 {
    let each = levels.iter().enumerate().map(|(number, level)| {
        let passes = rounds(number, number + 1 == levels.len(), guide).passes();
        level.target_count() as f64 * f64::from(passes)
    });
    each.sum()
}
