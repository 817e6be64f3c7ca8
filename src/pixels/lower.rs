//! A picture seen from one of another resolution, mostly a higher one.
#![forbid(unsafe_code)]

use super::RgbImage;

/// A picture that shows the same as one of another size.
#[derive(Clone, Copy)]
pub struct Lower<'a> {
    image: &'a RgbImage,
    /// Its pixels along one of the other's, across and down.
    pub step: (f32, f32),
}

impl<'a> Lower<'a> {
    /// `image`, seen from one of `width` × `height`.
    pub fn new(image: &'a RgbImage, (width, height): (usize, usize)) -> Self {
        let along = |own: usize, other: usize| own as f32 / other.max(1) as f32;
        let across = along(image.width, width);
        let down = along(image.height, height);
        Self {
            image,
            step: (across, down),
        }
    }

    /// At the other picture's pixel (`x`, `y`), bilinearly.
    pub fn at(&self, x: usize, y: usize) -> [f32; 3] {
        let (x0, tx) = along(x, self.step.0, self.image.width);
        let (y0, ty) = along(y, self.step.1, self.image.height);
        let (x1, y1) = (
            (x0 + 1).min(self.image.width - 1),
            (y0 + 1).min(self.image.height - 1),
        );
        let (upper, lower) = (self.image.row(y0), self.image.row(y1));
        [0, 1, 2].map(|c| {
            let a = upper[x0 * 3 + c] + (upper[x1 * 3 + c] - upper[x0 * 3 + c]) * tx;
            let b = lower[x0 * 3 + c] + (lower[x1 * 3 + c] - lower[x0 * 3 + c]) * tx;
            a + (b - a) * ty
        })
    }

    /// The upper left one of the pixels that [`Self::at`] mixes.
    pub fn corner(&self, x: usize, y: usize) -> (usize, usize) {
        let (x, _) = along(x, self.step.0, self.image.width);
        let (y, _) = along(y, self.step.1, self.image.height);
        (x, y)
    }
}

/// The first of the two of `len` pixels that pixel `i` lies between, `step` of them long, and how far
/// behind it.
fn along(i: usize, step: f32, len: usize) -> (usize, f32) {
    let at = ((i as f32 + 0.5) * step - 0.5).clamp(0.0, (len - 1) as f32);
    let first = at as usize;
    (first, at - first as f32)
}
