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

mod resample;

pub use resample::{Finish, downsample, upsample};

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
