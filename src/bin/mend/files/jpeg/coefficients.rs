//! A JPEG's quantised coefficients, as they are in the file: blocks that no fill touches go from
//! here to the new file as they came.
//!
//! Source: ITU-T T.81 (1992), annexes A.2, F.2 and G.2.
#![forbid(unsafe_code)]

use super::huffman::{Bits, Decoder, Table};
use super::markers::{Markers, next_marker, u16_at};
use mend::{Error, Result};

/// A block's 64 coefficients in zigzag order.
pub type Block = [i16; 64];

/// A component's blocks.
pub struct Plane {
    /// Blocks across and down, whole MCUs.
    pub across: usize,
    pub down: usize,
    /// Blocks across and down that show something.
    pub shown: (usize, usize),
    pub blocks: Vec<Block>,
}

/// Why there are no coefficients.
pub enum Failure {
    /// The scans cannot be followed to the end.
    Damaged,
    /// Something is missing that has nothing to do with the file, such as memory.
    Other(Error),
}

/// Scans that a file may have; hostile ones have thousands.
const MAX_SCANS: usize = 256;

/// The planes of a picture of these markers, all zero.
pub fn empty(m: &Markers) -> Result<Vec<Plane>> {
    let (h_max, v_max) = m.largest_factors();
    let (mcus_across, mcus_down) = m.mcus();
    let mut planes = Vec::new();
    for c in &m.components {
        let (h, v) = (usize::from(c.h), usize::from(c.v));
        let size = |pixels: u16, factor: usize, largest: usize| {
            (usize::from(pixels) * factor).div_ceil(largest).div_ceil(8)
        };
        let (across, down) = (mcus_across * h, mcus_down * v);
        planes.push(Plane {
            across,
            down,
            shown: (size(m.width, h, h_max), size(m.height, v, v_max)),
            blocks: mend::memory::filled(across * down, [0; 64], "the picture's coefficients")?,
        });
    }
    Ok(planes)
}

/// Decodes the scans of `file`, whose markers are `m`.
///
/// # Errors
/// See [`Failure`].
pub fn decode(file: &[u8], m: &Markers) -> Result<Vec<Plane>, Failure> {
    let mut planes = empty(m).map_err(Failure::Other)?;
    let mut state = State {
        m,
        dc: [const { None }; 4],
        ac: [const { None }; 4],
        restart: 0,
        scans: 0,
    };
    state.all(file, &mut planes).ok_or(Failure::Damaged)?;
    for plane in &mut planes {
        plane.pad();
    }
    Ok(planes)
}

impl Plane {
    /// Gives blocks beyond the picture's edge, which some scans leave out, the brightness of their
    /// neighbours: that costs the fewest bits.
    fn pad(&mut self) {
        for y in 0..self.down {
            for x in 0..self.across {
                if x < self.shown.0 && y < self.shown.1 {
                    continue;
                }
                let from = (x.min(self.shown.0 - 1), y.min(self.shown.1 - 1));
                let dc = self.blocks[from.1 * self.across + from.0][0];
                let block = &mut self.blocks[y * self.across + x];
                *block = [0; 64];
                block[0] = dc;
            }
        }
    }
}

struct State<'a> {
    m: &'a Markers,
    dc: [Option<Decoder>; 4],
    ac: [Option<Decoder>; 4],
    restart: usize,
    scans: usize,
}

/// A scan's header.
struct Scan {
    /// Component, DC table, AC table.
    parts: Vec<(usize, usize, usize)>,
    first: usize,
    last: usize,
    high: u32,
    low: u32,
}

impl State<'_> {
    fn all(&mut self, file: &[u8], planes: &mut [Plane]) -> Option<()> {
        let mut at = 2;
        loop {
            let (marker, body_at) = next_marker(file, at)?;
            at = body_at;
            match marker {
                0xd9 => return (self.scans > 0).then_some(()),
                0xd0..=0xd8 | 0x01 => continue,
                _ => {}
            }
            let len = usize::from(u16_at(file, at)?);
            let body = file.get(at + 2..at + len)?;
            at += len;
            match marker {
                0xc4 => self.tables(body)?,
                0xdd => self.restart = usize::from(u16_at(body, 0)?),
                0xda => {
                    self.scans += 1;
                    if self.scans > MAX_SCANS {
                        return None;
                    }
                    let scan = self.header(body)?;
                    let mut bits = Bits::new(file, at);
                    self.scan(&scan, &mut bits, planes)?;
                    if bits.starved() {
                        return None;
                    }
                    at = bits.end();
                }
                _ => {}
            }
        }
    }

    fn tables(&mut self, mut body: &[u8]) -> Option<()> {
        while let [head, rest @ ..] = body {
            let counts: [u8; 16] = rest.get(..16)?.try_into().ok()?;
            let n: usize = counts.iter().map(|c| usize::from(*c)).sum();
            let symbols = rest.get(16..16 + n)?.to_vec();
            let decoder = Decoder::new(&Table { counts, symbols })?;
            let tables = if head >> 4 == 0 {
                &mut self.dc
            } else {
                &mut self.ac
            };
            *tables.get_mut(usize::from(head & 15))? = Some(decoder);
            body = &rest[16 + n..];
        }
        Some(())
    }

    fn header(&self, body: &[u8]) -> Option<Scan> {
        let n = usize::from(*body.first()?);
        let mut parts = Vec::new();
        for c in body.get(1..1 + 2 * n)?.chunks_exact(2) {
            let component = self.m.components.iter().position(|k| k.id == c[0])?;
            if parts.iter().any(|(other, _, _)| *other == component) {
                return None;
            }
            parts.push((component, usize::from(c[1] >> 4), usize::from(c[1] & 15)));
        }
        let [first, last, approximation] = *body.get(1 + 2 * n..)?.first_chunk::<3>()?;
        let scan = Scan {
            parts,
            first: usize::from(first),
            last: usize::from(last),
            high: u32::from(approximation >> 4),
            low: u32::from(approximation & 15),
        };
        let sound = if self.m.progressive() {
            let dc_only = scan.first == 0 && scan.last == 0;
            let one_band = scan.first > 0 && scan.last < 64 && scan.parts.len() == 1;
            (dc_only || one_band) && scan.first <= scan.last && scan.low <= 13
        } else {
            scan.first == 0 && scan.last == 63 && scan.high == 0 && scan.low == 0
        };
        (sound && !scan.parts.is_empty()).then_some(scan)
    }

    fn scan(&self, scan: &Scan, bits: &mut Bits<'_>, planes: &mut [Plane]) -> Option<()> {
        let mut walk = Walk {
            state: self,
            scan,
            predictions: [0; 4],
            run: 0,
        };
        let mut units = 0;
        let mut unit = |bits: &mut Bits<'_>, walk: &mut Walk<'_>| -> Option<()> {
            if self.restart > 0 && units > 0 && units % self.restart == 0 {
                bits.restart()?;
                walk.predictions = [0; 4];
                walk.run = 0;
            }
            units += 1;
            // Damaged data would decode as zeros to the end, at the price of the whole picture.
            (!bits.starved()).then_some(())
        };
        if let [(c, _, _)] = scan.parts[..] {
            let (across, (w, h)) = (planes[c].across, planes[c].shown);
            for y in 0..h {
                for x in 0..w {
                    unit(bits, &mut walk)?;
                    walk.block(bits, 0, planes[c].blocks.get_mut(y * across + x)?)?;
                }
            }
            return Some(());
        }
        let (mcus_across, mcus_down) = self.m.mcus();
        for my in 0..mcus_down {
            for mx in 0..mcus_across {
                unit(bits, &mut walk)?;
                for (part, (c, _, _)) in scan.parts.iter().enumerate() {
                    let component = self.m.components[*c];
                    let (h, v) = (usize::from(component.h), usize::from(component.v));
                    let across = planes[*c].across;
                    for y in my * v..my * v + v {
                        for x in mx * h..mx * h + h {
                            let block = planes[*c].blocks.get_mut(y * across + x)?;
                            walk.block(bits, part, block)?;
                        }
                    }
                }
            }
        }
        Some(())
    }
}

/// What goes along from block to block of a scan.
struct Walk<'a> {
    state: &'a State<'a>,
    scan: &'a Scan,
    predictions: [i32; 4],
    /// Blocks to come whose band is known to have ended.
    run: u32,
}

impl Walk<'_> {
    fn block(&mut self, bits: &mut Bits<'_>, part: usize, block: &mut Block) -> Option<()> {
        let scan = self.scan;
        if !self.state.m.progressive() {
            self.dc(bits, part, block)?;
            return self.sequential(bits, part, block);
        }
        match (scan.first, scan.high) {
            (0, 0) => self.dc(bits, part, block),
            (0, _) => {
                block[0] |= (bits.take(1) << scan.low) as i16;
                Some(())
            }
            (_, 0) => self.band(bits, part, block),
            _ => self.refine(bits, part, block),
        }
    }

    fn dc(&mut self, bits: &mut Bits<'_>, part: usize, block: &mut Block) -> Option<()> {
        let table = self.state.dc.get(self.scan.parts[part].1)?.as_ref()?;
        let size = u32::from(bits.symbol(table)?);
        if size > 15 {
            return None;
        }
        let sum = self.predictions[part].wrapping_add(bits.number(size));
        self.predictions[part] = sum;
        // Sound files stay far below; beyond it a difference could not be written again.
        let dc = sum.checked_mul(1 << self.scan.low)?;
        block[0] = i16::try_from(dc)
            .ok()
            .filter(|v| v.unsigned_abs() < 1 << 14)?;
        Some(())
    }

    fn ac(&self, part: usize) -> Option<&Decoder> {
        self.state.ac.get(self.scan.parts[part].2)?.as_ref()
    }

    fn sequential(&mut self, bits: &mut Bits<'_>, part: usize, block: &mut Block) -> Option<()> {
        let table = self.ac(part)?;
        let mut k = 1;
        while k < 64 {
            let symbol = bits.symbol(table)?;
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 {
                if run < 15 {
                    break;
                }
                k += 16;
                continue;
            }
            k += run;
            *block.get_mut(k)? = bits.number(size) as i16;
            k += 1;
        }
        Some(())
    }

    /// The length of a run of ended bands (T.81, G.1.2.2).
    fn ended(bits: &mut Bits<'_>, size: usize) -> u32 {
        (1 << size) + bits.take(size as u32)
    }

    fn band(&mut self, bits: &mut Bits<'_>, part: usize, block: &mut Block) -> Option<()> {
        if self.run > 0 {
            self.run -= 1;
            return Some(());
        }
        let table = self.ac(part)?;
        let mut k = self.scan.first;
        while k <= self.scan.last {
            let symbol = bits.symbol(table)?;
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 {
                if run < 15 {
                    self.run = Self::ended(bits, run) - 1;
                    break;
                }
                k += 16;
                continue;
            }
            k += run;
            let v = i16::try_from(bits.number(size) << self.scan.low).ok()?;
            *block.get_mut(k)? = v;
            k += 1;
        }
        Some(())
    }

    /// One more bit of a band's coefficients (T.81, figure G.7).
    fn refine(&mut self, bits: &mut Bits<'_>, part: usize, block: &mut Block) -> Option<()> {
        let step = 1i16 << self.scan.low;
        let sharpen = |bits: &mut Bits<'_>, v: &mut i16| {
            if bits.take(1) == 1 && *v & step == 0 {
                *v = v.wrapping_add(if *v < 0 { -step } else { step });
            }
        };
        let mut k = self.scan.first;
        let last = self.scan.last;
        if self.run == 0 {
            let table = self.ac(part)?;
            while k <= last {
                let symbol = bits.symbol(table)?;
                let (mut run, size) = (usize::from(symbol >> 4), symbol & 15);
                let fresh = match size {
                    0 if run < 15 => {
                        self.run = Self::ended(bits, run);
                        break;
                    }
                    0 => 0,
                    1 if bits.take(1) == 1 => step,
                    1 => -step,
                    _ => return None,
                };
                // Past coefficients that are there already, each of which is refined, and `run`
                // zeros.
                while k <= last {
                    let v = &mut block[k];
                    if *v != 0 {
                        sharpen(bits, v);
                    } else if run == 0 {
                        *v = fresh;
                        k += 1;
                        break;
                    } else {
                        run -= 1;
                    }
                    k += 1;
                }
            }
        }
        if self.run > 0 {
            for v in block[k..=last].iter_mut().filter(|v| **v != 0) {
                sharpen(bits, v);
            }
            self.run -= 1;
        }
        Some(())
    }
}
