//! Known and installed models: what there is, where it lies, whether it is whole. Pure of network:
//! offline is the normal state, and the room `fetch` above is what fetches. Floor 3.
//!
//! A model is a folder of its own in the models folder, named by its id, with a manifest
//! (`mend-model.json`) that lists its files with sizes and SHA-256. The manifest is written last, so a
//! model is there whole or not at all; it alone says what [`Store::remove`] may delete. Names from
//! outside (a catalogue, a manifest, a path) are checked before they become paths, and no link below
//! the models folder is followed.
//!
//! ```
//! use mend::catalog::{Store, known};
//! let folder = std::env::temp_dir().join("mend-doc-no-models");
//! let store = Store::new(folder);
//! assert!(store.list()?.is_empty());
//! assert!(store.resolve("sd15-inpainting").is_err());
//! assert!(known().iter().any(|m| m.id == "sd15-inpainting"));
//! # Ok::<(), mend::Error>(())
//! ```
#![forbid(unsafe_code)]

mod count;
mod detect;
mod digest;
mod hub;
mod import;
mod known;
mod listing;
mod manifest;
mod names;
mod place;
mod space;
mod store;
mod terms;
#[cfg(test)]
mod tests;

pub use count::Count;
pub use detect::{Base, Kind, check_file};
pub use digest::{Sha256, hash_file};
pub use hub::snapshot;
pub use import::{Import, import_size};
pub use known::{Model, ModelFile, catalogue, known, parse as parse_catalogue};
pub use listing::listing;
pub use manifest::{InstalledFile, Licence, MANIFEST, Manifest, Trust};
pub use names::{check_id, check_path};
pub use place::models_folder;
pub use space::{bytes_text, check_room};
pub use store::{FileCheck, FileState, Found, Lock, Removed, Store};
pub use terms::Terms;

use crate::error::{Error, ErrorKind};
use std::fmt::Display;
use std::io;
use std::path::Path;

/// The system's word on a file.
pub(crate) fn io_error(path: &Path, what: &str, e: &io::Error) -> Error {
    let advice = match e.kind() {
        io::ErrorKind::NotFound => "there is no such file; correct the path".into(),
        io::ErrorKind::PermissionDenied => "you may not; check the permissions".into(),
        io::ErrorKind::StorageFull => "the disk is full; make room and try again".into(),
        io::ErrorKind::QuotaExceeded => {
            "your disk quota is used up; make room and try again".into()
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "the file system is read-only; use another place".into()
        }
        _ => e.to_string(),
    };
    Error::new(
        ErrorKind::Io,
        format!("{} cannot be {what}: {advice}", path.display()),
    )
}

/// What is wrong with a model or one of its files.
fn bad(name: impl Display, what: impl Display) -> Error {
    Error::new(ErrorKind::Model, format!("{name}: {what}"))
}
