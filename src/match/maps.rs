//! What a level knows of its hole: where whole patches stand, which patches reach the hole, how deep
//! a texel lies in it.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::kernels::patch::{RADIUS, SIDE};
use crate::memory;
use crate::pixels::Plane;
use crate::progress::Cancel;

/// Runs `x .. end` of one row.
pub type Runs = Vec<(u16, u16)>;

/// 1 where all of the patch around a pixel lies inside and is set in `source`.
pub fn whole_patches(source: &Plane<u8>, cancel: &Cancel) -> Result<Plane<u8>> {
    let (w, h) = (source.width, source.height);
    let mut out = Plane::filled(w, h, 0u8, "the map of patches")?;
    each_patch(source, cancel, |x, y| {
        out.data[y * w + x] = 1;
        true
    })?;
    Ok(out)
}

/// Whether any whole patch lies inside and is set in `source`.
pub fn has_patch(source: &Plane<u8>, cancel: &Cancel) -> Result<bool> {
    let mut found = false;
    each_patch(source, cancel, |_, _| {
        found = true;
        false
    })?;
    Ok(found)
}

/// Calls `patch` with the centre of each whole patch, until it returns `false`.
fn each_patch(
    source: &Plane<u8>,
    cancel: &Cancel,
    mut patch: impl FnMut(usize, usize) -> bool,
) -> Result<()> {
    // For each column, how many rows in a row have had a full run of set pixels end there.
    let mut column = memory::filled(source.width, 0usize, "the map of patches")?;
    for y in 0..source.height {
        cancel.check()?;
        let mut run = 0usize;
        for (x, set) in source.row(y).iter().enumerate() {
            run = if *set != 0 { run + 1 } else { 0 };
            column[x] = if run >= SIDE { column[x] + 1 } else { 0 };
            if column[x] >= SIDE && !patch(x - RADIUS, y - RADIUS) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// For each row, the runs of centres whose patches lie inside and reach a pixel of `hole`.
pub fn reaching(hole: &Plane<u8>, cancel: &Cancel) -> Result<Vec<Runs>> {
    let (w, h) = (hole.width, hole.height);
    let what = "the patches over the hole";
    let mut rows = memory::filled(h, Runs::new(), what)?;
    if w < SIDE || h < SIDE {
        return Ok(rows);
    }
    // How many of the rows that a patch spans have the hole in this column.
    let mut near = memory::filled(w, 0u8, what)?;
    let add = |near: &mut [u8], y: usize, up: bool| {
        for (n, v) in near.iter_mut().zip(hole.row(y)) {
            let v = u8::from(*v != 0);
            *n = if up { *n + v } else { *n - v };
        }
    };
    for y in 0..SIDE - 1 {
        add(&mut near, y, true);
    }
    for y in RADIUS..h - RADIUS {
        cancel.check()?;
        add(&mut near, y + RADIUS, true);
        if y > RADIUS {
            add(&mut near, y - RADIUS - 1, false);
        }
        let runs = &mut rows[y];
        for (x, n) in near.iter().enumerate() {
            if *n == 0 {
                continue;
            }
            let start = x.saturating_sub(RADIUS).max(RADIUS) as u16;
            let end = (x + RADIUS + 1).min(w - RADIUS) as u16;
            match runs.last_mut() {
                Some(last) if last.1 >= start => last.1 = end.max(last.1),
                _ if start < end => memory::push(runs, (start, end), what)?,
                _ => {}
            }
        }
    }
    Ok(rows)
}

/// Chessboard distance to the nearest pixel outside the hole, at most 255; 0 outside. The picture's
/// edge is no end of the hole.
pub fn depth(hole: &Plane<u8>, cancel: &Cancel) -> Result<Plane<u8>> {
    let (w, h) = (hole.width, hole.height);
    let mut out = Plane::filled(w, h, 0u8, "the hole's depth")?;
    for (d, set) in out.data.iter_mut().zip(&hole.data) {
        *d = if *set != 0 { 255 } else { 0 };
    }
    // Down with the neighbours above and to the left, then back up with the others.
    let relax = |data: &mut [u8], y: usize, x: usize, other: Option<usize>, side: Option<usize>| {
        let i = y * w + x;
        if data[i] == 0 {
            return;
        }
        let mut least = data[i];
        if let Some(row) = other {
            for nx in x.saturating_sub(1)..(x + 2).min(w) {
                least = least.min(data[row * w + nx].saturating_add(1));
            }
        }
        if let Some(side) = side {
            least = least.min(data[y * w + side].saturating_add(1));
        }
        data[i] = least;
    };
    for y in 0..h {
        cancel.check()?;
        for x in 0..w {
            relax(&mut out.data, y, x, y.checked_sub(1), x.checked_sub(1));
        }
    }
    for y in (0..h).rev() {
        cancel.check()?;
        for x in (0..w).rev() {
            let down = Some(y + 1).filter(|y| *y < h);
            relax(&mut out.data, y, x, down, Some(x + 1).filter(|x| *x < w));
        }
    }
    Ok(out)
}

/// How far each pixel outside the hole lies from it, as [`depth`] counts; 0 in it.
pub fn away(hole: &Plane<u8>, cancel: &Cancel) -> Result<Plane<u8>> {
    let mut known = Plane::filled(hole.width, hole.height, 0u8, "the hole's surroundings")?;
    for (known, hole) in known.data.iter_mut().zip(&hole.data) {
        *known = 1 - *hole;
    }
    depth(&known, cancel)
}

/// The set pixel of `map` nearest to (`x`, `y`) by rings, within `reach`.
pub fn nearest(map: &Plane<u8>, x: usize, y: usize, reach: usize) -> Option<(usize, usize)> {
    let set = |x: usize, y: usize| x < map.width && y < map.height && map.row(y)[x] != 0;
    if set(x, y) {
        return Some((x, y));
    }
    for r in 1..=reach {
        let (left, right) = (x.checked_sub(r), x + r);
        let (top, bottom) = (y.checked_sub(r), y + r);
        for nx in x.saturating_sub(r)..=right {
            for ny in [top, Some(bottom)].into_iter().flatten() {
                if set(nx, ny) {
                    return Some((nx, ny));
                }
            }
        }
        for ny in y.saturating_sub(r)..=bottom {
            for nx in [left, Some(right)].into_iter().flatten() {
                if set(nx, ny) {
                    return Some((nx, ny));
                }
            }
        }
    }
    None
}
