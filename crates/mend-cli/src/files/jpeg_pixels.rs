//! A JPEG's pixels: which decoder does it right, and what is lacking in the file.
//!
//! `zune-jpeg` is quick and makes garbage of some files without a word: of sequential ones in several
//! scans, and of components that are finer than the first one. `jpeg-decoder` does those, but for
//! single components in a scan of their own whose sampling is between one and the largest, where it
//! counts blocks that are not there. `tests/data/matrix.py` compares both with libjpeg.
#![forbid(unsafe_code)]

use super::jpeg_markers::{Component, Markers};
use super::jpeg_scan::{self, Lack, MAX_SCANS};
use super::{Source, zeroed};
use mend::{ErrorKind, Result};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Who decodes a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `zune-jpeg`.
    Quick,
    /// `jpeg-decoder`.
    Thorough,
}

/// How to decode the file whose markers are `m` and whose components are `colour`: in a TIFF its
/// tags say so, and not the markers.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for a kind that neither decoder does right.
pub fn way(source: &Source<'_>, m: &Markers, colour: Colour) -> Result<Way> {
    match (m.frame, m.precision) {
        (0xc0..=0xc2, 8) => {}
        (0xc0..=0xc2, bits) => {
            return Err(source.unsupported(format!(
                "is a {bits}-bit JPEG, which is not supported: Mend reads 8-bit ones; convert it \
                 to a 16-bit PNG or TIFF first"
            )));
        }
        (0xc9..=0xcb, _) => {
            return Err(source.unsupported(
                "is an arithmetic-coded JPEG, which is not supported: save it again with Huffman \
                 coding first",
            ));
        }
        _ => {
            return Err(source.unsupported(
                "is a lossless or hierarchical JPEG, which is not supported: convert it to PNG or \
                 TIFF first",
            ));
        }
    }
    if m.height == 0 && m.width > 0 {
        return Err(source.unsupported(
            "is a JPEG that gives its height only after its first scan, which is not supported: \
             save it again first",
        ));
    }
    if m.scans.len() > MAX_SCANS {
        return Err(source.unsupported(format!(
            "is a JPEG of {} scans: at most {MAX_SCANS} are supported",
            m.scans.len()
        )));
    }
    let [first, rest @ ..] = m.components.as_slice() else {
        return Err(source.damaged("its frame has no component"));
    };
    if m.adobe.is_some_and(|a| a > 2) {
        return Err(source.unsupported(
            "is a JPEG with an unknown transform of its colours, which is not supported: save it \
             again first",
        ));
    }
    if (1..m.components.len()).any(|i| m.components[..i].iter().any(|c| c.id == m.components[i].id))
    {
        return Err(source.unsupported(
            "is a JPEG with two components of the same number, which is not supported: save it \
             again first",
        ));
    }
    let odd = rest.iter().any(|c| c.h > first.h || c.v > first.v) || first.h == 3 || first.v == 3;
    let parted = !m.progressive() && m.scans.len() > 1;
    let (ids, rgb) = (m.components.iter().map(|c| c.id), colour == Colour::Rgb);
    // What the quick one takes for RGB; four components it takes for CMYK whatever they are.
    let mistaken = match m.components.len() {
        3 => (m.adobe == Some(0) || ids.eq(*b"RGB")) != rgb,
        n => n == 4,
    };
    if !(odd || parted || mistaken) {
        return Ok(Way::Quick);
    }
    if even(m) && m.scans.iter().all(|scan| counts_right(m, scan)) {
        return Ok(Way::Thorough);
    }
    Err(source.unsupported(
        "is a JPEG with unusual subsampling, which is not supported: save it again with a common \
         one first",
    ))
}

/// What the components are, as libjpeg takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Gray,
    Rgb,
    YCbCr,
    Cmyk,
    Ycck,
}

impl Colour {
    /// What a file says, or is taken to say.
    pub fn of(m: &Markers) -> Self {
        let jfif = |(marker, body): &(u8, Vec<u8>)| *marker == 0xe0 && body.starts_with(b"JFIF\0");
        let ids = m.components.iter().map(|c| c.id);
        match (m.components.len(), m.adobe) {
            (1, _) => Self::Gray,
            (3, _) if m.segments.iter().any(jfif) => Self::YCbCr,
            (3, Some(0)) => Self::Rgb,
            (3, None) if ids.eq(*b"RGB") => Self::Rgb,
            (3, _) => Self::YCbCr,
            (_, None | Some(0)) => Self::Cmyk,
            _ => Self::Ycck,
        }
    }
}

/// The largest sampling factors, across and down.
fn most(m: &Markers) -> (usize, usize) {
    let most = |f: fn(&Component) -> u8| m.components.iter().map(f).max().unwrap_or(1);
    (usize::from(most(|c| c.h)), usize::from(most(|c| c.v)))
}

/// Whether all sampling factors divide the largest.
fn even(m: &Markers) -> bool {
    let (h_max, v_max) = most(m);
    let divides = |n: u8, max: usize| n > 0 && max.is_multiple_of(usize::from(n));
    m.components
        .iter()
        .all(|c| divides(c.h, h_max) && divides(c.v, v_max))
}

/// Whether `jpeg-decoder` (0.3.2) sees as many blocks in a scan as there are: in a scan of a single
/// component it goes over whole units of the frame, cut at the picture's own width and height.
fn counts_right(m: &Markers, scan: &[usize]) -> bool {
    let [one] = *scan else { return true };
    let Some(c) = m.components.get(one) else {
        return false;
    };
    let right = |size: u16, factor: u8, max: usize| {
        let (size, factor) = (usize::from(size), usize::from(factor));
        let seen = (size.div_ceil(8 * max) * factor).min(size.div_ceil(8));
        seen == (size * factor).div_ceil(max).div_ceil(8)
    };
    let (h_max, v_max) = most(m);
    right(m.width, c.h, h_max) && right(m.height, c.v, v_max)
}

/// What is lacking in `file`, in words that go on after its name.
///
/// # Errors
/// [`ErrorKind::Image`] for a file that ends before its picture does, or without which there is no
/// picture.
fn lack(source: &Source<'_>, file: &[u8], m: &Markers) -> Result<Option<String>> {
    let Some(gap) = jpeg_scan::gap(file, m)? else {
        return Ok(None);
    };
    // Without an end marker it is the copy that is incomplete.
    if !m.ended && gap.kind != Lack::Sense {
        return Err(source.truncated());
    }
    let (row, height) = (gap.row + 1, m.height);
    Ok(Some(match gap.kind {
        Lack::Rows => format!(
            "lacks a part of its data: from row {row} of {height} on, its pixels are not those of \
             the picture"
        ),
        Lack::Sense => {
            format!("is damaged inside: from row {row} of {height} on, its pixels may be wrong")
        }
        Lack::Detail => "lacks its last scans: it is coarser than the picture was".into(),
        Lack::Component => {
            let what = "lacks a whole component of its picture: get a complete copy";
            return Err(source.error(ErrorKind::Image, what));
        }
    }))
}

/// The pixels of `file`: gray, RGB, or for four components the shares of ink, each a byte. With
/// them, what is lacking in the file, in words that go on after its name.
///
/// # Errors
/// [`ErrorKind::Image`] for a file that is damaged or ends before its picture does,
/// [`ErrorKind::Memory`].
pub fn decode(
    source: &Source<'_>,
    mut file: Vec<u8>,
    m: &Markers,
    (way, colour): (Way, Colour),
) -> Result<(Vec<u8>, Option<String>)> {
    let lack = lack(source, &file, m)?;
    // The decoders want an end.
    if !m.ended {
        file.try_reserve(2)
            .map_err(|_| source.error(ErrorKind::Memory, "needs more memory than is available"))?;
        file.extend([0xff, 0xd9]);
    }
    let data = match way {
        Way::Quick => quick(source, &file, m),
        Way::Thorough => thorough(source, &file, m, colour),
    };
    match (data, lack) {
        (Ok(data), lack) => Ok((data, lack)),
        // What is known to be lacking is a better reason than where the decoder stumbled over it.
        (Err(e), Some(lack)) if e.kind() == ErrorKind::Image => Err(source.error(
            ErrorKind::Image,
            format!("{lack}, and the file cannot be decoded; get a complete copy"),
        )),
        (Err(e), _) => Err(e),
    }
}

/// Bytes that decoding takes besides the pixels, about.
pub fn bytes_beside(m: &Markers, way: Way) -> u64 {
    let samples = bytes(m) as u64;
    let coefficients = if m.progressive() { 2 * samples } else { 0 };
    match way {
        Way::Quick => 0,
        Way::Thorough => 2 * samples + coefficients,
    }
}

/// Bytes of the decoded picture.
fn bytes(m: &Markers) -> usize {
    usize::from(m.width) * usize::from(m.height) * m.components.len()
}

fn quick(source: &Source<'_>, file: &[u8], m: &Markers) -> Result<Vec<u8>> {
    let bytes = bytes(m);
    let space = match m.components.len() {
        1 => ColorSpace::Luma,
        _ => ColorSpace::RGB,
    };
    let options = DecoderOptions::default()
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_max_scans(MAX_SCANS)
        .jpeg_set_out_colorspace(space);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    decoder.decode_headers().map_err(|e| source.damaged(e))?;
    if decoder.output_buffer_size() != Some(bytes) {
        return Err(source.damaged("its frame header is not what its decoder sees"));
    }
    let mut data = zeroed(bytes, "the picture")?;
    decoder
        .decode_into(&mut data)
        .map_err(|e| source.damaged(e))?;
    Ok(data)
}

fn thorough(source: &Source<'_>, file: &[u8], m: &Markers, colour: Colour) -> Result<Vec<u8>> {
    use jpeg_decoder::ColorTransform;
    let mut decoder = jpeg_decoder::Decoder::new(file);
    decoder.set_max_decoding_buffer_size(bytes(m));
    decoder.set_color_transform(match colour {
        Colour::Gray => ColorTransform::Grayscale,
        Colour::Rgb => ColorTransform::RGB,
        Colour::YCbCr => ColorTransform::YCbCr,
        Colour::Cmyk => ColorTransform::CMYK,
        Colour::Ycck => ColorTransform::YCCK,
    });
    let mut data = decoder.decode().map_err(|e| match e {
        jpeg_decoder::Error::Unsupported(what) => source.unsupported(format!(
            "is a kind of JPEG that is not supported ({what:?}): save it again first"
        )),
        e => source.damaged(e),
    })?;
    if data.len() != bytes(m) {
        return Err(source.damaged("its frame header is not what its decoder sees"));
    }
    // The decoder turns inks over, as is right for those of Adobe's programs: they store the light
    // that the inks leave.
    if m.components.len() == 4 && m.adobe.is_none() {
        data.iter_mut().for_each(|v| *v = 255 - *v);
    }
    Ok(data)
}
