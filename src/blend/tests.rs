#![forbid(unsafe_code)]

use super::{extend, paste, screened, seamless};
use crate::pixels::{Plane, Rect, RgbImage};
use crate::progress::Cancel;

/// The same equation by plain relaxation until nothing moves.
fn relaxed(
    values: &[f32],
    (w, h): (usize, usize),
    unknown: &[u8],
    gx: &[f32],
    gy: &[f32],
    lambda: f64,
) -> Vec<f64> {
    let v: Vec<f64> = values.iter().map(|v| f64::from(*v)).collect();
    let mut u = v.clone();
    for _ in 0..20_000 {
        let mut moved = 0.0f64;
        for i in (0..w * h).filter(|i| unknown[*i] != 0) {
            for c in 0..3 {
                let (mut sum, mut n) = (lambda * v[i * 3 + c], lambda);
                let mut add = |j: usize, difference: f64| {
                    sum += u[j * 3 + c] + difference;
                    n += 1.0;
                };
                if i % w > 0 {
                    add(i - 1, f64::from(gx[(i - 1) * 3 + c]));
                }
                if i % w + 1 < w {
                    add(i + 1, -f64::from(gx[i * 3 + c]));
                }
                if i / w > 0 {
                    add(i - w, f64::from(gy[(i - w) * 3 + c]));
                }
                if i / w + 1 < h {
                    add(i + w, -f64::from(gy[i * 3 + c]));
                }
                moved = moved.max((sum / n - u[i * 3 + c]).abs());
                u[i * 3 + c] = sum / n;
            }
        }
        if moved < 1e-9 {
            break;
        }
    }
    u
}

fn noise(n: usize, seed: u32, size: f32) -> Vec<f32> {
    let mut s = seed;
    let mut next = || {
        s = s.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((s >> 8) as f32 / (1 << 23) as f32 - 1.0) * size
    };
    (0..n).map(|_| next()).collect()
}

#[test]
fn multigrid_solves_what_relaxation_solves() {
    type Unknown = fn(usize, usize) -> bool;
    let cases: [(usize, usize, f32, Unknown); 5] = [
        (40, 31, 0.003, |x, y| {
            (5..33).contains(&x) && (4..27).contains(&y)
        }),
        (40, 31, 0.003, |x, y| x < 20 && y < 17),
        (33, 29, 0.05, |x, y| (x * 7 + y * 3) % 11 < 6),
        (64, 48, 0.003, |x, y| x > 3 && y > 3 && x % 13 < 9),
        (5, 3, 0.01, |x, _| x == 2),
    ];
    for (w, h, lambda, inside) in cases {
        let unknown: Vec<u8> = (0..w * h).map(|i| u8::from(inside(i % w, i / w))).collect();
        let values = noise(w * h * 3, 1, 0.5);
        let (gx, gy) = (noise(w * h * 3, 2, 0.1), noise(w * h * 3, 3, 0.1));
        let right = relaxed(&values, (w, h), &unknown, &gx, &gy, f64::from(lambda));
        let mut fast = values.clone();
        screened(&mut fast, w, h, &unknown, &gx, &gy, lambda, &Cancel::new()).unwrap();
        for (i, (fast, right)) in fast.iter().zip(&right).enumerate() {
            if unknown[i / 3] == 0 {
                assert_eq!(*fast, values[i]);
            }
            // A quarter of an 8-bit step, of differences that reach several hundred of them.
            assert!(
                (f64::from(*fast) - right).abs() < 1e-3,
                "{w}×{h}: {fast}, {right} at {i}"
            );
        }
    }
}

#[test]
fn a_fill_of_another_brightness_meets_its_surroundings() {
    let (w, h) = (60, 50);
    let mut image = RgbImage::black(w, h, "a test").unwrap();
    for (i, p) in image.data.chunks_exact_mut(3).enumerate() {
        p.fill(0.4 + ((i * 7) % 5) as f32 * 0.01);
    }
    let inside = |i: usize| (15..45).contains(&(i % w)) && (10..40).contains(&(i / w));
    let hole = Plane {
        width: w,
        height: h,
        data: (0..w * h).map(|i| u8::from(inside(i))).collect(),
    };
    let bounds = Rect::new(14, 9, 32, 32);
    // The fill is right but for its brightness, everywhere in the box.
    let mut fill = RgbImage::black(32, 32, "a test").unwrap();
    let cut = |x: usize, y: usize| image.row(y + 9)[(x + 14) * 3];
    let (mut gx, mut gy) = (vec![0.0; 32 * 32 * 3], vec![0.0; 32 * 32 * 3]);
    for y in 0..32 {
        for x in 0..32 {
            for c in 0..3 {
                let i = (y * 32 + x) * 3 + c;
                fill.data[i] = cut(x, y) + 0.02;
                gx[i] = if x < 31 {
                    cut(x + 1, y) - cut(x, y)
                } else {
                    0.0
                };
                gy[i] = if y < 31 {
                    cut(x, y + 1) - cut(x, y)
                } else {
                    0.0
                };
            }
        }
    }
    seamless(&image, &hole, bounds, &mut fill, gx, gy, &Cancel::new()).unwrap();
    let mut rim = 0.0f32;
    for y in 0..32 {
        for x in 0..32 {
            let off = (fill.data[(y * 32 + x) * 3] - cut(x, y)).abs();
            if hole.row(y + 9)[x + 14] == 0 {
                assert_eq!(off, 0.0);
            } else if x == 1 || y == 1 || x == 30 || y == 30 {
                rim = rim.max(off);
            }
            assert!(off < 0.021);
        }
    }
    assert!(rim < 0.012, "the rim is still {rim} off");
}

#[test]
fn extension_is_smooth_and_leaves_the_known_alone() {
    let (w, h) = (37, 23);
    let value = |x: usize, y: usize| 0.1 + 0.02 * x as f32 + 0.01 * y as f32;
    let known: Vec<u8> = (0..w * h)
        .map(|i| u8::from(!(8..25).contains(&(i % w)) || i / w < 5))
        .collect();
    let mut data: Vec<f32> = (0..w * h).map(|i| value(i % w, i / w)).collect();
    let before = data.clone();
    for (d, k) in data.iter_mut().zip(&known) {
        if *k == 0 {
            *d = f32::NAN;
        }
    }
    extend(&mut data, 1, w, h, &known, &Cancel::new()).unwrap();
    let (low, high) = (value(0, 0), value(w - 1, h - 1));
    for i in 0..w * h {
        if known[i] != 0 {
            assert_eq!(data[i], before[i]);
        } else {
            assert!((low..=high).contains(&data[i]), "{} at {i}", data[i]);
            assert!(
                (data[i] - before[i]).abs() < 0.12,
                "{} for {}",
                data[i],
                before[i]
            );
        }
    }
    let mut nothing = vec![0.5f32; 12];
    extend(&mut nothing, 1, 4, 3, &[0; 12], &Cancel::new()).unwrap();
    assert_eq!(nothing, [0.5; 12]);
}

/// The engine's version is darker by a constant and knows an edge that reaches into the hole.
#[test]
fn a_version_of_its_own_is_matched_and_pasted_without_a_seam() {
    let (w, h) = (48, 40);
    let mut image = RgbImage::black(w, h, "").unwrap();
    for (i, v) in image.data.iter_mut().enumerate() {
        let (x, y) = (i / 3 % w, i / 3 / w);
        *v = if x < 24 { 0.2 } else { 0.7 } + 0.002 * y as f32;
    }
    let mut fill = image.clone();
    fill.data.iter_mut().for_each(|v| *v -= 0.05);
    let mut hole = Plane::filled(w, h, 0u8, "").unwrap();
    (12..30).for_each(|y| hole.row_mut(y)[14..36].fill(1));
    let mut known = hole.clone();
    known.data.iter_mut().for_each(|k| *k = 1 - *k);
    let mut holed = image.clone();
    for (pixel, hole) in holed.data.chunks_exact_mut(3).zip(&hole.data) {
        if *hole != 0 {
            pixel.fill(0.5);
        }
    }
    paste(&holed, &hole, &known, &mut fill, &Cancel::new()).unwrap();
    for (got, want) in fill.data.iter().zip(&image.data) {
        assert!((got - want).abs() < 2e-3, "{got} {want}");
    }
    // No hole: the picture.
    hole.data.fill(0);
    paste(&image, &hole, &known, &mut fill, &Cancel::new()).unwrap();
    assert_eq!(fill, image);
}

/// The network `rethined` was trained on it, see `training/rethined/network.py`.
#[test]
fn smooth_extension_is_that_of_the_training() {
    let golden = |name: &str| {
        let bytes = std::fs::read(mend_fixtures::golden("rethined.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let view = file.tensor(&format!("golden.{name}")).unwrap();
        let [1, channels, h, w] = *view.shape() else {
            panic!("{:?}", view.shape());
        };
        assert_eq!(view.dtype(), safetensors::Dtype::F32);
        let planes = view.data().chunks_exact(4);
        let planes: Vec<f32> = planes
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect();
        let interleaved =
            (0..h * w * channels).map(|i| planes[i % channels * h * w + i / channels]);
        (interleaved.collect::<Vec<f32>>(), h, w)
    };
    let (mut data, h, w) = golden("image");
    let (hole, ..) = golden("hole");
    let known: Vec<u8> = hole.iter().map(|h| u8::from(*h == 0.0)).collect();
    extend(&mut data, 3, w, h, &known, &Cancel::new()).unwrap();
    let (want, ..) = golden("extended");
    let worst = data.iter().zip(&want).map(|(a, b)| (a - b).abs());
    assert!(worst.fold(0.0, f32::max) < 1e-5);
}
