//! Pixels to channels and back.
#![forbid(unsafe_code)]

use super::conv::dims;
use super::{Act, Run, misfit, values};
use crate::error::Result;
use candle_core::Tensor;

/// torch's `pixel_unshuffle`: `[batch, height, width, c]` to `[batch, height / by, width / by, c · by²]`,
/// channels ordered (channel, row, column). Both sides are multiples of `by`.
///
/// # Errors
/// What stops the pass, see [`Run::write`].
pub fn pixel_unshuffle(run: &Run, x: &Tensor, by: usize) -> Result<Act> {
    let channels = x.dims().last().copied().unwrap_or(0);
    let (b, h, w) = dims("pixels to channels", x, channels)?;
    if by == 0 || h % by != 0 || w % by != 0 {
        let expected = format!("sides that are multiples of {by}");
        return Err(misfit("pixels to channels", &expected, x.dims()));
    }
    let (rows, columns, each) = (h / by, w / by, channels * by * by);
    run.write(&[b, rows, columns, each], |y| {
        let x = values(x)?;
        run.cx().parts(y, columns * each, |row, line| {
            for (i, out) in line.chunks_exact_mut(each.max(1)).enumerate() {
                for r in 0..by {
                    let from = &x[((row * by + r) * w + i * by) * channels..][..by * channels];
                    for (column, pixel) in from.chunks_exact(channels.max(1)).enumerate() {
                        for (c, v) in pixel.iter().enumerate() {
                            out[(c * by + r) * by + column] = *v;
                        }
                    }
                }
            }
        })
    })
}

/// torch's `pixel_shuffle`, the reverse of [`pixel_unshuffle`].
///
/// # Errors
/// What stops the pass, see [`Run::write`].
pub fn pixel_shuffle(run: &Run, x: &Tensor, by: usize) -> Result<Act> {
    let each = x.dims().last().copied().unwrap_or(0);
    let (b, rows, columns) = dims("channels to pixels", x, each)?;
    if by == 0 || each % (by * by) != 0 {
        let expected = format!("channels that are a multiple of {}", by * by);
        return Err(misfit("channels to pixels", &expected, x.dims()));
    }
    let channels = each / (by * by);
    let width = columns * by;
    run.write(&[b, rows * by, width, channels], |y| {
        let x = values(x)?;
        run.cx().parts(y, width * channels, |row, line| {
            let (from, r) = (&x[row / by * columns * each..], row % by);
            for (i, pixel) in line.chunks_exact_mut(channels.max(1)).enumerate() {
                let token = &from[i / by * each..][..each];
                for (c, v) in pixel.iter_mut().enumerate() {
                    *v = token[(c * by + r) * by + i % by];
                }
            }
        })
    })
}
