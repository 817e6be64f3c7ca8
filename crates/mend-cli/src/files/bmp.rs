//! BMP: read by the `image` crate, its resolution and profile from the header; written here, for
//! that crate writes neither.
//!
//! Source: Microsoft, "BITMAPINFOHEADER" and "BITMAPV5HEADER" (Windows GDI reference).
#![forbid(unsafe_code)]

use super::density::Density;
use super::meta::Meta;
use super::{Kind, Output, Picture, Source, Want, encode_error, plain};
use mend::pixels::{Depth, Layout};
use mend::{ErrorKind, Result};
use std::io::{self, Read, Seek, SeekFrom};

const FILE_HEADER: u32 = 14;
const INFO_HEADER: u32 = 40;
const V5_HEADER: u32 = 124;
/// `bV5CSType` of a profile inside the file: "MBED".
const EMBEDDED: u32 = 0x4d42_4544;
/// "sRGB".
const SRGB: u32 = 0x7352_4742;
const BITFIELDS: u32 = 3;
/// Rendering intent for pictures (LCS_GM_IMAGES, perceptual).
const PERCEPTUAL: u32 = 4;
/// The largest profile that is believed.
const PROFILE_BYTES: u32 = 64 << 20;

/// Reads a BMP.
pub fn read(source: &Source<'_>, want: Want) -> Result<Picture> {
    let mut picture = plain::read_bmp(source, want)?;
    picture.kind = Kind::Bmp;
    picture.meta = match meta(source) {
        Ok((meta, bits)) => {
            if bits < 24 {
                picture.notes.push(format!(
                    "{} has {bits} bits a pixel; the output has 24",
                    source.path.display()
                ));
            }
            meta
        }
        Err(e) if e.kind() == ErrorKind::Cancelled => return Err(e),
        // Pixels without a profile are better than none.
        Err(_) => Meta::default(),
    };
    Ok(picture)
}

/// Resolution, profile, and bits a pixel.
fn meta(source: &Source<'_>) -> Result<(Meta, u32)> {
    let mut meta = Meta::default();
    let mut file = source.reader()?;
    let mut head = Vec::new();
    (&mut file)
        .take(u64::from(FILE_HEADER + V5_HEADER))
        .read_to_end(&mut head)
        .map_err(|e| source.io(&e))?;
    let number = |at: usize| -> Option<u32> {
        Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?))
    };
    let size = number(14).unwrap_or(0);
    // In the oldest header the number stands four bytes earlier.
    let bits = number(if size < INFO_HEADER { 24 } else { 28 }).unwrap_or(24) & 0xffff;
    if size >= INFO_HEADER
        && let (Some(x), Some(y)) = (number(38), number(42))
        && x.min(y) > 0
        && x.max(y) <= i32::MAX as u32
    {
        meta.density = Some(Density::PerMetre(f64::from(x), f64::from(y)));
    }
    if size >= V5_HEADER
        && number(70) == Some(EMBEDDED)
        && let (Some(at), Some(len)) = (number(126), number(130))
        && (1..=PROFILE_BYTES).contains(&len)
    {
        let mut icc = Vec::new();
        file.seek(SeekFrom::Start(u64::from(FILE_HEADER) + u64::from(at)))
            .and_then(|_| file.take(u64::from(len)).read_to_end(&mut icc))
            .map_err(|e| source.io(&e))?;
        if icc.len() == len as usize {
            meta.icc = Some(icc);
        }
    }
    Ok((meta, bits))
}

/// Writes a BMP: 8-bit gray with a palette, 24-bit, or 32-bit with alpha.
pub fn write(picture: &mut Picture, out: &mut dyn Output) -> Result<()> {
    let bits: u16 = match (picture.format.layout, picture.format.depth) {
        (Layout::Gray, Depth::U8) => 8,
        (Layout::Rgb, Depth::U8) => 24,
        (Layout::Rgba, Depth::U8) => 32,
        (layout, depth) => {
            return Err(encode_error(
                "BMP",
                format!("it has no {layout:?} of {depth:?}"),
            ));
        }
    };
    let icc = picture.meta.icc.as_deref().unwrap_or_default();
    let header = if bits == 32 || !icc.is_empty() {
        V5_HEADER
    } else {
        INFO_HEADER
    };
    let palette: u32 = if bits == 8 { 4 * 256 } else { 0 };
    let row = (u64::from(picture.width) * u64::from(bits)).div_ceil(32) * 4;
    let pixels = row * u64::from(picture.height);
    let at = FILE_HEADER + header + palette;
    let total = u64::from(at) + pixels + icc.len() as u64;
    let (Ok(total), Ok(pixels)) = (u32::try_from(total), u32::try_from(pixels)) else {
        return Err(encode_error("BMP", "a BMP holds at most 4 GiB"));
    };
    let density = match picture.meta.resolution() {
        Some(Density::PerMetre(x, y)) => (x, y),
        _ => (0.0, 0.0),
    };
    let metre = |v: f64| v.round().clamp(0.0, f64::from(i32::MAX)) as u32;

    let mut head = b"BM".to_vec();
    let mut put = |v: u32| head.extend(v.to_le_bytes());
    put(total);
    put(0);
    put(at);
    put(header);
    put(picture.width);
    // A positive height: rows from the bottom up, as every reader takes them.
    put(picture.height);
    put(1 | u32::from(bits) << 16);
    put(if bits == 32 { BITFIELDS } else { 0 });
    put(pixels);
    put(metre(density.0));
    put(metre(density.1));
    put(palette / 4);
    put(0);
    if header == V5_HEADER {
        let masks = if bits == 32 {
            [0x00ff_0000, 0x0000_ff00, 0x0000_00ff, 0xff00_0000]
        } else {
            [0; 4]
        };
        masks.into_iter().for_each(&mut put);
        put(if icc.is_empty() { SRGB } else { EMBEDDED });
        // Endpoints and gammas, unused with either colour space.
        (0..12).for_each(|_| put(0));
        put(PERCEPTUAL);
        put(if icc.is_empty() {
            0
        } else {
            header + palette + pixels
        });
        put(icc.len() as u32);
        put(0);
    }
    if bits == 8 {
        (0..256u32).for_each(|v| put(v * 0x0001_0101));
    }
    write_all(picture, out, &head, row as usize).map_err(|e| encode_error("BMP", e))
}

fn write_all(
    picture: &Picture,
    out: &mut dyn Output,
    head: &[u8],
    padded: usize,
) -> io::Result<()> {
    out.write_all(head)?;
    let mut line = vec![0; padded];
    let channels = picture.format.layout.channels();
    for row in picture.data.chunks_exact(picture.row_bytes()).rev() {
        line[..row.len()].copy_from_slice(row);
        if channels >= 3 {
            for pixel in line[..row.len()].chunks_exact_mut(channels) {
                pixel.swap(0, 2);
            }
        }
        out.write_all(&line)?;
    }
    out.write_all(picture.meta.icc.as_deref().unwrap_or_default())
}
