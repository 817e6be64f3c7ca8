//! A model's folder, as diffusers writes it, or its one file: what its parts say of themselves.
#![forbid(unsafe_code)]

use super::find;
use super::settings::{Settings, Vae};
use crate::error::{Error, ErrorKind, Result};
use crate::models::lora::{Lora, Loras, Net};
use crate::models::{CLIPTokenizer, SingleFile, autoencoder_kl, clip, unet_2d_condition};
use crate::schedulers;
use crate::weights::Weights;
use once_cell::sync::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest configuration that is read, in bytes; published ones have two thousand.
const LONGEST: u64 = 1 << 20;
/// The file of a network's weights without its ending; the text encoder's is the other one.
const NETWORK: &str = "diffusion_pytorch_model";
const TEXT: &str = "model";
/// The side of pictures that Stable Diffusion 1.x was trained with.
const SIDE: usize = 512;

/// Where what a fill's settings name lies.
pub struct Files {
    model: PathBuf,
    tiny: Option<PathBuf>,
    loras: Vec<(PathBuf, f64)>,
}

impl Files {
    /// Looks for the model, the LoRAs and the decoder.
    ///
    /// # Errors
    /// [`find`]'s.
    pub fn find(
        models: Option<&Path>,
        settings: &Settings,
        installed: impl Fn() -> Arc<Vec<String>>,
    ) -> Result<Self> {
        let model = find::model(models, &settings.model, installed)?;
        let tiny = match settings.vae {
            Vae::Taesd => Some(find::taesd(models, &model)?),
            Vae::Full => None,
        };
        let mut loras = Vec::new();
        for (name, weight) in &settings.lora {
            let own = find::lora(models, name)?.into_iter();
            loras.extend(own.map(|file| (file, *weight)));
        }
        Ok(Self { model, tiny, loras })
    }

    /// The paths of all of them.
    pub fn paths(&self) -> Vec<PathBuf> {
        let loras = self.loras.iter().map(|(path, _)| path);
        let all = [&self.model].into_iter().chain(&self.tiny).chain(loras);
        all.cloned().collect()
    }
}

/// A network's weights, opened when they are first asked for.
type Part = OnceCell<Arc<Weights>>;

/// What is in `part`, or what `open` makes.
fn once(part: &Part, open: impl FnOnce() -> Result<Weights>) -> Result<Arc<Weights>> {
    part.get_or_try_init(|| open().map(Arc::new)).cloned()
}

/// A model whose parts fit each other. Weights are not yet read.
pub struct Folder {
    /// Where it lies: a folder, or a file with all parts.
    pub path: PathBuf,
    pub unet: unet_2d_condition::Config,
    pub vae: autoencoder_kl::Config,
    pub text: clip::Config,
    pub scheduler: schedulers::Config,
    /// The side of the pictures that the model was trained with.
    pub side: usize,
    /// All parts, where they are in one file.
    single: Option<SingleFile>,
    /// What is added to the weights, and the files that it is from.
    loras: Loras,
    lora_files: Vec<(PathBuf, f64)>,
    /// Where the tiny autoencoder lies that decodes in the place of the model's own.
    tiny: Option<PathBuf>,
    /// The weights of UNet, VAE, text encoder and tiny autoencoder.
    parts: [Part; 4],
}

impl Folder {
    /// Reads the configurations, or finds them in the one file, and checks that the parts fit each
    /// other.
    ///
    /// # Errors
    /// [`ErrorKind::Model`], [`ErrorKind::Io`] and [`ErrorKind::Unsupported`] that name the file.
    pub fn open(path: PathBuf) -> Result<Self> {
        match path.is_file() {
            true => Self::one(path),
            false => Self::parts(path),
        }
    }

    fn one(path: PathBuf) -> Result<Self> {
        let single = SingleFile::open(&path)?;
        let name = path.display().to_string();
        let model = Self {
            path,
            unet: single.unet.clone(),
            vae: single.vae.clone(),
            text: single.text.clone(),
            scheduler: single.scheduler.clone(),
            side: single.side,
            single: Some(single),
            loras: Loras::default(),
            lora_files: Vec::new(),
            tiny: None,
            parts: Default::default(),
        };
        model.check(&name, &name, &name)?;
        Ok(model)
    }

    fn parts(path: PathBuf) -> Result<Self> {
        let (file, text) = config(&path, "unet")?;
        let unet = unet_2d_condition::Config::parse(&file, &text)?;
        let sample = unet_2d_condition::Config::sample_size(&file, &text)?;
        let (vae_file, text) = config(&path, "vae")?;
        let vae = autoencoder_kl::Config::parse(&vae_file, &text)?;
        let (text_file, text) = config(&path, "text_encoder")?;
        let text = clip::Config::parse(&text_file, &text)?;
        let side = sample.map_or(SIDE, |latents| latents * vae.scale());
        let model = Self {
            scheduler: scheduler(&path)?,
            path,
            unet,
            vae,
            text,
            side,
            single: None,
            loras: Loras::default(),
            lora_files: Vec::new(),
            tiny: None,
            parts: Default::default(),
        };
        model.check(&file, &vae_file, &text_file)?;
        Ok(model)
    }

    /// The model that `settings` name, with their LoRAs and their decoder.
    ///
    /// # Errors
    /// As [`Self::open`], [`find`]'s and [`Lora::open`]'s.
    #[cfg(test)]
    pub fn find(models: Option<&Path>, settings: &Settings) -> Result<Self> {
        Self::of(Files::find(models, settings, || {
            Arc::new(find::installed(models))
        })?)
    }

    /// The model of these files.
    ///
    /// # Errors
    /// As [`Self::open`] and [`Lora::open`].
    pub fn of(files: Files) -> Result<Self> {
        let mut folder = Self::open(files.model)?;
        folder.tiny = files.tiny;
        folder.add_loras(files.loras)?;
        Ok(folder)
    }

    /// Adds LoRAs, each so many times, after it was checked that they fit.
    ///
    /// # Errors
    /// As [`Lora::open`] and [`Loras::onto`].
    pub fn add_loras(&mut self, files: Vec<(PathBuf, f64)>) -> Result<()> {
        let loras = files.iter().map(|(path, weight)| Lora::open(path, *weight));
        let loras: Vec<Lora> = loras.collect::<Result<_>>()?;
        // Another configuration of peft's is another strength.
        let configs = loras.iter().zip(&files);
        let configs =
            configs.filter_map(|(lora, (_, weight))| Some((lora.config()?.into(), *weight)));
        let configs: Vec<(PathBuf, f64)> = configs.collect();
        self.lora_files = files.into_iter().chain(configs).collect();
        self.loras = Loras::new(loras);
        self.parts = Default::default();
        if !self.loras.is_empty() {
            self.unet_weights()?;
            self.text_weights()?;
        }
        Ok(())
    }

    fn check(&self, unet: &str, vae: &str, text: &str) -> Result<()> {
        let wrong = |file: &str, what: String| {
            let message =
                format!("{file}: {what}; the parts are from different models: get it again");
            Err(Error::new(ErrorKind::Model, message))
        };
        let (u, v, latents) = (&self.unet, &self.vae, self.vae.latent_channels);
        if (v.in_channels, v.out_channels) != (3, 3) {
            let what = format!(
                "{} and {} channels, expected 3",
                v.in_channels, v.out_channels
            );
            return wrong(vae, what);
        }
        if u.out_channels != latents {
            let what = format!(
                "'out_channels' is {} and the VAE has {latents}",
                u.out_channels
            );
            return wrong(unet, what);
        }
        if u.in_channels != latents && u.in_channels != 2 * latents + 1 {
            let (given, known) = (u.in_channels, 2 * latents + 1);
            let what = format!("'in_channels' is {given}, expected {latents} or {known}");
            return wrong(unet, what);
        }
        if u.cross_attention_dim != self.text.hidden_size {
            let (here, there) = (self.text.hidden_size, u.cross_attention_dim);
            let what = format!("'hidden_size' is {here} and the UNet takes {there}");
            return wrong(text, what);
        }
        Ok(())
    }

    /// Whether the UNet is told the mask and what is around the hole.
    pub fn inpaints(&self) -> bool {
        self.unet.in_channels != self.vae.latent_channels
    }

    /// The UNet's weights.
    ///
    /// # Errors
    /// As [`Weights::open_folder`], here and below.
    pub fn unet_weights(&self) -> Result<Arc<Weights>> {
        once(&self.parts[0], || {
            let weights = match &self.single {
                Some(single) => single.unet_weights(),
                None => Weights::open_folder(&self.path.join("unet"), NETWORK),
            };
            self.loras.onto(Net::Unet, weights?)
        })
    }

    /// The autoencoder's weights.
    pub fn vae_weights(&self) -> Result<Arc<Weights>> {
        once(&self.parts[1], || match &self.single {
            Some(single) => single.vae_weights(),
            None => Weights::open_folder(&self.path.join("vae"), NETWORK),
        })
    }

    /// The text encoder's weights.
    pub fn text_weights(&self) -> Result<Arc<Weights>> {
        once(&self.parts[2], || {
            let weights = match &self.single {
                Some(single) => single.text_weights(),
                None => Weights::open_folder(&self.path.join("text_encoder"), TEXT),
            };
            self.loras.onto(Net::Text, weights?)
        })
    }

    /// The tiny autoencoder's weights, where it is to decode.
    pub fn tiny_weights(&self) -> Result<Option<Arc<Weights>>> {
        let open = |path: &PathBuf| match path.is_dir() {
            true => Weights::open_folder(path, NETWORK),
            false => Weights::open(path),
        };
        let opened = self.tiny.as_ref();
        opened
            .map(|path| once(&self.parts[3], || open(path)))
            .transpose()
    }

    /// The model's own tokens, or OpenAI's where it has none.
    ///
    /// # Errors
    /// As [`CLIPTokenizer::open`].
    pub fn tokenizer(&self) -> Result<CLIPTokenizer> {
        let folder = self.path.join("tokenizer");
        if folder.is_dir() {
            return CLIPTokenizer::open(&folder);
        }
        let tokenizer = CLIPTokenizer::openai()?;
        match self.single.as_ref().and_then(|single| single.pad_token) {
            None => Ok(tokenizer),
            Some(token) => tokenizer.with_pad_token(token).ok_or_else(|| {
                let what = format!("a defect in Mend: '{token}' is not a token");
                Error::new(ErrorKind::Internal, what)
            }),
        }
    }

    /// The files that the UNet is read from, those of LoRAs with how much of each is added.
    pub fn unet_files(&self) -> Vec<(PathBuf, f64)> {
        let mut files = vec![self.path.clone()];
        if self.single.is_none() {
            let entries = fs::read_dir(self.path.join("unet")).into_iter().flatten();
            files.extend(entries.filter_map(|e| Some(e.ok()?.path())));
            files[1..].sort();
        }
        let own = files.into_iter().map(|path| (path, 1.0));
        own.chain(self.lora_files.iter().cloned()).collect()
    }
}

/// A part's configuration: the file's name and its text.
fn config(model: &Path, part: &str) -> Result<(String, String)> {
    let file = model.join(part).join("config.json");
    let Some(text) = read(&file)? else {
        return Err(Error::new(
            ErrorKind::Model,
            format!(
                "{}: there is no such file; a model is a diffusers folder, with unet/, vae/ and \
                 text_encoder/ inside, or a checkpoint in one .safetensors file",
                file.display()
            ),
        ));
    };
    Ok((file.display().to_string(), text))
}

/// The model's own noise, or Stable Diffusion 1.5's where the file is missing.
fn scheduler(model: &Path) -> Result<schedulers::Config> {
    let file = model.join("scheduler/scheduler_config.json");
    let Some(text) = read(&file)? else {
        return Ok(schedulers::Config::default());
    };
    let named = |kind, what: String| Error::new(kind, format!("{}: {what}", file.display()));
    let json = crate::json::parse(&text).map_err(|e| {
        let what = format!("is damaged ({e}); download the file again");
        named(ErrorKind::Model, what)
    })?;
    schedulers::Config::from_json(&json).map_err(|e| named(e.kind(), e.message().to_owned()))
}

/// A file's text, or `None` where there is none.
fn read(file: &Path) -> Result<Option<String>> {
    let named = |kind, what: String| Error::new(kind, format!("{}: {what}", file.display()));
    let about = match fs::metadata(file) {
        Ok(about) => about,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(named(ErrorKind::Io, format!("cannot be read: {e}"))),
    };
    if !about.is_file() || about.len() > LONGEST {
        let what = "is not a configuration; download the file again".to_owned();
        return Err(named(ErrorKind::Model, what));
    }
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(e) => Err(named(ErrorKind::Io, format!("cannot be read: {e}"))),
    }
}
