//! Growing masks by a disk, and distances to their edge.
#![forbid(unsafe_code)]

use super::coverage::Level;
use super::{Plane, Rect};
use crate::error::Result;
use crate::memory;

const WHAT: &str = "growing the mask";

/// The largest of `values` within `radius` (Euclidean, centre to centre) of each pixel of `to`,
/// which lies inside the plane. What lies outside the plane counts as zero.
///
/// Fully selected pixels go by the distance to the nearest one, at a cost that does not depend on
/// the radius; only what is partly selected goes by maxima over rows of the disk.
pub(super) fn dilate<T: Level>(values: &Plane<T>, to: Rect, radius: u32) -> Result<Plane<T>> {
    // A larger disk than the plane covers no more.
    let radius = (radius as usize).min(values.width + values.height);
    let mut out = Plane::filled(to.width as usize, to.height as usize, T::default(), WHAT)?;
    let widths = half_widths(radius)?;
    dilate_soft(values, to, radius, &widths, &mut out)?;
    dilate_full(values, to, radius, &widths, &mut out)?;
    Ok(out)
}

/// Half the width of the disk's row at each distance `0 ..= radius` from its centre.
fn half_widths(radius: usize) -> Result<Vec<i32>> {
    let mut widths = memory::with_capacity(radius + 2, WHAT)?;
    widths.extend((0..=radius).map(|d| (radius * radius - d * d).isqrt() as i32));
    // One past the end: nothing is reached, not even the pixel itself.
    widths.push(-1);
    Ok(widths)
}

/// For each pixel, rows to the nearest pixel of its column for which `site` holds, at most `cap`.
fn column_distances<T: Copy>(
    values: &Plane<T>,
    cap: u32,
    site: impl Fn(T) -> bool,
) -> Result<Plane<u32>> {
    let (w, h) = (values.width, values.height);
    let mut d = Plane::filled(w, h, cap, "distances to the mask's edge")?;
    let mut above = memory::filled(w, cap, "distances to the mask's edge")?;
    for y in 0..h {
        let row = d.row_mut(y).iter_mut().zip(values.row(y));
        for ((d, v), above) in row.zip(above.iter_mut()) {
            *d = if site(*v) { 0 } else { cap.min(*above + 1) };
            *above = *d;
        }
    }
    for y in (0..h.saturating_sub(1)).rev() {
        let (upper, lower) = d.data.split_at_mut((y + 1) * w);
        for (d, below) in upper[y * w..].iter_mut().zip(&lower[..w]) {
            *d = (*d).min(*below + 1);
        }
    }
    Ok(d)
}

fn dilate_full<T: Level>(
    values: &Plane<T>,
    to: Rect,
    radius: usize,
    widths: &[i32],
    out: &mut Plane<T>,
) -> Result<()> {
    if !values.data.iter().any(|v| *v >= T::FULL) {
        return Ok(());
    }
    let d = column_distances(values, radius as u32 + 1, |v| v >= T::FULL)?;
    let x0 = to.x as usize;
    for y in 0..out.height {
        // Each column reaches as far as the disk is wide at its distance: the union of these
        // stretches, from the left and from the right.
        let row = d.row(y + to.y as usize);
        let out = out.row_mut(y);
        let mut reach = -1;
        for (x, d) in row.iter().enumerate() {
            reach = reach.max(x as i32 + widths[*d as usize]);
            if x >= x0 && x < x0 + out.len() && reach >= x as i32 {
                out[x - x0] = T::FULL;
            }
        }
        let mut reach = row.len() as i32;
        for (x, d) in row.iter().enumerate().rev() {
            reach = reach.min(x as i32 - widths[*d as usize]);
            if x >= x0 && x < x0 + out.len() && reach <= x as i32 {
                out[x - x0] = T::FULL;
            }
        }
    }
    Ok(())
}

fn dilate_soft<T: Level>(
    values: &Plane<T>,
    to: Rect,
    radius: usize,
    widths: &[i32],
    out: &mut Plane<T>,
) -> Result<()> {
    let soft = |v: T| v > T::default() && v < T::FULL;
    let (x0, y0) = (to.x as usize, to.y as usize);
    // `levels[k][i]` is the largest of `2^k` values from `i` on: two of them make any stretch. Each
    // row stands between two margins of zeros, so that no stretch leaves it.
    let len = values.width + 2 * radius;
    let count = (2 * radius + 1).ilog2() as usize + 1;
    let mut levels: Vec<Vec<T>> = Vec::new();
    for y in 0..values.height {
        let row = values.row(y);
        let Some(first) = row.iter().position(|v| soft(*v)) else {
            continue;
        };
        let last = row.iter().rposition(|v| soft(*v)).unwrap_or(first);
        if levels.is_empty() {
            for _ in 0..count {
                levels.push(memory::filled(len, T::default(), WHAT)?);
            }
        }
        let base = &mut levels[0];
        base.fill(T::default());
        for (b, v) in base[radius + first..].iter_mut().zip(&row[first..=last]) {
            if soft(*v) {
                *b = *v;
            }
        }
        for k in 1..count {
            let (lower, upper) = levels.split_at_mut(k);
            let (below, half) = (&lower[k - 1], 1 << (k - 1));
            let n = len + 1 - 2 * half;
            for ((u, a), b) in upper[0].iter_mut().zip(&below[..n]).zip(&below[half..]) {
                *u = larger(*a, *b);
            }
        }
        // Columns of `out` that this row can reach.
        let from = first.saturating_sub(radius).max(x0);
        let end = (last + radius + 1).min(x0 + out.width);
        if from >= end {
            continue;
        }
        let rows = y.saturating_sub(radius).max(y0)..(y + radius + 1).min(y0 + out.height);
        for oy in rows {
            let half = widths[oy.abs_diff(y)] as usize;
            let k = (2 * half + 1).ilog2() as usize;
            let start = from + radius - half;
            let n = end - from;
            let left = &levels[k][start..start + n];
            let right = &levels[k][start + 2 * half + 1 - (1 << k)..][..n];
            let out = &mut out.row_mut(oy - y0)[from - x0..end - x0];
            for ((o, a), b) in out.iter_mut().zip(left).zip(right) {
                *o = larger(*o, larger(*a, *b));
            }
        }
    }
    Ok(())
}

#[inline(always)]
fn larger<T: PartialOrd>(a: T, b: T) -> T {
    if a > b { a } else { b }
}

/// Calls `row(y, squares)` for each row of `within`, with the squared Euclidean distance of each
/// pixel to the nearest one of `inside` that is 0. Distances over `cap` may read as [`u64::MAX`]; what lies outside the plane is no such pixel.
///
/// Source: Meijster, Roerdink, Hesselink, "A general algorithm for computing distance transforms in
/// linear time", 2000.
pub(super) fn each_depth(
    inside: &Plane<u8>,
    within: Rect,
    cap: u32,
    mut row: impl FnMut(usize, &[u64]),
) -> Result<()> {
    let w = inside.width;
    let what = "distances to the mask's edge";
    let cap = cap.min((inside.width + inside.height) as u32) + 1;
    let far = u64::from(cap) * u64::from(cap);
    let d = column_distances(inside, cap, |v| v == 0)?;
    let mut sites = memory::filled(w, 0usize, what)?;
    let mut starts = memory::filled(w, 0usize, what)?;
    let mut squares = memory::filled(w, 0u64, what)?;
    for y in 0..within.height as usize {
        let d = d.row(y + within.y as usize);
        let squared = |x: usize, site: usize| {
            let (dx, dy) = (x.abs_diff(site) as u64, u64::from(d[site]));
            dx * dx + dy * dy
        };
        // The lower envelope of the columns' parabolas: `sites[i]` is lowest from `starts[i]` on.
        let mut count = 1;
        (sites[0], starts[0]) = (0, 0);
        for x in 1..w {
            while count > 0
                && squared(starts[count - 1], sites[count - 1]) > squared(starts[count - 1], x)
            {
                count -= 1;
            }
            if count == 0 {
                (sites[0], starts[0]) = (x, 0);
                count = 1;
                continue;
            }
            let site = sites[count - 1];
            let high = (x * x) as u64 + u64::from(d[x]) * u64::from(d[x]);
            let low = (site * site) as u64 + u64::from(d[site]) * u64::from(d[site]);
            // Never negative: at its own start the older parabola was not the higher one.
            let start = 1 + (high.saturating_sub(low) / (2 * (x - site)) as u64) as usize;
            if start < w {
                (sites[count], starts[count]) = (x, start);
                count += 1;
            }
        }
        for x in (0..w).rev() {
            let square = squared(x, sites[count - 1]);
            squares[x] = if square < far { square } else { u64::MAX };
            if x == starts[count - 1] && count > 1 {
                count -= 1;
            }
        }
        let from = within.x as usize;
        row(y, &squares[from..from + within.width as usize]);
    }
    Ok(())
}
