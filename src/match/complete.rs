//! Filling a hole from coarse to fine: search and vote in turn at each level of a pyramid.
//!
//! Sources: Wexler, Shechtman, Irani, "Space-Time Completion of Video", PAMI 2007; Newson, Almansa,
//! Gousseau, Pérez, "Non-Local Patch-Based Image Inpainting", IPOL 2017. Added here: a texture
//! feature for every level, a bounded colour shift of patches, a preference for patches from the
//! same height, several starts at the coarsest level of which the best fit is kept, and a last step
//! on differences.
#![forbid(unsafe_code)]

use super::field::Field;
use super::level::Level;
use super::peel::peel;
use super::reconstruct::reconstruct;
use super::search::Search;
use super::vote::{Weights, vote};
use crate::blend;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::Path;
use crate::kernels::patch::{PatchKernels, SCALE, SIDE};
use crate::pixels::{Plane, Rect, RgbImage};
use crate::progress::Cancel;

/// Levels are added until no texel of the hole lies deeper than this, a patch's width about: then
/// every target patch at the coarsest level sees something known.
const MAX_DEPTH: u8 = 8;
/// And until the coarsest level has no more targets than this, for it is searched several times.
const MAX_TARGETS: usize = 6_000;
/// Least side of a level, in texels.
const MIN_SIDE: usize = 16;
/// Least usable patches of a level.
const MIN_CENTRES: usize = 64;
/// Starts at the coarsest level; the one whose patches fit best goes on.
const STARTS: u64 = 8;
/// Rounds of search and vote at the coarsest level, between, and at the finest.
const ROUNDS: [u32; 3] = [5, 5, 3];
/// Sweeps of a round, likewise.
const SWEEPS: [u32; 3] = [4, 2, 2];
/// First radius of the random search, likewise.
const SEARCH_RADIUS: [u32; 3] = [64, 32, 8];
/// Cost of one squared pixel of displacement along x and y.
const FAR: (f32, f32) = (1.0, 10.0);
/// Most that a patch's colours are shifted by, of 1.0.
const SHIFT: f32 = 0.06;
/// Sharpness of the votes below the finest level, at it, and of the last one, see [`Weights`].
const SHARPNESS: [u32; 3] = [4, 3, 4];

/// How a completion tells how far it is, on the thread that called it: the share done, and an error
/// to stop.
pub type Steps<'a> = &'a mut dyn FnMut(f64) -> Result<()>;

/// Fills the hole of `image` with patches of its usable pixels. Hole pixels carry a smooth guess.
///
/// `hole` and `source` have the image's size, no pixel is in both, and no side exceeds 65,535. Where
/// no whole patch of usable pixels is to be had, the guess stands.
///
/// # Errors
/// What `steps` returns; [`ErrorKind::Memory`]; [`ErrorKind::Unsupported`] for larger images.
pub fn complete(
    image: &RgbImage,
    hole: &Plane<u8>,
    source: &Plane<u8>,
    seed: u64,
    pool: &rayon::ThreadPool,
    cancel: &Cancel,
    steps: Steps<'_>,
) -> Result<RgbImage> {
    if image.width.max(image.height) > usize::from(u16::MAX) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "the region to fill from is {}×{} pixels: the exemplar engine takes up to 65535 a \
                 side; fill the hole in parts or lower the context",
                image.width, image.height
            ),
        ));
    }
    steps(0.0)?;
    let kernels = PatchKernels::new(Path::best());
    let mut levels = pool.install(|| pyramid(image, hole, source))?;
    let mut meter = Meter::new(&levels, steps);
    let Some(coarsest) = levels.pop().filter(|l| l.centres.data.contains(&1)) else {
        meter.finish()?;
        return try_clone(image);
    };
    let setting = Setting {
        kernels,
        seed,
        cancel,
        pool,
    };
    let (mut level, mut field) = setting.coarsest(&coarsest, levels.len(), &mut meter)?;
    drop(coarsest);
    while let Some(mut finer) = levels.pop() {
        let mut next = pool.install(|| field.refined(&level, &finer, seed))?;
        drop((level, field));
        let number = levels.len();
        let stage = if number == 0 { 2 } else { 1 };
        pool.install(|| {
            finer.update_means();
            vote(
                &mut finer,
                &next,
                kernels,
                Weights {
                    sharpness: None,
                    shift: SHIFT * SCALE,
                },
            )
        })?;
        setting.refine(&mut finer, &mut next, number, stage, &[], &mut meter)?;
        (level, field) = (finer, next);
    }
    let bounds = hole_bounds(hole).grown_within(1, image.width as u32, image.height as u32);
    let out = pool.install(|| {
        let weights = Weights {
            sharpness: Some(SHARPNESS[2]),
            shift: SHIFT * SCALE,
        };
        let mut fill = reconstruct(image, &level, &field, weights, bounds)?;
        drop((level, field));
        blend::seamless(image, hole, bounds, &mut fill.colour, fill.gx, fill.gy)?;
        let mut out = try_clone(image)?;
        for y in 0..fill.colour.height {
            let at = (y + bounds.y as usize) * out.width + bounds.x as usize;
            for x in 0..fill.colour.width {
                if hole.data[at + x] != 0 {
                    out.data[(at + x) * 3..][..3]
                        .copy_from_slice(&fill.colour.row(y)[x * 3..x * 3 + 3]);
                }
            }
        }
        Ok::<_, Error>(out)
    })?;
    meter.finish()?;
    Ok(out)
}

/// The levels, finest first. A level that cannot be searched is left out.
fn pyramid(image: &RgbImage, hole: &Plane<u8>, source: &Plane<u8>) -> Result<Vec<Level>> {
    let mut levels = vec![Level::finest(image, hole, source)?];
    loop {
        let last = &levels[levels.len() - 1];
        let deep = last.depth.data.iter().any(|d| *d > MAX_DEPTH);
        if !deep && last.target_count() <= MAX_TARGETS {
            return Ok(levels);
        }
        if last.hole.width.min(last.hole.height) < 2 * MIN_SIDE.max(SIDE) {
            return Ok(levels);
        }
        let next = last.coarser()?;
        let centres = next.centres.data.iter().filter(|c| **c != 0).count();
        if centres < MIN_CENTRES || !next.hole.data.contains(&1) {
            return Ok(levels);
        }
        levels.push(next);
    }
}

/// What stays the same through all levels.
struct Setting<'a> {
    kernels: PatchKernels,
    seed: u64,
    cancel: &'a Cancel,
    pool: &'a rayon::ThreadPool,
}

impl Setting<'_> {
    /// Fills the coarsest level from several starts and keeps the one that fits best.
    fn coarsest(
        &self,
        level: &Level,
        number: usize,
        meter: &mut Meter<'_>,
    ) -> Result<(Level, Field)> {
        let centres = level.centre_list()?;
        let mut best: Option<(u64, Level, Field)> = None;
        for start in 0..starts(level) {
            let mut level = level.clone();
            let seed = self.seed ^ (start << 48);
            let mut field = Field::random(&level, &centres, seed)?;
            let search = self.search(number, 0, seed, &centres);
            self.pool
                .install(|| peel(&mut level, &mut field, &search, &centres))?;
            let with = Self { seed, ..*self };
            with.refine(&mut level, &mut field, number, 0, &centres, meter)?;
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

    /// Rounds of search and vote. After the finest level's last search no vote follows: the last
    /// one is taken on the crop's own colours.
    fn refine(
        &self,
        level: &mut Level,
        field: &mut Field,
        number: usize,
        stage: usize,
        anywhere: &[(u16, u16)],
        meter: &mut Meter<'_>,
    ) -> Result<()> {
        let sharpness = Some(SHARPNESS[usize::from(number == 0)]);
        let weights = Weights {
            sharpness,
            shift: SHIFT * SCALE,
        };
        let targets = level.target_count();
        let mut sweep = 0;
        for round in 0..ROUNDS[stage] {
            let seed = self.seed ^ ((number as u64) << 56) ^ (u64::from(round) << 40);
            let search = self.search(number, stage, seed, anywhere);
            self.pool.install(|| search.evaluate(level, field));
            for _ in 0..SWEEPS[stage] {
                self.pool.install(|| search.sweep(level, field, sweep));
                sweep += 1;
                meter.add(targets)?;
            }
            if number > 0 || round + 1 < ROUNDS[stage] {
                self.pool
                    .install(|| vote(level, field, self.kernels, weights))?;
            }
        }
        Ok(())
    }

    fn search<'b>(
        &'b self,
        number: usize,
        stage: usize,
        seed: u64,
        anywhere: &'b [(u16, u16)],
    ) -> Search<'b> {
        // A texel of level n is 2^n pixels wide.
        let area = 4f32.powi(number as i32);
        Search {
            kernels: self.kernels,
            radius: SEARCH_RADIUS[stage],
            anywhere,
            seed,
            far: (FAR.0 * area, FAR.1 * area),
            shift: SHIFT * SCALE,
            cancel: self.cancel,
        }
    }
}

/// Starts that the coarsest level can afford.
fn starts(level: &Level) -> u64 {
    (STARTS * MAX_TARGETS as u64 / level.target_count().max(1) as u64).clamp(1, STARTS)
}

/// Counts the targets of all sweeps against those that will come.
struct Meter<'a> {
    total: f64,
    done: f64,
    steps: Steps<'a>,
}

impl<'a> Meter<'a> {
    /// For these levels, finest first; what follows the sweeps counts as a tenth.
    fn new(levels: &[Level], steps: Steps<'a>) -> Self {
        let sweeps = levels.iter().enumerate().map(|(number, level)| {
            let (stage, runs) = if number + 1 == levels.len() {
                (0, starts(level))
            } else {
                (if number == 0 { 2 } else { 1 }, 1)
            };
            level.target_count() as f64 * f64::from(ROUNDS[stage] * SWEEPS[stage]) * runs as f64
        });
        Self {
            total: (sweeps.sum::<f64>() * 1.1).max(1.0),
            done: 0.0,
            steps,
        }
    }

    fn add(&mut self, targets: usize) -> Result<()> {
        self.done += targets as f64;
        (self.steps)(self.done / self.total)
    }

    fn finish(self) -> Result<()> {
        (self.steps)(1.0)
    }
}

/// The smallest box around the hole.
fn hole_bounds(hole: &Plane<u8>) -> Rect {
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

fn try_clone(image: &RgbImage) -> Result<RgbImage> {
    let mut out = RgbImage::black(image.width, image.height, "the filled crop")?;
    out.data.copy_from_slice(&image.data);
    Ok(out)
}
