//! Masks of pictures that EXIF turns for showing.
#![forbid(unsafe_code)]

use crate::decode::decode;
use crate::support::{folder, run, run_ok, write_gray};
use std::fs;
use std::path::Path;

/// A small EXIF block that says `orientation`.
fn exif(orientation: u8) -> Vec<u8> {
    let mut blob = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    blob.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    blob
}

/// Writes a noisy RGB PNG that EXIF turns.
fn write_turned(path: &Path, (w, h): (u32, u32), orientation: u8) {
    let mut state = 7u32;
    let pixels: Vec<u8> = (0..w * h * 3)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        })
        .collect();
    write_png(path, (w, h), orientation, png::ColorType::Rgb, &pixels);
}

fn write_png(
    path: &Path,
    (w, h): (u32, u32),
    orientation: u8,
    color: png::ColorType,
    pixels: &[u8],
) {
    let file = fs::File::create(path).unwrap();
    let mut encoder = png::Encoder::new(file, w, h);
    encoder.set_color(color);
    let mut writer = encoder.write_header().unwrap();
    if orientation > 0 {
        writer
            .write_chunk(png::chunk::eXIf, &exif(orientation))
            .unwrap();
    }
    writer.write_image_data(pixels).unwrap();
}

/// A mask with the rectangle from `(x, y)` of `(rw, rh)` pixels.
fn rectangle((w, h): (u32, u32), (x, y): (u32, u32), (rw, rh): (u32, u32)) -> Vec<u8> {
    let inside = |px, py| (x..x + rw).contains(&px) && (y..y + rh).contains(&py);
    (0..w * h)
        .map(|i| if inside(i % w, i / w) { 255 } else { 0 })
        .collect()
}

/// The box around what differs: left, top, right, bottom.
fn changed(dir: &Path, a: &str, b: &str) -> (u32, u32, u32, u32) {
    let (a, b) = (decode(&dir.join(a)), decode(&dir.join(b)));
    let (mut l, mut t, mut r, mut d) = (u32::MAX, u32::MAX, 0, 0);
    for i in 0..a.width * a.height {
        let (x, y) = (i % a.width, i / a.width);
        if a.pixel(x, y) != b.pixel(x, y) {
            (l, t, r, d) = (l.min(x), t.min(y), r.max(x + 1), d.max(y + 1));
        }
    }
    (l, t, r, d)
}

/// Where the rectangle from (4, 6) to (14, 12) of what is shown is stored in 48×32 pixels.
const STORED: [(u8, (u32, u32, u32, u32)); 8] = [
    (1, (4, 6, 14, 12)),
    (2, (34, 6, 44, 12)),
    (3, (34, 20, 44, 26)),
    (4, (4, 20, 14, 26)),
    (5, (6, 4, 12, 14)),
    (6, (6, 18, 12, 28)),
    (7, (36, 18, 42, 28)),
    (8, (36, 4, 42, 14)),
];

#[test]
fn a_mask_drawn_on_what_is_shown_is_turned() {
    for (orientation, place) in STORED {
        let dir = folder(&[]);
        write_turned(&dir.path().join("p.png"), (48, 32), orientation);
        let shown = if orientation > 4 { (32, 48) } else { (48, 32) };
        let mask = rectangle(shown, (4, 6), (10, 6));
        write_gray(&dir.path().join("m.png"), shown.0, shown.1, &mask);
        let fill = ["fill", "p.png", "--mask", "m.png", "-o", "o.png"];
        let told = run_ok(dir.path(), &fill).stderr;
        assert_eq!(
            changed(dir.path(), "p.png", "o.png"),
            place,
            "{orientation}"
        );
        assert_eq!(told.contains("EXIF orientation"), orientation > 1, "{told}");
        // Sizes alone settle the quarter turns.
        assert_eq!(
            told.contains("--mask-orientation"),
            (2..5).contains(&orientation)
        );
        // So do the user's words, and the sources' mask goes the same way.
        let args = [
            &fill[..],
            &["--mask-orientation", "shown", "--source-mask", "s.png"],
        ]
        .concat();
        let all = rectangle(shown, (0, 0), shown);
        write_gray(&dir.path().join("s.png"), shown.0, shown.1, &all);
        let told = run_ok(dir.path(), &args).stderr;
        assert_eq!(
            changed(dir.path(), "p.png", "o.png"),
            place,
            "{orientation}"
        );
        assert!(!told.contains("--mask-orientation"), "{told}");
    }
}

#[test]
fn a_mask_of_stored_pixels_stays_where_its_size_or_the_user_says_so() {
    for (orientation, _) in STORED {
        let dir = folder(&[]);
        write_turned(&dir.path().join("p.png"), (48, 32), orientation);
        let mask = rectangle((48, 32), (4, 6), (10, 6));
        write_gray(&dir.path().join("m.png"), 48, 32, &mask);
        let fill = ["fill", "p.png", "--mask", "m.png", "-o", "o.png"];
        let stored = [&fill[..], &["--mask-orientation", "stored"]].concat();
        let told = run_ok(dir.path(), &stored).stderr;
        assert_eq!(
            changed(dir.path(), "p.png", "o.png"),
            (4, 6, 14, 12),
            "{orientation}"
        );
        assert!(!told.contains("orientation"), "{told}");
        if orientation > 4 {
            run_ok(dir.path(), &fill);
            assert_eq!(
                changed(dir.path(), "p.png", "o.png"),
                (4, 6, 14, 12),
                "{orientation}"
            );
        }
        // One that EXIF turns as the picture is stored as the picture is.
        write_png(
            &dir.path().join("m.png"),
            (48, 32),
            orientation,
            png::ColorType::Grayscale,
            &mask,
        );
        let told = run_ok(dir.path(), &fill).stderr;
        assert_eq!(
            changed(dir.path(), "p.png", "o.png"),
            (4, 6, 14, 12),
            "{orientation}"
        );
        assert!(!told.contains("orientation"), "{told}");
    }
}

#[test]
fn a_square_picture_tells_nothing_so_the_guess_is_told() {
    let dir = folder(&[]);
    write_turned(&dir.path().join("p.png"), (40, 40), 6);
    let mask = rectangle((40, 40), (4, 6), (10, 6));
    write_gray(&dir.path().join("m.png"), 40, 40, &mask);
    let json = run_ok(
        dir.path(),
        &["fill", "p.png", "--mask", "m.png", "-o", "o.png", "--json"],
    )
    .json();
    assert_eq!(changed(dir.path(), "p.png", "o.png"), (6, 26, 12, 36));
    assert!(
        json["notes"]
            .to_string()
            .contains("--mask-orientation stored"),
        "{json}"
    );
    let plan = run_ok(dir.path(), &["plan", "p.png", "--mask", "m.png", "--json"]).json();
    assert_eq!(plan["plan"]["regions"][0]["hole"]["x"], 6);
    assert_eq!(plan["plan"]["regions"][0]["hole"]["y"], 26);
    assert!(
        plan["notes"]
            .to_string()
            .contains("--mask-orientation stored"),
        "{plan}"
    );
    // Folders too.
    fs::create_dir(dir.path().join("in")).unwrap();
    fs::create_dir(dir.path().join("masks")).unwrap();
    fs::rename(dir.path().join("p.png"), dir.path().join("in/p.png")).unwrap();
    fs::rename(dir.path().join("m.png"), dir.path().join("masks/p.png")).unwrap();
    run_ok(dir.path(), &["fill", "in", "--mask", "masks", "-o", "out"]);
    assert_eq!(
        changed(dir.path(), "in/p.png", "out/p.png"),
        (6, 26, 12, 36)
    );
}

#[test]
fn a_mask_that_fits_neither_way_is_refused() {
    let dir = folder(&[]);
    write_turned(&dir.path().join("p.png"), (48, 32), 6);
    write_gray(&dir.path().join("m.png"), 48, 33, &[255; 48 * 33]);
    let run = run(
        dir.path(),
        &["fill", "p.png", "--mask", "m.png", "-o", "o.png"],
    );
    assert_eq!(run.code, 1);
    assert!(
        run.stderr.contains("48×33") && run.stderr.contains("48×32"),
        "{run:?}"
    );
}
