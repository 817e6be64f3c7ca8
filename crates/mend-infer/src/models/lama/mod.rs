//! LaMa, a network that fills holes of any size in one pass (Suvorov et al., WACV 2022): three
//! convolutions that make the picture smaller, blocks of fast Fourier convolutions, three that make it
//! larger again.
//!
//! Modules and names are those of `FFCResNetGenerator` in advimman/lama's
//! `saicinpainting/training/modules/ffc.py` at 5a67a02, of which `configs/training/big-lama.yaml` is what
//! people have: the trainer's checkpoint and the traced `big-lama.pt`.
#![forbid(unsafe_code)]

mod ffc;
mod large;
#[cfg(test)]
mod tests;

use super::{Cost, input};
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::{Activation, Context, ConvShape, TransposedShape};
use crate::nn::{
    Arena, Conv2d, ConvTranspose2d, Run, Tensor, each, reflect_pad, to_channels_last, to_planes,
};
use crate::weights::{Scope, Weights, clip};
use ffc::{EPS, FfcResnetBlock, Parts, Plan, RELU};
use large::{Narrow, Wide};

/// More channels and blocks than any has.
const MOST: usize = 4096;
const BLOCKS: usize = 64;
/// How often the picture's sides are halved.
const HALVES: usize = 3;

/// The sizes of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Channels behind the first convolution, twice as many behind each of the three next: 64.
    pub ngf: usize,
    /// Local channels of a block, 128, and global ones, 384.
    pub parts: (usize, usize),
    /// Blocks: 18.
    pub n_blocks: usize,
}

impl Config {
    /// The sizes of the network whose scope this is, told by its tensors' names and shapes.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] where it is no LaMa.
    pub fn new(scope: &Scope) -> Result<Self> {
        let first = |name: &str| {
            let shape = scope.shape(name)?;
            shape.first().copied().filter(|n| (1..=MOST).contains(n))
        };
        let block = |i: usize| scope.has(&format!("{}.conv1.ffc.convl2l.weight", 2 + HALVES + i));
        let n_blocks = (0..BLOCKS).take_while(|i| block(*i)).count();
        let deep = 1 + HALVES;
        match (
            first("1.ffc.convl2l.weight"),
            first(&format!("{deep}.ffc.convl2l.weight")),
            first(&format!("{deep}.ffc.convl2g.weight")),
        ) {
            (Some(ngf), Some(l), Some(g))
                if n_blocks > 0 && l + g == ngf << HALVES && g % 2 == 0 =>
            {
                Ok(Self {
                    ngf,
                    parts: (l, g),
                    n_blocks,
                })
            }
            _ => Err(Error::new(ErrorKind::Model, no_lama(scope.weights()))),
        }
    }
}

fn no_lama(weights: &Weights) -> String {
    format!(
        "{}: this is not big-LaMa: there is no 'generator.model.1.ffc.convl2l.weight' with all \
         that belongs to it; take big-lama.pt, the checkpoint best.ckpt, or the same as \
         safetensors{}",
        weights.name(),
        weights.refused()
    )
}

/// The scope of the network in a file, whatever it lies in: a trainer's module, a traced one.
///
/// # Errors
/// [`ErrorKind::Model`] where there is none.
pub fn find(weights: &Weights) -> Result<Scope<'_>> {
    let prefix = weights
        .names()
        .find_map(|name| name.strip_suffix("model.1.ffc.convl2l.weight"));
    match prefix {
        Some(prefix) => Ok(weights.root().pp(format!("{prefix}model"))),
        None => Err(Error::new(ErrorKind::Model, no_lama(weights))),
    }
}

/// LaMa's `FFCResNetGenerator`.
pub struct Generator {
    config: Config,
    first: Wide,
    down: Vec<Conv2d>,
    /// The last convolution down, to local and to global channels.
    parts: Parts<Conv2d>,
    blocks: Vec<FfcResnetBlock>,
    up: Vec<ConvTranspose2d>,
    last: Narrow,
}

impl Generator {
    /// Sides of a picture are multiples of this.
    pub const ALIGNMENT: usize = 1 << HALVES;

    /// Reads and packs the weights of the network whose scope this is, see [`find`].
    ///
    /// # Errors
    /// As [`Config::new`] and [`Scope::get`]; [`ErrorKind::Model`] where tensors of the network are left
    /// that this one has no use for.
    pub fn new(cx: &Context, scope: &Scope) -> Result<Self> {
        let config = Config::new(scope)?;
        let Config {
            ngf,
            parts,
            n_blocks,
        } = config;
        let conv = |i: usize, part: &str, inputs: usize, outputs: usize| {
            let own = scope.pp(i);
            let shape = ConvShape {
                stride: (2, 2),
                padding: (0, 0, 0, 0),
                ..ConvShape::same(inputs, outputs, 3)
            };
            let weight = own.pp(format!("ffc.convl2{part}"));
            let norm = own.pp(format!("bn_{part}"));
            Conv2d::with_batch_norm(cx, &weight, &norm, EPS, shape)
        };
        let down = (2..1 + HALVES).map(|i| conv(i, "l", ngf << (i - 2), ngf << (i - 1)));
        let deep = 1 + HALVES;
        let half = ngf << (HALVES - 1);
        let after = 3 + HALVES + n_blocks;
        let blocks = each(cx, n_blocks, |i| {
            FfcResnetBlock::new(cx, &scope.pp(deep + 1 + i), parts)
        })?;
        let up = (0..HALVES).map(|i| {
            let shape = TransposedShape {
                inputs: ngf << (HALVES - i),
                outputs: ngf << (HALVES - i - 1),
                kernel: (3, 3),
                stride: (2, 2),
                padding: (1, 1),
                output_padding: (1, 1),
                groups: 1,
            };
            let (own, norm) = (scope.pp(after + 3 * i), scope.pp(after + 3 * i + 1));
            ConvTranspose2d::with_batch_norm(cx, &own, &norm, EPS, shape)
        });
        let last = scope.pp(after + 3 * HALVES + 1);
        let net = Self {
            config,
            first: Wide::new(cx, &scope.pp(1), ngf)?,
            down: down.collect::<Result<_>>()?,
            parts: (
                conv(deep, "l", half, parts.0)?,
                conv(deep, "g", half, parts.1)?,
            ),
            blocks,
            up: up.collect::<Result<_>>()?,
            last: Narrow::new(cx, &last, ngf)?,
        };
        all_used(scope)?;
        Ok(net)
    }

    /// The sizes.
    pub fn config(&self) -> Config {
        self.config
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        let convs = [&self.parts.0, &self.parts.1];
        let convs = convs.into_iter().chain(&self.down).map(Conv2d::bytes);
        let blocks = self.blocks.iter().map(FfcResnetBlock::bytes);
        let up = self.up.iter().map(ConvTranspose2d::bytes);
        let ends = self.first.bytes() + self.last.bytes();
        ends + convs.sum::<usize>() + blocks.sum::<usize>() + up.sum::<usize>()
    }

    /// What a pass over a picture of this size takes, see [`super::UNet2DConditionModel::cost`].
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for a size that does not fit.
    pub fn cost(&self, cx: &Context, height: usize, width: usize) -> Result<Cost> {
        let arena = Arena::counting();
        let run = Run::new(cx, &arena);
        let outside = Run::new(cx, &Arena::counting()).write(&[1, 4, height, width], |_| Ok(()))?;
        self.forward(&run, &outside)?;
        Ok(Cost {
            flops: run.flops(),
            bytes: arena.peak(),
        })
    }

    /// The picture without a hole, `[1, 3, height, width]`, 0 to 1, of `x`, `[1, 4, height, width]`: the
    /// picture with zeros in the hole, 0 to 1, and the mask, 1 in the hole. Sides are multiples of
    /// [`Self::ALIGNMENT`], 16 at least.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when the shape does not fit; what stops the pass, see [`Run::write`].
    pub fn forward(&self, run: &Run, x: &Tensor) -> Result<Tensor> {
        let [_, _, height, width] = input("picture", x, [Some(1), Some(4), None, None])?;
        let unit = Self::ALIGNMENT;
        // Half of 16 after three halvings is 1: a row is reflected in another one.
        let fits = |side: usize| side.is_multiple_of(unit) && side >= 2 * unit;
        if !fits(height) || !fits(width) {
            return Err(Error::new(
                ErrorKind::Argument,
                format!(
                    "the picture is {width}×{height}, expected multiples of {unit} from {} on",
                    2 * unit
                ),
            ));
        }
        let x = to_channels_last(run, x)?;
        let mut x = self.first.forward(run, x)?;
        for conv in &self.down {
            let inside = reflect_pad(run, &[&x], 1)?;
            drop(x);
            x = conv.forward(run, &inside, RELU)?;
        }
        let inside = reflect_pad(run, &[&x], 1)?;
        drop(x);
        let mut parts = (
            self.parts.0.forward(run, &inside, RELU)?,
            self.parts.1.forward(run, &inside, RELU)?,
        );
        drop(inside);
        let plan = Plan::new(height / unit, width / unit);
        for block in &self.blocks {
            parts = block.forward(run, &plan, parts)?;
        }
        let mut x = reflect_pad(run, &[&parts.0, &parts.1], 0)?;
        drop(parts);
        for conv in &self.up {
            x = conv.forward(run, &x, Activation::Relu)?;
        }
        let x = self.last.forward(run, x)?;
        Ok(to_planes(run, &x)?.into_tensor())
    }
}

/// Refuses a network with tensors that nothing was made of: a variant.
fn all_used(scope: &Scope) -> Result<()> {
    let own = scope.path("");
    let left = |name: &String| {
        let inside = name.strip_prefix(own.as_str());
        inside.is_some_and(|n| n.starts_with('.')) && !name.ends_with(".num_batches_tracked")
    };
    match scope.weights().unused().into_iter().find(left) {
        None => Ok(()),
        Some(name) => Err(Error::new(
            ErrorKind::Model,
            format!(
                "{}: there is a tensor '{}' that big-LaMa has no use for; the file belongs to \
                 a variant that Mend does not know: take big-lama.pt",
                scope.weights().name(),
                clip(&name)
            ),
        )),
    }
}
