//! PNM, TGA, QOI, Radiance and BMP's pixels: through the `image` crate. These formats carry no metadata.
#![forbid(unsafe_code)]

use super::{Kind, Output, Picture, Source, Want, encode_error, swap_u16, zeroed};
use image::codecs::{bmp, hdr, pnm, qoi, tga};
use image::error::{ImageError, LimitErrorKind};
use image::{ExtendedColorType, ImageDecoder, ImageEncoder};
use mend::pixels::{Depth, Layout, PixelFormat};
use mend::{Error, ErrorKind, Result};
use std::io;

/// Reads a PNM, TGA, QOI or Radiance picture.
pub fn read(source: &Source<'_>, kind: Kind, want: Want) -> Result<Picture> {
    let fail = |e: ImageError| decode_error(source, e);
    let reader = source.reader()?;
    match kind {
        Kind::Tga => decode(
            source,
            kind,
            want,
            tga::TgaDecoder::new(reader).map_err(fail)?,
        ),
        Kind::Hdr => decode(
            source,
            kind,
            want,
            hdr::HdrDecoder::new(reader).map_err(fail)?,
        ),
        Kind::Qoi => decode(
            source,
            kind,
            want,
            qoi::QoiDecoder::new(reader).map_err(fail)?,
        ),
        _ => decode(
            source,
            kind,
            want,
            pnm::PnmDecoder::new(reader).map_err(fail)?,
        ),
    }
}

/// Reads a BMP's pixels.
pub fn read_bmp(source: &Source<'_>, want: Want) -> Result<Picture> {
    let fail = |e: ImageError| decode_error(source, e);
    let decoder = bmp::BmpDecoder::new(source.reader()?).map_err(fail)?;
    decode(source, Kind::Bmp, want, decoder)
}

/// Reads what one of the `image` crate's decoders gives.
pub(super) fn decode(
    source: &Source<'_>,
    kind: Kind,
    want: Want,
    decoder: impl ImageDecoder,
) -> Result<Picture> {
    let (width, height) = decoder.dimensions();
    use image::ColorType as C;
    let (layout, depth) = match decoder.color_type() {
        C::L8 => (Layout::Gray, Depth::U8),
        C::La8 => (Layout::GrayA, Depth::U8),
        C::Rgb8 => (Layout::Rgb, Depth::U8),
        C::Rgba8 => (Layout::Rgba, Depth::U8),
        C::L16 => (Layout::Gray, Depth::U16),
        C::La16 => (Layout::GrayA, Depth::U16),
        C::Rgb16 => (Layout::Rgb, Depth::U16),
        C::Rgba16 => (Layout::Rgba, Depth::U16),
        C::Rgb32F => (Layout::Rgb, Depth::F32),
        C::Rgba32F => (Layout::Rgba, Depth::F32),
        other => {
            return Err(source.unsupported(format!("has pixels of an unknown kind, {other:?}")));
        }
    };
    let mut format = PixelFormat::new(layout, depth);
    // Float formats hold the scene's light.
    format.linear = depth == Depth::F32;
    let bytes = source.admit(width, height, format.bytes())?;
    let mut picture = Picture::new(kind, width, height, format, Vec::new());
    if want == Want::Pixels {
        if decoder.total_bytes() != bytes as u64 {
            return Err(source.damaged("its headers contradict each other"));
        }
        let mut data = zeroed(bytes, "the picture")?;
        decoder
            .read_image(&mut data)
            .map_err(|e| decode_error(source, e))?;
        picture.data = data;
    }
    Ok(picture)
}

pub(super) fn decode_error(source: &Source<'_>, error: ImageError) -> Error {
    match error {
        ImageError::IoError(e) => source.io(&e),
        ImageError::Limits(e) if e.kind() == LimitErrorKind::InsufficientMemory => source.error(
            ErrorKind::Memory,
            "needs more memory than is available; close other programs",
        ),
        ImageError::Unsupported(e) => source.unsupported(format!("cannot be read: {e}")),
        e => source.damaged(e),
    }
}

/// Writes a PNM, TGA or QOI.
pub fn write(picture: &mut Picture, kind: Kind, out: &mut dyn Output) -> Result<()> {
    if kind == Kind::Pnm {
        return write_pnm(picture, out).map_err(|e| encode_error(kind.name(), e));
    }
    let color = match (picture.format.layout, picture.format.depth) {
        (Layout::Gray, Depth::U8) => ExtendedColorType::L8,
        (Layout::Rgb, Depth::U8) => ExtendedColorType::Rgb8,
        (Layout::Rgba, Depth::U8) => ExtendedColorType::Rgba8,
        (layout, depth) => {
            let what = format!("it has no {layout:?} of {depth:?}");
            return Err(encode_error(kind.name(), what));
        }
    };
    let (data, w, h) = (&picture.data, picture.width, picture.height);
    let written = match kind {
        Kind::Tga => tga::TgaEncoder::new(out).write_image(data, w, h, color),
        _ => qoi::QoiEncoder::new(out).write_image(data, w, h, color),
    };
    written.map_err(|e| match e {
        ImageError::IoError(e) => encode_error(kind.name(), e),
        e => encode_error(kind.name(), e),
    })
}

/// Binary PGM and PPM, and PAM where there is alpha (Netpbm manual, "ppm" and "pam").
fn write_pnm(picture: &mut Picture, out: &mut dyn Output) -> io::Result<()> {
    let (w, h) = (picture.width, picture.height);
    let largest = match picture.format.depth {
        Depth::U8 => 255,
        _ => 65_535,
    };
    let layout = picture.format.layout;
    match layout {
        Layout::Gray => write!(out, "P5\n{w} {h}\n{largest}\n")?,
        Layout::Rgb => write!(out, "P6\n{w} {h}\n{largest}\n")?,
        _ => {
            let tuple = if layout == Layout::GrayA {
                "GRAYSCALE_ALPHA"
            } else {
                "RGB_ALPHA"
            };
            let depth = layout.channels();
            write!(
                out,
                "P7\nWIDTH {w}\nHEIGHT {h}\nDEPTH {depth}\nMAXVAL {largest}\nTUPLTYPE {tuple}\n\
                 ENDHDR\n"
            )?;
        }
    }
    if largest > 255 && cfg!(target_endian = "little") {
        swap_u16(&mut picture.data);
    }
    out.write_all(&picture.data)
}
