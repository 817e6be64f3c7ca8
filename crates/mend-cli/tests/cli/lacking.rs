//! Files that lack something: an end marker is no loss, a part of the picture is told; and files that
//! only begin like a picture.
#![forbid(unsafe_code)]

use crate::decode::decode;
use crate::support::{data, folder, run, run_ok, write_gray, write_mask};
use std::fs;

#[test]
fn a_missing_end_is_no_loss() {
    // As many bytes make the end: a JPEG's marker, a PNG's chunk.
    for (name, end) in [
        ("full.jpg", 2),
        ("progressive.jpg", 2),
        ("gray.jpg", 2),
        ("photo.png", 12),
        ("interlaced.png", 12),
        ("rgba16.png", 12),
    ] {
        let whole = fs::read(data(name)).unwrap();
        let about = decode(&data(name));
        let dir = tempfile::tempdir().unwrap();
        write_mask(&dir.path().join("m.png"), about.width, about.height);
        let fill = |bytes: &[u8]| {
            fs::write(dir.path().join(name), bytes).unwrap();
            run_ok(
                dir.path(),
                &["fill", name, "--mask", "m.png", "-o", "o.tif"],
            );
            decode(&dir.path().join("o.tif"))
        };
        let want = fill(&whole);
        let bare = &whole[..whole.len() - end];
        assert_eq!(fill(bare), want, "{name}");
        assert_eq!(fill(&whole[..whole.len() - end / 2]), want, "{name}");
        if end == 2 {
            assert_eq!(fill(&[bare, &[0; 64]].concat()), want, "{name}");
        }
    }
}

#[test]
fn a_jpeg_that_lacks_data_before_its_end_is_filled_and_that_is_told() {
    // The second half of its data is gone, its end marker stands.
    let dir = folder(&["half.jpg"]);
    write_mask(&dir.path().join("m.png"), 100, 75);
    let args = ["fill", "half.jpg", "--mask", "m.png", "-o", "o.png"];
    let run = run_ok(dir.path(), &args);
    assert!(
        run.stderr
            .contains("half.jpg lacks a part of its data: from row 17 of 75"),
        "{run:?}"
    );
}

#[test]
fn channels_beside_colour_and_transparency_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let (w, h) = (24u32, 16u32);
    let pixels: Vec<u8> = (0..w * h * 5).map(|i| (i * 7 % 251) as u8).collect();
    let mut encoder =
        tiff::encoder::TiffEncoder::new(fs::File::create(path.join("p.tif")).unwrap()).unwrap();
    let mut image = encoder.image_directory().unwrap();
    let at = image.write_data(&pixels[..]).unwrap() as u32;
    use tiff::tags::Tag;
    for (tag, value) in [
        (Tag::ImageWidth, w),
        (Tag::ImageLength, h),
        (Tag::PhotometricInterpretation, 2),
        (Tag::SamplesPerPixel, 5),
        (Tag::Compression, 1),
        (Tag::RowsPerStrip, h),
        (Tag::StripOffsets, at),
        (Tag::StripByteCounts, pixels.len() as u32),
    ] {
        image.write_tag(tag, value).unwrap();
    }
    image.write_tag(Tag::BitsPerSample, &[8u16; 5][..]).unwrap();
    // A channel of no declared meaning, then transparency.
    image.write_tag(Tag::ExtraSamples, &[0u16, 2][..]).unwrap();
    image.finish().unwrap();
    let mut mask = vec![0; (w * h) as usize];
    mask[100] = 255;
    write_gray(&path.join("m.png"), w, h, &mask);
    let args = ["fill", "p.tif", "--mask", "m.png", "-o"];
    run_ok(path, &[&args[..], &["o.tif"]].concat());
    let mut decoder =
        tiff::decoder::Decoder::new(fs::File::open(path.join("o.tif")).unwrap()).unwrap();
    let kinds = decoder.get_tag_u16_vec(Tag::ExtraSamples).unwrap();
    assert_eq!(kinds, [2, 0]);
    // Its own reader leaves further channels out; the file is not compressed, so they are read here.
    let at = decoder.get_tag_u32(Tag::StripOffsets).unwrap() as usize;
    let file = fs::read(path.join("o.tif")).unwrap();
    let got = &file[at..at + pixels.len()];
    for (i, (a, b)) in got.chunks(5).zip(pixels.chunks(5)).enumerate() {
        // Transparency comes first now; the other channel is kept in the hole too.
        assert_eq!(a[4], b[3], "{i}");
        if i != 100 {
            assert_eq!((&a[..3], a[3]), (&b[..3], b[4]), "{i}");
        }
    }
    let run = run(path, &[&args[..], &["o.png"]].concat());
    assert!(
        run.stderr.contains("no place for the channel beside"),
        "{run:?}"
    );
}

/// A TIFF with a small picture in front and, in a directory below, one whose colours are `colours`.
fn with_a_directory_below(colours: u16) -> Vec<u8> {
    let entry = |tag: u16, kind: u16, value: u32| {
        let mut e = [tag.to_le_bytes(), kind.to_le_bytes()].concat();
        e.extend(1u32.to_le_bytes());
        e.extend(value.to_le_bytes());
        e
    };
    let directory = |entries: &[Vec<u8>]| {
        let count = (entries.len() as u16).to_le_bytes();
        [&count[..], &entries.concat(), &[0; 4]].concat()
    };
    let picture = |side: u32, colours: u16, small: bool, below: Option<u32>| {
        let mut list = vec![
            entry(254, 4, small.into()),
            entry(256, 4, side),
            entry(257, 4, side),
            entry(258, 3, 8),
            entry(259, 3, 1),
            entry(262, 3, colours.into()),
            entry(273, 4, 8),
            entry(277, 3, 1),
            entry(278, 4, side),
            entry(279, 4, side * side),
        ];
        list.extend(below.map(|at| entry(330, 4, at)));
        directory(&list)
    };
    let pixels = vec![100; 16 * 16];
    let below = picture(16, colours, false, None);
    let main = picture(8, 1, true, Some(8 + 256));
    let at = (8 + 256 + below.len()) as u32;
    [&b"II*\0"[..], &at.to_le_bytes(), &pixels, &below, &main].concat()
}

#[test]
fn a_cameras_raw_file_is_not_taken_for_its_small_picture() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    write_mask(&path.join("m.png"), 8, 8);
    let mosaic = with_a_directory_below(32803);
    let plain = with_a_directory_below(1);
    for (name, file, said) in [
        ("a.nef", &mosaic, "camera raw"),
        ("renamed.tif", &mosaic, "camera raw"),
        ("small.tif", &plain, "small version"),
        // Whatever it holds, its name says what it is.
        ("b.CR2", &plain, "camera raw"),
    ] {
        fs::write(path.join(name), file).unwrap();
        let run = run(path, &["fill", name, "--mask", "m.png", "-o", "o.tif"]);
        assert_eq!(run.code, 1, "{name}: {run:?}");
        assert!(run.stderr.contains(said), "{name}: {run:?}");
        for wrong in ["damaged", "truncated", "panicked"] {
            assert!(!run.stderr.contains(wrong), "{name}: {run:?}");
        }
    }
}

#[test]
fn inks_go_on_as_colours_and_that_is_told() {
    for (name, output) in [("cmyk.jpg", "o.jpg"), ("cmyk.jpg", "o.png")] {
        let dir = folder(&[name]);
        write_mask(&dir.path().join("m.png"), 40, 28);
        let args = ["fill", name, "--mask", "m.png", "-o", output];
        let run = run_ok(dir.path(), &args);
        assert!(run.stderr.contains("CMYK"), "{run:?}");
        assert_eq!(decode(&dir.path().join(output)).channels, 3);
    }
}
