//! Which instruction set is used, with the proof that it is there.
#![forbid(unsafe_code)]

#[cfg(target_arch = "x86_64")]
use super::{Avx2, Avx512};
use super::{Isa, Kernel, Portable};
use crate::kernels::Path;

/// A [`Path`] that this machine is known to have.
#[derive(Clone, Copy)]
pub enum Token {
    Portable(Portable),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

/// `$then` with the token of whichever set it is.
macro_rules! with {
    ($token:expr, $isa:ident => $then:expr) => {
        match $token {
            Token::Portable($isa) => $then,
            #[cfg(target_arch = "x86_64")]
            Token::Avx2($isa) => $then,
            #[cfg(target_arch = "x86_64")]
            Token::Avx512($isa) => $then,
        }
    };
}

impl Token {
    /// The proof for `path`; `None` where this machine has not got it.
    pub fn of(path: Path) -> Option<Self> {
        match path {
            Path::Portable => Some(Self::Portable(Portable)),
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => Avx2::detect().map(Self::Avx2),
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => Avx512::detect().map(Self::Avx512),
            #[cfg(not(target_arch = "x86_64"))]
            Path::Avx2 | Path::Avx512 => None,
        }
    }

    /// The path that it is a proof for.
    pub fn path(self) -> Path {
        match self {
            Self::Portable(_) => Path::Portable,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => Path::Avx2,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => Path::Avx512,
        }
    }

    /// Runs `kernel` compiled for the instruction set.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Out {
        with!(self, isa => isa.call(kernel))
    }

    /// The lanes of a vector.
    pub fn lanes(self) -> usize {
        fn of<S: Isa>(_: S) -> usize {
            S::LANES
        }
        with!(self, isa => of(isa))
    }

    /// The rows of the tallest tile of a product in full precision.
    pub fn tallest(self) -> usize {
        fn of<S: Isa>(_: S) -> usize {
            S::TALLEST
        }
        with!(self, isa => of(isa))
    }
}
