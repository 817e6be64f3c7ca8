//! Where what a parameter names lies: in the models folder, else at a path.
#![forbid(unsafe_code)]

use super::file_cache::FileCache;
use crate::catalog::{Kind, Store, check_id, snapshot};
use crate::error::{Error, ErrorKind, Result};
use crate::params::did_you_mean;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Where a model lies, and its kind where a manifest tells it.
pub type Place = (PathBuf, Option<Kind>);

/// The names of an engine's models in the models folder. To know them every file there is opened, so
/// that is done again only where something there has changed.
#[derive(Default)]
pub struct Installed(FileCache<Option<PathBuf>, Vec<String>>);

impl Installed {
    /// The names, which `look` finds.
    pub fn names(
        &self,
        models: Option<&Path>,
        look: impl FnOnce(Option<&Path>) -> Vec<String>,
    ) -> Arc<Vec<String>> {
        let find = || Ok(((), watched(models)));
        let names = self
            .0
            .get(models.map(Path::to_path_buf), find, |()| Ok(look(models)));
        // Neither of the two fails.
        names.unwrap_or_default()
    }
}

/// The models folder and the models in it.
fn watched(models: Option<&Path>) -> Vec<PathBuf> {
    let Some(models) = models else {
        return Vec::new();
    };
    let entries = fs::read_dir(models).into_iter().flatten();
    let folders = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir());
    let mut all: Vec<PathBuf> = folders.map(snapshot).collect();
    all.sort();
    all.insert(0, models.to_path_buf());
    all
}

/// The names in the models folder that are `own`, sorted.
pub fn installed(models: Option<&Path>, own: impl Fn(&str) -> bool) -> Vec<String> {
    let entries = models.and_then(|folder| fs::read_dir(folder).ok());
    let names = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| own(name)).collect();
    names.sort();
    names
}

/// Where to put a model, for messages.
pub fn where_to_put(models: Option<&Path>) -> String {
    match models {
        Some(folder) => format!("put one into {}", folder.display()),
        None => "set the option 'models' to a folder with one".into(),
    }
}

/// What the parameter 'model' takes instead of `name`: one of `installed`, or `nothing` is told.
pub fn instead(name: &str, installed: &[String], nothing: impl FnOnce() -> String) -> String {
    let names: Vec<&str> = installed.iter().map(String::as_str).collect();
    match &names[..] {
        [] => nothing(),
        some => format!(
            "parameter 'model' takes a path or one of {}{}",
            some.join(", "),
            did_you_mean(name, some)
        ),
    }
}

/// Whether a file's name ends as one of `endings`, in capitals or not.
pub fn ends(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    endings.contains(&ending.to_ascii_lowercase().as_str())
}

/// What `model` names, as [`any`] has it; empty for the first of `installed`.
///
/// # Errors
/// [`ErrorKind::Model`] that says what there is, or `nothing`; as [`any`].
pub fn named(
    models: Option<&Path>,
    model: &str,
    endings: &[&str],
    installed: impl Fn() -> Arc<Vec<String>>,
    nothing: impl Fn() -> String,
) -> Result<Place> {
    let names;
    let name = match model {
        "" => {
            names = installed();
            match names.first() {
                Some(first) => first,
                None => return Err(Error::new(ErrorKind::Model, nothing())),
            }
        }
        name => name,
    };
    any(models, name, endings)?.ok_or_else(|| {
        let about = instead(name, &installed(), &nothing);
        Error::new(
            ErrorKind::Model,
            format!("there is no model '{name}': {about}"),
        )
    })
}

/// What lies in the models folder under a plain name, with one of `endings` where it is a file that is
/// named without; else what lies at a path. A folder of Hugging Face's cache is its snapshot.
///
/// # Errors
/// [`crate::ErrorKind::Model`] for a manifest that cannot be trusted.
pub fn any(models: Option<&Path>, name: &str, endings: &[&str]) -> Result<Option<Place>> {
    let mut parts = Path::new(name).components();
    let plain = matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    );
    if let Some(place) = inside(models.filter(|_| plain), name, endings)? {
        return Ok(Some(place));
    }
    let path = snapshot(PathBuf::from(name));
    Ok(path.exists().then_some((path, None)))
}

/// As [`any`], in the models folder alone; `name` is one plain part of a path.
///
/// # Errors
/// As [`any`].
pub fn inside(models: Option<&Path>, name: &str, endings: &[&str]) -> Result<Option<Place>> {
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
        return Ok(Some((snapshot(here), None)));
    }
    let mut files = endings
        .iter()
        .map(|ending| models.join(format!("{name}.{ending}")));
    Ok(files.find(|file| file.is_file()).map(|file| (file, None)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn the_models_folder_is_looked_through_again_only_where_something_changed() {
        let folder = std::env::temp_dir().join(format!("mend-installed-{}", std::process::id()));
        fs::create_dir_all(folder.join("sd/unet")).unwrap();
        let (installed, looks) = (Installed::default(), Cell::new(0));
        let names = |models: Option<&Path>| {
            let look = |_: Option<&Path>| {
                looks.set(looks.get() + 1);
                vec![looks.get().to_string()]
            };
            installed.names(models, look)[0].parse::<u32>().unwrap()
        };
        let mut known = 0;
        let changes: [&dyn Fn(); 4] = [
            &|| {},
            &|| fs::write(folder.join("a.safetensors"), "1").unwrap(),
            // In the folder of a model's part.
            &|| fs::write(folder.join("sd/unet/config.json"), "{}").unwrap(),
            &|| fs::write(folder.join("sd/unet/config.json"), "{ }").unwrap(),
        ];
        for change in changes {
            change();
            known += 1;
            assert_eq!((names(Some(&folder)), names(Some(&folder))), (known, known));
        }
        // Without a folder there is nothing that could change.
        assert_eq!((names(None), names(None)), (known + 1, known + 1));
        fs::remove_dir_all(&folder).unwrap();
    }
}
