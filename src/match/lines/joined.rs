//! Whether a line is seen, and alike, on both sides of the hole.
#![forbid(unsafe_code)]

use super::{ACROSS, Line, NEAR, Point, SUPPORT, TURN, is_hole, turn};
use crate::r#match::level::Level;

/// What share of the part of a line that is looked at must be edge points, and how much of it must be seen at least.
/// Where lines cross, as on a chequered floor, up to a half has none.
const COVER: f32 = 0.55;
const LEAST_SEEN: f32 = 9.0;
/// The least correlation of both sides' profiles.
const ALIKE: f32 = 0.75;
/// The shortest way through the hole that is worth a line.
const SHORTEST: f32 = 3.0;

/// Where the line runs through the hole and is seen, and alike, on both sides.
pub fn joined(level: &Level, points: &[Point], line: &Line, reach: usize) -> Vec<(f32, f32)> {
    let hole = &level.hole;
    let mut on: Vec<f32> = points
        .iter()
        // Of a chequered floor's line now one side is brighter, now the other.
        .filter(|p| turn(p, line).abs() >= TURN && line.place(p.at).0.abs() <= NEAR)
        .map(|p| line.place(p.at).1)
        .collect();
    on.sort_unstable_by(f32::total_cmp);
    let (Some(first), Some(last)) = (on.first(), on.last()) else {
        return Vec::new();
    };
    let at = |t: f32| line.at(t);
    // Between the outermost points, the runs of the hole.
    let mut runs: Vec<(f32, f32)> = Vec::new();
    let mut t = *first;
    while t <= *last {
        let [x, y] = at(t);
        if is_hole(hole, x, y) {
            match runs.last_mut() {
                // What is seen of the line in between is too little to look at.
                Some(run) if t - run.1 <= 4.0 => run.1 = t,
                _ => runs.push((t, t)),
            }
        }
        t += 0.5;
    }
    let mut on_cells = vec![false; (last - first) as usize + 1];
    for t in &on {
        on_cells[(t - first) as usize] = true;
    }
    // As much of the line as can be seen edges on, from the hole outwards: to where, and how much of it has them.
    let seen = |from: f32, step: f32| {
        let (mut valid, mut covered, mut t) = (0.0f32, 0.0f32, from + step);
        while valid < SUPPORT && (t - from).abs() <= reach as f32 && t >= *first && t <= *last {
            let [x, y] = at(t);
            let clear = (-1..=1)
                .all(|j| (-1..=1).all(|i| !is_hole(hole, x + 2.0 * i as f32, y + 2.0 * j as f32)));
            if clear {
                valid += 1.0;
                let near = (t - first) as usize;
                let hit =
                    (near.saturating_sub(1)..=near + 1).any(|c| on_cells.get(c) == Some(&true));
                covered += f32::from(u8::from(hit));
            }
            t += step;
        }
        (valid >= LEAST_SEEN && covered >= COVER * valid).then_some(t)
    };
    runs.retain(|(enter, leave)| {
        if leave - enter < SHORTEST {
            return false;
        }
        let (Some(before), Some(behind)) = (seen(*enter, -1.0), seen(*leave, 1.0)) else {
            return false;
        };
        let before = profile(level, at, line.normal, before, enter - 1.0);
        let behind = profile(level, at, line.normal, leave + 1.0, behind);
        alike(&before, &behind)
    });
    runs
}

/// The mean colours across a line, from one side to the other.
pub type Profile = [[f32; 3]; (2 * ACROSS + 1) as usize];

/// The mean colours across a line between two places on it, of what is known.
pub fn profile(
    level: &Level,
    at: impl Fn(f32) -> [f32; 2],
    normal: [f32; 2],
    from: f32,
    to: f32,
) -> Profile {
    let mut sums = Profile::default();
    let mut counts = [0.0f32; (2 * ACROSS + 1) as usize];
    let mut t = from;
    while t <= to {
        let [x, y] = at(t);
        for (i, u) in (-ACROSS..=ACROSS).enumerate() {
            let (x, y) = (x + u as f32 * normal[0], y + u as f32 * normal[1]);
            let inside = x >= 0.0
                && y >= 0.0
                && (x as usize) < level.hole.width
                && (y as usize) < level.hole.height;
            if inside && !is_hole(&level.hole, x, y) {
                let texel = level.texels.at(x as usize, y as usize);
                counts[i] += 1.0;
                for (sum, v) in sums[i].iter_mut().zip(texel) {
                    *sum += f32::from(*v);
                }
            }
        }
        t += 1.0;
    }
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum = sum.map(|s| if count > 0.0 { s / count } else { f32::NAN });
    }
    sums
}

/// Whether two profiles have the same steps: their correlation, and neither much stronger.
fn alike(a: &Profile, b: &Profile) -> bool {
    let both: Vec<usize> = (0..a.len())
        .filter(|i| a[*i][0].is_finite() && b[*i][0].is_finite())
        .collect();
    if both.len() < 5 {
        return false;
    }
    let n = both.len() as f32;
    let (mut dot, mut of_a, mut of_b) = (0.0, 0.0, 0.0);
    for c in 0..3 {
        let mean = |p: &Profile| both.iter().map(|i| p[*i][c]).sum::<f32>() / n;
        let (ma, mb) = (mean(a), mean(b));
        for i in &both {
            let (x, y) = (a[*i][c] - ma, b[*i][c] - mb);
            dot += x * y;
            of_a += x * x;
            of_b += y * y;
        }
    }
    let product = (of_a * of_b).sqrt();
    product > 0.0 && dot.abs() >= ALIKE * product && of_a.max(of_b) <= 16.0 * of_a.min(of_b)
}
