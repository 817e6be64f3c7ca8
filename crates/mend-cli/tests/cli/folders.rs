//! Folders of pictures with folders of masks.
#![forbid(unsafe_code)]

use crate::decode::decode;
use crate::support::{data, folder, names, run, run_ok, write_mask};
use std::fs;
use std::path::Path;

/// A folder with pictures in `in` and their masks in `masks`.
fn folders(pictures: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for sub in ["in", "masks"] {
        fs::create_dir(dir.path().join(sub)).unwrap();
    }
    for name in pictures {
        fs::copy(data(name), dir.path().join("in").join(name)).unwrap();
    }
    dir
}

/// The mask that [`write_mask`] makes for a picture.
fn mask(dir: &Path, name: &str, of: &str) {
    let about = decode(&data(of));
    write_mask(&dir.join(name), about.width, about.height);
}

#[test]
fn masks_are_found_by_name_and_bad_files_are_passed() {
    let dir = folders(&[
        "photo.png",
        "phone.jpg",
        "rgb.tif",
        "rgb.bmp",
        "IMG_1.HEIC",
        "rgba.qoi",
    ]);
    let path = dir.path();
    fs::write(path.join("in/notes.txt"), b"no picture").unwrap();
    fs::write(path.join("in/broken.png"), b"\x89PNG\r\n\x1a\nnothing").unwrap();
    let masks = path.join("masks");
    mask(&masks, "photo.png", "photo.png");
    mask(&masks, "phone.mask.png", "phone.jpg");
    mask(&masks, "rgb_mask.png", "rgb.tif");
    mask(&masks, "IMG_1-mask.png", "photo.png");
    mask(&masks, "broken.png", "photo.png");
    let run = run(path, &["fill", "in", "--mask", "masks", "-o", "out"]);
    assert_eq!(run.code, 1, "{run:?}");
    // `rgb` is the stem of two pictures of the same size: one mask does for both.
    let want = ["phone.jpg", "photo.png", "rgb.bmp", "rgb.tif"];
    assert_eq!(names(&path.join("out")), want, "{run:?}");
    for name in want {
        assert_ne!(
            decode(&path.join("out").join(name)),
            decode(&data(name)),
            "{name}"
        );
    }
    for said in ["IMG_1.HEIC", "broken.png", "2 of 6", "rgba.qoi has no mask"] {
        assert!(run.stderr.contains(said), "{said:?}: {run:?}");
    }
}

#[test]
fn a_folder_in_json_is_one_object() {
    let dir = folders(&["photo.png", "IMG_1.HEIC", "gray.jpg"]);
    let path = dir.path();
    mask(&path.join("masks"), "photo.png", "photo.png");
    mask(&path.join("masks"), "IMG_1.png", "photo.png");
    let run = run(
        path,
        &["fill", "in", "--mask", "masks", "-o", "out", "--json"],
    );
    assert_eq!(run.code, 1);
    assert_eq!(run.stderr, "");
    let json = run.json();
    assert_eq!(json["ok"], false);
    assert_eq!(json["filled"].as_array().unwrap().len(), 1);
    assert_eq!(json["filled"][0]["report"]["regions"], 1);
    assert_eq!(json["failed"][0]["error"]["kind"], "unsupported");
    assert!(json["skipped"][0].as_str().unwrap().contains("gray.jpg"));
}

#[test]
fn masks_may_lie_beside_their_pictures_and_the_output_be_the_input() {
    let dir = folder(&["photo.png", "gray.jpg"]);
    mask(dir.path(), "photo.mask.png", "photo.png");
    mask(dir.path(), "gray_mask.png", "gray.jpg");
    let mask_before = fs::read(dir.path().join("photo.mask.png")).unwrap();
    run_ok(dir.path(), &["fill", ".", "--mask", ".", "-o", "."]);
    assert_ne!(
        decode(&dir.path().join("photo.png")),
        decode(&data("photo.png"))
    );
    assert_eq!(
        fs::read(dir.path().join("photo.mask.png")).unwrap(),
        mask_before
    );
    assert_eq!(
        names(dir.path()),
        ["gray.jpg", "gray_mask.png", "photo.mask.png", "photo.png"]
    );
}

#[test]
fn two_masks_for_one_picture_are_no_guess() {
    let dir = folders(&["gray.jpg"]);
    let path = dir.path();
    mask(&path.join("masks"), "gray.png", "gray.jpg");
    mask(&path.join("masks"), "gray.mask.png", "gray.jpg");
    let run = run(path, &["fill", "in", "--mask", "masks", "-o", "out"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("several masks"), "{run:?}");
    assert!(names(&path.join("out")).is_empty());
}

#[test]
fn folders_go_with_folders() {
    let dir = folders(&["photo.png"]);
    let path = dir.path();
    mask(path, "m.png", "photo.png");
    for (args, code, said) in [
        (
            ["in", "--mask", "masks", "-o", "out"],
            2,
            "no picture in in",
        ),
        (["in", "--mask", "none", "-o", "out"], 1, "none"),
        (["in", "--mask", "masks", "-o", "no/out"], 1, "no/out"),
        (["in", "--mask", "masks", "-o", "m.png"], 1, "m.png"),
    ] {
        let run = run(path, &[&["fill"], &args[..]].concat());
        assert_eq!(run.code, code, "{args:?}: {run:?}");
        assert!(run.stderr.contains(said), "{args:?}: {run:?}");
    }
}

#[test]
fn beside_its_picture_a_mask_of_the_same_name_is_the_png() {
    let dir = folder(&["phone.jpg", "gray.jpg", "photo.png"]);
    let path = dir.path();
    mask(path, "phone.png", "phone.jpg");
    mask(path, "gray_mask.png", "gray.jpg");
    let png = fs::read(path.join("phone.png")).unwrap();
    let run = run_ok(path, &["fill", ".", "--mask", ".", "-o", "."]);
    assert_ne!(decode(&path.join("phone.jpg")), decode(&data("phone.jpg")));
    assert!(fs::read(path.join("phone.png")).unwrap() == png, "{run:?}");
    // It is no picture without a mask either; the one that is one is named.
    assert!(!run.stderr.contains("phone.png has no mask"), "{run:?}");
    assert!(run.stderr.contains("photo.png has no mask"), "{run:?}");
    let all = [
        "gray.jpg",
        "gray_mask.png",
        "phone.jpg",
        "phone.png",
        "photo.png",
    ];
    assert_eq!(names(path), all);
}

#[test]
fn a_photo_is_not_taken_for_the_mask_of_its_twin() {
    let dir = folder(&["photo.png"]);
    let path = dir.path();
    write_mask(&path.join("m.png"), 96, 72);
    run_ok(
        path,
        &["fill", "photo.png", "--mask", "m.png", "-o", "photo.jpg"],
    );
    fs::remove_file(path.join("m.png")).unwrap();
    let before = fs::read(path.join("photo.jpg")).unwrap();
    let run = run(path, &["fill", ".", "--mask", ".", "-o", "."]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("looks like a picture"), "{run:?}");
    assert!(fs::read(path.join("photo.jpg")).unwrap() == before);
}

/// Every file below a folder with its bytes.
fn tree(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(tree(&path)),
            false => all.push((path.display().to_string(), fs::read(&path).unwrap())),
        }
    }
    all.sort();
    all
}

#[test]
fn no_input_is_written_over_but_the_picture_itself() {
    let dir = folders(&["photo.png", "phone.jpg"]);
    let path = dir.path();
    mask(&path.join("masks"), "photo.png", "photo.png");
    mask(&path.join("masks"), "phone.mask.png", "phone.jpg");
    fs::create_dir(path.join("other")).unwrap();
    fs::copy(data("photo.png"), path.join("other/photo.png")).unwrap();
    mask(path, "m.png", "photo.png");
    mask(path, "source.png", "photo.png");
    fs::create_dir(path.join("links")).unwrap();
    fs::hard_link(path.join("m.png"), path.join("links/hard.png")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("../m.png", path.join("links/soft.png")).unwrap();
    let before = tree(path);
    let mut cases = vec![
        vec!["in", "--mask", "masks", "-o", "masks"],
        vec!["in/phone.jpg", "--mask", "masks", "-o", "masks"],
        vec![
            "in",
            "--mask",
            "masks",
            "--source-mask",
            "other",
            "-o",
            "other",
        ],
        // One file for two pictures; one picture over another.
        vec!["in", "other", "--mask", "masks", "-o", "out"],
        vec![
            "in/photo.png",
            "in/photo.png",
            "--mask",
            "masks",
            "-o",
            "out",
        ],
        vec![
            "in/phone.jpg",
            "other/photo.png",
            "in/photo.png",
            "--mask",
            "masks",
            "-o",
            "in",
        ],
        vec!["in/photo.png", "--mask", "m.png", "-o", "m.png"],
        vec!["in/photo.png", "--mask", "m.png", "-o", "./other/../m.png"],
        vec!["in/photo.png", "--mask", "m.png", "-o", "links/hard.png"],
        vec![
            "in/photo.png",
            "--mask",
            "m.png",
            "--source-mask",
            "source.png",
            "-o",
            "source.png",
        ],
        vec![
            "in/photo.png",
            "--mask",
            "m.png",
            "--lora",
            "source.png:0.5",
            "-o",
            "source.png",
        ],
    ];
    if cfg!(unix) {
        cases.push(vec![
            "in/photo.png",
            "--mask",
            "m.png",
            "-o",
            "links/soft.png",
        ]);
    }
    for args in cases {
        let run = run(path, &[&["fill"], &args[..]].concat());
        assert_eq!(run.code, 2, "{args:?}: {run:?}");
        assert!(tree(path) == before, "{args:?}: {run:?}");
    }
    // The picture itself may be.
    run_ok(
        path,
        &["fill", "in/photo.png", "--mask", "m.png", "-o", "in"],
    );
    assert_ne!(
        decode(&path.join("in/photo.png")),
        decode(&data("photo.png"))
    );
}

#[test]
fn pictures_that_cannot_be_read_are_named() {
    let dir = folders(&["IMG_1.HEIC", "photo.png"]);
    let path = dir.path();
    fs::write(path.join("in/photo.NEF"), b"II*\0raw").unwrap();
    fs::write(path.join("in/notes.txt"), b"none").unwrap();
    mask(&path.join("masks"), "photo.png", "photo.png");
    // Nobody asked for it: it is passed, and named.
    let fill = ["fill", "in", "--mask", "masks", "-o", "out"];
    let passed = run_ok(path, &fill);
    for said in ["IMG_1.HEIC is a HEIC", "photo.NEF"] {
        assert!(passed.stderr.contains(said), "{passed:?}");
    }
    assert!(!passed.stderr.contains("notes.txt"), "{passed:?}");
    let json = run_ok(path, &[&fill[..], &["--json"]].concat()).json();
    let named = json["unreadable"].to_string();
    assert!(
        named.contains("IMG_1.HEIC") && named.contains("photo.NEF"),
        "{json}"
    );
    // With a mask of its own it is missed.
    mask(&path.join("masks"), "IMG_1.png", "photo.png");
    let missed = run(path, &[&fill[..], &["--json"]].concat());
    assert_eq!(missed.code, 1);
    let failed = &missed.json()["failed"][0];
    assert!(
        failed["image"].as_str().unwrap().contains("IMG_1.HEIC"),
        "{missed:?}"
    );
    assert_eq!(failed["error"]["kind"], "unsupported");
}

#[test]
fn one_mask_does_for_a_folder_and_for_several_pictures() {
    let dir = folders(&["photo.png", "rgb.bmp"]);
    let path = dir.path();
    // Among the pictures it is still the mask and none of them.
    mask(&path.join("in"), "m.png", "photo.png");
    let fill = ["fill", "in", "--mask", "in/m.png", "-o"];
    let wrong = run(path, &[&fill[..], &["out"]].concat());
    assert_eq!(wrong.code, 1);
    assert!(wrong.stderr.contains("--fit-mask"), "{wrong:?}");
    assert_eq!(names(&path.join("out")), ["photo.png"]);
    let fits = run_ok(path, &[&fill[..], &["fits", "--fit-mask"]].concat());
    assert!(fits.stderr.contains("was scaled"), "{fits:?}");
    assert_eq!(names(&path.join("fits")), ["photo.png", "rgb.bmp"]);
    for name in ["photo.png", "rgb.bmp"] {
        assert_ne!(decode(&path.join("fits").join(name)), decode(&data(name)));
    }
    let args = [
        "fill",
        "in/photo.png",
        "in/rgb.bmp",
        "--fit-mask",
        "--mask",
        "in/m.png",
        "-o",
        "few",
    ];
    run_ok(path, &args);
    assert_eq!(names(&path.join("few")), ["photo.png", "rgb.bmp"]);
    assert_eq!(tree(&path.join("few"))[0].1, tree(&path.join("fits"))[0].1);
}

#[test]
fn an_output_folder_takes_one_picture_and_a_format() {
    let dir = folders(&["photo.png"]);
    let path = dir.path();
    mask(&path.join("masks"), "photo.png", "photo.png");
    fs::create_dir(path.join("there")).unwrap();
    let fill = ["fill", "in/photo.png", "--mask", "masks", "-o"];
    for (output, made) in [("there", "there"), ("new/", "new")] {
        run_ok(path, &[&fill[..], &[output]].concat());
        assert_eq!(names(&path.join(made)), ["photo.png"]);
    }
    run_ok(path, &[&fill[..], &["bmp/", "--format", "BMP"]].concat());
    assert_eq!(names(&path.join("bmp")), ["photo.bmp"]);
    assert_eq!(
        decode(&path.join("bmp/photo.bmp")),
        decode(&path.join("new/photo.png"))
    );
    let clash = run(path, &[&fill[..], &["o.jpg", "--format", "png"]].concat());
    assert_eq!(clash.code, 2, "{clash:?}");
    let none = run(path, &[&fill[..], &["no/o/"]].concat());
    assert_eq!(none.code, 1, "{none:?}");
}

#[test]
fn a_fill_that_was_broken_off_goes_on() {
    let dir = folders(&["photo.png", "gray.jpg"]);
    let path = dir.path();
    mask(&path.join("masks"), "photo.png", "photo.png");
    mask(&path.join("masks"), "gray.png", "gray.jpg");
    fs::create_dir(path.join("out")).unwrap();
    fs::write(path.join("out/photo.png"), b"done before").unwrap();
    let fill = [
        "fill",
        "in",
        "--mask",
        "masks",
        "-o",
        "out",
        "--skip-existing",
    ];
    let run = run_ok(path, &fill);
    assert!(run.stderr.contains("1 of 2 pictures"), "{run:?}");
    assert_eq!(
        fs::read(path.join("out/photo.png")).unwrap(),
        b"done before"
    );
    assert_eq!(names(&path.join("out")), ["gray.jpg", "photo.png"]);
    let json = run_ok(path, &[&fill[..], &["--json"]].concat()).json();
    assert_eq!(json["ok"], true);
    assert_eq!(json["existing"].as_array().unwrap().len(), 2);
    assert_eq!(json["filled"].as_array().unwrap().len(), 0);
    let one = [
        "fill",
        "in/photo.png",
        "--mask",
        "masks",
        "-o",
        "out/photo.png",
        "--skip-existing",
    ];
    assert!(run_ok(path, &one).stderr.contains("already"));
    let itself = [
        "fill",
        "in",
        "--mask",
        "masks",
        "-o",
        "in",
        "--skip-existing",
    ];
    assert_eq!(crate::support::run(path, &itself).code, 2);
}

#[test]
fn what_is_only_read_goes_on_in_another_format() {
    let dir = folders(&["still.gif", "light.hdr"]);
    let path = dir.path();
    for name in ["still", "light"] {
        write_mask(&path.join(format!("masks/{name}.png")), 13, 7);
    }
    run_ok(path, &["fill", "in", "--mask", "masks", "-o", "out"]);
    assert_eq!(names(&path.join("out")), ["light.tif", "still.png"]);
    let args = ["fill", "in/still.gif", "--mask", "masks/still.png", "-o"];
    let wrong = run(path, &[&args[..], &["o.gif"]].concat());
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("cannot write"), "{wrong:?}");
}
