//! Rows of floats to rows of bytes.

use super::super::Context;
use super::super::context::{Aligned, Shared};
use super::super::simd::{self, Kernel, Simd};
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
                // SAFETY: inside the buffers, and each task has its own rows.
                unsafe {
                    let to = std::slice::from_raw_parts_mut(bytes.at(i * row), row);
                    *scales.at(i) = quantise(cx, from, to);
                }
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
    // SAFETY: reads and writes stay in the slices, which are equally long.
    unsafe { simd::run(cx.path(), Row { x, to }) }
}

struct Row<'a> {
    x: &'a [f32],
    to: &'a mut [u8],
}

impl Kernel for Row<'_> {
    type Out = f32;

    #[inline(always)]
    #[allow(unsafe_op_in_unsafe_fn)] // Loads and stores inside the slices.
    unsafe fn run<S: Simd>(self) -> f32 {
        let (len, x) = (self.x.len(), self.x.as_ptr());
        let whole = len / S::LANES * S::LANES;
        // Two of each, since every step waits for the one before.
        let (mut most0, mut most1) = (S::splat(LEAST), S::splat(LEAST));
        let (mut least0, mut least1) = (S::zero(), S::zero());
        let (mut poison0, mut poison1) = (S::zero(), S::zero());
        let pairs = whole / (2 * S::LANES) * (2 * S::LANES);
        for i in (0..pairs).step_by(2 * S::LANES) {
            let (v0, v1) = (S::load(x.add(i)), S::load(x.add(i + S::LANES)));
            (most0, most1) = (S::max(v0, most0), S::max(v1, most1));
            (least0, least1) = (S::min(v0, least0), S::min(v1, least1));
            poison0 = S::fma(v0, S::zero(), poison0);
            poison1 = S::fma(v1, S::zero(), poison1);
        }
        if pairs < whole {
            let v = S::load(x.add(pairs));
            (most0, least0) = (S::max(v, most0), S::min(v, least0));
            poison0 = S::fma(v, S::zero(), poison0);
        }
        let tail = S::load_n(x.add(whole), len - whole);
        (most1, least1) = (S::max(tail, most1), S::min(tail, least1));
        poison1 = S::fma(tail, S::zero(), poison1);
        let (most, least) = (S::max(most0, most1), S::min(least0, least1));
        let mut lanes = [0f32; 16];
        S::store(lanes.as_mut_ptr(), S::max(most, S::sub(S::zero(), least)));
        let most = lanes[..S::LANES].iter().fold(LEAST, |a, b| a.max(*b));
        // 0 · x is not a number where x is not finite; `max` passes that over.
        let poison = S::sum(S::add(poison0, poison1));

        let inverse = S::splat(127.0 / most);
        let to = self.to.as_mut_ptr();
        for i in (0..whole).step_by(S::LANES) {
            S::store_bytes(to.add(i), bytes::<S>(S::load(x.add(i)), inverse));
        }
        if whole < len {
            let mut own = [0u8; 16];
            S::store_bytes(own.as_mut_ptr(), bytes::<S>(tail, inverse));
            self.to[whole..].copy_from_slice(&own[..len - whole]);
        }
        most / 127.0 + poison
    }
}

/// `v · inverse`, rounded, around 128: 1 … 255, for |v| is at most what `inverse` was made from. What is not
/// finite becomes any byte: the row's scale makes nothing of it.
#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn)] // Vector arithmetic only.
unsafe fn bytes<S: Simd>(v: S::V, inverse: S::V) -> S::V {
    S::add(S::round(S::mul(v, inverse)), S::splat(128.0))
}
