//! Every format and depth: pixels outside the mask keep their values to the last bit.
#![forbid(unsafe_code)]

use crate::decode::{Decoded, decode};
use crate::support::{data, folder, in_hole, run, run_ok, write_mask};
use std::path::Path;

/// Every picture that goes through its own format without loss, and the bits of its samples.
const LOSSLESS: &[(&str, usize, f64)] = &[
    ("photo.png", 3, 255.0),
    ("palette.png", 4, 255.0),
    ("one-bit.png", 1, 255.0),
    ("gray16.png", 1, 65535.0),
    ("gray-alpha.png", 2, 255.0),
    ("interlaced.png", 3, 255.0),
    ("rgba16.png", 4, 65535.0),
    ("rgb.tif", 3, 255.0),
    ("rgba.tif", 4, 255.0),
    ("fax.tif", 1, 255.0),
    ("float.tif", 1, 1.0),
    ("half.tif", 3, 1.0),
    ("tiled16.tif", 3, 65535.0),
    ("planar.tif", 3, 255.0),
    ("rgb.webp", 3, 255.0),
    ("rgba.webp", 4, 255.0),
    ("lossy.webp", 3, 255.0),
    ("rgb.bmp", 3, 255.0),
    ("rgba.bmp", 4, 255.0),
    ("gray.bmp", 3, 255.0),
    ("rgb.ppm", 3, 255.0),
    ("rgba.tga", 4, 255.0),
    ("rgba.qoi", 4, 255.0),
];

/// The largest difference outside the hole, and the mean one inside, in shares of `full`.
fn differences(a: &Decoded, b: &Decoded, full: f64) -> (f64, f64) {
    assert_eq!((a.width, a.height), (b.width, b.height));
    assert_eq!(a.channels, b.channels);
    let (mut outside, mut inside, mut n) = (0f64, 0.0, 0.0);
    for y in 0..a.height {
        for x in 0..a.width {
            let d = a.pixel(x, y).iter().zip(b.pixel(x, y));
            let d = d.map(|(a, b)| (a - b).abs() / full).fold(0.0, f64::max);
            if in_hole(x, y, a.width, a.height) {
                inside += d;
                n += 1.0;
            } else {
                outside = outside.max(d);
            }
        }
    }
    (outside, inside / n)
}

fn fill(folder: &Path, name: &str, output: &str) -> crate::support::Run {
    let about = decode(&data(name));
    write_mask(&folder.join("the-mask.png"), about.width, about.height);
    run_ok(
        folder,
        &["fill", name, "--mask", "the-mask.png", "-o", output],
    )
}

#[test]
fn pixels_outside_the_mask_are_bit_identical_in_every_lossless_format() {
    for (name, channels, full) in LOSSLESS {
        let dir = folder(&[name]);
        let output = format!("out.{}", name.rsplit('.').next().unwrap());
        fill(dir.path(), name, &output);
        let before = decode(&data(name));
        let after = decode(&dir.path().join(&output));
        assert_eq!(before.channels, *channels, "{name}");
        let (outside, inside) = differences(&before, &after, *full);
        assert_eq!(outside, 0.0, "{name}");
        assert!(inside > 0.001, "{name}: the hole was not filled");
    }
}

#[test]
fn lossless_formats_change_into_each_other_without_loss() {
    // From, to, and whether the picture has alpha.
    for (from, to) in [
        ("photo.png", "out.tif"),
        ("photo.png", "out.webp"),
        ("photo.png", "out.bmp"),
        ("photo.png", "out.ppm"),
        ("photo.png", "out.tga"),
        ("photo.png", "out.qoi"),
        ("rgba16.png", "out.tif"),
        ("tiled16.tif", "out.png"),
        ("tiled16.tif", "out.ppm"),
        ("rgba.webp", "out.png"),
        ("rgba.tif", "out.bmp"),
        ("rgb.bmp", "out.tif"),
        ("gray16.png", "out.tif"),
        ("gray-alpha.png", "out.tif"),
        ("rgba.qoi", "out.webp"),
        ("rgb.ppm", "out.png"),
    ] {
        let dir = folder(&[from]);
        fill(dir.path(), from, to);
        let (before, after) = (decode(&data(from)), decode(&dir.path().join(to)));
        let (outside, _) = differences(&before, &after, 255.0);
        assert_eq!(outside, 0.0, "{from} to {to}");
    }
}

#[test]
fn what_a_format_cannot_hold_is_said_or_refused() {
    let cases = [
        ("rgba16.png", "out.webp", 0, "8 bits a channel"),
        ("gray16.png", "out.jpg", 0, "8 bits a channel"),
        ("rgba.tif", "out.jpg", 1, "transparent"),
        ("float.tif", "out.png", 1, "float"),
        ("half.tif", "out.jpg", 1, "float"),
        ("photo.png", "out.ppm", 0, "colour profile"),
        ("photo.png", "out.bmp", 0, "EXIF"),
        ("palette.png", "out.png", 0, "palette"),
        ("one-bit.png", "out.png", 0, "8-bit gray"),
        ("photo.png", "out.jpg", 0, "JPEG"),
        ("lossy.webp", "out.webp", 0, "larger"),
    ];
    for (from, to, code, said) in cases {
        let dir = folder(&[from]);
        let about = decode(&data(from));
        write_mask(&dir.path().join("m.png"), about.width, about.height);
        let run = run(dir.path(), &["fill", from, "--mask", "m.png", "-o", to]);
        assert_eq!(run.code, code, "{from} to {to}: {run:?}");
        assert!(run.stderr.contains(said), "{from} to {to}: {run:?}");
        assert_eq!(dir.path().join(to).exists(), code == 0, "{from} to {to}");
    }
}

#[test]
fn a_float_picture_is_linear_unless_said_otherwise() {
    // The same numbers mean other light, so blends inside the hole come out otherwise.
    let dir = folder(&["float.tif"]);
    fill(dir.path(), "float.tif", "linear.tif");
    let args = [
        "fill",
        "float.tif",
        "--mask",
        "the-mask.png",
        "--encoded",
        "-o",
    ];
    run_ok(dir.path(), &[&args[..], &["encoded.tif"]].concat());
    let linear = decode(&dir.path().join("linear.tif"));
    let encoded = decode(&dir.path().join("encoded.tif"));
    let (outside, inside) = differences(&linear, &encoded, 1.0);
    assert_eq!(outside, 0.0);
    assert!(inside > 1e-5, "{inside}");
}

#[test]
fn the_same_request_gives_the_same_file() {
    let dir = folder(&["photo.png"]);
    fill(dir.path(), "photo.png", "a.png");
    let args = [
        "fill",
        "photo.png",
        "--mask",
        "the-mask.png",
        "--threads",
        "1",
    ];
    run_ok(dir.path(), &[&args[..], &["-o", "b.png"]].concat());
    let read = |name| std::fs::read(dir.path().join(name)).unwrap();
    assert_eq!(read("a.png"), read("b.png"));
}

#[test]
fn one_pixel_wide_pictures_are_filled() {
    for (w, h) in [(1, 40), (40, 1), (2, 3), (1, 2)] {
        let dir = tempfile::tempdir().unwrap();
        let n = (w * h) as usize;
        let pixels: Vec<u8> = (0..n).map(|i| 100 + (i % 50) as u8).collect();
        crate::support::write_gray(&dir.path().join("p.png"), w, h, &pixels);
        let mut mask = vec![0; n];
        mask[n / 2] = 255;
        crate::support::write_gray(&dir.path().join("m.png"), w, h, &mask);
        run_ok(
            dir.path(),
            &["fill", "p.png", "--mask", "m.png", "-o", "o.png"],
        );
        let after = decode(&dir.path().join("o.png"));
        for (i, v) in after.samples.iter().enumerate() {
            if i == n / 2 {
                assert!((100.0..150.0).contains(v), "{w}x{h}: {v}");
            } else {
                assert_eq!(*v, f64::from(pixels[i]), "{w}x{h}");
            }
        }
    }
}

#[test]
fn a_jpeg_stays_close_outside_the_mask() {
    for name in [
        "phone.jpg",
        "progressive.jpg",
        "full.jpg",
        "gray.jpg",
        "wide.jpg",
    ] {
        let dir = folder(&[name]);
        let run = fill(dir.path(), name, "out.jpg");
        assert!(run.stderr.contains("JPEG"), "{run:?}");
        let (before, after) = (decode(&data(name)), decode(&dir.path().join("out.jpg")));
        let (mut sum, mut n) = (0.0, 0.0);
        for y in 0..before.height {
            for x in 0..before.width {
                // A block of 32 by 8 pixels may take in some of the hole.
                let near = (-32i64..=32).step_by(8).any(|d| {
                    let x = i64::from(x) + d;
                    (0..before.width.into()).contains(&x)
                        && (y.saturating_sub(16)..=y + 16)
                            .any(|y| in_hole(x as u32, y, before.width, before.height))
                });
                if !near {
                    let d = before.pixel(x, y).iter().zip(after.pixel(x, y));
                    sum += d.map(|(a, b)| (a - b).powi(2)).sum::<f64>();
                    n += before.channels as f64;
                }
            }
        }
        let psnr = 10.0 * (255.0 * 255.0 * n / sum.max(1e-9)).log10();
        assert!(psnr > 40.0, "{name}: {psnr:.1} dB");
    }
}
