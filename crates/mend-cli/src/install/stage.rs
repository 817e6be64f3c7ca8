//! Files written beside their places, before any of them is put into its own.
#![forbid(unsafe_code)]

use crate::output::{follow, keep_owner};
use mend::{Error, ErrorKind, Result};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// What went wrong with a file, and what to do.
pub fn failed(path: &Path, what: &str, error: &io::Error) -> Error {
    Error::new(
        ErrorKind::Io,
        format!(
            "{} cannot be {what}: {error}; check that you may write there and that the program is \
             not running",
            path.display()
        ),
    )
}

/// Folders that were made on the way, which go again if nothing comes of it.
#[derive(Debug, Default)]
pub struct Folders(Vec<PathBuf>);

impl Folders {
    /// Something came of it.
    pub fn keep(&mut self) {
        self.0.clear();
    }

    /// Makes a folder and those around it.
    ///
    /// # Errors
    /// Those of the system.
    pub fn make(&mut self, folder: &Path) -> io::Result<()> {
        let mut missing: Vec<&Path> = Vec::new();
        let mut at = Some(folder);
        while let Some(path) = at.filter(|p| !p.as_os_str().is_empty() && !p.is_dir()) {
            missing.push(path);
            at = path.parent();
        }
        for path in missing.into_iter().rev() {
            fs::create_dir(path)?;
            self.0.push(path.to_path_buf());
        }
        Ok(())
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// A file that was written beside its place.
#[derive(Debug)]
pub struct Staged {
    file: NamedTempFile,
    path: PathBuf,
}

impl Staged {
    /// Puts it there.
    ///
    /// # Errors
    /// [`ErrorKind::Io`].
    pub fn put(self) -> Result<()> {
        let Self { file, path } = self;
        let not_all = |e: tempfile::PersistError| {
            Error::new(
                ErrorKind::Io,
                format!(
                    "{} cannot be replaced: {}; the installation is incomplete now: quit the \
                     program if it is running and install again, or remove everything with \
                     --uninstall",
                    path.display(),
                    e.error
                ),
            )
        };
        file.persist(&path).map_err(not_all)?;
        Ok(())
    }
}

/// A file of ours.
///
/// # Errors
/// [`ErrorKind::Io`].
pub fn staged(path: PathBuf, bytes: &[u8], executable: bool, made: &mut Folders) -> Result<Staged> {
    let mode = if executable { 0o777 } else { 0o666 };
    let mut write = || -> io::Result<NamedTempFile> {
        if path.is_dir() {
            return Err(io::Error::other("there is a folder of that name"));
        }
        beside(&path, bytes, mode, made)
    };
    match write() {
        Ok(file) => Ok(Staged { file, path }),
        Err(e) => Err(failed(&path, "written", &e)),
    }
}

/// The program's own file: written where its links lead, with the mode and the owner that it has.
///
/// # Errors
/// [`ErrorKind::Io`].
pub fn edited(named: &Path, bytes: &[u8], made: &mut Folders) -> Result<Staged> {
    let path = follow(named)?;
    let mut write = || -> io::Result<NamedTempFile> {
        let existing = match fs::metadata(&path) {
            Ok(about) => Some(about),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        if existing.is_some() {
            // Renaming over a file asks only its folder: who made the file read-only meant it.
            OpenOptions::new().write(true).open(&path)?;
        }
        // Settings are nobody else's business.
        let file = beside(&path, bytes, 0o600, made)?;
        if let Some(existing) = &existing {
            keep_owner(file.as_file(), existing);
            file.as_file().set_permissions(existing.permissions())?;
        }
        Ok(file)
    };
    match write() {
        Ok(file) => Ok(Staged { file, path }),
        Err(e) => Err(failed(named, "written", &e)),
    }
}

/// A temporary file beside `path` with these bytes; makes its folders.
fn beside(path: &Path, bytes: &[u8], mode: u32, made: &mut Folders) -> io::Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    made.make(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".mend-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}
