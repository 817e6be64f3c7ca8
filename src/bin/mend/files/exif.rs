//! EXIF: a TIFF structure inside other files. Reading it, taking its thumbnail out, and bringing it
//! into and out of TIFF's own tags.
//!
//! Source: CIPA DC-008-2019 (EXIF 2.32), section 4; TIFF 6.0, section 2.
#![forbid(unsafe_code)]

use super::meta::{Density, INCH};

/// Tags that point at further directories.
pub const EXIF_IFD: u16 = 0x8769;
pub const GPS_IFD: u16 = 0x8825;
const INTEROP_IFD: u16 = 0xa005;
const ORIENTATION: u16 = 274;
const X_RESOLUTION: u16 = 282;
const Y_RESOLUTION: u16 = 283;
const RESOLUTION_UNIT: u16 = 296;
const STRIP_OFFSETS: u16 = 273;
const STRIP_BYTES: u16 = 279;
const JPEG_OFFSET: u16 = 513;
const JPEG_BYTES: u16 = 514;

/// Tags of the first directory that describe the picture and not how it is stored: description,
/// make, model, orientation, resolution, software, date, artist, rating, copyright, Windows' titles.
const DESCRIPTIVE: &[u16] = &[
    269, 270, 271, 272, 274, 282, 283, 285, 296, 297, 305, 306, 315, 316, 18246, 18249, 33432,
    0x9c9b, 0x9c9c, 0x9c9d, 0x9c9e, 0x9c9f,
];

/// Whether `tag` of a first directory describes the picture.
pub fn is_descriptive(tag: u16) -> bool {
    DESCRIPTIVE.contains(&tag)
}

/// A tag with its values, little-endian.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub tag: u16,
    /// TIFF's type number.
    pub kind: u16,
    pub count: u32,
    pub data: Vec<u8>,
}

/// The directories that matter outside the file they came from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tree {
    pub main: Vec<Entry>,
    pub exif: Vec<Entry>,
    pub gps: Vec<Entry>,
}

/// Bytes of one value of TIFF's type `kind`, and of the numbers it is made of.
fn sizes(kind: u16) -> Option<(usize, usize)> {
    match kind {
        1 | 2 | 6 | 7 => Some((1, 1)),
        3 | 8 => Some((2, 2)),
        4 | 9 | 11 | 13 => Some((4, 4)),
        5 | 10 => Some((8, 4)),
        12 | 16 | 17 | 18 => Some((8, 8)),
        _ => None,
    }
}

/// Bytes of the numbers that TIFF's type `kind` is made of; 1 for an unknown one.
pub fn unit(kind: u16) -> usize {
    sizes(kind).map_or(1, |(_, unit)| unit)
}

/// A TIFF structure, to read. Every access is checked: offsets are the file's word.
struct Reader<'a> {
    data: &'a [u8],
    big: bool,
}

/// An entry's place.
struct Raw {
    tag: u16,
    kind: u16,
    count: u32,
    at: usize,
    len: usize,
    unit: usize,
}

impl<'a> Reader<'a> {
    fn new(data: &'a [u8]) -> Option<Self> {
        let big = match data.get(..4)? {
            b"II*\0" => false,
            b"MM\0*" => true,
            _ => return None,
        };
        Some(Self { data, big })
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let b: [u8; 2] = self.data.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big {
            u16::from_be_bytes(b)
        } else {
            u16::from_le_bytes(b)
        })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let b: [u8; 4] = self.data.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big {
            u32::from_be_bytes(b)
        } else {
            u32::from_le_bytes(b)
        })
    }

    fn first(&self) -> Option<usize> {
        self.u32(4).map(|at| at as usize)
    }

    /// The readable entries of the directory at `at`, and where its link to the next one stands.
    fn directory(&self, at: usize) -> Option<(Vec<Raw>, usize)> {
        let n = usize::from(self.u16(at)?);
        let mut entries = Vec::new();
        // Entries that share their values could make a small block into gigabytes.
        let mut room = self.data.len();
        for i in 0..n {
            let e = at.checked_add(2 + 12 * i)?;
            let (Some(tag), Some(kind), Some(count)) =
                (self.u16(e), self.u16(e + 2), self.u32(e + 4))
            else {
                break;
            };
            let Some((size, unit)) = sizes(kind) else {
                continue;
            };
            let Some(len) = (count as usize).checked_mul(size) else {
                continue;
            };
            let at = if len <= 4 {
                e + 8
            } else {
                match self.u32(e + 8) {
                    Some(at) => at as usize,
                    None => continue,
                }
            };
            if at.checked_add(len).is_none_or(|end| end > self.data.len()) {
                continue;
            }
            let Some(left) = room.checked_sub(len) else {
                continue;
            };
            room = left;
            entries.push(Raw {
                tag,
                kind,
                count,
                at,
                len,
                unit,
            });
        }
        Some((entries, at.checked_add(2 + 12 * n)?))
    }

    fn number(&self, e: &Raw) -> Option<u32> {
        match e.kind {
            3 => self.u16(e.at).map(u32::from),
            4 | 13 => self.u32(e.at),
            _ => None,
        }
    }

    fn rational(&self, e: &Raw) -> Option<f64> {
        if e.kind != 5 || e.count == 0 {
            return None;
        }
        let (n, d) = (self.u32(e.at)?, self.u32(e.at + 4)?);
        (n > 0 && d > 0).then(|| f64::from(n) / f64::from(d))
    }

    fn entry(&self, e: &Raw) -> Entry {
        let mut data = self.data[e.at..e.at + e.len].to_vec();
        if self.big {
            for number in data.chunks_exact_mut(e.unit) {
                number.reverse();
            }
        }
        Entry {
            tag: e.tag,
            kind: e.kind,
            count: e.count,
            data,
        }
    }
}

/// A number of the first directory.
fn main_number(blob: &[u8], tag: u16) -> Option<u32> {
    let r = Reader::new(blob)?;
    let (entries, _) = r.directory(r.first()?)?;
    r.number(entries.iter().find(|e| e.tag == tag)?)
}

/// The orientation, 1–8.
pub fn orientation(blob: &[u8]) -> Option<u16> {
    main_number(blob, ORIENTATION)
        .and_then(|v| u16::try_from(v).ok())
        .filter(|v| (1..=8).contains(v))
}

/// The resolution.
pub fn density(blob: &[u8]) -> Option<Density> {
    let r = Reader::new(blob)?;
    let (entries, _) = r.directory(r.first()?)?;
    let find = |tag| entries.iter().find(|e| e.tag == tag);
    let unit = find(RESOLUTION_UNIT).and_then(|e| r.number(e)).unwrap_or(2);
    let x = r.rational(find(X_RESOLUTION)?)?;
    let y = find(Y_RESOLUTION).and_then(|e| r.rational(e)).unwrap_or(x);
    Some(in_unit(x, y, unit))
}

/// TIFF's resolution: 1 no unit, 2 inch, 3 centimetre.
pub fn in_unit(x: f64, y: f64, unit: u32) -> Density {
    match unit {
        1 => Density::Aspect(x, y),
        3 => Density::PerMetre(x * 100.0, y * 100.0),
        _ => Density::PerMetre(x / INCH, y / INCH),
    }
}

/// Cuts off the second directory, which describes the thumbnail, and blanks its picture. Nothing
/// moves, for makers' notes hold offsets of their own. Says whether there was one.
pub fn drop_thumbnail(blob: &mut Vec<u8>) -> bool {
    let Some((link, mut blanks)) = thumbnail(blob) else {
        return false;
    };
    blob[link..link + 4].fill(0);
    blanks.retain(|(at, len)| *len > 0 && at.checked_add(*len).is_some_and(|e| e <= blob.len()));
    for (at, len) in blanks {
        blob[at..at + len].fill(0);
        if at + len == blob.len() {
            blob.truncate(at);
        }
    }
    true
}

/// Where the link to the thumbnail's directory stands, and the stretches that its picture takes.
fn thumbnail(blob: &[u8]) -> Option<(usize, Vec<(usize, usize)>)> {
    let r = Reader::new(blob)?;
    let (main, link) = r.directory(r.first()?)?;
    let second = r.u32(link)? as usize;
    if second == 0 {
        return None;
    }
    let mut blanks = Vec::new();
    if let Some((entries, _)) = r.directory(second) {
        for (offset, bytes) in [(JPEG_OFFSET, JPEG_BYTES), (STRIP_OFFSETS, STRIP_BYTES)] {
            let number = |tag| {
                let e = entries.iter().find(|e| e.tag == tag)?;
                r.number(e).map(|v| v as usize)
            };
            if let (Some(at), Some(len)) = (number(offset), number(bytes)) {
                // A hostile offset must not blank what the first directory still needs.
                let end = at.saturating_add(len);
                let used = main
                    .iter()
                    .any(|e| e.len > 4 && e.at < end && at < e.at + e.len);
                if at > link && !used {
                    blanks.push((at, len));
                }
            }
        }
    }
    Some((link, blanks))
}

/// The directories of `blob`.
pub fn parse(blob: &[u8]) -> Option<Tree> {
    let r = Reader::new(blob)?;
    let (main, _) = r.directory(r.first()?)?;
    let sub = |tag| -> Vec<Entry> {
        main.iter()
            .find(|e| e.tag == tag)
            .and_then(|e| r.number(e))
            .and_then(|at| r.directory(at as usize))
            .map(|(entries, _)| entries.iter().map(|e| r.entry(e)).collect())
            .unwrap_or_default()
    };
    let pointers = [EXIF_IFD, GPS_IFD, INTEROP_IFD];
    let without = |entries: Vec<Entry>| -> Vec<Entry> {
        entries
            .into_iter()
            .filter(|e| !pointers.contains(&e.tag))
            .collect()
    };
    Some(Tree {
        main: without(main.iter().map(|e| r.entry(e)).collect()),
        exif: without(sub(EXIF_IFD)),
        gps: without(sub(GPS_IFD)),
    })
}

/// The EXIF block that holds `tree`, little-endian; `None` where there is nothing to hold.
pub fn build(tree: &Tree) -> Option<Vec<u8>> {
    if tree.main.is_empty() && tree.exif.is_empty() && tree.gps.is_empty() {
        return None;
    }
    let mut out = b"II*\0\x08\0\0\0".to_vec();
    let mut main = tree.main.clone();
    // The pointers' values are not known before the first directory has its length: they are 0 at
    // first and set afterwards.
    let subs = [(EXIF_IFD, &tree.exif), (GPS_IFD, &tree.gps)];
    for (tag, entries) in subs {
        if !entries.is_empty() {
            main.push(Entry {
                tag,
                kind: 4,
                count: 1,
                data: vec![0; 4],
            });
        }
    }
    let places = write_directory(&mut out, &main)?;
    for (tag, entries) in subs {
        if let Some((_, place)) = places.iter().find(|(t, _)| *t == tag) {
            let at = u32::try_from(out.len()).ok()?;
            out[*place..*place + 4].copy_from_slice(&at.to_le_bytes());
            write_directory(&mut out, entries)?;
        }
    }
    Some(out)
}

/// Appends a directory and its values; gives each entry's value field.
fn write_directory(out: &mut Vec<u8>, entries: &[Entry]) -> Option<Vec<(u16, usize)>> {
    let mut entries: Vec<&Entry> = entries.iter().collect();
    entries.sort_by_key(|e| e.tag);
    entries.dedup_by_key(|e| e.tag);
    out.extend(u16::try_from(entries.len()).ok()?.to_le_bytes());
    let mut values = out.len() + 12 * entries.len() + 4;
    let mut tail = Vec::new();
    let mut places = Vec::new();
    for e in entries {
        out.extend(e.tag.to_le_bytes());
        out.extend(e.kind.to_le_bytes());
        out.extend(e.count.to_le_bytes());
        places.push((e.tag, out.len()));
        if e.data.len() <= 4 {
            let mut inline = [0; 4];
            inline[..e.data.len()].copy_from_slice(&e.data);
            out.extend(inline);
        } else {
            out.extend(u32::try_from(values).ok()?.to_le_bytes());
            tail.extend_from_slice(&e.data);
            values += e.data.len();
            // Values begin on even offsets.
            if values % 2 == 1 {
                tail.push(0);
                values += 1;
            }
        }
    }
    out.extend([0; 4]);
    out.extend(tail);
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ascii(tag: u16, text: &[u8]) -> Entry {
        Entry {
            tag,
            kind: 2,
            count: text.len() as u32,
            data: text.to_vec(),
        }
    }

    fn sample() -> Tree {
        Tree {
            main: vec![
                ascii(271, b"Maker of cameras\0"),
                Entry {
                    tag: ORIENTATION,
                    kind: 3,
                    count: 1,
                    data: vec![6, 0],
                },
                Entry {
                    tag: X_RESOLUTION,
                    kind: 5,
                    count: 1,
                    data: [300u32.to_le_bytes(), 1u32.to_le_bytes()].concat(),
                },
            ],
            exif: vec![ascii(0x9003, b"2024:01:02 03:04:05\0")],
            gps: vec![ascii(1, b"N\0")],
        }
    }

    #[test]
    fn what_is_built_is_parsed_again() {
        let blob = build(&sample()).unwrap();
        assert_eq!(parse(&blob).unwrap(), sample());
        assert_eq!(orientation(&blob), Some(6));
        assert_eq!(
            density(&blob),
            Some(Density::PerMetre(300.0 / INCH, 300.0 / INCH))
        );
    }

    #[test]
    fn a_thumbnail_is_blanked_and_nothing_else_moves() {
        let mut blob = build(&sample()).unwrap();
        let plain = blob.clone();
        let second = blob.len() as u32;
        let picture = second + 2 + 24 + 4;
        let number = |tag: u16, v: u32| {
            [
                &tag.to_le_bytes()[..],
                &4u16.to_le_bytes(),
                &1u32.to_le_bytes(),
                &v.to_le_bytes(),
            ]
            .concat()
        };
        blob.extend(2u16.to_le_bytes());
        blob.extend(number(JPEG_OFFSET, picture));
        blob.extend(number(JPEG_BYTES, 5));
        blob.extend([0; 4]);
        blob.extend(b"FACES");
        let link = 8 + 2 + 12 * 5;
        blob[link..link + 4].copy_from_slice(&second.to_le_bytes());
        assert!(drop_thumbnail(&mut blob));
        assert!(!blob.windows(5).any(|w| w == b"FACES"));
        assert_eq!(&blob[..plain.len()], &plain[..]);
        assert!(!drop_thumbnail(&mut blob));
    }

    #[test]
    fn hostile_blocks_are_survived() {
        let good = build(&sample()).unwrap();
        // Every byte in turn set to extremes, and every truncation.
        for i in 0..good.len() {
            for v in [0, 0x7f, 0xff] {
                let mut bad = good.clone();
                bad[i] = v;
                let _ = (parse(&bad), orientation(&bad), density(&bad));
                drop_thumbnail(&mut bad);
            }
            let mut short = good[..i].to_vec();
            let _ = (parse(&short), orientation(&short), density(&short));
            drop_thumbnail(&mut short);
        }
    }
}
