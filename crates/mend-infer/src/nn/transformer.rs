//! Transformers over a picture's pixels.
#![forbid(unsafe_code)]

use super::{
    Act, Attention, AttentionConfig, Extra, FeedForward, GroupNorm, LayerNorm, Linear, Run,
};
use super::{each, pair};
use crate::error::Result;
use crate::kernels::{Activation, Context};
use crate::weights::Scope;
use candle_core::Tensor;

/// Of all layer norms; diffusers' default.
const LAYER_NORM_EPS: f32 = 1e-5;

/// Of the group norm at the entry (diffusers 0.42.1, `transformer_2d.py`).
const GROUP_NORM_EPS: f32 = 1e-6;

/// diffusers' `BasicTransformerBlock`: to itself, to the text, feed forward, each behind a norm and
/// added to its input.
pub struct BasicTransformerBlock {
    norm1: LayerNorm,
    attn1: Attention,
    norm2: LayerNorm,
    attn2: Attention,
    norm3: LayerNorm,
    ff: FeedForward,
}

impl BasicTransformerBlock {
    /// For `heads · dim_head` channels and a text of `cross_attention_dim`.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(
        cx: &Context,
        scope: &Scope,
        heads: usize,
        dim_head: usize,
        cross_attention_dim: usize,
    ) -> Result<Self> {
        let dim = heads * dim_head;
        let norm = |name: &str| LayerNorm::new(&scope.pp(name), dim, LAYER_NORM_EPS);
        let attention = |name: &str, cross_attention_dim| {
            let config = AttentionConfig {
                query_dim: dim,
                cross_attention_dim,
                heads,
                dim_head,
                bias: false,
            };
            Attention::new(cx, &scope.pp(name), &config)
        };
        let ((attn1, attn2), ff) = pair(
            cx,
            || {
                Ok((
                    attention("attn1", None)?,
                    attention("attn2", Some(cross_attention_dim))?,
                ))
            },
            || FeedForward::new(cx, &scope.pp("ff"), dim),
        )?;
        Ok(Self {
            norm1: norm("norm1")?,
            attn1,
            norm2: norm("norm2")?,
            attn2,
            norm3: norm("norm3")?,
            ff,
        })
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        let norms = self.norm1.bytes() + self.norm2.bytes() + self.norm3.bytes();
        norms + self.attn1.bytes() + self.attn2.bytes() + self.ff.bytes()
    }

    /// `[batch, …, channels]` to the same; `states` is the text, `[batch, tokens,
    /// cross_attention_dim]`.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward(&self, run: &Run, mut h: Act, states: &Tensor) -> Result<Act> {
        let n = self.norm1.forward(run, &h)?;
        // Assigned and not shadowed: what it was goes back to the arena at once.
        h = self.attn1.forward(run, n, states, &h)?;
        let n = self.norm2.forward(run, &h)?;
        h = self.attn2.forward(run, n, states, &h)?;
        let n = self.norm3.forward(run, &h)?;
        self.ff.forward(run, n, Some(&h))
    }
}

/// A transformer's channels and depth.
#[derive(Clone, Copy, Debug)]
pub struct Transformer2DConfig {
    /// Heads.
    pub heads: usize,
    /// Channels of a head; heads times this are the picture's channels.
    pub dim_head: usize,
    /// Blocks.
    pub layers: usize,
    /// Channels of the text.
    pub cross_attention_dim: usize,
    /// Groups of the norm.
    pub groups: usize,
    /// Whether `proj_in` and `proj_out` are stored as linear layers and not as 1×1 convolutions.
    pub use_linear_projection: bool,
}

/// diffusers' `Transformer2DModel`: `norm`, `proj_in`, `transformer_blocks`, `proj_out`, added to its
/// input.
pub struct Transformer2DModel {
    norm: GroupNorm,
    proj_in: Linear,
    transformer_blocks: Vec<BasicTransformerBlock>,
    proj_out: Linear,
}

impl Transformer2DModel {
    /// Reads a transformer.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(cx: &Context, scope: &Scope, config: &Transformer2DConfig) -> Result<Self> {
        let c = config;
        let dim = c.heads * c.dim_head;
        let project = |name: &str| {
            if c.use_linear_projection {
                Linear::new(cx, &scope.pp(name), dim, dim)
            } else {
                Linear::conv1x1(cx, &scope.pp(name), dim, dim)
            }
        };
        let blocks = scope.pp("transformer_blocks");
        Ok(Self {
            norm: GroupNorm::new(&scope.pp("norm"), c.groups, dim, GROUP_NORM_EPS)?,
            proj_in: project("proj_in")?,
            transformer_blocks: each(cx, c.layers, |i| {
                let scope = blocks.pp(i);
                BasicTransformerBlock::new(cx, &scope, c.heads, c.dim_head, c.cross_attention_dim)
            })?,
            proj_out: project("proj_out")?,
        })
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        let blocks = self.transformer_blocks.iter();
        let blocks: usize = blocks.map(BasicTransformerBlock::bytes).sum();
        self.norm.bytes() + self.proj_in.bytes() + blocks + self.proj_out.bytes()
    }

    /// `[batch, height, width, channels]` to the same; `states` is the text, `[batch, tokens,
    /// cross_attention_dim]`.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward(&self, run: &Run, x: &Tensor, states: &Tensor) -> Result<Act> {
        let mut h = {
            let n = self.norm.forward(run, x, None, Activation::None)?;
            self.proj_in.forward(run, &n, Extra::NONE)?
        };
        for block in &self.transformer_blocks {
            h = block.forward(run, h, states)?;
        }
        self.proj_out.forward(run, &h, Extra::add(x))
    }
}
