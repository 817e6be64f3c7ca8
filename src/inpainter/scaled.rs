//! An engine that works at a size of its own: the crop is brought there, and its fill back.
#![forbid(unsafe_code)]

use crate::engines::{Crop, Engine, Run};
use crate::error::Result;
use crate::pixels::resample::resize_rgb;
use crate::pixels::{Plane, RgbImage};
use crate::plan::Needs;
use std::ops::Range;

/// The engine's fill of `crop`, at the crop's size.
///
/// # Errors
/// Those of [`Engine::fill`]; [`crate::ErrorKind::Memory`].
pub fn fill_scaled(
    engine: &dyn Engine,
    needs: &Needs,
    crop: &Crop<'_>,
    run: &mut Run<'_>,
) -> Result<RgbImage> {
    let (w, h) = (crop.image.width, crop.image.height);
    let (width, height) = needs.working_size(w as u32, h as u32);
    let (width, height) = (width as usize, height as usize);
    if (width, height) == (w, h) {
        return engine.fill(crop, run);
    }
    let image = resize_rgb(crop.image, width, height)?;
    let original = crop.original.map(|o| resize_rgb(o, width, height));
    let original = original.transpose()?;
    // A pixel that holds any of the hole is to be filled, and only what is usable whole is sampled.
    let hole = resize_flags(crop.hole, width, height, true)?;
    // And as much of it as of the pixel that is replaced the most.
    let coverage = crop.coverage.map(|c| resize_most(c, width, height));
    let coverage = coverage.transpose()?;
    let mut source = resize_flags(crop.source, width, height, false)?;
    for (s, h) in source.data.iter_mut().zip(&hole.data) {
        *s &= 1 - h;
    }
    let small = Crop {
        image: &image,
        original: original.as_ref(),
        hole: &hole,
        coverage: coverage.as_ref(),
        source: &source,
    };
    let filled = engine.fill(&small, run)?;
    resize_rgb(&filled, w, h)
}

/// `flags` at another size: where a side shrinks, 1 if any (or else all) of the pixels covered are.
fn resize_flags(flags: &Plane<u8>, width: usize, height: usize, any: bool) -> Result<Plane<u8>> {
    let mut out = Plane::filled(width, height, 0u8, "a smaller mask")?;
    for y in 0..height {
        for x in 0..width {
            let mut rows = span(y, flags.height, height);
            let columns = span(x, flags.width, width);
            let seen = match any {
                true => rows.any(|r| flags.row(r)[columns.clone()].contains(&1)),
                false => !rows.any(|r| flags.row(r)[columns.clone()].contains(&0)),
            };
            out.row_mut(y)[x] = u8::from(seen);
        }
    }
    Ok(out)
}

/// `plane` at another size: the largest value of the pixels covered, so that a mask of ones and zeros
/// stays one, the same as [`resize_flags`] makes of it.
fn resize_most(plane: &Plane<f32>, width: usize, height: usize) -> Result<Plane<f32>> {
    let mut out = Plane::filled(width, height, 0.0f32, "a smaller mask")?;
    for y in 0..height {
        for x in 0..width {
            let columns = span(x, plane.width, width);
            let rows = span(y, plane.height, height).map(|r| &plane.row(r)[columns.clone()]);
            out.row_mut(y)[x] = rows.flatten().copied().fold(0.0, f32::max);
        }
    }
    Ok(out)
}

/// The pixels that pixel `i` of `to` covers of `from`.
fn span(i: usize, from: usize, to: usize) -> Range<usize> {
    let start = i * from / to;
    start..((i + 1) * from).div_ceil(to).clamp(start + 1, from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_keep_the_hole_and_give_up_what_is_not_whole() {
        let mut flags = Plane::filled(7, 5, 0u8, "").unwrap();
        flags.row_mut(2)[3] = 1;
        let any = resize_flags(&flags, 3, 2, true).unwrap();
        assert_eq!(any.data, [0, 1, 0, 0, 1, 0]);
        let all = resize_flags(&flags, 3, 2, false).unwrap();
        assert_eq!(all.data, [0; 6]);
        let larger = resize_flags(&flags, 14, 10, true).unwrap();
        assert_eq!(larger.data.iter().filter(|f| **f == 1).count(), 4);

        // What is whole stays whole, and the most counts.
        let mut coverage = Plane::filled(7, 5, 0.0f32, "").unwrap();
        coverage.row_mut(2)[3] = 1.0;
        for (width, height) in [(3, 2), (14, 10), (5, 9)] {
            let flags = resize_flags(&flags, width, height, true).unwrap();
            let most = resize_most(&coverage, width, height).unwrap();
            let whole = flags.data.iter().map(|f| f32::from(*f));
            assert_eq!(most.data, whole.collect::<Vec<_>>());
        }
        coverage.row_mut(2)[2..4].copy_from_slice(&[0.25, 0.5]);
        let most = resize_most(&coverage, 3, 2).unwrap();
        assert_eq!(most.data, [0.25, 0.5, 0.0, 0.25, 0.5, 0.0]);
    }
}
