//! Painted strokes, of whatever pen, thinned to lines of one pixel.
//!
//! Pixels go in the order of how deep they lie in their stroke, from one side at a time, where what is left hangs
//! together as before: each is looked at a few times, however thick the stroke is.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::r#match::maps;
use crate::memory;
use crate::pixels::Plane;
use crate::progress::Cancel;

/// Deeper than this lies no pixel of a stroke: what does is an area, and no line is meant.
const DEEPEST: u8 = 64;
/// Most passes over what is left when every layer was looked at.
const PASSES: usize = 24;
/// The neighbours' offsets, counterclockwise from the right one.
pub const AROUND: [(isize, isize); 8] = [
    (1, 0),
    (1, -1),
    (0, -1),
    (-1, -1),
    (-1, 0),
    (-1, 1),
    (0, 1),
    (1, 1),
];
const WHAT: &str = "the guide's lines";

/// The strokes' centre lines, 1 where one runs, and how deep each pixel of a stroke lies in it.
pub struct Thinned {
    pub lines: Plane<u8>,
    pub depth: Plane<u8>,
}

/// Thins what is not 0 in `mask`.
///
/// # Errors
/// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
pub fn thinned(mask: &Plane<u8>, cancel: &Cancel) -> Result<Thinned> {
    let (w, h) = (mask.width, mask.height);
    let mut lines = Plane::filled(w, h, 0u8, WHAT)?;
    for (line, set) in lines.data.iter_mut().zip(&mask.data) {
        *line = u8::from(*set != 0);
    }
    let depth = maps::depth(&lines, cancel)?;
    without_areas(&mut lines, &depth, cancel)?;
    let mut layers = memory::filled(usize::from(DEEPEST) + 1, Vec::new(), WHAT)?;
    for (i, _) in lines.data.iter().enumerate().filter(|(_, set)| **set != 0) {
        let layer = usize::from(depth.data[i].min(DEEPEST));
        memory::push(&mut layers[layer], i, WHAT)?;
    }
    let mut left = Vec::new();
    for mut layer in layers {
        cancel.check()?;
        // The second time for what only the first laid bare.
        for _ in 0..2 {
            peeled(&mut lines, &mut layer)?;
        }
        for i in layer {
            memory::push(&mut left, i, WHAT)?;
        }
    }
    for _ in 0..PASSES {
        cancel.check()?;
        let before = left.len();
        peeled(&mut lines, &mut left)?;
        if left.len() == before {
            break;
        }
    }
    Ok(Thinned { lines, depth })
}

/// Takes areas off, whole.
fn without_areas(lines: &mut Plane<u8>, depth: &Plane<u8>, cancel: &Cancel) -> Result<()> {
    let w = lines.width;
    let mut open = Vec::new();
    for i in 0..lines.data.len() {
        if depth.data[i] <= DEEPEST || lines.data[i] == 0 {
            continue;
        }
        cancel.check()?;
        lines.data[i] = 0;
        memory::push(&mut open, i, WHAT)?;
        while let Some(i) = open.pop() {
            for (dx, dy) in AROUND {
                let (x, y) = (
                    (i % w).wrapping_add_signed(dx),
                    (i / w).wrapping_add_signed(dy),
                );
                if is_set(lines, x, y) {
                    lines.data[y * w + x] = 0;
                    memory::push(&mut open, y * w + x, WHAT)?;
                }
            }
        }
    }
    Ok(())
}

/// Takes pixels of `layer` off that may go, from each side in turn; what is left of it.
fn peeled(lines: &mut Plane<u8>, layer: &mut Vec<usize>) -> Result<()> {
    let w = lines.width;
    let mut bare = Vec::new();
    // Up, down, right, left: opposite sides one after the other, so that what is left lies in the middle.
    for side in [2, 6, 0, 4] {
        let (dx, dy) = AROUND[side];
        bare.clear();
        for &i in layer.iter().filter(|i| lines.data[**i] != 0) {
            let (x, y) = (
                (i % w).wrapping_add_signed(dx),
                (i / w).wrapping_add_signed(dy),
            );
            if !is_set(lines, x, y) {
                memory::push(&mut bare, i, WHAT)?;
            }
        }
        for &i in &bare {
            if may_go(lines, i % w, i / w) {
                lines.data[i] = 0;
            }
        }
    }
    layer.retain(|i| lines.data[*i] != 0);
    Ok(())
}

/// Whether a pixel is no line's end and what is around it hangs together without it.
fn may_go(lines: &Plane<u8>, x: usize, y: usize) -> bool {
    let bare = AROUND.map(|(dx, dy)| {
        u8::from(!is_set(
            lines,
            x.wrapping_add_signed(dx),
            y.wrapping_add_signed(dy),
        ))
    });
    let set = 8 - bare.iter().sum::<u8>();
    // Yokoi's number of what the pixel holds together.
    let parts: u8 = [0, 2, 4, 6]
        .map(|k| bare[k] - bare[k] * bare[k + 1] * bare[(k + 2) % 8])
        .iter()
        .sum();
    set >= 2 && parts == 1
}

/// Whether a line runs there; a negative coordinate, wrapped, is outside.
pub fn is_set(lines: &Plane<u8>, x: usize, y: usize) -> bool {
    x < lines.width && y < lines.height && lines.row(y)[x] != 0
}
