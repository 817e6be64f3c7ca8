//! Products in eight bits: against the same integers in `i64`, and against the products that they
//! stand for.
#![forbid(unsafe_code)]

use super::{Noise, activation, everywhere};
use crate::kernels::int8::Set;
use crate::kernels::{
    Activation, Context, Conv2d, ConvShape, Deviation, Epilogue, Linear, Path, Precision, Source,
};

/// A row as whole numbers of −127 … 127, and their scale.
fn quantise(x: &[f32]) -> (Vec<i64>, f64) {
    let most = x.iter().fold(1e-30f32, |m, x| m.max(x.abs()));
    let inverse = 127.0 / most;
    let whole = x.iter().map(|x| (x * inverse).round_ties_even() as i64);
    (whole.collect(), (most / 127.0) as f64)
}

fn rows(x: &[f32], row: usize) -> Vec<(Vec<i64>, f64)> {
    x.chunks(row).map(quantise).collect()
}

/// `[rows][n]`, of quantised operands.
fn product(x: &[f32], w: &[f32], bias: &[f32], k: usize) -> Vec<f64> {
    let weights = rows(w, k);
    let mut y = Vec::new();
    for (x, sx) in rows(x, k) {
        for ((w, sw), bias) in weights.iter().zip(bias) {
            let sum: i64 = x.iter().zip(w).map(|(x, w)| x * w).sum();
            y.push(sum as f64 * sx * sw + *bias as f64);
        }
    }
    y
}

/// `run` with every set of `cx`'s path; all must have the same bits, for their integers are the same.
fn by_every_set(cx: &Context, run: impl Fn(Set) -> Vec<f32>) -> Vec<f32> {
    let results: Vec<_> = Set::all_of(cx.token()).into_iter().map(&run).collect();
    for other in &results[1..] {
        assert!(
            other
                .iter()
                .zip(&results[0])
                .all(|(a, b)| a.to_bits() == b.to_bits()),
            "the sets of {:?} differ",
            cx.path()
        );
    }
    results[0].clone()
}

fn linear(
    cx: &Context,
    (x, w, bias): (&[f32], &[f32], Option<&[f32]>),
    (n, k): (usize, usize),
    gated: bool,
    ep: &Epilogue,
) -> Vec<f32> {
    by_every_set(cx, |set| {
        let make = if gated {
            Linear::gated_with_precision
        } else {
            Linear::with_precision
        };
        let mut layer = make(cx, Precision::Int8, Source::F32(w), bias, n, k).unwrap();
        assert_eq!(layer.precision(), Precision::Int8);
        layer.force(set);
        let mut y = vec![f32::NAN; x.len() / k * n];
        layer.forward(cx, x, ep, &mut y).unwrap();
        y
    })
}

#[test]
fn products_of_ragged_sizes() {
    let mut noise = Noise::new(11);
    let mut sizes = vec![
        (1, 1, 1),
        (14, 32, 512),
        (300, 70, 1300),
        (29, 33, 2563),
        (2, 67, 3),
        (33, 400, 16),
    ];
    for _ in 0..25 {
        sizes.push((noise.size(1, 70), noise.size(1, 70), noise.size(1, 140)));
    }
    for (m, n, k) in sizes {
        let (x, w) = (noise.values(m * k), noise.values(n * k));
        let (bias, residual) = (noise.values(n), noise.values(m * n));
        let plain = product(&x, &w, &bias, k);
        let what = format!("{m}×{n}×{k}");
        everywhere(&what, 2e-6, &plain, |cx| {
            linear(
                cx,
                (&x, &w, Some(&bias)),
                (n, k),
                false,
                &Epilogue::default(),
            )
        });
        let mut expected = product(&x, &w, &vec![0.0; n], k);
        for (e, r) in expected.iter_mut().zip(&residual) {
            *e = activation(Activation::Silu, *e + *r as f64) + *r as f64;
        }
        everywhere(&format!("{what}, residuals"), 2e-6, &expected, |cx| {
            let ep = Epilogue {
                add_before: Some(&residual),
                activation: Activation::Silu,
                add_after: Some(&residual),
            };
            linear(cx, (&x, &w, None), (n, k), false, &ep)
        });
    }
}

#[test]
fn half_weights_are_quantised_as_their_values() {
    let mut noise = Noise::new(12);
    let (n, k) = (37, 41);
    let half = noise.halves(n * k);
    let single: Vec<f32> = half.iter().map(|x| x.to_f32()).collect();
    let x = noise.values(5 * k);
    everywhere("f16", 2e-6, &product(&x, &single, &vec![0.0; n], k), |cx| {
        let weight = Source::F16(&half);
        let layer = Linear::with_precision(cx, Precision::Int8, weight, None, n, k).unwrap();
        let mut y = vec![f32::NAN; 5 * n];
        layer.forward(cx, &x, &Epilogue::default(), &mut y).unwrap();
        y
    });
}

#[test]
fn gates() {
    let mut noise = Noise::new(13);
    for (m, n, k) in [(1, 1, 1), (20, 33, 40), (7, 16, 2700), (64, 100, 24)] {
        let (x, w) = (noise.values(m * k), noise.values(2 * n * k));
        let bias = noise.values(2 * n);
        let both = product(&x, &w, &bias, k);
        let expected: Vec<f64> = (0..m * n)
            .map(|i| {
                let row = &both[i / n * 2 * n..][..2 * n];
                row[i % n] * activation(Activation::Gelu, row[n + i % n])
            })
            .collect();
        let ep = Epilogue {
            activation: Activation::Gelu,
            ..Epilogue::default()
        };
        everywhere(&format!("gated {m}×{n}×{k}"), 3e-6, &expected, |cx| {
            linear(cx, (&x, &w, Some(&bias)), (n, k), true, &ep)
        });
    }
}

/// Every pixel of each group quantised for itself, every output's weights of all taps together.
fn convolution(
    s: &ConvShape,
    (batch, h, w): (usize, usize, usize),
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
) -> Vec<f64> {
    let (oh, ow) = s.output(h, w);
    let (ci, co) = (s.inputs / s.groups, s.outputs / s.groups);
    let taps = s.kernel.0 * s.kernel.1;
    let (pixels, weights) = (rows(x, ci), rows(weight, ci * taps));
    let mut y = Vec::new();
    for i in 0..batch * oh * ow * s.outputs {
        let (o, at) = (i % s.outputs, i / s.outputs);
        let (ox, oy, b) = (at % ow, at / ow % oh, at / ow / oh);
        let (w8, scale) = &weights[o];
        let mut sum = bias[o] as f64;
        for tap in 0..taps {
            let iy = oy * s.stride.0 + tap / s.kernel.1 * s.dilation.0;
            let ix = ox * s.stride.1 + tap % s.kernel.1 * s.dilation.1;
            let (Some(iy), Some(ix)) = (iy.checked_sub(s.padding.0), ix.checked_sub(s.padding.1))
            else {
                continue;
            };
            if iy < h && ix < w {
                let (q, sx) = &pixels[((b * h + iy) * w + ix) * s.groups + o / co];
                let dot: i64 = (0..ci).map(|c| q[c] * w8[c * taps + tap]).sum();
                sum += dot as f64 * sx * scale;
            }
        }
        y.push(sum);
    }
    y
}

fn check_conv(noise: &mut Noise, s: ConvShape, size: (usize, usize, usize)) {
    let (batch, h, w) = size;
    let (oh, ow) = s.output(h, w);
    if oh * ow == 0 {
        return;
    }
    let x = noise.values(batch * h * w * s.inputs);
    let weight = noise.values(s.outputs * s.inputs / s.groups * s.kernel.0 * s.kernel.1);
    let bias = noise.values(s.outputs);
    let residual = noise.values(batch * oh * ow * s.outputs);
    let mut expected = convolution(&s, size, &x, &weight, &bias);
    for (e, r) in expected.iter_mut().zip(&residual) {
        *e = activation(Activation::Relu, *e) + *r as f64;
    }
    everywhere(&format!("{s:?} of {size:?}"), 3e-6, &expected, |cx| {
        by_every_set(cx, |set| {
            let source = Source::F32(&weight);
            let mut conv = Conv2d::packed(cx, Precision::Int8, source, Some(&bias), s).unwrap();
            conv.force_set(set);
            let ep = Epilogue {
                activation: Activation::Relu,
                add_after: Some(&residual),
                ..Epilogue::default()
            };
            let mut y = vec![f32::NAN; expected.len()];
            conv.forward(cx, batch, h, w, &x, &ep, &mut y).unwrap();
            y
        })
    });
}

#[test]
fn convolutions_of_every_shape() {
    let mut noise = Noise::new(14);
    check_conv(&mut noise, ConvShape::same(1300, 5, 3), (1, 3, 2));
    for _ in 0..12 {
        let (ci, co) = (noise.size(1, 67), noise.size(1, 67));
        let size = (noise.size(1, 2), noise.size(1, 20), noise.size(1, 20));
        check_conv(&mut noise, ConvShape::same(ci, co, 3), size);
    }
    for _ in 0..40 {
        let groups = [1, 1, 2, 3, 5][noise.size(0, 4)];
        let s = ConvShape {
            inputs: noise.size(2, 12) * groups,
            outputs: noise.size(1, 14) * groups,
            kernel: (noise.size(1, 7), noise.size(1, 5)),
            stride: (noise.size(1, 3), noise.size(1, 3)),
            padding: (
                noise.size(0, 3),
                noise.size(0, 2),
                noise.size(0, 3),
                noise.size(0, 2),
            ),
            dilation: (noise.size(1, 3), noise.size(1, 2)),
            groups,
        };
        let size = (noise.size(1, 2), noise.size(1, 20), noise.size(1, 33));
        check_conv(&mut noise, s, size);
    }
}

#[test]
fn a_convolution_of_few_channels_or_by_depth_stays_in_full() {
    let cx = Context::new(Path::best());
    let precision = |s: ConvShape| {
        let weight = vec![0.1; s.outputs * s.inputs / s.groups * 9];
        let source = Source::F32(&weight);
        let conv = Conv2d::with_precision(&cx, Precision::Int8, source, None, s).unwrap();
        conv.precision()
    };
    assert_eq!(precision(ConvShape::same(32, 32, 3)), Precision::Int8);
    assert_eq!(precision(ConvShape::same(4, 32, 3)), Precision::Full);
    assert_eq!(precision(ConvShape::same(32, 4, 3)), Precision::Full);
    let depthwise = ConvShape {
        groups: 32,
        ..ConvShape::same(32, 32, 3)
    };
    assert_eq!(precision(depthwise), Precision::Full);
}

#[test]
fn weights_take_about_a_byte_each() {
    let cx = Context::new(Path::best());
    let weight = vec![0.1; 320 * 320 * 9];
    let s = ConvShape::same(320, 320, 3);
    let source = Source::F32(&weight);
    let conv = Conv2d::with_precision(&cx, Precision::Int8, source, None, s).unwrap();
    assert!((weight.len()..weight.len() * 21 / 20).contains(&conv.bytes()));
}

#[test]
fn the_longest_and_largest_sums_are_exact() {
    // All of ±127 with the scale 1: nothing is rounded but each part's sum, which is even so often
    // that all of these are exact in f32 too.
    for (n, k, gated) in [(3, 5120, false), (2, 43_008, true), (1, 60_000, false)] {
        for sign in [1.0, -1.0] {
            let x = vec![127.0f32; k];
            let w = vec![127.0 * sign; n * k * if gated { 2 } else { 1 }];
            let sum = 127.0 * 127.0 * k as f64 * sign as f64;
            let y = if gated { sum * sum.max(0.0) } else { sum };
            everywhere(&format!("{sign} {k}"), 1e-7, &vec![y; n], |cx| {
                let ep = Epilogue {
                    activation: [Activation::None, Activation::Relu][gated as usize],
                    ..Epilogue::default()
                };
                linear(cx, (&x, &w, None), (n, k), gated, &ep)
            });
        }
    }
}

#[test]
fn zeros_outliers_and_what_is_not_finite() {
    let mut noise = Noise::new(15);
    let (m, n, k) = (9, 35, 50);
    let (mut x, mut w) = (noise.values(m * k), noise.values(n * k));
    x[..k].fill(0.0);
    x[k..2 * k].fill(1e-42);
    x[2 * k + 7] = 1e30;
    x[3 * k..4 * k].fill(-3e-30);
    w[..k].fill(0.0);
    w[k + 3] = -1e6;
    let expected = product(&x, &w, &vec![0.0; n], k);
    // Row by row, since one row's values say nothing about another's.
    for row in [0, 1, 3, 4, 8] {
        let x = &x[row * k..(row + 1) * k];
        let expected = &expected[row * n..(row + 1) * n];
        everywhere(&format!("row {row}"), 2e-6, expected, |cx| {
            linear(cx, (x, &w, None), (n, k), false, &Epilogue::default())
        });
    }
    for strange in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut x = x.clone();
        x[5 * k + 49] = strange;
        for path in Path::available() {
            let cx = Context::new(path);
            let y = linear(&cx, (&x, &w, None), (n, k), false, &Epilogue::default());
            for (i, row) in y.chunks(n).enumerate() {
                let all = row.iter().all(|y| y.is_nan());
                let any = row.iter().any(|y| !y.is_finite());
                assert!(
                    if i == 5 { all } else { !any },
                    "row {i}, {strange}, {path:?}"
                );
            }
        }
    }
}

#[test]
fn the_error_against_full_precision_is_about_one_per_cent() {
    let mut noise = Noise::new(16);
    let mut normal = |len: usize| -> Vec<f32> {
        (0..len)
            .map(|_| (0..12).map(|_| noise.unit()).sum::<f32>() / 2.0)
            .collect()
    };
    let s = ConvShape::same(64, 48, 3);
    let (size, k) = (12, 640);
    let (x, weight) = (
        normal(size * size * s.inputs),
        normal(9 * s.inputs * s.outputs),
    );
    let (tokens, matrix) = (normal(20 * k), normal(48 * k));
    for path in Path::available() {
        let cx = Context::new(path);
        let ep = Epilogue::default();
        let conv = |precision| {
            let source = Source::F32(&weight);
            let conv = Conv2d::with_precision(&cx, precision, source, None, s).unwrap();
            let mut y = vec![f32::NAN; size * size * s.outputs];
            conv.forward(&cx, 1, size, size, &x, &ep, &mut y).unwrap();
            y
        };
        let linear = |precision| {
            let source = Source::F32(&matrix);
            let layer = Linear::with_precision(&cx, precision, source, None, 48, k).unwrap();
            let mut y = vec![f32::NAN; 20 * 48];
            layer.forward(&cx, &tokens, &ep, &mut y).unwrap();
            y
        };
        for error in [
            Deviation::of(&conv(Precision::Int8), &conv(Precision::Full)),
            Deviation::of(&linear(Precision::Int8), &linear(Precision::Full)),
        ] {
            println!("{path:?}: {error:?}");
            assert!((0.002..0.015).contains(&error.rms), "{path:?}: {error:?}");
            assert!(error.max < 0.08, "{path:?}: {error:?}");
        }
    }
}
