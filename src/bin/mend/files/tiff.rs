//! TIFF, read: pixels through the `tiff` crate, tags kept for the way back.
//!
//! Source: TIFF 6.0 (1992), sections 2, 8, 14, 18, 19; TIFF Technical Note 3 (float predictor).
#![forbid(unsafe_code)]

use super::exif::{self, Entry, Tree};
use super::meta::Carry;
use super::{Kind, Picture, Source, Want, zeroed};
use mend::pixels::{Depth, Layout, PixelFormat};
use mend::{Error, ErrorKind, Result};
use std::io::{Read, Seek};
use tiff::TiffError;
use tiff::decoder::{Decoder, IfdDecoder, Limits};
use tiff::tags::{ByteOrder, ExtraSamples, IfdPointer, Tag, Type, ValueBuffer};

/// Bytes that a tag's value may take: profiles and makers' notes stay far below.
const TAG_BYTES: usize = 64 << 20;
const ICC: u16 = 34675;
const XMP: u16 = 700;
/// Photoshop's layers, which would go on showing what was filled.
const PHOTOSHOP_LAYERS: u16 = 37724;
const PHOTOSHOP_RESOURCES: u16 = 34377;
const DNG_VERSION: u16 = 50706;
/// The compression of Technical Note 2, inside which colour is commonly luma and chroma.
const MODERN_JPEG: u32 = 7;

/// Tags that say how the pixels are stored: written anew. The last ones are pictures inside tags,
/// or offsets that hold no more.
const STRUCTURAL: &[u16] = &[
    254,
    255,
    256,
    257,
    258,
    259,
    262,
    263,
    264,
    265,
    266,
    273,
    277,
    278,
    279,
    280,
    281,
    284,
    288,
    289,
    290,
    291,
    292,
    293,
    301,
    317,
    318,
    319,
    320,
    321,
    322,
    323,
    324,
    325,
    326,
    327,
    328,
    330,
    332,
    333,
    334,
    336,
    337,
    338,
    339,
    340,
    341,
    342,
    347,
    512,
    513,
    514,
    515,
    517,
    518,
    519,
    520,
    521,
    529,
    530,
    531,
    532,
    559,
    32995,
    32996,
    32997,
    32998,
    34232,
    40965,
    0x8769,
    0x8825,
    ICC,
    XMP,
    PHOTOSHOP_LAYERS,
];

/// What a TIFF gives on to a TIFF.
#[derive(Clone, Debug, Default)]
pub struct TiffCarry {
    /// Whether its pixels were compressed.
    pub compressed: bool,
    /// Tags of its directory that are no pixels, profile, XMP or EXIF.
    pub tags: Vec<Entry>,
}

/// Reads a TIFF.
pub fn read(source: &Source<'_>, want: Want) -> Result<Picture> {
    let fail = |e: TiffError| decode_error(source, e);
    let mut limits = Limits::unlimited();
    limits.decoding_buffer_size = usize::try_from(source.max_bytes).unwrap_or(usize::MAX);
    limits.intermediate_buffer_size = limits.decoding_buffer_size;
    limits.ifd_value_size = TAG_BYTES;
    let mut decoder = Decoder::new(source.reader()?)
        .map_err(fail)?
        .with_limits(limits);
    let (width, height) = decoder.dimensions().map_err(fail)?;
    let (tags, unreadable) = directory(decoder.image_ifd());
    if unreadable.contains(&ICC) {
        return Err(source.truncated());
    }
    let number = |tag: u16| first_number(&tags, tag);
    if number(DNG_VERSION).is_some() || tags.iter().any(|e| e.tag == DNG_VERSION) {
        return Err(source.unsupported("is a camera raw file: develop it first"));
    }
    let stored = Stored::of(source, &tags)?;
    let mut format = PixelFormat::new(stored.layout, stored.depth);
    format.premultiplied = stored.premultiplied;
    format.linear = matches!(stored.depth, Depth::F16 | Depth::F32);
    let bytes = source.admit(width, height, format.bytes())?;
    let mut picture = Picture::new(Kind::Tiff, width, height, format, Vec::new());
    let name = source.path.display();
    if stored.bits < 8 {
        let bits = stored.bits;
        picture.notes.push(format!(
            "{name} has {bits}-bit gray; the picture goes on as 8-bit gray"
        ));
    }
    if stored.undeclared_alpha {
        picture.notes.push(format!(
            "{name} does not say what its last channel is; it is taken as transparency"
        ));
    }
    if !unreadable.is_empty() {
        picture.notes.push(format!(
            "{name} has tags that cannot be read and are left out: {unreadable:?}"
        ));
    }
    let compression = number(259).unwrap_or(1);
    if tags.iter().any(|e| e.tag == PHOTOSHOP_LAYERS) {
        picture.notes.push(format!(
            "{name} holds Photoshop layers besides its picture; only the picture goes on"
        ));
    }
    // Lossy: JPEG of both kinds and WebP.
    picture.lossy = [6, 7, 50001].contains(&compression);
    if picture.lossy {
        picture.notes.push(format!(
            "{name} is compressed with loss inside; a TIFF is written without loss"
        ));
    }
    let sub = |decoder: &mut Decoder<_>, tag| -> Vec<Entry> {
        let Some(at) = first_number(&tags, tag) else {
            return Vec::new();
        };
        match decoder.read_directory(IfdPointer(u64::from(at))) {
            Ok(dir) => directory(decoder.read_directory_tags(&dir)).0,
            Err(_) => Vec::new(),
        }
    };
    let tree = Tree {
        main: tags
            .iter()
            .filter(|e| exif::is_descriptive(e.tag))
            .cloned()
            .collect(),
        exif: sub(&mut decoder, exif::EXIF_IFD),
        gps: sub(&mut decoder, exif::GPS_IFD),
    };
    picture.meta.exif = exif::build(&tree);
    let blob = |tag: u16| tags.iter().find(|e| e.tag == tag).map(|e| e.data.clone());
    picture.meta.icc = blob(ICC);
    picture.meta.xmp = blob(XMP);
    if want == Want::Pixels {
        picture.data = pixels(source, &mut decoder, &stored, width, height, bytes)?;
    }
    refuse_pages(source, &mut decoder, &mut picture)?;
    let kept = |e: &Entry| !STRUCTURAL.contains(&e.tag) && ![16, 17, 18].contains(&e.kind);
    picture.carry = Carry::Tiff(Box::new(TiffCarry {
        compressed: compression != 1,
        tags: tags.into_iter().filter(kept).map(cleaned).collect(),
    }));
    Ok(picture)
}

/// Photoshop's resources go on without the small pictures among them.
fn cleaned(mut e: Entry) -> Entry {
    if e.tag == PHOTOSHOP_RESOURCES {
        e.data = super::jpeg::without_previews(&e.data);
        e.count = e.data.len() as u32;
    }
    e
}

/// How the pixels are stored.
struct Stored {
    layout: Layout,
    depth: Depth,
    bits: u32,
    premultiplied: bool,
    undeclared_alpha: bool,
    planar: bool,
    ycbcr: bool,
}

impl Stored {
    fn of(source: &Source<'_>, tags: &[Entry]) -> Result<Self> {
        let number = |tag: u16, default: u32| first_number(tags, tag).unwrap_or(default);
        let samples = number(277, 1);
        let bits = number(258, 1);
        let float = match number(339, 1) {
            1 | 4 => false,
            3 => true,
            2 => {
                return Err(source.unsupported(
                    "has signed samples: convert it to unsigned 16-bit or to float first",
                ));
            }
            _ => return Err(source.unsupported("has samples of an unknown kind")),
        };
        let colours = match number(262, 1) {
            0 | 1 => 1,
            2 => 3,
            6 if number(259, 1) == MODERN_JPEG && bits == 8 => 3,
            photometric => {
                let what = match photometric {
                    3 => "has a palette",
                    4 => "is a transparency mask",
                    5 => "is CMYK",
                    6 => "stores luma and chroma (YCbCr)",
                    8..=10 => "is CIE Lab",
                    32803 | 34892 => "is a camera raw file",
                    _ => "has colours of an unknown kind",
                };
                return Err(source.unsupported(format!(
                    "{what}, and Mend fills RGB and gray TIFF files: convert it first"
                )));
            }
        };
        let depth = match (bits, float) {
            (1 | 2 | 4, false) if samples == 1 => Depth::U8,
            (8, false) => Depth::U8,
            (16, false) => Depth::U16,
            (16, true) => Depth::F16,
            (32, true) => Depth::F32,
            (bits, _) => {
                let kind = if float { "float" } else { "whole-number" };
                return Err(source.unsupported(format!(
                    "has {bits}-bit {kind} samples: Mend fills 8 and 16-bit, and 16 and 32-bit \
                     float ones; convert it first"
                )));
            }
        };
        let extra = tags
            .iter()
            .find(|e| e.tag == Tag::ExtraSamples.to_u16())
            .and_then(numbers)
            .unwrap_or_default();
        let associated = u32::from(ExtraSamples::AssociatedAlpha.to_u16());
        let unassociated = u32::from(ExtraSamples::UnassociatedAlpha.to_u16());
        let alpha = match (samples.checked_sub(colours), extra.as_slice()) {
            (Some(0), _) => false,
            (Some(1), []) => true,
            (Some(1), [kind]) if *kind == associated || *kind == unassociated => true,
            _ => {
                return Err(source.unsupported(format!(
                    "has {samples} channels, among them some that are neither colour nor declared \
                     transparency: remove the extra channels first"
                )));
            }
        };
        Ok(Self {
            layout: match (colours, alpha) {
                (1, false) => Layout::Gray,
                (1, true) => Layout::GrayA,
                (_, false) => Layout::Rgb,
                (_, true) => Layout::Rgba,
            },
            depth,
            bits,
            premultiplied: alpha && extra.first() == Some(&associated),
            undeclared_alpha: alpha && extra.is_empty(),
            planar: number(284, 1) == 2 && samples > 1,
            ycbcr: number(262, 1) == 6,
        })
    }
}

fn pixels<R: Read + Seek>(
    source: &Source<'_>,
    decoder: &mut Decoder<R>,
    stored: &Stored,
    width: u32,
    height: u32,
    bytes: usize,
) -> Result<Vec<u8>> {
    let fail = |e: TiffError| decode_error(source, e);
    let (width, height) = (width as usize, height as usize);
    let packed_row = (width * stored.bits as usize * stored.layout.channels()).div_ceil(8);
    let want = if stored.planar {
        bytes
    } else {
        packed_row * height
    };
    let layout = decoder.image_buffer_layout().map_err(fail)?;
    let given = if stored.planar {
        layout.complete_len
    } else {
        layout.len
    };
    if given != want {
        return Err(source.damaged("its tags contradict each other"));
    }
    let mut data = zeroed(want, "the picture")?;
    decoder.read_image_bytes(&mut data).map_err(fail)?;
    if stored.ycbcr {
        data.chunks_exact_mut(3).for_each(to_rgb);
    }
    if stored.planar {
        return interleaved(&data, stored.layout.channels(), stored.depth.bytes());
    }
    if stored.bits < 8 {
        return widened(&data, stored.bits, width, height, packed_row);
    }
    Ok(data)
}

/// JFIF's luma and chroma → RGB (ITU-T T.871, section 7).
fn to_rgb(pixel: &mut [u8]) {
    if let [a, b, c] = pixel {
        let (y, cb, cr) = (f32::from(*a), f32::from(*b) - 128.0, f32::from(*c) - 128.0);
        let byte = |v: f32| v.round().clamp(0.0, 255.0) as u8;
        *a = byte(y + 1.402 * cr);
        *b = byte(y - 0.344_136_3 * cb - 0.714_136_3 * cr);
        *c = byte(y + 1.772 * cb);
    }
}

/// One plane after the other → pixel after pixel.
fn interleaved(planes: &[u8], channels: usize, sample: usize) -> Result<Vec<u8>> {
    let mut data = zeroed(planes.len(), "the picture")?;
    let plane = planes.len() / channels;
    for (c, samples) in planes.chunks_exact(plane.max(1)).enumerate() {
        let to = data.chunks_exact_mut(channels * sample);
        for (pixel, value) in to.zip(samples.chunks_exact(sample)) {
            pixel[c * sample..(c + 1) * sample].copy_from_slice(value);
        }
    }
    Ok(data)
}

/// Samples of 1, 2 or 4 bits → bytes of the full range.
fn widened(packed: &[u8], bits: u32, width: usize, height: usize, row: usize) -> Result<Vec<u8>> {
    let mut data = mend::memory::with_capacity(width * height, "the picture")?;
    let largest = (1u32 << bits) - 1;
    let each = (8 / bits) as usize;
    for line in packed.chunks_exact(row.max(1)) {
        for x in 0..width {
            let shift = 8 - bits * (1 + (x % each) as u32);
            let value = u32::from(line[x / each]) >> shift & largest;
            data.push((value * 255 / largest) as u8);
        }
    }
    Ok(data)
}

/// A file of several pictures would lose all but the first; smaller versions of the first are no
/// loss.
fn refuse_pages<R: Read + Seek>(
    source: &Source<'_>,
    decoder: &mut Decoder<R>,
    picture: &mut Picture,
) -> Result<()> {
    let (mut pages, mut previews) = (1, 0);
    while decoder.more_images() && pages + previews < 1000 {
        if decoder.next_image().is_err() {
            // A page that cannot be read is a page all the same.
            pages += 1;
            break;
        }
        let kind = decoder
            .find_tag_unsigned::<u32>(Tag::NewSubfileType)
            .ok()
            .flatten()
            .unwrap_or(0);
        // Bit 0: a reduced version; bit 2: a mask of another page.
        if kind & 1 == 1 {
            previews += 1;
        } else {
            pages += 1;
        }
    }
    if pages > 1 {
        return Err(source.unsupported(format!(
            "has {pages} pages, and Mend fills single pictures: split it first"
        )));
    }
    if previews > 0 {
        picture.notes.push(format!(
            "{} holds smaller versions of its picture, which show what was there; they are left out",
            source.path.display()
        ));
    }
    Ok(())
}

fn decode_error(source: &Source<'_>, error: TiffError) -> Error {
    match error {
        TiffError::IoError(e) => source.io(&e),
        TiffError::LimitsExceeded => source.error(
            ErrorKind::Image,
            "asks for more memory than its pixels can need: it looks like a decompression bomb",
        ),
        TiffError::UnsupportedError(e) => source.unsupported(format!(
            "is a kind of TIFF that Mend cannot read ({e}): save it uncompressed or with Deflate \
             first"
        )),
        e => source.damaged(e),
    }
}

/// A directory's tags, and the numbers of those that cannot be read.
fn directory(mut ifd: IfdDecoder<'_>) -> (Vec<Entry>, Vec<u16>) {
    let list: Vec<_> = ifd.directory().iter().map(|(tag, _)| tag).collect();
    let (mut entries, mut unreadable) = (Vec::new(), Vec::new());
    let mut room = TAG_BYTES;
    for tag in list {
        let mut value = ValueBuffer::empty(Type::BYTE);
        // Strips' offsets may be many and are not wanted.
        if [273, 279, 324, 325].contains(&tag.to_u16()) {
            continue;
        }
        if !matches!(ifd.find_tag_buf(tag, &mut value), Ok(Some(_))) {
            unreadable.push(tag.to_u16());
            continue;
        }
        value.set_byte_order(ByteOrder::LittleEndian);
        let (Some(left), Ok(count)) = (
            room.checked_sub(value.as_bytes().len()),
            u32::try_from(value.count()),
        ) else {
            unreadable.push(tag.to_u16());
            continue;
        };
        room = left;
        entries.push(Entry {
            tag: tag.to_u16(),
            kind: value.data_type().to_u16(),
            count,
            data: value.as_bytes().to_vec(),
        });
    }
    (entries, unreadable)
}

/// An entry's whole numbers.
fn numbers(e: &Entry) -> Option<Vec<u32>> {
    match e.kind {
        1 => Some(e.data.iter().map(|b| u32::from(*b)).collect()),
        3 => Some(
            e.data
                .chunks_exact(2)
                .map(|b| u32::from(u16::from_le_bytes([b[0], b[1]])))
                .collect(),
        ),
        4 | 13 => Some(
            e.data
                .chunks_exact(4)
                .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
        ),
        _ => None,
    }
}

fn first_number(tags: &[Entry], tag: u16) -> Option<u32> {
    numbers(tags.iter().find(|e| e.tag == tag)?)?
        .first()
        .copied()
}
