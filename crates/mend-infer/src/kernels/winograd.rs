//! 3×3 convolution with stride 1 by Winograd's minimal filtering (Lavin and Gray, arXiv 1509.09308).
//!
//! F(2×2) takes 16 products where the plain sum takes 36, F(4×4) takes 36 where it takes 144. The
//! weights stay as [`Panels`] hold them and are transformed where they are used, a panel and
//! [`DEPTH`] inputs at a time: that is a few hundredths of the products' time, and saves both the
//! memory of transformed weights (four times as many values, which f16 would spoil) and the time to
//! read them.
//!
//! F(4×4)'s points are 0, ±¾, ±1½ and ∞. The customary 0, ±1, ±2, ∞ lose three times as much: on 640
//! normal inputs the largest error is 5.3e-5 of the result's rms with those, 1.6e-5 with these.

use super::panels::{Panels, Rows};
use super::shape::Field;
use super::shared::{Place, Shared};
use super::simd::{Element, Isa, Kernel, Strip, StripMut, math};
use super::tile::{self, Tile};
use super::{Context, Epilogue};
use crate::error::Result;

/// Inputs whose transformed weights are at hand at a time: 36 × 64 rows of a panel are 295 KB.
const DEPTH: usize = 64;
/// Floats between the ends and beginnings of points' matrices: without them, the same element of all
/// points would fall into one set of the nearest cache.
const GAP: usize = 16;
/// Bytes of a cache line.
const LINE: usize = 64;

/// Multiplications for one input and output of an F(`side - 2`) convolution, and what the weights'
/// transformation costs in the same unit.
pub(super) fn cost(field: &Field, side: usize) -> f64 {
    let r = side - 2;
    let tiles = field.batch * field.out_height.div_ceil(r) * field.out_width.div_ceil(r);
    let transform = if side == 4 { 60.0 } else { 130.0 };
    (side * side * tiles) as f64 + transform
}

/// Tiles that a task takes.
fn tiles_a_task(tiles: usize, side: usize, inputs: usize, threads: usize) -> usize {
    // The transformed inputs of a task stay near 8 MB. Fewer tiles would transform weights too often.
    let most = ((1 << 21) / (side * side * inputs.next_multiple_of(DEPTH))).clamp(64, 128);
    let blocks = tiles.div_ceil(most);
    let blocks = if blocks > 1 {
        blocks.next_multiple_of(threads)
    } else {
        blocks
    };
    tiles.div_ceil(blocks.min(tiles))
}

/// `y[batch · out_height · out_width][outputs]` from `x[batch · height · width][inputs]`; `SIDE` is 4
/// for F(2×2), 6 for F(4×4).
#[allow(clippy::too_many_arguments)]
pub(super) fn forward<const SIDE: usize>(
    cx: &Context,
    w: &Panels,
    bias: &[f32],
    field: &Field,
    x: &[f32],
    ep: &Epilogue,
    y: &mut [f32],
) -> Result<()> {
    w.check(cx);
    let f = field;
    assert!(w.taps == 9 && !w.gated, "a 3×3 convolution's weights");
    assert_eq!(
        x.len(),
        f.batch * f.height * f.width * w.inputs,
        "input's length"
    );
    assert_eq!(
        y.len(),
        f.batch * f.out_height * f.out_width * w.outputs,
        "output's length"
    );
    for add in [ep.add_before, ep.add_after].into_iter().flatten() {
        assert_eq!(add.len(), y.len(), "residual's length");
    }
    let r = SIDE - 2;
    let across = f.out_width.div_ceil(r);
    let tiles = f.batch * f.out_height.div_ceil(r) * across;
    if tiles == 0 || w.outputs == 0 {
        return Ok(());
    }
    let threads = cx.threads();
    let block = tiles_a_task(tiles, SIDE, w.inputs, threads);
    let blocks = tiles.div_ceil(block);
    let chunks = if blocks.is_multiple_of(threads) {
        1
    } else {
        // Two a thread, since no two cores are equally fast, unless that transformed inputs too often.
        let fine = (2 * threads).min(w.count() / 8);
        fine.max(threads).min(w.count())
    };
    let panels_a_chunk = w.count().div_ceil(chunks);
    let chunks = w.count().div_ceil(panels_a_chunk);
    let tallest = cx.tallest();
    let points = SIDE * SIDE;
    let sizes = [
        points * (block * DEPTH + GAP) * w.inputs.div_ceil(DEPTH),
        points * (DEPTH * w.width + GAP),
        points * (block * w.width + GAP),
    ];
    let job = Job::<SIDE> {
        w,
        bias,
        field: f,
        x,
        ep,
        y: Shared::new(y),
        across,
        tiles,
        block,
        height: block.div_ceil(block.div_ceil(tallest)),
        panels_a_chunk,
        sizes,
    };
    cx.tasks(blocks * chunks, sizes.iter().sum(), |scratch, i| {
        cx.run(Task {
            job: &job,
            scratch,
            first: i / chunks * block,
            panels: i % chunks * panels_a_chunk,
        });
    })
}

struct Job<'a, const SIDE: usize> {
    w: &'a Panels,
    bias: &'a [f32],
    field: &'a Field,
    x: &'a [f32],
    ep: &'a Epilogue<'a>,
    y: Shared<'a, f32>,
    /// Tiles in a row of a picture.
    across: usize,
    tiles: usize,
    /// Tiles of a task.
    block: usize,
    /// Rows of a product's tile.
    height: usize,
    panels_a_chunk: usize,
    /// Floats for transformed inputs, weights, and products.
    sizes: [usize; 3],
}

struct Task<'a, const SIDE: usize> {
    job: &'a Job<'a, SIDE>,
    scratch: &'a mut [f32],
    first: usize,
    panels: usize,
}

/// A tile's picture and the row and column of its output's corner.
fn place<const SIDE: usize>(job: &Job<SIDE>, tile: usize) -> (usize, usize, usize) {
    let down = job.field.out_height.div_ceil(SIDE - 2);
    let (row, column) = (tile / job.across, tile % job.across);
    (row / down, row % down * (SIDE - 2), column * (SIDE - 2))
}

impl<const SIDE: usize> Kernel for Task<'_, SIDE> {
    type Out = ();

    #[inline(always)]
    fn run<S: Isa>(self, isa: S) {
        let job = self.job;
        let w = job.w;
        let count = job.block.min(job.tiles - self.first);
        let (v, rest) = self.scratch.split_at_mut(job.sizes[0]);
        let (u, m) = rest.split_at_mut(job.sizes[1]);
        for t in 0..count {
            inputs::<S, SIDE>(isa, job, self.first + t, v, t);
        }
        for p in self.panels..(self.panels + job.panels_a_chunk).min(w.count()) {
            for (k, input) in (0..w.inputs).step_by(DEPTH).enumerate() {
                let depth = DEPTH.min(w.inputs - input);
                weights::<S, SIDE>(isa, w, p, input, depth, u);
                let v = &v[k * SIDE * SIDE * job.point(DEPTH)..];
                products::<S, SIDE>(isa, job, (p, input), count, v, u, m);
            }
            for t in 0..count {
                outputs::<S, SIDE>(isa, job, p, self.first + t, m, t);
            }
        }
    }
}

impl<const SIDE: usize> Job<'_, SIDE> {
    /// Values from one point's matrix of `columns` to the next.
    fn point(&self, columns: usize) -> usize {
        self.block * columns + GAP
    }
}

/// The products of each point: `count` tiles by panel `p`, adding [`DEPTH`] inputs or less from `input`
/// on, whose transforms are `v` and `u`, to `m`.
#[inline(always)]
fn products<S: Isa, const SIDE: usize>(
    isa: S,
    job: &Job<SIDE>,
    (p, input): (usize, usize),
    count: usize,
    v: &[f32],
    u: &[f32],
    m: &mut [f32],
) {
    let (w, points) = (job.w, SIDE * SIDE);
    let depth = DEPTH.min(w.inputs - input);
    // The next weights come while these are worked with: nothing waits for the memory.
    let (next, bytes) = w.ahead(p, input + depth);
    let share = (DEPTH * bytes).div_ceil(points);
    for xi in 0..points {
        for line in (0..share).step_by(LINE) {
            isa.prefetch_far(next.wrapping_add(xi * share + line));
        }
        let a = &v[xi * job.point(DEPTH)..];
        let b = &u[xi * (DEPTH * w.width + GAP)..];
        let m = &mut m[xi * job.point(w.width)..];
        let mut c = Place::of(m, (count, w.width), w.width);
        for top in (0..count).step_by(job.height) {
            let mut tile = Tile {
                depth,
                a: &a[top * DEPTH..],
                a_row: DEPTH,
                a_step: 1,
                b,
                b_row: w.width,
                c: c.part(top, job.height.min(count - top)),
                accumulate: input > 0,
                finish: None,
            };
            tile::run(isa, &mut tile);
        }
    }
}

/// Bᵀ d of one line of six (or four).
#[inline(always)]
fn transform_input<S: Isa, const SIDE: usize>(isa: S, d: [S::V; SIDE]) -> [S::V; SIDE] {
    let mut o = d;
    if SIDE == 4 {
        o[0] = isa.sub(d[0], d[2]);
        o[1] = isa.add(d[1], d[2]);
        o[2] = isa.sub(d[2], d[1]);
        o[3] = isa.sub(d[1], d[3]);
    } else {
        let (a, b) = (isa.splat(A), isa.splat(B));
        let (a2, b2) = (isa.splat(-A * A), isa.splat(-B * B));
        let (both, sum) = (isa.splat(A * A * B * B), isa.splat(-(A * A + B * B)));
        o[0] = isa.fma(both, d[0], isa.fma(sum, d[2], d[4]));
        let (even, odd) = (isa.fma(b2, d[2], d[4]), isa.mul(a, isa.fma(b2, d[1], d[3])));
        o[1] = isa.add(even, odd);
        o[2] = isa.sub(even, odd);
        let (even, odd) = (isa.fma(a2, d[2], d[4]), isa.mul(b, isa.fma(a2, d[1], d[3])));
        o[3] = isa.add(even, odd);
        o[4] = isa.sub(even, odd);
        o[5] = isa.fma(both, d[1], isa.fma(sum, d[3], d[5]));
    }
    o
}

/// F(4×4)'s points, beside 0, their negatives and ∞.
const A: f32 = 0.75;
const B: f32 = 1.5;

/// Aᵀ m of one line; the first `SIDE - 2` of the result count.
#[inline(always)]
fn transform_output<S: Isa, const SIDE: usize>(isa: S, m: [S::V; SIDE]) -> [S::V; SIDE] {
    let mut o = m;
    if SIDE == 4 {
        o[0] = isa.add(isa.add(m[0], m[1]), m[2]);
        o[1] = isa.sub(isa.sub(m[1], m[2]), m[3]);
    } else {
        let (p, q) = (isa.add(m[1], m[2]), isa.sub(m[1], m[2]));
        let (r, s) = (isa.add(m[3], m[4]), isa.sub(m[3], m[4]));
        o[0] = isa.add(isa.add(m[0], p), r);
        o[1] = isa.fma(isa.splat(A), q, isa.mul(isa.splat(B), s));
        o[2] = isa.fma(isa.splat(A * A), p, isa.mul(isa.splat(B * B), r));
        o[3] = isa.fma(
            isa.splat(A * A * A),
            q,
            isa.fma(isa.splat(B * B * B), s, m[5]),
        );
    }
    o
}

/// G g of one line of three.
#[inline(always)]
fn transform_weights<S: Isa, const SIDE: usize>(isa: S, g: [S::V; 3]) -> [S::V; SIDE] {
    let mut o = [isa.zero(); SIDE];
    o[0] = g[0];
    o[SIDE - 1] = g[2];
    if SIDE == 4 {
        let half = isa.splat(0.5);
        let s = isa.mul(half, isa.add(g[0], g[2]));
        let t = isa.mul(half, g[1]);
        o[1] = isa.add(s, t);
        o[2] = isa.sub(s, t);
    } else {
        let n = 1.0 / (2.0 * A * A * (A * A - B * B));
        let s = isa.fma(isa.splat(n * A * A), g[2], isa.mul(isa.splat(n), g[0]));
        let t = isa.mul(isa.splat(n * A), g[1]);
        o[0] = isa.mul(isa.splat(1.0 / (A * A * B * B)), g[0]);
        o[1] = isa.add(s, t);
        o[2] = isa.sub(s, t);
        let n = 1.0 / (2.0 * B * B * (B * B - A * A));
        let s = isa.fma(isa.splat(n * B * B), g[2], isa.mul(isa.splat(n), g[0]));
        let t = isa.mul(isa.splat(n * B), g[1]);
        o[3] = isa.add(s, t);
        o[4] = isa.sub(s, t);
    }
    o
}

/// Bᵀ d B of tile `tile`, all inputs, to place `t` of `v[part][point][tile][DEPTH]`.
#[inline(always)]
fn inputs<S: Isa, const SIDE: usize>(
    isa: S,
    job: &Job<SIDE>,
    tile: usize,
    v: &mut [f32],
    t: usize,
) {
    let f = job.field;
    let channels = job.w.inputs;
    let (picture, row, column) = place(job, tile);
    let pixels = &job.x[picture * f.height * f.width * channels..][..f.height * f.width * channels];
    // Where each pixel of the tile starts; outside the picture it is zero.
    let mut from = [[None; SIDE]; SIDE];
    for (i, line) in from.iter_mut().enumerate() {
        for (j, at) in line.iter_mut().enumerate() {
            let y = (row + i).wrapping_sub(f.padding.0);
            let x = (column + j).wrapping_sub(f.padding.1);
            if y < f.height && x < f.width {
                *at = Some((y * f.width + x) * channels);
            }
        }
    }
    let points = SIDE * SIDE;
    // Nearly all tiles lie inside; their pixels are evenly spaced and need no questions.
    let corner = from[0][0].filter(|_| from[SIDE - 1][SIDE - 1].is_some());
    for c in (0..channels).step_by(S::LANES) {
        let n = S::LANES.min(channels - c);
        let mut d = [[isa.zero(); SIDE]; SIDE];
        for j in 0..SIDE {
            let mut line = [isa.zero(); SIDE];
            match corner {
                Some(corner) if n == S::LANES => {
                    let down = (SIDE, f.width * channels);
                    let at = corner + j * channels + c;
                    let down = Strip::new(pixels, down, (at, S::LANES));
                    for i in 0..SIDE {
                        let at = down.row(i);
                        line[i] = isa.load(at);
                        // What the next tile needs beside what it shares with this one.
                        if j >= 2 {
                            isa.prefetch(at.as_ptr().wrapping_add((SIDE - 2) * channels));
                        }
                    }
                }
                _ => {
                    for i in 0..SIDE {
                        if let Some(at) = from[i][j] {
                            line[i] = isa.load_part(&pixels[at + c..at + c + n]);
                        }
                    }
                }
            }
            let line = transform_input::<S, SIDE>(isa, line);
            for i in 0..SIDE {
                d[i][j] = line[i];
            }
        }
        let (part, depth) = (c / DEPTH, c % DEPTH);
        let point = job.point(DEPTH);
        let v = &mut v[part * points * point..];
        let mut v = StripMut::new(v, (points, point), (t * DEPTH + depth, S::LANES));
        for i in 0..SIDE {
            let line = transform_input::<S, SIDE>(isa, d[i]);
            for j in 0..SIDE {
                isa.store(v.row(i * SIDE + j), line[j]);
            }
        }
    }
}

/// G g Gᵀ of `depth` inputs of panel `p`, to `u[point][DEPTH][width]`.
#[inline(always)]
fn weights<S: Isa, const SIDE: usize>(
    isa: S,
    w: &Panels,
    p: usize,
    input: usize,
    depth: usize,
    u: &mut [f32],
) {
    match w.rows(p, input) {
        Rows::F16(rows) => weights_of::<S, SIDE, u16>(isa, w.width, depth, rows, u),
        Rows::F32(rows) => weights_of::<S, SIDE, f32>(isa, w.width, depth, rows, u),
    }
}

#[inline(always)]
fn weights_of<S: Isa, const SIDE: usize, T: Element>(
    isa: S,
    width: usize,
    depth: usize,
    rows: &[T],
    u: &mut [f32],
) {
    for k in 0..depth {
        for lane in (0..width).step_by(S::LANES) {
            let taps = Strip::new(&rows[k * 9 * width..], (9, width), (lane, S::LANES));
            let mut g = [[isa.zero(); 3]; SIDE];
            for x in 0..3 {
                let mut column = [isa.zero(); 3];
                for y in 0..3 {
                    column[y] = T::load(isa, taps.row(y * 3 + x));
                }
                let column = transform_weights::<S, SIDE>(isa, column);
                for i in 0..SIDE {
                    g[i][x] = column[i];
                }
            }
            let points = (SIDE * SIDE, DEPTH * width + GAP);
            let mut u = StripMut::new(u, points, (k * width + lane, S::LANES));
            for i in 0..SIDE {
                let line = transform_weights::<S, SIDE>(isa, g[i]);
                for j in 0..SIDE {
                    isa.store(u.row(i * SIDE + j), line[j]);
                }
            }
        }
    }
}

/// Aᵀ m A of place `t`, panel `p`'s columns, to where tile `tile` stands in the output.
#[inline(always)]
fn outputs<S: Isa, const SIDE: usize>(
    isa: S,
    job: &Job<SIDE>,
    p: usize,
    tile: usize,
    m: &[f32],
    t: usize,
) {
    let f = job.field;
    let (picture, row, column) = place(job, tile);
    let (first, columns) = job.w.columns(p);
    let rows = (SIDE - 2).min(f.out_height - row);
    let across = (SIDE - 2).min(f.out_width - column);
    let size = (SIDE * SIDE, job.point(job.w.width));
    for j in (0..columns).step_by(S::LANES) {
        let n = S::LANES.min(columns - j);
        let m = Strip::new(m, size, (t * job.w.width + j, S::LANES));
        let mut d = [[isa.zero(); SIDE]; SIDE];
        for b in 0..SIDE {
            let mut line = [isa.zero(); SIDE];
            for a in 0..SIDE {
                line[a] = isa.load(m.row(a * SIDE + b));
            }
            let line = transform_output::<S, SIDE>(isa, line);
            for a in 0..SIDE - 2 {
                d[a][b] = line[a];
            }
        }
        let bias = if job.bias.is_empty() {
            isa.zero()
        } else {
            isa.load(&job.bias[p * job.w.width + j..])
        };
        for a in 0..rows {
            let line = transform_output::<S, SIDE>(isa, d[a]);
            let pixel = (picture * f.out_height + row + a) * f.out_width + column;
            for b in 0..across {
                let at = (pixel + b) * job.w.outputs + first + j;
                let mut v = isa.add(line[b], bias);
                if let Some(add) = job.ep.add_before {
                    v = isa.add(v, isa.load_part(&add[at..at + n]));
                }
                v = math::activate(isa, job.ep.activation, v);
                if let Some(add) = job.ep.add_after {
                    v = isa.add(v, isa.load_part(&add[at..at + n]));
                }
                // SAFETY: the tile's pixels and the panel's columns are this task's own.
                isa.store_part(unsafe { job.y.part(at, n) }, v);
            }
        }
    }
}
