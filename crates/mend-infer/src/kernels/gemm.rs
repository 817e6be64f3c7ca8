//! Matrix products: activations times packed weights, in blocks that stay in the caches.

use super::context::Shared;
use super::int8::{self, Precision};
use super::panels::{Panels, Rows, Source, Stored};
use super::simd::{self, Kernel, Simd};
use super::tile::{Finish, Tile, VECTORS};
use super::{Context, Epilogue};
use crate::error::Result;
use crate::memory;
use std::ptr;

/// Rows of A that a task takes: with [`DEPTH`], what half of a megabyte of second-level cache holds.
const ROWS: usize = 448;
/// Length of sums between two visits of C: a part of a panel and of a tile's rows, 32 and 14 KB, stay
/// in the nearest cache.
const DEPTH: usize = 256;
/// Tasks that a thread should have at the least.
const TASKS: usize = 4;
/// Bytes of a cache line.
const LINE: usize = 64;

/// A fully connected layer: `[rows][inputs] → [rows][outputs]`, `y = x Wᵀ + b`.
pub struct Linear {
    panels: Panels,
    bias: Vec<f32>,
}

impl Linear {
    /// Packs `weight`, `[outputs][inputs]` as PyTorch keeps it, and `bias`, `[outputs]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    ///
    /// # Panics
    /// When a length is not what the shape says: the weights' reader checks shapes.
    pub fn new(
        cx: &Context,
        weight: Source,
        bias: Option<&[f32]>,
        outputs: usize,
        inputs: usize,
    ) -> Result<Self> {
        Self::with_precision(cx, cx.precision(), weight, bias, outputs, inputs)
    }

    /// As [`Self::new`], packed for products of this precision.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn with_precision(
        cx: &Context,
        precision: Precision,
        weight: Source,
        bias: Option<&[f32]>,
        outputs: usize,
        inputs: usize,
    ) -> Result<Self> {
        let panels = Panels::new(cx, precision, weight, outputs, inputs, 1, false)?;
        let bias = pack_bias(&panels, bias)?;
        Ok(Self { panels, bias })
    }

    /// As [`Self::new`] in full precision, of weights that are read as they are packed; with `gated`
    /// as [`Self::gated`], `weight` then being `[2 · outputs][inputs]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`]; what stopped the reading.
    pub fn stored(
        cx: &Context,
        weight: &dyn Stored,
        bias: Option<&[f32]>,
        outputs: usize,
        inputs: usize,
        gated: bool,
    ) -> Result<Self> {
        let rows = outputs * (1 + usize::from(gated));
        let panels = Panels::stored(cx, weight, rows, inputs, 1, gated)?;
        let bias = pack_bias(&panels, bias)?;
        Ok(Self { panels, bias })
    }

    /// As [`Self::new`], for a layer whose first `outputs` rows are values and whose last `outputs`
    /// are their gates: `y = value · activation(gate)`. `weight` is `[2 · outputs][inputs]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn gated(
        cx: &Context,
        weight: Source,
        bias: Option<&[f32]>,
        outputs: usize,
        inputs: usize,
    ) -> Result<Self> {
        Self::gated_with_precision(cx, cx.precision(), weight, bias, outputs, inputs)
    }

    /// As [`Self::gated`], packed for products of this precision.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn gated_with_precision(
        cx: &Context,
        precision: Precision,
        weight: Source,
        bias: Option<&[f32]>,
        outputs: usize,
        inputs: usize,
    ) -> Result<Self> {
        let panels = Panels::new(cx, precision, weight, 2 * outputs, inputs, 1, true)?;
        let bias = pack_bias(&panels, bias)?;
        Ok(Self { panels, bias })
    }

    /// Columns of the result.
    pub fn outputs(&self) -> usize {
        if self.panels.gated {
            self.panels.outputs / 2
        } else {
            self.panels.outputs
        }
    }

    /// Rows of the weight: the result's columns, and those of the gates where there are gates.
    pub fn columns(&self) -> usize {
        self.panels.outputs
    }

    /// Columns of the input.
    pub fn inputs(&self) -> usize {
        self.panels.inputs
    }

    /// How the products are computed.
    pub fn precision(&self) -> Precision {
        self.panels.precision()
    }

    /// Tiles of `set` where the weights are bytes; of this machine's and the path's.
    #[cfg(test)]
    pub(super) fn force(&mut self, set: int8::Set) {
        self.panels.force(set);
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        self.panels.bytes() + self.bias.len() * 4
    }

    /// `out[rows][outputs]` from `x[rows][inputs]`. A gated layer takes no residual.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    ///
    /// # Panics
    /// When a length is not what the shapes say.
    pub fn forward(&self, cx: &Context, x: &[f32], ep: &Epilogue, out: &mut [f32]) -> Result<()> {
        let inputs = self.panels.inputs;
        assert_eq!(x.len() % inputs.max(1), 0, "whole rows");
        let rows = x.len() / inputs.max(1);
        assert!(
            !self.panels.gated || (ep.add_before.is_none() && ep.add_after.is_none()),
            "a gated layer takes no residual"
        );
        if let Some(w) = self.panels.int8() {
            let x = int8::Quantised::new(cx, x, rows, inputs, inputs)?;
            let shape = int8::Shape {
                source: &|row, _| Some(row),
                rows,
                c_row: self.outputs(),
            };
            return int8::product(cx, (&self.panels, w), &self.bias, &x, &shape, ep, out);
        }
        let operand = Operand::Rows {
            data: x,
            stride: inputs,
        };
        product(
            cx,
            &self.panels,
            &self.bias,
            &operand,
            rows,
            ep,
            out,
            self.outputs(),
        )
    }
}

/// `bias` as the tiles read it: by panels, and values beside their gates.
pub(super) fn pack_bias(panels: &Panels, bias: Option<&[f32]>) -> Result<Vec<f32>> {
    let Some(bias) = bias else {
        return Ok(Vec::new());
    };
    assert_eq!(bias.len(), panels.outputs, "bias' length");
    let mut out = memory::filled(panels.count() * panels.width, 0.0, "a network's weights")?;
    for p in 0..panels.count() {
        let (first, n) = panels.columns(p);
        let to = &mut out[p * panels.width..][..panels.width];
        to[..n].copy_from_slice(&bias[first..first + n]);
        if panels.gated {
            let gates = panels.outputs / 2 + first;
            to[panels.width / 2..][..n].copy_from_slice(&bias[gates..gates + n]);
        }
    }
    Ok(out)
}

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
    let tallest = simd::tallest(cx.path());
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
        // SAFETY: lengths were checked above, and each task has its own rows and columns of `out`.
        unsafe {
            simd::run(
                cx.path(),
                Task {
                    job: &job,
                    scratch,
                    block: i / cut.chunks,
                    chunk: i % cut.chunks,
                },
            )
        }
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
    out: Shared<f32>,
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
    unsafe fn run<S: Simd>(self) {
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
                // SAFETY: `wide` holds the longest part.
                let (b, b_row) = unsafe { widen::<S>(w, p, part.input, part.tap, part.len, wide) };
                let (column, columns) = w.columns(p);
                // The next panel comes while this one is worked with: nothing waits for the memory.
                let (next, bytes) = w.ahead(p + 1, part.input);
                let tiles = last - first;
                let share = (part.len * bytes).div_ceil(tiles);
                for t in 0..last - first {
                    if w.taps == 1 {
                        for line in (0..share).step_by(LINE) {
                            // SAFETY: asking for a line touches nothing.
                            unsafe { S::prefetch_far(next.wrapping_add(t * share + line)) };
                        }
                    }
                    let top = t * cut.height;
                    let height = cut.height.min(rows - top);
                    let c = (row0 + top) * self.job.c_row + column;
                    let tile = Tile {
                        depth: part.len,
                        a: a.wrapping_add(top * a_row),
                        a_row,
                        a_step: 1,
                        b,
                        b_row,
                        c: self.job.out.at(c),
                        c_row: self.job.c_row,
                        columns,
                        accumulate: at > 0,
                        finish: (at + 1 == self.job.parts.len())
                            .then(|| finish(self.job.bias, p * w.width, self.job.ep, c, w.gated)),
                    };
                    // SAFETY: the rows and columns are this task's own; lengths are `product`'s.
                    unsafe { S::TILES[height - 1](&tile) };
                }
            }
        }
    }
}

/// The end of a tile whose corner is `c` and whose panel's bias starts at `bias_at`.
pub(super) fn finish(bias: &[f32], bias_at: usize, ep: &Epilogue, c: usize, gated: bool) -> Finish {
    let place = |add: Option<&[f32]>| add.map_or(ptr::null(), |add| add[c..].as_ptr());
    Finish {
        bias: if bias.is_empty() {
            ptr::null()
        } else {
            bias[bias_at..].as_ptr()
        },
        add_before: place(ep.add_before),
        add_after: place(ep.add_after),
        activation: ep.activation,
        gated,
    }
}

impl Job<'_> {
    /// The part's columns of the block's rows: where they stand and how far apart.
    #[inline(always)]
    fn rows_of(
        &self,
        part: &Part,
        row0: usize,
        rows: usize,
        copy: &mut [f32],
    ) -> (*const f32, usize) {
        match self.operand {
            Operand::Rows { data, stride } if self.in_place => {
                (data[row0 * stride + part.input..].as_ptr(), *stride)
            }
            Operand::Rows { data, stride } => {
                for (i, to) in copy.chunks_exact_mut(self.copied).take(rows).enumerate() {
                    let from = (row0 + i) * stride + part.input;
                    to[..part.len].copy_from_slice(&data[from..from + part.len]);
                }
                (copy.as_ptr(), self.copied)
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
                (copy.as_ptr(), self.copied)
            }
        }
    }
}

/// `len` rows of panel `p` in single precision: where they stand and how far apart.
///
/// # Safety
/// `wide` holds `len` rows.
#[inline(always)]
unsafe fn widen<S: Simd>(
    w: &Panels,
    p: usize,
    input: usize,
    tap: usize,
    len: usize,
    wide: &mut [f32],
) -> (*const f32, usize) {
    let step = w.taps * w.width;
    match w.rows(p, input) {
        Rows::F32(rows) => (rows[tap * w.width..].as_ptr(), step),
        Rows::F16(rows) => {
            let rows = &rows[tap * w.width..];
            assert!(rows.len() >= (len - 1) * step + w.width && wide.len() >= len * w.width);
            let (from, to) = (rows.as_ptr() as *const u16, wide.as_mut_ptr());
            for i in 0..len {
                // SAFETY: inside both, by the assertion.
                unsafe {
                    let (from, to) = (from.add(i * step), to.add(i * VECTORS * S::LANES));
                    for j in 0..VECTORS {
                        S::store(to.add(j * S::LANES), S::load_f16(from.add(j * S::LANES)));
                    }
                }
            }
            (to, w.width)
        }
    }
}
