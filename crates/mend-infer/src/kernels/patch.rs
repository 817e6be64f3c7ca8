//! Patch distances and patch votes over [`Texels`], the matching picture of the exemplar search.

use super::Path;
use crate::error::Result;
use crate::memory;
use rayon::prelude::*;

/// A patch has `SIDE` × `SIDE` texels.
pub const SIDE: usize = 7;
/// Texels from a patch's centre to its edge.
pub const RADIUS: usize = SIDE / 2;
/// A texel's channels: three colours and one texture feature.
pub const CHANNELS: usize = 4;
/// A texel's value for the colour 1.0.
pub const SCALE: f32 = 1023.0;

/// One row of a patch, and the eighth texel that comes along in a 64-byte load.
const ROW: usize = 8 * CHANNELS;

/// A picture for matching: four `i16` channels a texel, 64 bytes for eight texels, so that a row of
/// a patch is one load. Colours are scaled by [`SCALE`] and lie in −1024 … 3071, so that the squared
/// distance of two patches fits a `u32`.
#[derive(Clone, Debug)]
pub struct Texels {
    width: usize,
    height: usize,
    stride: usize,
    data: Vec<i16>,
}

impl Texels {
    /// A black picture.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn new(width: usize, height: usize) -> Result<Self> {
        let stride = width * CHANNELS;
        // Loads of eight texels at the end of the last row stay inside the buffer.
        let data = memory::filled(stride * height + ROW, 0i16, "the matching picture")?;
        Ok(Self {
            width,
            height,
            stride,
            data,
        })
    }

    /// The texel at (`x`, `y`).
    pub fn at(&self, x: usize, y: usize) -> &[i16] {
        let i = y * self.stride + x * CHANNELS;
        &self.data[i..i + CHANNELS]
    }

    /// Row `y`: `width * CHANNELS` values.
    pub fn row(&self, y: usize) -> &[i16] {
        &self.data[y * self.stride..(y + 1) * self.stride]
    }

    /// Row `y`, to write.
    pub fn row_mut(&mut self, y: usize) -> &mut [i16] {
        &mut self.data[y * self.stride..(y + 1) * self.stride]
    }

    /// All rows, to write side by side.
    pub fn rows_mut(&mut self) -> impl IndexedParallelIterator<Item = &mut [i16]> {
        let len = self.stride * self.height;
        self.data[..len].par_chunks_mut(self.stride.max(1))
    }

    /// Where the patch centred at (`x`, `y`) starts in `data`.
    ///
    /// # Panics
    /// When the patch does not lie inside: the callers' own sets of centres exclude it.
    #[inline]
    fn corner(&self, x: usize, y: usize) -> usize {
        assert!(
            x >= RADIUS && y >= RADIUS && x + RADIUS < self.width && y + RADIUS < self.height,
            "patch outside the picture"
        );
        (y - RADIUS) * self.stride + (x - RADIUS) * CHANNELS
    }
}

type DistanceFn = unsafe fn(&[i16], &[i16], usize) -> u32;
type MaskedFn = unsafe fn(&[i16], &[i16], usize, &PatchMask) -> u32;
type VoteFn = unsafe fn(&mut [f32], &[i16], f32, [f32; CHANNELS]);

/// The kernels of one [`Path`].
#[derive(Clone, Copy)]
pub struct PatchKernels {
    distance: DistanceFn,
    masked: MaskedFn,
    vote: VoteFn,
}

/// Which texels of a patch count: −1 in all channels of those that do, 0 in the others, in rows of
/// eight texels.
pub type PatchMask = [i16; SIDE * ROW];

impl PatchKernels {
    /// The kernels of `path`, which must be one of [`Path::available`]; others fall back.
    pub fn new(path: Path) -> Self {
        let path = if Path::available().contains(&path) {
            path
        } else {
            Path::Portable
        };
        match path {
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => Self {
                distance: x86::distance_avx512,
                masked: x86::masked_avx512,
                vote: x86::vote_avx512,
            },
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => Self {
                distance: x86::distance_avx2,
                masked: x86::masked_avx2,
                vote: x86::vote_avx2,
            },
            _ => Self {
                distance: distance_portable,
                masked: masked_portable,
                vote: vote_portable,
            },
        }
    }

    /// The sum of squared differences of the patches centred at (`ax`, `ay`) and (`bx`, `by`).
    ///
    /// # Panics
    /// When a patch does not lie inside the picture.
    #[inline]
    pub fn distance(&self, t: &Texels, ax: usize, ay: usize, bx: usize, by: usize) -> u32 {
        let (a, b) = (t.corner(ax, ay), t.corner(bx, by));
        let span = (SIDE - 1) * t.stride + ROW;
        // SAFETY: `new` chose a function whose CPU features this machine has. Both slices hold
        // `span` values, all that the functions read: `SIDE` rows of `ROW` values, `stride` apart.
        unsafe { (self.distance)(&t.data[a..a + span], &t.data[b..b + span], t.stride) }
    }

    /// As [`Self::distance`], over those texels only that `mask` has set.
    ///
    /// # Panics
    /// When a patch does not lie inside the picture.
    #[inline]
    pub fn distance_masked(
        &self,
        t: &Texels,
        (ax, ay): (usize, usize),
        (bx, by): (usize, usize),
        mask: &PatchMask,
    ) -> u32 {
        let (a, b) = (t.corner(ax, ay), t.corner(bx, by));
        let span = (SIDE - 1) * t.stride + ROW;
        // SAFETY: as in `distance`.
        unsafe { (self.masked)(&t.data[a..a + span], &t.data[b..b + span], t.stride, mask) }
    }

    /// Adds `weight` times seven texels, from (`x` − 3, `y`) on, to `sums` (28 values and 4 that
    /// stay as they are).
    ///
    /// # Panics
    /// When the texels do not lie inside the picture.
    #[inline]
    pub fn vote(
        &self,
        sums: &mut [f32],
        t: &Texels,
        (x, y): (usize, usize),
        weight: f32,
        bias: [f32; CHANNELS],
    ) {
        assert!(x >= RADIUS && x + RADIUS < t.width && y < t.height && sums.len() >= ROW);
        let i = y * t.stride + (x - RADIUS) * CHANNELS;
        // SAFETY: `new` chose a function whose CPU features this machine has; both slices hold
        // `ROW` values, all that the functions touch.
        unsafe { (self.vote)(&mut sums[..ROW], &t.data[i..i + ROW], weight, bias) }
    }
}

/// The reference: seven rows of seven texels.
///
/// # Safety
/// None needed; `unsafe` only for the shared type.
unsafe fn distance_portable(a: &[i16], b: &[i16], stride: usize) -> u32 {
    let mut sum = 0u32;
    for y in 0..SIDE {
        let a = &a[y * stride..y * stride + SIDE * CHANNELS];
        let b = &b[y * stride..y * stride + SIDE * CHANNELS];
        for (a, b) in a.iter().zip(b) {
            let d = i32::from(*a) - i32::from(*b);
            sum += (d * d) as u32;
        }
    }
    sum
}

#[inline(always)]
fn masked_any(a: &[i16], b: &[i16], stride: usize, mask: &PatchMask) -> u32 {
    let mut sum = 0u32;
    for y in 0..SIDE {
        let m = &mask[y * ROW..(y + 1) * ROW];
        let (a, b) = (
            &a[y * stride..y * stride + ROW],
            &b[y * stride..y * stride + ROW],
        );
        for i in 0..ROW {
            let d = i32::from(a[i].wrapping_sub(b[i]) & m[i]);
            sum = sum.wrapping_add((d * d) as u32);
        }
    }
    sum
}

/// # Safety
/// None needed; `unsafe` only for the shared type.
unsafe fn masked_portable(a: &[i16], b: &[i16], stride: usize, mask: &PatchMask) -> u32 {
    masked_any(a, b, stride, mask)
}

#[inline(always)]
fn vote_any(sums: &mut [f32], row: &[i16], weight: f32, bias: [f32; CHANNELS]) {
    let (Some(sums), Some(row)) = (sums.first_chunk_mut::<ROW>(), row.first_chunk::<ROW>()) else {
        return;
    };
    for i in 0..ROW {
        let w = if i < SIDE * CHANNELS { weight } else { 0.0 };
        sums[i] += w * (f32::from(row[i]) + bias[i % CHANNELS]);
    }
}

/// # Safety
/// None needed; `unsafe` only for the shared type.
unsafe fn vote_portable(sums: &mut [f32], row: &[i16], weight: f32, bias: [f32; CHANNELS]) {
    vote_any(sums, row, weight, bias);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{CHANNELS, PatchMask, ROW, SIDE, masked_any, vote_any};
    use std::arch::x86_64::*;

    /// Lanes of the eighth texel are off.
    const MASK: __mmask32 = (1 << (SIDE * CHANNELS)) - 1;

    /// # Safety
    /// The CPU has AVX-512 F, BW and VNNI; both slices hold `6 * stride + ROW` values.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    pub unsafe fn distance_avx512(a: &[i16], b: &[i16], stride: usize) -> u32 {
        debug_assert!(a.len() >= (SIDE - 1) * stride + ROW && b.len() >= a.len());
        // Two sums, so that the multiply-adds do not wait for each other.
        let mut sums = [_mm512_setzero_si512(); 2];
        for y in 0..SIDE {
            // SAFETY: the caller vouches for `(SIDE - 1) * stride + ROW` values in both.
            let (ra, rb) = unsafe {
                (
                    _mm512_maskz_loadu_epi16(MASK, a.as_ptr().add(y * stride)),
                    _mm512_maskz_loadu_epi16(MASK, b.as_ptr().add(y * stride)),
                )
            };
            let d = _mm512_sub_epi16(ra, rb);
            sums[y & 1] = _mm512_dpwssd_epi32(sums[y & 1], d, d);
        }
        _mm512_reduce_add_epi32(_mm512_add_epi32(sums[0], sums[1])) as u32
    }

    /// # Safety
    /// The CPU has AVX2; both slices hold `6 * stride + ROW` values.
    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn distance_avx2(a: &[i16], b: &[i16], stride: usize) -> u32 {
        debug_assert!(a.len() >= (SIDE - 1) * stride + ROW && b.len() >= a.len());
        let tail = _mm256_setr_epi64x(-1, -1, -1, 0);
        let mut sums = [_mm256_setzero_si256(); 2];
        for y in 0..SIDE {
            // SAFETY: the caller vouches for `(SIDE - 1) * stride + ROW` values in both.
            let [a0, a1, b0, b1] = unsafe {
                let (a, b) = (a.as_ptr().add(y * stride), b.as_ptr().add(y * stride));
                [
                    _mm256_loadu_si256(a.cast()),
                    _mm256_loadu_si256(a.add(16).cast()),
                    _mm256_loadu_si256(b.cast()),
                    _mm256_loadu_si256(b.add(16).cast()),
                ]
            };
            let d0 = _mm256_sub_epi16(a0, b0);
            let d1 = _mm256_and_si256(_mm256_sub_epi16(a1, b1), tail);
            sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(d0, d0));
            sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(d1, d1));
        }
        let s = _mm256_add_epi32(sums[0], sums[1]);
        let s = _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
        let s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0b00_01_10_11));
        let s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0b10_11_00_01));
        _mm_cvtsi128_si32(s) as u32
    }

    /// # Safety
    /// The CPU has AVX-512 F, BW and VL.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    pub unsafe fn masked_avx512(a: &[i16], b: &[i16], stride: usize, mask: &PatchMask) -> u32 {
        masked_any(a, b, stride, mask)
    }

    /// # Safety
    /// The CPU has AVX2.
    #[target_feature(enable = "avx2")]
    pub unsafe fn masked_avx2(a: &[i16], b: &[i16], stride: usize, mask: &PatchMask) -> u32 {
        masked_any(a, b, stride, mask)
    }

    /// # Safety
    /// The CPU has AVX-512 F, BW and VL.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    pub unsafe fn vote_avx512(sums: &mut [f32], row: &[i16], weight: f32, bias: [f32; CHANNELS]) {
        vote_any(sums, row, weight, bias);
    }

    /// # Safety
    /// The CPU has AVX2.
    #[target_feature(enable = "avx2")]
    pub unsafe fn vote_avx2(sums: &mut [f32], row: &[i16], weight: f32, bias: [f32; CHANNELS]) {
        vote_any(sums, row, weight, bias);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of every value that texels may have, wide swings included.
    fn noise(width: usize, height: usize, seed: u32) -> Texels {
        let mut t = Texels::new(width, height).unwrap();
        let mut s = seed;
        for y in 0..height {
            for v in t.row_mut(y) {
                s = s.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *v = -1024 + ((s >> 16) % 4096) as i16;
            }
        }
        t
    }

    /// What the kernels mean, written down plainly.
    fn plain(t: &Texels, a: (usize, usize), b: (usize, usize), mask: &PatchMask) -> u32 {
        let mut sum = 0u64;
        for y in 0..SIDE {
            for x in 0..SIDE {
                let ta = t.at(a.0 + x - RADIUS, a.1 + y - RADIUS);
                let tb = t.at(b.0 + x - RADIUS, b.1 + y - RADIUS);
                for c in 0..CHANNELS {
                    if mask[(y * 8 + x) * CHANNELS + c] != 0 {
                        sum += u64::from(ta[c].abs_diff(tb[c])).pow(2);
                    }
                }
            }
        }
        u32::try_from(sum).unwrap()
    }

    #[test]
    fn every_path_gives_the_plain_distance() {
        for (w, h) in [(7, 7), (8, 9), (13, 7), (31, 20)] {
            let t = noise(w, h, (w * h) as u32);
            let mut part: PatchMask = [0; SIDE * 8 * CHANNELS];
            for (i, m) in part.iter_mut().enumerate() {
                *m = -i16::from((i / CHANNELS) % 3 != 1 && (i / CHANNELS) % 8 != 7);
            }
            for path in Path::available() {
                let k = PatchKernels::new(path);
                for ay in RADIUS..h - RADIUS {
                    for ax in RADIUS..w - RADIUS {
                        let (bx, by) = (w - 1 - ax, h - 1 - ay);
                        let d = k.distance(&t, ax, ay, bx, by);
                        assert_eq!(d, plain(&t, (ax, ay), (bx, by), &[-1; 224]), "{path:?}");
                        let m = k.distance_masked(&t, (ax, ay), (bx, by), &part);
                        assert_eq!(m, plain(&t, (ax, ay), (bx, by), &part), "{path:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_largest_difference_fits() {
        let mut t = Texels::new(14, 7).unwrap();
        for y in 0..7 {
            let row = t.row_mut(y);
            row[..28].fill(-1024);
            row[28..].fill(3071);
        }
        for path in Path::available() {
            let d = PatchKernels::new(path).distance(&t, 3, 3, 10, 3);
            assert_eq!(u64::from(d), 49 * 4 * 4095 * 4095, "{path:?}");
        }
    }

    #[test]
    fn every_path_votes_to_the_bit() {
        let t = noise(11, 8, 5);
        let bias = [0.25, -3.5, 17.0, 0.0];
        let mut first = None;
        for path in Path::available() {
            let mut sums = [0.1f32; 40];
            for y in 0..8 {
                for x in RADIUS..11 - RADIUS {
                    let weight = 1.0 / (1 + x + y) as f32;
                    PatchKernels::new(path).vote(&mut sums, &t, (x, y), weight, bias);
                }
            }
            assert!(
                sums[28..].iter().all(|s| *s == 0.1),
                "{path:?} wrote beyond the patch"
            );
            assert_eq!(*first.get_or_insert(sums), sums, "{path:?}");
        }
    }

    #[test]
    #[should_panic(expected = "outside")]
    fn a_patch_over_the_edge_is_refused() {
        let t = noise(9, 9, 1);
        PatchKernels::new(Path::best()).distance(&t, 4, 4, 6, 4);
    }
}
