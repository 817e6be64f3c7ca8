//! Crops to what the network sees, and back.
#![forbid(unsafe_code)]

use super::depth::depths;
use crate::engines::{Crop, in_range};
use crate::error::Result;
use crate::memory;
use crate::pixels::{RgbImage, mirrored};
use crate::schedulers::pixelwise::{Noisy, Order};

/// Shares of a pixel that are told apart: those that a mask of 8 bits has. As many levels at the most go
/// through the network's first layers.
const SHARES: f32 = 255.0;

/// The network's size for a crop: at least the crop's.
pub struct Canvas {
    pub width: usize,
    pub height: usize,
}

impl Canvas {
    /// Sides are multiples of `unit`; what is beyond the crop is its mirror image.
    pub fn new(crop: &Crop<'_>, unit: usize) -> Self {
        let side = |n: usize| n.next_multiple_of(unit.max(1));
        Self {
            width: side(crop.image.width),
            height: side(crop.image.height),
        }
    }

    /// The crop's pixel that stands at each of the canvas.
    fn places<'a>(&'a self, crop: &'a Crop<'_>) -> impl Iterator<Item = usize> + 'a {
        let (w, h) = (crop.image.width, crop.image.height);
        (0..self.height).flat_map(move |y| {
            let row = mirrored(y, h) * w;
            (0..self.width).map(move |x| row + mirrored(x, w))
        })
    }

    /// How much of each pixel is noise at first, and how deep it lies.
    pub fn pixels(&self, crop: &Crop<'_>, order: Order) -> Result<Vec<Noisy>> {
        let size = self.width * self.height;
        let mut pixels = memory::with_capacity(size, "a run's mask")?;
        pixels.extend(self.places(crop).map(|i| Noisy {
            mask: share(crop, i),
            depth: 0.0,
        }));
        if order == Order::RimFirst {
            let mut hole = memory::with_capacity(size, "a run's mask")?;
            hole.extend(self.places(crop).map(|i| crop.hole.data[i] != 0));
            for (pixel, depth) in pixels.iter_mut().zip(depths(&hole, self.width)?) {
                pixel.depth = depth;
            }
        }
        Ok(pixels)
    }

    /// The clean picture in ±1, `[3][height][width]`: what is known, what shows through a soft mask, and
    /// nothing where all is to be replaced.
    pub fn planes(&self, crop: &Crop<'_>, pixels: &[Noisy]) -> Result<Vec<f32>> {
        let size = self.width * self.height;
        let mut planes = memory::filled(3 * size, 0f32, "a crop for the network")?;
        for (at, (i, pixel)) in self.places(crop).zip(pixels).enumerate() {
            let from = match (pixel.mask, crop.original) {
                (1.0.., _) => continue,
                (0.0, _) | (_, None) => crop.image,
                (_, Some(original)) => original,
            };
            for c in 0..3 {
                // Float pictures reach beyond; the network does not.
                let v = from.data[3 * i + c].clamp(0.0, 1.0);
                planes[c * size + at] = 2.0 * v - 1.0;
            }
        }
        Ok(planes)
    }

    /// The crop with what the run has come to in the hole; around it to the bit as it was.
    pub fn picture(&self, crop: &Crop<'_>, planes: &[f32]) -> Result<RgbImage> {
        let size = self.width * self.height;
        let mut out = crop.image.try_clone("a filled crop")?;
        for y in 0..out.height {
            for x in 0..out.width {
                let (i, at) = (y * out.width + x, y * self.width + x);
                if crop.hole.data[i] == 0 {
                    continue;
                }
                for c in 0..3 {
                    let v = planes.get(c * size + at).copied().unwrap_or(f32::NAN);
                    out.data[3 * i + c] = in_range(v * 0.5 + 0.5);
                }
            }
        }
        Ok(out)
    }
}

/// How much of pixel `i` is to be replaced, in steps of a 255th; some of it wherever the hole is.
fn share(crop: &Crop<'_>, i: usize) -> f32 {
    match crop.coverage {
        _ if crop.hole.data[i] == 0 => 0.0,
        None => 1.0,
        Some(coverage) => {
            let steps = (coverage.data[i] * SHARES).round();
            // Also where it is no number.
            let steps = if steps >= 1.0 { steps.min(SHARES) } else { 1.0 };
            steps / SHARES
        }
    }
}
