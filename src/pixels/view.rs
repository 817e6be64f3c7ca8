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
        })
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
        let start = y as usize * self.stride;
        &self.data[start..start + self.width as usize * self.format.bytes()]
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
