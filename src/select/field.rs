//! From what was decided at a small size to the mask of the whole picture.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::memory;
use crate::pixels::{Depth, ImageView, Layout, MaskView, PixelFormat, Plane, Rect};

/// How far inside of the object each place is: above 0 inside, below it outside.
pub struct Field {
    values: Plane<f32>,
    /// Its cells along a pixel of the picture, across and down.
    step: (f64, f64),
}

/// The object's mask, as far as it reaches.
pub struct Grown {
    /// Where in the picture the mask lies.
    pub rect: Rect,
    /// 255 where a pixel belongs to the object or is near it, and 0 elsewhere.
    pub mask: Plane<u8>,
    /// Pixels by which it was grown.
    pub grow: u32,
    /// Pixels of 255.
    pub pixels: u64,
}

/// By itself a mask grows by this share of the object's longer side, and by so many pixels at least: the
/// edge of an object has pixels that show a little of it.
const SHARE: f64 = 0.004;
const LEAST: u32 = 2;
/// The most that a mask may be grown by.
pub const MOST: u32 = 4096;

const WHAT: &str = "the selection's mask";

impl Field {
    /// `values` as they lie over a picture of `width` × `height`.
    pub fn new(values: Plane<f32>, width: u32, height: u32) -> Self {
        let step = (
            values.width as f64 / f64::from(width.max(1)),
            values.height as f64 / f64::from(height.max(1)),
        );
        Self { values, step }
    }

    /// The part of the picture outside of which nothing is inside.
    fn bounds(&self, width: u32, height: u32) -> Rect {
        let all = &self.values;
        let inside = |row: &[f32]| row.iter().any(|v| *v > 0.0);
        let mut rows = (0..all.height).filter(|y| inside(all.row(*y)));
        let (top, bottom) = (rows.clone().next(), rows.next_back());
        let mut columns = (0..all.width).filter(|x| (0..all.height).any(|y| all.row(y)[*x] > 0.0));
        let (left, right) = (columns.clone().next(), columns.next_back());
        let (Some(top), Some(bottom), Some(left), Some(right)) = (top, bottom, left, right) else {
            return Rect::default();
        };
        // Between two cells the edge may lie anywhere.
        let from = |cell: usize, step: f64| ((cell as f64 - 1.0) / step).floor().max(0.0) as u32;
        let to = |cell: usize, step: f64, all: u32| {
            let end = ((cell as f64 + 2.0) / step).ceil();
            end.min(f64::from(all)) as u32
        };
        let (x, y) = (from(left, self.step.0), from(top, self.step.1));
        let (r, b) = (
            to(right, self.step.0, width),
            to(bottom, self.step.1, height),
        );
        Rect::new(x, y, r.saturating_sub(x), b.saturating_sub(y))
    }

    /// The mask of a picture of `width` × `height`, grown by `grow` pixels, or by itself.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn mask(&self, width: u32, height: u32, grow: Option<u32>) -> Result<Grown> {
        let bounds = self.bounds(width, height);
        let mut mask = Plane::filled(bounds.width as usize, bounds.height as usize, 0u8, WHAT)?;
        let mut columns = memory::with_capacity(mask.width, WHAT)?;
        columns
            .extend((bounds.x..bounds.right()).map(|x| along(x, self.step.0, self.values.width)));
        let (mut box_, mut any) = (Rect::default(), false);
        for y in 0..mask.height {
            let (y0, y1, t) = along(bounds.y + y as u32, self.step.1, self.values.height);
            let (upper, lower) = (self.values.row(y0), self.values.row(y1));
            let row = mask.row_mut(y);
            for (v, (x0, x1, s)) in row.iter_mut().zip(&columns) {
                let a = upper[*x0] + (upper[*x1] - upper[*x0]) * s;
                let b = lower[*x0] + (lower[*x1] - lower[*x0]) * s;
                *v = if a + (b - a) * t > 0.0 { 255 } else { 0 };
            }
            let first = row.iter().position(|v| *v > 0);
            if let (Some(first), Some(last)) = (first, row.iter().rposition(|v| *v > 0)) {
                let own = Rect::new(first as u32, y as u32, (last + 1 - first) as u32, 1);
                box_ = if any { box_.union(&own) } else { own };
                any = true;
            }
        }
        if !any {
            return Ok(Grown {
                rect: Rect::default(),
                mask: Plane::filled(0, 0, 0, WHAT)?,
                grow: 0,
                pixels: 0,
            });
        }
        let longer = f64::from(box_.width.max(box_.height));
        let grow = grow.unwrap_or(((longer * SHARE).round() as u32).max(LEAST));
        let at = Rect::new(
            bounds.x + box_.x,
            bounds.y + box_.y,
            box_.width,
            box_.height,
        );
        let rect = at.grown_within(grow, width, height);
        let mut grown = Plane::filled(rect.width as usize, rect.height as usize, 0u8, WHAT)?;
        for y in 0..box_.height as usize {
            let from = &mask.row(box_.y as usize + y)[box_.x as usize..][..box_.width as usize];
            let to = grown.row_mut((at.y - rect.y) as usize + y);
            to[(at.x - rect.x) as usize..][..from.len()].copy_from_slice(from);
        }
        drop(mask);
        let grown = widened(grown, grow)?;
        let pixels = grown.data.iter().filter(|v| **v > 0).count() as u64;
        Ok(Grown {
            rect,
            mask: grown,
            grow,
            pixels,
        })
    }
}

/// The cells that pixel `i` lies between, and how far it is behind the first.
fn along(i: u32, step: f64, len: usize) -> (usize, usize, f32) {
    let at = ((f64::from(i) + 0.5) * step - 0.5).clamp(0.0, (len.max(1) - 1) as f64);
    let first = at as usize;
    let next = (first + 1).min(len.max(1) - 1);
    (first, next, (at - first as f64) as f32)
}

/// A mask of 0 and 255, grown by a disk of radius `grow`.
fn widened(mask: Plane<u8>, grow: u32) -> Result<Plane<u8>> {
    if grow == 0 {
        return Ok(mask);
    }
    let (w, h) = (mask.width as u32, mask.height as u32);
    let format = PixelFormat::new(Layout::Gray, Depth::U8);
    let view = MaskView::new(ImageView::new(&mask.data, w, h, mask.width, format)?)?;
    let mut out = Plane::filled(mask.width, mask.height, 0u8, WHAT)?;
    // In bands, so that the shares of the whole mask are never held.
    let rows = grow.max(64) * 4;
    for y in (0..h).step_by(rows as usize) {
        let band = Rect::new(0, y, w, rows.min(h - y));
        let shares = view.coverage(band, grow, 0)?;
        let start = y as usize * mask.width;
        for (v, share) in out.data[start..].iter_mut().zip(&shares.data) {
            *v = if *share > 0.0 { 255 } else { 0 };
        }
    }
    Ok(out)
}
