//! Normalisations, also of data far from zero.
#![forbid(unsafe_code)]

use super::{Noise, activation, everywhere};
use crate::kernels::{Activation, GroupNorm, group_norm, layer_norm};

#[test]
fn groups() {
    let mut noise = Noise::new(6);
    for (batch, pixels, groups, group, far) in [
        (1, 1, 1, 1, 0.0),
        (2, 77, 4, 5, 0.0),
        (1, 300, 8, 9, 0.0),
        (1, 20_000, 3, 1, 1000.0),
        (2, 130, 1, 67, -50.0),
    ] {
        let channels = groups * group;
        let x: Vec<f32> = noise
            .values(batch * pixels * channels)
            .iter()
            .map(|x| x + far)
            .collect();
        let shift = noise.values(batch * channels);
        let (weight, bias) = (noise.values(channels), noise.values(channels));
        let mut expected = vec![0f64; x.len()];
        for b in 0..batch {
            for g in 0..groups {
                let members = || {
                    (0..pixels).flat_map(move |p| {
                        (g * group..(g + 1) * group)
                            .map(move |c| ((b * pixels + p) * channels + c, c))
                    })
                };
                let value = |(i, c): (usize, usize)| x[i] as f64 + shift[b * channels + c] as f64;
                let n = (pixels * group) as f64;
                let mean = members().map(value).sum::<f64>() / n;
                let var = members().map(|m| (value(m) - mean).powi(2)).sum::<f64>() / n;
                for m in members() {
                    let y = (value(m) - mean) / (var + 1e-5f32 as f64).sqrt() * weight[m.1] as f64;
                    expected[m.0] = activation(Activation::Silu, y + bias[m.1] as f64);
                }
            }
        }
        // Numbers near 1000 have a spacing of 6e-5 themselves.
        let tolerance = if far == 0.0 {
            1e-5
        } else {
            4e-7 * far.abs() as f64 + 1e-5
        };
        everywhere(
            &format!("{batch}×{pixels}×{groups}×{group}"),
            tolerance,
            &expected,
            |cx| {
                let norm = GroupNorm {
                    groups,
                    eps: 1e-5,
                    weight: &weight,
                    bias: &bias,
                };
                let mut y = vec![f32::NAN; x.len()];
                group_norm(cx, &norm, batch, &x, Some(&shift), Activation::Silu, &mut y).unwrap();
                for first in [0, pixels / 3, batch * pixels] {
                    let (a, b) = x.split_at(first * channels);
                    let lines = norm.lines(cx, batch, &[a, b], Some(&shift)).unwrap();
                    let mut parts = vec![f32::NAN; x.len()];
                    lines.apply(cx, &x, Activation::Silu, &mut parts).unwrap();
                    assert_eq!(y, parts, "of parts");
                }
                y
            },
        );
    }
}

#[test]
fn layers() {
    let mut noise = Noise::new(7);
    for (rows, channels) in [(1, 1), (33, 67), (100, 320), (2, 16)] {
        let x: Vec<f32> = noise
            .values(rows * channels)
            .iter()
            .map(|x| x + 7.0)
            .collect();
        let (weight, bias) = (noise.values(channels), noise.values(channels));
        let mut expected = Vec::new();
        for row in x.chunks_exact(channels) {
            let n = channels as f64;
            let mean = row.iter().map(|x| *x as f64).sum::<f64>() / n;
            let var = row.iter().map(|x| (*x as f64 - mean).powi(2)).sum::<f64>() / n;
            for (c, x) in row.iter().enumerate() {
                let y = (*x as f64 - mean) / (var + 1e-5).sqrt();
                expected.push(y * weight[c] as f64 + bias[c] as f64);
            }
        }
        everywhere(&format!("{rows}×{channels}"), 2e-5, &expected, |cx| {
            let mut y = vec![f32::NAN; x.len()];
            layer_norm(cx, &weight, &bias, 1e-5, &x, &mut y).unwrap();
            y
        });
    }
}
