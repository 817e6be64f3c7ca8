//! MI-GAN, a small network that fills a picture's hole in one pass (Sargsyan et al., ICCV 2023): an
//! encoder and a synthesis network of separable convolutions, on squares of one side.
//!
//! Modules and names are those of Picsart's `lib/model_zoo/migan_inference.py` at b6d78e7
//! (<https://github.com/Picsart-AI-Research/MI-GAN>), which is what the published files hold: the state
//! dict, the traced module, and the ONNX pipeline, whose noise is worked out.
//!
//! # Memory
//! Layers work in bands of rows. The first block's feature map, the largest of all, is not kept for the
//! last block but computed again there, which costs a twentieth of the time.
#![forbid(unsafe_code)]

mod separable;
#[cfg(test)]
mod tests;

use super::input;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::separable::{Band, Finish, upsample};
use crate::kernels::{self, Activation, Context, Epilogue};
use crate::nn::{Act, Run, each, to_channels_last, to_planes, values};
use crate::weights::{Scope, Weights, clip};
use candle_core::Tensor;
use separable::{Resample, SeparableConv2d, around, check_filter, in_bands, point};
use std::f32::consts::SQRT_2;
use std::ops::Range;

/// `lrelu_agc(alpha=0.2, gain="sqrt_2", clamp=256)`, its gain in the weights before.
const ACTIVATION: Activation = Activation::LeakyReluClamped(0.2, 256.0);
/// More channels than any layer has.
const MOST: usize = 4096;

/// The sizes of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Height and width of its pictures, a power of two.
    pub resolution: usize,
    /// Channels of the blocks at `resolution`, at half of it, and so on down to 4.
    pub channels: Vec<usize>,
}

impl Config {
    /// The sizes of the network whose scope this is, told by its tensors' names and shapes.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] where it is no MI-GAN.
    pub fn new(scope: &Scope) -> Result<Self> {
        let sides = (3..=10).rev().map(|i| 1usize << i);
        let first = |side: &usize| scope.has(&format!("encoder.b{side}.fromrgb.weight"));
        let Some(resolution) = sides.into_iter().find(first) else {
            return Err(Error::new(ErrorKind::Model, no_migan(scope.weights())));
        };
        let mut channels = Vec::new();
        for side in sides_of(resolution) {
            let name = format!("encoder.b{side}.conv1.conv2.weight");
            let shape = scope.shape(&name).unwrap_or_default();
            match shape.as_slice() {
                [n, _, 1, 1] if (1..=MOST).contains(n) => channels.push(*n),
                _ => {
                    let what = no_migan(scope.weights());
                    return Err(Error::new(
                        ErrorKind::Model,
                        format!("{what} ('{}' has shape {shape:?})", scope.path(&name)),
                    ));
                }
            }
        }
        Ok(Self {
            resolution,
            channels,
        })
    }

    fn at(&self, side: usize) -> usize {
        let level = (self.resolution / side.max(1)).max(1).ilog2() as usize;
        self.channels.get(level).copied().unwrap_or(0)
    }
}

fn no_migan(weights: &Weights) -> String {
    format!(
        "{}: this is not MI-GAN: there is no 'encoder.b512.fromrgb.weight' or 'b256' with all that \
         belongs to it; take migan_512_places2.pt, migan_traced.pt or migan_pipeline_v2.onnx{}",
        weights.name(),
        weights.refused()
    )
}

/// `resolution`, half of it, and so on down to 4.
fn sides_of(resolution: usize) -> impl DoubleEndedIterator<Item = usize> {
    (2..=resolution.max(4).ilog2()).rev().map(|i| 1 << i)
}

/// The scope of the network in a file, whatever it lies in: a traced module, a pipeline.
///
/// # Errors
/// [`ErrorKind::Model`] where there is none.
pub fn find(weights: &Weights) -> Result<Scope<'_>> {
    let prefix = weights.names().find_map(|name| {
        let (before, rest) = name.split_once("encoder.b")?;
        let side = rest.strip_suffix(".fromrgb.weight")?;
        side.bytes().all(|b| b.is_ascii_digit()).then_some(before)
    });
    match prefix {
        Some("") => Ok(weights.root()),
        Some(prefix) => Ok(weights.root().pp(prefix.trim_end_matches('.'))),
        None => Err(Error::new(ErrorKind::Model, no_migan(weights))),
    }
}

/// `EncoderBlock`
struct EncoderBlock {
    conv1: SeparableConv2d,
    conv2: SeparableConv2d,
}

/// `SynthesisBlock`, and `SynthesisBlockFirst`, which makes nothing larger.
struct SynthesisBlock {
    conv1: SeparableConv2d,
    conv2: SeparableConv2d,
    torgb: kernels::Conv2d,
}

enum Block {
    Encoder(EncoderBlock),
    Synthesis(SynthesisBlock),
}

/// MI-GAN's `Generator`.
pub struct Generator {
    config: Config,
    fromrgb: kernels::Conv2d,
    /// From the largest to 4×4.
    encoder: Vec<EncoderBlock>,
    /// From 4×4 to the largest.
    synthesis: Vec<SynthesisBlock>,
}

impl Generator {
    /// Reads and packs the weights of the network whose scope this is, see [`find`].
    ///
    /// # Errors
    /// As [`Config::new`] and [`Scope::get`]; [`ErrorKind::Model`] where tensors of the network are left
    /// that this one has no use for.
    pub fn new(cx: &Context, scope: &Scope) -> Result<Self> {
        let config = Config::new(scope)?;
        let sides: Vec<usize> = sides_of(config.resolution).collect();
        let count = sides.len();
        let fromrgb = scope.pp(format!("encoder.b{}.fromrgb", config.resolution));
        let fromrgb = point(cx, &fromrgb, [4, config.channels[0]], true, SQRT_2)?;
        let blocks = each(cx, 2 * count, |i| match i < count {
            true => encoder_block(cx, scope, &config, sides[i]).map(Block::Encoder),
            false => {
                let side = sides[2 * count - 1 - i];
                synthesis_block(cx, scope, &config, side).map(Block::Synthesis)
            }
        })?;
        let (mut encoder, mut synthesis) = (Vec::new(), Vec::new());
        for block in blocks {
            match block {
                Block::Encoder(block) => encoder.push(block),
                Block::Synthesis(block) => synthesis.push(block),
            }
        }
        all_used(scope)?;
        Ok(Self {
            config,
            fromrgb,
            encoder,
            synthesis,
        })
    }

    /// The sizes.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Bytes of the packed weights and of the noise.
    pub fn bytes(&self) -> usize {
        let encoder = self
            .encoder
            .iter()
            .map(|b| b.conv1.bytes() + b.conv2.bytes());
        let synthesis = self
            .synthesis
            .iter()
            .map(|b| b.conv1.bytes() + b.conv2.bytes() + b.torgb.bytes());
        self.fromrgb.bytes() + encoder.sum::<usize>() + synthesis.sum::<usize>()
    }

    /// The picture without a hole, `[1, 3, resolution, resolution]`, −1 to 1 and not clamped, of `x`,
    /// `[1, 4, resolution, resolution]`: the mask less a half, where 1 is known and 0 the hole, and the
    /// picture times the mask, −1 to 1.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when the shape does not fit; what stops the pass, see [`Run::write`].
    pub fn forward(&self, run: &Run, x: &Tensor) -> Result<Tensor> {
        let side = self.config.resolution;
        input("picture", x, [Some(1), Some(4), Some(side), Some(side)])?;
        let x = to_channels_last(run, x)?;
        let (low, feats) = self.encode(run, &x)?;
        let image = self.synthesise(run, &x, low, feats)?;
        let image = image.reshaped(&[1, side, side, 3])?;
        Ok(to_planes(run, &image)?.into_tensor())
    }

    /// What the synthesis begins with, and the feature maps of all blocks but the first, from the larger
    /// to the smaller.
    fn encode(&self, run: &Run, image: &Act) -> Result<(Act, Vec<Act>)> {
        let image = values(image)?;
        let side = self.config.resolution;
        let image = Band::whole(&image, [side, side, 4]);
        let [first, rest @ ..] = &self.encoder[..] else {
            return Err(nothing());
        };
        let half = side / 2;
        let mut x = in_bands(run, [half, half, first.conv2.outputs()], |rows, y| {
            let need = around(&(2 * rows.start..2 * rows.end), 2, side);
            let feat = self.first_feature(run, &image, need.clone())?;
            let data = &values(&feat)?;
            let channels = first.conv1.outputs();
            let feat = Band {
                first: need.start,
                ..Band::whole(data, [side, side, channels])
            };
            first.conv2.down_rows(run, &feat, rows, y)
        })?;
        let mut feats = Vec::new();
        for (block, side) in rest.iter().zip(sides_of(half)) {
            let shape = [side, side, self.config.at(side)];
            let feat = {
                let data = &values(&x)?;
                let x = Band::whole(data, shape);
                in_bands(run, shape, |rows, y| {
                    block.conv1.plain_rows(run, &x, rows, None, y)
                })?
            };
            drop(x);
            let data = values(&feat)?;
            let band = Band::whole(&data, shape);
            x = match side > 4 {
                true => in_bands(
                    run,
                    [side / 2, side / 2, block.conv2.outputs()],
                    |rows, y| block.conv2.down_rows(run, &band, rows, y),
                )?,
                false => in_bands(run, shape, |rows, y| {
                    block.conv2.plain_rows(run, &band, rows, None, y)
                })?,
            };
            drop(data);
            feats.push(feat);
        }
        Ok((x, feats))
    }

    /// Rows of the first block's feature map.
    fn first_feature(&self, run: &Run, image: &Band, rows: Range<usize>) -> Result<Act> {
        let first = self.encoder.first().ok_or_else(nothing)?;
        let channels = self.config.channels[0];
        let need = around(&rows, 1, image.height);
        let row = image.width * image.channels;
        let pixels = &image.data[need.start * row..need.end * row];
        let ep = Epilogue {
            activation: ACTIVATION,
            ..Epilogue::default()
        };
        let coded = run.write(&[need.len(), image.width, channels], |out| {
            let cx = run.cx();
            self.fromrgb
                .forward(cx, 1, need.len(), image.width, pixels, &ep, out)
        })?;
        run.write(&[rows.len(), image.width, channels], |out| {
            let data = &values(&coded)?;
            let coded = Band {
                data,
                first: need.start,
                channels,
                ..*image
            };
            first.conv1.plain_rows(run, &coded, rows, None, out)
        })
    }

    /// The picture, `[resolution, resolution, 3]`.
    fn synthesise(&self, run: &Run, image: &Act, low: Act, mut feats: Vec<Act>) -> Result<Act> {
        let [first, rest @ ..] = &self.synthesis[..] else {
            return Err(nothing());
        };
        let shape = [4, 4, self.config.at(4)];
        let feat = feats.pop();
        let mut x = in_bands(run, shape, |rows, y| {
            let feat = feat.as_deref().map(values).transpose()?;
            let low = values(&low)?;
            let low = Band::whole(&low, shape);
            first.conv1.plain_rows(run, &low, rows, feat.as_deref(), y)
        })?;
        drop((low, feat));
        x = in_bands(run, shape, |rows, y| {
            let x = values(&x)?;
            first
                .conv2
                .plain_rows(run, &Band::whole(&x, shape), rows, None, y)
        })?;
        let mut rgb = run.write(&[4, 4, 3], |out| {
            first
                .torgb
                .forward(run.cx(), 1, 4, 4, &values(&x)?, &Epilogue::default(), out)
        })?;
        let source = values(image)?;
        let full = self.config.resolution;
        let source = Band::whole(&source, [full, full, 4]);
        for (block, side) in rest.iter().zip(sides_of(full).rev().skip(1)) {
            let shape = [side / 2, side / 2, self.config.at(side / 2)];
            let before = block
                .conv1
                .before_up(run, &Band::whole(&values(&x)?, shape))?;
            drop(x);
            let feat = feats.pop();
            let pass = Pass {
                run,
                block,
                side,
                before: &before,
                rgb: &rgb,
            };
            let channels = block.conv2.outputs();
            if side < full {
                let mut next = None;
                let larger = run.write(&[side, side, 3], |image| {
                    let feat = feat.as_deref().map(values).transpose()?;
                    next = Some(in_bands(run, [side, side, channels], |rows, y| {
                        let need = around(&rows, 1, side);
                        let row = side * channels;
                        let feat = feat
                            .as_deref()
                            .map(|f| &f[need.start * row..need.end * row]);
                        pass.rows(rows.clone(), feat, y)?;
                        pass.colours(
                            rows.clone(),
                            y,
                            &mut image[rows.start * side * 3..rows.end * side * 3],
                        )
                    })?);
                    Ok(())
                })?;
                rgb = larger;
                x = next.ok_or_else(nothing)?;
                continue;
            }
            return self.colours(&pass, &source);
        }
        Err(nothing())
    }

    /// The picture, by the last block, of which nothing but the colours is needed.
    fn colours(&self, pass: &Pass<'_>, source: &Band<'_>) -> Result<Act> {
        let (run, side, channels) = (pass.run, pass.side, pass.block.conv2.outputs());
        let step = ((2 << 20) / (4 * side * channels).max(1)).max(4);
        run.write(&[side, side, 3], |image| {
            for (i, part) in image.chunks_mut(step * side * 3).enumerate() {
                let start = i * step;
                let rows = start..start + part.len() / (side * 3);
                let feat = self.first_feature(run, source, around(&rows, 1, side))?;
                let band = run.write(&[rows.len(), side, channels], |y| {
                    pass.rows(rows.clone(), Some(&values(&feat)?), y)
                })?;
                drop(feat);
                pass.colours(rows, &values(&band)?, part)?;
            }
            Ok(())
        })
    }
}

/// A synthesis block at work.
struct Pass<'a> {
    run: &'a Run<'a>,
    block: &'a SynthesisBlock,
    side: usize,
    /// Of [`SeparableConv2d::before_up`].
    before: &'a Act,
    /// The picture of half the size.
    rgb: &'a Act,
}

impl Pass<'_> {
    /// `rows` of the block's output; `feat` has a row more on both sides, as far as there are any.
    fn rows(&self, rows: Range<usize>, feat: Option<&[f32]>, y: &mut [f32]) -> Result<()> {
        let (run, block, side) = (self.run, self.block, self.side);
        let channels = block.conv1.outputs();
        let need = around(&rows, 1, side);
        let larger = run.write(&[need.len(), side, channels], |out| {
            let before = values(self.before)?;
            let before = Band::whole(&before, [side / 2, side / 2, channels]);
            block.conv1.up_rows(run, &before, need.clone(), feat, out)
        })?;
        let data = &values(&larger)?;
        let larger = Band {
            first: need.start,
            ..Band::whole(data, [side, side, channels])
        };
        block.conv2.plain_rows(run, &larger, rows, None, y)
    }

    /// `rows` of the picture of this size, of the block's output `x`.
    fn colours(&self, rows: Range<usize>, x: &[f32], image: &mut [f32]) -> Result<()> {
        let (run, side) = (self.run, self.side);
        let own = run.write(&[rows.len(), side, 3], |out| {
            let ep = Epilogue::default();
            self.block
                .torgb
                .forward(run.cx(), 1, rows.len(), side, x, &ep, out)
        })?;
        let (smaller, own) = (values(self.rgb)?, values(&own)?);
        let finish = Finish {
            noise: None,
            activation: Activation::None,
            add: Some(&own),
        };
        let smaller = Band::whole(&smaller, [side / 2, side / 2, 3]);
        upsample(run.cx(), &smaller, rows, &finish, image)
    }
}

fn nothing() -> Error {
    let what = "a defect in Mend: a network of no blocks";
    Error::new(ErrorKind::Internal, what)
}

fn encoder_block(
    cx: &Context,
    scope: &Scope,
    config: &Config,
    side: usize,
) -> Result<EncoderBlock> {
    let own = scope.pp(format!("encoder.b{side}"));
    let (c, next) = (config.at(side), config.at((side / 2).max(4)));
    let resample = if side > 4 {
        Resample::Down
    } else {
        Resample::None
    };
    Ok(EncoderBlock {
        conv1: SeparableConv2d::new(cx, &own.pp("conv1"), [c, c], Resample::None, None)?,
        conv2: SeparableConv2d::new(cx, &own.pp("conv2"), [c, next], resample, None)?,
    })
}

fn synthesis_block(
    cx: &Context,
    scope: &Scope,
    config: &Config,
    side: usize,
) -> Result<SynthesisBlock> {
    let own = scope.pp(format!("synthesis.b{side}"));
    let (c, before) = (config.at(side), config.at(side / 2));
    let (first, inputs, noise) = match side {
        4 => (Resample::None, c, None),
        _ => (Resample::Up, before, Some(side)),
    };
    if side > 4 {
        check_filter(&own.pp("upsample"), 3, 4.0)?;
    }
    Ok(SynthesisBlock {
        conv1: SeparableConv2d::new(cx, &own.pp("conv1"), [inputs, c], first, noise)?,
        conv2: SeparableConv2d::new(cx, &own.pp("conv2"), [c, c], Resample::None, noise)?,
        torgb: point(cx, &own.pp("torgb"), [c, 3], true, 1.0)?,
    })
}

/// Refuses a network with tensors that nothing was made of: another one with some of the same names.
fn all_used(scope: &Scope) -> Result<()> {
    let parts = ["encoder.", "synthesis."].map(|part| scope.path(part));
    let own = |name: &String| parts.iter().any(|part| name.starts_with(part.as_str()));
    match scope.weights().unused().into_iter().find(own) {
        None => Ok(()),
        Some(name) => Err(Error::new(
            ErrorKind::Model,
            format!(
                "{}: there is a tensor '{}' that MI-GAN has no use for; the file belongs to \
                 another network: take migan_512_places2.pt, migan_traced.pt or \
                 migan_pipeline_v2.onnx",
                scope.weights().name(),
                clip(&name)
            ),
        )),
    }
}
