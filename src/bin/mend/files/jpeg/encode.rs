//! Writing a JPEG from quantised coefficients.
//!
//! Source: ITU-T T.81 (1992), annexes B, F.1, G.1 and K.3.
#![forbid(unsafe_code)]

use super::coefficients::{Block, Plane};
use super::dct::Blocks;
use super::huffman::{BitWriter, Counter, Sink, Table, best};
use super::markers::{Markers, ZIGZAG, segment};
use std::io::{self, Write};

/// Writes everything before the first scan.
pub fn header(out: &mut dyn Write, m: &Markers, segments: &[u8]) -> io::Result<()> {
    out.write_all(&[0xff, 0xd8])?;
    out.write_all(segments)?;
    for (number, table) in m.tables.iter().enumerate() {
        let used = m.components.iter().any(|c| usize::from(c.table) == number);
        let Some(table) = table.as_deref().filter(|_| used) else {
            continue;
        };
        let wide = table.iter().any(|v| *v > 255);
        let mut body = vec![u8::from(wide) << 4 | number as u8];
        for raster in ZIGZAG {
            let v = table[usize::from(raster)].to_be_bytes();
            body.extend(if wide { &v[..] } else { &v[1..] });
        }
        segment(out, 0xdb, &body)?;
    }
    let mut body = vec![8];
    body.extend(m.height.to_be_bytes());
    body.extend(m.width.to_be_bytes());
    body.push(m.components.len() as u8);
    for c in &m.components {
        body.extend([c.id, c.h << 4 | c.v, c.table]);
    }
    segment(out, m.frame, &body)
}

/// Writes the scans of `planes` and the end.
pub fn scans(out: &mut dyn Write, m: &Markers, planes: &[Plane]) -> io::Result<()> {
    if m.progressive() {
        progressive(out, m, planes)?;
    } else {
        sequential(out, m, planes)?;
    }
    out.write_all(&[0xff, 0xd9])
}

/// Tables by number: twice the component's set, and 1 more for AC.
fn table_of(c: usize) -> usize {
    2 * c.min(1)
}

fn sequential(out: &mut dyn Write, m: &Markers, planes: &[Plane]) -> io::Result<()> {
    let mut counter = Counter(vec![[0; 256]; 4]);
    let mut coder = Sequential::new(m);
    for row in 0..m.mcus().1 {
        coder.row(&mut counter, row, |c, i| &planes[c].blocks[i]);
    }
    let tables: Vec<_> = counter.0.iter().map(best).collect();
    let mut writer = start(out, m, &tables)?;
    let mut coder = Sequential::new(m);
    for row in 0..m.mcus().1 {
        coder.row(&mut writer, row, |c, i| &planes[c].blocks[i]);
        if writer.failed() {
            break;
        }
    }
    writer.finish()
}

/// Writes the one scan of a picture whose blocks are made on the way, and the end.
pub fn fresh(out: &mut dyn Write, m: &Markers, blocks: &Blocks<'_>) -> io::Result<()> {
    let mut writer = start(out, m, &standard())?;
    let mut coder = Sequential::new(m);
    for row in 0..m.mcus().1 {
        // A row of MCUs at a time.
        let made: Vec<Vec<Block>> = (0..m.components.len())
            .map(|c| {
                let (across, v) = (coder.across(c), usize::from(m.components[c].v));
                (0..across * v)
                    .map(|i| blocks.block(c, i % across, row * v + i / across))
                    .collect()
            })
            .collect();
        let firsts: Vec<_> = (0..made.len()).map(|c| coder.first(c, row)).collect();
        coder.row(&mut writer, row, |c, i| &made[c][i - firsts[c]]);
        if writer.failed() {
            break;
        }
    }
    writer.finish()?;
    out.write_all(&[0xff, 0xd9])
}

/// Writes tables, restart interval and the scan header of a sequential picture.
fn start<'a>(out: &'a mut dyn Write, m: &Markers, tables: &[Table]) -> io::Result<BitWriter<'a>> {
    let sets = m.components.len().min(2);
    for (i, table) in tables[..2 * sets].iter().enumerate() {
        huffman(out, (i % 2) as u8, (i / 2) as u8, table)?;
    }
    if m.restart > 0 {
        segment(out, 0xdd, &m.restart.to_be_bytes())?;
    }
    let all: Vec<_> = (0..m.components.len()).collect();
    scan_header(out, m, &all, (0, 63))?;
    Ok(BitWriter::new(out, tables))
}

fn huffman(out: &mut dyn Write, class: u8, number: u8, table: &Table) -> io::Result<()> {
    let mut body = vec![class << 4 | number];
    body.extend(table.counts);
    body.extend(&table.symbols);
    segment(out, 0xc4, &body)
}

fn scan_header(
    out: &mut dyn Write,
    m: &Markers,
    parts: &[usize],
    band: (u8, u8),
) -> io::Result<()> {
    let mut body = vec![parts.len() as u8];
    for c in parts {
        let set = (*c).min(1) as u8;
        body.extend([m.components[*c].id, set << 4 | set]);
    }
    body.extend([band.0, band.1, 0]);
    segment(out, 0xda, &body)
}

/// Codes MCUs one after the other.
struct Sequential<'a> {
    m: &'a Markers,
    last: [i16; 4],
    units: usize,
}

impl<'a> Sequential<'a> {
    fn new(m: &'a Markers) -> Self {
        Self {
            m,
            last: [0; 4],
            units: 0,
        }
    }

    /// Blocks of component `c` across.
    fn across(&self, c: usize) -> usize {
        self.m.mcus().0 * usize::from(self.m.components[c].h)
    }

    /// The number of the first block of component `c` in a row of MCUs.
    fn first(&self, c: usize, row: usize) -> usize {
        row * usize::from(self.m.components[c].v) * self.across(c)
    }

    /// Codes row `row` of MCUs; `block` gives a component's block by its number.
    fn row<'b>(
        &mut self,
        sink: &mut dyn Sink,
        row: usize,
        block: impl Fn(usize, usize) -> &'b Block,
    ) {
        let m = self.m;
        let restart = usize::from(m.restart);
        for mx in 0..m.mcus().0 {
            if restart > 0 && self.units > 0 && self.units.is_multiple_of(restart) {
                sink.restart((self.units / restart - 1) as u8);
                self.last = [0; 4];
            }
            self.units += 1;
            for (c, component) in m.components.iter().enumerate() {
                let (h, v) = (usize::from(component.h), usize::from(component.v));
                for y in 0..v {
                    for x in 0..h {
                        let i = self.first(c, row) + y * self.across(c) + mx * h + x;
                        let block = block(c, i);
                        dc(sink, table_of(c), block[0], &mut self.last[c]);
                        ac(sink, table_of(c) + 1, block);
                    }
                }
            }
        }
    }
}

/// The bits that a number takes, and the number as they code it.
fn sized(v: i32) -> (u32, u32) {
    let size = 32 - v.unsigned_abs().leading_zeros();
    let bits = if v < 0 { v - 1 } else { v };
    (size, bits as u32)
}

fn dc(sink: &mut dyn Sink, table: usize, value: i16, last: &mut i16) {
    let (size, bits) = sized(i32::from(value) - i32::from(*last));
    *last = value;
    sink.symbol(table, size as u8);
    sink.bits(bits, size);
}

/// A zero run's symbols and a number.
fn number(sink: &mut dyn Sink, table: usize, run: &mut u32, value: i16) {
    while *run > 15 {
        sink.symbol(table, 0xf0);
        *run -= 16;
    }
    let (size, bits) = sized(i32::from(value));
    sink.symbol(table, (*run << 4 | size) as u8);
    sink.bits(bits, size);
    *run = 0;
}

fn ac(sink: &mut dyn Sink, table: usize, block: &Block) {
    let mut run = 0;
    for v in &block[1..] {
        if *v == 0 {
            run += 1;
        } else {
            number(sink, table, &mut run, *v);
        }
    }
    if run > 0 {
        sink.symbol(table, 0);
    }
}

/// Scans of a progressive file: a first view from the means alone, then the coarse luma, colour,
/// and the rest.
fn progressive(out: &mut dyn Write, m: &Markers, planes: &[Plane]) -> io::Result<()> {
    let all: Vec<_> = (0..m.components.len()).collect();
    let means = |sink: &mut dyn Sink| {
        let (mcus_across, mcus_down) = m.mcus();
        let mut last = [0; 4];
        for mcu in 0..mcus_across * mcus_down {
            let (mx, my) = (mcu % mcus_across, mcu / mcus_across);
            for (c, component) in m.components.iter().enumerate() {
                let (h, v) = (usize::from(component.h), usize::from(component.v));
                for y in my * v..my * v + v {
                    for x in mx * h..mx * h + h {
                        let block = &planes[c].blocks[y * planes[c].across + x];
                        dc(sink, table_of(c), block[0], &mut last[c]);
                    }
                }
            }
        }
    };
    scan(out, m, &all, (0, 0), &means)?;
    let mut bands = vec![(0, (1, 5))];
    bands.extend(all.iter().skip(1).map(|c| (*c, (1, 63))));
    bands.push((0, (6, 63)));
    for (c, (first, last)) in bands {
        let band = |sink: &mut dyn Sink| {
            let mut ended = Ended {
                table: table_of(c) + 1,
                blocks: 0,
            };
            let plane = &planes[c];
            for y in 0..plane.shown.1 {
                for x in 0..plane.shown.0 {
                    let block = &plane.blocks[y * plane.across + x];
                    ended.block(sink, &block[usize::from(first)..=usize::from(last)]);
                }
            }
            ended.flush(sink);
        };
        scan(out, m, &[c], (first, last), &band)?;
    }
    Ok(())
}

/// Writes a scan with tables of its own.
fn scan(
    out: &mut dyn Write,
    m: &Markers,
    parts: &[usize],
    band: (u8, u8),
    code: &dyn Fn(&mut dyn Sink),
) -> io::Result<()> {
    let mut counter = Counter(vec![[0; 256]; 4]);
    code(&mut counter);
    let tables: Vec<_> = counter.0.iter().map(best).collect();
    let class = u8::from(band.0 > 0);
    let mut sets: Vec<_> = parts.iter().map(|c| (*c).min(1)).collect();
    sets.dedup();
    for set in sets {
        huffman(out, class, set as u8, &tables[2 * set + usize::from(class)])?;
    }
    scan_header(out, m, parts, band)?;
    let mut writer = BitWriter::new(out, &tables);
    code(&mut writer);
    writer.finish()
}

/// Blocks whose band has ended, told together.
struct Ended {
    table: usize,
    blocks: u32,
}

impl Ended {
    fn block(&mut self, sink: &mut dyn Sink, band: &[i16]) {
        let mut run = 0;
        for v in band {
            if *v == 0 {
                run += 1;
            } else {
                self.flush(sink);
                number(sink, self.table, &mut run, *v);
            }
        }
        if run > 0 {
            self.blocks += 1;
            if self.blocks == 0x7fff {
                self.flush(sink);
            }
        }
    }

    fn flush(&mut self, sink: &mut dyn Sink) {
        if self.blocks > 0 {
            let size = self.blocks.ilog2();
            sink.symbol(self.table, (size << 4) as u8);
            sink.bits(self.blocks, size);
            self.blocks = 0;
        }
    }
}

/// The tables of T.81, K.3: luma's DC and AC, chroma's DC and AC.
fn standard() -> [Table; 4] {
    let table = |counts: [u8; 16], symbols: &[u8]| Table {
        counts,
        symbols: symbols.to_vec(),
    };
    let dc: Vec<u8> = (0..12).collect();
    [
        table([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], &dc),
        table(
            [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d],
            &LUMA_AC,
        ),
        table([0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0], &dc),
        table(
            [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77],
            &CHROMA_AC,
        ),
    ]
}

/// T.81, table K.5.
const LUMA_AC: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07,
    0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0,
    0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28,
    0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49,
    0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
    0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
    0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
    0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5,
    0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2,
    0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa,
];

/// T.81, table K.6.
const CHROMA_AC: [u8; 162] = [
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71,
    0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0,
    0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26,
    0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
    0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
    0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
    0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5,
    0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
    0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda,
    0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa,
];

/// T.81, tables K.1 and K.2, in raster order.
const QUANTISATION: [[u16; 64]; 2] = [
    [
        16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69,
        56, 14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81,
        104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
    ],
    [
        17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99,
        99, 47, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
        99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    ],
];

/// The luma and chroma table of a quality, 1 to 100, on the scale that most programs share: 50 is
/// T.81's own tables, each step to 100 makes them finer (libjpeg, jpeg_quality_scaling).
pub fn tables(quality: u8) -> [Box<[u16; 64]>; 2] {
    let quality = u32::from(quality.clamp(1, 100));
    let percent = if quality < 50 {
        5000 / quality
    } else {
        200 - 2 * quality
    };
    QUANTISATION.map(|table| {
        Box::new(table.map(|v| ((u32::from(v) * percent + 50) / 100).clamp(1, 255) as u16))
    })
}
