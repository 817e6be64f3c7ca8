//! Exemplar filling: the hole is filled from the picture's own pixels. Needs no weights.
#![forbid(unsafe_code)]

use super::{Crop, Engine, EngineDescription, OpenOptions, Opened, Run, variation_seed};
use crate::error::Result;
use crate::r#match::{Guess, Scene, complete, complete_several};
use crate::pixels::RgbImage;
use crate::plan::{Costs, Needs};

/// The exemplar engine, on [`mod@crate::match`].
pub struct Exemplar;

/// What the search takes: measured on crops of 0.1 to 9 megapixels, two threads of an AVX-512 machine.
pub fn patch_costs() -> Costs {
    Costs {
        bytes: 4e6,
        bytes_per_pixel: 70.0,
        bytes_per_hole_pixel: 50.0,
        seconds: 0.005,
        seconds_per_pixel: 1e-7,
        seconds_per_hole_pixel: 4e-6,
        variation: 0.4,
    }
}

impl Engine for Exemplar {
    fn description(&self) -> EngineDescription {
        EngineDescription {
            id: "exemplar",
            label: "Exemplar",
            summary: "Fills the hole from the picture's own pixels: sharp, at any resolution, in \
                      any depth. Needs no model. Good at textures, skies, water and walls, and at \
                      continuing what reaches the hole. It cannot invent what the picture does not \
                      show.",
            params: vec![],
        }
    }

    fn open(&self, _: &OpenOptions<'_>) -> Result<Box<dyn Opened>> {
        Ok(Box::new(Self))
    }
}

impl Opened for Exemplar {
    fn needs(&self) -> Needs {
        Needs {
            min_context: 64,
            context_share: 0.6,
            max_context: 768,
            specks: true,
            ..Needs::ANY
        }
    }

    fn costs(&self, _: Option<u64>) -> Costs {
        patch_costs()
    }

    fn of_patches(&self) -> bool {
        true
    }

    fn guides(&self) -> bool {
        true
    }

    fn fill(&self, crop: &Crop<'_>, run: &mut Run<'_>) -> Result<RgbImage> {
        fill(crop, None, run)
    }

    fn vary(
        &self,
        crop: &Crop<'_>,
        run: &mut Run<'_>,
        count: u32,
        each: &mut dyn FnMut(RgbImage) -> Result<()>,
    ) -> Result<()> {
        vary(crop, None, run, count, each)
    }
}

/// Fills the hole of `crop`, in the light that is expected.
///
/// # Errors
/// As [`Opened::fill`].
pub fn fill(crop: &Crop<'_>, light: Option<Guess<'_>>, run: &mut Run<'_>) -> Result<RgbImage> {
    let (pool, cancel, seed) = (run.pool, run.cancel, run.seed);
    let scene = scene(crop, light);
    complete(&scene, seed, pool, cancel, &mut |share| run.step(share))
}

/// Fills the hole of `crop` in several ways, in the light that is expected.
///
/// # Errors
/// As [`Opened::vary`].
pub fn vary(
    crop: &Crop<'_>,
    light: Option<Guess<'_>>,
    run: &mut Run<'_>,
    count: u32,
    each: &mut dyn FnMut(RgbImage) -> Result<()>,
) -> Result<()> {
    let (pool, cancel, seed) = (run.pool, run.cancel, run.seed);
    let seeds = |number| variation_seed(seed, number);
    let steps = &mut |share| run.step(share);
    complete_several(&scene(crop, light), count, seeds, pool, cancel, steps, each)
}

fn scene<'a>(crop: &Crop<'a>, light: Option<Guess<'a>>) -> Scene<'a> {
    Scene {
        light,
        guide: crop.guide,
        ..Scene::new(crop.image, crop.hole, crop.source)
    }
}
