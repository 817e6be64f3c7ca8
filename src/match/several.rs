//! Several fills of one hole that differ: the first is the one that [`super::complete()`] makes, each
//! further one takes its patches from elsewhere.
//!
//! Fills that differ in their seeds alone look the same, for the search finds the same best patches again. So
//! at the coarsest level, where a fill's large forms are decided, what the earlier fills took costs more. The
//! levels, lines and rhythm are made once; and what is decided by then needs fewer rounds at the finer levels.
#![forbid(unsafe_code)]

use super::complete::{
    Ready, SHARPNESS, Scene, WHAT, check_size, coarsest, of_scene, passes, refined, rounds, seamed,
    starts, voted,
};
use super::field::Field;
use super::level::Level;
use super::rounds::{Meter, Rounds, Setting, Steps};
use super::sparse::{Closed, closed, replaced};
use crate::error::Result;
use crate::pixels::{Plane, RgbImage};
use crate::progress::Cancel;
use crate::workers::Workers;

/// First radius of the random search where the coarser level has decided.
const QUICK_RADIUS: u32 = 4;
/// Rounds at the coarsest level of all fills but the first.
const QUICK_ROUNDS: u32 = 3;

/// What of the search a fill goes by, besides what those before it took.
#[derive(Clone, Copy)]
struct Recipe {
    /// The share of the light that is expected, see [`Setting::trust`].
    trust: f32,
    /// The share of what distance costs.
    far: f32,
}

/// The first is that of a single fill. The light decides much of the large forms, so that half of the fills do
/// without; and what lies far away is as good as what lies near for some.
const RECIPES: [Recipe; 4] = [
    Recipe {
        trust: 1.0,
        far: 1.0,
    },
    Recipe {
        trust: 1.0,
        far: 1.0,
    },
    Recipe {
        trust: 0.0,
        far: 1.0,
    },
    Recipe {
        trust: 0.0,
        far: 0.1,
    },
];

/// Receives the fills one after the other.
pub type Each<'a> = &'a mut dyn FnMut(RgbImage) -> Result<()>;

/// Fills the hole of a scene `count` times over, with these seeds, and gives `each` what comes out. The first
/// fill is that of [`super::complete()`].
///
/// # Errors
/// As [`super::complete()`], and what `each` returns.
#[allow(clippy::too_many_arguments)]
pub fn complete_several(
    scene: &Scene<'_>,
    count: u32,
    seed: impl Fn(u32) -> u64,
    pool: &Workers,
    cancel: &Cancel,
    steps: Steps<'_>,
    each: Each<'_>,
) -> Result<()> {
    let Scene {
        image,
        hole,
        source,
        ..
    } = *scene;
    check_size(image, "the exemplar engine")?;
    steps(0.0)?;
    let setting = of_scene(scene, seed(0), pool, cancel);
    let Some(closed) = pool.install(|| closed(image, hole, source, cancel))? else {
        return searched(image, hole, source, &setting, (count, &seed), steps, each);
    };
    let Closed {
        image: near,
        hole: left,
        source: usable,
    } = closed;
    let each = &mut |filled| each(replaced(image, hole, &filled)?);
    searched(&near, &left, &usable, &setting, (count, &seed), steps, each)
}

/// As [`complete_several`], where a whole patch is usable; elsewhere the guess stands.
fn searched(
    image: &RgbImage,
    hole: &Plane<u8>,
    source: &Plane<u8>,
    setting: &Setting<'_>,
    (count, seed): (u32, &dyn Fn(u32) -> u64),
    steps: Steps<'_>,
    each: Each<'_>,
) -> Result<()> {
    let mut ready = Ready::new(image, hole, source, setting)?;
    let Some(coarse) = ready.levels.pop() else {
        for _ in 0..count {
            each(image.try_clone(WHAT)?)?;
        }
        return Ok(());
    };
    let levels = ready.levels.len() + 1;
    let of = |fill: u32| {
        let starts = match fill {
            0 => starts(coarse.target_count(), setting.light.is_some()),
            _ => 1,
        };
        (starts, move |number: usize| {
            quick(rounds(number, levels), fill, levels)
        })
    };
    let work = |fill: u32| {
        let (starts, rounds) = of(fill);
        let first = coarse.target_count() as f64 * f64::from(rounds(levels - 1).passes());
        first * starts as f64 + passes(&ready.levels, 1, rounds)
    };
    let mut meter = Meter::new((0..count).map(work).sum(), steps);
    let guesses = ready.levels.iter().map(Level::guess);
    let guesses = guesses.collect::<Result<Vec<_>>>()?;
    let mut taken: Vec<Plane<(u16, u16)>> = Vec::new();
    for fill in 0..count {
        let (starts, rounds) = of(fill);
        let recipe = RECIPES[fill as usize % RECIPES.len()];
        let own = Setting {
            seed: seed(fill),
            avoid: &taken,
            trust: recipe.trust,
            far: (setting.far.0 * recipe.far, setting.far.1 * recipe.far),
            ..*setting
        };
        let rhythm = ready.rhythm.as_ref().filter(|_| fill == 0);
        let first = coarsest(
            &own,
            &coarse,
            &rounds(levels - 1),
            starts,
            rhythm,
            &mut meter,
        )?;
        let own = Setting { avoid: &[], ..own };
        let out = descend(&own, &mut ready, &first, &rounds, &mut meter)?;
        let field = out.as_ref().unwrap_or(&first.1);
        let finest = ready.levels.first().unwrap_or(&first.0);
        let filled = setting.pool.install(|| {
            let proposed = voted(image, hole, (finest, field), &own, SHARPNESS[2])?;
            seamed(image, hole, proposed, setting.cancel)
        })?;
        each(filled)?;
        for (level, guess) in ready.levels.iter_mut().zip(&guesses) {
            level.set_guess(guess);
        }
        taken.push(first.1.source);
    }
    meter.finish()
}

/// From the coarsest level to the finest; the field there, if there is one that is finer.
fn descend(
    setting: &Setting<'_>,
    ready: &mut Ready,
    (level, field): &(Level, Field),
    rounds: &dyn Fn(usize) -> Rounds,
    meter: &mut Meter<'_>,
) -> Result<Option<Field>> {
    let mut last: Option<Field> = None;
    for number in (0..ready.levels.len()).rev() {
        let (fine, coarser) = ready.levels.split_at_mut(number + 1);
        let before = (
            coarser.first().unwrap_or(level),
            last.as_ref().unwrap_or(field),
        );
        let rhythm = ready.rhythm.as_ref();
        last = Some(refined(
            setting,
            before,
            &mut fine[number],
            &rounds(number),
            rhythm,
            meter,
        )?);
    }
    Ok(last)
}

/// The rounds of a fill: the first has all of them. The others are to be told apart,
/// which fewer of them do, and follow at the finer levels what the coarsest has decided.
fn quick(rounds: Rounds, fill: u32, levels: usize) -> Rounds {
    if fill == 0 {
        return rounds;
    }
    if rounds.number + 1 == levels {
        return Rounds {
            rounds: QUICK_ROUNDS,
            ..rounds
        };
    }
    let (count, sweeps) = match rounds.number {
        0 => (1, 1),
        _ => (2, rounds.sweeps),
    };
    Rounds {
        rounds: count,
        sweeps,
        radius: rounds.radius.min(QUICK_RADIUS),
        ..rounds
    }
}
