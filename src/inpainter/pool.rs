//! The inpainter's own threads, which end with it.
#![forbid(unsafe_code)]

use crate::error::{Error, ErrorKind, Result};
use std::process;
use std::thread::{self, JoinHandle};

/// A thread pool whose drop waits until every thread has ended: a host that closes the library
/// afterwards must not take the code away under a thread that still runs.
///
/// Threads do not survive a fork. In a child process the pool refuses work, and its drop waits for
/// nobody.
pub(super) struct Pool {
    /// `None` only while it is dropped.
    parts: Option<Parts>,
    process: u32,
}

struct Parts {
    // Dropped first, which tells the threads to end.
    pool: rayon::ThreadPool,
    _threads: Threads,
}

impl Pool {
    /// Starts `count` threads.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`] when the system gives no more.
    pub(super) fn new(count: usize) -> Result<Self> {
        let mut threads = Threads(Vec::new());
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .spawn_handler(|worker| {
                let named = thread::Builder::new().name(format!("mend-{}", worker.index()));
                threads.0.push(named.spawn(|| worker.run())?);
                Ok(())
            })
            .build()
            .map_err(|e| {
                Error::new(
                    ErrorKind::Memory,
                    format!("{count} threads could not be started: {e}; set 'threads' lower"),
                )
            })?;
        Ok(Self {
            parts: Some(Parts {
                pool,
                _threads: threads,
            }),
            process: process::id(),
        })
    }

    /// The threads, to work on.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] in another process than the one that started them.
    pub(super) fn threads(&self) -> Result<&rayon::ThreadPool> {
        match &self.parts {
            Some(parts) if self.process == process::id() => Ok(&parts.pool),
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
            std::mem::forget(self.parts.take());
        }
    }
}

/// Threads that were told to end; its drop waits for them.
struct Threads(Vec<JoinHandle<()>>);

impl Drop for Threads {
    fn drop(&mut self) {
        let own = thread::current().id();
        for thread in self.0.drain(..).filter(|t| t.thread().id() != own) {
            // A panic there was already told to whoever waited for the work.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::sync::Arc;

    #[test]
    fn no_thread_outlives_its_pool() {
        thread_local! { static HELD: RefCell<Option<Arc<()>>> = const { RefCell::new(None) } }
        let token = Arc::new(());
        for _ in 0..20 {
            let pool = Pool::new(5).unwrap();
            pool.threads()
                .unwrap()
                .broadcast(|_| HELD.set(Some(token.clone())));
            assert_eq!(Arc::strong_count(&token), 6);
            drop(pool);
            // A thread lets go of what it holds when it ends.
            assert_eq!(Arc::strong_count(&token), 1);
        }
    }
}
