//! Interpolation of a picture of any size, tile by tile.
#![forbid(unsafe_code)]

use super::autoregression::autoregress;
use crate::error::Result;
use crate::memory;
use crate::pixels::{Plane, Rect, RgbImage};
use crate::progress::Cancel;
use rayon::prelude::*;

const WHAT: &str = "the interpolated pixels";
/// Pixels around a part of a picture beyond which what is interpolated in it hardly changes.
pub const MARGIN: u32 = 16;
/// Side of the tiles.
const TILE: u32 = 256;

/// As [`autoregress`], tile by tile on the threads of the pool that it is called in, with the same result
/// on any number of them.
///
/// # Errors
/// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
pub fn interpolate(
    image: &mut RgbImage,
    known: &Plane<u8>,
    wanted: &Plane<u8>,
    cancel: &Cancel,
) -> Result<()> {
    let (w, h) = (image.width as u32, image.height as u32);
    let mut tiles = Vec::new();
    for y in (0..h).step_by(TILE as usize) {
        for x in (0..w).step_by(TILE as usize) {
            let tile = Rect::new(x, y, TILE.min(w - x), TILE.min(h - y));
            let mut rows = tile.y..tile.bottom();
            let columns = tile.x as usize..tile.right() as usize;
            if rows.any(|y| wanted.row(y as usize)[columns.clone()].contains(&1)) {
                memory::push(&mut tiles, tile, WHAT)?;
            }
        }
    }
    let whole = &*image;
    let done = |tile: &Rect| {
        cancel.check()?;
        let around = tile.grown_within(MARGIN, w, h);
        let (width, height) = (around.width as usize, around.height as usize);
        let plane = |of: &Plane<u8>| -> Result<Plane<u8>> {
            let data = cut(&of.data, of.width, around, 1)?;
            Ok(Plane {
                width,
                height,
                data,
            })
        };
        let data = cut(&whole.data, whole.width, around, 3)?;
        let mut picture = RgbImage {
            width,
            height,
            data,
        };
        autoregress(&mut picture, &plane(known)?, &plane(wanted)?)?;
        let inner = Rect::new(
            tile.x - around.x,
            tile.y - around.y,
            tile.width,
            tile.height,
        );
        cut(&picture.data, width, inner, 3)
    };
    let filled: Vec<Vec<f32>> = tiles.par_iter().map(done).collect::<Result<_>>()?;
    for (tile, filled) in tiles.iter().zip(&filled) {
        let rows = (tile.y as usize..).zip(filled.chunks_exact(tile.width as usize * 3));
        for (y, row) in rows {
            let at = tile.x as usize;
            let wanted = &wanted.row(y)[at..at + tile.width as usize];
            let own = image.row_mut(y)[at * 3..].chunks_exact_mut(3);
            for ((own, new), _) in own
                .zip(row.chunks_exact(3))
                .zip(wanted)
                .filter(|p| *p.1 != 0)
            {
                own.copy_from_slice(new);
            }
        }
    }
    Ok(())
}

/// The values of `rect` of a plane that is `width` pixels wide, `each` a pixel.
fn cut<T: Copy>(data: &[T], width: usize, rect: Rect, each: usize) -> Result<Vec<T>> {
    let (w, h) = (rect.width as usize * each, rect.height as usize);
    let mut out = memory::with_capacity(w * h, WHAT)?;
    for y in rect.y as usize..rect.bottom() as usize {
        let start = (y * width + rect.x as usize) * each;
        out.extend_from_slice(&data[start..start + w]);
    }
    Ok(out)
}
