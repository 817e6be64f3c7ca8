//! Down and up-sampling by StyleGAN's filter [1, 3, 3, 1], row by row.
#![forbid(unsafe_code)]

use super::{Band, Line, strip};
use crate::error::Result;
use crate::kernels::simd::{Isa, Kernel, Strip, StripMut, math};
use crate::kernels::{Activation, Context};
use std::ops::Range;

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
        // Compiled for each number of rows in the picture: the loops ask nothing.
        match self.lines {
            [Some(a), Some(b), Some(c), Some(d)] => {
                self.pass(isa, [a, b, c, d], [0.125, 0.375, 0.375, 0.125]);
            }
            [None, Some(b), Some(c), Some(d)] => self.pass(isa, [b, c, d], [0.375, 0.375, 0.125]),
            [Some(a), Some(b), Some(c), None] => self.pass(isa, [a, b, c], [0.125, 0.375, 0.375]),
            [None, Some(b), Some(c), None] => self.pass(isa, [b, c], [0.375, 0.375]),
            [Some(a), ..] => self.pass(isa, [a], [0.125]),
            _ => self.pass(isa, [], []),
        }
    }
}

impl DownRow<'_> {
    /// The row from those that lie in the picture, each by its weight.
    #[inline(always)]
    fn pass<S: Isa, const N: usize>(self, isa: S, rows: [&[f32]; N], by: [f32; N]) {
        let (side, inner) = (isa.splat(0.125), isa.splat(0.375));
        for c in (0..self.channels).step_by(S::LANES) {
            let n = S::LANES.min(self.channels - c);
            // Pixels in pairs, an even one and an odd one.
            let (size, both) = ((self.width, 2 * self.channels), self.channels + n);
            let lines = rows.map(|row| Strip::new(row, size, (c, both)));
            let (even, odd) = ((0, n), (self.channels, both));
            let mut y = StripMut::new(self.y, (self.width, self.channels), (c, n));
            let mut a = isa.zero();
            let mut b = down(isa, &lines, by, 0, even);
            for i in 0..self.width {
                let right = down(isa, &lines, by, i, odd);
                let next = if i + 1 < self.width {
                    down(isa, &lines, by, i + 1, even)
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

/// The sum of some lines' vectors `at` of row `i`, each by its weight.
#[inline(always)]
fn down<S: Isa, const N: usize>(
    isa: S,
    lines: &[Strip<f32>; N],
    by: [f32; N],
    i: usize,
    at: (usize, usize),
) -> S::V {
    let mut sum = isa.zero();
    for k in 0..N {
        let x = isa.load_part(&lines[k].row(i)[at.0..at.1]);
        sum = isa.fma(x, isa.splat(by[k]), sum);
    }
    sum
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
            let mut middle = weighted(isa, &lines, NEAR_AND_FAR, 0);
            for i in 0..self.width {
                let right = if i + 1 < self.width {
                    weighted(isa, &lines, NEAR_AND_FAR, i + 1)
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

/// The sum down pixel `i` of some rows, each by its weight.
#[inline(always)]
fn weighted<S: Isa, const N: usize>(isa: S, lines: &[Line; N], by: [f32; N], i: usize) -> S::V {
    let mut sum = isa.zero();
    for (line, w) in lines.iter().zip(by) {
        if let Some(line) = line {
            sum = isa.fma(isa.load_part(line.row(i)), isa.splat(w), sum);
        }
    }
    sum
}
