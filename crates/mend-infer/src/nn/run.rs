//! What a forward pass is called with, and how layers reach their tensors' memory.
#![forbid(unsafe_code)]

use super::{Act, Arena, defect};
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::{self, Context, Conv2d};
use candle_core::{CpuStorage, InplaceOp1, Layout, Storage, StorageRef, Tensor};
use std::cell::{Cell, RefCell};
use std::ops::{Deref, Range};

/// What a forward pass is called with.
///
/// On [`Arena::counting`] a pass computes nothing: it counts [`Run::flops`] and the arena's peak.
pub struct Run<'a> {
    cx: &'a Context,
    arena: Arena,
    slice: usize,
    band: usize,
    check: &'a dyn Fn() -> Result<()>,
    flops: Cell<u64>,
}

impl<'a> Run<'a> {
    /// Bytes of a band where nothing else is asked for. Lower ones are so few tiles that threads wait
    /// for each other.
    pub const BAND: usize = 8 << 20;

    /// A pass with `cx`'s kernels and `arena`'s memory.
    pub fn new(cx: &'a Context, arena: &Arena) -> Self {
        Self {
            cx,
            arena: arena.clone(),
            slice: kernels::Attention::SLICE,
            band: Self::BAND,
            check: &|| Ok(()),
            flops: Cell::new(0),
        }
    }

    /// Queries of a head that attention works on together, at least 1; the result does not depend on
    /// it.
    pub fn attention_slice(mut self, slice: usize) -> Self {
        self.slice = slice.max(1);
        self
    }

    /// Bytes of a band of rows where a picture is worked on in bands, see [`super::Bands`]; the result
    /// does not depend on it. A band has four rows at least.
    pub fn band(mut self, bytes: usize) -> Self {
        self.band = bytes;
        self
    }

    /// A function that is called before each layer, on the thread of the pass, and whose error ends
    /// the pass: for cancelling and progress inside a step.
    pub fn check(mut self, check: &'a dyn Fn() -> Result<()>) -> Self {
        self.check = check;
        self
    }

    /// The kernels' context.
    pub fn cx(&self) -> &'a Context {
        self.cx
    }

    /// Where activations live.
    pub fn arena(&self) -> &Arena {
        &self.arena
    }

    /// Floating-point operations so far: two for a multiplication with its addition in convolutions,
    /// products and attention, none for anything else. Winograd's savings are not counted.
    pub fn flops(&self) -> u64 {
        self.flops.get()
    }

    pub(super) fn slice(&self) -> usize {
        self.slice
    }

    /// Rows of a band of pictures of `width` and `channels`. A convolution's tiles fit into it as into
    /// the whole picture, and half the channels or half the width give a band of as many bytes.
    pub(super) fn rows(&self, width: usize, channels: usize) -> usize {
        let tiles = self.band / (4 * width * channels * Conv2d::GRID).max(1);
        Conv2d::GRID << tiles.max(1).ilog2()
    }

    /// The error that ends the pass, where it is to end.
    ///
    /// # Errors
    /// What the function given to [`Self::check`] returned.
    pub fn checked(&self) -> Result<()> {
        (self.check)()
    }

    /// Counts a layer's operations.
    pub fn count(&self, flops: u64) {
        self.flops.set(self.flops.get().saturating_add(flops));
    }

    /// An activation of `shape`, all of which `fill` writes: its values are undefined before. In a
    /// counting pass `fill` is not called.
    ///
    /// `fill` reads other tensors by [`values`], which would block for ever on the one that is being
    /// written.
    ///
    /// # Errors
    /// What the check or `fill` returned; [`ErrorKind::Memory`].
    pub fn write(
        &self,
        shape: &[usize],
        fill: impl FnOnce(&mut [f32]) -> Result<()>,
    ) -> Result<Act> {
        self.checked()?;
        let act = self.arena.take(shape)?;
        if !self.arena.is_counting() {
            self.rewrite(&act, fill)?;
        }
        Ok(act)
    }

    /// Changes an activation in place; see [`Self::write`].
    ///
    /// # Errors
    /// What `fill` returned.
    pub fn rewrite(&self, act: &Act, fill: impl FnOnce(&mut [f32]) -> Result<()>) -> Result<()> {
        let mut fill = Some(fill);
        let mut result = Ok(());
        let mut once = |data: &mut [f32]| {
            if let Some(fill) = fill.take() {
                result = fill(data);
            }
        };
        let done = act.inplace_op1(&Write(RefCell::new(&mut once)));
        result?;
        done.map_err(defect)
    }
}

/// The custom op that all layers are: candle hands out the memory, a kernel fills it. It is one type for all of
/// them, because candle's side is compiled for each type of op.
struct Write<'a>(RefCell<Fill<'a>>);

/// What is done to an activation's values.
type Fill<'a> = &'a mut dyn FnMut(&mut [f32]);

impl InplaceOp1 for Write<'_> {
    fn name(&self) -> &'static str {
        "mend"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let CpuStorage::F32(data) = storage else {
            candle_core::bail!("an activation that is not f32");
        };
        let Some((from, to)) = layout.contiguous_offsets() else {
            candle_core::bail!("an activation that is not contiguous");
        };
        (self.0.borrow_mut())(&mut data[from..to]);
        Ok(())
    }
}

/// A tensor's values, readable as long as this lives.
pub struct Values<'a> {
    storage: StorageRef<'a>,
    range: Range<usize>,
}

/// The values of `tensor`, which must be contiguous `f32` on the CPU, last dimension fastest.
///
/// # Errors
/// [`ErrorKind::Internal`] when it is not.
pub fn values(tensor: &Tensor) -> Result<Values<'_>> {
    let (storage, layout) = tensor.storage_and_layout();
    let range = layout.contiguous_offsets();
    match (&*storage, range) {
        (Storage::Cpu(CpuStorage::F32(data)), Some((from, to))) if to <= data.len() => Ok(Values {
            storage,
            range: from..to,
        }),
        _ => Err(Error::new(
            ErrorKind::Internal,
            format!(
                "a defect in Mend: a layer was given a tensor of {:?}, shape {:?}, strides {:?}; \
                 expected contiguous f32 on the CPU",
                tensor.dtype(),
                tensor.dims(),
                tensor.stride()
            ),
        )),
    }
}

impl Values<'_> {
    /// Some of these.
    pub(super) fn part(mut self, part: Range<usize>) -> Result<Self> {
        if part.start > part.end || part.end > self.range.len() {
            return Err(super::misfit(
                "a part",
                "as many values",
                &[self.range.len()],
            ));
        }
        self.range = self.range.start + part.start..self.range.start + part.end;
        Ok(self)
    }
}

impl Deref for Values<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &*self.storage {
            Storage::Cpu(CpuStorage::F32(data)) => &data[self.range.clone()],
            // Checked when this was made, and nobody writes while it lives.
            _ => &[],
        }
    }
}
