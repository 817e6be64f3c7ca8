//! How deep in the hole a pixel lies.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::memory;

/// Depths that are told apart, besides 0. As many kinds of pixels go through the network's first layers, so
/// that they are few.
const RINGS: u32 = 15;
/// A step aside and one across, by Borgefors, "Distance transformations in digital images" (CVGIP 1986).
const ASIDE: u32 = 3;
const ACROSS: u32 = 4;

/// The depth of each pixel: 0 outside of the hole and along its rim, 1 where it is farthest from any pixel
/// outside, in steps of a fifteenth. `hole` is `[height][width]`.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn depths(hole: &[bool], width: usize) -> Result<Vec<f32>> {
    let what = "the depths of a hole";
    let far = u32::MAX / 2;
    let mut distance = memory::with_capacity(hole.len(), what)?;
    distance.extend(hole.iter().map(|inside| if *inside { far } else { 0 }));
    let height = hole.len() / width.max(1);
    // Down from the upper left, then up from the lower right.
    for y in 0..height {
        for x in 0..width {
            let at = y * width + x;
            let mut least: u32 = distance[at];
            if x > 0 {
                least = least.min(distance[at - 1] + ASIDE);
            }
            if y > 0 {
                least = least.min(distance[at - width] + ASIDE);
                if x > 0 {
                    least = least.min(distance[at - width - 1] + ACROSS);
                }
                if x + 1 < width {
                    least = least.min(distance[at - width + 1] + ACROSS);
                }
            }
            distance[at] = least.min(far);
        }
    }
    for y in (0..height).rev() {
        for x in (0..width).rev() {
            let at = y * width + x;
            let mut least = distance[at];
            if x + 1 < width {
                least = least.min(distance[at + 1] + ASIDE);
            }
            if y + 1 < height {
                least = least.min(distance[at + width] + ASIDE);
                if x > 0 {
                    least = least.min(distance[at + width - 1] + ACROSS);
                }
                if x + 1 < width {
                    least = least.min(distance[at + width + 1] + ACROSS);
                }
            }
            distance[at] = least.min(far);
        }
    }
    let most = distance.iter().copied().max().unwrap_or(0);
    let mut depths = memory::with_capacity(hole.len(), what)?;
    // The rim itself has distance 3.
    let span = most.saturating_sub(ASIDE).max(1);
    depths.extend(distance.iter().map(|d| {
        let share = f64::from(d.saturating_sub(ASIDE)) / f64::from(span);
        let ring = (share * f64::from(RINGS)).round();
        (ring / f64::from(RINGS)) as f32
    }));
    Ok(depths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_grows_inwards() {
        let (w, h) = (31, 21);
        let inside = |x: usize, y: usize| (5..26).contains(&x) && (3..18).contains(&y);
        let hole: Vec<bool> = (0..w * h).map(|i| inside(i % w, i / w)).collect();
        let depths = depths(&hole, w).unwrap();
        let at = |x: usize, y: usize| depths[y * w + x];
        assert_eq!(
            (at(0, 0), at(4, 10), at(5, 10), at(25, 3)),
            (0.0, 0.0, 0.0, 0.0)
        );
        assert_eq!(at(15, 10), 1.0);
        assert!((5..15).all(|x| at(x, 10) <= at(x + 1, 10)));
        assert!(at(8, 10) > 0.3 && at(8, 10) < 0.6);
        // One pixel, and nothing around it that is known.
        assert_eq!(super::depths(&[false, true, false], 3).unwrap(), [0.0; 3]);
        assert!(
            super::depths(&[true; 6], 3)
                .unwrap()
                .iter()
                .all(|d| *d == 1.0)
        );
        assert!(super::depths(&[], 0).unwrap().is_empty());
    }
}
