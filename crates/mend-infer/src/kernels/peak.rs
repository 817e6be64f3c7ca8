//! What the machine could reach: the floor under every time that is measured.

use super::simd::{self, Kernel, Simd};
use super::{Context, int8};
use std::hint::black_box;
use std::time::Instant;

/// The most multiply-adds a second, counted as two operations each, in GFLOP/s, that the context's
/// threads reach together on its path with all operands in registers. Takes about a tenth of a second.
pub fn peak(cx: &Context) -> f64 {
    let lanes = simd::lanes(cx.path());
    fastest(cx, TURNS * CHAINS * lanes * 2, || {
        // SAFETY: arithmetic in registers only.
        black_box(unsafe { simd::run(cx.path(), Spin) });
    })
}

/// The same of eight-bit products with exact sums, in GOP/s.
pub fn peak_int8(cx: &Context) -> f64 {
    let set = int8::Set::of(cx.path());
    fastest(cx, int8::operations(set, TURNS), || {
        // SAFETY: the set is the path's.
        unsafe { int8::spin(set, TURNS) };
    })
}

/// Billions a second, of `operations` that `run` does on each thread.
fn fastest(cx: &Context, operations: usize, run: impl Fn() + Sync) -> f64 {
    let threads = cx.threads();
    let mut best = 0f64;
    for _ in 0..5 {
        let start = Instant::now();
        if cx.tasks(threads, 0, |_, _| run()).is_err() {
            return 0.0;
        }
        let all = (threads * operations) as f64;
        best = best.max(all / start.elapsed().as_secs_f64() / 1e9);
    }
    best
}

const TURNS: usize = 1_000_000;
/// Sums that do not wait for each other: more than latency times units.
const CHAINS: usize = 12;

struct Spin;

impl Kernel for Spin {
    type Out = f32;

    #[inline(always)]
    #[allow(unsafe_op_in_unsafe_fn)] // Arithmetic in registers.
    unsafe fn run<S: Simd>(self) -> f32 {
        let (x, y) = (S::splat(black_box(0.999)), S::splat(black_box(0.001)));
        let mut sums = [S::splat(black_box(0.5)); CHAINS];
        for _ in 0..TURNS {
            for sum in &mut sums {
                *sum = S::fma(*sum, x, y);
            }
        }
        sums.iter().map(|s| S::sum(*s)).sum()
    }
}
