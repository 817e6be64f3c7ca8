//! The most that the machine's dot products of bytes could do: the peak that speeds are measured by.
#![forbid(unsafe_code)]

use super::Set;
use super::dots::{Dot, DotKernel};
use crate::kernels::simd::Isa;
use std::hint::black_box;

/// Sums that do not wait for each other: more than latency times units.
const CHAINS: usize = 12;
/// Activations that a turn picks from, so that no compiler sums up the turns beforehand.
const BYTES: [[u8; 4]; 16] = [[129; 4]; 16];

/// Runs `turns` turns on `set`, with all sums in registers.
pub fn spin(set: Set, turns: usize) {
    black_box(set.run(Turns(turns)));
}

/// Additions and multiplications of `turns` turns.
pub fn operations(set: Set, turns: usize) -> usize {
    CHAINS * set.operations() * turns
}

struct Turns(usize);

impl DotKernel for Turns {
    type Out = f32;

    #[inline(always)]
    fn run<D: Dot>(self, dot: D) -> f32 {
        let bytes = black_box(BYTES);
        let (start, weights) = (black_box([1i32; 16]), black_box([3i8; 64]));
        let mut sums = [dot.load(&start); CHAINS];
        let b = dot.weights(&weights);
        for turn in 0..self.0 {
            let a = dot.spread(bytes[turn % bytes.len()]);
            for sum in &mut sums {
                *sum = dot.dot(*sum, a, b);
            }
        }
        // Every sum is in use.
        let isa = dot.isa();
        let mut all = isa.zero();
        for sum in sums {
            all = isa.add(all, dot.floats(sum));
        }
        isa.sum(all)
    }
}
