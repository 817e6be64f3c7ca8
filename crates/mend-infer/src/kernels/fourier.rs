//! The real Fourier transform of pictures, channel by channel: torch's `rfft2` and `irfft2` with
//! `norm="ortho"`.
//!
//! Single transforms are `rustfft`'s and `realfft`'s. They want their values one behind another, and in a
//! picture the channels lie so: some channels at a time are laid out as planes, transformed and put back.

use super::Context;
use super::shared::Shared;
use crate::error::Result;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};
use std::sync::Arc;

/// Channels that are laid out together: a cache line.
const GROUP: usize = 16;
/// Values by which planes are longer than they need to be: planes of a power of two would all begin in
/// the same places of a cache.
const APART: usize = 16;
/// Rows of a spectrum's column that are turned together: a cache line.
const TURN: usize = 8;

/// Transforms of pictures of one size.
pub struct Fourier {
    height: usize,
    width: usize,
    rows: Arc<dyn RealToComplex<f32>>,
    rows_back: Arc<dyn ComplexToReal<f32>>,
    columns: Arc<dyn Fft<f32>>,
    columns_back: Arc<dyn Fft<f32>>,
}

/// A task's scratch memory, cut up.
struct Scratch<'a> {
    /// `[channel][height][width]`
    planes: &'a mut [f32],
    /// `[channel][column][height]`
    spectra: &'a mut [Complex<f32>],
    /// `[height][column]`, of one channel.
    rows: &'a mut [Complex<f32>],
    own: &'a mut [Complex<f32>],
}

impl Fourier {
    /// Plans the transforms.
    ///
    /// # Panics
    /// When a side is 0.
    pub fn new(height: usize, width: usize) -> Self {
        assert!(height > 0 && width > 0, "sides");
        let (mut real, mut complex) = (RealFftPlanner::new(), FftPlanner::new());
        Self {
            height,
            width,
            rows: real.plan_fft_forward(width),
            rows_back: real.plan_fft_inverse(width),
            columns: complex.plan_fft_forward(height),
            columns_back: complex.plan_fft_inverse(height),
        }
    }

    /// Columns of a spectrum: half of the width, and one.
    pub fn columns(&self) -> usize {
        self.width / 2 + 1
    }

    fn own(&self) -> usize {
        let each = [
            self.rows.get_scratch_len(),
            self.rows_back.get_scratch_len(),
            self.columns.get_inplace_scratch_len(),
            self.columns_back.get_inplace_scratch_len(),
        ];
        each.into_iter().max().unwrap_or(0)
    }

    /// Values from one plane to the next.
    fn plane(&self) -> usize {
        self.height * self.width + APART
    }

    fn words(&self) -> usize {
        let spectrum = self.height * self.columns();
        GROUP * self.plane() + 2 * (GROUP + 1) * spectrum + 2 * self.own()
    }

    fn scratch<'a>(&self, words: &'a mut [f32]) -> Scratch<'a> {
        let spectrum = self.height * self.columns();
        let (planes, rest) = words.split_at_mut(GROUP * self.plane());
        let count = rest.len() / 2;
        // SAFETY: a complex number is two floats, `#[repr(C)]`, of a float's alignment, and any bits
        // are one.
        let rest = unsafe {
            std::slice::from_raw_parts_mut(rest.as_mut_ptr().cast::<Complex<f32>>(), count)
        };
        let (spectra, rest) = rest.split_at_mut(GROUP * spectrum);
        let (rows, own) = rest.split_at_mut(spectrum);
        Scratch {
            planes,
            spectra,
            rows,
            own,
        }
    }

    fn scale(&self) -> f32 {
        (1.0 / ((self.height * self.width) as f64).sqrt()) as f32
    }

    /// `y`, `[height][columns][channels][2]`, real and imaginary parts in turns, of `x`,
    /// `[height][width][channels]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    ///
    /// # Panics
    /// When a length is not what the sizes say.
    pub fn forward(&self, cx: &Context, channels: usize, x: &[f32], y: &mut [f32]) -> Result<()> {
        let (h, w, columns) = (self.height, self.width, self.columns());
        assert_eq!(x.len(), h * w * channels, "input's length");
        assert_eq!(y.len(), h * columns * channels * 2, "output's length");
        let (y, scale) = (Shared::new(y), self.scale());
        cx.tasks(channels.div_ceil(GROUP), self.words(), |words, task| {
            let s = self.scratch(words);
            let first = task * GROUP;
            let group = GROUP.min(channels - first);
            let pitch = self.plane();
            for from in (0..h * w).step_by(GROUP) {
                let pixels = from..(from + GROUP).min(h * w);
                for (k, plane) in s.planes.chunks_exact_mut(pitch).take(group).enumerate() {
                    for i in pixels.clone() {
                        plane[i] = x[i * channels + first + k];
                    }
                }
            }
            let planes = s.planes.chunks_exact_mut(pitch).take(group);
            for (plane, spectrum) in planes.zip(s.spectra.chunks_exact_mut(h * columns)) {
                let lines = plane[..h * w].chunks_exact_mut(w);
                for (line, out) in lines.zip(s.rows.chunks_exact_mut(columns)) {
                    // Lengths are the plan's own.
                    let _ = self.rows.process_with_scratch(line, out, s.own);
                }
                turn(s.rows, columns, spectrum, h);
                self.columns.process_with_scratch(spectrum, s.own);
            }
            for (column, row) in by_columns(h, columns) {
                let at = row * columns + column;
                // SAFETY: each task has its own channels of `y`.
                let out = unsafe { y.part((at * channels + first) * 2, group * 2) };
                for (k, out) in out.chunks_exact_mut(2).enumerate() {
                    let v = s.spectra[(k * columns + column) * h + row] * scale;
                    (out[0], out[1]) = (v.re, v.im);
                }
            }
        })
    }

    /// `y`, `[height][width][channels]`, of `x`, `[height][columns][channels][2]`, plus `add`, laid out
    /// as `y`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    ///
    /// # Panics
    /// When a length is not what the sizes say.
    pub fn inverse(
        &self,
        cx: &Context,
        channels: usize,
        x: &[f32],
        add: &[f32],
        y: &mut [f32],
    ) -> Result<()> {
        let (h, w, columns) = (self.height, self.width, self.columns());
        assert_eq!(x.len(), h * columns * channels * 2, "input's length");
        assert_eq!(y.len(), h * w * channels, "output's length");
        assert_eq!(add.len(), y.len(), "addition's length");
        let (y, scale) = (Shared::new(y), self.scale());
        cx.tasks(channels.div_ceil(GROUP), self.words(), |words, task| {
            let s = self.scratch(words);
            let first = task * GROUP;
            let group = GROUP.min(channels - first);
            for (column, row) in by_columns(h, columns) {
                let at = ((row * columns + column) * channels + first) * 2;
                let values = x[at..at + group * 2].chunks_exact(2);
                for (k, v) in values.enumerate() {
                    s.spectra[(k * columns + column) * h + row] =
                        Complex::new(v[0] * scale, v[1] * scale);
                }
            }
            let pitch = self.plane();
            let planes = s.planes.chunks_exact_mut(pitch).take(group);
            for (plane, spectrum) in planes.zip(s.spectra.chunks_exact_mut(h * columns)) {
                self.columns_back.process_with_scratch(spectrum, s.own);
                turn(spectrum, h, s.rows, columns);
                let lines = plane[..h * w].chunks_exact_mut(w);
                for (line, from) in lines.zip(s.rows.chunks_exact_mut(columns)) {
                    // What a real signal's spectrum has none of counts for nothing, as in torch.
                    from[0].im = 0.0;
                    if w % 2 == 0 {
                        from[columns - 1].im = 0.0;
                    }
                    let _ = self.rows_back.process_with_scratch(from, line, s.own);
                }
            }
            for at in 0..h * w {
                let place = at * channels + first;
                // SAFETY: each task has its own channels of `y`.
                let out = unsafe { y.part(place, group) };
                for (k, out) in out.iter_mut().enumerate() {
                    *out = s.planes[k * pitch + at] + add[place + k];
                }
            }
        })
    }
}

/// Column and row of every place in a spectrum, in an order in which columns and rows are both near.
fn by_columns(height: usize, columns: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..columns * height.div_ceil(TURN)).flat_map(move |i| {
        let first = i / columns * TURN;
        (first..(first + TURN).min(height)).map(move |row| (i % columns, row))
    })
}

/// Rows of `across` values to columns: `to` has rows of `down`.
fn turn(from: &[Complex<f32>], across: usize, to: &mut [Complex<f32>], down: usize) {
    for (i, line) in to.chunks_exact_mut(down).enumerate() {
        for (j, v) in line.iter_mut().enumerate() {
            *v = from[j * across + i];
        }
    }
}
