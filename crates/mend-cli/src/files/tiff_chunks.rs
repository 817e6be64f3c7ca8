//! TIFF's strips and tiles, in one plane or several, put together into samples.
//!
//! The `tiff` crate reads the tags; its own way from chunks to pixels fails on tiles in separate
//! planes (image-tiff, issue 403), knows no palettes, and takes what is missing for black.
//!
//! Source: TIFF 6.0 (1992), sections 3, 7, 9, 13, 14, 15; Adobe Photoshop TIFF Technical Notes (2002)
//! for Deflate; TIFF Technical Note 2 for JPEG, 3 for the float predictor.
#![forbid(unsafe_code)]

use super::jpeg_pixels::{self, Colour};
use super::{Source, jpeg_markers, zeroed};
use mend::{ErrorKind, Result};
use std::io::{Read, Seek, SeekFrom};

/// How samples are stored.
#[derive(Clone, Debug)]
pub struct Chunks {
    pub width: usize,
    pub height: usize,
    /// Samples of a pixel.
    pub samples: usize,
    /// Bits of a sample: 1–16, 32 or 64.
    pub bits: usize,
    pub little_endian: bool,
    /// Each sample in a plane of its own.
    pub planar: bool,
    /// Width and height of a tile, or the picture's width and the rows of a strip.
    pub size: (usize, usize),
    pub tiled: bool,
    pub offsets: Vec<u64>,
    /// Empty where the file does not say.
    pub lengths: Vec<u64>,
    pub compression: u32,
    /// 1: none, 2: differences, 3: differences of floats' bytes.
    pub predictor: u32,
    /// Bits of each byte in reverse order.
    pub reversed: bool,
    /// Tables that JPEG chunks have in common.
    pub jpeg_tables: Vec<u8>,
    /// What JPEG chunks hold.
    pub jpeg_colour: Colour,
}

/// The compressions that are read here.
pub const NONE: u32 = 1;
const LZW: u32 = 5;
pub const JPEG: u32 = 7;
const DEFLATE: u32 = 8;
const OLD_DEFLATE: u32 = 32946;
const PACKBITS: u32 = 32773;
const ZSTD: u32 = 50000;

/// Whether chunks of this compression can be read here.
pub fn knows(compression: u32) -> bool {
    let all = [NONE, LZW, JPEG, DEFLATE, OLD_DEFLATE, PACKBITS, ZSTD];
    all.contains(&compression)
}

/// Whether a predictor counts with this compression; with others the tag means nothing.
pub fn predicts(compression: u32) -> bool {
    [LZW, DEFLATE, OLD_DEFLATE, ZSTD].contains(&compression)
}

/// The usual name of a compression, for messages.
pub fn compression_name(compression: u32) -> String {
    match compression {
        2 => "CCITT run lengths".into(),
        3 => "fax, group 3".into(),
        4 => "fax, group 4".into(),
        6 => "JPEG of the old kind".into(),
        34712 => "JPEG 2000".into(),
        34713 => "Nikon's compression".into(),
        34887 => "LERC".into(),
        34925 => "LZMA".into(),
        50001 => "WebP".into(),
        50002 | 52546 => "JPEG XL".into(),
        other => format!("number {other}"),
    }
}

impl Chunks {
    /// Bytes that a sample takes in [`Chunks::read`]'s answer.
    pub fn sample_bytes(&self) -> usize {
        self.bits.div_ceil(8).next_power_of_two()
    }

    /// Samples that stand next to each other in a chunk.
    fn together(&self) -> usize {
        if self.planar { 1 } else { self.samples }
    }

    /// All samples, pixel after pixel, each in the machine's byte order and as large as the file has
    /// it; those below a byte, and between one and two, at the low end of theirs. Besides, how many
    /// chunks the file leaves out: their samples are 0.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Image`] for a file that is damaged or ends too early,
    /// [`ErrorKind::Unsupported`], [`ErrorKind::Memory`], [`ErrorKind::Cancelled`].
    pub fn read(&self, source: &Source<'_>) -> Result<(Vec<u8>, usize)> {
        let (across, down) = (
            self.width.div_ceil(self.size.0),
            self.height.div_ceil(self.size.1),
        );
        let planes = if self.planar { self.samples } else { 1 };
        if self.offsets.len() < across * down * planes
            || !self.lengths.is_empty() && self.lengths.len() < across * down * planes
        {
            return Err(source.damaged("it has fewer strips or tiles than its size asks for"));
        }
        let bytes = self.width * self.height * self.samples * self.sample_bytes();
        let mut picture = zeroed(bytes, "the picture")?;
        let mut file = source.reader()?;
        let mut left_out = 0;
        for plane in 0..planes {
            for y in 0..down {
                for x in 0..across {
                    source.cancel.check()?;
                    let chunk =
                        self.chunk(source, &mut file, (plane * down + y) * across + x, y)?;
                    match chunk {
                        Some(chunk) => self.place(&chunk, plane, (x, y), &mut picture),
                        None => left_out += 1,
                    }
                }
            }
        }
        Ok((picture, left_out))
    }

    /// Rows that a chunk in row `y` of chunks has. The last strip may be shorter; a tile is whole.
    fn rows(&self, y: usize) -> usize {
        if self.tiled {
            self.size.1
        } else {
            self.size.1.min(self.height - y * self.size.1)
        }
    }

    /// Bytes of a chunk's row.
    fn row_bytes(&self) -> usize {
        (self.size.0 * self.together() * self.bits).div_ceil(8)
    }

    /// The samples of chunk `index`, which lies in row `y` of chunks, each in the machine's byte
    /// order, with its differences summed up.
    fn chunk(
        &self,
        source: &Source<'_>,
        file: &mut (impl Read + Seek),
        index: usize,
        y: usize,
    ) -> Result<Option<Vec<u8>>> {
        let (at, want) = (self.offsets[index], self.row_bytes() * self.rows(y));
        let length = match self.lengths.get(index) {
            // Some writers give too small a number for what is not compressed.
            Some(length) if self.compression != NONE => *length,
            Some(0) => 0,
            _ => want as u64,
        };
        if at == 0 || length == 0 {
            return Ok(None);
        }
        if length > source.max_bytes {
            return Err(source.damaged("a strip or tile is larger than any picture may be"));
        }
        let mut stored = Vec::new();
        file.seek(SeekFrom::Start(at))
            .and_then(|_| file.take(length).read_to_end(&mut stored))
            .map_err(|e| source.io(&e))?;
        if self.reversed && self.compression != JPEG {
            stored.iter_mut().for_each(|b| *b = b.reverse_bits());
        }
        let short = (stored.len() as u64) < length;
        let mut data = match self.compression {
            NONE => stored,
            JPEG => return self.jpeg(source, &stored, y).map(Some),
            _ => unpacked(self.compression, &stored, want, source)?,
        };
        if data.len() < want {
            return Err(if short {
                source.truncated()
            } else {
                source.damaged("a strip or tile holds less than its size asks for")
            });
        }
        data.truncate(want);
        for row in data.chunks_exact_mut(self.row_bytes().max(1)) {
            self.restore(row);
        }
        Ok(Some(data))
    }

    /// A row of a chunk as the machine holds it, and without differences.
    fn restore(&self, row: &mut [u8]) {
        let together = self.together();
        if self.predictor == 3 {
            return sum_floats(row, together, self.bits / 8);
        }
        let whole = self.bits.is_multiple_of(8);
        if whole && self.little_endian != cfg!(target_endian = "little") {
            row.chunks_exact_mut(self.bits / 8)
                .for_each(<[u8]>::reverse);
        }
        if self.predictor == 2 && whole {
            sum(row, together * self.bits / 8, self.bits / 8);
        }
    }

    /// A chunk that is a JPEG. The tables that all have in common stand before its own.
    fn jpeg(&self, source: &Source<'_>, stored: &[u8], y: usize) -> Result<Vec<u8>> {
        let mut file = match self.jpeg_tables.strip_suffix(&[0xff, 0xd9]) {
            Some(tables) if stored.starts_with(&[0xff, 0xd8]) => tables.to_vec(),
            _ => vec![0xff, 0xd8],
        };
        file.extend_from_slice(stored.get(2..).unwrap_or_default());
        let markers = jpeg_markers::parse(&file)
            .map_err(|_| source.damaged("a strip or tile is not a complete JPEG"))?;
        let (width, rows) = (usize::from(markers.width), usize::from(markers.height));
        if width != self.size.0
            || rows < self.rows(y).min(self.height - y * self.size.1)
            || markers.components.len() != self.together()
        {
            return Err(source.damaged("a strip or tile is a JPEG of another size"));
        }
        source.admit(width as u32, rows as u32, self.together())?;
        let way = jpeg_pixels::way(source, &markers, self.jpeg_colour)?;
        let (data, lack) = jpeg_pixels::decode(source, file, &markers, (way, self.jpeg_colour))?;
        match lack {
            None => Ok(data),
            Some(lack) => Err(source.damaged(format!("a strip or tile {lack}"))),
        }
    }

    /// Puts a chunk's samples into the picture.
    fn place(&self, chunk: &[u8], plane: usize, (x, y): (usize, usize), picture: &mut [u8]) {
        let (size, together) = (self.sample_bytes(), self.together());
        let (left, top) = (x * self.size.0, y * self.size.1);
        let columns = self.size.0.min(self.width - left);
        let rows = self.size.1.min(self.height - top);
        let line = self.width * self.samples * size;
        for (i, row) in chunk.chunks_exact(self.row_bytes()).take(rows).enumerate() {
            let start = (top + i) * line + left * self.samples * size;
            let out = &mut picture[start..start + columns * self.samples * size];
            if !self.bits.is_multiple_of(8) {
                for (k, value) in Unpacker::new(row, self.bits)
                    .take(columns * together)
                    .enumerate()
                {
                    let at = (k / together * self.samples + k % together + plane) * size;
                    out[at..at + size].copy_from_slice(&value.to_ne_bytes()[..size]);
                    if size == 1 {
                        out[at] = value as u8;
                    }
                }
            } else if self.planar {
                let to = out.chunks_exact_mut(self.samples * size);
                for (pixel, value) in to.zip(row.chunks_exact(size)) {
                    pixel[plane * size..(plane + 1) * size].copy_from_slice(value);
                }
            } else {
                out.copy_from_slice(&row[..out.len()]);
            }
        }
    }
}

/// Numbers of up to 16 bits, the first at the high end of a byte.
struct Unpacker<'a> {
    bytes: std::slice::Iter<'a, u8>,
    held: u32,
    count: usize,
    bits: usize,
}

impl<'a> Unpacker<'a> {
    fn new(row: &'a [u8], bits: usize) -> Self {
        Self {
            bytes: row.iter(),
            held: 0,
            count: 0,
            bits,
        }
    }
}

impl Iterator for Unpacker<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        while self.count < self.bits {
            self.held = self.held << 8 | u32::from(*self.bytes.next()?);
            self.count += 8;
        }
        self.count -= self.bits;
        Some((self.held >> self.count & ((1 << self.bits) - 1)) as u16)
    }
}

/// Decompresses a chunk, as far as `want` bytes.
fn unpacked(compression: u32, stored: &[u8], want: usize, source: &Source<'_>) -> Result<Vec<u8>> {
    let mut data = mend_infer::memory::with_capacity(want, "a strip")?;
    let damaged = |e: std::io::Error| source.damaged(format!("a strip or tile: {e}"));
    match compression {
        LZW => lzw(stored, want, &mut data, source)?,
        DEFLATE | OLD_DEFLATE => {
            // What comes out before an error counts: the caller knows how much there must be.
            let mut z = flate2::read::ZlibDecoder::new(stored).take(want as u64);
            match z.read_to_end(&mut data) {
                Err(e) if data.len() < want && e.kind() != std::io::ErrorKind::UnexpectedEof => {
                    return Err(damaged(e));
                }
                _ => {}
            }
        }
        PACKBITS => packbits(stored, want, &mut data),
        ZSTD => {
            let z = ruzstd::decoding::StreamingDecoder::new(stored)
                .map_err(|e| source.damaged(format!("a strip or tile: {e}")))?;
            z.take(want as u64)
                .read_to_end(&mut data)
                .map_err(damaged)?;
        }
        _ => {
            return Err(source.error(
                ErrorKind::Unsupported,
                "has a compression that is not supported: save it again with Deflate or LZW first",
            ));
        }
    }
    Ok(data)
}

/// TIFF's LZW. Files of the oldest writers have their bits the other way round.
fn lzw(stored: &[u8], want: usize, data: &mut Vec<u8>, source: &Source<'_>) -> Result<()> {
    if matches!(stored, [0, second, ..] if second & 1 == 1) {
        return Err(source.unsupported(
            "has LZW of the oldest kind, which is not supported: save it again first",
        ));
    }
    let mut decoder = weezl::decode::Decoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8);
    let mut rest = stored;
    data.resize(want, 0);
    let mut done = 0;
    while done < want {
        let step = decoder.decode_bytes(rest, &mut data[done..]);
        rest = &rest[step.consumed_in..];
        done += step.consumed_out;
        match step.status {
            Ok(weezl::LzwStatus::Ok) if step.consumed_in + step.consumed_out > 0 => {}
            Ok(_) => break,
            Err(e) => return Err(source.damaged(format!("a strip or tile: {e}"))),
        }
    }
    data.truncate(done);
    Ok(())
}

/// Runs and copies, each with a byte that says how many (TIFF 6.0, section 9).
fn packbits(mut stored: &[u8], want: usize, data: &mut Vec<u8>) {
    while let [head, rest @ ..] = stored
        && data.len() < want
    {
        let n = usize::from(*head);
        stored = match n {
            0..=127 => {
                let (copy, rest) = rest.split_at((n + 1).min(rest.len()));
                data.extend_from_slice(copy);
                rest
            }
            128 => rest,
            _ => match rest {
                [value, rest @ ..] => {
                    data.extend(std::iter::repeat_n(*value, 257 - n));
                    rest
                }
                [] => rest,
            },
        };
    }
}

/// Adds to each sample of `size` bytes the one `back` bytes before it (TIFF 6.0, section 14).
fn sum(row: &mut [u8], back: usize, size: usize) {
    macro_rules! add {
        ($kind:ty) => {
            for at in (back..row.len() + 1 - size.min(row.len())).step_by(size) {
                let read = |r: &[u8], at: usize| {
                    let mut bytes = [0; size_of::<$kind>()];
                    bytes.copy_from_slice(&r[at..at + size]);
                    <$kind>::from_ne_bytes(bytes)
                };
                let value = read(row, at).wrapping_add(read(row, at - back));
                row[at..at + size].copy_from_slice(&value.to_ne_bytes());
            }
        };
    }
    match size {
        1 => (back..row.len()).for_each(|i| row[i] = row[i].wrapping_add(row[i - back])),
        2 => add!(u16),
        4 => add!(u32),
        _ => add!(u64),
    }
}

/// Undoes the differences of floats' bytes, which stand apart by their weight, the heaviest first
/// (TIFF Technical Note 3).
fn sum_floats(row: &mut [u8], together: usize, size: usize) {
    for i in together..row.len() {
        row[i] = row[i].wrapping_add(row[i - together]);
    }
    let apart = row.to_vec();
    let count = row.len() / size.max(1);
    for (i, sample) in row.chunks_exact_mut(size).enumerate() {
        for (k, byte) in sample.iter_mut().enumerate() {
            let weight = if cfg!(target_endian = "little") {
                size - 1 - k
            } else {
                k
            };
            *byte = apart[weight * count + i];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_numbers_come_out_whole() {
        let all = |row: &[u8], bits| Unpacker::new(row, bits).collect::<Vec<_>>();
        assert_eq!(all(&[0b1010_0001], 1), [1, 0, 1, 0, 0, 0, 0, 1]);
        assert_eq!(all(&[0xab, 0xcd, 0xef], 12), [0xabc, 0xdef]);
        assert_eq!(all(&[0xab], 4), [0xa, 0xb]);
    }

    #[test]
    fn runs_and_copies_come_out_and_an_end_in_between_is_no_panic() {
        let stored = [2, 1, 2, 3, 0xfe, 9, 128, 0, 7];
        for n in 0..=stored.len() {
            let mut data = Vec::new();
            packbits(&stored[..n], 100, &mut data);
            assert!([1, 2, 3, 9, 9, 9, 7].starts_with(&data), "{n}");
        }
    }

    #[test]
    fn differences_sum_up() {
        let mut row = [1, 2, 3, 1, 1, 1];
        sum(&mut row, 3, 1);
        assert_eq!(row, [1, 2, 3, 2, 3, 4]);
        let mut row: Vec<u8> = [65_535u16, 2, 1]
            .iter()
            .flat_map(|v| v.to_ne_bytes())
            .collect();
        sum(&mut row, 2, 2);
        let want: Vec<u8> = [65_535u16, 1, 2]
            .iter()
            .flat_map(|v| v.to_ne_bytes())
            .collect();
        assert_eq!(row, want);
        sum(&mut [], 4, 4);
    }
}
