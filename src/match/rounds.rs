//! Rounds of search and vote at one level, and how far all of them are.
#![forbid(unsafe_code)]

use super::field::Field;
use super::level::Level;
use super::light::Guess;
use super::low::Low;
use super::search::Search;
use super::vote::{Weights, vote};
use crate::error::Result;
use crate::kernels::patch::PatchKernels;
use crate::pixels::Plane;
use crate::progress::Cancel;
use crate::workers::Workers;

/// How a completion tells how far it is, on the thread that called it: the share done, and an error
/// to stop.
pub type Steps<'a> = &'a mut dyn FnMut(f64) -> Result<()>;

/// What stays the same through all levels.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// Patch kernels.
    pub kernels: PatchKernels,
    /// Seeds every draw.
    pub seed: u64,
    /// Sweeps stop once it is raised.
    pub cancel: &'a Cancel,
    /// The threads.
    pub pool: &'a Workers,
    /// Cost of one squared pixel of displacement along x and y.
    pub far: (f32, f32),
    /// Most that a patch's colours are shifted by, in texel units.
    pub shift: f32,
    /// The share of the voted texture feature in the new one: of a level's first vote, which takes it
    /// from the coarser level's matches, and of the others.
    pub feature: [f32; 2],
    /// What the votes must keep.
    pub low: Option<&'a Low>,
    /// The light that is expected.
    pub light: Option<Guess<'a>>,
    /// How much of the light's trust counts.
    pub trust: f32,
    /// Where fills that were made before took their patches from at the coarsest level, which this one is not to
    /// take again.
    pub avoid: &'a [Plane<(u16, u16)>],
    /// 1 where lines are painted that are to go on through the hole.
    pub guide: Option<&'a Plane<u8>>,
}

/// The rounds of one level.
#[derive(Clone, Copy)]
pub struct Rounds {
    /// The level's number; 0 is the finest.
    pub number: usize,
    /// Rounds of search and vote.
    pub rounds: u32,
    /// Sweeps of each.
    pub sweeps: u32,
    /// First radius of the random search, in texels.
    pub radius: u32,
    /// Sharpness of the votes, see [`Weights`].
    pub sharpness: u32,
    /// Whether the last round is voted on, too.
    pub last_vote: bool,
}

impl Rounds {
    /// Sweeps over a level's targets in all.
    pub fn passes(&self) -> u32 {
        self.rounds * self.sweeps
    }
}

impl Setting<'_> {
    /// The search of these rounds. Of each patch in `anywhere` some are drawn, too.
    pub fn search<'b>(
        &'b self,
        rounds: &Rounds,
        seed: u64,
        anywhere: &'b [(u16, u16)],
    ) -> Search<'b> {
        // A texel of level n is 2^n pixels wide.
        let area = 4f32.powi(rounds.number as i32);
        Search {
            kernels: self.kernels,
            radius: rounds.radius,
            anywhere,
            seed,
            far: (self.far.0 * area, self.far.1 * area),
            shift: self.shift,
            cancel: self.cancel,
            avoid: self.avoid,
            trust: self.trust,
        }
    }

    /// Search and vote in turn.
    ///
    /// # Errors
    /// What the meter's steps return; [`crate::ErrorKind::Memory`].
    pub fn refine(
        &self,
        level: &mut Level,
        field: &mut Field,
        rounds: &Rounds,
        anywhere: &[(u16, u16)],
        meter: &mut Meter<'_>,
    ) -> Result<()> {
        let targets = level.target_count();
        let mut sweep = 0;
        for round in 0..rounds.rounds {
            let seed = self.seed ^ ((rounds.number as u64) << 56) ^ (u64::from(round) << 40);
            let search = self.search(rounds, seed, anywhere);
            self.pool.install(|| search.evaluate(level, field));
            for _ in 0..rounds.sweeps {
                self.pool.install(|| search.sweep(level, field, sweep));
                sweep += 1;
                meter.add(targets)?;
            }
            if rounds.last_vote || round + 1 < rounds.rounds {
                self.vote(level, field, rounds.number, Some(rounds.sharpness))?;
            }
        }
        Ok(())
    }

    /// One vote; the targets' means must be current.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn vote(
        &self,
        level: &mut Level,
        field: &Field,
        number: usize,
        sharpness: Option<u32>,
    ) -> Result<()> {
        let weights = Weights {
            sharpness,
            shift: self.shift,
            feature: self.feature[usize::from(sharpness.is_some())],
        };
        self.pool.install(|| {
            vote(level, field, self.kernels, weights, self.cancel)?;
            match self.low {
                Some(low) => low.pull(level, number, self.cancel),
                None => Ok(()),
            }
        })
    }
}

/// Counts the targets of all sweeps against those that will come.
pub struct Meter<'a> {
    total: f64,
    done: f64,
    steps: Steps<'a>,
}

impl<'a> Meter<'a> {
    /// For `passes`, targets times sweeps of all levels; what follows them counts as a tenth.
    pub fn new(passes: f64, steps: Steps<'a>) -> Self {
        Self {
            total: (passes * 1.1).max(1.0),
            done: 0.0,
            steps,
        }
    }

    /// A sweep over so many targets is done.
    ///
    /// # Errors
    /// What the steps return.
    pub fn add(&mut self, targets: usize) -> Result<()> {
        self.done += targets as f64;
        (self.steps)(self.done / self.total)
    }

    /// All is done.
    ///
    /// # Errors
    /// What the steps return.
    pub fn finish(self) -> Result<()> {
        (self.steps)(1.0)
    }
}
