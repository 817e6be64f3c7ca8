//! From how far along a line its part in the hole is best taken.
#![forbid(unsafe_code)]

use super::joined::profile;
use super::{ACROSS, Line, SUPPORT};
use crate::r#match::level::Level;

/// What moving along a line may leave of what varies across it, to be taken at its word.
const WELL: f32 = 0.08;

/// How far along the line each half of what lies in the hole is best taken from, in texels: that which repeats
/// what is known before the hole and behind it best. One for both where that does as well.
pub fn moves(level: &Level, line: &Line, (enter, leave): (f32, f32)) -> Option<[f32; 2]> {
    let length = leave - enter;
    let most = ((3.0 * length) as i32 + 64).min((level.hole.width + level.hole.height) as i32);
    let (before, behind) = (
        (enter - SUPPORT, enter - 1.0),
        (leave + 1.0, leave + SUPPORT),
    );
    let mut whole: Option<(f32, f32)> = None;
    let mut halves: [Option<(f32, f32)>; 2] = [None; 2];
    let better = |best: &mut Option<(f32, f32)>, cost: f32, by: f32| {
        if best.is_none_or(|b| cost < b.0) {
            *best = Some((cost, by));
        }
    };
    let half = 0.5 * length;
    for by in 4..most {
        for by in [by as f32, -by as f32] {
            let fits = |from: f32, to: f32| {
                [from, 0.5 * (from + to), to]
                    .iter()
                    .all(|t| is_known(level, line.at(t + by)))
            };
            let all = fits(enter - 4.0, leave + 4.0);
            let first = by < 0.0 && fits(enter - 4.0, enter + half + 2.0);
            let second = by > 0.0 && fits(leave - half - 2.0, leave + 4.0);
            if !(all || first || second) {
                continue;
            }
            // Where several do as well, the nearest.
            let far = by.abs() * 1e-3;
            let a = repeats(level, line, before, by).map(|c| c + far);
            let b = repeats(level, line, behind, by).map(|c| c + far);
            if let (true, Some(a), Some(b)) = (all, a, b) {
                better(&mut whole, 0.5 * (a + b), by);
            }
            if let (true, Some(a)) = (first, a) {
                better(&mut halves[0], a, by);
            }
            if let (true, Some(b)) = (second, b) {
                better(&mut halves[1], b, by);
            }
        }
    }
    let two = match halves {
        [Some(a), Some(b)] => Some((0.5 * (a.0 + b.0), [a.1, b.1])),
        _ => None,
    };
    let (cost, by) = match (whole, two) {
        (Some(one), Some(two)) if one.0 > 1.5 * two.0 + 100.0 => two,
        (Some(one), _) => (one.0, [one.1; 2]),
        (None, two) => two?,
    };
    let varies = 0.5 * (varies(level, line, before)? + varies(level, line, behind)?);
    (cost <= WELL * varies + 50.0).then_some(by)
}

/// The mean squared deviation of a strip along the line from its mean.
fn varies(level: &Level, line: &Line, (from, to): (f32, f32)) -> Option<f32> {
    let p = profile(level, |t| line.at(t), line.normal, from, to);
    let there: Vec<[f32; 3]> = p.into_iter().filter(|v| v[0].is_finite()).collect();
    let n = there.len() as f32;
    let mut sum = 0.0;
    for c in 0..3 {
        let mean = there.iter().map(|v| v[c]).sum::<f32>() / n;
        sum += there
            .iter()
            .map(|v| (v[c] - mean) * (v[c] - mean))
            .sum::<f32>();
    }
    (n > 0.0).then(|| sum / (3.0 * n))
}

fn is_known(level: &Level, [x, y]: [f32; 2]) -> bool {
    level.is_usable(x.floor() as i32, y.floor() as i32)
}

/// The mean squared difference between the strip along the line from `from` to `to` and that which lies `by`
/// further on; `None` where too little of both is known.
fn repeats(level: &Level, line: &Line, (from, to): (f32, f32), by: f32) -> Option<f32> {
    let (mut sum, mut count, mut all) = (0.0f32, 0.0f32, 0.0f32);
    let mut t = from;
    while t <= to {
        for u in -ACROSS..=ACROSS {
            all += 1.0;
            let aside = |t: f32| {
                let [x, y] = line.at(t);
                [x + u as f32 * line.normal[0], y + u as f32 * line.normal[1]]
            };
            let (own, other) = (aside(t), aside(t + by));
            if is_known(level, own) && is_known(level, other) {
                let a = level.texels.at(own[0] as usize, own[1] as usize);
                let b = level.texels.at(other[0] as usize, other[1] as usize);
                for c in 0..3 {
                    let d = f32::from(a[c]) - f32::from(b[c]);
                    sum += d * d;
                }
                count += 1.0;
            }
        }
        t += 1.0;
    }
    (count >= 0.6 * all).then(|| sum / (3.0 * count))
}
