//! Models for tests, small or hollow, as the programs write them that people have. What fails here panics.
#![forbid(unsafe_code)]

pub mod checkpoint;
pub mod tiny;
pub mod zeros;

use std::path::{Path, PathBuf};

/// A file of `tests/golden`.
pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden")
        .join(name)
}
