//! `examples/fill.rs` on a photo of the repository. The examples in C and Python are run by
//! `tests/capi` and `tests/python`.
#![forbid(unsafe_code)]

#[allow(dead_code)] // Its `main` is the example's own.
#[path = "../examples/fill.rs"]
mod example;

use std::fs;
use std::path::{Path, PathBuf};

fn photo(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/photos")
        .join(name)
}

#[test]
fn the_rust_example_fills_a_photo_and_says_what_is_wrong() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("example-rs");
    fs::create_dir_all(&folder).expect("a folder for the test");
    let (picture, mask) = (photo("boat.png"), photo("boat.mask.png"));
    let filled = folder.join("filled.png");
    let report = example::fill(&picture, &mask, &filled).expect("a fill");

    let before = image::open(&picture).expect("the photo").into_rgb8();
    let after = image::open(&filled).expect("the filled photo").into_rgb8();
    let selected = image::open(&mask).expect("the mask").into_luma8();
    assert_eq!(before.dimensions(), after.dimensions());
    let mut changed = 0u64;
    for (x, y, mask) in selected.enumerate_pixels() {
        let same = before.get_pixel(x, y) == after.get_pixel(x, y);
        assert!(same || mask.0[0] > 0, "{x}, {y}");
        changed += u64::from(!same);
    }
    assert!(changed > report.pixels / 2 && changed <= report.pixels);

    let (small, nothing) = (folder.join("small.png"), folder.join("nothing.png"));
    image::GrayImage::new(5, 5).save(&small).expect("a mask");
    let error = example::fill(&picture, &small, &nothing).expect_err("a mask of another size");
    assert!(error.to_string().contains("mask"), "{error}");
    let error = example::fill(&photo("none.png"), &mask, &nothing).expect_err("no picture");
    assert!(error.to_string().contains("none.png"), "{error}");
    assert!(!nothing.exists());
}
