//! A low-resolution answer at the crop's size.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::pixels::RgbImage;
use crate::pixels::resample::resize_rgb;

/// Steps of back-projection.
const STEPS: u32 = 2;

/// `answer` at `width` × `height`: bicubic, corrected so that its means over the answer's pixels are
/// the answer, nearly. Plain bicubic scaling weakens the finest that the answer holds.
///
/// Source: Irani, Peleg, "Improving Resolution by Image Registration", CVGIP 1991.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn upscale(answer: &RgbImage, width: usize, height: usize) -> Result<RgbImage> {
    let mut out = resize_rgb(answer, width, height)?;
    for _ in 0..STEPS {
        let mut lacking = resize_rgb(&out, answer.width, answer.height)?;
        for (l, a) in lacking.data.iter_mut().zip(&answer.data) {
            *l = a - *l;
        }
        let lacking = resize_rgb(&lacking, width, height)?;
        for (o, l) in out.data.iter_mut().zip(&lacking.data) {
            *o += l;
        }
    }
    Ok(out)
}
