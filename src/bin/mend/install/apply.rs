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
    /// A file is to be gone, and its folder too once that is empty.
    Remove(PathBuf),
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

    /// Writes down in `manifest` what is written below the folder, for a later removal; what an
    /// earlier installation wrote and this one does not is removed.
    pub fn with_manifest(&mut self, manifest: &str) {
        let mut names: Vec<String> = self
            .list
            .iter()
            .filter_map(|c| match c {
                Change::Write { path, .. } if path.is_relative() => slashes(path),
                _ => None,
            })
            .collect();
        names.push(manifest.to_owned());
        for old in recorded(&self.folder, manifest) {
            if !names.contains(&old) {
                self.push(Change::Remove(old.into()));
            }
        }
        let text = names.join("\n") + "\n";
        self.write(manifest.into(), text.into_bytes(), false);
    }

    /// Everything that `manifest` lists is to be gone.
    ///
    /// # Errors
    /// None yet: a folder without an installation has nothing to remove.
    pub fn remove_by_manifest(&mut self, manifest: &str) -> Result<()> {
        let names = recorded(&self.folder, manifest);
        if names.is_empty() {
            self.push(Change::Note("nothing of Mend is installed here".into()));
        }
        for name in names {
            self.push(Change::Remove(name.into()));
        }
        Ok(())
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
                    if fs::read(&path).is_ok_and(|have| have == *bytes) {
                        say(&format!("  is up to date: {}", path.display()));
                        continue;
                    }
                    say(&format!("  {}: {}", verb(dry_run, "write"), path.display()));
                    if !dry_run {
                        write_file(&path, bytes, *executable)?;
                    }
                }
                Change::Remove(path) => {
                    let path = self.folder.join(path);
                    if !path.is_file() {
                        continue;
                    }
                    say(&format!("  {}: {}", verb(dry_run, "remove"), path.display()));
                    if !dry_run {
                        fs::remove_file(&path).map_err(|e| failed(&path, "removed", &e))?;
                    }
                }
            }
        }
        if !dry_run {
            self.remove_empty_folders();
        }
        Ok(())
    }

    /// Folders that the removals left empty go, too; those of the program itself stay.
    fn remove_empty_folders(&self) {
        for change in &self.list {
            let Change::Remove(path) = change else {
                continue;
            };
            for folder in path.ancestors().skip(1) {
                // Only our own folders: "plug-ins" and its like are the program's.
                if folder.components().count() < 2 || fs::remove_dir(self.folder.join(folder)).is_err()
                {
                    break;
                }
            }
        }
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
        fs::write(folder.join("list"), format!("../mine\n{}\n", outside.display()))
            .expect("a file");
        let mut changes = Changes::new(&folder);
        changes.remove_by_manifest("list").expect("changes");
        changes.apply(false, &mut |_| ()).expect("a removal");
        assert!(outside.is_file());
    }
}
