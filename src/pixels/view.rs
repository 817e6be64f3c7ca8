//! Views of a caller's pixels with checked sizes and strides.
#![forbid(unsafe_code)]

use super::{PixelFormat, Rect};
use crate::error::{Error, ErrorKind, Result};

/// The largest width or height accepted, in pixels.
pub const MAX_SIDE: u32 = 1 << 20;

/// A caller's picture, to read. Any row stride, no alignment asked for.
#[derive(Clone, Copy, Debug)]
pub struct ImageView<'a> {
    data: &'a [u8],
    width: u32,
    height: u32,
    stride: usize,
    format: PixelFormat,
    /// Where in the picture `data` lies: all of it, save for one that was placed on a canvas.
    window: Rect,
}

/// A caller's picture, to write. Bytes between the rows are never touched.
#[derive(Debug)]
pub struct ImageViewMut<'a> {
    data: &'a mut [u8],
    width: u32,
    height: u32,
    stride: usize,
    format: PixelFormat,
}

/// Checks that `len` bytes hold `height` rows of `width` pixels, `stride` bytes apart.
fn check(len: usize, width: u32, height: u32, stride: usize, format: PixelFormat) -> Result<()> {
    let fail = |m: String| Err(Error::new(ErrorKind::Image, m));
    if width == 0 || height == 0 {
        return fail(format!("the image is {width}×{height}: it has no pixel"));
    }
    if width > MAX_SIDE || height > MAX_SIDE {
        return fail(format!(
            "the image is {width}×{height}: no side may exceed {MAX_SIDE} pixels"
        ));
    }
    let row = width as usize * format.bytes();
    if stride < row {
        return fail(format!(
            "the stride of {stride} bytes is too small: a row of {width} pixels has {row} bytes"
        ));
    }
    // The last row need not be padded to the stride.
    let need = stride
        .checked_mul(height as usize - 1)
        .and_then(|n| n.checked_add(row));
    match need {
        Some(need) if need <= len => Ok(()),
        _ => fail(format!(
            "the image data has {len} bytes: {height} rows of {row} bytes, {stride} bytes apart, \
             need more"
        )),
    }
}

impl<'a> ImageView<'a> {
    /// A view of `height` rows of `width` pixels that start `stride` bytes apart in `data`.
    ///
    /// # Errors
    /// [`ErrorKind::Image`] when a size is zero or over 2^20, the stride is smaller than a row, or
    /// `data` is too short.
    pub fn new(
        data: &'a [u8],
        width: u32,
        height: u32,
        stride: usize,
        format: PixelFormat,
    ) -> Result<Self> {
        check(data.len(), width, height, stride, format)?;
        Ok(Self {
            data,
            width,
            height,
            stride,
            format,
            window: Rect::new(0, 0, width, height),
        })
    }

    /// A picture without a single pixel in memory.
    pub(super) fn unstored(width: u32, height: u32, format: PixelFormat) -> Result<Self> {
        check(
            usize::MAX,
            width,
            height,
            width as usize * format.bytes(),
            format,
        )?;
        Ok(Self {
            data: &[],
            width,
            height,
            stride: 0,
            format,
            window: Rect::default(),
        })
    }

    /// The picture on a canvas of `width` × `height`, with its corner at (`x`, `y`); what is around it has no
    /// pixels in memory.
    ///
    /// # Errors
    /// [`ErrorKind::Image`] when it does not fit there, or the canvas is too large.
    pub(crate) fn placed(&self, width: u32, height: u32, x: u32, y: u32) -> Result<Self> {
        let fits = |at: u32, len: u32, all: u32| u64::from(at) + u64::from(len) <= u64::from(all);
        let all = Self::unstored(width, height, self.format)?;
        if !fits(x, self.width, width) || !fits(y, self.height, height) {
            return Err(Error::new(
                ErrorKind::Image,
                format!(
                    "a picture of {}×{} at ({x}, {y}) does not fit on {width}×{height}",
                    self.width, self.height
                ),
            ));
        }
        let mut window = self.window;
        (window.x, window.y) = (window.x + x, window.y + y);
        Ok(Self {
            data: self.data,
            stride: self.stride,
            window,
            ..all
        })
    }

    /// Where in the picture its pixels are in memory: all of it, save for one that was placed.
    pub(crate) fn window(&self) -> Rect {
        self.window
    }

    /// The bytes of those pixels of `x .. end` of row `y` that are in memory, and the first one's column.
    pub(crate) fn stored(&self, y: u32, x: u32, end: u32) -> (u32, &'a [u8]) {
        let window = self.window;
        let (from, to) = (x.max(window.x), end.min(window.right()));
        if from >= to || !(window.y..window.bottom()).contains(&y) {
            return (x, &[]);
        }
        let pixel = self.format.bytes();
        let start = (y - window.y) as usize * self.stride + (from - window.x) as usize * pixel;
        (
            from,
            &self.data[start..start + (to - from) as usize * pixel],
        )
    }

    /// Columns.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Pixel format.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// The whole picture's rectangle.
    pub fn bounds(&self) -> Rect {
        Rect::new(0, 0, self.width, self.height)
    }

    /// The bytes of row `y`: `width * format.bytes()` of them.
    pub fn row(&self, y: u32) -> &'a [u8] {
        self.stored(y, 0, self.width).1
    }
}

impl<'a> ImageViewMut<'a> {
    /// As [`ImageView::new`], to write.
    ///
    /// # Errors
    /// As [`ImageView::new`].
    pub fn new(
        data: &'a mut [u8],
        width: u32,
        height: u32,
        stride: usize,
        format: PixelFormat,
    ) -> Result<Self> {
        check(data.len(), width, height, stride, format)?;
        Ok(Self {
            data,
            width,
            height,
            stride,
            format,
        })
    }

    /// The same picture, to read.
    pub fn as_view(&self) -> ImageView<'_> {
        ImageView {
            data: self.data,
            width: self.width,
            height: self.height,
            stride: self.stride,
            format: self.format,
            window: Rect::new(0, 0, self.width, self.height),
        }
    }

    /// Pixel format.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// The bytes of row `y`, to write: `width * format.bytes()` of them.
    pub fn row_mut(&mut self, y: u32) -> &mut [u8] {
        let start = y as usize * self.stride;
        &mut self.data[start..start + self.width as usize * self.format.bytes()]
    }
}
