//! The coarse network: what to add to the smooth extension, and the features at stride 8.
#![forbid(unsafe_code)]

use super::{Coarse, Config};
use crate::error::Result;
use crate::kernels::{Activation, Context, ConvShape};
use crate::nn::{Act, Conv2d, Extra, Run, pixel_shuffle, pixel_unshuffle, upsample_bilinear};
use crate::nn::{each, misfit, values};
use crate::weights::Scope;
use candle_core::Tensor;

/// Channels of the input: the picture and the hole.
const INPUTS: usize = 4;
/// Channels between the two convolutions of [`Sure`].
const SURE: usize = 32;
/// The level whose features the matching sees, at stride 8.
const FEATURES: usize = 1;

/// x + conv2(relu(conv1(x))).
struct ResBlock {
    conv1: Conv2d,
    conv2: Conv2d,
}

/// relu(conv, stride 2), then residual blocks.
struct Down {
    conv: Conv2d,
    blocks: Vec<ResBlock>,
}

/// Conv 1×1, twice the size, plus the encoder's map, then residual blocks.
struct Up {
    conv: Conv2d,
    blocks: Vec<ResBlock>,
}

/// How sure the answer is: conv, relu, conv of the last map.
struct Sure {
    conv1: Conv2d,
    conv2: Conv2d,
}

/// The network.
pub struct CoarseNet {
    stem: Conv2d,
    factor: usize,
    encoder0: Vec<ResBlock>,
    down: Vec<Down>,
    up: Vec<Up>,
    head: Conv2d,
    sure: Sure,
}

impl ResBlock {
    fn new(cx: &Context, scope: &Scope, channels: usize) -> Result<Self> {
        let conv = |name| {
            let shape = ConvShape::same(channels, channels, 3);
            Conv2d::new(cx, &scope.pp(name), shape)
        };
        Ok(Self {
            conv1: conv("conv1")?,
            conv2: conv("conv2")?,
        })
    }

    fn several(cx: &Context, scope: &Scope, channels: usize, count: usize) -> Result<Vec<Self>> {
        each(cx, count, |i| Self::new(cx, &scope.pp(i), channels))
    }

    fn bytes(&self) -> usize {
        self.conv1.bytes() + self.conv2.bytes()
    }

    /// With `last`, relu of the result.
    fn forward(&self, run: &Run, x: Act, last: bool) -> Result<Act> {
        let relu = Extra::activation(Activation::Relu);
        let h = self.conv1.forward(run, &x, relu)?;
        let extra = Extra {
            before: Some(&x),
            activation: match last {
                true => Activation::Relu,
                false => Activation::None,
            },
            add: None,
        };
        self.conv2.forward(run, &h, extra)
    }
}

/// The residual blocks one after another, relu behind the last with `last`.
fn through(run: &Run, blocks: &[ResBlock], mut x: Act, last: bool) -> Result<Act> {
    for (i, block) in blocks.iter().enumerate() {
        x = block.forward(run, x, last && i + 1 == blocks.len())?;
    }
    Ok(x)
}

impl Sure {
    fn new(cx: &Context, scope: &Scope, channels: usize) -> Result<Self> {
        let conv = |name: &str, inputs, outputs| {
            Conv2d::new(cx, &scope.pp(name), ConvShape::same(inputs, outputs, 3))
        };
        Ok(Self {
            conv1: conv("conv1", channels, SURE)?,
            conv2: conv("conv2", SURE, 1)?,
        })
    }

    fn forward(&self, run: &Run, decoded: &Act) -> Result<Act> {
        let relu = Extra::activation(Activation::Relu);
        let h = self.conv1.forward(run, decoded, relu)?;
        self.conv2.forward(run, &h, Extra::NONE)
    }
}

impl CoarseNet {
    /// Reads the weights under `scope`, those of [`Sure`] under `sure`.
    pub fn new(cx: &Context, scope: &Scope, sure: &Scope, config: &Config) -> Result<Self> {
        let (c, s) = (&config.channels, config.stem);
        let conv = |name: &str, inputs, outputs| {
            Conv2d::new(cx, &scope.pp(name), ConvShape::same(inputs, outputs, 3))
        };
        let down = each(cx, c.len() - 1, |i| {
            let own = scope.pp("down").pp(i);
            let shape = ConvShape {
                stride: (2, 2),
                ..ConvShape::same(c[i], c[i + 1], 3)
            };
            let blocks = config.encoder[i + 1];
            Ok(Down {
                conv: Conv2d::new(cx, &own.pp("conv"), shape)?,
                blocks: ResBlock::several(cx, &own.pp("blocks"), c[i + 1], blocks)?,
            })
        })?;
        let up = each(cx, c.len() - 1, |i| {
            let own = scope.pp("up").pp(i);
            let shape = ConvShape::same(c[i + 1], c[i], 1);
            Ok(Up {
                conv: Conv2d::new(cx, &own.pp("conv"), shape)?,
                blocks: ResBlock::several(cx, &own.pp("blocks"), c[i], config.decoder[i])?,
            })
        })?;
        Ok(Self {
            stem: conv("stem", INPUTS * s * s, c[0])?,
            factor: s,
            encoder0: ResBlock::several(cx, &scope.pp("encoder0"), c[0], config.encoder[0])?,
            down,
            up,
            head: conv("head", c[0], 3 * s * s)?,
            sure: Sure::new(cx, sure, c[0])?,
        })
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        let blocks = |list: &[ResBlock]| list.iter().map(ResBlock::bytes).sum::<usize>();
        let down = self.down.iter().map(|d| d.conv.bytes() + blocks(&d.blocks));
        let up = self.up.iter().map(|u| u.conv.bytes() + blocks(&u.blocks));
        let ends = self.stem.bytes() + self.head.bytes() + blocks(&self.encoder0);
        let sure = self.sure.conv1.bytes() + self.sure.conv2.bytes();
        ends + down.sum::<usize>() + up.sum::<usize>() + sure
    }

    /// See [`super::Rethined::fill_coarse`].
    pub fn forward(&self, run: &Run, extended: &Tensor, hole: &Tensor) -> Result<Coarse> {
        let relu = Extra::activation(Activation::Relu);
        let x = inputs(run, extended, hole)?;
        let x = pixel_unshuffle(run, &x, self.factor)?;
        let x = self.stem.forward(run, &x, relu)?;
        let mut x = through(run, &self.encoder0, x, false)?;
        let mut skips = Vec::new();
        for down in &self.down {
            let h = down.conv.forward(run, &x, relu)?;
            skips.push(x);
            x = through(run, &down.blocks, h, false)?;
        }
        let mut features: Option<Act> = None;
        for (level, up) in self.up.iter().enumerate().rev() {
            let h = up.conv.forward(run, &x, Extra::NONE)?;
            let skip = skips.pop();
            let h = upsample_bilinear(run, &h, skip.as_deref())?;
            let h = through(run, &up.blocks, h, level == 0)?;
            let before = std::mem::replace(&mut x, h);
            // What the next level's convolution has read.
            if level + 1 == FEATURES {
                features = Some(before);
            }
        }
        let features = features.ok_or_else(|| misfit("the coarse network", "features", &[]))?;
        let residual = self.head.forward(run, &x, Extra::NONE)?;
        let residual = pixel_shuffle(run, &residual, self.factor)?;
        let answer = run.write(extended.dims(), |out| {
            let (extended, hole) = (values(extended)?, values(hole)?);
            let residual = values(&residual)?;
            for (i, v) in out.iter_mut().enumerate() {
                *v = extended[i] + hole[i / 3] * residual[i];
            }
            Ok(())
        })?;
        let sure = self.sure.forward(run, &x)?;
        Ok(Coarse {
            answer,
            features,
            sure,
        })
    }
}

/// 2 x − 1 of the picture, and the hole.
fn inputs(run: &Run, extended: &Tensor, hole: &Tensor) -> Result<Act> {
    let mut shape = extended.dims().to_vec();
    if let Some(last) = shape.last_mut() {
        *last = INPUTS;
    }
    run.write(&shape, |out| {
        let (extended, hole) = (values(extended)?, values(hole)?);
        let pixels = out.chunks_exact_mut(INPUTS).zip(extended.chunks_exact(3));
        for ((out, pixel), hole) in pixels.zip(&*hole) {
            for (o, v) in out.iter_mut().zip(pixel) {
                *o = 2.0 * v - 1.0;
            }
            out[3] = *hole;
        }
        Ok(())
    })
}
