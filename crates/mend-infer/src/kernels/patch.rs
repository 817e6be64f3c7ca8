//! Patch distances and patch votes over [`Texels`], the matching picture of the exemplar search.
#![forbid(unsafe_code)]

use super::Path;
use super::simd::{Isa, Kernel, Portable, Strip, Token};
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

/// The kernels of one [`Path`].
#[derive(Clone, Copy)]
pub struct PatchKernels {
    token: Token,
}

/// Which texels of a patch count: −1 in all channels of those that do, 0 in the others, in rows of
/// eight texels.
pub type PatchMask = [i16; SIDE * ROW];

impl PatchKernels {
    /// The kernels of `path`, which must be one of [`Path::available`]; others fall back.
    pub fn new(path: Path) -> Self {
        let token = Token::of(path).unwrap_or(Token::Portable(Portable));
        Self { token }
    }

    /// The sum of squared differences of the patches centred at (`ax`, `ay`) and (`bx`, `by`).
    ///
    /// # Panics
    /// When a patch does not lie inside the picture.
    #[inline]
    pub fn distance(&self, t: &Texels, ax: usize, ay: usize, bx: usize, by: usize) -> u32 {
        self.token.run(Distance {
            a: &t.data[t.corner(ax, ay)..],
            b: &t.data[t.corner(bx, by)..],
            stride: t.stride,
        })
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
        self.token.run(Masked {
            a: &t.data[t.corner(ax, ay)..],
            b: &t.data[t.corner(bx, by)..],
            stride: t.stride,
            mask,
        })
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
        self.token.run(Vote {
            sums,
            row: &t.data[i..i + ROW],
            weight,
            bias,
        });
    }
}

/// Two patches' corners and the values from one row to the next.
struct Distance<'a> {
    a: &'a [i16],
    b: &'a [i16],
    stride: usize,
}

impl Kernel for Distance<'_> {
    type Out = u32;

    #[inline(always)]
    fn run<S: Isa>(self, isa: S) -> u32 {
        let a = Strip::new(self.a, (SIDE, self.stride), (0, ROW));
        let b = Strip::new(self.b, (SIDE, self.stride), (0, ROW));
        // Two sums, so that the multiply-adds do not wait for each other.
        let mut sums = [isa.no_squares(); 2];
        for y in 0..SIDE {
            sums[y & 1] = isa.add_squares::<{ SIDE * CHANNELS }>(sums[y & 1], a.row(y), b.row(y));
        }
        isa.squares(sums[0], sums[1])
    }
}

struct Masked<'a> {
    a: &'a [i16],
    b: &'a [i16],
    stride: usize,
    mask: &'a PatchMask,
}

impl Kernel for Masked<'_> {
    type Out = u32;

    /// Left to the compiler, which knows the instruction set here.
    #[inline(always)]
    fn run<S: Isa>(self, _: S) -> u32 {
        let a = Strip::new(self.a, (SIDE, self.stride), (0, ROW));
        let b = Strip::new(self.b, (SIDE, self.stride), (0, ROW));
        let mut sum = 0u32;
        for y in 0..SIDE {
            let m = &self.mask[y * ROW..(y + 1) * ROW];
            let (a, b) = (a.row(y), b.row(y));
            for i in 0..ROW {
                let d = i32::from(a[i].wrapping_sub(b[i]) & m[i]);
                sum = sum.wrapping_add((d * d) as u32);
            }
        }
        sum
    }
}

struct Vote<'a> {
    sums: &'a mut [f32],
    row: &'a [i16],
    weight: f32,
    bias: [f32; CHANNELS],
}

impl Kernel for Vote<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Isa>(self, isa: S) {
        let [a, b, c, d] = self.bias;
        let bias = isa.load(&[a, b, c, d, a, b, c, d, a, b, c, d, a, b, c, d]);
        let weight = isa.splat(self.weight);
        let sums = self.sums[..SIDE * CHANNELS].chunks_mut(S::LANES);
        // The last vector of texels reaches into the eighth, whose lanes are not stored.
        for (sums, row) in sums.zip(self.row[..ROW].chunks_exact(S::LANES)) {
            let v = isa.mul(weight, isa.add(isa.load_i16(row), bias));
            isa.store_part(sums, isa.add(isa.load_part(sums), v));
        }
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
