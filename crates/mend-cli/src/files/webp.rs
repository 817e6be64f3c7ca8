//! WebP: read with and without loss, written without, by `image-webp`.
#![forbid(unsafe_code)]

use super::{Kind, Output, Picture, Source, Want, encode_error, zeroed};
use image_webp::{ColorType, DecodingError, EncodingError, WebPDecoder, WebPEncoder};
use mend::pixels::{Depth, Layout, PixelFormat};
use mend::{Error, ErrorKind, Result};
use std::io::{Read, Seek, SeekFrom};

/// The longest side of a WebP.
pub const MAX_SIDE: u32 = 16_384;

/// Reads a WebP.
pub fn read(source: &Source<'_>, want: Want) -> Result<Picture> {
    decode(source, want).map_err(|e| match (e.kind(), is_cut(source)) {
        (ErrorKind::Image, Ok(true)) => source.truncated(),
        _ => e,
    })
}

/// Whether the file is shorter than its header says.
fn is_cut(source: &Source<'_>) -> Result<bool> {
    let len = source.open()?.metadata().map_err(|e| source.io(&e))?.len();
    let head = source.head()?;
    let said = head.get(4..8).and_then(|b| b.first_chunk());
    Ok(said.is_some_and(|said| len < 8 + u64::from(u32::from_le_bytes(*said))))
}

fn decode(source: &Source<'_>, want: Want) -> Result<Picture> {
    let fail = |e: DecodingError| decode_error(source, e);
    let mut decoder = WebPDecoder::new(source.reader()?).map_err(fail)?;
    let limit = usize::try_from(source.max_bytes).unwrap_or(usize::MAX);
    decoder.set_memory_limit(limit);
    if decoder.is_animated() {
        return Err(source.unsupported(
            "is an animation: Mend fills single pictures; save its frames as pictures first",
        ));
    }
    let (width, height) = decoder.dimensions();
    let layout = if decoder.has_alpha() {
        Layout::Rgba
    } else {
        Layout::Rgb
    };
    let format = PixelFormat::new(layout, Depth::U8);
    let bytes = source.admit(width, height, format.bytes())?;
    let mut picture = Picture::new(Kind::WebP, width, height, format, Vec::new());
    picture.lossy = decoder.is_lossy();
    if picture.lossy {
        picture.notes.push(format!(
            "{} is compressed with loss; a WebP is written without loss, so it becomes larger",
            source.path.display()
        ));
    }
    picture.meta.icc = decoder.icc_profile().map_err(fail)?;
    picture.meta.xmp = decoder.xmp_metadata().map_err(fail)?;
    picture.meta.exif = decoder.exif_metadata().map_err(fail)?;
    for name in chunk_names(source)? {
        match &name {
            b"VP8 " | b"VP8L" | b"VP8X" | b"ALPH" | b"ICCP" | b"EXIF" | b"XMP " => {}
            b"C2PA" => picture
                .dropped
                .add("the C2PA manifest, which does not apply to the new file"),
            _ => picture.dropped.add("chunks that Mend does not know"),
        }
    }
    if want == Want::Pixels {
        if decoder.output_buffer_size() != Some(bytes) {
            return Err(source.damaged("its headers contradict each other"));
        }
        let mut data = zeroed(bytes, "the picture")?;
        decoder.read_image(&mut data).map_err(fail)?;
        picture.data = data;
    }
    Ok(picture)
}

/// The names of the file's chunks, as far as they can be followed.
///
/// Source: Google, WebP Container Specification, "RIFF File Format".
fn chunk_names(source: &Source<'_>) -> Result<Vec<[u8; 4]>> {
    let mut file = source.reader()?;
    let mut names = Vec::new();
    let mut head = [0; 8];
    let mut at = 12;
    // A file of nothing but heads is no reason to read for ever.
    while names.len() < 1000
        && file.seek(SeekFrom::Start(at)).is_ok()
        && file.read_exact(&mut head).is_ok()
    {
        let [a, b, c, d, e, f, g, h] = head;
        names.push([a, b, c, d]);
        let len = u64::from(u32::from_le_bytes([e, f, g, h]));
        at += 8 + len + len % 2;
    }
    Ok(names)
}

fn decode_error(source: &Source<'_>, error: DecodingError) -> Error {
    match error {
        DecodingError::IoError(e) => source.io(&e),
        DecodingError::UnsupportedFeature(what) => {
            source.unsupported(format!("is a kind of WebP that Mend cannot read: {what}"))
        }
        e => source.damaged(e),
    }
}

/// Writes a WebP without loss.
pub fn write(picture: &mut Picture, out: &mut dyn Output) -> Result<()> {
    let color = match picture.format.layout {
        Layout::Gray => ColorType::L8,
        Layout::GrayA => ColorType::La8,
        Layout::Rgb => ColorType::Rgb8,
        Layout::Rgba => ColorType::Rgba8,
        other => return Err(encode_error("WebP", format!("it has no layout {other:?}"))),
    };
    let mut encoder = WebPEncoder::new(out);
    if let Some(icc) = &picture.meta.icc {
        encoder.set_icc_profile(icc.clone());
    }
    if let Some(exif) = &picture.meta.exif {
        encoder.set_exif_metadata(exif.clone());
    }
    if let Some(xmp) = &picture.meta.xmp {
        encoder.set_xmp_metadata(xmp.clone());
    }
    encoder
        .encode(&picture.data, picture.width, picture.height, color)
        .map_err(|e| match e {
            EncodingError::IoError(e) => encode_error("WebP", e),
            e => encode_error("WebP", e),
        })
}
