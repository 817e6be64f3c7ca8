//! What networks of separable convolutions are made of, on bands of rows of one picture: 3×3
//! convolutions of each channel by itself, StyleGAN's down and up-sampling by the filter [1, 3, 3, 1], and
//! noise.
//!
//! A band is some whole rows, one behind another, `[rows][width][channels]`. Outside of the picture there
//! are zeros. Source of the filters: `Downsample2d`, `Upsample2d` in MI-GAN's
//! `lib/model_zoo/migan_inference.py` at b6d78e7; as matrices they are separable.
#![forbid(unsafe_code)]

use super::panels::Source;
use super::simd::{Isa, Kernel, Strip, StripMut, math};
use super::{Activation, Context};
use crate::error::Result;
use crate::memory;
use std::ops::Range;

/// Some rows of a picture.
#[derive(Clone, Copy)]
pub struct Band<'a> {
    /// `[rows][width][channels]`
    pub data: &'a [f32],
    /// The picture's row that the first of them is.
    pub first: usize,
    /// Of the picture.
    pub height: usize,
    /// Of the picture.
    pub width: usize,
    /// Values of a pixel.
    pub channels: usize,
}

impl<'a> Band<'a> {
    /// A whole picture, `[height][width][channels]`.
    pub fn whole(data: &'a [f32], [height, width, channels]: [usize; 3]) -> Self {
        Self {
            data,
            first: 0,
            height,
            width,
            channels,
        }
    }

    fn row_len(&self) -> usize {
        self.width * self.channels
    }

    /// Checks that all of `rows` that lie in the picture are here.
    fn check(&self, rows: Range<isize>) {
        let inside = |row: isize| row.clamp(0, self.height as isize) as usize;
        let (from, to) = (inside(rows.start), inside(rows.end));
        let here = self.first + self.data.len() / self.row_len().max(1);
        assert!(
            from >= to || self.first <= from && to <= here,
            "rows {from} to {to} of a band with {} to {here}",
            self.first
        );
    }

    /// Row `row`; `None` outside of the picture.
    #[inline(always)]
    fn row(&self, row: isize) -> Option<&'a [f32]> {
        let inside = row >= 0 && (row as usize) < self.height;
        inside.then(|| &self.data[(row as usize - self.first) * self.row_len()..][..self.row_len()])
    }
}

/// Columns of a row's pixels: channels `c` to `c + n` of each.
#[inline(always)]
fn strip<'a>(row: Option<&'a [f32]>, size: (usize, usize), columns: (usize, usize)) -> Line<'a> {
    row.map(|row| Strip::new(row, size, columns))
}

/// A vector of channels along a row; `None` for the zeros outside of the picture.
type Line<'a> = Option<Strip<'a, f32>>;

/// A 3×3 convolution of each channel by itself, as large as its input.
pub struct Depthwise3 {
    /// `[tap][channel]`
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Depthwise3 {
    /// Lays `weight`, `[channels][1][3][3]`, out, with `bias`, `[channels]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    ///
    /// # Panics
    /// When there are not nine weights for each channel.
    pub fn new(weight: Source, bias: &[f32]) -> Result<Self> {
        let channels = bias.len();
        assert_eq!(weight.len(), 9 * channels, "weights' length");
        let mut weights = memory::filled(9 * channels, 0.0, "a network's weights")?;
        for c in 0..channels {
            for t in 0..9 {
                weights[t * channels + c] = weight.at(c * 9 + t);
            }
        }
        let bias = bias.to_vec();
        Ok(Self { weights, bias })
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        (self.weights.len() + self.bias.len()) * 4
    }

    /// `rows` of the output, through `activation`, to `y`. Of `x` the rows around them are needed.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    ///
    /// # Panics
    /// When rows are missing or a length is not what the shapes say.
    pub fn rows(
        &self,
        cx: &Context,
        x: &Band,
        rows: Range<usize>,
        activation: Activation,
        y: &mut [f32],
    ) -> Result<()> {
        assert_eq!(self.bias.len(), x.channels, "channels");
        assert_eq!(y.len(), rows.len() * x.row_len(), "output's length");
        x.check(rows.start as isize - 1..rows.end as isize + 1);
        if x.width == 0 {
            return Ok(());
        }
        cx.parts(y, x.row_len(), |i, y| {
            let at = (rows.start + i) as isize;
            cx.run(DepthwiseRow {
                weights: self,
                lines: [x.row(at - 1), x.row(at), x.row(at + 1)],
                width: x.width,
                activation,
                y,
            });
        })
    }
}

struct DepthwiseRow<'a> {
    weights: &'a Depthwise3,
    lines: [Option<&'a [f32]>; 3],
    width: usize,
    activation: Activation,
    y: &'a mut [f32],
}

impl Kernel for DepthwiseRow<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Isa>(self, isa: S) {
        let channels = self.weights.bias.len();
        let size = (self.width, channels);
        for c in (0..channels).step_by(S::LANES) {
            let n = S::LANES.min(channels - c);
            let bias = isa.load_part(&self.weights.bias[c..c + n]);
            let taps = Strip::new(&self.weights.weights, (9, channels), (c, n));
            // Named one by one, they stay in registers.
            let w = [
                isa.load_part(taps.row(0)),
                isa.load_part(taps.row(1)),
                isa.load_part(taps.row(2)),
                isa.load_part(taps.row(3)),
                isa.load_part(taps.row(4)),
                isa.load_part(taps.row(5)),
                isa.load_part(taps.row(6)),
                isa.load_part(taps.row(7)),
                isa.load_part(taps.row(8)),
            ];
            let lines = self.lines.map(|line| strip(line, size, (c, n)));
            let mut y = StripMut::new(self.y, size, (c, n));
            // Three columns of three rows each: the left, the middle and the right one.
            let mut left = [isa.zero(); 3];
            let mut middle = column(isa, &lines, 0);
            for i in 0..self.width {
                let right = if i + 1 < self.width {
                    column(isa, &lines, i + 1)
                } else {
                    [isa.zero(); 3]
                };
                let mut sum = bias;
                for row in 0..3 {
                    sum = isa.fma(left[row], w[row * 3], sum);
                    sum = isa.fma(middle[row], w[row * 3 + 1], sum);
                    sum = isa.fma(right[row], w[row * 3 + 2], sum);
                }
                isa.store_part(y.row(i), math::activate(isa, self.activation, sum));
                left = middle;
                middle = right;
            }
        }
    }
}

/// The values of three rows at pixel `i`, zeros where a row is outside of the picture.
#[inline(always)]
fn column<S: Isa>(isa: S, lines: &[Line; 3], i: usize) -> [S::V; 3] {
    let mut out = [isa.zero(); 3];
    for (line, out) in lines.iter().zip(&mut out) {
        if let Some(line) = line {
            *out = isa.load_part(line.row(i));
        }
    }
    out
}

/// The sum of some lines' vectors `at` of row `i`, each by its weight.
#[inline(always)]
fn weighted<S: Isa, const N: usize>(
    isa: S,
    lines: &[Line; N],
    by: [f32; N],
    i: usize,
    at: (usize, usize),
) -> S::V {
    let mut sum = isa.zero();
    for (line, w) in lines.iter().zip(by) {
        if let Some(line) = line {
            sum = isa.fma(isa.load_part(&line.row(i)[at.0..at.1]), isa.splat(w), sum);
        }
    }
    sum
}

/// `rows` of half as large a picture, each value of 4×4 by [1, 3, 3, 1] / 8 both ways: torch's convolution
/// with padding 1 and stride 2. Output row `i` needs the rows `2 i - 1` to `2 i + 2`.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
///
/// # Panics
/// When rows are missing, a side is odd, or a length is not what the shapes say.
pub fn downsample(cx: &Context, x: &Band, rows: Range<usize>, y: &mut [f32]) -> Result<()> {
    assert!(
        x.width.is_multiple_of(2) && x.height.is_multiple_of(2),
        "sides"
    );
    let out = x.row_len() / 2;
    assert_eq!(y.len(), rows.len() * out, "output's length");
    x.check(2 * rows.start as isize - 1..2 * rows.end as isize + 1);
    if out == 0 {
        return Ok(());
    }
    cx.parts(y, out, |i, y| {
        let at = 2 * (rows.start + i) as isize;
        cx.run(DownRow {
            lines: [x.row(at - 1), x.row(at), x.row(at + 1), x.row(at + 2)],
            width: x.width / 2,
            channels: x.channels,
            y,
        });
    })
}

struct DownRow<'a> {
    lines: [Option<&'a [f32]>; 4],
    /// Of the output.
    width: usize,
    channels: usize,
    y: &'a mut [f32],
}

impl Kernel for DownRow<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Isa>(self, isa: S) {
        const DOWN: [f32; 4] = [0.125, 0.375, 0.375, 0.125];
        let (side, inner) = (isa.splat(0.125), isa.splat(0.375));
        for c in (0..self.channels).step_by(S::LANES) {
            let n = S::LANES.min(self.channels - c);
            // Pixels in pairs, an even one and an odd one.
            let (size, both) = ((self.width, 2 * self.channels), self.channels + n);
            let lines = self.lines.map(|line| strip(line, size, (c, both)));
            let (even, odd) = ((0, n), (self.channels, both));
            let mut y = StripMut::new(self.y, (self.width, self.channels), (c, n));
            let mut a = isa.zero();
            let mut b = weighted(isa, &lines, DOWN, 0, even);
            for i in 0..self.width {
                let right = weighted(isa, &lines, DOWN, i, odd);
                let next = if i + 1 < self.width {
                    weighted(isa, &lines, DOWN, i + 1, even)
                } else {
                    isa.zero()
                };
                let inside = isa.mul(isa.add(b, right), inner);
                isa.store_part(y.row(i), isa.fma(isa.add(a, next), side, inside));
                a = right;
                b = next;
            }
        }
    }
}

/// What is done to values that were made larger, pixel by pixel: `activation(value + noise) + add`.
#[derive(Clone, Copy)]
pub struct Finish<'a> {
    /// A value for each pixel, the same for all of its channels.
    pub noise: Option<&'a [f32]>,
    /// A function of each value.
    pub activation: Activation,
    /// Laid out as the output.
    pub add: Option<&'a [f32]>,
}

/// `rows` of a picture twice as large: zeros between the pixels, then 4×4 by [1, 3, 3, 1] / 4 both ways.
/// Output rows `2 i` and `2 i + 1` need the rows `i - 1` to `i + 1`.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
///
/// # Panics
/// When rows are missing, or a length is not what the shapes say.
pub fn upsample(
    cx: &Context,
    x: &Band,
    rows: Range<usize>,
    finish: &Finish,
    y: &mut [f32],
) -> Result<()> {
    let out = 2 * x.row_len();
    assert_eq!(y.len(), rows.len() * out, "output's length");
    let pixels = rows.len() * 2 * x.width;
    assert!(
        finish.noise.is_none_or(|n| n.len() == pixels),
        "noise's length"
    );
    assert!(
        finish.add.is_none_or(|a| a.len() == y.len()),
        "addition's length"
    );
    if rows.is_empty() || x.width == 0 {
        return Ok(());
    }
    let (from, to) = (rows.start as isize / 2, (rows.end as isize - 1) / 2);
    x.check(
        from - isize::from(rows.start.is_multiple_of(2))
            ..to + 1 + isize::from(rows.end.is_multiple_of(2)),
    );
    cx.parts(y, out, |i, y| {
        let row = rows.start + i;
        let near = (row / 2) as isize;
        let far = if row.is_multiple_of(2) {
            near - 1
        } else {
            near + 1
        };
        cx.run(UpRow {
            lines: [x.row(near), x.row(far)],
            width: x.width,
            channels: x.channels,
            noise: finish.noise.map(|n| &n[i * 2 * x.width..][..2 * x.width]),
            activation: finish.activation,
            add: finish.add.map(|a| &a[i * out..][..out]),
            y,
        });
    })
}

struct UpRow<'a> {
    /// The nearer row and the other.
    lines: [Option<&'a [f32]>; 2],
    /// Of the input.
    width: usize,
    channels: usize,
    noise: Option<&'a [f32]>,
    activation: Activation,
    add: Option<&'a [f32]>,
    y: &'a mut [f32],
}

/// What [`UpRow`] writes, a vector of channels along the row.
struct Written<'a> {
    noise: Option<&'a [f32]>,
    activation: Activation,
    add: Line<'a>,
    y: StripMut<'a, f32>,
}

impl Written<'_> {
    #[inline(always)]
    fn put<S: Isa>(&mut self, isa: S, i: usize, mut v: S::V) {
        if let Some(noise) = self.noise {
            v = isa.add(v, isa.splat(noise[i]));
        }
        v = math::activate(isa, self.activation, v);
        if let Some(add) = self.add {
            v = isa.add(v, isa.load_part(add.row(i)));
        }
        isa.store_part(self.y.row(i), v);
    }
}

impl Kernel for UpRow<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Isa>(self, isa: S) {
        const NEAR_AND_FAR: [f32; 2] = [0.75, 0.25];
        let (near, far) = (isa.splat(0.75), isa.splat(0.25));
        for c in (0..self.channels).step_by(S::LANES) {
            let columns = (c, S::LANES.min(self.channels - c));
            let all = (0, columns.1);
            let size = (self.width, self.channels);
            let twice = (2 * self.width, self.channels);
            let lines = self.lines.map(|line| strip(line, size, columns));
            let mut out = Written {
                noise: self.noise,
                activation: self.activation,
                add: strip(self.add, twice, columns),
                y: StripMut::new(self.y, twice, columns),
            };
            let mut left = isa.zero();
            let mut middle = weighted(isa, &lines, NEAR_AND_FAR, 0, all);
            for i in 0..self.width {
                let right = if i + 1 < self.width {
                    weighted(isa, &lines, NEAR_AND_FAR, i + 1, all)
                } else {
                    isa.zero()
                };
                let base = isa.mul(middle, near);
                out.put(isa, 2 * i, isa.fma(left, far, base));
                out.put(isa, 2 * i + 1, isa.fma(right, far, base));
                left = middle;
                middle = right;
            }
        }
    }
}

/// Adds `noise`, a value for each pixel, to all channels of `y`, and applies `activation`.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
///
/// # Panics
/// When `y` has not `channels` values for each pixel.
pub fn add_noise(
    cx: &Context,
    noise: &[f32],
    channels: usize,
    activation: Activation,
    y: &mut [f32],
) -> Result<()> {
    /// Pixels of a task.
    const PART: usize = 512;
    assert_eq!(y.len(), noise.len() * channels, "output's length");
    cx.parts(y, PART * channels, |i, part| {
        let noise = &noise[i * PART..][..part.len() / channels.max(1)];
        cx.run(Noise {
            noise,
            channels,
            activation,
            y: part,
        });
    })
}

struct Noise<'a> {
    noise: &'a [f32],
    channels: usize,
    activation: Activation,
    y: &'a mut [f32],
}

impl Kernel for Noise<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Isa>(self, isa: S) {
        let pixels = self.y.chunks_exact_mut(self.channels);
        for (noise, pixel) in self.noise.iter().zip(pixels) {
            let noise = isa.splat(*noise);
            for y in pixel.chunks_mut(S::LANES) {
                let v = isa.add(isa.load_part(y), noise);
                isa.store_part(y, math::activate(isa, self.activation, v));
            }
        }
    }
}
