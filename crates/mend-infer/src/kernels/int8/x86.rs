//! Dot products of bytes with AVX2, AVX-VNNI and AVX-512's VNNI.

use super::dots::{Dot, DotKernel, With};
use crate::kernels::simd::{Avx2, Avx512, Enter, Isa, proof, pure};
use std::arch::x86_64::*;

/// Methods of [`Dot`] that every machine here has: `$load` is the load of a vector of bytes.
macro_rules! common {
    ($isa:ident, $sums:ident, $load:ident) => {
        type S = $isa;
        type Sums = $sums;

        #[inline(always)]
        fn will_write(self, p: *const f32) {
            // SAFETY: a hint that touches nothing.
            unsafe { _mm_prefetch::<_MM_HINT_ET0>(p.cast()) }
        }
        #[inline(always)]
        fn load(self, from: &[i32]) -> $sums {
            assert!(from.len() >= $isa::LANES, "a vector's sums");
            // SAFETY: there are as many; the token is the proof of the instruction.
            unsafe { $load(from.as_ptr().cast()) }
        }
    };
}

/// A vector of bytes, four for each lane.
macro_rules! bytes {
    ($from:expr, $isa:ident, $load:ident) => {{
        assert!($from.len() >= 4 * $isa::LANES, "a vector's weights");
        // SAFETY: there are as many; the token is the proof of the instruction.
        unsafe { $load($from.as_ptr().cast()) }
    }};
}

/// AVX-512 VNNI.
#[derive(Clone, Copy)]
pub struct Vnni512(pub Avx512);

impl Dot for Vnni512 {
    common!(Avx512, __m512i, _mm512_loadu_si512);
    type A = __m512i;
    type B = __m512i;
    // 14 × 2 sums, two vectors of weights and one of activations: 31 of 32 registers.
    const TALLEST: usize = 14;

    #[inline(always)]
    fn isa(self) -> Avx512 {
        self.0
    }
    #[inline]
    fn call<K: DotKernel>(self, kernel: K) -> K::Out {
        self.0.call(With(kernel, self))
    }
    #[inline(always)]
    fn weights(self, from: &[i8]) -> __m512i {
        bytes!(from, Avx512, _mm512_loadu_si512)
    }

    pure! {
        fn spread(self, four: [u8; 4]) -> __m512i { _mm512_set1_epi32(i32::from_ne_bytes(four)) }
        fn dot(self, sums: __m512i, a: __m512i, b: __m512i) -> __m512i {
            _mm512_dpbusd_epi32(sums, a, b)
        }
        fn floats(self, sums: __m512i) -> __m512 { _mm512_cvtepi32_ps(sums) }
    }
}

proof! {
    /// AVX-VNNI, and what [`Avx2`] is.
    AvxVnni: "avxvnni" "avx2" "fma" "f16c"
}

/// AVX-VNNI.
#[derive(Clone, Copy)]
pub struct Vnni256(pub AvxVnni, pub Avx2);

/// A kernel on its way into a function that has AVX-VNNI.
struct Entering<K>(K, Avx2);

impl<K: DotKernel> Enter<AvxVnni> for Entering<K> {
    type Out = K::Out;

    #[inline(always)]
    fn inside(self, vnni: AvxVnni) -> K::Out {
        self.0.run(Vnni256(vnni, self.1))
    }
}

impl Dot for Vnni256 {
    common!(Avx2, __m256i, _mm256_loadu_si256);
    type A = __m256i;
    type B = __m256i;
    // 6 × 2 sums, two vectors of weights and one of activations: 15 of 16 registers.
    const TALLEST: usize = 6;

    #[inline(always)]
    fn isa(self) -> Avx2 {
        self.1
    }
    #[inline]
    fn call<K: DotKernel>(self, kernel: K) -> K::Out {
        self.0.enter(Entering(kernel, self.1))
    }
    #[inline(always)]
    fn weights(self, from: &[i8]) -> __m256i {
        bytes!(from, Avx2, _mm256_loadu_si256)
    }

    pure! {
        fn spread(self, four: [u8; 4]) -> __m256i { _mm256_set1_epi32(i32::from_ne_bytes(four)) }
        fn dot(self, sums: __m256i, a: __m256i, b: __m256i) -> __m256i {
            _mm256_dpbusd_avx_epi32(sums, a, b)
        }
        fn floats(self, sums: __m256i) -> __m256 { _mm256_cvtepi32_ps(sums) }
    }
}

/// AVX2 without any VNNI: no faster than `f32`, but as small.
#[derive(Clone, Copy)]
pub struct Widened(pub Avx2);

impl Widened {
    pure! {
        fn parted(self, all: __m256i) -> (__m256i, __m256i) {
            let even = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(all));
            (even, _mm256_srai_epi16::<8>(all))
        }
    }
}

impl Dot for Widened {
    common!(Avx2, __m256i, _mm256_loadu_si256);
    /// The even bytes and the odd ones, each as sixteen bits.
    type A = (__m256i, __m256i);
    type B = (__m256i, __m256i);
    // 4 × 2 sums, four vectors of weights, two of activations, and two on the way.
    const TALLEST: usize = 4;

    #[inline(always)]
    fn isa(self) -> Avx2 {
        self.0
    }
    #[inline]
    fn call<K: DotKernel>(self, kernel: K) -> K::Out {
        self.0.call(With(kernel, self))
    }
    #[inline(always)]
    fn weights(self, from: &[i8]) -> Self::B {
        self.parted(bytes!(from, Avx2, _mm256_loadu_si256))
    }

    pure! {
        fn spread(self, four: [u8; 4]) -> Self::A {
            let four = _mm256_set1_epi32(i32::from_ne_bytes(four));
            let even = _mm256_and_si256(four, _mm256_set1_epi16(0xFF));
            (even, _mm256_srli_epi16::<8>(four))
        }
        fn dot(self, sums: __m256i, a: Self::A, b: Self::B) -> __m256i {
            let sums = _mm256_add_epi32(sums, _mm256_madd_epi16(a.0, b.0));
            _mm256_add_epi32(sums, _mm256_madd_epi16(a.1, b.1))
        }
        fn floats(self, sums: __m256i) -> __m256 { _mm256_cvtepi32_ps(sums) }
    }
}
