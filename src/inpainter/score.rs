//! How well a fill goes with what is around it, when nobody knows what was there: to choose among several.
//!
//! Three terms, each some tenths for a good fill and more than 1 for one that shows: how much stronger the
//! picture's edges are along the hole's rim than on both sides of it, how far the fill's patches are from
//! any patch around it, and how much more or less texture it has. No term depends on a random choice or on
//! the number of threads.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::kernels::Path;
use crate::kernels::patch::{CHANNELS, PatchKernels, RADIUS, SCALE, Texels};
use crate::r#match::hole_bounds;
use crate::pixels::resample::{resize_flags, resize_rgb};
use crate::pixels::{Plane, Rect, RgbImage};
use crate::progress::Cancel;
use crate::workers::Workers;
use rayon::prelude::*;

/// What each term counts: so they are of one size, some 0.3, for fills of photos.
const SEAM: f64 = 1.0;
const LIKENESS: f64 = 2.0;
const TEXTURE: f64 = 1.0;

/// A difference of colours that nobody sees, a value of 0 ..= 1.
const UNSEEN: f64 = 0.004;
/// Pixels of the crop that patches are compared at, at the least and at the most: what it is scaled to.
const COMPARED: std::ops::RangeInclusive<f64> = 1500.0..=16384.0;
/// The most patches of the fill that are looked for.
const SAMPLES: usize = 400;
/// Pairs of patches that are compared, a pixel of the hole: a small share of what a fill takes.
const PAIRS: f64 = 20.0;

/// A filled crop that is to be judged.
pub struct Judged<'a> {
    /// The crop with its fill.
    pub image: &'a RgbImage,
    /// 1 where it was filled.
    pub hole: &'a Plane<u8>,
    /// 1 where the picture is as it was.
    pub known: &'a Plane<u8>,
    /// 1 where a known pixel may be sampled from.
    pub source: &'a Plane<u8>,
}

/// How well the fill goes with what is around it: from 0 on, and the lower the better. Scores of fills of
/// one hole can be compared, and no others.
///
/// # Errors
/// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
pub fn score(judged: &Judged<'_>, pool: &Workers, cancel: &Cancel) -> Result<f64> {
    let bounds = hole_bounds(judged.hole);
    if bounds.is_empty() {
        return Ok(0.0);
    }
    cancel.check()?;
    let seam = seam(judged, bounds);
    cancel.check()?;
    let texture = texture(judged, bounds);
    cancel.check()?;
    let likeness = pool.install(|| likeness(judged))?;
    Ok(SEAM * seam + LIKENESS * likeness + TEXTURE * texture)
}

/// The mean difference of two pixels' channels.
fn apart(image: &RgbImage, a: usize, b: usize) -> f64 {
    let (a, b) = (&image.data[3 * a..3 * a + 3], &image.data[3 * b..3 * b + 3]);
    let sum: f64 = a
        .iter()
        .zip(b)
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs())
        .sum();
    sum / 3.0
}

/// How much stronger the steps across the rim are than the stronger one of those next to it on both sides,
/// over the mean of these.
fn seam(judged: &Judged<'_>, bounds: Rect) -> f64 {
    let (w, h) = (judged.hole.width, judged.hole.height);
    let (mut over, mut base, mut count) = (0.0, 0.0, 0.0);
    let mut look = |x: usize, y: usize, dx: isize, dy: isize| {
        let at = |n: isize| {
            let x = x.checked_add_signed(n * dx).filter(|x| *x < w)?;
            let y = y.checked_add_signed(n * dy).filter(|y| *y < h)?;
            Some(y * w + x)
        };
        let (Some(own), Some(out)) = (at(0), at(1).filter(|i| judged.known.data[*i] != 0)) else {
            return;
        };
        let within = at(-1).filter(|i| judged.hole.data[*i] != 0);
        let beyond = at(2).filter(|i| judged.known.data[*i] != 0);
        let within = within.map(|i| apart(judged.image, own, i));
        let beyond = beyond.map(|i| apart(judged.image, out, i));
        let (within, beyond) = match (within, beyond) {
            (None, None) => return,
            (a, b) => (a.or(b).unwrap_or(0.0), b.or(a).unwrap_or(0.0)),
        };
        let across = apart(judged.image, own, out);
        over += (across - within.max(beyond)).max(0.0);
        base += (within + beyond) / 2.0;
        count += 1.0;
    };
    for y in bounds.y as usize..bounds.bottom() as usize {
        for x in bounds.x as usize..bounds.right() as usize {
            if judged.hole.row(y)[x] != 0 {
                for (dx, dy) in [(-1, 0), (1, 0), (0, -1), (0, 1)] {
                    look(x, y, dx, dy);
                }
            }
        }
    }
    match count > 0.0 {
        true => (over / (base + UNSEEN * count)).ln_1p(),
        false => 0.0,
    }
}

/// How many times more or less the fill's pixels differ from their neighbours than those around it, as a
/// logarithm.
fn texture(judged: &Judged<'_>, bounds: Rect) -> f64 {
    let (w, h) = (judged.hole.width as u32, judged.hole.height as u32);
    let band = (bounds.width.max(bounds.height) / 4).clamp(8, 48);
    let around = bounds.grown_within(band, w, h);
    let (mut inside, mut outside) = (Mean::default(), Mean::default());
    let width = w as usize;
    for y in around.y as usize..around.bottom() as usize {
        for x in around.x as usize..around.right() as usize {
            let i = y * width + x;
            let right = (x + 1 < around.right() as usize).then_some(i + 1);
            let below = (y + 1 < around.bottom() as usize).then_some(i + width);
            for n in [right, below].into_iter().flatten() {
                if judged.hole.data[i] & judged.hole.data[n] != 0 {
                    inside.add(apart(judged.image, i, n));
                } else if judged.source.data[i] & judged.source.data[n] != 0 {
                    outside.add(apart(judged.image, i, n));
                }
            }
        }
    }
    if inside.count == 0.0 || outside.count == 0.0 {
        return 0.0;
    }
    ((inside.mean() + UNSEEN) / (outside.mean() + UNSEEN))
        .ln()
        .abs()
}

#[derive(Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
    }

    fn mean(&self) -> f64 {
        self.sum / self.count.max(1.0)
    }
}

/// How far patches of the fill are from the nearest around it, in deviations of the colours there. At a
/// lower resolution where the hole is large: then it is the larger forms that are compared.
fn likeness(judged: &Judged<'_>) -> Result<f64> {
    let (w, h) = (judged.hole.width, judged.hole.height);
    let hole_pixels = judged.hole.data.iter().filter(|h| **h != 0).count() as f64;
    let pairs = PAIRS * hole_pixels;
    let wanted = (pairs / 100.0).clamp(*COMPARED.start(), *COMPARED.end());
    let scale = (wanted / (w as f64 * h as f64)).sqrt().min(1.0);
    let to = |side: usize| ((side as f64 * scale).round() as usize).max(1);
    let (width, height) = (to(w), to(h));
    let image = resize_rgb(judged.image, width, height)?;
    let hole = resize_flags(judged.hole, width, height, true)?;
    let mut source = resize_flags(judged.source, width, height, false)?;
    for (source, hole) in source.data.iter_mut().zip(&hole.data) {
        *source &= 1 - hole;
    }
    let texels = texels(&image)?;
    let usable = whole_patches(&source)?;
    let filled: Vec<(usize, usize)> = centres(&hole);
    if usable.is_empty() || filled.is_empty() {
        return Ok(0.0);
    }
    let affordable = (pairs / usable.len() as f64) as usize;
    let samples = affordable.clamp(16, SAMPLES).min(filled.len());
    let kernels = PatchKernels::new(Path::chosen());
    // Evenly spread over the hole, row by row.
    let nearest = |n: usize| {
        let (x, y) = filled[(2 * n + 1) * filled.len() / (2 * samples)];
        let all = usable.iter();
        let far = all.map(|(ox, oy)| kernels.distance(&texels, x, y, *ox, *oy));
        far.min().unwrap_or(0)
    };
    let nearest: Vec<u32> = (0..samples).into_par_iter().map(nearest).collect();
    let values = ((2 * RADIUS + 1) * (2 * RADIUS + 1) * 3) as f64;
    let far = |square: &u32| (f64::from(*square) / values).sqrt() / f64::from(SCALE);
    let mean = nearest.iter().map(far).sum::<f64>() / samples as f64;
    Ok(mean / (deviation(&image, &source) + 5.0 * UNSEEN))
}

/// The picture for the comparing of patches; the channel that is no colour stays 0.
fn texels(image: &RgbImage) -> Result<Texels> {
    let mut texels = Texels::new(image.width, image.height)?;
    for y in 0..image.height {
        let pixels = image.row(y).as_chunks::<3>().0;
        for (texel, pixel) in texels.row_mut(y).chunks_exact_mut(CHANNELS).zip(pixels) {
            for (t, v) in texel.iter_mut().zip(pixel) {
                *t = (v.clamp(-1.0, 2.9) * SCALE).round() as i16;
            }
        }
    }
    Ok(texels)
}

/// Centres of patches that lie in the picture.
fn inside(plane: &Plane<u8>) -> impl Iterator<Item = (usize, usize)> {
    let rows = RADIUS..plane.height.saturating_sub(RADIUS);
    let (from, to) = (RADIUS, plane.width.saturating_sub(RADIUS));
    rows.flat_map(move |y| (from..to).map(move |x| (x, y)))
}

/// Those whose centre was filled.
fn centres(hole: &Plane<u8>) -> Vec<(usize, usize)> {
    inside(hole)
        .filter(|(x, y)| hole.row(*y)[*x] != 0)
        .collect()
}

/// Those all of which may be sampled from.
fn whole_patches(source: &Plane<u8>) -> Result<Vec<(usize, usize)>> {
    // Row by row and then column by column.
    let mut across = Plane::filled(source.width, source.height, 0u8, "the patches to compare")?;
    for y in 0..source.height {
        let windows = source.row(y).windows(2 * RADIUS + 1);
        for (i, window) in windows.enumerate() {
            across.row_mut(y)[i + RADIUS] = u8::from(!window.contains(&0));
        }
    }
    let whole = |x: usize, y: usize| (y - RADIUS..=y + RADIUS).all(|y| across.row(y)[x] != 0);
    Ok(inside(source).filter(|(x, y)| whole(*x, *y)).collect())
}

/// The deviation of the colours that may be sampled from.
fn deviation(image: &RgbImage, source: &Plane<u8>) -> f64 {
    let (mut count, mut sums, mut squares) = (0.0, [0.0; 3], 0.0);
    let pixels = image.data.as_chunks::<3>().0.iter().zip(&source.data);
    for (pixel, _) in pixels.filter(|(_, s)| **s != 0) {
        count += 1.0;
        for (sum, v) in sums.iter_mut().zip(pixel.map(f64::from)) {
            *sum += v;
            squares += v * v;
        }
    }
    let count = f64::max(count, 1.0);
    let means: f64 = sums.iter().map(|s| (s / count).powi(2)).sum();
    ((squares / count - means).max(0.0) / 3.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::r#match::Random;

    const SIDE: usize = 96;

    /// A texture of waves with a hole in its middle, which `fill` fills, and how that is judged.
    fn judged(threads: usize, fill: impl Fn(usize, usize, f32) -> f32) -> [f64; 4] {
        let mut image = RgbImage::black(SIDE, SIDE, "").unwrap();
        let mut hole = Plane::filled(SIDE, SIDE, 0u8, "").unwrap();
        for y in 0..SIDE {
            for x in 0..SIDE {
                let wave = (x as f32 * 0.7).sin() * (y as f32 * 0.5).cos();
                let mut value = 0.5 + 0.2 * wave;
                if (32..64).contains(&x) && (32..64).contains(&y) {
                    hole.row_mut(y)[x] = 1;
                    value = fill(x, y, value);
                }
                image.row_mut(y)[3 * x..3 * x + 3].fill(value);
            }
        }
        let mut known = hole.clone();
        known.data.iter_mut().for_each(|k| *k = 1 - *k);
        let judged = Judged {
            image: &image,
            hole: &hole,
            known: &known,
            source: &known,
        };
        let box_of = hole_bounds(&hole);
        let pool = Workers::new(threads).unwrap();
        let all = score(&judged, &pool, &Cancel::new()).unwrap();
        [
            seam(&judged, box_of),
            likeness(&judged).unwrap(),
            texture(&judged, box_of),
            all,
        ]
    }

    #[test]
    fn what_shows_is_worse_in_the_term_that_is_for_it() {
        let truth = judged(1, |_, _, value| value);
        let random = |x: usize, y: usize| Random::new(x as u64, y as u64).below(1000) as f32 / 1e3;
        for (what, term, fill) in [
            ("a lighter box", 0, judged(1, |_, _, value| value + 0.2)),
            (
                "another texture",
                1,
                judged(1, |x, y, _| 0.5 + 0.3 * ((x / 3 + y / 3) % 2) as f32 - 0.15),
            ),
            ("noise", 1, judged(1, |x, y, _| random(x, y))),
            ("noise", 2, judged(1, |x, y, _| random(x, y))),
            ("nothing but its mean", 2, judged(1, |_, _, _| 0.5)),
        ] {
            assert!(
                fill[term] > 2.0 * truth[term] + 0.2,
                "{what}, term {term}: {fill:?} and {truth:?}"
            );
            assert!(fill[3] > truth[3], "{what}: {fill:?} and {truth:?}");
        }
        assert_eq!(
            judged(3, |x, y, _| random(x, y)),
            judged(1, |x, y, _| random(x, y))
        );
    }
}
