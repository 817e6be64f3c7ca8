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

use super::context::Shared;
use super::panels::{Panels, Rows};
use super::simd::{self, Held, Kernel, Simd, math};
use super::tile::Tile;
use super::{Context, Epilogue};
use crate::error::Result;

/// Inputs whose transformed weights are at hand at a time: 36 × 64 rows of a panel are 295 KB.
const DEPTH: usize = 64;
/// Floats between the ends and beginnings of points' matrices: without them, the same element of all
/// points would fall into one set of the nearest cache.
const GAP: usize = 16;
/// Bytes of a cache line.
const LINE: usize = 64;

/// Pictures, their size and the padding at top and left; the output's size is given.
#[derive(Clone, Copy)]
pub(super) struct Field {
    pub batch: usize,
    pub height: usize,
    pub width: usize,
    pub out_height: usize,
    pub out_width: usize,
    /// Rows and columns of zeros before the first.
    pub padding: (usize, usize),
}

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
    let tallest = simd::tallest(cx.path());
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
        // SAFETY: lengths were checked above, and each task has its own tiles and columns of `y`.
        unsafe {
            simd::run(
                cx.path(),
                Task {
                    job: &job,
                    scratch,
                    first: i / chunks * block,
                    panels: i % chunks * panels_a_chunk,
                },
            )
        }
    })
}

struct Job<'a, const SIDE: usize> {
    w: &'a Panels,
    bias: &'a [f32],
    field: &'a Field,
    x: &'a [f32],
    ep: &'a Epilogue<'a>,
    y: Shared<f32>,
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
    #[allow(unsafe_op_in_unsafe_fn)] // Steps of one computation on the task's own scratch memory.
    unsafe fn run<S: Simd>(self) {
        let job = self.job;
        let w = job.w;
        let count = job.block.min(job.tiles - self.first);
        let (v, rest) = self.scratch.split_at_mut(job.sizes[0]);
        let (u, m) = rest.split_at_mut(job.sizes[1]);
        let points = SIDE * SIDE;
        for t in 0..count {
            inputs::<S, SIDE>(job, self.first + t, v, t);
        }
        for p in self.panels..(self.panels + job.panels_a_chunk).min(w.count()) {
            for (k, input) in (0..w.inputs).step_by(DEPTH).enumerate() {
                let depth = DEPTH.min(w.inputs - input);
                weights::<S, SIDE>(w, p, input, depth, u);
                // The next weights come while these are worked with: nothing waits for the memory.
                let (next, bytes) = w.ahead(p, input + depth);
                let share = (DEPTH * bytes).div_ceil(points);
                for xi in 0..points {
                    for line in (0..share).step_by(LINE) {
                        S::prefetch_far(next.wrapping_add(xi * share + line));
                    }
                    let a = v
                        .as_ptr()
                        .add((k * points + xi) * (job.block * DEPTH + GAP));
                    let b = u.as_ptr().add(xi * (DEPTH * w.width + GAP));
                    let c = m.as_mut_ptr().add(xi * (job.block * w.width + GAP));
                    for top in (0..count).step_by(job.height) {
                        let height = job.height.min(count - top);
                        S::TILES[height - 1](&Tile {
                            depth,
                            a: a.add(top * DEPTH),
                            a_row: DEPTH,
                            a_step: 1,
                            b,
                            b_row: w.width,
                            c: c.add(top * w.width),
                            c_row: w.width,
                            columns: w.width,
                            accumulate: k > 0,
                            finish: None,
                        });
                    }
                }
            }
            for t in 0..count {
                outputs::<S, SIDE>(job, p, self.first + t, m, t);
            }
        }
    }
}

/// Bᵀ d of one line of six (or four).
#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn)]
unsafe fn transform_input<S: Simd, const SIDE: usize>(d: [S::V; SIDE]) -> [S::V; SIDE] {
    let mut o = d;
    if SIDE == 4 {
        o[0] = S::sub(d[0], d[2]);
        o[1] = S::add(d[1], d[2]);
        o[2] = S::sub(d[2], d[1]);
        o[3] = S::sub(d[1], d[3]);
    } else {
        let (a, b) = (S::splat(A), S::splat(B));
        let (a2, b2) = (S::splat(-A * A), S::splat(-B * B));
        let (both, sum) = (S::splat(A * A * B * B), S::splat(-(A * A + B * B)));
        o[0] = S::fma(both, d[0], S::fma(sum, d[2], d[4]));
        let (even, odd) = (S::fma(b2, d[2], d[4]), S::mul(a, S::fma(b2, d[1], d[3])));
        o[1] = S::add(even, odd);
        o[2] = S::sub(even, odd);
        let (even, odd) = (S::fma(a2, d[2], d[4]), S::mul(b, S::fma(a2, d[1], d[3])));
        o[3] = S::add(even, odd);
        o[4] = S::sub(even, odd);
        o[5] = S::fma(both, d[1], S::fma(sum, d[3], d[5]));
    }
    o
}

/// F(4×4)'s points, beside 0, their negatives and ∞.
const A: f32 = 0.75;
const B: f32 = 1.5;

/// Aᵀ m of one line; the first `SIDE - 2` of the result count.
#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn)]
unsafe fn transform_output<S: Simd, const SIDE: usize>(m: [S::V; SIDE]) -> [S::V; SIDE] {
    let mut o = m;
    if SIDE == 4 {
        o[0] = S::add(S::add(m[0], m[1]), m[2]);
        o[1] = S::sub(S::sub(m[1], m[2]), m[3]);
    } else {
        let (p, q) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
        let (r, s) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
        o[0] = S::add(S::add(m[0], p), r);
        o[1] = S::fma(S::splat(A), q, S::mul(S::splat(B), s));
        o[2] = S::fma(S::splat(A * A), p, S::mul(S::splat(B * B), r));
        o[3] = S::fma(S::splat(A * A * A), q, S::fma(S::splat(B * B * B), s, m[5]));
    }
    o
}

/// G g of one line of three.
#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn)]
unsafe fn transform_weights<S: Simd, const SIDE: usize>(g: [S::V; 3]) -> [S::V; SIDE] {
    let mut o = [S::zero(); SIDE];
    o[0] = g[0];
    o[SIDE - 1] = g[2];
    if SIDE == 4 {
        let half = S::splat(0.5);
        let s = S::mul(half, S::add(g[0], g[2]));
        let t = S::mul(half, g[1]);
        o[1] = S::add(s, t);
        o[2] = S::sub(s, t);
    } else {
        let n = 1.0 / (2.0 * A * A * (A * A - B * B));
        let s = S::fma(S::splat(n * A * A), g[2], S::mul(S::splat(n), g[0]));
        let t = S::mul(S::splat(n * A), g[1]);
        o[0] = S::mul(S::splat(1.0 / (A * A * B * B)), g[0]);
        o[1] = S::add(s, t);
        o[2] = S::sub(s, t);
        let n = 1.0 / (2.0 * B * B * (B * B - A * A));
        let s = S::fma(S::splat(n * B * B), g[2], S::mul(S::splat(n), g[0]));
        let t = S::mul(S::splat(n * B), g[1]);
        o[3] = S::add(s, t);
        o[4] = S::sub(s, t);
    }
    o
}

/// Bᵀ d B of tile `tile`, all inputs, to place `t` of `v[part][point][tile][DEPTH]`.
#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn)]
unsafe fn inputs<S: Simd, const SIDE: usize>(
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
        let mut d = [[S::zero(); SIDE]; SIDE];
        for j in 0..SIDE {
            let mut line = [S::zero(); SIDE];
            match corner {
                Some(corner) if n == S::LANES => {
                    let at = pixels.as_ptr().add(corner + j * channels + c);
                    for i in 0..SIDE {
                        let at = at.add(i * f.width * channels);
                        line[i] = S::load(at);
                        // What the next tile needs beside what it shares with this one.
                        if j >= 2 {
                            S::prefetch(at.wrapping_add((SIDE - 2) * channels));
                        }
                    }
                }
                _ => {
                    for i in 0..SIDE {
                        if let Some(at) = from[i][j] {
                            line[i] = S::load_n(pixels.as_ptr().add(at + c), n);
                        }
                    }
                }
            }
            let line = transform_input::<S, SIDE>(line);
            for i in 0..SIDE {
                d[i][j] = line[i];
            }
        }
        let (part, depth) = (c / DEPTH, c % DEPTH);
        for i in 0..SIDE {
            let line = transform_input::<S, SIDE>(d[i]);
            for j in 0..SIDE {
                let point = part * points + i * SIDE + j;
                let at = point * (job.block * DEPTH + GAP) + t * DEPTH + depth;
                S::store(v.as_mut_ptr().add(at), line[j]);
            }
        }
    }
}

/// G g Gᵀ of `depth` inputs of panel `p`, to `u[point][DEPTH][width]`.
#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn)]
unsafe fn weights<S: Simd, const SIDE: usize>(
    w: &Panels,
    p: usize,
    input: usize,
    depth: usize,
    u: &mut [f32],
) {
    let u = u.as_mut_ptr();
    match w.rows(p, input) {
        Rows::F16(rows) => {
            assert!(rows.len() >= depth * 9 * w.width);
            weights_of::<S, SIDE, u16>(w.width, depth, rows.as_ptr().cast(), u);
        }
        Rows::F32(rows) => {
            assert!(rows.len() >= depth * 9 * w.width);
            weights_of::<S, SIDE, f32>(w.width, depth, rows.as_ptr(), u);
        }
    }
}

#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn)]
unsafe fn weights_of<S: Simd, const SIDE: usize, T: Held>(
    width: usize,
    depth: usize,
    rows: *const T,
    u: *mut f32,
) {
    for k in 0..depth {
        for lane in (0..width).step_by(S::LANES) {
            let mut g = [[S::zero(); 3]; SIDE];
            for x in 0..3 {
                let mut column = [S::zero(); 3];
                for y in 0..3 {
                    column[y] = T::load::<S>(rows.add((k * 9 + y * 3 + x) * width + lane));
                }
                let column = transform_weights::<S, SIDE>(column);
                for i in 0..SIDE {
                    g[i][x] = column[i];
                }
            }
            for i in 0..SIDE {
                let line = transform_weights::<S, SIDE>(g[i]);
                for j in 0..SIDE {
                    let at = (i * SIDE + j) * (DEPTH * width + GAP) + k * width + lane;
                    S::store(u.add(at), line[j]);
                }
            }
        }
    }
}

/// Aᵀ m A of place `t`, panel `p`'s columns, to where tile `tile` stands in the output.
#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn)]
unsafe fn outputs<S: Simd, const SIDE: usize>(
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
    for j in (0..columns).step_by(S::LANES) {
        let n = S::LANES.min(columns - j);
        let mut d = [[S::zero(); SIDE]; SIDE];
        for b in 0..SIDE {
            let mut line = [S::zero(); SIDE];
            for a in 0..SIDE {
                let at = (a * SIDE + b) * (job.block * job.w.width + GAP) + t * job.w.width + j;
                line[a] = S::load(m.as_ptr().add(at));
            }
            let line = transform_output::<S, SIDE>(line);
            for a in 0..SIDE - 2 {
                d[a][b] = line[a];
            }
        }
        let bias = if job.bias.is_empty() {
            S::zero()
        } else {
            S::load(job.bias.as_ptr().add(p * job.w.width + j))
        };
        for a in 0..rows {
            let line = transform_output::<S, SIDE>(d[a]);
            let pixel = (picture * f.out_height + row + a) * f.out_width + column;
            for b in 0..across {
                let at = (pixel + b) * job.w.outputs + first + j;
                let mut v = S::add(line[b], bias);
                if let Some(add) = job.ep.add_before {
                    v = S::add(v, S::load_n(add.as_ptr().add(at), n));
                }
                v = math::activate::<S>(job.ep.activation, v);
                if let Some(add) = job.ep.add_after {
                    v = S::add(v, S::load_n(add.as_ptr().add(at), n));
                }
                S::store_n(job.y.at(at), v, n);
            }
        }
    }
}
