//! A group normalisation that changes from pixel to pixel: factors and offsets are mixed from the rows of
//! a table.
#![forbid(unsafe_code)]

use super::simd::{Isa, Kernel, math};
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
        let table = &*table;
        cx.parts(out, PART * channels, |i, out| {
            let first = i * PART;
            let own = &pixels[first..(first + PART).min(pixels.len())];
            cx.run(Apply {
                x: &x[first * channels..][..out.len()],
                table,
                pixels: own,
                channels,
                activation,
                out,
            });
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
    out: &'a mut [f32],
}

impl Apply<'_> {
    /// Factors and offsets of a row of the table.
    #[inline(always)]
    fn row(&self, i: u32) -> (&[f32], &[f32]) {
        let row = &self.table[i as usize * 2 * self.channels..][..2 * self.channels];
        row.split_at(self.channels)
    }
}

impl Kernel for Apply<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Isa>(mut self, isa: S) {
        let channels = self.channels;
        let out = std::mem::take(&mut self.out);
        let values = self
            .x
            .chunks_exact(channels)
            .zip(out.chunks_exact_mut(channels));
        for (pixel, (x, out)) in self.pixels.iter().zip(values) {
            let count = pixel.count();
            let mut rows = [self.row(pixel.rows[0]); Mixed::MOST];
            for k in 1..count {
                rows[k] = self.row(pixel.rows[k]);
            }
            for c in (0..channels).step_by(S::LANES) {
                let end = channels.min(c + S::LANES);
                let mut factor = isa.load_part(&rows[0].0[c..end]);
                let mut offset = isa.load_part(&rows[0].1[c..end]);
                if count > 1 {
                    let weight = isa.splat(pixel.weights[0]);
                    factor = isa.mul(factor, weight);
                    offset = isa.mul(offset, weight);
                    for k in 1..count {
                        let weight = isa.splat(pixel.weights[k]);
                        factor = isa.fma(isa.load_part(&rows[k].0[c..end]), weight, factor);
                        offset = isa.fma(isa.load_part(&rows[k].1[c..end]), weight, offset);
                    }
                }
                let v = isa.fma(isa.load_part(&x[c..end]), factor, offset);
                isa.store_part(&mut out[c..end], math::activate(isa, self.activation, v));
            }
        }
    }
}
