//! Writing a file so that nothing is lost: into a temporary file beside it, then renamed over it.
#![forbid(unsafe_code)]

use crate::attributes;
use crate::files::{Cancellable, Output, io_text};
use mend::{Cancel, Error, ErrorKind, Result};
use std::cell::RefCell;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Links followed before a chain counts as a circle.
const MAX_LINKS: usize = 40;

/// A file to be written, checked as far as can be before the work.
#[derive(Debug)]
pub struct Target {
    /// As the user named it.
    named: PathBuf,
    /// Where it really lies: links are written through.
    real: PathBuf,
    folder: PathBuf,
    existing: Option<Metadata>,
}

fn error(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Io,
        format!("{} cannot be written: {what}", path.display()),
    )
}

impl Target {
    /// Looks whether `path` can be written: its folder is there and takes files, and what is there
    /// already is a plain file that may be replaced.
    ///
    /// # Errors
    /// [`ErrorKind::Io`].
    pub fn new(path: &Path) -> Result<Self> {
        let real = follow(path)?;
        let folder = match real.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        match fs::metadata(&folder) {
            Ok(about) if about.is_dir() => {}
            Ok(_) => {
                let what = format!("{} is not a folder", folder.display());
                return Err(error(path, what));
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let what = format!("there is no folder {}; create it first", folder.display());
                return Err(error(path, what));
            }
            Err(e) => return Err(error(path, io_text(&e))),
        }
        let existing = match fs::metadata(&real) {
            Ok(about) => Some(about),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(error(path, io_text(&e))),
        };
        if let Some(about) = &existing {
            if about.is_dir() {
                return Err(error(path, "it is a folder; name a file"));
            }
            if !about.is_file() {
                return Err(error(path, "it is not a plain file; name another"));
            }
            // Renaming over a file asks only its folder: whoever made the file read-only meant it.
            OpenOptions::new()
                .write(true)
                .open(&real)
                .map_err(|e| error(path, io_text(&e)))?;
        }
        let target = Self {
            named: path.to_path_buf(),
            real,
            folder,
            existing,
        };
        // Whether the folder takes files is known once one was there: better now than after minutes
        // of work.
        drop(target.temporary()?);
        Ok(target)
    }

    /// The file's name as the user gave it.
    pub fn named(&self) -> &Path {
        &self.named
    }

    /// Whether this is the file at `path`.
    pub fn is(&self, path: &Path) -> bool {
        match (fs::canonicalize(&self.real), fs::canonicalize(path)) {
            (Ok(a), Ok(b)) => a == b,
            _ => false,
        }
    }

    fn temporary(&self) -> Result<NamedTempFile> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".mend-").suffix(".tmp");
        #[cfg(unix)]
        {
            // As any new file of this user: the umask takes its bits off.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        builder
            .tempfile_in(&self.folder)
            .map_err(|e| error(&self.named, io_text(&e)))
    }

    /// Lets `write` write the file, then puts it in its place; gives notes on what the user may
    /// miss. Until the very end an existing file stays as it is, and no temporary file is left
    /// behind. A new file gets an existing one's owner, mode and extended attributes.
    ///
    /// # Errors
    /// Those of `write` with the file's name, [`ErrorKind::Io`], [`ErrorKind::Cancelled`].
    pub fn write(
        &self,
        cancel: &Cancel,
        write: impl FnOnce(&mut dyn Output) -> Result<()>,
    ) -> Result<Vec<String>> {
        self.written(cancel, write)?.place()
    }

    /// Lets `write` write the file, which then waits to be put in its place; dropped, it leaves nothing
    /// behind.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn written(
        &self,
        cancel: &Cancel,
        write: impl FnOnce(&mut dyn Output) -> Result<()>,
    ) -> Result<Written<'_>> {
        let fail = |e: io::Error| error(&self.named, io_text(&e));
        let temporary = self.temporary()?;
        let failure = RefCell::new(None);
        let mut out = BufWriter::with_capacity(
            1 << 18,
            Witness {
                inner: Cancellable {
                    inner: temporary.as_file(),
                    cancel: cancel.clone(),
                },
                failure: &failure,
            },
        );
        let written = write(&mut out);
        cancel.check()?;
        // Encoders tell of a full disk each in its own way; what the system said is clearer.
        if let (Err(_), Some(what)) = (&written, failure.take()) {
            return Err(error(&self.named, what));
        }
        written.map_err(|e| match e.kind() {
            ErrorKind::Cancelled => e,
            kind => Error::new(kind, format!("{}: {e}", self.named.display())),
        })?;
        out.into_inner().map_err(|e| fail(e.into_error()))?;
        let file = temporary.as_file();
        file.sync_all().map_err(fail)?;
        let mut notes = Vec::new();
        if let Some(existing) = &self.existing {
            keep_owner(file, existing);
            file.set_permissions(existing.permissions()).map_err(fail)?;
            // Access lists come last: the mode is a part of them.
            if let Ok(old) = File::open(&self.real) {
                notes.extend(attributes::keep(&old, file));
            }
            if names(existing) > 1 {
                notes.push("it has other names (hard links), which keep the old file".into());
            }
            for note in &mut notes {
                *note = format!("{}: {note}", self.named.display());
            }
        }
        cancel.check()?;
        Ok(Written {
            target: self,
            temporary,
            notes,
        })
    }
}

/// A file that is complete and not in its place yet.
pub struct Written<'a> {
    target: &'a Target,
    temporary: NamedTempFile,
    notes: Vec<String>,
}

impl Written<'_> {
    /// Puts it there. Gives notes on what the user may miss.
    ///
    /// # Errors
    /// [`ErrorKind::Io`].
    pub fn place(self) -> Result<Vec<String>> {
        let target = self.target;
        self.temporary
            .persist(&target.real)
            .map_err(|e| error(&target.named, io_text(&e.error)))?;
        // The rename itself outlives a crash once the folder is on disk. Not every system can.
        if let Ok(folder) = File::open(&target.folder) {
            let _ = folder.sync_all();
        }
        Ok(self.notes)
    }
}

/// Puts files in their places that belong together. Where one cannot be, those are taken away again that
/// replaced nothing. Gives notes as [`Written::place`].
///
/// # Errors
/// [`ErrorKind::Io`].
pub fn place_all(files: Vec<Written<'_>>) -> Result<Vec<String>> {
    let (mut placed, mut notes) = (Vec::new(), Vec::new());
    for file in files {
        let target = file.target;
        match file.place() {
            Ok(own) => notes.extend(own),
            Err(e) => {
                let new = placed.iter().filter(|t: &&&Target| t.existing.is_none());
                new.for_each(|target| drop(fs::remove_file(&target.real)));
                return Err(e);
            }
        }
        placed.push(target);
    }
    Ok(notes)
}

/// A writer that remembers what the system said of a failure.
struct Witness<'a, W> {
    inner: W,
    failure: &'a RefCell<Option<String>>,
}

impl<W: Write> Write for Witness<'_, W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.inner.write(buf).inspect_err(|e| {
            if e.kind() != io::ErrorKind::Interrupted {
                self.failure.replace(Some(io_text(e)));
            }
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W: Seek> Seek for Witness<'_, W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

/// Gives the new file the old one's owner and group, as far as this user may.
#[cfg(unix)]
pub fn keep_owner(file: &File, existing: &Metadata) {
    use std::os::unix::fs::{MetadataExt, fchown};
    let (uid, gid) = (existing.uid(), existing.gid());
    if fchown(file, Some(uid), Some(gid)).is_err() {
        let _ = fchown(file, None, Some(gid));
    }
}

#[cfg(not(unix))]
pub fn keep_owner(_: &File, _: &Metadata) {}

/// How many names a file has.
#[cfg(unix)]
fn names(about: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(about)
}

#[cfg(not(unix))]
fn names(_: &Metadata) -> u64 {
    1
}

/// Where `path` leads: links are followed, also one to a file that is not there yet.
///
/// # Errors
/// [`ErrorKind::Io`] for links in a circle.
pub fn follow(path: &Path) -> Result<PathBuf> {
    let mut at = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        let Ok(link) = fs::read_link(&at) else {
            return Ok(at);
        };
        at = match at.parent() {
            Some(folder) => folder.join(link),
            None => link,
        };
    }
    Err(error(path, "its links lead in a circle"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_belong_together_come_all_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("2"), b"old").unwrap();
        let names = ["1", "2", "3"];
        let targets = names.map(|name| Target::new(&path(name)).unwrap());
        let written = || -> Vec<Written<'_>> {
            let one = |target| {
                Target::written(target, &Cancel::new(), |out| {
                    out.write_all(b"new").map_err(|e| error(Path::new("x"), e))
                })
            };
            targets.iter().map(|target| one(target).unwrap()).collect()
        };
        // Waiting, they are nowhere to be seen, and dropped, they are gone.
        drop(written());
        assert_eq!(fs::read(path("2")).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let files = written();
        // The last cannot take its place.
        fs::create_dir(path("3")).unwrap();
        fs::write(path("3/in"), b"").unwrap();
        assert_eq!(place_all(files).unwrap_err().kind(), ErrorKind::Io);
        assert!(!path("1").exists());
        fs::remove_dir_all(path("3")).unwrap();
        place_all(written()).unwrap();
        for name in names {
            assert_eq!(fs::read(path(name)).unwrap(), b"new");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    }
}
