//! The masks that are meant, and how good each is.
#![forbid(unsafe_code)]

use super::told;
use super::two_way::{TwoWay, sum};
use crate::error::Result;
use crate::kernels::{Activation, Context, TransposedShape, activate};
use crate::nn::{
    Act, ConvTranspose2d, Extra, LayerNorm, Linear, Run, each, from_vec, misfit, values,
};
use crate::weights::Scope;
use candle_core::Tensor;

/// The first for all that was pointed at together; the others for a single point, which may mean a thing,
/// a part of it or what it belongs to.
const MASKS: usize = 4;
/// Of the normalisation between the two enlargements.
const EPS: f32 = 1e-6;

/// What the decoder says.
pub struct Masks {
    /// Of each mask the logits, above 0 inside, `[MASKS, side, side]`: a quarter of the frame's side.
    logits: Vec<f32>,
    side: usize,
    quality: [f32; MASKS],
}

impl Masks {
    /// Of this quality and no size.
    #[cfg(test)]
    pub fn of(quality: [f32; MASKS]) -> Self {
        Self {
            logits: Vec::new(),
            side: 0,
            quality,
        }
    }

    /// The side of a mask.
    pub fn side(&self) -> usize {
        self.side
    }

    /// The logits of mask `i`, row by row.
    pub fn logits(&self, i: usize) -> &[f32] {
        let each = self.side * self.side;
        &self.logits[i * each..][..each]
    }

    /// Each mask's quality as the network sees it: how far it and the object agree, their intersection
    /// over their union.
    pub fn quality(&self) -> [f32; MASKS] {
        self.quality
    }

    /// The one to take, as SAM's predictor advises: of `clicks` points without a box the best of three
    /// where it is a single one, and otherwise the first.
    pub fn best(&self, clicks: usize, boxed: bool) -> usize {
        if boxed || clicks != 1 {
            return 0;
        }
        let better = |a: &usize, b: &usize| self.quality[*a].total_cmp(&self.quality[*b]);
        (1..MASKS).rev().max_by(better).unwrap_or(0)
    }
}

/// Three layers with relu between.
struct Head([Linear; 3]);

impl Head {
    fn new(cx: &Context, scope: &Scope, inputs: usize, outputs: usize) -> Result<Self> {
        let layers = scope.pp("layers");
        let [inner, _] = told::<2>(&layers, "0.weight")?;
        let layer = |i: usize, o, n| Linear::new(cx, &layers.pp(i), o, n);
        Ok(Self([
            layer(0, inner, inputs)?,
            layer(1, inner, inner)?,
            layer(2, outputs, inner)?,
        ]))
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(Linear::bytes).sum()
    }

    fn forward(&self, run: &Run, x: &Tensor) -> Result<Act> {
        let relu = Extra::activation(Activation::Relu);
        let x = self.0[0].forward(run, x, relu)?;
        let x = self.0[1].forward(run, &x, relu)?;
        self.0[2].forward(run, &x, Extra::NONE)
    }
}

/// The decoder.
pub struct MaskDecoder {
    transformer: TwoWay,
    /// Of the quality, then of each mask: `[1 + MASKS, width]`.
    own: Vec<f32>,
    larger: [ConvTranspose2d; 2],
    norm: LayerNorm,
    by: Vec<Head>,
    quality: Head,
}

impl MaskDecoder {
    /// Reads the weights.
    pub fn new(cx: &Context, scope: &Scope, width: usize) -> Result<Self> {
        let mut own = scope.get("iou_token.weight", &[1, width])?.into_f32()?;
        let masks = scope.get("mask_tokens.weight", &[MASKS, width])?;
        own.extend(masks.into_f32()?);
        let twice = |inputs, outputs| TransposedShape {
            inputs,
            outputs,
            kernel: (2, 2),
            stride: (2, 2),
            padding: (0, 0),
            output_padding: (0, 0),
            groups: 1,
        };
        let (upscaling, by) = (
            scope.pp("output_upscaling"),
            scope.pp("output_hypernetworks_mlps"),
        );
        let (half, quarter) = (width / 4, width / 8);
        Ok(Self {
            transformer: TwoWay::new(cx, &scope.pp("transformer"), width)?,
            own,
            larger: [
                ConvTranspose2d::new(cx, &upscaling.pp(0), twice(width, half))?,
                ConvTranspose2d::new(cx, &upscaling.pp(3), twice(half, quarter))?,
            ],
            norm: LayerNorm::new(&upscaling.pp(1), half, EPS)?,
            by: each(cx, MASKS, |i| Head::new(cx, &by.pp(i), width, quarter))?,
            quality: Head::new(cx, &scope.pp("iou_prediction_head"), width, MASKS)?,
        })
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        let larger: usize = self.larger.iter().map(ConvTranspose2d::bytes).sum();
        let heads: usize = self.by.iter().map(Head::bytes).sum();
        let own = 4 * self.own.len() + self.norm.bytes();
        self.transformer.bytes() + larger + heads + self.quality.bytes() + own
    }

    /// The masks of the prompt's tokens, `[1, count, width]`, on a picture, `[1, side, side, width]`.
    pub fn forward(
        &self,
        run: &Run,
        features: &Tensor,
        ground: &[f32],
        positions: &Tensor,
        prompt: Tensor,
    ) -> Result<Masks> {
        let [_, height, width, channels] = *features.dims() else {
            return Err(misfit("a decoder", "an embedding", features.dims()));
        };
        let mut tokens = self.own.clone();
        tokens.extend_from_slice(&values(&prompt)?);
        let count = tokens.len() / channels;
        let tokens = from_vec(tokens, &[1, count, channels])?;
        let ground = from_vec(ground.to_vec(), &[1, 1, 1, channels])?;
        let ground = ground
            .broadcast_as(features.dims())
            .and_then(|t| t.contiguous())
            .map_err(crate::nn::defect)?;
        let keys = sum(run, features, &ground)?;
        let pixels = [1, height * width, channels];
        let keys = keys.reshaped(&pixels)?;
        let positions = positions.reshape(&pixels).map_err(crate::nn::defect)?;
        let (said, keys) = self.transformer.forward(run, &tokens, keys, &positions)?;
        let picture = keys.reshaped(&[1, height, width, channels])?;
        let x = self.larger[0].forward(run, &picture, Activation::None)?;
        drop(picture);
        let x = self.norm.forward(run, &x)?;
        run.rewrite(&x, |x| activate(run.cx(), Activation::Gelu, x))?;
        let x = self.larger[1].forward(run, &x, Activation::Gelu)?;
        let token = |i: usize| {
            let token = said.narrow(1, i, 1);
            token.map_err(crate::nn::defect)
        };
        let mut logits = crate::memory::with_capacity(MASKS * 16 * height * width, "masks")?;
        for (i, head) in self.by.iter().enumerate() {
            let factors = head.forward(run, &token(1 + i)?)?;
            let mask = run.write(&[1, 4 * height, 4 * width], |out| {
                let (x, factors) = (values(&x)?, values(&factors)?);
                let n = factors.len();
                run.cx().parts(out, 4 * width, |row, out| {
                    let from = &x[row * 4 * width * n..];
                    for (v, x) in out.iter_mut().zip(from.chunks_exact(n)) {
                        *v = x.iter().zip(&*factors).map(|(a, b)| a * b).sum();
                    }
                })
            })?;
            logits.extend_from_slice(&values(&mask)?);
        }
        let quality = self.quality.forward(run, &token(0)?)?;
        let quality = values(&quality)?;
        Ok(Masks {
            logits,
            side: 4 * width,
            quality: std::array::from_fn(|i| quality[i]),
        })
    }
}
