//! Attention that never holds the matrix of scores: tiled, with a running softmax (Milakov and
//! Gimelshein, arXiv 1805.02867; Dao et al., arXiv 2205.14135).
//!
//! A tile of scores stands upright, keys down and queries across, so that a lane is a query: its
//! maximum and sum need no reduction across lanes, and both products read keys and values where the
//! projections left them.

use super::Context;
use super::context::Shared;
use super::simd::{self, Kernel, Simd, math};
use super::tile::Tile;
use crate::error::Result;
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
    let s = shape;
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
        q,
        k,
        v,
        out: Shared::new(out),
        panels,
        width,
    };
    cx.tasks(s.batch * s.heads * blocks, job.words(), |scratch, i| {
        let (head, block) = (i / blocks, i % blocks);
        // SAFETY: lengths were checked above; each task has its own queries and head of `out`.
        unsafe {
            simd::run(
                cx.path(),
                Task {
                    job: &job,
                    scratch,
                    batch: head / s.heads,
                    head: head % s.heads,
                    first: block * panels * width,
                },
            )
        }
    })
}

struct Job<'a> {
    shape: &'a Attention,
    q: Strided<'a>,
    k: Strided<'a>,
    v: Strided<'a>,
    out: Shared<f32>,
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
    #[allow(unsafe_op_in_unsafe_fn)] // Steps of one computation on the task's own scratch memory.
    unsafe fn run<S: Simd>(self) {
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
            let k = self
                .job
                .k
                .data
                .as_ptr()
                .add(row * self.job.k.stride + column);
            let v = self
                .job
                .v
                .data
                .as_ptr()
                .add(row * self.job.v.stride + column);
            for p in 0..panels {
                product::<S>(
                    &Tile {
                        depth: s.dim,
                        a: k,
                        a_row: self.job.k.stride,
                        a_step: 1,
                        b: turned.as_ptr().add(p * s.dim * width),
                        b_row: width,
                        c: scores.as_mut_ptr(),
                        c_row: width,
                        columns: width,
                        accumulate: false,
                        finish: None,
                    },
                    keys,
                );
                if s.causal {
                    blind(scores, width, key, keys, self.first + p * width);
                }
                let sums = sums.as_mut_ptr().add(p * s.dim * width);
                for lane in (0..width).step_by(S::LANES) {
                    let state = (
                        highest.as_mut_ptr().add(p * width + lane),
                        totals.as_mut_ptr().add(p * width + lane),
                    );
                    let fade = softmax::<S>(scores.as_mut_ptr().add(lane), width, keys, state);
                    if key > 0 {
                        for e in 0..s.dim {
                            let at = sums.add(e * width + lane);
                            S::store(at, S::mul(S::load(at), fade));
                        }
                    }
                }
                product::<S>(
                    &Tile {
                        depth: keys,
                        a: v,
                        a_row: 1,
                        a_step: self.job.v.stride,
                        b: scores.as_ptr(),
                        b_row: width,
                        c: sums,
                        c_row: width,
                        columns: width,
                        accumulate: key > 0,
                        finish: None,
                    },
                    s.dim,
                );
            }
        }
        for i in 0..queries {
            let (p, lane) = (i / width, i % width);
            let inverse = 1.0 / totals[i];
            let from = &sums[p * s.dim * width + lane..];
            let row = self.batch * s.queries + self.first + i;
            let to = self.job.out.at(row * s.heads * s.dim + column);
            for e in 0..s.dim {
                *to.add(e) = from[e * width] * inverse;
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

/// `rows` rows of the product that `t` describes from its first on.
#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn)]
unsafe fn product<S: Simd>(t: &Tile, rows: usize) {
    let height = rows.div_ceil(rows.div_ceil(S::TILES.len()));
    let mut t = *t;
    for top in (0..rows).step_by(height) {
        S::TILES[height.min(rows - top) - 1](&t);
        t.a = t.a.wrapping_add(height * t.a_row);
        t.c = t.c.wrapping_add(height * t.c_row);
    }
}

/// A vector of queries: turns their scores into weights, and gives what earlier sums fade by.
#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn)]
unsafe fn softmax<S: Simd>(
    scores: *mut f32,
    width: usize,
    keys: usize,
    (highest, total): (*mut f32, *mut f32),
) -> S::V {
    let before = S::load(highest);
    let (mut m0, mut m1) = (before, before);
    let mut i = 0;
    while i + 2 <= keys {
        m0 = S::max(m0, S::load(scores.add(i * width)));
        m1 = S::max(m1, S::load(scores.add((i + 1) * width)));
        i += 2;
    }
    if i < keys {
        m0 = S::max(m0, S::load(scores.add(i * width)));
    }
    let now = S::max(m0, m1);
    let (mut s0, mut s1) = (S::zero(), S::zero());
    i = 0;
    while i + 2 <= keys {
        let (p, q) = (scores.add(i * width), scores.add((i + 1) * width));
        let (x, y) = (
            math::exp2::<S>(S::sub(S::load(p), now)),
            math::exp2::<S>(S::sub(S::load(q), now)),
        );
        S::store(p, x);
        S::store(q, y);
        s0 = S::add(s0, x);
        s1 = S::add(s1, y);
        i += 2;
    }
    if i < keys {
        let p = scores.add(i * width);
        let x = math::exp2::<S>(S::sub(S::load(p), now));
        S::store(p, x);
        s0 = S::add(s0, x);
    }
    let fade = math::exp2::<S>(S::sub(before, now));
    S::store(highest, now);
    S::store(total, S::fma(S::load(total), fade, S::add(s0, s1)));
    fade
}
