//! What the encoder and the decoder are built of.
#![forbid(unsafe_code)]

use super::Config;
use crate::error::Result;
use crate::kernels::{Activation, Context};
use crate::nn::{
    Act, Attention, AttentionConfig, Bands, Downsample2D, GroupNorm, ResnetBlock2D, ResnetConfig,
    Run, Upsample2D, each, pair,
};
use crate::weights::Scope;

/// Of all norms (diffusers 0.42.1, `autoencoders/vae.py`).
pub(super) const EPS: f32 = 1e-6;

fn resnet(
    cx: &Context,
    scope: &Scope,
    config: &Config,
    inputs: usize,
    outputs: usize,
) -> Result<ResnetBlock2D> {
    let config = ResnetConfig {
        inputs,
        outputs,
        temb_channels: None,
        groups: config.norm_num_groups,
        eps: EPS,
    };
    ResnetBlock2D::new(cx, scope, &config)
}

/// diffusers' `DownEncoderBlock2D` or `UpDecoderBlock2D`: residual blocks, then another size.
pub(super) struct Block {
    resnets: Vec<ResnetBlock2D>,
    sampler: Sampler,
}

enum Sampler {
    Down(Downsample2D),
    Up(Upsample2D),
    None,
}

impl Block {
    fn new(
        cx: &Context,
        scope: &Scope,
        config: &Config,
        (from, to): (usize, usize),
        layers: usize,
        sampler: Sampler,
    ) -> Result<Self> {
        let resnets = each(cx, layers, |j| {
            let scope = scope.pp("resnets").pp(j);
            resnet(cx, &scope, config, if j == 0 { from } else { to }, to)
        })?;
        Ok(Self { resnets, sampler })
    }

    pub fn down(cx: &Context, scope: &Scope, config: &Config, i: usize) -> Result<Self> {
        let channels = &config.block_out_channels;
        let (from, to) = (channels[i.saturating_sub(1)], channels[i]);
        let scope = scope.pp("down_blocks").pp(i);
        let sampler = if i + 1 < channels.len() {
            Sampler::Down(Downsample2D::new(cx, &scope.pp("downsamplers.0"), to, 0)?)
        } else {
            Sampler::None
        };
        Self::new(
            cx,
            &scope,
            config,
            (from, to),
            config.layers_per_block,
            sampler,
        )
    }

    pub fn up(cx: &Context, scope: &Scope, config: &Config, i: usize) -> Result<Self> {
        let channels = &config.block_out_channels;
        let (lowest, scope) = (channels.len() - 1, scope.pp("up_blocks").pp(i));
        let (from, to) = (channels[(lowest - i + 1).min(lowest)], channels[lowest - i]);
        let sampler = if i < lowest {
            Sampler::Up(Upsample2D::new(cx, &scope.pp("upsamplers.0"), to)?)
        } else {
            Sampler::None
        };
        let layers = config.layers_per_block + 1;
        Self::new(cx, &scope, config, (from, to), layers, sampler)
    }

    pub fn bytes(&self) -> usize {
        let resnets: usize = self.resnets.iter().map(ResnetBlock2D::bytes).sum();
        resnets
            + match &self.sampler {
                Sampler::Down(d) => d.bytes(),
                Sampler::Up(u) => u.bytes(),
                Sampler::None => 0,
            }
    }

    pub fn forward(&self, run: &Run, mut h: Bands) -> Result<Bands> {
        for resnet in &self.resnets {
            h = resnet.forward_bands(run, h)?;
        }
        match &self.sampler {
            Sampler::Down(d) => d.forward_bands(run, h),
            Sampler::Up(u) => u.forward_bands(run, h),
            Sampler::None => Ok(h),
        }
    }
}

/// diffusers' `UNetMidBlock2D`: a residual block, attention of each pixel to all, a residual block.
pub(super) struct MidBlock {
    first: ResnetBlock2D,
    attention: Option<(GroupNorm, Attention)>,
    second: ResnetBlock2D,
}

impl MidBlock {
    pub fn new(cx: &Context, scope: &Scope, config: &Config) -> Result<Self> {
        let scope = scope.pp("mid_block");
        let dim = config.block_out_channels.last().copied().unwrap_or(0);
        let make = |i: usize| resnet(cx, &scope.pp("resnets").pp(i), config, dim, dim);
        let (first, second) = pair(cx, || make(0), || make(1))?;
        let attention = config.mid_block_add_attention.then(|| {
            let scope = scope.pp("attentions.0");
            // One head, as wide as the picture has channels.
            let shape = AttentionConfig {
                query_dim: dim,
                cross_attention_dim: None,
                heads: 1,
                dim_head: dim,
                bias: true,
            };
            let norm = GroupNorm::new(&scope.pp("group_norm"), config.norm_num_groups, dim, EPS)?;
            Ok((norm, Attention::new(cx, &scope, &shape)?))
        });
        Ok(Self {
            first,
            attention: attention.transpose()?,
            second,
        })
    }

    pub fn bytes(&self) -> usize {
        let attention = self.attention.as_ref();
        let attention = attention.map_or(0, |(norm, a)| norm.bytes() + a.bytes());
        self.first.bytes() + attention + self.second.bytes()
    }

    pub fn forward(&self, run: &Run, h: Act) -> Result<Act> {
        let mut h = {
            let x = h;
            self.first.forward(run, &x, None)?
        };
        if let Some((norm, attention)) = &self.attention {
            let n = norm.forward(run, &h, None, Activation::None)?;
            // There is nothing else to attend to; the attention is to itself.
            h = attention.forward(run, n, &h, &h)?;
        }
        self.second.forward(run, &h, None)
    }
}
