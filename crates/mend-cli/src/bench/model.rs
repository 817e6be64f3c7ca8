//! The model that is timed: a folder of parts, or one file with all of them.
#![forbid(unsafe_code)]

use mend::{Error, ErrorKind, Result};
use mend_infer::models::{SingleFile, autoencoder_kl, clip, unet_2d_condition};
use mend_infer::weights::Weights;
use std::path::{Path, PathBuf};

/// What diffusers calls a network's file.
const NETWORK: &str = "diffusion_pytorch_model";

/// A model as `--model` names it. Folders for timing need not have all parts.
pub enum Model {
    Folder(PathBuf),
    One(Box<SingleFile>),
}

impl Model {
    /// Opens it; of a folder nothing is looked at yet.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] where nothing is at `path`; as [`SingleFile::open`].
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Ok(Self::Folder(path.to_path_buf()));
        }
        if path.is_file() {
            return SingleFile::open(path).map(|one| Self::One(Box::new(one)));
        }
        Err(Error::new(
            ErrorKind::Model,
            format!("{}: not a folder or a file; {TAKES}", path.display()),
        ))
    }

    /// Whether there is a text encoder.
    pub fn has_text(&self) -> bool {
        match self {
            Self::Folder(path) => path.join("text_encoder").is_dir(),
            Self::One(_) => true,
        }
    }

    /// The text encoder.
    ///
    /// # Errors
    /// As [`Weights::open_folder`], and [`ErrorKind::Model`] that names the configuration, here and
    /// below.
    pub fn text(&self) -> Result<(Weights, clip::Config)> {
        match self {
            Self::Folder(path) => part(path, "text_encoder", "model", clip::Config::parse),
            Self::One(one) => Ok((one.text_weights()?, one.text.clone())),
        }
    }

    /// The UNet.
    pub fn unet(&self) -> Result<(Weights, unet_2d_condition::Config)> {
        match self {
            Self::Folder(path) => part(path, "unet", NETWORK, unet_2d_condition::Config::parse),
            Self::One(one) => Ok((one.unet_weights()?, one.unet.clone())),
        }
    }

    /// The autoencoder.
    pub fn vae(&self) -> Result<(Weights, autoencoder_kl::Config)> {
        match self {
            Self::Folder(path) => part(path, "vae", NETWORK, autoencoder_kl::Config::parse),
            Self::One(one) => Ok((one.vae_weights()?, one.vae.clone())),
        }
    }
}

const TAKES: &str = "--model takes a diffusers folder, with unet/ and vae/ inside, or a checkpoint \
                     in one .safetensors file";

fn part<C>(
    model: &Path,
    name: &str,
    stem: &str,
    parse: impl Fn(&str, &str) -> Result<C>,
) -> Result<(Weights, C)> {
    let folder = model.join(name);
    let file = folder.join("config.json");
    let text = std::fs::read_to_string(&file).map_err(|e| {
        let what = format!("{}: {e}; {TAKES}", file.display());
        Error::new(ErrorKind::Model, what)
    })?;
    let weights = Weights::open_folder(&folder, stem)?;
    Ok((weights, parse(&file.display().to_string(), &text)?))
}
