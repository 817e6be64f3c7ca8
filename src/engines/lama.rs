//! LaMa: a network that fills holes of any size and continues what repeats.
#![forbid(unsafe_code)]

use super::eraser::{CostModel, Eraser, Network};
use super::rates::all_numbers;
use crate::catalog::Kind;
use crate::error::Result;
use crate::kernels::Context;
use crate::models::lama::{Config, Generator, find};
use crate::nn::{Run, Tensor};
use crate::params::{ParamKind, ParamSpec, Parameters};
use crate::plan::Needs;
use crate::weights::Weights;

/// Operations of big-LaMa a pixel, all but the blocks' and one block's: counted by the network, of which
/// a test makes sure. Winograd's convolutions take a good half of them.
const FLOPS: f64 = 265e3;
const FLOPS_OF_BLOCK: f64 = 78.5e3;
/// Bytes a pixel at the last convolution: its input, once as it came and once filled up.
const BYTES: f64 = 530.0;

/// The LaMa engine.
pub fn engine() -> Eraser<Generator> {
    Eraser::new()
}

fn resolution() -> ParamSpec {
    ParamSpec {
        name: "resolution",
        label: "Working size",
        help: "The longest side, in pixels, that LaMa works at; a larger region is scaled down. \
               Twice the side takes four times the time, and four times the memory besides the \
               weights. LaMa was trained at 256 and works well up to about 1000.",
        kind: ParamKind::Integer {
            min: 256,
            max: 2048,
        },
        default: "512",
    }
}

impl Network for Generator {
    const ID: &'static str = "lama";
    const LABEL: &'static str = "LaMa";
    const SUMMARY: &'static str = "Fills the hole with a network that sees the whole region at \
                                   once, in seconds and without a prompt. Needs its model, 206 MB. \
                                   Good at large holes, at what repeats and at straight lines.";
    const KIND: Kind = Kind::Lama;
    const FILES: &'static str = "big-lama.pt, the folder of big-lama.zip, or the same as \
                                 .safetensors";
    const INSIDE: Option<&'static str> = Some("models/best.ckpt");

    fn params() -> Vec<ParamSpec> {
        vec![resolution()]
    }

    fn cost_model(weights: &Weights, parameters: &Parameters) -> Result<CostModel> {
        let scope = find(weights)?;
        let config = Config::new(&scope)?;
        let unit = Generator::ALIGNMENT as u32;
        let side = parameters.integer::<u32>("resolution")? / unit * unit;
        let pixels = f64::from(side).powi(2);
        // All but the kernels of a few channels grow with the square of the first one's.
        let wide = (config.ngf as f64 / 64.0).powi(2);
        let flops = FLOPS + FLOPS_OF_BLOCK * config.n_blocks as f64;
        Ok(CostModel {
            needs: Needs {
                alignment: unit,
                min_context: 64,
                context_share: 0.5,
                max_context: 2048,
                max_side: Some(side),
                // No small picture is blown up further than to the size that it was trained at.
                min_side: (side / 2).min(256),
                blend: true,
                original: false,
                specks: false,
                lit: false,
                coverage: false,
            },
            weights: all_numbers(weights) * 4.0,
            pass: BYTES * pixels * config.ngf as f64 / 64.0,
            rest: 80e6,
            flops: flops * wide * pixels,
            instead: Some("a smaller 'resolution'"),
        })
    }

    fn load(cx: &Context, weights: &Weights) -> Result<Self> {
        Generator::new(cx, &find(weights)?)
    }

    /// Multiples of 8.
    fn size(&self, crop: [usize; 2]) -> [usize; 2] {
        let unit = Self::ALIGNMENT;
        crop.map(|side| side.next_multiple_of(unit).max(2 * unit))
    }

    fn input([r, g, b]: [f32; 3], hole: f32) -> [f32; 4] {
        let known = 1.0 - hole;
        [r * known, g * known, b * known, hole]
    }

    fn pass(&self, run: &Run<'_>, x: &Tensor) -> Result<Tensor> {
        self.forward(run, x)
    }

    fn output(value: f32) -> f32 {
        value
    }
}
