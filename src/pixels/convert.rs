//! Between the caller's pixel format and the working picture, at the caller's own depth.
#![forbid(unsafe_code)]

use super::{Coverage, ImageView, ImageViewMut, Plane, Rect, RgbImage};
use crate::error::Result;

/// A crop of the caller's picture in working form.
#[derive(Clone, Debug)]
pub struct Working {
    /// Display-encoded colour, straight (not premultiplied). Where alpha is 0 it is black.
    pub rgb: RgbImage,
    /// Alpha `0.0 ..= 1.0`, or `None` for formats without.
    pub alpha: Option<Plane<f32>>,
}

/// Reads `rect` of `view` into working form.
///
/// A pixel that `hole` covers fully may hold anything, NaN too: it reads as black, alpha 1.
///
/// # Errors
/// [`crate::ErrorKind::Image`] naming the first pixel that is NaN or infinite outside the fully
/// covered hole; [`crate::ErrorKind::Memory`].
pub fn read_working(view: &ImageView<'_>, rect: Rect, hole: &Coverage) -> Result<Working> {
    let _ = (view, rect, hole);
    todo!()
}

/// Blends `filled` into `rect` of `dst` by `coverage`: 0 leaves the pixel's bits as they are, 1
/// replaces it, between is a mix in the image's own encoding, premultiplied by alpha.
pub fn write_back(dst: &mut ImageViewMut<'_>, rect: Rect, filled: &Working, coverage: &Coverage) {
    let _ = (dst, rect, filled, coverage);
    todo!()
}
