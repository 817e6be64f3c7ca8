//! TGA, read: the pixels by the `image` crate, which takes every fourth channel for transparency;
//! whether it is one stands in the header and in the footer.
//!
//! Source: Truevision, TGA File Format Specification 2.0 (1991), fields 5.6 and 24.
#![forbid(unsafe_code)]

use super::{Kind, Picture, Source, Want, convert, plain};
use mend::Result;
use std::io::{Read, Seek, SeekFrom};

const FOOTER: &[u8] = b"TRUEVISION-XFILE.\0";
const FOOTER_BYTES: i64 = 26;
/// Where an extension area says what the fourth channel is.
const ATTRIBUTES: u64 = 494;

/// What the fourth channel is (field 24).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fourth {
    Nothing,
    Alpha,
    Premultiplied,
}

/// Reads a TGA.
pub fn read(source: &Source<'_>, want: Want) -> Result<Picture> {
    let mut picture = plain::read(source, Kind::Tga, want)?;
    if !picture.format.layout.has_alpha() {
        return Ok(picture);
    }
    match fourth(source)? {
        Fourth::Alpha => {}
        Fourth::Premultiplied => picture.format.premultiplied = true,
        Fourth::Nothing => {
            convert::drop_alpha(&mut picture);
            picture.notes.push(format!(
                "{} has a channel that it says is not transparency; it is left out",
                source.path.display()
            ));
        }
    }
    Ok(picture)
}

fn fourth(source: &Source<'_>) -> Result<Fourth> {
    let descriptor = source.head()?.get(17).copied().unwrap_or(0);
    let said = match extension(source)? {
        Some(0 | 1) => return Ok(Fourth::Nothing),
        Some(3) => return Ok(Fourth::Alpha),
        Some(4) => return Ok(Fourth::Premultiplied),
        // The header's number of bits for it.
        _ => descriptor & 15,
    };
    Ok(if said == 0 {
        Fourth::Nothing
    } else {
        Fourth::Alpha
    })
}

/// What the extension area says, if there is one.
fn extension(source: &Source<'_>) -> Result<Option<u8>> {
    let mut file = source.reader()?;
    let mut footer = [0; FOOTER_BYTES as usize];
    let found = file
        .seek(SeekFrom::End(-FOOTER_BYTES))
        .and_then(|_| file.read_exact(&mut footer));
    let [a, b, c, d, _, _, _, _, signature @ ..] = footer;
    let at = u64::from(u32::from_le_bytes([a, b, c, d]));
    if found.is_err() || signature != *FOOTER || at == 0 {
        return Ok(None);
    }
    let mut kind = [0];
    let found = file
        .seek(SeekFrom::Start(at + ATTRIBUTES))
        .and_then(|_| file.read_exact(&mut kind));
    Ok(found.is_ok().then_some(kind[0]))
}
