//! Where an eraser's model lies.
#![forbid(unsafe_code)]

use super::Network;
use crate::catalog::{Store, check_id};
use crate::error::{Error, ErrorKind, Result};
use crate::params::did_you_mean;
use crate::weights::Weights;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Endings of model files.
const ENDINGS: [&str; 5] = ["safetensors", "pt", "pth", "ckpt", "onnx"];

/// The network's models in the models folder, by name: its files, and what `mend models` took in.
pub fn installed<N: Network>(models: Option<&Path>) -> Vec<String> {
    let Some(models) = models else {
        return Vec::new();
    };
    let entries = fs::read_dir(models).into_iter().flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| is_own::<N>(models, name)).collect();
    names.sort();
    names
}

fn is_own<N: Network>(models: &Path, name: &str) -> bool {
    let path = models.join(name);
    if path.is_dir() {
        let store = Store::new(models.to_path_buf());
        let manifest = check_id(name).ok().and_then(|()| store.get(name).ok()?);
        return match manifest {
            Some(manifest) => manifest.kind == N::KIND,
            None => N::INSIDE.is_some_and(|inside| is_network::<N>(&path.join(inside))),
        };
    }
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    ENDINGS.contains(&ending.to_ascii_lowercase().as_str()) && is_network::<N>(&path)
}

/// Whether a file's names and shapes are the network's.
fn is_network<N: Network>(path: &Path) -> bool {
    let weights = Weights::open(path);
    weights.is_ok_and(|weights| N::facts(&weights, &Default::default()).is_ok())
}

/// Why there is no model, and where to put one.
pub fn nothing<N: Network>(models: Option<&Path>) -> String {
    let place = match models {
        Some(folder) => format!("put one into {}", folder.display()),
        None => "set the option 'models' to a folder with one".into(),
    };
    format!(
        "the engine '{}' has no model: 'mend models fetch {}' gets it; or {place} ({}), or name \
         such a file by the parameter 'model'",
        N::ID,
        N::ID,
        N::FILES
    )
}

/// The file that `model` names: in the models folder, else by its path; empty for the first there is.
///
/// # Errors
/// [`ErrorKind::Model`] that says what there is and where to put a model.
pub fn model<N: Network>(models: Option<&Path>, model: &str) -> Result<PathBuf> {
    let (name, installed) = match model {
        "" => {
            let installed = installed::<N>(models);
            match installed.first() {
                Some(first) => (first.clone(), installed),
                None => return Err(Error::new(ErrorKind::Model, nothing::<N>(models))),
            }
        }
        name => (name.to_owned(), Vec::new()),
    };
    if let Some(path) = place::<N>(models, &name)? {
        return Ok(path);
    }
    let installed = match installed.is_empty() {
        true => self::installed::<N>(models),
        false => installed,
    };
    let names: Vec<&str> = installed.iter().map(String::as_str).collect();
    let about = match &names[..] {
        [] => nothing::<N>(models),
        some => format!(
            "parameter 'model' takes a path or one of {}{}",
            some.join(", "),
            did_you_mean(&name, some)
        ),
    };
    Err(Error::new(
        ErrorKind::Model,
        format!("there is no model '{name}': {about}"),
    ))
}

/// What lies in the models folder under a plain name, else what lies at a path.
fn place<N: Network>(models: Option<&Path>, name: &str) -> Result<Option<PathBuf>> {
    let mut parts = Path::new(name).components();
    let plain = matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    );
    if let Some(models) = models.filter(|_| plain) {
        let here = models.join(name);
        // Links are the user's own, and have no manifest that is trusted.
        let own = fs::symlink_metadata(&here).is_ok_and(|m| m.is_dir()) && check_id(name).is_ok();
        if own {
            let store = Store::new(models.to_path_buf());
            if store.get(name)?.is_some() {
                return store.locate(name).map(|path| Some(inside::<N>(path)));
            }
        }
        if here.exists() {
            return Ok(Some(inside::<N>(here)));
        }
        let files = ENDINGS.map(|ending| models.join(format!("{name}.{ending}")));
        if let Some(file) = files.into_iter().find(|file| file.is_file()) {
            return Ok(Some(file));
        }
    }
    let path = PathBuf::from(name);
    Ok(path.exists().then(|| inside::<N>(path)))
}

/// The file in a folder as it was published.
fn inside<N: Network>(path: PathBuf) -> PathBuf {
    match N::INSIDE {
        Some(inside) if path.is_dir() => path.join(inside),
        _ => path,
    }
}
