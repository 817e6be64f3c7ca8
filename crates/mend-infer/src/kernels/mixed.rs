//! A group normalisation that changes from pixel to pixel: factors and offsets are mixed from the rows of
//! a table.

use super::context::Shared;
use super::simd::{self, Kernel, Simd, math};
use super::{Activation, Context, Lines};
use crate::error::Result;

/// Which rows of a table make a pixel's values, and how much of each.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mixed {
    /// Rows; those behind the first weight of zero do not count.
    pub rows: [u32; Mixed::MOST],
    /// What each is multiplied by. A pixel of a single row has its row as it is, whatever its weight.
    pub weights: [f32; Mixed::MOST],
}

impl Mixed {
    /// The most rows of a pixel: a bilinear map's neighbours.
    pub const MOST: usize = 4;

    /// The row alone.
    pub fn single(row: u32) -> Self {
        Self {
            rows: [row, 0, 0, 0],
            weights: [1.0, 0.0, 0.0, 0.0],
        }
    }

    /// Adds `weight` of `row`, to what there is of it already. What is beyond [`Self::MOST`] rows is
    /// left out.
    pub fn add(&mut self, row: u32, weight: f32) {
        if weight == 0.0 {
            return;
        }
        for (own, sum) in self.rows.iter_mut().zip(&mut self.weights) {
            if *sum == 0.0 || *own == row {
                (*own, *sum) = (row, *sum + weight);
                return;
            }
        }
    }

    /// Rows that count, one at least.
    fn count(&self) -> usize {
        let all = self.weights.iter().take_while(|w| **w != 0.0);
        all.count().max(1)
    }
}

impl Lines {
    /// `out = activation(n · (1 + scale) + shift)` with `n` the normalised `x`, both `[pixels][channels]`
    /// of the one picture that these lines are of. A pixel's scale and shift are mixed, as `pixels` says,
    /// from the rows of `table`, which is `[rows][2 · channels]`, scales first; the weights of a pixel
    /// add up to 1. `table` becomes the factors and offsets of its rows.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    ///
    /// # Panics
    /// When a length is not what the shape says or a row is not there.
    pub fn apply_mixed(
        &self,
        cx: &Context,
        x: &[f32],
        table: &mut [f32],
        pixels: &[Mixed],
        activation: Activation,
        out: &mut [f32],
    ) -> Result<()> {
        /// Pixels of a task.
        const PART: usize = 128;
        let (scale, offset) = self.single();
        let channels = scale.len();
        assert!(channels > 0, "channels");
        assert_eq!(x.len(), pixels.len() * channels, "pixels");
        assert_eq!(x.len(), out.len(), "output's length");
        assert_eq!(table.len() % (2 * channels), 0, "whole rows");
        let rows = table.len() / (2 * channels);
        let there = |p: &Mixed| p.rows[..p.count()].iter().all(|r| (*r as usize) < rows);
        assert!(pixels.iter().all(there), "rows of the table");
        // (x·f + o)·(1 + scale) + shift, once for each row.
        for row in table.chunks_exact_mut(2 * channels) {
            let (factors, offsets) = row.split_at_mut(channels);
            for c in 0..channels {
                let one = 1.0 + factors[c];
                factors[c] = scale[c] * one;
                offsets[c] += offset[c] * one;
            }
        }
        let (table, out) = (&*table, Shared::new(out));
        cx.tasks(pixels.len().div_ceil(PART), 0, |_, i| {
            let first = i * PART;
            let own = &pixels[first..(first + PART).min(pixels.len())];
            let kernel = Apply {
                x: &x[first * channels..][..own.len() * channels],
                table,
                pixels: own,
                channels,
                activation,
                out: out.at(first * channels),
            };
            // SAFETY: rows and lengths were checked, and each task has its own pixels of `out`.
            unsafe { simd::run(cx.path(), kernel) }
        })
    }
}

struct Apply<'a> {
    x: &'a [f32],
    /// Rows of factors, then offsets.
    table: &'a [f32],
    pixels: &'a [Mixed],
    channels: usize,
    activation: Activation,
    out: *mut f32,
}

impl Kernel for Apply<'_> {
    type Out = ();

    #[inline(always)]
    #[allow(unsafe_op_in_unsafe_fn)] // Loads and stores inside of rows that were checked.
    unsafe fn run<S: Simd>(self) {
        let channels = self.channels;
        for (i, pixel) in self.pixels.iter().enumerate() {
            let (x, out) = (
                self.x.as_ptr().add(i * channels),
                self.out.add(i * channels),
            );
            let first = self
                .table
                .as_ptr()
                .add(pixel.rows[0] as usize * 2 * channels);
            let single = pixel.weights[1] == 0.0;
            for c in (0..channels).step_by(S::LANES) {
                let n = S::LANES.min(channels - c);
                let mut factor = S::load_n(first.add(c), n);
                let mut offset = S::load_n(first.add(channels + c), n);
                if !single {
                    let weight = S::splat(pixel.weights[0]);
                    factor = S::mul(factor, weight);
                    offset = S::mul(offset, weight);
                    let mut k = 1;
                    while k < Mixed::MOST && pixel.weights[k] != 0.0 {
                        let row = pixel.rows[k] as usize * 2 * channels;
                        let row = self.table.as_ptr().add(row);
                        let weight = S::splat(pixel.weights[k]);
                        factor = S::fma(S::load_n(row.add(c), n), weight, factor);
                        offset = S::fma(S::load_n(row.add(channels + c), n), weight, offset);
                        k += 1;
                    }
                }
                let v = S::fma(S::load_n(x.add(c), n), factor, offset);
                S::store_n(out.add(c), math::activate::<S>(self.activation, v), n);
            }
        }
    }
}
