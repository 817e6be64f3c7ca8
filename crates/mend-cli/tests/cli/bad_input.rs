//! Bad input: a named error, the right exit code, and nothing written.
#![forbid(unsafe_code)]

use crate::support::{Run, data, folder, names, run, write_gray, write_mask};
use std::fs;
use std::path::Path;

/// Runs and looks that it failed as it should: with one error line that says all of `said`, and
/// without leaving anything in the folder.
fn fails(dir: &Path, args: &[&str], code: i32, said: &[&str]) -> Run {
    let before = names(dir);
    let run = run(dir, args);
    assert_eq!(run.code, code, "{args:?}: {run:?}");
    assert_eq!(run.stdout, "", "{args:?}");
    let told = |l: &&str| l.starts_with("mend: error: ") || l.starts_with("error: ");
    let errors = run.stderr.lines().filter(told).count();
    assert_eq!(errors, 1, "{args:?}: {}", run.stderr);
    for part in said {
        assert!(
            run.stderr.contains(part),
            "{args:?} lacks {part:?}: {}",
            run.stderr
        );
    }
    assert!(!run.stderr.contains("panicked"), "{args:?}: {}", run.stderr);
    assert_eq!(names(dir), before, "{args:?} left something");
    run
}

#[test]
fn what_cannot_be_used_is_named() {
    let dir = folder(&[
        "photo.png",
        "phone.jpg",
        "IMG_1.HEIC",
        "arithmetic.jpg",
        "pages.tif",
    ]);
    let dir = dir.path();
    for name in ["moving.png", "moving.webp", "float.tif"] {
        fs::copy(data(name), dir.join(name)).unwrap();
    }
    write_mask(&dir.join("m.png"), 96, 72);
    write_mask(&dir.join("small.png"), 10, 10);
    fs::write(dir.join("empty.png"), b"").unwrap();
    fs::write(dir.join("text.png"), b"no picture at all").unwrap();
    fs::write(dir.join("moving.gif"), b"GIF89a\x01\0\x01\0").unwrap();
    fs::write(dir.join("zero.ppm"), b"P6 0 5 255\n").unwrap();
    fs::create_dir(dir.join("dir.png")).unwrap();
    write_gray(&dir.join("full.png"), 96, 72, &[255; 96 * 72]);
    for (image, mask, output, code, said) in [
        (
            "none.png",
            "m.png",
            "o.png",
            1,
            &["none.png", "no such file"][..],
        ),
        (
            "photo.png",
            "none.png",
            "o.png",
            1,
            &["none.png", "no such file"],
        ),
        (
            "photo.png",
            "small.png",
            "o.png",
            1,
            &["small.png", "10×10", "photo.png", "96×72"],
        ),
        (
            "photo.png",
            "full.png",
            "o.png",
            1,
            &["photo.png", "whole image"],
        ),
        ("empty.png", "m.png", "o.png", 1, &["empty.png", "is empty"]),
        (
            "text.png",
            "m.png",
            "o.png",
            1,
            &["text.png", "not a picture"],
        ),
        (
            "photo.png",
            "text.png",
            "o.png",
            1,
            &["text.png", "not a picture"],
        ),
        ("moving.gif", "m.png", "o.png", 1, &["moving.gif"]),
        ("zero.ppm", "m.png", "o.png", 1, &["zero.ppm"]),
        (
            "IMG_1.HEIC",
            "m.png",
            "o.png",
            1,
            &["IMG_1.HEIC", "HEIC", "heif-convert"],
        ),
        (
            "photo.png",
            "m.png",
            "o.heic",
            2,
            &["o.heic", "cannot write", "PNG, JPEG"],
        ),
        (
            "arithmetic.jpg",
            "m.png",
            "o.jpg",
            1,
            &["arithmetic.jpg", "not supported"],
        ),
        ("pages.tif", "m.png", "o.tif", 1, &["pages.tif", "2 pages"]),
        (
            "moving.png",
            "m.png",
            "o.png",
            1,
            &["moving.png", "animation"],
        ),
        (
            "moving.webp",
            "m.png",
            "o.webp",
            1,
            &["moving.webp", "animation"],
        ),
        ("photo.png", "dir.png", "o.png", 1, &["dir.png", "folder"]),
        (
            "photo.png",
            "m.png",
            "nowhere/o.png",
            1,
            &["o.png", "no folder nowhere"],
        ),
        ("photo.png", "m.png", "o.xyz", 2, &["o.xyz", "PNG, JPEG"]),
        ("photo.png", "m.png", "o", 2, &["o does not say its format"]),
        (
            "photo.png",
            "alpha",
            "o.png",
            1,
            &["photo.png", "no transparency"],
        ),
    ] {
        fails(
            dir,
            &["fill", image, "--mask", mask, "-o", output],
            code,
            said,
        );
    }
}

#[test]
fn wrong_command_lines_exit_with_2_and_name_the_right_word() {
    let dir = folder(&["photo.png"]);
    write_mask(&dir.path().join("m.png"), 96, 72);
    let fill = ["fill", "photo.png", "--mask", "m.png", "-o", "o.png"];
    for (more, said) in [
        (&["--sed", "3"][..], "--seed"),
        (&["--seed", "-1"], "0 to 4294967295"),
        (&["--engine", "exemplr"], "exemplar"),
        (&["--context", "lots"], "context"),
        (&["--grow", "257"], "grow"),
        (&["--threads", "4000"], "1024"),
        (&["--max-memory", "lots"], "1.5G"),
        (&["--set", "feathr=3"], "did you mean 'feather'?"),
        (&["--set", "feather"], "NAME=VALUE"),
        (&["--jpeg-quality", "101"], "100"),
        (&["--linear", "--encoded"], "cannot be used with"),
    ] {
        fails(dir.path(), &[&fill[..], more].concat(), 2, &[said]);
    }
    fails(
        dir.path(),
        &["fill", "photo.png", "-o", "o.png"],
        2,
        &["--mask"],
    );
    fails(dir.path(), &["fil"], 2, &["fill"]);
}

#[test]
fn every_truncation_of_every_format_is_an_error() {
    for name in [
        "photo.png",
        "interlaced.png",
        "phone.jpg",
        "progressive.jpg",
        "rgb.tif",
        "fax.tif",
        "jpeg.tif",
        "tiled16.tif",
        "rgb.webp",
        "lossy.webp",
        "rgb.bmp",
        "rgb.ppm",
        "rgba.tga",
        "rgba.qoi",
    ] {
        let whole = fs::read(data(name)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let about = crate::decode::decode(&data(name));
        write_mask(&dir.path().join("m.png"), about.width, about.height);
        let extension = name.rsplit('.').next().unwrap();
        let output = format!("o.{extension}");
        for share in [0.02, 0.2, 0.5, 0.9] {
            let cut = (whole.len() as f64 * share) as usize;
            fs::write(dir.path().join(name), &whole[..cut]).unwrap();
            let args = ["fill", name, "--mask", "m.png", "-o", &output];
            fails(dir.path(), &args, 1, &[name]);
        }
    }
}

#[test]
fn flipped_bytes_never_end_the_program_otherwise_than_by_an_error() {
    // A cheap fuzzer: the program may fill the picture or refuse it, but in order.
    let mut state = 12345u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    for name in [
        "photo.png",
        "phone.jpg",
        "progressive.jpg",
        "rgb.tif",
        "jpeg.tif",
        "tiled16.tif",
        "rgb.webp",
        "lossy.webp",
        "rgb.bmp",
        "rgba.tga",
        "rgba.qoi",
    ] {
        let whole = fs::read(data(name)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let about = crate::decode::decode(&data(name));
        write_mask(&dir.path().join("m.png"), about.width, about.height);
        let output = format!("o.{}", name.rsplit('.').next().unwrap());
        for _ in 0..12 {
            let mut bad = whole.clone();
            for _ in 0..3 {
                // Most of what matters stands at the start.
                let reach = if next() % 2 == 0 {
                    bad.len().min(400)
                } else {
                    bad.len()
                };
                let at = next() as usize % reach;
                bad[at] = next() as u8;
            }
            fs::write(dir.path().join(name), &bad).unwrap();
            let args = [
                "fill",
                name,
                "--mask",
                "m.png",
                "--max-memory",
                "300M",
                "-o",
                &output,
            ];
            let run = run(dir.path(), &args);
            assert!([0, 1].contains(&run.code), "{name}: {run:?}");
            assert!(!run.stderr.contains("defect"), "{name}: {run:?}");
            assert_eq!(
                run.code == 0,
                dir.path().join(&output).exists(),
                "{name}: {run:?}"
            );
            let _ = fs::remove_file(dir.path().join(&output));
        }
    }
}

/// A PNG whose header promises `width` by `height` 16-bit RGBA pixels and whose data does not.
fn bomb(width: u32, height: u32) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8; 4], body: &[u8]| {
        file.extend((body.len() as u32).to_be_bytes());
        file.extend(name);
        file.extend(body);
        let mut crc = flate2::Crc::new();
        crc.update(name);
        crc.update(body);
        file.extend(crc.sum().to_be_bytes());
    };
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([16, 6, 0, 0, 0]);
    chunk(b"IHDR", &header);
    chunk(b"IDAT", &[0x78, 0x9c, 0x03, 0, 0, 0, 0, 1]);
    chunk(b"IEND", &[]);
    file
}

#[test]
fn a_decompression_bomb_is_refused_before_it_takes_memory() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    write_mask(&path.join("m.png"), 9, 9);
    fs::write(path.join("bomb.png"), bomb(60_000, 60_000)).unwrap();
    fs::write(path.join("long.png"), bomb(2_000_000, 1)).unwrap();
    fs::write(path.join("bomb.ppm"), b"P6 100000 100000 255\n123").unwrap();
    let mut qoi = b"qoif".to_vec();
    qoi.extend([0, 2, 0, 0, 0, 2, 0, 0, 4, 0, 1, 2, 3]);
    fs::write(path.join("bomb.qoi"), qoi).unwrap();
    for (name, said) in [
        ("bomb.png", "60000×60000"),
        ("long.png", "1048576"),
        ("bomb.ppm", "100000×100000"),
        ("bomb.qoi", "131072x131072"),
    ] {
        let args = ["fill", name, "--mask", "m.png", "-o", "o.png"];
        fails(path, &args, 1, &[name, said]);
        let args = ["fill", "m.png", "--mask", name, "-o", "o.png"];
        fails(path, &args, 1, &[name, said]);
    }
    // The limit is the user's to raise or lower.
    fs::write(path.join("big.png"), bomb(9_000, 9_000)).unwrap();
    let args = [
        "fill",
        "big.png",
        "--mask",
        "m.png",
        "--max-memory",
        "100M",
        "-o",
        "o.png",
    ];
    fails(path, &args, 1, &["big.png", "--max-memory"]);
}

#[test]
fn nan_pixels_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("nan.tif");
    let mut pixels = vec![0.5f32; 30 * 20];
    pixels[3 * 30 + 4] = f32::NAN;
    let mut encoder = tiff::encoder::TiffEncoder::new(fs::File::create(&path).unwrap()).unwrap();
    encoder
        .write_image::<tiff::encoder::colortype::Gray32Float>(30, 20, &pixels)
        .unwrap();
    write_mask(&dir.path().join("m.png"), 30, 20);
    let args = ["fill", "nan.tif", "--mask", "m.png", "-o", "o.tif"];
    fails(dir.path(), &args, 1, &["nan.tif", "NaN", "(4, 3)"]);
}

#[cfg(unix)]
#[test]
fn missing_permissions_are_named() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    // Root may do everything: then another user is asked.
    let dir = folder(&["photo.png"]);
    let path = dir.path();
    write_mask(&path.join("m.png"), 96, 72);
    let program = path.join("mend");
    fs::copy(env!("CARGO_BIN_EXE_mend"), &program).unwrap();
    let mode = |p: &Path, mode| fs::set_permissions(p, fs::Permissions::from_mode(mode)).unwrap();
    let root = fs::read_to_string("/proc/self/status")
        .is_ok_and(|s| s.lines().any(|l| l.starts_with("Uid:\t0\t")));
    let run = |args: &[&str]| {
        let mut command = std::process::Command::new(&program);
        command.current_dir(path).args(args);
        if root {
            command.uid(65_534).gid(65_534);
        }
        Run::of(&command.output().unwrap())
    };
    mode(path, 0o755);
    fs::create_dir(path.join("open")).unwrap();
    mode(&path.join("open"), 0o777);
    fs::copy(path.join("photo.png"), path.join("secret.png")).unwrap();
    mode(&path.join("secret.png"), 0o000);
    fs::write(path.join("open/kept.png"), b"kept").unwrap();
    mode(&path.join("open/kept.png"), 0o444);
    fs::create_dir(path.join("shut")).unwrap();
    mode(&path.join("shut"), 0o555);
    for (image, output, named) in [
        ("secret.png", "open/o.png", "secret.png"),
        ("photo.png", "shut/o.png", "shut/o.png"),
        ("photo.png", "open/kept.png", "kept.png"),
    ] {
        let run = run(&["fill", image, "--mask", "m.png", "-o", output]);
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.stderr.contains(named), "{run:?}");
        assert!(run.stderr.contains("permission denied"), "{run:?}");
    }
    assert_eq!(names(&path.join("open")), ["kept.png"]);
    assert_eq!(fs::read(path.join("open/kept.png")).unwrap(), b"kept");
    mode(&path.join("shut"), 0o755);
}
