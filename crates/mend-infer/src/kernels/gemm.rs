//! Matrix products: activations times packed weights, in blocks that stay in the caches.

use super::panels::{Panels, Rows};
use super::shared::Shared;
use super::simd::{Isa, Kernel, Strip, StripMut};
use super::tile::{self, Finish, Tile, VECTORS};
use super::{Context, Epilogue};
use crate::error::Result;

/// Rows of A that a task takes: with [`DEPTH`], what half of a megabyte of second-level cache holds.
const ROWS: usize = 448;
/// Length of sums between two visits of C: a part of a panel and of a tile's rows, 32 and 14 KB, stay
/// in the nearest cache.
const DEPTH: usize = 256;
/// Tasks that a thread should have at the least.
const TASKS: usize = 4;
/// Bytes of a cache line.
const LINE: usize = 64;

/// Where a product's rows come from.
pub(super) enum Operand<'a> {
    /// Row `i` starts at `i * stride`.
    Rows { data: &'a [f32], stride: usize },
    /// Row `i` under a tap starts where the function says, and is zero where it says `None`.
    Gather {
        data: &'a [f32],
        at: &'a (dyn Fn(usize, usize) -> Option<usize> + Sync),
    },
}

/// A part of the depth: some inputs of one tap.
#[derive(Clone, Copy)]
struct Part {
    tap: usize,
    input: usize,
    len: usize,
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
    fn new(
        (rows, panels): (usize, usize),
        tallest: usize,
        most: usize,
        in_place: bool,
        threads: usize,
    ) -> Self {
        let height = rows.div_ceil(rows.div_ceil(tallest));
        let tiles = rows.div_ceil(height);
        let blocks = tiles.div_ceil((most / height).max(1));
        // As many tasks as the threads can share evenly: by rows where there are many, else by panels;
        // several a thread where panels cost nothing to part, for no two cores are equally fast.
        let (blocks, chunks) = if in_place && threads > 1 {
            let wanted = (TASKS * threads).div_ceil(blocks);
            (blocks, wanted.clamp(1, panels.div_ceil(2)))
        } else if threads == 1 || blocks.is_multiple_of(threads) {
            (blocks, 1)
        } else if blocks > 2 * threads {
            (blocks.next_multiple_of(threads).min(tiles), 1)
        } else {
            (blocks, threads.min(panels))
        };
        let tiles_a_block = tiles.div_ceil(blocks);
        let panels_a_chunk = panels.div_ceil(chunks);
        Self {
            height,
            tiles,
            tiles_a_block,
            blocks: tiles.div_ceil(tiles_a_block),
            panels_a_chunk,
            chunks: panels.div_ceil(panels_a_chunk),
        }
    }
}

/// `out[rows][c_row]`, `w`'s outputs of each row, from the operand times `w`.
#[allow(clippy::too_many_arguments)] // One place that all products go through.
pub(super) fn product(
    cx: &Context,
    w: &Panels,
    bias: &[f32],
    operand: &Operand,
    rows: usize,
    ep: &Epilogue,
    out: &mut [f32],
    c_row: usize,
) -> Result<()> {
    w.check(cx);
    let columns = if w.gated { w.outputs / 2 } else { w.outputs };
    if rows == 0 || columns == 0 {
        return Ok(());
    }
    assert!(c_row >= columns, "rows overlap");
    let needed = (rows - 1) * c_row + columns;
    assert!(out.len() >= needed, "output's length");
    for add in [ep.add_before, ep.add_after].into_iter().flatten() {
        assert!(add.len() >= needed, "residual's length");
    }
    if let Operand::Rows { data, stride } = operand {
        assert!(*stride >= w.inputs && w.taps == 1, "operand's rows");
        assert!(
            data.len() >= (rows - 1) * stride + w.inputs,
            "operand's length"
        );
    }
    let tallest = cx.tallest();
    let longest = if w.gated {
        w.inputs
    } else {
        DEPTH.min(w.inputs)
    };
    let parts = parts(w, longest);
    let most = ROWS * DEPTH / longest.max(DEPTH);
    // Rows in place where they can stay; copied where they are gathered, or where their stride puts
    // all of them into the same few sets of the nearest cache.
    let in_place = matches!(operand, Operand::Rows { stride, .. } if stride % 512 != 0);
    let size = (rows, w.count());
    let cut = Cut::new(size, tallest, most, in_place, cx.threads());
    let copied = longest + 16;
    let a_words = if in_place {
        0
    } else {
        cut.tiles_a_block * cut.height * copied
    };
    let b_words = longest * w.width;
    let job = Job {
        w,
        bias,
        operand,
        rows,
        ep,
        out: Shared::new(out),
        c_row,
        parts: &parts,
        cut: &cut,
        in_place,
        copied,
        a_words,
    };
    cx.tasks(cut.blocks * cut.chunks, a_words + b_words, |scratch, i| {
        cx.run(Task {
            job: &job,
            scratch,
            block: i / cut.chunks,
            chunk: i % cut.chunks,
        });
    })
}

fn parts(w: &Panels, longest: usize) -> Vec<Part> {
    let count = w.inputs.div_ceil(longest.max(1)).max(1);
    let step = w
        .inputs
        .div_ceil(count)
        .next_multiple_of(16)
        .min(w.inputs)
        .max(1);
    let mut parts = Vec::new();
    for tap in 0..w.taps {
        for input in (0..w.inputs).step_by(step) {
            parts.push(Part {
                tap,
                input,
                len: step.min(w.inputs - input),
            });
        }
    }
    parts
}

struct Job<'a> {
    w: &'a Panels,
    bias: &'a [f32],
    operand: &'a Operand<'a>,
    rows: usize,
    ep: &'a Epilogue<'a>,
    out: Shared<'a, f32>,
    c_row: usize,
    parts: &'a [Part],
    cut: &'a Cut,
    in_place: bool,
    /// Stride of copied rows.
    copied: usize,
    a_words: usize,
}

struct Task<'a> {
    job: &'a Job<'a>,
    scratch: &'a mut [f32],
    block: usize,
    chunk: usize,
}

impl Kernel for Task<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Isa>(self, isa: S) {
        let Job { w, cut, .. } = *self.job;
        let first = self.block * cut.tiles_a_block;
        let last = (first + cut.tiles_a_block).min(cut.tiles);
        let row0 = first * cut.height;
        let rows = (last * cut.height).min(self.job.rows) - row0;
        let panels =
            self.chunk * cut.panels_a_chunk..((self.chunk + 1) * cut.panels_a_chunk).min(w.count());
        let (copy, wide) = self.scratch.split_at_mut(self.job.a_words);
        for (at, part) in self.job.parts.iter().enumerate() {
            let (a, a_row) = self.job.rows_of(part, row0, rows, copy);
            for p in panels.clone() {
                let (b, b_row) = widen(isa, w, p, part, wide);
                let (column, columns) = w.columns(p);
                // The next panel comes while this one is worked with: nothing waits for the memory.
                let (next, bytes) = w.ahead(p + 1, part.input);
                let tiles = last - first;
                let share = (part.len * bytes).div_ceil(tiles);
                for t in 0..last - first {
                    if w.taps == 1 {
                        for line in (0..share).step_by(LINE) {
                            isa.prefetch_far(next.wrapping_add(t * share + line));
                        }
                    }
                    let top = t * cut.height;
                    let size = (cut.height.min(rows - top), self.job.c_row);
                    let c = (row0 + top) * self.job.c_row + column;
                    let mut tile = Tile {
                        depth: part.len,
                        a: &a[top * a_row..],
                        a_row,
                        a_step: 1,
                        b,
                        b_row,
                        // SAFETY: the rows and columns are this task's own.
                        c: unsafe { self.job.out.place(c, size, columns) },
                        accumulate: at > 0,
                        finish: (at + 1 == self.job.parts.len()).then(|| {
                            Finish::new(self.job.bias, p * w.width, self.job.ep, c, w.gated)
                        }),
                    };
                    tile::run(isa, &mut tile);
                }
            }
        }
    }
}

impl Job<'_> {
    /// The part's columns of the block's rows: where they stand and how far apart.
    #[inline(always)]
    fn rows_of<'a>(
        &'a self,
        part: &Part,
        row0: usize,
        rows: usize,
        copy: &'a mut [f32],
    ) -> (&'a [f32], usize) {
        match self.operand {
            Operand::Rows { data, stride } if self.in_place => {
                (&data[row0 * stride + part.input..], *stride)
            }
            Operand::Rows { data, stride } => {
                for (i, to) in copy.chunks_exact_mut(self.copied).take(rows).enumerate() {
                    let from = (row0 + i) * stride + part.input;
                    to[..part.len].copy_from_slice(&data[from..from + part.len]);
                }
                (copy, self.copied)
            }
            Operand::Gather { data, at } => {
                for (i, to) in copy.chunks_exact_mut(self.copied).take(rows).enumerate() {
                    match at(row0 + i, part.tap) {
                        Some(from) => {
                            let from = from + part.input;
                            to[..part.len].copy_from_slice(&data[from..from + part.len]);
                        }
                        None => to[..part.len].fill(0.0),
                    }
                }
                (copy, self.copied)
            }
        }
    }
}

/// The part's rows of panel `p` in single precision, the first of them first, and how far apart they
/// stand; `wide` holds them where they have to be widened.
#[inline(always)]
fn widen<'a, S: Isa>(
    isa: S,
    w: &'a Panels,
    p: usize,
    part: &Part,
    wide: &'a mut [f32],
) -> (&'a [f32], usize) {
    let step = w.taps * w.width;
    match w.rows(p, part.input) {
        Rows::F32(rows) => (&rows[part.tap * w.width..], step),
        Rows::F16(rows) => {
            let width = VECTORS * S::LANES;
            let from = Strip::new(&rows[part.tap * w.width..], (part.len, step), (0, width));
            let mut to = StripMut::new(wide, (part.len, width), (0, width));
            for i in 0..part.len {
                let (from, to) = (from.row(i), to.row(i));
                for j in 0..VECTORS {
                    let v = isa.load_f16(&from[j * S::LANES..]);
                    isa.store(&mut to[j * S::LANES..], v);
                }
            }
            (wide, width)
        }
    }
}
