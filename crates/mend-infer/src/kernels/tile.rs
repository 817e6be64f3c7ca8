//! The tile: a few rows of A times a panel of B, in registers. Every product of this room ends here.

use super::Activation;
use super::simd::{Simd, math};

/// Vectors in a row of a panel.
pub const VECTORS: usize = 2;
/// The most values that a row of any path's panel has.
pub const WIDEST: usize = 32;
/// The most rows that a tile of any path has.
pub const TALLEST: usize = 14;

/// What a tile does with its sums when they are complete.
#[derive(Clone, Copy)]
pub struct Finish {
    /// Added to each row; null for none.
    pub bias: *const f32,
    /// Added before the activation, laid out as C; null for none.
    pub add_before: *const f32,
    /// Added after the activation, laid out as C; null for none.
    pub add_after: *const f32,
    pub activation: Activation,
    /// The panel holds a vector of values and a vector of gates; C gets value · activation(gate).
    pub gated: bool,
}

/// One tile's work.
#[derive(Clone, Copy)]
pub struct Tile {
    /// Length of the sums.
    pub depth: usize,
    /// Element (i, k) of A stands at `a[i * a_row + k * a_step]`.
    pub a: *const f32,
    pub a_row: usize,
    pub a_step: usize,
    /// Row k of the panel stands at `b[k * b_row]`.
    pub b: *const f32,
    pub b_row: usize,
    /// Row i of the result stands at `c[i * c_row]`, `columns` values of it.
    pub c: *mut f32,
    pub c_row: usize,
    pub columns: usize,
    /// C holds the sums of earlier depths; otherwise it is overwritten.
    pub accumulate: bool,
    /// `None`: more depths follow.
    pub finish: Option<Finish>,
}

/// Where a tile's result stands.
#[derive(Clone, Copy)]
pub struct Place {
    /// The first row.
    pub at: *mut f32,
    /// From one row to the next.
    pub row: usize,
    /// Values in a row.
    pub columns: usize,
}

impl Tile {
    fn place(&self) -> Place {
        Place {
            at: self.c,
            row: self.c_row,
            columns: self.columns,
        }
    }
}

/// A tile of a fixed number of rows.
///
/// # Safety
/// The pointers are good for what [`Tile`] says, C for writing and nothing else's; `columns` is at
/// most the panel's width (half of it for a gated one).
pub type TileFn = unsafe fn(&Tile);

#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn)] // Arithmetic on the promised pointers throughout.
pub unsafe fn tile<S: Simd, const M: usize>(t: &Tile) {
    let mut sums = [[S::zero(); VECTORS]; M];
    let (mut a, mut b) = (t.a, t.b);
    for _ in 0..t.depth {
        let b0 = S::load(b);
        let b1 = S::load(b.add(S::LANES));
        for i in 0..M {
            let x = S::splat(*a.add(i * t.a_row));
            sums[i][0] = S::fma(x, b0, sums[i][0]);
            sums[i][1] = S::fma(x, b1, sums[i][1]);
        }
        // Wrapping, since the step behind the last element may leave the buffer.
        a = a.wrapping_add(t.a_step);
        b = b.wrapping_add(t.b_row);
    }
    let gated = t.finish.as_ref().is_some_and(|f| f.gated);
    if !gated && t.columns == VECTORS * S::LANES {
        for i in 0..M {
            for j in 0..VECTORS {
                let c = t.c.add(i * t.c_row + j * S::LANES);
                let mut v = sums[i][j];
                if t.accumulate {
                    v = S::add(v, S::load(c));
                }
                S::store(c, v);
            }
        }
        if let Some(f) = &t.finish {
            finish::<S>(&t.place(), f, M);
        }
        return;
    }
    // Through a tile of its own: ragged columns, or values and gates.
    let width = VECTORS * S::LANES;
    let mut own = [0f32; TALLEST * WIDEST];
    for i in 0..M {
        for j in 0..VECTORS {
            S::store(own.as_mut_ptr().add(i * width + j * S::LANES), sums[i][j]);
        }
    }
    if gated {
        let f = t.finish.as_ref().unwrap_unchecked();
        gate::<S>(own.as_ptr(), &t.place(), f, M);
        return;
    }
    for i in 0..M {
        for j in 0..VECTORS {
            let n = t.columns.saturating_sub(j * S::LANES).min(S::LANES);
            if n > 0 {
                let c = t.c.add(i * t.c_row + j * S::LANES);
                let mut v = S::load(own.as_ptr().add(i * width + j * S::LANES));
                if t.accumulate {
                    v = S::add(v, S::load_n(c, n));
                }
                S::store_n(c, v, n);
            }
        }
    }
    if let Some(f) = &t.finish {
        finish::<S>(&t.place(), f, M);
    }
}

/// Values and gates, a panel's row of them in each row of `own`, to C: value · activation(gate).
///
/// # Safety
/// `own` holds `rows` rows of a panel, the bias is a panel's, and C is as [`TileFn`] says.
#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn)]
pub unsafe fn gate<S: Simd>(own: *const f32, c: &Place, f: &Finish, rows: usize) {
    for i in 0..rows {
        let row = own.add(i * VECTORS * S::LANES);
        let (mut value, mut gate) = (S::load(row), S::load(row.add(S::LANES)));
        if !f.bias.is_null() {
            value = S::add(value, S::load(f.bias));
            gate = S::add(gate, S::load(f.bias.add(S::LANES)));
        }
        let v = S::mul(value, math::activate::<S>(f.activation, gate));
        S::store_n(c.at.add(i * c.row), v, c.columns);
    }
}

/// Bias, activation and residuals over a tile that still lies in the nearest cache.
///
/// # Safety
/// C is as [`TileFn`] says, and what is added as [`Finish`] says.
#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn)]
pub unsafe fn finish<S: Simd>(c: &Place, f: &Finish, rows: usize) {
    if f.bias.is_null()
        && f.add_before.is_null()
        && f.add_after.is_null()
        && matches!(f.activation, Activation::None)
    {
        return;
    }
    let mut j = 0;
    while j < c.columns {
        let n = (c.columns - j).min(S::LANES);
        let bias = if f.bias.is_null() {
            S::zero()
        } else {
            S::load_n(f.bias.add(j), n)
        };
        for i in 0..rows {
            let at = i * c.row + j;
            let mut v = S::add(S::load_n(c.at.add(at), n), bias);
            if !f.add_before.is_null() {
                v = S::add(v, S::load_n(f.add_before.add(at), n));
            }
            v = math::activate::<S>(f.activation, v);
            if !f.add_after.is_null() {
                v = S::add(v, S::load_n(f.add_after.add(at), n));
            }
            S::store_n(c.at.add(at), v, n);
        }
        j += S::LANES;
    }
}
