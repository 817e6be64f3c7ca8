//! Convolutions of each channel by itself.
#![forbid(unsafe_code)]

use super::panels::Source;
use super::shape::{ConvShape, Field, source};
use super::simd::{Isa, Kernel, math};
use super::{Context, Epilogue};
use crate::error::Result;
use crate::memory;

/// The weights, one for each tap of each channel.
pub(super) struct Depthwise {
    /// `[tap][channel]`
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Depthwise {
    /// Lays `weight`, `[channels][taps]`, out.
    pub fn new(weight: Source, bias: Option<&[f32]>, channels: usize, taps: usize) -> Result<Self> {
        let mut weights = memory::filled(taps * channels, 0.0, "a network's weights")?;
        for c in 0..channels {
            for t in 0..taps {
                weights[t * channels + c] = weight.at(c * taps + t);
            }
        }
        let bias = bias.map_or_else(
            || memory::filled(channels, 0.0, "a bias"),
            |b| Ok(b.to_vec()),
        )?;
        Ok(Self { weights, bias })
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        (self.weights.len() + self.bias.len()) * 4
    }

    /// As [`super::Conv2d::forward`], which checked the lengths.
    pub fn forward(
        &self,
        cx: &Context,
        shape: &ConvShape,
        field: &Field,
        x: &[f32],
        ep: &Epilogue,
        y: &mut [f32],
    ) -> Result<()> {
        cx.parts(y, field.out_width * shape.outputs, |row, y| {
            cx.run(DepthwiseRow {
                weights: self,
                shape,
                field,
                x,
                ep,
                y,
                row,
            });
        })
    }
}

struct DepthwiseRow<'a> {
    weights: &'a Depthwise,
    shape: &'a ConvShape,
    field: &'a Field,
    x: &'a [f32],
    ep: &'a Epilogue<'a>,
    y: &'a mut [f32],
    row: usize,
}

impl Kernel for DepthwiseRow<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Isa>(self, isa: S) {
        let channels = self.shape.outputs;
        let (bias, weights) = (&self.weights.bias, &self.weights.weights);
        // Where each tap's pixel and its weights start, of those that meet the picture.
        let mut met = Vec::with_capacity(self.shape.taps());
        for (column, y) in self.y.chunks_exact_mut(channels).enumerate() {
            let pixel = self.row * self.field.out_width + column;
            met.clear();
            for tap in 0..self.shape.taps() {
                if let Some(from) = source(self.shape, self.field, pixel, tap) {
                    met.push((from * channels, tap * channels));
                }
            }
            let at = pixel * channels;
            for c in (0..channels).step_by(S::LANES) {
                let end = channels.min(c + S::LANES);
                let mut sum = isa.load_part(&bias[c..end]);
                for &(x, w) in &met {
                    let x = isa.load_part(&self.x[x + c..x + end]);
                    sum = isa.fma(x, isa.load_part(&weights[w + c..w + end]), sum);
                }
                if let Some(add) = self.ep.add_before {
                    sum = isa.add(sum, isa.load_part(&add[at + c..at + end]));
                }
                sum = math::activate(isa, self.ep.activation, sum);
                if let Some(add) = self.ep.add_after {
                    sum = isa.add(sum, isa.load_part(&add[at + c..at + end]));
                }
                isa.store_part(&mut y[c..end], sum);
            }
        }
    }
}
