//! Latent diffusion: Stable Diffusion 1.x and 2.x, inpainting or plain, in diffusers' folders or in
//! one file.
//!
//! The crop's latents are denoised in steps by a UNet that a prompt guides; then the hole is decoded.
//! Nothing is loaded before the first fill. Of its networks, each is loaded, run and dropped in turn;
//! the UNet stays for the next fill until [`Engine::trim`], unless a budget of memory forbids it; `stages`
//! has the choice.
#![forbid(unsafe_code)]

mod cost;
mod fill;
mod find;
mod folder;
mod model;
mod padded;
mod pipeline;
mod preview;
mod quality;
mod settings;
mod stages;
#[cfg(test)]
mod tests;
mod warm;

use super::file_cache::FileCache;
use super::place::Installed;
use super::{Crop, Engine, EngineDescription, OpenOptions, Opened, Run};
use crate::error::Result;
use crate::kernels::Attention;
use crate::nn;
use crate::pixels::RgbImage;
use crate::plan::{Costs, Memory, Needs};
use cost::predict;
use folder::{Files, Folder};
use model::Model;
use padded::{Padded, cut};
use quality::{Means, Quality, preset};
use settings::{Content, Settings, Vae};
use stages::Stages;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use warm::{Key, Warm};

/// The latent diffusion engine.
#[derive(Default)]
pub struct Diffusion {
    warm: Arc<Warm>,
    folders: FileCache<ModelKey, Folder>,
    installed: Installed,
    tiling: Tiling,
}

/// What a model is asked for by: the models folder, and the parameters that name its files.
type ModelKey = (Option<PathBuf>, String, Vec<(String, f64)>, Vae);

/// How much is worked on at a time.
#[derive(Clone, Copy)]
pub struct Tiling {
    /// Queries of a head of attention.
    pub queries: usize,
    /// Bytes of a band of rows of the autoencoder's.
    pub band: usize,
}

impl Default for Tiling {
    fn default() -> Self {
        Self {
            queries: Attention::SLICE,
            band: nn::Run::BAND,
        }
    }
}

/// The engine with its settings read and a model's parts opened.
struct OpenDiffusion {
    settings: Settings,
    model: Model,
    /// The model's files as they are now.
    key: Key,
    stages: Stages,
    tiling: Tiling,
    warm: Arc<Warm>,
    /// What the user should know.
    note: Option<String>,
}

impl Diffusion {
    /// With another tiling than that which plans count with.
    #[cfg(test)]
    pub fn tiled(tiling: Tiling) -> Self {
        Self {
            tiling,
            ..Self::default()
        }
    }

    fn names(&self, models: Option<&Path>) -> Arc<Vec<String>> {
        self.installed.names(models, find::installed)
    }

    /// The model that the settings name, opened.
    fn folder(&self, models: Option<&Path>, settings: &Settings) -> Result<Arc<Folder>> {
        let models_folder = models.map(Path::to_path_buf);
        let Settings {
            model, lora, vae, ..
        } = settings;
        let key = (models_folder, model.clone(), lora.clone(), *vae);
        let find = || {
            let files = Files::find(models, settings, || self.names(models))?;
            let mut paths = files.paths();
            paths.extend(models.map(Path::to_path_buf));
            Ok((files, paths))
        };
        self.folders.get(key, find, Folder::of)
    }
}

impl Diffusion {
    /// What is asked for, as its preset has it, and what is to be said of that.
    fn settings(&self, options: &OpenOptions<'_>) -> Result<(Settings, Option<String>)> {
        let settings = Settings::new(options.parameters)?;
        if settings.quality == Quality::Balanced {
            return Ok((settings, None));
        }
        let folder = self.folder(options.models, &settings)?;
        let means = Means {
            runs: &|with| self.folder(options.models, with).is_ok(),
            taesd: find::taesd(options.models, &folder.path).is_ok(),
            distilled: folder.unet.time_cond_proj_dim.is_some(),
        };
        Ok(preset(&settings, options.parameters, &means))
    }
}

impl Engine for Diffusion {
    fn description(&self) -> EngineDescription {
        EngineDescription {
            id: "diffusion",
            label: "Diffusion",
            summary: "Invents what fits, with or without a prompt, with a Stable Diffusion model of \
                      version 1 or 2. Needs a model, and takes minutes.",
            params: settings::params(),
        }
    }

    fn unavailable(&self, models: Option<&Path>) -> Option<String> {
        let none = self.names(models).is_empty();
        none.then(|| find::nothing(models))
    }

    fn open(&self, options: &OpenOptions<'_>) -> Result<Box<dyn Opened>> {
        let (settings, note) = self.settings(options)?;
        let folder = self.folder(options.models, &settings)?;
        // Steps that cannot be are told before anything is loaded.
        let steps = settings.schedule(&folder.scheduler)?;
        settings.first(steps.timesteps().len())?;
        let key = Key::of(&folder, settings.precision);
        let model = Model::open(folder)?;
        Ok(Box::new(OpenDiffusion {
            stages: Stages::new(&model, &settings),
            settings,
            model,
            key,
            tiling: self.tiling,
            warm: self.warm.clone(),
            note,
        }))
    }

    fn trim(&self) {
        self.folders.trim();
        self.warm.trim();
    }
}

impl Opened for OpenDiffusion {
    fn needs(&self) -> Needs {
        let folder = &self.model.folder;
        let side = folder.side as u32;
        Needs {
            alignment: folder.vae.scale() as u32,
            min_context: side / 8,
            context_share: 0.5,
            max_context: 2048,
            max_side: Some(side),
            min_side: side,
            blend: true,
            // A plain UNet puts back what shows through a soft mask.
            original: match self.settings.content {
                Content::Original => true,
                Content::Noise => !folder.inpaints(),
                Content::Exemplar => false,
            },
            specks: false,
            lit: false,
            coverage: !folder.inpaints(),
        }
    }

    fn costs(&self, budget: Option<u64>) -> Costs {
        let choice = self.stages.choose(budget);
        let seconds = predict(&self.model, &self.settings, &choice).seconds();
        // Any region is brought to the model's resolution; only the crop itself is larger.
        Costs {
            bytes: self.stages.peak(&choice) as f64,
            bytes_per_pixel: 60.0,
            bytes_per_hole_pixel: 0.0,
            seconds,
            seconds_per_pixel: 2e-7,
            seconds_per_hole_pixel: 0.0,
            variation: 1.0,
        }
    }

    fn memory(&self, budget: Option<u64>) -> Memory {
        stages::memory(&self.model, &self.settings, &self.stages, budget)
    }

    fn model(&self) -> Option<&Path> {
        Some(&self.model.folder.path)
    }

    fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    fn fill(&self, crop: &Crop<'_>, run: &mut Run<'_>) -> Result<RgbImage> {
        match Padded::new(crop, self.model.folder.vae.scale())? {
            None => self.fill_aligned(crop, run),
            Some(padded) => {
                let filled = self.fill_aligned(&padded.crop(), run)?;
                cut(&filled, crop.image.width, crop.image.height)
            }
        }
    }
}
