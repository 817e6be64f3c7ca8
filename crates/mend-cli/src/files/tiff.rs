//! TIFF, read: tags through the `tiff` crate and kept for the way back, pixels by [`tiff_pixels`].
//!
//! Source: TIFF 6.0 (1992), sections 2 and 8.
#![forbid(unsafe_code)]

use super::carry::{Carry, TiffCarry};
use super::dropped::Dropped;
use super::exif::{self, Entry, Tree};
use super::exif_tags::{self, Fate};
use super::tiff_chunks;
use super::tiff_entries::{first_number, numbers, offsets};
use super::tiff_pixels::{self, Pixels};
use super::tiff_stored::{Colours, Stored};
use super::{Kind, Picture, Source, Want, photoshop, zeroed};
use mend::pixels::{Depth, PixelFormat};
use mend::{Error, ErrorKind, Result};
use std::io::{Read, Seek};
use tiff::TiffError;
use tiff::decoder::{Decoder, IfdDecoder, Limits};
use tiff::tags::{ByteOrder, IfdPointer, Tag, Type, ValueBuffer};

/// Bytes that a tag's value may take: profiles and makers' notes stay far below.
const TAG_BYTES: usize = 64 << 20;
const ICC: u16 = 34675;
const XMP: u16 = 700;
const IPTC: u16 = 33723;
const PHOTOSHOP_RESOURCES: u16 = 34377;
const SUB_DIRECTORIES: u16 = 330;
/// Fax, group 4.
const FAX: u32 = 4;
/// A sensor's mosaic, and colours that its maker's program has yet to develop.
const RAW_COLOURS: &[u32] = &[32803, 34892];
/// Nikon's, Pentax's, Samsung's, Sony's, Kodak's.
const RAW_COMPRESSIONS: &[u32] = &[32767, 32769, 32770, 32772, 34713, 34892, 65000, 65535];
/// DNG's version, a mosaic's pattern, Canon's and Panasonic's raw data.
const RAW_TAGS: &[u16] = &[50706, 33421, 33422, 50752, 0xc5d8, 0xc6c5, 0xc6dc];

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
    refuse_raw(source, &mut decoder, &tags)?;
    let stored = Stored::of(source, &tags)?;
    refuse_compression(source, &stored)?;
    let mut format = PixelFormat::new(stored.layout, stored.depth);
    format.premultiplied = stored.alpha.is_some_and(|(_, premultiplied)| premultiplied);
    format.linear = matches!(stored.depth, Depth::F16 | Depth::F32);
    let bytes = source.admit(width, height, format.bytes())?;
    let mut picture = Picture::new(Kind::Tiff, width, height, format, Vec::new());
    picture.reading = stored.bytes_beside(width, height);
    tell(source, &stored, &unreadable, &mut picture);
    picture.meta.exif = exif::build(&tree(&mut decoder, &tags));
    let blob = |tag: u16| tags.iter().find(|e| e.tag == tag).map(|e| e.data.clone());
    picture.meta.icc = blob(ICC);
    picture.meta.xmp = blob(XMP);
    let mut others = Vec::new();
    if want == Want::Pixels {
        let icc = picture.meta.icc.as_deref();
        let decoded = decoded(source, &mut decoder, &stored, &tags, icc)?;
        if decoded.data.len() != bytes {
            return Err(source.damaged("its tags contradict each other"));
        }
        (picture.data, others) = (decoded.data, decoded.others);
        let name = source.path.display();
        let notes = decoded.notes.iter().map(|what| format!("{name} {what}"));
        picture.notes.extend(notes);
    }
    if stored.colours == Colours::Cmyk {
        // It is not for what the picture has become.
        picture.meta.icc = None;
    }
    refuse_pages(source, &mut decoder, &mut picture)?;
    let tags = tags.into_iter();
    let dropped = &mut picture.dropped;
    picture.carry = Carry::Tiff(Box::new(TiffCarry {
        compressed: stored.compression != 1,
        others: (
            stored.others.iter().map(|(_, kind)| *kind).collect(),
            others,
        ),
        tags: tags.filter_map(|e| sifted(e, dropped)).collect(),
    }));
    Ok(picture)
}

/// Whether it is a fax's page, which `tiff` decodes.
fn is_fax(stored: &Stored) -> bool {
    stored.compression == FAX && stored.bits == 1 && stored.samples == 1
}

fn refuse_compression(source: &Source<'_>, stored: &Stored) -> Result<()> {
    if tiff_chunks::knows(stored.compression) || is_fax(stored) {
        return Ok(());
    }
    Err(source.unsupported(format!(
        "is compressed in a way that is not supported ({}): save it again with Deflate or LZW first",
        tiff_chunks::compression_name(stored.compression)
    )))
}

/// What the user should know of how the picture is read.
fn tell(source: &Source<'_>, stored: &Stored, unreadable: &[u16], picture: &mut Picture) {
    let name = source.path.display();
    if stored.colours == Colours::Palette {
        picture.notes.push(format!(
            "{name} has a palette; the fill may need other colours, so the output is RGB"
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
    // JPEG of both kinds and WebP.
    picture.lossy = [6, 7, 50001].contains(&stored.compression);
    if picture.lossy {
        picture.notes.push(format!(
            "{name} is compressed with loss inside; a TIFF is written without loss"
        ));
    }
}

/// The describing tags, with the directories that they point at.
fn tree<R: Read + Seek>(decoder: &mut Decoder<R>, tags: &[Entry]) -> Tree {
    let mut sub = |tag| -> Vec<Entry> {
        let pointer = tags.iter().find(|e| e.tag == tag).and_then(offsets);
        match pointer.as_deref() {
            Some([at, ..]) => directory_at(decoder, *at),
            _ => Vec::new(),
        }
    };
    let main = tags.iter().filter(|e| exif_tags::is_descriptive(e.tag));
    Tree {
        main: main.cloned().collect(),
        exif: sub(exif::EXIF_IFD),
        gps: sub(exif::GPS_IFD),
        ..Tree::default()
    }
}

fn decoded<R: Read + Seek>(
    source: &Source<'_>,
    decoder: &mut Decoder<R>,
    stored: &Stored,
    tags: &[Entry],
    icc: Option<&[u8]>,
) -> Result<Pixels> {
    let (width, height) = decoder.dimensions().map_err(|e| decode_error(source, e))?;
    if is_fax(stored) {
        return Ok(Pixels {
            data: fax_pixels(source, decoder, width, height)?,
            ..Pixels::default()
        });
    }
    let little = decoder.byte_order() == ByteOrder::LittleEndian;
    let found = (
        offset_list(source, decoder, [324, 273])?,
        offset_list(source, decoder, [325, 279])?,
    );
    let chunks = stored.chunks(source, tags, (width, height), little, found)?;
    let palette = tags.iter().find(|e| e.tag == 320).and_then(numbers);
    let palette: Vec<_> = palette.iter().flatten().map(|v| *v as u16).collect();
    tiff_pixels::pixels(source, stored, &chunks, &palette, icc)
}

/// A tag as it goes on, if it does.
fn sifted(mut e: Entry, dropped: &mut Dropped) -> Option<Entry> {
    match e.tag {
        // These go along by themselves.
        ICC | XMP => return None,
        PHOTOSHOP_RESOURCES => e.data = photoshop::cleaned(&e.data, dropped),
        IPTC => {
            // Some writers call its bytes numbers, which readers then turn round.
            if e.kind == 4 && e.data.first() != Some(&0x1c) {
                e.data.chunks_exact_mut(4).for_each(<[u8]>::reverse);
            }
            e.data = photoshop::iptc(&e.data, dropped);
        }
        _ => {
            let fate = exif_tags::of_tiff(&e);
            if let Fate::Dropped(what) = fate {
                dropped.tag(what, e.tag);
            }
            return (fate == Fate::Kept && ![16, 17, 18].contains(&e.kind)).then_some(e);
        }
    }
    (e.kind, e.count) = (7, e.data.len() as u32);
    (e.count > 0).then_some(e)
}

/// The pixels of a fax page, black and white, as bytes.
fn fax_pixels<R: Read + Seek>(
    source: &Source<'_>,
    decoder: &mut Decoder<R>,
    width: u32,
    height: u32,
) -> Result<Vec<u8>> {
    let fail = |e: TiffError| decode_error(source, e);
    let (width, height) = (width as usize, height as usize);
    let row = width.div_ceil(8);
    if decoder.image_buffer_layout().map_err(fail)?.len != row * height {
        return Err(source.damaged("its tags contradict each other"));
    }
    let mut packed = zeroed(row * height, "the picture")?;
    decoder.read_image_bytes(&mut packed).map_err(fail)?;
    let mut data = mend_infer::memory::with_capacity(width * height, "the picture")?;
    for line in packed.chunks_exact(row.max(1)) {
        data.extend((0..width).map(|x| 255 * (line[x / 8] >> (7 - x % 8) & 1)));
    }
    Ok(data)
}

/// The numbers of the first of `tags` that is there: offsets or lengths of chunks.
fn offset_list<R: Read + Seek>(
    source: &Source<'_>,
    decoder: &mut Decoder<R>,
    tags: [u16; 2],
) -> Result<Vec<u64>> {
    for tag in tags {
        let found = decoder.find_tag_unsigned_vec(Tag::from_u16_exhaustive(tag));
        if let Some(list) = found.map_err(|e| decode_error(source, e))? {
            return Ok(list);
        }
    }
    Ok(Vec::new())
}

/// The tags of the directory at `at`; none if there is no such directory.
fn directory_at<R: Read + Seek>(decoder: &mut Decoder<R>, at: u64) -> Vec<Entry> {
    match decoder.read_directory(IfdPointer(at)) {
        Ok(dir) => directory(decoder.read_directory_tags(&dir)).0,
        Err(_) => Vec::new(),
    }
}

/// A camera's raw file has a TIFF's form: a small picture comes first, the sensor's data stands in a
/// directory below. Also another file whose first picture is only a small version is refused: the
/// large one would be lost.
fn refuse_raw<R: Read + Seek>(
    source: &Source<'_>,
    decoder: &mut Decoder<R>,
    tags: &[Entry],
) -> Result<()> {
    let below: Vec<_> = tags
        .iter()
        .find(|e| e.tag == SUB_DIRECTORIES)
        .and_then(offsets)
        .unwrap_or_default();
    // No camera writes as many.
    let below: Vec<_> = below
        .into_iter()
        .take(16)
        .map(|at| directory_at(decoder, at))
        .collect();
    let sensor = |tags: &[Entry]| {
        let colours = first_number(tags, 262);
        let compression = first_number(tags, 259);
        colours.is_some_and(|c| RAW_COLOURS.contains(&c))
            || compression.is_some_and(|c| RAW_COMPRESSIONS.contains(&c))
            || tags.iter().any(|e| RAW_TAGS.contains(&e.tag))
    };
    if sensor(tags) || below.iter().any(|tags| sensor(tags)) {
        return Err(super::foreign::RAW.refusal(source));
    }
    if first_number(tags, 254).is_some_and(|kind| kind & 1 == 1) {
        return Err(source.unsupported(
            "begins with a small version of a picture that is elsewhere in it, which is not \
             supported: save it again as a plain TIFF first",
        ));
    }
    Ok(())
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
