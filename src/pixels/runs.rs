//! A mask as runs: what is selected, at a cost that follows the selection and not the canvas.
#![forbid(unsafe_code)]

use super::{MaskView, Plane, Rect};
use crate::error::Result;

/// The non-zero pixels of a mask, row by row, as half-open runs from left to right.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunMask {
    width: u32,
    height: u32,
    /// `runs[starts[y] .. starts[y + 1]]` are row `y`'s.
    starts: Vec<usize>,
    runs: Vec<(u32, u32)>,
}

impl RunMask {
    /// The non-zero pixels of `mask`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Mask`] for NaN; [`crate::ErrorKind::Memory`].
    pub fn of(mask: &MaskView<'_>) -> Result<Self> {
        let _ = mask;
        todo!()
    }

    /// Columns.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Row `y`'s runs `(x, end)`, left to right.
    pub fn row(&self, y: u32) -> &[(u32, u32)] {
        &self.runs[self.starts[y as usize]..self.starts[y as usize + 1]]
    }

    /// Selected pixels.
    pub fn count(&self) -> u64 {
        self.runs.iter().map(|(x, end)| u64::from(end - x)).sum()
    }

    /// The smallest rectangle that holds every selected pixel; empty where none is.
    pub fn bounds(&self) -> Rect {
        todo!()
    }

    /// 1 where selected, over `rect`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn crop(&self, rect: Rect) -> Result<Plane<u8>> {
        let _ = rect;
        todo!()
    }
}
