//! A model's folder, as diffusers writes it: where it is, and what its parts say of themselves.
#![forbid(unsafe_code)]

use crate::error::{Error, ErrorKind, Result};
use crate::models::{autoencoder_kl, clip, unet_2d_condition};
use crate::params::did_you_mean;
use crate::schedulers;
use crate::weights::Weights;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// The largest configuration that is read, in bytes; published ones have two thousand.
const LONGEST: u64 = 1 << 20;
/// The file of a network's weights without its ending; the text encoder's is the other one.
const NETWORK: &str = "diffusion_pytorch_model";
const TEXT: &str = "model";
/// The side of pictures that Stable Diffusion 1.x was trained with.
const SIDE: usize = 512;

/// A model whose parts fit each other. Weights are not yet read.
pub struct Folder {
    /// Where it lies.
    pub path: PathBuf,
    pub unet: unet_2d_condition::Config,
    pub vae: autoencoder_kl::Config,
    pub text: clip::Config,
    pub scheduler: schedulers::Config,
    /// The side of the pictures that the model was trained with.
    pub side: usize,
}

/// The models in the models folder, by name.
pub fn installed(models: Option<&Path>) -> Vec<String> {
    let entries = models.and_then(|folder| fs::read_dir(folder).ok());
    let mut names: Vec<String> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok())
        .filter(|entry| entry.path().join("unet/config.json").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Why there is no model, and where to put one.
pub fn nothing(models: Option<&Path>) -> String {
    let place = match models {
        Some(folder) => format!("put one into {}", folder.display()),
        None => "set the option 'models' to a folder with one".into(),
    };
    format!(
        "the diffusion engine has no model: {place}, as a diffusers folder with unet/, vae/ and \
         text_encoder/ inside, or name such a folder by the parameter 'model'"
    )
}

/// The folder that `model` names: in the models folder, else by its path; empty for the first there is.
///
/// # Errors
/// [`ErrorKind::Model`] that says what there is and where to put a model.
pub fn find(models: Option<&Path>, model: &str) -> Result<PathBuf> {
    let installed = installed(models);
    if model.is_empty() {
        return match (models, installed.first()) {
            (Some(folder), Some(first)) => Ok(folder.join(first)),
            _ => Err(Error::new(ErrorKind::Model, nothing(models))),
        };
    }
    let mut parts = Path::new(model).components();
    let plain = matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    );
    if let Some(inside) = models.filter(|_| plain).map(|folder| folder.join(model))
        && inside.is_dir()
    {
        return Ok(inside);
    }
    let path = PathBuf::from(model);
    if path.is_dir() {
        return Ok(path);
    }
    let names: Vec<&str> = installed.iter().map(String::as_str).collect();
    let about = match &names[..] {
        [] => nothing(models),
        some => format!(
            "parameter 'model' takes a path or one of {}{}",
            some.join(", "),
            did_you_mean(model, some)
        ),
    };
    Err(Error::new(
        ErrorKind::Model,
        format!("there is no model folder '{model}': {about}"),
    ))
}

impl Folder {
    /// Reads the configurations and checks that the parts fit each other.
    ///
    /// # Errors
    /// [`ErrorKind::Model`], [`ErrorKind::Io`] and [`ErrorKind::Unsupported`] that name the file.
    pub fn open(path: PathBuf) -> Result<Self> {
        let (file, text) = config(&path, "unet")?;
        let unet = unet_2d_condition::Config::parse(&file, &text)?;
        let sample = serde_json::from_str::<serde_json::Value>(&text).ok();
        let sample = sample.and_then(|json| json.get("sample_size")?.as_u64());
        let (vae_file, text) = config(&path, "vae")?;
        let vae = autoencoder_kl::Config::parse(&vae_file, &text)?;
        let (text_file, text) = config(&path, "text_encoder")?;
        let text = clip::Config::parse(&text_file, &text)?;
        let side = match sample {
            Some(latents @ 1..=1024) => latents as usize * vae.scale(),
            _ => SIDE,
        };
        let model = Self {
            scheduler: scheduler(&path)?,
            path,
            unet,
            vae,
            text,
            side,
        };
        model.check(&file, &vae_file, &text_file)?;
        Ok(model)
    }

    fn check(&self, unet: &str, vae: &str, text: &str) -> Result<()> {
        let wrong = |file: &str, what: String| {
            let message = format!("{file}: {what}; the parts are of different models: get it anew");
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
    pub fn unet_weights(&self) -> Result<Weights> {
        Weights::open_folder(&self.path.join("unet"), NETWORK)
    }

    /// The autoencoder's weights.
    pub fn vae_weights(&self) -> Result<Weights> {
        Weights::open_folder(&self.path.join("vae"), NETWORK)
    }

    /// The text encoder's weights.
    pub fn text_weights(&self) -> Result<Weights> {
        Weights::open_folder(&self.path.join("text_encoder"), TEXT)
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
                 text_encoder/ inside",
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
    let json = serde_json::from_str(&text).map_err(|e| {
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
        let what = "is no configuration; download the file again".to_owned();
        return Err(named(ErrorKind::Model, what));
    }
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(e) => Err(named(ErrorKind::Io, format!("cannot be read: {e}"))),
    }
}
