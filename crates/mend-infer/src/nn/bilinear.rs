//! Bilinear upsampling.
#![forbid(unsafe_code)]

use super::conv::dims;
use super::{Act, Run, misfit, values};
use crate::error::Result;
use candle_core::Tensor;

/// To twice the size: torch's `interpolate(scale_factor=2, mode="bilinear", align_corners=False)` of
/// `[batch, height, width, channels]`, plus `add` of the output's shape where given.
///
/// # Errors
/// What stops the pass, see [`Run::write`].
pub fn upsample_bilinear(run: &Run, x: &Tensor, add: Option<&Tensor>) -> Result<Act> {
    let channels = x.dims().last().copied().unwrap_or(0);
    let (b, h, w) = dims("upsampling", x, channels)?;
    let shape = [b, 2 * h, 2 * w, channels];
    if let Some(add) = add.filter(|add| add.dims() != shape) {
        return Err(misfit(
            "upsampling's sum",
            &format!("{shape:?}"),
            add.dims(),
        ));
    }
    run.write(&shape, |y| {
        let x = values(x)?;
        let add = add.map(values).transpose()?;
        let line = 2 * w * channels;
        run.cx().parts(y, line, |row, out| {
            let (picture, row_in) = (row / (2 * h), row % (2 * h));
            let of = |i: usize| &x[(picture * h + i) * w * channels..][..w * channels];
            let (near, far) = neighbours(row_in, h);
            let (near, far) = (of(near), of(far));
            for (i, pixel) in out.chunks_exact_mut(channels.max(1)).enumerate() {
                let (left, right) = neighbours(i, w);
                let (left, right) = (left * channels, right * channels);
                for (c, v) in pixel.iter_mut().enumerate() {
                    let first = NEAR * near[left + c] + FAR * near[right + c];
                    let second = NEAR * far[left + c] + FAR * far[right + c];
                    *v = NEAR * first + FAR * second;
                }
            }
            if let Some(add) = &add {
                let add = &add[row * line..][..line];
                out.iter_mut().zip(add).for_each(|(v, a)| *v += a);
            }
        })
    })
}

/// Weights of the nearer and the farther neighbour: an output's middle lies a quarter from one's.
const NEAR: f32 = 0.75;
const FAR: f32 = 0.25;

/// The nearer and the farther of the inputs around output `i`, of `len` inputs.
fn neighbours(i: usize, len: usize) -> (usize, usize) {
    let near = i / 2;
    let far = match i % 2 {
        0 => near.saturating_sub(1),
        _ => (near + 1).min(len - 1),
    };
    (near, far)
}
