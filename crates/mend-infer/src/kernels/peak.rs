//! What the machine could reach: the floor under every time that is measured.
#![forbid(unsafe_code)]

use super::simd::{Isa, Kernel};
use super::{Context, int8};
use std::hint::black_box;
use std::time::Instant;

/// The most multiply-adds a second, counted as two operations each, in GFLOP/s, that the context's
/// threads reach together on its path with all operands in registers. Takes about a tenth of a second.
pub fn peak(cx: &Context) -> f64 {
    let lanes = cx.token().lanes();
    fastest(cx, TURNS * CHAINS * lanes * 2, || {
        black_box(cx.run(Spin));
    })
}

/// The same of eight-bit products with exact sums, in GOP/s.
pub fn peak_int8(cx: &Context) -> f64 {
    let set = int8::Set::of(cx.token());
    fastest(cx, int8::operations(set, TURNS), || {
        int8::spin(set, TURNS);
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
    fn run<S: Isa>(self, isa: S) -> f32 {
        let (x, y) = (isa.splat(black_box(0.999)), isa.splat(black_box(0.001)));
        let mut sums = [isa.splat(black_box(0.5)); CHAINS];
        for _ in 0..TURNS {
            for sum in &mut sums {
                *sum = isa.fma(*sum, x, y);
            }
        }
        let mut all = 0.0;
        for sum in sums {
            all += isa.sum(sum);
        }
        all
    }
}
