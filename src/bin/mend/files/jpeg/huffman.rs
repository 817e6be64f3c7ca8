//! JPEG's entropy coding: bits, Huffman tables, the best table for given counts.
//!
//! Source: ITU-T T.81 (1992), annexes C, F.1.2, F.2.2 and K.2.
#![forbid(unsafe_code)]

use std::io::{self, Write};

/// Bits that the quick look-up takes at once.
const QUICK: u32 = 9;

/// A Huffman table as a file defines it: how many codes of each length, and their symbols.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub counts: [u8; 16],
    pub symbols: Vec<u8>,
}

/// A table, to decode with.
#[derive(Clone, Debug)]
pub struct Decoder {
    /// By the next [`QUICK`] bits: length and symbol of a code that short, or 0.
    quick: Vec<u16>,
    /// By length: one more than the largest code, shifted to 16 bits.
    limits: [u32; 17],
    /// By length: what a code's number is away from its symbol's place.
    offsets: [i32; 17],
    symbols: Vec<u8>,
}

impl Decoder {
    /// The decoder of `table`; `None` for one that no code can have.
    pub fn new(table: &Table) -> Option<Self> {
        let mut decoder = Self {
            quick: vec![0; 1 << QUICK],
            limits: [0; 17],
            offsets: [0; 17],
            symbols: table.symbols.clone(),
        };
        let (mut code, mut place) = (0u32, 0usize);
        for length in 1..=16 {
            let n = u32::from(table.counts[length - 1]);
            decoder.offsets[length] = place as i32 - code as i32;
            for _ in 0..n {
                let symbol = *table.symbols.get(place)?;
                if code >= 1 << length {
                    return None;
                }
                if length as u32 <= QUICK {
                    let shift = QUICK - length as u32;
                    let first = (code << shift) as usize;
                    decoder.quick[first..first + (1 << shift)]
                        .fill((length as u16) << 8 | u16::from(symbol));
                }
                code += 1;
                place += 1;
            }
            decoder.limits[length] = code << (16 - length);
            code <<= 1;
        }
        Some(decoder)
    }
}

/// Entropy-coded bits, up to the next marker; zeros after that.
pub struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    held: u64,
    n: u32,
    /// Bits among those held that the data did not have.
    padding: u32,
}

impl<'a> Bits<'a> {
    /// The bits that begin at byte `at`.
    pub fn new(data: &'a [u8], at: usize) -> Self {
        Self {
            data,
            at,
            held: 0,
            n: 0,
            padding: 0,
        }
    }

    fn refill(&mut self) {
        while self.n <= 48 {
            let byte = match (self.data.get(self.at), self.data.get(self.at + 1)) {
                (Some(0xff), Some(0)) => {
                    self.at += 2;
                    0xff
                }
                (Some(0xff), _) | (None, _) => {
                    self.padding += 8;
                    0
                }
                (Some(byte), _) => {
                    self.at += 1;
                    *byte
                }
            };
            self.held = self.held << 8 | u64::from(byte);
            self.n += 8;
        }
    }

    fn peek(&mut self, n: u32) -> u32 {
        if self.n < n {
            self.refill();
        }
        (self.held >> (self.n - n)) as u32 & ((1u32 << n) - 1)
    }

    /// The next `n` bits, at most 16.
    pub fn take(&mut self, n: u32) -> u32 {
        if n == 0 {
            return 0;
        }
        let bits = self.peek(n);
        self.n -= n;
        bits
    }

    /// The next symbol; `None` for bits that are no code.
    pub fn symbol(&mut self, decoder: &Decoder) -> Option<u8> {
        let quick = decoder.quick[self.peek(QUICK) as usize];
        if quick != 0 {
            self.n -= u32::from(quick >> 8);
            return Some(quick as u8);
        }
        let bits = self.peek(16);
        let length = (1..=16).find(|l| bits < decoder.limits[*l])?;
        self.n -= length as u32;
        let code = (bits >> (16 - length)) as i32;
        let place = usize::try_from(code + decoder.offsets[length]).ok()?;
        decoder.symbols.get(place).copied()
    }

    /// A signed number of `size` bits (T.81, figure F.12).
    pub fn number(&mut self, size: u32) -> i32 {
        let bits = self.take(size) as i32;
        if size > 0 && bits < 1 << (size - 1) {
            bits - (1 << size) + 1
        } else {
            bits
        }
    }

    /// Whether more was taken than was there.
    pub fn starved(&self) -> bool {
        self.padding > self.n
    }

    /// Goes on behind the restart marker that must come now; `None` where there is none.
    pub fn restart(&mut self) -> Option<()> {
        if self.starved() {
            return None;
        }
        let at = self.end();
        match self.data.get(at..at + 2) {
            Some([0xff, 0xd0..=0xd7]) => {
                *self = Self::new(self.data, at + 2);
                Some(())
            }
            _ => None,
        }
    }

    /// Where the next marker begins.
    pub fn end(&self) -> usize {
        // Refilling stops at a marker; unread bytes before it are padding of the encoder's.
        let rest = self.data.get(self.at..).unwrap_or_default();
        let marker = |w: &[u8]| w[0] == 0xff && !matches!(w[1], 0 | 0xff);
        rest.windows(2)
            .position(marker)
            .map_or(self.data.len(), |i| self.at + i)
    }
}

/// Receives what an encoder has to say: counts it, or writes it.
pub trait Sink {
    /// A symbol of table `table`.
    fn symbol(&mut self, table: usize, symbol: u8);
    /// The low `n` bits of `value`.
    fn bits(&mut self, value: u32, n: u32);
    /// A restart marker.
    fn restart(&mut self, number: u8);
}

/// How often each symbol of each table occurs.
pub struct Counter(pub Vec<[u32; 256]>);

impl Sink for Counter {
    fn symbol(&mut self, table: usize, symbol: u8) {
        if let Some(counts) = self.0.get_mut(table) {
            counts[usize::from(symbol)] += 1;
        }
    }

    fn bits(&mut self, _: u32, _: u32) {}

    fn restart(&mut self, _: u8) {}
}

/// Writes entropy-coded bits. A failure is kept until [`BitWriter::finish`].
pub struct BitWriter<'a> {
    out: &'a mut dyn Write,
    /// By table and symbol: the code and its length.
    codes: Vec<Vec<(u16, u8)>>,
    buffer: Vec<u8>,
    held: u64,
    n: u32,
    failure: Option<io::Error>,
}

impl<'a> BitWriter<'a> {
    /// A writer with the codes of `tables`.
    pub fn new(out: &'a mut dyn Write, tables: &[Table]) -> Self {
        Self {
            out,
            codes: tables.iter().map(codes).collect(),
            buffer: Vec::with_capacity(1 << 16),
            held: 0,
            n: 0,
            failure: None,
        }
    }

    fn byte(&mut self, byte: u8) {
        self.buffer.push(byte);
        if byte == 0xff {
            self.buffer.push(0);
        }
        if self.buffer.len() >= (1 << 16) - 2 {
            self.drain();
        }
    }

    fn drain(&mut self) {
        if self.failure.is_none()
            && let Err(e) = self.out.write_all(&self.buffer)
        {
            self.failure = Some(e);
        }
        self.buffer.clear();
    }

    /// Fills the last byte with ones.
    fn align(&mut self) {
        let missing = (8 - self.n % 8) % 8;
        self.bits((1 << missing) - 1, missing);
    }

    /// Ends the scan.
    ///
    /// # Errors
    /// The first failure of writing.
    pub fn finish(mut self) -> io::Result<()> {
        self.align();
        self.drain();
        self.failure.map_or(Ok(()), Err)
    }

    /// Whether writing has failed, so that going on is in vain.
    pub fn failed(&self) -> bool {
        self.failure.is_some()
    }
}

impl Sink for BitWriter<'_> {
    fn symbol(&mut self, table: usize, symbol: u8) {
        let code = self
            .codes
            .get(table)
            .and_then(|t| t.get(usize::from(symbol)));
        let (code, length) = code.copied().unwrap_or_default();
        self.bits(u32::from(code), u32::from(length));
    }

    fn bits(&mut self, value: u32, n: u32) {
        self.held = self.held << n | u64::from(value & ((1u32 << n) - 1));
        self.n += n;
        while self.n >= 8 {
            self.n -= 8;
            self.byte((self.held >> self.n) as u8);
        }
    }

    fn restart(&mut self, number: u8) {
        self.align();
        self.buffer.extend([0xff, 0xd0 | number & 7]);
    }
}

/// Each symbol's code and length.
fn codes(table: &Table) -> Vec<(u16, u8)> {
    let mut codes = vec![(0, 0); 256];
    let (mut code, mut place) = (0u32, 0);
    for (i, n) in table.counts.iter().enumerate() {
        for _ in 0..*n {
            if let Some(symbol) = table.symbols.get(place) {
                codes[usize::from(*symbol)] = (code as u16, i as u8 + 1);
            }
            code += 1;
            place += 1;
        }
        code <<= 1;
    }
    codes
}

/// The table that codes symbols of these counts in the fewest bits (T.81, K.2).
pub fn best(counts: &[u32; 256]) -> Table {
    // One more symbol, the rarest, takes the code of all ones, which no table may use.
    let mut freq: Vec<u64> = counts.iter().map(|c| u64::from(*c)).collect();
    freq.push(1);
    let mut size = [0usize; 257];
    // Trees grow by joining the two rarest; `next` chains the symbols of a tree.
    let mut next = [None; 257];
    loop {
        let mut two: Vec<usize> = Vec::with_capacity(2);
        for _ in 0..2 {
            let rarest = (0..257)
                .filter(|i| freq[*i] > 0 && !two.contains(i))
                // Of equals the last, so that the symbol added above gets the longest code.
                .min_by_key(|i| (freq[*i], 257 - i));
            two.extend(rarest);
        }
        let [a, b] = two[..] else {
            break;
        };
        freq[a] += freq[b];
        freq[b] = 0;
        let mut at = a;
        loop {
            size[at] += 1;
            match next[at] {
                Some(i) => at = i,
                None => break,
            }
        }
        next[at] = Some(b);
        at = b;
        loop {
            size[at] += 1;
            match next[at] {
                Some(i) => at = i,
                None => break,
            }
        }
    }
    let mut bits = [0i32; 258];
    for s in size.iter().filter(|s| **s > 0) {
        bits[*s] += 1;
    }
    // Codes over 16 bits: a pair of them gives up its prefix to one of theirs, and a shorter code
    // becomes the prefix of two.
    for long in (17..258).rev() {
        while bits[long] > 0 {
            let Some(shorter) = (1..long - 1).rev().find(|l| bits[*l] > 0) else {
                break;
            };
            bits[long] -= 2;
            bits[long - 1] += 1;
            bits[shorter + 1] += 2;
            bits[shorter] -= 1;
        }
    }
    // The symbol added above has one of the longest codes.
    if let Some(longest) = (1..=16).rev().find(|l| bits[*l] > 0) {
        bits[longest] -= 1;
    }
    let mut table = Table {
        counts: [0; 16],
        symbols: Vec::new(),
    };
    for (count, n) in table.counts.iter_mut().zip(&bits[1..=16]) {
        *count = *n as u8;
    }
    let mut symbols: Vec<usize> = (0..256).filter(|s| size[*s] > 0).collect();
    symbols.sort_by_key(|s| (size[*s], *s));
    table.symbols = symbols.into_iter().map(|s| s as u8).collect();
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes `symbols`, each followed by a number of its low four bits' size, and decodes them.
    fn there_and_back(symbols: &[u8]) {
        let mut counter = Counter(vec![[0; 256]]);
        for s in symbols {
            counter.symbol(0, *s);
        }
        let table = best(&counter.0[0]);
        let mut file = Vec::new();
        let mut writer = BitWriter::new(&mut file, std::slice::from_ref(&table));
        for (i, s) in symbols.iter().enumerate() {
            writer.symbol(0, *s);
            writer.bits(i as u32, u32::from(s & 15));
        }
        writer.finish().unwrap();
        file.extend([0xff, 0xd9]);
        let decoder = Decoder::new(&table).unwrap();
        let mut bits = Bits::new(&file, 0);
        for (i, s) in symbols.iter().enumerate() {
            assert_eq!(bits.symbol(&decoder), Some(*s));
            let n = u32::from(s & 15);
            assert_eq!(bits.take(n), i as u32 & ((1 << n) - 1));
        }
        assert!(!bits.starved());
        assert_eq!(bits.end(), file.len() - 2);
    }

    #[test]
    fn what_is_coded_is_decoded() {
        there_and_back(&[7]);
        there_and_back(&(0..=255).collect::<Vec<_>>());
        // Counts like Fibonacci's make the longest codes there can be.
        let mut symbols = Vec::new();
        let (mut a, mut b) = (1usize, 1usize);
        for s in 0..22u8 {
            symbols.extend(std::iter::repeat_n(s * 11, a));
            (a, b) = (b, a + b);
        }
        there_and_back(&symbols);
    }

    #[test]
    fn tables_that_cannot_be_are_refused() {
        let mut counts = [0; 16];
        counts[0] = 3;
        let three_codes_of_one_bit = Table {
            counts,
            symbols: vec![0, 1, 2],
        };
        assert!(Decoder::new(&three_codes_of_one_bit).is_none());
        counts[0] = 2;
        let too_few_symbols = Table {
            counts,
            symbols: vec![0],
        };
        assert!(Decoder::new(&too_few_symbols).is_none());
    }
}
