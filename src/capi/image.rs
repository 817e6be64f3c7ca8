//! `mend_image`: the caller's pixels, checked before they are looked at.

use super::handle::null;
use crate::error::{Error, ErrorKind, Result};
use crate::pixels::{ImageView, ImageViewMut, MaskView, PixelFormat};
use crate::plan::Canvas;
use std::ffi::c_void;
use std::slice;

/// Layout: one gray channel.
pub const MEND_LAYOUT_GRAY: u32 = 0x1;
/// Layout: gray, alpha.
pub const MEND_LAYOUT_GRAYA: u32 = 0x2;
/// Layout: red, green, blue.
pub const MEND_LAYOUT_RGB: u32 = 0x3;
/// Layout: red, green, blue, alpha.
pub const MEND_LAYOUT_RGBA: u32 = 0x4;
/// Layout: blue, green, red.
pub const MEND_LAYOUT_BGR: u32 = 0x5;
/// Layout: blue, green, red, alpha.
pub const MEND_LAYOUT_BGRA: u32 = 0x6;

/// Depth: 8-bit unsigned integers, 0 to 255.
pub const MEND_DEPTH_U8: u32 = 0x10;
/// Depth: 16-bit unsigned integers in the machine's byte order, 0 to 65535.
pub const MEND_DEPTH_U16: u32 = 0x20;
/// Depth: IEEE half floats in the machine's byte order, nominally 0 to 1. Not for masks.
pub const MEND_DEPTH_F16: u32 = 0x30;
/// Depth: IEEE single floats in the machine's byte order, nominally 0 to 1.
pub const MEND_DEPTH_F32: u32 = 0x40;

/// Flag: the colour channels are already multiplied by alpha.
pub const MEND_PREMULTIPLIED: u32 = 0x100;
/// Flag: values are proportional to light (scene-linear). Without it they are display-encoded,
/// sRGB-like, which 8-bit pictures nearly always are.
pub const MEND_LINEAR: u32 = 0x200;

/// A picture or a mask in the caller's memory.
///
/// The struct and its pixels belong to the caller, who keeps them until the call returns; the
/// library keeps no pointer to them. Its layout is frozen.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct mend_image {
    /// The first byte of the top row. It need not be aligned. The library never writes through it,
    /// except for the 'dst' of mend_inpaint and mend_variations_take. Not NULL.
    pub data: *mut c_void,
    /// How many bytes from 'data' on belong to the picture: at least stride * (height - 1) plus the
    /// bytes of one row; at most PTRDIFF_MAX.
    pub length: usize,
    /// Bytes from the start of a row to the start of the next, at least those of one row. Bytes
    /// between the rows are neither read nor written.
    pub stride: usize,
    /// Columns, 1 to 1048576.
    pub width: u32,
    /// Rows, 1 to 1048576.
    pub height: u32,
    /// One MEND_LAYOUT_*, one MEND_DEPTH_* and any flags, or-ed together, such as
    /// MEND_LAYOUT_RGBA | MEND_DEPTH_U8.
    pub format: u32,
}

/// A `mend_image` that was found sound: its fields fit each other, so views of it cannot fail.
#[derive(Clone, Copy)]
pub(super) struct Checked {
    data: *mut u8,
    /// Bytes from the first of the top row to the last of the bottom row.
    span: usize,
    stride: usize,
    width: u32,
    height: u32,
    format: PixelFormat,
}

impl Checked {
    /// Checks the image that C calls `name`.
    ///
    /// # Safety
    /// `image` is null or points to a live struct whose `data` is null or points to `length` bytes.
    pub(super) unsafe fn image_of(image: *const mend_image, name: &str) -> Result<Self> {
        // SAFETY: as this function's. The struct is copied: C may change its own meanwhile.
        let Some(image) = (unsafe { image.as_ref() }).copied() else {
            return Err(null(name));
        };
        if image.data.is_null() {
            return Err(null(&format!("{name}->data")));
        }
        let tell = |e: Error| Error::new(e.kind(), format!("'{name}': {}", e.message()));
        let format = PixelFormat::from_bits(image.format).map_err(tell)?;
        let data = image.data.cast::<u8>();
        if image.length > isize::MAX as usize || data.addr().checked_add(image.length).is_none() {
            return Err(Error::new(
                ErrorKind::Image,
                format!(
                    "'{name}': a length of {} bytes is more than memory can hold; give the bytes \
                     from 'data' to the end of the last row",
                    image.length
                ),
            ));
        }
        // SAFETY: not null, `length` bytes by C's word, no longer than `isize::MAX`, no wrap.
        let bytes = unsafe { slice::from_raw_parts(data, image.length) };
        ImageView::new(bytes, image.width, image.height, image.stride, format).map_err(tell)?;
        Ok(Self {
            data,
            // Cannot overflow: the view above holds that many bytes.
            span: image.stride * (image.height as usize - 1)
                + image.width as usize * format.bytes(),
            stride: image.stride,
            width: image.width,
            height: image.height,
            format,
        })
    }

    /// Checks the mask that C calls `name`: as an image, and that it is one that a mask can be.
    ///
    /// # Safety
    /// As [`Self::image_of`].
    pub(super) unsafe fn mask_of(image: *const mend_image, name: &str) -> Result<Self> {
        // SAFETY: as this function's.
        let checked = unsafe { Self::image_of(image, name) }.map_err(|e| match e.kind() {
            ErrorKind::Image => Error::new(ErrorKind::Mask, e.message()),
            _ => e,
        })?;
        // SAFETY: C's memory is live and nobody writes it now.
        unsafe { checked.mask() }
            .map_err(|e| Error::new(e.kind(), format!("'{name}': {}", e.message())))?;
        Ok(checked)
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The pixels, to read.
    ///
    /// # Safety
    /// The memory is live and nobody writes it during `'a`.
    pub(super) unsafe fn view<'a>(&self) -> Result<ImageView<'a>> {
        // SAFETY: checked when this was made; live and unwritten by this function's contract.
        let bytes = unsafe { slice::from_raw_parts(self.data, self.span) };
        ImageView::new(bytes, self.width, self.height, self.stride, self.format)
    }

    /// The pixels as a mask.
    ///
    /// # Safety
    /// As [`Self::view`].
    pub(super) unsafe fn mask<'a>(&self) -> Result<MaskView<'a>> {
        // SAFETY: as this function's.
        MaskView::new(unsafe { self.view() }?)
    }

    /// The pixels, to write.
    ///
    /// # Safety
    /// The memory is live and nobody else uses it during `'a`; no other view of it is alive.
    pub(super) unsafe fn view_mut<'a>(&self) -> Result<ImageViewMut<'a>> {
        // SAFETY: checked when this was made; live and exclusive by this function's contract.
        let bytes = unsafe { slice::from_raw_parts_mut(self.data, self.span) };
        ImageViewMut::new(bytes, self.width, self.height, self.stride, self.format)
    }

    /// Whether both are the same pixels in the same memory.
    fn same(&self, other: &Self) -> bool {
        self.data == other.data && self.stride == other.stride
    }

    /// Whether some byte lies between the first and the last of both.
    fn overlaps(&self, other: &Self) -> bool {
        let (a, b) = (self.data.addr(), other.data.addr());
        a < b + other.span && b < a + self.span
    }

    /// Checks that this can be the destination of a fill of `src`, which lies on `canvas`, through `mask`.
    pub(super) fn check_destination(
        &self,
        src: &Self,
        mask: Option<&Self>,
        canvas: &Canvas,
    ) -> Result<()> {
        self.check_copy(src, canvas)?;
        if mask.is_some_and(|mask| self.overlaps(mask)) {
            return Err(Error::new(
                ErrorKind::Image,
                "'dst' overlaps 'mask': give memory apart from it",
            ));
        }
        Ok(())
    }

    /// Checks that this can be a changed copy of `src`, which lies on `canvas`; or, where that is no larger,
    /// `src` itself.
    pub(super) fn check_copy(&self, src: &Self, canvas: &Canvas) -> Result<()> {
        let fail = |m: String| Err(Error::new(ErrorKind::Image, m));
        if canvas.grows() && self.size() != (canvas.width, canvas.height) {
            return fail(format!(
                "'dst' is {}×{}, and the parameter 'expand' makes {}×{} of 'src': give a destination of \
                 that size, see mend_expanded_size",
                self.width, self.height, canvas.width, canvas.height
            ));
        }
        if !canvas.grows() && self.size() != src.size() {
            return fail(format!(
                "'dst' is {}×{} and 'src' {}×{}: give a destination of the source's size",
                self.width, self.height, src.width, src.height
            ));
        }
        if self.format != src.format {
            return fail(format!(
                "'dst' has the format {:#x} and 'src' {:#x}: give them the same",
                self.format.to_bits(),
                src.format.to_bits()
            ));
        }
        if self.overlaps(src) && canvas.grows() {
            return fail(
                "'dst' overlaps 'src', which the parameter 'expand' makes larger: give memory apart from \
                 it"
                    .into(),
            );
        }
        if self.overlaps(src) && !self.same(src) {
            return fail(
                "'dst' overlaps 'src' in part: give the very same memory with the same stride, or \
                 memory apart from it"
                    .into(),
            );
        }
        Ok(())
    }

    /// Copies the rows of `src`, which has this one's format, to where it lies on `canvas`, if it is not the
    /// same memory already. All other bytes stay.
    ///
    /// # Safety
    /// Both memories are live, nobody else uses this one or writes the other's, no view of this one
    /// is alive, and [`Self::check_copy`] has passed for the same canvas, which is that of `src`'s size.
    pub(super) unsafe fn copy_from(&self, src: &Self, canvas: &Canvas) {
        if self.same(src) {
            return;
        }
        let pixel = self.format.bytes();
        let row = src.width as usize * pixel;
        let (left, top) = (canvas.picture.x as usize * pixel, canvas.picture.y as usize);
        for y in 0..src.height as usize {
            // SAFETY: both rows lie within their spans, which were found apart: this one has the canvas's
            // size, and `src` lies on the canvas.
            unsafe {
                std::ptr::copy_nonoverlapping(
                    src.data.add(y * src.stride),
                    self.data.add((top + y) * self.stride + left),
                    row,
                );
            }
        }
    }
}
