//! What goes along with the pixels: profile, EXIF, resolution, text, quantisation tables.
#![forbid(unsafe_code)]

use crate::decode::decode;
use crate::support::{data, folder, run_ok, write_mask};
use std::fs;
use std::path::Path;
use tiff::tags::Tag;

/// Fills `name` into `output` in `folder`.
fn fill(folder: &Path, name: &str, output: &str) {
    let about = decode(&data(name));
    write_mask(&folder.join("m.png"), about.width, about.height);
    run_ok(folder, &["fill", name, "--mask", "m.png", "-o", output]);
}

/// A PNG's ancillary chunks: name and content.
fn chunks(path: &Path) -> Vec<(String, Vec<u8>)> {
    let file = fs::read(path).unwrap();
    let mut list = Vec::new();
    let mut at = 8;
    while at < file.len() {
        let len = u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        let name = String::from_utf8(file[at + 4..at + 8].to_vec()).unwrap();
        if name.as_bytes()[0].is_ascii_lowercase() {
            list.push((name, file[at + 8..at + 8 + len].to_vec()));
        }
        at += len + 12;
    }
    list.sort();
    list
}

fn chunk(path: &Path, name: &str) -> Option<Vec<u8>> {
    chunks(path)
        .into_iter()
        .find(|(n, _)| n == name)
        .map(|(_, data)| data)
}

/// A JPEG's segments before its picture: marker and content.
fn segments(path: &Path) -> Vec<(u8, Vec<u8>)> {
    let file = fs::read(path).unwrap();
    let mut list = Vec::new();
    let mut at = 2;
    while file[at + 1] != 0xda {
        let len = u16::from_be_bytes([file[at + 2], file[at + 3]]) as usize;
        list.push((file[at + 1], file[at + 4..at + 2 + len].to_vec()));
        at += 2 + len;
    }
    list
}

/// A JPEG's quantisation table and sampling factors, component by component.
fn coding(path: &Path) -> Vec<(Vec<u8>, u8)> {
    let all = segments(path);
    let mut tables = [const { Vec::new() }; 4];
    for (_, mut body) in all.iter().filter(|(m, _)| *m == 0xdb).cloned() {
        while !body.is_empty() {
            let rest = body.split_off(65);
            tables[usize::from(body[0])] = body[1..].to_vec();
            body = rest;
        }
    }
    let frame = all.iter().find(|(m, _)| (0xc0..=0xc2).contains(m)).unwrap();
    frame.1[6..]
        .chunks_exact(3)
        .map(|c| (tables[usize::from(c[2])].clone(), c[1]))
        .collect()
}

fn has(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle)
}

fn tag_bytes(path: &Path, tag: Tag) -> Vec<u8> {
    let mut decoder = tiff::decoder::Decoder::new(fs::File::open(path).unwrap()).unwrap();
    decoder.get_tag_u8_vec(tag).unwrap()
}

fn tag_text(path: &Path, tag: Tag) -> String {
    let mut decoder = tiff::decoder::Decoder::new(fs::File::open(path).unwrap()).unwrap();
    format!("{:?}", decoder.get_tag(tag).unwrap())
}

#[test]
fn a_png_keeps_every_chunk_that_is_still_true() {
    let dir = folder(&["photo.png"]);
    fill(dir.path(), "photo.png", "out.png");
    let before = chunks(&data("photo.png"));
    assert!(before.len() >= 6, "{before:?}");
    assert_eq!(chunks(&dir.path().join("out.png")), before);
}

#[test]
fn a_jpeg_keeps_tables_subsampling_and_segments() {
    for name in [
        "phone.jpg",
        "progressive.jpg",
        "full.jpg",
        "gray.jpg",
        "wide.jpg",
    ] {
        let dir = folder(&[name]);
        fill(dir.path(), name, "out.jpg");
        let out = dir.path().join("out.jpg");
        assert_eq!(coding(&data(name)), coding(&out), "{name}");
    }
}

#[test]
fn a_phones_jpeg_keeps_what_it_knows_but_not_its_thumbnail() {
    let dir = folder(&["phone.jpg"]);
    fill(dir.path(), "phone.jpg", "out.jpg");
    let (before, after) = (
        segments(&data("phone.jpg")),
        segments(&dir.path().join("out.jpg")),
    );
    let of = |list: &[(u8, Vec<u8>)], marker: u8, start: &[u8]| {
        list.iter()
            .find(|(m, body)| *m == marker && body.starts_with(start))
            .map(|(_, body)| body.clone())
    };
    // JFIF's version may differ; its density may not.
    let jfif = |list| of(list, 0xe0, b"JFIF").map(|b| b[7..12].to_vec());
    assert_eq!(jfif(&before), Some(vec![1, 1, 44, 1, 44]));
    assert_eq!(jfif(&after), jfif(&before));
    assert_eq!(of(&after, 0xe2, b"ICC"), of(&before, 0xe2, b"ICC"));
    assert!(of(&after, 0xe2, b"ICC").is_some());
    assert_eq!(of(&after, 0xfe, b""), Some(b"by hand".to_vec()));
    let exif = |list| of(list, 0xe1, b"Exif").unwrap();
    assert!(
        has(&exif(&before), &[0xff, 0xd8]),
        "no thumbnail to begin with"
    );
    assert!(
        !has(&exif(&after), &[0xff, 0xd8]),
        "the thumbnail is still there"
    );
    assert!(has(&exif(&after), b"Maker\0"));
    assert!(has(&exif(&after), b"2024:01:02 03:04:05\0"));
}

#[test]
fn a_tiff_keeps_profile_resolution_and_exif() {
    let dir = folder(&["rgb.tif"]);
    fill(dir.path(), "rgb.tif", "out.tif");
    let (before, after) = (data("rgb.tif"), dir.path().join("out.tif"));
    assert_eq!(
        tag_bytes(&after, Tag::IccProfile),
        tag_bytes(&before, Tag::IccProfile)
    );
    for tag in [
        Tag::XResolution,
        Tag::YResolution,
        Tag::ResolutionUnit,
        Tag::Make,
        Tag::Orientation,
    ] {
        assert_eq!(tag_text(&after, tag), tag_text(&before, tag), "{tag:?}");
    }
}

#[test]
fn exif_and_profile_go_from_format_to_format() {
    let profile = tag_bytes(&data("rgb.tif"), Tag::IccProfile);
    // Through JPEG's, PNG's and WebP's own places and back into a TIFF's tags.
    let dir = folder(&["phone.jpg"]);
    let mut from = "phone.jpg".to_owned();
    for to in ["a.png", "b.webp", "c.tif", "d.png", "e.jpg", "f.tif"] {
        let about = decode(&dir.path().join(&from));
        write_mask(&dir.path().join("m.png"), about.width, about.height);
        run_ok(dir.path(), &["fill", &from, "--mask", "m.png", "-o", to]);
        from = to.into();
    }
    let last = dir.path().join("f.tif");
    assert_eq!(tag_bytes(&last, Tag::IccProfile), profile);
    assert!(tag_text(&last, Tag::Make).contains("Maker"));
    assert!(tag_text(&last, Tag::Orientation).contains('6'));
    let mut decoder = tiff::decoder::Decoder::new(fs::File::open(&last).unwrap()).unwrap();
    let at = decoder.get_tag_u64(Tag::ExifDirectory).unwrap();
    let exif = decoder.read_directory(tiff::tags::IfdPointer(at)).unwrap();
    let date = Tag::from_u16_exhaustive(0x9003);
    let date = decoder
        .read_directory_tags(&exif)
        .get_tag_ascii_string(date);
    assert_eq!(date.unwrap(), "2024:01:02 03:04:05");
    assert!(decoder.get_tag_u64(Tag::GpsDirectory).is_ok());
}

#[test]
fn resolution_goes_from_format_to_format() {
    // 300 pixels an inch are 11811 a metre.
    let dir = folder(&["rgb.bmp", "photo.png", "phone.jpg", "rgb.tif"]);
    for from in ["rgb.bmp", "photo.png", "phone.jpg", "rgb.tif"] {
        fill(dir.path(), from, "out.png");
        let phys = chunk(&dir.path().join("out.png"), "pHYs");
        assert_eq!(phys, Some(vec![0, 0, 46, 35, 0, 0, 46, 35, 1]), "{from}");
        fill(dir.path(), from, "out.bmp");
        let bmp = fs::read(dir.path().join("out.bmp")).unwrap();
        assert_eq!(bmp[38..46], [35, 46, 0, 0, 35, 46, 0, 0], "{from}");
        fill(dir.path(), from, "out.jpg");
        let jfif = &segments(&dir.path().join("out.jpg"))[0];
        assert_eq!(jfif.1[7..12], [1, 1, 44, 1, 44], "{from}");
        fill(dir.path(), from, "out.tif");
        let tif = dir.path().join("out.tif");
        let Ok(tiff::decoder::ifd::Value::Rational(n, d)) =
            tiff::decoder::Decoder::new(fs::File::open(&tif).unwrap())
                .unwrap()
                .get_tag(Tag::XResolution)
        else {
            panic!("{from}: no resolution");
        };
        assert!(
            (f64::from(n) / f64::from(d) - 300.0).abs() < 0.01,
            "{from}: {n}/{d}"
        );
    }
}

#[test]
fn a_bmp_keeps_its_profile() {
    let dir = folder(&["photo.png"]);
    fill(dir.path(), "photo.png", "one.bmp");
    write_mask(&dir.path().join("m.png"), 96, 72);
    run_ok(
        dir.path(),
        &["fill", "one.bmp", "--mask", "m.png", "-o", "two.bmp"],
    );
    let profile = tag_bytes(&data("rgb.tif"), Tag::IccProfile);
    for name in ["one.bmp", "two.bmp"] {
        let file = fs::read(dir.path().join(name)).unwrap();
        assert!(file.ends_with(&profile), "{name}");
    }
}

#[test]
fn a_webp_keeps_profile_and_exif() {
    let dir = folder(&["rgb.webp"]);
    fill(dir.path(), "rgb.webp", "out.webp");
    let open = |path: &Path| {
        let file = std::io::BufReader::new(fs::File::open(path).unwrap());
        image_webp::WebPDecoder::new(file).unwrap()
    };
    let (mut a, mut b) = (open(&data("rgb.webp")), open(&dir.path().join("out.webp")));
    assert!(a.icc_profile().unwrap().is_some() && a.exif_metadata().unwrap().is_some());
    assert_eq!(a.icc_profile().unwrap(), b.icc_profile().unwrap());
    assert_eq!(a.exif_metadata().unwrap(), b.exif_metadata().unwrap());
}
