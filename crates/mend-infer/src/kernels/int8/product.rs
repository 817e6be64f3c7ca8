//! Products of quantised rows and packed weights, in blocks that stay in the caches.

use super::super::panels::Panels;
use super::super::shared::Shared;
use super::super::tile::Finish;
use super::super::{Context, Epilogue};
use super::dots::will_read;
use super::tile::Tile;
use super::{DEPTH, Quantised, ROW, Weights};
use crate::error::Result;

/// Rows that a task takes: gathered, they fill a third of the second-level cache.
const ROWS: usize = 224;
/// Columns that a task takes: with [`ROWS`], results that stay in the second-level cache.
const COLUMNS: usize = 320;

/// What goes into a product and where it is put.
pub struct Shape<'a> {
    /// Row `i` under a tap is this row of the quantised ones; `None` is all zero.
    pub source: &'a (dyn Fn(usize, usize) -> Option<usize> + Sync),
    /// Rows of the result.
    pub rows: usize,
    /// Values between two rows of the result.
    pub c_row: usize,
}

/// `out[rows][c_row]`, `panels`' columns of each row, from rows of `x` times `w`, the weights of
/// `panels`.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
///
/// # Panics
/// When a length is not what the shapes say.
pub fn product(
    cx: &Context,
    (panels, w): (&Panels, &Weights),
    bias: &[f32],
    x: &Quantised,
    shape: &Shape,
    ep: &Epilogue,
    out: &mut [f32],
) -> Result<()> {
    panels.check(cx);
    let all = if panels.gated {
        panels.outputs / 2
    } else {
        panels.outputs
    };
    if shape.rows == 0 || all == 0 {
        return Ok(());
    }
    assert_eq!(x.row_len(), panels.inputs, "operand's rows");
    assert!(shape.c_row >= all, "rows overlap");
    let needed = (shape.rows - 1) * shape.c_row + all;
    assert!(out.len() >= needed, "output's length");
    for add in [ep.add_before, ep.add_after].into_iter().flatten() {
        assert!(add.len() >= needed, "residual's length");
    }
    let longest = w.parts().iter().map(|p| p.len).max().unwrap_or(0);
    let strips = longest.div_ceil(DEPTH).max(1);
    let cut = Cut::new(shape.rows, panels, strips, w.set().tallest(), cx.threads());
    let block = cut.tiles_a_block * cut.height;
    let words = strips * block * ROW / 4 + block.next_multiple_of(16);
    let job = Job {
        panels,
        w,
        bias,
        x,
        shape,
        ep,
        out: Shared::new(out),
        cut: &cut,
        block,
    };
    cx.tasks(cut.blocks * cut.chunks, words, |scratch, i| {
        job.task(scratch, i / cut.chunks, i % cut.chunks);
    })
}

/// How a product is cut into tasks.
struct Cut {
    /// Rows of a tile, except perhaps the last.
    height: usize,
    tiles: usize,
    tiles_a_block: usize,
    blocks: usize,
    panels_a_chunk: usize,
    chunks: usize,
}

impl Cut {
    fn new(rows: usize, panels: &Panels, strips: usize, tallest: usize, threads: usize) -> Self {
        let height = rows.div_ceil(rows.div_ceil(tallest));
        let tiles = rows.div_ceil(height);
        let mut blocks = tiles.div_ceil((ROWS / strips / height).max(1));
        let mut chunks = panels.count().div_ceil(COLUMNS / panels.width);
        // As many tasks as the threads can share evenly, where there are few.
        if blocks * chunks < 4 * threads {
            if chunks == 1 && blocks >= threads {
                blocks = blocks.next_multiple_of(threads).min(tiles);
            } else {
                chunks = chunks.next_multiple_of(threads).min(panels.count());
            }
        }
        let tiles_a_block = tiles.div_ceil(blocks);
        let panels_a_chunk = panels.count().div_ceil(chunks);
        Self {
            height,
            tiles,
            tiles_a_block,
            blocks: tiles.div_ceil(tiles_a_block),
            panels_a_chunk,
            chunks: panels.count().div_ceil(panels_a_chunk),
        }
    }
}

struct Job<'a> {
    panels: &'a Panels,
    w: &'a Weights,
    bias: &'a [f32],
    x: &'a Quantised<'a>,
    shape: &'a Shape<'a>,
    ep: &'a Epilogue<'a>,
    out: Shared<'a, f32>,
    cut: &'a Cut,
    /// Rows of a block.
    block: usize,
}

impl Job<'_> {
    fn task(&self, scratch: &mut [f32], block: usize, chunk: usize) {
        let Job { panels, w, cut, .. } = *self;
        let first = block * cut.tiles_a_block;
        let last = (first + cut.tiles_a_block).min(cut.tiles);
        let row0 = first * cut.height;
        let rows = (last * cut.height).min(self.shape.rows) - row0;
        let chunk =
            chunk * cut.panels_a_chunk..((chunk + 1) * cut.panels_a_chunk).min(panels.count());
        let (scales, bytes) = scratch.split_at_mut(self.block.next_multiple_of(16));
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(bytes);
        let a_jump = self.block * ROW;
        for (n, part) in w.parts().iter().enumerate() {
            for i in 0..rows {
                let Some(from) = (self.shape.source)(row0 + i, part.tap) else {
                    // Whatever bytes are there, they count nothing.
                    scales[i] = 0.0;
                    continue;
                };
                let (row, scale) = self.x.row(from);
                scales[i] = scale;
                let row = &row[part.input..part.input + part.len];
                for (strip, row) in row.chunks(DEPTH).enumerate() {
                    bytes[strip * a_jump + i * ROW..][..row.len()].copy_from_slice(row);
                }
            }
            for p in chunk.clone() {
                let (column, columns) = panels.columns(p);
                let b = w.values(p, part);
                // The weights that come next, a line at a time between the tiles: they would be waited
                // for by the first tile that uses them.
                let next = match w.parts().get(n + 1) {
                    _ if p + 1 < chunk.end => w.values(p + 1, part),
                    Some(part) => w.values(chunk.start, part),
                    None => &[],
                };
                let slice = next.len().div_ceil(last - first).next_multiple_of(64);
                let mut next = next.chunks(slice.max(1));
                for t in 0..last - first {
                    will_read(next.next().unwrap_or(&[]));
                    let top = t * cut.height;
                    let height = cut.height.min(rows - top);
                    let c = (row0 + top) * self.shape.c_row + column;
                    let size = (height, self.shape.c_row);
                    // A row's bytes end inside ROW, also the up to three behind the last input, which meet
                    // weights of zero.
                    w.set().tile(&mut Tile {
                        fours: part.len.div_ceil(4),
                        a: &bytes[top * ROW..],
                        a_jump,
                        a_scales: &scales[top..],
                        b,
                        b_scales: w.scales(p),
                        shifts: w.shifts(p, n),
                        // SAFETY: the rows and columns are this task's own.
                        c: unsafe { self.out.place(c, size, columns) },
                        accumulate: n > 0,
                        finish: (n + 1 == w.parts().len()).then(|| {
                            Finish::new(self.bias, p * panels.width, self.ep, c, panels.gated)
                        }),
                    });
                }
            }
        }
    }
}
