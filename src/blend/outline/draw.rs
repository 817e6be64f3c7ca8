//! Each pixel of a hole takes the value of the side of the outline that it lies on.
#![forbid(unsafe_code)]

use super::curves::crossing;
use super::sides::Sides;
use super::{Point, WHAT, length};
use crate::error::Result;
use crate::memory;
use crate::pixels::Plane;

/// So near a line, in pixels, a known pixel may lie on the other side of it than its value says: a line
/// passes where a whole stretch of the outline does, not through each of its steps.
const UNSURE: f32 = 2.5;
/// How far off a known value may be from what the lines make of its place.
const OFF: f32 = 0.1;
/// One in so many known pixels may be further off.
const FEW: usize = 50;
/// On neither side yet.
const NOBODYS: u8 = 2;

/// Gives each pixel the value of the side that it lies on: from the rim inwards, never across a line.
/// `false`, and nothing is done, where the lines do not part the hole, or not as the rim does.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn draw(
    values: &mut Plane<f32>,
    pixels: &[u32],
    rim: &[u32],
    lines: &[Vec<Point>],
    sides: &Sides,
) -> Result<bool> {
    let far = distances(values, lines, sides.reach().max(UNSURE as usize + 1))?;
    let drawing = Drawing {
        lines,
        sides,
        far: &far,
    };
    if !drawing.agrees(values, rim) {
        return Ok(false);
    }
    let Some(high) = drawing.parted(values, pixels, rim)? else {
        return Ok(false);
    };
    for &i in pixels {
        let i = i as usize;
        values.data[i] = drawing.value(i, high.data[i] == 1);
    }
    Ok(true)
}

/// What a hole is drawn from.
struct Drawing<'a> {
    lines: &'a [Vec<Point>],
    sides: &'a Sides,
    /// See [`distances`].
    far: &'a Plane<f32>,
}

impl Drawing<'_> {
    /// The value of pixel `i`, on the brighter side or the darker.
    fn value(&self, i: usize, high: bool) -> f32 {
        let far = f64::from(self.far.data[i]);
        self.sides.at(if high { far } else { -far })
    }

    /// Whether what is known beside the hole is what the lines would make of it, but for a few pixels: what
    /// has a third value is no outline between two.
    fn agrees(&self, values: &Plane<f32>, rim: &[u32]) -> bool {
        let middle = self.sides.middle();
        let off = |i: &&u32| {
            let (i, v) = (**i as usize, values.data[**i as usize]);
            self.far.data[i] > UNSURE && (self.value(i, v >= middle) - v).abs() > OFF
        };
        rim.iter().filter(off).count() * FEW <= rim.len()
    }

    /// 1 where a pixel of the hole lies on the brighter side; `None` where the lines shut some off from all
    /// of the rim, or leave a gap between the sides.
    fn parted(
        &self,
        values: &Plane<f32>,
        pixels: &[u32],
        rim: &[u32],
    ) -> Result<Option<Plane<u8>>> {
        let (w, h) = (values.width, values.height);
        let middle = self.sides.middle();
        let mut open = Plane::filled(w, h, 0u8, WHAT)?;
        let mut high = Plane::filled(w, h, NOBODYS, WHAT)?;
        for &i in pixels {
            open.data[i as usize] = 1;
        }
        let mut left = pixels.len();
        // First from where the side is sure.
        for sure in [true, false] {
            let mut ring = Vec::new();
            for &i in rim {
                if (self.far.data[i as usize] > UNSURE) == sure {
                    high.data[i as usize] = u8::from(values.data[i as usize] >= middle);
                    memory::push(&mut ring, i, WHAT)?;
                }
            }
            left -= self.spread(ring, &mut open, &mut high)?;
        }
        let gap = |i: &u32| {
            let i = *i as usize;
            let beside = [
                (i % w + 1 < w).then(|| i + 1),
                (i / w + 1 < h).then(|| i + w),
            ];
            // The rim's own pixels may lie on the wrong side of a line.
            let sure = |n: &usize| high.data[*n] != NOBODYS && self.far.data[*n] > UNSURE;
            let mut beside = beside.into_iter().flatten().filter(sure);
            beside.any(|n| high.data[n] != high.data[i] && !self.between(i, n))
        };
        Ok((left == 0 && !pixels.iter().any(gap)).then_some(high))
    }

    /// Takes the side of each pixel in `ring` on to the open ones around it, ring by ring; how many.
    fn spread(
        &self,
        mut ring: Vec<u32>,
        open: &mut Plane<u8>,
        high: &mut Plane<u8>,
    ) -> Result<usize> {
        let (w, h) = (open.width, open.height);
        let mut count = 0;
        while !ring.is_empty() {
            let mut next = Vec::new();
            for &i in &ring {
                let i = i as usize;
                let (x, y) = (i % w, i / w);
                let beside = [
                    (x > 0).then(|| i - 1),
                    (x + 1 < w).then(|| i + 1),
                    (y > 0).then(|| i - w),
                    (y + 1 < h).then(|| i + w),
                ];
                for n in beside.into_iter().flatten() {
                    if open.data[n] != 0 && !self.between(i, n) {
                        open.data[n] = 0;
                        high.data[n] = high.data[i];
                        memory::push(&mut next, n as u32, WHAT)?;
                        count += 1;
                    }
                }
            }
            ring = next;
        }
        Ok(count)
    }

    /// Whether a line passes between two pixels that share a side.
    fn between(&self, a: usize, b: usize) -> bool {
        // One of them is then no further from it than half of the way.
        if self.far.data[a].min(self.far.data[b]) > 1.0 {
            return false;
        }
        let at = |i: usize| ((i % self.far.width) as f64, (i / self.far.width) as f64);
        let (p, q) = (at(a), at(b));
        let mut pieces = self.lines.iter().flat_map(|line| line.windows(2));
        pieces.any(|l| crossing(p, q, l[0], l[1]))
    }
}

/// How far each pixel of a picture of the size of `like` is from the nearest line, as far as that is no
/// further than `reach`; else infinity.
fn distances(like: &Plane<f32>, lines: &[Vec<Point>], reach: usize) -> Result<Plane<f32>> {
    let (w, h) = (like.width, like.height);
    let mut far = Plane::filled(w, h, f32::INFINITY, WHAT)?;
    let along = |a: f64, b: f64, len: usize| {
        let most = len.saturating_sub(1) as f64;
        let low = (a.min(b) - reach as f64).floor().clamp(0.0, most);
        let high = (a.max(b) + reach as f64).ceil().clamp(0.0, most);
        low as usize..high as usize + 1
    };
    for piece in lines.iter().flat_map(|line| line.windows(2)) {
        let (a, b) = (piece[0], piece[1]);
        for y in along(a.1, b.1, h) {
            let columns = along(a.0, b.0, w);
            let row = &mut far.row_mut(y)[columns.clone()];
            for (x, far) in columns.zip(row) {
                let d = distance((x as f64, y as f64), a, b) as f32;
                if d <= reach as f32 {
                    *far = far.min(d);
                }
            }
        }
    }
    Ok(far)
}

/// The distance of `p` from the stretch `a`–`b`.
fn distance(p: Point, a: Point, b: Point) -> f64 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let square = dx * dx + dy * dy;
    let along = (p.0 - a.0) * dx + (p.1 - a.1) * dy;
    let t = match square > 0.0 {
        true => (along / square).clamp(0.0, 1.0),
        false => 0.0,
    };
    length((p.0 - a.0 - t * dx, p.1 - a.1 - t * dy))
}
