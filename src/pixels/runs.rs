//! A mask as runs: what is selected, at a cost that follows the selection and not the canvas.
#![forbid(unsafe_code)]

use super::{MaskView, Plane, Rect};
use crate::error::Result;
use crate::memory;

/// A run `x .. end` of one row.
pub(super) type Run = (u32, u32);

/// The non-zero pixels of a mask, row by row, as half-open runs from left to right.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunMask {
    width: u32,
    height: u32,
    /// `runs[starts[y] .. starts[y + 1]]` are row `y`'s.
    starts: Vec<usize>,
    runs: Vec<Run>,
}

impl RunMask {
    /// The non-zero pixels of `mask`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Mask`] for NaN; [`crate::ErrorKind::Memory`].
    pub fn of(mask: &MaskView<'_>) -> Result<Self> {
        let what = "the mask's runs";
        let mut starts = memory::with_capacity(mask.height() as usize + 1, what)?;
        let mut runs = Vec::new();
        starts.push(0);
        for y in 0..mask.height() {
            let first = runs.len();
            let mut outcome = Ok(());
            mask.each_run(y, |x, end| {
                if outcome.is_ok() {
                    outcome = memory::push(&mut runs, (x, end), what);
                }
            });
            outcome?;
            mask.check_nan(y, &runs[first..])?;
            starts.push(runs.len());
        }
        Ok(Self {
            width: mask.width(),
            height: mask.height(),
            starts,
            runs,
        })
    }

    /// The mask whose row `y` is what `row(y, …)` puts into an empty list, in order and apart.
    pub(crate) fn build(
        width: u32,
        height: u32,
        mut row: impl FnMut(u32, &mut Vec<Run>) -> Result<()>,
    ) -> Result<Self> {
        let what = "the mask's runs";
        let mut starts = memory::with_capacity(height as usize + 1, what)?;
        let (mut runs, mut own) = (Vec::new(), Vec::new());
        starts.push(0);
        for y in 0..height {
            own.clear();
            row(y, &mut own)?;
            for run in &own {
                memory::push(&mut runs, *run, what)?;
            }
            starts.push(runs.len());
        }
        Ok(Self {
            width,
            height,
            starts,
            runs,
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

    /// Row `y`'s runs `(x, end)`, left to right; none for a row outside the mask.
    pub fn row(&self, y: u32) -> &[(u32, u32)] {
        let y = y as usize;
        match (self.starts.get(y), self.starts.get(y + 1)) {
            (Some(&from), Some(&to)) => &self.runs[from..to],
            _ => &[],
        }
    }

    /// How many runs there are.
    pub(crate) fn run_count(&self) -> usize {
        self.runs.len()
    }

    /// Selected pixels.
    pub fn count(&self) -> u64 {
        self.runs.iter().map(|(x, end)| u64::from(end - x)).sum()
    }

    /// The smallest rectangle that holds every selected pixel; empty where none is.
    pub fn bounds(&self) -> Rect {
        let mut bounds = Rect::default();
        for y in 0..self.height {
            let row = self.row(y);
            if let (Some(first), Some(last)) = (row.first(), row.last()) {
                bounds = bounds.union(&Rect::new(first.0, y, last.1 - first.0, 1));
            }
        }
        bounds
    }

    /// 1 where selected, over `rect`; what lies outside the mask is not selected.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn crop(&self, rect: Rect) -> Result<Plane<u8>> {
        let (w, h) = (rect.width as usize, rect.height as usize);
        let mut plane = Plane::filled(w, h, 0u8, "a crop of the mask")?;
        for (dy, y) in (0..h).zip(rect.y..self.height) {
            let runs = self.row(y);
            let first = runs.partition_point(|&(_, end)| end <= rect.x);
            let row = plane.row_mut(dy);
            for &(x, end) in &runs[first..] {
                let from = x.saturating_sub(rect.x) as usize;
                if from >= w {
                    break;
                }
                row[from..w.min((end - rect.x) as usize)].fill(1);
            }
        }
        Ok(plane)
    }
}
