//! Vectors of eight: AVX2 and FMA.

use super::{Isa, Kernel, proof, pure};
use std::arch::x86_64::*;

proof! {
    /// AVX2, FMA and F16C.
    Avx2: "avx2" "fma" "f16c"
}

type V = __m256;

/// A window of it, moved by `n`, has its first `n` words set.
static MASK: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

/// Of 32 words the first `n` all ones.
const fn first(n: usize) -> [[i16; 16]; 2] {
    let mut words = [[0; 16]; 2];
    let mut i = 0;
    while i < n {
        words[i / 16][i % 16] = -1;
        i += 1;
    }
    words
}

impl Avx2 {
    /// The first `n` lanes, or all where there are no more.
    #[inline(always)]
    fn mask(self, n: usize) -> __m256i {
        let window = &MASK[8 - n.min(8)..][..8];
        // SAFETY: eight words; the token is the proof of the instruction.
        unsafe { _mm256_loadu_si256(window.as_ptr().cast()) }
    }

    pure! {
        fn bytes(self, v: V) -> __m128i {
            let words = _mm256_cvttps_epi32(v);
            let (low, high) = (
                _mm256_castsi256_si128(words),
                _mm256_extracti128_si256::<1>(words),
            );
            let halves = _mm_packus_epi32(low, high);
            _mm_packus_epi16(halves, halves)
        }
    }
}

impl Isa for Avx2 {
    type V = V;
    type Sums = __m256i;
    const LANES: usize = 8;
    // 6 × 2 sums, two vectors of B and one of A: 15 of 16 registers.
    const TALLEST: usize = 6;
    const SCALES_BELOW: bool = false;

    #[inline]
    fn call<K: Kernel>(self, kernel: K) -> K::Out {
        self.enter(kernel)
    }

    pure! {
        fn zero(self) -> V { _mm256_setzero_ps() }
        fn splat(self, x: f32) -> V { _mm256_set1_ps(x) }
        fn fma(self, a: V, b: V, c: V) -> V { _mm256_fmadd_ps(a, b, c) }
        fn add(self, a: V, b: V) -> V { _mm256_add_ps(a, b) }
        fn sub(self, a: V, b: V) -> V { _mm256_sub_ps(a, b) }
        fn mul(self, a: V, b: V) -> V { _mm256_mul_ps(a, b) }
        fn div(self, a: V, b: V) -> V { _mm256_div_ps(a, b) }
        fn max(self, a: V, b: V) -> V { _mm256_max_ps(a, b) }
        fn min(self, a: V, b: V) -> V { _mm256_min_ps(a, b) }
        fn round(self, a: V) -> V {
            _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a)
        }
        fn scale(self, a: V, n: V) -> V {
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
            _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent)))
        }
        fn sum(self, a: V) -> f32 {
            let s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let s = _mm_add_ps(s, _mm_movehl_ps(s, s));
            _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps::<1>(s, s)))
        }
        fn no_squares(self) -> __m256i { _mm256_setzero_si256() }
        fn squares(self, a: __m256i, b: __m256i) -> u32 {
            let s = _mm256_add_epi32(a, b);
            let s = _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
            let s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0b00_01_10_11));
            let s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0b10_11_00_01));
            _mm_cvtsi128_si32(s) as u32
        }
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> V {
        assert!(from.len() >= Self::LANES, "a vector's values");
        // SAFETY: there are as many values; the token is the proof of the instruction.
        unsafe { _mm256_loadu_ps(from.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32], v: V) {
        assert!(to.len() >= Self::LANES, "a vector's values");
        // SAFETY: there are as many values; the token is the proof of the instruction.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr(), v) }
    }
    #[inline(always)]
    fn load_part(self, from: &[f32]) -> V {
        // SAFETY: lanes behind the slice are masked off; the token is the proof of the instruction.
        unsafe { _mm256_maskload_ps(from.as_ptr(), self.mask(from.len())) }
    }
    #[inline(always)]
    fn store_part(self, to: &mut [f32], v: V) {
        // SAFETY: lanes behind the slice are masked off; the token is the proof of the instruction.
        unsafe { _mm256_maskstore_ps(to.as_mut_ptr(), self.mask(to.len()), v) }
    }
    #[inline(always)]
    fn load_f16(self, from: &[u16]) -> V {
        assert!(from.len() >= Self::LANES, "a vector's values");
        // SAFETY: there are as many values; the token is the proof of the instructions.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.as_ptr().cast())) }
    }
    #[inline(always)]
    fn load_i16(self, from: &[i16]) -> V {
        assert!(from.len() >= Self::LANES, "a vector's values");
        // SAFETY: there are as many values; the token is the proof of the instructions.
        unsafe { _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(_mm_loadu_si128(from.as_ptr().cast()))) }
    }
    #[inline(always)]
    fn store_bytes(self, to: &mut [u8], v: V) {
        assert!(to.len() >= Self::LANES, "a vector's values");
        let bytes = self.bytes(v);
        // SAFETY: there are as many bytes; every x86-64 machine has the instruction.
        unsafe { _mm_storel_epi64(to.as_mut_ptr().cast(), bytes) }
    }
    #[inline(always)]
    fn add_squares<const N: usize>(self, sums: __m256i, a: &[i16], b: &[i16]) -> __m256i {
        assert!(a.len() >= 32 && b.len() >= 32, "eight texels");
        let keep = const { first(N) };
        // SAFETY: 32 values in both, 16 in each of `keep`; the token is the proof of the instructions.
        unsafe {
            let mut sums = sums;
            for (half, keep) in keep.iter().enumerate() {
                let (a, b) = (a.as_ptr().add(16 * half), b.as_ptr().add(16 * half));
                let d =
                    _mm256_sub_epi16(_mm256_loadu_si256(a.cast()), _mm256_loadu_si256(b.cast()));
                let d = _mm256_and_si256(d, _mm256_loadu_si256(keep.as_ptr().cast()));
                sums = _mm256_add_epi32(sums, _mm256_madd_epi16(d, d));
            }
            sums
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
