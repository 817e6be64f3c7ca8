//! What is asked for, on the canvas that the picture grows to.
#![forbid(unsafe_code)]

use super::checks::{check_masks, check_sizes};
use crate::error::Result;
use crate::pixels::{ImageView, MaskView};
use crate::plan::Canvas;
use crate::request::Request;
use std::borrow::Cow;

/// A request with its picture and its mask: as they were given, or placed on a canvas, all of which around
/// the picture is to be filled. No pixels are copied.
#[derive(Clone)]
pub(super) struct Asked<'a> {
    pub request: Cow<'a, Request>,
    /// The picture, where there is one yet.
    pub image: Option<ImageView<'a>>,
    pub mask: MaskView<'a>,
    /// Where the picture grows.
    pub canvas: Option<Canvas>,
}

impl<'a> Asked<'a> {
    /// # Errors
    /// [`crate::ErrorKind::Mask`] where the picture and its masks differ in size;
    /// [`crate::ErrorKind::Parameter`] where the canvas is too large; [`crate::ErrorKind::Memory`].
    pub fn new(
        request: &'a Request,
        image: Option<&ImageView<'a>>,
        mask: &MaskView<'a>,
    ) -> Result<Self> {
        let (width, height) = (mask.width(), mask.height());
        if let Some(image) = image {
            check_sizes(image, mask)?;
        }
        let canvas = request.canvas(width, height)?;
        if !canvas.grows() {
            return Ok(Self {
                request: Cow::Borrowed(request),
                image: image.copied(),
                mask: *mask,
                canvas: None,
            });
        }
        check_masks(request, width, height)?;
        let (w, h, x, y) = (
            canvas.width,
            canvas.height,
            canvas.picture.x,
            canvas.picture.y,
        );
        Ok(Self {
            request: Cow::Owned(request.placed(&canvas)?),
            image: image.map(|image| image.placed(w, h, x, y)).transpose()?,
            mask: mask.placed(w, h, x, y)?,
            canvas: Some(canvas),
        })
    }
}
