//! In which order the pixels of a hole lose their noise.
#![forbid(unsafe_code)]

/// The order of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// All at the same time, as in the paper.
    Together,
    /// Those near the rim first.
    ///
    /// A run together is, before step `i` of `N`, at `n(i)` steps of noise, with `n(N) = 0`; between steps
    /// `n` goes straight. A pixel of depth `d`, 0 at the rim and 1 in the middle, is before step `i` where a
    /// run together is before step
    ///
    /// ```text
    /// q = clamp((i − s·d·N) / (1 − s), 0, N)        s = 1/3
    /// ```
    ///
    /// so that each has two thirds of the steps: the rim the first, the middle the last. What follows is the
    /// schedule's general form with γ(n(q)) for each pixel. It begins with all of the noise everywhere, no
    /// pixel's noise ever grows, and at the end no pixel has any.
    RimFirst,
}

impl Order {
    /// The share of the steps by which the deepest pixels are late.
    const LATE: f64 = 1.0 / 3.0;

    /// Where a pixel of this depth is before step `i` of `steps`, in steps of a run together.
    pub fn place(self, i: usize, steps: usize, depth: f64) -> f64 {
        let (i, n) = (i.min(steps) as f64, steps as f64);
        match self {
            Self::Together => i,
            // At the last, rounding must not leave a rest.
            Self::RimFirst if i == n => n,
            Self::RimFirst => {
                let late = Self::LATE * depth.clamp(0.0, 1.0) * n;
                ((i - late) / (1.0 - Self::LATE)).clamp(0.0, n)
            }
        }
    }
}
