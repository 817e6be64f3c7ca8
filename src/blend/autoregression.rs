//! Interpolation of pixels that have known ones close by: each is predicted from those around it, with
//! weights that are learned from the picture nearby.
//!
//! In every block the weights are those that predict its known pixels best, in the least squares'
//! sense. They follow edges and texture of any direction, where a smooth extension averages over them.
//!
//! Sources: Kokaram, Morris, Fitzgerald, Rayner, "Interpolation of Missing Data in Image Sequences",
//! IEEE TIP 1995 (autoregressive interpolation); Zhang, Wu, "Image Interpolation by Adaptive 2-D
//! Autoregressive Modeling and Soft-Decision Estimation", IEEE TIP 2008 (weights learned by windows).
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::memory;
use crate::pixels::{Plane, RgbImage};

const WHAT: &str = "the interpolated pixels";
/// Neighbours come in pairs that lie opposite each other: a stationary texture gives both the same
/// weight, which halves what is to be learned.
const PAIRS: [(isize, isize); 12] = [
    (0, 1),
    (1, 0),
    (1, 1),
    (1, -1),
    (0, 2),
    (2, 0),
    (1, 2),
    (2, 1),
    (1, -2),
    (2, -1),
    (2, 2),
    (2, -2),
];
const COUNT: usize = PAIRS.len();
/// Pixels from one to the farthest of its neighbours, along an axis.
const REACH: usize = 2;
/// What the pairs weigh where nothing is learned: half way between a thin plate (biharmonic) and a
/// membrane (harmonic).
const SMOOTH: [f32; COUNT] = [
    0.65, 0.65, -0.1, -0.1, -0.05, -0.05, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
];
/// Pairs that [`SMOOTH`] uses.
const SMOOTH_PAIRS: usize = 6;
/// Side of a block, which has weights of its own.
const BLOCK: usize = 16;
/// Pixels around a block that its weights are learned from, too.
const AROUND: usize = 6;
/// Sweeps of the smooth surface before the first learning.
const SWEEPS: usize = 16;
/// Times that weights are learned and used: pixels beside each other need each other's values.
const ROUNDS: usize = 3;
/// How firmly weights are held to [`SMOOTH`], as a share of the neighbours' own variance: the more so
/// the more of the neighbours are guesses.
const HOLD: f64 = 0.005;
/// And beside that, of a texture without any variance.
const LEAST_HOLD: f64 = 1e-4;
/// Samples that are multiplied at a time.
const LANES: usize = 8;

/// Interpolates the pixels of `image` that are 1 in `wanted` from those that are 1 in `known`; no pixel
/// is in both. Every pixel that is not known carries a guess. On the thread that calls it.
///
/// Values stay within those of the known pixels nearby.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn autoregress(image: &mut RgbImage, known: &Plane<u8>, wanted: &Plane<u8>) -> Result<()> {
    let (w, h) = (image.width, image.height);
    let pixels = listed(wanted)?;
    if pixels.is_empty() {
        return Ok(());
    }
    let mut picture = Picture { w, h, image };
    let ranges = picture.ranges(&pixels, known)?;
    for _ in 0..SWEEPS {
        for at in &pixels {
            let value = picture.predicted(*at, &SMOOTH[..SMOOTH_PAIRS], [0.0; 3]);
            picture.set(*at, value);
        }
    }
    let trust = trust(known)?;
    let mut samples = Samples::default();
    let mut found = memory::with_capacity(pixels.len(), WHAT)?;
    for _ in 0..ROUNDS {
        let luma = picture.luma()?;
        found.clear();
        for y in (0..h).step_by(BLOCK) {
            for x in (0..w).step_by(BLOCK) {
                picture.block((x, y), wanted, &trust, &luma, &mut samples, &mut found)?;
            }
        }
        for (at, value) in &found {
            picture.set(*at, *value);
        }
        for (at, range) in pixels.iter().zip(&ranges) {
            picture.clamp(*at, range);
        }
    }
    Ok(())
}

/// The wanted pixels, in nine groups one after the other: no two of a group are neighbours.
fn listed(wanted: &Plane<u8>) -> Result<Vec<(usize, usize)>> {
    const STEP: usize = REACH + 1;
    let count = wanted.data.iter().filter(|v| **v != 0).count();
    let mut pixels = memory::with_capacity(count, WHAT)?;
    for group in 0..STEP * STEP {
        for y in (group / STEP..wanted.height).step_by(STEP) {
            let row = wanted.row(y);
            let own = (group % STEP..wanted.width).step_by(STEP);
            pixels.extend(own.filter(|x| row[*x] != 0).map(|x| (x, y)));
        }
    }
    Ok(pixels)
}

/// How much a pixel says about the weights: nothing where it is not known itself, less where its
/// neighbours are guesses.
fn trust(known: &Plane<u8>) -> Result<Plane<f32>> {
    let (w, h) = (known.width, known.height);
    let mut across = Plane::filled(w, h, 0u8, WHAT)?;
    for y in 0..h {
        let row = known.row(y);
        for (x, sum) in across.row_mut(y).iter_mut().enumerate() {
            *sum = row[x.saturating_sub(REACH)..(x + REACH + 1).min(w)]
                .iter()
                .sum();
        }
    }
    let mut trust = Plane::filled(w, h, 0.0f32, WHAT)?;
    let within = |at: usize, len: usize| at.min(REACH) + 1 + (len - 1 - at).min(REACH);
    for y in 0..h {
        let rows = y.saturating_sub(REACH)..(y + REACH + 1).min(h);
        for x in (0..w).filter(|x| known.row(y)[*x] != 0) {
            let sum: u8 = rows.clone().map(|y| across.row(y)[x]).sum();
            // Without itself, of all that lie inside.
            let all = within(x, w) * within(y, h) - 1;
            let share = f32::from(sum - 1) / all.max(1) as f32;
            trust.row_mut(y)[x] = share * share;
        }
    }
    Ok(trust)
}

/// `at + by` within `0 .. len`, mirrored at the ends.
#[inline(always)]
fn beside(at: usize, by: isize, len: usize) -> usize {
    let to = at as isize + by;
    let last = len as isize - 1;
    let to = if to < 0 { -to } else { to };
    let to = if to > last { 2 * last - to } else { to };
    // A picture of one or two columns has no mirror image that long.
    to.clamp(0, last) as usize
}

/// The least and the largest value that a pixel may take, for each channel.
type Range = [(f32, f32); 3];

struct Picture<'a> {
    w: usize,
    h: usize,
    image: &'a mut RgbImage,
}

impl Picture<'_> {
    #[inline(always)]
    fn at(&self, x: usize, y: usize) -> [f32; 3] {
        let p = &self.image.data[(y * self.w + x) * 3..][..3];
        [p[0], p[1], p[2]]
    }

    fn set(&mut self, (x, y): (usize, usize), value: [f32; 3]) {
        self.image.data[(y * self.w + x) * 3..][..3].copy_from_slice(&value);
    }

    fn clamp(&mut self, at: (usize, usize), range: &Range) {
        let value = self.at(at.0, at.1);
        let value = std::array::from_fn(|c| value[c].max(range[c].0).min(range[c].1));
        self.set(at, value);
    }

    /// A pixel from its neighbours, all values taken from `mean`.
    #[inline(always)]
    fn predicted(&self, (x, y): (usize, usize), weights: &[f32], mean: [f32; 3]) -> [f32; 3] {
        let mut out = mean;
        for ((dx, dy), weight) in PAIRS.iter().zip(weights) {
            let a = self.at(beside(x, *dx, self.w), beside(y, *dy, self.h));
            let b = self.at(beside(x, -dx, self.w), beside(y, -dy, self.h));
            for c in 0..3 {
                out[c] += weight * (0.5 * (a[c] + b[c]) - mean[c]);
            }
        }
        out
    }

    /// The values of the known pixels around each of `pixels`.
    fn ranges(&self, pixels: &[(usize, usize)], known: &Plane<u8>) -> Result<Vec<Range>> {
        let mut ranges = memory::with_capacity(pixels.len(), WHAT)?;
        for &(x, y) in pixels {
            let mut range = [(f32::INFINITY, f32::NEG_INFINITY); 3];
            for reach in [REACH, 3 * REACH] {
                for ny in y.saturating_sub(reach)..(y + reach + 1).min(self.h) {
                    for nx in x.saturating_sub(reach)..(x + reach + 1).min(self.w) {
                        if known.row(ny)[nx] != 0 {
                            let value = self.at(nx, ny);
                            for c in 0..3 {
                                range[c].0 = range[c].0.min(value[c]);
                                range[c].1 = range[c].1.max(value[c]);
                            }
                        }
                    }
                }
                if range[0].0 <= range[0].1 {
                    break;
                }
            }
            if range[0].0 > range[0].1 {
                // Nothing is known so near: the guess is the best there is.
                range = self.at(x, y).map(|v| (v, v));
            }
            ranges.push(range);
        }
        Ok(ranges)
    }

    /// The mean of the channels, which the weights are learned on, with its mirror image around it as far
    /// as neighbours reach.
    fn luma(&self) -> Result<Plane<f32>> {
        let (w, h) = (self.w + 2 * REACH, self.h + 2 * REACH);
        let mut luma = Plane::filled(w, h, 0.0f32, WHAT)?;
        for y in 0..self.h {
            let row = &mut luma.row_mut(y + REACH)[REACH..REACH + self.w];
            let pixels = self.image.row(y).chunks_exact(3);
            for (l, p) in row.iter_mut().zip(pixels) {
                *l = (p[0] + p[1] + p[2]) * (1.0 / 3.0);
            }
            let row = luma.row_mut(y + REACH);
            for by in 1..=REACH {
                row[REACH - by] = row[REACH + beside(0, by as isize, self.w)];
                let last = self.w - 1;
                row[REACH + last + by] = row[REACH + beside(last, by as isize, self.w)];
            }
        }
        for by in 1..=REACH {
            let last = self.h - 1;
            for (to, from) in [
                (REACH - by, beside(0, by as isize, self.h)),
                (REACH + last + by, beside(last, by as isize, self.h)),
            ] {
                let from = (from + REACH) * w;
                luma.data.copy_within(from..from + w, to * w);
            }
        }
        Ok(luma)
    }

    /// Predicts the wanted pixels of the block at (`x`, `y`).
    fn block(
        &self,
        (x, y): (usize, usize),
        wanted: &Plane<u8>,
        trust: &Plane<f32>,
        luma: &Plane<f32>,
        samples: &mut Samples,
        found: &mut Vec<((usize, usize), [f32; 3])>,
    ) -> Result<()> {
        let (right, bottom) = ((x + BLOCK).min(self.w), (y + BLOCK).min(self.h));
        let asked = |y: usize| wanted.row(y)[x..right].iter().any(|v| *v != 0);
        if !(y..bottom).any(asked) {
            return Ok(());
        }
        let window = [
            x.saturating_sub(AROUND),
            y.saturating_sub(AROUND),
            (right + AROUND).min(self.w),
            (bottom + AROUND).min(self.h),
        ];
        let mean = self.mean(window, trust);
        samples.take(window, trust, luma, (mean[0] + mean[1] + mean[2]) / 3.0)?;
        let weights = samples.weights();
        for y in y..bottom {
            for x in (x..right).filter(|x| wanted.row(y)[*x] != 0) {
                found.push(((x, y), self.predicted((x, y), &weights, mean)));
            }
        }
        Ok(())
    }

    /// The mean of the trusted pixels of a window; of nothing, 0.
    fn mean(&self, [left, top, right, bottom]: [usize; 4], trust: &Plane<f32>) -> [f32; 3] {
        let (mut sum, mut share) = ([0.0f32; 3], 0.0f32);
        for y in top..bottom {
            for (x, trust) in (left..right).zip(&trust.row(y)[left..right]) {
                let value = self.at(x, y);
                (0..3).for_each(|c| sum[c] += trust * value[c]);
                share += trust;
            }
        }
        sum.map(|s| if share > 0.0 { s / share } else { 0.0 })
    }
}

/// What a block's weights are learned from: for each trusted pixel, the means of its pairs and then
/// its own value.
#[derive(Default)]
struct Samples {
    columns: [Vec<f32>; COUNT + 1],
    /// The samples' mean trust.
    trust: f64,
}

impl Samples {
    fn take(
        &mut self,
        [left, top, right, bottom]: [usize; 4],
        trust: &Plane<f32>,
        luma: &Plane<f32>,
        mean: f32,
    ) -> Result<()> {
        const SIDE: usize = BLOCK + 2 * AROUND;
        for column in &mut self.columns {
            column.clear();
            if column.capacity() == 0 {
                *column = memory::with_capacity((SIDE * SIDE).next_multiple_of(LANES), WHAT)?;
            }
        }
        let (mut sum, mut count) = (0.0f64, 0u32);
        let mut roots = [0.0f32; SIDE];
        for y in top..bottom {
            let trust = &trust.row(y)[left..right];
            // What is not trusted at all adds zeros, which is nothing.
            for (root, trust) in roots.iter_mut().zip(trust) {
                *root = trust.sqrt();
                sum += f64::from(*trust);
                count += u32::from(*trust > 0.0);
            }
            let row = |by: isize, along: isize| {
                let start = ((left + REACH) as isize + along) as usize;
                &luma.row(((y + REACH) as isize + by) as usize)[start..start + right - left]
            };
            for ((dx, dy), column) in PAIRS.iter().zip(&mut self.columns) {
                let pairs = row(*dy, *dx).iter().zip(row(-dy, -dx));
                let values = pairs.zip(&roots);
                column.extend(values.map(|((a, b), root)| root * (0.5 * (a + b) - mean)));
            }
            let values = row(0, 0).iter().zip(&roots);
            self.columns[COUNT].extend(values.map(|(own, root)| root * (own - mean)));
        }
        self.trust = sum / f64::from(count.max(1));
        // Whole lanes; zeros add nothing.
        for column in &mut self.columns {
            column.resize(column.len().next_multiple_of(LANES), 0.0);
        }
        Ok(())
    }

    /// The pairs' weights by regularised least squares.
    fn weights(&self) -> [f32; COUNT] {
        let mut gram = [[0.0f64; COUNT]; COUNT];
        let mut right = [0.0f64; COUNT];
        for i in 0..COUNT {
            for j in 0..=i {
                gram[i][j] = product(&self.columns[i], &self.columns[j]);
            }
            right[i] = product(&self.columns[i], &self.columns[COUNT]);
        }
        let trace: f64 = (0..COUNT).map(|i| gram[i][i]).sum();
        let hold = HOLD / self.trust.max(1e-3) * trace / COUNT as f64 + LEAST_HOLD;
        for i in 0..COUNT {
            gram[i][i] += hold;
            right[i] += hold * f64::from(SMOOTH[i]);
        }
        match solved(gram, right) {
            Some(weights) => weights.map(|w| w as f32),
            None => SMOOTH,
        }
    }
}

/// The sum of products of two columns of whole lanes.
fn product(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0f32; LANES];
    for (a, b) in a
        .as_chunks::<LANES>()
        .0
        .iter()
        .zip(b.as_chunks::<LANES>().0)
    {
        for i in 0..LANES {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().map(|s| f64::from(*s)).sum()
}

/// The solution of a symmetric positive definite system, of which the lower half is given, by
/// Cholesky's method; none where it is not that.
fn solved(mut m: [[f64; COUNT]; COUNT], mut v: [f64; COUNT]) -> Option<[f64; COUNT]> {
    for i in 0..COUNT {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| m[i][k] * m[j][k]).sum();
            let rest = m[i][j] - sum;
            m[i][j] = match i == j {
                true if rest > 0.0 && rest.is_finite() => rest.sqrt(),
                true => return None,
                false => rest / m[j][j],
            };
        }
        let sum: f64 = (0..i).map(|k| m[i][k] * v[k]).sum();
        v[i] = (v[i] - sum) / m[i][i];
    }
    for i in (0..COUNT).rev() {
        let sum: f64 = (i + 1..COUNT).map(|k| m[k][i] * v[k]).sum();
        v[i] = (v[i] - sum) / m[i][i];
    }
    v.iter().all(|v| v.is_finite()).then_some(v)
}
