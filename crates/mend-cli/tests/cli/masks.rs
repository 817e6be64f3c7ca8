//! Masks of every kind of file, and a picture's own transparency.
#![forbid(unsafe_code)]

use crate::decode::{Decoded, decode};
use crate::support::{data, folder, in_hole, run, run_ok, write_gray, write_mask, write_png};
use std::fs;
use std::process::Command;

const W: u32 = 96;
const H: u32 = 72;

/// A picture of 320×240 with structure everywhere.
fn large(path: &std::path::Path) {
    let pixels: Vec<u8> = (0..240u32)
        .flat_map(|y| (0..320u32).map(move |x| (x, y)))
        .flat_map(|(x, y)| [(x * 5 + y) as u8, (x ^ y) as u8, (y * 7 + x / 3) as u8])
        .collect();
    write_png(path, 320, 240, png::ColorType::Rgb, &pixels);
}

#[test]
fn masks_that_are_faint_or_coloured_fill_as_white_ones_and_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    large(&path.join("p.png"));
    let white: Vec<u8> = decode(&data("masks/g01.png"))
        .samples
        .iter()
        .map(|v| if *v > 0.0 { 255 } else { 0 })
        .collect();
    assert_eq!(white.iter().filter(|v| **v > 0).count(), 3500);
    write_gray(&path.join("white.png"), 320, 240, &white);
    let fill = |mask: &str| {
        let run = run_ok(path, &["fill", "p.png", "--mask", mask, "-o", "o.png"]);
        (fs::read(path.join("o.png")).unwrap(), run.stderr)
    };
    let (want, quiet) = fill("white.png");
    assert_eq!(quiet, "");
    for (name, told) in [
        ("g01.png", "1 of 255"),
        ("u16_255.png", "255 of 65535"),
        ("bg010101.png", "nearly black"),
        ("red.png", ""),
        ("blue.png", ""),
        ("rgba_twocolours.png", "opacity"),
    ] {
        let mask = data("masks").join(name);
        let (got, said) = fill(&mask.to_string_lossy());
        assert!(got == want, "{name}: {said}");
        assert!(said.contains(told), "{name}: {said}");
    }
}

#[test]
fn a_soft_mask_that_nothing_makes_full_is_told_and_a_threshold_makes_it_full() {
    let dir = folder(&["photo.png"]);
    let path = dir.path();
    write_mask(&path.join("hard.png"), W, H);
    let faint: Vec<u8> = (0..H)
        .flat_map(|y| (0..W).map(move |x| if in_hole(x, y, W, H) { 90 } else { 20 }))
        .collect();
    write_gray(&path.join("soft.png"), W, H, &faint);
    let fill = |mask: &str, more: &[&str]| {
        let args = ["fill", "photo.png", "--mask", mask, "-o", "o.png"];
        let run = run(path, &[&args[..], more].concat());
        (run, fs::read(path.join("o.png")).unwrap_or_default())
    };
    let (_, want) = fill("hard.png", &[]);
    for threshold in ["0.3", "30%"] {
        let (run, got) = fill("soft.png", &["--mask-threshold", threshold]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        assert!(got == want, "{threshold}");
    }
    for wrong in ["0", "128", "x"] {
        assert_eq!(fill("soft.png", &["--mask-threshold", wrong]).0.code, 2);
    }
    // What selects everything says what to do.
    let all: Vec<u8> = faint.iter().map(|v| v + 50).collect();
    write_gray(&path.join("all.png"), W, H, &all);
    let (run, _) = fill("all.png", &[]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("--mask-threshold"), "{run:?}");
}

#[test]
fn inverted_masks_of_every_kind_select_the_same() {
    let dir = folder(&["photo.png"]);
    let path = dir.path();
    write_mask(&path.join("m.png"), W, H);
    run_ok(
        path,
        &["fill", "photo.png", "--mask", "m.png", "-o", "want.png"],
    );
    let want = fs::read(path.join("want.png")).unwrap();
    let each = |white: &[u8], black: &[u8]| -> Vec<u8> {
        (0..H)
            .flat_map(|y| (0..W).map(move |x| in_hole(x, y, W, H)))
            .flat_map(|hole| if hole { black.to_vec() } else { white.to_vec() })
            .collect()
    };
    use png::ColorType::{GrayscaleAlpha, Rgb, Rgba};
    write_png(&path.join("rgb.png"), W, H, Rgb, &each(&[255; 3], &[0; 3]));
    write_png(
        &path.join("rgba.png"),
        W,
        H,
        Rgba,
        &each(&[255; 4], &[0, 0, 0, 255]),
    );
    write_png(
        &path.join("ga.png"),
        W,
        H,
        GrayscaleAlpha,
        &each(&[255; 2], &[0, 255]),
    );
    write_png(
        &path.join("blue.png"),
        W,
        H,
        Rgb,
        &each(&[255; 3], &[0, 0, 255]),
    );
    // A palette: 0 is white, 1 black.
    let file = fs::File::create(path.join("palette.png")).unwrap();
    let mut encoder = png::Encoder::new(file, W, H);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(vec![255, 255, 255, 0, 0, 0]);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&each(&[0], &[1])).unwrap();
    writer.finish().unwrap();
    let mut masks = vec!["rgb.png", "rgba.png", "ga.png", "blue.png", "palette.png"];
    write_gray(&path.join("empty.png"), W, H, &[0; (W * H) as usize]);
    for name in ["i.bmp", "i.tif", "i.webp", "i.ppm", "i.tga", "i.qoi"] {
        run_ok(
            path,
            &["fill", "rgb.png", "--mask", "empty.png", "-o", name],
        );
        masks.push(name);
    }
    for mask in masks {
        let args = [
            "fill",
            "photo.png",
            "--mask",
            mask,
            "--invert-mask",
            "-o",
            "o.png",
        ];
        let run = run_ok(path, &args);
        assert!(
            fs::read(path.join("o.png")).unwrap() == want,
            "{mask}: {run:?}"
        );
    }
}

#[test]
fn a_mask_of_another_size_is_scaled_when_asked() {
    let dir = folder(&["photo.png"]);
    let path = dir.path();
    write_mask(&path.join("m.png"), W, H);
    run_ok(
        path,
        &["fill", "photo.png", "--mask", "m.png", "-o", "want.png"],
    );
    let want = fs::read(path.join("want.png")).unwrap();
    for (w, h) in [(W * 2, H * 2), (W / 8 * 3, H / 8 * 3), (W / 4, H / 4)] {
        write_mask(&path.join("s.png"), w, h);
        let args = ["fill", "photo.png", "--mask", "s.png", "-o", "o.png"];
        let refused = run(path, &args);
        assert_eq!(refused.code, 1);
        assert!(refused.stderr.contains("--fit-mask"), "{refused:?}");
        let fits = run_ok(path, &[&args[..], &["--fit-mask"]].concat());
        assert!(
            fits.stderr.contains("was scaled to the picture's 96×72"),
            "{fits:?}"
        );
        assert!(!fits.stderr.contains("another shape"), "{fits:?}");
        // Thirds of these sides are whole: the same hole.
        assert!(fs::read(path.join("o.png")).unwrap() == want, "{w}×{h}");
    }
    write_mask(&path.join("s.png"), 50, 50);
    let args = ["plan", "photo.png", "--mask", "s.png", "--fit-mask"];
    let odd = run_ok(path, &args);
    assert!(odd.stderr.contains("another shape"), "{odd:?}");
}

/// The pixels in which two pictures differ.
fn changed(a: &Decoded, b: &Decoded) -> Vec<(u32, u32)> {
    (0..a.height)
        .flat_map(|y| (0..a.width).map(move |x| (x, y)))
        .filter(|(x, y)| a.pixel(*x, *y) != b.pixel(*x, *y))
        .collect()
}

#[test]
fn masks_of_any_kind_select_the_same() {
    let dir = folder(&["photo.png"]);
    let path = dir.path();
    write_mask(&path.join("gray.png"), W, H);
    let each = |pixel: &dyn Fn(bool) -> Vec<u8>| -> Vec<u8> {
        (0..H)
            .flat_map(|y| (0..W).map(move |x| in_hole(x, y, W, H)))
            .flat_map(pixel)
            .collect()
    };
    let write = |name: &str, color, pixels: &[u8]| write_png(&path.join(name), W, H, color, pixels);
    use png::ColorType::{GrayscaleAlpha, Rgb, Rgba};
    write(
        "rgb.png",
        Rgb,
        &each(&|h| if h { vec![255; 3] } else { vec![0; 3] }),
    );
    write(
        "rgba.png",
        Rgba,
        &each(&|h| if h { vec![255; 4] } else { vec![0, 0, 0, 255] }),
    );
    // Black, and red, painted on nothing; white on nothing.
    write(
        "black.png",
        GrayscaleAlpha,
        &each(&|h| vec![0, if h { 255 } else { 0 }]),
    );
    write(
        "red.png",
        Rgba,
        &each(&|h| vec![200, 0, 0, if h { 255 } else { 0 }]),
    );
    write(
        "white.png",
        Rgba,
        &each(&|h| vec![255, 255, 255, if h { 255 } else { 0 }]),
    );
    write_gray(
        &path.join("inverted.png"),
        W,
        H,
        &each(&|h| vec![if h { 0 } else { 255 }]),
    );
    let mut masks = vec![
        "gray.png",
        "rgb.png",
        "rgba.png",
        "black.png",
        "red.png",
        "white.png",
    ];
    for name in ["m.bmp", "m.tif", "m.webp", "m.ppm"] {
        // The program's own conversion: an empty mask changes nothing but the format.
        write_gray(&path.join("empty.png"), W, H, &[0; (W * H) as usize]);
        run_ok(
            path,
            &["fill", "rgb.png", "--mask", "empty.png", "-o", name],
        );
        masks.push(name);
    }
    run_ok(
        path,
        &["fill", "photo.png", "--mask", "gray.png", "-o", "want.png"],
    );
    let want = fs::read(path.join("want.png")).unwrap();
    for mask in masks {
        run_ok(path, &["fill", "photo.png", "--mask", mask, "-o", "o.png"]);
        assert!(fs::read(path.join("o.png")).unwrap() == want, "{mask}");
    }
    let args = [
        "fill",
        "photo.png",
        "--mask",
        "inverted.png",
        "--invert-mask",
        "-o",
        "o.png",
    ];
    run_ok(path, &args);
    assert!(fs::read(path.join("o.png")).unwrap() == want, "inverted");
}

#[test]
fn a_jpeg_mask_does_not_touch_what_only_its_ringing_selects() {
    let dir = folder(&["photo.png"]);
    let path = dir.path();
    // A disk, whose edge runs through the blocks.
    let disk = |x: u32, y: u32| (x as f64 - 47.0).powi(2) + (y as f64 - 35.0).powi(2) < 17.0 * 17.0;
    let pixels: Vec<u8> = (0..H)
        .flat_map(|y| (0..W).map(move |x| if disk(x, y) { 255 } else { 0 }))
        .collect();
    write_gray(&path.join("m.png"), W, H, &pixels);
    write_gray(&path.join("empty.png"), W, H, &[0; (W * H) as usize]);
    let to_jpeg = [
        "fill",
        "m.png",
        "--mask",
        "empty.png",
        "--jpeg-quality",
        "60",
        "-o",
        "m.jpg",
    ];
    run_ok(path, &to_jpeg);
    let jpeg = decode(&path.join("m.jpg"));
    let rings = jpeg
        .samples
        .iter()
        .filter(|v| **v > 0.0 && **v < 30.0)
        .count();
    assert!(rings > 0, "the mask does not ring, so it shows nothing");
    let run = run_ok(
        path,
        &["fill", "photo.png", "--mask", "m.jpg", "-o", "o.png"],
    );
    assert!(run.stderr.contains("with loss"), "{run:?}");
    let (before, after) = (decode(&data("photo.png")), decode(&path.join("o.png")));
    for (x, y) in changed(&before, &after) {
        assert!(jpeg.pixel(x, y)[0] >= 30.0, "{x},{y}");
    }
}

#[test]
fn a_soft_mask_replaces_in_part() {
    let dir = folder(&["photo.png"]);
    let path = dir.path();
    write_mask(&path.join("hard.png"), W, H);
    let soft: Vec<u8> = (0..H)
        .flat_map(|y| (0..W).map(move |x| if in_hole(x, y, W, H) { 64 } else { 0 }))
        .collect();
    write_gray(&path.join("soft.png"), W, H, &soft);
    run_ok(
        path,
        &[
            "fill",
            "photo.png",
            "--mask",
            "hard.png",
            "-o",
            "hard-out.png",
        ],
    );
    run_ok(
        path,
        &[
            "fill",
            "photo.png",
            "--mask",
            "soft.png",
            "-o",
            "soft-out.png",
        ],
    );
    let before = decode(&data("photo.png"));
    let distance = |name: &str| -> f64 {
        let after = decode(&path.join(name));
        let d = before.samples.iter().zip(&after.samples);
        d.map(|(a, b)| (a - b).abs()).sum()
    };
    let share = distance("soft-out.png") / distance("hard-out.png");
    assert!((0.1..0.45).contains(&share), "{share}");
}

#[test]
fn a_pictures_own_transparency_is_a_mask() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let photo = decode(&data("photo.png"));
    let mut pixels = Vec::new();
    for y in 0..H {
        for x in 0..W {
            pixels.extend(photo.pixel(x, y).iter().map(|v| *v as u8));
            // Clear in the hole's middle, half so at its rim.
            pixels.push(match (in_hole(x, y, W, H), in_hole(x + 1, y, W, H)) {
                (true, true) => 0,
                (true, false) => 128,
                _ => 255,
            });
        }
    }
    write_png(&path.join("p.png"), W, H, png::ColorType::Rgba, &pixels);
    run_ok(path, &["fill", "p.png", "--mask", "alpha", "-o", "o.png"]);
    let after = decode(&path.join("o.png"));
    for y in 0..H {
        for x in 0..W {
            let i = (y * W + x) as usize * 4;
            let (was, is) = (&pixels[i..i + 4], after.pixel(x, y));
            if in_hole(x, y, W, H) {
                assert_eq!(is[3], 255.0, "{x},{y}: the fill is not opaque");
            } else {
                let same = was.iter().zip(is).all(|(a, b)| f64::from(*a) == *b);
                assert!(same, "{x},{y}");
            }
        }
    }
}

#[test]
fn a_source_mask_is_checked_and_used() {
    let dir = folder(&["photo.png"]);
    let path = dir.path();
    write_mask(&path.join("m.png"), W, H);
    write_mask(&path.join("small.png"), 10, 10);
    let fill = [
        "fill",
        "photo.png",
        "--mask",
        "m.png",
        "-o",
        "o.png",
        "--source-mask",
    ];
    let wrong = run(path, &[&fill[..], &["small.png"]].concat());
    assert_eq!(wrong.code, 1);
    assert!(wrong.stderr.contains("small.png is 10×10"), "{wrong:?}");
    // Where all that may be sampled is to be filled, nothing is left.
    let nothing = run(path, &[&fill[..], &["m.png"]].concat());
    assert_eq!(nothing.code, 1, "{nothing:?}");
    assert!(nothing.stderr.contains("source mask"), "{nothing:?}");
    write_gray(&path.join("all.png"), W, H, &[255; (W * H) as usize]);
    run_ok(path, &[&fill[..], &["all.png"]].concat());
}

#[test]
fn masks_that_are_no_plain_files_are_refused_at_once() {
    // A pipe would be waited for without end.
    let dir = folder(&["photo.png"]);
    let pipe = dir.path().join("pipe.png");
    if !Command::new("mkfifo")
        .arg(&pipe)
        .status()
        .is_ok_and(|s| s.success())
    {
        return;
    }
    let run = run(
        dir.path(),
        &["fill", "photo.png", "--mask", "pipe.png", "-o", "o.png"],
    );
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("not a plain file"), "{run:?}");
}
