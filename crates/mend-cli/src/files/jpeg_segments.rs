//! A JPEG's segments: which of them go on, and how they are written.
//!
//! Source: JFIF 1.02; CIPA DC-008 (EXIF), section 4.7; Adobe, XMP Specification Part 3 (2020), section
//! 1.1; ICC.1:2022, annex B.4; CIPA DC-007 (Multi-Picture Format); ISO/IEC 19566-5 (JUMBF).
#![forbid(unsafe_code)]

use super::density::{Density, INCH};
use super::dropped::Dropped;
use super::hidden::is_plain_text;
use super::jpeg_markers::Markers;
use super::meta::Meta;
use super::{photoshop, xmp};
use mend::{ErrorKind, Result};

const EXIF: &[u8] = b"Exif\0\0";
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const EXTENSION: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";
const ICC: &[u8] = b"ICC_PROFILE\0";
const PHOTOSHOP: &[u8] = b"Photoshop 3.0\0";
/// What Photoshop's "Save for Web" sets: a quality, a comment.
const DUCKY: &[u8] = b"Ducky";
/// The most bytes of a segment's content.
const SEGMENT: usize = 65_533;
/// The most bytes of an XMP packet.
pub const MOST_XMP: usize = SEGMENT - XMP.len();

type Segment = (u8, Vec<u8>);

/// What goes on: metadata that other formats can take too, and segments for another JPEG, without
/// EXIF and XMP.
pub fn sifted(segments: Vec<Segment>, dropped: &mut Dropped) -> (Meta, Vec<Segment>) {
    let mut meta = meta(&segments, dropped);
    if let Some(more) = extension(&segments) {
        let all = meta
            .xmp
            .as_deref()
            .and_then(|main| xmp::joined(main, &more));
        match all {
            Some(all) => meta.xmp = Some(all),
            None => dropped.add("extended XMP that cannot be read"),
        }
    }
    let mut kept = Vec::new();
    let mut resources = Vec::new();
    for (marker, body) in segments {
        match marker {
            0xe0 if body.starts_with(b"JFIF\0") => {
                if body.len() > 14 {
                    dropped.add("JFIF's thumbnail");
                }
                kept.push((marker, body));
            }
            // Adobe's transform is not true of what is written.
            0xee if body.starts_with(b"Adobe") => {}
            // These are in `meta`.
            0xe1 if [EXIF, XMP, EXTENSION].iter().any(|p| body.starts_with(p)) => {}
            0xe2 if body.starts_with(ICC) => kept.push((marker, body)),
            0xed if body.starts_with(PHOTOSHOP) => {
                // A long list goes on in the next segment: it stands where it began.
                if resources.is_empty() {
                    kept.push((marker, Vec::new()));
                }
                resources.extend_from_slice(&body[PHOTOSHOP.len()..]);
            }
            0xec if body.starts_with(DUCKY) && body.len() <= 64 => kept.push((marker, body)),
            0xfe if is_plain_text(&body) => kept.push((marker, body)),
            _ => dropped.add(name(marker, &body)),
        }
    }
    if !resources.is_empty() {
        let clean = photoshop::cleaned(&resources, dropped);
        if let Some(at) = kept.iter().position(|(marker, _)| *marker == 0xed) {
            let parts = clean.chunks(SEGMENT - PHOTOSHOP.len());
            let parts = parts.map(|part| (0xed, [PHOTOSHOP, part].concat()));
            kept.splice(at..=at, parts);
        }
    }
    (meta, kept)
}

/// What a segment that does not go on is called.
fn name(marker: u8, body: &[u8]) -> &'static str {
    match marker {
        0xe0 => "JFIF's thumbnail",
        0xe2 if body.starts_with(b"MPF\0") => "the list of further pictures in the file",
        0xe2 if body.starts_with(b"urn:iso:std:iso:ts:21496:-1") => "the gain map's description",
        0xe2 if body.starts_with(b"FPXR") => "FlashPix data",
        0xeb if body.starts_with(b"JP") => {
            "C2PA manifests and other JUMBF boxes, whose signature does not apply to the new file"
        }
        0xfe => "comments that are not text",
        _ => "segments that Mend does not know",
    }
}

/// Extended XMP, put together; `None` where there is none or a part is missing.
fn extension(segments: &[Segment]) -> Option<Vec<u8>> {
    let mut parts = Vec::new();
    for (marker, body) in segments {
        if let (0xe1, Some(rest)) = (marker, body.strip_prefix(EXTENSION)) {
            // A digest as text, the whole length, this part's place.
            let (id, rest) = rest.split_at_checked(32)?;
            let (numbers, part) = rest.split_at_checked(8)?;
            let number = |i: usize| -> Option<u32> {
                Some(u32::from_be_bytes(numbers.get(i..i + 4)?.try_into().ok()?))
            };
            parts.push((id, number(4)? as usize, part));
        }
    }
    let (id, ..) = *parts.first()?;
    parts.retain(|(other, ..)| *other == id);
    parts.sort_by_key(|(_, at, _)| *at);
    let mut all = Vec::new();
    for (_, at, part) in parts {
        if at != all.len() {
            // Read as far as it goes, it would not be XML.
            return Some(Vec::new());
        }
        all.extend_from_slice(part);
    }
    Some(all)
}

/// What other formats can take from the segments.
fn meta(segments: &[Segment], dropped: &mut Dropped) -> Meta {
    let mut meta = Meta::default();
    let mut parts: Vec<(u8, &[u8])> = Vec::new();
    for (marker, body) in segments {
        match marker {
            0xe0 if body.starts_with(b"JFIF\0") => meta.density = jfif_density(body),
            0xe1 => {
                if let Some(exif) = body.strip_prefix(EXIF) {
                    keep_first(&mut meta.exif, exif, dropped);
                } else if let Some(xmp) = body.strip_prefix(XMP) {
                    keep_first(&mut meta.xmp, xmp, dropped);
                }
            }
            0xe2 => {
                if let Some([number, _, part @ ..]) = body.strip_prefix(ICC) {
                    parts.push((*number, part));
                }
            }
            _ => {}
        }
    }
    parts.sort_by_key(|(number, _)| *number);
    if !parts.is_empty() {
        meta.icc = Some(
            parts
                .iter()
                .flat_map(|(_, part)| part.iter().copied())
                .collect(),
        );
    }
    meta
}

/// A second block is nobody's: readers see the first.
fn keep_first(kept: &mut Option<Vec<u8>>, block: &[u8], dropped: &mut Dropped) {
    match kept {
        None => *kept = Some(block.to_vec()),
        Some(_) => dropped.add("a second block of EXIF or XMP"),
    }
}

fn jfif_density(body: &[u8]) -> Option<Density> {
    let [unit, x1, x2, y1, y2] = *body.get(7..12)?.first_chunk::<5>()?;
    let (x, y) = (
        f64::from(u16::from_be_bytes([x1, x2])),
        f64::from(u16::from_be_bytes([y1, y2])),
    );
    if x == 0.0 || y == 0.0 {
        return None;
    }
    match unit {
        1 => Some(Density::PerMetre(x / INCH, y / INCH)),
        2 => Some(Density::PerMetre(x * 100.0, y * 100.0)),
        // One to one says nothing.
        _ => (x != y).then_some(Density::Aspect(x, y)),
    }
}

/// The source's segments that are still true, in their order.
pub fn carried(m: &Markers, meta: &Meta) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let jfif = m
        .segments
        .iter()
        .find(|(marker, body)| *marker == 0xe0 && body.starts_with(b"JFIF\0") && body.len() >= 14);
    // JFIF asks to come first; its thumbnail, if any, is left out.
    match jfif {
        Some((_, body)) => {
            let mut head = body[..12].to_vec();
            head.extend([0, 0]);
            segment(&mut out, 0xe0, &head)?;
        }
        None => segment(&mut out, 0xe0, &jfif_segment(meta.resolution()))?,
    }
    blocks(&mut out, meta)?;
    for (marker, body) in &m.segments {
        let gone = match marker {
            0xe0 => true,
            0xe2 => meta.icc.is_none(),
            _ => false,
        };
        if !gone {
            segment(&mut out, *marker, body)?;
        }
    }
    Ok(out)
}

/// EXIF and XMP. What does not fit one segment is left out by `fit`, which says so.
fn blocks(out: &mut Vec<u8>, meta: &Meta) -> Result<()> {
    for (prefix, block) in [(EXIF, &meta.exif), (XMP, &meta.xmp)] {
        if let Some(block) = block.as_ref().filter(|b| b.len() + prefix.len() <= SEGMENT) {
            segment(out, 0xe1, &[prefix, block].concat())?;
        }
    }
    Ok(())
}

/// Segments for a picture that comes from another format.
pub fn fresh(meta: &Meta) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    segment(&mut out, 0xe0, &jfif_segment(meta.resolution()))?;
    blocks(&mut out, meta)?;
    if let Some(icc) = meta.icc.as_ref().filter(|i| fits_icc(i)) {
        let parts = icc.chunks(SEGMENT - ICC.len() - 2);
        let n = parts.len();
        for (i, part) in parts.enumerate() {
            let body = [ICC, &[(i + 1) as u8, n as u8], part].concat();
            segment(&mut out, 0xe2, &body)?;
        }
    }
    Ok(out)
}

/// Whether an EXIF or XMP block fits the one segment it may have.
pub fn fits_segment(len: usize) -> bool {
    len + XMP.len() <= SEGMENT
}

/// Whether a profile fits the 255 segments it may have.
pub fn fits_icc(icc: &[u8]) -> bool {
    icc.len() <= 255 * (SEGMENT - ICC.len() - 2)
}

fn jfif_segment(density: Option<Density>) -> Vec<u8> {
    let (unit, x, y) = match density {
        Some(Density::PerMetre(x, y)) => (1, x * INCH, y * INCH),
        Some(Density::Aspect(x, y)) => (0, x, y),
        None => (0, 1.0, 1.0),
    };
    // Rounded to what 16 bits hold; a pixel's shape is kept by scaling both.
    let scale = (65_535.0 / x.max(y)).min(1.0);
    let number = |v: f64| ((v * scale).round().clamp(1.0, 65_535.0) as u16).to_be_bytes();
    let mut body = b"JFIF\0\x01\x01".to_vec();
    body.push(unit);
    body.extend(number(x));
    body.extend(number(y));
    body.extend([0, 0]);
    body
}

fn segment(out: &mut Vec<u8>, marker: u8, body: &[u8]) -> Result<()> {
    let Some(len) = u16::try_from(body.len() + 2).ok() else {
        return Err(mend::Error::new(
            ErrorKind::Unsupported,
            "the metadata is too large for a JPEG segment",
        ));
    };
    out.extend([0xff, marker]);
    out.extend(len.to_be_bytes());
    out.extend_from_slice(body);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_segments_go_on() {
        let jfif = (0xe0, jfif_segment(None));
        let icc = (0xe2, [ICC, &[1, 1], b"profile"].concat());
        let text = (0xfe, b"by hand".to_vec());
        let ducky = (0xec, b"Ducky\0\x01\0\x04\0\0\0\x32\0\0".to_vec());
        let good = vec![jfif, icc, text, ducky];
        let mut dropped = Dropped::default();
        assert_eq!(sifted(good.clone(), &mut dropped).1, good);
        assert_eq!(dropped, Dropped::default());
        for (marker, body) in [
            (0xe0, &b"JFXX\0\x10\xff\xd8\xff"[..]),
            (0xe1, b"something else"),
            (0xe2, b"MPF\0II*\0"),
            (0xe2, b"FPXR\0"),
            (0xe4, b"unknown"),
            (0xeb, b"JP\0\x01"),
            (0xec, b"[picture info]"),
            (0xed, b"Adobe_CM\0"),
            (0xef, b"unknown"),
            (0xfe, b"\xff\xd8\xff\xe0"),
        ] {
            let all = [&good[..], &[(marker, body.to_vec())]].concat();
            let mut dropped = Dropped::default();
            assert_eq!(sifted(all, &mut dropped).1, good);
            assert_ne!(dropped, Dropped::default(), "{body:?}");
        }
    }

    #[test]
    fn photoshops_list_is_one_over_several_segments() {
        let resource = |id: u16, data: &[u8]| {
            let mut r = b"8BIM".to_vec();
            r.extend(id.to_be_bytes());
            r.extend([0, 0]);
            r.extend((data.len() as u32).to_be_bytes());
            r.extend(data);
            r
        };
        let title = resource(1028, b"\x1c\x02\x05\0\x05title\x1c\x02\x05\0\x05title");
        let all = [resource(1036, b"faces of old"), title.clone()].concat();
        for cut in 1..all.len() {
            let parts = [&all[..cut], &all[cut..]].map(|p| (0xed, [PHOTOSHOP, p].concat()));
            let (_, kept) = sifted(parts.to_vec(), &mut Dropped::default());
            assert_eq!(kept, [(0xed, [PHOTOSHOP, &title].concat())], "{cut}");
        }
    }

    #[test]
    fn densities_are_read_as_they_are_written() {
        for d in [
            Density::PerMetre(300.0 / INCH, 72.0 / INCH),
            Density::Aspect(4.0, 3.0),
        ] {
            let (Some(Density::PerMetre(x, y) | Density::Aspect(x, y)), kind) =
                (jfif_density(&jfif_segment(Some(d))), d)
            else {
                panic!("no density");
            };
            let (Density::PerMetre(a, b) | Density::Aspect(a, b)) = kind;
            assert!((x - a).abs() < 1e-6 && (y - b).abs() < 1e-6);
        }
    }
}
