//! MI-GAN: a small network that fills a hole in a fraction of a second.
#![forbid(unsafe_code)]

use super::eraser::{CostModel, Eraser, Network};
use super::rates::all_numbers;
use crate::catalog::Kind;
use crate::error::Result;
use crate::kernels::Context;
use crate::models::migan::{Config, Generator, find};
use crate::nn::{Run, Tensor};
use crate::params::Parameters;
use crate::plan::Needs;
use crate::weights::Weights;

/// Bytes of a pass at 512², of which a test makes sure, and operations, those of the depthwise convolutions
/// with some more for what they move.
const PASS: f64 = 92e6;
const FLOPS: f64 = 34e9;

/// The MI-GAN engine.
pub fn engine() -> Eraser<Generator> {
    Eraser::new()
}

impl Network for Generator {
    const ID: &'static str = "migan";
    const LABEL: &'static str = "MI-GAN";
    const SUMMARY: &'static str = "Fills the hole with a small network in a fraction of a second, \
                                   without a prompt. Needs its model, 28 MB. Good at taking small \
                                   things out of photos.";
    const KIND: Kind = Kind::Migan;
    const FILES: &'static str = "migan_512_places2.pt, migan_traced.pt, migan_pipeline_v2.onnx, or \
                                 the same as .safetensors";
    const INSIDE: Option<&'static str> = None;

    fn cost_model(weights: &Weights, _: &Parameters) -> Result<CostModel> {
        let config = Config::new(&find(weights)?)?;
        let side = config.resolution as u32;
        let share = (config.resolution as f64 / 512.0).powi(2);
        Ok(CostModel {
            needs: Needs {
                alignment: 1,
                min_context: side / 8,
                context_share: 0.5,
                max_context: 2048,
                max_side: Some(side),
                min_side: side,
                blend: true,
                original: false,
                specks: false,
                lit: false,
                coverage: false,
            },
            // What is stored in 16 bits is packed in 32.
            weights: all_numbers(weights) * 4.0,
            pass: PASS * share,
            rest: 24e6,
            flops: FLOPS * share,
            instead: None,
        })
    }

    fn load(cx: &Context, weights: &Weights) -> Result<Self> {
        Generator::new(cx, &find(weights)?)
    }

    fn size(&self, _: [usize; 2]) -> [usize; 2] {
        [self.config().resolution; 2]
    }

    fn input(pixel: [f32; 3], hole: f32) -> [f32; 4] {
        let known = 1.0 - hole;
        let [r, g, b] = pixel.map(|v| (2.0 * v - 1.0) * known);
        [known - 0.5, r, g, b]
    }

    fn pass(&self, run: &Run<'_>, x: &Tensor) -> Result<Tensor> {
        self.forward(run, x)
    }

    fn output(value: f32) -> f32 {
        value.mul_add(0.5, 0.5)
    }
}
