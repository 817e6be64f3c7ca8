//! Vectors of sixteen: AVX-512.

use super::{Isa, Kernel, proof, pure};
use std::arch::x86_64::*;

proof! {
    /// AVX-512 F, BW, DQ, VL and VNNI, and what [`super::Avx2`] is.
    Avx512: "avx512f" "avx512bw" "avx512vl" "avx512dq" "avx512vnni" "avx2" "fma" "f16c"
}

type V = __m512;

/// The first `n` lanes, or all where there are no more.
#[inline(always)]
fn mask(n: usize) -> __mmask16 {
    ((1u32 << n.min(16)) - 1) as u16
}

impl Avx512 {
    pure! {
        fn bytes(self, v: V) -> __m128i { _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(v)) }
    }
}

impl Isa for Avx512 {
    type V = V;
    type Sums = __m512i;
    const LANES: usize = 16;
    // 14 × 2 sums, two vectors of B and one of A: 31 of 32 registers.
    const TALLEST: usize = 14;
    const SCALES_BELOW: bool = true;

    #[inline]
    fn call<K: Kernel>(self, kernel: K) -> K::Out {
        self.enter(kernel)
    }

    pure! {
        fn zero(self) -> V { _mm512_setzero_ps() }
        fn splat(self, x: f32) -> V { _mm512_set1_ps(x) }
        fn fma(self, a: V, b: V, c: V) -> V { _mm512_fmadd_ps(a, b, c) }
        fn add(self, a: V, b: V) -> V { _mm512_add_ps(a, b) }
        fn sub(self, a: V, b: V) -> V { _mm512_sub_ps(a, b) }
        fn mul(self, a: V, b: V) -> V { _mm512_mul_ps(a, b) }
        fn div(self, a: V, b: V) -> V { _mm512_div_ps(a, b) }
        fn max(self, a: V, b: V) -> V { _mm512_max_ps(a, b) }
        fn min(self, a: V, b: V) -> V { _mm512_min_ps(a, b) }
        fn round(self, a: V) -> V {
            _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a)
        }
        fn scale(self, a: V, n: V) -> V { _mm512_scalef_ps(a, n) }
        fn sum(self, a: V) -> f32 { _mm512_reduce_add_ps(a) }
        fn no_squares(self) -> __m512i { _mm512_setzero_si512() }
        fn squares(self, a: __m512i, b: __m512i) -> u32 {
            _mm512_reduce_add_epi32(_mm512_add_epi32(a, b)) as u32
        }
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> V {
        assert!(from.len() >= Self::LANES, "a vector's values");
        // SAFETY: there are as many values; the token is the proof of the instruction.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32], v: V) {
        assert!(to.len() >= Self::LANES, "a vector's values");
        // SAFETY: there are as many values; the token is the proof of the instruction.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), v) }
    }
    #[inline(always)]
    fn load_part(self, from: &[f32]) -> V {
        // SAFETY: lanes behind the slice are masked off; the token is the proof of the instruction.
        unsafe { _mm512_maskz_loadu_ps(mask(from.len()), from.as_ptr()) }
    }
    #[inline(always)]
    fn store_part(self, to: &mut [f32], v: V) {
        // SAFETY: lanes behind the slice are masked off; the token is the proof of the instruction.
        unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr(), mask(to.len()), v) }
    }
    #[inline(always)]
    fn load_f16(self, from: &[u16]) -> V {
        assert!(from.len() >= Self::LANES, "a vector's values");
        // SAFETY: there are as many values; the token is the proof of the instructions.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.as_ptr().cast())) }
    }
    #[inline(always)]
    fn load_i16(self, from: &[i16]) -> V {
        assert!(from.len() >= Self::LANES, "a vector's values");
        // SAFETY: there are as many values; the token is the proof of the instructions.
        unsafe {
            _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(_mm256_loadu_si256(
                from.as_ptr().cast(),
            )))
        }
    }
    #[inline(always)]
    fn store_bytes(self, to: &mut [u8], v: V) {
        assert!(to.len() >= Self::LANES, "a vector's values");
        let bytes = self.bytes(v);
        // SAFETY: there are as many bytes; every x86-64 machine has the instruction.
        unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), bytes) }
    }
    #[inline(always)]
    fn add_squares<const N: usize>(self, sums: __m512i, a: &[i16], b: &[i16]) -> __m512i {
        assert!(a.len() >= 32 && b.len() >= 32, "eight texels");
        let mask = const { ((1u64 << N) - 1) as __mmask32 };
        // SAFETY: 32 values in both; the token is the proof of the instructions.
        unsafe {
            let a = _mm512_maskz_loadu_epi16(mask, a.as_ptr());
            let b = _mm512_maskz_loadu_epi16(mask, b.as_ptr());
            let d = _mm512_sub_epi16(a, b);
            _mm512_dpwssd_epi32(sums, d, d)
        }
    }

    #[inline(always)]
    fn prefetch(self, p: *const f32) {
        // SAFETY: a hint, of every x86-64 machine, that touches nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
    }
    #[inline(always)]
    fn prefetch_far(self, p: *const u8) {
        // SAFETY: as above.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(p.cast()) }
    }
}
