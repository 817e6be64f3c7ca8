//! Filling a hole from coarse to fine: search and vote in turn at each level of a pyramid.
//!
//! Sources: Wexler, Shechtman, Irani, "Space-Time Completion of Video", PAMI 2007; Newson, Almansa,
//! Gousseau, Pérez, "Non-Local Patch-Based Image Inpainting", IPOL 2017. Added here: a texture
//! feature for every level, a bounded colour shift of patches, a preference for patches from the
//! same height, several starts at the coarsest level of which the best fit is kept, and a last step
//! on differences.
#![forbid(unsafe_code)]

use super::field::Field;
use super::guide;
use super::level::Level;
use super::light::Guess;
use super::lines::lines;
use super::maps;
use super::peel::peel;
use super::reconstruct::{Proposal, reconstruct};
use super::rhythm::{Rhythm, rhythm};
use super::rounds::{Meter, Rounds, Setting, Steps};
use super::sparse::{Closed, closed, replaced};
use super::vote::Weights;
use crate::blend;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::Path;
use crate::kernels::patch::{PatchKernels, SCALE, SIDE};
use crate::pixels::{Plane, Rect, RgbImage};
use crate::progress::Cancel;
use crate::workers::Workers;

pub const WHAT: &str = "the filled crop";
/// Levels are added until no texel of the hole lies deeper than this, a patch's width about: then
/// every target patch at the coarsest level sees something known.
pub const MAX_DEPTH: u8 = 8;
/// And until the coarsest level has no more targets than this, for it is searched several times.
pub const MAX_TARGETS: usize = 6_000;
/// Least side of a level, in texels.
pub const MIN_SIDE: usize = 16;
/// Least usable patches of a level.
pub const MIN_CENTRES: usize = 64;
/// Starts at the coarsest level; the one whose patches fit best goes on. The second: where the light is
/// expected, which says what more starts would find out.
const STARTS: [u64; 2] = [8, 2];
/// Rounds of search and vote at the coarsest level, between, and at the finest.
const ROUNDS: [u32; 3] = [5, 5, 3];
/// Sweeps of a round, likewise.
const SWEEPS: [u32; 3] = [4, 2, 2];
/// First radius of the random search, likewise.
const SEARCH_RADIUS: [u32; 3] = [64, 32, 8];
/// Cost of one squared pixel of displacement along x and y.
const FAR: (f32, f32) = (1.0, 10.0);
/// Most that a patch's colours are shifted by, of 1.0. The second: where the light is expected, so that
/// patches of the right one are there.
const SHIFT: [f32; 2] = [0.06, 0.04];
/// The share of the voted texture feature in the new one; the rest stays as the surroundings ask.
/// All of it lets flatness spread, none of it asks for a shore's texture in the water beside it.
const FEATURE_SHARE: f32 = 0.5;
/// Sharpness of the votes below the finest level, at it, and of the last one, see [`Weights`].
pub const SHARPNESS: [u32; 3] = [4, 3, 4];

/// A crop with a hole, and what is known of what belongs there.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The crop. Hole pixels carry a smooth guess. No side exceeds 65,535.
    pub image: &'a RgbImage,
    /// 1 where a pixel is to be filled; of the crop's size.
    pub hole: &'a Plane<u8>,
    /// 1 where a known pixel may be used; of the crop's size, and nowhere 1 in the hole.
    pub source: &'a Plane<u8>,
    /// The light that is expected in the hole.
    pub light: Option<Guess<'a>>,
    /// 1 where lines are painted, over known pixels and hole alike, that are to go on through the hole; of the
    /// crop's size.
    pub guide: Option<&'a Plane<u8>>,
}

impl<'a> Scene<'a> {
    /// A scene of which nothing more is known.
    pub fn new(image: &'a RgbImage, hole: &'a Plane<u8>, source: &'a Plane<u8>) -> Self {
        Self {
            image,
            hole,
            source,
            light: None,
            guide: None,
        }
    }
}

/// Fills the hole of a scene with patches of its usable pixels.
///
/// Where no whole patch of usable pixels is to be had, gaps between them are closed first; what is so far
/// from any that nothing follows from them keeps the guess.
///
/// # Errors
/// What `steps` returns; [`ErrorKind::Memory`]; [`ErrorKind::Unsupported`] for larger images.
pub fn complete(
    scene: &Scene<'_>,
    seed: u64,
    pool: &Workers,
    cancel: &Cancel,
    steps: Steps<'_>,
) -> Result<RgbImage> {
    let Scene {
        image,
        hole,
        source,
        ..
    } = *scene;
    check_size(image, "the exemplar engine")?;
    steps(0.0)?;
    let setting = of_scene(scene, seed, pool, cancel);
    let Some(closed) = pool.install(|| closed(image, hole, source, cancel))? else {
        return searched(image, hole, source, &setting, steps);
    };
    let Closed {
        image: near,
        hole: left,
        source: usable,
    } = closed;
    let filled = searched(&near, &left, &usable, &setting, steps)?;
    replaced(image, hole, &filled)
}

/// As [`complete`], where a whole patch is usable; elsewhere the guess stands.
fn searched(
    image: &RgbImage,
    hole: &Plane<u8>,
    source: &Plane<u8>,
    setting: &Setting<'_>,
    steps: Steps<'_>,
) -> Result<RgbImage> {
    let (found, meter) = matched(image, hole, source, setting, steps)?;
    let out = match found {
        Some(found) => setting.pool.install(|| {
            let sharpness = SHARPNESS[2];
            finished(image, hole, found, setting, sharpness)
        })?,
        None => image.try_clone(WHAT)?,
    };
    meter.finish()?;
    Ok(out)
}

/// How a hole is searched for.
pub fn setting<'a>(seed: u64, pool: &'a Workers, cancel: &'a Cancel) -> Setting<'a> {
    Setting {
        kernels: PatchKernels::new(Path::best()),
        seed,
        cancel,
        pool,
        far: FAR,
        shift: SHIFT[0] * SCALE,
        feature: [FEATURE_SHARE; 2],
        low: None,
        light: None,
        guide: None,
        avoid: &[],
        trust: 1.0,
    }
}

/// How a scene's hole is searched for.
pub fn of_scene<'a>(
    scene: &Scene<'a>,
    seed: u64,
    pool: &'a Workers,
    cancel: &'a Cancel,
) -> Setting<'a> {
    Setting {
        light: scene.light,
        guide: scene.guide,
        shift: SHIFT[usize::from(scene.light.is_some())] * SCALE,
        ..setting(seed, pool, cancel)
    }
}

/// A finest level, and where its targets' patches come from.
pub type Found = (Level, Field);

/// What a search begins with.
pub struct Ready {
    /// The levels, finest first, each with what its targets are held to. None where no whole patch of usable
    /// pixels is to be had.
    pub levels: Vec<Level>,
    /// What repeats around the hole.
    pub rhythm: Option<Rhythm>,
}

impl Ready {
    /// Looks at what is around the hole.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`], [`ErrorKind::Cancelled`].
    pub fn new(
        image: &RgbImage,
        hole: &Plane<u8>,
        source: &Plane<u8>,
        setting: &Setting<'_>,
    ) -> Result<Self> {
        let cancel = setting.cancel;
        setting.pool.install(|| {
            let mut levels = pyramid(image, hole, source, coarse, cancel)?;
            let (mut lines, rhythm) = (lines(&levels, cancel)?, rhythm(&levels, cancel)?);
            let courses = match setting.guide {
                Some(painted) => guide::courses(painted, image, hole, cancel)?,
                None => Vec::new(),
            };
            lines.retain(|line| !guide::claims(&courses, line));
            let count = levels.len();
            for (number, level) in levels.iter_mut().enumerate() {
                level.guide_by(&courses, number, number + 1 == count, cancel)?;
                level.hold_to(&lines, number, rhythm.as_ref())?;
                if let Some(guess) = setting.light {
                    level.expect(guess, number, rhythm.as_ref(), cancel)?;
                }
            }
            Ok(Self { levels, rhythm })
        })
    }
}

/// The finest level with its hole filled, and the meter, which is to be finished; `None` where no whole
/// patch of usable pixels is to be had.
///
/// # Errors
/// As [`complete`].
pub fn matched<'a>(
    image: &RgbImage,
    hole: &Plane<u8>,
    source: &Plane<u8>,
    setting: &Setting<'_>,
    steps: Steps<'a>,
) -> Result<(Option<Found>, Meter<'a>)> {
    let Ready { mut levels, rhythm } = Ready::new(image, hole, source, setting)?;
    let count = levels.len();
    let starts = levels.last().map_or(0, |first| {
        starts(first.target_count(), setting.light.is_some())
    });
    let passes = passes(&levels, starts, |number| rounds(number, count));
    let mut meter = Meter::new(passes, steps);
    let Some(first) = levels.pop() else {
        return Ok((None, meter));
    };
    let own = rounds(count - 1, count);
    let (mut level, mut field) =
        coarsest(setting, &first, &own, starts, rhythm.as_ref(), &mut meter)?;
    drop(first);
    while let Some(mut finer) = levels.pop() {
        let own = rounds(levels.len(), count);
        let next = refined(
            setting,
            (&level, &field),
            &mut finer,
            &own,
            rhythm.as_ref(),
            &mut meter,
        )?;
        (level, field) = (finer, next);
    }
    Ok((Some((level, field)), meter))
}

/// Fills the hole of `finer`, beginning with what was found at the next coarser level.
///
/// # Errors
/// As [`complete`].
pub fn refined(
    setting: &Setting<'_>,
    (level, field): (&Level, &Field),
    finer: &mut Level,
    rounds: &Rounds,
    rhythm: Option<&Rhythm>,
    meter: &mut Meter<'_>,
) -> Result<Field> {
    let (pool, seed, cancel) = (setting.pool, setting.seed, setting.cancel);
    let mut next = pool.install(|| field.refined(level, finer, seed, cancel))?;
    follow(&mut next, finer, rounds.number, rhythm);
    pool.install(|| finer.update_means(cancel));
    setting.vote(finer, &next, rounds.number, None)?;
    setting.refine(finer, &mut next, rounds, &[], meter)?;
    Ok(next)
}

/// The last vote, on the crop's own colours and differences, kept to what the setting's votes must
/// keep; `image` with it in the hole.
pub fn finished(
    image: &RgbImage,
    hole: &Plane<u8>,
    (level, field): Found,
    setting: &Setting<'_>,
    sharpness: u32,
) -> Result<RgbImage> {
    let fill = voted(image, hole, (&level, &field), setting, sharpness)?;
    drop((level, field));
    seamed(image, hole, fill, setting.cancel)
}

/// What the patches that were found propose for the box of the hole and a pixel around it.
///
/// # Errors
/// [`ErrorKind::Memory`], [`ErrorKind::Cancelled`].
pub fn voted(
    image: &RgbImage,
    hole: &Plane<u8>,
    (level, field): (&Level, &Field),
    setting: &Setting<'_>,
    sharpness: u32,
) -> Result<Proposal> {
    let bounds = hole_bounds(hole).grown_within(1, image.width as u32, image.height as u32);
    let weights = Weights {
        sharpness: Some(sharpness),
        shift: setting.shift,
        feature: 0.0,
    };
    let opaque = |_| 1.0;
    let mut fill = reconstruct(image, level, field, weights, opaque, bounds, setting.cancel)?;
    if let Some(low) = setting.low {
        let lacking = low.correction(hole, &fill.colour, bounds, setting.cancel)?;
        fill.add(&lacking);
    }
    Ok(fill)
}

/// `image` with a proposal for the box of its hole.
///
/// # Errors
/// [`ErrorKind::Memory`], [`ErrorKind::Cancelled`].
pub fn seamed(
    image: &RgbImage,
    hole: &Plane<u8>,
    fill: Proposal,
    cancel: &Cancel,
) -> Result<RgbImage> {
    let bounds = hole_bounds(hole).grown_within(1, image.width as u32, image.height as u32);
    let Proposal {
        mut colour, gx, gy, ..
    } = fill;
    blend::seamless(image, hole, bounds, &mut colour, gx, gy, cancel)?;
    with_hole(image, hole, bounds, &colour)
}

/// The levels, finest first, until `enough`. Every level has something to find and a whole usable patch;
/// where the finest has not, there is no level.
pub fn pyramid(
    image: &RgbImage,
    hole: &Plane<u8>,
    source: &Plane<u8>,
    enough: impl Fn(&[Level]) -> bool,
    cancel: &Cancel,
) -> Result<Vec<Level>> {
    if !hole.data.contains(&1) || !maps::has_patch(source, cancel)? {
        return Ok(Vec::new());
    }
    let mut levels = vec![Level::finest(image, hole, source, cancel)?];
    loop {
        if enough(&levels) {
            return Ok(levels);
        }
        let last = &levels[levels.len() - 1];
        if last.hole.width.min(last.hole.height) < 2 * MIN_SIDE.max(SIDE) {
            return Ok(levels);
        }
        let next = last.coarser(cancel)?;
        let centres = next.centres.data.iter().filter(|c| **c != 0).count();
        if centres < MIN_CENTRES || !next.hole.data.contains(&1) {
            return Ok(levels);
        }
        levels.push(next);
    }
}

/// Whether nothing is gained by a level still coarser.
pub fn coarse(levels: &[Level]) -> bool {
    levels.last().is_none_or(|last| {
        let deep = last.depth.data.iter().any(|d| *d > MAX_DEPTH);
        !deep && last.target_count() <= MAX_TARGETS
    })
}

/// Fills the coarsest level from so many starts and keeps the one that fits best.
///
/// # Errors
/// As [`complete`].
pub fn coarsest(
    setting: &Setting<'_>,
    level: &Level,
    rounds: &Rounds,
    starts: u64,
    rhythm: Option<&Rhythm>,
    meter: &mut Meter<'_>,
) -> Result<(Level, Field)> {
    let centres = level.centre_list()?;
    let mut best: Option<(u64, Level, Field)> = None;
    for start in 0..starts {
        let mut level = level.clone();
        let seed = setting.seed ^ (start << 48);
        let mut field = Field::random(&level, &centres, seed)?;
        let search = setting.search(rounds, seed, &centres);
        setting
            .pool
            .install(|| peel(&mut level, &mut field, &search, &centres))?;
        if follow(&mut field, &level, rounds.number, rhythm) {
            setting
                .pool
                .install(|| search.evaluate(&mut level, &mut field));
            setting.vote(&mut level, &field, rounds.number, Some(rounds.sharpness))?;
        }
        let with = Setting { seed, ..*setting };
        with.refine(&mut level, &mut field, rounds, &centres, meter)?;
        let energy = field.energy(&level);
        if best.as_ref().is_none_or(|b| energy < b.0) {
            best = Some((energy, level, field));
        }
    }
    match best {
        Some((_, level, field)) => Ok((level, field)),
        None => Err(Error::new(
            ErrorKind::Internal,
            "no start at the coarsest level",
        )),
    }
}

/// Takes targets' patches from along the lines that they lie on, painted ones first of all, and where something
/// repeats, from there; whether there are any.
fn follow(field: &mut Field, level: &Level, number: usize, rhythm: Option<&Rhythm>) -> bool {
    let repeats = match rhythm.filter(|r| r.number == number) {
        Some(rhythm) => field.follow(level, |x, y| rhythm.first(x, y)),
        None => false,
    };
    let along = match &level.along {
        Some(along) => field.follow(level, |x, y| along.first(x, y)),
        None => false,
    };
    let guided = match &level.guide {
        Some(guide) => guide.lead(field, level),
        None => false,
    };
    along || repeats || guided
}

/// The rounds of level `number` of `count`.
pub fn rounds(number: usize, count: usize) -> Rounds {
    let stage = match number {
        n if n + 1 == count => 0,
        0 => 2,
        _ => 1,
    };
    Rounds {
        number,
        rounds: ROUNDS[stage],
        sweeps: SWEEPS[stage],
        radius: SEARCH_RADIUS[stage],
        sharpness: SHARPNESS[usize::from(number == 0)],
        // After the finest level's last search no vote follows: the last one is taken on the crop's
        // own colours.
        last_vote: number > 0,
    }
}

/// Starts that a coarsest level of so many targets can afford; `lit`: whether the light is expected.
pub fn starts(targets: usize, lit: bool) -> u64 {
    let most = STARTS[usize::from(lit)];
    (most * MAX_TARGETS as u64 / targets.max(1) as u64).clamp(1, most)
}

/// Targets times sweeps of all levels, finest first, the coarsest from so many starts.
pub fn passes(levels: &[Level], starts: u64, rounds: impl Fn(usize) -> Rounds) -> f64 {
    let each = levels.iter().enumerate().map(|(number, level)| {
        let runs = match number + 1 == levels.len() {
            true => starts,
            false => 1,
        };
        level.target_count() as f64 * f64::from(rounds(number).passes()) * runs as f64
    });
    each.sum()
}

/// Refuses what a field cannot address.
pub fn check_size(image: &RgbImage, who: &str) -> Result<()> {
    if image.width.max(image.height) <= usize::from(u16::MAX) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        format!(
            "the region to fill from is {}×{} pixels: {who} takes up to 65535 a side; fill the \
             hole in parts or lower the context",
            image.width, image.height
        ),
    ))
}

/// The smallest box around the hole.
pub fn hole_bounds(hole: &Plane<u8>) -> Rect {
    let mut bounds = Rect::default();
    for y in 0..hole.height {
        let row = hole.row(y);
        let first = row.iter().position(|h| *h != 0);
        let last = row.iter().rposition(|h| *h != 0);
        if let (Some(first), Some(last)) = (first, last) {
            let run = Rect::new(first as u32, y as u32, (last - first + 1) as u32, 1);
            bounds = bounds.union(&run);
        }
    }
    bounds
}

/// `image` with the hole's pixels from `fill`, a box of it at `bounds`.
pub fn with_hole(
    image: &RgbImage,
    hole: &Plane<u8>,
    bounds: Rect,
    fill: &RgbImage,
) -> Result<RgbImage> {
    let mut out = image.try_clone(WHAT)?;
    for y in 0..fill.height {
        let at = (y + bounds.y as usize) * out.width + bounds.x as usize;
        for x in 0..fill.width {
            if hole.data[at + x] != 0 {
                out.data[(at + x) * 3..][..3].copy_from_slice(&fill.row(y)[x * 3..x * 3 + 3]);
            }
        }
    }
    Ok(out)
}
