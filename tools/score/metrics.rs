//! How near a fill comes to what stood there, each figure over the hole's pixels only.
//!
//! No one of them says how good a fill looks. A blurred fill wins PSNR, SSIM and seam and loses
//! texture; painted-on grain wins texture and loses it after reduction. Read them together.
#![forbid(unsafe_code)]

use crate::random::Random;

/// A picture of three channels, `0.0 ..= 1.0`, and its size.
pub struct Photo {
    pub width: usize,
    pub height: usize,
    /// `data[(y * width + x) * 3 + channel]`.
    pub data: Vec<f64>,
}

impl Photo {
    pub fn of_bytes(width: usize, height: usize, bytes: &[u8]) -> Self {
        Self {
            width,
            height,
            data: bytes.iter().map(|b| f64::from(*b) / 255.0).collect(),
        }
    }

    /// The mean of the channels.
    fn gray(&self) -> Gray {
        Gray {
            width: self.width,
            height: self.height,
            data: self
                .data
                .chunks_exact(3)
                .map(|p| (p[0] + p[1] + p[2]) / 3.0)
                .collect(),
        }
    }
}

/// A picture's hole.
pub struct Hole {
    pub width: usize,
    pub height: usize,
    pub inside: Vec<bool>,
}

/// What is measured of one fill.
#[derive(Clone, Copy, Debug)]
pub struct Scores {
    /// Peak signal-to-noise ratio, decibels.
    pub psnr: f64,
    /// Mean absolute difference.
    pub l1: f64,
    /// Structural similarity: Wang et al. 2004 with a flat 7×7 window and sample covariances, the
    /// mean of the three channels.
    pub ssim: f64,
    /// Gradient energy of the fill over the truth's: at full size, after 2× and after 4× reduction.
    /// 1 is right, below is blur. NaN where the hole holds no whole block.
    pub texture: [f64; 3],
    /// Mean distance of the fill's 7×7 patches to the nearest of the truth's, in samples of both.
    /// NaN where the hole holds too few.
    pub patch: f64,
    /// Gradient error on a band of some three pixels along the rim.
    pub seam: f64,
}

/// Scores the fill of `truth`'s hole.
pub fn scores(truth: &Photo, fill: &Photo, hole: &Hole) -> Scores {
    let (mut square, mut absolute, mut count) = (0.0, 0.0, 0.0);
    let pairs = truth.data.chunks_exact(3).zip(fill.data.chunks_exact(3));
    for ((t, f), _) in pairs.zip(&hole.inside).filter(|(_, inside)| **inside) {
        for (t, f) in t.iter().zip(f) {
            square += (t - f) * (t - f);
            absolute += (t - f).abs();
            count += 1.0;
        }
    }
    let (gray_truth, gray_fill) = (truth.gray(), fill.gray());
    Scores {
        psnr: -10.0 * (square / count + 1e-12).log10(),
        l1: absolute / count,
        ssim: ssim(truth, fill, hole),
        texture: [1, 2, 4].map(|k| {
            let hole = hole.reduced(k);
            gray_fill.reduced(k).energy(&hole) / (gray_truth.reduced(k).energy(&hole) + 1e-9)
        }),
        patch: patch_distance(truth, fill, hole),
        seam: seam(&gray_truth, &gray_fill, hole),
    }
}

struct Gray {
    width: usize,
    height: usize,
    data: Vec<f64>,
}

impl Gray {
    /// The means of blocks of `k × k` pixels; what is left over at the right and below is dropped.
    fn reduced(&self, k: usize) -> Self {
        let (width, height) = (self.width / k, self.height / k);
        let mut data = vec![0.0; width * height];
        for y in 0..height * k {
            for x in 0..width * k {
                data[y / k * width + x / k] += self.data[y * self.width + x] / (k * k) as f64;
            }
        }
        Self {
            width,
            height,
            data,
        }
    }

    /// Absolute differences to the pixel below and to the right; 0 at the last row and column.
    fn gradient(&self, at: usize) -> [f64; 2] {
        let (x, y) = (at % self.width, at / self.width);
        let to = |inside: bool, step: usize| match inside {
            true => (self.data[at + step] - self.data[at]).abs(),
            false => 0.0,
        };
        [
            to(y + 1 < self.height, self.width),
            to(x + 1 < self.width, 1),
        ]
    }

    /// Mean gradient in the hole.
    fn energy(&self, hole: &Hole) -> f64 {
        mean(hole.pixels().map(|at| self.gradient(at).iter().sum()))
    }
}

impl Hole {
    fn pixels(&self) -> impl Iterator<Item = usize> {
        let inside = self.inside.iter().enumerate();
        inside.filter(|(_, inside)| **inside).map(|(at, _)| at)
    }

    /// The blocks of `k × k` pixels that lie in the hole entirely.
    fn reduced(&self, k: usize) -> Self {
        let (width, height) = (self.width / k, self.height / k);
        let mut inside = vec![true; width * height];
        for y in 0..height * k {
            for x in 0..width * k {
                inside[y / k * width + x / k] &= self.inside[y * self.width + x];
            }
        }
        Self {
            width,
            height,
            inside,
        }
    }

    /// Widened or narrowed by `steps` pixels in the four main directions. Beyond the picture's
    /// border there is no hole.
    fn stepped(&self, steps: usize, widen: bool) -> Vec<bool> {
        let (w, h) = (self.width, self.height);
        let mut inside = self.inside.clone();
        for _ in 0..steps {
            let before = inside.clone();
            for y in 0..h {
                for x in 0..w {
                    let at = y * w + x;
                    let around = [
                        y > 0 && before[at - w],
                        y + 1 < h && before[at + w],
                        x > 0 && before[at - 1],
                        x + 1 < w && before[at + 1],
                    ];
                    inside[at] = match widen {
                        true => before[at] || around.contains(&true),
                        false => before[at] && !around.contains(&false),
                    };
                }
            }
        }
        inside
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for v in values {
        sum += v;
        count += 1.0;
    }
    sum / count
}

fn seam(truth: &Gray, fill: &Gray, hole: &Hole) -> f64 {
    let (wide, narrow) = (hole.stepped(2, true), hole.stepped(2, false));
    let band = (0..wide.len()).filter(|at| wide[*at] && !narrow[*at]);
    mean(band.map(|at| {
        let (t, f) = (truth.gradient(at), fill.gradient(at));
        (t[0] - f[0]).abs() + (t[1] - f[1]).abs()
    }))
}

/// Half the window's side.
const WINDOW: usize = 3;

fn ssim(truth: &Photo, fill: &Photo, hole: &Hole) -> f64 {
    let (w, h) = (truth.width, truth.height);
    // The picture goes on mirrored at its border, the border pixel itself repeated.
    let mirrored = |at: usize, d: usize, len: usize| -> usize {
        let i = at as isize + d as isize - WINDOW as isize;
        let i = if i < 0 { -1 - i } else { i } as usize;
        if i < len { i } else { 2 * len - 1 - i }
    };
    let (c1, c2) = (0.01f64.powi(2), 0.03f64.powi(2));
    let n = ((2 * WINDOW + 1) * (2 * WINDOW + 1)) as f64;
    mean(hole.pixels().map(|at| {
        let (x, y) = (at % w, at / w);
        let mut sums = [[0.0; 5]; 3];
        for dy in 0..=2 * WINDOW {
            let row = mirrored(y, dy, h) * w;
            for dx in 0..=2 * WINDOW {
                let i = (row + mirrored(x, dx, w)) * 3;
                for (c, s) in sums.iter_mut().enumerate() {
                    let (t, f) = (truth.data[i + c], fill.data[i + c]);
                    for (s, v) in s.iter_mut().zip([t, f, t * t, f * f, t * f]) {
                        *s += v / n;
                    }
                }
            }
        }
        mean(sums.iter().map(|[t, f, tt, ff, tf]| {
            let sample = n / (n - 1.0);
            let (vt, vf) = (sample * (tt - t * t), sample * (ff - f * f));
            let both = sample * (tf - t * f);
            (2.0 * t * f + c1) * (2.0 * both + c2) / ((t * t + f * f + c1) * (vt + vf + c2))
        }))
    }))
}

/// Half a patch's side.
const PATCH: usize = 3;
/// Values of a patch: every other pixel of it.
const VALUES: usize = 4 * 4 * 3;
/// Fewer pixels whose patch lies in the hole than this say nothing.
const FEWEST: usize = 50;

fn patch_distance(truth: &Photo, fill: &Photo, hole: &Hole) -> f64 {
    let inner = hole.stepped(PATCH, false);
    let centres: Vec<usize> = (0..inner.len()).filter(|at| inner[*at]).collect();
    if centres.len() < FEWEST {
        return f64::NAN;
    }
    let mut random = Random::seeded_0();
    let known = patches(truth, &centres, 4000, &mut random);
    let filled = patches(fill, &centres, 1000, &mut random);
    mean(filled.iter().map(|patch| {
        let nearest = known.iter().map(|other| distance(patch, other));
        nearest.fold(f64::INFINITY, f64::min).sqrt()
    }))
}

fn patches(
    photo: &Photo,
    centres: &[usize],
    most: usize,
    random: &mut Random,
) -> Vec<[f64; VALUES]> {
    let (w, h) = (photo.width, photo.height);
    let order = random.permutation(centres.len() as u32);
    let mut found = Vec::new();
    for i in order.iter().take(most) {
        let (x, y) = (centres[*i as usize] % w, centres[*i as usize] / w);
        if x < PATCH || y < PATCH || x + PATCH >= w || y + PATCH >= h {
            continue;
        }
        let mut values = [0.0; VALUES];
        for (j, value) in values.iter_mut().enumerate() {
            let (row, column) = (y - PATCH + j / 12 * 2, x - PATCH + j / 3 % 4 * 2);
            *value = photo.data[(row * w + column) * 3 + j % 3];
        }
        found.push(values);
    }
    found
}

/// The squared distance.
fn distance(a: &[f64; VALUES], b: &[f64; VALUES]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}
