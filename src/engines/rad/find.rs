//! Where a model lies.
#![forbid(unsafe_code)]

use crate::catalog::Kind;
use crate::engines::place;
use crate::error::{Error, ErrorKind, Result};
use crate::models::rad_unet::Checkpoint;
use crate::weights::Weights;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Endings of model files.
const ENDINGS: [&str; 4] = ["safetensors", "pt", "pth", "ckpt"];

/// The engine's models in the models folder, by name: folders and files, and what `mend models` took in.
pub fn installed(models: Option<&Path>) -> Vec<String> {
    place::installed(models, |name| is_own(models, name))
}

fn is_own(models: Option<&Path>, name: &str) -> bool {
    match place::inside(models, name, &ENDINGS) {
        Ok(Some((_, Some(kind)))) => kind == Kind::Rad,
        Ok(Some((path, None))) => {
            let light = || place::ends(&path, &ENDINGS) && Weights::is_light(&path);
            (path.is_dir() || light()) && Checkpoint::open(&path).is_ok()
        }
        _ => false,
    }
}

/// Why there is no model, and where to put one.
pub fn nothing(models: Option<&Path>) -> String {
    let place = place::where_to_put(models);
    format!(
        "the engine 'rad' has no model: {place} (a folder with unet/config.json and \
         unet/diffusion_pytorch_model.safetensors, or one file of weights with RAD's or ADM's names), \
         or name such a folder or file by the parameter 'model'; docs/models.md tells where one comes from"
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
    let found = place::named(models, model, &ENDINGS, installed, || nothing(models))?;
    match found {
        (path, None | Some(Kind::Rad)) => Ok(path),
        (_, Some(kind)) => Err(Error::new(
            ErrorKind::Model,
            format!(
                "parameter 'model': '{model}' is of kind {}, and the engine 'rad' takes only kind \
                 {}",
                kind.name(),
                Kind::Rad.name()
            ),
        )),
    }
}
