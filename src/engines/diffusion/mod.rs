//! Latent diffusion: Stable Diffusion 1.x and 2.x, inpainting or plain, in diffusers' folders or in
//! one file.
//!
//! The crop's latents are denoised in steps by a UNet that a prompt guides; then the hole is decoded.
//! Nothing is loaded before the first fill. Of its networks, each is loaded, run and dropped in turn;
//! the UNet stays for the next fill until [`Engine::trim`], unless a budget of memory forbids it; `stages`
//! has the choice.
#![forbid(unsafe_code)]

mod cost;
mod find;
mod folder;
mod padded;
mod pipeline;
mod preview;
mod settings;
mod stages;
#[cfg(test)]
mod tests;
mod warm;

use super::exemplar::Exemplar;
use super::opened::Opened;
use super::pump::{Told, pump};
use super::{Ask, Crop, Engine, EngineDescription, Mark, Run, in_range};
use crate::error::Result;
use crate::kernels::{Context, Path as Instructions, give_back};
use crate::nn;
use crate::pixels::RgbImage;
use crate::plan::{Costs, Memory, Needs};
use crate::schedulers::Noise;
use cost::{Model, predict};
use folder::{Files, Folder};
use padded::{Padded, cut};
use pipeline::{Pipeline, latent_mask, showing, soft_mask};
use settings::{Content, Settings, Vae};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use warm::{Key, Warm};

/// The share of a fill that the exemplar fill of the hole takes where one is wanted.
const EXEMPLAR: f64 = 0.03;

/// The latent diffusion engine.
#[derive(Default)]
pub struct Diffusion {
    warm: Warm,
    opened: Opened<Asked, Folder>,
    whole: Whole,
}

/// What a model is asked for by: the models folder, and the parameters that name its files.
type Asked = (Option<PathBuf>, String, Vec<(String, f64)>, Vae);

impl Diffusion {
    /// The model that is asked for, opened.
    fn folder(&self, models: Option<&Path>, settings: &Settings) -> Result<Arc<Folder>> {
        let models_folder = models.map(Path::to_path_buf);
        let Settings {
            model, lora, vae, ..
        } = settings;
        let key = (models_folder, model.clone(), lora.clone(), *vae);
        let find = || {
            let files = Files::find(models, settings)?;
            let mut paths = files.paths();
            paths.extend(models.map(Path::to_path_buf));
            Ok((files, paths))
        };
        self.opened.get(key, find, Folder::of)
    }
}

/// What is done in one piece and not in parts: nothing, unless that is measured.
#[derive(Clone, Copy, Default)]
struct Whole {
    attention: bool,
    pictures: bool,
}

#[cfg(test)]
impl Diffusion {
    /// With this in one piece. The plan knows nothing of it.
    pub fn unthrifty(attention: bool, pictures: bool) -> Self {
        Self {
            warm: Warm::default(),
            opened: Opened::default(),
            whole: Whole {
                attention,
                pictures,
            },
        }
    }
}

impl Engine for Diffusion {
    fn description(&self) -> EngineDescription {
        EngineDescription {
            id: "diffusion",
            label: "Diffusion",
            summary: "Invents what fits, with or without a prompt, with a Stable Diffusion model of \
                      version 1 or 2. Needs a model, and minutes.",
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
        let folder = self.folder(ask.models, &settings)?;
        // Steps that cannot be are told before anything is loaded.
        let steps = settings.schedule(&folder.scheduler)?;
        settings.first(steps.timesteps().len())?;
        let side = folder.side as u32;
        Ok(Needs {
            alignment: folder.vae.scale() as u32,
            min_context: side / 8,
            context_share: 0.5,
            max_context: 2048,
            max_side: Some(side),
            min_side: side,
            blend: true,
            // A plain UNet puts back what shows through a soft mask.
            original: match settings.content {
                Content::Original => true,
                Content::Noise => !folder.inpaints(),
                Content::Exemplar => false,
            },
            specks: false,
            coverage: !folder.inpaints(),
        })
    }

    fn costs(&self, ask: &Ask<'_>) -> Result<Costs> {
        let settings = Settings::new(ask.values)?;
        let folder = self.folder(ask.models, &settings)?;
        let model = Model::open(&folder)?;
        let (choice, memory) = stages::plan(&model, &settings, ask.budget);
        let cost = predict(&model, &settings, &choice);
        // Any region is brought to the model's resolution; only the crop itself is larger.
        Ok(Costs {
            bytes: memory.bytes as f64,
            bytes_per_pixel: 60.0,
            bytes_per_hole_pixel: 0.0,
            seconds: cost.seconds(),
            seconds_per_pixel: 2e-7,
            seconds_per_hole_pixel: 0.0,
        })
    }

    fn memory(&self, ask: &Ask<'_>) -> Result<Memory> {
        let settings = Settings::new(ask.values)?;
        let folder = self.folder(ask.models, &settings)?;
        let model = Model::open(&folder)?;
        Ok(stages::plan(&model, &settings, ask.budget).1)
    }

    fn fill(&self, crop: &Crop<'_>, run: &mut Run<'_>) -> Result<RgbImage> {
        let settings = Settings::new(run.values)?;
        let folder = self.folder(run.models, &settings)?;
        let padded = Padded::new(crop, folder.vae.scale())?;
        let size = (crop.image.width, crop.image.height);
        let whole = padded.as_ref().map(Padded::crop);
        let crop = whole.as_ref().unwrap_or(crop);
        let key = Key::of(&folder, settings.precision);
        let model = Model::open(&folder)?;
        let (choice, _) = stages::plan(&model, &settings, run.budget);
        let key = key.streaming(&choice);
        let cost = predict(&model, &settings, &choice);
        if !choice.keep {
            // From an earlier fill that had more room.
            self.warm.trim();
        }
        let made = match settings.content {
            Content::Exemplar => Some(exemplar(crop, run, cost.steps as u32)?),
            Content::Original | Content::Noise => None,
        };
        let mixed = match (settings.content, crop.original, crop.coverage) {
            (Content::Noise, Some(original), Some(coverage)) => {
                showing(crop.image, original, crop.hole, coverage)?
            }
            _ => None,
        };
        let picture = match (made.as_ref().or(mixed.as_ref()), settings.content) {
            (Some(made), _) => made,
            (None, Content::Original) => crop.original.unwrap_or(crop.image),
            (None, _) => crop.image,
        };
        let from_noise = settings.content == Content::Noise && settings.strength >= 1.0;
        let told = Told::new(run.cancel, cost.steps as u32);
        let (seed, precision) = (run.seed, settings.precision);
        let cx = Context::new(Instructions::chosen()).packing(precision);
        let draw = |purpose, index, out: &mut [f32]| Noise::new(seed, purpose, index).fill(out);
        let stages = Pipeline {
            folder: &folder,
            settings: &settings,
            cx: &cx,
            draw: &draw,
            told: &told,
            slice: match self.whole.attention {
                true => usize::MAX,
                false => choice.slice,
            },
            band: match self.whole.pictures {
                true => usize::MAX,
                false => nn::Run::BAND,
            },
        };
        // Where each stage ends, of the time that is left after the exemplar fill.
        let mut end = if made.is_some() { EXEMPLAR } else { 0.0 };
        told.begin("prepare", 0, end);
        let rest = 1.0 - end;
        let mut until = |seconds: f64| {
            end += rest * seconds / cost.seconds();
            end
        };
        let warm = self.warm.has(&key);
        let stop = AtomicBool::new(false);
        let (text, begin) = thread::scope(|scope| {
            if !warm {
                // The disk is at work while the processor is: the UNet is wanted next.
                scope.spawn(|| model.unet.read_ahead(&stop));
            }
            let made = pump(run, &told, || {
                told.begin("text", 0, until(cost.text));
                let text = stages.text()?;
                told.begin("encode", 0, until(cost.encode));
                let mask = match folder.inpaints() {
                    true => latent_mask(crop.hole, folder.vae.scale(), true)?,
                    false => soft_mask(crop.hole, crop.coverage, folder.vae.scale())?,
                };
                Ok((text, stages.encode(picture, crop.hole, mask, from_noise)?))
            });
            stop.store(true, Ordering::Relaxed);
            made
        })?;
        drop((made, mixed));
        cx.trim();
        give_back();
        told.begin("load", 0, until(0.0));
        let unet = self.warm.get(key, &model, &choice, run, &told)?;
        let reading = if warm { 0.0 } else { cost.load };
        let first = until(cost.step + reading);
        let shares = (first, until(cost.step * (cost.steps - 1.0)));
        let latents = pump(run, &told, || {
            let cx = &unet.cx;
            let stages = Pipeline { cx, ..stages };
            stages.denoise(&unet.net, &text, &begin, from_noise, shares)
        })?;
        unet.cx.trim();
        drop(unet);
        give_back();
        let out = pump(run, &told, || {
            told.begin("decode", cost.steps as u32, 1.0);
            let mut out = stages.decode(&latents, begin.height, begin.width)?;
            out.data.iter_mut().for_each(|v| *v = in_range(*v));
            Ok(out)
        })?;
        give_back();
        match padded {
            Some(_) => cut(&out, size.0, size.1),
            None => Ok(out),
        }
    }

    fn model(&self, ask: &Ask<'_>) -> Option<PathBuf> {
        let settings = Settings::new(ask.values).ok()?;
        Some(self.folder(ask.models, &settings).ok()?.path.clone())
    }

    fn trim(&self) {
        self.opened.trim();
        self.warm.trim();
    }
}

/// The exemplar engine's fill of the crop.
fn exemplar(crop: &Crop<'_>, run: &mut Run<'_>, steps: u32) -> Result<RgbImage> {
    let prepare = |mark: Mark| Mark {
        stage: "prepare",
        step: 0,
        steps,
        share: mark.share * EXEMPLAR,
    };
    run.mapped(prepare, |run| Exemplar.fill(crop, run))
}
