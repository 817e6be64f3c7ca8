//! Residual blocks.
#![forbid(unsafe_code)]

use super::{Act, Bands, Conv2d, Extra, GroupNorm, Linear, Run, Through, misfit, pair};
use crate::error::Result;
use crate::kernels::{Activation, Context, ConvShape};
use crate::weights::Scope;
use candle_core::Tensor;

/// A residual block's channels.
#[derive(Clone, Copy, Debug)]
pub struct ResnetConfig {
    /// Channels in.
    pub inputs: usize,
    /// Channels out.
    pub outputs: usize,
    /// Channels of the time's embedding, none in a VAE.
    pub temb_channels: Option<usize>,
    /// Groups of the norms.
    pub groups: usize,
    /// The norms' epsilon.
    pub eps: f32,
}

/// diffusers' `ResnetBlock2D`: `norm1`, `conv1`, `time_emb_proj`, `norm2`, `conv2`, and
/// `conv_shortcut` where the number of channels changes.
pub struct ResnetBlock2D {
    norm1: GroupNorm,
    conv1: Conv2d,
    time_emb_proj: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    conv_shortcut: Option<Linear>,
}

impl ResnetBlock2D {
    /// Reads a block.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(cx: &Context, scope: &Scope, config: &ResnetConfig) -> Result<Self> {
        let c = config;
        let conv = |name: &str, inputs| {
            Conv2d::new(cx, &scope.pp(name), ConvShape::same(inputs, c.outputs, 3))
        };
        let (conv1, conv2) = pair(cx, || conv("conv1", c.inputs), || conv("conv2", c.outputs))?;
        let norm =
            |name: &str, channels| GroupNorm::new(&scope.pp(name), c.groups, channels, c.eps);
        let time_emb_proj = c
            .temb_channels
            .map(|temb| Linear::precise(cx, &scope.pp("time_emb_proj"), c.outputs, temb))
            .transpose()?;
        let conv_shortcut = (c.inputs != c.outputs)
            .then(|| Linear::conv1x1(cx, &scope.pp("conv_shortcut"), c.outputs, c.inputs))
            .transpose()?;
        Ok(Self {
            norm1: norm("norm1", c.inputs)?,
            conv1,
            time_emb_proj,
            norm2: norm("norm2", c.outputs)?,
            conv2,
            conv_shortcut,
        })
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        let linears = [&self.time_emb_proj, &self.conv_shortcut];
        let linears: usize = linears.into_iter().flatten().map(Linear::bytes).sum();
        let norms = self.norm1.bytes() + self.norm2.bytes();
        self.conv1.bytes() + self.conv2.bytes() + norms + linears
    }

    /// `[batch, height, width, inputs]` to `[batch, height, width, outputs]`. `temb` is the time's
    /// embedding after its SiLU, `[batch, temb_channels]`: the reference applies it in each block
    /// anew.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward(&self, run: &Run, x: &Tensor, temb: Option<&Tensor>) -> Result<Act> {
        let mut h = self.norm1.forward(run, x, None, Activation::Silu)?;
        // Assigned and not shadowed: what it was goes back to the arena at once.
        h = self.conv1.forward(run, &h, Extra::NONE)?;
        let shift = match (&self.time_emb_proj, temb) {
            (Some(proj), Some(temb)) => Some(proj.forward(run, temb, Extra::NONE)?),
            (None, _) => None,
            (Some(_), None) => return Err(misfit("a residual block", "a time's embedding", &[])),
        };
        h = self
            .norm2
            .forward(run, &h, shift.as_deref(), Activation::Silu)?;
        match &self.conv_shortcut {
            Some(conv) => {
                let shortcut = conv.forward(run, x, Extra::NONE)?;
                self.conv2.forward(run, &h, Extra::add(&shortcut))
            }
            None => self.conv2.forward(run, &h, Extra::add(x)),
        }
    }

    /// As [`Self::forward`] without a time's embedding, of a picture in bands: never more than two of
    /// the picture's size at a time. To the bit the same.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward_bands(&self, run: &Run, mut x: Bands) -> Result<Bands> {
        if self.time_emb_proj.is_some() {
            return Err(misfit("a residual block", "a time's embedding", &[]));
        }
        let [height, width, _] = x.shape();
        let shape = [height, width, self.conv1.shape().outputs];
        let (mut h, mut shortcut) = (Bands::new(run, shape), Bands::new(run, shape));
        let norm1 = Through::Norm(self.norm1.lines(run, &x)?, Activation::Silu);
        while let Some(rows) = h.missing() {
            h.push(self.conv1.band(run, &x, &norm1, None, rows.clone())?);
            if let Some(conv) = &self.conv_shortcut {
                // Where there are fewer channels than before, both together are not more than those.
                let read = rows.end.saturating_sub(1);
                shortcut.push(conv.band(run, &x, rows)?);
                x.release(read);
            }
        }
        if self.conv_shortcut.is_some() {
            x = shortcut;
        }
        let norm2 = Through::Norm(self.norm2.lines(run, &h)?, Activation::Silu);
        self.conv2.forward_bands(run, h, &norm2, Some(&x))
    }
}
