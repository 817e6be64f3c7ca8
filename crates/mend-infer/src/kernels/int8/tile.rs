//! The tile of bytes: a few rows of activations times a panel of weights, in registers, and the sums
//! scaled into `f32`.

use super::dots::Dot;
use super::{DEPTH, ROW};
use crate::kernels::simd::Simd;
use crate::kernels::tile::{Finish, Place, TALLEST, VECTORS, WIDEST, finish, gate};

/// One tile's work.
#[derive(Clone, Copy)]
pub struct Tile {
    /// Length of the sums, in fours of inputs.
    pub fours: usize,
    /// Row i of the activations stands at `a[i * ROW]`; what is behind its first [`DEPTH`] inputs
    /// `a_jump` further on, and so forth.
    pub a: *const u8,
    pub a_jump: usize,
    /// Each row's scale.
    pub a_scales: *const f32,
    /// `[four][width][4]`
    pub b: *const i8,
    /// Each column's scale.
    pub b_scales: *const f32,
    /// What each column's sum starts with.
    pub shifts: *const i32,
    /// The result.
    pub c: Place,
    /// C holds the sums of earlier parts; otherwise it is overwritten.
    pub accumulate: bool,
    /// `None`: more parts follow.
    pub finish: Option<Finish>,
}

/// A tile of a fixed number of rows.
///
/// # Safety
/// The pointers are good for what [`Tile`] says, C for writing and nothing else's; C's columns are at
/// most the panel's width (half of it for a gated one).
pub type TileFn = unsafe fn(&Tile);

#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn)] // Arithmetic on the promised pointers throughout.
pub unsafe fn tile<D: Dot, const M: usize>(t: &Tile) {
    let lanes = D::S::LANES;
    let mut sums = [[D::load(t.shifts), D::load(t.shifts.add(lanes))]; M];
    if !t.accumulate {
        // The result's lines come in while the sums are made: without that, the wait for them would
        // be as long as a short sum. Each vector's last value's, since the first line may be the
        // panel's before and here already.
        for i in 0..M {
            for j in 1..=VECTORS {
                let last = i * t.c.row + (j * lanes).min(t.c.columns) - 1;
                D::will_write(t.c.at.wrapping_add(last));
            }
        }
    }
    let (mut left, mut rows, mut b) = (t.fours, t.a, t.b);
    while left > 0 {
        let now = left.min(DEPTH / 4);
        let mut a = rows;
        for _ in 0..now {
            let b0 = D::weights(b);
            let b1 = D::weights(b.add(4 * lanes));
            for i in 0..M {
                let x = D::spread(a.add(i * ROW));
                sums[i][0] = D::dot(sums[i][0], x, b0);
                sums[i][1] = D::dot(sums[i][1], x, b1);
            }
            a = a.add(4);
            b = b.add(4 * VECTORS * lanes);
        }
        left -= now;
        // Wrapping, since there may be no rows behind the last.
        rows = rows.wrapping_add(t.a_jump);
    }
    let scales = [D::S::load(t.b_scales), D::S::load(t.b_scales.add(lanes))];
    let gated = t.finish.as_ref().is_some_and(|f| f.gated);
    let width = VECTORS * lanes;
    // Ragged columns, or values and gates, go through a tile of their own.
    let mut own = [0f32; TALLEST * WIDEST];
    let whole = !gated && t.c.columns == width;
    let (to, row) = if whole {
        (t.c.at, t.c.row)
    } else {
        (own.as_mut_ptr(), width)
    };
    for i in 0..M {
        let scale = D::S::splat(*t.a_scales.add(i));
        for j in 0..VECTORS {
            let at = to.add(i * row + j * lanes);
            let (v, scale) = (D::floats(sums[i][j]), D::S::mul(scales[j], scale));
            let v = if whole && t.accumulate {
                D::S::fma(v, scale, D::S::load(at))
            } else {
                D::S::mul(v, scale)
            };
            D::S::store(at, v);
        }
    }
    if gated {
        let f = t.finish.as_ref().unwrap_unchecked();
        return gate::<D::S>(own.as_ptr(), &t.c, f, M);
    }
    if !whole {
        for i in 0..M {
            for j in (0..t.c.columns).step_by(lanes) {
                let n = (t.c.columns - j).min(lanes);
                let c = t.c.at.add(i * t.c.row + j);
                let mut v = D::S::load(own.as_ptr().add(i * width + j));
                if t.accumulate {
                    v = D::S::add(v, D::S::load_n(c, n));
                }
                D::S::store_n(c, v, n);
            }
        }
    }
    if let Some(f) = &t.finish {
        finish::<D::S>(&t.c, f, M);
    }
}

/// The table of tiles of a [`Dot`], each a function that has the instruction set.
macro_rules! tiles {
    ($dot:ty, $feature:tt, $($m:literal)*) => {
        &[$($crate::kernels::int8::tile::tile_function!($dot, $feature, $m)),*]
    };
}
pub(super) use tiles;

macro_rules! tile_function {
    ($dot:ty, [$($feature:literal)?], $m:literal) => {{
        $(#[target_feature(enable = $feature)])?
        unsafe fn tile(t: &$crate::kernels::int8::tile::Tile) {
            // SAFETY: the caller's promise, passed on.
            unsafe { $crate::kernels::int8::tile::tile::<$dot, $m>(t) }
        }
        tile as TileFn
    }};
}
pub(super) use tile_function;
