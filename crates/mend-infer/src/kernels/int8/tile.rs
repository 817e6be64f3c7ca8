//! The tile of bytes: a few rows of activations times a panel of weights, in registers, and the sums
//! scaled into `f32`.

use super::dots::{Dot, DotKernel};
use super::{DEPTH, ROW};
use crate::kernels::shared::Place;
use crate::kernels::simd::Isa;
use crate::kernels::tile::{Finish, TALLEST, VECTORS, WIDEST, each_height, finish, gate, ragged};
use std::marker::PhantomData;
use std::slice::from_raw_parts;

/// One tile's work.
pub struct Tile<'a> {
    /// Length of the sums, in fours of inputs.
    pub fours: usize,
    /// Row i of the activations stands at `a[i * ROW]`; what is behind its first [`DEPTH`] inputs
    /// `a_jump` further on, and so forth.
    pub a: &'a [u8],
    pub a_jump: usize,
    /// Each row's scale.
    pub a_scales: &'a [f32],
    /// `[four][width][4]`
    pub b: &'a [i8],
    /// Each column's scale.
    pub b_scales: &'a [f32],
    /// What each column's sum starts with.
    pub shifts: &'a [i32],
    /// The result, as many rows as the tile has; at most a panel's columns, half of them where gated.
    pub c: Place<'a, f32>,
    /// C holds the sums of earlier parts; otherwise it is overwritten.
    pub accumulate: bool,
    /// `None`: more parts follow.
    pub finish: Option<Finish<'a>>,
}

/// Computes `t`, which has `D::TALLEST` rows at the most.
///
/// # Panics
/// When an operand is shorter than `t` says.
#[inline(always)]
pub fn run<D: Dot>(dot: D, t: &mut Tile) {
    Table::<D>::OF_ROWS[t.c.rows() - 1](dot, t);
}

/// Functions of their own for each number of rows.
struct Table<D>(PhantomData<D>);

impl<D: Dot> Table<D> {
    /// A tile of `m` rows stands at `m - 1`.
    const OF_ROWS: [fn(D, &mut Tile); TALLEST] = each_height!(Self::of_rows);

    /// Taller ones are not named, and so never compiled.
    const fn of_rows<const M: usize>() -> fn(D, &mut Tile) {
        if M <= D::TALLEST {
            call::<D, M>
        } else {
            |_, _| unreachable!("a tile of more rows than fit the registers")
        }
    }
}

fn call<D: Dot, const M: usize>(dot: D, t: &mut Tile) {
    dot.call(OfRows::<M>(t));
}

struct OfRows<'a, 'b, const M: usize>(&'a mut Tile<'b>);

impl<const M: usize> DotKernel for OfRows<'_, '_, M> {
    type Out = ();

    #[inline(always)]
    fn run<D: Dot>(self, dot: D) {
        let t = self.0;
        assert!(t.c.rows() == M, "a tile's rows");
        let isa = dot.isa();
        let (lanes, width) = (D::S::LANES, VECTORS * D::S::LANES);
        if !t.accumulate {
            will_write(dot, &mut t.c, lanes);
        }
        let sums = sums::<D, M>(dot, t);
        let b_scales = [isa.load(t.b_scales), isa.load(&t.b_scales[lanes..])];
        let a_scales = &t.a_scales[..M];
        let gated = t.finish.as_ref().filter(|f| f.gated);
        if gated.is_none() && t.c.columns() == width {
            for i in 0..M {
                let row = t.c.row(i);
                scaled(dot, sums[i], b_scales, a_scales[i], t.accumulate, row);
            }
        } else {
            // Ragged columns, or values and gates, go through a tile of their own.
            let mut own = [0f32; TALLEST * WIDEST];
            for i in 0..M {
                let row = &mut own[i * width..(i + 1) * width];
                scaled(dot, sums[i], b_scales, a_scales[i], false, row);
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

/// The result's lines come in while the sums are made: without that, the wait for them would be as long
/// as a short sum. Each vector's last value's, since the first line may be the panel's before and here
/// already.
#[inline(always)]
fn will_write<D: Dot>(dot: D, c: &mut Place<f32>, lanes: usize) {
    for i in 0..c.rows() {
        for j in 1..=VECTORS {
            let last = (j * lanes).min(c.columns()).wrapping_sub(1);
            dot.will_write(c.row(i).as_ptr().wrapping_add(last));
        }
    }
}

/// The activations' rows times the panel.
#[inline(always)]
fn sums<D: Dot, const M: usize>(dot: D, t: &Tile) -> [[D::Sums; VECTORS]; M] {
    let (lanes, width) = (D::S::LANES, VECTORS * D::S::LANES);
    let mut sums = [[dot.load(t.shifts), dot.load(&t.shifts[lanes..])]; M];
    let Some(last) = t.fours.div_ceil(DEPTH / 4).checked_sub(1) else {
        return sums;
    };
    let a_end = last.checked_mul(t.a_jump);
    let a_end = a_end.and_then(|end| end.checked_add((M - 1) * ROW + DEPTH));
    assert!(
        a_end.is_some_and(|end| end <= t.a.len()),
        "activations' length"
    );
    assert!(t.b.len() / (4 * width) >= t.fours, "weights' length");
    let (mut left, mut rows, mut b) = (t.fours, t.a.as_ptr(), t.b.as_ptr());
    while left > 0 {
        let now = left.min(DEPTH / 4);
        let mut a = rows;
        for _ in 0..now {
            // SAFETY: `b` is at one of `fours` rows of as many bytes, which lie in B.
            let row = unsafe { from_raw_parts(b, 4 * width) };
            let b0 = dot.weights(row);
            let b1 = dot.weights(&row[4 * lanes..]);
            for i in 0..M {
                // SAFETY: `a` is inside of the first DEPTH bytes of a row, and the last row's lie in A.
                let x = dot.spread(unsafe { a.add(i * ROW).cast::<[u8; 4]>().read() });
                sums[i][0] = dot.dot(sums[i][0], x, b0);
                sums[i][1] = dot.dot(sums[i][1], x, b1);
            }
            // Wrapping, since what is behind the last may not be theirs.
            a = a.wrapping_add(4);
            b = b.wrapping_add(4 * width);
        }
        left -= now;
        rows = rows.wrapping_add(t.a_jump);
    }
    sums
}

/// A row of sums, scaled, to or added to `to`, a panel wide.
#[inline(always)]
fn scaled<D: Dot>(
    dot: D,
    sums: [D::Sums; VECTORS],
    scales: [<D::S as Isa>::V; VECTORS],
    scale: f32,
    accumulate: bool,
    to: &mut [f32],
) {
    let isa = dot.isa();
    let scale = isa.splat(scale);
    for j in 0..VECTORS {
        let to = &mut to[j * D::S::LANES..];
        let (v, scale) = (dot.floats(sums[j]), isa.mul(scales[j], scale));
        let v = if accumulate {
            isa.fma(v, scale, isa.load(to))
        } else {
            isa.mul(v, scale)
        };
        isa.store(to, v);
    }
}
