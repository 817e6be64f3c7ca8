//! Vectors of `f32` behind one trait, so that each kernel is written once and compiled for every
//! [`Path`].
//!
//! A kernel is a [`Kernel`]: its `run` is inlined into [`run`]'s wrapper for the path, which switches
//! the instruction set on. Code that must stay a function of its own (the tiles of a matrix product)
//! is reached through tables of function pointers that each [`Simd`] carries. No closures and no
//! iterator adaptors around vectors: those are functions of their own, without the instruction set.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(super) mod math;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(super) use avx512::Avx512;
pub(super) use portable::Portable;

use super::Path;
use super::tile::TileFn;

/// One instruction set's vectors.
///
/// # Safety
/// Every method needs the instruction set that the type is named after; [`run`] is where that is
/// made sure of. Pointers must be good for as many values as the method's name and docs say.
pub(super) trait Simd: Copy + Send + Sync + 'static {
    /// A vector of `LANES` values.
    type V: Copy;
    /// Values in a vector: a power of two.
    const LANES: usize;
    /// A tile of `m` rows, `1 ≤ m ≤ TILES.len()`, stands at `m - 1`.
    const TILES: &'static [TileFn];

    /// [`Self::scale`] takes any `n` below −126 as well, and gives less than 2^−126.
    const SCALES_BELOW: bool;

    /// All lanes 0.
    unsafe fn zero() -> Self::V;
    /// All lanes `x`.
    unsafe fn splat(x: f32) -> Self::V;
    /// `LANES` values at `p`.
    unsafe fn load(p: *const f32) -> Self::V;
    /// Writes `LANES` values to `p`.
    unsafe fn store(p: *mut f32, v: Self::V);
    /// `n ≤ LANES` values at `p`, and 0 in the other lanes.
    unsafe fn load_n(p: *const f32, n: usize) -> Self::V;
    /// Writes the first `n ≤ LANES` lanes to `p`.
    unsafe fn store_n(p: *mut f32, v: Self::V, n: usize);
    /// `LANES` IEEE half-precision values at `p`, widened.
    unsafe fn load_f16(p: *const u16) -> Self::V;
    /// `a * b + c`, rounded once where the machine has that.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `a + b`
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    /// The greater; `b` where `a` is not a number.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// The smaller; `b` where `a` is not a number.
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    /// The nearest whole number.
    unsafe fn round(a: Self::V) -> Self::V;
    /// `a * 2^n` for a whole `n` of −126 … 127.
    unsafe fn scale(a: Self::V, n: Self::V) -> Self::V;
    /// Writes the lanes, whole numbers of 0 … 255, as `LANES` bytes to `p`; any other number as any byte.
    unsafe fn store_bytes(p: *mut u8, v: Self::V);
    /// The sum of the lanes.
    unsafe fn sum(a: Self::V) -> f32;

    /// Asks for the cache line of `p`, which may be anywhere.
    unsafe fn prefetch(p: *const f32);

    /// Asks for the cache line of `p`, which may be anywhere, into the second cache.
    unsafe fn prefetch_far(p: *const u8);

    /// Calls `kernel.run::<Self>()` in a function that has the instruction set.
    unsafe fn call<K: Kernel>(kernel: K) -> K::Out;
}

/// Code that is compiled for every path.
pub(super) trait Kernel {
    /// What `run` gives.
    type Out;
    /// The code. Implementations are `#[inline(always)]`.
    ///
    /// # Safety
    /// `S`'s instruction set must be there; and what the kernel's own fields promise.
    unsafe fn run<S: Simd>(self) -> Self::Out;
}

/// What weights are held in: single precision, or the bits of half precision. A trait, for a closure
/// would not get the instruction set of the function that it stands in.
pub(super) trait Held: Copy {
    /// `S::LANES` values at `p`, in single precision.
    ///
    /// # Safety
    /// `p` is good for as many values.
    unsafe fn load<S: Simd>(p: *const Self) -> S::V;
}

impl Held for f32 {
    #[inline(always)]
    unsafe fn load<S: Simd>(p: *const f32) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::load(p) }
    }
}

impl Held for u16 {
    #[inline(always)]
    unsafe fn load<S: Simd>(p: *const u16) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::load_f16(p) }
    }
}

/// Runs `kernel` compiled for `path`.
///
/// # Safety
/// What the kernel's own fields promise. The instruction set is checked by [`Path`]'s makers: a
/// `Path` other than `Portable` comes only from [`Path::available`].
pub(super) unsafe fn run<K: Kernel>(path: Path, kernel: K) -> K::Out {
    // SAFETY: the path is one that this machine has.
    unsafe {
        match path {
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => avx512::Avx512::call(kernel),
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => avx2::Avx2::call(kernel),
            _ => portable::Portable::call(kernel),
        }
    }
}

/// The lanes of a vector on `path`.
pub(super) fn lanes(path: Path) -> usize {
    match path {
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 => avx512::Avx512::LANES,
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => avx2::Avx2::LANES,
        _ => portable::Portable::LANES,
    }
}

/// The rows of the tallest tile on `path`.
pub(super) fn tallest(path: Path) -> usize {
    match path {
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 => avx512::Avx512::TILES.len(),
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => avx2::Avx2::TILES.len(),
        _ => portable::Portable::TILES.len(),
    }
}

/// The table of tiles of a [`Simd`], each a function that has the instruction set.
macro_rules! tiles {
    ($simd:ty, $feature:tt, $($m:literal)*) => {
        &[$($crate::kernels::simd::tile_function!($simd, $feature, $m)),*]
    };
}
use tiles;

macro_rules! tile_function {
    ($simd:ty, [$($feature:literal)?], $m:literal) => {{
        $(#[target_feature(enable = $feature)])?
        unsafe fn tile(t: &$crate::kernels::tile::Tile) {
            // SAFETY: the caller's promise, passed on.
            unsafe { $crate::kernels::tile::tile::<$simd, $m>(t) }
        }
        tile as $crate::kernels::tile::TileFn
    }};
}
use tile_function;
