//! Weights as the tiles read them, laid out once when they are loaded.

use super::int8::{self, Precision};
use super::pages::Pages;
use super::shared::Shared;
use super::{Context, Path};
use crate::error::Result;
use crate::memory;
use bytemuck::Pod;
use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use parking_lot::Mutex;

/// Weights as files hold them.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// Half precision; kept so, and widened in the kernel.
    F16(&'a [f16]),
    /// Single precision.
    F32(&'a [f32]),
}

impl Source<'_> {
    /// The number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::F16(v) => v.len(),
            Self::F32(v) => v.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Value `i`.
    pub fn at(&self, i: usize) -> f32 {
        match self {
            Self::F16(v) => v[i].to_f32(),
            Self::F32(v) => v[i],
        }
    }

    /// All values in single precision, to `out`, which is as long.
    pub(super) fn widen(&self, out: &mut [f32]) {
        match self {
            Self::F16(v) => v.convert_to_f32_slice(out),
            Self::F32(v) => out.copy_from_slice(v),
        }
    }

    /// `len` values from `start` on.
    pub fn part(&self, start: usize, len: usize) -> Self {
        match self {
            Self::F16(v) => Self::F16(&v[start..start + len]),
            Self::F32(v) => Self::F32(&v[start..start + len]),
        }
    }
}

/// Weights in half precision that are elsewhere, in a file say, and come a part at a time: what is read
/// is laid out while it is in the nearer caches, and no page is ever touched for all of it.
pub trait Stored: Sync {
    /// The number of values.
    fn count(&self) -> usize;

    /// Fills `into` with the values from `start` on.
    ///
    /// # Errors
    /// What stopped the reading.
    fn read(&self, start: usize, into: &mut [f16]) -> Result<()>;
}

enum Values {
    /// Bits of half precision.
    F16(Pages<u16>),
    F32(Pages<f32>),
    /// In a layout of their own.
    Int8(int8::Weights),
}

/// A matrix `[outputs][inputs][taps]` laid out as `[panel][input][tap][width]`: a row of a panel is
/// `width` neighbouring outputs, so that the same weights serve a product that walks one tap's inputs
/// and Winograd's transforms, which take all taps of an input together.
pub struct Panels {
    values: Values,
    path: Path,
    pub outputs: usize,
    pub inputs: usize,
    pub taps: usize,
    pub width: usize,
    /// A panel holds `width / 2` values and the gates that belong to them, `outputs / 2` further on.
    pub gated: bool,
}

impl Panels {
    /// Lays `source` out for `cx`'s path.
    pub fn new(
        cx: &Context,
        precision: Precision,
        source: Source,
        outputs: usize,
        inputs: usize,
        taps: usize,
        gated: bool,
    ) -> Result<Self> {
        assert_eq!(source.len(), outputs * inputs * taps, "weights' length");
        let mut panels = Self::empty(cx, outputs, inputs, taps, gated);
        let depth = inputs * taps;
        panels.values = match source {
            _ if precision == Precision::Int8 => {
                Values::Int8(int8::Weights::new(cx, source, &panels)?)
            }
            Source::F16(v) => Values::F16(lay_out(cx, v.reinterpret_cast(), &panels, depth)?),
            Source::F32(v) => Values::F32(lay_out(cx, v, &panels, depth)?),
        };
        Ok(panels)
    }

    /// As [`Self::new`] in full precision, of weights that are read panel by panel.
    pub fn stored(
        cx: &Context,
        source: &dyn Stored,
        outputs: usize,
        inputs: usize,
        taps: usize,
        gated: bool,
    ) -> Result<Self> {
        assert_eq!(source.count(), outputs * inputs * taps, "weights' length");
        let mut panels = Self::empty(cx, outputs, inputs, taps, gated);
        panels.values = Values::F16(read_and_lay_out(cx, source, &panels, inputs * taps)?);
        Ok(panels)
    }

    fn empty(cx: &Context, outputs: usize, inputs: usize, taps: usize, gated: bool) -> Self {
        assert!(
            !gated || outputs.is_multiple_of(2),
            "as many gates as values"
        );
        Self {
            values: Values::F32(Pages::Heap(Vec::new())),
            path: cx.path(),
            outputs,
            inputs,
            taps,
            width: cx.width(),
            gated,
        }
    }

    /// Panels.
    pub fn count(&self) -> usize {
        self.outputs.div_ceil(self.width)
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        match &self.values {
            Values::F16(v) => v.len() * 2,
            Values::F32(v) => v.len() * 4,
            Values::Int8(w) => w.bytes(),
        }
    }

    /// The context must be of the path that the weights were laid out for.
    pub fn check(&self, cx: &Context) {
        assert_eq!(self.path, cx.path(), "weights laid out for another path");
    }

    /// Columns of the result that panel `p` makes, and the first of them.
    pub fn columns(&self, p: usize) -> (usize, usize) {
        let (width, all) = if self.gated {
            (self.width / 2, self.outputs / 2)
        } else {
            (self.width, self.outputs)
        };
        (p * width, width.min(all - p * width))
    }

    /// The row of the matrix that column `j` of panel `p` is; `None` behind the last.
    pub fn output(&self, p: usize, j: usize) -> Option<usize> {
        let (first, columns) = self.columns(p);
        let (j, gate) = if self.gated {
            (j % (self.width / 2), j / (self.width / 2))
        } else {
            (j, 0)
        };
        (j < columns).then(|| first + j + gate * (self.outputs / 2))
    }

    /// How products with these weights are computed.
    pub fn precision(&self) -> Precision {
        match &self.values {
            Values::Int8(_) => Precision::Int8,
            _ => Precision::Full,
        }
    }

    /// The same, of another set of the path.
    #[cfg(test)]
    pub fn force(&mut self, set: int8::Set) {
        if let Values::Int8(w) = &mut self.values {
            w.force(set);
        }
    }

    /// The weights in eight bits, where they are packed so.
    pub fn int8(&self) -> Option<&int8::Weights> {
        match &self.values {
            Values::Int8(w) => Some(w),
            _ => None,
        }
    }

    /// `bias` as the tiles read it: by panels, and values beside their gates.
    pub fn bias(&self, bias: Option<&[f32]>) -> Result<Vec<f32>> {
        let Some(bias) = bias else {
            return Ok(Vec::new());
        };
        assert_eq!(bias.len(), self.outputs, "bias' length");
        let mut out = memory::filled(self.count() * self.width, 0.0, "a network's weights")?;
        for p in 0..self.count() {
            let (first, n) = self.columns(p);
            let to = &mut out[p * self.width..][..self.width];
            to[..n].copy_from_slice(&bias[first..first + n]);
            if self.gated {
                let gates = self.outputs / 2 + first;
                to[self.width / 2..][..n].copy_from_slice(&bias[gates..gates + n]);
            }
        }
        Ok(out)
    }

    /// Where row (`input`, `tap`) of panel `p` starts.
    fn start(&self, p: usize, input: usize, tap: usize) -> usize {
        ((p * self.inputs + input) * self.taps + tap) * self.width
    }

    /// Where the weights of panel `p` from `input` on stand, as bytes, and the bytes of an input's: for
    /// asking the memory for them, so `p` and `input` may lie behind the last.
    pub fn ahead(&self, p: usize, input: usize) -> (*const u8, usize) {
        let row = self.taps * self.width;
        let at = (p * self.inputs + input) * row;
        match &self.values {
            Values::F16(v) => (v.as_ptr().wrapping_add(at).cast(), row * 2),
            Values::F32(v) => (v.as_ptr().wrapping_add(at).cast(), row * 4),
            Values::Int8(_) => (std::ptr::null(), 0),
        }
    }

    /// Rows of panel `p` as they are held, from `input` on; all taps of it.
    pub fn rows(&self, p: usize, input: usize) -> Rows<'_> {
        let start = self.start(p, input, 0);
        match &self.values {
            Values::F16(v) => Rows::F16(&v[start..]),
            Values::F32(v) => Rows::F32(&v[start..]),
            // Their products go another way, see `int8`.
            Values::Int8(_) => Rows::F32(&[]),
        }
    }
}

/// A part of a panel.
pub enum Rows<'a> {
    /// Bits of half precision.
    F16(&'a [u16]),
    F32(&'a [f32]),
}

/// Rows of a panel that are written together: a part of each output's weights, and a part of the panel
/// that stays in the nearest cache.
const STRIP: usize = 64;

fn lay_out<T: Pod + Send + Sync>(
    cx: &Context,
    source: &[T],
    p: &Panels,
    depth: usize,
) -> Result<Pages<T>> {
    let (width, size) = (p.width, depth * p.width);
    let mut out = Pages::new(p.count() * size, "a network's weights")?;
    cx.parts(&mut out, size, |panel, to| {
        let columns: Vec<Option<&[T]>> = (0..width)
            .map(|j| {
                p.output(panel, j)
                    .map(|o| &source[o * depth..(o + 1) * depth])
            })
            .collect();
        turn(&columns, to, width);
    })?;
    Ok(out)
}

/// A panel of the outputs' weights: what is a row there is a column here.
fn turn<T: Pod>(columns: &[Option<&[T]>], to: &mut [T], width: usize) {
    for (strip, to) in to.chunks_mut(STRIP * width).enumerate() {
        for (j, column) in columns.iter().enumerate() {
            let rows = to.chunks_exact_mut(width);
            // Behind the last output zeros stay.
            if let Some(column) = column {
                for (row, x) in rows.zip(&column[strip * STRIP..]) {
                    row[j] = *x;
                }
            }
        }
    }
}

fn read_and_lay_out(
    cx: &Context,
    source: &dyn Stored,
    p: &Panels,
    depth: usize,
) -> Result<Pages<u16>> {
    let (width, size) = (p.width, depth * p.width);
    let mut out = Pages::new(p.count() * size, "a network's weights")?;
    let shared = Shared::new(&mut out);
    let failed = Mutex::new(None);
    let failure = || failed.lock();
    cx.tasks(p.count(), size.div_ceil(2), |own, panel| {
        if failure().is_some() {
            return;
        }
        let own: &mut [u16] = &mut bytemuck::cast_slice_mut(own)[..size];
        if let Err(e) = read_panel(source, p, panel, own.reinterpret_cast_mut()) {
            *failure() = Some(e);
            return;
        }
        // SAFETY: each task has its own panel.
        let to = unsafe { shared.part(panel * size, size) };
        let columns: Vec<Option<&[u16]>> = (0..width)
            .map(|j| p.output(panel, j).map(|_| &own[j * depth..(j + 1) * depth]))
            .collect();
        turn(&columns, to, width);
    })?;
    match failed.into_inner() {
        Some(e) => Err(e),
        None => Ok(out),
    }
}

/// The weights of the outputs of panel `panel`, in the order of its columns; behind the last nothing is
/// written.
fn read_panel(source: &dyn Stored, p: &Panels, panel: usize, to: &mut [f16]) -> Result<()> {
    let depth = p.inputs * p.taps;
    let (first, columns) = p.columns(panel);
    source.read(first * depth, &mut to[..columns * depth])?;
    if p.gated {
        let gates = &mut to[p.width / 2 * depth..];
        let first = p.outputs / 2 + first;
        source.read(first * depth, &mut gates[..columns * depth])?;
    }
    Ok(())
}
