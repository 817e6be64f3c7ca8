//! EXIF: a TIFF structure inside other files. Reading it, writing it anew, and bringing it into and
//! out of TIFF's own tags.
//!
//! Source: CIPA DC-008-2019 (EXIF 2.32), section 4; TIFF 6.0, section 2.
#![forbid(unsafe_code)]

use super::density::{Density, INCH};

/// Tags that point at further directories.
pub const EXIF_IFD: u16 = 0x8769;
pub const GPS_IFD: u16 = 0x8825;
pub const INTEROP_IFD: u16 = 0xa005;
const USER_COMMENT: u16 = 0x9286;
const ORIENTATION: u16 = 274;
const X_RESOLUTION: u16 = 282;
const Y_RESOLUTION: u16 = 283;
const RESOLUTION_UNIT: u16 = 296;

/// Tags that say how large the picture is, and whether that is its width: TIFF's, EXIF's and those of the
/// interoperability directory.
const SIZES: [(u16, bool); 6] = [
    (256, true),
    (257, false),
    (0xa002, true),
    (0xa003, false),
    (0x1001, true),
    (0x1002, false),
];

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
    /// Whether the block's numbers are big-endian.
    pub big: bool,
    pub main: Vec<Entry>,
    pub exif: Vec<Entry>,
    pub gps: Vec<Entry>,
    pub interop: Vec<Entry>,
}

/// Bytes of one value of TIFF's type `kind`, and of the numbers it is made of.
fn sizes(kind: u16) -> Option<(usize, usize)> {
    match kind {
        // 129: UTF-8, new with EXIF 3.0.
        1 | 2 | 6 | 7 | 129 => Some((1, 1)),
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

/// Whether a second directory follows, which describes a thumbnail.
pub fn has_thumbnail(blob: &[u8]) -> bool {
    let link = Reader::new(blob).and_then(|r| {
        let (_, link) = r.directory(r.first()?)?;
        r.u32(link)
    });
    link.is_some_and(|at| at != 0)
}

/// Whether everything in `blob` that is not zero belongs to the directories that [`parse`] reads.
pub fn is_covered(blob: &[u8]) -> bool {
    let Some(r) = Reader::new(blob) else {
        return false;
    };
    let mut rest = blob.to_vec();
    let mut blank = |at: usize, len: usize| {
        if let Some(part) = rest.get_mut(at..at.saturating_add(len)) {
            part.fill(0);
        }
    };
    blank(0, 8);
    let mut next: Vec<usize> = r.first().into_iter().collect();
    // The first directory, EXIF's and GPS's, and the one below EXIF's.
    for _ in 0..4 {
        let Some(at) = next.pop() else {
            break;
        };
        let Some((entries, link)) = r.directory(at) else {
            return false;
        };
        blank(at, link.saturating_sub(at) + 4);
        for e in entries {
            blank(e.at, e.len);
            if [EXIF_IFD, GPS_IFD, INTEROP_IFD].contains(&e.tag) {
                next.extend(r.number(&e).map(|v| v as usize));
            }
        }
    }
    rest.iter().all(|b| *b == 0)
}

/// The directories of `blob`.
pub fn parse(blob: &[u8]) -> Option<Tree> {
    let r = Reader::new(blob)?;
    let (main, _) = r.directory(r.first()?)?;
    let below = |entries: &[Raw], tag| -> Vec<Raw> {
        let pointer = entries.iter().find(|e| e.tag == tag);
        let at = pointer.and_then(|e| r.number(e));
        let found = at.and_then(|at| r.directory(at as usize));
        found.map(|(entries, _)| entries).unwrap_or_default()
    };
    let (exif, gps) = (below(&main, EXIF_IFD), below(&main, GPS_IFD));
    let interop = below(&exif, INTEROP_IFD);
    let pointers = [EXIF_IFD, GPS_IFD, INTEROP_IFD];
    let read = |entries: &[Raw]| -> Vec<Entry> {
        let values = entries.iter().filter(|e| !pointers.contains(&e.tag));
        values.map(|e| r.entry(e)).collect()
    };
    Some(Tree {
        big: r.big,
        main: read(&main),
        exif: read(&exif),
        gps: read(&gps),
        interop: read(&interop),
    })
}

/// `blob` with the picture's new size where it says one; `None` where it says none.
pub fn resized(blob: &[u8], width: u32, height: u32) -> Option<Vec<u8>> {
    let mut tree = parse(blob)?;
    let mut found = false;
    let all = [&mut tree.main, &mut tree.exif, &mut tree.interop];
    for entry in all.into_iter().flatten() {
        let Some((_, is_width)) = SIZES.iter().find(|(tag, _)| *tag == entry.tag) else {
            continue;
        };
        let size = if *is_width { width } else { height };
        (entry.kind, entry.count) = (4, 1);
        entry.data = size.to_le_bytes().to_vec();
        found = true;
    }
    match found {
        true => build(&tree),
        false => None,
    }
}

impl Tree {
    /// The same, to be written with little-endian numbers. A comment in UTF-16 is in the block's
    /// order too, though its type does not say so.
    pub fn into_little(mut self) -> Self {
        if self.big {
            self.big = false;
            let comments = self.exif.iter_mut().filter(|e| e.tag == USER_COMMENT);
            for e in comments.filter(|e| e.data.starts_with(b"UNICODE\0")) {
                e.data[8..].chunks_exact_mut(2).for_each(|b| b.swap(0, 1));
            }
        }
        self
    }
}

/// The EXIF block that holds `tree`; `None` where there is nothing to hold.
pub fn build(tree: &Tree) -> Option<Vec<u8>> {
    let empty = |entries: &[Entry]| entries.is_empty();
    if empty(&tree.main) && empty(&tree.exif) && empty(&tree.gps) {
        return None;
    }
    let mut w = Writer {
        out: match tree.big {
            true => b"MM\0*\0\0\0\x08".to_vec(),
            false => b"II*\0\x08\0\0\0".to_vec(),
        },
        big: tree.big,
    };
    let [exif, gps] = w.directory(
        &tree.main,
        [
            (EXIF_IFD, !empty(&tree.exif) || !empty(&tree.interop)),
            (GPS_IFD, !empty(&tree.gps)),
        ],
    )?;
    if let Some(place) = exif {
        w.point(place)?;
        let [interop] = w.directory(&tree.exif, [(INTEROP_IFD, !empty(&tree.interop))])?;
        if let Some(place) = interop {
            w.point(place)?;
            let [] = w.directory(&tree.interop, [])?;
        }
    }
    if let Some(place) = gps {
        w.point(place)?;
        let [] = w.directory(&tree.gps, [])?;
    }
    Some(w.out)
}

/// A block being written.
struct Writer {
    out: Vec<u8>,
    big: bool,
}

impl Writer {
    /// `bytes`, little-endian numbers of `unit` bytes, in the block's order.
    fn ordered(&self, bytes: &[u8], unit: usize) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        if self.big {
            bytes.chunks_exact_mut(unit).for_each(<[u8]>::reverse);
        }
        bytes
    }

    /// Lets the pointer at `place` point at the end.
    fn point(&mut self, place: usize) -> Option<()> {
        let at = u32::try_from(self.out.len()).ok()?.to_le_bytes();
        let at = self.ordered(&at, 4);
        self.out.get_mut(place..place + 4)?.copy_from_slice(&at);
        Some(())
    }

    /// Appends a directory with its values and those of the `pointers` that are wanted; gives where
    /// each of these stands, to be set once it is known what to.
    fn directory<const N: usize>(
        &mut self,
        entries: &[Entry],
        pointers: [(u16, bool); N],
    ) -> Option<[Option<usize>; N]> {
        let mut entries = entries.to_vec();
        for (tag, _) in pointers.iter().filter(|(_, wanted)| *wanted) {
            entries.push(Entry {
                tag: *tag,
                kind: 4,
                count: 1,
                data: vec![0; 4],
            });
        }
        entries.sort_by_key(|e| e.tag);
        entries.dedup_by_key(|e| e.tag);
        let count = u16::try_from(entries.len()).ok()?.to_le_bytes();
        self.out.extend(self.ordered(&count, 2));
        let mut values = self.out.len() + 12 * entries.len() + 4;
        let mut tail = Vec::new();
        let mut places = [None; N];
        for e in &entries {
            self.out.extend(self.ordered(&e.tag.to_le_bytes(), 2));
            self.out.extend(self.ordered(&e.kind.to_le_bytes(), 2));
            self.out.extend(self.ordered(&e.count.to_le_bytes(), 4));
            for (place, (tag, _)) in places.iter_mut().zip(pointers) {
                if tag == e.tag {
                    *place = Some(self.out.len());
                }
            }
            let data = self.ordered(&e.data, unit(e.kind));
            if data.len() <= 4 {
                let mut inline = [0; 4];
                inline[..data.len()].copy_from_slice(&data);
                self.out.extend(inline);
            } else {
                let at = u32::try_from(values).ok()?.to_le_bytes();
                self.out.extend(self.ordered(&at, 4));
                values += data.len();
                tail.extend(data);
                // Values begin on even offsets.
                if values % 2 == 1 {
                    tail.push(0);
                    values += 1;
                }
            }
        }
        self.out.extend([0; 4]);
        self.out.extend(tail);
        Some(places)
    }
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
            big: false,
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
            interop: vec![ascii(1, b"R98\0")],
        }
    }

    #[test]
    fn what_is_built_is_parsed_again() {
        for big in [false, true] {
            let tree = Tree { big, ..sample() };
            let blob = build(&tree).unwrap();
            assert_eq!(parse(&blob).unwrap(), tree);
            assert_eq!(orientation(&blob), Some(6));
            let inches = Density::PerMetre(300.0 / INCH, 300.0 / INCH);
            assert_eq!(density(&blob), Some(inches));
        }
    }

    #[test]
    fn a_new_size_is_said_wherever_one_was() {
        let short = |tag, value: u16| Entry {
            tag,
            kind: 3,
            count: 1,
            data: value.to_le_bytes().to_vec(),
        };
        for big in [false, true] {
            let mut tree = Tree { big, ..sample() };
            assert_eq!(resized(&build(&tree).unwrap(), 70_000, 5), None);
            tree.exif.extend([short(0xa002, 40), short(0xa003, 30)]);
            let blob = resized(&build(&tree).unwrap(), 70_000, 5).unwrap();
            let now = parse(&blob).unwrap();
            let of = |tag| now.exif.iter().find(|e| e.tag == tag).unwrap().data.clone();
            assert_eq!(of(0xa002), 70_000u32.to_le_bytes());
            assert_eq!(of(0xa003), 5u32.to_le_bytes());
            assert_eq!((&now.main, now.exif.len()), (&tree.main, 3));
        }
    }

    #[test]
    fn what_no_directory_leads_to_is_noticed() {
        let blob = build(&sample()).unwrap();
        assert!(is_covered(&blob) && !has_thumbnail(&blob));
        assert!(is_covered(&[&blob[..], &[0; 9]].concat()));
        assert!(!is_covered(&[&blob[..], b"FACES"].concat()));
        let mut linked = blob.clone();
        let link = 8 + 2 + 12 * 5;
        linked[link] = 8;
        assert!(has_thumbnail(&linked));
    }

    #[test]
    fn hostile_blocks_are_survived() {
        let good = build(&sample()).unwrap();
        // Every byte in turn set to extremes, and every truncation.
        for i in 0..good.len() {
            for v in [0, 0x7f, 0xff] {
                let mut bad = good.clone();
                bad[i] = v;
                let _ = (parse(&bad).as_ref().and_then(build), density(&bad));
                let _ = (is_covered(&bad), has_thumbnail(&bad));
            }
            let short = &good[..i];
            let _ = (parse(short), density(short));
            let _ = (is_covered(short), has_thumbnail(short));
        }
    }
}
