//! What networks of separable convolutions are made of, on bands of rows of one picture: 3×3
//! convolutions of each channel by itself, StyleGAN's down and up-sampling by the filter [1, 3, 3, 1], and
//! noise.
//!
//! A band is some whole rows, one behind another, `[rows][width][channels]`. Outside of the picture there
//! are zeros. Source of the filters: `Downsample2d`, `Upsample2d` in MI-GAN's
//! `lib/model_zoo/migan_inference.py` at b6d78e7; as matrices they are separable.

use super::context::Shared;
use super::panels::Source;
use super::simd::{self, Kernel, Simd, math};
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

    /// Where row `row` begins; `None` outside of the picture.
    #[inline(always)]
    fn row(&self, row: isize) -> Option<*const f32> {
        let inside = row >= 0 && (row as usize) < self.height;
        inside.then(|| self.data[(row as usize - self.first) * self.row_len()..].as_ptr())
    }
}

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
        let y = Shared::new(y);
        cx.tasks(rows.len(), 0, |_, i| {
            let at = (rows.start + i) as isize;
            // SAFETY: rows and lengths were checked, and each task has its own row of `y`.
            unsafe {
                simd::run(
                    cx.path(),
                    DepthwiseRow {
                        weights: self,
                        lines: [x.row(at - 1), x.row(at), x.row(at + 1)],
                        width: x.width,
                        activation,
                        y: y.at(i * x.row_len()),
                    },
                )
            }
        })
    }
}

struct DepthwiseRow<'a> {
    weights: &'a Depthwise3,
    lines: [Option<*const f32>; 3],
    width: usize,
    activation: Activation,
    y: *mut f32,
}

impl Kernel for DepthwiseRow<'_> {
    type Out = ();

    #[inline(always)]
    #[allow(unsafe_op_in_unsafe_fn)] // Loads and stores inside of rows that were checked.
    unsafe fn run<S: Simd>(self) {
        let channels = self.weights.bias.len();
        for c in (0..channels).step_by(S::LANES) {
            let n = S::LANES.min(channels - c);
            let bias = S::load_n(self.weights.bias.as_ptr().add(c), n);
            let mut w = [S::zero(); 9];
            for (tap, w) in w.iter_mut().enumerate() {
                *w = S::load_n(self.weights.weights.as_ptr().add(tap * channels + c), n);
            }
            // Three columns of three rows each: the left, the middle and the right one.
            let mut left = [S::zero(); 3];
            let mut middle = column::<S>(&self.lines, c, n);
            for i in 0..self.width {
                let right = if i + 1 < self.width {
                    column::<S>(&self.lines, (i + 1) * channels + c, n)
                } else {
                    [S::zero(); 3]
                };
                let mut sum = bias;
                for row in 0..3 {
                    sum = S::fma(left[row], w[row * 3], sum);
                    sum = S::fma(middle[row], w[row * 3 + 1], sum);
                    sum = S::fma(right[row], w[row * 3 + 2], sum);
                }
                let sum = math::activate::<S>(self.activation, sum);
                S::store_n(self.y.add(i * channels + c), sum, n);
                left = middle;
                middle = right;
            }
        }
    }
}

/// The values of three rows at `at`, zeros where a row is outside of the picture.
#[inline(always)]
#[allow(unsafe_op_in_unsafe_fn)] // As its caller.
unsafe fn column<S: Simd>(lines: &[Option<*const f32>; 3], at: usize, n: usize) -> [S::V; 3] {
    let mut out = [S::zero(); 3];
    for (line, out) in lines.iter().zip(&mut out) {
        if let Some(line) = line {
            *out = S::load_n(line.add(at), n);
        }
    }
    out
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
    let y = Shared::new(y);
    cx.tasks(rows.len(), 0, |_, i| {
        let at = 2 * (rows.start + i) as isize;
        // SAFETY: rows and lengths were checked, and each task has its own row of `y`.
        unsafe {
            simd::run(
                cx.path(),
                DownRow {
                    lines: [x.row(at - 1), x.row(at), x.row(at + 1), x.row(at + 2)],
                    width: x.width / 2,
                    channels: x.channels,
                    y: y.at(i * out),
                },
            )
        }
    })
}

struct DownRow {
    lines: [Option<*const f32>; 4],
    width: usize,
    channels: usize,
    y: *mut f32,
}

impl DownRow {
    /// The sum down column `i` of the input, by [1, 3, 3, 1] / 8.
    #[inline(always)]
    #[allow(unsafe_op_in_unsafe_fn)] // As its caller.
    unsafe fn column<S: Simd>(&self, i: usize, c: usize, n: usize) -> S::V {
        let mut sum = S::zero();
        for (line, w) in self.lines.iter().zip([0.125, 0.375, 0.375, 0.125]) {
            if let Some(line) = line {
                let x = S::load_n(line.add(i * self.channels + c), n);
                sum = S::fma(x, S::splat(w), sum);
            }
        }
        sum
    }
}

impl Kernel for DownRow {
    type Out = ();

    #[inline(always)]
    #[allow(unsafe_op_in_unsafe_fn)] // Loads and stores inside of rows that were checked.
    unsafe fn run<S: Simd>(self) {
        let (side, inner) = (S::splat(0.125), S::splat(0.375));
        for c in (0..self.channels).step_by(S::LANES) {
            let n = S::LANES.min(self.channels - c);
            let mut a = S::zero();
            let mut b = if self.width > 0 {
                self.column::<S>(0, c, n)
            } else {
                S::zero()
            };
            for i in 0..self.width {
                let right = self.column::<S>(2 * i + 1, c, n);
                let next = if i + 1 < self.width {
                    self.column::<S>(2 * i + 2, c, n)
                } else {
                    S::zero()
                };
                let inside = S::mul(S::add(b, right), inner);
                let sum = S::fma(S::add(a, next), side, inside);
                S::store_n(self.y.add(i * self.channels + c), sum, n);
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
    let y = Shared::new(y);
    cx.tasks(rows.len(), 0, |_, i| {
        let row = rows.start + i;
        let near = (row / 2) as isize;
        let far = if row.is_multiple_of(2) {
            near - 1
        } else {
            near + 1
        };
        // SAFETY: rows and lengths were checked, and each task has its own row of `y`.
        unsafe {
            simd::run(
                cx.path(),
                UpRow {
                    near: x.row(near),
                    far: x.row(far),
                    width: x.width,
                    channels: x.channels,
                    noise: finish.noise.map(|n| &n[i * 2 * x.width..]),
                    activation: finish.activation,
                    add: finish.add.map(|a| &a[i * out..]),
                    y: y.at(i * out),
                },
            )
        }
    })
}

struct UpRow<'a> {
    near: Option<*const f32>,
    far: Option<*const f32>,
    /// Of the input.
    width: usize,
    channels: usize,
    noise: Option<&'a [f32]>,
    activation: Activation,
    add: Option<&'a [f32]>,
    y: *mut f32,
}

impl UpRow<'_> {
    /// Column `i` of the input, three quarters of the nearer row and a quarter of the other.
    #[inline(always)]
    #[allow(unsafe_op_in_unsafe_fn)] // As its caller.
    unsafe fn column<S: Simd>(&self, i: usize, c: usize, n: usize) -> S::V {
        let mut sum = S::zero();
        for (line, w) in [(self.near, 0.75), (self.far, 0.25)] {
            if let Some(line) = line {
                let x = S::load_n(line.add(i * self.channels + c), n);
                sum = S::fma(x, S::splat(w), sum);
            }
        }
        sum
    }

    #[inline(always)]
    #[allow(unsafe_op_in_unsafe_fn)] // As its caller.
    unsafe fn put<S: Simd>(&self, i: usize, c: usize, n: usize, mut v: S::V) {
        if let Some(noise) = self.noise {
            v = S::add(v, S::splat(*noise.get_unchecked(i)));
        }
        v = math::activate::<S>(self.activation, v);
        let at = i * self.channels + c;
        if let Some(add) = self.add {
            v = S::add(v, S::load_n(add.as_ptr().add(at), n));
        }
        S::store_n(self.y.add(at), v, n);
    }
}

impl Kernel for UpRow<'_> {
    type Out = ();

    #[inline(always)]
    #[allow(unsafe_op_in_unsafe_fn)] // Loads and stores inside of rows that were checked.
    unsafe fn run<S: Simd>(self) {
        let (near, far) = (S::splat(0.75), S::splat(0.25));
        for c in (0..self.channels).step_by(S::LANES) {
            let n = S::LANES.min(self.channels - c);
            let mut left = S::zero();
            let mut middle = self.column::<S>(0, c, n);
            for i in 0..self.width {
                let right = if i + 1 < self.width {
                    self.column::<S>(i + 1, c, n)
                } else {
                    S::zero()
                };
                let base = S::mul(middle, near);
                self.put::<S>(2 * i, c, n, S::fma(left, far, base));
                self.put::<S>(2 * i + 1, c, n, S::fma(right, far, base));
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
        // SAFETY: as many pixels as values of noise.
        unsafe {
            simd::run(
                cx.path(),
                Noise {
                    noise,
                    channels,
                    activation,
                    y: part,
                },
            )
        }
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
    #[allow(unsafe_op_in_unsafe_fn)] // Loads and stores inside of `y`.
    unsafe fn run<S: Simd>(self) {
        for (noise, pixel) in self
            .noise
            .iter()
            .zip(self.y.chunks_exact_mut(self.channels))
        {
            let noise = S::splat(*noise);
            for c in (0..self.channels).step_by(S::LANES) {
                let n = S::LANES.min(self.channels - c);
                let at = pixel.as_mut_ptr().add(c);
                let v = S::add(S::load_n(at, n), noise);
                S::store_n(at, math::activate::<S>(self.activation, v), n);
            }
        }
    }
}
