//! A picture's map of levels, a number for each pixel: what a network is told of them is computed once for
//! each level that there is, and not once for each pixel.
#![forbid(unsafe_code)]

use super::misfit;
use crate::error::Result;
use crate::kernels::Mixed;
use crate::memory;

const WHAT: &str = "a map of levels";

/// A map `[height][width]` as its different values and, for each pixel, which.
///
/// A function of the level that is scaled down to a layer's size, and then taken through a linear layer, is
/// there a mixture of what the layer makes of each value: of one where the map is even, of four at the
/// most. So a mask of two levels takes two rows through the linear layers, whatever the picture's size, and
/// a soft mask as many as it has levels. Nothing is rounded or left out by it.
pub struct LevelMap {
    height: usize,
    width: usize,
    /// Rising, each once.
    values: Vec<f32>,
    /// Of each pixel the value's place.
    of: Vec<u32>,
}

impl LevelMap {
    /// The map of these levels, `[height][width]`, all finite.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`]; [`crate::ErrorKind::Internal`] for another length or no pixel.
    pub fn new(height: usize, width: usize, levels: &[f32]) -> Result<Self> {
        let pixels = height.checked_mul(width).filter(|n| *n > 0);
        if pixels != Some(levels.len()) || u32::try_from(levels.len()).is_err() {
            let expected = format!("[{height}, {width}] levels");
            return Err(misfit(WHAT, &expected, &[levels.len()]));
        }
        // Most neighbours are equal: only where the level changes it is looked at.
        let mut values: Vec<f32> = Vec::new();
        let mut before = None;
        for level in levels {
            if before != Some(level.to_bits()) {
                before = Some(level.to_bits());
                memory::push(&mut values, *level, WHAT)?;
            }
        }
        values.sort_unstable_by(f32::total_cmp);
        values.dedup_by(|a, b| a.to_bits() == b.to_bits());
        let mut of = memory::with_capacity(levels.len(), WHAT)?;
        let mut last = (f32::NAN.to_bits(), 0u32);
        for level in levels {
            if last.0 != level.to_bits() {
                // Each is there.
                let at = values.binary_search_by(|v| v.total_cmp(level));
                last = (level.to_bits(), at.unwrap_or(0) as u32);
            }
            of.push(last.1);
        }
        Ok(Self {
            height,
            width,
            values,
            of,
        })
    }

    /// As [`Self::new`], but each pixel goes through the layers by itself, whatever others have: to compare
    /// with.
    #[cfg(test)]
    pub fn each(height: usize, width: usize, levels: &[f32]) -> Result<Self> {
        let of = (0..levels.len() as u32).collect();
        Ok(Self {
            values: levels.to_vec(),
            of,
            ..Self::new(height, width, levels)?
        })
    }

    /// A map for counting what a pass takes: `levels` values, and no pixel is looked at.
    pub fn counting(height: usize, width: usize, levels: usize) -> Self {
        Self {
            height,
            width,
            values: vec![0.0; levels],
            of: Vec::new(),
        }
    }

    /// Height and width.
    pub fn size(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// The different levels, rising.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Of what each pixel is made in a picture of this size: torch's `interpolate(mode="bilinear",
    /// align_corners=True)` of the map, in single precision as there.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn scaled(&self, height: usize, width: usize) -> Result<Vec<Mixed>> {
        let mut out = memory::with_capacity(height.saturating_mul(width), WHAT)?;
        if self.of.is_empty() {
            return Ok(out);
        }
        let at = |y: usize, x: usize| self.of[y * self.width + x];
        if (height, width) == (self.height, self.width) {
            out.extend(self.of.iter().map(|row| Mixed::single(*row)));
            return Ok(out);
        }
        for y in 0..height {
            let (top, bottom, low) = neighbours(y, self.height, height);
            for x in 0..width {
                let (left, right, far) = neighbours(x, self.width, width);
                let mut pixel = Mixed::default();
                pixel.add(at(top, left), (1.0 - low) * (1.0 - far));
                pixel.add(at(top, right), (1.0 - low) * far);
                pixel.add(at(bottom, left), low * (1.0 - far));
                pixel.add(at(bottom, right), low * far);
                out.push(pixel);
            }
        }
        Ok(out)
    }
}

/// The two of `len` inputs around output `i` of `outputs`, and how much of the second: corners lie on
/// corners.
fn neighbours(i: usize, len: usize, outputs: usize) -> (usize, usize, f32) {
    let scale = match outputs {
        0 | 1 => 0.0,
        n => (len - 1) as f32 / (n - 1) as f32,
    };
    let place = scale * i as f32;
    let first = (place as usize).min(len - 1);
    (first, (first + 1).min(len - 1), place - first as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_scaled_corner_on_corner() {
        // torch: interpolate(arange(12).view(1, 1, 3, 4), size, mode="bilinear", align_corners=True)
        let levels: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let map = LevelMap::new(3, 4, &levels).unwrap();
        let value = |height: usize, width: usize| -> Vec<f32> {
            let pixels = map.scaled(height, width).unwrap();
            let each = pixels.iter().map(|p| {
                let parts = p.rows.iter().zip(&p.weights);
                parts.map(|(r, w)| map.values()[*r as usize] * w).sum()
            });
            each.collect()
        };
        assert_eq!(value(2, 2), [0.0, 3.0, 8.0, 11.0]);
        assert_eq!(value(1, 1), [0.0]);
        assert_eq!(value(3, 4), levels);
        let wide = value(2, 7);
        assert_eq!(wide[..7], [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]);
        assert_eq!(wide[7..], [8.0, 8.5, 9.0, 9.5, 10.0, 10.5, 11.0]);
    }

    #[test]
    fn equal_levels_are_one() {
        let map = LevelMap::new(2, 3, &[7.0, 0.0, 7.0, 0.0, 0.0, 7.0]).unwrap();
        assert_eq!(map.values(), [0.0, 7.0]);
        let pixels = map.scaled(2, 3).unwrap();
        assert_eq!(pixels[0], Mixed::single(1));
        // What is even stays one row where it is scaled.
        let even = LevelMap::new(4, 4, &[3.0; 16]).unwrap();
        for pixel in even.scaled(3, 2).unwrap() {
            assert_eq!(pixel.rows[0], 0);
            assert!(pixel.weights[1] == 0.0);
        }
        assert!(LevelMap::new(2, 2, &[0.0; 3]).is_err() && LevelMap::new(0, 0, &[]).is_err());
    }
}
