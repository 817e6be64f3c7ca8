//! `--max-memory`: what the whole command may hold at once.
#![forbid(unsafe_code)]

use mend::{Error, ErrorKind, Result};

/// Bytes that go to buffers of files, threads' stacks and the allocator, which nobody counts.
const SLACK: u64 = 12 << 20;
/// Decoded bytes of one picture where the user names no other limit.
const PICTURE: u64 = 1 << 31;

/// A bound on the command's memory.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    limit: Option<u64>,
}

impl Budget {
    /// A budget of `limit` bytes, or none.
    pub fn new(limit: Option<u64>) -> Self {
        Self { limit }
    }

    /// The most bytes that one decoded picture may take.
    pub fn picture(&self) -> u64 {
        self.limit.unwrap_or(PICTURE)
    }

    /// The most bytes that one more decoded picture may take now.
    pub fn another(&self) -> u64 {
        self.left().unwrap_or(PICTURE)
    }

    /// What is left of it now; `None`: no bound.
    pub fn left(&self) -> Option<u64> {
        Some(self.limit?.saturating_sub(resident().unwrap_or(0) + SLACK))
    }

    /// A library's refusal for want of memory, with what the user knows: the bound of the whole
    /// command.
    pub fn explain(&self, error: Error) -> Error {
        match (error.kind(), self.limit) {
            (ErrorKind::Budget, Some(limit)) => Error::new(
                ErrorKind::Budget,
                format!(
                    "--max-memory {}M is for the whole command, and the picture takes its part: \
                     {error}",
                    mib(limit)
                ),
            ),
            _ => error,
        }
    }

    /// Checks that `bytes` more fit.
    ///
    /// # Errors
    /// [`ErrorKind::Budget`] naming `what` needs them.
    pub fn need(&self, bytes: u64, what: impl std::fmt::Display) -> Result<()> {
        match (self.limit, self.left()) {
            (Some(limit), Some(left)) if bytes > left => Err(Error::new(
                ErrorKind::Budget,
                format!(
                    "{what} needs {} MiB, and of --max-memory {} MiB only {} are left: raise it to \
                     {}M or more, or use a smaller picture",
                    mib(bytes),
                    mib(limit),
                    left >> 20,
                    mib(limit - left + bytes)
                ),
            )),
            _ => Ok(()),
        }
    }
}

/// Bytes in MiB, rounded up.
pub fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

/// Bytes of memory that this process holds now, where the system tells.
pub fn resident() -> Option<u64> {
    status("VmRSS:")
}

/// The most bytes of memory that this process ever held, where the system tells.
pub fn peak() -> Option<u64> {
    status("VmHWM:")
}

fn status(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix(field))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}
