//! Large crops are read in bands, with a look at the cancel flag before each.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::pixels::{
    Coverage, ImageView, MaskView, Plane, Rect, RgbImage, Working, not_numbers, read_working,
};
use crate::progress::Cancel;

/// Pixels of a band, about.
const BAND: u32 = 1 << 20;

/// As [`MaskView::coverage`].
///
/// # Errors
/// As there; [`crate::ErrorKind::Cancelled`].
pub fn coverage(
    mask: &MaskView<'_>,
    rect: Rect,
    grow: u32,
    feather: u32,
    cancel: &Cancel,
) -> Result<Coverage> {
    // What a band needs of its neighbours is read again for each.
    let least = 4 * (grow + feather);
    let mut all = Plane::filled(0, 0, 0.0, "the region's mask")?;
    for band in bands(rect, least) {
        cancel.check()?;
        let part = mask.coverage(band, grow, feather)?;
        if band == rect {
            return Ok(part);
        }
        if all.data.is_empty() {
            let (w, h) = (rect.width as usize, rect.height as usize);
            all = Plane::filled(w, h, 0.0, "the region's mask")?;
        }
        let start = (band.y - rect.y) as usize * all.width;
        all.data[start..start + part.data.len()].copy_from_slice(&part.data);
    }
    Ok(all)
}

/// How much of each pixel is to be replaced. Nothing of a pixel can show through that is no number: where
/// the mask selects such a pixel whole, all of it is replaced, however the edge is feathered.
///
/// # Errors
/// As [`coverage`].
pub fn replaced(
    image: &ImageView<'_>,
    mask: &MaskView<'_>,
    rect: Rect,
    grow: u32,
    feather: u32,
    cancel: &Cancel,
) -> Result<Coverage> {
    let mut all = coverage(mask, rect, grow, feather, cancel)?;
    if feather == 0 {
        return Ok(all);
    }
    let mut whole = None;
    for band in bands(rect, 1) {
        cancel.check()?;
        let Some(strange) = not_numbers(image, band)? else {
            continue;
        };
        let whole = match &mut whole {
            Some(whole) => whole,
            None => whole.insert(coverage(mask, rect, grow, 0, cancel)?),
        };
        let start = (band.y - rect.y) as usize * all.width;
        let own = start..start + strange.data.len();
        let pixels = all.data[own.clone()].iter_mut().zip(&whole.data[own]);
        for ((c, whole), strange) in pixels.zip(&strange.data) {
            if *strange != 0 && *whole >= 1.0 {
                *c = 1.0;
            }
        }
    }
    Ok(all)
}

/// As [`read_working`].
///
/// # Errors
/// As there; [`crate::ErrorKind::Cancelled`].
pub fn working(
    image: &ImageView<'_>,
    rect: Rect,
    hole: &Coverage,
    cancel: &Cancel,
) -> Result<Working> {
    let (w, h) = (rect.width as usize, rect.height as usize);
    if bands(rect, 1).nth(1).is_none() {
        cancel.check()?;
        return read_working(image, rect, hole);
    }
    let mut all = Working {
        rgb: RgbImage::black(w, h, "a crop of the image")?,
        alpha: match image.format().layout.has_alpha() {
            true => Some(Plane::filled(w, h, 1.0, "a crop of the image's alpha")?),
            false => None,
        },
    };
    for band in bands(rect, 1) {
        cancel.check()?;
        let start = (band.y - rect.y) as usize * w;
        let end = start + band.area() as usize;
        let what = "a band of the region's mask";
        let mut own = Plane::filled(w, band.height as usize, 0.0, what)?;
        own.data.copy_from_slice(&hole.data[start..end]);
        let part = read_working(image, band, &own)?;
        all.rgb.data[start * 3..end * 3].copy_from_slice(&part.rgb.data);
        if let (Some(all), Some(part)) = (&mut all.alpha, &part.alpha) {
            all.data[start..end].copy_from_slice(&part.data);
        }
    }
    Ok(all)
}

/// `rect` in bands of at least so many rows.
fn bands(rect: Rect, least: u32) -> impl Iterator<Item = Rect> {
    let rows = (BAND / rect.width.max(1)).max(least).max(1);
    let count = rect.height.div_ceil(rows).max(1);
    (0..count).map(move |i| {
        let y = i * rows;
        Rect::new(rect.x, rect.y + y, rect.width, rows.min(rect.height - y))
    })
}
