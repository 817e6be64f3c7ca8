//! JPEG: its segments and what they mean, its pixels by [`super::jpeg_pixels`]; encoded by `jpeg-encoder` with the source's quantisation tables,
//! subsampling and segments.
#![forbid(unsafe_code)]

use super::jpeg_markers::{self, Fault, Markers};
use super::jpeg_pixels::Colour;
use super::meta::{Carry, Density, INCH, Meta};
use super::{Kind, Output, Picture, Source, Want, cmyk, encode_error, jpeg_pixels};
use jpeg_encoder::{
    ChromaSubsamplingMethod, ColorType, Encoder, QuantizationTableType, SamplingFactor,
};
use mend::pixels::{Depth, Layout, PixelFormat};
use mend::{ErrorKind, Result};
use std::io::{self, Write};

const EXIF: &[u8] = b"Exif\0\0";
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const ICC: &[u8] = b"ICC_PROFILE\0";
const PHOTOSHOP: &[u8] = b"Photoshop 3.0\0";
/// The most bytes of a segment's content.
const SEGMENT: usize = 65_533;

/// Reads a JPEG.
pub fn read(source: &Source<'_>, want: Want) -> Result<Picture> {
    let file = source.bytes()?;
    let markers = jpeg_markers::parse(&file).map_err(|fault| match fault {
        Fault::Truncated => source.truncated(),
        Fault::Malformed(why) => source.damaged(why),
    })?;
    let inks = markers.components.len() == 4;
    let layout = match markers.components.len() {
        1 => Layout::Gray,
        3 | 4 => Layout::Rgb,
        n => {
            return Err(source.unsupported(format!(
                "has {n} components, which is not supported: Mend reads 1, 3 or 4"
            )));
        }
    };
    let colour = Colour::of(&markers);
    let way = jpeg_pixels::way(source, &markers, colour)?;
    let format = PixelFormat::new(layout, Depth::U8);
    let (width, height) = (u32::from(markers.width), u32::from(markers.height));
    let bytes = source.admit(width, height, format.bytes())?;
    // Inks take a byte more.
    source.admit(width, height, markers.components.len())?;
    let mut picture = Picture::new(Kind::Jpeg, width, height, format, Vec::new());
    picture.lossy = true;
    picture.reading = jpeg_pixels::bytes_beside(&markers, way);
    picture.meta = meta(&markers);
    if markers.trailing > 0
        && markers
            .segments
            .iter()
            .any(|(_, s)| s.starts_with(b"MPF\0"))
    {
        picture.notes.push(format!(
            "{} holds further pictures (a gain map, a depth map or a preview); only the main one \
             goes on",
            source.path.display()
        ));
    }
    if want == Want::Pixels {
        let name = source.path.display();
        let (data, lack) = jpeg_pixels::decode(source, file, &markers, (way, colour))?;
        picture.notes.extend(lack.map(|l| format!("{name} {l}")));
        picture.data = if inks {
            let (rgb, by) = cmyk::to_rgb(&data, picture.meta.icc.as_deref())?;
            picture.notes.push(format!("{name} {}", by.what()));
            rgb
        } else {
            data
        };
        if picture.data.len() != bytes {
            return Err(source.damaged("its frame header is not what its decoder sees"));
        }
    }
    if inks {
        // Neither its profile nor its tables are for what it has become.
        picture.meta.icc = None;
    } else {
        picture.carry = Carry::Jpeg(Box::new(markers));
    }
    Ok(picture)
}

/// What other formats can take from the segments.
fn meta(markers: &Markers) -> Meta {
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

/// Whether writing `picture` as JPEG holds all its coefficients at once.
pub fn holds_coefficients(picture: &Picture) -> bool {
    match &picture.carry {
        Carry::Jpeg(m) => m.progressive() || m.subsampling().is_some_and(|(h, v)| h > 2 || v > 2),
        _ => false,
    }
}

/// Writes a JPEG.
pub fn write(picture: &mut Picture, quality: u8, out: &mut dyn Output) -> Result<()> {
    let (Ok(width), Ok(height)) = (u16::try_from(picture.width), u16::try_from(picture.height))
    else {
        return Err(encode_error(
            "JPEG",
            "no side of a JPEG may exceed 65535 pixels",
        ));
    };
    let color = match picture.format.layout {
        Layout::Gray => ColorType::Luma,
        Layout::Rgb => ColorType::Rgb,
        other => return Err(encode_error("JPEG", format!("it has no layout {other:?}"))),
    };
    let segments = match &picture.carry {
        Carry::Jpeg(m) => carried(m, &picture.meta)?,
        _ => fresh(&picture.meta)?,
    };
    let mut encoder = Encoder::new(
        Splice {
            out: &mut *out,
            seen: 0,
            segments: &segments,
        },
        quality,
    );
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    if let Carry::Jpeg(m) = &picture.carry {
        if let Some((luma, chroma, _)) = tables(m) {
            encoder.set_quantization_tables(
                QuantizationTableType::Custom(Box::new(luma)),
                QuantizationTableType::Custom(Box::new(chroma)),
            );
        }
        encoder.set_sampling_factor(factor(m).unwrap_or(SamplingFactor::R_4_4_4));
        encoder.set_progressive(m.progressive());
        if m.restart > 0 {
            encoder.set_restart_interval(m.restart);
        }
    } else {
        encoder.set_sampling_factor(if quality >= 90 {
            SamplingFactor::R_4_4_4
        } else {
            SamplingFactor::R_4_2_0
        });
    }
    encoder
        .encode(&picture.data, width, height, color)
        .map_err(|e| match e {
            jpeg_encoder::EncodingError::IoError(e) => encode_error("JPEG", e),
            e => encode_error("JPEG", e),
        })
}

/// What of a source's way of coding cannot be kept, in words; empty if all can.
pub fn losses(m: &Markers) -> Vec<&'static str> {
    let mut list = Vec::new();
    if tables(m).is_none_or(|(_, _, kept)| !kept) {
        list.push("its quantisation tables are not all kept (Mend writes two, of 8 bits)");
    }
    if m.components.len() == 3 && factor(m).is_none() {
        list.push("its unusual subsampling is not kept: colour is written at full resolution");
    }
    if m.components.len() == 3 && m.adobe == Some(0) {
        list.push("it stores RGB directly and is written as luma and chroma");
    }
    list
}

/// Luma's and chroma's table, and whether they are the source's without change.
fn tables(m: &Markers) -> Option<([u16; 64], [u16; 64], bool)> {
    let luma = *m.table(0)?;
    let (mut chroma, other) = match m.components.len() {
        3 => (*m.table(1)?, *m.table(2)?),
        _ => (luma, luma),
    };
    let mut kept = chroma == other;
    // One table has to do for both chroma components: the finer of the two, so that neither loses.
    for (c, o) in chroma.iter_mut().zip(other) {
        *c = (*c).min(o);
    }
    let mut luma = luma;
    for v in luma.iter_mut().chain(&mut chroma) {
        let byte = (*v).clamp(1, 255);
        kept &= byte == *v;
        *v = byte;
    }
    Some((luma, chroma, kept))
}

fn factor(m: &Markers) -> Option<SamplingFactor> {
    // Components that are RGB have no chroma to subsample.
    let (h, v) = m.subsampling()?;
    SamplingFactor::from_factors(h, v)
}

/// The source's segments that are still true, in their order.
fn carried(m: &Markers, meta: &Meta) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut exif_done = false;
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
    for (marker, body) in &m.segments {
        let keep = match marker {
            // The thumbnails of JFIF's extension, offsets of further pictures, Adobe's transform:
            // none of them holds any more.
            0xe0 | 0xee => false,
            0xe1 if body.starts_with(EXIF) => {
                if let (Some(exif), false) = (&meta.exif, exif_done) {
                    segment(&mut out, 0xe1, &[EXIF, exif].concat())?;
                    exif_done = true;
                }
                false
            }
            0xe2 if body.starts_with(b"MPF\0") => false,
            0xe2 if body.starts_with(ICC) => meta.icc.is_some(),
            0xed if body.starts_with(PHOTOSHOP) => {
                let resources = without_previews(&body[PHOTOSHOP.len()..]);
                segment(&mut out, 0xed, &[PHOTOSHOP, &resources].concat())?;
                false
            }
            _ => true,
        };
        if keep {
            segment(&mut out, *marker, body)?;
        }
    }
    Ok(out)
}

/// Segments for a picture that comes from another format.
fn fresh(meta: &Meta) -> Result<Vec<u8>> {
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

/// Bytes that the encoder writes first: start marker and its own JFIF segment.
const OWN_HEAD: usize = 2 + 18;

/// Puts the segments in the place of the encoder's own JFIF segment: it has no way to write
/// comments, nor to keep an order.
struct Splice<'a> {
    out: &'a mut dyn Output,
    seen: usize,
    segments: &'a [u8],
}

impl Write for Splice<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut body = buf;
        if self.seen < OWN_HEAD {
            let skip = (OWN_HEAD - self.seen).min(buf.len());
            self.seen += skip;
            body = &buf[skip..];
            if self.seen == OWN_HEAD {
                self.out.write_all(&[0xff, 0xd8])?;
                self.out.write_all(self.segments)?;
            }
        }
        self.out.write_all(body)?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
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
