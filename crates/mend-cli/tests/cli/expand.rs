//! Pictures that grow: with and without a mask, on the sides that are shown, with metadata that is true.
#![forbid(unsafe_code)]

use crate::decode::decode;
use crate::support::{data, folder, in_hole, run, run_ok, write_mask};
use std::fs;
use std::path::Path;

/// A PNG with a tinted corner at its stored top left, and EXIF that says how it is shown and how large it is.
fn write_turned(path: &Path, (w, h): (u32, u32), orientation: u8) {
    let pixels: Vec<u8> = (0..w * h * 3).map(|i| (i * 7 % 251) as u8).collect();
    let mut exif = b"II*\0\x08\0\0\0\x03\0".to_vec();
    for (tag, value) in [
        (0x0100u16, w),
        (0x0101, h),
        (0x0112, u32::from(orientation)),
    ] {
        exif.extend(tag.to_le_bytes());
        exif.extend([3, 0, 1, 0, 0, 0]);
        exif.extend(value.to_le_bytes());
    }
    exif.extend([0; 4]);
    let mut info = png::Info::with_size(w, h);
    info.color_type = png::ColorType::Rgb;
    info.bit_depth = png::BitDepth::Eight;
    info.exif_metadata = Some(exif.into());
    let file = fs::File::create(path).unwrap();
    let encoder = png::Encoder::with_info(file, info).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&pixels).unwrap();
}

/// The numbers of a PNG's EXIF, by tag, in whatever order they are stored.
fn exif_number(path: &Path, tag: u16) -> Option<u32> {
    let decoder = png::Decoder::new(std::io::BufReader::new(fs::File::open(path).unwrap()));
    let reader = decoder.read_info().unwrap();
    let exif = reader.info().exif_metadata.clone()?;
    assert_eq!(&exif[..2], b"II");
    let count = u16::from_le_bytes([exif[8], exif[9]]);
    let entries = exif[10..].chunks_exact(12).take(count.into());
    let entry = entries.into_iter().find(|e| e[..2] == tag.to_le_bytes())?;
    Some(u32::from_le_bytes(entry[8..12].try_into().unwrap()))
}

#[test]
fn a_picture_grows_and_keeps_its_pixels() {
    let dir = folder(&["photo.png"]);
    write_mask(&dir.path().join("m.png"), 96, 72);
    let before = decode(&data("photo.png"));
    for (mask, expand, size, at) in [
        (false, "12", (120, 96), (12, 12)),
        // It is shown turned, so that its left is the stored bottom.
        (false, "left=10%,bottom=5", (101, 79), (0, 0)),
        (true, "4,8", (112, 80), (8, 4)),
    ] {
        let mut args = vec![
            "fill",
            "photo.png",
            "--expand",
            expand,
            "-o",
            "out.png",
            "--json",
        ];
        if mask {
            args.extend(["--mask", "m.png"]);
        }
        let told = run_ok(dir.path(), &args).json();
        assert_eq!(told["mask"].is_null(), !mask, "{told}");
        let canvas = serde_json::json!({
            "width": size.0, "height": size.1, "x": at.0, "y": at.1,
        });
        assert_eq!(told["plan"]["canvas"], canvas);
        let out = decode(&dir.path().join("out.png"));
        assert_eq!((out.width, out.height), size);
        for (x, y) in (0..96 * 72).map(|n| (n % 96, n / 96)) {
            let same = before.pixel(x, y) == out.pixel(at.0 + x, at.1 + y);
            assert!(same || mask && in_hole(x, y, 96, 72), "{expand}: {x} {y}");
        }
        args[0] = "plan";
        args.drain(4..6);
        let plan = run_ok(dir.path(), &args).json();
        assert_eq!(plan["plan"]["regions"], told["plan"]["regions"]);
        let text = run_ok(dir.path(), &[&args[..4], &args[5..]].concat()).stdout;
        assert!(
            text.contains(&format!("canvas   {}×{}", size.0, size.1)),
            "{text}"
        );
    }
}

#[test]
fn several_pictures_and_variations_grow_as_well() {
    let dir = folder(&["photo.png", "phone.jpg"]);
    run_ok(
        dir.path(),
        &[
            "fill",
            "photo.png",
            "phone.jpg",
            "--expand",
            "6",
            "-o",
            "out/",
        ],
    );
    for name in ["photo.png", "phone.jpg"] {
        let (before, after) = (
            decode(&data(name)),
            decode(&dir.path().join("out").join(name)),
        );
        let grown = (before.width + 12, before.height + 12);
        assert_eq!((after.width, after.height), grown, "{name}");
    }
    let two = [
        "fill",
        "photo.png",
        "--expand",
        "right=9",
        "--variations",
        "2",
        "-o",
        "v-{n}.png",
    ];
    run_ok(dir.path(), &two);
    let [one, two] = ["v-1.png", "v-2.png"].map(|name| decode(&dir.path().join(name)));
    assert_eq!((one.height, two.height), (81, 81));
    assert!(one != two);
    // By nothing it is the file itself.
    run_ok(
        dir.path(),
        &["fill", "photo.png", "--expand", "0", "-o", "same.png"],
    );
    let same = fs::read(dir.path().join("same.png")).unwrap();
    assert_eq!(same, fs::read(data("photo.png")).unwrap());
}

#[test]
fn sides_are_those_that_are_shown_and_exif_says_the_new_size() {
    let dir = folder(&[]);
    let path = dir.path().join("turned.png");
    // Shown, the stored first row is at the right (6), the left (8) or the bottom (3).
    for (orientation, at, size) in [
        (1, (5, 0), (45, 30)),
        (3, (0, 0), (45, 30)),
        (6, (0, 0), (40, 35)),
        (8, (0, 5), (40, 35)),
    ] {
        write_turned(&path, (40, 30), orientation);
        run_ok(
            dir.path(),
            &["fill", "turned.png", "--expand", "left=5", "-o", "out.png"],
        );
        let out = dir.path().join("out.png");
        let (before, after) = (decode(&path), decode(&out));
        assert_eq!((after.width, after.height), size, "{orientation}");
        // Upside down, the left that is shown is the stored right; turned right, the stored bottom.
        for (x, y) in (0..40 * 30).map(|n| (n % 40, n / 40)) {
            assert_eq!(
                before.pixel(x, y),
                after.pixel(at.0 + x, at.1 + y),
                "{orientation}: {x} {y}"
            );
        }
        let told = [0x0100, 0x0101, 0x0112].map(|tag| exif_number(&out, tag));
        assert_eq!(told, [size.0, size.1, u32::from(orientation)].map(Some));
    }
}

#[test]
fn what_is_lacking_or_too_much_is_said() {
    let dir = folder(&["photo.png"]);
    for (args, said) in [
        (&["--expand", "1,2,3"][..], "left=64,bottom=10%"),
        (&["--expand", "60000"], "'expand'"),
        (&["--set", "seed=1"], "--expand"),
        (&[], "--mask"),
    ] {
        let all = [&["fill", "photo.png", "-o", "out.png"], args].concat();
        let told = run(dir.path(), &all);
        assert!(told.code != 0 && told.stderr.contains(said), "{told:?}");
        assert!(!dir.path().join("out.png").exists());
    }
    run_ok(
        dir.path(),
        &["fill", "photo.png", "--set", "expand=3", "-o", "out.png"],
    );
    assert_eq!(decode(&dir.path().join("out.png")).width, 102);
}
