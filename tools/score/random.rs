//! NumPy's default generator, so that the samples here are the very ones that a script in NumPy
//! draws and the two scores agree to the last digit printed.
//!
//! Sources: O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms for
//! Random Number Generation" (2014), the XSL-RR 128/64 member; Lemire, "Fast Random Integer
//! Generation in an Interval" (2019), for bounded draws.
#![forbid(unsafe_code)]

/// The multiplier of PCG's 128-bit generator.
const MULTIPLIER: u128 = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645;

/// `numpy.random.default_rng(seed)`.
pub struct Random {
    state: u128,
    increment: u128,
    /// The upper half of the last 64 bits, where only the lower was used.
    spare: Option<u32>,
}

impl Random {
    /// `default_rng(0)`: state and increment as `PCG64(0).state` shows them.
    pub fn seeded_0() -> Self {
        Self {
            state: 0x1aa1_b534_5996_452d_0958_5eb7_a695_61e3,
            increment: 0x418d_dadb_3af7_1a82_5881_33bc_4478_73a9,
            spare: None,
        }
    }

    /// `default_rng(1)`.
    pub fn seeded_1() -> Self {
        Self {
            state: 0x9c5b_484b_fedb_756c_2a6e_7d6f_320f_bc7e,
            increment: 0x922a_f2da_2645_f895_a198_57b9_5740_937b,
            spare: None,
        }
    }

    fn bits(&mut self) -> u32 {
        if let Some(high) = self.spare.take() {
            return high;
        }
        self.state = (self.state.wrapping_mul(MULTIPLIER)).wrapping_add(self.increment);
        let folded = (self.state >> 64) as u64 ^ self.state as u64;
        let all = folded.rotate_right((self.state >> 122) as u32);
        self.spare = Some((all >> 32) as u32);
        all as u32
    }

    /// A number in `0 ..= largest`.
    pub fn upto(&mut self, largest: u32) -> u32 {
        if largest == 0 {
            return 0;
        }
        let count = u64::from(largest) + 1;
        let rejected = (u64::from(u32::MAX - largest) % count) as u32;
        loop {
            let product = u64::from(self.bits()) * count;
            if product as u32 >= rejected {
                return (product >> 32) as u32;
            }
        }
    }

    /// `0 .. count` in random order.
    pub fn permutation(&mut self, count: u32) -> Vec<u32> {
        let mut order: Vec<u32> = (0..count).collect();
        for i in (1..count).rev() {
            // NumPy shuffles with another way of bounding: it draws bits until they are few enough.
            let mask = u32::MAX >> i.leading_zeros();
            let j = loop {
                let j = self.bits() & mask;
                if j <= i {
                    break j;
                }
            };
            order.swap(i as usize, j as usize);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What NumPy 2.4 draws.
    #[test]
    fn it_draws_what_numpy_draws() {
        let mut random = Random::seeded_0();
        assert_eq!(random.permutation(7), [2, 4, 3, 6, 5, 0, 1]);
        assert_eq!(random.permutation(5), [4, 1, 2, 0, 3]);
        let long = Random::seeded_0().permutation(100_000);
        assert_eq!(long[..5], [18836, 43996, 91795, 93254, 38314]);
        let mut random = Random::seeded_1();
        let noise: Vec<u32> = (0..12).map(|_| random.upto(255)).collect();
        assert_eq!(
            noise,
            [121, 131, 193, 243, 8, 36, 210, 242, 63, 79, 222, 108]
        );
    }
}
