//! Which instruction sets this machine has.
#![forbid(unsafe_code)]

use super::simd::Token;

/// The instruction sets that kernels are written for, slowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// Plain Rust, for any machine.
    Portable,
    /// AVX2, FMA and F16C.
    Avx2,
    /// AVX-512 F, BW, DQ, VL and VNNI.
    Avx512,
}

impl Path {
    /// The fastest path of this machine.
    pub fn best() -> Self {
        *Self::available().last().unwrap_or(&Self::Portable)
    }

    /// The path that the environment variable `MEND_KERNELS` names (`portable`, `avx2`, `avx512`), where
    /// this machine has it; otherwise the fastest.
    pub fn chosen() -> Self {
        let wanted = std::env::var("MEND_KERNELS").unwrap_or_default();
        let named = Self::available()
            .into_iter()
            .find(|path| path.name() == wanted);
        named.unwrap_or_else(Self::best)
    }

    /// The path's name: `portable`, `avx2` or `avx512`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// Every path that this machine has, slowest first.
    pub fn available() -> Vec<Self> {
        let all = [Self::Portable, Self::Avx2, Self::Avx512];
        let here = |path: &Self| Token::of(*path).is_some();
        all.into_iter().filter(here).collect()
    }
}
