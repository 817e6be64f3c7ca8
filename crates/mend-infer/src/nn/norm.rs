//! Normalisations.
#![forbid(unsafe_code)]

use super::load::vector;
use super::{Act, Bands, Run, misfit, values};
use crate::error::Result;
use crate::kernels::{self, Activation, Lines, Mixed};
use crate::weights::Scope;
use candle_core::Tensor;

/// A group normalisation, torch's `GroupNorm`, with what usually stands before and behind it.
pub struct GroupNorm {
    groups: usize,
    eps: f32,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl GroupNorm {
    /// Reads `weight` and `bias`, `[channels]`; `groups` divides the channels.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(scope: &Scope, groups: usize, channels: usize, eps: f32) -> Result<Self> {
        if groups == 0 || !channels.is_multiple_of(groups) {
            return Err(misfit(
                "a group normalisation",
                &format!("channels that {groups} groups divide"),
                &[channels],
            ));
        }
        Ok(Self {
            groups,
            eps,
            weight: vector(scope, "weight", channels)?,
            bias: vector(scope, "bias", channels)?,
        })
    }

    /// Bytes of the weights.
    pub fn bytes(&self) -> usize {
        (self.weight.len() + self.bias.len()) * 4
    }

    /// `activation(norm(x + shift))`, with `x` `[batch, …, channels]` and `shift`, where given,
    /// `[batch, channels]`: a time embedding's projection.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward(
        &self,
        run: &Run,
        x: &Tensor,
        shift: Option<&Tensor>,
        activation: Activation,
    ) -> Result<Act> {
        let channels = self.weight.len();
        let batch = match *x.dims() {
            [batch, .., c] if c == channels && x.rank() > 1 => batch,
            ref dims => {
                let expected = format!("[batch, …, {channels}]");
                return Err(misfit("a group normalisation", &expected, dims));
            }
        };
        if let Some(shift) = shift
            && shift.elem_count() != batch * channels
        {
            let expected = format!("a shift [{batch}, {channels}]");
            return Err(misfit("a group normalisation", &expected, shift.dims()));
        }
        run.write(x.dims(), |y| {
            let (x, shift) = (values(x)?, shift.map(values).transpose()?);
            let norm = self.kernel();
            kernels::group_norm(run.cx(), &norm, batch, &x, shift.as_deref(), activation, y)
        })
    }

    /// `activation(norm(x) · (1 + scale) + shift)` of one picture, `[1, height, width, channels]`, with
    /// scales and shifts that each of `pixels` mixes from the rows of `table`: `[rows, 2 · channels]`,
    /// scales first. What is in `table` afterwards is of no use.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward_mixed(
        &self,
        run: &Run,
        x: &Tensor,
        table: Act,
        pixels: &[Mixed],
        activation: Activation,
    ) -> Result<Act> {
        let channels = self.weight.len();
        let size = match *x.dims() {
            [1, h, w, c] if c == channels => h * w,
            ref dims => {
                let expected = format!("[1, height, width, {channels}]");
                return Err(misfit("a group normalisation", &expected, dims));
            }
        };
        if !matches!(*table.dims(), [rows, c] if c == 2 * channels && rows > 0) {
            let expected = format!("[rows, {}]", 2 * channels);
            return Err(misfit("a mixed normalisation", &expected, table.dims()));
        }
        run.write(x.dims(), |y| {
            if pixels.len() != size {
                let expected = format!("{size} pixels");
                return Err(misfit("a mixed normalisation", &expected, &[pixels.len()]));
            }
            let x = values(x)?;
            let lines = self.kernel().lines(run.cx(), 1, &[&x], None)?;
            run.rewrite(&table, |table| {
                lines.apply_mixed(run.cx(), &x, table, pixels, activation, y)
            })
        })
    }

    /// What each channel of `x` is multiplied by and gets added, with the mean and variance of the
    /// whole picture.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn lines(&self, run: &Run, x: &Bands) -> Result<Lines> {
        let [height, .., channels] = x.shape();
        if channels != self.weight.len() {
            let expected = format!("[…, {}]", self.weight.len());
            return Err(misfit("a group normalisation", &expected, &x.shape()));
        }
        if run.arena().is_counting() {
            return Ok(Lines::default());
        }
        run.checked()?;
        let parts = x.parts(0..height)?;
        let parts: Vec<&[f32]> = parts.iter().map(|part| &**part).collect();
        self.kernel().lines(run.cx(), 1, &parts, None)
    }

    fn kernel(&self) -> kernels::GroupNorm<'_> {
        kernels::GroupNorm {
            groups: self.groups,
            eps: self.eps,
            weight: &self.weight,
            bias: &self.bias,
        }
    }
}

/// A normalisation of each row, torch's `LayerNorm`.
pub struct LayerNorm {
    eps: f32,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl LayerNorm {
    /// Reads `weight` and `bias`, `[channels]`.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(scope: &Scope, channels: usize, eps: f32) -> Result<Self> {
        Ok(Self {
            eps,
            weight: vector(scope, "weight", channels)?,
            bias: vector(scope, "bias", channels)?,
        })
    }

    /// Bytes of the weights.
    pub fn bytes(&self) -> usize {
        (self.weight.len() + self.bias.len()) * 4
    }

    /// `[…, channels]` to the same.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward(&self, run: &Run, x: &Tensor) -> Result<Act> {
        let channels = self.weight.len();
        if x.dims().last() != Some(&channels) {
            let expected = format!("[…, {channels}]");
            return Err(misfit("a layer normalisation", &expected, x.dims()));
        }
        run.write(x.dims(), |y| {
            let x = values(x)?;
            kernels::layer_norm(run.cx(), &self.weight, &self.bias, self.eps, &x, y)
        })
    }
}
