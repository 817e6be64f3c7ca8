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
        "cmyk.jpg",
        "rgba.qoi",
    ]);
    let path = dir.path();
    fs::write(path.join("in/notes.txt"), b"no picture").unwrap();
    fs::write(path.join("in/broken.png"), b"\x89PNG\r\n\x1a\nnothing").unwrap();
    let masks = path.join("masks");
    mask(&masks, "photo.png", "photo.png");
    mask(&masks, "phone.mask.png", "phone.jpg");
    mask(&masks, "rgb_mask.png", "rgb.tif");
    mask(&masks, "cmyk-mask.png", "cmyk.jpg");
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
    for said in ["cmyk.jpg", "broken.png", "2 of 6", "rgba.qoi has no mask"] {
        assert!(run.stderr.contains(said), "{said:?}: {run:?}");
    }
}

#[test]
fn a_folder_in_json_is_one_object() {
    let dir = folders(&["photo.png", "cmyk.jpg", "gray.jpg"]);
    let path = dir.path();
    mask(&path.join("masks"), "photo.png", "photo.png");
    mask(&path.join("masks"), "cmyk.png", "cmyk.jpg");
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
        (["in", "--mask", "m.png", "-o", "out"], 2, "is a file"),
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
