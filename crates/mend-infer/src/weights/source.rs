//! Where a model's bytes are: a file, read by position, or memory.
#![forbid(unsafe_code)]

use super::damaged;
use crate::error::{Error, ErrorKind, Result};
use std::borrow::Cow;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;
#[cfg(target_os = "linux")]
use std::{num::NonZeroU64, sync::atomic::Ordering};

/// A model file's bytes.
#[derive(Debug)]
pub(super) struct Source {
    /// As messages name it.
    name: String,
    /// As it was when opened.
    len: u64,
    modified: Option<SystemTime>,
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    File(File),
    Memory(Cow<'static, [u8]>),
}

impl Source {
    /// Opens a regular file.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        // Asked before opening too: opening a pipe waits until somebody writes to it.
        regular(&name, &fs::metadata(path).map_err(|e| cannot(&name, &e))?)?;
        let file = File::open(path).map_err(|e| cannot(&name, &e))?;
        let about = file.metadata().map_err(|e| cannot(&name, &e))?;
        regular(&name, &about)?;
        Ok(Self {
            name,
            len: about.len(),
            modified: about.modified().ok(),
            bytes: Bytes::File(file),
        })
    }

    /// Bytes in memory that are called `name`.
    pub fn bytes(name: &str, bytes: Cow<'static, [u8]>) -> Self {
        Self {
            name: name.to_owned(),
            len: bytes.len() as u64,
            modified: None,
            bytes: Bytes::Memory(bytes),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    /// Fills `into` with what lies at `offset`.
    pub fn read(&self, offset: u64, into: &mut [u8]) -> Result<()> {
        let read = match &self.bytes {
            Bytes::File(file) => read_exact_at(file, offset, into),
            Bytes::Memory(bytes) => usize::try_from(offset)
                .ok()
                .and_then(|from| bytes.get(from..from.checked_add(into.len())?))
                .map(|from| into.copy_from_slice(from))
                .ok_or_else(|| io::ErrorKind::UnexpectedEof.into()),
        };
        read.map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => damaged(
                &self.name,
                format!(
                    "the file had {} bytes when it was opened and is shorter now; leave it alone \
                     while it is in use, and try again",
                    self.len
                ),
            ),
            _ => cannot(&self.name, &e),
        })
    }

    /// See [`super::Weights::read_ahead`].
    #[cfg(target_os = "linux")]
    pub fn read_ahead(&self, stop: &AtomicBool) {
        use rustix::fs::{Advice, fadvise};
        /// Linux reads no more than some megabytes for one call, and returns when they are asked for.
        const PART: NonZeroU64 = NonZeroU64::new(2 << 20).unwrap();
        let Bytes::File(file) = &self.bytes else {
            return;
        };
        for at in (0..self.len).step_by(PART.get() as usize) {
            // A hint: where it fails, there is nothing to gain.
            if stop.load(Ordering::Relaxed)
                || fadvise(file, at, Some(PART), Advice::WillNeed).is_err()
            {
                return;
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub fn read_ahead(&self, _stop: &AtomicBool) {}

    /// Checks that nobody has written to the file since it was opened. Another file in its place is
    /// none of this one's business.
    pub fn check_unchanged(&self) -> Result<()> {
        let Bytes::File(file) = &self.bytes else {
            return Ok(());
        };
        let about = file.metadata().map_err(|e| cannot(&self.name, &e))?;
        if (about.len(), about.modified().ok()) == (self.len, self.modified) {
            return Ok(());
        }
        Err(damaged(
            &self.name,
            "the file was written to while it was in use; leave it alone, and try again",
        ))
    }
}

fn regular(name: &str, about: &fs::Metadata) -> Result<()> {
    if about.is_file() {
        return Ok(());
    }
    let what = if about.is_dir() {
        "folder"
    } else {
        "device or a pipe"
    };
    Err(damaged(
        name,
        format!("this is a {what}; a model is a .safetensors file or a .safetensors.index.json"),
    ))
}

fn cannot(name: &str, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => damaged(
            name,
            "there is no such file; download it or correct the path",
        ),
        _ => Error::new(
            ErrorKind::Io,
            format!("{name}: the model file cannot be read: {error}"),
        ),
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, offset: u64, into: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, into, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut offset: u64, mut into: &mut [u8]) -> io::Result<()> {
    while !into.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, into, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                into = &mut into[n..];
                offset += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
