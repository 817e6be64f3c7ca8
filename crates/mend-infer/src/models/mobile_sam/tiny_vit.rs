//! The encoder: convolutions, then attention within windows, to 1/16 of the frame.
#![forbid(unsafe_code)]

use super::{told, unfit};
use crate::error::Result;
use crate::kernels::{Activation, Bias, Context, ConvShape};
use crate::memory::filled;
use crate::nn::{
    Act, Columns, Conv2d, Extra, Heads, LayerNorm, Linear, Run, Windows, attend_biased, each,
    from_vec, values,
};
use crate::weights::Scope;
use candle_core::Tensor;

/// Of the batch normalisations, and of the layers' inside of the stages.
const EPS: f32 = 1e-5;
/// Of the neck's.
const NECK_EPS: f32 = 1e-6;
/// Rows that a block of the first stage works on together: what is between its convolutions is four
/// times as wide as the picture, and never whole.
const BAND: usize = 32;
/// The last stage works at the size of the one before.
const STRIDES: [usize; 3] = [2, 2, 1];

/// A convolution and its batch normalisation: `c` and `bn`.
fn conv(cx: &Context, scope: &Scope, shape: ConvShape) -> Result<Conv2d> {
    Conv2d::with_batch_norm(cx, &scope.pp("c"), &scope.pp("bn"), f64::from(EPS), shape)
}

fn depthwise(channels: usize, stride: usize) -> ConvShape {
    ConvShape {
        groups: channels,
        stride: (stride, stride),
        ..ConvShape::same(channels, channels, 3)
    }
}

fn gelu<'a>() -> Extra<'a> {
    Extra::activation(Activation::Gelu)
}

/// The network.
pub struct TinyVit {
    patch: [Conv2d; 2],
    stages: Vec<Stage>,
    neck: (Conv2d, LayerNorm, Conv2d, LayerNorm),
}

struct Stage {
    blocks: Vec<Block>,
    downsample: Option<[Conv2d; 3]>,
}

enum Block {
    Conv(Box<MbConv>),
    Window(Box<WindowBlock>),
}

/// gelu(x + conv3(gelu(conv2(gelu(conv1(x)))))), conv2 depthwise.
struct MbConv {
    conv1: Conv2d,
    conv2: Conv2d,
    conv3: Conv2d,
}

struct WindowBlock {
    attention: WindowAttention,
    local: Conv2d,
    norm: LayerNorm,
    fc1: Linear,
    fc2: Linear,
}

/// Attention within windows, with a bias for how far apart a query and a key are.
struct WindowAttention {
    side: usize,
    heads: usize,
    dim: usize,
    norm: LayerNorm,
    qkv: Linear,
    proj: Linear,
    bias: Bias,
    /// What the norm makes of the zeros that fill the outermost windows up.
    beyond: Tensor,
}

impl TinyVit {
    /// Reads the weights.
    pub fn new(cx: &Context, scope: &Scope) -> Result<Self> {
        let seq = |i: usize| scope.pp("patch_embed.seq").pp(i);
        let [first, colours, ..] = told::<4>(&seq(0), "c.weight")?;
        let [mut width, ..] = told::<4>(&seq(2), "c.weight")?;
        if colours != 3 {
            return Err(unfit(scope, "it does not read colours"));
        }
        let half = |inputs, outputs| ConvShape {
            stride: (2, 2),
            ..ConvShape::same(inputs, outputs, 3)
        };
        let patch = [
            conv(cx, &seq(0), half(3, first))?,
            conv(cx, &seq(2), half(first, width))?,
        ];
        let mut stages = Vec::new();
        for i in 0..=STRIDES.len() {
            let own = scope.pp("layers").pp(i);
            stages.push(Stage::new(cx, &own, i, &mut width)?);
        }
        let neck = scope.pp("neck");
        let [out, ..] = told::<4>(&neck, "0.weight")?;
        let last = ConvShape::same(out, out, 3);
        Ok(Self {
            patch,
            stages,
            neck: (
                Conv2d::without_bias(cx, &neck.pp(0), ConvShape::same(width, out, 1))?,
                LayerNorm::new(&neck.pp(1), out, NECK_EPS)?,
                Conv2d::without_bias(cx, &neck.pp(2), last)?,
                LayerNorm::new(&neck.pp(3), out, NECK_EPS)?,
            ),
        })
    }

    /// Channels of the result.
    pub fn outputs(&self) -> usize {
        self.neck.2.shape().outputs
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        let conv = |all: &[Conv2d]| all.iter().map(Conv2d::bytes).sum::<usize>();
        let stages: usize = self.stages.iter().map(Stage::bytes).sum();
        let (first, norm, last, norm2) = &self.neck;
        let neck = first.bytes() + norm.bytes() + last.bytes() + norm2.bytes();
        conv(&self.patch) + stages + neck
    }

    /// `[1, side, side, 3]`, normalised, to `[1, side / 16, side / 16, outputs]`.
    pub fn forward(&self, run: &Run, x: Act) -> Result<Act> {
        let mut x = self.patched(run, x)?;
        for stage in &self.stages {
            x = stage.forward(run, x)?;
        }
        self.neck(run, x)
    }

    pub(super) fn patched(&self, run: &Run, x: Act) -> Result<Act> {
        let h = self.patch[0].forward(run, &x, gelu())?;
        drop(x);
        self.patch[1].forward(run, &h, Extra::NONE)
    }

    #[cfg(test)]
    pub(super) fn stage(&self, run: &Run, i: usize, x: Act) -> Result<Act> {
        self.stages[i].forward(run, x)
    }

    pub(super) fn neck(&self, run: &Run, x: Act) -> Result<Act> {
        let (first, norm, last, norm2) = &self.neck;
        let x = first.forward(run, &x, Extra::NONE)?;
        let x = norm.forward(run, &x)?;
        let x = last.forward(run, &x, Extra::NONE)?;
        norm2.forward(run, &x)
    }
}

impl Stage {
    /// Stage `i`; `width` is what it gets, then what it gives.
    fn new(cx: &Context, scope: &Scope, i: usize, width: &mut usize) -> Result<Self> {
        let (channels, blocks) = (*width, scope.pp("blocks"));
        let probe = if i == 0 {
            "conv1.c.weight"
        } else {
            "attn.qkv.weight"
        };
        let depth = (0..).take_while(|n| blocks.pp(n).has(probe)).count();
        let blocks = each(cx, depth, |n| {
            let own = blocks.pp(n);
            Ok(match i {
                0 => Block::Conv(Box::new(MbConv::new(cx, &own, channels)?)),
                _ => Block::Window(Box::new(WindowBlock::new(cx, &own, channels)?)),
            })
        })?;
        let mut downsample = None;
        if let Some(stride) = STRIDES.get(i) {
            let own = scope.pp("downsample");
            let [out, ..] = told::<4>(&own, "conv1.c.weight")?;
            downsample = Some([
                conv(cx, &own.pp("conv1"), ConvShape::same(channels, out, 1))?,
                conv(cx, &own.pp("conv2"), depthwise(out, *stride))?,
                conv(cx, &own.pp("conv3"), ConvShape::same(out, out, 1))?,
            ]);
            *width = out;
        }
        Ok(Self { blocks, downsample })
    }

    fn bytes(&self) -> usize {
        let blocks = self.blocks.iter().map(|block| match block {
            Block::Conv(b) => b.conv1.bytes() + b.conv2.bytes() + b.conv3.bytes(),
            Block::Window(b) => b.bytes(),
        });
        let down = self.downsample.iter().flatten().map(Conv2d::bytes);
        blocks.sum::<usize>() + down.sum::<usize>()
    }

    fn forward(&self, run: &Run, mut x: Act) -> Result<Act> {
        for block in &self.blocks {
            x = match block {
                Block::Conv(b) => b.forward(run, x)?,
                Block::Window(b) => b.forward(run, x)?,
            };
        }
        let Some([conv1, conv2, conv3]) = &self.downsample else {
            return Ok(x);
        };
        let h = conv1.forward(run, &x, gelu())?;
        drop(x);
        let h = conv2.forward(run, &h, gelu())?;
        conv3.forward(run, &h, Extra::NONE)
    }
}

impl MbConv {
    fn new(cx: &Context, scope: &Scope, channels: usize) -> Result<Self> {
        let [inner, ..] = told::<4>(scope, "conv1.c.weight")?;
        let point = |i, o| ConvShape::same(i, o, 1);
        Ok(Self {
            conv1: conv(cx, &scope.pp("conv1"), point(channels, inner))?,
            conv2: conv(cx, &scope.pp("conv2"), depthwise(inner, 1))?,
            conv3: conv(cx, &scope.pp("conv3"), point(inner, channels))?,
        })
    }

    fn forward(&self, run: &Run, x: Act) -> Result<Act> {
        let shape = x.dims().to_vec();
        let [_, height, width, channels] = shape[..] else {
            return Err(crate::nn::misfit("a block", "a picture", x.dims()));
        };
        let line = width * channels;
        let y = run.write(&shape, |_| Ok(()))?;
        for first in (0..height).step_by(BAND) {
            let end = (first + BAND).min(height);
            // With a row above and below, which the depthwise convolution sees.
            let (from, to) = (first.saturating_sub(1), (end + 1).min(height));
            let part = |from: usize, to: usize| {
                let part = x.narrow(1, from, to - from);
                part.map_err(crate::nn::defect)
            };
            let h = self.conv1.forward(run, &part(from, to)?, gelu())?;
            let top = usize::from(first == 0);
            let rows = end - first;
            let h = self.conv2.forward_between(run, &h, (top, rows), gelu())?;
            let own = part(first, end)?;
            let extra = Extra {
                before: Some(&own),
                ..gelu()
            };
            let h = self.conv3.forward(run, &h, extra)?;
            if !run.arena().is_counting() {
                run.rewrite(&y, |y| {
                    y[first * line..end * line].copy_from_slice(&values(&h)?);
                    Ok(())
                })?;
            }
        }
        Ok(y)
    }
}

impl WindowBlock {
    fn new(cx: &Context, scope: &Scope, channels: usize) -> Result<Self> {
        let mlp = scope.pp("mlp");
        let [inner, _] = told::<2>(&mlp, "fc1.weight")?;
        Ok(Self {
            attention: WindowAttention::new(cx, &scope.pp("attn"), channels)?,
            local: conv(cx, &scope.pp("local_conv"), depthwise(channels, 1))?,
            norm: LayerNorm::new(&mlp.pp("norm"), channels, EPS)?,
            fc1: Linear::new(cx, &mlp.pp("fc1"), inner, channels)?,
            fc2: Linear::new(cx, &mlp.pp("fc2"), channels, inner)?,
        })
    }

    fn bytes(&self) -> usize {
        let a = &self.attention;
        let attention = a.norm.bytes() + a.qkv.bytes() + a.proj.bytes() + a.bias.bytes();
        let mlp = self.norm.bytes() + self.fc1.bytes() + self.fc2.bytes();
        attention + self.local.bytes() + mlp
    }

    fn forward(&self, run: &Run, x: Act) -> Result<Act> {
        let x = self.attention.forward(run, x)?;
        let x = self.local.forward(run, &x, Extra::NONE)?;
        let h = self.norm.forward(run, &x)?;
        let h = self.fc1.forward(run, &h, gelu())?;
        self.fc2.forward(run, &h, Extra::add(&x))
    }
}

impl WindowAttention {
    fn new(cx: &Context, scope: &Scope, channels: usize) -> Result<Self> {
        let [heads, places] = told::<2>(scope, "attention_biases")?;
        let side = places.isqrt();
        // Larger windows than any that is published are no such network.
        if side * side != places || side > 64 || heads > channels || !channels.is_multiple_of(heads)
        {
            return Err(unfit(scope, "its windows or heads make no sense"));
        }
        let table = scope.get("attention_biases", &[heads, places])?;
        let table = table.into_f32()?;
        let each = side * side;
        let bias = Bias::new(cx, (heads, each, each), |head, query, key| {
            let down = (query / side).abs_diff(key / side);
            let across = (query % side).abs_diff(key % side);
            table[head * places + down * side + across]
        })?;
        let norm = scope.pp("norm");
        let beyond = norm.get("bias", &[channels])?.into_f32()?;
        Ok(Self {
            side,
            heads,
            dim: channels / heads,
            norm: LayerNorm::new(&norm, channels, EPS)?,
            qkv: by_kind(cx, &scope.pp("qkv"), (heads, channels))?,
            proj: Linear::new(cx, &scope.pp("proj"), channels, channels)?,
            bias,
            beyond: from_vec(beyond, &[1, channels])?,
        })
    }

    /// The result plus `x`.
    fn forward(&self, run: &Run, x: Act) -> Result<Act> {
        let [_, height, width, _] = *x.dims() else {
            return Err(crate::nn::misfit("attention", "a picture", x.dims()));
        };
        let windows = Windows {
            height,
            width,
            side: self.side,
        };
        let h = self.norm.forward(run, &x)?;
        // Before the picture is cut: what lies beyond it is the same everywhere.
        let h = self.qkv.forward(run, &h, Extra::NONE)?;
        let beyond = self.qkv.forward(run, &self.beyond, Extra::NONE)?;
        let h = windows.split(run, &h, &beyond)?;
        let heads = Heads {
            heads: self.heads,
            dim: self.dim,
            causal: false,
        };
        let channels = self.heads * self.dim;
        let [q, k, v] = [0, 1, 2].map(|i| Columns {
            tensor: &h,
            from: i * channels,
        });
        let attended = attend_biased(run, heads, Some(&self.bias), q, k, v)?;
        drop(h);
        let h = windows.join(run, &attended)?;
        self.proj.forward(run, &h, Extra::add(&x))
    }
}

/// The projection to queries, keys and values, all queries first: in the file each head has its own three
/// together.
fn by_kind(cx: &Context, scope: &Scope, (heads, channels): (usize, usize)) -> Result<Linear> {
    let weight = scope.get("weight", &[3 * channels, channels])?.into_f32()?;
    let bias = scope.get("bias", &[3 * channels])?.into_f32()?;
    let dim = channels / heads;
    let mut ordered = filled(weight.len(), 0f32, "a network's weights")?;
    let mut biases = filled(bias.len(), 0f32, "a network's weights")?;
    for row in 0..3 * channels {
        let (kind, head, i) = (row / channels, row % channels / dim, row % dim);
        let from = (head * 3 + kind) * dim + i;
        ordered[row * channels..][..channels]
            .copy_from_slice(&weight[from * channels..][..channels]);
        biases[row] = bias[from];
    }
    Linear::from_values(cx, &ordered, Some(&biases), 3 * channels, channels)
}
