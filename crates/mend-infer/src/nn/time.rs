//! A step's time as a vector.
#![forbid(unsafe_code)]

use super::{Act, Extra, Linear, Run};
use crate::error::Result;
use crate::kernels::{Activation, Context};
use crate::weights::Scope;
use candle_core::Tensor;

/// diffusers' `Timesteps`, its `get_timestep_embedding` (diffusers 0.42.1,
/// `src/diffusers/models/embeddings.py`): sines and cosines of the time at falling frequencies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timesteps {
    /// Values of a vector.
    pub channels: usize,
    /// Whether the cosines stand first.
    pub flip_sin_to_cos: bool,
    /// How far the lowest frequency stops short of 1/10000: 0 or 1.
    pub freq_shift: f64,
}

impl Timesteps {
    /// `[timesteps, channels]`.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward(&self, run: &Run, timesteps: &[f32]) -> Result<Act> {
        let half = self.channels / 2;
        run.write(&[timesteps.len(), self.channels], |out| {
            // An odd last channel stays zero.
            out.fill(0.0);
            for (row, t) in out.chunks_exact_mut(self.channels.max(1)).zip(timesteps) {
                for i in 0..half {
                    // In single precision as the reference: angles of hundreds show their rounding.
                    let falls = -(10_000f64.ln()) as f32 * i as f32;
                    let exponent = falls / (half as f64 - self.freq_shift) as f32;
                    let angle = t * (exponent as f64).exp() as f32;
                    let (sin, cos) = (angle as f64).sin_cos();
                    let (first, second) = if self.flip_sin_to_cos {
                        (cos, sin)
                    } else {
                        (sin, cos)
                    };
                    row[i] = first as f32;
                    row[half + i] = second as f32;
                }
            }
            Ok(())
        })
    }
}

/// diffusers' `TimestepEmbedding`: `linear_1`, SiLU, `linear_2`; and `cond_proj` where the model is
/// told its guidance (LCM).
pub struct TimestepEmbedding {
    linear_1: Linear,
    linear_2: Linear,
    cond_proj: Option<Linear>,
}

impl TimestepEmbedding {
    /// From `channels` to `dim`; `cond` is the condition's channels.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(
        cx: &Context,
        scope: &Scope,
        channels: usize,
        dim: usize,
        cond: Option<usize>,
    ) -> Result<Self> {
        let cond_proj = cond
            .map(|cond| Linear::without_bias(cx, &scope.pp("cond_proj"), channels, cond))
            .transpose()?;
        Ok(Self {
            linear_1: Linear::precise(cx, &scope.pp("linear_1"), dim, channels)?,
            linear_2: Linear::precise(cx, &scope.pp("linear_2"), dim, dim)?,
            cond_proj,
        })
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        let cond = self.cond_proj.as_ref().map_or(0, Linear::bytes);
        self.linear_1.bytes() + self.linear_2.bytes() + cond
    }

    /// `[batch, channels]` to `[batch, dim]`, through `activation`; `condition` is `[batch, cond]`
    /// and taken where the layer has a projection for it.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward(
        &self,
        run: &Run,
        sample: &Tensor,
        condition: Option<&Tensor>,
        activation: Activation,
    ) -> Result<Act> {
        let projected = match (&self.cond_proj, condition) {
            (Some(proj), Some(condition)) => {
                Some(proj.forward(run, condition, Extra::add(sample))?)
            }
            _ => None,
        };
        let sample = projected.as_deref().unwrap_or(sample);
        let hidden = self
            .linear_1
            .forward(run, sample, Extra::activation(Activation::Silu))?;
        self.linear_2
            .forward(run, &hidden, Extra::activation(activation))
    }
}
