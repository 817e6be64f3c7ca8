//! SHA-256 of files.
#![forbid(unsafe_code)]

use super::io_error;
use crate::error::{Error, ErrorKind, Result};
use crate::memory;
use crate::progress::Cancel;
use sha2::Digest;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// A SHA-256 in the making.
#[derive(Clone, Debug, Default)]
pub struct Sha256(sha2::Sha256);

impl Sha256 {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes more bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest: 64 lower-case hexadecimal digits.
    pub fn finish(self) -> String {
        let digest = self.0.finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Whether a text is a SHA-256 as Mend writes it.
pub(super) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Takes the first `most` bytes of a file into `hash`, or all there are; gives their number.
/// `progress` is told of each piece's length.
///
/// # Errors
/// [`ErrorKind::Io`], [`ErrorKind::Cancelled`], [`ErrorKind::Memory`].
pub fn hash_file(
    path: &Path,
    most: u64,
    hash: &mut Sha256,
    progress: &mut dyn FnMut(u64),
    cancel: &Cancel,
) -> Result<u64> {
    let fail = |e: &io::Error| io_error(path, "read", e);
    let mut file = File::open(path).map_err(|e| fail(&e))?.take(most);
    let mut buffer = memory::filled(1 << 18, 0u8, "checking a file")?;
    let mut done = 0;
    loop {
        if cancel.is_cancelled() {
            return Err(Error::new(
                ErrorKind::Cancelled,
                format!("cancelled while {} was checked", path.display()),
            ));
        }
        match file.read(&mut buffer) {
            Ok(0) => return Ok(done),
            Ok(n) => {
                hash.update(&buffer[..n]);
                done += n as u64;
                progress(n as u64);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(fail(&e)),
        }
    }
}
