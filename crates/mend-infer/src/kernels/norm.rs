//! Group and layer normalisation over channels-last activations.
#![forbid(unsafe_code)]

use super::simd::{Isa, Kernel, Strip, math};
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
        let (picture, task) = (pixels * channels, pixels_a_task(pixels) * channels);
        cx.parts_of_each(out, picture, task, |b, start, out| {
            let lines = &self.values[b * 2 * channels..][..2 * channels];
            let (scale, offset) = lines.split_at(channels);
            cx.run(Apply {
                x: &x[b * picture + start..][..out.len()],
                scale,
                offset,
                activation,
                out,
            });
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
    cx.parts(&mut sums, 2 * channels, |i, sums| {
        let (picture, first) = (i / tasks * pixels, i % tasks * step);
        let (from, to) = (picture + first, picture + (first + step).min(pixels));
        let mut start = 0;
        for part in x {
            let own = from.max(start)..to.min(start + part.len() / channels);
            if !own.is_empty() {
                cx.run(Moments {
                    x: &part[(own.start - start) * channels..(own.end - start) * channels],
                    origin: pixel(x, picture, channels),
                    sums,
                });
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
    fn run<S: Isa>(self, isa: S) {
        let channels = self.origin.len();
        let (sums, squares) = self.sums.split_at_mut(channels);
        let size = (self.x.len() / channels, channels);
        let mut c = 0;
        while c + 2 * S::LANES <= channels {
            let columns = (c, 2 * S::LANES);
            let end = c + 2 * S::LANES;
            let x = Strip::new(self.x, size, columns);
            pair(
                isa,
                x,
                size.0,
                &self.origin[c..end],
                &mut sums[c..end],
                &mut squares[c..end],
            );
            c = end;
        }
        while c < channels {
            let n = S::LANES.min(channels - c);
            let x = Strip::new(self.x, size, (c, n));
            let o = isa.load_part(&self.origin[c..c + n]);
            let (sums, squares) = (&mut sums[c..c + n], &mut squares[c..c + n]);
            let (mut s, mut q) = (isa.load_part(sums), isa.load_part(squares));
            for i in 0..size.0 {
                let x = isa.sub(isa.load_part(x.row(i)), o);
                s = isa.add(s, x);
                q = isa.fma(x, x, q);
            }
            isa.store_part(sums, s);
            isa.store_part(squares, q);
            c += S::LANES;
        }
    }
}

/// The sums of two vectors' channels over `pixels`.
#[inline(always)]
fn pair<S: Isa>(
    isa: S,
    x: Strip<f32>,
    pixels: usize,
    origin: &[f32],
    sums: &mut [f32],
    squares: &mut [f32],
) {
    let o = [isa.load(origin), isa.load(&origin[S::LANES..])];
    let (mut s, mut q) = ([isa.zero(); 2], [isa.zero(); 2]);
    for j in 0..2 {
        s[j] = isa.load(&sums[j * S::LANES..]);
        q[j] = isa.load(&squares[j * S::LANES..]);
    }
    for i in 0..pixels {
        let row = x.row(i);
        for j in 0..2 {
            let x = isa.sub(isa.load(&row[j * S::LANES..]), o[j]);
            s[j] = isa.add(s[j], x);
            q[j] = isa.fma(x, x, q[j]);
        }
    }
    for j in 0..2 {
        isa.store(&mut sums[j * S::LANES..], s[j]);
        isa.store(&mut squares[j * S::LANES..], q[j]);
    }
}

struct Apply<'a> {
    x: &'a [f32],
    scale: &'a [f32],
    offset: &'a [f32],
    activation: Activation,
    out: &'a mut [f32],
}

impl Kernel for Apply<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Isa>(self, isa: S) {
        let channels = self.scale.len();
        let whole = channels / S::LANES * S::LANES;
        let (scale, scale_end) = self.scale.split_at(whole);
        let (offset, offset_end) = self.offset.split_at(whole);
        let pixels = self.x.chunks_exact(channels);
        for (x, out) in pixels.zip(self.out.chunks_exact_mut(channels)) {
            let (x, x_end) = x.split_at(whole);
            let (out, out_end) = out.split_at_mut(whole);
            let lines = scale
                .chunks_exact(S::LANES)
                .zip(offset.chunks_exact(S::LANES));
            let values = x.chunks_exact(S::LANES).zip(out.chunks_exact_mut(S::LANES));
            for ((x, out), (scale, offset)) in values.zip(lines) {
                let v = isa.fma(isa.load(x), isa.load(scale), isa.load(offset));
                isa.store(out, math::activate(isa, self.activation, v));
            }
            if !x_end.is_empty() {
                let (scale, offset) = (isa.load_part(scale_end), isa.load_part(offset_end));
                let v = isa.fma(isa.load_part(x_end), scale, offset);
                isa.store_part(out_end, math::activate(isa, self.activation, v));
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
    cx.parts(out, ROWS * channels, |i, out| {
        cx.run(LayerNorm {
            x: &x[i * ROWS * channels..][..out.len()],
            weight,
            bias,
            eps,
            out,
        });
    })
}

struct LayerNorm<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    eps: f32,
    out: &'a mut [f32],
}

impl Kernel for LayerNorm<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Isa>(self, isa: S) {
        let channels = self.weight.len();
        let rows = self.x.chunks_exact(channels);
        for (row, out) in rows.zip(self.out.chunks_exact_mut(channels)) {
            let mean = sum(isa, row) / channels as f32;
            let m = isa.splat(mean);
            let scale = 1.0 / (squares(isa, row, m) / channels as f32 + self.eps).sqrt();
            let s = isa.splat(scale);
            let whole = channels / S::LANES * S::LANES;
            let lines = self.weight[..whole].chunks_exact(S::LANES);
            let lines = lines.zip(self.bias[..whole].chunks_exact(S::LANES));
            let values = row[..whole].chunks_exact(S::LANES);
            let values = values.zip(out[..whole].chunks_exact_mut(S::LANES));
            for ((x, out), (weight, bias)) in values.zip(lines) {
                let x = isa.mul(isa.sub(isa.load(x), m), s);
                isa.store(out, isa.fma(x, isa.load(weight), isa.load(bias)));
            }
            let (weight, bias) = (&self.weight[whole..], &self.bias[whole..]);
            let x = isa.mul(isa.sub(isa.load_part(&row[whole..]), m), s);
            let v = isa.fma(x, isa.load_part(weight), isa.load_part(bias));
            isa.store_part(&mut out[whole..], v);
        }
    }
}

/// The sum of a row.
#[inline(always)]
fn sum<S: Isa>(isa: S, row: &[f32]) -> f32 {
    let mut sum = isa.zero();
    let parts = row.chunks_exact(S::LANES);
    let end = parts.remainder();
    for x in parts {
        sum = isa.add(sum, isa.load(x));
    }
    isa.sum(isa.add(sum, isa.load_part(end)))
}

/// The sum of squares of a row less its `mean`.
#[inline(always)]
fn squares<S: Isa>(isa: S, row: &[f32], mean: S::V) -> f32 {
    let mut sum = isa.zero();
    let parts = row.chunks_exact(S::LANES);
    let end = parts.remainder();
    for x in parts {
        let x = isa.sub(isa.load(x), mean);
        sum = isa.fma(x, x, sum);
    }
    if !end.is_empty() {
        // Lanes behind the end would count as −mean.
        let mut tail = [0f32; 16];
        isa.store(&mut tail, isa.sub(isa.load_part(end), mean));
        let x = isa.load_part(&tail[..end.len()]);
        sum = isa.fma(x, x, sum);
    }
    isa.sum(sum)
}
