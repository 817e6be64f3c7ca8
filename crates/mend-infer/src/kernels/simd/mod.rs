//! Vectors of `f32` behind one trait, so that each kernel is written once and compiled for every
//! instruction set.
//!
//! A token ([`Portable`], `Avx2`, `Avx512`) is the proof that the machine has an instruction set: only
//! its own `detect` makes one. An [`Isa`] is such a token, and its methods are safe, because whoever
//! calls them holds it. A kernel is a [`Kernel`]: its `run` takes the token, and [`Isa::call`] runs it
//! inside a function that has the instruction set switched on. All that it calls is
//! `#[inline(always)]` and so becomes a part of that function. Code that must stay a function of its
//! own (the tiles of a matrix product) is a [`Kernel`] behind a function pointer.
//!
//! Loads and stores take slices. A loop over rows asks a [`Strip`] for them, which looks at its bounds
//! once. No closures and no iterator adaptors around vectors: those are functions of their own, without
//! the instruction set. Adaptors around slices are welcome.
//!
//! Another instruction set is one file like `avx2.rs`, a variant of [`Token`] and one of
//! [`super::Path`].

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(super) mod math;
mod portable;
mod strip;
mod token;

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(super) use avx512::Avx512;
pub(super) use portable::Portable;
pub(super) use strip::{Strip, StripMut};
pub(super) use token::Token;

/// One instruction set's vectors; a value is the proof that the machine has it.
///
/// Every method is `#[inline(always)]`: outside of [`Self::call`] it would be a call for each vector.
pub(super) trait Isa: Copy + Send + Sync + 'static {
    /// A vector of `LANES` values.
    type V: Copy;
    /// Sums of squares of words, in some lanes.
    type Sums: Copy;
    /// Values in a vector: a power of two, at most 16.
    const LANES: usize;
    /// Rows of the tallest tile of a product whose sums, two vectors for each row, stay in registers
    /// beside three operands.
    const TALLEST: usize;
    /// [`Self::scale`] takes any `n` below −126 as well, and gives less than 2^−126.
    const SCALES_BELOW: bool;

    /// Runs `kernel` in a function that has the instruction set.
    fn call<K: Kernel>(self, kernel: K) -> K::Out;

    /// All lanes 0.
    fn zero(self) -> Self::V;
    /// All lanes `x`.
    fn splat(self, x: f32) -> Self::V;
    /// The first `LANES` values of `from`.
    ///
    /// # Panics
    /// When there are fewer.
    fn load(self, from: &[f32]) -> Self::V;
    /// Writes the first `LANES` values of `to`.
    ///
    /// # Panics
    /// When there are fewer.
    fn store(self, to: &mut [f32], v: Self::V);
    /// The values of `from`, `LANES` at the most, and 0 in the other lanes.
    fn load_part(self, from: &[f32]) -> Self::V;
    /// Writes the values of `to`, `LANES` at the most.
    fn store_part(self, to: &mut [f32], v: Self::V);
    /// The first `LANES` values of `from`, bits of half precision, widened.
    ///
    /// # Panics
    /// When there are fewer.
    fn load_f16(self, from: &[u16]) -> Self::V;
    /// The first `LANES` values of `from`.
    ///
    /// # Panics
    /// When there are fewer.
    fn load_i16(self, from: &[i16]) -> Self::V;
    /// Writes the lanes, whole numbers of 0 … 255, to the first `LANES` bytes of `to`; any other number
    /// as any byte.
    ///
    /// # Panics
    /// When there are fewer.
    fn store_bytes(self, to: &mut [u8], v: Self::V);
    /// `a * b + c`, rounded once where the machine has that.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `a + b`
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// The greater; `b` where `a` is not a number.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// The smaller; `b` where `a` is not a number.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// The nearest whole number.
    fn round(self, a: Self::V) -> Self::V;
    /// `a * 2^n` for a whole `n` of −126 … 127.
    fn scale(self, a: Self::V, n: Self::V) -> Self::V;
    /// The sum of the lanes.
    fn sum(self, a: Self::V) -> f32;

    /// Sums of nothing.
    fn no_squares(self) -> Self::Sums;
    /// Adds the squares of the differences of the first `N` values of `a` and `b`. No difference
    /// leaves −4096 … 4096.
    ///
    /// # Panics
    /// When either has fewer than 32 values.
    fn add_squares<const N: usize>(self, sums: Self::Sums, a: &[i16], b: &[i16]) -> Self::Sums;
    /// All squares that were added to either, modulo 2³².
    fn squares(self, a: Self::Sums, b: Self::Sums) -> u32;

    /// Asks for the cache line of `p`, which may be anywhere.
    fn prefetch(self, p: *const f32);
    /// Asks for the cache line of `p`, which may be anywhere, into the second cache.
    fn prefetch_far(self, p: *const u8);
}

/// Code that is compiled for every instruction set.
pub(super) trait Kernel {
    /// What `run` gives.
    type Out;
    /// The code. Implementations are `#[inline(always)]`.
    fn run<S: Isa>(self, isa: S) -> Self::Out;
}

/// What is done inside a function that has a token's features switched on.
pub(super) trait Enter<T> {
    /// What `inside` gives.
    type Out;
    /// The code. Implementations are `#[inline(always)]`.
    fn inside(self, token: T) -> Self::Out;
}

impl<K: Kernel, S: Isa> Enter<S> for K {
    type Out = K::Out;

    #[inline(always)]
    fn inside(self, isa: S) -> K::Out {
        self.run(isa)
    }
}

/// What weights are held in: single precision, or the bits of half precision.
pub(super) trait Element: Copy {
    /// The first `S::LANES` values of `from`, in single precision.
    fn load<S: Isa>(isa: S, from: &[Self]) -> S::V;
}

impl Element for f32 {
    #[inline(always)]
    fn load<S: Isa>(isa: S, from: &[f32]) -> S::V {
        isa.load(from)
    }
}

impl Element for u16 {
    #[inline(always)]
    fn load<S: Isa>(isa: S, from: &[u16]) -> S::V {
        isa.load_f16(from)
    }
}

/// A token, made of the features that it stands for: what its `detect` asks the machine for is what its
/// `enter` switches on.
#[cfg(target_arch = "x86_64")]
macro_rules! proof {
    ($(#[$doc:meta])* $name:ident: $($feature:tt)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name(());

        impl $name {
            /// The token, where this machine has all of the features.
            pub fn detect() -> Option<Self> {
                let all = $(std::is_x86_feature_detected!($feature))&&*;
                all.then_some(Self(()))
            }

            /// Runs `kernel` in a function that has the features.
            #[inline]
            fn enter<K: $crate::kernels::simd::Enter<Self>>(self, kernel: K) -> K::Out {
                $(#[target_feature(enable = $feature)])*
                fn with<K: $crate::kernels::simd::Enter<$name>>(token: $name, kernel: K) -> K::Out {
                    kernel.inside(token)
                }
                // SAFETY: a token is only made where the machine has all of the features.
                unsafe { with(self, kernel) }
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
pub(super) use proof;

/// Methods of a token that are intrinsics on values alone.
#[cfg(target_arch = "x86_64")]
macro_rules! pure {
    ($(fn $name:ident(self $(, $arg:ident: $type:ty)*) -> $out:ty { $($body:tt)* })*) => {$(
        #[inline(always)]
        fn $name(self $(, $arg: $type)*) -> $out {
            // SAFETY: the token is the proof of the instructions, and they touch no memory.
            unsafe { $($body)* }
        }
    )*};
}
#[cfg(target_arch = "x86_64")]
pub(super) use pure;
