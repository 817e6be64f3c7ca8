//! The first guess at the coarsest level: the hole is filled from its rim inwards, layer by layer,
//! each texel by the patch that fits best what is known around it.
//!
//! Source: Newson, Almansa, Gousseau, Pérez, "Non-Local Patch-Based Image Inpainting", IPOL 2017,
//! section 3.4 (onion peel initialisation).
#![forbid(unsafe_code)]

use super::field::Field;
use super::level::Level;
use super::maps;
use super::random::Random;
use super::search::Search;
use crate::error::Result;
use crate::kernels::patch::{CHANNELS, PatchMask, RADIUS, SIDE};
use crate::memory;
use crate::pixels::Plane;
use crate::progress::Cancel;
use rayon::prelude::*;

/// Patch pairs looked at in all, about; sets how many source patches each texel draws.
const BUDGET: usize = 150_000;
/// Least draws for a texel.
const MIN_DRAWS: usize = 32;
/// Depths of [`Level::depth`].
const LAYERS: usize = 256;
/// First radius of the search around the best draw, when not every patch was drawn.
const RADIUS_AROUND: u32 = 8;

/// Fills the level's hole and sets the field of the targets centred in it. `centres` lists the
/// usable patches and must not be empty; the level must be at least a patch wide and high.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn peel(
    level: &mut Level,
    field: &mut Field,
    search: &Search<'_>,
    centres: &[(u16, u16)],
) -> Result<()> {
    let w = level.hole.width;
    let mut layers = memory::filled(2 * LAYERS, Vec::new(), "the hole's layers")?;
    let rest = rest(level, search.cancel)?;
    let mut texels = 0;
    let mut known = Plane::filled(w, level.hole.height, 0u8, "the known texels")?;
    for (i, hole) in level.hole.data.iter().enumerate() {
        known.data[i] = 1 - *hole;
        if *hole != 0 {
            let layer = match &rest {
                Some(rest) if rest.data[i] > 0 => LAYERS + usize::from(rest.data[i]),
                _ => usize::from(level.depth.data[i]),
            };
            memory::push(&mut layers[layer], (i % w, i / w), "the hole's layers")?;
            texels += 1;
        }
    }
    let draws = (BUDGET / texels.max(1)).max(MIN_DRAWS);
    let every = centres.len().div_ceil(draws).max(1);
    for layer in &layers {
        let found: Vec<(usize, usize)> = layer
            .par_iter()
            .map(|&at| fit(level, field, search, centres, every, &known, at))
            .collect();
        for (&(x, y), &(sx, sy)) in layer.iter().zip(&found) {
            let texel = [0, 1, 2].map(|c| level.texels.at(sx, sy)[c]);
            level.texels.row_mut(y)[x * CHANNELS..x * CHANNELS + 3].copy_from_slice(&texel);
            known.row_mut(y)[x] = 1;
            if level.centres.row(sy)[sx] != 0 {
                field.source.row_mut(y)[x] = (sx as u16, sy as u16);
            }
        }
    }
    Ok(())
}

/// How deep each texel lies in what of the hole no painted line leads through, 0 where one does: those are filled
/// first, so that what is beside a line cannot grow over it. `None` where none is painted.
fn rest(level: &Level, cancel: &Cancel) -> Result<Option<Plane<u8>>> {
    let Some(guide) = &level.guide else {
        return Ok(None);
    };
    let (w, h) = (level.hole.width, level.hole.height);
    let mut beside = Plane::filled(w, h, 0u8, "the hole's layers")?;
    for (i, own) in beside.data.iter_mut().enumerate() {
        *own = u8::from(level.hole.data[i] != 0 && !guide.holds(i % w, i / w));
    }
    maps::depth(&beside, cancel).map(Some)
}

/// Patch pairs that [`peel`] looks at for so many texels and usable patches.
pub fn pairs(texels: u64, centres: u64) -> u64 {
    let each = (BUDGET as u64 / texels.max(1)).max(MIN_DRAWS as u64);
    texels * each.min(centres)
}

/// The texel that should stand at (`x`, `y`): its place in the patch that fits the known texels
/// around it best.
fn fit(
    level: &Level,
    field: &Field,
    search: &Search<'_>,
    centres: &[(u16, u16)],
    every: usize,
    known: &Plane<u8>,
    (x, y): (usize, usize),
) -> (usize, usize) {
    let (w, h) = (level.hole.width, level.hole.height);
    let (cx, cy) = (
        x.clamp(RADIUS, w - 1 - RADIUS),
        y.clamp(RADIUS, h - 1 - RADIUS),
    );
    let mut mask: PatchMask = [0; SIDE * 8 * CHANNELS];
    let mut count = 0u64;
    for py in 0..SIDE {
        for px in 0..SIDE {
            if known.row(cy + py - RADIUS)[cx + px - RADIUS] != 0 {
                count += 1;
                let i = (py * 8 + px) * CHANNELS;
                mask[i..i + CHANNELS].fill(-1);
            }
        }
    }
    let mut best = (u64::MAX, cx, cy);
    let consider = |best: &mut (u64, usize, usize), sx: usize, sy: usize| {
        if sx >= w || sy >= h || level.centres.row(sy)[sx] == 0 {
            return;
        }
        let d = search
            .kernels
            .distance_masked(&level.texels, (cx, cy), (sx, sy), &mask);
        // As if the whole patch were known.
        let whole = u64::from(d) * (SIDE * SIDE) as u64 / count.max(1);
        let cost = whole + search.far(level, cx, cy, sx, sy) as u64;
        if cost < best.0 {
            *best = (cost, sx, sy);
        }
    };
    let mut random = Random::new(search.seed ^ 0x0e91, (y * w + x) as u64);
    let first = random.below(every as u32) as usize;
    for &(sx, sy) in centres.iter().skip(first).step_by(every) {
        consider(&mut best, usize::from(sx), usize::from(sy));
    }
    if let Some(line) = level.line(cx, cy) {
        let far = w.max(h) as i32;
        for t in -far..=far {
            let (dx, dy) = line.step(t as f32);
            let sx = cx.wrapping_add_signed(dx as isize);
            let sy = cy.wrapping_add_signed(dy as isize);
            consider(&mut best, sx, sy);
        }
    }
    if let Some(guide) = &level.guide {
        for n in 0..guide.choices(cx, cy) {
            let (sx, sy) = guide.choice(cx, cy, n);
            consider(&mut best, sx as usize, sy as usize);
        }
    }
    // What the neighbours filled before found, continued.
    let around = [
        (x.wrapping_sub(1), y),
        (x + 1, y),
        (x, y.wrapping_sub(1)),
        (x, y + 1),
    ];
    for (nx, ny) in around {
        if nx < w && ny < h && known.row(ny)[nx] != 0 && level.hole.row(ny)[nx] != 0 {
            let (sx, sy) = field.source.row(ny)[nx];
            let sx = (usize::from(sx) + x).wrapping_sub(nx);
            let sy = (usize::from(sy) + y).wrapping_sub(ny);
            consider(&mut best, sx, sy);
        }
    }
    let mut radius = if every > 1 { RADIUS_AROUND } else { 0 };
    while radius >= 1 {
        for _ in 0..2 {
            let (dx, dy) = random.within(radius);
            let sx = best.1.wrapping_add_signed(dx as isize);
            let sy = best.2.wrapping_add_signed(dy as isize);
            consider(&mut best, sx, sy);
        }
        radius /= 2;
    }
    (best.1 + x - cx, best.2 + y - cy)
}
