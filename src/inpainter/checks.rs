//! What is refused. A plan and its fill ask the same questions here, once.
#![forbid(unsafe_code)]

use crate::error::{Error, ErrorKind, Result};
use crate::pixels::{
    Depth, ImageView, MaskView, PixelFormat, Rect, RunMask, check_finite, opaque_within,
};
use crate::plan::{LONGEST, Region};
use crate::request::Request;

/// Refuses an image that does not go with the mask or the request.
///
/// # Errors
/// [`ErrorKind::Mask`], [`ErrorKind::Image`].
pub fn check_image(request: &Request, image: &ImageView<'_>, mask: &MaskView<'_>) -> Result<()> {
    if (image.width(), image.height()) != (mask.width(), mask.height()) {
        return Err(Error::new(
            ErrorKind::Mask,
            format!(
                "the image is {}×{} and the mask {}×{}: give a mask of the image's size",
                image.width(),
                image.height(),
                mask.width(),
                mask.height()
            ),
        ));
    }
    match request.text("result")?.as_str() {
        "layer" => needs_alpha(image.format()),
        _ => Ok(()),
    }
}

/// Refuses a result on transparency where there is none.
///
/// # Errors
/// [`ErrorKind::Image`].
pub fn needs_alpha(format: PixelFormat) -> Result<()> {
    if format.layout.has_alpha() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Image,
        "the image has no alpha channel, which parameter 'result' needs at 'layer': give it one, \
         or set result to image",
    ))
}

/// Refuses a source mask of another size, and a `hole`, the mask as it was grown, that is everything.
///
/// # Errors
/// [`ErrorKind::Mask`].
pub fn check_hole(request: &Request, hole: &RunMask) -> Result<()> {
    if let Some(source) = request.source()
        && (source.width() != hole.width() || source.height() != hole.height())
    {
        return Err(Error::new(
            ErrorKind::Mask,
            format!(
                "the source mask is {}×{} and the image {}×{}: give one of the image's size",
                source.width(),
                source.height(),
                hole.width(),
                hole.height()
            ),
        ));
    }
    let all = u64::from(hole.width()) * u64::from(hole.height());
    match hole.count() == all {
        true => Err(whole_image()),
        false => Ok(()),
    }
}

/// What is asked of every region.
pub struct Asked<'a> {
    pub request: &'a Request,
    /// The picture, where there is one yet.
    pub image: Option<&'a ImageView<'a>>,
    pub mask: &'a MaskView<'a>,
    /// The mask as it was grown.
    pub hole: &'a RunMask,
}

impl Asked<'_> {
    /// Refuses a region that cannot be addressed, that has nothing to sample from or whose surroundings
    /// are no numbers.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`], [`ErrorKind::Mask`], [`ErrorKind::Image`].
    pub fn check(&self, region: &Region) -> Result<()> {
        let rect = region.rect;
        if rect.width.max(rect.height) > LONGEST {
            return Err(too_long(rect));
        }
        if !region.specks && !self.has_source(rect) {
            return Err(no_source(self.request));
        }
        if let Some(image) = self.image
            && matches!(image.format().depth, Depth::F16 | Depth::F32)
        {
            let grow = self.request.integer("grow")? as u32;
            let feather = self.request.integer("feather")? as u32;
            check_finite(image, rect, || self.mask.coverage(rect, grow, feather))?;
        }
        Ok(())
    }

    /// Whether a pixel of `rect` may be sampled from.
    fn has_source(&self, rect: Rect) -> bool {
        (rect.y..rect.bottom()).any(|y| {
            let sampled = |x: u32, end: u32| {
                x < end
                    && self
                        .image
                        .is_none_or(|image| opaque_within(image, y, x, end))
            };
            let known = |from: u32, to: u32| match self.request.source() {
                None => sampled(from, to),
                Some(source) => {
                    let runs = source.row(y).iter();
                    runs.into_iter()
                        .any(|&(x, end)| sampled(x.max(from), end.min(to)))
                }
            };
            // What lies between the hole's runs.
            let mut from = rect.x;
            for &(x, end) in self.hole.row(y) {
                if from >= rect.right() {
                    return false;
                }
                if known(from, x.min(rect.right())) {
                    return true;
                }
                from = from.max(end);
            }
            known(from, rect.right())
        })
    }
}

fn too_long(rect: Rect) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "the region to fill from is {}×{} pixels: up to {LONGEST} a side can be searched; \
             select sources closer to the hole or lower the context",
            rect.width, rect.height
        ),
    )
}

/// The mask leaves no pixel to fill from.
pub fn whole_image() -> Error {
    Error::new(
        ErrorKind::Mask,
        "the mask covers the whole image: nothing is left to fill from; select less",
    )
}

/// Why no pixel of a crop may be sampled from.
pub fn no_source(request: &Request) -> Error {
    let message = if request.source().is_some() {
        "the source mask leaves nothing to fill from: select some opaque pixels outside the hole"
    } else {
        "there is nothing to fill from around the hole: every pixel there is masked or \
         transparent; select less or raise the context"
    };
    Error::new(ErrorKind::Mask, message)
}
