//! An object by a click or a box: its mask as a file, and filled.
#![forbid(unsafe_code)]

use crate::decode::decode;
use crate::support::{folder, run, run_ok, write_png};
use std::fs;
use std::path::Path;

/// A light rectangle on dark ground: columns 30 to 60, rows 20 to 44.
fn write_picture(path: &Path) {
    let mut pixels = Vec::new();
    for y in 0..72 {
        for x in 0..96 {
            let inside = (30..60).contains(&x) && (20..44).contains(&y);
            pixels.extend(if inside {
                [210u8, 160, 80]
            } else {
                [40, 50, 60]
            });
        }
    }
    write_png(path, 96, 72, png::ColorType::Rgb, &pixels);
}

/// The only values of a mask's pixels, row by row.
fn mask(path: &Path) -> Vec<u8> {
    let made = decode(path);
    assert_eq!((made.width, made.height, made.channels), (96, 72, 1));
    made.samples.iter().map(|v| *v as u8).collect()
}

#[test]
fn a_click_or_a_box_makes_a_mask() {
    let dir = folder(&[]);
    write_picture(&dir.path().join("photo.png"));
    for (name, how) in [
        ("a.png", &["--point", "45,30"][..]),
        ("b.png", &["--box", "24,14,66,50"]),
        (
            "c.png",
            &["--point", "45,30", "--not", "5,5", "--grow", "0"],
        ),
        (
            "d.png",
            &["--point", "45,30", "--point", "5,5,-", "--grow", "0"],
        ),
    ] {
        let mut args = vec!["select", "photo.png", "-o", name, "--json"];
        args.extend(how);
        let said = run_ok(dir.path(), &args).json();
        assert_eq!(said["report"]["way"], "plain", "{said}");
        let note = said["notes"][0].as_str().unwrap();
        assert!(note.contains("mend models fetch mobile-sam"), "{note}");
        let mask = mask(&dir.path().join(name));
        let selected = mask.iter().filter(|v| **v == 255).count();
        assert_eq!(said["report"]["pixels"], selected);
        assert!(mask.iter().all(|v| [0, 255].contains(v)));
        assert_eq!((mask[30 * 96 + 45], mask[5 * 96 + 5]), (255, 0));
        let grown = said["report"]["grow"].as_u64().unwrap() as usize;
        let least = 30 * 24 - 8;
        // The edge itself is a pixel wide.
        let most = (32 + 2 * grown) * (26 + 2 * grown);
        assert!((least..=most).contains(&selected), "{name}: {selected}");
    }
    let (c, d) = (
        fs::read(dir.path().join("c.png")),
        fs::read(dir.path().join("d.png")),
    );
    assert_eq!(c.unwrap(), d.unwrap());
}

#[test]
fn nothing_is_overwritten_and_what_is_wrong_is_told() {
    let dir = folder(&[]);
    write_picture(&dir.path().join("photo.png"));
    fs::write(dir.path().join("there.png"), b"mine").unwrap();
    let before = fs::read(dir.path().join("photo.png")).unwrap();
    for (args, said) in [
        (&["--point", "45,30", "-o", "there.png"][..], "--replace"),
        (
            &["--point", "45,30", "-o", "photo.png", "--replace"],
            "would replace the picture",
        ),
        (&["--point", "45,30", "-o", "mask.jpg"], ".png"),
        (
            &["--point", "96,30", "-o", "m.png"],
            "columns go from 0 to 95",
        ),
        (
            &["--not", "45,30", "-o", "m.png"],
            "a point on it, or a box",
        ),
        (&["-o", "m.png"], "--point X,Y"),
        (
            &["--box", "9,9,2,2", "-o", "m.png"],
            "upper left corner first",
        ),
    ] {
        let mut all = vec!["select", "photo.png"];
        all.extend(args);
        let out = run(dir.path(), &all);
        let text = &out.stderr;
        assert_eq!(out.code, 2, "{text}");
        assert!(text.contains(said), "{text}");
        assert!(!dir.path().join("m.png").exists());
    }
    assert_eq!(fs::read(dir.path().join("there.png")).unwrap(), b"mine");
    assert_eq!(fs::read(dir.path().join("photo.png")).unwrap(), before);
    run_ok(
        dir.path(),
        &[
            "select",
            "photo.png",
            "--point",
            "45,30",
            "-o",
            "there.png",
            "--replace",
        ],
    );
    assert!(mask(&dir.path().join("there.png")).contains(&255));
}

#[test]
fn a_fill_of_what_is_pointed_at_is_that_of_its_mask() {
    let dir = folder(&[]);
    write_picture(&dir.path().join("photo.png"));
    run_ok(
        dir.path(),
        &["select", "photo.png", "--point", "45,30", "-o", "m.png"],
    );
    let engine = ["--engine", "exemplar", "--json"];
    let fill = |how: &[&str], out: &str| {
        let mut args = vec!["fill", "photo.png", "-o", out];
        args.extend(how);
        args.extend(engine);
        run_ok(dir.path(), &args).json()
    };
    let pointed = fill(&["--point", "45,30"], "pointed.png");
    let masked = fill(&["--mask", "m.png"], "masked.png");
    assert_eq!(pointed["report"]["pixels"], masked["report"]["pixels"]);
    let read = |name: &str| decode(&dir.path().join(name));
    assert_eq!(read("pointed.png"), read("masked.png"));
    assert_ne!(read("pointed.png"), read("photo.png"));
    let plan = run_ok(
        dir.path(),
        &["plan", "photo.png", "--point", "45,30", "--json"],
    );
    assert_eq!(
        plan.json()["plan"]["regions"][0]["hole_pixels"],
        pointed["report"]["pixels"]
    );
    for (how, said) in [
        (
            &["--point", "45,30", "--mask", "m.png"][..],
            "cannot be used with",
        ),
        (&["photo.png", "--point", "45,30"], "one at a time"),
    ] {
        let mut args = vec!["fill", "photo.png", "-o", "x/"];
        args.extend(how);
        let out = run(dir.path(), &args);
        let text = &out.stderr;
        assert_eq!(out.code, 2, "{text}");
        assert!(text.contains(said), "{text}");
    }
}
