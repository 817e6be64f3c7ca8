//! Alpha at a rough edge: fur, torn paper, leaves. Patches that go on from what is around say what comes.
#![forbid(unsafe_code)]

use super::alpha::{NOTHING, SEARCHED, nearest};
use crate::engines::{Mark, Run};
use crate::error::Result;
use crate::r#match::{Cutout, search_alpha};
use crate::pixels::{Coverage, Plane, RgbImage};

/// A region's crop whose alpha is to be searched for.
pub struct Rough<'a> {
    /// Straight colours; what is unknown or transparent carries a smooth guess.
    pub rgb: &'a RgbImage,
    /// How much of each pixel is to be replaced.
    pub coverage: &'a Coverage,
    /// 1 where a pixel is to be filled, and its alpha searched for or its colours asked for.
    pub hole: &'a Plane<u8>,
    /// How alpha goes on, see [`super::alpha::settle`].
    pub way: &'a Plane<u8>,
    /// Where the caller lets pixels be sampled from. Here what is transparent is a source like any other.
    pub source: Plane<u8>,
}

impl Rough<'_> {
    /// Sets `alpha` wherever it is [`SEARCHED`]. Returns the `colours` of all of the hole that come with it,
    /// if they are asked for and to be had.
    ///
    /// # Errors
    /// Those of [`search_alpha`].
    pub fn search(
        mut self,
        alpha: &mut Plane<f32>,
        colours: bool,
        run: &mut Run<'_>,
    ) -> Result<Option<RgbImage>> {
        let (w, h) = (alpha.width, alpha.height);
        let mut known = Plane::filled(w, h, 0u8, "the known alpha")?;
        let mut open = Plane::filled(w, h, 0u8, "the alpha at a transparent edge")?;
        for (i, c) in self.coverage.data.iter().enumerate() {
            // Nothing is known, too, where the hole became that.
            known.data[i] = u8::from(*c <= 0.0 || self.way.data[i] == NOTHING);
            open.data[i] = u8::from(self.hole.data[i] != 0 && self.way.data[i] == SEARCHED);
            self.source.data[i] &= u8::from(*c <= 0.0);
        }
        let cutout = Cutout {
            image: self.rgb,
            alpha,
            hole: self.hole,
            known: &known,
            source: &self.source,
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
            nearest(alpha, self.coverage, open)?;
            return Ok(None);
        };
        let all = alpha.data.iter_mut().zip(&found.alpha.data);
        all.zip(&open.data)
            .filter(|(_, open)| **open != 0)
            .for_each(|((a, found), _)| *a = *found);
        Ok(found.colours)
    }
}
