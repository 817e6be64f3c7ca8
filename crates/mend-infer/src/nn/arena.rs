//! Memory for activations: what one layer drops, the next takes.
#![forbid(unsafe_code)]

use super::defect;
use crate::error::Result;
use crate::kernels::zeroed;
use candle_core::{CpuStorage, Device, Storage, Tensor};
use parking_lot::{Mutex, MutexGuard};
use std::ops::Deref;
use std::sync::Arc;

/// Floats that an allocation is longer than asked for, so that its data can start on a cache line.
const LINE: usize = 16;

/// Bytes that may lie free however little is in use: below, giving back costs more than it saves.
const SMALL: usize = 16 << 20;

/// Buffers for activations, reused from layer to layer and from pass to pass.
///
/// Cheap to clone; clones share the buffers. Usable from several threads, though then each must
/// expect the others' activations in the numbers.
#[derive(Clone, Default)]
pub struct Arena(Arc<Inner>);

#[derive(Default)]
struct Inner {
    counting: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Flat tensors that nobody uses, and their bytes.
    free: Vec<(Tensor, usize)>,
    live: usize,
    peak: usize,
    /// Of `free`, together.
    idle: usize,
    most_held: usize,
    /// What a counting arena's tensors show.
    nothing: Option<Tensor>,
}

impl Arena {
    /// An empty arena.
    pub fn new() -> Self {
        Self::default()
    }

    /// An arena that holds nothing and only counts; see [`super::Run`].
    pub fn counting() -> Self {
        Self(Arc::new(Inner {
            counting: true,
            ..Inner::default()
        }))
    }

    /// Whether this is [`Self::counting`].
    pub fn is_counting(&self) -> bool {
        self.0.counting
    }

    /// Bytes of activations in use.
    pub fn live(&self) -> usize {
        self.state().live
    }

    /// The most bytes that were in use at a time since [`Self::reset_peak`].
    pub fn peak(&self) -> usize {
        self.state().peak
    }

    /// Bytes held: in use, and kept for the next layers.
    pub fn held(&self) -> usize {
        let state = self.state();
        state.live + state.idle
    }

    /// The most bytes that were held at a time since [`Self::reset_peak`]: what the process needed.
    pub fn most_held(&self) -> usize {
        self.state().most_held
    }

    /// Starts [`Self::peak`] and [`Self::most_held`] anew from what there is now.
    pub fn reset_peak(&self) {
        let mut state = self.state();
        state.peak = state.live;
        state.most_held = state.live + state.idle;
    }

    /// Gives the buffers that are not in use back to the system.
    pub fn trim(&self) {
        let mut state = self.state();
        state.free.clear();
        state.idle = 0;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Numbers and free buffers: a panic leaves nothing half done that matters.
        self.0.state.lock()
    }

    /// An activation of `shape`, with whatever was there before.
    pub(super) fn take(&self, shape: &[usize]) -> Result<Act> {
        let count = shape
            .iter()
            .try_fold(1usize, |n, side| n.checked_mul(*side))
            .filter(|n| {
                n.checked_mul(4)
                    .is_some_and(|b| b < isize::MAX as usize / 2)
            });
        // What no machine has is refused by the allocation.
        let count = count.unwrap_or(isize::MAX as usize / 16);
        let bytes = (count + LINE) * 4;
        if self.0.counting {
            return self.take_counting(shape, bytes);
        }
        let reused = self.state().reuse(bytes);
        let (flat, bytes) = match reused {
            Some(found) => found,
            None => {
                self.state().make_room(bytes);
                let data: Vec<f32> = zeroed(count + LINE, "a network's activations")?;
                let flat = Tensor::from_vec(data, count + LINE, &Device::Cpu).map_err(defect)?;
                (flat, bytes)
            }
        };
        let view = flat
            .narrow(0, aligned_start(&flat), count)
            .and_then(|t| t.reshape(shape))
            .map_err(defect)?;
        Ok(self.act(view, Some(flat), bytes))
    }

    fn take_counting(&self, shape: &[usize], bytes: usize) -> Result<Act> {
        let mut state = self.state();
        if state.nothing.is_none() {
            state.nothing = Some(Tensor::new(0f32, &Device::Cpu).map_err(defect)?);
        }
        let view = match &state.nothing {
            Some(nothing) => nothing.broadcast_as(shape).map_err(defect)?,
            None => Tensor::new(0f32, &Device::Cpu).map_err(defect)?,
        };
        drop(state);
        Ok(self.act(view, None, bytes))
    }

    fn act(&self, view: Tensor, flat: Option<Tensor>, bytes: usize) -> Act {
        let mut state = self.state();
        state.live += bytes;
        state.peak = state.peak.max(state.live);
        state.most_held = state.most_held.max(state.live + state.idle);
        drop(state);
        Act {
            view: Some(view),
            flat,
            bytes,
            arena: self.clone(),
        }
    }
}

impl State {
    /// The smallest free buffer that is large enough and not by more than a quarter too large.
    fn reuse(&mut self, bytes: usize) -> Option<(Tensor, usize)> {
        let fits = |b: usize| b >= bytes && b <= bytes + bytes / 4;
        let best = (0..self.free.len())
            .filter(|i| fits(self.free[*i].1))
            .min_by_key(|i| self.free[*i].1)?;
        let found = self.free.swap_remove(best);
        self.idle -= found.1;
        Some(found)
    }

    /// Lets free buffers go, the largest first, until with `bytes` more no more is held than was in
    /// use at the peak: then free buffers never make the process larger.
    fn make_room(&mut self, bytes: usize) {
        let most = self.peak.max(self.live + bytes).max(SMALL);
        while self.live + self.idle + bytes > most {
            let Some(largest) = (0..self.free.len()).max_by_key(|i| self.free[*i].1) else {
                return;
            };
            self.idle -= self.free.swap_remove(largest).1;
        }
    }
}

/// The first float of a flat tensor that stands at the beginning of a cache line.
fn aligned_start(flat: &Tensor) -> usize {
    let (storage, _) = flat.storage_and_layout();
    match &*storage {
        Storage::Cpu(CpuStorage::F32(v)) => {
            let into = v.as_ptr() as usize % (LINE * 4) / 4;
            (LINE - into) % LINE
        }
        _ => 0,
    }
}

/// An activation: a tensor whose memory goes back to its [`Arena`] when this is dropped.
///
/// A clone of the tensor must not outlive it, since its values would become another layer's: use
/// [`Act::into_tensor`] for what stays.
pub struct Act {
    /// Some until it is dropped.
    view: Option<Tensor>,
    /// None in a counting arena.
    flat: Option<Tensor>,
    bytes: usize,
    arena: Arena,
}

impl Act {
    /// The tensor, which keeps its memory from now on.
    pub fn into_tensor(mut self) -> Tensor {
        self.flat = None;
        // `view` is there until `drop`; a copy of a handle, not of data.
        Tensor::clone(&self)
    }

    /// The same values in another shape.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Internal`] when the shape has another number of values.
    pub fn reshaped(mut self, shape: &[usize]) -> Result<Self> {
        let view = if self.arena.is_counting() {
            let one = self.flatten_all().and_then(|t| t.narrow(0, 0, 1));
            let one = one.and_then(|t| t.reshape(()));
            one.and_then(|t| t.broadcast_as(shape))
        } else {
            self.reshape(shape)
        };
        self.view = Some(view.map_err(defect)?);
        Ok(self)
    }
}

impl Deref for Act {
    type Target = Tensor;

    fn deref(&self) -> &Tensor {
        match &self.view {
            Some(view) => view,
            None => unreachable!("an activation has its tensor until it is dropped"),
        }
    }
}

impl Drop for Act {
    fn drop(&mut self) {
        self.view = None;
        let mut state = self.arena.state();
        state.live -= self.bytes;
        if let Some(flat) = self.flat.take() {
            state.idle += self.bytes;
            state.free.push((flat, self.bytes));
        }
    }
}
