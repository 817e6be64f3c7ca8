//! Group and layer normalisation over channels-last activations.

use super::context::Shared;
use super::simd::{self, Kernel, Simd, math};
use super::{Activation, Context};
use crate::error::Result;
use crate::memory;

/// A group normalisation's parameters.
#[derive(Clone, Copy, Debug)]
pub struct GroupNorm<'a> {
    /// Groups of neighbouring channels; they divide the channels.
    pub groups: usize,
    /// Added to the variance.
    pub eps: f32,
    /// A channel's factor.
    pub weight: &'a [f32],
    /// What a channel gets added.
    pub bias: &'a [f32],
}

/// Pixels that one task takes. A function of the shape alone, so that sums are too.
fn pixels_a_task(pixels: usize) -> usize {
    pixels.div_ceil(256).max(64)
}

/// `out = activation(normalised(x + shift) · weight + bias)` with `x` and `out`
/// `[batch][pixels][channels]`; mean and variance are those of a picture's group. `shift`, where given,
/// is `[batch][channels]`: a time embedding's projection, say.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
///
/// # Panics
/// When a length is not what the shape says.
pub fn group_norm(
    cx: &Context,
    norm: &GroupNorm,
    batch: usize,
    x: &[f32],
    shift: Option<&[f32]>,
    activation: Activation,
    out: &mut [f32],
) -> Result<()> {
    norm.lines(cx, batch, &[x], shift)?
        .apply(cx, x, activation, out)
}

impl GroupNorm<'_> {
    /// What a channel of each of `batch` pictures is multiplied by and gets added. `x` is
    /// `[batch][pixels][channels]` in parts, one behind another, each of whole pixels; where parts
    /// begin makes no difference to any bit. `shift` is as [`group_norm`]'s.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    ///
    /// # Panics
    /// When a length is not what the shape says.
    pub fn lines(
        &self,
        cx: &Context,
        batch: usize,
        x: &[&[f32]],
        shift: Option<&[f32]>,
    ) -> Result<Lines> {
        let channels = self.weight.len();
        assert!(
            self.groups > 0 && channels.is_multiple_of(self.groups),
            "channels of groups"
        );
        assert_eq!(self.bias.len(), channels, "bias' length");
        assert!(
            shift.is_none_or(|s| s.len() == batch * channels),
            "shift's length"
        );
        for part in x {
            assert_eq!(part.len() % channels, 0, "whole pixels");
        }
        let all = x.iter().map(|part| part.len()).sum::<usize>() / channels;
        let mut values = memory::filled(batch * 2 * channels, 0f32, "a normalisation's factors")?;
        if all > 0 {
            assert_eq!(all % batch, 0, "pixels of pictures");
            let pixels = all / batch;
            let sums = sums(cx, channels, (batch, pixels), x)?;
            let own = sums.len() / batch;
            for (b, lines) in values.chunks_exact_mut(2 * channels).enumerate() {
                let shift = shift.map(|s| &s[b * channels..][..channels]);
                let first = pixel(x, b * pixels, channels);
                factors(self, first, shift, &sums[b * own..][..own], pixels, lines);
            }
        }
        Ok(Lines { channels, values })
    }
}

/// A group normalisation of certain pictures: [`GroupNorm::lines`].
#[derive(Default)]
pub struct Lines {
    channels: usize,
    /// For each picture the channels' factors, then what they get added.
    values: Vec<f32>,
}

impl Lines {
    /// Factors and offsets of the only picture.
    pub(super) fn single(&self) -> (&[f32], &[f32]) {
        assert_eq!(self.values.len(), 2 * self.channels, "one picture");
        self.values.split_at(self.channels)
    }

    /// `out = activation(x · factor + offset)` with `x` and `out` `[batch][pixels][channels]`; of a
    /// single picture `x` may be any pixels.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    ///
    /// # Panics
    /// When a length is not what the shape says.
    pub fn apply(
        &self,
        cx: &Context,
        x: &[f32],
        activation: Activation,
        out: &mut [f32],
    ) -> Result<()> {
        let (channels, batch) = (self.channels, self.values.len() / (2 * self.channels));
        assert_eq!(x.len(), out.len(), "output's length");
        if x.is_empty() {
            return Ok(());
        }
        assert_eq!(x.len() % (batch * channels), 0, "whole pixels");
        let pixels = x.len() / (batch * channels);
        let step = pixels_a_task(pixels);
        let tasks = pixels.div_ceil(step);
        let out = Shared::new(out);
        cx.tasks(batch * tasks, 0, |_, i| {
            let (picture, first) = (i / tasks, i % tasks * step);
            let n = step.min(pixels - first) * channels;
            let start = (picture * pixels + first) * channels;
            let lines = &self.values[picture * 2 * channels..][..2 * channels];
            let (scale, offset) = lines.split_at(channels);
            let kernel = Apply {
                x: &x[start..start + n],
                scale,
                offset,
                activation,
                out: out.at(start),
            };
            // SAFETY: each task has its own pixels of `out`.
            unsafe { simd::run(cx.path(), kernel) }
        })
    }
}

/// Sums and sums of squares of each task's pixels less the picture's first: what is common to all would
/// swallow digits.
fn sums(
    cx: &Context,
    channels: usize,
    (batch, pixels): (usize, usize),
    x: &[&[f32]],
) -> Result<Vec<f32>> {
    let step = pixels_a_task(pixels);
    let tasks = pixels.div_ceil(step);
    let mut sums = memory::filled(batch * tasks * 2 * channels, 0f32, "a normalisation's sums")?;
    let shared = Shared::new(&mut sums);
    cx.tasks(batch * tasks, 0, |_, i| {
        let (picture, first) = (i / tasks * pixels, i % tasks * step);
        let (from, to) = (picture + first, picture + (first + step).min(pixels));
        let mut start = 0;
        for part in x {
            let own = from.max(start)..to.min(start + part.len() / channels);
            if !own.is_empty() {
                // SAFETY: each task has its own sums.
                let sums = unsafe {
                    std::slice::from_raw_parts_mut(shared.at(i * 2 * channels), 2 * channels)
                };
                let kernel = Moments {
                    x: &part[(own.start - start) * channels..(own.end - start) * channels],
                    origin: pixel(x, picture, channels),
                    sums,
                };
                // SAFETY: slices of the right lengths.
                unsafe { simd::run(cx.path(), kernel) }
            }
            start += part.len() / channels;
        }
    })?;
    Ok(sums)
}

/// Pixel `i` of what stands in parts; there is one.
fn pixel<'a>(x: &[&'a [f32]], i: usize, channels: usize) -> &'a [f32] {
    let mut at = i * channels;
    for part in x {
        if at < part.len() {
            return &part[at..at + channels];
        }
        at -= part.len();
    }
    &[]
}

/// Factor and offset of each channel from the tasks' sums.
fn factors(
    norm: &GroupNorm,
    first: &[f32],
    shift: Option<&[f32]>,
    sums: &[f32],
    pixels: usize,
    lines: &mut [f32],
) {
    let channels = first.len();
    let group = channels / norm.groups;
    let n = pixels as f64;
    for g in 0..norm.groups {
        // Means and sums of squared deviations of the channels, then of the group (Chan et al.).
        let (mut means, mut squares) = (Vec::with_capacity(group), 0.0);
        for c in g * group..(g + 1) * group {
            let (mut s, mut q) = (0f64, 0f64);
            for part in sums.chunks_exact(2 * channels) {
                s += part[c] as f64;
                q += part[channels + c] as f64;
            }
            means.push(first[c] as f64 + shift.map_or(0.0, |s| s[c] as f64) + s / n);
            squares += (q - s * s / n).max(0.0);
        }
        let mean = means.iter().sum::<f64>() / group as f64;
        squares += n * means.iter().map(|m| (m - mean) * (m - mean)).sum::<f64>();
        let inverse = 1.0 / (squares / (n * group as f64) + norm.eps as f64).sqrt();
        for c in g * group..(g + 1) * group {
            let scale = inverse * norm.weight[c] as f64;
            let away = shift.map_or(0.0, |s| s[c] as f64) - mean;
            lines[c] = scale as f32;
            lines[channels + c] = (norm.bias[c] as f64 + away * scale) as f32;
        }
    }
}

/// Adds to the sums what these pixels have.
struct Moments<'a> {
    x: &'a [f32],
    origin: &'a [f32],
    sums: &'a mut [f32],
}

impl Kernel for Moments<'_> {
    type Out = ();

    #[inline(always)]
    #[allow(unsafe_op_in_unsafe_fn)] // Loads inside rows of `channels` values.
    unsafe fn run<S: Simd>(self) {
        let channels = self.origin.len();
        let (sums, squares) = self.sums.split_at_mut(channels);
        let pixels = self.x.len() / channels;
        let mut c = 0;
        while c + 2 * S::LANES <= channels {
            let o = [
                S::load(self.origin.as_ptr().add(c)),
                S::load(self.origin.as_ptr().add(c + S::LANES)),
            ];
            let (mut s, mut q) = ([S::zero(); 2], [S::zero(); 2]);
            for j in 0..2 {
                s[j] = S::load(sums.as_ptr().add(c + j * S::LANES));
                q[j] = S::load(squares.as_ptr().add(c + j * S::LANES));
            }
            for i in 0..pixels {
                for j in 0..2 {
                    let x = S::load(self.x.as_ptr().add(i * channels + c + j * S::LANES));
                    let x = S::sub(x, o[j]);
                    s[j] = S::add(s[j], x);
                    q[j] = S::fma(x, x, q[j]);
                }
            }
            for j in 0..2 {
                S::store(sums.as_mut_ptr().add(c + j * S::LANES), s[j]);
                S::store(squares.as_mut_ptr().add(c + j * S::LANES), q[j]);
            }
            c += 2 * S::LANES;
        }
        while c < channels {
            let n = S::LANES.min(channels - c);
            let o = S::load_n(self.origin.as_ptr().add(c), n);
            let mut s = S::load_n(sums.as_ptr().add(c), n);
            let mut q = S::load_n(squares.as_ptr().add(c), n);
            for i in 0..pixels {
                let x = S::sub(S::load_n(self.x.as_ptr().add(i * channels + c), n), o);
                s = S::add(s, x);
                q = S::fma(x, x, q);
            }
            S::store_n(sums.as_mut_ptr().add(c), s, n);
            S::store_n(squares.as_mut_ptr().add(c), q, n);
            c += S::LANES;
        }
    }
}

struct Apply<'a> {
    x: &'a [f32],
    scale: &'a [f32],
    offset: &'a [f32],
    activation: Activation,
    out: *mut f32,
}

impl Kernel for Apply<'_> {
    type Out = ();

    #[inline(always)]
    #[allow(unsafe_op_in_unsafe_fn)] // Loads and stores inside rows of `channels` values.
    unsafe fn run<S: Simd>(self) {
        let channels = self.scale.len();
        for row in (0..self.x.len()).step_by(channels) {
            let mut c = 0;
            while c < channels {
                let n = S::LANES.min(channels - c);
                let (x, scale, offset) = if n == S::LANES {
                    (
                        S::load(self.x.as_ptr().add(row + c)),
                        S::load(self.scale.as_ptr().add(c)),
                        S::load(self.offset.as_ptr().add(c)),
                    )
                } else {
                    (
                        S::load_n(self.x.as_ptr().add(row + c), n),
                        S::load_n(self.scale.as_ptr().add(c), n),
                        S::load_n(self.offset.as_ptr().add(c), n),
                    )
                };
                let v = math::activate::<S>(self.activation, S::fma(x, scale, offset));
                S::store_n(self.out.add(row + c), v, n);
                c += S::LANES;
            }
        }
    }
}

/// Rows that one task of [`layer_norm`] takes.
const ROWS: usize = 32;

/// `out = normalised(x) · weight + bias` with `x` and `out` `[rows][channels]`; mean and variance are
/// those of a row.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
///
/// # Panics
/// When a length is not what the shape says.
pub fn layer_norm(
    cx: &Context,
    weight: &[f32],
    bias: &[f32],
    eps: f32,
    x: &[f32],
    out: &mut [f32],
) -> Result<()> {
    let channels = weight.len();
    assert_eq!(bias.len(), channels, "bias' length");
    assert_eq!(x.len(), out.len(), "output's length");
    if x.is_empty() {
        return Ok(());
    }
    assert_eq!(x.len() % channels, 0, "whole rows");
    let rows = x.len() / channels;
    let out = Shared::new(out);
    cx.tasks(rows.div_ceil(ROWS), 0, |_, i| {
        let start = i * ROWS * channels;
        let n = (ROWS * channels).min(x.len() - start);
        let kernel = LayerNorm {
            x: &x[start..start + n],
            weight,
            bias,
            eps,
            out: out.at(start),
        };
        // SAFETY: each task has its own rows of `out`.
        unsafe { simd::run(cx.path(), kernel) }
    })
}

struct LayerNorm<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    eps: f32,
    out: *mut f32,
}

impl Kernel for LayerNorm<'_> {
    type Out = ();

    #[inline(always)]
    #[allow(unsafe_op_in_unsafe_fn)] // Loads and stores inside rows of `channels` values.
    unsafe fn run<S: Simd>(self) {
        let channels = self.weight.len();
        for (i, row) in self.x.chunks_exact(channels).enumerate() {
            let (mut sum, mut square) = (S::zero(), S::zero());
            for c in (0..channels).step_by(S::LANES) {
                let n = S::LANES.min(channels - c);
                sum = S::add(sum, S::load_n(row.as_ptr().add(c), n));
            }
            let mean = S::sum(sum) / channels as f32;
            let m = S::splat(mean);
            for c in (0..channels).step_by(S::LANES) {
                let n = S::LANES.min(channels - c);
                // Lanes behind the end would count as −mean.
                let x = S::sub(S::load_n(row.as_ptr().add(c), n), m);
                if n == S::LANES {
                    square = S::fma(x, x, square);
                } else {
                    let mut tail = [0f32; 16];
                    S::store(tail.as_mut_ptr(), x);
                    let x = S::load_n(tail.as_ptr(), n);
                    square = S::fma(x, x, square);
                }
            }
            let scale = 1.0 / (S::sum(square) / channels as f32 + self.eps).sqrt();
            let s = S::splat(scale);
            for c in (0..channels).step_by(S::LANES) {
                let n = S::LANES.min(channels - c);
                let x = S::mul(S::sub(S::load_n(row.as_ptr().add(c), n), m), s);
                let v = S::fma(
                    x,
                    S::load_n(self.weight.as_ptr().add(c), n),
                    S::load_n(self.bias.as_ptr().add(c), n),
                );
                S::store_n(self.out.add(i * channels + c), v, n);
            }
        }
    }
}
