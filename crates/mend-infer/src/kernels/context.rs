//! What every kernel is called with: the path, the threads' tasks, and scratch memory that is reused.

use super::pages::Pages;
use super::{Path, Precision, simd};
use crate::error::{Error, ErrorKind, Result};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Sixteen floats on a cache line of their own.
#[repr(C, align(64))]
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
struct Line([f32; 16]);

/// A buffer of floats that starts on a cache line.
pub(super) struct Aligned(Pages<Line>);

impl Aligned {
    pub(super) fn new(len: usize, what: &str) -> Result<Self> {
        let lines = len.div_ceil(16);
        Ok(Self(Pages::new(lines, what)?))
    }

    pub(super) fn as_slice(&self) -> &[f32] {
        bytemuck::cast_slice(&self.0)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len() * 16
    }

    pub(super) fn as_mut(&mut self) -> &mut [f32] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}

/// A place to run kernels: which instruction set, and the scratch memory of its threads.
///
/// Work is shared among the threads of the rayon pool that the caller runs on, and stays on the
/// caller's thread when that belongs to no pool: a host's pool is never touched. No result depends
/// on how many threads there are.
pub struct Context {
    path: Path,
    precision: Precision,
    scratch: Mutex<Vec<Aligned>>,
}

impl Context {
    /// A context for `path`, or the best that this machine has where `path` is none of its own.
    pub fn new(path: Path) -> Self {
        let path = if Path::available().contains(&path) {
            path
        } else {
            Path::best()
        };
        Self {
            path,
            precision: Precision::Full,
            scratch: Mutex::new(Vec::new()),
        }
    }

    /// The instruction set in use.
    pub fn path(&self) -> Path {
        self.path
    }

    /// The same, packing new layers' weights for products in `precision`, where a layer does not name
    /// its own.
    pub fn packing(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// What new layers' weights are packed for.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Columns of a panel of packed weights, which are filled up to whole panels.
    pub fn width(&self) -> usize {
        super::tile::VECTORS * simd::lanes(self.path)
    }

    /// The threads that work is shared among.
    pub fn threads(&self) -> usize {
        match rayon::current_thread_index() {
            Some(_) => rayon::current_num_threads(),
            None => 1,
        }
    }

    /// Gives the scratch memory back to the system.
    pub fn trim(&self) {
        self.buffers().clear();
    }

    /// Bytes of scratch memory held.
    pub fn scratch_bytes(&self) -> usize {
        self.buffers().iter().map(|b| b.len() * 4).sum()
    }

    fn buffers(&self) -> std::sync::MutexGuard<'_, Vec<Aligned>> {
        // A buffer has no state that a panic could have left half done.
        self.scratch.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Runs `task(scratch, i)` for every `i < count`, on all threads; each call has `words` floats of
    /// scratch memory, with whatever earlier tasks left there.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`] when the scratch memory could not be had; some tasks may have run.
    pub(super) fn tasks(
        &self,
        count: usize,
        words: usize,
        task: impl Fn(&mut [f32], usize) + Sync,
    ) -> Result<()> {
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        let work = || {
            let mut own = match self.take(words) {
                Ok(own) => own,
                Err(_) => return failed.store(true, Ordering::Relaxed),
            };
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i >= count {
                    break;
                }
                task(&mut own.as_mut()[..words], i);
            }
            self.give(own);
        };
        let helpers = self.threads().min(count).saturating_sub(1);
        if helpers == 0 {
            work();
        } else {
            rayon::scope(|scope| {
                for _ in 0..helpers {
                    scope.spawn(|_| {
                        // Late to a finished party: leave without asking for memory.
                        if next.load(Ordering::Relaxed) < count {
                            work();
                        }
                    });
                }
                work();
            });
        }
        if failed.into_inner() && next.into_inner() < count {
            return Err(no_memory(words));
        }
        Ok(())
    }

    /// Runs `task(i, part)` for each part of `len` values that `out` is cut into (the last may be
    /// shorter), on all threads: what moves values about and computes little.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub fn parts(
        &self,
        out: &mut [f32],
        len: usize,
        task: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Result<()> {
        let (total, len) = (out.len(), len.max(1));
        let out = Shared::new(out);
        self.tasks(total.div_ceil(len), 0, |_, i| {
            let start = i * len;
            // SAFETY: inside the buffer, and each task has its own part of it.
            let part =
                unsafe { std::slice::from_raw_parts_mut(out.at(start), len.min(total - start)) };
            task(i, part)
        })
    }

    /// Puts a buffer back for others to use.
    pub(super) fn give(&self, own: Aligned) {
        self.buffers().push(own);
    }

    /// The largest free buffer, grown where it is too small.
    pub(super) fn take(&self, words: usize) -> Result<Aligned> {
        let mut free = self.buffers();
        let largest = (0..free.len()).max_by_key(|&i| free[i].len());
        let own = largest.map(|i| free.swap_remove(i));
        drop(free);
        match own {
            Some(own) if own.len() >= words => Ok(own),
            too_small => {
                drop(too_small);
                Aligned::new(words, "a kernel's scratch memory").map_err(|_| no_memory(words))
            }
        }
    }
}

fn no_memory(words: usize) -> Error {
    Error::new(
        ErrorKind::Memory,
        format!(
            "out of memory: {} KiB of scratch memory could not be had; close other programs or \
             lower 'max-memory'",
            words / 256
        ),
    )
}

/// A buffer that several tasks write, each its own part.
#[derive(Clone, Copy)]
pub(super) struct Shared<T>(*mut T, usize);

// SAFETY: the parts are told apart by whoever calls `at`.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(super) fn new(data: &mut [T]) -> Self {
        Self(data.as_mut_ptr(), data.len())
    }

    /// Where element `i` stands; `i` may be the length.
    pub(super) fn at(&self, i: usize) -> *mut T {
        assert!(i <= self.1, "outside the buffer");
        self.0.wrapping_add(i)
    }
}
