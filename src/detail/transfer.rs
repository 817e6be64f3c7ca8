//! Detail from the crop's own pixels: the exemplar search, guided by the answer.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::r#match::{self, Steps, guided};
use crate::pixels::{Plane, RgbImage, RunMask};
use crate::plan::Costs;
use crate::progress::Cancel;
use crate::workers::Workers;

/// How far an answer is to be trusted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guide {
    /// Native pixels along a pixel of the answer: what is finer is not in it. A soft answer may be
    /// given a larger value than its size says.
    pub scale: f64,
    /// How much the result must keep to the answer's low frequencies, `0.0 ..= 1.0`: 1 keeps them,
    /// less lets the patches that were found have a say.
    pub weight: f32,
}

impl Guide {
    fn level(&self) -> usize {
        let level = (self.scale.max(1.0).log2() - 0.2).ceil().max(1.0);
        level as usize
    }

    fn of_levels(&self) -> r#match::Guide {
        r#match::Guide {
            level: self.level(),
            weight: self.weight.clamp(0.0, 1.0),
        }
    }
}

/// What [`transfer`] takes for a region, in the planner's terms.
pub fn transfer_costs() -> Costs {
    // Measured on crops of 0.1 to 9 megapixels, two threads of an AVX-512 machine.
    Costs {
        bytes: 4e6,
        bytes_per_pixel: 70.0,
        bytes_per_hole_pixel: 50.0,
        seconds: 0.005,
        seconds_per_pixel: 2e-7,
        seconds_per_hole_pixel: 5e-6,
        variation: 1.0,
    }
}

/// What the search in [`transfer`] costs for the hole of a crop whose answer is `scale` times as coarse, in
/// pixels of a large, compact hole.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn transfer_work(scale: f64, hole: &RunMask) -> Result<f64> {
    let guide = Guide { scale, weight: 1.0 };
    Ok(r#match::guided_pairs(hole, guide.of_levels())? / r#match::GUIDED_PAIRS)
}

/// Carries native detail into the hole of `crop`, whose pixels carry the answer at native size, see
/// `upscale`. Returns a picture of the crop's size that differs in the hole only.
///
/// # Errors
/// What `steps` returns; [`crate::ErrorKind::Memory`]; [`crate::ErrorKind::Unsupported`] for a side
/// beyond 65,535.
#[allow(clippy::too_many_arguments)]
pub fn transfer(
    guide: &Guide,
    crop: &RgbImage,
    hole: &Plane<u8>,
    source: &Plane<u8>,
    seed: u64,
    pool: &Workers,
    cancel: &Cancel,
    steps: Steps<'_>,
) -> Result<RgbImage> {
    let guide = guide.of_levels();
    guided(crop, hole, source, guide, seed, pool, cancel, steps)
}
