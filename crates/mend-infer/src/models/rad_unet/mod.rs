//! RAD's network (Kim et al., "RAD: Region-Aware Diffusion Models for Image Inpainting", CVPR 2025, arXiv
//! 2412.09191): the UNet of "Diffusion Models Beat GANs" (ADM), which is told the noise level of each pixel and
//! not one for all.
//!
//! Modules and names are those of diffusers' `UNet2DModel` (0.42.1, `models/unets/unet_2d.py`) with residual
//! blocks that resample. The linear layers that the level goes through are convolutions of one pixel in RAD,
//! so that weights of ADM's fit as they are:
//!
//! ```text
//! level of a pixel → sines, cosines → linear_1 → SiLU → linear_2 → SiLU → (bilinear, to the block's size)
//!   → time_emb_proj → scale, shift of the block's second norm
//! ```
//!
//! Behind the SiLU all of it is linear. So each level that there is goes through the layers once, and a
//! block's pixel is mixed from what they make: of one row where the map is even, of four along its edges. For
//! a mask of two levels that is two rows in all, for a soft one as many as it has levels; both are exact.
#![forbid(unsafe_code)]

mod blocks;
mod checkpoint;
mod config;
mod levels;
mod names;
mod predict;
#[cfg(test)]
mod tests;

pub use checkpoint::Checkpoint;
pub use config::Config;
pub use predict::{predicted, weights_bytes};

use super::skips::last;
use super::{Cost, input};
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::{Activation, Context, ConvShape};
use crate::nn::{
    Act, Arena, Conv2d, Extra, GroupNorm, LevelMap, Run, Tensor, TimestepEmbedding, Timesteps,
    each, pair, to_channels_last, to_planes,
};
use crate::weights::Scope;
use blocks::Conditioning;
use levels::{DownBlock, MidBlock, UpBlock};

/// The network, its weights packed.
pub struct RadUnet {
    config: Config,
    conv_in: Conv2d,
    time_proj: Timesteps,
    time_embedding: TimestepEmbedding,
    down_blocks: Vec<DownBlock>,
    mid_block: MidBlock,
    up_blocks: Vec<UpBlock>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl RadUnet {
    /// Reads and packs the weights, on all threads of the caller's pool; `check` is called before each level,
    /// for cancelling.
    ///
    /// # Errors
    /// As [`Scope::get`]; what `check` returned.
    pub fn new(
        cx: &Context,
        scope: &Scope,
        config: Config,
        check: &(dyn Fn() -> Result<()> + Sync),
    ) -> Result<Self> {
        let c = &config;
        let n = c.block_out_channels.len();
        let (first, lowest) = (c.first(), c.block_out_channels[n - 1]);
        let down = |i: usize| {
            check()?;
            DownBlock::new(cx, &scope.pp("down_blocks").pp(i), c, i)
        };
        let up = |i: usize| {
            check()?;
            UpBlock::new(cx, &scope.pp("up_blocks").pp(i), c, i)
        };
        let ((down_blocks, up_blocks), mid_block) = pair(
            cx,
            || pair(cx, || each(cx, n, down), || each(cx, n, up)),
            || MidBlock::new(cx, &scope.pp("mid_block"), c, lowest),
        )?;
        let conv =
            |name: &str, from, to| Conv2d::new(cx, &scope.pp(name), ConvShape::same(from, to, 3));
        let norm = scope.pp("conv_norm_out");
        Ok(Self {
            conv_in: conv("conv_in", Config::CHANNELS, first)?,
            time_proj: Timesteps {
                channels: first,
                flip_sin_to_cos: c.flip_sin_to_cos,
                freq_shift: c.freq_shift,
            },
            time_embedding: TimestepEmbedding::new(
                cx,
                &scope.pp("time_embedding"),
                first,
                c.time_embed_dim(),
                None,
            )?,
            down_blocks,
            mid_block,
            up_blocks,
            conv_norm_out: GroupNorm::new(&norm, c.norm_num_groups, first, c.norm_eps)?,
            conv_out: conv("conv_out", first, Config::OUTPUTS)?,
            config,
        })
    }

    /// What it was made from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        let down: usize = self.down_blocks.iter().map(DownBlock::bytes).sum();
        let up: usize = self.up_blocks.iter().map(UpBlock::bytes).sum();
        let ends = self.conv_in.bytes() + self.conv_norm_out.bytes() + self.conv_out.bytes();
        down + self.mid_block.bytes() + up + ends + self.time_embedding.bytes()
    }

    /// What a pass over a picture of this size with so many levels takes: counted by going through it,
    /// computing nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for a size that does not fit.
    pub fn cost(&self, cx: &Context, height: usize, width: usize, levels: usize) -> Result<Cost> {
        let arena = Arena::counting();
        let (inputs, run) = (Arena::counting(), Run::new(cx, &arena));
        // The caller's own is not counted.
        let outside = Run::new(cx, &inputs);
        let sample = outside.write(&[1, Config::CHANNELS, height, width], |_| Ok(()))?;
        self.forward(&run, &sample, &LevelMap::counting(height, width, levels))?;
        Ok(Cost {
            flops: run.flops(),
            bytes: arena.peak(),
        })
    }

    /// What the network finds in `sample`, `[1, 3, height, width]` in ±1 with noise, where each pixel's level is
    /// `map`'s: the noise, and where the logarithm of its variance lies between the least and the most, −1 to
    /// 1. `[1, 6, height, width]`.
    ///
    /// Levels are numbers of training's steps that were taken, 0 to 1000 with fractions, of
    /// [`crate::schedulers::pixelwise`]. Sides are multiples of [`Config::alignment`].
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when a shape does not fit; what stops the pass, see [`Run::write`].
    pub fn forward(&self, run: &Run, sample: &Tensor, map: &LevelMap) -> Result<Tensor> {
        let expected = [Some(1), Some(Config::CHANNELS), None, None];
        let [_, _, height, width] = input("picture with noise", sample, expected)?;
        let unit = self.config.alignment();
        if map.size() != (height, width) || height % unit != 0 || width % unit != 0 {
            let (h, w) = map.size();
            return Err(Error::new(
                ErrorKind::Argument,
                format!(
                    "a picture of {width}×{height} with levels for {w}×{h}; give as many, and sides \
                     that are multiples of {unit}"
                ),
            ));
        }
        let embedding = self.embed(run, map.values(), Activation::Silu)?;
        let given = Conditioning::new(&embedding, map);

        let mut skips = Vec::new();
        let x = to_channels_last(run, sample)?;
        skips.push(self.conv_in.forward(run, &x, Extra::NONE)?);
        drop(x);
        for block in &self.down_blocks {
            block.forward(run, &mut skips, &given)?;
        }
        let mut h = self.mid_block.forward(run, last(&skips)?, &given)?;
        for block in &self.up_blocks {
            h = block.forward(run, h, &mut skips, &given)?;
        }
        let n = self
            .conv_norm_out
            .forward(run, &h, None, Activation::Silu)?;
        drop(h);
        let out = self.conv_out.forward(run, &n, Extra::NONE)?;
        drop(n);
        Ok(to_planes(run, &out)?.into_tensor())
    }

    /// The embedding of levels, `[levels, 4 · channels]`, through `activation`.
    fn embed(&self, run: &Run, levels: &[f32], activation: Activation) -> Result<Act> {
        let sines = self.time_proj.forward(run, levels)?;
        self.time_embedding.forward(run, &sines, None, activation)
    }
}
