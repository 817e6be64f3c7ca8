//! What is refused. A plan and its fill ask the same questions here, once.
#![forbid(unsafe_code)]

use super::reading;
use super::settings::Settings;
use crate::error::{Error, ErrorKind, Result};
use crate::pixels::{
    Depth, ImageView, MaskView, PixelFormat, Rect, RunMask, check_finite, opaque_within,
};
use crate::plan::{Canvas, LONGEST, Region};
use crate::progress::Cancel;
use crate::request::Request;

/// Refuses an image of another size than the mask's.
///
/// # Errors
/// [`ErrorKind::Mask`].
pub fn check_sizes(image: &ImageView<'_>, mask: &MaskView<'_>) -> Result<()> {
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
    Ok(())
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

/// Refuses a source or guide mask of another size.
///
/// # Errors
/// [`ErrorKind::Mask`].
pub fn check_masks(request: &Request, width: u32, height: u32) -> Result<()> {
    for (what, mask) in [("source", request.source()), ("guide", request.guide())] {
        let Some(mask) = mask else { continue };
        if (mask.width(), mask.height()) != (width, height) {
            return Err(Error::new(
                ErrorKind::Mask,
                format!(
                    "the {what} mask is {}×{} and the image {width}×{height}: give one of the image's \
                     size",
                    mask.width(),
                    mask.height(),
                ),
            ));
        }
    }
    Ok(())
}

/// Refuses what [`check_masks`] does, and a `hole`, the mask as it was grown, that is everything.
///
/// # Errors
/// [`ErrorKind::Mask`].
pub fn check_hole(request: &Request, hole: &RunMask) -> Result<()> {
    check_masks(request, hole.width(), hole.height())?;
    let all = u64::from(hole.width()) * u64::from(hole.height());
    match hole.count() == all {
        true => Err(whole_image()),
        false => Ok(()),
    }
}

/// What is to be filled, and how.
pub(super) struct Case<'a> {
    pub request: &'a Request,
    pub settings: &'a Settings,
    /// The picture, where there is one yet.
    pub image: Option<&'a ImageView<'a>>,
    pub mask: &'a MaskView<'a>,
    /// The mask as it was given.
    pub runs: &'a RunMask,
    /// The mask as it was grown.
    pub hole: &'a RunMask,
    /// Where the picture grows.
    pub canvas: Option<&'a Canvas>,
}

impl Case<'_> {
    /// Refuses regions that cannot be addressed, that have nothing to sample from or whose surroundings
    /// are no numbers. A hole in the void becomes nothing; where all are, something else was meant.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`], [`ErrorKind::Mask`], [`ErrorKind::Image`].
    pub fn check(&self, regions: &[Region]) -> Result<()> {
        regions.iter().try_for_each(|r| self.check_one(r))?;
        match !regions.is_empty() && regions.iter().all(|r| !self.opaque(r.rect)) {
            true => Err(no_source(self.request)),
            false => Ok(()),
        }
    }

    fn check_one(&self, region: &Region) -> Result<()> {
        let rect = region.rect;
        if rect.width.max(rect.height) > LONGEST {
            return Err(too_long(rect));
        }
        if !region.specks && !self.has_source(rect) && !self.in_void(region) {
            return Err(no_source(self.request));
        }
        if let Some(image) = self.image
            && matches!(image.format().depth, Depth::F16 | Depth::F32)
        {
            let Settings { grow, feather, .. } = *self.settings;
            let never = Cancel::new();
            check_finite(image, rect, || {
                reading::replaced(image, self.mask, rect, grow, feather, &never)
            })?;
        }
        Ok(())
    }

    /// Whether all that is known next to the region's hole is transparent, so that nothing comes there.
    fn in_void(&self, region: &Region) -> bool {
        let (width, height) = (self.hole.width(), self.hole.height());
        let near = region.hole.grown_within(1, width, height);
        self.any_known(region.rect, |_, x, end| x < end) && !self.opaque(near)
    }

    /// Whether a known pixel of `rect` is not wholly transparent.
    fn opaque(&self, rect: Rect) -> bool {
        self.any_known(rect, |y, x, end| self.shows(y, x, end))
    }

    /// Whether a pixel of `rect` may be sampled from.
    fn has_source(&self, rect: Rect) -> bool {
        self.any_known(rect, |y, from, to| match self.request.source() {
            None => self.shows(y, from, to),
            Some(source) => {
                let mut runs = source.row(y).iter();
                runs.any(|&(x, end)| self.shows(y, x.max(from), end.min(to)))
            }
        })
    }

    /// Whether a pixel of `x .. end` of row `y` has a colour, as all have before there is a picture.
    fn shows(&self, y: u32, x: u32, end: u32) -> bool {
        x < end
            && self
                .image
                .is_none_or(|image| opaque_within(image, y, x, end))
    }

    /// Whether `is` says so of what lies between the hole's runs in a row of `rect`: the row, the first
    /// pixel and the one behind the last.
    fn any_known(&self, rect: Rect, is: impl Fn(u32, u32, u32) -> bool) -> bool {
        (rect.y..rect.bottom()).any(|y| {
            let mut from = rect.x;
            for &(x, end) in self.hole.row(y) {
                if from >= rect.right() {
                    return false;
                }
                if is(y, from, x.min(rect.right())) {
                    return true;
                }
                from = from.max(end);
            }
            is(y, from, rect.right())
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
fn whole_image() -> Error {
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
