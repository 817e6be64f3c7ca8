//! A small picture of the caller's, read a few rows at a time.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::memory;
use crate::pixels::resample::resize_rgb;
use crate::pixels::{ImageView, Plane, Rect, RgbImage, read_working};

const WHAT: &str = "a small picture of the image";
/// Pixels that are read together, about.
const BAND: usize = 1 << 20;

/// The sides of a picture of `width` × `height` whose longer one is to be `longer`.
pub fn fitting(width: u32, height: u32, longer: u32) -> (usize, usize) {
    let scale = f64::from(longer) / f64::from(width.max(height).max(1));
    let side = |n: u32| ((f64::from(n) * scale).round() as usize).clamp(1, longer as usize);
    (side(width), side(height))
}

/// `view` at `width` × `height`, RGB, display-encoded, 0 to 1; transparent pixels are black. What is
/// larger is averaged over whole pixels first, of which only a band is held at a time. `check` is called
/// for each band.
///
/// # Errors
/// [`crate::ErrorKind::Image`] where a pixel is no number; [`crate::ErrorKind::Memory`]; those of
/// `check`.
pub fn reduced(
    view: &ImageView<'_>,
    (width, height): (usize, usize),
    check: &mut dyn FnMut() -> Result<()>,
) -> Result<RgbImage> {
    let (w, h) = (view.width() as usize, view.height() as usize);
    let by = (w / width.max(1)).min(h / height.max(1)).max(1);
    let (cw, ch) = (w.div_ceil(by), h.div_ceil(by));
    let mut small = RgbImage::black(cw, ch, WHAT)?;
    // As many rows as make whole ones of the small picture.
    let rows = (BAND / w.max(1) / by).max(1) * by;
    let mut sums = memory::filled(cw * 3, 0f32, WHAT)?;
    for first in (0..h).step_by(rows) {
        check()?;
        let rect = Rect::new(0, first as u32, view.width(), rows.min(h - first) as u32);
        let hole = Plane::filled(w, rect.height as usize, 0f32, WHAT)?;
        let band = read_working(view, rect, &hole)?.rgb;
        drop(hole);
        for (i, own) in (0..band.height).step_by(by).enumerate() {
            sums.fill(0.0);
            let end = (own + by).min(band.height);
            for y in own..end {
                let cells = band.row(y).chunks(by * 3).zip(sums.chunks_exact_mut(3));
                for (pixels, sum) in cells {
                    for pixel in pixels.chunks_exact(3) {
                        for (s, v) in sum.iter_mut().zip(pixel) {
                            *s += v.clamp(0.0, 1.0);
                        }
                    }
                }
            }
            let row = small.row_mut(first / by + i);
            for (x, (to, sum)) in row
                .chunks_exact_mut(3)
                .zip(sums.chunks_exact(3))
                .enumerate()
            {
                let count = (by.min(w - x * by) * (end - own)) as f32;
                to.iter_mut().zip(sum).for_each(|(v, s)| *v = s / count);
            }
        }
    }
    check()?;
    if (cw, ch) == (width, height) {
        return Ok(small);
    }
    let mut small = resize_rgb(&small, width, height)?;
    small.data.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
    Ok(small)
}
