//! Rhythm: offsets by which the surroundings of the hole repeat themselves, and where in the hole each of them
//! is to be believed.
//!
//! That few offsets say where most patches of a picture are found again: He, Sun, "Image Completion Approaches
//! Using the Statistics of Similar Patches", PAMI 2014. Here an offset is judged by how well it brings a band
//! around the hole back, and what it is worth goes smoothly from the band into the hole. Bricks, tiles and windows
//! go on in step then; where nothing repeats, nothing is claimed.
#![forbid(unsafe_code)]

use super::complete::hole_bounds;
use super::level::Level;
use super::maps;
use crate::blend;
use crate::error::Result;
use crate::memory;
use crate::pixels::{Plane, Rect};
use crate::progress::Cancel;
use rayon::prelude::*;

/// The finest level whose hole is no wider and no higher is where offsets are found, and where they are believed.
const FOUND: usize = 40;
const BELIEVED: usize = 128;
/// Offsets in all, and the shortest, in texels where they are found.
const MOST: usize = 24;
const SHORTEST: i32 = 4;
/// How wide the band around the hole is, in texels where offsets are found and where they are believed.
const BAND: usize = 7;
const BELT: usize = 10;
/// Points of the band that an offset is judged by.
const POINTS: usize = 500;
/// Of these, how many every offset is judged by before the best are by all.
const FEW: usize = 100;
/// The least share of the hole that an offset must be able to fill, and of the band that it must bring back.
const USE: f32 = 0.25;
const COVER: f32 = 0.6;
/// What a band's difference to where an offset takes it may be, over what it varies by itself.
const RATIO: f32 = 0.2;
/// The most that an offset may leave of what the band varies by, if it is a pattern.
const PATTERN: f32 = 0.2;
/// The least share of gradients along the band's weaker direction, of those along its stronger one.
const BOTH_WAYS: f32 = 0.08;
/// Differences below this are noise, of a texel's unit squared.
const NOISE: f32 = 150.0;

/// An offset, in texels of some level.
type Offset = (i32, i32);

/// Which offset each target of a level is filled by at first.
pub struct Rhythm {
    /// The level's number.
    pub number: usize,
    offsets: Vec<Offset>,
    /// For each texel the number of its offset from 1 on; 0: none is believed.
    which: Plane<u8>,
}

impl Rhythm {
    /// Where the patch of the target at (`x`, `y`) is first taken from, if something repeats there.
    pub fn first(&self, x: usize, y: usize) -> Option<(i32, i32)> {
        let n = usize::from(self.which.row(y)[x]).checked_sub(1)?;
        let (dx, dy) = self.offsets[n];
        Some((x as i32 + dx, y as i32 + dy))
    }

    /// Whether something repeats at a texel of level `number`, this one's or another.
    pub fn holds(&self, x: usize, y: usize, number: usize) -> bool {
        let at = |v: usize| {
            if number >= self.number {
                (v << (number - self.number)) + ((1 << (number - self.number)) >> 1)
            } else {
                v >> (self.number - number)
            }
        };
        let (x, y) = (at(x), at(y));
        x < self.which.width && y < self.which.height && self.which.row(y)[x] != 0
    }
}

/// The rhythm of what surrounds the hole of `levels`, finest first.
///
/// # Errors
/// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
pub fn rhythm(levels: &[Level], cancel: &Cancel) -> Result<Option<Rhythm>> {
    let within = |side: usize| {
        levels.iter().position(|level| {
            let bounds = hole_bounds(&level.hole);
            bounds.width.max(bounds.height) as usize <= side
        })
    };
    let (Some(first), Some(last)) = (within(FOUND), within(BELIEVED)) else {
        return Ok(None);
    };
    let mut points = band(&levels[first], cancel)?;
    let mut offsets = found(&levels[first], &points, cancel)?;
    // Coarse texels repeat less well: what fails by far there is no pattern.
    if !is_pattern(&levels[first], &points, &offsets, 2.0 * PATTERN) {
        return Ok(None);
    }
    for level in levels[last..first].iter().rev() {
        points = band(level, cancel)?;
        offsets = refined(level, &points, &offsets, cancel)?;
    }
    if !is_pattern(&levels[last], &points, &offsets, PATTERN) {
        return Ok(None);
    }
    let which = believed(&levels[last], &offsets, cancel)?;
    Ok(which.data.iter().any(|w| *w != 0).then_some(Rhythm {
        number: last,
        offsets,
        which,
    }))
}

/// Usable texels of the band, spread evenly.
fn band(level: &Level, cancel: &Cancel) -> Result<Vec<(i32, i32)>> {
    let away = maps::away(&level.hole, cancel)?;
    let mut all = Vec::new();
    for y in 0..away.height {
        for x in 0..away.width {
            let near = (1..=BAND).contains(&usize::from(away.row(y)[x]));
            if near && level.source.row(y)[x] != 0 {
                memory::push(&mut all, (x as i32, y as i32), "the band around the hole")?;
            }
        }
    }
    let every = all.len().div_ceil(POINTS).max(1);
    // By lot, for an even stride may fall in step with the rows.
    let mut random = super::random::Random::new(0x0ff5, all.len() as u64);
    Ok(all
        .chunks(every)
        .map(|c| c[random.below(c.len() as u32) as usize])
        .collect())
}

/// The squared difference of two texels.
#[inline(always)]
fn difference(level: &Level, (ax, ay): (i32, i32), (bx, by): (i32, i32)) -> f32 {
    let a = level.texels.at(ax as usize, ay as usize);
    let b = level.texels.at(bx as usize, by as usize);
    (0..3)
        .map(|c| {
            let d = f32::from(a[c]) - f32::from(b[c]);
            d * d
        })
        .sum()
}

/// The mean squared difference that an offset makes on the band; `None` where it brings too little of it back.
fn error(level: &Level, points: &[(i32, i32)], (dx, dy): Offset) -> Option<f32> {
    let (mut sum, mut count) = (0.0f32, 0u32);
    for &(x, y) in points {
        if level.is_usable(x + dx, y + dy) {
            sum += difference(level, (x, y), (x + dx, y + dy));
            count += 1;
        }
    }
    (count as f32 >= COVER * points.len() as f32 && count > 0).then(|| sum / count as f32)
}

/// The share of the hole, which lies in `bounds`, that an offset fills.
fn fills(level: &Level, bounds: Rect, (dx, dy): Offset) -> f32 {
    let (mut hit, mut all) = (0u32, 0u32);
    for y in (bounds.y as usize..bounds.bottom() as usize).step_by(2) {
        for x in (bounds.x as usize..bounds.right() as usize).step_by(2) {
            if level.hole.row(y)[x] != 0 {
                all += 1;
                hit += u32::from(level.is_usable(x as i32 + dx, y as i32 + dy));
            }
        }
    }
    hit as f32 / all.max(1) as f32
}

/// The offsets that bring the band back best: the least errors among their neighbours.
fn found(level: &Level, points: &[(i32, i32)], cancel: &Cancel) -> Result<Vec<Offset>> {
    if points.is_empty() || !runs_both_ways(level, points) {
        return Ok(Vec::new());
    }
    let few: Vec<_> = points
        .iter()
        .step_by(points.len().div_ceil(FEW))
        .copied()
        .collect();
    let bounds = hole_bounds(&level.hole);
    let reach = |side: u32, all: usize| (2 * side as i32 + 24).min(all as i32 - 1);
    let (rx, ry) = (
        reach(bounds.width, level.hole.width),
        reach(bounds.height, level.hole.height),
    );
    let (w, h) = (2 * rx as usize + 1, 2 * ry as usize + 1);
    let mut errors = memory::filled(w * h, f32::INFINITY, "the offsets' errors")?;
    errors.par_chunks_mut(w).enumerate().for_each(|(j, row)| {
        if cancel.is_cancelled() {
            return;
        }
        for (i, e) in row.iter_mut().enumerate() {
            let (dx, dy) = (i as i32 - rx, j as i32 - ry);
            if dx.abs().max(dy.abs()) >= SHORTEST
                && let Some(error) = error(level, &few, (dx, dy))
            {
                *e = error;
            }
        }
    });
    cancel.check()?;
    let at = |i: usize, j: usize| errors[j * w + i];
    let mut best = Vec::new();
    for j in 1..h - 1 {
        for i in 1..w - 1 {
            let own = at(i, j);
            let least = (j - 1..=j + 1)
                .flat_map(|j| (i - 1..=i + 1).map(move |i| (i, j)))
                .all(|(i, j)| at(i, j) >= own);
            if own.is_finite() && least {
                memory::push(&mut best, (own, (i as i32 - rx, j as i32 - ry)), "offsets")?;
            }
        }
    }
    best.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut useful: Vec<(f32, Offset)> = best
        .into_iter()
        .filter(|(_, o)| fills(level, bounds, *o) >= USE)
        .take(4 * MOST)
        .filter_map(|(_, o)| error(level, points, o).map(|e| (e, o)))
        .collect();
    useful.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(useful.into_iter().take(MOST).map(|(_, o)| o).collect())
}

/// The same offsets on the next finer level.
fn refined(
    level: &Level,
    points: &[(i32, i32)],
    offsets: &[Offset],
    cancel: &Cancel,
) -> Result<Vec<Offset>> {
    let mut out: Vec<Offset> = offsets
        .par_iter()
        .filter_map(|&(dx, dy)| {
            let near = (-2..=2).flat_map(|j| (-2..=2).map(move |i| (2 * dx + i, 2 * dy + j)));
            near.filter_map(|o| error(level, points, o).map(|e| (e, o)))
                .min_by(|a, b| a.0.total_cmp(&b.0))
                .map(|(_, o)| o)
        })
        .collect();
    out.dedup();
    cancel.check()?;
    Ok(out)
}

/// Whether the whole band repeats, and runs both ways: then the lines in it end and begin anew.
fn is_pattern(level: &Level, points: &[(i32, i32)], offsets: &[Offset], most: f32) -> bool {
    let (mut sum, mut count) = (0.0f32, 0.0f32);
    for &(x, y) in points {
        for (i, j) in AROUND {
            if level.is_usable(x + i, y + j) {
                sum += difference(level, (x, y), (x + i, y + j));
                count += 1.0;
            }
        }
    }
    let varies = sum / count.max(1.0);
    let limit = most * varies + NOISE;
    let good = |o: &Offset| error(level, points, *o).is_some_and(|e| e < limit);
    varies > 4.0 * NOISE && runs_both_ways(level, points) && offsets.iter().any(good)
}

/// Whether the band changes along every direction, not only across one.
fn runs_both_ways(level: &Level, points: &[(i32, i32)]) -> bool {
    let (mut xx, mut xy, mut yy) = (0.0f32, 0.0f32, 0.0f32);
    for &(x, y) in points {
        if [(-1, 0), (1, 0), (0, -1), (0, 1)]
            .iter()
            .any(|(i, j)| !level.is_usable(x + i, y + j))
        {
            continue;
        }
        let at = |i: i32, j: i32| level.texels.at((x + i) as usize, (y + j) as usize);
        for c in 0..3 {
            let gx = f32::from(at(1, 0)[c]) - f32::from(at(-1, 0)[c]);
            let gy = f32::from(at(0, 1)[c]) - f32::from(at(0, -1)[c]);
            xx += gx * gx;
            xy += gx * gy;
            yy += gy * gy;
        }
    }
    let (half, product) = (0.5 * (xx + yy), xx * yy - xy * xy);
    let spread = (half * half - product).max(0.0).sqrt();
    half - spread > BOTH_WAYS * (half + spread)
}

/// Where a texel's neighbours are looked for that it is compared with.
const AROUND: [Offset; 8] = [
    (5, 0),
    (-5, 0),
    (0, 5),
    (0, -5),
    (4, 4),
    (-4, 4),
    (4, -4),
    (-4, -4),
];

/// For each target the offset that brings the band near it back best, where one does well.
fn believed(level: &Level, offsets: &[Offset], cancel: &Cancel) -> Result<Plane<u8>> {
    let (w, h) = (level.hole.width, level.hole.height);
    let what = "the offsets' errors";
    let bounds = hole_bounds(&level.hole).grown_within(BELT as u32 + 6, w as u32, h as u32);
    let (bw, bh) = (bounds.width as usize, bounds.height as usize);
    let (bx, by) = (bounds.x as usize, bounds.y as usize);
    let away = maps::away(&level.hole, cancel)?;
    let in_belt = |x: usize, y: usize| {
        (1..=BELT).contains(&usize::from(away.row(y)[x])) && level.source.row(y)[x] != 0
    };
    // How much the band itself varies: the mean squared difference to texels nearby.
    let mut varies = memory::filled(bw * bh, 0.0f32, what)?;
    let mut known = memory::filled(bw * bh, 0u8, what)?;
    for y in 0..bh {
        cancel.check()?;
        for x in 0..bw {
            let (x0, y0) = (x + bx, y + by);
            if !in_belt(x0, y0) {
                continue;
            }
            let (mut sum, mut count) = (0.0, 0.0);
            for (i, j) in AROUND {
                let (x, y) = (x0 as i32 + i, y0 as i32 + j);
                if level.is_usable(x, y) {
                    sum += difference(level, (x0 as i32, y0 as i32), (x, y));
                    count += 1.0;
                }
            }
            varies[y * bw + x] = sum / f32::max(count, 1.0);
            known[y * bw + x] = 1;
        }
    }
    blend::extend(&mut varies, 1, bw, bh, &known, cancel)?;
    let mut which = Plane::filled(w, h, 0u8, what)?;
    let mut least = memory::filled(bw * bh, f32::INFINITY, what)?;
    let maps: Vec<Result<Vec<f32>>> = offsets
        .par_iter()
        .map(|&(dx, dy)| {
            cancel.check()?;
            let mut errors = memory::filled(bw * bh, 0.0f32, what)?;
            let mut known = memory::filled(bw * bh, 0u8, what)?;
            for y in 0..bh {
                for x in 0..bw {
                    let (x0, y0) = ((x + bx) as i32, (y + by) as i32);
                    if in_belt(x + bx, y + by) && level.is_usable(x0 + dx, y0 + dy) {
                        errors[y * bw + x] = difference(level, (x0, y0), (x0 + dx, y0 + dy));
                        known[y * bw + x] = 1;
                    }
                }
            }
            blend::extend(&mut errors, 1, bw, bh, &known, cancel)?;
            Ok(errors)
        })
        .collect();
    for (n, errors) in maps.into_iter().enumerate() {
        let (errors, (dx, dy)) = (errors?, offsets[n]);
        for (y, runs) in level.targets.iter().enumerate() {
            for x in runs.iter().flat_map(|r| usize::from(r.0)..usize::from(r.1)) {
                let (sx, sy) = ((x as i32 + dx) as usize, (y as i32 + dy) as usize);
                let inside = sx < w && sy < h && level.centres.row(sy)[sx] != 0;
                let in_box = (bx..bx + bw).contains(&x) && (by..by + bh).contains(&y);
                if !inside || !in_box {
                    continue;
                }
                let i = (y - by) * bw + x - bx;
                let ratio = (errors[i] - NOISE).max(0.0) / (varies[i] + NOISE);
                if ratio < RATIO && varies[i] > 4.0 * NOISE && errors[i] < least[i] {
                    least[i] = errors[i];
                    which.row_mut(y)[x] = n as u8 + 1;
                }
            }
        }
    }
    Ok(which)
}
