//! Functions of vectors: exponentials and the activations made of them.
#![allow(unsafe_op_in_unsafe_fn)] // Vector arithmetic only; what each needs is `Simd`'s.

use super::Simd;
use crate::kernels::Activation;
use std::f32::consts::LOG2_E;

/// 2^`x`, to 2.4e-7 of itself, for `x` up to 127; from −126 down it may be 2^−126 or less.
///
/// The polynomial is the best of degree 5 on −½ … ½ by Remez' exchange; its own error is 7.5e-8.
#[inline(always)]
pub unsafe fn exp2<S: Simd>(x: S::V) -> S::V {
    let x = if S::SCALES_BELOW {
        x
    } else {
        S::max(x, S::splat(-126.0))
    };
    let n = S::round(x);
    let f = S::sub(x, n);
    let mut p = S::splat(1.327_647_2e-3);
    for c in [
        9.675_541e-3,
        5.550_713e-2,
        2.402_212e-1,
        6.931_469_4e-1,
        1.000_000_1,
    ] {
        p = S::fma(p, f, S::splat(c));
    }
    S::scale(p, n)
}

/// e^`x`, to 2e-7 of itself, for |`x`| up to 87; beyond, the nearest end's.
#[inline(always)]
pub unsafe fn exp<S: Simd>(x: S::V) -> S::V {
    let x = S::min(S::max(x, S::splat(-87.0)), S::splat(88.0));
    let n = S::round(S::mul(x, S::splat(LOG2_E)));
    // x − n ln 2, with ln 2 in two parts (Cody and Waite).
    let r = S::fma(n, S::splat(-0.693_359_4), x);
    let r = S::fma(n, S::splat(2.121_944_4e-4), r);
    let mut p = S::splat(1.987_569_2e-4);
    for c in [
        1.398_2e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ] {
        p = S::fma(p, r, S::splat(c));
    }
    let p = S::add(S::fma(p, S::mul(r, r), r), S::splat(1.0));
    // In two halves, since n may be 127 and the polynomial above 1.
    S::scale(
        S::scale(p, S::splat(-1.0)),
        S::min(S::add(n, S::splat(1.0)), S::splat(127.0)),
    )
}

/// The error function, to 3e-7: the rational of degree 13 over 8 that Eigen and XLA use.
#[inline(always)]
pub unsafe fn erf<S: Simd>(x: S::V) -> S::V {
    let x = S::min(S::max(x, S::splat(-4.0)), S::splat(4.0));
    let x2 = S::mul(x, x);
    let mut p = S::splat(-2.726_142_3e-10);
    for c in [
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_5e-5,
        -7.349_906_3e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ] {
        p = S::fma(p, x2, S::splat(c));
    }
    let mut q = S::splat(-1.456_607_2e-5);
    for c in [-2.133_740_6e-4, -1.682_827e-3, -7.373_329e-3, -1.426_474e-2] {
        q = S::fma(q, x2, S::splat(c));
    }
    S::div(S::mul(x, p), q)
}

/// 1 / (1 + e^−`x`)
#[inline(always)]
pub unsafe fn sigmoid<S: Simd>(x: S::V) -> S::V {
    let one = S::splat(1.0);
    S::div(one, S::add(one, exp::<S>(S::sub(S::zero(), x))))
}

/// `x` · Φ(`x`), with the error function.
#[inline(always)]
pub unsafe fn gelu<S: Simd>(x: S::V) -> S::V {
    // Further down nothing is left of it, but the error function's own error would grow with x.
    let x = S::max(x, S::splat(-5.5));
    let h = S::mul(x, S::splat(0.5));
    S::fma(
        h,
        erf::<S>(S::mul(x, S::splat(std::f32::consts::FRAC_1_SQRT_2))),
        h,
    )
}

/// `activation` of `x`.
#[inline(always)]
pub unsafe fn activate<S: Simd>(activation: Activation, x: S::V) -> S::V {
    match activation {
        Activation::None => x,
        Activation::Relu => S::max(x, S::zero()),
        Activation::LeakyRelu(slope) => {
            S::fma(S::splat(slope), S::min(x, S::zero()), S::max(x, S::zero()))
        }
        Activation::LeakyReluClamped(slope, most) => {
            let x = S::fma(S::splat(slope), S::min(x, S::zero()), S::max(x, S::zero()));
            S::min(S::max(x, S::splat(-most)), S::splat(most))
        }
        Activation::Silu => S::mul(x, sigmoid::<S>(x)),
        Activation::Gelu => gelu::<S>(x),
        Activation::GeluTanh => {
            // ½ (1 + tanh u) is the logistic function of 2u.
            let u = S::fma(S::mul(x, x), S::splat(0.044_715), S::splat(1.0));
            let u = S::mul(S::mul(u, x), S::splat(2.0 * 0.797_884_6));
            S::mul(x, sigmoid::<S>(u))
        }
        Activation::QuickGelu => S::mul(x, sigmoid::<S>(S::mul(x, S::splat(1.702)))),
        Activation::Sigmoid => sigmoid::<S>(x),
        Activation::Tanh => {
            // tanh x = 2 / (1 + e^−2x) − 1 loses digits near 0, no more than 1e-7 in absolute terms.
            let two = S::splat(2.0);
            S::fma(two, sigmoid::<S>(S::mul(x, two)), S::splat(-1.0))
        }
    }
}
