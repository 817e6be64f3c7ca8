//! The inpainter's own threads, on which all parallel work is done. Floor 0.
#![forbid(unsafe_code)]

use crate::error::{Error, ErrorKind, Result};
use parking_lot::Mutex;
use std::fmt::Display;
use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A thread pool whose drop waits until every thread has ended: a host that closes the library
/// afterwards must not take the code away under a thread that still runs.
///
/// Whoever waits for its work waits and does nothing else. That matters on a thread of another pool,
/// such as that of a Rust host that fills many pictures with `par_iter`: rayon would have it take up
/// the host's next fill while it waits for this one, and that the next, until its stack is full.
pub struct Workers {
    // Dropped first, which tells the threads to end.
    pool: rayon::ThreadPool,
    _threads: Threads,
}

impl Workers {
    /// Starts `count` threads; 0: as many as there are processors.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`] when the system gives no more.
    pub fn new(count: usize) -> Result<Self> {
        let mut threads = Threads(Vec::new());
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .spawn_handler(|worker| {
                let named = thread::Builder::new().name(format!("mend-{}", worker.index()));
                threads.0.push(named.spawn(|| worker.run())?);
                Ok(())
            })
            .build()
            .map_err(|e| no_threads(count, &e))?;
        Ok(Self {
            pool,
            _threads: threads,
        })
    }

    /// Does `work` on the threads and waits for it.
    pub fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        if rayon::current_thread_index().is_none() || self.pool.current_thread_index().is_some() {
            return self.pool.install(work);
        }
        // On a thread of another pool: one that has nothing else to do waits in its place.
        let work = Mutex::new(Some(work));
        let take = || work.lock().take();
        let made = thread::scope(|scope| {
            let waiting = waiter().spawn_scoped(scope, || take().map(|w| self.pool.install(w)));
            waiting.ok().and_then(joined)
        });
        match (made, take()) {
            (Some(made), _) => made,
            // The system gives no thread more: then it is better to wait badly than not to work.
            (None, Some(work)) => self.pool.install(work),
            (None, None) => unreachable!("work that was taken is done or has panicked"),
        }
    }

    /// Does `work` on the threads, and meanwhile calls `look` on this one after each `pause`.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`] when the system gives no thread to wait with.
    pub fn watched<T: Send>(
        &self,
        pause: Duration,
        work: impl FnOnce() -> T + Send,
        mut look: impl FnMut(),
    ) -> Result<T> {
        let (send, receive) = channel::<()>();
        thread::scope(|scope| {
            let worker = waiter()
                .spawn_scoped(scope, move || {
                    // Let go at the end, however that comes.
                    let _done = send;
                    self.pool.install(work)
                })
                .map_err(|e| no_threads(1, &e))?;
            while receive.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                look();
            }
            Ok(joined(worker))
        })
    }
}

fn waiter() -> thread::Builder {
    thread::Builder::new().name("mend-wait".into())
}

/// What the thread made; a panic there goes on here.
fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    match thread.join() {
        Ok(made) => made,
        Err(panic) => resume_unwind(panic),
    }
}

fn no_threads(count: usize, why: &dyn Display) -> Error {
    Error::new(
        ErrorKind::Memory,
        format!("{count} threads could not be started: {why}; set 'threads' lower"),
    )
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
    use std::cell::{Cell, RefCell};
    use std::sync::Arc;

    #[test]
    fn no_thread_outlives_its_pool() {
        thread_local! { static HELD: RefCell<Option<Arc<()>>> = const { RefCell::new(None) } }
        let token = Arc::new(());
        for _ in 0..20 {
            let workers = Workers::new(5).unwrap();
            workers.pool.broadcast(|_| HELD.set(Some(token.clone())));
            assert_eq!(Arc::strong_count(&token), 6);
            drop(workers);
            // A thread lets go of what it holds when it ends.
            assert_eq!(Arc::strong_count(&token), 1);
        }
    }

    /// rayon's own `install` nests here: 300 deep or more.
    #[test]
    fn a_thread_of_another_pool_takes_up_nothing_while_it_waits() {
        use rayon::prelude::*;
        thread_local! { static DEPTH: Cell<u32> = const { Cell::new(0) } }
        let workers = Workers::new(2).unwrap();
        let host = rayon::ThreadPoolBuilder::new().num_threads(2).build();
        let deepest = host.unwrap().install(|| {
            let jobs = (0..400).into_par_iter().with_max_len(1);
            jobs.map(|i| {
                DEPTH.set(DEPTH.get() + 1);
                let depth = DEPTH.get();
                let twice = || workers.install(|| 2 * i);
                assert_eq!(twice(), 2 * i);
                let pause = Duration::from_micros(1);
                assert_eq!(workers.watched(pause, || 3 * i, || ()).unwrap(), 3 * i);
                DEPTH.set(DEPTH.get() - 1);
                depth
            })
            .max()
        });
        assert_eq!(deepest, Some(1));
    }

    #[test]
    fn a_panic_on_the_threads_goes_on_where_it_was_waited_for() {
        let workers = Workers::new(1).unwrap();
        for _ in 0..2 {
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                workers.watched(Duration::from_millis(1), || panic!("here"), || ())
            }));
            assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"here"));
        }
        assert_eq!(workers.install(|| 7), 7);
    }
}
