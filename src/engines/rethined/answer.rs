//! The network's answer for a crop, at the size that it works at.
#![forbid(unsafe_code)]

use crate::blend;
use crate::detail::{self, Attention};
use crate::engines::Crop;
use crate::error::Result;
use crate::kernels::Context;
use crate::r#match::{Guess, Random};
use crate::memory;
use crate::models::rethined::{Alike, CELL, PATCH, Rethined, STRIDE, picture};
use crate::nn::{Arena, Run, values};
use crate::pixels::resample::{resize_flags, resize_rgb};
use crate::pixels::{Plane, RgbImage};
use crate::progress::Cancel;

/// Native pixels along a pixel of the network's, at the least: it was trained to see about as much
/// as that shows.
const REDUCE: f64 = 2.0;
/// The longest side that the network works on.
const MOST_SIDE: usize = 512;
/// What the network adds to the smooth extension is taken by half where it is this, and less where it is
/// less: it is never quite nothing, and an even sky must stay even.
const UNSURE: f32 = 4.0 / 255.0;
/// Bounds of the logarithm of the variance, those of its training.
const LEAST_SURE: f32 = -11.5;
const MOST_SURE: f32 = -1.2;
const WHAT: &str = "the network's picture";

/// What the network makes of a crop.
pub struct Answer {
    /// The crop with its hole filled, at the network's size.
    pub image: RgbImage,
    /// The variance of what each pixel of `image` is off, of 1.0, as the network has it; of no meaning
    /// outside the hole.
    pub variance: Plane<f32>,
    /// Which known tokens of `image` go into each of the hole's, and the tokens in a row.
    alike: Vec<Alike>,
    columns: usize,
}

/// The size for a crop: at most [`MOST_SIDE`], at least one pixel.
fn size(width: usize, height: usize) -> (usize, usize) {
    let longer = width.max(height) as f64;
    let scale = REDUCE.max(longer / MOST_SIDE as f64);
    let to = |side: usize| ((side as f64 / scale).round() as usize).clamp(1, MOST_SIDE);
    (to(width), to(height))
}

/// Runs the network; on the caller's pool. `matched`: with its matching.
///
/// # Errors
/// [`crate::ErrorKind::Cancelled`], [`crate::ErrorKind::Memory`].
pub fn make(
    cx: &Context,
    net: &Rethined,
    crop: &Crop<'_>,
    matched: bool,
    cancel: &Cancel,
) -> Result<Answer> {
    let (w, h) = size(crop.image.width, crop.image.height);
    let mut image = resize_rgb(crop.image, w, h)?;
    let hole = resize_flags(crop.hole, w, h, true)?;
    let source = resize_flags(crop.source, w, h, false)?;
    let known: Vec<u8> = hole.data.iter().map(|h| 1 - h).collect();
    blend::extend(&mut image.data, 3, w, h, &known, cancel)?;
    let (pw, ph) = (w.next_multiple_of(STRIDE), h.next_multiple_of(STRIDE));
    let mut pixels = memory::with_capacity(pw * ph * 3, WHAT)?;
    let mut mask = memory::filled(pw * ph, 0f32, WHAT)?;
    let mut usable = memory::filled(pw * ph, 0f32, WHAT)?;
    for y in 0..ph {
        // What is beyond the crop is its last row and column again.
        let row = image.row(y.min(h - 1));
        for x in 0..pw {
            pixels.extend_from_slice(&row[x.min(w - 1) * 3..][..3]);
            if x < w && y < h {
                mask[y * pw + x] = f32::from(hole.row(y)[x]);
                usable[y * pw + x] = f32::from(source.row(y)[x]);
            }
        }
    }
    let extended = picture(pixels, ph, pw, 3)?;
    let (mask, usable) = (picture(mask, ph, pw, 1)?, picture(usable, ph, pw, 1)?);
    let check = || cancel.check();
    let arena = Arena::new();
    let run = Run::new(cx, &arena).check(&check);
    let coarse = net.fill_coarse(&run, &extended, &mask)?;
    let alike = match matched {
        true => net.alike(&run, &coarse, &mask, &usable)?,
        false => Vec::new(),
    };
    let mut variance = Plane::filled(w, h, 0f32, WHAT)?;
    let sure = values(&coarse.sure)?;
    for (y, row) in variance.data.chunks_exact_mut(w).enumerate() {
        let cells = &sure[y / CELL * (pw / CELL)..];
        for (x, v) in row.iter_mut().enumerate() {
            *v = libm::expf(cells[x / CELL].clamp(LEAST_SURE, MOST_SURE));
        }
    }
    let filled = values(&coarse.answer)?;
    // The picture's own range: a float picture's may reach beyond 1.
    let (low, high) = image.data.iter().fold((0.0f32, 1.0f32), |(low, high), v| {
        (low.min(*v), high.max(*v))
    });
    for (y, row) in image.data.chunks_exact_mut(w * 3).enumerate() {
        let filled = filled[y * pw * 3..].chunks_exact(3);
        for (pixel, filled) in row.chunks_exact_mut(3).zip(filled) {
            let by = [0, 1, 2].map(|c| filled[c] - pixel[c]);
            let energy = by.iter().map(|v| v * v).sum::<f32>() / 3.0;
            let sure = energy / (energy + UNSURE * UNSURE);
            for (v, by) in pixel.iter_mut().zip(by) {
                *v = (*v + sure * by).clamp(low, high);
            }
        }
    }
    Ok(Answer {
        image,
        variance,
        alike,
        columns: pw / PATCH,
    })
}

impl Answer {
    /// What the search goes by.
    pub fn guess(&self) -> Guess<'_> {
        Guess {
            image: &self.image,
            variance: &self.variance,
        }
    }

    /// The crop with its hole filled, detail by the network's attention. `seed` chooses among what is as
    /// good.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn attended(&self, crop: &Crop<'_>, seed: u64) -> Result<RgbImage> {
        let alike = picked(&self.alike, self.columns as u32, seed)?;
        let attention = Attention {
            answer: &self.image,
            patch: PATCH,
            columns: self.columns,
            alike: &alike,
        };
        detail::attend(&attention, crop.image, crop.hole, crop.source)
    }
}

/// One known token for each of the hole's: where it can be had, the one next to what a neighbour
/// took, so that what goes on there goes on here; otherwise any of those that are most alike but a
/// neighbour's own, so that nothing repeats like a wallpaper.
fn picked(alike: &[Alike], columns: u32, seed: u64) -> Result<Vec<(u32, u32)>> {
    let mut picked: Vec<(u32, u32)> = memory::with_capacity(alike.len(), WHAT)?;
    for a in alike {
        let of = |token: Option<u32>| {
            let token = token?;
            // In the order of their tokens.
            let at = picked.binary_search_by_key(&token, |p| p.0).ok()?;
            Some(picked[at].1)
        };
        let left = of((a.token % columns > 0).then(|| a.token - 1));
        let above = of(a.token.checked_sub(columns));
        let next = left.filter(|k| k % columns + 1 < columns).map(|k| k + 1);
        let below = above.map(|k| k + columns);
        let has = |k: &u32| a.known.iter().any(|(known, _)| known == k);
        let goes_on = [next, below].into_iter().flatten().find(has);
        let chosen = goes_on.or_else(|| {
            let fresh = |k: &&(u32, f32)| Some(k.0) != left && Some(k.0) != above;
            let all: f32 = a.known.iter().filter(fresh).map(|k| k.1).sum();
            let draw = Random::new(seed, u64::from(a.token)).next() >> 40;
            let mut rest = all * draw as f32 / (1u64 << 24) as f32;
            let mut fresh = a.known.iter().filter(fresh);
            let found = fresh.find(|k| {
                rest -= k.1;
                rest <= 0.0
            });
            found.or(a.known.first()).map(|k| k.0)
        });
        picked.extend(chosen.map(|known| (a.token, known)));
    }
    Ok(picked)
}
