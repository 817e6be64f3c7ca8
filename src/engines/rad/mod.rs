//! Region-aware diffusion: a plain diffusion model of pictures that is told the noise level of each pixel, and so
//! fills a hole in one run of steps with the known pixels never touched.
//!
//! What is around the hole takes part at no noise at all, and a soft mask's pixels begin with as much noise as
//! they are to be replaced: see [`crate::schedulers::pixelwise`] and [`crate::models::rad_unet`].
#![forbid(unsafe_code)]

mod depth;
mod find;
mod picture;
mod settings;
#[cfg(test)]
mod tests;

use super::file_cache::FileCache;
use super::place::Installed;
use super::pump::{StageReporter, pump};
use super::rates::{LOADING, rate};
use super::slot::{Slot, Stamp};
use super::{Crop, Engine, EngineDescription, OpenOptions, Opened, Run};
use crate::error::Result;
use crate::kernels::{Context, Path as Instructions, Precision, give_back};
use crate::models::RadUnet;
use crate::models::rad_unet::{Checkpoint, Config, predicted, weights_bytes};
use crate::nn::{Arena, LevelMap, Run as Pass, from_vec, values};
use crate::pixels::RgbImage;
use crate::plan::{Costs, Memory, Needs};
use crate::schedulers::pixelwise::PixelRun;
use crate::schedulers::{Noise, Purpose};
use picture::Canvas;
use settings::Settings;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes a pixel of the crop that the engine takes besides the network: the crop at the network's size and
/// back, its original and its mask.
const CROP: f64 = 80.0;
/// Bytes besides: the kernels' scratch memory, the run's own planes, what is read while weights are packed;
/// measured.
const REST: f64 = 70e6;
/// Levels that a mask is counted with. More take a few kilobytes each.
const LEVELS: usize = 64;

/// The engine.
#[derive(Default)]
pub struct Rad {
    warm: Arc<Slot<Loaded>>,
    files: FileCache<(Option<PathBuf>, String), ModelFiles>,
    installed: Installed,
}

/// A model's files, opened.
struct ModelFiles {
    path: PathBuf,
    /// Each file as it was: what changes later is another network.
    stamps: Vec<Stamp>,
    checkpoint: Checkpoint,
}

/// The engine with its settings read and a model's files opened.
struct OpenRad {
    settings: Settings,
    files: Arc<ModelFiles>,
    costs: CostModel,
    warm: Arc<Slot<Loaded>>,
}

/// A loaded network.
struct Loaded {
    key: Vec<Stamp>,
    cx: Context,
    net: RadUnet,
}

/// What a model's headers say of what it takes, before it is loaded.
struct CostModel {
    weights: f64,
    /// Of a pass at the network's own size.
    pass: f64,
    flops: f64,
}

impl CostModel {
    fn of(checkpoint: &Checkpoint) -> Self {
        let side = checkpoint.config.sample_size;
        let cost = predicted(&checkpoint.config, side, side, LEVELS);
        let panel = Context::new(Instructions::chosen()).width();
        Self {
            weights: weights_bytes(&checkpoint.weights, panel),
            pass: cost.bytes as f64,
            flops: cost.flops as f64,
        }
    }

    fn bytes(&self) -> f64 {
        self.weights + self.pass + REST
    }

    /// Seconds on one thread to load it, and of a step.
    fn seconds(&self) -> (f64, f64) {
        let rate = rate(Instructions::chosen(), Precision::Full);
        (self.weights / LOADING, self.flops / rate)
    }
}

impl Rad {
    fn names(&self, models: Option<&Path>) -> Arc<Vec<String>> {
        self.installed.names(models, find::installed)
    }

    /// The files of the model of this name.
    fn files(&self, models: Option<&Path>, model: &str) -> Result<Arc<ModelFiles>> {
        let find = || {
            let path = find::model(models, model, || self.names(models))?;
            // Of the authors' folder, and of that in it.
            let all = [Some(path.clone()), models.map(Path::to_path_buf)];
            Ok((path, all.into_iter().flatten().collect()))
        };
        let open = |path: PathBuf| {
            let checkpoint = Checkpoint::open(&path)?;
            let stamps = checkpoint.files.iter().map(|file| Stamp::of(file));
            Ok(ModelFiles {
                stamps: stamps.collect(),
                path,
                checkpoint,
            })
        };
        let key = (models.map(Path::to_path_buf), model.to_owned());
        self.files.get(key, find, open)
    }
}

impl Engine for Rad {
    fn description(&self) -> EngineDescription {
        EngineDescription {
            id: "rad",
            label: "Region-aware diffusion",
            summary: "Invents what fits, with a diffusion model that knows the noise level of each pixel \
                      and adds noise only in the hole; soft masks keep part of what they cover. Works \
                      without a prompt. Needs a model that was trained for it, and takes minutes.",
            params: settings::params(),
        }
    }

    fn unavailable(&self, models: Option<&Path>) -> Option<String> {
        let none = self.names(models).is_empty();
        none.then(|| find::nothing(models))
    }

    fn open(&self, options: &OpenOptions<'_>) -> Result<Box<dyn Opened>> {
        let settings = Settings::new(options.parameters)?;
        let files = self.files(options.models, &settings.model)?;
        Ok(Box::new(OpenRad {
            costs: CostModel::of(&files.checkpoint),
            settings,
            files,
            warm: self.warm.clone(),
        }))
    }

    fn trim(&self) {
        self.files.trim();
        self.warm.trim();
    }
}

impl Opened for OpenRad {
    fn needs(&self) -> Needs {
        let config = &self.files.checkpoint.config;
        let side = config.sample_size as u32;
        Needs {
            alignment: config.alignment() as u32,
            min_context: side / 8,
            context_share: 0.5,
            max_context: 2048,
            max_side: Some(side),
            min_side: side,
            blend: true,
            // What shows through a soft mask.
            original: true,
            specks: false,
            lit: false,
            coverage: true,
        }
    }

    fn costs(&self, _: Option<u64>) -> Costs {
        let (load, step) = self.costs.seconds();
        // Any region is brought to the network's size.
        Costs {
            bytes: self.costs.bytes(),
            bytes_per_pixel: CROP,
            bytes_per_hole_pixel: 0.0,
            seconds: load + step * self.settings.times.len() as f64,
            seconds_per_pixel: 2e-7,
            seconds_per_hole_pixel: 0.0,
            variation: 1.0,
        }
    }

    fn memory(&self, _: Option<u64>) -> Memory {
        let mut memory = Memory::of(self.costs.bytes());
        memory.kept = self.costs.weights as u64;
        memory
    }

    fn model(&self) -> Option<&Path> {
        Some(&self.files.path)
    }

    fn fill(&self, crop: &Crop<'_>, run: &mut Run<'_>) -> Result<RgbImage> {
        let count = self.settings.times.len();
        let reporter = StageReporter::new(run.cancel, count as u32).may_end_early();
        reporter.begin("prepare", 0, 0.0);
        let seed = run.seed;
        let start = pump(run, &reporter, || self.start(crop, seed))?;
        let mut loading = 0.0;
        if !self.warm.holds(|loaded| self.fits(loaded)) {
            let (load, step) = self.costs.seconds();
            loading = load / (load + step * count as f64);
            reporter.begin("load", 0, loading);
        }
        let loaded = self.load(run, &reporter)?;
        let steps = || self.denoise(&loaded, crop, start, seed, loading, &reporter);
        let out = pump(run, &reporter, steps)?;
        reporter.tell_early(run);
        loaded.cx.trim();
        drop(loaded);
        give_back();
        Ok(out)
    }
}

/// Where the steps begin.
struct Start {
    canvas: Canvas,
    /// The crop's planes with the first step's noise in the hole.
    x: Vec<f32>,
    steps: PixelRun,
}

impl OpenRad {
    fn fits(&self, loaded: &Loaded) -> bool {
        loaded.key == self.files.stamps
    }

    /// The network: the one that is here, or loaded now in the place of the other.
    fn load(&self, run: &mut Run<'_>, reporter: &StageReporter<'_>) -> Result<Arc<Loaded>> {
        let load = || {
            let checkpoint = &self.files.checkpoint;
            let cx = Context::new(Instructions::chosen());
            let scope = checkpoint.weights.root();
            let check = || reporter.layer();
            let net = RadUnet::new(&cx, &scope, checkpoint.config.clone(), &check)?;
            // What was read while somebody wrote is neither the old nor the new one.
            checkpoint.weights.check_unchanged()?;
            give_back();
            let key = self.files.stamps.clone();
            Ok(Loaded { key, cx, net })
        };
        let fits = |loaded: &Loaded| self.fits(loaded);
        self.warm.get(run, reporter, fits, true, load)
    }

    /// The crop as the network sees it, with noise where it is to be filled.
    fn start(&self, crop: &Crop<'_>, seed: u64) -> Result<Start> {
        let (settings, config) = (&self.settings, &self.files.checkpoint.config);
        let canvas = Canvas::new(crop, config.alignment());
        let pixels = canvas.pixels(crop, settings.order)?;
        let steps = PixelRun::new(&settings.times, settings.order, &pixels)?;
        let mut x = canvas.planes(crop, &pixels)?;
        let mut noise = crate::memory::filled(x.len(), 0.0f32, "a run's noise")?;
        Noise::new(seed, Purpose::Start, 0).fill(&mut noise);
        steps.noised(0, &noise, &mut x)?;
        Ok(Start { canvas, x, steps })
    }

    /// Goes through the steps, which begin when the share `from` of the time is over: the filled crop, as the
    /// latest step has it where the reporter ends early.
    fn denoise(
        &self,
        loaded: &Loaded,
        crop: &Crop<'_>,
        start: Start,
        seed: u64,
        from: f64,
        reporter: &StageReporter<'_>,
    ) -> Result<RgbImage> {
        let Start {
            canvas,
            mut x,
            steps,
        } = start;
        let count = self.settings.times.len();
        let mut latest = Vec::new();
        for i in 0..count {
            // Anew for each step: what the allocator would keep between is more than it is worth.
            let arena = Arena::new();
            let share = (i + 1) as f64 / count as f64;
            reporter.begin("steps", i as u32, from + (1.0 - from) * share);
            let map = LevelMap::new(canvas.height, canvas.width, &steps.levels(i)?)?;
            let mut sample = crate::memory::with_capacity(x.len(), "a step's picture")?;
            sample.extend_from_slice(&x);
            let shape = [1, Config::CHANNELS, canvas.height, canvas.width];
            let sample = from_vec(sample, &shape)?;
            let check = || reporter.layer();
            let pass = Pass::new(&loaded.cx, &arena).check(&check);
            let passed = loaded.net.forward(&pass, &sample, &map);
            if i > 0 && reporter.ends_early() {
                reporter.end_early();
                return canvas.picture(crop, &latest);
            }
            let output = passed?;
            let made = values(&output)?;
            latest = steps.original(i, &made, &x)?;
            steps.step(self.settings.method, i, &made, &mut x, &mut |out| {
                Noise::new(seed, Purpose::Step, i).fill(out);
            })?;
            // Nobody's fill is to fail for a preview.
            if let Ok(preview) = canvas.picture(crop, &latest) {
                reporter.show(preview);
            }
            drop(made);
            drop((output, sample, arena));
            give_back();
        }
        canvas.picture(crop, &x)
    }
}
