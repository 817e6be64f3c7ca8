//! The connected parts of a mask.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::memory;
use crate::pixels::{Rect, RunMask};

const WHAT: &str = "the mask's parts";

/// A bounding box and the pixels selected in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) hole: Rect,
    pub(super) pixels: u64,
}

/// The parts of `mask` that hang together over sides or corners, in the order of their first pixel.
pub(super) fn parts(mask: &RunMask) -> Result<Vec<Part>> {
    Ok(labelled(mask)?.0)
}

/// The same, and for each run, row by row, the number of its part.
pub(super) fn labelled(mask: &RunMask) -> Result<(Vec<Part>, Vec<usize>)> {
    // Union-find over runs: a run touches those of the row above that overlap it by one more pixel
    // on each side.
    let count = mask.run_count();
    let mut parent: Vec<usize> = memory::with_capacity(count, WHAT)?;
    let (mut above, mut first): (&[(u32, u32)], usize) = (&[], 0);
    for y in 0..mask.height() {
        let row = mask.row(y);
        let start = parent.len();
        let mut a = 0;
        for (i, &(x, end)) in row.iter().enumerate() {
            parent.push(start + i);
            while a < above.len() && above[a].1 < x {
                a += 1;
            }
            let mut b = a;
            while b < above.len() && above[b].0 <= end {
                join(&mut parent, first + b, start + i);
                b += 1;
            }
            // The last one may touch the next run too.
            a = b.saturating_sub(1).max(a);
        }
        (above, first) = (row, start);
    }
    // Roots come before their members, so that one pass numbers the parts.
    let mut parts: Vec<Part> = Vec::new();
    let mut labels = memory::with_capacity(count, WHAT)?;
    let mut i = 0;
    for y in 0..mask.height() {
        for &(x, end) in mask.row(y) {
            let hole = Rect::new(x, y, end - x, 1);
            let pixels = u64::from(end - x);
            let root = find(&mut parent, i);
            if root == i {
                // From here on the root's entry is its part's number, above all run indices.
                memory::push(&mut parts, Part { hole, pixels }, WHAT)?;
                parent[i] = count + parts.len() - 1;
                labels.push(parts.len() - 1);
            } else if let Some(part) = parts.get_mut(root - count) {
                part.hole = part.hole.union(&hole);
                part.pixels += pixels;
                labels.push(root - count);
            }
            i += 1;
        }
    }
    Ok((parts, labels))
}

/// The root of `i`; an entry beyond the runs counts as a root.
fn find(parent: &mut [usize], mut i: usize) -> usize {
    while let Some(&up) = parent.get(i) {
        if up == i {
            return i;
        }
        if let Some(&upper) = parent.get(up) {
            parent[i] = upper;
        }
        i = up;
    }
    i
}

/// Puts `a` and `b` into one set; the smaller root stays one.
fn join(parent: &mut [usize], a: usize, b: usize) {
    let (a, b) = (find(parent, a), find(parent, b));
    parent[a.max(b)] = a.min(b);
}
