//! A JPEG's segments: what they tell other formats, and what of them goes on.
//!
//! Source: ITU-T T.871 (JFIF), section 10; CIPA DC-008 (EXIF), 4.7; ICC.1:2022, annex B.4; Adobe,
//! XMP Specification Part 3 (2020), 1.1.3; Adobe Photoshop File Formats Specification.
#![forbid(unsafe_code)]

use super::markers::{Markers, segment};
use crate::files::meta::{Density, INCH, Meta};
use std::io;

const EXIF: &[u8] = b"Exif\0\0";
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const ICC: &[u8] = b"ICC_PROFILE\0";
const PHOTOSHOP: &[u8] = b"Photoshop 3.0\0";
/// The most bytes of a segment's content.
const SEGMENT: usize = 65_533;

/// What other formats can take from the segments.
pub fn meta(markers: &Markers) -> Meta {
    let mut meta = Meta::default();
    let mut parts: Vec<(u8, &[u8])> = Vec::new();
    for (marker, body) in &markers.segments {
        match marker {
            0xe0 if body.starts_with(b"JFIF\0") => meta.density = jfif_density(body),
            0xe1 => {
                if let Some(exif) = body.strip_prefix(EXIF) {
                    meta.exif.get_or_insert_with(|| exif.to_vec());
                } else if let Some(xmp) = body.strip_prefix(XMP) {
                    meta.xmp.get_or_insert_with(|| xmp.to_vec());
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
pub fn carried(m: &Markers, meta: &Meta) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut exif_done = false;
    for (marker, body) in &m.segments {
        match marker {
            0xe0 if body.starts_with(b"JFIF\0") && body.len() >= 14 => {
                // Without the thumbnail that may follow.
                segment(&mut out, 0xe0, &[&body[..12], &[0, 0]].concat())?;
            }
            // A thumbnail in JFIF's extension; offsets of further pictures in the file.
            0xe0 if body.starts_with(b"JFXX\0") => {}
            0xe2 if body.starts_with(b"MPF\0") => {}
            0xe1 if body.starts_with(EXIF) => {
                if let (Some(exif), false) = (&meta.exif, exif_done) {
                    segment(&mut out, 0xe1, &[EXIF, exif].concat())?;
                    exif_done = true;
                }
            }
            0xe2 if body.starts_with(ICC) && meta.icc.is_none() => {}
            0xed if body.starts_with(PHOTOSHOP) => {
                let resources = without_previews(&body[PHOTOSHOP.len()..]);
                segment(&mut out, 0xed, &[PHOTOSHOP, &resources].concat())?;
            }
            _ => segment(&mut out, *marker, body)?,
        }
    }
    Ok(out)
}

/// Segments for a picture that comes from another format.
pub fn fresh(meta: &Meta) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    segment(&mut out, 0xe0, &jfif_segment(meta.resolution()))?;
    // What does not fit one segment is left out by `fit`, which says so.
    if let Some(exif) = meta
        .exif
        .as_ref()
        .filter(|e| e.len() + EXIF.len() <= SEGMENT)
    {
        segment(&mut out, 0xe1, &[EXIF, exif].concat())?;
    }
    if let Some(xmp) = meta.xmp.as_ref().filter(|x| x.len() + XMP.len() <= SEGMENT) {
        segment(&mut out, 0xe1, &[XMP, xmp].concat())?;
    }
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

/// Photoshop's resources without the small pictures among them (1033, 1036). What is no resource
/// stays as it is.
pub fn without_previews(resources: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = resources;
    while let Some((id, len)) = resource(rest) {
        let (this, next) = rest.split_at(len);
        if ![1033, 1036].contains(&id) {
            out.extend_from_slice(this);
        }
        rest = next;
    }
    out.extend_from_slice(rest);
    out
}

/// The first resource's number and its whole length.
fn resource(data: &[u8]) -> Option<(u16, usize)> {
    let rest = data.strip_prefix(b"8BIM")?;
    let id = u16::from_be_bytes(rest.get(..2)?.try_into().ok()?);
    // A Pascal string, padded to an even length with its length byte.
    let name = (usize::from(*rest.get(2)?) + 2) & !1;
    let at = 2 + name;
    let size = u32::from_be_bytes(rest.get(at..at + 4)?.try_into().ok()?) as usize;
    let len = (4 + at + 4).checked_add(size.checked_add(size % 2)?)?;
    (len <= data.len()).then_some((id, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn previews_are_taken_out_of_photoshops_resources() {
        let resource = |id: u16, data: &[u8]| {
            let mut r = b"8BIM".to_vec();
            r.extend(id.to_be_bytes());
            r.extend([0, 0]);
            r.extend((data.len() as u32).to_be_bytes());
            r.extend(data);
            r.extend(vec![0; data.len() % 2]);
            r
        };
        let all = [resource(1028, b"iptc"), resource(1036, b"faces")].concat();
        assert_eq!(without_previews(&all), resource(1028, b"iptc"));
        for i in 0..all.len() {
            without_previews(&all[..i]);
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
