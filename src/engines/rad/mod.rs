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

use super::opened::Opened;
use super::pump::{Told, pump};
use super::rates::{LOADING, rate};
use super::slot::{Slot, Stamp};
use super::{Ask, Crop, Engine, EngineDescription, Run};
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
    warm: Slot<Loaded>,
    opened: Opened<(Option<PathBuf>, String), (Vec<Stamp>, Checkpoint)>,
}

/// A loaded network.
struct Loaded {
    key: Vec<Stamp>,
    cx: Context,
    net: RadUnet,
}

/// What is known of a model before it is loaded.
struct Facts {
    weights: f64,
    /// Of a pass at the network's own size.
    pass: f64,
    flops: f64,
}

impl Facts {
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
    /// The model, opened, and its files as they were.
    fn checkpoint(
        &self,
        models: Option<&Path>,
        settings: &Settings,
    ) -> Result<Arc<(Vec<Stamp>, Checkpoint)>> {
        let key = (models.map(Path::to_path_buf), settings.model.clone());
        let find = || {
            let path = find::model(models, &settings.model)?;
            // Of the authors' folder, and of that in it.
            let all = [Some(path.clone()), models.map(Path::to_path_buf)];
            Ok((path, all.into_iter().flatten().collect()))
        };
        let open = |path: PathBuf| {
            let checkpoint = Checkpoint::open(&path)?;
            let files = checkpoint.files.iter().map(|file| Stamp::of(file));
            Ok((files.collect(), checkpoint))
        };
        self.opened.get(key, find, open)
    }

    fn facts(&self, ask: &Ask<'_>) -> Result<(Settings, Facts)> {
        let settings = Settings::new(ask.values)?;
        let opened = self.checkpoint(ask.models, &settings)?;
        Ok((settings, Facts::of(&opened.1)))
    }

    /// The network of a checkpoint: the one that is here, or loaded now in the place of the other.
    fn get(
        &self,
        key: Vec<Stamp>,
        checkpoint: &Checkpoint,
        run: &mut Run<'_>,
        told: &Told<'_>,
    ) -> Result<Arc<Loaded>> {
        let wanted = key.clone();
        let load = || {
            let cx = Context::new(Instructions::chosen());
            let scope = checkpoint.weights.root();
            let check = || told.layer();
            let net = RadUnet::new(&cx, &scope, checkpoint.config.clone(), &check)?;
            // What was read while somebody wrote is neither the old nor the new one.
            checkpoint.weights.check_unchanged()?;
            give_back();
            Ok(Loaded { key, cx, net })
        };
        let fits = |loaded: &Loaded| loaded.key == wanted;
        self.warm.get(run, told, fits, true, load)
    }
}

impl Engine for Rad {
    fn description(&self) -> EngineDescription {
        EngineDescription {
            id: "rad",
            label: "Region-aware diffusion",
            summary: "Invents what fits, with a diffusion model that knows the noise level of each pixel \
                      and adds noise only in the hole; soft masks keep part of what they cover. Works \
                      without a prompt. Needs a model that was trained for it, and minutes.",
            params: settings::params(),
        }
    }

    fn unavailable(&self, models: Option<&Path>) -> Option<String> {
        find::installed(models)
            .is_empty()
            .then(|| find::nothing(models))
    }

    fn needs(&self, ask: &Ask<'_>) -> Result<Needs> {
        let settings = Settings::new(ask.values)?;
        let opened = self.checkpoint(ask.models, &settings)?;
        let config = &opened.1.config;
        let side = config.sample_size as u32;
        Ok(Needs {
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
            coverage: true,
        })
    }

    fn costs(&self, ask: &Ask<'_>) -> Result<Costs> {
        let (settings, facts) = self.facts(ask)?;
        let (load, step) = facts.seconds();
        // Any region is brought to the network's size.
        Ok(Costs {
            bytes: facts.bytes(),
            bytes_per_pixel: CROP,
            bytes_per_hole_pixel: 0.0,
            seconds: load + step * settings.times.len() as f64,
            seconds_per_pixel: 2e-7,
            seconds_per_hole_pixel: 0.0,
        })
    }

    fn memory(&self, ask: &Ask<'_>) -> Result<Memory> {
        let (_, facts) = self.facts(ask)?;
        let mut memory = Memory::of(facts.bytes());
        memory.kept = facts.weights as u64;
        Ok(memory)
    }

    fn fill(&self, crop: &Crop<'_>, run: &mut Run<'_>) -> Result<RgbImage> {
        let settings = Settings::new(run.values)?;
        let opened = self.checkpoint(run.models, &settings)?;
        // From before the weights are read: what changes later is another network.
        let (key, checkpoint) = &*opened;
        let (load, step) = Facts::of(checkpoint).seconds();
        let count = settings.times.len();
        let end = load / (load + step * count as f64);
        let told = Told::new(run.cancel, count as u32);
        let seed = run.seed;
        told.begin("prepare", 0, 0.0);
        let (canvas, mut x, steps) = pump(run, &told, || {
            let canvas = Canvas::new(crop, checkpoint.config.alignment());
            let pixels = canvas.pixels(crop, settings.order)?;
            let steps = PixelRun::new(&settings.times, settings.order, &pixels)?;
            let mut x = canvas.planes(crop, &pixels)?;
            let mut noise = crate::memory::filled(x.len(), 0.0f32, "a run's noise")?;
            Noise::new(seed, Purpose::Start, 0).fill(&mut noise);
            steps.noised(0, &noise, &mut x)?;
            Ok((canvas, x, steps))
        })?;
        told.begin("load", 0, end);
        let loaded = self.get(key.clone(), checkpoint, run, &told)?;
        let out = pump(run, &told, || {
            let Loaded { cx, net, .. } = &*loaded;
            for i in 0..count {
                // Anew for each step: what the allocator would keep between is more than it is worth.
                let arena = Arena::new();
                let share = (i + 1) as f64 / count as f64;
                told.begin("steps", i as u32, end + (1.0 - end) * share);
                let map = LevelMap::new(canvas.height, canvas.width, &steps.levels(i)?)?;
                let mut given = crate::memory::with_capacity(x.len(), "a step's picture")?;
                given.extend_from_slice(&x);
                let shape = [1, Config::CHANNELS, canvas.height, canvas.width];
                let given = from_vec(given, &shape)?;
                let check = || told.layer();
                let output = net.forward(&Pass::new(cx, &arena).check(&check), &given, &map)?;
                let made = values(&output)?;
                let clean = steps.original(i, &made, &x)?;
                steps.step(settings.method, i, &made, &mut x, &mut |out| {
                    Noise::new(seed, Purpose::Step, i).fill(out);
                })?;
                // Nobody's fill is to fail for a preview.
                if let Ok(preview) = canvas.picture(crop, &clean) {
                    told.show(preview);
                }
                drop(made);
                drop((output, given, arena));
                give_back();
            }
            canvas.picture(crop, &x)
        })?;
        loaded.cx.trim();
        drop(loaded);
        give_back();
        Ok(out)
    }

    fn model(&self, ask: &Ask<'_>) -> Option<PathBuf> {
        let settings = Settings::new(ask.values).ok()?;
        find::model(ask.models, &settings.model).ok()
    }

    fn trim(&self) {
        self.opened.trim();
        self.warm.trim();
    }
}
