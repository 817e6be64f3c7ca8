//! A picture made larger.
#![forbid(unsafe_code)]

use super::{Filled, Inpainter, Report};
use crate::error::{Error, ErrorKind, Result};
use crate::pixels::{ImageView, ImageViewMut, MaskView};
use crate::plan::Canvas;
use crate::progress::{Cancel, Progress};
use crate::request::Request;

/// What is new of a picture that was made larger by [`Inpainter::expand`]; it has not been written anywhere yet.
pub struct Expanded<'a> {
    image: ImageView<'a>,
    filled: Filled,
    /// The new size, and where in it the picture lies.
    pub canvas: Canvas,
}

impl Expanded<'_> {
    /// What was done.
    pub fn report(&self) -> &Report {
        &self.filled.report
    }

    /// Writes the larger picture into `dst`, whatever that holds: the picture's pixels to the bit, save for
    /// those that its mask selects, and the fill. With the parameter `result` at `layer` it is only the fill.
    ///
    /// # Errors
    /// [`ErrorKind::Image`] when `dst` has not the size of [`Self::canvas`] or not the picture's format. It is
    /// untouched then.
    pub fn apply(&self, dst: &mut ImageViewMut<'_>) -> Result<()> {
        self.canvas.lay(&self.image, dst)?;
        self.filled.apply(dst)
    }
}

impl Inpainter {
    /// Makes `image` larger, by the parameter `expand`, and fills what is new, together with what `mask`
    /// selects of the picture, if there is one. With `expand` at 0 it is the picture as it is, filled where
    /// the mask says so.
    ///
    /// # Errors
    /// As [`Self::fill`]; [`ErrorKind::Parameter`] where the new size is too large.
    pub fn expand<'a>(
        &self,
        request: &Request,
        image: &ImageView<'a>,
        mask: Option<&MaskView<'_>>,
        progress: &mut dyn Progress,
        cancel: &Cancel,
    ) -> Result<Expanded<'a>> {
        let canvas = request.canvas(image.width(), image.height())?;
        let nothing = MaskView::nothing(image.width(), image.height())?;
        let filled = self.fill(request, image, mask.unwrap_or(&nothing), progress, cancel)?;
        Ok(Expanded {
            image: *image,
            filled,
            canvas,
        })
    }
}

/// Refuses a request that makes the picture larger where that has no place.
///
/// # Errors
/// [`ErrorKind::Argument`].
pub(super) fn check_keeps_size(request: &Request, image: &ImageViewMut<'_>) -> Result<()> {
    let bounds = image.as_view().bounds();
    match request.canvas(bounds.width, bounds.height)?.grows() {
        true => Err(Error::new(
            ErrorKind::Argument,
            "parameter 'expand' makes the picture larger, which cannot be done in place: call \
             Inpainter::expand, or set expand to 0",
        )),
        false => Ok(()),
    }
}
