//! A picture as square windows, each a sequence of its own.
#![forbid(unsafe_code)]

use super::conv::dims;
use super::{Act, Run, misfit, values};
use crate::error::Result;
use candle_core::Tensor;

/// How a picture is cut: into squares of `side`, from the upper left corner on. Those at the right and
/// at the bottom reach beyond it where its sides are no multiples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Rows of the picture.
    pub height: usize,
    /// Columns of the picture.
    pub width: usize,
    /// Pixels along a side of a window.
    pub side: usize,
}

impl Windows {
    fn across(&self) -> usize {
        self.width.div_ceil(self.side)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.height.div_ceil(self.side) * self.across()
    }

    /// The picture's pixel at place `at` of window `window`, if it has one there.
    fn pixel(&self, window: usize, at: usize) -> Option<usize> {
        let y = window / self.across() * self.side + at / self.side;
        let x = window % self.across() * self.side + at % self.side;
        (y < self.height && x < self.width).then(|| y * self.width + x)
    }

    /// `x`, `[1, height, width, channels]`, as `[windows, side · side, channels]`; what lies beyond it is
    /// `beyond`, `[channels]`.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn split(&self, run: &Run, x: &Tensor, beyond: &Tensor) -> Result<Act> {
        let c = x.dims().last().copied().unwrap_or(0);
        if dims("windows", x, c)? != (1, self.height, self.width) || beyond.elem_count() != c {
            return Err(misfit("windows", &format!("{self:?}"), x.dims()));
        }
        let each = self.side * self.side;
        run.write(&[self.count(), each, c], |y| {
            let (x, beyond) = (values(x)?, values(beyond)?);
            run.cx().parts(y, each * c, |window, y| {
                for (at, y) in y.chunks_exact_mut(c.max(1)).enumerate() {
                    y.copy_from_slice(match self.pixel(window, at) {
                        Some(pixel) => &x[pixel * c..][..c],
                        None => &beyond,
                    });
                }
            })
        })
    }

    /// Back from [`Self::split`]: `[windows, side · side, channels]` as `[1, height, width, channels]`.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn join(&self, run: &Run, x: &Tensor) -> Result<Act> {
        let (side, each, c) = match *x.dims() {
            [n, each, c] if n == self.count() && each == self.side * self.side => {
                (self.side, each, c)
            }
            ref dims => return Err(misfit("windows", &format!("{self:?}"), dims)),
        };
        run.write(&[1, self.height, self.width, c], |out| {
            let x = values(x)?;
            run.cx().parts(out, self.width * c, |row, out| {
                for (i, out) in out.chunks_mut(side * c).enumerate() {
                    let window = row / side * self.across() + i;
                    let from = (window * each + row % side * side) * c;
                    out.copy_from_slice(&x[from..][..out.len()]);
                }
            })
        })
    }
}
