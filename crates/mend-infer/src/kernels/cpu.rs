//! Which instruction sets this machine has.
#![forbid(unsafe_code)]

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
        #[allow(unused_mut)]
        let mut paths = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c")
            {
                paths.push(Self::Avx2);
                if is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vnni")
                {
                    paths.push(Self::Avx512);
                }
            }
        }
        paths
    }
}
