//! MobileSAM (arXiv 2306.14289): Segment Anything (arXiv 2304.02643) with a TinyViT (arXiv 2207.10666) as
//! its encoder. A picture is embedded once; every set of clicks then costs some hundredths of a second.
//!
//! After ChaoningZhang/MobileSAM's `mobile_sam/modeling` at 34bbbfd and its `build_sam_vit_t`, with its
//! modules' names, which `mobile_sam.pt` and candle's `mobile_sam-tiny-vitt.safetensors` both have. Widths,
//! depths, heads and windows are read off the tensors' shapes.
#![forbid(unsafe_code)]

mod decoder;
mod prompt;
#[cfg(test)]
mod tests;
mod tiny_vit;
mod two_way;

pub use decoder::Masks;
pub use prompt::{Corners, Point};

use super::{Cost, input};
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::Context;
use crate::nn::{Act, Arena, Run, values};
use crate::weights::{Scope, Weights};
use candle_core::Tensor;
use decoder::MaskDecoder;
use prompt::PromptEncoder;
use tiny_vit::TinyVit;

/// The side of the frame that the published network was trained on.
pub const SIDE: usize = 1024;
/// Pixels of the frame along one of the embedding.
pub const STRIDE: usize = 16;

/// Means and deviations of the colours, of 255.
const MEAN: [f32; 3] = [123.675, 116.28, 103.53];
const DEVIATION: [f32; 3] = [58.395, 57.12, 57.375];

/// The network.
pub struct MobileSam {
    encoder: TinyVit,
    prompt: PromptEncoder,
    decoder: MaskDecoder,
}

/// A picture as the decoder sees it.
pub struct Embedded {
    /// `[1, side / 16, side / 16, channels]`
    features: Tensor,
    /// Where its pixels lie, shaped as the features.
    positions: Tensor,
    side: usize,
}

impl Embedded {
    /// The side of the frame in which points and boxes are given.
    pub fn side(&self) -> usize {
        self.side
    }

    /// What the encoder made, `[1, side / 16, side / 16, channels]`.
    pub fn features(&self) -> &Tensor {
        &self.features
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        4 * (self.features.elem_count() + self.positions.elem_count())
    }
}

impl MobileSam {
    /// Whether these are its tensors.
    pub fn is(weights: &Weights) -> bool {
        weights.contains("image_encoder.patch_embed.seq.0.c.weight")
            && weights.contains("mask_decoder.iou_token.weight")
    }

    /// Reads and packs the weights.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Model`] where the shapes make no such network; as [`Scope::get`].
    pub fn new(cx: &Context, weights: &Weights) -> Result<Self> {
        let root = weights.root();
        let encoder = TinyVit::new(cx, &root.pp("image_encoder"))?;
        let width = encoder.outputs();
        if width == 0 || !width.is_multiple_of(2 * two_way::HEADS) {
            let what = format!("its embedding has {width} channels");
            return Err(unfit(&root, &what));
        }
        Ok(Self {
            prompt: PromptEncoder::new(&root.pp("prompt_encoder"), width)?,
            decoder: MaskDecoder::new(cx, &root.pp("mask_decoder"), width)?,
            encoder,
        })
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        self.encoder.bytes() + self.prompt.bytes() + self.decoder.bytes()
    }

    /// Embeds `picture`, RGB, 0 to 1, `[1, height, width, 3]`, in the upper left corner of a square frame
    /// of `side`, a multiple of [`STRIDE`] that is no smaller than the picture: [`SIDE`], if it is to
    /// see what it was trained on.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Argument`] when a size does not fit; what stops the pass, see [`Run::write`].
    pub fn embed(&self, run: &Run, picture: &Tensor, side: usize) -> Result<Embedded> {
        let [_, height, width, _] = input("picture", picture, [Some(1), None, None, Some(3)])?;
        if !side.is_multiple_of(STRIDE) || height > side || width > side {
            return Err(Error::new(
                ErrorKind::Argument,
                format!(
                    "a picture of {width}×{height} does not lie in a frame of {side}², whose side \
                     must be a multiple of {STRIDE}"
                ),
            ));
        }
        let features = self.encoder.forward(run, framed(run, picture, side)?)?;
        let shape = features.dims().to_vec();
        let positions = run.write(&shape, |out| self.prompt.grid(run, side / STRIDE, out))?;
        Ok(Embedded {
            features: features.into_tensor(),
            positions: positions.into_tensor(),
            side,
        })
    }

    /// The masks of what `points` and `corners` mean, of which at least one is given.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Argument`] where nothing is given; what stops the pass, see [`Run::write`].
    pub fn masks(
        &self,
        run: &Run,
        picture: &Embedded,
        points: &[Point],
        corners: Option<Corners>,
    ) -> Result<Masks> {
        if points.is_empty() && corners.is_none() {
            return Err(Error::new(
                ErrorKind::Argument,
                "there is no point and no box: give one of them",
            ));
        }
        let prompt = self.prompt.tokens(points, corners, picture.side)?;
        let (features, positions) = (&picture.features, &picture.positions);
        let ground = self.prompt.no_mask();
        self.decoder
            .forward(run, features, ground, positions, prompt)
    }

    /// What embedding takes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Argument`] where the side is no multiple of [`STRIDE`].
    pub fn cost(&self, cx: &Context, side: usize) -> Result<Cost> {
        let arena = Arena::counting();
        let run = Run::new(cx, &arena);
        let outside = Run::new(cx, &Arena::counting());
        let blank = outside.write(&[1, side, side, 3], |_| Ok(()))?;
        self.embed(&run, &blank, side)?;
        Ok(Cost {
            flops: run.flops(),
            bytes: arena.peak(),
        })
    }
}

/// The picture, normalised, with zeros at its right and below.
fn framed(run: &Run, picture: &Tensor, side: usize) -> Result<Act> {
    let width = picture.dims().get(2).copied().unwrap_or(0);
    run.write(&[1, side, side, 3], |out| {
        let picture = values(picture)?;
        run.cx().parts(out, side * 3, |y, row| {
            let from = picture.get(y * width * 3..).unwrap_or(&[]);
            let from = &from[..from.len().min(width * 3)];
            row[from.len()..].fill(0.0);
            for (i, (v, x)) in row.iter_mut().zip(from).enumerate() {
                *v = (255.0 * x - MEAN[i % 3]) / DEVIATION[i % 3];
            }
        })
    })
}

/// The sides of a tensor that tells how large the network is.
fn told<const N: usize>(scope: &Scope, name: &str) -> Result<[usize; N]> {
    let shape = scope.shape(name);
    let sides = shape.and_then(|s| <[usize; N]>::try_from(s).ok());
    sides.filter(|s| s.iter().all(|n| *n > 0)).ok_or_else(|| {
        let name = scope.path(name);
        unfit(scope, &format!("'{name}' is missing or has another shape"))
    })
}

fn unfit(scope: &Scope, what: &str) -> Error {
    Error::new(
        ErrorKind::Model,
        format!(
            "{}: this is not MobileSAM's network: {what}; fetch the model again",
            scope.weights().name()
        ),
    )
}
