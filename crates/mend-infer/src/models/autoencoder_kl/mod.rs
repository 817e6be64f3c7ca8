//! diffusers' `AutoencoderKL`: pictures to latents and back, Stable Diffusion's "VAE".
//!
//! The encoder and the decoder are loaded apart: whoever fills a hole needs the one before the steps
//! and the other after them.
//!
//! # Memory
//! Pictures are worked on in [`Bands`] of rows, which is what tiling is here. The group norms' mean and
//! variance are the whole picture's and each convolution's tiles are those of the whole, so there is no
//! overlap to blend and no seam: every bit is what the whole picture in one gives. The most that is held
//! are two activations of the first level, or one with the second level's channels at the first's size,
//! and about four bands; without bands it would be five activations. A batch goes one by one.
#![forbid(unsafe_code)]

mod blocks;
mod config;
#[cfg(test)]
mod tests;

pub use config::Config;

use crate::error::{Error, ErrorKind, Result};
use crate::kernels::{Activation, Context, ConvShape};
use crate::models::{Cost, input};
use crate::nn::{
    Act, Arena, Bands, Conv2d, Extra, GroupNorm, Linear, Run, Through, each, pair, picture, stack,
    to_channels_last, to_planes, values,
};
use crate::weights::Scope;
use blocks::{Block, EPS, MidBlock};
use candle_core::Tensor;

/// Both halves.
pub struct AutoencoderKL {
    /// Pictures to latents.
    pub encoder: Encoder,
    /// Latents to pictures.
    pub decoder: Decoder,
}

impl AutoencoderKL {
    /// Reads and packs the weights of both halves, on all threads of the caller's pool.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(cx: &Context, scope: &Scope, config: &Config) -> Result<Self> {
        let (encoder, decoder) = pair(
            cx,
            || Encoder::new(cx, scope, config),
            || Decoder::new(cx, scope, config),
        )?;
        Ok(Self { encoder, decoder })
    }

    /// See [`Encoder::encode`].
    ///
    /// # Errors
    /// As there.
    pub fn encode(&self, run: &Run, image: &Tensor) -> Result<Moments> {
        self.encoder.encode(run, image)
    }

    /// See [`Decoder::decode`].
    ///
    /// # Errors
    /// As there.
    pub fn decode(&self, run: &Run, latents: &Tensor) -> Result<Tensor> {
        self.decoder.decode(run, latents)
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        self.encoder.bytes() + self.decoder.bytes()
    }
}

/// A normal distribution of latents for each pixel, diffusers' `DiagonalGaussianDistribution`:
/// `[batch, latent_channels, height / scale, width / scale]` both.
pub struct Moments {
    /// The mean.
    pub mean: Tensor,
    /// The variance's logarithm, −30 to 20.
    pub logvar: Tensor,
}

/// `encoder.*` and `quant_conv`.
pub struct Encoder {
    config: Config,
    conv_in: Conv2d,
    down_blocks: Vec<Block>,
    mid_block: MidBlock,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
    quant_conv: Option<Linear>,
}

impl Encoder {
    /// Reads and packs the encoder's weights; `scope` is that of the whole model.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(cx: &Context, scope: &Scope, config: &Config) -> Result<Self> {
        let (c, own) = (config, scope.pp("encoder"));
        let n = c.block_out_channels.len();
        let (first, last) = (c.block_out_channels[0], c.block_out_channels[n - 1]);
        let moments = 2 * c.latent_channels;
        let conv =
            |name: &str, from, to| Conv2d::new(cx, &own.pp(name), ConvShape::same(from, to, 3));
        let norm = own.pp("conv_norm_out");
        Ok(Self {
            conv_in: conv("conv_in", c.in_channels, first)?,
            down_blocks: each(cx, n, |i| Block::down(cx, &own, c, i))?,
            mid_block: MidBlock::new(cx, &own, c)?,
            conv_norm_out: GroupNorm::new(&norm, c.norm_num_groups, last, EPS)?,
            conv_out: conv("conv_out", last, moments)?,
            quant_conv: c
                .use_quant_conv
                .then(|| Linear::conv1x1(cx, &scope.pp("quant_conv"), moments, moments))
                .transpose()?,
            config: config.clone(),
        })
    }

    /// What it was made from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        let down: usize = self.down_blocks.iter().map(Block::bytes).sum();
        let ends = self.conv_in.bytes() + self.conv_norm_out.bytes() + self.conv_out.bytes();
        let quant = self.quant_conv.as_ref().map_or(0, Linear::bytes);
        down + self.mid_block.bytes() + ends + quant
    }

    /// What a pass over `batch` pictures of this size takes, see
    /// [`super::UNet2DConditionModel::cost`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::Argument`] for a size of zero.
    pub fn cost(&self, cx: &Context, batch: usize, height: usize, width: usize) -> Result<Cost> {
        let shape = [batch, self.config.in_channels, height, width];
        cost(cx, shape, |run, x| self.encode(run, x).map(drop))
    }

    /// The latents' distribution of `image`, `[batch, in_channels, height, width]` in −1 to 1; height
    /// and width should be multiples of [`Config::scale`]. Not yet scaled by
    /// [`Config::scaling_factor`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::Argument`] when the shape does not fit or there is not even one latent; what
    /// stops the pass, see [`Run::write`].
    pub fn encode(&self, run: &Run, image: &Tensor) -> Result<Moments> {
        let c = &self.config;
        let shape = [None, Some(c.in_channels), None, None];
        let [.., height, width] = input("picture", image, shape)?;
        if height.min(width) < c.scale() {
            let (shape, least) = (image.dims(), c.scale());
            return Err(Error::new(
                ErrorKind::Argument,
                format!(
                    "the picture has shape {shape:?}, expected {least} pixels or more each way"
                ),
            ));
        }
        let h = one_by_one(run, image, |image| self.moments(run, image))?;
        let [batch, _, height, width] = input("moments", &h, [None; 4])?;
        let shape = [batch, c.latent_channels, height, width];
        let len = c.latent_channels * height * width;
        // A picture's means, then its variances.
        let part = |second: usize, f: fn(f32) -> f32| {
            run.write(&shape, |out| {
                let h = values(&h)?;
                for (i, out) in out.chunks_exact_mut(len).enumerate() {
                    let from = &h[(2 * i + second) * len..][..len];
                    out.iter_mut().zip(from).for_each(|(o, x)| *o = f(*x));
                }
                Ok(())
            })
        };
        Ok(Moments {
            mean: part(0, |x| x)?.into_tensor(),
            logvar: part(1, |x| x.clamp(-30.0, 20.0))?.into_tensor(),
        })
    }

    /// Means and variances of one picture, `[1, 2 · latent_channels, …]`.
    fn moments(&self, run: &Run, image: &Tensor) -> Result<Act> {
        let mut h = self.entry(run, image)?;
        for block in &self.down_blocks {
            h = block.forward(run, h)?;
        }
        let h = self.mid_block.forward(run, h.into_act(run)?)?;
        to_planes(run, &*self.exit(run, h)?)
    }

    /// One picture as the first level takes it.
    fn entry(&self, run: &Run, image: &Tensor) -> Result<Bands> {
        let image = Bands::whole(to_channels_last(run, image)?)?;
        self.conv_in
            .forward_bands(run, image, &Through::Nothing, None)
    }

    /// Means and variances of what the middle made, channels last.
    fn exit(&self, run: &Run, h: Act) -> Result<Act> {
        let mut h = self
            .conv_norm_out
            .forward(run, &h, None, Activation::Silu)?;
        h = self.conv_out.forward(run, &h, Extra::NONE)?;
        if let Some(quant_conv) = &self.quant_conv {
            h = quant_conv.forward(run, &h, Extra::NONE)?;
        }
        Ok(h)
    }
}

/// `post_quant_conv` and `decoder.*`.
pub struct Decoder {
    config: Config,
    post_quant_conv: Option<Linear>,
    conv_in: Conv2d,
    mid_block: MidBlock,
    up_blocks: Vec<Block>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Decoder {
    /// Reads and packs the decoder's weights; `scope` is that of the whole model.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(cx: &Context, scope: &Scope, config: &Config) -> Result<Self> {
        let (c, own) = (config, scope.pp("decoder"));
        let n = c.block_out_channels.len();
        let (first, last) = (c.block_out_channels[0], c.block_out_channels[n - 1]);
        let z = c.latent_channels;
        let conv =
            |name: &str, from, to| Conv2d::new(cx, &own.pp(name), ConvShape::same(from, to, 3));
        let norm = own.pp("conv_norm_out");
        Ok(Self {
            post_quant_conv: c
                .use_post_quant_conv
                .then(|| Linear::conv1x1(cx, &scope.pp("post_quant_conv"), z, z))
                .transpose()?,
            conv_in: conv("conv_in", z, last)?,
            mid_block: MidBlock::new(cx, &own, c)?,
            up_blocks: each(cx, n, |i| Block::up(cx, &own, c, i))?,
            conv_norm_out: GroupNorm::new(&norm, c.norm_num_groups, first, EPS)?,
            conv_out: conv("conv_out", first, c.out_channels)?,
            config: config.clone(),
        })
    }

    /// What it was made from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        let up: usize = self.up_blocks.iter().map(Block::bytes).sum();
        let ends = self.conv_in.bytes() + self.conv_norm_out.bytes() + self.conv_out.bytes();
        let quant = self.post_quant_conv.as_ref().map_or(0, Linear::bytes);
        up + self.mid_block.bytes() + ends + quant
    }

    /// What a pass over `batch` latents of this size takes, see
    /// [`super::UNet2DConditionModel::cost`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::Argument`] for a size of zero.
    pub fn cost(&self, cx: &Context, batch: usize, height: usize, width: usize) -> Result<Cost> {
        let shape = [batch, self.config.latent_channels, height, width];
        cost(cx, shape, |run, x| self.decode(run, x).map(drop))
    }

    /// The picture of `latents`, `[batch, latent_channels, height, width]`, already divided by
    /// [`Config::scaling_factor`]: `[batch, out_channels, scale · height, scale · width]`, about −1
    /// to 1, not clamped.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Argument`] when the shape does not fit; what stops the pass, see
    /// [`Run::write`].
    pub fn decode(&self, run: &Run, latents: &Tensor) -> Result<Tensor> {
        let c = &self.config;
        let shape = [None, Some(c.latent_channels), None, None];
        input("latents", latents, shape)?;
        let pictures = one_by_one(run, latents, |x| self.picture(run, x))?;
        Ok(pictures.into_tensor())
    }

    /// One picture, `[1, out_channels, …]`.
    fn picture(&self, run: &Run, latents: &Tensor) -> Result<Act> {
        let mut h = Bands::whole(self.middle(run, latents)?)?;
        for block in &self.up_blocks {
            h = block.forward(run, h)?;
        }
        to_planes(run, &*self.exit(run, h)?)
    }

    /// What the middle makes of one picture's latents.
    fn middle(&self, run: &Run, latents: &Tensor) -> Result<Act> {
        let mut h = to_channels_last(run, latents)?;
        if let Some(post_quant_conv) = &self.post_quant_conv {
            h = post_quant_conv.forward(run, &h, Extra::NONE)?;
        }
        h = self.conv_in.forward(run, &h, Extra::NONE)?;
        self.mid_block.forward(run, h)
    }

    /// The picture of what the last level made, channels last.
    fn exit(&self, run: &Run, mut h: Bands) -> Result<Act> {
        let norm = Through::Norm(self.conv_norm_out.lines(run, &h)?, Activation::Silu);
        h = self.conv_out.forward_bands(run, h, &norm, None)?;
        h.into_act(run)
    }
}

/// `pass` of each picture of a batch: of two at a time nothing would be faster, and all twice as large.
fn one_by_one(run: &Run, x: &Tensor, pass: impl Fn(&Tensor) -> Result<Act>) -> Result<Act> {
    let batch = x.dims().first().copied().unwrap_or(0);
    let made: Result<Vec<Act>> = (0..batch).map(|i| pass(&picture(x, i)?)).collect();
    stack(run, made?)
}

/// Counts a pass over an input of this shape, which itself does not count.
fn cost(
    cx: &Context,
    shape: [usize; 4],
    pass: impl FnOnce(&Run, &Tensor) -> Result<()>,
) -> Result<Cost> {
    let arena = Arena::counting();
    let run = Run::new(cx, &arena);
    let outside = Run::new(cx, &Arena::counting()).write(&shape, |_| Ok(()))?;
    pass(&run, &outside)?;
    Ok(Cost {
        flops: run.flops(),
        bytes: arena.peak(),
    })
}
