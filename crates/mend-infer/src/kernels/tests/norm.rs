//! Normalisations, also of data far from zero.
#![forbid(unsafe_code)]

use super::{Noise, activation, everywhere};
use crate::kernels::{Activation, GroupNorm, Mixed, group_norm, layer_norm};

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

#[test]
fn groups_that_change_from_pixel_to_pixel() {
    let mut noise = Noise::new(9);
    for (pixels, groups, group, rows) in [(1, 1, 1, 1), (300, 3, 5, 7), (131, 2, 16, 2)] {
        let channels = groups * group;
        let x = noise.values(pixels * channels);
        let (weight, bias) = (noise.values(channels), noise.values(channels));
        let table = noise.values(rows * 2 * channels);
        // One row, or several whose weights add up to 1; one that comes twice is one.
        let mixed: Vec<Mixed> = (0..pixels)
            .map(|i| {
                let row = |k: usize| ((i * 5 + k) % rows) as u32;
                let mut pixel = Mixed::default();
                match i % 3 {
                    0 => return Mixed::single(row(0)),
                    1 => [(0, 0.25), (1, 0.75)]
                        .map(|(k, w)| pixel.add(row(k), w))
                        .len(),
                    _ => [(0, 0.1), (1, 0.0), (2, 0.3), (3, 0.4), (4, 0.2)]
                        .map(|(k, w)| pixel.add(row(k), w))
                        .len(),
                };
                pixel
            })
            .collect();
        let mut expected = vec![0f64; x.len()];
        for g in 0..groups {
            let own =
                || (0..pixels).flat_map(move |p| (g * group..(g + 1) * group).map(move |c| (p, c)));
            let value = |(p, c): (usize, usize)| x[p * channels + c] as f64;
            let n = (pixels * group) as f64;
            let mean = own().map(value).sum::<f64>() / n;
            let var = own().map(|m| (value(m) - mean).powi(2)).sum::<f64>() / n;
            for (p, c) in own() {
                let mix = |from: usize| -> f64 {
                    let parts = mixed[p].rows.iter().zip(&mixed[p].weights);
                    let of = |r: u32| table[r as usize * 2 * channels + from + c] as f64;
                    parts.map(|(r, w)| of(*r) * *w as f64).sum()
                };
                let y = (value((p, c)) - mean) / (var + 1e-5f32 as f64).sqrt();
                let y = y * weight[c] as f64 + bias[c] as f64;
                let y = y * (1.0 + mix(0)) + mix(channels);
                expected[p * channels + c] = activation(Activation::Silu, y);
            }
        }
        everywhere(
            &format!("{pixels}×{groups}×{group}"),
            2e-5,
            &expected,
            |cx| {
                let norm = GroupNorm {
                    groups,
                    eps: 1e-5,
                    weight: &weight,
                    bias: &bias,
                };
                let lines = norm.lines(cx, 1, &[&x], None).unwrap();
                let (mut table, mut out) = (table.clone(), vec![0f32; x.len()]);
                lines
                    .apply_mixed(cx, &x, &mut table, &mixed, Activation::Silu, &mut out)
                    .unwrap();
                out
            },
        );
    }
}
