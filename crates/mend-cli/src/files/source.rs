//! A file to be read: its limits, its errors, and reading that can be cancelled.
#![forbid(unsafe_code)]

use mend::{Cancel, Error, ErrorKind, Result};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// The longest side that the library takes.
const MAX_SIDE: u32 = 1 << 20;

/// An operating system's error in words for people.
pub fn io_text(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; change its permissions or use another place".into()
        }
        io::ErrorKind::StorageFull => "the disk is full; free some space".into(),
        io::ErrorKind::QuotaExceeded => "your disk quota is used up; free some space".into(),
        io::ErrorKind::FileTooLarge => "files this large are not allowed here".into(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".into(),
        io::ErrorKind::NotADirectory => "a part of its path is not a folder".into(),
        _ => error.to_string(),
    }
}

/// A file to be read.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// What it is called.
    pub path: &'a Path,
    /// Where its bytes lie, if not there: standard input's, in a file.
    pub at: Option<&'a Path>,
    /// Raised when the user wants to stop.
    pub cancel: &'a Cancel,
    /// The most bytes that decoded pixels may take.
    pub max_bytes: u64,
}

impl Source<'_> {
    /// An error about this file; `what` goes on after its name.
    pub fn error(&self, kind: ErrorKind, what: impl std::fmt::Display) -> Error {
        Error::new(kind, format!("{} {what}", self.path.display()))
    }

    /// The error of a file whose content contradicts itself.
    pub fn damaged(&self, why: impl std::fmt::Display) -> Error {
        self.error(
            ErrorKind::Image,
            format!("is damaged ({why}): get an intact copy or save it again from a program that opens it"),
        )
    }

    /// The error of a file that ends too early.
    pub fn truncated(&self) -> Error {
        self.error(
            ErrorKind::Image,
            "is truncated: it ends before the picture does; get a complete copy",
        )
    }

    /// The error of a picture that Mend does not take.
    pub fn unsupported(&self, what: impl std::fmt::Display) -> Error {
        self.error(ErrorKind::Unsupported, what)
    }

    /// What an error of reading means for this file.
    pub fn io(&self, error: &io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => return self.truncated(),
            // Offsets that no file can have.
            io::ErrorKind::InvalidInput => return self.damaged("it points outside of itself"),
            _ => {}
        }
        Error::new(
            ErrorKind::Io,
            format!("{} cannot be read: {}", self.path.display(), io_text(error)),
        )
    }

    /// Opens the file, refusing anything but a plain one.
    pub fn open(&self) -> Result<File> {
        // A pipe would block and a device has no size: look before opening.
        let path = self.at.unwrap_or(self.path);
        let about = std::fs::metadata(path).map_err(|e| self.io(&e))?;
        if about.is_dir() {
            return Err(self.error(ErrorKind::Io, "is a folder: give a picture file"));
        }
        if !about.is_file() {
            return Err(self.error(ErrorKind::Io, "is not a plain file: give a picture file"));
        }
        File::open(path).map_err(|e| self.io(&e))
    }

    /// The file's first bytes, up to 64.
    pub fn head(&self) -> Result<Vec<u8>> {
        let mut head = Vec::new();
        self.open()?
            .take(64)
            .read_to_end(&mut head)
            .map_err(|e| self.io(&e))?;
        Ok(head)
    }

    /// A buffered reader that ends with an error once the user cancels.
    pub fn reader(&self) -> Result<BufReader<Cancellable<File>>> {
        Ok(BufReader::with_capacity(
            1 << 18,
            Cancellable {
                inner: self.open()?,
                cancel: self.cancel.clone(),
            },
        ))
    }

    /// The whole file.
    ///
    /// # Errors
    /// Besides those of reading: [`ErrorKind::Image`] for one over `max_bytes`.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        let file = self.open()?;
        let len = file.metadata().map_err(|e| self.io(&e))?.len();
        if len > self.max_bytes {
            return Err(self.too_large(format!("the file has {} MiB", len >> 20), len));
        }
        let mut data = mend_infer::memory::with_capacity(len as usize, "the file")?;
        // A file that grows meanwhile must not get past the limit.
        Cancellable {
            inner: file,
            cancel: self.cancel.clone(),
        }
        .take(len)
        .read_to_end(&mut data)
        .map_err(|e| self.io(&e))?;
        Ok(data)
    }

    /// Checks a header's size before anything is allocated for it, and gives the bytes of its
    /// pixels.
    ///
    /// # Errors
    /// [`ErrorKind::Image`] for a picture without pixels, with too long a side, or over the limit.
    pub fn admit(&self, width: u32, height: u32, pixel_bytes: usize) -> Result<usize> {
        if width == 0 || height == 0 {
            return Err(self.error(
                ErrorKind::Image,
                format!("is {width}×{height}: it has no pixel"),
            ));
        }
        if width > MAX_SIDE || height > MAX_SIDE {
            return Err(self.error(
                ErrorKind::Image,
                format!("says it is {width}×{height}: no side may exceed {MAX_SIDE} pixels"),
            ));
        }
        let bytes = u64::from(width) * u64::from(height) * pixel_bytes as u64;
        if bytes > self.max_bytes {
            return Err(self.too_large(
                format!("says it is {width}×{height}, {} MiB decoded", bytes >> 20),
                bytes,
            ));
        }
        usize::try_from(bytes).map_err(|_| {
            self.error(
                ErrorKind::Image,
                format!("is {width}×{height}: too large for this machine's addresses"),
            )
        })
    }

    fn too_large(&self, what: String, bytes: u64) -> Error {
        self.error(
            ErrorKind::Image,
            format!(
                "{what}, and the limit is {} MiB: if it really is that large, use --max-memory {}M \
                 or more",
                self.max_bytes >> 20,
                (bytes >> 20).saturating_mul(2).max(1)
            ),
        )
    }
}

/// A reader or writer that fails once the user cancels, which stops any decoder or encoder.
#[derive(Debug)]
pub struct Cancellable<T> {
    pub inner: T,
    pub cancel: Cancel,
}

impl<T> Cancellable<T> {
    fn check(&self) -> io::Result<()> {
        // Not `Interrupted`: readers try again after that.
        if self.cancel.is_cancelled() {
            Err(io::Error::other("cancelled"))
        } else {
            Ok(())
        }
    }
}

impl<T: Read> Read for Cancellable<T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        self.inner.read(buf)
    }
}

impl<T: io::Write> io::Write for Cancellable<T> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.check()?;
        self.inner.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Seek> Seek for Cancellable<T> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}
