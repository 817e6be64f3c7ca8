//! Curves between the ends of outlines: which belong together, and how each goes on.
#![forbid(unsafe_code)]

use super::ends::End;
use super::{Point, length};

/// A turn between two straight ends from which on they meet in a corner, as a cosine.
const CORNER: f64 = 0.6;
/// Pieces of a curve.
const PIECES: usize = 48;

/// Which ends belong together, the best pair first; one that is left over has none.
pub fn joined(ends: &[End]) -> Vec<(usize, Option<usize>)> {
    let far = |a: &End, b: &End| length((a.at.0 - b.at.0, a.at.1 - b.at.1));
    let each = ends
        .iter()
        .flat_map(|a| ends.iter().map(move |b| far(a, b)));
    let most = each.fold(1e-6, f64::max);
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for a in 0..ends.len() {
        for b in a + 1..ends.len() {
            if ends[a].left != ends[b].left {
                pairs.push((cost(&ends[a], &ends[b], most), a, b));
            }
        }
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let mut free = vec![true; ends.len()];
    let mut made: Vec<(usize, Option<usize>)> = Vec::new();
    for (_, a, b) in pairs {
        let crosses = made.iter().any(|(c, d)| {
            d.is_some_and(|d| crossing(ends[a].at, ends[b].at, ends[*c].at, ends[d].at))
        });
        if free[a] && free[b] && !crosses {
            (free[a], free[b]) = (false, false);
            made.push((a, Some(b)));
        }
    }
    let rest = (0..ends.len()).filter(|i| free[*i]);
    made.extend(rest.map(|i| (i, None)));
    made
}

/// What it takes to join two ends: how much the curve must turn above all, and its length, of the longest.
fn cost(a: &End, b: &End, most: f64) -> f64 {
    let (dx, dy) = (b.at.0 - a.at.0, b.at.1 - a.at.1);
    let chord = length((dx, dy)).max(1e-6);
    let turn = |way: Point, sign: f64| {
        let cos = sign * (way.0 * dx + way.1 * dy) / chord;
        cos.clamp(-1.0, 1.0).acos()
    };
    let (from, to) = (turn(a.way, 1.0), turn(b.way, -1.0));
    from * from + to * to + 0.5 * chord / most
}

/// A curve from one end to the other that leaves both as they come.
pub fn curve(a: &End, b: &End) -> Vec<Point> {
    let (dx, dy) = (b.at.0 - a.at.0, b.at.1 - a.at.1);
    let chord = length((dx, dy));
    let cross = a.way.0 * b.way.1 - a.way.1 * b.way.0;
    // The way out at b is against its way in.
    let turn = -(a.way.0 * b.way.0 + a.way.1 * b.way.1);
    if a.straight && b.straight && turn < CORNER && cross.abs() > 1e-6 {
        let s = (dx * b.way.1 - dy * b.way.0) / cross;
        let t = (dx * a.way.1 - dy * a.way.0) / cross;
        if (0.0..1.5 * chord).contains(&s) && (0.0..1.5 * chord).contains(&t) {
            let corner = (a.at.0 + s * a.way.0, a.at.1 + s * a.way.1);
            return vec![a.at, corner, b.at];
        }
    }
    // As long as makes an arc of a circle of two ends that turn alike.
    let reach = |way: Point, sign: f64| {
        let cos = (sign * (way.0 * dx + way.1 * dy) / chord.max(1e-6)).clamp(-1.0, 1.0);
        // The square of half the angle's cosine.
        chord / (0.5 * (1.0 + cos)).max(0.5)
    };
    let (from, to) = (reach(a.way, 1.0), reach(b.way, -1.0));
    let hermite = |t: f64| {
        let (t2, t3) = (t * t, t * t * t);
        let (p0, p1) = (2.0 * t3 - 3.0 * t2 + 1.0, 3.0 * t2 - 2.0 * t3);
        let (m0, m1) = (t3 - 2.0 * t2 + t, t3 - t2);
        let at = |p: f64, q: f64, m: f64, n: f64| p0 * p + p1 * q + from * m0 * m - to * m1 * n;
        (
            at(a.at.0, b.at.0, a.way.0, b.way.0),
            at(a.at.1, b.at.1, a.way.1, b.way.1),
        )
    };
    (0..=PIECES)
        .map(|i| hermite(i as f64 / PIECES as f64))
        .collect()
}

/// Straight on for `length`.
pub fn ray(end: &End, length: f64) -> Vec<Point> {
    let to = (end.at.0 + length * end.way.0, end.at.1 + length * end.way.1);
    vec![end.at, to]
}

/// Whether the stretches `a`–`b` and `c`–`d` cross.
pub fn crossing(a: Point, b: Point, c: Point, d: Point) -> bool {
    let side =
        |p: Point, q: Point, r: Point| (q.0 - p.0) * (r.1 - p.1) - (q.1 - p.1) * (r.0 - p.0) > 0.0;
    side(a, b, c) != side(a, b, d) && side(c, d, a) != side(c, d, b)
}
