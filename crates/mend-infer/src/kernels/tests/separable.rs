//! The pieces of separable convolutions and the Fourier transform, against their definitions.

use super::{Context, Noise, Path, activation, relative_error as worst};
use crate::kernels::separable::{Band, Depthwise3, Finish, add_noise, downsample, upsample};
use crate::kernels::{Activation, Fourier, Source};

fn random(len: usize, seed: u64) -> Vec<f32> {
    Noise::new(seed).values(len)
}

/// `[height][width][channels]`; what lies outside is 0.
fn at(x: &[f32], [h, w, c]: [usize; 3], y: isize, i: isize, k: usize) -> f64 {
    let inside = y >= 0 && i >= 0 && (y as usize) < h && (i as usize) < w;
    if inside {
        x[(y as usize * w + i as usize) * c + k] as f64
    } else {
        0.0
    }
}

const FIR: [f64; 4] = [1.0, 3.0, 3.0, 1.0];

/// Runs `rows(range, part)` on bands of several heights and compares all of them with `want`.
fn in_bands(
    what: &str,
    [height, row]: [usize; 2],
    want: &[f64],
    rows: impl Fn(std::ops::Range<usize>, &mut [f32]),
) {
    for step in [1, 2, 5, height] {
        let mut got = vec![f32::NAN; height * row];
        for (i, part) in got.chunks_mut(step * row).enumerate() {
            let first = i * step;
            rows(first..(first + step).min(height), part);
        }
        let error = worst(&got, want);
        assert!(error < 1e-6, "{what}, bands of {step}: {error}");
    }
}

#[test]
fn bands_of_separable_convolutions_are_their_definition() {
    let slope = Activation::LeakyReluClamped(0.2, 1.5);
    for path in Path::available() {
        for channels in [3, 16, 21] {
            let shape = [6, 10, channels];
            let [h, w, c] = shape;
            let cx = Context::new(path);
            let x = random(h * w * c, 1);
            let (weight, bias) = (random(9 * c, 2), random(c, 3));
            let band = Band::whole(&x, shape);
            let what = format!("{path:?} {c}");

            let conv = Depthwise3::new(Source::F32(&weight), &bias).unwrap();
            let mut want = Vec::new();
            for (y, i, k) in places(h, w, c) {
                let taps = (0..9).map(|t| {
                    let x = at(&x, shape, y + t / 3 - 1, i + t % 3 - 1, k);
                    weight[k * 9 + t as usize] as f64 * x
                });
                want.push(activation(slope, taps.sum::<f64>() + bias[k] as f64));
            }
            in_bands(&what, [h, w * c], &want, |rows, y| {
                // Only the rows that are needed are there.
                let from = rows.start.saturating_sub(1);
                let to = (rows.end + 1).min(h);
                let part = Band {
                    data: &x[from * w * c..to * w * c],
                    first: from,
                    ..band
                };
                conv.rows(&cx, &part, rows, slope, y).unwrap()
            });

            let mut want = Vec::new();
            for (y, i, k) in places(h / 2, w / 2, c) {
                let taps = (0..16).map(|t: isize| {
                    let f = FIR[t as usize / 4] * FIR[t as usize % 4] / 64.0;
                    f * at(&x, shape, 2 * y + t / 4 - 1, 2 * i + t % 4 - 1, k)
                });
                want.push(taps.sum::<f64>());
            }
            in_bands(&what, [h / 2, w / 2 * c], &want, |rows, y| {
                let from = (2 * rows.start).saturating_sub(1);
                let to = (2 * rows.end + 1).min(h);
                let part = Band {
                    data: &x[from * w * c..to * w * c],
                    first: from,
                    ..band
                };
                downsample(&cx, &part, rows, y).unwrap()
            });

            let (noise, add) = (random(4 * h * w, 4), random(4 * h * w * c, 5));
            let mut want = Vec::new();
            for (y, i, k) in places(2 * h, 2 * w, c) {
                // Zeros between the pixels, two before and one behind, then the filter.
                let taps = (0..16).map(|t: isize| {
                    let (a, b) = (y + t / 4 - 2, i + t % 4 - 2);
                    let even = a % 2 == 0 && b % 2 == 0;
                    let f = FIR[t as usize / 4] * FIR[t as usize % 4] / 16.0;
                    if even {
                        f * at(&x, shape, a.div_euclid(2), b.div_euclid(2), k)
                    } else {
                        0.0
                    }
                });
                let pixel = (y as usize) * 2 * w + i as usize;
                let value = taps.sum::<f64>() + noise[pixel] as f64;
                want.push(activation(slope, value) + add[pixel * c + k] as f64);
            }
            in_bands(&what, [2 * h, 2 * w * c], &want, |rows, y| {
                let finish = Finish {
                    noise: Some(&noise[rows.start * 2 * w..rows.end * 2 * w]),
                    activation: slope,
                    add: Some(&add[rows.start * 2 * w * c..rows.end * 2 * w * c]),
                };
                let from = (rows.start / 2).saturating_sub(usize::from(rows.start % 2 == 0));
                let to = ((rows.end - 1) / 2 + 1 + usize::from(rows.end % 2 == 0)).min(h);
                let part = Band {
                    data: &x[from * w * c..to * w * c],
                    first: from,
                    ..band
                };
                upsample(&cx, &part, rows, &finish, y).unwrap()
            });

            let mut got = x.clone();
            add_noise(&cx, &noise[..h * w], c, slope, &mut got).unwrap();
            let want: Vec<f64> = places(h, w, c)
                .map(|(y, i, k)| {
                    let pixel = y as usize * w + i as usize;
                    activation(slope, x[pixel * c + k] as f64 + noise[pixel] as f64)
                })
                .collect();
            assert!(worst(&got, &want) < 1e-6, "{what}");
        }
    }
}

/// Row, column and channel of every value.
fn places(h: usize, w: usize, c: usize) -> impl Iterator<Item = (isize, isize, usize)> {
    (0..h * w * c).map(move |i| ((i / c / w) as isize, (i / c % w) as isize, i % c))
}

#[test]
#[should_panic(expected = "rows 0 to 3 of a band")]
fn rows_that_are_missing_are_a_defect() {
    let cx = Context::new(Path::Portable);
    let x = random(2 * 4 * 3, 1);
    let band = Band {
        first: 1,
        height: 4,
        ..Band::whole(&x, [2, 4, 3])
    };
    let conv = Depthwise3::new(Source::F32(&random(27, 2)), &[0.0; 3]).unwrap();
    let _ = conv.rows(&cx, &band, 1..2, Activation::None, &mut [0.0; 12]);
}

#[test]
fn spectra_are_their_definition_and_come_back() {
    for (h, w, c) in [(1, 1, 1), (4, 6, 3), (5, 7, 17), (6, 8, 33), (3, 2, 16)] {
        let x = random(h * w * c, 6);
        let plan = Fourier::new(h, w);
        let columns = plan.columns();
        let scale = 1.0 / ((h * w) as f64).sqrt();
        let mut want = Vec::new();
        for (v, u, k) in places(h, columns, c) {
            let (mut re, mut im) = (0.0, 0.0);
            for (y, i, _) in places(h, w, 1) {
                let turn = (v * y) as f64 / h as f64 + (u * i) as f64 / w as f64;
                let (sin, cos) = (-2.0 * std::f64::consts::PI * turn).sin_cos();
                let x = at(&x, [h, w, c], y, i, k);
                re += x * cos * scale;
                im += x * sin * scale;
            }
            want.extend([re, im]);
        }
        let cx = Context::new(Path::Portable);
        let mut spectrum = vec![0.0; h * columns * c * 2];
        plan.forward(&cx, c, &x, &mut spectrum).unwrap();
        assert!(worst(&spectrum, &want) < 2e-6, "{h} {w} {c}");
        // What the transform of a real picture has none of does not count.
        for (at, pixel) in spectrum.chunks_exact_mut(2 * c).enumerate() {
            let edge = at % columns == 0 || w % 2 == 0 && at % columns == columns - 1;
            if h == 1 && edge {
                pixel.iter_mut().skip(1).step_by(2).for_each(|im| *im = 9.0);
            }
        }
        let add = random(x.len(), 7);
        let mut back = vec![0.0; x.len()];
        plan.inverse(&cx, c, &spectrum, &add, &mut back).unwrap();
        let want: Vec<f64> = x
            .iter()
            .zip(&add)
            .map(|(x, a)| *x as f64 + *a as f64)
            .collect();
        assert!(worst(&back, &want) < 2e-6, "{h} {w} {c}");
    }
}
