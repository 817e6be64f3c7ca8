//! Convolutions of every shape, by every algorithm.
#![forbid(unsafe_code)]

use super::{Noise, activation, everywhere};
use crate::kernels::{Activation, Algorithm, Context, Conv2d, ConvShape, Epilogue, Source};

fn reference(
    s: &ConvShape,
    (batch, h, w): (usize, usize, usize),
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
) -> Vec<f64> {
    let (oh, ow) = s.output(h, w);
    let (ci, co) = (s.inputs / s.groups, s.outputs / s.groups);
    let mut y = Vec::new();
    for b in 0..batch {
        for oy in 0..oh {
            for ox in 0..ow {
                for o in 0..s.outputs {
                    let mut sum = bias[o] as f64;
                    for ky in 0..s.kernel.0 {
                        for kx in 0..s.kernel.1 {
                            let iy = oy * s.stride.0 + ky * s.dilation.0;
                            let ix = ox * s.stride.1 + kx * s.dilation.1;
                            let (Some(iy), Some(ix)) =
                                (iy.checked_sub(s.padding.0), ix.checked_sub(s.padding.1))
                            else {
                                continue;
                            };
                            if iy >= h || ix >= w {
                                continue;
                            }
                            for c in 0..ci {
                                let input = o / co * ci + c;
                                let at = ((o * ci + c) * s.kernel.0 + ky) * s.kernel.1 + kx;
                                sum += x[((b * h + iy) * w + ix) * s.inputs + input] as f64
                                    * weight[at] as f64;
                            }
                        }
                    }
                    y.push(sum);
                }
            }
        }
    }
    y
}

fn check(
    noise: &mut Noise,
    s: ConvShape,
    size: (usize, usize, usize),
    forced: Option<Algorithm>,
    tolerance: f64,
) {
    let (batch, h, w) = size;
    let (oh, ow) = s.output(h, w);
    if oh * ow == 0 {
        return;
    }
    let x = noise.values(batch * h * w * s.inputs);
    let len = s.outputs * s.inputs / s.groups * s.kernel.0 * s.kernel.1;
    let half = noise.halves(len);
    let single: Vec<f32> = half.iter().map(|x| x.to_f32()).collect();
    let bias = noise.values(s.outputs);
    let residual = noise.values(batch * oh * ow * s.outputs);
    let mut expected = reference(&s, size, &x, &single, &bias);
    let plain = expected.clone();
    for (e, r) in expected.iter_mut().zip(&residual) {
        *e = activation(Activation::Relu, *e) + *r as f64;
    }
    let what = format!("{s:?} of {size:?} by {forced:?}");
    for source in [Source::F16(&half), Source::F32(&single)] {
        everywhere(&what, tolerance, &expected, |cx| {
            let cx = &Context::new(cx.path()).by(forced);
            let conv = Conv2d::new(cx, source, Some(&bias), s).unwrap();
            let ep = Epilogue {
                activation: Activation::Relu,
                add_after: Some(&residual),
                ..Epilogue::default()
            };
            let mut y = vec![f32::NAN; expected.len()];
            conv.forward(cx, batch, h, w, &x, &ep, &mut y).unwrap();
            y
        });
    }
    everywhere(&what, tolerance, &plain, |cx| {
        let cx = &Context::new(cx.path()).by(forced);
        let conv = Conv2d::new(cx, Source::F16(&half), Some(&bias), s).unwrap();
        let mut y = vec![f32::NAN; plain.len()];
        conv.forward(cx, batch, h, w, &x, &Epilogue::default(), &mut y)
            .unwrap();
        y
    });
}

#[test]
fn winograd_on_ragged_sizes() {
    let mut noise = Noise::new(3);
    for (forced, tolerance) in [
        (Algorithm::Winograd2, 1e-5),
        (Algorithm::Winograd4, 5e-5),
        (Algorithm::Direct, 1e-5),
    ] {
        let mut sizes = vec![
            (1, 1, 1, 1, 1),
            (1, 33, 5, 67, 40),
            (2, 9, 13, 20, 33),
            (3, 4, 4, 130, 16),
        ];
        for _ in 0..12 {
            sizes.push((
                noise.size(1, 2),
                noise.size(1, 20),
                noise.size(1, 20),
                noise.size(1, 67),
                noise.size(1, 67),
            ));
        }
        for (batch, h, w, ci, co) in sizes {
            check(
                &mut noise,
                ConvShape::same(ci, co, 3),
                (batch, h, w),
                Some(forced),
                tolerance,
            );
        }
        // Without padding, and with more of it on one side.
        for padding in [(0, 0, 0, 0), (1, 0, 2, 1)] {
            let s = ConvShape {
                padding,
                ..ConvShape::same(19, 21, 3)
            };
            check(&mut noise, s, (2, 11, 10), Some(forced), tolerance);
        }
    }
}

#[test]
fn strides_dilations_and_groups() {
    let mut noise = Noise::new(4);
    for _ in 0..60 {
        let groups = [1, 1, 2, 3, 5][noise.size(0, 4)];
        let (ci, co) = (noise.size(1, 12), noise.size(1, 14));
        let depthwise = noise.size(0, 3) == 0;
        let channels = noise.size(2, 67);
        let (inputs, outputs, groups) = if depthwise {
            (channels, channels, channels)
        } else {
            (ci * groups, co * groups, groups)
        };
        let s = ConvShape {
            inputs,
            outputs,
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
        check(&mut noise, s, size, None, 5e-5);
    }
}

#[test]
fn the_algorithm_is_chosen_by_size() {
    let cx = crate::kernels::Context::new(crate::kernels::Path::Portable);
    let s = ConvShape::same(32, 32, 3);
    let conv = Conv2d::new(&cx, Source::F32(&vec![0.1; 9 * 32 * 32]), None, s).unwrap();
    assert_eq!(conv.algorithm(&cx, 1, 64, 64), Algorithm::Winograd4);
    assert_eq!(conv.algorithm(&cx, 1, 4, 4), Algorithm::Winograd2);
    assert_eq!(conv.algorithm(&cx, 1, 1, 1), Algorithm::Direct);
}
