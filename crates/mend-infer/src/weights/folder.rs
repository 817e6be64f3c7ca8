//! The model file of a diffusers or transformers folder.
#![forbid(unsafe_code)]

use super::damaged;
use super::header::PICKLE;
use crate::error::Result;
use std::fs;
use std::path::{Path, PathBuf};

/// What a stem's model file may be called, in the order in which they are taken. Both names of the
/// index of an f16 variant are about: diffusers' `_add_variant` writes the second.
const FORMS: [&str; 5] = [
    ".safetensors",
    ".safetensors.index.json",
    ".fp16.safetensors",
    ".safetensors.index.fp16.json",
    ".fp16.safetensors.index.json",
];

/// What PyTorch's archives are called, in the same order.
const ARCHIVES: [&str; 4] = [
    ".bin",
    ".bin.index.json",
    ".fp16.bin",
    ".bin.index.fp16.json",
];

/// What a stem's model file may be called: transformers' `model` is an archive under another name.
fn names(stem: &str) -> Vec<String> {
    let old = if stem == "model" {
        "pytorch_model"
    } else {
        stem
    };
    let new = FORMS.iter().map(|form| format!("{stem}{form}"));
    new.chain(ARCHIVES.iter().map(|form| format!("{old}{form}")))
        .collect()
}

/// Endings of pickles.
const PICKLES: [&str; 4] = ["bin", "ckpt", "pt", "pth"];

/// The first of [`names`] that is in the folder.
pub(super) fn find(folder: &Path, stem: &str) -> Result<PathBuf> {
    let name = folder.display().to_string();
    if !folder.is_dir() {
        return Err(damaged(
            &name,
            "there is no such folder; download the model or correct the path",
        ));
    }
    let names = names(stem);
    let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    // A link that leads nowhere counts as there, so that its own error is told.
    if let Some(path) = paths.iter().find(|p| p.symlink_metadata().is_ok()) {
        return Ok(path.clone());
    }
    let looked = names.join(", ");
    let advice = match pickle_in(folder) {
        Some(file) => format!("'{file}' is there and is a pickle: {PICKLE}"),
        None => "download the model in safetensors format".into(),
    };
    Err(damaged(
        &name,
        format!("there is no model file; looked for {looked}; {advice}"),
    ))
}

/// The first pickle of a folder, by name.
fn pickle_in(folder: &Path) -> Option<String> {
    let entries = fs::read_dir(folder).ok()?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names
        .filter(|name| {
            let ending = Path::new(name).extension().and_then(|e| e.to_str());
            ending.is_some_and(|e| PICKLES.contains(&e.to_ascii_lowercase().as_str()))
        })
        .min()
}
