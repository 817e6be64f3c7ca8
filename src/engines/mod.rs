//! The engines: each fills one RGB crop and knows nothing of hosts, files or pixel formats. Floor 4.
//!
//! A new engine is one file or folder here and one line in [`all`].
#![forbid(unsafe_code)]

mod auto;
mod diffusion;
mod eraser;
mod exemplar;
mod file_cache;
mod lama;
mod migan;
pub mod place;
pub mod pump;
mod rad;
mod rates;
mod rethined;
mod slot;
#[cfg(test)]
pub(crate) mod testing;

pub use auto::{Choice, choose};
pub use exemplar::patch_costs;

use crate::error::{Error, ErrorKind, Result};
use crate::r#match::Random;
use crate::params::{ParamKind, ParamSpec, Parameters};
use crate::pixels::{Plane, RgbImage};
use crate::plan::{Costs, Memory, Needs};
use crate::progress::Cancel;
use crate::workers::Workers;
use std::path::Path;
use std::sync::Arc;

/// Every engine of this build, the default first: of those that need no model, the one whose fills are
/// best. Its light is where it belongs, and what it lays into the hole is the picture's own.
pub fn all() -> Vec<Arc<dyn Engine>> {
    vec![
        Arc::new(rethined::Rethined::default()),
        Arc::new(exemplar::Exemplar),
        Arc::new(migan::engine()),
        Arc::new(lama::engine()),
        Arc::new(diffusion::Diffusion::default()),
        Arc::new(rad::Rad::default()),
    ]
}

/// The diffusion engine with some of its thrift switched off, to measure what that gains: attention of
/// all queries at once, and the autoencoder over whole pictures.
#[cfg(test)]
pub fn unthrifty(whole_attention: bool, whole_pictures: bool) -> Arc<dyn Engine> {
    let thrifty = diffusion::Tiling::default();
    let or_all = |whole, part| if whole { usize::MAX } else { part };
    Arc::new(diffusion::Diffusion::tiled(diffusion::Tiling {
        queries: or_all(whole_attention, thrifty.queries),
        band: or_all(whole_pictures, thrifty.band),
    }))
}

/// What `mend_describe` says of an engine.
#[derive(Clone, Debug)]
pub struct EngineDescription {
    /// The name in every surface.
    pub id: &'static str,
    /// A short label for dialogs.
    pub label: &'static str,
    /// One or two sentences: what it is good at, what it needs.
    pub summary: &'static str,
    /// The parameters that only some engines have.
    pub params: Vec<ParamSpec>,
}

/// One region's pixels, as an engine gets them.
pub struct Crop<'a> {
    /// The picture; the hole's pixels carry a smooth guess, never the content to be removed.
    pub image: &'a RgbImage,
    /// The picture with the content to be removed, where [`Needs::original`] asks for it.
    pub original: Option<&'a RgbImage>,
    /// 1 where a pixel is to be filled; so is what is transparent beside them, and thrown away.
    pub hole: &'a Plane<u8>,
    /// How much of a pixel is to be replaced, above 0 wherever `hole` is 1, where [`Needs::coverage`]
    /// asks for it.
    pub coverage: Option<&'a Plane<f32>>,
    /// 1 where a known pixel may be sampled from; 0 in the hole, where the image is transparent,
    /// and outside the caller's source mask.
    pub source: &'a Plane<u8>,
    /// 1 where the user painted a line that is to go on through the hole, over known pixels and hole alike;
    /// `None` where none is painted in the crop.
    pub guide: Option<&'a Plane<u8>>,
}

/// What an engine is opened with.
#[derive(Clone, Copy)]
pub struct OpenOptions<'a> {
    /// The engine's own parameters and the common ones.
    pub parameters: &'a Parameters,
    /// The models folder, if there is any; it need not exist.
    pub models: Option<&'a Path>,
}

/// How far an engine is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    /// What is being done, see [`crate::progress::Step::stage`].
    pub stage: &'static str,
    /// Steps done of this region.
    pub step: u32,
    /// Steps of a region, at least 1.
    pub steps: u32,
    /// The share of the region's time that is over, `0.0 ..= 1.0`.
    pub share: f64,
}

impl Mark {
    /// What an engine tells that has no stages of its own, in hundredths.
    pub const FILL: &'static str = "fill";

    /// The mark of a whole of which this is one of `count` parts of as many steps, the one with the number
    /// `i`; `share` of the whole is done. Hundredths stay hundredths.
    pub fn of_whole(self, share: f64, i: u32, count: u32) -> Self {
        let (step, steps) = match self.stage == Self::FILL {
            true => ((share * 100.0).round() as u32, 100),
            false => {
                let before = self.steps.saturating_mul(i);
                (
                    before.saturating_add(self.step),
                    self.steps.saturating_mul(count),
                )
            }
        };
        Self {
            step,
            steps,
            share,
            ..self
        }
    }
}

/// The seed of variation `number` of a fill: the first has the fill's own, and each other one that the
/// parameter `seed` could have.
pub fn variation_seed(seed: u64, number: u32) -> u64 {
    match number {
        0 => seed,
        number => Random::new(seed, number.into()).next() >> 32,
    }
}

/// What an engine runs with.
pub struct Run<'a> {
    /// The inpainter's own threads.
    pub pool: &'a Workers,
    /// Raised when the caller wants to stop; look at it at least ten times a second.
    pub cancel: &'a Cancel,
    /// Seeds every random choice: the same seed gives the same fill on any number of threads.
    pub seed: u64,
    /// Bytes that it may take besides what grows with the region; `None`: no bound.
    pub budget: Option<u64>,
    /// Told how far it is; `false` means stop.
    pub report: &'a mut dyn FnMut(Mark) -> bool,
    /// Given a small picture of what the crop has come to, of any size; the next report tells of it.
    pub show: &'a mut dyn FnMut(&RgbImage),
    /// Told what the user should know of this fill.
    pub note: &'a mut dyn FnMut(String),
}

impl Run<'_> {
    /// Reports the share done, in hundredths, and looks at the cancel flag.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`].
    pub fn step(&mut self, share: f64) -> Result<()> {
        let share = share.clamp(0.0, 1.0);
        self.at(Mark {
            stage: Mark::FILL,
            step: (share * 100.0).round() as u32,
            steps: 100,
            share,
        })
    }

    /// As [`Self::step`], with a stage and steps of its own.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`].
    pub fn at(&mut self, mark: Mark) -> Result<()> {
        self.cancel.check()?;
        if (self.report)(mark) {
            Ok(())
        } else {
            Err(Error::cancelled())
        }
    }

    /// Does `work` as a part of this run: each of its marks is told as `map` has it.
    pub fn mapped<T>(
        &mut self,
        mut map: impl FnMut(Mark) -> Mark,
        work: impl FnOnce(&mut Run<'_>) -> T,
    ) -> T {
        let report = &mut *self.report;
        work(&mut Run {
            report: &mut |mark| report(map(mark)),
            show: &mut *self.show,
            note: &mut *self.note,
            ..*self
        })
    }
}

/// What can be asked for to fill crops, and what stays loaded from fill to fill.
pub trait Engine: Send + Sync {
    /// Name, label, parameters.
    fn description(&self) -> EngineDescription;

    /// Why it cannot run as things are, a model that is missing say, and what to do; `None` where it
    /// can.
    fn unavailable(&self, _models: Option<&Path>) -> Option<String> {
        None
    }

    /// Reads the settings, and finds the model and reads its headers, once for a plan and its fill.
    /// Loads no weights.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] where the model that is asked for is missing or cannot be used;
    /// [`ErrorKind::Parameter`] and [`ErrorKind::Argument`] for values that do not go together.
    fn open(&self, options: &OpenOptions<'_>) -> Result<Box<dyn Opened>>;

    /// Lets go what it keeps for the next fill.
    fn trim(&self) {}
}

/// An engine with its settings read and its model's headers at hand. What it loads stays with the
/// [`Engine`].
pub trait Opened: Send + Sync {
    /// What it asks of a region.
    fn needs(&self) -> Needs;

    /// What a region costs, as data for the planner, where besides what grows with the region no more
    /// than `budget` bytes are taken; `None`: no bound.
    fn costs(&self, budget: Option<u64>) -> Costs;

    /// What a region takes whatever its size, part by part, and how it is to be done to keep the
    /// budget, as in [`Self::costs`]. The fill chooses the same.
    fn memory(&self, budget: Option<u64>) -> Memory {
        Memory::of(self.costs(budget).bytes)
    }

    /// Whether its fills are the picture's own patches and nothing else: along a rough transparent edge that
    /// has a border, whose alpha is searched for, colours then come with the alpha. What is transparent
    /// beside a hole is a part of it for every other fill.
    fn of_patches(&self) -> bool {
        false
    }

    /// Where the model lies, for messages; `None` for an engine without.
    fn model(&self) -> Option<&Path> {
        None
    }

    /// What the user should know of how its settings were read.
    fn note(&self) -> Option<&str> {
        None
    }

    /// Fills the hole of `crop`.
    ///
    /// The returned picture has the crop's size. Outside the hole it holds the engine's own version
    /// of the known pixels where it has one (the blend compares the two along the rim), otherwise
    /// the crop's. What a model made that is no number is left in it: the flow refuses it.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`], [`ErrorKind::Memory`], [`ErrorKind::Mask`] when there is nothing
    /// to fill from; [`ErrorKind::Model`] for weights that cannot be used.
    fn fill(&self, crop: &Crop<'_>, run: &mut Run<'_>) -> Result<RgbImage>;

    /// Whether it continues the lines of [`Crop::guide`].
    fn guides(&self) -> bool {
        false
    }

    /// Fills the hole of `crop` `count` times over, and gives `each` the fills, one after the other. The
    /// first is to the bit what [`Self::fill`] makes with this run's seed; the others differ from it where
    /// random choices matter. Progress runs from 0 to 1 once. `each` may report by itself; an error of its
    /// ends the work.
    ///
    /// Without an implementation of its own, an engine fills anew with the seeds of [`variation_seed`].
    ///
    /// # Errors
    /// As [`Self::fill`], and those of `each`.
    fn vary(
        &self,
        crop: &Crop<'_>,
        run: &mut Run<'_>,
        count: u32,
        each: &mut dyn FnMut(RgbImage) -> Result<()>,
    ) -> Result<()> {
        let seed = run.seed;
        for number in 0..count {
            let map = |mark: Mark| {
                let share = (f64::from(number) + mark.share) / f64::from(count);
                mark.of_whole(share, number, count)
            };
            let filled = run.mapped(map, |run| {
                run.seed = variation_seed(seed, number);
                self.fill(crop, run)
            })?;
            each(filled)?;
        }
        Ok(())
    }
}

/// The parameter that names the model of an engine that has several.
fn model_param() -> ParamSpec {
    ParamSpec {
        name: "model",
        label: "Model",
        help: "A model: its name in the models folder, or its path. Empty takes the first of \
               the engine's in the models folder.",
        kind: ParamKind::Text,
        default: "",
    }
}

/// A network's value as a colour, `0.0 ..= 1.0`; NaN for one that is not finite, so that it is seen.
pub fn in_range(value: f32) -> f32 {
    match value.is_finite() {
        true => value.clamp(0.0, 1.0),
        false => f32::NAN,
    }
}

/// The engine called `id`.
///
/// # Errors
/// [`ErrorKind::Engine`] with the nearest right name.
pub fn find(engines: &[Arc<dyn Engine>], id: &str) -> Result<Arc<dyn Engine>> {
    if let Some(e) = engines.iter().find(|e| e.description().id == id) {
        return Ok(e.clone());
    }
    let mut ids: Vec<_> = engines.iter().map(|e| e.description().id).collect();
    ids.insert(0, "auto");
    Err(Error::new(
        ErrorKind::Engine,
        format!(
            "there is no engine '{id}' here: use one of {}{}",
            ids.join(", "),
            crate::params::did_you_mean(id, &ids)
        ),
    ))
}
