//! Vectors of four in plain Rust: the reference, and what other chips run.
#![allow(unsafe_op_in_unsafe_fn)] // One-line loads and stores; the trait tells what each needs.

use super::{Kernel, Simd, tiles};
use crate::kernels::tile::TileFn;
use std::array::from_fn;

#[derive(Clone, Copy)]
pub struct Portable;

type V = [f32; 4];

impl Simd for Portable {
    type V = V;
    const LANES: usize = 4;
    const TILES: &'static [TileFn] = tiles!(Portable, [], 1 2 3 4 5 6);
    const SCALES_BELOW: bool = false;

    #[inline(always)]
    unsafe fn zero() -> V {
        [0.0; 4]
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> V {
        [x; 4]
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> V {
        p.cast::<V>().read_unaligned()
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: V) {
        p.cast::<V>().write_unaligned(v)
    }
    #[inline(always)]
    unsafe fn load_n(p: *const f32, n: usize) -> V {
        let mut v = [0.0; 4];
        for i in 0..n {
            v[i] = *p.add(i);
        }
        v
    }
    #[inline(always)]
    unsafe fn store_n(p: *mut f32, v: V, n: usize) {
        for i in 0..n {
            *p.add(i) = v[i];
        }
    }
    #[inline(always)]
    unsafe fn load_f16(p: *const u16) -> V {
        from_fn(|i| half::f16::from_bits(*p.add(i)).to_f32())
    }
    #[inline(always)]
    unsafe fn fma(a: V, b: V, c: V) -> V {
        // Not `mul_add`: without the instruction that is a call into the C library.
        from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    unsafe fn add(a: V, b: V) -> V {
        from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    unsafe fn sub(a: V, b: V) -> V {
        from_fn(|i| a[i] - b[i])
    }
    #[inline(always)]
    unsafe fn mul(a: V, b: V) -> V {
        from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    unsafe fn div(a: V, b: V) -> V {
        from_fn(|i| a[i] / b[i])
    }
    #[inline(always)]
    unsafe fn max(a: V, b: V) -> V {
        from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    unsafe fn min(a: V, b: V) -> V {
        from_fn(|i| if a[i] < b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    unsafe fn round(a: V) -> V {
        // Adding and taking away 1.5 · 2²³ leaves the nearest whole number, for |a| < 2²².
        const MAGIC: f32 = 12_582_912.0;
        from_fn(|i| (a[i] + MAGIC) - MAGIC)
    }
    #[inline(always)]
    unsafe fn scale(a: V, n: V) -> V {
        from_fn(|i| a[i] * f32::from_bits(((n[i] as i32 + 127) as u32) << 23))
    }
    #[inline(always)]
    unsafe fn store_bytes(p: *mut u8, v: V) {
        p.cast::<[u8; 4]>().write(v.map(|x| x as u8))
    }
    #[inline(always)]
    unsafe fn sum(a: V) -> f32 {
        (a[0] + a[2]) + (a[1] + a[3])
    }
    #[inline(always)]
    unsafe fn prefetch(_: *const f32) {}
    #[inline(always)]
    unsafe fn prefetch_far(_: *const u8) {}

    #[inline]
    unsafe fn call<K: Kernel>(kernel: K) -> K::Out {
        kernel.run::<Self>()
    }
}
