//! Vectors of four in plain Rust: the reference, and what other chips run.
#![forbid(unsafe_code)]

use super::{Isa, Kernel};

/// The token of what every machine has.
#[derive(Clone, Copy)]
pub struct Portable;

type V = [f32; 4];

/// `of(0)` to `of(3)`. `std::array::from_fn` does the same by way of several functions more, which are compiled for
/// each closure.
#[inline(always)]
fn from_fn(of: impl Fn(usize) -> f32) -> V {
    [of(0), of(1), of(2), of(3)]
}

impl Isa for Portable {
    type V = V;
    type Sums = u32;
    const LANES: usize = 4;
    const TALLEST: usize = 6;
    const SCALES_BELOW: bool = false;

    #[inline]
    fn call<K: Kernel>(self, kernel: K) -> K::Out {
        kernel.run(self)
    }

    #[inline(always)]
    fn zero(self) -> V {
        [0.0; 4]
    }
    #[inline(always)]
    fn splat(self, x: f32) -> V {
        [x; 4]
    }
    #[inline(always)]
    fn load(self, from: &[f32]) -> V {
        let from = &from[..4];
        from_fn(|i| from[i])
    }
    #[inline(always)]
    fn store(self, to: &mut [f32], v: V) {
        to[..4].copy_from_slice(&v);
    }
    #[inline(always)]
    fn load_part(self, from: &[f32]) -> V {
        let mut v = [0.0; 4];
        for (v, x) in v.iter_mut().zip(from) {
            *v = *x;
        }
        v
    }
    #[inline(always)]
    fn store_part(self, to: &mut [f32], v: V) {
        for (x, v) in to.iter_mut().zip(v) {
            *x = v;
        }
    }
    #[inline(always)]
    fn load_f16(self, from: &[u16]) -> V {
        let from = &from[..4];
        from_fn(|i| half::f16::from_bits(from[i]).to_f32())
    }
    #[inline(always)]
    fn load_i16(self, from: &[i16]) -> V {
        let from = &from[..4];
        from_fn(|i| f32::from(from[i]))
    }
    #[inline(always)]
    fn store_bytes(self, to: &mut [u8], v: V) {
        to[..4].copy_from_slice(&v.map(|x| x as u8));
    }
    #[inline(always)]
    fn fma(self, a: V, b: V, c: V) -> V {
        // Not `mul_add`: without the instruction that is a call into the C library.
        from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    fn add(self, a: V, b: V) -> V {
        from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, a: V, b: V) -> V {
        from_fn(|i| a[i] - b[i])
    }
    #[inline(always)]
    fn mul(self, a: V, b: V) -> V {
        from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn div(self, a: V, b: V) -> V {
        from_fn(|i| a[i] / b[i])
    }
    #[inline(always)]
    fn max(self, a: V, b: V) -> V {
        from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn min(self, a: V, b: V) -> V {
        from_fn(|i| if a[i] < b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn round(self, a: V) -> V {
        // Adding and taking away 1.5 · 2²³ leaves the nearest whole number, for |a| < 2²².
        const MAGIC: f32 = 12_582_912.0;
        from_fn(|i| (a[i] + MAGIC) - MAGIC)
    }
    #[inline(always)]
    fn scale(self, a: V, n: V) -> V {
        from_fn(|i| a[i] * f32::from_bits(((n[i] as i32 + 127) as u32) << 23))
    }
    #[inline(always)]
    fn sum(self, a: V) -> f32 {
        (a[0] + a[2]) + (a[1] + a[3])
    }

    #[inline(always)]
    fn no_squares(self) -> u32 {
        0
    }
    #[inline(always)]
    fn add_squares<const N: usize>(self, mut sums: u32, a: &[i16], b: &[i16]) -> u32 {
        for (a, b) in a[..32].iter().zip(&b[..32]).take(N) {
            let d = i32::from(*a) - i32::from(*b);
            sums = sums.wrapping_add((d * d) as u32);
        }
        sums
    }
    #[inline(always)]
    fn squares(self, a: u32, b: u32) -> u32 {
        a.wrapping_add(b)
    }

    #[inline(always)]
    fn prefetch(self, _: *const f32) {}
    #[inline(always)]
    fn prefetch_far(self, _: *const u8) {}
}
