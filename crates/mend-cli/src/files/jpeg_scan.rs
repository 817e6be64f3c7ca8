//! A JPEG's scans, followed code by code without making pixels of them: is all of the picture's data
//! there? No decoder tells: each goes on with zeros where the data ends before the picture does.
//!
//! Source: ITU-T T.81 (1992), sections A.2, B.2.3, F.2.2, G.1.2, G.2 and annex C.
#![forbid(unsafe_code)]

use super::jpeg_bits::{Bits, Codes, bring, refine, sequential};
use super::jpeg_markers::{Markers, next_marker, u16_at};

pub use super::jpeg_bits::Lack;

/// Data that is missing or makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first row of pixels that it touches.
    pub row: u32,
    pub kind: Lack,
}

/// More scans than any program writes; each may cost as much as the picture is large.
pub const MAX_SCANS: usize = 256;
/// A component, as far as following needs it.
struct Plane {
    id: u8,
    /// Blocks of a unit that several components share, across and down.
    h: usize,
    v: usize,
    /// Blocks that the picture needs, and blocks in a row of whole units.
    blocks: (usize, usize),
    row: usize,
    /// One bit for each coefficient of each block that is not zero so far; progressive frames only.
    nonzero: Vec<u64>,
    /// Whether a scan held it.
    seen: bool,
    /// Coefficients that came at full precision.
    exact: u64,
}

/// A scan's header.
struct Header {
    /// Component, DC table, AC table.
    parts: Vec<(usize, usize, usize)>,
    /// First and last coefficient.
    band: (u32, u32),
    /// Whether it refines what an earlier scan brought.
    refines: bool,
    /// Bits that later scans bring.
    low: u32,
}

struct Walker<'a> {
    data: &'a [u8],
    progressive: bool,
    units: (usize, usize),
    unit_rows: u32,
    planes: Vec<Plane>,
    dc: [Option<Codes>; 4],
    ac: [Option<Codes>; 4],
    restart: usize,
    scans: usize,
    gap: Option<Gap>,
}

/// Follows the scans of `data`, whose markers are `m`: a frame of 8-bit Huffman-coded blocks. Gives
/// what is lacking, if anything is. Memory beyond the file: none, or for a progressive file a bit
/// for each coefficient.
///
/// # Errors
/// [`mend::ErrorKind::Memory`].
pub fn gap(data: &[u8], m: &Markers) -> mend::Result<Option<Gap>> {
    let most = |f: fn(&super::jpeg_markers::Component) -> u8| {
        m.components.iter().map(f).max().unwrap_or(1).max(1) as usize
    };
    let (h_max, v_max) = (most(|c| c.h), most(|c| c.v));
    let (width, height) = (usize::from(m.width), usize::from(m.height));
    let units = (width.div_ceil(8 * h_max), height.div_ceil(8 * v_max));
    let mut planes = Vec::new();
    for c in &m.components {
        let (h, v) = (usize::from(c.h.max(1)), usize::from(c.v.max(1)));
        let blocks = units.0 * h * units.1 * v;
        planes.push(Plane {
            id: c.id,
            h,
            v,
            blocks: (
                (width * h).div_ceil(h_max).div_ceil(8),
                (height * v).div_ceil(v_max).div_ceil(8),
            ),
            row: units.0 * h,
            nonzero: mend_infer::memory::filled(
                if m.progressive() { blocks } else { 0 },
                0,
                "the coefficients' map",
            )?,
            seen: false,
            exact: 0,
        });
    }
    let mut walker = Walker {
        data,
        progressive: m.progressive(),
        units,
        unit_rows: 8 * v_max as u32,
        planes,
        dc: Default::default(),
        ac: Default::default(),
        restart: 0,
        scans: 0,
        gap: None,
    };
    walker.walk();
    Ok(walker.gap)
}

impl Walker<'_> {
    fn walk(&mut self) {
        let mut at = 2;
        while let Some((marker, next)) = next_marker(self.data, at)
            && self.scans < MAX_SCANS
        {
            at = next;
            match marker {
                0xd9 => break,
                0xd0..=0xd8 | 0x01 => continue,
                _ => {}
            }
            let Some(len) = u16_at(self.data, at).map(usize::from) else {
                break;
            };
            let Some(body) = self.data.get(at + 2..at + len.max(2)) else {
                break;
            };
            at += len.max(2);
            match marker {
                0xc4 => self.tables(body),
                0xdd => self.restart = u16_at(body, 0).unwrap_or(0).into(),
                0xda => at = self.scan(body, at),
                _ => {}
            }
        }
        if self.planes.iter().any(|p| !p.seen) {
            self.gap = Some(Gap {
                row: 0,
                kind: Lack::Component,
            });
        }
        let coarse = |p: &Plane| self.progressive && p.exact != !0;
        if self.gap.is_none() && self.planes.iter().any(coarse) {
            self.gap(0, Lack::Detail);
        }
    }

    /// Notes what is lacking; the uppermost row counts.
    fn gap(&mut self, row: u32, kind: Lack) {
        let new = Gap { row, kind };
        let old = self.gap.get_or_insert(new);
        if row < old.row {
            *old = new;
        }
    }

    fn tables(&mut self, mut body: &[u8]) {
        while let [head, rest @ ..] = body {
            let Some((counts, rest)) = rest.split_at_checked(16) else {
                return;
            };
            let n = counts.iter().map(|c| usize::from(*c)).sum();
            let Some((symbols, rest)) = rest.split_at_checked(n) else {
                return;
            };
            let kind = if head >> 4 == 0 {
                &mut self.dc
            } else {
                &mut self.ac
            };
            if let Some(slot) = kind.get_mut(usize::from(head & 15)) {
                *slot = Some(Codes::new(counts, symbols));
            }
            body = rest;
        }
    }

    fn header(&self, body: &[u8]) -> Option<Header> {
        let [n, rest @ ..] = body else { return None };
        let (list, rest) = rest.split_at_checked(2 * usize::from(*n))?;
        let [first, last, bits, ..] = *rest else {
            return None;
        };
        let mut parts = Vec::new();
        for pair in list.chunks_exact(2) {
            let index = self.planes.iter().position(|p| p.id == pair[0])?;
            parts.push((index, usize::from(pair[1] >> 4), usize::from(pair[1] & 15)));
        }
        let band = if self.progressive {
            (u32::from(first), u32::from(last))
        } else {
            (0, 63)
        };
        let alone = parts.len() == 1;
        let sound = band.0 <= band.1
            && band.1 < 64
            && !parts.is_empty()
            && (!self.progressive || (band.0 == 0) == (band.1 == 0) && (alone || band.0 == 0));
        sound.then_some(Header {
            parts,
            band,
            refines: self.progressive && bits >> 4 != 0,
            low: if self.progressive {
                u32::from(bits & 15)
            } else {
                0
            },
        })
    }

    /// Follows the scan whose data begins at `at`; gives where it ends.
    fn scan(&mut self, body: &[u8], at: usize) -> usize {
        let Some(header) = self.header(body) else {
            self.gap(0, Lack::Sense);
            return at;
        };
        self.scans += 1;
        for (i, ..) in &header.parts {
            self.planes[*i].seen |= header.band.0 == 0;
        }
        let mut bits = Bits::new(self.data, at);
        if let Err((row, lack)) = self.follow(&header, &mut bits) {
            self.gap(row, lack);
        }
        if header.low == 0 {
            let (first, last) = header.band;
            for (i, ..) in &header.parts {
                self.planes[*i].exact |= !0u64 >> (63 - last) & !0u64 << first;
            }
        }
        // Whatever is left of the scan is passed over with its restart markers.
        bits.at()
    }

    fn follow(&mut self, header: &Header, bits: &mut Bits<'_>) -> Result<(), (u32, Lack)> {
        let alone = header.parts.len() == 1;
        let first = &self.planes[header.parts[0].0];
        let ((across, down), rows) = if alone {
            (first.blocks, self.unit_rows / first.v as u32)
        } else {
            (self.units, self.unit_rows)
        };
        let (mut left, mut number, mut run) = (self.restart, 0, 0);
        for y in 0..down {
            let row = y as u32 * rows;
            for x in 0..across {
                if self.restart > 0 {
                    if left == 0 {
                        bits.restart(number).map_err(|lack| (row, lack))?;
                        number = (number + 1) & 7;
                        (left, run) = (self.restart, 0);
                    }
                    left -= 1;
                }
                for part in &header.parts {
                    let (h, v) = if alone {
                        (1, 1)
                    } else {
                        (self.planes[part.0].h, self.planes[part.0].v)
                    };
                    for block in 0..h * v {
                        let at = (x * h + block % h, y * v + block / h);
                        self.block(header, *part, at, bits, &mut run)
                            .map_err(|lack| (row, lack))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn block(
        &mut self,
        header: &Header,
        (plane, dc, ac): (usize, usize, usize),
        (x, y): (usize, usize),
        bits: &mut Bits<'_>,
        run: &mut u32,
    ) -> Result<(), Lack> {
        let (mut first, last) = header.band;
        if first == 0 {
            if header.refines {
                bits.take(1)?;
            } else {
                let codes = self.dc.get(dc).and_then(Option::as_ref);
                let size = bits.symbol(codes.ok_or(Lack::Sense)?)?;
                bits.take(u32::from(size & 15))?;
            }
            first = 1;
        }
        if first > last {
            return Ok(());
        }
        let codes = self.ac.get(ac).and_then(Option::as_ref);
        let codes = codes.ok_or(Lack::Sense)?;
        if !self.progressive {
            return sequential(codes, bits);
        }
        let plane = &mut self.planes[plane];
        let Some(nonzero) = plane.nonzero.get_mut(y * plane.row + x) else {
            return Err(Lack::Sense);
        };
        if header.refines {
            refine(codes, bits, (first, last), nonzero, run)
        } else {
            bring(codes, bits, (first, last), nonzero, run)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::jpeg_markers;
    use super::*;

    fn file(name: &str) -> Vec<u8> {
        let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data");
        std::fs::read(data.join(name)).unwrap()
    }

    fn look(file: &[u8]) -> Option<Gap> {
        let markers = jpeg_markers::parse(file).ok()?;
        (markers.precision == 8 && (0xc0..=0xc2).contains(&markers.frame))
            .then(|| gap(file, &markers).unwrap())?
    }

    #[test]
    fn nothing_lacks_in_whole_files_and_something_in_cut_ones() {
        for name in [
            "full.jpg",
            "progressive.jpg",
            "gray.jpg",
            "wide.jpg",
            "odd.jpg",
        ] {
            let whole = file(name);
            assert_eq!(look(&whole), None, "{name}");
            let scan = whole.windows(2).rposition(|w| w == [0xff, 0xda]).unwrap() + 12;
            let mut last = 0;
            for cut in (scan..whole.len() - 3).step_by(7) {
                let cut = [&whole[..cut], &[0xff, 0xd9]].concat();
                let gap = look(&cut).unwrap_or_else(|| panic!("{name}: {cut:?}"));
                // The more is there, the later it lacks.
                assert!(gap.row >= last, "{name}: {gap:?} after {last}");
                last = gap.row;
            }
            assert!(last > 0, "{name}");
        }
    }

    #[test]
    fn missing_scans_are_told() {
        let whole = file("progressive.jpg");
        let scans: Vec<_> = (0..whole.len() - 1)
            .filter(|i| whole[*i..i + 2] == [0xff, 0xda])
            .collect();
        let gap = look(&[&whole[..scans[1]], &[0xff, 0xd9]].concat()).unwrap();
        assert_eq!(gap.kind, Lack::Detail);
    }

    #[test]
    fn hostile_files_are_survived() {
        for name in ["full.jpg", "progressive.jpg"] {
            let good = file(name);
            for at in (2..good.len()).step_by(3) {
                for value in [0, 0x11, 0xda, 0xff] {
                    let mut bad = good.clone();
                    bad[at] = value;
                    // A size that the file's limits would refuse is not this module's to survive.
                    let small = jpeg_markers::parse(&bad)
                        .is_ok_and(|m| u32::from(m.width) * u32::from(m.height) < 1 << 20);
                    if small {
                        look(&bad);
                    }
                }
            }
        }
    }
}
