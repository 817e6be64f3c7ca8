//! Rows of floats to rows of bytes.

use super::super::Context;
use super::super::context::Aligned;
use super::super::shared::Shared;
use super::super::simd::{Isa, Kernel};
use crate::error::Result;

/// Values that a task quantises, about: enough to be worth a task.
const TASK: usize = 16 * 1024;
/// Rows whose greatest value is below this are as good as zero; keeps 127 over it finite.
const LEAST: f32 = 1e-30;

/// A matrix in bytes, zero point 128, with one scale a row; it lives in the context's scratch memory.
pub struct Quantised<'a> {
    cx: &'a Context,
    /// The scales, then the bytes.
    memory: Option<Aligned>,
    rows: usize,
    row: usize,
}

impl<'a> Quantised<'a> {
    /// Quantises `x`, rows of `row` values that start `stride` apart.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    ///
    /// # Panics
    /// When `x` is shorter than `rows` rows.
    pub fn new(cx: &'a Context, x: &[f32], rows: usize, row: usize, stride: usize) -> Result<Self> {
        assert!(
            rows == 0 || x.len() >= (rows - 1) * stride + row,
            "rows to quantise"
        );
        let start = rows.next_multiple_of(16);
        let mut memory = cx.take(start + (rows * row).div_ceil(4))?;
        let (scales, bytes) = memory.as_mut().split_at_mut(start);
        let (scales, bytes) = (
            Shared::new(scales),
            Shared::new(bytemuck::cast_slice_mut::<f32, u8>(bytes)),
        );
        let rows_a_task = (TASK / row.max(1)).max(1);
        let ran = cx.tasks(rows.div_ceil(rows_a_task), 0, |_, task| {
            for i in task * rows_a_task..((task + 1) * rows_a_task).min(rows) {
                let from = &x[i * stride..i * stride + row];
                // SAFETY: each task has its own rows.
                let (to, scale) = unsafe { (bytes.part(i * row, row), scales.part(i, 1)) };
                scale[0] = quantise(cx, from, to);
            }
        });
        let quantised = Self {
            cx,
            memory: Some(memory),
            rows,
            row,
        };
        ran.map(|()| quantised)
    }

    /// Bytes of a row.
    pub fn row_len(&self) -> usize {
        self.row
    }

    /// Row `i`'s bytes and its scale.
    pub fn row(&self, i: usize) -> (&[u8], f32) {
        assert!(i < self.rows, "a row that was quantised");
        let all = self.memory.as_ref().map_or(&[][..], |m| m.as_slice());
        let bytes: &[u8] = bytemuck::cast_slice(&all[self.rows.next_multiple_of(16)..]);
        (&bytes[i * self.row..(i + 1) * self.row], all[i])
    }
}

impl Drop for Quantised<'_> {
    fn drop(&mut self) {
        if let Some(memory) = self.memory.take() {
            self.cx.give(memory);
        }
    }
}

/// `x` as bytes around 128, and the scale that brings them back; not a number where some value is
/// not finite. `to` is as long as `x`.
pub fn quantise(cx: &Context, x: &[f32], to: &mut [u8]) -> f32 {
    assert_eq!(x.len(), to.len(), "a byte for each value");
    cx.run(Row { x, to })
}

struct Row<'a> {
    x: &'a [f32],
    to: &'a mut [u8],
}

impl Kernel for Row<'_> {
    type Out = f32;

    #[inline(always)]
    fn run<S: Isa>(self, isa: S) -> f32 {
        let (most, poison) = most(isa, self.x);
        let inverse = isa.splat(127.0 / most);
        let parts = self.x.chunks_exact(S::LANES);
        let end = parts.remainder();
        let mut to = self.to.chunks_exact_mut(S::LANES);
        for (x, to) in parts.zip(&mut to) {
            isa.store_bytes(to, bytes(isa, isa.load(x), inverse));
        }
        let to = to.into_remainder();
        if !end.is_empty() {
            let mut own = [0u8; 16];
            isa.store_bytes(&mut own, bytes(isa, isa.load_part(end), inverse));
            to.copy_from_slice(&own[..end.len()]);
        }
        most / 127.0 + poison
    }
}

/// The greatest |x|, [`LEAST`] at the least, and what is not a number where some x is not finite, 0
/// otherwise.
#[inline(always)]
fn most<S: Isa>(isa: S, x: &[f32]) -> (f32, f32) {
    // Two of each, since every step waits for the one before.
    let (mut most0, mut most1) = (isa.splat(LEAST), isa.splat(LEAST));
    let (mut least0, mut least1) = (isa.zero(), isa.zero());
    let (mut poison0, mut poison1) = (isa.zero(), isa.zero());
    let pairs = x.chunks_exact(2 * S::LANES);
    let (one, tail) = match pairs.remainder().split_at_checked(S::LANES) {
        Some((one, tail)) => (Some(one), tail),
        None => (None, pairs.remainder()),
    };
    for pair in pairs {
        let (v0, v1) = (isa.load(pair), isa.load(&pair[S::LANES..]));
        (most0, most1) = (isa.max(v0, most0), isa.max(v1, most1));
        (least0, least1) = (isa.min(v0, least0), isa.min(v1, least1));
        poison0 = isa.fma(v0, isa.zero(), poison0);
        poison1 = isa.fma(v1, isa.zero(), poison1);
    }
    if let Some(one) = one {
        let v = isa.load(one);
        (most0, least0) = (isa.max(v, most0), isa.min(v, least0));
        poison0 = isa.fma(v, isa.zero(), poison0);
    }
    let tail = isa.load_part(tail);
    (most1, least1) = (isa.max(tail, most1), isa.min(tail, least1));
    poison1 = isa.fma(tail, isa.zero(), poison1);
    let (most, least) = (isa.max(most0, most1), isa.min(least0, least1));
    let mut lanes = [0f32; 16];
    isa.store(&mut lanes, isa.max(most, isa.sub(isa.zero(), least)));
    let most = lanes[..S::LANES].iter().fold(LEAST, |a, b| a.max(*b));
    // 0 · x is not a number where x is not finite; `max` passes that over.
    (most, isa.sum(isa.add(poison0, poison1)))
}

/// `v · inverse`, rounded, around 128: 1 … 255, for |v| is at most what `inverse` was made from. What is not
/// finite becomes any byte: the row's scale makes nothing of it.
#[inline(always)]
fn bytes<S: Isa>(isa: S, v: S::V, inverse: S::V) -> S::V {
    isa.add(isa.round(isa.mul(v, inverse)), isa.splat(128.0))
}
