//! PNG: pixels through the `png` crate, ancillary chunks as they are.
//!
//! Source: W3C, Portable Network Graphics (PNG) Specification (Third Edition), sections 5, 11, 14.
#![forbid(unsafe_code)]

use super::carry::Carry;
use super::density::Density;
use super::meta::Meta;
use super::png_chunks::{self, Chunk, XMP_KEYWORD};
use super::{Kind, Output, Picture, Source, Want, encode_error, swap_u16, zeroed};
use mend::pixels::{Depth, Layout, PixelFormat};
use mend::{Error, ErrorKind, Result};
use png::{
    BitDepth, ColorType, Decoder, DecodingError, DeflateCompression, Encoder, Limits, Reader,
    Transformations,
};
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};

/// Bytes that the decoder may take besides the picture: rows, a colour profile.
const DECODER_BYTES: usize = 256 << 20;
/// Bytes of all ancillary chunks together.
const CHUNK_BYTES: usize = 64 << 20;

/// How hard to compress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Compression {
    /// Four times as fast; files are larger by a tenth to a quarter
    Fast,
    /// About as small as most programs make it
    Default,
    /// Four times as slow; files are smaller by a few percent
    Best,
}

/// Reads a PNG.
pub fn read(source: &Source<'_>, want: Want) -> Result<Picture> {
    let cut = cut_at(source)?;
    decode(source, want, cut).map_err(|e| told_as_cut(source, cut, e))
}

/// Without an end chunk it is the copy that is incomplete, whatever the decoder says.
fn told_as_cut(source: &Source<'_>, cut: Option<u64>, error: Error) -> Error {
    match (cut, error.kind()) {
        (Some(_), ErrorKind::Image) => source.truncated(),
        _ => error,
    }
}

fn decode(source: &Source<'_>, want: Want, cut: Option<u64>) -> Result<Picture> {
    let mut reader = open(source, cut)?;
    let (format, bytes) = admit(source, &reader)?;
    let info = reader.info();
    if info.animation_control.is_some() {
        return Err(source.unsupported(
            "is an animation: Mend fills single pictures; save its frames as pictures first",
        ));
    }
    let (width, height) = (info.width, info.height);
    let mut picture = Picture::new(Kind::Png, width, height, format, Vec::new());
    let bits = info.bit_depth as u8;
    match (info.color_type, bits) {
        (ColorType::Indexed, _) => picture.notes.push(format!(
            "{} has a palette; the fill may need other colours, so the output is {}",
            source.path.display(),
            if format.layout.has_alpha() {
                "RGB with alpha"
            } else {
                "RGB"
            }
        )),
        (ColorType::Grayscale, 1 | 2 | 4) => picture.notes.push(format!(
            "{} has {bits}-bit gray; the output is 8-bit gray",
            source.path.display()
        )),
        _ => {}
    }
    picture.meta.icc = info.icc_profile.as_ref().map(|icc| icc.to_vec());
    let mut chunks = chunks(source)?;
    if !picture.notes.is_empty() {
        // These speak of palette entries or of samples of the old depth.
        chunks.retain(|c| ![*b"bKGD", *b"sBIT", *b"hIST"].contains(&c.name));
    }
    let chunks = png_chunks::sifted(chunks, &mut picture.meta, &mut picture.dropped);
    picture.carry = Carry::Png(chunks);
    if want == Want::Pixels {
        let mut data = zeroed(bytes, "the picture")?;
        reader
            .next_frame(&mut data)
            .map_err(|e| decode_error(source, e))?;
        if format.depth == Depth::U16 && cfg!(target_endian = "little") {
            swap_u16(&mut data);
        }
        picture.data = data;
    }
    Ok(picture)
}

/// Reads a PNG row by row: `start(width, height, format)` once, then `row(y, bytes)` for each row,
/// 16-bit samples in big-endian order. An interlaced file gives `None` before any of that, for its
/// rows come in another order.
pub fn rows<S>(
    source: &Source<'_>,
    start: impl FnOnce(u32, u32, PixelFormat) -> Result<S>,
    row: impl FnMut(&mut S, usize, &[u8]) -> Result<()>,
) -> Result<Option<S>> {
    let cut = cut_at(source)?;
    decode_rows(source, cut, start, row).map_err(|e| told_as_cut(source, cut, e))
}

fn decode_rows<S>(
    source: &Source<'_>,
    cut: Option<u64>,
    start: impl FnOnce(u32, u32, PixelFormat) -> Result<S>,
    mut row: impl FnMut(&mut S, usize, &[u8]) -> Result<()>,
) -> Result<Option<S>> {
    let mut reader = open(source, cut)?;
    let (format, _) = admit(source, &reader)?;
    let info = reader.info();
    if info.interlaced {
        return Ok(None);
    }
    let (width, height) = (info.width, info.height);
    let mut state = start(width, height, format)?;
    let line = width as usize * format.bytes();
    let mut buffer = mend_infer::memory::filled(line, 0u8, "a row")?;
    for y in 0..height as usize {
        match reader.read_row(&mut buffer) {
            Ok(Some(_)) => row(&mut state, y, &buffer)?,
            Ok(None) => return Err(source.truncated()),
            Err(e) => return Err(decode_error(source, e)),
        }
    }
    Ok(Some(state))
}

/// What a decoder reads from.
trait Input: BufRead + Seek {}
impl<T: BufRead + Seek> Input for T {}

/// The end chunk, which holds nothing.
const END: &[u8] = b"\0\0\0\0IEND\xae\x42\x60\x82";

/// Opens the file; where it has no end chunk, as if one stood at `cut`.
fn open(source: &Source<'_>, cut: Option<u64>) -> Result<Reader<Box<dyn Input>>> {
    let input: Box<dyn Input> = match cut {
        None => Box::new(source.reader()?),
        Some(at) => {
            let mut bytes = source.bytes()?;
            bytes.truncate(usize::try_from(at).unwrap_or(usize::MAX));
            bytes.extend(END);
            Box::new(io::Cursor::new(bytes))
        }
    };
    let mut decoder = Decoder::new_with_limits(
        input,
        Limits {
            bytes: DECODER_BYTES,
        },
    );
    decoder.set_ignore_text_chunk(true);
    decoder.set_transformations(Transformations::EXPAND);
    decoder.read_info().map_err(|e| decode_error(source, e))
}

/// The format that the reader gives, and the checked bytes of the whole picture.
fn admit<R: BufRead + Seek>(
    source: &Source<'_>,
    reader: &Reader<R>,
) -> Result<(PixelFormat, usize)> {
    let (color, bits) = reader.output_color_type();
    let layout = match color {
        ColorType::Grayscale => Layout::Gray,
        ColorType::GrayscaleAlpha => Layout::GrayA,
        ColorType::Rgb => Layout::Rgb,
        ColorType::Rgba => Layout::Rgba,
        ColorType::Indexed => return Err(source.damaged("its palette cannot be applied")),
    };
    let depth = match bits {
        BitDepth::Sixteen => Depth::U16,
        _ => Depth::U8,
    };
    let format = PixelFormat::new(layout, depth);
    let bytes = source.admit(reader.info().width, reader.info().height, format.bytes())?;
    if reader.output_buffer_size() != Some(bytes) {
        return Err(source.damaged("its size and colour type contradict each other"));
    }
    Ok((format, bytes))
}

fn decode_error(source: &Source<'_>, error: DecodingError) -> Error {
    match error {
        DecodingError::IoError(e) => source.io(&e),
        DecodingError::LimitsExceeded => source.error(
            ErrorKind::Image,
            format!(
                "asks for more than {} MiB besides its pixels: it looks like a decompression bomb",
                DECODER_BYTES >> 20
            ),
        ),
        e => source.damaged(e),
    }
}

/// Where the last whole chunk ends, in a file without an end chunk: all of the picture may be there.
fn cut_at(source: &Source<'_>) -> Result<Option<u64>> {
    let mut file = source.reader()?;
    let len = file.seek(SeekFrom::End(0)).map_err(|e| source.io(&e))?;
    let mut at = 8;
    file.seek(SeekFrom::Start(at)).map_err(|e| source.io(&e))?;
    loop {
        let mut head = [0; 8];
        match file.read_exact(&mut head) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(Some(at)),
            Err(e) => return Err(source.io(&e)),
            Ok(()) => {}
        }
        let [a, b, c, d, name @ ..] = head;
        let body = u64::from(u32::from_be_bytes([a, b, c, d])) + 4;
        if &name == b"IEND" {
            return Ok(None);
        }
        if !name.iter().all(u8::is_ascii_alphabetic) || at + 8 + body > len {
            return Ok(Some(at));
        }
        at += 8 + body;
        file.seek_relative(body as i64).map_err(|e| source.io(&e))?;
    }
}

/// The ancillary chunks. What cannot be read any more ends the list: the decoder has the last word
/// on whether the file is good.
fn chunks(source: &Source<'_>) -> Result<Vec<Chunk>> {
    let mut file = source.reader()?;
    let mut list = Vec::new();
    let mut room = CHUNK_BYTES;
    let mut after = false;
    let read = (|| -> io::Result<()> {
        file.seek(SeekFrom::Start(8))?;
        loop {
            let mut head = [0; 8];
            file.read_exact(&mut head)?;
            let [a, b, c, d, name @ ..] = head;
            let len = u32::from_be_bytes([a, b, c, d]);
            if &name == b"IEND" {
                return Ok(());
            }
            // Critical chunks have a capital first letter.
            let critical = name[0] & 0x20 == 0;
            after |= &name == b"IDAT";
            match room.checked_sub(len as usize) {
                Some(left) if !critical => {
                    room = left;
                    let mut data = Vec::new();
                    (&mut file).take(u64::from(len)).read_to_end(&mut data)?;
                    if data.len() < len as usize {
                        return Ok(());
                    }
                    let mut crc = [0; 4];
                    file.read_exact(&mut crc)?;
                    let mut check = flate2::Crc::new();
                    check.update(&name);
                    check.update(&data);
                    if check.sum() == u32::from_be_bytes(crc) {
                        list.push(Chunk { name, data, after });
                    }
                }
                _ => file.seek_relative(i64::from(len) + 4)?,
            }
        }
    })();
    match read {
        Err(e) if e.kind() != io::ErrorKind::UnexpectedEof => Err(source.io(&e)),
        _ => Ok(list),
    }
}

/// Writes a PNG.
pub fn write(picture: &mut Picture, level: Compression, out: &mut dyn Output) -> Result<()> {
    let fail = |e: png::EncodingError| encode_error("PNG", e);
    let (color, channels) = match picture.format.layout {
        Layout::Gray => (ColorType::Grayscale, 1),
        Layout::GrayA => (ColorType::GrayscaleAlpha, 2),
        Layout::Rgb => (ColorType::Rgb, 3),
        Layout::Rgba => (ColorType::Rgba, 4),
        other => return Err(encode_error("PNG", format!("it has no layout {other:?}"))),
    };
    let depth = match picture.format.depth {
        Depth::U8 => BitDepth::Eight,
        Depth::U16 => BitDepth::Sixteen,
        other => return Err(encode_error("PNG", format!("it has no depth {other:?}"))),
    };
    let mut encoder = Encoder::new(&mut *out, picture.width, picture.height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    encoder.set_deflate_compression(match level {
        Compression::Fast => DeflateCompression::FdeflateUltraFast,
        // From here to level 6 files become 1 % smaller and take half as long again.
        Compression::Default => DeflateCompression::Level(3),
        Compression::Best => DeflateCompression::Level(9),
    });
    let chunks = match &picture.carry {
        Carry::Png(chunks) => carried(chunks, &picture.meta, depth, channels),
        _ => fresh(&picture.meta)?,
    };
    let mut writer = encoder.write_header().map_err(fail)?;
    for chunk in chunks.iter().filter(|c| !c.after) {
        let name = png::chunk::ChunkType(chunk.name);
        writer.write_chunk(name, &chunk.data).map_err(fail)?;
    }
    if depth == BitDepth::Sixteen && cfg!(target_endian = "little") {
        swap_u16(&mut picture.data);
    }
    {
        let mut stream = writer.stream_writer_with_size(1 << 16).map_err(fail)?;
        stream
            .write_all(&picture.data)
            .map_err(|e| encode_error("PNG", e))?;
        stream.finish().map_err(fail)?;
    }
    for chunk in chunks.iter().filter(|c| c.after) {
        let name = png::chunk::ChunkType(chunk.name);
        writer.write_chunk(name, &chunk.data).map_err(fail)?;
    }
    writer.finish().map_err(fail)
}

/// The chunks of the source that are still true of the filled picture.
fn carried(chunks: &[Chunk], meta: &Meta, depth: BitDepth, channels: usize) -> Vec<Chunk> {
    let keep = |c: &Chunk| match &c.name {
        b"iCCP" => meta.icc.is_some(),
        // Significant bits, one number a channel: only if the channels are still the same.
        b"sBIT" => c.data.len() == channels && c.data.iter().all(|b| (1..=depth as u8).contains(b)),
        b"bKGD" => c.data.len() == if channels < 3 { 2 } else { 6 },
        _ => true,
    };
    let mut list: Vec<Chunk> = chunks.iter().filter(|c| keep(c)).cloned().collect();
    list.extend(blocks(meta));
    list
}

/// Chunks for a picture that comes from another format.
fn fresh(meta: &Meta) -> Result<Vec<Chunk>> {
    let mut list = Vec::new();
    let chunk = |name: &[u8; 4], data| Chunk {
        name: *name,
        data,
        after: false,
    };
    if let Some(icc) = &meta.icc {
        let mut z = flate2::write::ZlibEncoder::new(
            b"ICC profile\0\0".to_vec(),
            flate2::Compression::default(),
        );
        let data = z.write_all(icc).and_then(|()| z.finish());
        list.push(chunk(b"iCCP", data.map_err(|e| encode_error("PNG", e))?));
    }
    if let Some(density) = meta.resolution() {
        let (x, y, unit) = match density {
            Density::PerMetre(x, y) => (x, y, 1),
            Density::Aspect(x, y) => (x, y, 0),
        };
        let number = |v: f64| (v.round().clamp(1.0, f64::from(i32::MAX)) as u32).to_be_bytes();
        let mut data = [number(x), number(y)].concat();
        data.push(unit);
        list.push(chunk(b"pHYs", data));
    }
    list.extend(blocks(meta));
    Ok(list)
}

/// EXIF and XMP.
fn blocks(meta: &Meta) -> impl Iterator<Item = Chunk> {
    let exif = meta.exif.clone().map(|data| (*b"eXIf", data));
    let xmp = meta.xmp.as_ref();
    let xmp = xmp.map(|xmp| (*b"iTXt", [XMP_KEYWORD, &[0, 0, 0, 0], xmp].concat()));
    exif.into_iter().chain(xmp).map(|(name, data)| Chunk {
        name,
        data,
        after: false,
    })
}
