//! What only moves values: layouts, concatenation, nearest neighbours.
#![forbid(unsafe_code)]

use super::conv::dims;
use super::{Act, Run, defect, misfit, values};
use crate::error::Result;
use candle_core::{Device, Tensor};

/// Pixels that are turned together, so that what is read and what is written stay in the caches.
const TURN: usize = 64;

/// A tensor with these values, last dimension fastest.
///
/// # Errors
/// [`crate::ErrorKind::Internal`] when the shape has another number of values.
pub fn from_vec(data: Vec<f32>, shape: &[usize]) -> Result<Tensor> {
    Tensor::from_vec(data, shape, &Device::Cpu).map_err(defect)
}

/// `[batch, channels, height, width]` to `[batch, height, width, channels]`.
///
/// # Errors
/// What stops the pass, see [`Run::write`].
pub fn to_channels_last(run: &Run, x: &Tensor) -> Result<Act> {
    let [b, c, h, w] = *x.dims() else {
        return Err(misfit(
            "a picture's layout",
            "[batch, channels, height, width]",
            x.dims(),
        ));
    };
    run.write(&[b, h, w, c], |y| {
        let x = values(x)?;
        let pixels = h * w;
        if pixels * c == 0 {
            return Ok(());
        }
        // Parts may run over from one picture to the next.
        run.cx().parts(y, TURN * c, |i, part| {
            for (j, pixel) in part.chunks_exact_mut(c).enumerate() {
                let (picture, at) = ((i * TURN + j) / pixels, (i * TURN + j) % pixels);
                for (k, v) in pixel.iter_mut().enumerate() {
                    *v = x[(picture * c + k) * pixels + at];
                }
            }
        })
    })
}

/// `[batch, height, width, channels]` to `[batch, channels, height, width]`.
///
/// # Errors
/// What stops the pass, see [`Run::write`].
pub fn to_planes(run: &Run, x: &Tensor) -> Result<Act> {
    let [b, h, w, c] = *x.dims() else {
        return Err(misfit(
            "a picture's layout",
            "[batch, height, width, channels]",
            x.dims(),
        ));
    };
    run.write(&[b, c, h, w], |y| {
        let x = values(x)?;
        let pixels = h * w;
        run.cx().parts(y, pixels, |i, plane| {
            let from = &x[i / c * pixels * c..][..pixels * c];
            for (v, pixel) in plane.iter_mut().zip(from.chunks_exact(c)) {
                *v = pixel[i % c];
            }
        })
    })
}

/// Picture `i` of a batch, as a batch of one.
///
/// # Errors
/// [`crate::ErrorKind::Internal`] where there is none.
pub fn picture(x: &Tensor, i: usize) -> Result<Tensor> {
    x.narrow(0, i, 1).map_err(defect)
}

/// Batches, of pictures of one size, as one.
///
/// # Errors
/// What stops the pass, see [`Run::write`].
pub fn stack(run: &Run, mut batches: Vec<Act>) -> Result<Act> {
    if batches.len() == 1
        && let Some(only) = batches.pop()
    {
        return Ok(only);
    }
    let Some(mut shape) = batches.first().map(|x| x.dims().to_vec()) else {
        return Err(misfit("a batch", "a picture", &[]));
    };
    for other in &batches[1..] {
        if other.dims()[1..] != shape[1..] {
            return Err(misfit("a batch", &format!("{shape:?}"), other.dims()));
        }
        shape[0] += other.dims()[0];
    }
    run.write(&shape, |mut out| {
        for batch in &batches {
            let (own, rest) = out.split_at_mut(batch.elem_count());
            own.copy_from_slice(&values(batch)?);
            out = rest;
        }
        Ok(())
    })
}

/// The channels of `a`, then those of `b`: `[batch, height, width, …]` both.
///
/// # Errors
/// What stops the pass, see [`Run::write`].
pub fn concat(run: &Run, a: &Tensor, b: &Tensor) -> Result<Act> {
    let mut shape = a.dims().to_vec();
    let (Some(ca), Some(cb)) = (shape.pop(), b.dims().last().copied()) else {
        return Err(misfit("a concatenation", "channels", b.dims()));
    };
    if b.dims()[..b.rank() - 1] != shape {
        return Err(misfit(
            "a concatenation",
            &format!("{shape:?} and channels"),
            b.dims(),
        ));
    }
    shape.push(ca + cb);
    run.write(&shape, |y| {
        let (a, b) = (values(a)?, values(b)?);
        let c = ca + cb;
        run.cx().parts(y, TURN * c, |i, part| {
            let (a, b) = (&a[i * TURN * ca..], &b[i * TURN * cb..]);
            for (j, pixel) in part.chunks_exact_mut(c.max(1)).enumerate() {
                let (left, right) = pixel.split_at_mut(ca);
                left.copy_from_slice(&a[j * ca..][..ca]);
                right.copy_from_slice(&b[j * cb..][..cb]);
            }
        })
    })
}

/// The channels of `parts`, pictures of one size, one behind another, and `by` pixels more on every side,
/// the picture's own reflected in its outermost: torch's `ReflectionPad2d`.
///
/// # Errors
/// [`crate::ErrorKind::Internal`] where a side is not longer than `by`; what stops the pass, see
/// [`Run::write`].
pub fn reflect_pad(run: &Run, parts: &[&Tensor], by: usize) -> Result<Act> {
    let of = |x: &Tensor| x.dims().last().copied().unwrap_or(0);
    let Some(first) = parts.first() else {
        return Err(misfit("a reflection", "a picture", &[]));
    };
    let (b, h, w) = dims("a reflection", first, of(first))?;
    for part in parts {
        if dims("a reflection", part, of(part))? != (b, h, w) || h <= by || w <= by {
            return Err(misfit(
                "a reflection",
                "pictures of one size that are larger than what is added",
                part.dims(),
            ));
        }
    }
    let channels: usize = parts.iter().map(|x| of(x)).sum();
    let (height, width) = (h + 2 * by, w + 2 * by);
    let inside = |i: usize, n: usize| {
        let i = i.abs_diff(by);
        if i < n { i } else { 2 * (n - 1) - i }
    };
    run.write(&[b, height, width, channels], |y| {
        let data = parts.iter().map(|x| Ok((values(x)?, of(x))));
        let data = data.collect::<Result<Vec<_>>>()?;
        let data: Vec<(&[f32], usize)> = data.iter().map(|(v, c)| (&**v, *c)).collect();
        run.cx().parts(y, width * channels, |row, line| {
            let (picture, row) = (row / height, row % height);
            let from = (picture * h + inside(row, h)) * w;
            for (i, pixel) in line.chunks_exact_mut(channels).enumerate() {
                let at = from + inside(i, w);
                let mut rest = pixel;
                for (part, c) in &data {
                    let (own, more) = rest.split_at_mut(*c);
                    own.copy_from_slice(&part[at * c..][..*c]);
                    rest = more;
                }
            }
        })
    })
}

/// Each output pixel is the input's nearest: torch's `interpolate(size, mode="nearest")`.
///
/// # Errors
/// What stops the pass, see [`Run::write`].
pub fn upsample_nearest(run: &Run, x: &Tensor, height: usize, width: usize) -> Result<Act> {
    let channels = x.dims().last().copied().unwrap_or(0);
    let (b, h, w) = dims("upsampling", x, channels)?;
    run.write(&[b, height, width, channels], |y| {
        let x = values(x)?;
        run.cx().parts(y, width * channels, |row, line| {
            let (picture, row) = (row / height, row % height);
            let from = &x[(picture * h + row * h / height) * w * channels..][..w * channels];
            stretch(from, channels, line);
        })
    })
}

/// A row of nearest neighbours in `from`, a row of pixels with `channels` values.
pub(super) fn stretch(from: &[f32], channels: usize, line: &mut [f32]) {
    let channels = channels.max(1);
    let (w, width) = (from.len() / channels, line.len() / channels);
    for (i, pixel) in line.chunks_exact_mut(channels).enumerate() {
        pixel.copy_from_slice(&from[i * w / width * channels..][..channels]);
    }
}
