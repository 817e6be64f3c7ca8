//! Where a model, a LoRA or a tiny autoencoder lies that a parameter names.
#![forbid(unsafe_code)]

use crate::catalog::Kind;
use crate::engines::place;
use crate::error::{Error, ErrorKind, Result};
use crate::models::SingleFile;
use crate::models::rad_unet::Checkpoint;
use crate::weights::{Weights, in_folder};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The ending of model files.
const FILE: &str = "safetensors";
const FILES: &[&str] = &[FILE];

/// The models in the models folder, by name: diffusers folders, checkpoints in one file, and what
/// `mend models import` took in of both.
pub fn installed(models: Option<&Path>) -> Vec<String> {
    place::installed(models, |name| is_model(models, name))
}

fn is_model(models: Option<&Path>, name: &str) -> bool {
    match place::inside(models, name, FILES) {
        Ok(Some((_, Some(kind)))) => matches!(kind, Kind::Diffusers | Kind::Checkpoint),
        // A folder of RAD's has the same file, and no other network.
        Ok(Some((path, None))) if path.is_dir() => {
            path.join("unet/config.json").is_file() && Checkpoint::open(&path).is_err()
        }
        Ok(Some((path, None))) => {
            let own = path.extension().is_some_and(|e| e == FILE);
            own && Weights::is_light(&path) && SingleFile::open(&path).is_ok()
        }
        _ => false,
    }
}

/// Why there is no model, and where to put one.
pub fn nothing(models: Option<&Path>) -> String {
    let place = place::where_to_put(models);
    format!(
        "the diffusion engine has no model: {place}, as a diffusers folder with unet/, vae/ and \
         text_encoder/ inside or as a checkpoint in one .safetensors file, or name such a folder or \
         file by the parameter 'model'"
    )
}

/// What `model` names: in the models folder, else by its path; empty for the first of the `installed`.
///
/// # Errors
/// [`ErrorKind::Model`] that says what there is and where to put a model.
pub fn model(
    models: Option<&Path>,
    model: &str,
    installed: impl Fn() -> Arc<Vec<String>>,
) -> Result<PathBuf> {
    let found = match model {
        "" => match installed().first() {
            Some(first) => place::inside(models, first, FILES)?,
            None => return Err(Error::new(ErrorKind::Model, nothing(models))),
        },
        name => place::any(models, name, FILES)?,
    };
    match found {
        Some((_, Some(kind @ (Kind::Lora | Kind::Taesd)))) => Err(Error::new(
            ErrorKind::Model,
            format!(
                "parameter 'model': '{model}' is a {}, which changes or replaces a part of a \
                 model; name a model here",
                kind.name()
            ),
        )),
        Some((path, _)) => Ok(path),
        None => {
            let about = place::instead(model, &installed(), || nothing(models));
            Err(Error::new(
                ErrorKind::Model,
                format!("there is no model folder or file '{model}': {about}"),
            ))
        }
    }
}

/// The LoRA's file that `name` names: in the models folder, else by its path. A folder that peft wrote for
/// UNet and text encoder has one for each.
///
/// # Errors
/// [`ErrorKind::Model`] where there is none.
pub fn lora(models: Option<&Path>, name: &str) -> Result<Vec<PathBuf>> {
    let wrong = |what: String| Err(Error::new(ErrorKind::Model, what));
    match place::any(models, name, FILES)? {
        Some((_, Some(kind))) if kind != Kind::Lora => wrong(format!(
            "parameter 'lora': '{name}' is not a LoRA but a {} model",
            kind.name()
        )),
        Some((path, _)) if path.is_dir() => {
            let files = in_folder(&path);
            match files.is_empty() {
                false => Ok(files),
                true => wrong(format!(
                    "parameter 'lora': {} is a folder without 'adapter_model.safetensors' or \
                     'pytorch_lora_weights.safetensors'; name the LoRA's file",
                    path.display()
                )),
            }
        }
        Some((path, _)) => Ok(vec![path]),
        None => wrong(format!(
            "parameter 'lora': there is no file or model '{name}'; give the path of a .safetensors \
             file or its name in the models folder, with ':' and a weight after it, and separate \
             several by commas"
        )),
    }
}

/// The tiny autoencoder beside the model at `model` or in the models folder: a folder or a file.
///
/// # Errors
/// [`ErrorKind::Model`] where there is none.
pub fn taesd(models: Option<&Path>, model: &Path) -> Result<PathBuf> {
    let beside = model.join("taesd");
    if beside.is_dir() {
        return Ok(beside);
    }
    match place::inside(models, "taesd", FILES)? {
        Some((path, Some(Kind::Taesd) | None)) => Ok(path),
        _ => Err(Error::new(
            ErrorKind::Model,
            "parameter 'vae': there is no tiny autoencoder; 'mend models fetch taesd' gets it, or \
             put a folder 'taesd' into the model's or the models folder",
        )),
    }
}
