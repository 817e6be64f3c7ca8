//! Residual blocks that are told a level for each pixel, and attention.
#![forbid(unsafe_code)]

use super::Config;
use crate::error::Result;
use crate::kernels::{Activation, Context, ConvShape, Mixed};
use crate::nn::{
    Act, Attention, AttentionConfig, Conv2d, Extra, GroupNorm, LevelMap, Linear, Run, Tensor,
    average_pool, misfit, pair, upsample_nearest,
};
use crate::weights::Scope;
use std::cell::RefCell;
use std::rc::Rc;

/// What a picture's pixels are made of.
type Pixels = Rc<[Mixed]>;

/// What every residual block is told besides its picture.
pub(super) struct Conditioning<'a> {
    /// The embedding of each level that there is, after its SiLU: `[levels, channels]`.
    pub embedding: &'a Tensor,
    /// Where which level is.
    pub map: &'a LevelMap,
    /// For each size that was asked for.
    scaled: RefCell<Vec<((usize, usize), Pixels)>>,
}

impl<'a> Conditioning<'a> {
    pub fn new(embedding: &'a Tensor, map: &'a LevelMap) -> Self {
        Self {
            embedding,
            map,
            scaled: Default::default(),
        }
    }

    /// [`LevelMap::scaled`], once for each size.
    fn pixels(&self, height: usize, width: usize) -> Result<Pixels> {
        let mut all = self.scaled.borrow_mut();
        if let Some((_, here)) = all.iter().find(|(size, _)| *size == (height, width)) {
            return Ok(here.clone());
        }
        let made: Pixels = self.map.scaled(height, width)?.into();
        all.push(((height, width), made.clone()));
        Ok(made)
    }
}

/// What a residual block does to its picture's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resample {
    /// Nothing.
    Keep,
    /// The mean of two by two.
    Down,
    /// Each pixel two by two.
    Up,
}

impl Resample {
    /// The picture so, and nothing where it stays as it is.
    fn of(self, run: &Run, x: &Tensor) -> Result<Option<Act>> {
        let [_, height, width, _] = *x.dims() else {
            return Err(misfit("a residual block", "a picture", x.dims()));
        };
        match self {
            Self::Keep => Ok(None),
            Self::Down => average_pool(run, x).map(Some),
            Self::Up => upsample_nearest(run, x, 2 * height, 2 * width).map(Some),
        }
    }
}

/// ADM's residual block with a level for each pixel: `norm1`, SiLU, resampling, `conv1`; `norm2` · (1 + scale) +
/// shift, with both from `time_emb_proj` of the pixel's level; SiLU, `conv2`; plus the input, resampled and
/// where the number of channels changes through `conv_shortcut`.
pub(super) struct ResBlock {
    resample: Resample,
    norm1: GroupNorm,
    conv1: Conv2d,
    time_emb_proj: Linear,
    norm2: GroupNorm,
    conv2: Conv2d,
    conv_shortcut: Option<Linear>,
}

impl ResBlock {
    pub fn new(
        cx: &Context,
        scope: &Scope,
        config: &Config,
        resample: Resample,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self> {
        let (groups, eps) = (config.norm_num_groups, config.norm_eps);
        let conv = |name: &str, inputs| {
            Conv2d::new(cx, &scope.pp(name), ConvShape::same(inputs, outputs, 3))
        };
        let (conv1, conv2) = pair(cx, || conv("conv1", inputs), || conv("conv2", outputs))?;
        let norm = |name: &str, channels| GroupNorm::new(&scope.pp(name), groups, channels, eps);
        let conv_shortcut = (inputs != outputs)
            .then(|| Linear::conv1x1(cx, &scope.pp("conv_shortcut"), outputs, inputs))
            .transpose()?;
        Ok(Self {
            resample,
            norm1: norm("norm1", inputs)?,
            conv1,
            time_emb_proj: Linear::precise(
                cx,
                &scope.pp("time_emb_proj"),
                2 * outputs,
                config.time_embed_dim(),
            )?,
            norm2: norm("norm2", outputs)?,
            conv2,
            conv_shortcut,
        })
    }

    pub fn bytes(&self) -> usize {
        let shortcut = self.conv_shortcut.as_ref().map_or(0, Linear::bytes);
        let norms = self.norm1.bytes() + self.norm2.bytes();
        self.conv1.bytes() + self.conv2.bytes() + norms + self.time_emb_proj.bytes() + shortcut
    }

    /// `[1, height, width, inputs]` to `[1, height', width', outputs]`.
    pub fn forward(&self, run: &Run, x: &Tensor, given: &Conditioning) -> Result<Act> {
        let mut h = self.norm1.forward(run, x, None, Activation::Silu)?;
        if let Some(resampled) = self.resample.of(run, &h)? {
            h = resampled;
        }
        // Assigned and not shadowed: what it was goes back to the arena at once.
        h = self.conv1.forward(run, &h, Extra::NONE)?;
        let [_, height, width, _] = *h.dims() else {
            return Err(misfit("a residual block", "a picture", h.dims()));
        };
        let table = self
            .time_emb_proj
            .forward(run, given.embedding, Extra::NONE)?;
        let pixels = given.pixels(height, width)?;
        h = self
            .norm2
            .forward_mixed(run, &h, table, &pixels, Activation::Silu)?;
        let resampled = self.resample.of(run, x)?;
        let x: &Tensor = resampled.as_deref().unwrap_or(x);
        match &self.conv_shortcut {
            Some(conv) => {
                let shortcut = conv.forward(run, x, Extra::NONE)?;
                self.conv2.forward(run, &h, Extra::add(&shortcut))
            }
            None => self.conv2.forward(run, &h, Extra::add(x)),
        }
    }
}

/// ADM's attention: `group_norm`, then [`Attention`] to itself, plus its input.
pub(super) struct Attends {
    /// diffusers leaves it out of the middle where `attn_norm_num_groups` is not set.
    group_norm: Option<GroupNorm>,
    attention: Attention,
}

impl Attends {
    pub fn new(cx: &Context, scope: &Scope, config: &Config, channels: usize) -> Result<Self> {
        let dim_head = config.head_dim(channels);
        let norm = scope.pp("group_norm");
        let group_norm = norm
            .has("weight")
            .then(|| GroupNorm::new(&norm, config.norm_num_groups, channels, config.norm_eps))
            .transpose()?;
        let config = AttentionConfig {
            query_dim: channels,
            cross_attention_dim: None,
            heads: channels / dim_head.max(1),
            dim_head,
            bias: true,
        };
        Ok(Self {
            group_norm,
            attention: Attention::new(cx, scope, &config)?,
        })
    }

    pub fn bytes(&self) -> usize {
        self.group_norm.as_ref().map_or(0, GroupNorm::bytes) + self.attention.bytes()
    }

    /// `[1, height, width, channels]` to the same.
    pub fn forward(&self, run: &Run, x: Act) -> Result<Act> {
        match &self.group_norm {
            Some(norm) => {
                let n = norm.forward(run, &x, None, Activation::None)?;
                self.attention.forward(run, n, &x, &x)
            }
            None => {
                let shape = x.dims().to_vec();
                let copy = run.write(&shape, |out| {
                    out.copy_from_slice(&crate::nn::values(&x)?);
                    Ok(())
                })?;
                self.attention.forward(run, copy, &x, &x)
            }
        }
    }
}
