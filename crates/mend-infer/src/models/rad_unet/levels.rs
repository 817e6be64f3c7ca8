//! The network's levels.
#![forbid(unsafe_code)]

use super::Config;
use super::blocks::{Attends, Conditioning, ResBlock, Resample};
use crate::error::Result;
use crate::kernels::Context;
use crate::models::skips;
use crate::nn::{Act, Run, Tensor, concat, each, pair};
use crate::weights::Scope;

/// A residual block and, where the level has it, the attention behind it.
struct Layer {
    resnet: ResBlock,
    attention: Option<Attends>,
}

impl Layer {
    /// `resnets.j` and `attentions.j`.
    fn new(
        cx: &Context,
        scope: &Scope,
        config: &Config,
        j: usize,
        attends: bool,
        (from, to): (usize, usize),
    ) -> Result<Self> {
        let resnet = scope.pp("resnets").pp(j);
        let (resnet, attention) = pair(
            cx,
            || ResBlock::new(cx, &resnet, config, Resample::Keep, from, to),
            || {
                let scope = scope.pp("attentions").pp(j);
                attends
                    .then(|| Attends::new(cx, &scope, config, to))
                    .transpose()
            },
        )?;
        Ok(Self { resnet, attention })
    }

    fn bytes(&self) -> usize {
        self.resnet.bytes() + self.attention.as_ref().map_or(0, Attends::bytes)
    }

    fn attend(&self, run: &Run, h: Act) -> Result<Act> {
        match &self.attention {
            Some(attention) => attention.forward(run, h),
            None => Ok(h),
        }
    }

    fn forward(&self, run: &Run, x: &Tensor, given: &Conditioning) -> Result<Act> {
        let h = self.resnet.forward(run, x, given)?;
        self.attend(run, h)
    }

    /// As [`Self::forward`], for what nobody else needs: it is gone before the attention begins.
    fn consume(&self, run: &Run, x: Act, given: &Conditioning) -> Result<Act> {
        let h = self.resnet.forward(run, &x, given)?;
        drop(x);
        self.attend(run, h)
    }
}

/// diffusers' `ResnetDownsampleBlock2D` and `AttnDownBlock2D`.
pub(super) struct DownBlock {
    layers: Vec<Layer>,
    downsampler: Option<ResBlock>,
}

impl DownBlock {
    /// Level `i`.
    pub fn new(cx: &Context, scope: &Scope, config: &Config, i: usize) -> Result<Self> {
        let channels = &config.block_out_channels;
        let (from, to) = (channels[i.saturating_sub(1)], channels[i]);
        let attends = config.down_attention.get(i) == Some(&true);
        let last = i + 1 == channels.len();
        Ok(Self {
            layers: each(cx, config.layers_per_block, |j| {
                let from = if j == 0 { from } else { to };
                Layer::new(cx, scope, config, j, attends, (from, to))
            })?,
            downsampler: (!last)
                .then(|| {
                    let scope = scope.pp("downsamplers.0");
                    ResBlock::new(cx, &scope, config, Resample::Down, to, to)
                })
                .transpose()?,
        })
    }

    pub fn bytes(&self) -> usize {
        let layers: usize = self.layers.iter().map(Layer::bytes).sum();
        layers + self.downsampler.as_ref().map_or(0, ResBlock::bytes)
    }

    /// Goes on from the last of `skips` and adds to them what each layer makes.
    pub fn forward(&self, run: &Run, skips: &mut Vec<Act>, given: &Conditioning) -> Result<()> {
        for layer in &self.layers {
            let h = layer.forward(run, skips::last(skips)?, given)?;
            skips.push(h);
        }
        if let Some(downsampler) = &self.downsampler {
            let h = downsampler.forward(run, skips::last(skips)?, given)?;
            skips.push(h);
        }
        Ok(())
    }
}

/// diffusers' `UNetMidBlock2D` with one layer.
pub(super) struct MidBlock {
    first: Layer,
    second: ResBlock,
}

impl MidBlock {
    pub fn new(cx: &Context, scope: &Scope, config: &Config, channels: usize) -> Result<Self> {
        let second = scope.pp("resnets.1");
        let io = (channels, channels);
        let (first, second) = pair(
            cx,
            || Layer::new(cx, scope, config, 0, true, io),
            || ResBlock::new(cx, &second, config, Resample::Keep, channels, channels),
        )?;
        Ok(Self { first, second })
    }

    pub fn bytes(&self) -> usize {
        self.first.bytes() + self.second.bytes()
    }

    pub fn forward(&self, run: &Run, x: &Tensor, given: &Conditioning) -> Result<Act> {
        let h = self.first.forward(run, x, given)?;
        self.second.forward(run, &h, given)
    }
}

/// diffusers' `ResnetUpsampleBlock2D` and `AttnUpBlock2D`.
pub(super) struct UpBlock {
    layers: Vec<Layer>,
    upsampler: Option<ResBlock>,
}

impl UpBlock {
    /// Block `i`, the lowest first.
    pub fn new(cx: &Context, scope: &Scope, config: &Config, i: usize) -> Result<Self> {
        let channels = &config.block_out_channels;
        let lowest = channels.len() - 1;
        let at = lowest - i;
        // What comes from below, the level's own, and those of the level above, which the last layer's skip
        // is from.
        let from = channels[(at + 1).min(lowest)];
        let (to, skip) = (channels[at], channels[at.saturating_sub(1)]);
        let attends = config.up_attention.get(i) == Some(&true);
        let layers = config.layers_per_block + 1;
        Ok(Self {
            layers: each(cx, layers, |j| {
                let below = if j == 0 { from } else { to };
                let beside = if j + 1 == layers { skip } else { to };
                Layer::new(cx, scope, config, j, attends, (below + beside, to))
            })?,
            upsampler: (at > 0)
                .then(|| {
                    let scope = scope.pp("upsamplers.0");
                    ResBlock::new(cx, &scope, config, Resample::Up, to, to)
                })
                .transpose()?,
        })
    }

    pub fn bytes(&self) -> usize {
        let layers: usize = self.layers.iter().map(Layer::bytes).sum();
        layers + self.upsampler.as_ref().map_or(0, ResBlock::bytes)
    }

    /// Goes on from `h` and takes one of `skips` for each layer.
    pub fn forward(
        &self,
        run: &Run,
        mut h: Act,
        skips: &mut Vec<Act>,
        given: &Conditioning,
    ) -> Result<Act> {
        for layer in &self.layers {
            let both = {
                let skip = skips::take(skips)?;
                concat(run, &h, &skip)?
            };
            drop(h);
            h = layer.consume(run, both, given)?;
        }
        match &self.upsampler {
            Some(upsampler) => upsampler.forward(run, &h, given),
            None => Ok(h),
        }
    }
}
