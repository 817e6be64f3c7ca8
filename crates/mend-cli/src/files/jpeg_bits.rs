//! A JPEG's entropy-coded bits: Huffman codes, and blocks passed over code by code.
//!
//! Source: ITU-T T.81 (1992), sections F.2.2, G.1.2, G.2 and annex C.
#![forbid(unsafe_code)]

use super::jpeg_markers::next_marker;

/// What is lacking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// The data ends too early.
    Rows,
    /// Codes make no sense.
    Sense,
    /// Scans that would bring finer detail.
    Detail,
    /// A whole component.
    Component,
}

/// Bits that are looked up at once; longer codes are searched.
const QUICK: u32 = 9;

/// A Huffman table.
#[derive(Clone)]
pub struct Codes {
    /// For the next [`QUICK`] bits: the symbol and its code's length, 0 where that is longer.
    quick: Vec<(u8, u8)>,
    /// For each length: the first code after those of that length, moved up to 16 bits, and what
    /// leads from a code to its symbol's place.
    ends: [(u32, i32); 17],
    symbols: Vec<u8>,
}

impl Codes {
    /// The table with `counts` codes of each length (T.81, annex C).
    pub fn new(counts: &[u8], symbols: &[u8]) -> Self {
        let mut quick = vec![(0, 0); 1 << QUICK];
        let mut ends = [(0, 0); 17];
        let (mut code, mut at) = (0u32, 0usize);
        for (i, n) in counts.iter().enumerate() {
            let len = i as u32 + 1;
            ends[len as usize].1 = at as i32 - code as i32;
            for _ in 0..*n {
                let symbol = symbols.get(at).copied().unwrap_or(0);
                if len <= QUICK {
                    let first = (code << (QUICK - len)) as usize;
                    let same = quick.iter_mut().skip(first).take(1 << (QUICK - len));
                    same.for_each(|q| *q = (symbol, len as u8));
                }
                code += 1;
                at += 1;
            }
            ends[len as usize].0 = code << (16 - len);
            code <<= 1;
        }
        Self {
            quick,
            ends,
            symbols: symbols.to_vec(),
        }
    }
}

/// Entropy-coded bits up to the next marker.
pub struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    held: u64,
    count: u32,
    /// Bits among those held that are not in the file.
    padding: u32,
}

impl<'a> Bits<'a> {
    /// Those of `data` from `at` on.
    pub fn new(data: &'a [u8], at: usize) -> Self {
        Self {
            data,
            at,
            held: 0,
            count: 0,
            padding: 0,
        }
    }

    /// Where the next bytes would be read.
    pub fn at(&self) -> usize {
        self.at
    }

    fn refill(&mut self) {
        while self.count <= 48 {
            let byte = match self.data.get(self.at..) {
                Some([0xff, 0, ..]) => {
                    self.at += 2;
                    0xff
                }
                Some([byte, ..]) if *byte != 0xff => {
                    self.at += 1;
                    *byte
                }
                // A marker, or the end of the file.
                _ => {
                    self.padding += 8;
                    0
                }
            };
            self.held = self.held << 8 | u64::from(byte);
            self.count += 8;
        }
    }

    fn peek(&mut self, n: u32) -> u32 {
        if self.count < n {
            self.refill();
        }
        (self.held >> (self.count - n)) as u32 & ((1 << n) - 1)
    }

    fn skip(&mut self, n: u32) -> Result<(), Lack> {
        self.count -= n;
        if self.count < self.padding {
            return Err(Lack::Rows);
        }
        Ok(())
    }

    /// The next `n` bits, up to 16.
    pub fn take(&mut self, n: u32) -> Result<u32, Lack> {
        if n == 0 {
            return Ok(0);
        }
        let bits = self.peek(n);
        self.skip(n)?;
        Ok(bits)
    }

    /// The next symbol.
    pub fn symbol(&mut self, codes: &Codes) -> Result<u8, Lack> {
        let next = self.peek(16);
        let (symbol, len) = codes.quick[(next >> (16 - QUICK)) as usize];
        if len > 0 {
            self.skip(u32::from(len))?;
            return Ok(symbol);
        }
        for len in QUICK + 1..=16 {
            let (end, shift) = codes.ends[len as usize];
            if next < end {
                self.skip(len)?;
                let at = (next >> (16 - len)) as i32 + shift;
                return usize::try_from(at)
                    .ok()
                    .and_then(|at| codes.symbols.get(at).copied())
                    .ok_or(Lack::Sense);
            }
        }
        // Bits that are not in the file are the better reason.
        self.skip(16)?;
        Err(Lack::Sense)
    }

    /// Goes past the restart marker that must stand next, whatever is left before it.
    pub fn restart(&mut self, number: u8) -> Result<(), Lack> {
        let Some((marker, next)) = next_marker(self.data, self.at) else {
            return Err(Lack::Rows);
        };
        if marker & 0xf8 != 0xd0 {
            return Err(Lack::Rows);
        }
        if marker & 7 != number {
            return Err(Lack::Sense);
        }
        self.at = next;
        (self.held, self.count, self.padding) = (0, 0, 0);
        Ok(())
    }
}

/// A block's coefficients after the first one, in one go (T.81, F.2.2.2).
pub fn sequential(codes: &Codes, bits: &mut Bits<'_>) -> Result<(), Lack> {
    run_lengths(codes, bits, (1, 63), &mut 0).map(drop)
}

/// The first bits of a band of coefficients (T.81, G.1.2.2).
pub fn bring(
    codes: &Codes,
    bits: &mut Bits<'_>,
    band: (u32, u32),
    nonzero: &mut u64,
    run: &mut u32,
) -> Result<(), Lack> {
    if *run > 0 {
        *run -= 1;
        return Ok(());
    }
    if let Some(size) = run_lengths(codes, bits, band, nonzero)? {
        *run = (1 << size) - 1 + bits.take(size)?;
    }
    Ok(())
}

/// Coefficients that come as a run of zeros and a number, and which of them are not zero. Gives the upper
/// half of the code that ends them before the last: in a band the size of how many more blocks end here.
fn run_lengths(
    codes: &Codes,
    bits: &mut Bits<'_>,
    (first, last): (u32, u32),
    nonzero: &mut u64,
) -> Result<Option<u32>, Lack> {
    let mut k = first;
    while k <= last {
        let symbol = bits.symbol(codes)?;
        let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 {
            if zeros != 15 {
                return Ok(Some(zeros));
            }
            k += 16;
            continue;
        }
        k += zeros;
        if k > 63 {
            return Err(Lack::Sense);
        }
        bits.take(size)?;
        *nonzero |= 1 << k;
        k += 1;
    }
    Ok(None)
}

/// One more bit of a band of coefficients (T.81, G.1.2.3): one for each that is not zero, among the
/// codes of those that cease to be.
pub fn refine(
    codes: &Codes,
    bits: &mut Bits<'_>,
    (first, last): (u32, u32),
    nonzero: &mut u64,
    run: &mut u32,
) -> Result<(), Lack> {
    let mut k = first;
    if *run == 0 {
        while k <= last {
            let symbol = bits.symbol(codes)?;
            let (mut zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 && zeros != 15 {
                *run = (1 << zeros) + bits.take(zeros)?;
                break;
            }
            if size != 0 {
                bits.take(1)?;
            }
            while k <= last {
                if *nonzero >> k & 1 == 1 {
                    bits.take(1)?;
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                k += 1;
            }
            if size != 0 && k <= 63 {
                *nonzero |= 1 << k;
            }
            k += 1;
        }
    }
    if *run > 0 {
        for k in k..=last {
            if *nonzero >> k & 1 == 1 {
                bits.take(1)?;
            }
        }
        *run -= 1;
    }
    Ok(())
}
