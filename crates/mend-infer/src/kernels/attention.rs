//! Attention that never holds the matrix of scores: tiled, with a running softmax (Milakov and
//! Gimelshein, arXiv 1805.02867; Dao et al., arXiv 2205.14135).
//!
//! A tile of scores stands upright, keys down and queries across, so that a lane is a query: its
//! maximum and sum need no reduction across lanes, and both products read keys and values where the
//! projections left them.

use super::Context;
use super::shared::{Place, Shared};
use super::simd::{Isa, Kernel, Strip, StripMut, math};
use super::tile::{self, Tile};
use crate::error::Result;
use crate::memory;
use std::f32::consts::LOG2_E;

/// Keys at a time: with 32 queries, 16 KB of scores.
const KEYS: usize = 128;

/// An attention's shape.
#[derive(Clone, Copy, Debug)]
pub struct Attention {
    /// Independent sequences.
    pub batch: usize,
    /// Queries of a sequence.
    pub queries: usize,
    /// Keys and values of a sequence.
    pub keys: usize,
    /// Heads.
    pub heads: usize,
    /// Channels of a head.
    pub dim: usize,
    /// What scores are multiplied by; 1/√dim in most networks.
    pub scale: f32,
    /// A query sees only the keys up to its own place (text encoders').
    pub causal: bool,
    /// Queries of one head that are worked on together, at least 1: the size of attention's slices.
    /// A thread's working set is about `slice · (2 dim + 2)` floats and a tile of scores; the result
    /// does not depend on it.
    pub slice: usize,
}

impl Attention {
    /// Slices that are large enough for full speed.
    pub const SLICE: usize = 128;
}

/// Rows of a matrix: row `i`'s `heads · dim` values start at `i * stride`.
#[derive(Clone, Copy)]
pub struct Strided<'a> {
    /// From the first row's first value on.
    pub data: &'a [f32],
    /// Values from a row to the next.
    pub stride: usize,
}

impl Strided<'_> {
    fn check(&self, rows: usize, columns: usize, what: &str) {
        assert!(
            rows == 0
                || self.stride >= columns && self.data.len() >= (rows - 1) * self.stride + columns,
            "{what}'s length"
        );
    }
}

/// What scores get added, the same in each sequence of a batch: a relative position's bias.
pub struct Bias {
    /// `[heads][keys][queries]`, times log₂ e as the scores are; queries filled up to whole panels.
    values: Vec<f32>,
    heads: usize,
    keys: usize,
    queries: usize,
}

impl Bias {
    /// With `of(head, query, key)`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn new(
        cx: &Context,
        (heads, queries, keys): (usize, usize, usize),
        of: impl Fn(usize, usize, usize) -> f32,
    ) -> Result<Self> {
        let row = queries.div_ceil(cx.width()) * cx.width();
        let mut values = memory::filled(heads * keys * row, 0f32, "an attention's bias")?;
        for (i, row) in values.chunks_exact_mut(row.max(1)).enumerate() {
            for (query, v) in row[..queries].iter_mut().enumerate() {
                *v = of(i / keys, query, i % keys) * LOG2_E;
            }
        }
        Ok(Self {
            values,
            heads,
            keys,
            queries,
        })
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.values.len() * 4
    }
}

/// `out[batch · queries][heads · dim] = softmax(scale · q kᵀ) v`, head by head.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
///
/// # Panics
/// When a length is not what the shape says, or there are queries but no keys.
pub fn attention(
    cx: &Context,
    shape: &Attention,
    q: Strided,
    k: Strided,
    v: Strided,
    out: &mut [f32],
) -> Result<()> {
    attention_biased(cx, shape, None, q, k, v, out)
}

/// As [`attention`], with `bias` added to the scores once they are scaled.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
///
/// # Panics
/// As [`attention`], and when the bias is of another shape or was made for wider vectors.
pub fn attention_biased(
    cx: &Context,
    shape: &Attention,
    bias: Option<&Bias>,
    q: Strided,
    k: Strided,
    v: Strided,
    out: &mut [f32],
) -> Result<()> {
    let s = shape;
    if let Some(b) = bias {
        let row = s.queries.div_ceil(cx.width()) * cx.width();
        assert!(
            (b.heads, b.keys, b.queries) == (s.heads, s.keys, s.queries)
                && b.values.len() == s.heads * s.keys * row,
            "a bias of the attention's shape"
        );
    }
    let columns = s.heads * s.dim;
    q.check(s.batch * s.queries, columns, "queries");
    k.check(s.batch * s.keys, columns, "keys");
    v.check(s.batch * s.keys, columns, "values");
    assert_eq!(out.len(), s.batch * s.queries * columns, "output's length");
    if out.is_empty() {
        return Ok(());
    }
    assert!(s.keys > 0, "attention to nothing");
    let width = cx.width();
    let panels = s.slice.clamp(1, s.queries).div_ceil(width);
    let blocks = s.queries.div_ceil(panels * width);
    let job = Job {
        shape: s,
        bias,
        q,
        k,
        v,
        out: Shared::new(out),
        panels,
        width,
    };
    cx.tasks(s.batch * s.heads * blocks, job.words(), |scratch, i| {
        let (head, block) = (i / blocks, i % blocks);
        cx.run(Task {
            job: &job,
            scratch,
            batch: head / s.heads,
            head: head % s.heads,
            first: block * panels * width,
        });
    })
}

struct Job<'a> {
    shape: &'a Attention,
    bias: Option<&'a Bias>,
    q: Strided<'a>,
    k: Strided<'a>,
    v: Strided<'a>,
    out: Shared<'a, f32>,
    /// Panels of queries in a slice.
    panels: usize,
    /// Queries of a panel.
    width: usize,
}

impl Job<'_> {
    fn words(&self) -> usize {
        (KEYS + self.panels * (2 * self.shape.dim + 2)) * self.width
    }
}

struct Task<'a> {
    job: &'a Job<'a>,
    scratch: &'a mut [f32],
    batch: usize,
    head: usize,
    first: usize,
}

impl Kernel for Task<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Isa>(self, isa: S) {
        let Job {
            shape: s, width, ..
        } = *self.job;
        let queries = (self.job.panels * width).min(s.queries - self.first);
        let panels = queries.div_ceil(width);
        let (scores, rest) = self.scratch.split_at_mut(KEYS * width);
        let (turned, rest) = rest.split_at_mut(panels * s.dim * width);
        let (sums, rest) = rest.split_at_mut(panels * s.dim * width);
        let (highest, totals) = rest.split_at_mut(panels * width);
        let column = self.head * s.dim;
        for (p, turned) in turned.chunks_exact_mut(s.dim * width).enumerate() {
            let first = self.batch * s.queries + self.first + p * width;
            let n = width.min(queries - p * width);
            turn(
                &self.job.q,
                first,
                n,
                column,
                s.scale * LOG2_E,
                width,
                turned,
            );
        }
        highest.fill(LEAST);
        totals.fill(0.0);
        let last_key = if s.causal {
            (self.first + queries).min(s.keys)
        } else {
            s.keys
        };
        for key in (0..last_key).step_by(KEYS) {
            let keys = KEYS.min(last_key - key);
            let row = self.batch * s.keys + key;
            let k = &self.job.k.data[row * self.job.k.stride + column..];
            let v = &self.job.v.data[row * self.job.v.stride + column..];
            for p in 0..panels {
                let turned = &turned[p * s.dim * width..][..s.dim * width];
                let sums = &mut sums[p * s.dim * width..][..s.dim * width];
                let lanes = p * width..(p + 1) * width;
                let mut state = State {
                    highest: &mut highest[lanes.clone()],
                    totals: &mut totals[lanes],
                };
                let k = Factor {
                    data: k,
                    row: self.job.k.stride,
                    step: 1,
                };
                let c = Place::of(scores, (keys, width), width);
                product(isa, s.dim, &k, turned, c, false);
                if let Some(bias) = self.job.bias {
                    let row = s.queries.div_ceil(width) * width;
                    let from = (self.head * s.keys + key) * row + self.first + p * width;
                    lean(isa, scores, &bias.values[from..], (keys, width, row));
                }
                if s.causal {
                    blind(scores, width, key, keys, self.first + p * width);
                }
                state.weigh(isa, scores, keys, (key > 0).then_some(&mut *sums));
                let v = Factor {
                    data: v,
                    row: 1,
                    step: self.job.v.stride,
                };
                let c = Place::of(sums, (s.dim, width), width);
                product(isa, keys, &v, scores, c, key > 0);
            }
        }
        for i in 0..queries {
            let (p, lane) = (i / width, i % width);
            let inverse = 1.0 / totals[i];
            let sums = &sums[p * s.dim * width..][..s.dim * width];
            let from = Strip::new(sums, (s.dim, width), (lane, 1));
            let row = self.batch * s.queries + self.first + i;
            let at = row * s.heads * s.dim + column;
            // SAFETY: the query and the head are this task's own.
            let to = unsafe { self.job.out.part(at, s.dim) };
            for (e, to) in to.iter_mut().enumerate() {
                *to = from.row(e)[0] * inverse;
            }
        }
    }
}

/// Below every score.
const LEAST: f32 = -1e30;

/// `n` rows of `q` from `first` on, times `scale`, as columns of `out[dim][width]`; others are 0.
fn turn(
    q: &Strided,
    first: usize,
    n: usize,
    column: usize,
    scale: f32,
    width: usize,
    out: &mut [f32],
) {
    if n < width {
        out.fill(0.0);
    }
    // Across the rows, so that fetching one does not wait for another.
    let rows = &q.data[first * q.stride + column..];
    for (e, line) in out.chunks_exact_mut(width).enumerate() {
        for (i, x) in line[..n].iter_mut().enumerate() {
            *x = rows[i * q.stride + e] * scale;
        }
    }
}

/// Puts the scores of keys that come after their query out of sight.
fn blind(scores: &mut [f32], width: usize, key: usize, keys: usize, query: usize) {
    for (i, row) in scores.chunks_exact_mut(width).take(keys).enumerate() {
        let hidden = (key + i).saturating_sub(query).min(width);
        row[..hidden].fill(LEAST);
    }
}

/// Adds a bias, whose rows are `row` apart, to the scores of `keys` keys.
#[inline(always)]
fn lean<S: Isa>(
    isa: S,
    scores: &mut [f32],
    bias: &[f32],
    (keys, width, row): (usize, usize, usize),
) {
    for lane in (0..width).step_by(S::LANES) {
        let bias = Strip::new(bias, (keys, row), (lane, S::LANES));
        let mut scores = StripMut::new(scores, (keys, width), (lane, S::LANES));
        for i in 0..keys {
            let sum = isa.add(isa.load(scores.row(i)), isa.load(bias.row(i)));
            isa.store(scores.row(i), sum);
        }
    }
}

/// The left factor of a product: element (i, k) stands at `data[i * row + k * step]`.
struct Factor<'a> {
    data: &'a [f32],
    row: usize,
    step: usize,
}

/// `c`, as wide as the panel `b`, from or with the sums of `depth` products of `a` and `b`.
#[inline(always)]
fn product<S: Isa>(
    isa: S,
    depth: usize,
    a: &Factor,
    b: &[f32],
    mut c: Place<f32>,
    accumulate: bool,
) {
    let rows = c.rows();
    let height = rows.div_ceil(rows.div_ceil(S::TALLEST));
    for top in (0..rows).step_by(height) {
        let mut tile = Tile {
            depth,
            a: &a.data[top * a.row..],
            a_row: a.row,
            a_step: a.step,
            b,
            b_row: c.columns(),
            c: c.part(top, height.min(rows - top)),
            accumulate,
            finish: None,
        };
        tile::run(isa, &mut tile);
    }
}

/// What is known of a panel's queries after some keys.
struct State<'a> {
    /// Each query's highest score.
    highest: &'a mut [f32],
    /// Each query's sum of weights.
    totals: &'a mut [f32],
}

impl State<'_> {
    /// Turns `keys` rows of scores into weights, and has `earlier` sums fade to where the new ones are
    /// added.
    #[inline(always)]
    fn weigh<S: Isa>(
        &mut self,
        isa: S,
        scores: &mut [f32],
        keys: usize,
        mut earlier: Option<&mut [f32]>,
    ) {
        let width = self.highest.len();
        for lane in (0..width).step_by(S::LANES) {
            let columns = (lane, S::LANES);
            let scores = StripMut::new(scores, (keys, width), columns);
            let highest = &mut self.highest[lane..lane + S::LANES];
            let totals = &mut self.totals[lane..lane + S::LANES];
            let fade = softmax(isa, scores, keys, highest, totals);
            if let Some(sums) = &mut earlier {
                let rows = sums.len() / width;
                let mut sums = StripMut::new(sums, (rows, width), columns);
                for e in 0..rows {
                    let sum = sums.row(e);
                    isa.store(sum, isa.mul(isa.load(sum), fade));
                }
            }
        }
    }
}

/// A vector of queries: turns their scores into weights, and gives what earlier sums fade by.
#[inline(always)]
fn softmax<S: Isa>(
    isa: S,
    mut scores: StripMut<f32>,
    keys: usize,
    highest: &mut [f32],
    total: &mut [f32],
) -> S::V {
    let before = isa.load(highest);
    let (mut m0, mut m1) = (before, before);
    let mut i = 0;
    while i + 2 <= keys {
        m0 = isa.max(m0, isa.load(scores.row(i)));
        m1 = isa.max(m1, isa.load(scores.row(i + 1)));
        i += 2;
    }
    if i < keys {
        m0 = isa.max(m0, isa.load(scores.row(i)));
    }
    let now = isa.max(m0, m1);
    let (mut s0, mut s1) = (isa.zero(), isa.zero());
    i = 0;
    while i + 2 <= keys {
        let x = math::exp2(isa, isa.sub(isa.load(scores.row(i)), now));
        let y = math::exp2(isa, isa.sub(isa.load(scores.row(i + 1)), now));
        isa.store(scores.row(i), x);
        isa.store(scores.row(i + 1), y);
        s0 = isa.add(s0, x);
        s1 = isa.add(s1, y);
        i += 2;
    }
    if i < keys {
        let x = math::exp2(isa, isa.sub(isa.load(scores.row(i)), now));
        isa.store(scores.row(i), x);
        s0 = isa.add(s0, x);
    }
    let fade = math::exp2(isa, isa.sub(before, now));
    isa.store(highest, now);
    isa.store(total, isa.fma(isa.load(total), fade, isa.add(s0, s1)));
    fade
}
