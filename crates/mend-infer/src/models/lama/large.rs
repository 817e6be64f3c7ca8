//! The 7×7 convolutions at both ends, of four channels in and of three out: so few that a product of all
//! taps would be mostly copying, or mostly zeros.
//!
//! Both are convolutions of 7×1. Of the first the seven columns of a row lie one behind another already, as
//! 28 channels. The last makes 21 channels, three for each of the seven columns, which are then added up.
#![forbid(unsafe_code)]

use super::ffc::{Norm, RELU};
use crate::error::Result;
use crate::kernels::{Context, ConvShape};
use crate::memory;
use crate::nn::{Act, Conv2d, Extra, Run, reflect_pad, values};
use crate::weights::Scope;

/// Rows and columns of the kernels, and pixels that are reflected on each side.
const SIDE: usize = 7;
const PAD: usize = SIDE / 2;
/// Channels in and out of the network.
const INPUTS: usize = 4;
const OUTPUTS: usize = 3;

/// A 7×1 convolution of a picture that is padded already.
fn tall(inputs: usize, outputs: usize) -> ConvShape {
    ConvShape {
        kernel: (SIDE, 1),
        padding: (0, 0, 0, 0),
        ..ConvShape::same(inputs, outputs, 1)
    }
}

/// `model.1`: a reflection, four channels to many, a norm and a ReLU.
pub struct Wide(Conv2d);

impl Wide {
    /// Reads and packs the weights of the first layer's scope.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(cx: &Context, scope: &Scope, outputs: usize) -> Result<Self> {
        let norm = Norm::new(&scope.pp("bn_l"), outputs)?;
        let shape = [outputs, INPUTS, SIDE, SIDE];
        let mut weight = scope.get("ffc.convl2l.weight", &shape)?.into_f32()?;
        norm.scale(&mut weight);
        let mut turned = memory::filled(weight.len(), 0f32, "a network's weights")?;
        for (i, w) in weight.iter().enumerate() {
            let (column, row) = (i % SIDE, i / SIDE % SIDE);
            let (channel, output) = (i / SIDE / SIDE % INPUTS, i / SIDE / SIDE / INPUTS);
            let input = column * INPUTS + channel;
            turned[(output * SIDE * INPUTS + input) * SIDE + row] = *w;
        }
        let shape = tall(SIDE * INPUTS, outputs);
        Conv2d::from_values(cx, &turned, Some(norm.add()), shape).map(Self)
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// `[1, height, width, 4]` to `[1, height, width, outputs]`.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward(&self, run: &Run, x: Act) -> Result<Act> {
        let (width, inside) = (x.dims()[2], reflect_pad(run, &[&x], PAD)?);
        drop(x);
        let height = inside.dims()[1];
        let wide = SIDE * INPUTS;
        let windows = run.write(&[1, height, width, wide], |out| {
            let from = values(&inside)?;
            run.cx().parts(out, width * wide, |row, line| {
                let from = &from[row * (width + 2 * PAD) * INPUTS..];
                for (i, window) in line.chunks_exact_mut(wide).enumerate() {
                    window.copy_from_slice(&from[i * INPUTS..][..wide]);
                }
            })
        })?;
        drop(inside);
        self.0.forward(run, &windows, RELU)
    }
}

/// The last layer: a reflection, many channels to three, a sigmoid.
pub struct Narrow {
    conv: Conv2d,
    bias: [f32; OUTPUTS],
}

impl Narrow {
    /// Reads and packs the weights of the last convolution's scope.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(cx: &Context, scope: &Scope, inputs: usize) -> Result<Self> {
        let shape = [OUTPUTS, inputs, SIDE, SIDE];
        let weight = scope.get("weight", &shape)?.into_f32()?;
        let mut turned = memory::filled(weight.len(), 0f32, "a network's weights")?;
        for (i, w) in weight.iter().enumerate() {
            let (column, row) = (i % SIDE, i / SIDE % SIDE);
            let (input, output) = (i / SIDE / SIDE % inputs, i / SIDE / SIDE / inputs);
            let output = column * OUTPUTS + output;
            turned[(output * inputs + input) * SIDE + row] = *w;
        }
        let bias = scope.get("bias", &[OUTPUTS])?.into_f32()?;
        let shape = tall(inputs, SIDE * OUTPUTS);
        Ok(Self {
            conv: Conv2d::from_values(cx, &turned, None, shape)?,
            bias: [bias[0], bias[1], bias[2]],
        })
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        self.conv.bytes()
    }

    /// `[1, height, width, inputs]` to `[1, height, width, 3]`, 0 to 1.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward(&self, run: &Run, x: Act) -> Result<Act> {
        let (height, width) = (x.dims()[1], x.dims()[2]);
        let inside = reflect_pad(run, &[&x], PAD)?;
        drop(x);
        let columns = self.conv.forward(run, &inside, Extra::NONE)?;
        drop(inside);
        run.write(&[1, height, width, OUTPUTS], |out| {
            let from = values(&columns)?;
            run.cx().parts(out, width * OUTPUTS, |row, line| {
                let each = SIDE * OUTPUTS;
                let from = &from[row * (width + 2 * PAD) * each..];
                for (i, pixel) in line.chunks_exact_mut(OUTPUTS).enumerate() {
                    let mut sum = self.bias;
                    for column in 0..SIDE {
                        let part = &from[(i + column) * each + column * OUTPUTS..][..OUTPUTS];
                        sum.iter_mut().zip(part).for_each(|(s, v)| *s += v);
                    }
                    pixel.copy_from_slice(&sum);
                }
                line.iter_mut().for_each(|v| *v = 1.0 / (1.0 + (-*v).exp()));
            })
        })
    }
}
