//! Resampling.
#![forbid(unsafe_code)]

use super::Random;
use crate::pixels::resample::{resize_most, resize_plane, resize_rgb};
use crate::pixels::{Plane, RgbImage};

fn plane(width: usize, height: usize, at: impl Fn(usize, usize) -> f32) -> Plane<f32> {
    let mut p = Plane::filled(width, height, 0.0, "a test").unwrap();
    for y in 0..height {
        for x in 0..width {
            p.data[y * width + x] = at(x, y);
        }
    }
    p
}

#[test]
fn constants_stay_to_the_bit() {
    let mut random = Random(3);
    for _ in 0..60 {
        let mut side = || 1 + random.below(40) as usize;
        let (w, h, tw, th) = (side(), side(), side(), side());
        let colour = [0.1f32, 0.73, 3.3];
        let image = RgbImage {
            width: w,
            height: h,
            data: colour.iter().copied().cycle().take(w * h * 3).collect(),
        };
        let out = resize_rgb(&image, tw, th).unwrap();
        assert_eq!(out.data.len(), tw * th * 3);
        assert!(
            out.data.as_chunks::<3>().0.iter().all(|c| *c == colour),
            "{w}×{h} → {tw}×{th}"
        );
    }
}

#[test]
fn the_same_size_is_the_same_picture() {
    let mut random = Random(4);
    let p = Plane {
        width: 7,
        height: 5,
        data: (0..35).map(|_| random.unit() as f32).collect(),
    };
    assert_eq!(resize_plane(&p, 7, 5).unwrap(), p);
}

#[test]
fn shrinking_is_the_mean_over_the_area() {
    // 5 → 2 columns: each output covers two and a half inputs.
    let p = plane(5, 1, |x, _| [1.0, 2.0, 4.0, 8.0, 16.0][x]);
    let out = resize_plane(&p, 2, 1).unwrap();
    for (got, want) in out
        .data
        .iter()
        .zip([(1.0 + 2.0 + 2.0) / 2.5, (2.0 + 8.0 + 16.0) / 2.5])
    {
        assert!((got - want).abs() < 1e-6, "{got} {want}");
    }
    // The mean of the whole survives any shrinking.
    let mut random = Random(5);
    let p = plane(61, 47, |_, _| 0.0);
    let p = Plane {
        data: p.data.iter().map(|_| random.unit() as f32).collect(),
        ..p
    };
    let mean =
        |p: &Plane<f32>| p.data.iter().map(|v| f64::from(*v)).sum::<f64>() / p.data.len() as f64;
    for (w, h) in [(60, 46), (30, 7), (1, 1), (13, 47)] {
        let out = resize_plane(&p, w, h).unwrap();
        assert!((mean(&out) - mean(&p)).abs() < 1e-6, "{w}×{h}");
    }
}

/// Keys' kernel with a = -1/2 reproduces parabolas; and which way is up must not get lost.
#[test]
fn enlarging_is_exact_for_parabolas_away_from_the_edge() {
    let f = |x: f64, y: f64| 0.3 + 0.01 * x - 0.02 * y + 0.0005 * x * x + 0.0003 * y * y;
    let p = plane(30, 20, |x, y| f(x as f64, y as f64) as f32);
    for (w, h) in [(60, 40), (31, 53), (90, 20)] {
        let out = resize_plane(&p, w, h).unwrap();
        for y in 0..h {
            for x in 0..w {
                let sx = (x as f64 + 0.5) * 30.0 / w as f64 - 0.5;
                let sy = (y as f64 + 0.5) * 20.0 / h as f64 - 0.5;
                if (1.0..=28.0).contains(&sx) && (1.0..=18.0).contains(&sy) {
                    let got = f64::from(out.data[y * w + x]);
                    assert!((got - f(sx, sy)).abs() < 1e-6, "{w}×{h} ({x}, {y})");
                }
            }
        }
    }
}

#[test]
fn the_most_of_what_is_covered() {
    let mut p = Plane::filled(7, 5, 0.0f32, "").unwrap();
    p.row_mut(2)[2..4].copy_from_slice(&[0.25, 0.5]);
    assert_eq!(resize_most(&p, 7, 5).unwrap(), p);
    // Columns 0 to 2, 2 to 4 and 4 to 6; rows 0 to 2 and 2 to 4.
    let small = resize_most(&p, 3, 2).unwrap();
    assert_eq!(small.data, [0.25, 0.5, 0.0, 0.25, 0.5, 0.0]);
    let large = resize_most(&p, 14, 10).unwrap();
    for (i, v) in large.data.iter().enumerate() {
        assert_eq!(*v, p.row(i / 14 / 2)[i % 14 / 2]);
    }
    for (from, to) in [((0, 3), (2, 2)), ((3, 2), (0, 4))] {
        let empty = Plane::filled(from.0, from.1, 1.0f32, "").unwrap();
        let made = resize_most(&empty, to.0, to.1).unwrap();
        assert_eq!(made.data.len(), to.0 * to.1);
    }
}
