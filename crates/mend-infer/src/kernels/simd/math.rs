//! Functions of vectors: exponentials and the activations made of them.
#![forbid(unsafe_code)]

use super::Isa;
use crate::kernels::Activation;
use std::f32::consts::LOG2_E;

/// 2^`x`, to 2.4e-7 of itself, for `x` up to 127; from −126 down it may be 2^−126 or less.
///
/// The polynomial is the best of degree 5 on −½ … ½ by Remez' exchange; its own error is 7.5e-8.
#[inline(always)]
pub fn exp2<S: Isa>(isa: S, x: S::V) -> S::V {
    let x = if S::SCALES_BELOW {
        x
    } else {
        isa.max(x, isa.splat(-126.0))
    };
    let n = isa.round(x);
    let f = isa.sub(x, n);
    let mut p = isa.splat(1.327_647_2e-3);
    for c in [
        9.675_541e-3,
        5.550_713e-2,
        2.402_212e-1,
        6.931_469_4e-1,
        1.000_000_1,
    ] {
        p = isa.fma(p, f, isa.splat(c));
    }
    isa.scale(p, n)
}

/// e^`x`, to 2e-7 of itself, for |`x`| up to 87; beyond, the nearest end's.
#[inline(always)]
pub fn exp<S: Isa>(isa: S, x: S::V) -> S::V {
    let x = isa.min(isa.max(x, isa.splat(-87.0)), isa.splat(88.0));
    let n = isa.round(isa.mul(x, isa.splat(LOG2_E)));
    // x − n ln 2, with ln 2 in two parts (Cody and Waite).
    let r = isa.fma(n, isa.splat(-0.693_359_4), x);
    let r = isa.fma(n, isa.splat(2.121_944_4e-4), r);
    let mut p = isa.splat(1.987_569_2e-4);
    for c in [
        1.398_2e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ] {
        p = isa.fma(p, r, isa.splat(c));
    }
    let p = isa.add(isa.fma(p, isa.mul(r, r), r), isa.splat(1.0));
    // In two halves, since n may be 127 and the polynomial above 1.
    isa.scale(
        isa.scale(p, isa.splat(-1.0)),
        isa.min(isa.add(n, isa.splat(1.0)), isa.splat(127.0)),
    )
}

/// The error function, to 3e-7: the rational of degree 13 over 8 that Eigen and XLA use.
#[inline(always)]
pub fn erf<S: Isa>(isa: S, x: S::V) -> S::V {
    let x = isa.min(isa.max(x, isa.splat(-4.0)), isa.splat(4.0));
    let x2 = isa.mul(x, x);
    let mut p = isa.splat(-2.726_142_3e-10);
    for c in [
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_5e-5,
        -7.349_906_3e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ] {
        p = isa.fma(p, x2, isa.splat(c));
    }
    let mut q = isa.splat(-1.456_607_2e-5);
    for c in [-2.133_740_6e-4, -1.682_827e-3, -7.373_329e-3, -1.426_474e-2] {
        q = isa.fma(q, x2, isa.splat(c));
    }
    isa.div(isa.mul(x, p), q)
}

/// 1 / (1 + e^−`x`)
#[inline(always)]
pub fn sigmoid<S: Isa>(isa: S, x: S::V) -> S::V {
    let one = isa.splat(1.0);
    isa.div(one, isa.add(one, exp(isa, isa.sub(isa.zero(), x))))
}

/// `x` · Φ(`x`), with the error function.
#[inline(always)]
pub fn gelu<S: Isa>(isa: S, x: S::V) -> S::V {
    // Further down nothing is left of it, but the error function's own error would grow with x.
    let x = isa.max(x, isa.splat(-5.5));
    let h = isa.mul(x, isa.splat(0.5));
    isa.fma(
        h,
        erf(isa, isa.mul(x, isa.splat(std::f32::consts::FRAC_1_SQRT_2))),
        h,
    )
}

/// `activation` of `x`.
#[inline(always)]
pub fn activate<S: Isa>(isa: S, activation: Activation, x: S::V) -> S::V {
    match activation {
        Activation::None => x,
        Activation::Relu => isa.max(x, isa.zero()),
        Activation::LeakyRelu(slope) => isa.fma(
            isa.splat(slope),
            isa.min(x, isa.zero()),
            isa.max(x, isa.zero()),
        ),
        Activation::LeakyReluClamped(slope, most) => {
            let x = isa.fma(
                isa.splat(slope),
                isa.min(x, isa.zero()),
                isa.max(x, isa.zero()),
            );
            isa.min(isa.max(x, isa.splat(-most)), isa.splat(most))
        }
        Activation::Silu => isa.mul(x, sigmoid(isa, x)),
        Activation::Gelu => gelu(isa, x),
        Activation::GeluTanh => {
            // ½ (1 + tanh u) is the logistic function of 2u.
            let u = isa.fma(isa.mul(x, x), isa.splat(0.044_715), isa.splat(1.0));
            let u = isa.mul(isa.mul(u, x), isa.splat(2.0 * 0.797_884_6));
            isa.mul(x, sigmoid(isa, u))
        }
        Activation::QuickGelu => isa.mul(x, sigmoid(isa, isa.mul(x, isa.splat(1.702)))),
        Activation::Sigmoid => sigmoid(isa, x),
        Activation::Tanh => {
            // tanh x = 2 / (1 + e^−2x) − 1 loses digits near 0, no more than 1e-7 in absolute terms.
            let two = isa.splat(2.0);
            isa.fma(two, sigmoid(isa, isa.mul(x, two)), isa.splat(-1.0))
        }
    }
}
