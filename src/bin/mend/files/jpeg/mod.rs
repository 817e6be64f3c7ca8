//! JPEG: pixels decoded by `zune-jpeg`; written here, so that blocks that nobody touched go on
//! coefficient by coefficient, and the others with the file's own tables and subsampling.
#![forbid(unsafe_code)]

mod coefficients;
mod dct;
mod encode;
mod huffman;
mod markers;
mod segments;

pub use segments::{fits_icc, fits_segment, without_previews};

use super::meta::Carry;
use super::{Kind, Output, Picture, Source, Want, encode_error, zeroed};
use coefficients::Failure;
use dct::{Blocks, Colours};
use markers::{Component, Fault, Markers};
use mend::Result;
use mend::pixels::{Depth, Layout, PixelFormat, Rect};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// What a JPEG gives on to a JPEG.
#[derive(Clone, Debug)]
pub struct JpegCarry {
    markers: Markers,
    /// The compressed file; empty where only its header was read.
    file: Vec<u8>,
    colours: Colours,
    /// Which MCUs were changed, row by row; `None`: any may have been.
    changed: Option<Vec<bool>>,
}

/// Reads a JPEG.
pub fn read(source: &Source<'_>, want: Want) -> Result<Picture> {
    let file = source.bytes()?;
    let markers = markers::parse(&file).map_err(|fault| match fault {
        Fault::Truncated => source.truncated(),
        Fault::Malformed(why) => source.damaged(why),
    })?;
    let layout = layout(source, &markers)?;
    let format = PixelFormat::new(layout, Depth::U8);
    let (width, height) = (u32::from(markers.width), u32::from(markers.height));
    let bytes = source.admit(width, height, format.bytes())?;
    let mut picture = Picture::new(Kind::Jpeg, width, height, format, Vec::new());
    picture.lossy = true;
    picture.meta = segments::meta(&markers);
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
    let mut carry = JpegCarry {
        markers,
        file: Vec::new(),
        colours: Colours::Same,
        changed: None,
    };
    if want == Want::Pixels {
        let space = match layout {
            Layout::Gray => ColorSpace::Luma,
            _ => ColorSpace::RGB,
        };
        let options = DecoderOptions::default()
            .set_max_width(usize::from(u16::MAX))
            .set_max_height(usize::from(u16::MAX))
            .jpeg_set_max_scans(256)
            .jpeg_set_out_colorspace(space);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&file), options);
        decoder.decode_headers().map_err(|e| source.damaged(e))?;
        if decoder.output_buffer_size() != Some(bytes) {
            return Err(source.damaged("its frame header is not what its decoder sees"));
        }
        if decoder.input_colorspace() == Some(ColorSpace::YCbCr) {
            carry.colours = Colours::YCbCr;
        }
        let mut data = zeroed(bytes, "the picture")?;
        decoder
            .decode_into(&mut data)
            .map_err(|e| source.damaged(e))?;
        picture.data = data;
        carry.file = file;
    }
    picture.carry = Carry::Jpeg(Box::new(carry));
    Ok(picture)
}

/// The layout of the pixels, for a JPEG of a kind that Mend reads.
fn layout(source: &Source<'_>, m: &Markers) -> Result<Layout> {
    match (m.frame, m.precision) {
        (0xc0..=0xc2, 8) => {}
        (0xc0..=0xc2, bits) => {
            return Err(source.unsupported(format!("is a {bits}-bit JPEG: Mend reads 8-bit ones")));
        }
        (0xc9..=0xcb, _) => {
            return Err(source.unsupported(
                "is an arithmetic-coded JPEG: save it again with Huffman coding first",
            ));
        }
        _ => {
            return Err(source.unsupported(
                "is a lossless or hierarchical JPEG: convert it to PNG or TIFF first",
            ));
        }
    }
    if m.components.iter().any(|c| c.h == 3 || c.v == 3) {
        return Err(source.unsupported(
            "is a JPEG with a subsampling by thirds: save it with a common one first",
        ));
    }
    match m.components.len() {
        1 => Ok(Layout::Gray),
        3 => Ok(Layout::Rgb),
        4 => Err(source
            .unsupported("is a CMYK JPEG, and Mend fills RGB and gray: convert it to RGB first")),
        n => Err(source.unsupported(format!("has {n} components: Mend reads 1 or 3"))),
    }
}

/// The pixels of some rectangles, to see later what was changed in them.
pub struct Before(Vec<(Rect, Vec<u8>)>);

impl Before {
    /// The pixels of `rects`; `None` for a picture that is no JPEG and need not know.
    pub fn of(picture: &Picture, rects: impl Iterator<Item = Rect>) -> Result<Option<Self>> {
        if !matches!(picture.carry, Carry::Jpeg(_)) {
            return Ok(None);
        }
        let mut parts = Vec::new();
        for rect in rects {
            let len = rect.area() as usize * picture.format.bytes();
            let mut pixels = mend::memory::with_capacity(len, "the pixels before the fill")?;
            for y in rect.y..rect.bottom() {
                pixels.extend_from_slice(row(picture, &rect, y));
            }
            parts.push((rect, pixels));
        }
        Ok(Some(Self(parts)))
    }

    /// Tells `picture` which of its blocks are no longer what they were. Outside the rectangles
    /// nothing may have changed.
    pub fn tell(&self, picture: &mut Picture) {
        let Carry::Jpeg(carry) = &picture.carry else {
            return;
        };
        let (h, v) = carry.markers.largest_factors();
        let (across, down) = carry.markers.mcus();
        let mut changed = vec![false; across * down];
        for (rect, pixels) in &self.0 {
            let bytes = rect.width as usize * picture.format.bytes();
            for (y, before) in (rect.y..).zip(pixels.chunks_exact(bytes.max(1))) {
                let after = row(picture, rect, y);
                if after == before {
                    continue;
                }
                let pixel = picture.format.bytes();
                let pairs = before.chunks_exact(pixel).zip(after.chunks_exact(pixel));
                for (x, (a, b)) in (rect.x as usize..).zip(pairs) {
                    if a != b {
                        changed[y as usize / (8 * v) * across + x / (8 * h)] = true;
                    }
                }
            }
        }
        if let Carry::Jpeg(carry) = &mut picture.carry {
            carry.changed = Some(changed);
        }
    }
}

/// The bytes of `rect` in row `y`.
fn row<'a>(picture: &'a Picture, rect: &Rect, y: u32) -> &'a [u8] {
    let pixel = picture.format.bytes();
    let start = y as usize * picture.row_bytes() + rect.x as usize * pixel;
    &picture.data[start..start + rect.width as usize * pixel]
}

/// Bytes that writing `picture` takes besides its pixels.
pub fn write_bytes(picture: &Picture) -> u64 {
    let Carry::Jpeg(carry) = &picture.carry else {
        return 8 << 20;
    };
    let (across, down) = carry.markers.mcus();
    let blocks: usize = carry
        .markers
        .components
        .iter()
        .map(|c| usize::from(c.h) * usize::from(c.v))
        .sum();
    (across * down * blocks * size_of::<coefficients::Block>()) as u64
}

/// Writes a JPEG; gives what the user should know of it.
pub fn write(picture: &mut Picture, quality: u8, out: &mut dyn Output) -> Result<String> {
    let fail = |e| encode_error("JPEG", e);
    match &picture.carry {
        Carry::Jpeg(carry) => again(picture, carry, out),
        _ => {
            let (m, colours) = plan(picture, quality)?;
            let segments = segments::fresh(&picture.meta).map_err(fail)?;
            encode::header(out, &m, &segments).map_err(fail)?;
            encode::fresh(out, &m, &Blocks::new(picture, &m, colours)).map_err(fail)?;
            Ok(
                "JPEG codes every block with loss, so pixels outside the mask change a little \
                too; write a .png or .tif to keep them"
                    .into(),
            )
        }
    }
}

/// Writes what was a JPEG before.
fn again(picture: &Picture, carry: &JpegCarry, out: &mut dyn Output) -> Result<String> {
    let fail = |e| encode_error("JPEG", e);
    let m = &carry.markers;
    let segments = segments::carried(m, &picture.meta).map_err(fail)?;
    let blocks = Blocks::new(picture, m, carry.colours);
    let (across, down) = m.mcus();
    let planes = match &carry.changed {
        Some(changed) if !m.retabled => match coefficients::decode(&carry.file, m) {
            Ok(planes) => Some((planes, changed)),
            Err(Failure::Damaged) => None,
            Err(Failure::Other(e)) => return Err(e),
        },
        _ => None,
    };
    let Some((mut planes, changed)) = planes else {
        // The scans cannot be followed, though a forgiving decoder saw a picture in them.
        let m = Markers {
            frame: 0xc1,
            ..m.clone()
        };
        encode::header(out, &m, &segments).map_err(fail)?;
        encode::fresh(out, &m, &blocks).map_err(fail)?;
        return Ok(
            "every block of this JPEG is coded anew with the same quantisation tables and \
                   subsampling, so pixels outside the mask change a little too"
                .into(),
        );
    };
    for (i, _) in changed.iter().enumerate().filter(|(_, changed)| **changed) {
        for (c, component) in m.components.iter().enumerate() {
            let (h, v) = (usize::from(component.h), usize::from(component.v));
            for y in i / across * v..(i / across + 1) * v {
                for x in i % across * h..(i % across + 1) * h {
                    let at = y * planes[c].across + x;
                    planes[c].blocks[at] = blocks.block(c, x, y);
                }
            }
        }
    }
    encode::header(out, m, &segments).map_err(fail)?;
    encode::scans(out, m, &planes).map_err(fail)?;
    let touched = changed.iter().filter(|c| **c).count();
    let (h, v) = m.largest_factors();
    Ok(format!(
        "the {touched} of {} blocks of {}×{} pixels that the fill touches are coded anew with the \
         same quantisation tables; all others keep their coefficients",
        across * down,
        8 * h,
        8 * v
    ))
}

/// How to code a picture that comes from another format.
fn plan(picture: &Picture, quality: u8) -> Result<(Markers, Colours)> {
    let (Ok(width), Ok(height)) = (u16::try_from(picture.width), u16::try_from(picture.height))
    else {
        return Err(encode_error(
            "JPEG",
            "no side of a JPEG may exceed 65535 pixels",
        ));
    };
    let factor = if quality >= 90 { 1 } else { 2 };
    let component = |id, factor, table| Component {
        id,
        h: factor,
        v: factor,
        table,
    };
    let (components, colours) = match (picture.format.layout, picture.format.depth) {
        (Layout::Gray, Depth::U8) => (vec![component(1, 1, 0)], Colours::Same),
        (Layout::Rgb, Depth::U8) => (
            vec![
                component(1, factor, 0),
                component(2, 1, 1),
                component(3, 1, 1),
            ],
            Colours::YCbCr,
        ),
        (layout, depth) => {
            let what = format!("it has no {layout:?} of {depth:?}");
            return Err(encode_error("JPEG", what));
        }
    };
    let [luma, chroma] = encode::tables(quality);
    Ok((
        Markers {
            width,
            height,
            frame: 0xc0,
            precision: 8,
            components,
            tables: [Some(luma), Some(chroma), None, None],
            ..Markers::default()
        },
        colours,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mend::Cancel;
    use std::io::Cursor;
    use std::path::{Path, PathBuf};

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data")
            .join(name)
    }

    fn load(path: &Path) -> Picture {
        let source = Source {
            path,
            cancel: &Cancel::new(),
            max_bytes: 1 << 30,
        };
        read(&source, Want::Pixels).unwrap()
    }

    fn carry(picture: &mut Picture) -> &mut JpegCarry {
        match &mut picture.carry {
            Carry::Jpeg(carry) => carry,
            _ => panic!("no JPEG"),
        }
    }

    fn coefficients_of(file: &[u8]) -> Vec<coefficients::Plane> {
        let m = markers::parse(file).unwrap();
        match coefficients::decode(file, &m) {
            Ok(planes) => planes,
            Err(_) => panic!("no coefficients"),
        }
    }

    #[test]
    fn untouched_files_keep_every_coefficient() {
        for name in [
            "phone.jpg",
            "progressive.jpg",
            "full.jpg",
            "gray.jpg",
            "wide.jpg",
        ] {
            let mut picture = load(&fixture(name));
            let carry = carry(&mut picture);
            let (across, down) = carry.markers.mcus();
            carry.changed = Some(vec![false; across * down]);
            let before = coefficients_of(&carry.file);
            let mut out = Cursor::new(Vec::new());
            write(&mut picture, 50, &mut out).unwrap();
            let after = coefficients_of(out.get_ref());
            assert_eq!(before.len(), after.len(), "{name}");
            for (a, b) in before.iter().zip(&after) {
                assert!(a.blocks == b.blocks, "{name}");
            }
        }
    }

    #[test]
    fn blocks_made_from_pixels_are_those_that_were_decoded() {
        // At full resolution nothing but rounding of pixels lies between.
        let mut picture = load(&fixture("full.jpg"));
        let want = coefficients_of(&carry(&mut picture).file);
        let m = carry(&mut picture).markers.clone();
        let blocks = Blocks::new(&picture, &m, Colours::YCbCr);
        let (mut same, mut all) = (0, 0);
        for (c, plane) in want.iter().enumerate() {
            for y in 0..plane.shown.1 {
                for x in 0..plane.shown.0 {
                    let made = blocks.block(c, x, y);
                    let given = plane.blocks[y * plane.across + x];
                    for (a, b) in made.iter().zip(&given) {
                        assert!(
                            (a - b).abs() <= 1,
                            "component {c}, block {x},{y}: {a} and {b}"
                        );
                        same += usize::from(a == b);
                        all += 1;
                    }
                }
            }
        }
        assert!(same * 100 > all * 99, "{same} of {all}");
    }

    #[test]
    fn hostile_scans_are_survived() {
        for name in ["phone.jpg", "progressive.jpg", "wide.jpg"] {
            let good = std::fs::read(fixture(name)).unwrap();
            let mut state = 1u32;
            for _ in 0..400 {
                let mut bad = good.clone();
                for _ in 0..3 {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let at = (state >> 8) as usize % bad.len();
                    bad[at] = (state >> 24) as u8;
                }
                // A picture of another size would be refused before.
                if let Ok(m) = markers::parse(&bad)
                    && m.components.len() <= 3
                    && usize::from(m.width) * usize::from(m.height) < 1 << 20
                {
                    let _ = coefficients::decode(&bad, &m);
                }
            }
        }
    }
}
