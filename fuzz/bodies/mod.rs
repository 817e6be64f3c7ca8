//! What is fuzzed: each body takes any bytes, makes a call of them, and checks what must hold
//! whatever the call was. The fuzzer drives them (`fuzz_targets/`), and so does a plain test with
//! seeded inputs (`crates/mend-cli/tests/fuzz_bodies.rs`).

pub mod archives;
pub mod fill;
pub mod masks;
pub mod models;
pub mod params;
pub mod prompts;
pub mod schedulers;

/// Bytes taken from the front; once they are used up, zeros.
pub struct Bytes<'a>(pub &'a [u8]);

impl Bytes<'_> {
    pub fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes([self.u8(), self.u8(), self.u8(), self.u8()])
    }

    /// `0 ..= largest`.
    pub fn upto(&mut self, largest: usize) -> usize {
        let wide = usize::from(u16::from_le_bytes([self.u8(), self.u8()]));
        wide % (largest + 1)
    }

    pub fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.upto(list.len() - 1)]
    }

    /// Once in sixteen times.
    pub fn rarely(&mut self) -> bool {
        self.u8() % 16 == 15
    }

    /// `len` bytes that depend on all that is left.
    pub fn spread(&mut self, len: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        for b in self.0.iter().take(64) {
            state = (state ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
        }
        (0..len)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (state >> 56) as u8
            })
            .collect()
    }
}
