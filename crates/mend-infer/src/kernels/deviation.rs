//! How far a result is from the one it stands for.
#![forbid(unsafe_code)]

/// The error of a layer, a block or a network against a more exact form of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Deviation {
    /// The error's rms over the exact values' rms: 0.01 is one per cent.
    pub rms: f64,
    /// The greatest error over the exact values' rms.
    pub max: f64,
}

impl Deviation {
    /// The error of `got` against `exact`. Infinite where something is not a number, or where all that is exact
    /// is zero and `got` is not.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn of(got: &[f32], exact: &[f32]) -> Self {
        assert_eq!(got.len(), exact.len(), "results of one shape");
        let (mut wrong, mut all, mut most) = (0f64, 0f64, 0f64);
        for (g, e) in got.iter().zip(exact) {
            let error = (*g as f64 - *e as f64).abs();
            let error = if error.is_nan() { f64::INFINITY } else { error };
            wrong += error * error;
            all += *e as f64 * *e as f64;
            most = most.max(error);
        }
        if wrong == 0.0 {
            return Self::default();
        }
        let rms = (all / got.len() as f64).sqrt();
        let over = |x: f64| if rms > 0.0 { x / rms } else { f64::INFINITY };
        Self {
            rms: over((wrong / got.len() as f64).sqrt()),
            max: over(most),
        }
    }
}
