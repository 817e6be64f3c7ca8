//! Points of edges near the hole.
#![forbid(unsafe_code)]

use super::{Point, is_hole};
use crate::error::Result;
use crate::kernels::patch::SCALE;
use crate::r#match::level::Level;
use crate::r#match::maps;
use crate::memory;
use crate::progress::Cancel;

/// The least gradient of an edge point, of 1.0 a texel; and how many times the median one it must have.
const LEAST: f32 = 3.0 / 255.0;
const OVER_MEDIAN: f32 = 2.5;

/// The points of edges within `reach` texels of the hole whose tangent leads into it.
pub fn edge_points(level: &Level, reach: usize, cancel: &Cancel) -> Result<Vec<Point>> {
    let (w, h) = (level.hole.width, level.hole.height);
    let what = "the edges around the hole";
    let away = maps::away(&level.hole, cancel)?;
    // The gradient of the channel that changes most, where a window of five is known.
    let mut gradient = memory::filled(w * h, [0.0f32; 2], what)?;
    let mut sizes = Vec::new();
    for y in 2..h.saturating_sub(2) {
        cancel.check()?;
        for x in 2..w.saturating_sub(2) {
            let away = usize::from(away.row(y)[x]);
            if (3..=reach).contains(&away) {
                let g = steepest(level, x, y);
                gradient[y * w + x] = g;
                memory::push(&mut sizes, square(g), what)?;
            }
        }
    }
    if sizes.is_empty() {
        return Ok(Vec::new());
    }
    let middle = sizes.len() / 2;
    let median = sizes
        .select_nth_unstable_by(middle, f32::total_cmp)
        .1
        .sqrt();
    let least = LEAST.max(OVER_MEDIAN * median);
    let mut points = Vec::new();
    let size = |x: usize, y: usize| square(gradient[y * w + x]).sqrt();
    for y in 3..h.saturating_sub(3) {
        for x in 3..w.saturating_sub(3) {
            let m = size(x, y);
            if m < least {
                continue;
            }
            let [gx, gy] = gradient[y * w + x];
            let normal = [gx / m, gy / m];
            let step = normal.map(|n| n.round() as isize);
            let (ax, ay) = (
                x.wrapping_add_signed(step[0]),
                y.wrapping_add_signed(step[1]),
            );
            let (bx, by) = (
                x.wrapping_add_signed(-step[0]),
                y.wrapping_add_signed(-step[1]),
            );
            let (a, b) = (size(ax, ay), size(bx, by));
            if m < a || m <= b {
                continue;
            }
            // The ridge's top, between texels.
            let bend = 2.0 * m - a - b;
            let top = if bend > 0.0 {
                0.5 * (a - b) / bend
            } else {
                0.0
            };
            let at = [
                x as f32 + 0.5 + top * step[0] as f32,
                y as f32 + 0.5 + top * step[1] as f32,
            ];
            let point = Point {
                at,
                normal,
                weight: (m / least).min(3.0),
            };
            if leads_in(level, &point, reach) {
                memory::push(&mut points, point, what)?;
            }
        }
    }
    Ok(points)
}

fn square([x, y]: [f32; 2]) -> f32 {
    x * x + y * y
}

/// The gradient of the channel that changes most, of 1.0 a texel: smoothed central differences.
fn steepest(level: &Level, x: usize, y: usize) -> [f32; 2] {
    const SMOOTH: [f32; 5] = [1.0, 4.0, 6.0, 4.0, 1.0];
    const SLOPE: [f32; 5] = [-1.0, -2.0, 0.0, 2.0, 1.0];
    let mut sums = [[0.0f32; 2]; 3];
    for j in 0..5 {
        for i in 0..5 {
            let t = level.texels.at(x + i - 2, y + j - 2);
            for c in 0..3 {
                let v = f32::from(t[c]);
                sums[c][0] += SLOPE[i] * SMOOTH[j] * v;
                sums[c][1] += SMOOTH[i] * SLOPE[j] * v;
            }
        }
    }
    let mut best = [0.0f32; 2];
    for g in sums {
        if square(g) > square(best) {
            best = g;
        }
    }
    best.map(|g| g / (16.0 * 8.0 * SCALE))
}

/// Whether the hole lies within `2 · reach` along the edge.
fn leads_in(level: &Level, point: &Point, reach: usize) -> bool {
    let direction = [-point.normal[1], point.normal[0]];
    let hits = |sign: f32| {
        (1..=2 * reach).any(|t| {
            let t = t as f32 * sign;
            let (x, y) = (
                point.at[0] + t * direction[0],
                point.at[1] + t * direction[1],
            );
            is_hole(&level.hole, x, y)
        })
    };
    hits(1.0) || hits(-1.0)
}
