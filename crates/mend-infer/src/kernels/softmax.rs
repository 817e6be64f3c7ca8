//! Shares of scores.

use super::Context;
use super::simd::{Kernel, Simd, math, run};

/// e^(`scale` · x) over their sum, for all of `line`: shares that sum to 1, to 3e-7 of each. `scale` is above 0.
pub fn softmax(cx: &Context, line: &mut [f32], scale: f32) {
    // SAFETY: the kernel's fields promise nothing that a slice does not.
    unsafe { run(cx.path(), Softmax { line, scale }) }
}

struct Softmax<'a> {
    line: &'a mut [f32],
    scale: f32,
}

impl Kernel for Softmax<'_> {
    type Out = ();

    #[inline(always)]
    #[allow(unsafe_op_in_unsafe_fn)] // Loads and stores of as many values as the slice still has.
    unsafe fn run<S: Simd>(self) {
        let most = self.line.iter().fold(f32::NEG_INFINITY, |m, v| m.max(*v));
        let (most, scale) = (S::splat(most), S::splat(self.scale));
        let mut sum = 0.0f64;
        for part in self.line.chunks_mut(S::LANES) {
            let (p, n) = (part.as_mut_ptr(), part.len());
            let below = S::mul(S::sub(S::load_n(p, n), most), scale);
            S::store_n(p, math::exp::<S>(below), n);
            sum += part.iter().map(|v| f64::from(*v)).sum::<f64>();
        }
        let by = (1.0 / sum) as f32;
        self.line.iter_mut().for_each(|v| *v *= by);
    }
}
