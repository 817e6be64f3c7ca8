//! Regions that go on in one another: the pieces of one hole.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::memory;
use crate::plan::Region;

/// The regions but those of specks, by their places in `regions`: those that belong together in the order
/// in which they are filled, and nothing of one group is a neighbour of another's.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn groups(regions: &[Region]) -> Result<Vec<Vec<usize>>> {
    const WHAT: &str = "the groups of regions";
    let mut first = memory::with_capacity(regions.len(), WHAT)?;
    first.extend(0..regions.len());
    for (i, region) in regions.iter().enumerate().filter(|(_, r)| !r.specks) {
        for j in 0..i {
            let (a, b): (usize, usize) = (first[j], first[i]);
            if a != b && !regions[j].specks && touch(&regions[j], region) {
                let group = first[..=i].iter_mut();
                group
                    .filter(|own| **own == a.max(b))
                    .for_each(|own| *own = a.min(b));
            }
        }
    }
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut place = memory::filled(regions.len(), usize::MAX, WHAT)?;
    for (i, _) in regions.iter().enumerate().filter(|(_, r)| !r.specks) {
        let own = &mut place[first[i]];
        if *own == usize::MAX {
            *own = groups.len();
            memory::push(&mut groups, Vec::new(), WHAT)?;
        }
        memory::push(&mut groups[*own], i, WHAT)?;
    }
    Ok(groups)
}

/// Whether the one is to go by the other, see [`super::part::Part::goes_on_in`].
fn touch(a: &Region, b: &Region) -> bool {
    let beside = b.hole.grown_within(1, u32::MAX, u32::MAX);
    !a.hole.intersect(&beside).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::Rect;

    #[test]
    fn what_touches_is_a_group_however_it_comes_together() {
        let region = |x, width, specks| Region {
            rect: Rect::new(0, 0, 100, 100),
            hole: Rect::new(x, 10, width, 10),
            hole_pixels: 1,
            scale: 1.0,
            work: 1,
            alpha_work: 0,
            specks,
        };
        // The last but one joins the first two; specks touch everything and join nothing.
        let regions = [
            region(0, 100, true),
            region(0, 10, false),
            region(20, 10, false),
            region(60, 10, false),
            region(10, 10, false),
            region(71, 10, false),
        ];
        let want = vec![vec![1, 2, 4], vec![3], vec![5]];
        assert_eq!(groups(&regions).unwrap(), want);
    }
}
