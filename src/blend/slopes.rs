//! A soft gradient goes on into a hole: it meets what is around, and its slopes go on, too.
//!
//! Source: Pérez, Gangnet, Blake, "Poisson Image Editing", SIGGRAPH 2003, for values from differences; here
//! those wanted are a smooth extension of the known ones.
#![forbid(unsafe_code)]

use super::extend;
use super::screened::screened;
use crate::error::Result;
use crate::memory;
use crate::pixels::{Plane, Rect};
use crate::progress::Cancel;

/// Pixels around the hole whose slopes are looked at.
const AROUND: u32 = 16;
const WHAT: &str = "the gradient through the hole";

/// Gives `values`, `0.0 ..= 1.0`, where `hole` is 1 what goes on from where `known` is 1.
///
/// # Errors
/// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
pub fn slopes(
    values: &mut Plane<f32>,
    known: &Plane<u8>,
    hole: &Plane<u8>,
    cancel: &Cancel,
) -> Result<()> {
    let mut bounds = Rect::default();
    for (i, _) in hole.data.iter().enumerate().filter(|(_, h)| **h != 0) {
        let at = Rect::new((i % hole.width) as u32, (i / hole.width) as u32, 1, 1);
        bounds = bounds.union(&at);
    }
    let bounds = bounds.grown_within(AROUND, hole.width as u32, hole.height as u32);
    let (w, h) = (bounds.width as usize, bounds.height as usize);
    let (own, clear) = (cut(values, bounds)?, cut(known, bounds)?);
    let unknown = cut(hole, bounds)?;
    let mut solved = tripled(&own.data)?;
    extend(&mut solved, 3, w, h, &clear.data, cancel)?;
    let across = differences(&own, &clear, 1, |x, _| x + 1 < w, cancel)?;
    let down = differences(&own, &clear, w, |_, y| y + 1 < h, cancel)?;
    screened(
        &mut solved,
        w,
        h,
        &unknown.data,
        &across,
        &down,
        0.0,
        cancel,
    )?;
    for y in 0..h {
        let columns = bounds.x as usize..bounds.right() as usize;
        let row = &mut values.row_mut(y + bounds.y as usize)[columns];
        let of_row = unknown
            .row(y)
            .iter()
            .zip(solved[y * w * 3..].chunks_exact(3));
        for (v, (_, new)) in row.iter_mut().zip(of_row).filter(|(_, (u, _))| **u != 0) {
            *v = new[0].clamp(0.0, 1.0);
        }
    }
    Ok(())
}

/// The known differences to the pixel `step` further on, where there is one, and a smooth extension of
/// them: three alike a pixel.
fn differences(
    values: &Plane<f32>,
    known: &Plane<u8>,
    step: usize,
    has: impl Fn(usize, usize) -> bool,
    cancel: &Cancel,
) -> Result<Vec<f32>> {
    let (w, h) = (values.width, values.height);
    let mut by = memory::filled(w * h, 0.0f32, WHAT)?;
    let mut both = memory::filled(w * h, 0u8, WHAT)?;
    for i in 0..w * h {
        if has(i % w, i / w) && known.data[i] & known.data[i + step] != 0 {
            by[i] = values.data[i + step] - values.data[i];
            both[i] = 1;
        }
    }
    extend(&mut by, 1, w, h, &both, cancel)?;
    tripled(&by)
}

/// As the three channels of a picture.
fn tripled(values: &[f32]) -> Result<Vec<f32>> {
    let mut out = memory::with_capacity(values.len() * 3, WHAT)?;
    out.extend(values.iter().flat_map(|v| [*v; 3]));
    Ok(out)
}

fn cut<T: Copy>(plane: &Plane<T>, rect: Rect) -> Result<Plane<T>> {
    let mut data = memory::with_capacity(rect.area() as usize, WHAT)?;
    for y in rect.y..rect.bottom() {
        data.extend_from_slice(&plane.row(y as usize)[rect.x as usize..rect.right() as usize]);
    }
    Ok(Plane {
        width: rect.width as usize,
        height: rect.height as usize,
        data,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_meets_and_its_slopes_go_on() {
        type Truth = fn(f32, f32) -> f32;
        let cases: [(&str, Truth, f32); 4] = [
            ("even", |_, _| 0.4, 1e-4),
            ("a ramp", |x, y| 0.1 + 0.006 * x + 0.003 * y, 0.003),
            (
                "a cone",
                |x, y| 1.1 - ((x - 20.0).powi(2) + (y - 10.0).powi(2)).sqrt() / 90.0,
                0.03,
            ),
            ("a ramp that ends", |x, _| (1.3 - 0.009 * x).min(1.0), 0.04),
        ];
        for (name, truth, most) in cases {
            let (w, h) = (90, 70);
            let mut values = Plane::filled(w, h, 7.0f32, "").unwrap();
            let mut known = Plane::filled(w, h, 1u8, "").unwrap();
            let mut hole = Plane::filled(w, h, 0u8, "").unwrap();
            // As a file of 8 bits has it.
            let at = |x: usize, y: usize| {
                (255.0 * truth(x as f32, y as f32).clamp(0.0, 1.0)).round() / 255.0
            };
            for y in 0..h {
                for x in 0..w {
                    if (25..65).contains(&x) && (15..55).contains(&y) {
                        (known.row_mut(y)[x], hole.row_mut(y)[x]) = (0, 1);
                    } else {
                        values.row_mut(y)[x] = at(x, y);
                    }
                }
            }
            slopes(&mut values, &known, &hole, &Cancel::new()).unwrap();
            for y in 0..h {
                for x in 0..w {
                    let off = (values.row(y)[x] - at(x, y)).abs();
                    assert!(off < most, "{name}: {off} at {x} {y}");
                    // No step that the picture has not.
                    let left = values.row(y)[x.saturating_sub(1)];
                    assert!((values.row(y)[x] - left).abs() < 0.02, "{name}: {x} {y}");
                }
            }
        }
    }
}
