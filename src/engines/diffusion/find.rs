//! Where a model, a LoRA or a tiny autoencoder lies that a parameter names.
#![forbid(unsafe_code)]

use crate::catalog::{Kind, Store, check_id};
use crate::error::{Error, ErrorKind, Result};
use crate::models::SingleFile;
use crate::params::did_you_mean;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// The ending of model files.
const FILE: &str = "safetensors";

/// The models in the models folder, by name: diffusers folders, checkpoints in one file, and what
/// `mend models import` took in of both.
pub fn installed(models: Option<&Path>) -> Vec<String> {
    let entries = models.and_then(|folder| fs::read_dir(folder).ok());
    let names = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| is_model(models, name)).collect();
    names.sort();
    names
}

fn is_model(models: Option<&Path>, name: &str) -> bool {
    match inside(models, name) {
        Ok(Some((_, Some(kind)))) => matches!(kind, Kind::Diffusers | Kind::Checkpoint),
        Ok(Some((path, None))) if path.is_dir() => path.join("unet/config.json").is_file(),
        Ok(Some((path, None))) => {
            path.extension().is_some_and(|e| e == FILE) && SingleFile::open(&path).is_ok()
        }
        _ => false,
    }
}

/// Why there is no model, and where to put one.
pub fn nothing(models: Option<&Path>) -> String {
    let place = match models {
        Some(folder) => format!("put one into {}", folder.display()),
        None => "set the option 'models' to a folder with one".into(),
    };
    format!(
        "the diffusion engine has no model: {place}, as a diffusers folder with unet/, vae/ and \
         text_encoder/ inside or as a checkpoint in one .safetensors file, or name such a folder or \
         file by the parameter 'model'"
    )
}

/// What `model` names: in the models folder, else by its path; empty for the first there is.
///
/// # Errors
/// [`ErrorKind::Model`] that says what there is and where to put a model.
pub fn model(models: Option<&Path>, model: &str) -> Result<PathBuf> {
    let found = match model {
        "" => match installed(models).first() {
            Some(first) => inside(models, first)?,
            None => return Err(Error::new(ErrorKind::Model, nothing(models))),
        },
        name => any(models, name)?,
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
            let installed = installed(models);
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
                format!("there is no model folder or file '{model}': {about}"),
            ))
        }
    }
}

/// The LoRA's file that `name` names: in the models folder, else by its path.
///
/// # Errors
/// [`ErrorKind::Model`] where there is none.
pub fn lora(models: Option<&Path>, name: &str) -> Result<PathBuf> {
    let wrong = |what: String| Err(Error::new(ErrorKind::Model, what));
    match any(models, name)? {
        Some((_, Some(kind))) if kind != Kind::Lora => wrong(format!(
            "parameter 'lora': '{name}' is no LoRA, it is a {} model",
            kind.name()
        )),
        Some((path, _)) if path.is_dir() => {
            // As diffusers names it.
            let file = path.join("pytorch_lora_weights.safetensors");
            match file.is_file() {
                true => Ok(file),
                false => wrong(format!(
                    "parameter 'lora': {} is a folder without 'pytorch_lora_weights.safetensors'; \
                     name the LoRA's file",
                    path.display()
                )),
            }
        }
        Some((path, _)) => Ok(path),
        None => wrong(format!(
            "parameter 'lora': there is no file or model '{name}'; give a .safetensors file's path \
             or its name in the models folder, with ':' and a weight behind it, commas between \
             several"
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
    match inside(models, "taesd")? {
        Some((path, Some(Kind::Taesd) | None)) => Ok(path),
        _ => Err(Error::new(
            ErrorKind::Model,
            "parameter 'vae': there is no tiny autoencoder; 'mend models fetch taesd' gets it, or \
             put a folder 'taesd' into the model's or the models folder",
        )),
    }
}

type Place = (PathBuf, Option<Kind>);

/// What lies in the models folder under a plain name, else what lies at a path; with its kind where a
/// manifest tells it.
fn any(models: Option<&Path>, name: &str) -> Result<Option<Place>> {
    let mut parts = Path::new(name).components();
    let plain = matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    );
    if let Some(place) = inside(models.filter(|_| plain), name)? {
        return Ok(Some(place));
    }
    let path = PathBuf::from(name);
    Ok(path.exists().then_some((path, None)))
}

/// `name` is one plain part of a path.
fn inside(models: Option<&Path>, name: &str) -> Result<Option<Place>> {
    let Some(models) = models else {
        return Ok(None);
    };
    let here = models.join(name);
    // Links are the user's own, and have no manifest that is trusted.
    let own = fs::symlink_metadata(&here).is_ok_and(|m| m.is_dir()) && check_id(name).is_ok();
    if own {
        let store = Store::new(models.to_path_buf());
        if let Some(manifest) = store.get(name)? {
            return Ok(Some((store.locate(name)?, Some(manifest.kind))));
        }
    }
    if here.exists() {
        return Ok(Some((here, None)));
    }
    let file = models.join(format!("{name}.{FILE}"));
    Ok(file.is_file().then_some((file, None)))
}
