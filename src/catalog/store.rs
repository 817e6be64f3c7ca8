//! The models folder.
#![forbid(unsafe_code)]

use super::detect::Kind;
use super::digest::{Sha256, hash_file};
use super::hub;
use super::known::known;
use super::manifest::{MANIFEST, Manifest, now, write_json};
use super::names::{check_id, check_path, shown};
use super::{bad, io_error};
use crate::error::{Error, ErrorKind, Result};
use crate::params::did_you_mean;
use crate::progress::Cancel;
use serde_json::Value as Json;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// What a fetch that was broken off left to go on from.
const FETCH: &str = "mend-fetch.json";
/// Below the models folder; its name is no id.
const LOCKS: &str = ".locks";

/// A models folder, which need not exist.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

/// What a folder below the models folder holds.
#[derive(Debug)]
pub enum Found {
    /// A model.
    Installed(Manifest),
    /// Some files of one: its fetch was broken off.
    Partial(String),
    /// A model whose manifest cannot be read: its id, and why.
    Broken(String, Error),
}

impl Found {
    /// Its id.
    pub fn id(&self) -> &str {
        match self {
            Self::Installed(m) => &m.id,
            Self::Partial(id) | Self::Broken(id, _) => id,
        }
    }
}

/// A model that no other process may change meanwhile.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "dropping it unlocks")] File);

/// What [`Store::verify`] found of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCheck {
    /// Relative to the model's folder.
    pub path: String,
    /// How it is.
    pub state: FileState,
}

/// How a file is, beside its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileState {
    /// As it was installed.
    Good,
    /// Not there.
    Missing,
    /// No plain file, or below a link.
    Odd,
    /// Of another size, in bytes.
    Size(u64),
    /// Of the right size, with another SHA-256.
    Hash(String),
    /// The system does not let it be read.
    Unreadable(String),
}

/// What [`Store::remove`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Files that were deleted.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// What still lies in the folder, since no manifest lists it.
    pub left: Vec<String>,
}

impl Store {
    /// The models folder `folder`.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of the model `id`, which need not be there. It is no link.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for what is no id, [`ErrorKind::Model`] where it is a link or a file.
    pub fn model_folder(&self, id: &str) -> Result<PathBuf> {
        check_id(id)?;
        let path = self.folder.join(id);
        match fs::symlink_metadata(&path) {
            Ok(about) if !about.is_dir() => Err(bad(
                path.display(),
                "this is a link or a file where a model's folder should be; move it away",
            )),
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_error(&path, "read", &e)),
            _ => Ok(path),
        }
    }

    /// The path of a model's file, none of whose folders is a link and which itself is a plain file
    /// or not there.
    ///
    /// # Errors
    /// As [`Self::model_folder`]; [`ErrorKind::Model`] for a name that is not safe.
    pub fn file(&self, id: &str, path: &str) -> Result<PathBuf> {
        check_path(path)?;
        let folder = self.model_folder(id)?;
        let file = below(&folder, path);
        if odd(&folder, path) {
            return Err(bad(
                file.display(),
                "there is a link or a folder in this place, which could lead out of the models \
                 folder; move it away",
            ));
        }
        Ok(file)
    }

    /// All that lies there, by id.
    ///
    /// # Errors
    /// [`ErrorKind::Io`]. A folder that is not there is empty.
    pub fn list(&self) -> Result<Vec<Found>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(io_error(&self.folder, "read", &e)),
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut ids: Vec<String> = names.filter(|name| check_id(name).is_ok()).collect();
        ids.sort();
        let found = ids.into_iter().filter_map(|id| self.look(&id));
        Ok(found.collect())
    }

    fn look(&self, id: &str) -> Option<Found> {
        // A link or a file is none of ours.
        let folder = self.model_folder(id).ok()?;
        match Manifest::read(&folder, id) {
            Ok(Some(manifest)) => Some(Found::Installed(manifest)),
            Ok(None) if folder.join(FETCH).is_file() => Some(Found::Partial(id.to_owned())),
            Ok(None) => None,
            Err(e) => Some(Found::Broken(id.to_owned(), e)),
        }
    }

    /// The manifest of an installed model; `None` where it is not installed.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for what is no id, [`ErrorKind::Model`] for a damaged manifest.
    pub fn get(&self, id: &str) -> Result<Option<Manifest>> {
        Manifest::read(&self.model_folder(id)?, id)
    }

    fn installed(&self, id: &str) -> Result<Manifest> {
        if let Some(manifest) = self.get(id)? {
            return Ok(manifest);
        }
        let models = known();
        let mut names: Vec<&str> = models.iter().map(|m| m.id.as_str()).collect();
        let found = self.list()?;
        names.extend(found.iter().filter_map(|f| match f {
            Found::Installed(m) => Some(m.id.as_str()),
            _ => None,
        }));
        let advice = if names.contains(&id) {
            format!("; 'mend models fetch {id}' gets it")
        } else {
            format!(
                "{}; 'mend models list' shows what there is",
                did_you_mean(id, &names)
            )
        };
        Err(bad(
            format!("'{id}'"),
            format!("this model is not installed{advice}"),
        ))
    }

    /// Where a model's files lie.
    fn root(&self, manifest: &Manifest) -> Result<PathBuf> {
        match &manifest.linked {
            Some(path) => Ok(path.clone()),
            None => self.model_folder(&manifest.id),
        }
    }

    /// What an engine opens of an installed model: the weights of a checkpoint or a LoRA, what else is
    /// in one file, or the folder.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for what is no id, [`ErrorKind::Model`] where it is not installed.
    pub fn locate(&self, id: &str) -> Result<PathBuf> {
        check_id(id)?;
        let manifest = self.installed(id)?;
        let root = self.root(&manifest)?;
        let mut files = manifest.files.iter();
        let own = match (manifest.kind, manifest.files.as_slice()) {
            (_, [file]) => Some(file),
            // A graph whose weights lie in files beside it.
            (Kind::Lama | Kind::Migan, all) => all.iter().find(|f| f.path.ends_with(".onnx")),
            (Kind::Checkpoint | Kind::Lora, _) => files.find(|f| {
                let beside = [".yaml", ".json"];
                !beside.iter().any(|ending| f.path.ends_with(ending))
            }),
            _ => None,
        };
        Ok(own.map_or_else(|| root.clone(), |file| below(&root, &file.path)))
    }

    /// What an engine opens for `name`: of an installed model's id what [`Self::locate`] gives, of
    /// anything else that is there the path itself.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] where it is not installed or there is no such path.
    pub fn resolve(&self, name: &str) -> Result<PathBuf> {
        let path = Path::new(name);
        if check_id(name).is_ok() {
            // A file or a folder beside the caller may be called like an id, too.
            return match self.get(name)? {
                None if path.exists() => Ok(hub::snapshot(path.to_path_buf())),
                _ => self.locate(name),
            };
        }
        match fs::metadata(path) {
            Ok(_) => Ok(hub::snapshot(path.to_path_buf())),
            Err(_) => Err(bad(
                shown(name),
                "there is no such model, file or folder; 'mend models list' shows the models",
            )),
        }
    }

    /// Compares every file of an installed model with its manifest. `progress` is told of each
    /// piece's length.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] where it is not installed, [`ErrorKind::Cancelled`]. Wrong files are no
    /// error but a result.
    pub fn verify(
        &self,
        id: &str,
        progress: &mut dyn FnMut(u64),
        cancel: &Cancel,
    ) -> Result<Vec<FileCheck>> {
        let manifest = self.installed(id)?;
        let root = self.root(&manifest)?;
        let mut checks = Vec::new();
        for file in &manifest.files {
            let path = below(&root, &file.path);
            // Links of the user's own, in a folder that was imported in place, are the user's.
            let strange = manifest.linked.is_none() && odd(&root, &file.path);
            let state = match fs::metadata(&path) {
                _ if strange => FileState::Odd,
                Err(e) if e.kind() == io::ErrorKind::NotFound => FileState::Missing,
                Err(e) => FileState::Unreadable(e.to_string()),
                Ok(about) if !about.is_file() => FileState::Odd,
                Ok(about) if about.len() != file.size => FileState::Size(about.len()),
                Ok(_) => {
                    let mut hash = Sha256::new();
                    match hash_file(&path, u64::MAX, &mut hash, progress, cancel) {
                        Err(e) if e.kind() == ErrorKind::Cancelled => return Err(e),
                        Err(e) => FileState::Unreadable(e.message().to_owned()),
                        Ok(_) => match hash.finish() {
                            found if found == file.sha256 => FileState::Good,
                            found => FileState::Hash(found),
                        },
                    }
                }
            };
            checks.push(FileCheck {
                path: file.path.clone(),
                state,
            });
        }
        Ok(checks)
    }

    /// Deletes what the manifest of `id` lists, and what a fetch that was broken off left. Other
    /// files stay, and so do those of a model that was imported in place. No link is followed.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] where there is none, [`ErrorKind::Io`].
    pub fn remove(&self, id: &str) -> Result<Removed> {
        let folder = self.model_folder(id)?;
        let partial = self.partial(id)?;
        let manifest = match self.get(id)? {
            None if partial.is_none() => {
                return Err(self
                    .installed(id)
                    .err()
                    .unwrap_or_else(|| bad(format!("'{id}'"), "this model is not installed")));
            }
            manifest => manifest,
        };
        let _lock = self.lock(id)?;
        let mut paths: Vec<String> = Vec::new();
        if let Some(manifest) = manifest.filter(|m| m.linked.is_none()) {
            paths.extend(manifest.files.into_iter().map(|f| f.path));
        }
        if let Some(files) = partial.as_ref().and_then(|p| p["files"].as_object()) {
            paths.extend(files.keys().filter(|p| check_path(p).is_ok()).cloned());
        }
        paths.sort();
        paths.dedup();
        let mut removed = Removed::default();
        for path in &paths {
            if parents_odd(&folder, path) {
                return Err(bad(
                    below(&folder, path).display(),
                    "a folder on the way to it is a link, and Mend follows none when it deletes; \
                     move the link away",
                ));
            }
            for path in [
                below(&folder, path),
                below(&folder, &format!("{path}.part")),
            ] {
                removed.take(&path)?;
            }
        }
        // The manifest goes last: until then the model is known, and removing it can be tried again.
        removed.take(&folder.join(FETCH))?;
        removed.take(&folder.join(MANIFEST))?;
        for path in paths.iter().rev() {
            for (at, _) in path.rmatch_indices('/') {
                // Only if it is empty.
                let _ = fs::remove_dir(below(&folder, &path[..at]));
            }
        }
        if fs::remove_dir(&folder).is_err() {
            removed.left = entries(&folder);
        }
        Ok(removed)
    }

    /// Locks a model against other processes until the lock is dropped, and makes the models folder.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], also where another process has it.
    pub fn lock(&self, id: &str) -> Result<Lock> {
        check_id(id)?;
        let folder = self.folder.join(LOCKS);
        fs::create_dir_all(&folder).map_err(|e| io_error(&folder, "created", &e))?;
        let path = folder.join(id);
        let mut options = File::options();
        options.write(true).create(true).truncate(false);
        let file = options
            .open(&path)
            .map_err(|e| io_error(&path, "opened", &e))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            // Some network file systems have none; then two at once are the user's affair.
            Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => Ok(Lock(file)),
            Err(TryLockError::Error(e)) => Err(io_error(&path, "locked", &e)),
            Err(TryLockError::WouldBlock) => Err(Error::new(
                ErrorKind::Io,
                format!("'{id}': another mend is at work on this model; wait for it to end"),
            )),
        }
    }

    /// What a fetch that was broken off wrote down; only the fetch knows what it means, but `files` is
    /// an object by path.
    ///
    /// # Errors
    /// As [`Self::model_folder`].
    pub fn partial(&self, id: &str) -> Result<Option<Json>> {
        let path = self.model_folder(id)?.join(FETCH);
        let plain = fs::symlink_metadata(&path).is_ok_and(|m| m.is_file());
        let text = plain.then(|| fs::read(&path).ok()).flatten();
        Ok(text.and_then(|t| crate::json::parse(&t).ok()))
    }

    /// Bytes on the disk of a model whose fetch was broken off: finished files and parts of files.
    ///
    /// # Errors
    /// As [`Self::model_folder`].
    pub fn partial_bytes(&self, id: &str) -> Result<u64> {
        let folder = self.model_folder(id)?;
        let partial = self.partial(id)?;
        let files = partial.as_ref().and_then(|p| p["files"].as_object());
        let names = files.into_iter().flatten().map(|(path, _)| path);
        let mut bytes = 0u64;
        for path in names.filter(|p| check_path(p).is_ok()) {
            for file in [
                below(&folder, path),
                below(&folder, &format!("{path}.part")),
            ] {
                let about = fs::symlink_metadata(file).ok().filter(|m| m.is_file());
                bytes = bytes.saturating_add(about.map_or(0, |m| m.len()));
            }
        }
        Ok(bytes)
    }

    /// Writes down how far a fetch is.
    ///
    /// # Errors
    /// [`ErrorKind::Io`].
    pub fn set_partial(&self, id: &str, json: &Json) -> Result<()> {
        let folder = self.model_folder(id)?;
        fs::create_dir_all(&folder).map_err(|e| io_error(&folder, "created", &e))?;
        write_json(&folder.join(FETCH), json)
    }

    /// Makes the folders above a model's file; gives its path.
    ///
    /// # Errors
    /// As [`Self::file`]; [`ErrorKind::Io`].
    pub fn make_room(&self, id: &str, path: &str) -> Result<PathBuf> {
        let file = self.file(id, path)?;
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(|e| io_error(folder, "created", &e))?;
        }
        Ok(file)
    }

    /// Declares a model installed whose files are in place: writes its manifest, with the present
    /// time, and forgets the fetch.
    ///
    /// # Errors
    /// [`ErrorKind::Io`].
    pub fn install(&self, mut manifest: Manifest) -> Result<Manifest> {
        let folder = self.model_folder(&manifest.id)?;
        fs::create_dir_all(&folder).map_err(|e| io_error(&folder, "created", &e))?;
        manifest.installed = now();
        manifest.write(&folder)?;
        let _ = fs::remove_file(folder.join(FETCH));
        sync_folder(&folder);
        Ok(manifest)
    }
}

impl Removed {
    fn take(&mut self, path: &Path) -> Result<()> {
        let Ok(about) = fs::symlink_metadata(path) else {
            return Ok(());
        };
        if about.is_dir() {
            return Ok(());
        }
        fs::remove_file(path).map_err(|e| io_error(path, "deleted", &e))?;
        self.files += 1;
        self.bytes = self.bytes.saturating_add(about.len());
        Ok(())
    }
}

/// `root` and a checked relative path, with the system's own separators.
pub(super) fn below(root: &Path, path: &str) -> PathBuf {
    let mut out = root.to_path_buf();
    out.extend(path.split('/'));
    out
}

/// Whether a folder above `path` is a link or a file.
fn parents_odd(root: &Path, path: &str) -> bool {
    path.match_indices('/').any(|(at, _)| {
        let about = fs::symlink_metadata(below(root, &path[..at]));
        about.is_ok_and(|m| !m.is_dir())
    })
}

/// Whether there is a link, a folder or a device where the file `path` or one above it should be.
fn odd(root: &Path, path: &str) -> bool {
    let about = fs::symlink_metadata(below(root, path));
    parents_odd(root, path) || about.is_ok_and(|m| !m.is_file())
}

/// What lies in a folder.
fn entries(folder: &Path) -> Vec<String> {
    let all = fs::read_dir(folder).into_iter().flatten();
    let names = all.filter_map(|e| Some(e.ok()?.file_name().to_string_lossy().into_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// A rename outlives a crash once the folder is on disk. Not every system can.
pub(super) fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}
