//! `--fit-mask`: a mask of another size, scaled to its picture's.
#![forbid(unsafe_code)]

use super::Mask;
use mend::Result;
use std::ops::Range;

impl Mask {
    /// This mask at `width` × `height`. A pixel gets the largest value of those that lie under it, so
    /// that a thin line is not lost, an edge that was hard stays hard and nothing that was selected is
    /// left out.
    ///
    /// # Errors
    /// [`mend::ErrorKind::Memory`].
    pub fn fit(self, width: u32, height: u32) -> Result<Self> {
        if (self.width, self.height) == (width, height) {
            return Ok(self);
        }
        let mut to = Self::new(width, height, self.depth)?;
        let columns: Vec<Range<usize>> = (0..width).map(|x| under(x, width, self.width)).collect();
        let mut values = mend_infer::memory::filled(width as usize, 0.0, "a row")?;
        let mut tallest = mend_infer::memory::filled(self.width as usize, 0.0, "a row")?;
        for y in 0..height {
            tallest.fill(0.0);
            for from in under(y, height, self.height) {
                for (most, v) in tallest.iter_mut().zip(self.row(from)) {
                    *most = larger(*most, v);
                }
            }
            for (v, columns) in values.iter_mut().zip(&columns) {
                *v = tallest[columns.clone()].iter().copied().fold(0.0, larger);
            }
            to.put(y as usize, &values);
        }
        to.notes = self.notes;
        to.advice = self.advice;
        to.partial = self.partial;
        Ok(to)
    }

    /// A row's values.
    fn row(&self, y: usize) -> impl Iterator<Item = f64> {
        let bytes = self.depth.bytes();
        let stride = self.width as usize * bytes;
        let row = &self.data[y * stride..(y + 1) * stride];
        let depth = self.depth;
        row.chunks_exact(bytes)
            .map(move |pixel| super::value::sample(pixel, depth, 0))
    }
}

/// The larger one; NaN if one is, for the library to refuse.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

/// Of `from` pixels in a row those that lie under pixel `at` of `to`.
fn under(at: u32, to: u32, from: u32) -> Range<usize> {
    let edge = |at: u32| u64::from(at) * u64::from(from);
    let to = u64::from(to);
    let first = edge(at) / to;
    let end = edge(at + 1).div_ceil(to);
    first as usize..end as usize
}

/// What to tell of a mask that was scaled.
pub fn note(name: impl std::fmt::Display, from: (u32, u32), to: (u32, u32)) -> String {
    let (a, b) = (
        f64::from(from.0) * f64::from(to.1),
        f64::from(from.1) * f64::from(to.0),
    );
    // Rounding of a side by a pixel is no other shape.
    let stretched = (a - b).abs() > 0.02 * a.max(b);
    format!(
        "the mask {name} is {}×{} and was scaled to the picture's {}×{}{}",
        from.0,
        from.1,
        to.0,
        to.1,
        if stretched {
            ", which has another shape: check that it fits"
        } else {
            ""
        }
    )
}
