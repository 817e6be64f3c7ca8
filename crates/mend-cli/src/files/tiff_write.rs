//! TIFF, written: strips, uncompressed or Deflate with horizontal differences, and the tags.
#![forbid(unsafe_code)]

use super::carry::Carry;
use super::density::{Density, INCH};
use super::exif::{self, Entry};
use super::exif_tags;

use super::{Output, Picture, encode_error};
use flate2::write::ZlibEncoder;
use mend::pixels::{Depth, Layout};
use mend::{Error, Result};
use std::collections::BTreeMap;
use std::io::Write;
use tiff::TiffError;
use tiff::encoder::{DirectoryEncoder, TiffEncoder, TiffKind, TiffKindBig, TiffKindStandard};
use tiff::tags::{Tag, Type};

/// Bytes of a strip before compression, about.
const STRIP: usize = 256 << 10;
/// Pixel bytes from which 32-bit offsets might not do.
const BIG: usize = 0xf000_0000;

/// Writes a TIFF.
pub fn write(picture: &mut Picture, out: &mut dyn Output) -> Result<()> {
    if picture.data.len() < BIG {
        write_as::<TiffKindStandard>(picture, out)
    } else {
        write_as::<TiffKindBig>(picture, out)
    }
}

fn fail(error: TiffError) -> Error {
    match error {
        TiffError::IoError(e) => encode_error("TIFF", e),
        e => encode_error("TIFF", e),
    }
}

/// What a file's samples are and how they are stored.
struct Samples {
    compressed: bool,
    float: bool,
    gray: bool,
    /// The kind of each channel that is no colour, in the tag's numbers; transparency is the first.
    extra: Vec<u16>,
    /// Of each channel that is neither colour nor transparency, which go along.
    others: Vec<u8>,
    /// Bytes of a pixel, and those of its colours and transparency.
    pixel: usize,
    plain: usize,
    /// Channels.
    count: usize,
    depth: Depth,
}

impl Samples {
    /// Of a picture, whose other channels are taken from it.
    fn take(picture: &mut Picture) -> Result<Self> {
        let format = &picture.format;
        let (gray, alpha) = match format.layout {
            Layout::Gray => (true, false),
            Layout::GrayA => (true, true),
            Layout::Rgb => (false, false),
            Layout::Rgba => (false, true),
            other => return Err(encode_error("TIFF", format!("it has no layout {other:?}"))),
        };
        let (compressed, (kinds, others)) = match &mut picture.carry {
            Carry::Tiff(c) => (c.compressed, std::mem::take(&mut c.others)),
            _ => (true, Default::default()),
        };
        let count = format.layout.channels() + kinds.len();
        let transparency = alpha.then_some(if format.premultiplied { 1 } else { 2 });
        Ok(Self {
            compressed,
            float: matches!(format.depth, Depth::F16 | Depth::F32),
            gray,
            extra: transparency.into_iter().chain(kinds).collect(),
            others,
            pixel: count * format.depth.bytes(),
            plain: format.bytes(),
            count,
            depth: format.depth,
        })
    }

    /// Whether samples are stored as differences.
    fn differences(&self) -> bool {
        self.compressed && !self.float
    }
}

fn write_as<K: TiffKind>(picture: &mut Picture, out: &mut dyn Output) -> Result<()> {
    let samples = Samples::take(picture)?;
    let mut encoder = TiffEncoder::<_, K>::new_generic(&mut *out).map_err(fail)?;
    // Directories that the main one points at come first.
    let tree = picture.meta.exif.as_deref().and_then(exif::parse);
    let tree = tree.unwrap_or_default().into_little();
    let mut pointers = Vec::new();
    for (tag, entries) in [(exif::EXIF_IFD, &tree.exif), (exif::GPS_IFD, &tree.gps)] {
        if !entries.is_empty() {
            let mut dir = encoder.extra_directory().map_err(fail)?;
            for e in entries {
                put(&mut dir, e)?;
            }
            let at = dir.finish_with_offsets().map_err(fail)?;
            pointers.push((tag, at.pointer.0));
        }
    }
    let mut dir = encoder.image_directory().map_err(fail)?;
    let row = picture.width as usize * samples.pixel;
    let rows = (STRIP / row.max(1)).clamp(1, picture.height as usize);
    let [offsets, lengths] = strips(picture, &samples, rows, &mut dir)?;
    for e in tags(picture, &tree.main).values() {
        put(&mut dir, e)?;
    }
    // The pointers are plain numbers to this file's own directories.
    for (tag, at) in pointers {
        let at = K::convert_offset(at).map_err(fail)?;
        dir.write_tag(Tag::from_u16_exhaustive(tag), at)
            .map_err(fail)?;
    }
    describe(picture, &samples, rows, &mut dir)?;
    dir.write_tag(Tag::StripOffsets, K::convert_slice(&offsets))
        .map_err(fail)?;
    dir.write_tag(Tag::StripByteCounts, K::convert_slice(&lengths))
        .map_err(fail)?;
    dir.finish().map_err(fail)
}

/// Numbers as wide as the file's offsets.
type Offsets<K> = Vec<<K as TiffKind>::OffsetType>;

type Directory<'a, 'o, K> = DirectoryEncoder<'a, &'o mut dyn Output, K>;

/// Writes the pixels in strips of so many rows; gives where each lies and how long it is.
fn strips<K: TiffKind>(
    picture: &mut Picture,
    samples: &Samples,
    rows: usize,
    dir: &mut Directory<'_, '_, K>,
) -> Result<[Offsets<K>; 2]> {
    let width = picture.width as usize;
    let each = samples.pixel - samples.plain;
    let (mut offsets, mut lengths) = (Vec::new(), Vec::new());
    let whole = rows * width * samples.plain;
    for (i, strip) in picture.data.chunks_mut(whole).enumerate() {
        let mut joined = Vec::new();
        let strip = match each {
            0 => strip,
            _ => {
                let from = (rows * width * each * i).min(samples.others.len());
                let others = (&samples.others[from..], each);
                join((strip, samples.plain), others, &mut joined);
                &mut joined
            }
        };
        if samples.differences() {
            for line in strip.chunks_exact_mut(width * samples.pixel) {
                difference(line, samples.count, samples.depth);
            }
        }
        let (at, len) = if samples.compressed {
            let mut z = ZlibEncoder::new(Vec::new(), flate2::Compression::new(4));
            let packed = z.write_all(strip).and_then(|()| z.finish());
            let packed = packed.map_err(|e| encode_error("TIFF", e))?;
            let at = dir.write_data(&packed[..]).map_err(fail)?;
            (at, packed.len())
        } else {
            let at = dir.write_data(&*strip).map_err(fail)?;
            (at, strip.len())
        };
        offsets.push(K::convert_offset(at).map_err(fail)?);
        lengths.push(K::convert_offset(len as u64).map_err(fail)?);
    }
    Ok([offsets, lengths])
}

/// Writes the tags without which no reader knows the pixels.
fn describe<K: TiffKind>(
    picture: &Picture,
    samples: &Samples,
    rows: usize,
    dir: &mut Directory<'_, '_, K>,
) -> Result<()> {
    for (tag, value) in [
        (Tag::ImageWidth, picture.width),
        (Tag::ImageLength, picture.height),
        (Tag::RowsPerStrip, rows as u32),
    ] {
        dir.write_tag(tag, value).map_err(fail)?;
    }
    for (tag, value) in [
        (Tag::BitsPerSample, (samples.depth.bytes() * 8) as u16),
        (Tag::SampleFormat, if samples.float { 3 } else { 1 }),
    ] {
        let each = vec![value; samples.count];
        dir.write_tag(tag, &each[..]).map_err(fail)?;
    }
    for (tag, value) in [
        (Tag::Compression, if samples.compressed { 8 } else { 1 }),
        (
            Tag::PhotometricInterpretation,
            if samples.gray { 1 } else { 2 },
        ),
        (Tag::SamplesPerPixel, samples.count as u16),
        (Tag::PlanarConfiguration, 1u16),
    ] {
        dir.write_tag(tag, value).map_err(fail)?;
    }
    if samples.differences() {
        dir.write_tag(Tag::Predictor, 2u16).map_err(fail)?;
    }
    if !samples.extra.is_empty() {
        dir.write_tag(Tag::ExtraSamples, &samples.extra[..])
            .map_err(fail)?;
    }
    Ok(())
}

/// Puts the samples of other channels behind those of each pixel. Beside each, its bytes a pixel.
fn join((strip, pixel): (&[u8], usize), (others, each): (&[u8], usize), joined: &mut Vec<u8>) {
    for (pixel, other) in strip.chunks_exact(pixel).zip(others.chunks_exact(each)) {
        joined.extend_from_slice(pixel);
        joined.extend_from_slice(other);
    }
}

/// The describing tags: a TIFF's own, else those of the EXIF; with profile, XMP and resolution.
fn tags(picture: &Picture, main: &[Entry]) -> BTreeMap<u16, Entry> {
    let mut tags: BTreeMap<u16, Entry> = BTreeMap::new();
    match &picture.carry {
        Carry::Tiff(c) => tags.extend(c.tags.iter().map(|e| (e.tag, e.clone()))),
        _ => {
            let descriptive = main.iter().filter(|e| exif_tags::is_descriptive(e.tag));
            tags.extend(descriptive.map(|e| (e.tag, e.clone())));
            // The file's own resolution is what its format's readers see: it wins over EXIF's.
            if let Some(density) = picture.meta.density {
                let (x, y, unit) = match density {
                    Density::PerMetre(x, y) => (x * INCH, y * INCH, 2u16),
                    Density::Aspect(x, y) => (x, y, 1),
                };
                for (tag, v) in [(282, x), (283, y)] {
                    // Thousandths keep what any format stores.
                    let n = (v * 1000.0).round().clamp(1.0, f64::from(u32::MAX)) as u32;
                    tags.insert(
                        tag,
                        entry(tag, 5, 1, [n, 1000].map(u32::to_le_bytes).concat()),
                    );
                }
                tags.insert(296, entry(296, 3, 1, unit.to_le_bytes().to_vec()));
            }
        }
    }
    for (tag, kind, data) in [(700, 1, &picture.meta.xmp), (34675, 7, &picture.meta.icc)] {
        if let Some(data) = data {
            tags.insert(tag, entry(tag, kind, data.len() as u32, data.clone()));
        }
    }
    tags
}

fn entry(tag: u16, kind: u16, count: u32, data: Vec<u8>) -> Entry {
    Entry {
        tag,
        kind,
        count,
        data,
    }
}

/// Adds a tag with its bytes as they are.
fn put<K: TiffKind>(dir: &mut Directory<'_, '_, K>, e: &Entry) -> Result<()> {
    let Some(kind) = Type::from_u16(e.kind) else {
        return Ok(());
    };
    let mut data = e.data.clone();
    if cfg!(target_endian = "big") {
        let unit = exif::unit(e.kind);
        for number in data.chunks_exact_mut(unit) {
            number.reverse();
        }
    }
    let value = dir.write_entry_bytes(kind, &data).map_err(fail)?;
    let mut one = tiff::Directory::empty();
    one.extend([(Tag::from_u16_exhaustive(e.tag), value)]);
    dir.extend_from(&one);
    Ok(())
}

/// Replaces each sample by its difference from the one to its left (TIFF 6.0, section 14).
fn difference(line: &mut [u8], samples: usize, depth: Depth) {
    match depth {
        Depth::U16 => {
            let sample = |l: &[u8], i: usize| u16::from_ne_bytes([l[2 * i], l[2 * i + 1]]);
            for i in (samples..line.len() / 2).rev() {
                let d = sample(line, i).wrapping_sub(sample(line, i - samples));
                line[2 * i..2 * i + 2].copy_from_slice(&d.to_ne_bytes());
            }
        }
        _ => {
            for i in (samples..line.len()).rev() {
                line[i] = line[i].wrapping_sub(line[i - samples]);
            }
        }
    }
}
