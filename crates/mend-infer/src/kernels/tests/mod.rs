//! Every kernel on every path that this machine has, against sums in `f64`, on ragged sizes; and the
//! same bits on any number of threads.
#![forbid(unsafe_code)]

mod attention;
mod conv;
mod int8;
mod linear;
mod norm;
mod separable;
mod softmax;
mod stored;

use super::{Context, Path};
use half::f16;

/// Numbers that look random, the same on every machine.
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// −1 … 1
    pub fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    /// `low` … `high`, both included.
    pub fn size(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() >> 33) as usize % (high - low + 1)
    }

    pub fn values(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.unit()).collect()
    }

    /// Values that half precision holds exactly.
    pub fn halves(&mut self, len: usize) -> Vec<f16> {
        (0..len).map(|_| f16::from_f32(self.unit())).collect()
    }
}

/// Every path, alone and on three threads; the results of one path must have the same bits.
pub fn everywhere(
    what: &str,
    tolerance: f64,
    expected: &[f64],
    run: impl Fn(&Context) -> Vec<f32> + Sync,
) {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(3)
        .build()
        .unwrap();
    for path in Path::available() {
        let cx = Context::new(path);
        let alone = run(&cx);
        let error = relative_error(&alone, expected);
        assert!(
            error <= tolerance,
            "{what} on {path:?}: error {error:.2e} > {tolerance:.0e}"
        );
        let shared = pool.install(|| run(&cx));
        assert!(
            alone
                .iter()
                .zip(&shared)
                .all(|(a, b)| a.to_bits() == b.to_bits()),
            "{what} on {path:?}: three threads give other bits than one"
        );
    }
}

/// The greatest error over the expected values' rms.
pub fn relative_error(got: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let rms = (expected.iter().map(|x| x * x).sum::<f64>() / expected.len().max(1) as f64).sqrt();
    let worst = got
        .iter()
        .zip(expected)
        .map(|(g, e)| {
            if g.is_nan() {
                f64::INFINITY
            } else {
                (*g as f64 - e).abs()
            }
        })
        .fold(0.0, f64::max);
    worst / rms.max(1e-9)
}

/// The activations, in f64.
pub fn activation(a: super::Activation, x: f64) -> f64 {
    use super::Activation::*;
    let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
    match a {
        None => x,
        Relu => x.max(0.0),
        LeakyRelu(slope) => x.max(0.0) + slope as f64 * x.min(0.0),
        LeakyReluClamped(slope, most) => {
            let x = x.max(0.0) + slope as f64 * x.min(0.0);
            x.clamp(-(most as f64), most as f64)
        }
        Silu => x * logistic(x),
        Gelu => 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2)),
        GeluTanh => {
            0.5 * x
                * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x)).tanh())
        }
        QuickGelu => x * logistic(1.702 * x),
        Sigmoid => logistic(x),
        Tanh => x.tanh(),
    }
}

/// The error function by its series, and by its continued fraction where that is better.
fn erf(x: f64) -> f64 {
    let z = x.abs();
    let value = if z < 3.0 {
        let (mut term, mut sum, mut n) = (z, z, 0.0);
        while term.abs() > 1e-17 * sum.abs() {
            n += 1.0;
            term *= -z * z / n;
            sum += term / (2.0 * n + 1.0);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    } else {
        let mut f = 0.0;
        for k in (1..60).rev() {
            f = k as f64 / 2.0 / (z + f);
        }
        1.0 - (-z * z).exp() / (z + f) / std::f64::consts::PI.sqrt()
    };
    value.copysign(x)
}
