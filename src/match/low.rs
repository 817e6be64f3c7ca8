//! A hole's low frequencies as a guide has them, and how votes are brought back to them.
//!
//! Low frequencies are means over square blocks. What the blocks' means lack is spread bilinearly
//! over their pixels, after it was sharpened so that the means come out right: back-projection.
//!
//! Source: Irani, Peleg, "Improving Resolution by Image Registration", CVGIP 1991.
#![forbid(unsafe_code)]

use super::level::Level;
use crate::error::Result;
use crate::kernels::patch::{CHANNELS, SCALE};
use crate::pixels::{Plane, Rect, RgbImage};
use crate::progress::Cancel;
use rayon::prelude::*;

/// Of what is spread bilinearly from a block, the share that its own mean gets back along one axis;
/// each of the two neighbours gets half of the rest. The same for every even block.
const OWN: f32 = 0.75;
/// Steps of the sharpening; each leaves at most three quarters of what alternates fastest.
const STEPS: usize = 8;

/// The guide's means over the hole's pixels in each block.
pub struct Low {
    /// Blocks are 2^`level` native pixels wide.
    level: usize,
    /// The share of what is lacking that is made up for, `0.0 ..= 1.0`.
    weight: f32,
    means: Plane<[f32; 3]>,
}

/// What each block's mean lacks, sharpened, for one level.
struct Lack {
    /// The level's texels along a block's side.
    block: usize,
    by: Plane<[f32; 3]>,
}

impl Low {
    /// The low frequencies of the hole's pixels of `image`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
    pub fn new(
        image: &RgbImage,
        hole: &Plane<u8>,
        level: usize,
        weight: f32,
        cancel: &Cancel,
    ) -> Result<Self> {
        let value = |x: usize, y: usize| {
            let p = &image.row(y)[x * 3..x * 3 + 3];
            [p[0], p[1], p[2]]
        };
        Ok(Self {
            level,
            weight,
            means: means(hole, 1 << level, value, cancel)?,
        })
    }

    /// Brings the hole's texels of level `number` to the guide's means. Levels coarser than a block
    /// stay as they are.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
    pub fn pull(&self, level: &mut Level, number: usize, cancel: &Cancel) -> Result<()> {
        if number > self.level {
            return Ok(());
        }
        let texels = &level.texels;
        let value = |x: usize, y: usize| {
            let t = texels.at(x, y);
            [0, 1, 2].map(|c| f32::from(t[c]) / SCALE)
        };
        let lack = self.lack(&level.hole, 1 << (self.level - number), value, cancel)?;
        let hole = &level.hole;
        level.texels.rows_mut().enumerate().for_each(|(y, row)| {
            let row = row.chunks_exact_mut(CHANNELS);
            for ((x, t), _) in row.enumerate().zip(hole.row(y)).filter(|(_, h)| **h != 0) {
                for (t, by) in t.iter_mut().zip(lack.at(x, y)) {
                    let pulled = f32::from(*t) + by * SCALE;
                    *t = pulled.clamp(-SCALE, 3.0 * SCALE).round() as i16;
                }
            }
        });
        Ok(())
    }

    /// What to add to the pixels of `fill`, the box of the crop at `bounds`, to bring the hole's to
    /// the guide's means: three values a pixel, for those outside the hole as well.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
    pub fn correction(
        &self,
        hole: &Plane<u8>,
        fill: &RgbImage,
        bounds: Rect,
        cancel: &Cancel,
    ) -> Result<RgbImage> {
        let (bx, by) = (bounds.x as usize, bounds.y as usize);
        let value = |x: usize, y: usize| {
            let p = &fill.row(y - by)[(x - bx) * 3..][..3];
            [p[0], p[1], p[2]]
        };
        let lack = self.lack(hole, 1 << self.level, value, cancel)?;
        let mut out = RgbImage::black(fill.width, fill.height, "the guide's correction")?;
        let rows = out.data.par_chunks_mut(fill.width * 3).enumerate();
        rows.for_each(|(y, row)| {
            for (x, out) in row.chunks_exact_mut(3).enumerate() {
                out.copy_from_slice(&lack.at(x + bx, y + by));
            }
        });
        Ok(out)
    }

    fn lack(
        &self,
        hole: &Plane<u8>,
        block: usize,
        value: impl Fn(usize, usize) -> [f32; 3] + Sync,
        cancel: &Cancel,
    ) -> Result<Lack> {
        let mut lacking = means(hole, block, value, cancel)?;
        for (l, wanted) in lacking.data.iter_mut().zip(&self.means.data) {
            // No pixel of the hole in this block, natively or at this level: nothing is lacking.
            *l = match l[0].is_nan() || wanted[0].is_nan() {
                true => [0.0; 3],
                false => [0, 1, 2].map(|c| (wanted[c] - l[c]) * self.weight),
            };
        }
        Ok(Lack {
            block,
            by: sharpened(&lacking)?,
        })
    }
}

impl Lack {
    /// The correction of texel (`x`, `y`), bilinear between the blocks' middles.
    fn at(&self, x: usize, y: usize) -> [f32; 3] {
        if self.block == 1 {
            return self.by.row(y)[x];
        }
        let along = |i: usize, len: usize| {
            let at = (i as f32 + 0.5) / self.block as f32 - 0.5;
            let first = at.floor();
            let low = (first.max(0.0) as usize).min(len - 1);
            let high = ((first + 1.0) as usize).min(len - 1);
            (low, high, at - first)
        };
        let (x0, x1, tx) = along(x, self.by.width);
        let (y0, y1, ty) = along(y, self.by.height);
        let (upper, lower) = (self.by.row(y0), self.by.row(y1));
        [0, 1, 2].map(|c| {
            let a = upper[x0][c] + (upper[x1][c] - upper[x0][c]) * tx;
            let b = lower[x0][c] + (lower[x1][c] - lower[x0][c]) * tx;
            a + (b - a) * ty
        })
    }
}

/// The mean of `value` over the hole's pixels of each block; NaN where there are none.
fn means(
    hole: &Plane<u8>,
    block: usize,
    value: impl Fn(usize, usize) -> [f32; 3] + Sync,
    cancel: &Cancel,
) -> Result<Plane<[f32; 3]>> {
    let (w, h) = (hole.width.div_ceil(block), hole.height.div_ceil(block));
    let mut means = Plane::filled(w, h, [f32::NAN; 3], "the guide")?;
    means
        .data
        .par_chunks_mut(w)
        .enumerate()
        .for_each(|(by, row)| {
            if cancel.is_cancelled() {
                return;
            }
            for (bx, mean) in row.iter_mut().enumerate() {
                let (mut sum, mut count) = ([0.0f32; 3], 0u32);
                for y in by * block..((by + 1) * block).min(hole.height) {
                    for x in bx * block..((bx + 1) * block).min(hole.width) {
                        if hole.row(y)[x] != 0 {
                            count += 1;
                            let value = value(x, y);
                            (0..3).for_each(|c| sum[c] += value[c]);
                        }
                    }
                }
                if count > 0 {
                    *mean = sum.map(|s| s / count as f32);
                }
            }
        });
    cancel.check()?;
    Ok(means)
}

/// The values whose bilinear spread has the means `wanted`, nearly.
fn sharpened(wanted: &Plane<[f32; 3]>) -> Result<Plane<[f32; 3]>> {
    let (w, h) = (wanted.width, wanted.height);
    let what = "the guide's correction";
    let mut now = Plane::filled(w, h, [0.0f32; 3], what)?;
    now.data.copy_from_slice(&wanted.data);
    let mut next = Plane::filled(w, h, [0.0f32; 3], what)?;
    for _ in 0..STEPS {
        let from = &now;
        next.data
            .par_chunks_mut(w)
            .enumerate()
            .for_each(|(y, row)| {
                let rows = [y.saturating_sub(1), y, (y + 1).min(h - 1)].map(|y| from.row(y));
                for (x, out) in row.iter_mut().enumerate() {
                    let columns = [x.saturating_sub(1), x, (x + 1).min(w - 1)];
                    for c in 0..3 {
                        let down = rows.map(|row| spread(columns.map(|x| row[x][c])));
                        out[c] = rows[1][x][c] + wanted.row(y)[x][c] - spread(down);
                    }
                }
            });
        std::mem::swap(&mut now, &mut next);
    }
    Ok(now)
}

fn spread([before, own, after]: [f32; 3]) -> f32 {
    OWN * own + (1.0 - OWN) / 2.0 * (before + after)
}
