//! Where an eraser's model lies.
#![forbid(unsafe_code)]

use super::Network;
use crate::catalog::{Store, check_id, snapshot};
use crate::engines::place;
use crate::error::Result;
use crate::params::Parameters;
use crate::weights::Weights;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Endings of model files.
const ENDINGS: [&str; 5] = ["safetensors", "pt", "pth", "ckpt", "onnx"];

/// The network's models in the models folder, by name: its files, and what `mend models` took in.
pub fn installed<N: Network>(models: Option<&Path>) -> Vec<String> {
    place::installed(models, |name| {
        models.is_some_and(|models| is_own::<N>(models, name))
    })
}

fn is_own<N: Network>(models: &Path, name: &str) -> bool {
    let path = models.join(name);
    if path.is_dir() {
        let store = Store::new(models.to_path_buf());
        let manifest = check_id(name).ok().and_then(|()| store.get(name).ok()?);
        return match manifest {
            Some(manifest) => manifest.kind == N::KIND,
            None => N::INSIDE.is_some_and(|inside| is_network::<N>(&snapshot(path).join(inside))),
        };
    }
    place::ends(&path, &ENDINGS) && is_network::<N>(&path)
}

/// Whether a file's names and shapes are the network's.
fn is_network<N: Network>(path: &Path) -> bool {
    if !Weights::is_light(path) {
        return false;
    }
    let weights = Weights::open(path);
    let defaults = Parameters::defaults(&N::params());
    weights.is_ok_and(|weights| defaults.is_ok_and(|all| N::cost_model(&weights, &all).is_ok()))
}

/// Why there is no model, and where to put one.
pub fn nothing<N: Network>(models: Option<&Path>) -> String {
    let place = place::where_to_put(models);
    format!(
        "the engine '{}' has no model: 'mend models fetch {}' gets it; or {place} ({}), or name \
         such a file by the parameter 'model'",
        N::ID,
        N::ID,
        N::FILES
    )
}

/// The file that `model` names: in the models folder, else by its path; empty for the first of the
/// `installed`.
///
/// # Errors
/// [`crate::ErrorKind::Model`] that says what there is and where to put a model.
pub fn model<N: Network>(
    models: Option<&Path>,
    model: &str,
    installed: impl Fn() -> Arc<Vec<String>>,
) -> Result<PathBuf> {
    let found = place::named(models, model, &ENDINGS, installed, || nothing::<N>(models));
    found.map(|(path, _)| inside::<N>(path))
}

/// The file in a folder as it was published.
fn inside<N: Network>(path: PathBuf) -> PathBuf {
    match N::INSIDE {
        Some(inside) if path.is_dir() => path.join(inside),
        _ => path,
    }
}
