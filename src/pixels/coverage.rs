//! Masks: how much of each pixel is to be replaced.
#![forbid(unsafe_code)]

use super::{ImageView, Plane, Rect};
use crate::error::Result;

/// A caller's mask: one gray channel of any depth but f16, the image's size; 0 keeps the pixel, the
/// largest value (255, 65535, 1.0) replaces it, between is a partial replacement.
#[derive(Clone, Copy, Debug)]
pub struct MaskView<'a>(ImageView<'a>);

/// Coverage of a crop: `0.0` keeps the pixel's bits, `1.0` replaces it.
pub type Coverage = Plane<f32>;

impl<'a> MaskView<'a> {
    /// Takes a gray view as a mask.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Mask`] for another layout.
    pub fn new(view: ImageView<'a>) -> Result<Self> {
        Ok(Self(view))
    }

    /// Columns.
    pub fn width(&self) -> u32 {
        self.0.width()
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.0.height()
    }

    /// Calls `run(x, end)` for each stretch of non-zero pixels of row `y`, left to right.
    pub fn runs(&self, y: u32, run: &mut dyn FnMut(u32, u32)) {
        let _ = (y, run);
        todo!()
    }

    /// The coverage of `rect`, after growing the mask by a disk of radius `grow` pixels and then
    /// softening its edge inwards over `feather` pixels (nothing outside the grown mask changes).
    ///
    /// # Errors
    /// [`crate::ErrorKind::Mask`] for NaN; [`crate::ErrorKind::Memory`].
    pub fn coverage(&self, rect: Rect, grow: u32, feather: u32) -> Result<Coverage> {
        let _ = (rect, grow, feather);
        todo!()
    }
}
