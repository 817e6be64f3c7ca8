//! diffusers' `UNet2DConditionModel`: the network that a diffusion model runs at every step, as in
//! Stable Diffusion 1.x and 2.x, their inpainting variants and LCM.
#![forbid(unsafe_code)]

mod blocks;
mod config;
mod layers;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use layers::{Check, Streamed, layers};

use crate::error::{Error, ErrorKind, Result};
use crate::kernels::{Activation, Context, ConvShape};
use crate::models::skips::last;
use crate::models::{Cost, input};
use crate::nn::{
    Act, Arena, Conv2d, Extra, GroupNorm, Run, TimestepEmbedding, Timesteps, Transformer2DConfig,
    each, pair, to_channels_last, to_planes,
};
use crate::weights::Scope;
use blocks::{Conditioning, DownBlock, Level, MidBlock, UpBlock};
use candle_core::Tensor;
use layers::Origin;

/// The network, its weights packed.
pub struct UNet2DConditionModel {
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

impl UNet2DConditionModel {
    /// Reads and packs the weights, on all threads of the caller's pool.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(cx: &Context, scope: &Scope, config: Config) -> Result<Self> {
        let origin = Origin {
            cx,
            scope: scope.clone(),
            streamed: None,
            check: &|| Ok(()),
        };
        Self::build(&origin, config)
    }

    /// As [`Self::new`], but for the layers that each pass, or the first one, is to read: it must be called
    /// with a context that packs as `cx` does, and fails with
    /// [`ErrorKind::Model`] where the file was changed or cut short meanwhile. `check` is called before
    /// each layer that is read now, for cancelling.
    ///
    /// # Errors
    /// As [`Self::new`]; what `check` returned.
    pub fn streaming(
        cx: &Context,
        streamed: &Streamed,
        config: Config,
        check: &Check,
    ) -> Result<Self> {
        let origin = Origin {
            cx,
            scope: streamed.weights.root(),
            streamed: Some(streamed),
            check,
        };
        Self::build(&origin, config)
    }

    fn build(origin: &Origin, config: Config) -> Result<Self> {
        let (cx, scope) = (origin.cx, &origin.scope);
        let c = &config;
        let channels = &c.block_out_channels;
        let (n, lowest) = (channels.len(), channels.len() - 1);
        let level = |i: usize, layers: usize| Level {
            temb_channels: c.time_embed_dim(),
            groups: c.norm_num_groups,
            eps: c.norm_eps,
            transformer: Some(Transformer2DConfig {
                heads: c.heads[i],
                dim_head: channels[i] / c.heads[i],
                layers,
                cross_attention_dim: c.cross_attention_dim,
                groups: c.norm_num_groups,
                use_linear_projection: c.use_linear_projection,
            }),
        };
        let only = |attends: bool, level: Level| Level {
            transformer: level.transformer.filter(|_| attends),
            ..level
        };
        let down = |i: usize| {
            let origin = origin.pp("down_blocks").pp(i);
            let level = level(i, c.transformer_layers_per_block[i]);
            let level = only(c.down_attention[i], level);
            let from = channels[i.saturating_sub(1)];
            let layers = c.layers_per_block[i];
            DownBlock::new(&origin, &level, (from, channels[i]), layers, i == lowest)
        };
        let up = |i: usize| {
            let (origin, at) = (origin.pp("up_blocks").pp(i), lowest - i);
            let level = level(at, c.up_transformer_layers_per_block[i]);
            let level = only(c.up_attention[i], level);
            let from = channels[(at + 1).min(lowest)];
            let io = (from, channels[at], channels[at.saturating_sub(1)]);
            let layers = c.layers_per_block[at] + 1;
            UpBlock::new(&origin, &level, io, layers, i == lowest)
        };
        let ((down_blocks, up_blocks), mid_block) = pair(
            cx,
            || pair(cx, || each(cx, n, down), || each(cx, n, up)),
            || {
                let level = level(lowest, c.transformer_layers_per_block[lowest]);
                MidBlock::new(&origin.pp("mid_block"), &level, channels[lowest])
            },
        )?;
        let (first, groups) = (channels[0], c.norm_num_groups);
        let conv =
            |name: &str, from, to| Conv2d::new(cx, &scope.pp(name), ConvShape::same(from, to, 3));
        Ok(Self {
            conv_in: conv("conv_in", c.in_channels, first)?,
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
                c.time_cond_proj_dim,
            )?,
            down_blocks,
            mid_block,
            up_blocks,
            conv_norm_out: GroupNorm::new(&scope.pp("conv_norm_out"), groups, first, c.norm_eps)?,
            conv_out: conv("conv_out", first, c.out_channels)?,
            config,
        })
    }

    /// What it was made from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Bytes of the packed weights that are held.
    pub fn bytes(&self) -> usize {
        let down: usize = self.down_blocks.iter().map(DownBlock::bytes).sum();
        let up: usize = self.up_blocks.iter().map(UpBlock::bytes).sum();
        let ends = self.conv_in.bytes() + self.conv_norm_out.bytes() + self.conv_out.bytes();
        down + self.mid_block.bytes() + up + ends + self.time_embedding.bytes()
    }

    /// What a pass over `batch` latents of this size with `tokens` of text takes: counted by going
    /// through it, computing nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for a size of zero.
    pub fn cost(
        &self,
        cx: &Context,
        batch: usize,
        height: usize,
        width: usize,
        tokens: usize,
    ) -> Result<Cost> {
        let arena = Arena::counting();
        let (inputs, run) = (Arena::counting(), Run::new(cx, &arena));
        // The caller's own are not counted.
        let outside = Run::new(cx, &inputs);
        let sample = outside.write(&[batch, self.config.in_channels, height, width], |_| Ok(()))?;
        let text = self.config.cross_attention_dim;
        let states = outside.write(&[batch, tokens, text], |_| Ok(()))?;
        self.forward(&run, &sample, &[0.0], &states)?;
        Ok(Cost {
            flops: run.flops(),
            bytes: arena.peak(),
        })
    }

    /// What the model predicts of `sample`, `[batch, in_channels, height, width]`, at `timesteps`,
    /// one for all or one for each, 0 to 999: `[batch, out_channels, height, width]`.
    /// `encoder_hidden_states` is the text, `[batch, tokens, cross_attention_dim]`.
    ///
    /// Sizes that the levels halve without a remainder, multiples of 8 for four levels, are what
    /// models were trained with; others work as in the reference.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when a shape does not fit; what stops the pass, see [`Run::write`].
    pub fn forward(
        &self,
        run: &Run,
        sample: &Tensor,
        timesteps: &[f32],
        encoder_hidden_states: &Tensor,
    ) -> Result<Tensor> {
        self.forward_conditioned(run, sample, timesteps, encoder_hidden_states, None)
    }

    /// As [`Self::forward`], for models that are told their guidance: `timestep_cond` is `[batch,
    /// time_cond_proj_dim]`, and left alone by models that are not.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn forward_conditioned(
        &self,
        run: &Run,
        sample: &Tensor,
        timesteps: &[f32],
        encoder_hidden_states: &Tensor,
        timestep_cond: Option<&Tensor>,
    ) -> Result<Tensor> {
        let states = encoder_hidden_states;
        let temb = self.embedding(run, sample, timesteps, states, timestep_cond)?;
        let given = Conditioning {
            temb: &temb,
            states,
        };
        let mut skips = vec![self.entry(run, sample)?];
        for block in &self.down_blocks {
            block.forward(run, &mut skips, &given)?;
        }
        let mut h = self.mid_block.forward(run, last(&skips)?, &given)?;
        for block in &self.up_blocks {
            h = block.forward(run, h, &mut skips, &given)?;
        }
        self.exit(run, h)
    }

    /// Checks the inputs and embeds the times: `[batch, width]`, through the SiLU that all residual blocks
    /// take it through.
    fn embedding(
        &self,
        run: &Run,
        sample: &Tensor,
        timesteps: &[f32],
        states: &Tensor,
        timestep_cond: Option<&Tensor>,
    ) -> Result<Act> {
        let c = &self.config;
        let [batch, ..] = input("latents", sample, [None, Some(c.in_channels), None, None])?;
        let text = Some(c.cross_attention_dim);
        input("text's embedding", states, [Some(batch), None, text])?;
        if let Some(cond) = timestep_cond {
            input("guidance", cond, [Some(batch), c.time_cond_proj_dim])?;
        }
        let times: Vec<f32> = match timesteps {
            [t] => vec![*t; batch],
            all if all.len() == batch => all.to_vec(),
            all => {
                return Err(Error::new(
                    ErrorKind::Argument,
                    format!(
                        "{} timesteps for {batch} latents; give one or {batch}",
                        all.len()
                    ),
                ));
            }
        };

        let t_emb = self.time_proj.forward(run, &times)?;
        self.time_embedding
            .forward(run, &t_emb, timestep_cond, Activation::Silu)
    }

    /// The latents as the first level takes them.
    fn entry(&self, run: &Run, sample: &Tensor) -> Result<Act> {
        let x = to_channels_last(run, sample)?;
        self.conv_in.forward(run, &x, Extra::NONE)
    }

    /// What the last level made, as latents.
    fn exit(&self, run: &Run, h: Act) -> Result<Tensor> {
        let n = self
            .conv_norm_out
            .forward(run, &h, None, Activation::Silu)?;
        drop(h);
        let out = self.conv_out.forward(run, &n, Extra::NONE)?;
        drop(n);
        Ok(to_planes(run, &out)?.into_tensor())
    }
}
