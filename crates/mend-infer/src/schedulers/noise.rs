//! Gaussian noise that depends on the seed and on nothing else: not on the machine, the number of
//! threads or the order in which it is asked for.
#![forbid(unsafe_code)]

use std::f64::consts::TAU;

/// What the noise is for; each is a stream of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// The sample that a run begins with.
    Start = 0,
    /// What a scheduler adds at a step.
    Step = 1,
    /// What is drawn from an encoder's distribution.
    Encode = 2,
}

/// A stream of unit Gaussians, each found by its index: Philox's numbers through Box and Muller's
/// transform in `f64`.
///
/// Two values come from each block of the counter-based generator, whose counter is the index and the
/// stream and whose key is the seed. `libm` gives the logarithm and the cosine, for those of the
/// platform differ between machines.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    key: [u32; 2],
    stream: [u32; 2],
}

impl Noise {
    /// The stream of `seed`, `purpose` and `index`: a step's, say. Indices count modulo 2³².
    pub fn new(seed: u64, purpose: Purpose, index: usize) -> Self {
        Self {
            key: [seed as u32, (seed >> 32) as u32],
            stream: [index as u32, purpose as u32],
        }
    }

    /// Fills `out` with the first of the stream.
    pub fn fill(&self, out: &mut [f32]) {
        self.fill_from(0, out);
    }

    /// Fills `out` with the values from the stream's index `first` on: in parts, in any order, they are
    /// the same.
    pub fn fill_from(&self, first: u64, out: &mut [f32]) {
        let mut pair = (u64::MAX, [0.0; 2]);
        for (i, o) in out.iter_mut().enumerate() {
            let index = first.wrapping_add(i as u64);
            if pair.0 != index / 2 {
                pair = (index / 2, self.pair(index / 2));
            }
            *o = pair.1[(index % 2) as usize];
        }
    }

    fn pair(&self, block: u64) -> [f32; 2] {
        let counter = [
            block as u32,
            (block >> 32) as u32,
            self.stream[0],
            self.stream[1],
        ];
        let [a, b, c, d] = philox4x32(counter, self.key);
        // 53 bits each, the first above 0 for the logarithm's sake.
        let unit = |low: u32, high: u32| (u64::from(high) << 32 | u64::from(low)) >> 11;
        let scale = 1.0 / (1u64 << 53) as f64;
        let radius = (-2.0 * libm::log((unit(a, b) + 1) as f64 * scale)).sqrt();
        let angle = TAU * (unit(c, d) as f64 * scale);
        [
            (radius * libm::cos(angle)) as f32,
            (radius * libm::sin(angle)) as f32,
        ]
    }
}

/// Philox 4×32 with ten rounds (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2,
/// 3", SC 2011); constants as in Random123 1.09, `philox.h`.
fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let ([mut a, mut b, mut c, mut d], [mut k, mut l]) = (counter, key);
    for _ in 0..10 {
        let p = u64::from(a) * 0xD251_1F53;
        let q = u64::from(c) * 0xCD9E_8D57;
        (a, b, c, d) = (
            (q >> 32) as u32 ^ b ^ k,
            q as u32,
            (p >> 32) as u32 ^ d ^ l,
            p as u32,
        );
        k = k.wrapping_add(0x9E37_79B9);
        l = l.wrapping_add(0xBB67_AE85);
    }
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_gives_the_published_numbers() {
        // Random123's `kat_vectors`.
        for (counter, key, want) in [
            (
                [0; 4],
                [0; 2],
                [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
            ),
            (
                [u32::MAX; 4],
                [u32::MAX; 2],
                [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
            ),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ] {
            assert_eq!(philox4x32(counter, key), want);
        }
    }

    #[test]
    fn noise_has_the_same_bits_everywhere() {
        // By the same formulas in Python. A change here changes every picture made from a seed.
        let mut out = [0.0f32; 6];
        Noise::new(0x0123_4567_89ab_cdef, Purpose::Step, 7).fill(&mut out);
        let want = [
            0xbeed_4a8f,
            0x3fc0_afdb,
            0xbfc3_b9ab,
            0x3f14_d389,
            0xbed9_b3ec,
            0xbfb7_d232,
        ];
        assert_eq!(out.map(f32::to_bits), want);
    }

    #[test]
    fn noise_is_gaussian_and_found_by_its_index() {
        let noise = Noise::new(3, Purpose::Start, 0);
        let mut all = vec![0.0f32; 100_001];
        noise.fill(&mut all);
        for first in [0, 1, 4, 99_990] {
            let mut part = [0.0; 11];
            noise.fill_from(first as u64, &mut part);
            assert_eq!(part, all[first..first + 11]);
        }
        let n = all.len() as f64;
        let moment = |k: i32| all.iter().map(|x| f64::from(*x).powi(k)).sum::<f64>() / n;
        // Four deviations of each mean.
        for (k, want, deviation) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let off = (moment(k) - want).abs() / (f64::sqrt(deviation) / n.sqrt());
            assert!(off < 4.0, "moment {k} is {}", moment(k));
        }
        let neighbours: f64 = all.windows(2).map(|w| f64::from(w[0] * w[1])).sum::<f64>() / n;
        assert!(neighbours.abs() * n.sqrt() < 4.0);
    }

    #[test]
    fn each_seed_purpose_and_step_has_noise_of_its_own() {
        let streams = [
            Noise::new(0, Purpose::Start, 0),
            Noise::new(1, Purpose::Start, 0),
            Noise::new(1 << 32, Purpose::Start, 0),
            Noise::new(0, Purpose::Step, 0),
            Noise::new(0, Purpose::Step, 1),
            Noise::new(0, Purpose::Encode, 0),
        ];
        let all = streams.map(|s| {
            let mut out = [0.0f32; 4096];
            s.fill(&mut out);
            out
        });
        for (i, a) in all.iter().enumerate() {
            for b in &all[..i] {
                let dot: f32 = a.iter().zip(b).map(|(x, y)| x * y).sum();
                assert!(dot.abs() / 64.0 < 4.5, "{dot}");
            }
        }
    }
}
