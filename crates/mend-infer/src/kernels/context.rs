//! What every kernel is called with: the path, the threads' tasks, and scratch memory that is reused.

use super::pages::Pages;
use super::shared::Shared;
use super::simd::{Kernel, Portable, Token};
use super::{Algorithm, Path, Precision};
use crate::error::{Error, ErrorKind, Result};
use parking_lot::{Mutex, MutexGuard};
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
    token: Token,
    algorithm: Option<Algorithm>,
    precision: Precision,
    scratch: Mutex<Vec<Aligned>>,
}

impl Context {
    /// A context for `path`, or the best that this machine has where `path` is none of its own.
    pub fn new(path: Path) -> Self {
        let token = Token::of(path).or_else(|| Token::of(Path::best()));
        Self {
            token: token.unwrap_or(Token::Portable(Portable)),
            algorithm: None,
            precision: Precision::Full,
            scratch: Mutex::new(Vec::new()),
        }
    }

    /// The instruction set in use.
    pub fn path(&self) -> Path {
        self.token.path()
    }

    /// Runs `kernel` on the instruction set in use.
    pub(super) fn run<K: Kernel>(&self, kernel: K) -> K::Out {
        self.token.run(kernel)
    }

    /// The same, packing new layers' weights for products in `precision`, where a layer does not name
    /// its own.
    pub fn packing(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// The same, computing every convolution by `algorithm` where it can be used, for comparisons; `None`
    /// leaves the choice to each.
    pub fn by(mut self, algorithm: Option<Algorithm>) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// What convolutions are computed by where they can be.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// What new layers' weights are packed for.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The instruction set in use, with the proof that it is there.
    pub(super) fn token(&self) -> Token {
        self.token
    }

    /// The rows of the tallest tile of a product in full precision.
    pub(super) fn tallest(&self) -> usize {
        self.token.tallest()
    }

    /// Columns of a panel of packed weights, which are filled up to whole panels.
    pub fn width(&self) -> usize {
        super::tile::VECTORS * self.token.lanes()
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

    fn buffers(&self) -> MutexGuard<'_, Vec<Aligned>> {
        // A buffer has no state that a panic could have left half done.
        self.scratch.lock()
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
        self.share(count, words, &task)
    }

    /// [`Self::tasks`], compiled once for all kernels.
    fn share(
        &self,
        count: usize,
        words: usize,
        task: &(dyn Fn(&mut [f32], usize) + Sync),
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
    pub fn parts<T: Send>(
        &self,
        out: &mut [T],
        len: usize,
        task: impl Fn(usize, &mut [T]) + Sync,
    ) -> Result<()> {
        let all = out.len();
        self.parts_of_each(out, all, len, |_, start, part| {
            task(start / len.max(1), part)
        })
    }

    /// As [`Self::parts`], with `out` cut into pieces of `whole` values first: `task(piece, start, part)`
    /// has the part that starts at `start` of a piece, and none reaches into the next piece.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub(super) fn parts_of_each<T: Send>(
        &self,
        out: &mut [T],
        whole: usize,
        len: usize,
        task: impl Fn(usize, usize, &mut [T]) + Sync,
    ) -> Result<()> {
        let (total, whole, len) = (out.len(), whole.max(1), len.max(1));
        let (pieces, parts) = (total.div_ceil(whole), whole.div_ceil(len));
        let out = Shared::new(out);
        self.tasks(pieces * parts, 0, |_, i| {
            let (piece, start) = (i / parts, i % parts * len);
            let end = (start + len).min(whole).min(total - piece * whole);
            if start < end {
                // SAFETY: the parts do not overlap, and each has one task.
                let part = unsafe { out.part(piece * whole + start, end - start) };
                task(piece, start, part);
            }
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
