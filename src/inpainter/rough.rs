//! Alpha at a rough edge, such as fur or torn paper: patches that go on from what is around say what comes,
//! and bring a border's colours along.
#![forbid(unsafe_code)]

use super::alpha::{NOTHING, nearest};
use crate::engines::{Mark, Run};
use crate::error::Result;
use crate::r#match::{Cutout, depth, search_alpha};
use crate::pixels::{Coverage, Plane, RgbImage};
use crate::progress::Cancel;

/// Pixels from an edge that a border along it has at the least, and those that certainly lie within.
const BORDER: std::ops::RangeInclusive<u8> = 1..=3;
const WITHIN: std::ops::RangeInclusive<u8> = 12..=32;
/// A border's colour is further from the mean within than this many variances there, and than this.
const VARIANCES: f64 = 1.0;
const LEAST: f64 = 0.01;

/// A region's crop with a hole at a transparent edge.
pub struct Rough<'a> {
    /// Straight colours; what is unknown or transparent carries a smooth guess.
    pub rgb: &'a RgbImage,
    /// How much of each pixel is to be replaced.
    pub coverage: &'a Coverage,
    /// 1 where a pixel is to be filled and its alpha to be searched for.
    pub hole: &'a Plane<u8>,
    /// How alpha goes on, see [`super::alpha::settle`].
    pub way: &'a Plane<u8>,
    /// Where the caller lets pixels be sampled from, whether they are selected or not. What is transparent is
    /// a source like any other here.
    pub source: Plane<u8>,
}

impl Rough<'_> {
    /// Sets `alpha` in the hole. Returns the crop with the `colours` that come with it, if they are asked for
    /// and to be had.
    ///
    /// # Errors
    /// Those of [`search_alpha`].
    pub fn search(
        &self,
        alpha: &mut Plane<f32>,
        colours: bool,
        run: &mut Run<'_>,
    ) -> Result<Option<RgbImage>> {
        let (w, h) = (self.hole.width, self.hole.height);
        let mut known = Plane::filled(w, h, 0u8, WHAT)?;
        let mut source = Plane::filled(w, h, 0u8, WHAT)?;
        for (i, c) in self.coverage.data.iter().enumerate() {
            // Nothing is known, too, where the hole became that.
            known.data[i] = u8::from(*c <= 0.0 || self.way.data[i] == NOTHING);
            source.data[i] = self.source.data[i] & u8::from(*c <= 0.0);
        }
        let cutout = Cutout {
            image: self.rgb,
            alpha,
            hole: self.hole,
            known: &known,
            source: &source,
        };
        let (pool, cancel, seed) = (run.pool, run.cancel, run.seed);
        let steps = &mut |share: f64| {
            run.at(Mark {
                stage: "prepare",
                step: (share * 100.0).round() as u32,
                steps: 100,
                share,
            })
        };
        let Some(found) = search_alpha(&cutout, colours, seed, pool, cancel, steps)? else {
            let mut open = Plane::filled(w, h, 0u8, WHAT)?;
            open.data.copy_from_slice(&self.hole.data);
            nearest(alpha, self.coverage, open)?;
            return Ok(None);
        };
        *alpha = found.alpha;
        Ok(found.colours)
    }

    /// Whether the picture has colours of its own along its edges, such as a border's, or is all edge, as
    /// letters are. Elsewhere edges say nothing of the colours beside them, and patches that fit both are
    /// few.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
    pub fn has_border(&self, alpha: &Plane<f32>, cancel: &Cancel) -> Result<bool> {
        let mut opaque = Plane::filled(alpha.width, alpha.height, 1u8, WHAT)?;
        for (i, opaque) in opaque.data.iter_mut().enumerate() {
            *opaque = u8::from(self.coverage.data[i] > 0.0 || alpha.data[i] > 0.0);
        }
        let depth = depth(&opaque, cancel)?;
        let (mut border, mut within) = (Moments::default(), Moments::default());
        for (i, pixel) in self.rgb.data.as_chunks::<3>().0.iter().enumerate() {
            if self.coverage.data[i] > 0.0 || alpha.data[i] <= 0.0 {
                continue;
            }
            match depth.data[i] {
                d if BORDER.contains(&d) => border.add(pixel),
                d if WITHIN.contains(&d) => within.add(pixel),
                _ => {}
            }
        }
        if within.count * 4.0 < border.count {
            return Ok(true);
        }
        Ok((0..3).any(|c| {
            let by = border.mean(c) - within.mean(c);
            by * by > VARIANCES * within.variance(c) + LEAST
        }))
    }
}

const WHAT: &str = "the hole at a transparent edge";

/// Of colours.
#[derive(Default)]
struct Moments {
    count: f64,
    sums: [f64; 3],
    squares: [f64; 3],
}

impl Moments {
    fn add(&mut self, pixel: &[f32; 3]) {
        self.count += 1.0;
        for (c, v) in pixel
            .iter()
            .map(|v| f64::from(v.clamp(0.0, 1.0)))
            .enumerate()
        {
            self.sums[c] += v;
            self.squares[c] += v * v;
        }
    }

    fn mean(&self, c: usize) -> f64 {
        self.sums[c] / self.count.max(1.0)
    }

    fn variance(&self, c: usize) -> f64 {
        (self.squares[c] / self.count.max(1.0) - self.mean(c).powi(2)).max(0.0)
    }
}
