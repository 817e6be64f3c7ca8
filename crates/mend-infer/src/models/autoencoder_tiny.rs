//! diffusers' `AutoencoderTiny`: TAESD, a small autoencoder for the latents of Stable Diffusion 1 and 2
//! (<https://github.com/madebyollin/taesd>). Some twentieth of the large one's work, and somewhat
//! less sharp.
//!
//! It has no configuration of its own here: its layers are told by the weights' names and shapes.
//! Latents are as the UNet has them, scaled by nothing.
#![forbid(unsafe_code)]

use super::{Cost, input};
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::{Activation, Context, ConvShape};
use crate::nn::{
    Act, Arena, Conv2d, Extra, Run, to_channels_last, to_planes, upsample_nearest, values,
};
use crate::weights::Scope;
use candle_core::Tensor;

/// More layers than any has: 15 and 19.
const MOST: usize = 64;
/// Latents are bent to stay within ± this.
const MAGNITUDE: f64 = 3.0;

/// `AutoencoderTinyBlock`: three convolutions, each behind a ReLU, with the input added before the last.
struct Block([Conv2d; 3]);

enum Layer {
    Conv(Conv2d, Activation),
    Block(Box<Block>),
    /// To twice the size.
    Upsample,
}

/// `layers` of an encoder or decoder.
struct Layers {
    layers: Vec<Layer>,
    /// Channels in and out.
    inputs: usize,
    outputs: usize,
}

impl Layers {
    /// Reads the layers that there are; `halves` where a convolution without bias has stride 2.
    fn new(cx: &Context, scope: &Scope, halves: bool) -> Result<Self> {
        let inputs = scope.shape("0.weight").and_then(|s| s.get(1).copied());
        let Some(inputs) = inputs.filter(|n| (1..=8192).contains(n)) else {
            return Err(Error::new(
                ErrorKind::Model,
                format!(
                    "{}: there is no tensor '{}' of a convolution; this is not a tiny autoencoder \
                     as diffusers writes it: take madebyollin/taesd's \
                     diffusion_pytorch_model.safetensors",
                    scope.weights().name(),
                    scope.path("0.weight")
                ),
            ));
        };
        let (mut layers, mut channels) = (Vec::new(), inputs);
        let there = |i: usize| {
            scope.has(&format!("{i}.weight")) || scope.has(&format!("{i}.conv.0.weight"))
        };
        for i in 0..MOST {
            let own = scope.pp(i);
            if own.has("conv.0.weight") {
                layers.push(Layer::Block(Box::new(Block::new(cx, &own, channels)?)));
            } else if let Some(shape) = own.shape("weight") {
                let (from, to) = (channels, shape.first().copied().unwrap_or(0));
                let mut shape = ConvShape::same(from, to, 3);
                let conv = match own.has("bias") {
                    true => Conv2d::new(cx, &own, shape)?,
                    false => {
                        if halves {
                            shape.stride = (2, 2);
                        }
                        Conv2d::without_bias(cx, &own, shape)?
                    }
                };
                channels = to;
                layers.push(Layer::Conv(conv, Activation::None));
            } else if there(i + 1) {
                // What has no weights: a ReLU behind the first convolution, else more pixels.
                match layers.as_mut_slice() {
                    [Layer::Conv(_, activation)] => *activation = Activation::Relu,
                    _ => layers.push(Layer::Upsample),
                }
            } else {
                break;
            }
        }
        Ok(Self {
            layers,
            inputs,
            outputs: channels,
        })
    }

    fn bytes(&self) -> usize {
        let bytes = |layer: &Layer| match layer {
            Layer::Conv(conv, _) => conv.bytes(),
            Layer::Block(block) => block.0.iter().map(Conv2d::bytes).sum(),
            Layer::Upsample => 0,
        };
        self.layers.iter().map(bytes).sum()
    }

    fn forward(&self, run: &Run, mut h: Act) -> Result<Act> {
        for layer in &self.layers {
            h = match layer {
                Layer::Conv(conv, activation) => {
                    conv.forward(run, &h, Extra::activation(*activation))?
                }
                Layer::Block(block) => block.forward(run, h)?,
                Layer::Upsample => match *h.dims() {
                    [_, height, width, _] => upsample_nearest(run, &h, 2 * height, 2 * width)?,
                    _ => h,
                },
            };
        }
        Ok(h)
    }
}

impl Block {
    fn new(cx: &Context, scope: &Scope, channels: usize) -> Result<Self> {
        let conv = |i: usize| {
            let shape = ConvShape::same(channels, channels, 3);
            Conv2d::new(cx, &scope.pp("conv").pp(i), shape)
        };
        Ok(Self([conv(0)?, conv(2)?, conv(4)?]))
    }

    fn forward(&self, run: &Run, x: Act) -> Result<Act> {
        let relu = Extra::activation(Activation::Relu);
        let [first, second, third] = &self.0;
        let mut h = first.forward(run, &x, relu)?;
        h = second.forward(run, &h, relu)?;
        let fuse = Extra {
            before: Some(&x),
            ..relu
        };
        third.forward(run, &h, fuse)
    }
}

/// `encoder.*`: pictures to latents.
pub struct Encoder(Layers);

impl Encoder {
    /// Reads and packs the encoder's weights; `scope` is that of the whole model.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(cx: &Context, scope: &Scope) -> Result<Self> {
        Layers::new(cx, &scope.pp("encoder.layers"), true).map(Self)
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// The latents of `image`, `[batch, 3, height, width]` in −1 to 1, as a UNet takes them: `[batch,
    /// latent_channels, height / 8, width / 8]`.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when the shape does not fit; what stops the pass, see [`Run::write`].
    pub fn encode(&self, run: &Run, image: &Tensor) -> Result<Tensor> {
        input("picture", image, [None, Some(self.0.inputs), None, None])?;
        let x = mapped(run, image, |x| x.mul_add(0.5, 0.5))?;
        let x = to_channels_last(run, &x)?;
        let h = self.0.forward(run, x)?;
        Ok(to_planes(run, &h)?.into_tensor())
    }
}

/// `decoder.*`: latents to pictures.
pub struct Decoder(Layers);

impl Decoder {
    /// Reads and packs the decoder's weights; `scope` is that of the whole model.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(cx: &Context, scope: &Scope) -> Result<Self> {
        Layers::new(cx, &scope.pp("decoder.layers"), false).map(Self)
    }

    /// Channels of the latents and of the picture.
    pub fn channels(&self) -> (usize, usize) {
        (self.0.inputs, self.0.outputs)
    }

    /// Pixels of a picture for one of its latents, down and across: 8.
    pub fn scale(&self) -> usize {
        let doubled = |l: &&Layer| matches!(l, Layer::Upsample);
        1 << self.0.layers.iter().filter(doubled).count().min(16)
    }

    /// Channels of the layers and operations of a picture of `pixels` latents, from the names and
    /// shapes alone of the model whose scope this is; 0 where there are none.
    pub fn predicted(scope: &Scope, pixels: f64) -> (usize, f64) {
        let own = scope.pp("decoder.layers");
        let (mut at, mut flops) = (pixels, 0.0);
        for i in 0..MOST {
            let names = ["weight", "conv.0.weight", "conv.2.weight", "conv.4.weight"];
            let names = names.map(|name| format!("{i}.{name}"));
            let shapes = names.iter().filter_map(|name| own.shape(name));
            let numbers = |shape: Vec<usize>| shape.iter().map(|n| *n as f64).product::<f64>();
            let all: f64 = shapes.map(numbers).sum();
            flops += 2.0 * at * all;
            // What has no weights doubles the sides, but for the first ReLU.
            if i > 1 && all == 0.0 {
                at *= 4.0;
            }
        }
        let first = own.shape("0.weight").and_then(|s| s.first().copied());
        (first.unwrap_or(0), flops)
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// What a pass over `batch` latents of this size takes, see
    /// [`super::UNet2DConditionModel::cost`].
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for a size of zero.
    pub fn cost(&self, cx: &Context, batch: usize, height: usize, width: usize) -> Result<Cost> {
        let arena = Arena::counting();
        let run = Run::new(cx, &arena);
        let shape = [batch, self.0.inputs, height, width];
        let outside = Run::new(cx, &Arena::counting()).write(&shape, |_| Ok(()))?;
        self.decode(&run, &outside)?;
        Ok(Cost {
            flops: run.flops(),
            bytes: arena.peak(),
        })
    }

    /// The picture of `latents`, `[batch, latent_channels, height, width]` as a UNet has them: `[batch,
    /// 3, 8 · height, 8 · width]`, about −1 to 1, not clamped.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when the shape does not fit; what stops the pass, see [`Run::write`].
    pub fn decode(&self, run: &Run, latents: &Tensor) -> Result<Tensor> {
        input("latents", latents, [None, Some(self.0.inputs), None, None])?;
        let bend = |x: f32| (libm::tanh(f64::from(x) / MAGNITUDE) * MAGNITUDE) as f32;
        let x = mapped(run, latents, bend)?;
        let x = to_channels_last(run, &x)?;
        let h = self.0.forward(run, x)?;
        let h = to_planes(run, &h)?;
        Ok(mapped(run, &h, |x| x.mul_add(2.0, -1.0))?.into_tensor())
    }
}

/// A function of each value.
fn mapped(run: &Run, x: &Tensor, f: impl Fn(f32) -> f32) -> Result<Act> {
    run.write(x.dims(), |out| {
        let x = values(x)?;
        out.iter_mut().zip(&*x).for_each(|(o, x)| *o = f(*x));
        Ok(())
    })
}
