//! The alpha of a hole at a transparent edge, from patches, and the colours that come with it.
//!
//! The search runs on the picture as it looks on a ground of a colour that no picture has, so that a
//! transparent edge is the strongest that a patch can hold. The patches that it finds propose the alpha, and
//! the straight colour as far as their pixels are opaque: no ground comes into the result. Since edges
//! decide what fits, colours come from here only where they go with edges, as a border's do.
#![forbid(unsafe_code)]

use super::complete::{SHARPNESS, check_size, hole_bounds, matched, setting, with_hole};
use super::field::Field;
use super::level::Level;
use super::reconstruct::reconstruct;
use super::rounds::Steps;
use super::vote::{Weights, weigh};
use crate::blend;
use crate::error::Result;
use crate::kernels::patch::{RADIUS, SIDE};
use crate::memory;
use crate::pixels::{Plane, RgbImage};
use crate::progress::Cancel;
use crate::workers::Workers;
use rayon::prelude::*;

/// How far beyond 0 and 1 the ground's colours lie: on the far side of the picture's.
const BEYOND: f32 = 0.5;

/// A crop at a transparent edge.
#[derive(Clone, Copy)]
pub struct Cutout<'a> {
    /// Straight colour; what is in the hole or transparent carries a smooth guess.
    pub image: &'a RgbImage,
    /// Alpha, `0.0 ..= 1.0`; of the known pixels alone.
    pub alpha: &'a Plane<f32>,
    /// 1 where a pixel is to be filled.
    pub hole: &'a Plane<u8>,
    /// 1 where colour and alpha are known. Transparent pixels are, also those of a hole that became so.
    pub known: &'a Plane<u8>,
    /// 1 where a known pixel may be taken.
    pub source: &'a Plane<u8>,
}

/// What patches say of a hole; outside it all is as given.
pub struct Proposed {
    /// Each is one that a source pixel has, so that what is opaque or transparent in the sources is so in
    /// the hole, and edges are no softer.
    pub alpha: Plane<f32>,
    /// The colours that come with it, where they were asked for.
    pub colours: Option<RgbImage>,
}

/// Searches for the alpha of the hole, and its `colours`. `None` where no whole patch of usable pixels is to
/// be had.
///
/// # Errors
/// As [`super::complete()`].
pub fn search_alpha(
    cutout: &Cutout<'_>,
    colours: bool,
    seed: u64,
    pool: &Workers,
    cancel: &Cancel,
    steps: Steps<'_>,
) -> Result<Option<Proposed>> {
    check_size(cutout.image, "the search for alpha")?;
    steps(0.0)?;
    let setting = setting(seed, pool, cancel);
    let shown = pool.install(|| shown(cutout, cancel))?;
    let (found, meter) = matched(&shown, cutout.hole, cutout.source, &setting, steps)?;
    drop(shown);
    let proposed = match found {
        Some((level, field)) => Some(pool.install(|| {
            let alpha = voted_alpha(cutout, &level, &field, cancel)?;
            let colours = match colours {
                true => Some(voted_colours(cutout, &alpha, level, field, cancel)?),
                false => None,
            };
            Ok::<_, crate::error::Error>(Proposed { alpha, colours })
        })?),
        None => None,
    };
    meter.finish()?;
    Ok(proposed)
}

/// The votes for the colours, one with what is known beside them, where the alpha is this.
fn voted_colours(
    cutout: &Cutout<'_>,
    alpha: &Plane<f32>,
    level: Level,
    field: Field,
    cancel: &Cancel,
) -> Result<RgbImage> {
    let Cutout { image, hole, .. } = *cutout;
    let (w, h) = (image.width, image.height);
    let bounds = hole_bounds(hole).grown_within(1, w as u32, h as u32);
    // No number, so that it is seen where no opaque pixel votes.
    let mut open = image.try_clone("the filled crop")?;
    for (pixel, hole) in open.data.as_chunks_mut::<3>().0.iter_mut().zip(&hole.data) {
        if *hole != 0 {
            *pixel = [f32::NAN; 3];
        }
    }
    let opacity = |i: usize| alpha.data[i];
    let mut fill = reconstruct(&open, &level, &field, WEIGHTS, opacity, bounds, cancel)?;
    drop((level, field, open));
    let (bw, bh) = (fill.colour.width, fill.colour.height);
    let voted = |c: &[f32; 3]| u8::from(c.iter().all(|v| v.is_finite()));
    let mut known = memory::with_capacity(bw * bh, "the votes")?;
    known.extend(fill.colour.data.as_chunks::<3>().0.iter().map(voted));
    blend::extend(&mut fill.colour.data, 3, bw, bh, &known, cancel)?;
    // What is transparent has no colour to meet: it follows whatever the hole takes on.
    let mut free = Plane::filled(w, h, 0u8, "the seam's mask")?;
    for ((free, hole), a) in free.data.iter_mut().zip(&hole.data).zip(&alpha.data) {
        *free = u8::from(*hole != 0 || *a <= 0.0);
    }
    let at = |i: usize| (i / bw + bounds.y as usize) * w + i % bw + bounds.x as usize;
    fill.keep_beside(|i| known[i] == 0 || alpha.data[at(i)] <= 0.0);
    blend::seamless(
        image,
        &free,
        bounds,
        &mut fill.colour,
        fill.gx,
        fill.gy,
        cancel,
    )?;
    with_hole(image, hole, bounds, &fill.colour)
}

/// Of the last vote.
const WEIGHTS: Weights = Weights {
    sharpness: Some(SHARPNESS[2]),
    shift: 0.0,
    feature: 0.0,
};

/// The picture on a ground that differs from its mean colour as much as a level of the search can
/// hold; what is not known is a smooth guess.
fn shown(cutout: &Cutout<'_>, cancel: &Cancel) -> Result<RgbImage> {
    let Cutout { image, alpha, .. } = *cutout;
    let ground = ground(cutout);
    let mut out = image.try_clone("the picture on a ground")?;
    let pixels = out.data.as_chunks_mut::<3>().0.iter_mut().zip(&alpha.data);
    for (pixel, a) in pixels {
        for (v, g) in pixel.iter_mut().zip(ground) {
            *v = g + (*v - g) * a;
        }
    }
    let (w, h) = (image.width, image.height);
    blend::extend(&mut out.data, 3, w, h, &cutout.known.data, cancel)?;
    Ok(out)
}

/// Bright where the opaque pixels are dark on the whole, and the other way round.
fn ground(cutout: &Cutout<'_>) -> [f32; 3] {
    let (mut sums, mut all) = ([0.0f64; 3], 0.0f64);
    let pixels = cutout.image.data.as_chunks::<3>().0.iter();
    for ((pixel, a), known) in pixels.zip(&cutout.alpha.data).zip(&cutout.known.data) {
        if *known != 0 {
            let a = f64::from(*a);
            all += a;
            for (sum, v) in sums.iter_mut().zip(pixel) {
                *sum += a * f64::from(v.clamp(0.0, 1.0));
            }
        }
    }
    sums.map(|sum| match sum > 0.5 * all {
        true => -BEYOND,
        false => 1.0 + BEYOND,
    })
}

/// The weighted median of the alphas that the patches over a pixel propose: what most of them say, and
/// nothing between.
fn voted_alpha(
    cutout: &Cutout<'_>,
    level: &Level,
    field: &Field,
    cancel: &Cancel,
) -> Result<Plane<f32>> {
    let Cutout { alpha, hole, .. } = *cutout;
    let (w, h) = (hole.width, hole.height);
    let weight = weigh(level, field, WEIGHTS)?;
    let mut data = memory::with_capacity(w * h, "the filled alpha")?;
    data.extend_from_slice(&alpha.data);
    let rows = data.par_chunks_mut(w.max(1)).enumerate();
    rows.for_each_init(
        || Vec::with_capacity(SIDE * SIDE),
        |votes: &mut Vec<(f32, f32)>, (y, row)| {
            if cancel.is_cancelled() {
                return;
            }
            for (x, out) in row.iter_mut().enumerate() {
                if hole.row(y)[x] == 0 {
                    continue;
                }
                votes.clear();
                for cy in y.saturating_sub(RADIUS)..(y + RADIUS + 1).min(h) {
                    for cx in x.saturating_sub(RADIUS)..(x + RADIUS + 1).min(w) {
                        let weight = weight[cy * w + cx];
                        // Only targets have one.
                        if weight > 0.0 {
                            let (sx, sy) = field.source.row(cy)[cx];
                            let at = (usize::from(sx) + x - cx, usize::from(sy) + y - cy);
                            votes.push((alpha.row(at.1)[at.0], weight));
                        }
                    }
                }
                *out = median(votes).unwrap_or(nearest(cutout, x, y));
            }
        },
    );
    cancel.check()?;
    Ok(Plane {
        width: w,
        height: h,
        data,
    })
}

/// The least value that, with all below it, has half of the weight.
fn median(votes: &mut [(f32, f32)]) -> Option<f32> {
    let first = votes.first()?.0;
    if votes.iter().all(|v| v.0 == first) {
        return Some(first);
    }
    votes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all: f32 = votes.iter().map(|v| v.1).sum();
    let mut below = 0.0;
    let found = votes.iter().find(|v| {
        below += v.1;
        below >= 0.5 * all
    });
    found.or(votes.last()).map(|v| v.0)
}

/// The alpha of the known pixel next to (`x`, `y`), where no patch reaches it.
fn nearest(cutout: &Cutout<'_>, x: usize, y: usize) -> f32 {
    let near = super::maps::nearest(cutout.known, x, y, SIDE);
    near.map_or(1.0, |(x, y)| cutout.alpha.row(y)[x])
}
