//! Half and twice the size.
#![forbid(unsafe_code)]

use super::conv::dims;
use super::{Act, Bands, Conv2d, Extra, Run, Through, upsample_nearest, values};
use crate::error::Result;
use crate::kernels::{Context, ConvShape};
use crate::weights::Scope;
use candle_core::Tensor;

/// diffusers' `Upsample2D` with `use_conv`: nearest neighbours, then `conv`.
pub struct Upsample2D {
    conv: Conv2d,
}

impl Upsample2D {
    /// For `channels` in and out.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(cx: &Context, scope: &Scope, channels: usize) -> Result<Self> {
        let conv = Conv2d::new(
            cx,
            &scope.pp("conv"),
            ConvShape::same(channels, channels, 3),
        )?;
        Ok(Self { conv })
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        self.conv.bytes()
    }

    /// `[batch, height, width, channels]` to `size`, height and width, or to twice its own.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward(&self, run: &Run, x: Act, size: Option<(usize, usize)>) -> Result<Act> {
        let (height, width) = match (size, x.dims()) {
            (Some(size), _) => size,
            (None, &[_, h, w, _]) => (2 * h, 2 * w),
            (None, dims) => return Err(super::misfit("upsampling", "a picture", dims)),
        };
        let large = upsample_nearest(run, &x, height, width)?;
        drop(x);
        self.conv.forward(run, &large, Extra::NONE)
    }

    /// As [`Self::forward`] to twice the size, of a picture in bands; to the bit the same.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward_bands(&self, run: &Run, x: Bands) -> Result<Bands> {
        self.conv.forward_bands(run, x, &Through::Nearest, None)
    }
}

/// diffusers' `Downsample2D` with `use_conv`: `conv` with stride 2.
pub struct Downsample2D {
    conv: Conv2d,
}

impl Downsample2D {
    /// For `channels` in and out. With `padding` 1 a line of zeros goes around the picture; with 0
    /// one goes below it and one to its right, as in the VAE's encoder.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(cx: &Context, scope: &Scope, channels: usize, padding: usize) -> Result<Self> {
        let before = padding.min(1);
        let shape = ConvShape {
            stride: (2, 2),
            padding: (before, before, 1, 1),
            ..ConvShape::same(channels, channels, 3)
        };
        let conv = Conv2d::new(cx, &scope.pp("conv"), shape)?;
        Ok(Self { conv })
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        self.conv.bytes()
    }

    /// `[batch, height, width, channels]` to half the height and width.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward(&self, run: &Run, x: &Tensor) -> Result<Act> {
        self.conv.forward(run, x, Extra::NONE)
    }

    /// As [`Self::forward`], of a picture in bands; to the bit the same.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward_bands(&self, run: &Run, x: Bands) -> Result<Bands> {
        self.conv.forward_bands(run, x, &Through::Nothing, None)
    }
}

/// Half the height and width, rounded down: each pixel is the mean of two by two, torch's
/// `AvgPool2d(2)` of `[batch, height, width, channels]`.
///
/// # Errors
/// What stops the pass, see [`Run::write`].
pub fn average_pool(run: &Run, x: &Tensor) -> Result<Act> {
    let channels = x.dims().last().copied().unwrap_or(0);
    let (b, h, w) = dims("pooling", x, channels)?;
    let (height, width) = (h / 2, w / 2);
    run.write(&[b, height, width, channels], |y| {
        let x = values(x)?;
        run.cx().parts(y, width * channels, |row, line| {
            let (picture, row) = (row / height, row % height);
            let from = (picture * h + 2 * row) * w * channels;
            let (above, below) = x[from..][..2 * w * channels].split_at(w * channels);
            let pairs = above.chunks_exact(2 * channels.max(1));
            let pairs = pairs.zip(below.chunks_exact(2 * channels.max(1)));
            for (pixel, (above, below)) in line.chunks_exact_mut(channels.max(1)).zip(pairs) {
                let ((a, b), (c, d)) = (above.split_at(channels), below.split_at(channels));
                for (i, v) in pixel.iter_mut().enumerate() {
                    *v = (a[i] + b[i] + c[i] + d[i]) * 0.25;
                }
            }
        })
    })
}
