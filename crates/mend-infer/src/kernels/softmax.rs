//! Shares of scores.
#![forbid(unsafe_code)]

use super::Context;
use super::simd::{Isa, Kernel, math};

/// e^(`scale` · x) over their sum, for all of `line`: shares that sum to 1, to 3e-7 of each. `scale` is above 0.
pub fn softmax(cx: &Context, line: &mut [f32], scale: f32) {
    cx.run(Softmax { line, scale });
}

struct Softmax<'a> {
    line: &'a mut [f32],
    scale: f32,
}

impl Kernel for Softmax<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Isa>(self, isa: S) {
        let most = self.line.iter().fold(f32::NEG_INFINITY, |m, v| m.max(*v));
        let (most, scale) = (isa.splat(most), isa.splat(self.scale));
        let mut sum = 0.0f64;
        let mut parts = self.line.chunks_exact_mut(S::LANES);
        for part in &mut parts {
            let below = isa.mul(isa.sub(isa.load(part), most), scale);
            isa.store(part, math::exp(isa, below));
            sum += part.iter().map(|v| f64::from(*v)).sum::<f64>();
        }
        let end = parts.into_remainder();
        let below = isa.mul(isa.sub(isa.load_part(end), most), scale);
        isa.store_part(end, math::exp(isa, below));
        sum += end.iter().map(|v| f64::from(*v)).sum::<f64>();
        let by = (1.0 / sum) as f32;
        self.line.iter_mut().for_each(|v| *v *= by);
    }
}
