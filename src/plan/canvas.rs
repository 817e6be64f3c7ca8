//! A picture's larger canvas: its size, and where on it the picture lies.
#![forbid(unsafe_code)]

use crate::error::{Error, ErrorKind, Result};
use crate::params::{Extent, Sides};
use crate::pixels::{ImageView, ImageViewMut, MAX_SIDE, Rect};
use serde_json::{Value as Json, json};

/// A canvas may have so many times the picture's pixels, or so many pixels, whichever is more: beyond that
/// hardly anything on it would be known.
const FACTOR: u64 = 100;
const PIXELS: u64 = 1 << 24;

/// The canvas that a picture grows to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canvas {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Where on it the picture lies.
    pub picture: Rect,
}

impl Canvas {
    /// That of a picture of `width` × `height` whose sides grow so far. Shares are rounded to whole pixels.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`] where that is too large.
    pub fn new(sides: &Sides, width: u32, height: u32) -> Result<Self> {
        let length = |side: Extent, all: u32| match side {
            Extent::Pixels(pixels) => u64::from(pixels),
            Extent::Share(share) => (share * f64::from(all)).round() as u64,
            Extent::Auto => 0,
        };
        let (left, right) = (length(sides.left, width), length(sides.right, width));
        let (top, bottom) = (length(sides.top, height), length(sides.bottom, height));
        let wide = left.saturating_add(u64::from(width)).saturating_add(right);
        let high = top.saturating_add(u64::from(height)).saturating_add(bottom);
        let refused = |limit: String| {
            Err(Error::new(
                ErrorKind::Parameter,
                format!(
                    "parameter 'expand' makes {wide}×{high} pixels of {width}×{height}: {limit}; expand by \
                     less"
                ),
            ))
        };
        if wide.max(high) > u64::from(MAX_SIDE) {
            return refused(format!("no side may exceed {MAX_SIDE} pixels"));
        }
        let most = (u64::from(width) * u64::from(height) * FACTOR).max(PIXELS);
        if wide * high > most {
            return refused(format!(
                "a picture may grow to {FACTOR} times its pixels, or to {PIXELS} if that is more"
            ));
        }
        Ok(Self {
            width: wide as u32,
            height: high as u32,
            picture: Rect::new(left as u32, top as u32, width, height),
        })
    }

    /// Whether it is larger than the picture.
    pub fn grows(&self) -> bool {
        (self.width, self.height) != (self.picture.width, self.picture.height)
    }

    /// Lays the picture into `dst`, which has the canvas's size, to the bit. What is around it stays.
    ///
    /// # Errors
    /// [`ErrorKind::Image`] where one of them has another size, or the two differ in format; `dst` is
    /// untouched then.
    pub fn lay(&self, image: &ImageView<'_>, dst: &mut ImageViewMut<'_>) -> Result<()> {
        let own = self.picture;
        self.check(dst)?;
        if (image.width(), image.height()) != (own.width, own.height)
            || image.format() != dst.format()
        {
            return Err(Error::new(
                ErrorKind::Image,
                "the picture has another size or format than the one that was expanded",
            ));
        }
        let pixel = image.format().bytes();
        let start = own.x as usize * pixel;
        for y in 0..own.height {
            let row = image.row(y);
            dst.row_mut(own.y + y)[start..start + row.len()].copy_from_slice(row);
        }
        Ok(())
    }

    /// Refuses a destination of another size.
    ///
    /// # Errors
    /// [`ErrorKind::Image`].
    pub(crate) fn check(&self, dst: &ImageViewMut<'_>) -> Result<()> {
        let bounds = dst.as_view().bounds();
        if (bounds.width, bounds.height) == (self.width, self.height) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Image,
            format!(
                "the destination is {}×{}, and parameter 'expand' makes a picture of {}×{}: give one of \
                 that size",
                bounds.width, bounds.height, self.width, self.height
            ),
        ))
    }

    /// The canvas as JSON, the form of `mend_plan`.
    pub fn to_json(&self) -> Json {
        json!({
            "width": self.width, "height": self.height,
            "x": self.picture.x, "y": self.picture.y,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Extent::{Pixels, Share};

    #[test]
    fn a_canvas_is_the_picture_and_what_its_sides_grow_by() {
        let of = |sides, width, height| Canvas::new(&Sides::new(sides), width, height);
        for (sides, size, want) in [
            ([Pixels(0); 4], (7, 5), (7, 5, 0, 0)),
            ([Pixels(4); 4], (8, 8), (16, 16, 4, 4)),
            (
                [Pixels(1), Pixels(2), Pixels(3), Pixels(4)],
                (10, 20),
                (14, 26, 1, 2),
            ),
            ([Share(0.1); 4], (100, 45), (120, 55, 10, 5)),
            (
                [Share(0.0), Pixels(0), Share(4.0), Share(0.004)],
                (100, 100),
                (500, 100, 0, 0),
            ),
            ([Pixels(64); 4], (1, 1), (129, 129, 64, 64)),
        ] {
            let canvas = of(sides, size.0, size.1).unwrap();
            let own = canvas.picture;
            assert_eq!(
                (canvas.width, canvas.height, own.x, own.y),
                want,
                "{sides:?}"
            );
            assert_eq!((own.width, own.height), size);
            assert_eq!(canvas.grows(), sides != [Pixels(0); 4], "{sides:?}");
        }
        for (sides, size, said) in [
            ([Pixels(65_536); 4], (1 << 20, 8), "1048576"),
            ([Share(4.0); 4], (1 << 19, 1 << 19), "1048576"),
            ([Pixels(20_000); 4], (1000, 1000), "100 times"),
            ([Pixels(u32::MAX); 4], (8, 8), "1048576"),
        ] {
            let e = of(sides, size.0, size.1).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::Parameter);
            assert!(
                e.message().contains("'expand'") && e.message().contains(said),
                "{e}"
            );
        }
    }
}
