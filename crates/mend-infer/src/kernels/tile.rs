//! The tile: a few rows of A times a panel of B, in registers. Every product in full precision ends here.

use super::shared::Place;
use super::simd::{Isa, Kernel, math};
use super::{Activation, Epilogue};
use std::marker::PhantomData;
use std::slice::from_raw_parts;

/// Vectors in a row of a panel.
pub const VECTORS: usize = 2;
/// The most values that a row of any path's panel has.
pub const WIDEST: usize = 32;
/// The most rows that a tile of any path has.
pub const TALLEST: usize = 14;

/// What a tile does with its sums when they are complete.
#[derive(Clone, Copy)]
pub struct Finish<'a> {
    /// Added to each row, a panel's; empty for none.
    pub bias: &'a [f32],
    /// Added before the activation, laid out as C from its corner on.
    pub add_before: Option<&'a [f32]>,
    /// Added after the activation, laid out as C from its corner on.
    pub add_after: Option<&'a [f32]>,
    pub activation: Activation,
    /// The panel holds a vector of values and a vector of gates; C gets value · activation(gate).
    pub gated: bool,
}

impl<'a> Finish<'a> {
    /// The end of a tile whose corner is element `c` of the output and whose panel's bias starts at
    /// `bias_at`.
    pub fn new(bias: &'a [f32], bias_at: usize, ep: &Epilogue<'a>, c: usize, gated: bool) -> Self {
        Self {
            bias: if bias.is_empty() {
                &[]
            } else {
                &bias[bias_at..]
            },
            add_before: ep.add_before.map(|add| &add[c..]),
            add_after: ep.add_after.map(|add| &add[c..]),
            activation: ep.activation,
            gated,
        }
    }

    fn is_nothing(&self) -> bool {
        let added = self.add_before.is_some() || self.add_after.is_some();
        !added && self.bias.is_empty() && matches!(self.activation, Activation::None)
    }
}

/// One tile's work.
pub struct Tile<'a> {
    /// Length of the sums.
    pub depth: usize,
    /// Element (i, k) of A stands at `a[i * a_row + k * a_step]`.
    pub a: &'a [f32],
    pub a_row: usize,
    pub a_step: usize,
    /// Row k of the panel stands at `b[k * b_row]`.
    pub b: &'a [f32],
    pub b_row: usize,
    /// The result, as many rows as the tile has; at most a panel's columns, half of them where gated.
    pub c: Place<'a, f32>,
    /// C holds the sums of earlier depths; otherwise it is overwritten.
    pub accumulate: bool,
    /// `None`: more depths follow.
    pub finish: Option<Finish<'a>>,
}

/// `of::<1>()` to `of::<14>()`: one for each number of rows up to [`TALLEST`].
macro_rules! each_height {
    ($($of:ident)::+) => {
        [
            $($of)::+::<1>(), $($of)::+::<2>(), $($of)::+::<3>(), $($of)::+::<4>(), $($of)::+::<5>(),
            $($of)::+::<6>(), $($of)::+::<7>(), $($of)::+::<8>(), $($of)::+::<9>(), $($of)::+::<10>(),
            $($of)::+::<11>(), $($of)::+::<12>(), $($of)::+::<13>(), $($of)::+::<14>(),
        ]
    };
}
pub(super) use each_height;

/// Computes `t`, which has `S::TALLEST` rows at the most.
///
/// # Panics
/// When A or B is shorter than `t` says.
#[inline(always)]
pub fn run<S: Isa>(isa: S, t: &mut Tile) {
    Table::<S>::OF_ROWS[t.c.rows() - 1](isa, t);
}

/// Functions of their own for each number of rows: inlined, they would be compiled for every kernel.
struct Table<S>(PhantomData<S>);

impl<S: Isa> Table<S> {
    /// A tile of `m` rows stands at `m - 1`.
    const OF_ROWS: [fn(S, &mut Tile); TALLEST] = each_height!(Self::of_rows);

    /// Taller ones are not named, and so never compiled.
    const fn of_rows<const M: usize>() -> fn(S, &mut Tile) {
        if M <= S::TALLEST {
            call::<S, M>
        } else {
            |_, _| unreachable!("a tile of more rows than fit the registers")
        }
    }
}

fn call<S: Isa, const M: usize>(isa: S, t: &mut Tile) {
    isa.call(OfRows::<M>(t));
}

struct OfRows<'a, 'b, const M: usize>(&'a mut Tile<'b>);

impl<const M: usize> Kernel for OfRows<'_, '_, M> {
    type Out = ();

    #[inline(always)]
    fn run<S: Isa>(self, isa: S) {
        let t = self.0;
        assert!(t.c.rows() == M, "a tile's rows");
        let sums = sums::<S, M>(isa, t);
        let gated = t.finish.as_ref().filter(|f| f.gated);
        if gated.is_none() && t.c.columns() == VECTORS * S::LANES {
            for i in 0..M {
                let row = t.c.row(i);
                for j in 0..VECTORS {
                    let c = &mut row[j * S::LANES..];
                    let mut v = sums[i][j];
                    if t.accumulate {
                        v = isa.add(v, isa.load(c));
                    }
                    isa.store(c, v);
                }
            }
        } else {
            // Through a tile of its own: ragged columns, or values and gates.
            let width = VECTORS * S::LANES;
            let mut own = [0f32; TALLEST * WIDEST];
            for i in 0..M {
                for j in 0..VECTORS {
                    isa.store(&mut own[i * width + j * S::LANES..], sums[i][j]);
                }
            }
            if let Some(f) = gated {
                return gate(isa, &own, &mut t.c, f);
            }
            ragged(isa, &own, &mut t.c, t.accumulate);
        }
        if let Some(f) = &t.finish {
            finish(isa, &mut t.c, f);
        }
    }
}

/// A's rows times the panel.
#[inline(always)]
fn sums<S: Isa, const M: usize>(isa: S, t: &Tile) -> [[S::V; VECTORS]; M] {
    let mut sums = [[isa.zero(); VECTORS]; M];
    let Some(last) = t.depth.checked_sub(1) else {
        return sums;
    };
    let end = |row: usize, i: usize, step: usize, n: usize| {
        let (down, along) = (i.checked_mul(row)?, last.checked_mul(step)?);
        down.checked_add(along)?.checked_add(n)
    };
    let a_end = end(t.a_row, M - 1, t.a_step, 1);
    let b_end = end(0, 0, t.b_row, VECTORS * S::LANES);
    assert!(a_end.is_some_and(|end| end <= t.a.len()), "A's length");
    assert!(b_end.is_some_and(|end| end <= t.b.len()), "B's length");
    let (mut a, mut b) = (t.a.as_ptr(), t.b.as_ptr());
    for _ in 0..t.depth {
        // SAFETY: `b` is at the start of one of `depth` rows, the last of which lies in B.
        let row = unsafe { from_raw_parts(b, VECTORS * S::LANES) };
        let b0 = isa.load(row);
        let b1 = isa.load(&row[S::LANES..]);
        for i in 0..M {
            // SAFETY: `a` is at one of `depth` columns; the last element of the last lies in A.
            let x = isa.splat(unsafe { *a.add(i * t.a_row) });
            sums[i][0] = isa.fma(x, b0, sums[i][0]);
            sums[i][1] = isa.fma(x, b1, sums[i][1]);
        }
        // Wrapping, since the step behind the last element may leave the buffer.
        a = a.wrapping_add(t.a_step);
        b = b.wrapping_add(t.b_row);
    }
    sums
}

/// The rows of `own`, a panel wide, to C's columns.
#[inline(always)]
pub fn ragged<S: Isa>(isa: S, own: &[f32], c: &mut Place<f32>, accumulate: bool) {
    for i in 0..c.rows() {
        let row = &own[i * VECTORS * S::LANES..][..VECTORS * S::LANES];
        for (c, v) in c
            .row(i)
            .chunks_mut(S::LANES)
            .zip(row.chunks_exact(S::LANES))
        {
            let mut v = isa.load(v);
            if accumulate {
                v = isa.add(v, isa.load_part(c));
            }
            isa.store_part(c, v);
        }
    }
}

/// Values and gates, a panel's row of them in each row of `own`, to C: value · activation(gate).
#[inline(always)]
pub fn gate<S: Isa>(isa: S, own: &[f32], c: &mut Place<f32>, f: &Finish) {
    for i in 0..c.rows() {
        let row = &own[i * VECTORS * S::LANES..][..VECTORS * S::LANES];
        let (mut value, mut gate) = (isa.load(row), isa.load(&row[S::LANES..]));
        if !f.bias.is_empty() {
            value = isa.add(value, isa.load(f.bias));
            gate = isa.add(gate, isa.load(&f.bias[S::LANES..]));
        }
        let v = isa.mul(value, math::activate(isa, f.activation, gate));
        isa.store_part(c.row(i), v);
    }
}

/// Bias, activation and residuals over a tile that still lies in the nearest cache.
#[inline(always)]
pub fn finish<S: Isa>(isa: S, c: &mut Place<f32>, f: &Finish) {
    if f.is_nothing() {
        return;
    }
    let columns = c.columns();
    for j in (0..columns).step_by(S::LANES) {
        let end = columns.min(j + S::LANES);
        let bias = if f.bias.is_empty() {
            isa.zero()
        } else {
            isa.load_part(&f.bias[j..end])
        };
        for i in 0..c.rows() {
            let at = i * c.stride();
            let to = &mut c.row(i)[j..end];
            let mut v = isa.add(isa.load_part(to), bias);
            if let Some(add) = f.add_before {
                v = isa.add(v, isa.load_part(&add[at + j..at + end]));
            }
            v = math::activate(isa, f.activation, v);
            if let Some(add) = f.add_after {
                v = isa.add(v, isa.load_part(&add[at + j..at + end]));
            }
            isa.store_part(to, v);
        }
    }
}
