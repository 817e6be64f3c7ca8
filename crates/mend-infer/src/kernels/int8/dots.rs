//! Sums of four products of bytes, behind one trait, for every instruction set.

use super::tile::{self, Tile};
#[cfg(target_arch = "x86_64")]
use super::x86::{AvxVnni, Vnni256, Vnni512, Widened};
use crate::kernels::simd::{Isa, Kernel, Portable, Token};

/// The instruction sets that tiles of bytes are written for; a value is the proof that the machine has
/// it. A [`Token`] stands for one, but AVX2's, whose machines may or may not have [`Self::AvxVnni`].
#[derive(Clone, Copy)]
pub enum Set {
    Portable(Bytes),
    /// Sixteen-bit products: what `maddubs` would do at once saturates, which is not exact.
    #[cfg(target_arch = "x86_64")]
    Avx2(Widened),
    /// AVX2 and AVX-VNNI, the 256-bit `vpdpbusd`.
    #[cfg(target_arch = "x86_64")]
    AvxVnni(Vnni256),
    /// AVX-512 with VNNI, the 512-bit `vpdpbusd`.
    #[cfg(target_arch = "x86_64")]
    Avx512(Vnni512),
}

/// `$then` with the dot products of whichever set it is.
macro_rules! with {
    ($set:expr, $dot:ident => $then:expr) => {
        match $set {
            Set::Portable($dot) => $then,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2($dot) => $then,
            #[cfg(target_arch = "x86_64")]
            Set::AvxVnni($dot) => $then,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512($dot) => $then,
        }
    };
}

impl Set {
    /// The fastest on `token`'s path.
    pub fn of(token: Token) -> Self {
        match token {
            Token::Portable(isa) => Self::Portable(Bytes(isa)),
            #[cfg(target_arch = "x86_64")]
            Token::Avx2(isa) => match AvxVnni::detect() {
                Some(vnni) => Self::AvxVnni(Vnni256(vnni, isa)),
                None => Self::Avx2(Widened(isa)),
            },
            #[cfg(target_arch = "x86_64")]
            Token::Avx512(isa) => Self::Avx512(Vnni512(isa)),
        }
    }

    /// Every set that `token`'s path can use, the fastest last.
    #[cfg(test)]
    pub fn all_of(token: Token) -> Vec<Self> {
        match (token, Self::of(token)) {
            #[cfg(target_arch = "x86_64")]
            (Token::Avx2(isa), best @ Self::AvxVnni(_)) => vec![Self::Avx2(Widened(isa)), best],
            (_, only) => vec![only],
        }
    }

    /// The rows of the tallest tile.
    pub fn tallest(self) -> usize {
        fn of<D: Dot>(_: D) -> usize {
            D::TALLEST
        }
        with!(self, dot => of(dot))
    }

    /// Computes `t`, which has [`Self::tallest`] rows at the most.
    #[inline]
    pub fn tile(self, t: &mut Tile) {
        with!(self, dot => tile::run(dot, t));
    }

    /// Runs `kernel` compiled for the set.
    pub fn run<K: DotKernel>(self, kernel: K) -> K::Out {
        with!(self, dot => dot.call(kernel))
    }

    /// The additions and multiplications of a [`Dot::dot`].
    pub fn operations(self) -> usize {
        fn of<D: Dot>(_: D) -> usize {
            D::S::LANES * 8
        }
        with!(self, dot => of(dot))
    }
}

/// One instruction set's dot products of bytes; a value is the proof that the machine has it.
pub trait Dot: Copy {
    /// The same machine's vectors of floats, of as many lanes.
    type S: Isa;
    /// An `i32` in each lane.
    type Sums: Copy;
    /// Four activations, the same ones in each lane.
    type A: Copy;
    /// Four weights in each lane.
    type B: Copy;
    /// Rows of the tallest tile whose sums, two for each row, stay in registers.
    const TALLEST: usize;

    /// The vectors of floats.
    fn isa(self) -> Self::S;
    /// Runs `kernel` in a function that has the instruction set.
    fn call<K: DotKernel>(self, kernel: K) -> K::Out;
    /// Calls for the cache line of `p`, which is to be written; nothing where there is no such hint.
    #[inline(always)]
    fn will_write(self, _p: *const f32) {}
    /// A sum for each lane, the first of `from`.
    ///
    /// # Panics
    /// When there are fewer.
    fn load(self, from: &[i32]) -> Self::Sums;
    /// The four bytes in every lane.
    fn spread(self, four: [u8; 4]) -> Self::A;
    /// Four weights for each lane, the first of `from`.
    ///
    /// # Panics
    /// When there are fewer.
    fn weights(self, from: &[i8]) -> Self::B;
    /// In each lane `sum + Σ a b` over the four, exactly.
    fn dot(self, sums: Self::Sums, a: Self::A, b: Self::B) -> Self::Sums;
    /// The sums as floats, rounded to nearest.
    fn floats(self, sums: Self::Sums) -> <Self::S as Isa>::V;
}

/// Code that is compiled for every set.
pub trait DotKernel {
    /// What `run` gives.
    type Out;
    /// The code. Implementations are `#[inline(always)]`.
    fn run<D: Dot>(self, dot: D) -> Self::Out;
}

/// A kernel with its dot products, to be run where the vectors of floats are all that they need.
pub struct With<K, D>(pub K, pub D);

impl<K: DotKernel, D: Dot> Kernel for With<K, D> {
    type Out = K::Out;

    #[inline(always)]
    fn run<S: Isa>(self, _: S) -> K::Out {
        self.0.run(self.1)
    }
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
pub struct Bytes(Portable);

impl Dot for Bytes {
    type S = Portable;
    type Sums = [i32; 4];
    type A = [i32; 4];
    type B = [[i32; 4]; 4];
    const TALLEST: usize = 4;

    #[inline(always)]
    fn isa(self) -> Portable {
        self.0
    }
    #[inline]
    fn call<K: DotKernel>(self, kernel: K) -> K::Out {
        kernel.run(self)
    }
    #[inline(always)]
    fn load(self, from: &[i32]) -> [i32; 4] {
        [from[0], from[1], from[2], from[3]]
    }
    #[inline(always)]
    fn spread(self, four: [u8; 4]) -> [i32; 4] {
        four.map(i32::from)
    }
    #[inline(always)]
    fn weights(self, from: &[i8]) -> [[i32; 4]; 4] {
        let from = &from[..16];
        // By the place among the four, so that the sums are made lane by lane.
        let of = |k| [from[k], from[4 + k], from[8 + k], from[12 + k]].map(i32::from);
        [of(0), of(1), of(2), of(3)]
    }
    #[inline(always)]
    fn dot(self, sums: [i32; 4], a: [i32; 4], b: [[i32; 4]; 4]) -> [i32; 4] {
        // Wrapping, so that a debug build is checked no more than the machine's instructions are: see
        // the module's docs for why no sum is too long.
        let mut sums = sums;
        for (a, b) in a.iter().zip(b) {
            for (s, b) in sums.iter_mut().zip(b) {
                *s = s.wrapping_add(a * b);
            }
        }
        sums
    }
    #[inline(always)]
    fn floats(self, sums: [i32; 4]) -> [f32; 4] {
        sums.map(|s| s as f32)
    }
}
