//! One level of the picture's pyramid: what is known, what is to be found, where patches may come
//! from.
#![forbid(unsafe_code)]

use super::along::Along;
use super::guide::{Course, Held};
use super::light::{Guess, Light};
use super::lines::Line;
use super::maps::{self, Runs};
use super::rhythm::Rhythm;
use super::texture::write_texture;
use crate::error::Result;
use crate::kernels::patch::{CHANNELS, RADIUS, SCALE, SIDE, Texels};
use crate::memory;
use crate::pixels::{Plane, RgbImage};
use crate::progress::Cancel;
use rayon::prelude::*;

/// Units of [`Level::means`] in a texel's unit.
pub const MEAN_SCALE: f32 = 8.0;

/// A level. Level 0 has the crop's size, each further one half of it, rounded up.
#[derive(Clone)]
pub struct Level {
    /// The matching picture; the hole's texels are the current guess.
    pub texels: Texels,
    /// 1 where a texel is to be found.
    pub hole: Plane<u8>,
    /// 1 where a known texel may be used.
    pub source: Plane<u8>,
    /// 1 where a whole patch of usable texels is centred.
    pub centres: Plane<u8>,
    /// For each row, the runs of centres whose patches reach into the hole.
    pub targets: Vec<Runs>,
    /// How deep each texel lies in the hole, see [`maps::depth`].
    pub depth: Plane<u8>,
    /// For each patch, by its centre, the mean of each channel. A target's is as current as the
    /// last [`Level::update_means`].
    means: Vec<[i16; CHANNELS]>,
    /// The targets that lie on lines through the hole.
    pub along: Option<Along>,
    /// The targets that lie on lines that the user painted.
    pub guide: Option<Held>,
    /// The light that is expected of the targets.
    pub light: Option<Light>,
}

impl Level {
    /// Level 0 of a crop; colours beyond what [`Texels`] holds are clamped.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
    pub fn finest(
        image: &RgbImage,
        hole: &Plane<u8>,
        source: &Plane<u8>,
        cancel: &Cancel,
    ) -> Result<Self> {
        let mut texels = Texels::new(image.width, image.height)?;
        for y in 0..image.height {
            cancel.check()?;
            let row = texels.row_mut(y).chunks_exact_mut(CHANNELS);
            for (t, p) in row.zip(image.row(y).chunks_exact(3)) {
                for c in 0..3 {
                    t[c] = (p[c].clamp(-1.0, 3.0) * SCALE).round() as i16;
                }
            }
        }
        Self::new(texels, copy(hole)?, copy(source)?, cancel)
    }

    fn new(
        mut texels: Texels,
        hole: Plane<u8>,
        source: Plane<u8>,
        cancel: &Cancel,
    ) -> Result<Self> {
        write_texture(&mut texels, &hole, &source, cancel)?;
        let w = hole.width;
        let centres = maps::whole_patches(&source, cancel)?;
        let mut means = memory::filled(hole.data.len(), [0i16; CHANNELS], "the patches' means")?;
        means.par_chunks_mut(w).enumerate().for_each(|(y, row)| {
            if cancel.is_cancelled() {
                return;
            }
            for (x, m) in row.iter_mut().enumerate() {
                if centres.row(y)[x] != 0 {
                    *m = mean(&texels, x, y);
                }
            }
        });
        Ok(Self {
            targets: maps::reaching(&hole, cancel)?,
            depth: maps::depth(&hole, cancel)?,
            texels,
            hole,
            source,
            centres,
            means,
            along: None,
            guide: None,
            light: None,
        })
    }

    /// The line through the hole that the target at (`x`, `y`) lies on.
    #[inline(always)]
    pub fn line(&self, x: usize, y: usize) -> Option<&Line> {
        self.along.as_ref()?.line(x, y)
    }

    /// Whether a texel is there and may be used.
    #[inline(always)]
    pub fn is_usable(&self, x: i32, y: i32) -> bool {
        // A negative coordinate becomes a huge one.
        let (x, y) = (x as usize, y as usize);
        x < self.source.width && y < self.source.height && self.source.row(y)[x] != 0
    }

    /// Whether the target at (`x`, `y`) lies on a line that the user painted.
    pub fn is_guided(&self, x: usize, y: usize) -> bool {
        self.guide.as_ref().is_some_and(|g| g.holds(x, y))
    }

    /// Holds targets to the painted `courses`; this is level `number`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
    pub fn guide_by(
        &mut self,
        courses: &[Course],
        number: usize,
        coarsest: bool,
        cancel: &Cancel,
    ) -> Result<()> {
        self.guide = match courses.is_empty() {
            true => None,
            false => Some(Held::new(courses, self, number, coarsest, cancel)?),
        };
        Ok(())
    }

    /// Holds targets to `lines`, but those that have a rhythm or are guided; this is level `number`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn hold_to(
        &mut self,
        lines: &[Line],
        number: usize,
        rhythm: Option<&Rhythm>,
    ) -> Result<()> {
        let size = (self.hole.width, self.hole.height);
        let free = |x: usize, y: usize| {
            rhythm.is_none_or(|r| !r.holds(x, y, number)) && !self.is_guided(x, y)
        };
        self.along = match lines.is_empty() {
            true => None,
            false => Some(Along::new(lines, number, size, &self.targets, free)?),
        };
        Ok(())
    }

    /// Expects of the targets the light of `guess`; this is level `number`. Less of those that a line, painted
    /// or found, or `rhythm` leads.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
    pub fn expect(
        &mut self,
        guess: Guess<'_>,
        number: usize,
        rhythm: Option<&Rhythm>,
        cancel: &Cancel,
    ) -> Result<()> {
        let size = (self.hole.width, self.hole.height);
        let led = |x: usize, y: usize| {
            self.line(x, y).is_some()
                || self.is_guided(x, y)
                || rhythm.is_some_and(|r| r.holds(x, y, number))
        };
        self.light = Some(Light::new(guess, size, &self.targets, led, cancel)?);
        Ok(())
    }

    /// How far the source patch at (`sx`, `sy`), shifted by `by`, is from the light that is expected of
    /// the target at (`x`, `y`), as a squared difference of a texel.
    #[inline(always)]
    pub fn off_light(&self, x: usize, y: usize, sx: usize, sy: usize, by: [f32; 3]) -> f32 {
        match &self.light {
            None => 0.0,
            Some(light) => light.off(x, y, &self.means[sy * self.hole.width + sx], by),
        }
    }

    /// The next coarser level: a texel is the mean of the known ones of its four, and known when
    /// at least half of them are. Where none is known the guesses' mean stands.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
    pub fn coarser(&self, cancel: &Cancel) -> Result<Self> {
        let (w, h) = (self.hole.width, self.hole.height);
        let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
        let mut texels = Texels::new(cw, ch)?;
        let mut hole = Plane::filled(cw, ch, 0u8, "the coarser hole")?;
        let mut source = Plane::filled(cw, ch, 0u8, "the coarser sources")?;
        for cy in 0..ch {
            cancel.check()?;
            for cx in 0..cw {
                let (mut known, mut usable, mut all) = (0i32, 0, 0);
                let mut known_sum = [0i32; 3];
                let mut sum = [0i32; 3];
                for y in cy * 2..(cy * 2 + 2).min(h) {
                    for x in cx * 2..(cx * 2 + 2).min(w) {
                        let i = y * w + x;
                        let is_known = i32::from(self.hole.data[i] == 0);
                        all += 1;
                        known += is_known;
                        usable += i32::from(self.source.data[i] != 0);
                        for (c, v) in self.texels.at(x, y)[..3].iter().enumerate() {
                            known_sum[c] += i32::from(*v) * is_known;
                            sum[c] += i32::from(*v);
                        }
                    }
                }
                let (sum, n) = if known > 0 {
                    (known_sum, known)
                } else {
                    (sum, all)
                };
                let texel = &mut texels.row_mut(cy)[cx * CHANNELS..][..3];
                for (t, sum) in texel.iter_mut().zip(sum) {
                    *t = (2 * sum + n).div_euclid(2 * n) as i16;
                }
                let i = cy * cw + cx;
                hole.data[i] = u8::from(known * 2 < all);
                source.data[i] = u8::from(known * 2 >= all && usable * 2 >= all);
            }
        }
        Self::new(texels, hole, source, cancel)
    }

    /// The hole's texels, one after the other.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn guess(&self) -> Result<Vec<i16>> {
        let count = self.hole.data.iter().filter(|h| **h != 0).count();
        let mut kept = memory::with_capacity(count * CHANNELS, "the first guess")?;
        for y in 0..self.hole.height {
            let row = self.texels.row(y).chunks_exact(CHANNELS);
            let hole = row.zip(self.hole.row(y)).filter(|(_, h)| **h != 0);
            hole.for_each(|(t, _)| kept.extend_from_slice(t));
        }
        Ok(kept)
    }

    /// Puts back what [`Self::guess`] gave.
    pub fn set_guess(&mut self, kept: &[i16]) {
        let mut kept = kept.chunks_exact(CHANNELS);
        for y in 0..self.hole.height {
            let row = self.texels.row_mut(y).chunks_exact_mut(CHANNELS);
            let hole = row.zip(self.hole.row(y)).filter(|(_, h)| **h != 0);
            for ((t, _), kept) in hole.zip(&mut kept) {
                t.copy_from_slice(kept);
            }
        }
    }

    /// Takes the hole's texels for known in the texture feature, which then asks for patches as busy
    /// as they are.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
    pub fn trust_texture(&mut self, cancel: &Cancel) -> Result<()> {
        let mut known = copy(&self.source)?;
        for (known, hole) in known.data.iter_mut().zip(&self.hole.data) {
            *known |= hole;
        }
        let nothing = Plane::filled(known.width, known.height, 0u8, "the level's maps")?;
        write_texture(&mut self.texels, &nothing, &known, cancel)
    }

    /// Brings the targets' means up to date with the texels; leaves them once `cancel` is raised.
    pub fn update_means(&mut self, cancel: &Cancel) {
        let (w, texels, targets) = (self.hole.width, &self.texels, &self.targets);
        self.means
            .par_chunks_mut(w)
            .enumerate()
            .for_each(|(y, row)| {
                if cancel.is_cancelled() {
                    return;
                }
                for &(start, end) in &targets[y] {
                    for x in usize::from(start)..usize::from(end) {
                        row[x] = mean(texels, x, y);
                    }
                }
            });
    }

    /// How much brighter the patch at (`x`, `y`) is on average than the one at (`sx`, `sy`), for
    /// each colour, in texel units.
    #[inline(always)]
    pub fn brighter(&self, x: usize, y: usize, sx: usize, sy: usize) -> [f32; 3] {
        let w = self.hole.width;
        let (t, s) = (self.means[y * w + x], self.means[sy * w + sx]);
        [0, 1, 2].map(|c| (f32::from(t[c]) - f32::from(s[c])) * (1.0 / MEAN_SCALE))
    }

    /// Targets in all.
    pub fn target_count(&self) -> usize {
        let runs = self.targets.iter().flatten();
        runs.map(|(start, end)| usize::from(end - start)).sum()
    }

    /// Every centre of a usable patch, row by row.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn centre_list(&self) -> Result<Vec<(u16, u16)>> {
        let count = self.centres.data.iter().filter(|c| **c != 0).count();
        let mut list = memory::with_capacity(count, "the list of patches")?;
        for y in 0..self.centres.height {
            for (x, c) in self.centres.row(y).iter().enumerate() {
                if *c != 0 {
                    list.push((x as u16, y as u16));
                }
            }
        }
        Ok(list)
    }
}

/// The mean of each channel of a patch, in units of 1 / [`MEAN_SCALE`].
fn mean(texels: &Texels, x: usize, y: usize) -> [i16; CHANNELS] {
    let mut sums = [0i32; CHANNELS];
    for row in y - RADIUS..=y + RADIUS {
        let row = &texels.row(row)[(x - RADIUS) * CHANNELS..(x + RADIUS + 1) * CHANNELS];
        for t in row.chunks_exact(CHANNELS) {
            for (sum, t) in sums.iter_mut().zip(t) {
                *sum += i32::from(*t);
            }
        }
    }
    sums.map(|s| (s as f32 * (MEAN_SCALE / (SIDE * SIDE) as f32)).round() as i16)
}

fn copy(plane: &Plane<u8>) -> Result<Plane<u8>> {
    let mut out = Plane::filled(plane.width, plane.height, 0u8, "the level's maps")?;
    out.data.copy_from_slice(&plane.data);
    Ok(out)
}
