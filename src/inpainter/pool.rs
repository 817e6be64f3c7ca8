//! The inpainter's own threads, in the process that started them.
#![forbid(unsafe_code)]

use crate::error::{Error, ErrorKind, Result};
use crate::workers::Workers;
use std::process;

/// Threads do not survive a fork. In a child process the pool refuses work, and its drop waits for
/// nobody.
pub(crate) struct Pool {
    /// `None` only while it is dropped.
    workers: Option<Workers>,
    process: u32,
}

impl Pool {
    /// Starts `count` threads.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`] when the system gives no more.
    pub(crate) fn new(count: usize) -> Result<Self> {
        Ok(Self {
            workers: Some(Workers::new(count)?),
            process: process::id(),
        })
    }

    /// The threads, to work on.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] in another process than the one that started them.
    pub(crate) fn threads(&self) -> Result<&Workers> {
        match &self.workers {
            Some(workers) if self.process == process::id() => Ok(workers),
            _ => Err(Error::new(
                ErrorKind::Unsupported,
                "this inpainter has worked in another process, and its threads stayed there when \
                 that forked: make a new inpainter in this one",
            )),
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if self.process != process::id() {
            // Left alone: a lock in there may have been held by a thread that does not exist here.
            std::mem::forget(self.workers.take());
        }
    }
}
