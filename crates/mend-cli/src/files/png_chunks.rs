//! Which of a PNG's ancillary chunks go on, and what stands in its texts.
//!
//! Source: W3C, PNG Specification (Third Edition), section 11.3; registered extensions to PNG 1.2;
//! "Raw profile type …" texts: as ImageMagick and ExifTool write them.
#![forbid(unsafe_code)]

use super::density::Density;
use super::dropped::Dropped;
use super::hidden::{inflated, is_plain_text};
use super::meta::Meta;
use super::photoshop;

/// An ancillary chunk as it is in the file.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub name: [u8; 4],
    pub data: Vec<u8>,
    /// Whether it follows the pixels.
    pub after: bool,
}

pub const XMP_KEYWORD: &[u8] = b"XML:com.adobe.xmp\0";
const RAW_PROFILE: &str = "Raw profile type ";
/// Bytes of a text, unpacked, at most.
const TEXT: usize = 16 << 20;

/// Chunks that describe colours, sizes and places by a few numbers, with the most bytes of each.
const NUMBERS: &[(&[u8; 4], usize)] = &[
    (b"gAMA", 4),
    (b"cHRM", 32),
    (b"sRGB", 1),
    (b"cICP", 4),
    (b"mDCV", 24),
    (b"cLLI", 8),
    (b"sBIT", 4),
    (b"bKGD", 6),
    (b"pHYs", 9),
    (b"oFFs", 9),
    (b"sCAL", 128),
    (b"pCAL", 512),
    (b"vpAg", 9),
    (b"caNv", 16),
    (b"orNT", 1),
];
/// Chunks that are not true of a filled picture, but show nothing either: of a palette, of the last
/// change, of an animation, of the place of compressed data.
const VOID: &[&[u8; 4]] = &[
    b"tRNS", b"hIST", b"sPLT", b"tIME", b"acTL", b"fcTL", b"iDOT", b"dSIG",
];

/// Takes what other formats can take too into `meta`, and gives the other chunks that go on.
pub fn sifted(chunks: Vec<Chunk>, meta: &mut Meta, dropped: &mut Dropped) -> Vec<Chunk> {
    let mut kept = Vec::new();
    // Blocks as text, which count where there is no chunk of their own.
    let (mut exif, mut xmp, mut iptc) = (None, None, None);
    for chunk in chunks {
        match &chunk.name {
            b"eXIf" => meta.exif = Some(chunk.data),
            b"iCCP" => kept.push(chunk),
            b"tEXt" | b"zTXt" | b"iTXt" => {
                let Some(text) = Text::of(&chunk) else {
                    dropped.add("texts that cannot be read");
                    continue;
                };
                match text.place() {
                    Place::Xmp => meta.xmp = Some(text.value),
                    Place::Exif => exif = raw_profile(&text.value).or(exif),
                    Place::RawXmp => xmp = raw_profile(&text.value).or(xmp),
                    Place::Iptc => iptc = raw_profile(&text.value).or(iptc),
                    Place::Other if text.is_plain() => kept.push(chunk),
                    Place::Other => dropped.add(&format!("the text {}", text.shown())),
                }
            }
            name if VOID.contains(&name) => {}
            name => match NUMBERS.iter().find(|(n, _)| *n == name) {
                Some((_, most)) if chunk.data.len() <= *most => {
                    if name == b"pHYs" {
                        meta.density = density(&chunk.data);
                    }
                    kept.push(chunk);
                }
                _ if name == b"caBX" => {
                    dropped.add("the C2PA manifest, which does not apply to the new file");
                }
                _ => dropped.add("chunks that Mend does not know"),
            },
        }
    }
    // A JPEG's first segment of EXIF or XMP goes by one name, with its prefix.
    match exif {
        Some(block) if block.starts_with(XMP_PREFIX) => {
            meta.xmp
                .get_or_insert_with(|| block[XMP_PREFIX.len()..].to_vec());
        }
        Some(block) => {
            meta.exif.get_or_insert(block);
        }
        None => {}
    }
    if let Some(block) = xmp {
        meta.xmp.get_or_insert(block);
    }
    if let Some(block) = iptc {
        let clean = match block.starts_with(b"8BIM") {
            true => photoshop::cleaned(&block, dropped),
            false => photoshop::iptc(&block, dropped),
        };
        if !clean.is_empty() {
            kept.push(raw_chunk("iptc", &clean));
        }
    }
    kept
}

const XMP_PREFIX: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

fn density(phys: &[u8]) -> Option<Density> {
    let x = u32::from_be_bytes(phys.get(..4)?.try_into().ok()?);
    let y = u32::from_be_bytes(phys.get(4..8)?.try_into().ok()?);
    let (x, y) = (f64::from(x), f64::from(y));
    (x > 0.0 && y > 0.0).then_some(match phys.get(8) {
        Some(1) => Density::PerMetre(x, y),
        _ => Density::Aspect(x, y),
    })
}

/// A text chunk's content.
struct Text {
    keyword: Vec<u8>,
    /// Unpacked.
    value: Vec<u8>,
    /// What an iTXt says besides: a language, the keyword in it.
    besides: Vec<u8>,
}

/// Where a text belongs.
enum Place {
    Xmp,
    Exif,
    RawXmp,
    Iptc,
    Other,
}

impl Text {
    fn of(chunk: &Chunk) -> Option<Self> {
        let at = chunk.data.iter().position(|b| *b == 0)?;
        let (keyword, rest) = (chunk.data[..at].to_vec(), &chunk.data[at + 1..]);
        let mut besides = Vec::new();
        let value = match &chunk.name {
            b"tEXt" => rest.to_vec(),
            b"zTXt" => inflated(rest.strip_prefix(&[0])?, TEXT)?,
            _ => {
                let (packed, rest) = (*rest.first()?, rest.get(2..)?);
                let mut parts = rest.splitn(3, |b| *b == 0);
                besides.extend_from_slice(parts.next()?);
                besides.push(b' ');
                besides.extend_from_slice(parts.next()?);
                match packed {
                    0 => parts.next()?.to_vec(),
                    _ => inflated(parts.next()?, TEXT)?,
                }
            }
        };
        Some(Self {
            keyword,
            value,
            besides,
        })
    }

    fn place(&self) -> Place {
        if self.keyword == XMP_KEYWORD[..XMP_KEYWORD.len() - 1] {
            return Place::Xmp;
        }
        let keyword = String::from_utf8_lossy(&self.keyword).to_ascii_lowercase();
        match keyword.strip_prefix(&RAW_PROFILE.to_ascii_lowercase()) {
            Some("exif" | "app1") => Place::Exif,
            Some("xmp") => Place::RawXmp,
            Some("iptc" | "8bim") => Place::Iptc,
            _ => Place::Other,
        }
    }

    fn is_plain(&self) -> bool {
        [&self.keyword, &self.value, &self.besides]
            .iter()
            .all(|part| is_plain_text(part))
    }

    /// The keyword, for a note.
    fn shown(&self) -> String {
        let keyword = String::from_utf8_lossy(&self.keyword);
        keyword.chars().take(40).collect()
    }
}

/// The bytes of a profile that is written as its name, its length and hexadecimal digits.
fn raw_profile(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?.trim_start();
    let (_, rest) = text.split_once('\n')?;
    let (len, digits) = rest.trim_start().split_once('\n')?;
    let len: usize = len.trim().parse().ok()?;
    let digit = |b: u8| char::from(b).to_digit(16);
    let digits: Vec<u8> = digits
        .bytes()
        .filter(|b| !b.is_ascii_whitespace())
        .collect();
    let bytes: Option<Vec<u8>> = digits
        .chunks_exact(2)
        .map(|d| Some((digit(d[0])? << 4 | digit(d[1])?) as u8))
        .collect();
    bytes.filter(|b| b.len() == len)
}

/// A text chunk that holds `block` as a profile of that kind.
fn raw_chunk(kind: &str, block: &[u8]) -> Chunk {
    let mut text = format!("{RAW_PROFILE}{kind}\0\n{kind}\n{:8}\n", block.len());
    for line in block.chunks(36) {
        text.extend(line.iter().map(|b| format!("{b:02x}")));
        text.push('\n');
    }
    Chunk {
        name: *b"tEXt",
        data: text.into_bytes(),
        after: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(name: &[u8; 4], data: &[u8]) -> Chunk {
        Chunk {
            name: *name,
            data: data.to_vec(),
            after: false,
        }
    }

    fn packed(head: &[u8], text: &[u8]) -> Vec<u8> {
        use std::io::Write;
        let mut z = flate2::write::ZlibEncoder::new(head.to_vec(), flate2::Compression::fast());
        z.write_all(text).unwrap();
        z.finish().unwrap()
    }

    #[test]
    fn known_chunks_and_plain_texts_go_on_as_they_are() {
        let good = [
            chunk(b"gAMA", &[0, 0, 1, 2]),
            chunk(b"tEXt", b"Title\0A picture"),
            chunk(
                b"zTXt",
                &packed(b"parameters\0\0", &b"a cat, a dog, ".repeat(99)),
            ),
            chunk(b"iTXt", "Author\0\0\0de\0Urheber\0Müller".as_bytes()),
        ];
        let (mut meta, mut dropped) = (Meta::default(), Dropped::default());
        let kept = sifted(good.to_vec(), &mut meta, &mut dropped);
        let data = |list: &[Chunk]| list.iter().map(|c| c.data.clone()).collect::<Vec<_>>();
        assert_eq!(data(&kept), data(&good));
        assert_eq!(dropped, Dropped::default());
    }

    #[test]
    fn unknown_chunks_and_texts_with_data_do_not() {
        let coded = "QUJD".repeat(100);
        for bad in [
            chunk(b"caBX", b"jumb"),
            chunk(b"mkBT", b"layers"),
            chunk(b"gAMA", &[0; 5]),
            chunk(b"tEXt", format!("mine\0{coded}").as_bytes()),
            chunk(b"zTXt", &packed(b"mine\0\0", coded.as_bytes())),
            chunk(b"iTXt", &packed(b"mine\0\x01\0\0\0", coded.as_bytes())),
            chunk(b"iTXt", format!("mine\0\0\0{coded}\0\0x").as_bytes()),
            chunk(b"zTXt", b"mine\0\0no zlib"),
            chunk(b"tEXt", b"no end"),
            chunk(
                b"tEXt",
                b"Raw profile type mine\0\nmine\n 3\nffd8ff\xff\xd8\xff",
            ),
        ] {
            let (mut meta, mut dropped) = (Meta::default(), Dropped::default());
            let kept = sifted(vec![bad.clone()], &mut meta, &mut dropped);
            assert!(kept.is_empty(), "{bad:?}");
            assert_ne!(dropped, Dropped::default(), "{bad:?}");
        }
    }

    #[test]
    fn profiles_in_texts_are_read() {
        let title = b"\x1c\x02\x05\0\x05title";
        let chunks = vec![
            raw_chunk("exif", b"II*\0"),
            raw_chunk("iptc", title),
            raw_chunk("xmp", b"<x/>"),
        ];
        let (mut meta, mut dropped) = (Meta::default(), Dropped::default());
        let kept = sifted(chunks.clone(), &mut meta, &mut dropped);
        assert_eq!(meta.exif.as_deref(), Some(&b"II*\0"[..]));
        assert_eq!(meta.xmp.as_deref(), Some(&b"<x/>"[..]));
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].data, chunks[1].data);
    }
}
