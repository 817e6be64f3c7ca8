//! Random numbers that depend on nothing but their seed.
#![forbid(unsafe_code)]

/// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014):
/// every seed gives an independent stream, so each band of each sweep has its own.
pub struct Random(u64);

impl Random {
    /// The stream of `seed` and `stream`.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut r = Self(seed ^ stream.wrapping_mul(0xd6e8_feb8_6659_fd93));
        r.next();
        r
    }

    /// The next 64 bits.
    #[inline]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0 .. bound` (`bound` ≥ 1).
    #[inline]
    pub fn below(&mut self, bound: u32) -> u32 {
        (((self.next() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// A pair of offsets, each in `-radius ..= radius`.
    #[inline]
    pub fn within(&mut self, radius: u32) -> (i32, i32) {
        let draw = self.next();
        let span = u64::from(2 * radius + 1);
        let one = |bits: u64| ((bits * span) >> 32) as i32 - radius as i32;
        (one(draw & 0xffff_ffff), one(draw >> 32))
    }
}
