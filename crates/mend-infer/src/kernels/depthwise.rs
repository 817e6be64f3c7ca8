//! Convolutions of each channel by itself.

use super::context::Shared;
use super::conv::{ConvShape, source};
use super::panels::Source;
use super::simd::{self, Kernel, Simd, math};
use super::winograd::Field;
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

    /// As [`super::Conv2d::forward_by`], which checked the lengths.
    pub fn forward(
        &self,
        cx: &Context,
        shape: &ConvShape,
        field: &Field,
        x: &[f32],
        ep: &Epilogue,
        y: &mut [f32],
    ) -> Result<()> {
        let rows = field.batch * field.out_height;
        let y = Shared::new(y);
        cx.tasks(rows, 0, |_, row| {
            // SAFETY: lengths were checked by the caller, and each task has its own row of `y`.
            unsafe {
                simd::run(
                    cx.path(),
                    DepthwiseRow {
                        weights: self,
                        shape,
                        field,
                        x,
                        ep,
                        y,
                        row,
                    },
                )
            }
        })
    }
}

struct DepthwiseRow<'a> {
    weights: &'a Depthwise,
    shape: &'a ConvShape,
    field: &'a Field,
    x: &'a [f32],
    ep: &'a Epilogue<'a>,
    y: Shared<f32>,
    row: usize,
}

impl Kernel for DepthwiseRow<'_> {
    type Out = ();

    #[inline(always)]
    #[allow(unsafe_op_in_unsafe_fn)] // Loads and stores at the same offset of equally long rows.
    unsafe fn run<S: Simd>(self) {
        let channels = self.shape.outputs;
        for column in 0..self.field.out_width {
            let pixel = self.row * self.field.out_width + column;
            for c in (0..channels).step_by(S::LANES) {
                let n = S::LANES.min(channels - c);
                let mut sum = S::load_n(self.weights.bias.as_ptr().add(c), n);
                for tap in 0..self.shape.taps() {
                    if let Some(from) = source(self.shape, self.field, pixel, tap) {
                        let x = S::load_n(self.x.as_ptr().add(from * channels + c), n);
                        let w = S::load_n(self.weights.weights.as_ptr().add(tap * channels + c), n);
                        sum = S::fma(x, w, sum);
                    }
                }
                let at = pixel * channels + c;
                if let Some(add) = self.ep.add_before {
                    sum = S::add(sum, S::load_n(add.as_ptr().add(at), n));
                }
                sum = math::activate::<S>(self.ep.activation, sum);
                if let Some(add) = self.ep.add_after {
                    sum = S::add(sum, S::load_n(add.as_ptr().add(at), n));
                }
                S::store_n(self.y.at(at), sum, n);
            }
        }
    }
}
