//! Working images: tight, row-major planes that the engines see.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::memory;

/// A tight row-major plane, `data[y * width + x]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane<T> {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` values, row by row.
    pub data: Vec<T>,
}

impl<T: Clone> Plane<T> {
    /// A plane of `value`s; `what` names it if memory runs out.
    pub fn filled(width: usize, height: usize, value: T, what: &str) -> Result<Self> {
        let len = width.saturating_mul(height);
        Ok(Self {
            width,
            height,
            data: memory::filled(len, value, what)?,
        })
    }

    /// Row `y`.
    pub fn row(&self, y: usize) -> &[T] {
        &self.data[y * self.width..(y + 1) * self.width]
    }

    /// Row `y`, to write.
    pub fn row_mut(&mut self, y: usize) -> &mut [T] {
        &mut self.data[y * self.width..(y + 1) * self.width]
    }
}

/// A working picture: interleaved RGB f32, `data[(y * width + x) * 3 + channel]`, display-encoded
/// (sRGB-like), nominally `0.0 ..= 1.0`; float sources may reach beyond.
#[derive(Clone, Debug, PartialEq)]
pub struct RgbImage {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height * 3` values.
    pub data: Vec<f32>,
}

impl RgbImage {
    /// A copy; `what` names it if memory runs out.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn try_clone(&self, what: &str) -> Result<Self> {
        let mut data = memory::with_capacity(self.data.len(), what)?;
        data.extend_from_slice(&self.data);
        Ok(Self { data, ..*self })
    }

    /// A black picture; `what` names it if memory runs out.
    pub fn black(width: usize, height: usize, what: &str) -> Result<Self> {
        let len = width.saturating_mul(height).saturating_mul(3);
        Ok(Self {
            width,
            height,
            data: memory::filled(len, 0.0, what)?,
        })
    }

    /// Row `y`: `width * 3` values.
    pub fn row(&self, y: usize) -> &[f32] {
        &self.data[y * self.width * 3..(y + 1) * self.width * 3]
    }

    /// Row `y`, to write.
    pub fn row_mut(&mut self, y: usize) -> &mut [f32] {
        &mut self.data[y * self.width * 3..(y + 1) * self.width * 3]
    }
}

/// Place `i` of a row of `n` pixels that goes on as its own mirror image, the last one twice: numpy's
/// `symmetric`, which LaMa and IOPaint fill pictures up by.
pub fn mirrored(i: usize, n: usize) -> usize {
    let i = i % (2 * n.max(1));
    if i < n { i } else { 2 * n - 1 - i }
}
