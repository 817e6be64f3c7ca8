//! The cache of Hugging Face's programs, whose folders are taken as models where they lie.
//!
//! A repository `org/name` is the folder `models--org--name`; below its `snapshots` each revision has a
//! folder, whose files are links into `blobs`; `refs/main` holds the revision that `main` stood for.
//! Source: huggingface_hub's documentation, "Understand caching".
#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// The snapshot in `folder`, if that is a repository's in the cache: the one of `refs/main`, else the
/// one there is. Anything else is given back as it is.
pub fn snapshot(folder: PathBuf) -> PathBuf {
    let snapshots = folder.join("snapshots");
    if !snapshots.is_dir() || folder.join("unet").is_dir() {
        return folder;
    }
    if let Some(revision) = main(&folder) {
        let main = snapshots.join(revision);
        if main.is_dir() {
            return main;
        }
    }
    let entries = fs::read_dir(&snapshots).into_iter().flatten().flatten();
    let mut all: Vec<PathBuf> = entries.map(|e| e.path()).filter(|p| p.is_dir()).collect();
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => only,
        _ => folder,
    }
}

/// The revision that `refs/main` names, one plain part of a path.
fn main(folder: &Path) -> Option<String> {
    let mut text = String::new();
    let file = File::open(folder.join("refs/main")).ok()?;
    file.take(256).read_to_string(&mut text).ok()?;
    let revision = text.trim();
    let mut parts = Path::new(revision).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(_)), None) => Some(revision.to_owned()),
        _ => None,
    }
}

/// The repository's name, without its owner, of a snapshot in the cache.
pub fn name(snapshot: &Path) -> Option<&str> {
    let snapshots = snapshot.parent()?;
    if snapshots.file_name()? != "snapshots" {
        return None;
    }
    let repository = snapshots.parent()?.file_name()?.to_str()?;
    repository.strip_prefix("models--")?.rsplit("--").next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(parts: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for part in parts {
            fs::create_dir_all(dir.path().join(part)).unwrap();
        }
        dir
    }

    #[test]
    fn the_snapshot_of_main_is_the_model() {
        let dir = folder(&[
            "models--o--n/snapshots/a1",
            "models--o--n/snapshots/b2",
            "models--o--n/refs",
        ]);
        let top = dir.path().join("models--o--n");
        let refs = top.join("refs/main");
        for (main, want) in [
            ("b2", top.join("snapshots/b2")),
            ("a1\n", top.join("snapshots/a1")),
            // Neither tells which.
            ("gone", top.clone()),
            ("../../..", top.clone()),
            ("/", top.clone()),
        ] {
            fs::write(&refs, main).unwrap();
            assert_eq!(snapshot(top.clone()), want, "{main}");
        }
        fs::remove_dir(top.join("snapshots/b2")).unwrap();
        assert_eq!(snapshot(top.clone()), top.join("snapshots/a1"));
        assert_eq!(name(&top.join("snapshots/a1")), Some("n"));
        assert_eq!(name(&top), None);
    }

    #[test]
    fn other_folders_are_themselves() {
        let dir = folder(&["m/unet", "m/snapshots/a"]);
        for at in ["m", "m/snapshots/a", "none"] {
            let path = dir.path().join(at);
            assert_eq!(snapshot(path.clone()), path);
        }
    }
}
