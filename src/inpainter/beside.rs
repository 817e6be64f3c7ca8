//! What is transparent beside a hole is filled with it, and then thrown away.
//!
//! No engine should see anything there: a guess of the colours that are not there is smooth, and what goes
//! on from it is, too.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::r#match::depth;
use crate::memory;
use crate::pixels::{Coverage, Plane};
use crate::plan::{Costs, Region};
use crate::progress::Cancel;

/// So far from the hole, in pixels, what is transparent is filled: as far as a patch reaches into it that
/// lies in the hole, at the finest levels.
const REACH: u8 = 12;
/// The same of what was selected: it is paid for.
const SELECTED: u8 = 48;

/// What `costs` come to where what is transparent beside the hole of a region is filled, too: the bytes a
/// pixel are those of the planes here.
pub fn region_bytes(costs: &Costs, region: &Region) -> f64 {
    let hole = region.hole.grown_within(REACH.into(), u32::MAX, u32::MAX);
    let hole = hole.intersect(&region.rect);
    costs.region_bytes(region.rect.area(), hole.area()) + 7.0 * region.rect.area() as f64
}

/// A hole with what is transparent beside it.
pub struct Wider {
    /// 1 where a pixel is to be filled.
    pub hole: Plane<u8>,
    /// How much of a pixel is to be replaced.
    pub coverage: Coverage,
}

/// `hole` with what is transparent beside it; `None` where nothing is. `coverage` is above 0 where the mask
/// selects.
///
/// # Errors
/// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
pub fn with_beside(
    hole: &Plane<u8>,
    alpha: &Plane<f32>,
    coverage: &Coverage,
    cancel: &Cancel,
) -> Result<Option<Wider>> {
    if !alpha
        .data
        .iter()
        .zip(&hole.data)
        .any(|(a, h)| *a <= 0.0 && *h == 0)
    {
        return Ok(None);
    }
    const WHAT: &str = "what is transparent beside the hole";
    let mut rest = Plane::filled(hole.width, hole.height, 0u8, WHAT)?;
    for (rest, hole) in rest.data.iter_mut().zip(&hole.data) {
        *rest = 1 - hole;
    }
    let far = depth(&rest, cancel)?;
    let mut found = false;
    let mut wider = rest;
    for (i, own) in wider.data.iter_mut().enumerate() {
        *own = hole.data[i];
        let reach = match coverage.data[i] > 0.0 {
            true => SELECTED,
            false => REACH,
        };
        if *own == 0 && alpha.data[i] <= 0.0 && far.data[i] <= reach {
            (*own, found) = (1, true);
        }
    }
    drop(far);
    if !found {
        return Ok(None);
    }
    let mut whole = memory::with_capacity(coverage.data.len(), WHAT)?;
    let own = coverage.data.iter().zip(&wider.data).zip(&hole.data);
    whole.extend(own.map(|((c, wider), hole)| match wider > hole {
        true => 1.0,
        false => *c,
    }));
    Ok(Some(Wider {
        hole: wider,
        coverage: Plane {
            width: hole.width,
            height: hole.height,
            data: whole,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_transparent_nearby_belongs_to_the_hole() {
        let (w, h) = (90, 20);
        let mut hole = Plane::filled(w, h, 0u8, "").unwrap();
        let mut alpha = Plane::filled(w, h, 1.0f32, "").unwrap();
        let mut coverage = Plane::filled(w, h, 0.0f32, "").unwrap();
        for y in 0..h {
            hole.row_mut(y)[10..20].fill(1);
            coverage.row_mut(y)[10..20].fill(0.5);
        }
        let none = with_beside(&hole, &alpha, &coverage, &Cancel::new()).unwrap();
        assert!(none.is_none());
        for y in 0..h {
            alpha.row_mut(y)[18..].fill(0.0);
        }
        // The mask selects some of it, too.
        coverage.row_mut(3)[20..].fill(0.5);
        let wider = with_beside(&hole, &alpha, &coverage, &Cancel::new());
        let wider = wider.unwrap().unwrap();
        for y in 0..h {
            for x in 0..w {
                let selected = y == 3 && (20..19 + 1 + usize::from(SELECTED)).contains(&x);
                let near = (20..20 + usize::from(REACH)).contains(&x);
                let own = (10..20).contains(&x);
                assert_eq!(
                    wider.hole.row(y)[x] != 0,
                    own || near || selected,
                    "{x} {y}"
                );
                let want = match () {
                    () if own => 0.5,
                    () if near || selected => 1.0,
                    () => coverage.row(y)[x],
                };
                assert_eq!(wider.coverage.row(y)[x], want, "{x} {y}");
            }
        }
    }
}
