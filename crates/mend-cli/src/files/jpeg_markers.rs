//! A JPEG file's markers: frame, quantisation tables, segments. No pixels.
//!
//! Source: ITU-T T.81 (1992), annex B; JFIF 1.02; Adobe Technical Note 5116, section 18.
#![forbid(unsafe_code)]

/// A component of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component {
    /// The number that scans call it by.
    pub id: u8,
    /// Sampling factors, across and down.
    pub h: u8,
    pub v: u8,
    /// The quantisation table's number.
    pub table: u8,
}

/// What a JPEG file says of itself.
#[derive(Clone, Debug, Default)]
pub struct Markers {
    pub width: u16,
    pub height: u16,
    /// The frame's marker byte, `0xc0 ..= 0xcf`.
    pub frame: u8,
    /// Bits a sample.
    pub precision: u8,
    pub components: Vec<Component>,
    /// Quantisation tables in raster order, as they stood at the first scan.
    pub tables: [Option<Box<[u16; 64]>>; 4],
    /// The components, by index, that each scan holds.
    pub scans: Vec<Vec<usize>>,
    /// APPn and COM segments in order: marker byte and content.
    pub segments: Vec<(u8, Vec<u8>)>,
    /// Restart interval in MCUs; 0 for none.
    pub restart: u16,
    /// The colour transform that an Adobe segment names.
    pub adobe: Option<u8>,
    /// Whether it has an end marker.
    pub ended: bool,
    /// Bytes that follow the picture's end.
    pub trailing: usize,
}

/// Why a file could not be followed to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It ends before its first scan, or within a segment.
    Truncated,
    /// It contradicts itself.
    Malformed(&'static str),
}

/// Raster position of the n-th coefficient of the zigzag (T.81, figure A.6).
pub const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// Follows the markers of `data` from start to end.
///
/// # Errors
/// See [`Fault`].
pub fn parse(data: &[u8]) -> Result<Markers, Fault> {
    let mut m = Markers::default();
    let mut tables: [Option<Box<[u16; 64]>>; 4] = Default::default();
    let (mut at, mut scanned) = (2, false);
    loop {
        // After a scan only its data can tell whether all of it is there.
        let over = scanned && !m.components.is_empty();
        let (marker, next) = match next_marker(data, at) {
            Some(found) => found,
            None if over => return Ok(m),
            None => return Err(Fault::Truncated),
        };
        at = next;
        match marker {
            // The end of the picture.
            0xd9 => {
                if m.components.is_empty() {
                    return Err(Fault::Malformed("it has no frame"));
                }
                m.ended = true;
                m.trailing = data.len() - at;
                return Ok(m);
            }
            // Markers that stand alone: restarts, a stray start, TEM.
            0xd0..=0xd8 | 0x01 => continue,
            _ => {}
        }
        let len = usize::from(u16_at(data, at).unwrap_or(u16::MAX));
        let body = match data.get(at + 2..at + len.max(2)) {
            Some(body) if len >= 2 => body,
            _ if over => return Ok(m),
            None => return Err(Fault::Truncated),
            Some(_) => return Err(Fault::Malformed("a segment has no length")),
        };
        at += len;
        match marker {
            0xdb => read_tables(body, &mut tables)?,
            0xda => {
                // Tables that come later are not those of the first scan.
                if !scanned {
                    m.tables = tables.clone();
                }
                scanned = true;
                m.scans.push(scan_parts(body, &m.components));
            }
            0xc4 | 0xc8 | 0xcc => {}
            0xc0..=0xcf => {
                if !m.components.is_empty() {
                    return Err(Fault::Malformed("it has more than one frame"));
                }
                read_frame(marker, body, &mut m)?;
            }
            0xdd => m.restart = u16_at(body, 0).unwrap_or(0),
            0xe0..=0xef | 0xfe => {
                if marker == 0xee && body.starts_with(b"Adobe") {
                    m.adobe = body.get(11).copied();
                }
                m.segments.push((marker, body.to_vec()));
            }
            _ => {}
        }
    }
}

pub(super) fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    let b: [u8; 2] = data.get(at..at.checked_add(2)?)?.try_into().ok()?;
    Some(u16::from_be_bytes(b))
}

/// The next marker at or after `at`, past entropy-coded bytes and fill bytes, and where its segment
/// begins.
pub(super) fn next_marker(data: &[u8], mut at: usize) -> Option<(u8, usize)> {
    loop {
        at += data.get(at..)?.iter().position(|b| *b == 0xff)?;
        while *data.get(at)? == 0xff {
            at += 1;
        }
        // 0xff 0x00 is a coded byte of 0xff.
        let marker = data[at];
        at += 1;
        if marker != 0 {
            return Some((marker, at));
        }
    }
}

fn read_tables(mut body: &[u8], tables: &mut [Option<Box<[u16; 64]>>; 4]) -> Result<(), Fault> {
    while let [head, rest @ ..] = body {
        let wide = head >> 4 == 1;
        let bytes = if wide { 128 } else { 64 };
        let (Some(values), Some(slot)) =
            (rest.get(..bytes), tables.get_mut(usize::from(head & 15)))
        else {
            return Err(Fault::Malformed("a quantisation table is cut short"));
        };
        let mut table = [0; 64];
        for (i, raster) in ZIGZAG.iter().enumerate() {
            table[usize::from(*raster)] = if wide {
                u16_at(values, 2 * i).unwrap_or(0)
            } else {
                u16::from(values[i])
            };
        }
        *slot = Some(Box::new(table));
        body = &rest[bytes..];
    }
    Ok(())
}

/// The components that a scan's header names, by index.
fn scan_parts(body: &[u8], components: &[Component]) -> Vec<usize> {
    let [n, rest @ ..] = body else {
        return Vec::new();
    };
    rest.chunks_exact(2)
        .take(usize::from(*n))
        .filter_map(|part| components.iter().position(|c| c.id == part[0]))
        .collect()
}

fn read_frame(marker: u8, body: &[u8], m: &mut Markers) -> Result<(), Fault> {
    let short = Fault::Malformed("its frame header is cut short");
    let [precision, h1, h2, w1, w2, n, rest @ ..] = body else {
        return Err(short);
    };
    m.frame = marker;
    m.precision = *precision;
    m.height = u16::from_be_bytes([*h1, *h2]);
    m.width = u16::from_be_bytes([*w1, *w2]);
    let parts = rest.get(..3 * usize::from(*n)).ok_or(short)?;
    for c in parts.chunks_exact(3) {
        m.components.push(Component {
            id: c[0],
            h: c[1] >> 4,
            v: c[1] & 15,
            table: c[2],
        });
    }
    if m.components.is_empty() {
        return Err(Fault::Malformed("its frame has no component"));
    }
    Ok(())
}

impl Markers {
    /// Whether it is progressive.
    pub fn progressive(&self) -> bool {
        self.frame == 0xc2
    }

    /// The quantisation table of component `i`.
    pub fn table(&self, i: usize) -> Option<&[u16; 64]> {
        let c = self.components.get(i)?;
        self.tables.get(usize::from(c.table))?.as_deref()
    }

    /// How many luma samples stand for one chroma sample, across and down, where both chroma
    /// components agree and divide it evenly.
    pub fn subsampling(&self) -> Option<(u8, u8)> {
        let [y, cb, cr] = self.components.as_slice() else {
            return None;
        };
        let even = |a: u8, b: u8| (b > 0 && a.is_multiple_of(b)).then(|| a / b);
        if (cb.h, cb.v) != (cr.h, cr.v) {
            return None;
        }
        Some((even(y.h, cb.h)?, even(y.v, cb.v)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of markers only; its scan holds a stuffed byte and a restart.
    fn sample() -> Vec<u8> {
        let mut f = vec![0xff, 0xd8, 0xff, 0xfe, 0, 4, b'h', b'i'];
        f.extend([0xff, 0xdb, 0, 67, 0]);
        f.extend(1..=64);
        f.extend([
            0xff, 0xc2, 0, 17, 8, 0, 9, 0, 7, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0,
        ]);
        f.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]);
        f.extend([1, 2, 0xff, 0, 3, 0xff, 0xd0, 4]);
        f.extend([0xff, 0xff, 0xd9, 7]);
        f
    }

    #[test]
    fn markers_are_followed_through_the_scan() {
        let m = parse(&sample()).unwrap();
        assert_eq!((m.width, m.height, m.precision), (7, 9, 8));
        assert!(m.progressive());
        assert_eq!(m.subsampling(), Some((2, 2)));
        assert_eq!(m.segments, vec![(0xfe, b"hi".to_vec())]);
        // Zigzag's third value stands below the first one.
        assert_eq!(m.table(2).unwrap()[8], 3);
        assert_eq!(m.trailing, 1);
    }

    #[test]
    fn every_truncation_is_told_and_nothing_panics() {
        let good = sample();
        let scan = good.windows(2).position(|w| w == [0xff, 0xda]).unwrap() + 10;
        for i in 2..good.len() - 1 {
            // From the scan's data on, only that can tell.
            match parse(&good[..i]) {
                Ok(m) => assert!(i >= scan && !m.ended, "{i}"),
                Err(fault) => assert!(i < scan && fault == Fault::Truncated, "{i}"),
            }
        }
        for i in 2..good.len() {
            for v in [0, 1, 0x7f, 0xd9, 0xff] {
                let mut bad = good.clone();
                bad[i] = v;
                let _ = parse(&bad);
            }
        }
    }
}
