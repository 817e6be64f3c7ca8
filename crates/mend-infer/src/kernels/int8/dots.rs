//! Sums of four products of bytes, behind one trait, for every instruction set.
#![allow(unsafe_op_in_unsafe_fn)] // One-line intrinsics; the trait tells what each needs.

use super::spin::{SpinFn, spin_function};
use super::tile::{TileFn, tiles};
use crate::kernels::Path;
use crate::kernels::simd::{Portable, Simd};
use std::array::from_fn;

/// The instruction sets that tiles of bytes are written for. A [`Path`] has one, but [`Path::Avx2`],
/// whose machines may or may not have [`Self::AvxVnni`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    Portable,
    /// Sixteen-bit products: what `maddubs` would do at once saturates, which is not exact.
    Avx2,
    /// AVX2 and AVX-VNNI, the 256-bit `vpdpbusd`.
    AvxVnni,
    /// AVX-512 with VNNI, the 512-bit `vpdpbusd`.
    Avx512,
}

impl Set {
    /// The fastest of `path`.
    pub fn of(path: Path) -> Self {
        match path {
            Path::Portable => Self::Portable,
            Path::Avx512 => Self::Avx512,
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 if is_x86_feature_detected!("avxvnni") => Self::AvxVnni,
            Path::Avx2 => Self::Avx2,
        }
    }

    /// Every set that `path` can use, the fastest last.
    #[cfg(test)]
    pub fn all_of(path: Path) -> Vec<Self> {
        match Self::of(path) {
            Self::AvxVnni => vec![Self::Avx2, Self::AvxVnni],
            only => vec![only],
        }
    }

    /// A tile of `m` rows stands at `m - 1`.
    pub fn tiles(self) -> &'static [TileFn] {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => x86::Vnni512::TILES,
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => x86::Vnni256::TILES,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => x86::Widened::TILES,
            _ => Bytes::TILES,
        }
    }

    /// What [`super::spin`] calls, and the operations of a turn of it.
    pub fn spinner(self) -> (SpinFn, usize) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => (x86::Vnni512::SPIN, x86::Vnni512::OPERATIONS),
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => (x86::Vnni256::SPIN, x86::Vnni256::OPERATIONS),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => (x86::Widened::SPIN, x86::Widened::OPERATIONS),
            _ => (Bytes::SPIN, Bytes::OPERATIONS),
        }
    }
}

/// One instruction set's dot products of bytes.
///
/// # Safety
/// Every method needs the instruction set that the type stands for: they run inside [`Self::TILES`]
/// and [`Self::SPIN`] only, which [`Set`] gives out where the machine has it. Pointers must be good
/// for as many values as the docs say.
pub trait Dot: Copy {
    /// The same machine's vectors of floats, of as many lanes.
    type S: Simd;
    /// An `i32` in each lane.
    type Sums: Copy;
    /// Four activations, the same ones in each lane.
    type A: Copy;
    /// Four weights in each lane.
    type B: Copy;
    /// A tile of `m` rows, `1 ≤ m ≤ TILES.len()`, stands at `m - 1`.
    const TILES: &'static [TileFn];
    /// For measuring the peak.
    const SPIN: SpinFn;
    /// Additions and multiplications of a turn of [`Self::SPIN`].
    const OPERATIONS: usize = super::spin::CHAINS * Self::S::LANES * 8;

    /// Calls for the cache line of `p`, which is to be written; nothing where there is no such hint.
    #[inline(always)]
    unsafe fn will_write(_p: *mut f32) {}
    /// A sum for each lane, at `p`.
    unsafe fn load(p: *const i32) -> Self::Sums;
    /// The four bytes at `p`, in every lane.
    unsafe fn spread(p: *const u8) -> Self::A;
    /// Four weights for each lane, at `p`.
    unsafe fn weights(p: *const i8) -> Self::B;
    /// In each lane `sum + Σ a b` over the four, exactly.
    unsafe fn dot(sums: Self::Sums, a: Self::A, b: Self::B) -> Self::Sums;
    /// The sums as floats, rounded to nearest.
    unsafe fn floats(sums: Self::Sums) -> <Self::S as Simd>::V;
}

/// Calls for `bytes`, which will be read soon, into the second-level cache, where the machine has such
/// a hint.
pub fn will_read(bytes: &[i8]) {
    #[cfg(target_arch = "x86_64")]
    for line in bytes.chunks(64) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a hint, of every x86-64 machine, about an address inside the slice.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = bytes;
}

/// Plain Rust.
#[derive(Clone, Copy)]
pub struct Bytes;

impl Dot for Bytes {
    type S = Portable;
    type Sums = [i32; 4];
    type A = [i32; 4];
    type B = [[i32; 4]; 4];
    const TILES: &'static [TileFn] = tiles!(Bytes, [], 1 2 3 4);
    const SPIN: SpinFn = spin_function!(Bytes, []);

    #[inline(always)]
    unsafe fn load(p: *const i32) -> [i32; 4] {
        p.cast::<[i32; 4]>().read_unaligned()
    }
    #[inline(always)]
    unsafe fn spread(p: *const u8) -> [i32; 4] {
        p.cast::<[u8; 4]>().read().map(i32::from)
    }
    #[inline(always)]
    unsafe fn weights(p: *const i8) -> [[i32; 4]; 4] {
        // By the place among the four, so that the sums are made lane by lane.
        from_fn(|k| from_fn(|lane| *p.add(4 * lane + k) as i32))
    }
    #[inline(always)]
    unsafe fn dot(sums: [i32; 4], a: [i32; 4], b: [[i32; 4]; 4]) -> [i32; 4] {
        // Wrapping, so that a debug build is checked no more than the machine's instructions are: see
        // the module's docs for why no sum is too long.
        from_fn(|lane| (0..4).fold(sums[lane], |s, k| s.wrapping_add(a[k] * b[k][lane])))
    }
    #[inline(always)]
    unsafe fn floats(sums: [i32; 4]) -> [f32; 4] {
        sums.map(|s| s as f32)
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::*;
    use crate::kernels::simd::{Avx2, Avx512};
    use std::arch::x86_64::*;

    /// AVX-512 VNNI.
    #[derive(Clone, Copy)]
    pub struct Vnni512;

    impl Dot for Vnni512 {
        type S = Avx512;
        type Sums = __m512i;
        type A = __m512i;
        type B = __m512i;
        // 14 × 2 sums, two vectors of weights and one of activations: 31 of 32 registers.
        const TILES: &'static [TileFn] = tiles!(
            Vnni512, ["avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"],
            1 2 3 4 5 6 7 8 9 10 11 12 13 14
        );
        const SPIN: SpinFn = spin_function!(Vnni512, ["avx512f,avx512vnni"]);

        #[inline(always)]
        unsafe fn will_write(p: *mut f32) {
            _mm_prefetch::<_MM_HINT_ET0>(p as *const i8);
        }
        #[inline(always)]
        unsafe fn load(p: *const i32) -> __m512i {
            _mm512_loadu_si512(p as *const __m512i)
        }
        #[inline(always)]
        unsafe fn spread(p: *const u8) -> __m512i {
            _mm512_set1_epi32(p.cast::<i32>().read_unaligned())
        }
        #[inline(always)]
        unsafe fn weights(p: *const i8) -> __m512i {
            _mm512_loadu_si512(p as *const __m512i)
        }
        #[inline(always)]
        unsafe fn dot(sums: __m512i, a: __m512i, b: __m512i) -> __m512i {
            _mm512_dpbusd_epi32(sums, a, b)
        }
        #[inline(always)]
        unsafe fn floats(sums: __m512i) -> __m512 {
            _mm512_cvtepi32_ps(sums)
        }
    }

    /// AVX-VNNI.
    #[derive(Clone, Copy)]
    pub struct Vnni256;

    impl Dot for Vnni256 {
        type S = Avx2;
        type Sums = __m256i;
        type A = __m256i;
        type B = __m256i;
        // 6 × 2 sums, two vectors of weights and one of activations: 15 of 16 registers.
        const TILES: &'static [TileFn] = tiles!(Vnni256, ["avxvnni,avx2,fma,f16c"], 1 2 3 4 5 6);
        const SPIN: SpinFn = spin_function!(Vnni256, ["avxvnni,avx2"]);

        #[inline(always)]
        unsafe fn will_write(p: *mut f32) {
            _mm_prefetch::<_MM_HINT_ET0>(p as *const i8);
        }
        #[inline(always)]
        unsafe fn load(p: *const i32) -> __m256i {
            _mm256_loadu_si256(p as *const __m256i)
        }
        #[inline(always)]
        unsafe fn spread(p: *const u8) -> __m256i {
            _mm256_set1_epi32(p.cast::<i32>().read_unaligned())
        }
        #[inline(always)]
        unsafe fn weights(p: *const i8) -> __m256i {
            _mm256_loadu_si256(p as *const __m256i)
        }
        #[inline(always)]
        unsafe fn dot(sums: __m256i, a: __m256i, b: __m256i) -> __m256i {
            _mm256_dpbusd_avx_epi32(sums, a, b)
        }
        #[inline(always)]
        unsafe fn floats(sums: __m256i) -> __m256 {
            _mm256_cvtepi32_ps(sums)
        }
    }

    /// AVX2 without any VNNI: no faster than `f32`, but as small.
    #[derive(Clone, Copy)]
    pub struct Widened;

    impl Dot for Widened {
        type S = Avx2;
        type Sums = __m256i;
        /// The even bytes and the odd ones, each as sixteen bits.
        type A = (__m256i, __m256i);
        type B = (__m256i, __m256i);
        // 4 × 2 sums, four vectors of weights, two of activations, and two on the way.
        const TILES: &'static [TileFn] = tiles!(Widened, ["avx2,fma,f16c"], 1 2 3 4);
        const SPIN: SpinFn = spin_function!(Widened, ["avx2"]);

        #[inline(always)]
        unsafe fn will_write(p: *mut f32) {
            _mm_prefetch::<_MM_HINT_ET0>(p as *const i8);
        }
        #[inline(always)]
        unsafe fn load(p: *const i32) -> __m256i {
            _mm256_loadu_si256(p as *const __m256i)
        }
        #[inline(always)]
        unsafe fn spread(p: *const u8) -> Self::A {
            let four = _mm256_set1_epi32(p.cast::<i32>().read_unaligned());
            let even = _mm256_and_si256(four, _mm256_set1_epi16(0xFF));
            (even, _mm256_srli_epi16::<8>(four))
        }
        #[inline(always)]
        unsafe fn weights(p: *const i8) -> Self::B {
            let all = _mm256_loadu_si256(p as *const __m256i);
            let even = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(all));
            (even, _mm256_srai_epi16::<8>(all))
        }
        #[inline(always)]
        unsafe fn dot(sums: __m256i, a: Self::A, b: Self::B) -> __m256i {
            let sums = _mm256_add_epi32(sums, _mm256_madd_epi16(a.0, b.0));
            _mm256_add_epi32(sums, _mm256_madd_epi16(a.1, b.1))
        }
        #[inline(always)]
        unsafe fn floats(sums: __m256i) -> __m256 {
            _mm256_cvtepi32_ps(sums)
        }
    }
}
