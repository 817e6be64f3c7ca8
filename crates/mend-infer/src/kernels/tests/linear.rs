//! Products, gates and activations.
#![forbid(unsafe_code)]

use super::{Noise, activation, everywhere};
use crate::kernels::{Activation, Epilogue, Linear, Source};

fn product(x: &[f32], w: impl Fn(usize) -> f32, bias: &[f32], n: usize, k: usize) -> Vec<f64> {
    let rows = x.len() / k;
    let mut y = vec![0f64; rows * n];
    for i in 0..rows {
        for j in 0..n {
            let sum: f64 = (0..k)
                .map(|c| x[i * k + c] as f64 * w(j * k + c) as f64)
                .sum();
            y[i * n + j] = sum + bias[j] as f64;
        }
    }
    y
}

#[test]
fn products_of_ragged_sizes() {
    let mut noise = Noise::new(1);
    let mut sizes = vec![
        (1, 1, 1),
        (14, 32, 512),
        (300, 70, 1030),
        (29, 33, 1024),
        (2, 67, 3),
    ];
    for _ in 0..25 {
        sizes.push((noise.size(1, 70), noise.size(1, 70), noise.size(1, 140)));
    }
    for (m, n, k) in sizes {
        let x = noise.values(m * k);
        let half = noise.halves(n * k);
        let single: Vec<f32> = noise.values(n * k);
        let bias = noise.values(n);
        let residual = noise.values(m * n);
        let expected = product(&x, |i| half[i].to_f32(), &bias, n, k);
        everywhere(&format!("{m}×{n}×{k} f16"), 2e-5, &expected, |cx| {
            let layer = Linear::new(cx, Source::F16(&half), Some(&bias), n, k).unwrap();
            let mut y = vec![f32::NAN; m * n];
            layer.forward(cx, &x, &Epilogue::default(), &mut y).unwrap();
            y
        });
        let mut expected = product(&x, |i| single[i], &vec![0.0; n], n, k);
        for (e, r) in expected.iter_mut().zip(&residual) {
            *e = activation(Activation::Silu, *e + *r as f64) + *r as f64;
        }
        everywhere(
            &format!("{m}×{n}×{k} f32, residuals"),
            2e-5,
            &expected,
            |cx| {
                let layer = Linear::new(cx, Source::F32(&single), None, n, k).unwrap();
                let ep = Epilogue {
                    add_before: Some(&residual),
                    activation: Activation::Silu,
                    add_after: Some(&residual),
                };
                let mut y = vec![f32::NAN; m * n];
                layer.forward(cx, &x, &ep, &mut y).unwrap();
                y
            },
        );
    }
}

#[test]
fn gates() {
    let mut noise = Noise::new(2);
    for (m, n, k) in [(1, 1, 1), (20, 33, 40), (7, 16, 700), (64, 100, 24)] {
        let x = noise.values(m * k);
        let w = noise.halves(2 * n * k);
        let bias = noise.values(2 * n);
        let both = product(&x, |i| w[i].to_f32(), &bias, 2 * n, k);
        let expected: Vec<f64> = (0..m * n)
            .map(|i| {
                let row = &both[i / n * 2 * n..][..2 * n];
                row[i % n] * activation(Activation::Gelu, row[n + i % n])
            })
            .collect();
        everywhere(&format!("gated {m}×{n}×{k}"), 2e-5, &expected, |cx| {
            let layer = Linear::gated(cx, Source::F16(&w), Some(&bias), n, k).unwrap();
            assert_eq!(layer.outputs(), n);
            let ep = Epilogue {
                activation: Activation::Gelu,
                ..Epilogue::default()
            };
            let mut y = vec![f32::NAN; m * n];
            layer.forward(cx, &x, &ep, &mut y).unwrap();
            y
        });
    }
}

#[test]
fn activations_over_their_whole_range() {
    use Activation::*;
    let x: Vec<f32> = (-40_000..40_000).map(|i| i as f32 * 0.0025).collect();
    for a in [
        None,
        Relu,
        LeakyRelu(0.2),
        LeakyReluClamped(0.2, 0.7),
        Silu,
        Gelu,
        GeluTanh,
        QuickGelu,
        Sigmoid,
        Tanh,
    ] {
        let expected: Vec<f64> = x.iter().map(|x| activation(a, *x as f64)).collect();
        for path in crate::kernels::Path::available() {
            let cx = crate::kernels::Context::new(path);
            let one = Linear::new(&cx, Source::F32(&[1.0]), Option::None, 1, 1).unwrap();
            let ep = Epilogue {
                activation: a,
                ..Epilogue::default()
            };
            let mut y = vec![f32::NAN; x.len()];
            one.forward(&cx, &x, &ep, &mut y).unwrap();
            for ((x, y), e) in x.iter().zip(&y).zip(&expected) {
                let error = (*y as f64 - e).abs();
                // The error function's own error is multiplied by x, as far down as that goes.
                let gelu = if a == Gelu {
                    (x.abs() as f64).min(6.0)
                } else {
                    0.0
                };
                let allowed = 4e-7 * (1.0 + e.abs()) + 1e-7 * gelu;
                assert!(error <= allowed, "{a:?}({x}) on {path:?} is {y}, not {e}");
            }
        }
    }
}
