//! Masks as runs: grown, shrunk, halved and taken apart, at a cost that follows the runs.
#![forbid(unsafe_code)]

use super::runs::Run;
use super::{Rect, RunMask};
use crate::error::Result;
use crate::memory;

const WHAT: &str = "the mask's runs";

impl RunMask {
    /// A crop of the mask at `rect`, which has only what is selected in `within`, too.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn cut(&self, rect: Rect, within: Rect) -> Result<Self> {
        let within = rect.intersect(&within);
        Self::build(rect.width, rect.height, |y, out| {
            let y = rect.y + y;
            if !(within.y..within.bottom()).contains(&y) {
                return Ok(());
            }
            for &(x, end) in self.row_within(y, within.x, within.right()) {
                let (x, end) = (x.max(within.x), end.min(within.right()));
                memory::push(out, (x - rect.x, end - rect.x), WHAT)?;
            }
            Ok(())
        })
    }

    /// Row `y`'s runs that reach into `from .. to`.
    fn row_within(&self, y: u32, from: u32, to: u32) -> &[Run] {
        if from >= to {
            return &[];
        }
        let row = self.row(y);
        let first = row.partition_point(|&(_, end)| end <= from);
        let last = row.partition_point(|&(x, _)| x < to);
        &row[first..last.max(first)]
    }

    /// Selected pixels in `rect`.
    pub fn count_in(&self, rect: Rect) -> u64 {
        let rows = (rect.y..rect.bottom()).map(|y| {
            let runs = self.row_within(y, rect.x, rect.right());
            let within = |&(x, end): &Run| u64::from(end.min(rect.right()) - x.max(rect.x));
            runs.iter().map(within).sum::<u64>()
        });
        rows.sum()
    }

    /// The smallest rectangle that holds every selected pixel of `rect`; empty where none is.
    pub fn bounds_in(&self, rect: Rect) -> Rect {
        let mut bounds = Rect::default();
        for y in rect.y..rect.bottom() {
            let row = self.row_within(y, rect.x, rect.right());
            if let (Some(first), Some(last)) = (row.first(), row.last()) {
                let (x, end) = (first.0.max(rect.x), last.1.min(rect.right()));
                bounds = bounds.union(&Rect::new(x, y, end - x, 1));
            }
        }
        bounds
    }

    /// The mask grown by a disk of `radius` pixels, as [`super::MaskView::coverage`] grows it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn grown(&self, radius: u32) -> Result<Self> {
        let r = i64::from(radius);
        let mut near = Vec::new();
        Self::build(self.width(), self.height(), |y, out| {
            near.clear();
            for dy in -r..=r {
                let Ok(from) = u32::try_from(i64::from(y) + dy) else {
                    continue;
                };
                let by = (r * r - dy * dy).isqrt() as u32;
                for &(x, end) in self.row(from) {
                    let run = (
                        x.saturating_sub(by),
                        end.saturating_add(by).min(self.width()),
                    );
                    memory::push(&mut near, run, WHAT)?;
                }
            }
            near.sort_unstable();
            near.iter().try_for_each(|run| append(out, *run))
        })
    }

    /// The same, where only what is selected in `within` grows, and no further than that.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn grown_in(&self, radius: u32, within: Rect) -> Result<Self> {
        let all = Rect::new(0, 0, self.width(), self.height());
        let own = self.cut(all, within)?.grown(radius)?;
        own.cut(all, within)?.or(self)
    }

    /// The mask on a canvas of `width` × `height`, where it lies at `place`; nothing around it is selected.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn placed(&self, width: u32, height: u32, place: Rect) -> Result<Self> {
        Self::build(width, height, |y, out| {
            let Some(y) = y.checked_sub(place.y) else {
                return Ok(());
            };
            for &(x, end) in self.row(y) {
                memory::push(out, (place.x + x, place.x + end), WHAT)?;
            }
            Ok(())
        })
    }

    /// The pixels of `self` or of `other`, which has the same size.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn or(&self, other: &Self) -> Result<Self> {
        Self::build(self.width(), self.height(), |y, out| {
            either(self.row(y), other.row(y), out)
        })
    }

    /// The pixels of `self` that `other`, which has the same size, has not.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn without(&self, other: &Self) -> Result<Self> {
        Self::build(self.width(), self.height(), |y, out| {
            minus(self.row(y), other.row(y), out)
        })
    }

    /// The pixels around which all of a square of `2 * by + 1` pixels is selected and lies inside.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn core(&self, by: u32) -> Result<Self> {
        self.shrunk(by, false)
    }

    /// Whether any pixel lies deeper than `by` pixels from the nearest that is not selected (chessboard
    /// distance). The mask's edge is no end of it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn deeper(&self, by: u32) -> Result<bool> {
        Ok(self.shrunk(by, true)?.run_count() > 0)
    }

    fn shrunk(&self, by: u32, beyond: bool) -> Result<Self> {
        let (w, h) = (self.width(), self.height());
        let (mut next, mut now) = (Vec::new(), Vec::new());
        Self::build(w, h, |y, out| {
            now.clear();
            for &(x, end) in self.row(y) {
                let from = if beyond && x == 0 { 0 } else { x + by };
                let to = if beyond && end == w {
                    w
                } else {
                    end.saturating_sub(by)
                };
                if from < to {
                    memory::push(&mut now, (from, to), WHAT)?;
                }
            }
            for dy in 1..=by {
                for other in [y.checked_sub(dy), Some(y + dy).filter(|y| *y < h)] {
                    if now.is_empty() {
                        return Ok(());
                    }
                    next.clear();
                    match other {
                        Some(other) => both_wide(&now, self.row(other), by, w, beyond, &mut next)?,
                        None if beyond => continue,
                        None => {}
                    }
                    std::mem::swap(&mut now, &mut next);
                }
            }
            now.iter().try_for_each(|run| append(out, *run))
        })
    }

    /// The mask grown by a square of `2 * by + 1` pixels, within its bounds.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn widened(&self, by: u32) -> Result<Self> {
        let h = self.height();
        let wide = Self::build(self.width(), h, |y, out| {
            for &(x, end) in self.row(y) {
                append(out, (x.saturating_sub(by), (end + by).min(self.width())))?;
            }
            Ok(())
        })?;
        let (mut sum, mut next) = (Vec::new(), Vec::new());
        Self::build(self.width(), h, |y, out| {
            sum.clear();
            for y in y.saturating_sub(by)..(y + by + 1).min(h) {
                next.clear();
                either(&sum, wide.row(y), &mut next)?;
                std::mem::swap(&mut sum, &mut next);
            }
            out.extend_from_slice(&sum);
            Ok(())
        })
    }

    /// Half the size, rounded up: selected where more than half of the four pixels are.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn halved(&self) -> Result<Self> {
        let (w, h) = (self.width(), self.height());
        let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
        // Of a row's pairs of pixels: those selected whole, and those selected at all. A last column
        // that stands alone is a whole pair.
        let whole = |row: &[Run], out: &mut Vec<Run>| {
            out.clear();
            for &(x, end) in row {
                let end = if end == w { cw } else { end / 2 };
                if x.div_ceil(2) < end {
                    memory::push(out, (x.div_ceil(2), end), WHAT)?;
                }
            }
            Ok(())
        };
        let any = |row: &[Run], out: &mut Vec<Run>| {
            out.clear();
            row.iter()
                .try_for_each(|&(x, end)| append(out, (x / 2, end.div_ceil(2))))
        };
        let mut sets: [Vec<Run>; 6] = Default::default();
        Self::build(cw, ch, |y, out| {
            let [upper_all, upper, lower_all, lower, first, second] = &mut sets;
            whole(self.row(2 * y), upper_all)?;
            if 2 * y + 1 == h {
                out.extend_from_slice(upper_all);
                return Ok(());
            }
            any(self.row(2 * y), upper)?;
            whole(self.row(2 * y + 1), lower_all)?;
            any(self.row(2 * y + 1), lower)?;
            first.clear();
            second.clear();
            both(upper_all, lower, first)?;
            both(upper, lower_all, second)?;
            either(first, second, out)
        })
    }
}

/// Appends a run that starts no further left than the last one; one that touches it makes it longer.
fn append(out: &mut Vec<Run>, run: Run) -> Result<()> {
    match out.last_mut() {
        Some(last) if last.1 >= run.0 => last.1 = last.1.max(run.1),
        _ => memory::push(out, run, WHAT)?,
    }
    Ok(())
}

/// The pixels of either row.
fn either(a: &[Run], b: &[Run], out: &mut Vec<Run>) -> Result<()> {
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        let left = j == b.len() || i < a.len() && a[i].0 <= b[j].0;
        let run = if left { a[i] } else { b[j] };
        *(if left { &mut i } else { &mut j }) += 1;
        append(out, run)?;
    }
    Ok(())
}

/// The pixels of both rows.
fn both(a: &[Run], b: &[Run], out: &mut Vec<Run>) -> Result<()> {
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        let (x, end) = (a[i].0.max(b[j].0), a[i].1.min(b[j].1));
        if x < end {
            memory::push(out, (x, end), WHAT)?;
        }
        *(if a[i].1 < b[j].1 { &mut i } else { &mut j }) += 1;
    }
    Ok(())
}

/// The pixels of `a` around which `by` pixels to both sides are in `b`.
fn both_wide(
    a: &[Run],
    b: &[Run],
    by: u32,
    width: u32,
    beyond: bool,
    out: &mut Vec<Run>,
) -> Result<()> {
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        let from = if beyond && b[j].0 == 0 {
            0
        } else {
            b[j].0 + by
        };
        let to = if beyond && b[j].1 == width {
            width
        } else {
            b[j].1.saturating_sub(by)
        };
        let (x, end) = (a[i].0.max(from), a[i].1.min(to));
        if x < end {
            memory::push(out, (x, end), WHAT)?;
        }
        *(if a[i].1 < to { &mut i } else { &mut j }) += 1;
    }
    Ok(())
}

/// The pixels of `a` that `b` has not.
fn minus(a: &[Run], b: &[Run], out: &mut Vec<Run>) -> Result<()> {
    let mut j = 0;
    for &(x, end) in a {
        let mut x = x;
        while j < b.len() && b[j].1 <= x {
            j += 1;
        }
        let mut k = j;
        while k < b.len() && b[k].0 < end {
            if x < b[k].0 {
                memory::push(out, (x, b[k].0), WHAT)?;
            }
            x = x.max(b[k].1);
            k += 1;
        }
        if x < end {
            memory::push(out, (x, end), WHAT)?;
        }
    }
    Ok(())
}
