//! Changes to a folder, gathered first, then made: files are written beside their place and renamed
//! into it, so that a program that reads them sees the old or the new one.
#![forbid(unsafe_code)]

use mend::{Error, ErrorKind, Result};
use std::fs;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

/// One change; relative paths are below the changes' folder.
#[derive(Debug)]
pub enum Change {
    /// A file is to have these bytes.
    Write {
        /// Where.
        path: PathBuf,
        /// What.
        bytes: Vec<u8>,
        /// Whether it is a program.
        executable: bool,
    },
    /// A file is to be gone.
    Remove(PathBuf),
    /// A folder is to be gone if nothing is in it.
    RemoveFolder(PathBuf),
    /// Nothing, and why.
    Note(String),
}

/// Changes to one folder.
#[derive(Debug)]
pub struct Changes {
    folder: PathBuf,
    list: Vec<Change>,
}

impl Changes {
    /// None yet.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_path_buf(),
            list: Vec::new(),
        }
    }

    /// A file is to have these bytes.
    pub fn write(&mut self, path: PathBuf, bytes: Vec<u8>, executable: bool) {
        self.push(Change::Write {
            path,
            bytes,
            executable,
        });
    }

    /// One more.
    pub fn push(&mut self, change: Change) {
        self.list.push(change);
    }

    /// Writes down in `manifest` what is written below the folder and which folders are made for
    /// it, for a later removal; what an earlier installation wrote and this one does not is removed.
    pub fn with_manifest(&mut self, manifest: &str) {
        let mut files: Vec<String> = self
            .list
            .iter()
            .filter_map(|c| match c {
                Change::Write { path, .. } if path.is_relative() => slashes(path),
                _ => None,
            })
            .collect();
        files.push(manifest.to_owned());
        let old = recorded(&self.folder, manifest);
        let mut folders: Vec<String> = Vec::new();
        for file in &files {
            for (at, _) in file.match_indices('/') {
                let folder = file[..=at].to_owned();
                let ours = old.contains(&folder) || !self.folder.join(&folder).is_dir();
                if ours && !folders.contains(&folder) {
                    folders.push(folder);
                }
            }
        }
        for gone in old
            .iter()
            .filter(|o| !o.ends_with('/') && !files.contains(o))
        {
            self.push(Change::Remove(gone.into()));
        }
        let text = [folders, files].concat().join("\n") + "\n";
        self.write(manifest.into(), text.into_bytes(), false);
    }

    /// Everything that `manifest` lists is to be gone.
    pub fn remove_by_manifest(&mut self, manifest: &str) {
        let names = recorded(&self.folder, manifest);
        if names.is_empty() {
            self.push(Change::Note("nothing of Mend is installed here".into()));
        }
        let (mut folders, files): (Vec<String>, Vec<String>) =
            names.into_iter().partition(|n| n.ends_with('/'));
        for file in files {
            self.push(Change::Remove(file.into()));
        }
        // The inner ones first.
        folders.sort_by_key(|f| std::cmp::Reverse(f.len()));
        for folder in folders {
            self.push(Change::RemoveFolder(folder.into()));
        }
    }

    /// Makes the changes, or only tells them.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] with the file.
    pub fn apply(&self, dry_run: bool, say: &mut dyn FnMut(&str)) -> Result<()> {
        for change in &self.list {
            match change {
                Change::Note(text) => say(&format!("  {text}")),
                Change::Write {
                    path,
                    bytes,
                    executable,
                } => {
                    let path = self.folder.join(path);
                    // GIMP asks a plug-in for its arguments only when the program is new, and they
                    // may have changed without it: it is always written.
                    if !executable && fs::read(&path).is_ok_and(|have| have == *bytes) {
                        say(&format!("  is up to date: {}", path.display()));
                        continue;
                    }
                    say(&format!("  {}: {}", verb(dry_run, "write"), path.display()));
                    if !dry_run {
                        write_file(&path, bytes, *executable)?;
                    }
                }
                Change::RemoveFolder(path) => {
                    let path = self.folder.join(path);
                    // What else lies in it stays, and so does the folder.
                    if !dry_run && path.is_dir() && fs::remove_dir(&path).is_ok() {
                        say(&format!("  remove: {}", path.display()));
                    }
                }
                Change::Remove(path) => {
                    let path = self.folder.join(path);
                    if !path.is_file() {
                        continue;
                    }
                    say(&format!(
                        "  {}: {}",
                        verb(dry_run, "remove"),
                        path.display()
                    ));
                    if !dry_run {
                        fs::remove_file(&path).map_err(|e| failed(&path, "removed", &e))?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn verb(dry_run: bool, what: &str) -> String {
    if dry_run {
        format!("would {what}")
    } else {
        what.to_owned()
    }
}

/// The files that `manifest` lists. Lines that lead out of the folder are ignored.
fn recorded(folder: &Path, manifest: &str) -> Vec<String> {
    let Ok(text) = fs::read_to_string(folder.join(manifest)) else {
        return Vec::new();
    };
    text.lines()
        .filter(|line| {
            !line.is_empty()
                && Path::new(line)
                    .components()
                    .all(|c| matches!(c, Component::Normal(_)))
        })
        .map(str::to_owned)
        .collect()
}

fn slashes(path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path.iter().map(|p| p.to_str()).collect();
    Some(parts?.join("/"))
}

fn failed(path: &Path, what: &str, error: &io::Error) -> Error {
    Error::new(
        ErrorKind::Io,
        format!(
            "{} cannot be {what}: {error}; see that you may write there, and that the program is \
             not running",
            path.display()
        ),
    )
}

/// Writes `path` by way of a temporary file beside it; makes its folders.
///
/// # Errors
/// [`ErrorKind::Io`].
pub fn write_file(path: &Path, bytes: &[u8], executable: bool) -> Result<()> {
    let fail = |e: io::Error| failed(path, "written", &e);
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder).map_err(fail)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".mend-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = if executable { 0o777 } else { 0o666 };
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = executable;
    let mut file = builder.tempfile_in(folder).map_err(fail)?;
    file.write_all(bytes).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    file.persist(path).map_err(|e| fail(e.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_cannot_lead_out_of_its_folder() {
        let temporary = tempfile::tempdir().expect("a folder");
        let folder = temporary.path().join("profile");
        fs::create_dir_all(&folder).expect("a folder");
        let outside = temporary.path().join("mine");
        fs::write(&outside, b"mine").expect("a file");
        fs::write(
            folder.join("list"),
            format!("../mine\n{}\n", outside.display()),
        )
        .expect("a file");
        let mut changes = Changes::new(&folder);
        changes.remove_by_manifest("list");
        changes.apply(false, &mut |_| ()).expect("a removal");
        assert!(outside.is_file());
    }
}
