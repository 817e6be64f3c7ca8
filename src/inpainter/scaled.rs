//! An engine that works at a size of its own: the crop is brought there, and its fill back.
#![forbid(unsafe_code)]

use crate::engines::{Crop, Engine, Run};
use crate::error::Result;
use crate::pixels::resample::{resize_most, resize_rgb};
use crate::pixels::{Plane, RgbImage};
use crate::plan::Needs;

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
    let span = |i: usize, from: usize, to: usize| {
        let start = i * from / to;
        start..((i + 1) * from).div_ceil(to).clamp(start + 1, from)
    };
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
    }
}
