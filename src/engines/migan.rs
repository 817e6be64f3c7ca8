//! MI-GAN: a small network that fills a hole in a fraction of a second.
#![forbid(unsafe_code)]

use super::Values;
use super::eraser::{Eraser, Facts, Network, mirrored, picture};
use crate::catalog::Kind;
use crate::error::Result;
use crate::kernels::Context;
use crate::memory;
use crate::models::migan::{Config, Generator, find};
use crate::nn::{Arena, Run, from_vec, values};
use crate::pixels::{Plane, RgbImage};
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
    const SUMMARY: &'static str = "Fills the hole by a small network in a fraction of a second, \
                                   without a prompt. Needs its model, 28 MB. Good at taking small \
                                   things out of photos.";
    const KIND: Kind = Kind::Migan;
    const FILES: &'static str = "migan_512_places2.pt, migan_traced.pt, migan_pipeline_v2.onnx, or \
                                 the same as .safetensors";
    const INSIDE: Option<&'static str> = None;

    fn facts(weights: &Weights, _: &Values) -> Result<Facts> {
        let config = Config::new(&find(weights)?)?;
        let side = config.resolution as u32;
        let share = (config.resolution as f64 / 512.0).powi(2);
        Ok(Facts {
            needs: Needs {
                alignment: 1,
                min_context: side / 8,
                context_share: 0.5,
                max_context: 2048,
                max_side: Some(side),
                min_side: side,
                blend: true,
                original: false,
                coverage: false,
            },
            // What is stored in 16 bits is packed in 32.
            weights: numbers(weights) * 4.0,
            pass: PASS * share,
            rest: 24e6,
            flops: FLOPS * share,
            instead: None,
        })
    }

    fn load(cx: &Context, weights: &Weights) -> Result<Self> {
        Generator::new(cx, &find(weights)?)
    }

    fn fill(
        &self,
        cx: &Context,
        image: &RgbImage,
        hole: &Plane<u8>,
        check: &dyn Fn() -> Result<()>,
    ) -> Result<RgbImage> {
        let side = self.config().resolution;
        let mut planes = memory::filled(4 * side * side, 0f32, "a crop for the network")?;
        // The rest of the square is the crop's mirror image, with its hole.
        for y in 0..side {
            let from = mirrored(y, image.height);
            let (holes, pixels) = (hole.row(from), image.row(from));
            for x in 0..side {
                let own = mirrored(x, image.width);
                let known = 1.0 - f32::from(holes[own]);
                let at = y * side + x;
                planes[at] = known - 0.5;
                for c in 0..3 {
                    let v = pixels[own * 3 + c].clamp(0.0, 1.0);
                    planes[(c + 1) * side * side + at] = (2.0 * v - 1.0) * known;
                }
            }
        }
        let x = from_vec(planes, &[1, 4, side, side])?;
        let arena = Arena::new();
        let run = Run::new(cx, &arena).check(check);
        let out = self.forward(&run, &x)?;
        let out = values(&out)?;
        picture(&out, [side, side], image, |v| v.mul_add(0.5, 0.5))
    }
}

/// Numbers in all tensors of a file.
pub fn numbers(weights: &Weights) -> f64 {
    let shapes = weights.names().filter_map(|name| weights.shape(name));
    let each = shapes.map(|shape| shape.iter().map(|n| *n as f64).product::<f64>());
    each.sum()
}
