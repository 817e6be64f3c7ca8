//! High frequencies: what a Gaussian leaves.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::nn::{Act, Run, values};
use candle_core::Tensor;

/// The Gaussian's taps on one side of its middle, and its deviation in pixels.
pub const REACH: usize = 3;
const SIGMA: f64 = 2.01;

/// Half of the Gaussian's line: the middle, then outwards; the whole line's sum is 1.
fn line() -> [f32; REACH + 1] {
    let tap = |i: usize| libm::exp(-((i * i) as f64) / (2.0 * SIGMA * SIGMA));
    let sum = tap(0) + 2.0 * (1..=REACH).map(tap).sum::<f64>();
    std::array::from_fn(|i| (tap(i) / sum) as f32)
}

/// Index `i` of a line of `len` values, reflected at its ends without repeating them: torch's padding
/// `reflect`. `len` is more than [`REACH`].
fn reflect(i: isize, len: usize) -> usize {
    let last = len as isize - 1;
    let i = i.abs();
    if i > last { 2 * last - i } else { i }.max(0) as usize
}

/// `image`, `[1, height, width, channels]`, less the same under a 7×7 Gaussian with deviation 2.01. Both
/// sides are more than 3.
///
/// # Errors
/// What stops the pass, see [`Run::write`].
pub fn high(run: &Run, image: &Tensor) -> Result<Act> {
    let (h, w, c) = match *image.dims() {
        [_, h, w, c] => (h, w, c),
        _ => (0, 0, 0),
    };
    let taps = line();
    let across = run.write(image.dims(), |out| {
        let image = values(image)?;
        run.cx().parts(out, w * c, |y, out| {
            let row = &image[y * w * c..][..w * c];
            for x in 0..w {
                for k in 0..c {
                    let at = |dx: isize| row[reflect(x as isize + dx, w) * c + k];
                    let sides = |i: usize| taps[i] * (at(-(i as isize)) + at(i as isize));
                    out[x * c + k] = taps[0] * at(0) + (1..=REACH).map(sides).sum::<f32>();
                }
            }
        })
    })?;
    run.write(image.dims(), |out| {
        let (image, across) = (values(image)?, values(&across)?);
        run.cx().parts(out, w * c, |y, out| {
            let row = |dy: isize| &across[reflect(y as isize + dy, h) * w * c..][..w * c];
            let rows: [_; REACH + 1] =
                std::array::from_fn(|i| (row(-(i as isize)), row(i as isize)));
            let own = &image[y * w * c..][..w * c];
            for (i, v) in out.iter_mut().enumerate() {
                let sides = |k: usize| taps[k] * (rows[k].0[i] + rows[k].1[i]);
                let blurred = taps[0] * rows[0].0[i] + (1..=REACH).map(sides).sum::<f32>();
                *v = own[i] - blurred;
            }
        })
    })
}
