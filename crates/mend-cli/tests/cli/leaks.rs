//! What was removed must not stay in the file: no picture of the old state, in no place and coding.
#![forbid(unsafe_code)]

use crate::decode::decode;
use crate::support::{data, folder, run, run_ok, write_mask};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use tiff::tags::Tag;

/// The picture that must not be found again: it begins as a JPEG does and looks like noise.
fn thumb() -> Vec<u8> {
    let mut state = 12_345u32;
    let noise = (0..900).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    b"\xff\xd8\xff\xe0\0\x10JFIF\0"
        .iter()
        .copied()
        .chain(noise)
        .collect()
}

fn base64(data: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in data.chunks(3) {
        let n = three.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - three.len()));
        for i in 0..4 {
            text.push(match i <= three.len() {
                true => char::from(DIGITS[(n >> (18 - 6 * i)) as usize & 63]),
                false => '=',
            });
        }
    }
    text
}

fn hex(data: &[u8]) -> String {
    data.iter().map(|b| format!("{b:02x}")).collect()
}

fn has(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle)
}

/// The bytes of the longest run of hexadecimal digits, which may be broken into lines.
fn unhexed(view: &[u8]) -> Option<Vec<u8>> {
    let digit = |b: &u8| b.is_ascii_hexdigit() || *b == b'\n';
    let run = view.split(|b| !digit(b)).max_by_key(|run| run.len())?;
    let lines = run.split(|b| *b == b'\n').filter(|line| line.len() > 30);
    let digits: Vec<u8> = lines.flatten().copied().collect();
    let value = |b: u8| char::from(b).to_digit(16).unwrap_or(0) as u8;
    let bytes = digits
        .chunks_exact(2)
        .map(|d| value(d[0]) << 4 | value(d[1]));
    Some(bytes.collect())
}

/// Whether a piece of `picture` is in `file`: as it is, in base64 at any of its three alignments or
/// in hexadecimal digits, broken into lines or not, in UTF-16, or any of these within zlib.
fn shows(file: &[u8], picture: &[u8]) -> bool {
    let mut views = vec![file.to_vec()];
    for at in 0..file.len().saturating_sub(2) {
        if file[at] == 0x78 && [0x01, 0x5e, 0x9c, 0xda].contains(&file[at + 1]) {
            let mut out = Vec::new();
            let zlib = flate2::read::ZlibDecoder::new(&file[at..]);
            let _ = zlib.take(1 << 20).read_to_end(&mut out);
            views.push(out);
        }
    }
    // What hexadecimal digits stand for, which may be text again.
    let digits: Vec<Vec<u8>> = views.iter().filter_map(|view| unhexed(view)).collect();
    views.extend(digits);
    let pieces: Vec<&[u8]> = [40, picture.len() / 2, picture.len() - 60]
        .iter()
        .flat_map(|at| (0..3).map(move |k| &picture[at + k..at + k + 30]))
        .collect();
    views.iter().any(|view| {
        let text: Vec<u8> = view
            .iter()
            .copied()
            .filter(|b| !b.is_ascii_whitespace() && *b != 0)
            .collect();
        let lower = text.to_ascii_lowercase();
        pieces.iter().any(|piece| {
            has(view, piece)
                || has(&text, base64(piece).as_bytes())
                || has(&lower, hex(piece).as_bytes())
        })
    })
}

/// Fills `input`, which shows `picture`, into `output`: nothing of it may be left, and that is told.
fn check(dir: &Path, input: &str, output: &str, picture: &[u8], what: &str) {
    let before = fs::read(dir.join(input)).unwrap();
    assert!(
        shows(&before, picture),
        "{what}: nothing to be found in {input}"
    );
    let about = decode(&dir.join(input));
    write_mask(&dir.join("m.png"), about.width, about.height);
    let run = run_ok(
        dir,
        &["fill", input, "--mask", "m.png", "-o", output, "--json"],
    );
    let after = fs::read(dir.join(output)).unwrap();
    assert!(!shows(&after, picture), "{what}: it is still in {output}");
    let notes = run.json()["notes"].to_string();
    assert!(
        notes.contains("may show what was removed"),
        "{what}: {notes}"
    );
    // What is left is a sound file.
    decode(&dir.join(output));
}

// ---- Blocks that show the picture

/// A value of EXIF's first directory (`main`) or of its own.
fn exif(main: bool, tag: u16, kind: u16, value: &[u8]) -> Vec<u8> {
    let mut blob = b"II*\0\x08\0\0\0".to_vec();
    let entry = |blob: &mut Vec<u8>, tag: u16, kind: u16, count: usize, at: usize| {
        blob.extend(tag.to_le_bytes());
        blob.extend(kind.to_le_bytes());
        blob.extend((count as u32).to_le_bytes());
        blob.extend((at as u32).to_le_bytes());
    };
    let count: u16 = 2;
    blob.extend(count.to_le_bytes());
    // Maker, which must stay, and the value or the way to it.
    let end = 8 + 2 + 24 + 4;
    entry(&mut blob, 271, 2, 6, end);
    match main {
        true => entry(&mut blob, tag, kind, value.len(), end + 6),
        false => entry(&mut blob, 0x8769, 4, 1, end + 6),
    }
    blob.extend([0; 4]);
    blob.extend(b"Maker\0");
    if !main {
        blob.extend(1u16.to_le_bytes());
        entry(&mut blob, tag, kind, value.len(), end + 6 + 18);
        blob.extend([0; 4]);
    }
    blob.extend(value);
    blob
}

/// EXIF with a second directory, whose picture is `picture`.
fn exif_thumbnail(picture: &[u8]) -> Vec<u8> {
    let mut blob =
        b"MM\0*\0\0\0\x08\0\x01\x01\x0f\0\x02\0\0\0\x06\0\0\0\x1a\0\0\0\x20Maker\0".to_vec();
    let at = blob.len() + 2 + 24 + 4;
    blob.extend(b"\0\x02\x02\x01\0\x04\0\0\0\x01");
    blob.extend((at as u32).to_be_bytes());
    blob.extend(b"\x02\x02\0\x04\0\0\0\x01");
    blob.extend((picture.len() as u32).to_be_bytes());
    blob.extend([0; 4]);
    blob.extend(picture);
    blob
}

const TITLE: &str =
    "<dc:title><rdf:Alt><rdf:li xml:lang=\"x-default\">The title</rdf:li></rdf:Alt></dc:title>";

/// An XMP packet with a title, `attributes` and `inside`.
fn xmp(attributes: &str, inside: &str) -> Vec<u8> {
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?><x:xmpmeta \
         xmlns:x=\"adobe:ns:meta/\"><rdf:RDF \
         xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description rdf:about=\"\" \
         xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" \
         xmlns:g=\"http://ns.adobe.com/xap/1.0/g/img/\" xmlns:u=\"urn:unknown\" \
         xmlns:GImage=\"http://ns.google.com/photos/1.0/image/\" {attributes}>{inside}{TITLE}\
         </rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end=\"w\"?>"
    )
    .into_bytes()
}

/// XMP that shows `picture` in every way that a packet can.
fn packets(picture: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let coded = base64(picture);
    let lines: Vec<String> = coded
        .as_bytes()
        .chunks(76)
        .map(|l| String::from_utf8(l.to_vec()).unwrap())
        .collect();
    let thumbnails = format!(
        "<xmp:Thumbnails><rdf:Alt><rdf:li rdf:parseType=\"Resource\"><g:format>JPEG</g:format>\
         <g:image>{}</g:image></rdf:li></rdf:Alt></xmp:Thumbnails>",
        lines.join("&#xA;")
    );
    let halves = coded.split_at(coded.len() / 2);
    vec![
        ("xmp:Thumbnails", xmp("", &thumbnails)),
        ("an attribute", xmp(&format!("GImage:Data=\"{coded}\""), "")),
        (
            "an unknown property",
            xmp("", &format!("<u:x>{coded}</u:x>")),
        ),
        (
            "hexadecimal",
            xmp("", &format!("<u:x>{}</u:x>", hex(picture))),
        ),
        (
            "a known property",
            xmp("", &format!("<dc:source>{}</dc:source>", lines.join("\n"))),
        ),
        ("CDATA", xmp("", &format!("<u:x><![CDATA[{coded}]]></u:x>"))),
        ("a comment", xmp("", &format!("<!--{coded}-->"))),
        ("an unknown attribute", xmp(&format!("u:x='{coded}'"), "")),
        (
            "a list",
            xmp(
                "",
                &format!(
                    "<u:x><rdf:Seq><rdf:li>{}</rdf:li><rdf:li>{}</rdf:li></rdf:Seq></u:x>",
                    halves.0, halves.1
                ),
            ),
        ),
        (
            "no XML",
            [b"<x:xmpmeta>".as_slice(), coded.as_bytes()].concat(),
        ),
    ]
}

fn resource(id: u16, value: &[u8]) -> Vec<u8> {
    let mut r = b"8BIM".to_vec();
    r.extend(id.to_be_bytes());
    r.extend([0, 0]);
    r.extend((value.len() as u32).to_be_bytes());
    r.extend(value);
    r.extend(vec![0; value.len() % 2]);
    r
}

fn iptc(picture: &[u8]) -> Vec<u8> {
    let len = (picture.len() as u16).to_be_bytes();
    [b"\x1c\x02\x05\0\x05title\x1c\x02\xca", &len[..], picture].concat()
}

fn extension(parts: &[&[u8]]) -> Vec<(u8, Vec<u8>)> {
    let total: usize = parts.iter().map(|p| p.len()).sum();
    let mut at = 0;
    let mut list = Vec::new();
    for part in parts {
        let mut body =
            b"http://ns.adobe.com/xmp/extension/\0C7CA61E61324947929A4232C66116A9E".to_vec();
        body.extend((total as u32).to_be_bytes());
        body.extend((at as u32).to_be_bytes());
        body.extend(*part);
        list.push((0xe1, body));
        at += part.len();
    }
    list
}

// ---- Files with them

/// The JPEG `name` of the tests' pictures with further segments, and bytes behind its end.
fn jpeg_with(name: &str, segments: &[(u8, Vec<u8>)], trailing: &[u8]) -> Vec<u8> {
    let file = fs::read(data(name)).unwrap();
    let mut out = file[..2].to_vec();
    for (marker, body) in segments {
        out.extend([0xff, *marker]);
        out.extend((body.len() as u16 + 2).to_be_bytes());
        out.extend(body);
    }
    out.extend(&file[2..]);
    out.extend(trailing);
    out
}

fn png_with(name: &str, chunks: &[([u8; 4], Vec<u8>)], trailing: &[u8]) -> Vec<u8> {
    let file = fs::read(data(name)).unwrap();
    let (head, rest) = file.split_at(33);
    let mut out = head.to_vec();
    for (name, body) in chunks {
        out.extend((body.len() as u32).to_be_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(name);
        crc.update(body);
        out.extend(name);
        out.extend(body);
        out.extend(crc.sum().to_be_bytes());
    }
    out.extend(rest);
    out.extend(trailing);
    out
}

fn webp_with(chunks: &[([u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut file = fs::read(data("rgba.webp")).unwrap();
    let plain: Vec<u8> = file.split_off(12);
    let flag = |name: &[u8; 4]| match name {
        b"EXIF" => 8,
        b"XMP " => 4,
        _ => 0,
    };
    let flags = chunks
        .iter()
        .fold(0x10, |flags, (name, _)| flags | flag(name));
    let size = decode(&data("rgba.webp"));
    let mut body = b"VP8X\x0a\0\0\0".to_vec();
    body.extend([flags, 0, 0, 0]);
    body.extend(&(size.width - 1).to_le_bytes()[..3]);
    body.extend(&(size.height - 1).to_le_bytes()[..3]);
    // The picture alone, without what else there was.
    let mut at = 0;
    while at + 8 <= plain.len() {
        let len = u32::from_le_bytes(plain[at + 4..at + 8].try_into().unwrap()) as usize;
        let end = at + 8 + len + len % 2;
        if [&b"VP8L"[..], b"VP8 ", b"ALPH"].contains(&&plain[at..at + 4]) {
            body.extend(&plain[at..end]);
        }
        at = end;
    }
    file.extend(body);
    for (name, body) in chunks {
        file.extend(name);
        file.extend((body.len() as u32).to_le_bytes());
        file.extend(body);
        file.extend(vec![0; body.len() % 2]);
    }
    let len = (file.len() as u32 - 8).to_le_bytes();
    file[4..8].copy_from_slice(&len);
    file
}

fn tiff_with(path: &Path, tag: u16, value: &[u8], text: bool) {
    let about = decode(&data("photo.png"));
    let mut out = fs::File::create(path).unwrap();
    let mut encoder = tiff::encoder::TiffEncoder::new(&mut out).unwrap();
    let mut image = encoder
        .new_image::<tiff::encoder::colortype::RGB8>(about.width, about.height)
        .unwrap();
    let tag = Tag::from_u16_exhaustive(tag);
    match text {
        true => image
            .encoder()
            .write_tag(tag, std::str::from_utf8(value).unwrap())
            .unwrap(),
        false => image.encoder().write_tag(tag, value).unwrap(),
    }
    let pixels = vec![90; about.width as usize * about.height as usize * 3];
    image.write_data(&pixels).unwrap();
}

fn packed(head: &[u8], text: &[u8]) -> Vec<u8> {
    let mut z = flate2::write::ZlibEncoder::new(head.to_vec(), flate2::Compression::default());
    z.write_all(text).unwrap();
    z.finish().unwrap()
}

/// The text of a "raw profile" as ImageMagick writes it.
fn raw_profile(kind: &str, block: &[u8]) -> Vec<u8> {
    let digits = hex(block);
    let lines: Vec<&str> = digits
        .as_bytes()
        .chunks(72)
        .map(|l| std::str::from_utf8(l).unwrap())
        .collect();
    format!("\n{kind}\n{:8}\n{}\n", block.len(), lines.join("\n")).into_bytes()
}

/// EXIF blocks that show `picture`.
fn exifs(picture: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let coded = base64(picture);
    let wide: Vec<u8> = coded.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let comment = |name: &[u8], text: &[u8]| exif(false, 0x9286, 7, &[name, text].concat());
    let loose = [&exif(true, 305, 2, b"Software\0"), picture].concat();
    vec![
        ("a thumbnail", exif_thumbnail(picture)),
        (
            "maker's notes",
            exif(false, 0x927c, 7, &[b"Nikon\0", picture].concat()),
        ),
        ("a tag of DNG", exif(true, 0xc634, 1, picture)),
        ("an unknown tag", exif(false, 0xfde8, 7, picture)),
        ("a description", exif(true, 270, 2, coded.as_bytes())),
        ("Windows' comment", exif(true, 0x9c9c, 1, &wide)),
        (
            "the user's comment",
            comment(b"ASCII\0\0\0", coded.as_bytes()),
        ),
        ("a wide comment", comment(b"UNICODE\0", &wide)),
        ("a binary comment", comment(&[0; 8], picture)),
        ("what no tag leads to", loose),
        ("what is no EXIF", [b"XX*\0", picture].concat()),
    ]
}

#[test]
fn no_segment_of_a_jpeg_shows_what_was_removed() {
    let thumb = thumb();
    let coded = base64(&thumb);
    let (app1, app13) = (b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop 3.0\0");
    // What it is, its segments, and what follows the end marker.
    type Case<'a> = (String, Vec<(u8, Vec<u8>)>, &'a [u8]);
    let mut cases: Vec<Case<'_>> = Vec::new();
    for (what, block) in exifs(&thumb) {
        let body = [b"Exif\0\0", &block[..]].concat();
        cases.push((format!("EXIF: {what}"), vec![(0xe1, body.clone())], b""));
        let first = [b"Exif\0\0", &exif(true, 305, 2, b"Software\0")[..]].concat();
        let both = vec![(0xe1, first), (0xe1, body)];
        cases.push((format!("second EXIF: {what}"), both, b""));
    }
    for (what, packet) in packets(&thumb) {
        let main = (0xe1, [&app1[..], &packet].concat());
        cases.push((format!("XMP: {what}"), vec![main], b""));
        let announced = xmp(
            "xmlns:n=\"http://ns.adobe.com/xmp/note/\" n:HasExtendedXMP=\"C7CA61E61324947929A4232C66116A9E\"",
            "",
        );
        let mut all = vec![(0xe1, [&app1[..], &announced].concat())];
        all.extend(extension(&[&packet[..500], &packet[500..]]));
        cases.push((format!("extended XMP: {what}"), all, b""));
        cases.push((
            format!("an extension alone: {what}"),
            extension(&[&packet]),
            b"",
        ));
    }
    let photoshop = [resource(1036, &thumb), resource(1028, &iptc(b"title"))].concat();
    let (one, two) = photoshop.split_at(300);
    for (what, segments) in [
        ("JFXX", vec![(0xe0, [b"JFXX\0\x10", &thumb[..]].concat())]),
        (
            "JFIF",
            vec![(
                0xe0,
                [b"JFIF\0\x01\x01\0\0\x01\0\x01\x10\x10", &thumb[..]].concat(),
            )],
        ),
        (
            "C2PA",
            vec![(0xeb, [b"JP\0\x01\0\0\0\x01", &thumb[..]].concat())],
        ),
        ("FlashPix", vec![(0xe2, [b"FPXR\0", &thumb[..]].concat())]),
        ("APP4", vec![(0xe4, thumb.clone())]),
        ("APP12", vec![(0xec, [b"Ducky", &thumb[..]].concat())]),
        ("APP15", vec![(0xef, coded.clone().into_bytes())]),
        ("a comment", vec![(0xfe, thumb.clone())]),
        (
            "a comment in base64",
            vec![(0xfe, coded.clone().into_bytes())],
        ),
        ("Photoshop", vec![(0xed, [&app13[..], &photoshop].concat())]),
        (
            "Photoshop in two",
            vec![
                (0xed, [&app13[..], one].concat()),
                (0xed, [&app13[..], two].concat()),
            ],
        ),
        (
            "Photoshop, unknown",
            vec![(0xed, [&app13[..], &resource(1058, &thumb)].concat())],
        ),
        (
            "IPTC",
            vec![(0xed, [&app13[..], &resource(1028, &iptc(&thumb))].concat())],
        ),
        (
            "Photoshop, no resource",
            vec![(0xed, [&app13[..], &thumb].concat())],
        ),
    ] {
        cases.push((what.into(), segments, b""));
    }
    cases.push((
        "a trailer".into(),
        vec![(0xe2, b"MPF\0MM\0*".to_vec())],
        &thumb,
    ));
    let dir = folder(&[]);
    for (i, (what, segments, trailing)) in cases.iter().enumerate() {
        let file = jpeg_with("gray.jpg", segments, trailing);
        fs::write(dir.path().join("in.jpg"), file).unwrap();
        // The way into another format is as clean as the one back.
        let other = ["out.png", "out.tif", "out.webp"][i % 3];
        for out in ["out.jpg", other] {
            check(dir.path(), "in.jpg", out, &thumb, what);
        }
    }
}

#[test]
fn no_chunk_of_a_png_shows_what_was_removed() {
    let thumb = thumb();
    let coded = base64(&thumb);
    let mut cases: Vec<(String, [u8; 4], Vec<u8>)> = Vec::new();
    let raw = |kind: &str, block: &[u8]| {
        let text = raw_profile(kind, block);
        let keyword = format!("Raw profile type {kind}\0");
        [
            (*b"tEXt", [keyword.as_bytes(), &text].concat()),
            (*b"zTXt", packed(format!("{keyword}\0").as_bytes(), &text)),
        ]
    };
    for (what, block) in exifs(&thumb) {
        cases.push((format!("eXIf: {what}"), *b"eXIf", block.clone()));
        for (name, body) in raw("exif", &block) {
            cases.push((format!("raw EXIF: {what}"), name, body));
        }
        let prefixed = [b"Exif\0\0", &block[..]].concat();
        for (name, body) in raw("APP1", &prefixed) {
            cases.push((format!("raw APP1: {what}"), name, body));
        }
    }
    for (what, packet) in packets(&thumb) {
        let head = b"XML:com.adobe.xmp\0";
        cases.push((
            what.into(),
            *b"iTXt",
            [&head[..], &[0, 0, 0, 0], &packet].concat(),
        ));
        let tight = packed(&[&head[..], &[1, 0, 0, 0]].concat(), &packet);
        cases.push((format!("packed: {what}"), *b"iTXt", tight));
        for (name, body) in raw("xmp", &packet) {
            cases.push((format!("raw XMP: {what}"), name, body));
        }
    }
    for kind in ["8bim", "iptc"] {
        for (name, body) in raw(kind, &resource(1036, &thumb)) {
            cases.push((format!("raw {kind}"), name, body));
        }
        for (name, body) in raw(kind, &iptc(&thumb)) {
            cases.push((format!("raw {kind}: IPTC"), name, body));
        }
    }
    for (name, body) in raw("mine", &thumb) {
        cases.push(("an unknown profile".into(), name, body));
    }
    let workflow =
        format!("workflow\0{{\"nodes\": [{{\"image\": \"data:image/jpeg;base64,{coded}\"}}]}}");
    for (what, name, body) in [
        ("C2PA", *b"caBX", thumb.clone()),
        ("Fireworks", *b"mkBT", packed(b"", &thumb)),
        ("safe to copy", *b"prVa", thumb.clone()),
        ("a workflow", *b"tEXt", workflow.clone().into_bytes()),
        (
            "a packed workflow",
            *b"zTXt",
            packed(b"workflow\0\0", workflow.as_bytes()),
        ),
        (
            "hexadecimal",
            *b"tEXt",
            format!("mine\0{}", hex(&thumb)).into_bytes(),
        ),
        ("binary", *b"tEXt", [b"mine\0", &thumb[..]].concat()),
        (
            "a language",
            *b"iTXt",
            format!("mine\0\0\0{coded}\0\0x").into_bytes(),
        ),
    ] {
        cases.push((what.into(), name, body));
    }
    let dir = folder(&[]);
    for (i, (what, name, body)) in cases.iter().enumerate() {
        let file = png_with("interlaced.png", &[(*name, body.clone())], b"");
        fs::write(dir.path().join("in.png"), file).unwrap();
        let other = ["out.jpg", "out.tif", "out.webp"][i % 3];
        for out in ["out.png", other] {
            check(dir.path(), "in.png", out, &thumb, what);
        }
    }
}

#[test]
fn no_tag_of_a_tiff_shows_what_was_removed() {
    let thumb = thumb();
    let coded = base64(&thumb);
    let mut cases: Vec<(String, u16, Vec<u8>, bool)> = vec![
        ("Photoshop".into(), 34377, resource(1036, &thumb), false),
        ("layers".into(), 37724, thumb.clone(), false),
        ("IPTC".into(), 33723, iptc(&thumb), false),
        ("C2PA".into(), 0xcd41, thumb.clone(), false),
        ("ImageJ".into(), 50839, thumb.clone(), false),
        ("a private tag".into(), 65000, thumb.clone(), false),
        ("a place".into(), 34737, coded.clone().into_bytes(), true),
        (
            "a description".into(),
            270,
            coded.clone().into_bytes(),
            true,
        ),
        ("hexadecimal".into(), 315, hex(&thumb).into_bytes(), true),
    ];
    for (what, packet) in packets(&thumb) {
        cases.push((format!("XMP: {what}"), 700, packet, false));
    }
    let dir = folder(&[]);
    for (i, (what, tag, value, text)) in cases.iter().enumerate() {
        tiff_with(&dir.path().join("in.tif"), *tag, value, *text);
        let other = ["out.jpg", "out.png", "out.webp"][i % 3];
        for out in ["out.tif", other] {
            check(dir.path(), "in.tif", out, &thumb, what);
        }
    }
}

#[test]
fn no_chunk_of_a_webp_shows_what_was_removed() {
    let thumb = thumb();
    let mut cases: Vec<(String, [u8; 4], Vec<u8>)> = vec![
        ("C2PA".into(), *b"C2PA", thumb.clone()),
        ("an unknown chunk".into(), *b"mine", thumb.clone()),
    ];
    for (what, packet) in packets(&thumb) {
        cases.push((format!("XMP: {what}"), *b"XMP ", packet));
    }
    for (what, block) in exifs(&thumb) {
        cases.push((format!("EXIF: {what}"), *b"EXIF", block));
    }
    let dir = folder(&[]);
    for (what, name, body) in &cases {
        let chunks = match name {
            b"EXIF" => vec![(*name, body.clone())],
            _ => vec![
                (*b"EXIF", exif(true, 305, 2, b"Software\0")),
                (*name, body.clone()),
            ],
        };
        fs::write(dir.path().join("in.webp"), webp_with(&chunks)).unwrap();
        check(dir.path(), "in.webp", "out.webp", &thumb, what);
    }
}

#[test]
fn files_of_other_programs_show_nothing_any_more() {
    let thumb = fs::read(data("leaks/thumb.bin")).unwrap();
    for name in [
        "c2pa_thumb.jpg",
        "makernote_preview.jpg",
        "xmp_ext_gimage.jpg",
        "xmp_thumb.jpg",
    ] {
        let dir = folder(&[]);
        fs::copy(data("leaks").join(name), dir.path().join(name)).unwrap();
        for out in ["out.jpg", "out.png", "out.tif", "out.webp", name] {
            check(dir.path(), name, out, &thumb, name);
        }
    }
}

#[test]
fn what_is_known_to_be_harmless_stays() {
    let thumb = thumb();
    let (app1, app13) = (b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop 3.0\0");
    let packet = xmp(
        "xmp:Rating=\"4\"",
        &format!("<u:x>{}</u:x>", base64(&thumb)),
    );
    let title = b"\x1c\x02\x05\0\x05title";
    let photoshop = [
        resource(1036, &thumb),
        resource(1005, &[1; 16]),
        resource(1028, title),
    ]
    .concat();
    let segments = [
        (
            0xe1,
            [b"Exif\0\0", &exif(false, 0x927c, 7, &thumb)[..]].concat(),
        ),
        (0xe1, [&app1[..], &packet].concat()),
        (0xed, [&app13[..], &photoshop].concat()),
        (0xfe, b"a comment".to_vec()),
    ];
    let dir = folder(&[]);
    fs::write(
        dir.path().join("in.jpg"),
        jpeg_with("gray.jpg", &segments, b""),
    )
    .unwrap();
    for out in ["out.jpg", "out.png", "out.tif", "out.webp"] {
        check(dir.path(), "in.jpg", out, &thumb, out);
        let file = fs::read(dir.path().join(out)).unwrap();
        for kept in [&b"Maker\0"[..], TITLE.as_bytes(), b"xmp:Rating=\"4\""] {
            assert!(has(&file, kept), "{out}: {}", String::from_utf8_lossy(kept));
        }
    }
    let file = fs::read(dir.path().join("out.jpg")).unwrap();
    let kept = [resource(1005, &[1; 16]), resource(1028, title)].concat();
    assert!(has(&file, &kept) && has(&file, b"a comment"));
}

#[test]
fn an_extension_without_pictures_is_kept() {
    let dir = folder(&[]);
    let more = xmp("", "<xmp:Label>from the extension</xmp:Label>");
    let main = xmp(
        "xmlns:n=\"http://ns.adobe.com/xmp/note/\" n:HasExtendedXMP=\"C7CA61E61324947929A4232C66116A9E\"",
        "",
    );
    let mut segments = vec![(
        0xe1,
        [&b"http://ns.adobe.com/xap/1.0/\0"[..], &main].concat(),
    )];
    let mut parts = extension(&[&more[..99], &more[99..]]);
    // In any order.
    parts.reverse();
    segments.extend(parts);
    fs::write(
        dir.path().join("in.jpg"),
        jpeg_with("gray.jpg", &segments, b""),
    )
    .unwrap();
    let about = decode(&dir.path().join("in.jpg"));
    write_mask(&dir.path().join("m.png"), about.width, about.height);
    run_ok(
        dir.path(),
        &["fill", "in.jpg", "--mask", "m.png", "-o", "out.jpg"],
    );
    let file = fs::read(dir.path().join("out.jpg")).unwrap();
    assert!(has(&file, b"<xmp:Label>from the extension</xmp:Label>"));
    assert!(!has(&file, b"HasExtendedXMP"));
}

#[test]
fn what_announces_parts_that_are_gone_goes_with_them() {
    let dir = folder(&[]);
    let announced = "xmlns:GCamera=\"http://ns.google.com/photos/1.0/camera/\" \
        xmlns:hdrgm=\"http://ns.adobe.com/hdr-gain-map/1.0/\" GCamera:MotionPhoto=\"1\" \
        GCamera:MicroVideoOffset=\"99\" hdrgm:Version=\"1.0\"";
    let container = "<Container:Directory xmlns:Container=\"http://ns.google.com/photos/1.0/container/\" \
        xmlns:Item=\"http://ns.google.com/photos/1.0/container/item/\"><rdf:Seq><rdf:li \
        rdf:parseType=\"Resource\"><Container:Item Item:Mime=\"video/mp4\" Item:Length=\"99\"/></rdf:li>\
        </rdf:Seq></Container:Directory>";
    let packet = [
        &b"http://ns.adobe.com/xap/1.0/\0"[..],
        &xmp(announced, container),
    ]
    .concat();
    let file = jpeg_with("gray.jpg", &[(0xe1, packet)], b"\0\0\0\x18ftypmp42 a video");
    fs::write(dir.path().join("in.jpg"), file).unwrap();
    let about = decode(&dir.path().join("in.jpg"));
    write_mask(&dir.path().join("m.png"), about.width, about.height);
    let run = run_ok(
        dir.path(),
        &["fill", "in.jpg", "--mask", "m.png", "-o", "out.jpg"],
    );
    for told in [
        "follows the picture",
        "GCamera:MotionPhoto",
        "Container:Directory",
        "hdrgm:Version",
    ] {
        assert!(run.stderr.contains(told), "{told}: {}", run.stderr);
    }
    let file = fs::read(dir.path().join("out.jpg")).unwrap();
    assert!(has(&file, TITLE.as_bytes()));
    for gone in [
        &b"MotionPhoto=\""[..],
        b"MicroVideoOffset=\"",
        b"Item:Mime",
        b"hdrgm:Version=\"",
        b"a video",
    ] {
        assert!(!has(&file, gone), "{}", String::from_utf8_lossy(gone));
    }
}

#[test]
fn an_empty_mask_changes_not_a_byte() {
    let thumb = thumb();
    let dir = folder(&[]);
    let file = jpeg_with("gray.jpg", &[(0xe4, thumb.clone())], &thumb);
    fs::write(dir.path().join("in.jpg"), &file).unwrap();
    let about = decode(&dir.path().join("in.jpg"));
    let none = vec![0; about.width as usize * about.height as usize];
    crate::support::write_gray(&dir.path().join("m.png"), about.width, about.height, &none);
    let done = run(
        dir.path(),
        &["fill", "in.jpg", "--mask", "m.png", "-o", "out.jpg"],
    );
    assert_eq!(done.code, 0, "{done:?}");
    assert!(fs::read(dir.path().join("out.jpg")).unwrap() == file);
}
