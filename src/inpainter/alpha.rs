//! How alpha goes on through a hole: what is around it says which way.
#![forbid(unsafe_code)]

use crate::blend;
use crate::error::Result;
use crate::memory;
use crate::pixels::{Coverage, Plane};
use crate::progress::Cancel;

/// The steepest step between two pixels around a hole that its alpha may fade by: softer than any edge
/// that is drawn, as of a vignette or a wide shadow.
const GENTLE: f32 = 2.5 / 255.0;

/// A pixel whose alpha is to be found with patches: at a rough edge, or one of many.
pub const SEARCHED: u8 = 1;
/// A pixel at an edge that goes on as an outline.
const OUTLINED: u8 = 2;
/// A pixel of the hole that became nothing.
pub const NOTHING: u8 = 3;
const UNSEEN: u8 = 0;
const FADING: u8 = 4;
const EVEN: u8 = 5;

/// What is known around one connected part of a hole.
struct Rim {
    least: f32,
    most: f32,
    /// The largest difference between a pixel next to the hole and one beside it.
    steepest: f32,
}

impl Rim {
    /// Of the part that `pixels` are all of.
    fn of(alpha: &Plane<f32>, coverage: &Coverage, pixels: &[u32]) -> Self {
        let (w, h) = (alpha.width, alpha.height);
        let mut rim = Self {
            least: f32::INFINITY,
            most: f32::NEG_INFINITY,
            steepest: 0.0,
        };
        let known = |i: usize| coverage.data[i] <= 0.0;
        for &i in pixels {
            let (x, y) = (i as usize % w, i as usize / w);
            for (nx, ny) in around(x, y, w, h) {
                let own = alpha.data[ny * w + nx];
                if !known(ny * w + nx) {
                    continue;
                }
                rim.least = rim.least.min(own);
                rim.most = rim.most.max(own);
                for (bx, by) in around(nx, ny, w, h) {
                    if known(by * w + bx) && (bx == nx || by == ny) {
                        let step = (alpha.data[by * w + bx] - own).abs();
                        rim.steepest = rim.steepest.max(step);
                    }
                }
            }
        }
        rim
    }

    /// How alpha goes on in a part so wide and high in all.
    fn way(&self, extent: f32) -> u8 {
        if self.least == self.most {
            EVEN
        } else if self.steepest <= GENTLE && self.most - self.least <= self.steepest * extent {
            FADING
        } else {
            // Also where no known pixel is next to it.
            SEARCHED
        }
    }
}

/// Sets `alpha` in the hole wherever that needs no search. At transparent edges, if there are any, returns
/// which pixels are [`SEARCHED`], and which lie at an outline.
///
/// Each connected part of the hole counts by itself. What is around it with one alpha, opaque say, goes
/// on with that to the bit; a soft gradient goes on softly, and smooth outlines are joined. `coverage`
/// is 0 where alpha is known.
///
/// # Errors
/// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
pub fn settle(
    alpha: &mut Plane<f32>,
    coverage: &Coverage,
    hole: &Plane<u8>,
    cancel: &Cancel,
) -> Result<Option<Plane<u8>>> {
    let known = || alpha.data.iter().zip(&coverage.data);
    let mut known = known().filter(|(_, c)| **c <= 0.0).map(|(a, _)| *a);
    if let Some(first) = known.next()
        && known.all(|a| a == first)
    {
        let inside = alpha.data.iter_mut().zip(&hole.data);
        inside
            .filter(|(_, h)| **h != 0)
            .for_each(|(a, _)| *a = first);
        return Ok(None);
    }
    let (w, h) = (hole.width, hole.height);
    let mut way = Plane::filled(w, h, UNSEEN, "the hole's parts")?;
    let mut clear = Plane::filled(w, h, 0u8, "the known alpha")?;
    for (clear, c) in clear.data.iter_mut().zip(&coverage.data) {
        *clear = u8::from(*c <= 0.0);
    }
    let mut pixels = Vec::new();
    for start in 0..hole.data.len() {
        if hole.data[start] == 0 || way.data[start] != UNSEEN {
            continue;
        }
        cancel.check()?;
        let extent = connected(hole, &mut way, start, &mut pixels)?;
        let rim = Rim::of(alpha, coverage, &pixels);
        let mut own = rim.way(extent as f32);
        if own == SEARCHED && blend::outline(alpha, &clear, &pixels, cancel)? {
            own = OUTLINED;
        }
        for &i in &pixels {
            way.data[i as usize] = own;
            if own == EVEN {
                alpha.data[i as usize] = rim.least;
            }
        }
    }
    if way.data.contains(&FADING) {
        let mut fading = Plane::filled(w, h, 0u8, "the fading alpha")?;
        for (fading, way) in fading.data.iter_mut().zip(&way.data) {
            *fading = u8::from(*way == FADING);
        }
        blend::slopes(alpha, &clear, &fading, cancel)?;
    }
    let edge = |v: u8| v == SEARCHED || v == OUTLINED;
    if !way.data.iter().any(|v| edge(*v)) {
        return Ok(None);
    }
    for v in way.data.iter_mut().filter(|v| !edge(**v)) {
        *v = 0;
    }
    Ok(Some(way))
}

/// Collects the part of the hole that holds pixel `start`, and marks it as seen; its width and height
/// in all.
fn connected(
    hole: &Plane<u8>,
    way: &mut Plane<u8>,
    start: usize,
    pixels: &mut Vec<u32>,
) -> Result<usize> {
    const WHAT: &str = "the hole's parts";
    let (w, h) = (hole.width, hole.height);
    let (mut low, mut high) = ((start % w, start / w), (start % w, start / w));
    pixels.clear();
    way.data[start] = EVEN;
    memory::push(pixels, start as u32, WHAT)?;
    let mut next = 0;
    while let Some(&i) = pixels.get(next) {
        next += 1;
        let (x, y) = (i as usize % w, i as usize / w);
        low = (low.0.min(x), low.1.min(y));
        high = (high.0.max(x), high.1.max(y));
        for (nx, ny) in around(x, y, w, h) {
            let n = ny * w + nx;
            if hole.data[n] != 0 && way.data[n] == UNSEEN {
                way.data[n] = EVEN;
                memory::push(pixels, n as u32, WHAT)?;
            }
        }
    }
    Ok(high.0 - low.0 + high.1 - low.1 + 4)
}

/// Where `open` is 1, the alpha of the nearest known pixel: what is left where no patch is to be had.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn nearest(alpha: &mut Plane<f32>, coverage: &Coverage, mut open: Plane<u8>) -> Result<()> {
    const WHAT: &str = "the alpha at a transparent edge";
    let (w, h) = (alpha.width, alpha.height);
    // From the known pixels inwards, ring by ring.
    let mut ring: Vec<u32> = Vec::new();
    for i in 0..coverage.data.len() {
        if coverage.data[i] <= 0.0 {
            let mut near = around(i % w, i / w, w, h);
            if near.any(|(x, y)| open.data[y * w + x] != 0) {
                memory::push(&mut ring, i as u32, WHAT)?;
            }
        }
    }
    while !ring.is_empty() {
        let mut next = Vec::new();
        for &i in &ring {
            let i = i as usize;
            for (x, y) in around(i % w, i / w, w, h) {
                let n = y * w + x;
                if open.data[n] != 0 {
                    open.data[n] = 0;
                    alpha.data[n] = alpha.data[i];
                    memory::push(&mut next, n as u32, WHAT)?;
                }
            }
        }
        ring = next;
    }
    Ok(())
}

/// The eight pixels around one, as far as they are there; those that share a side first.
fn around(x: usize, y: usize, w: usize, h: usize) -> impl Iterator<Item = (usize, usize)> {
    const STEPS: [(isize, isize); 8] = [
        (-1, 0),
        (1, 0),
        (0, -1),
        (0, 1),
        (-1, -1),
        (1, -1),
        (-1, 1),
        (1, 1),
    ];
    let at = STEPS
        .into_iter()
        .map(move |(dx, dy)| (x.wrapping_add_signed(dx), y.wrapping_add_signed(dy)));
    at.filter(move |(x, y)| *x < w && *y < h)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (usize, usize) = (40, 30);

    /// `value` at each pixel; the hole is a box, of which nothing is known.
    fn settled(value: impl Fn(usize, usize) -> f32) -> (Plane<f32>, Plane<u8>, Option<Plane<u8>>) {
        let (w, h) = SIZE;
        let mut alpha = Plane::filled(w, h, 0.3f32, "").unwrap();
        let mut coverage = Plane::filled(w, h, 0.0f32, "").unwrap();
        let mut hole = Plane::filled(w, h, 0u8, "").unwrap();
        for y in 0..h {
            for x in 0..w {
                if (10..20).contains(&x) && (8..20).contains(&y) {
                    coverage.row_mut(y)[x] = 0.5;
                    hole.row_mut(y)[x] = 1;
                } else {
                    alpha.row_mut(y)[x] = value(x, y);
                }
            }
        }
        let edge = settle(&mut alpha, &coverage, &hole, &Cancel::new()).unwrap();
        (alpha, hole, edge)
    }

    fn inside(alpha: &Plane<f32>, hole: &Plane<u8>) -> Vec<f32> {
        let all = alpha.data.iter().zip(&hole.data);
        all.filter(|(_, h)| **h != 0).map(|(a, _)| *a).collect()
    }

    #[test]
    fn one_alpha_around_goes_on_to_the_bit() {
        for (name, value) in [
            ("opaque", 1.0f32),
            ("nothing", 0.0),
            ("half", 128.0 / 255.0),
            ("a third", 1.0 / 3.0),
        ] {
            // Everywhere, and with something else that does not reach the hole.
            for elsewhere in [value, 0.7] {
                let (alpha, hole, edge) = settled(|x, _| if x > 30 { elsewhere } else { value });
                assert!(edge.is_none(), "{name}");
                assert!(inside(&alpha, &hole).iter().all(|a| *a == value), "{name}");
            }
        }
    }

    #[test]
    fn a_soft_gradient_goes_on_softly_and_a_step_is_an_edge() {
        let (alpha, hole, edge) = settled(|x, _| 0.2 + x as f32 / 255.0);
        assert!(edge.is_none());
        for y in 8..20 {
            for x in 10..20 {
                let (a, want) = (alpha.row(y)[x], 0.2 + x as f32 / 255.0);
                assert!((a - want).abs() < 2.0 / 255.0, "{x} {y}: {a}");
            }
        }
        let step = |at: usize| move |x: usize, _: usize| f32::from(u8::from(x < at));
        for (name, way, edge) in [
            ("a step", OUTLINED, settled(step(15)).2),
            // The rim is even on each side.
            ("a side", OUTLINED, settled(step(20)).2),
            (
                "teeth",
                SEARCHED,
                settled(|x, y| step(12 + 2 * (y % 4))(x, y)).2,
            ),
        ] {
            let want: Vec<u8> = hole.data.iter().map(|h| h * way).collect();
            assert_eq!(edge.expect(name).data, want, "{name}");
        }
        // All there is to know lies left and right, and neither fades.
        let mut alpha = Plane::filled(200, 5, 0.0f32, "").unwrap();
        let mut hole = Plane::filled(200, 5, 0u8, "").unwrap();
        let mut coverage = alpha.clone();
        for y in 0..5 {
            alpha.row_mut(y)[..60].fill(1.0);
            hole.row_mut(y)[10..190].fill(1);
            coverage.row_mut(y)[10..190].fill(1.0);
        }
        let edge = settle(&mut alpha, &coverage, &hole, &Cancel::new())
            .unwrap()
            .unwrap();
        nearest(&mut alpha, &coverage, edge).unwrap();
        for y in 0..5 {
            assert!(alpha.row(y)[..100].iter().all(|a| *a == 1.0));
            assert!(alpha.row(y)[100..].iter().all(|a| *a == 0.0));
        }
    }

    #[test]
    fn parts_of_a_hole_count_by_themselves() {
        let (w, h) = (60, 20);
        let mut alpha = Plane::filled(w, h, 0.0f32, "").unwrap();
        let mut hole = Plane::filled(w, h, 0u8, "").unwrap();
        let mut coverage = alpha.clone();
        for y in 0..h {
            alpha.row_mut(y)[..30].fill(1.0);
            if (5..12).contains(&y) {
                for part in [4..10, 26..34, 48..55] {
                    hole.row_mut(y)[part.clone()].fill(1);
                    coverage.row_mut(y)[part].fill(1.0);
                }
            }
        }
        let edge = settle(&mut alpha, &coverage, &hole, &Cancel::new())
            .unwrap()
            .unwrap();
        for y in 5..12 {
            assert!(alpha.row(y)[4..10].iter().all(|a| *a == 1.0));
            assert!(alpha.row(y)[48..55].iter().all(|a| *a == 0.0));
            let mut row = edge.row(y).iter().enumerate();
            assert!(row.all(|(x, e)| (*e == OUTLINED) == (26..34).contains(&x)));
        }
    }
}
