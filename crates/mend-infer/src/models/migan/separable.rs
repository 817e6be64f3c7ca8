//! `SeparableConv2d`: a 3×3 convolution of each channel, half or twice the size, a 1×1 convolution, noise.
//!
//! It works on bands of rows, so that nothing between its input and its output is ever whole. The factor
//! √2 of the activations is in the weights and in the noise.
#![forbid(unsafe_code)]

use super::ACTIVATION;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::separable::{Band, Depthwise3, Finish, add_noise, downsample, upsample};
use crate::kernels::{self, Context, ConvShape, Epilogue, Source};
use crate::nn::{Act, Run, values};
use crate::weights::Scope;
use std::f32::consts::SQRT_2;
use std::ops::Range;

/// Bytes of a band: what stays in a core's second cache, or nearly.
const BAND: usize = 2 << 20;

/// `SeparableConv2d`
pub struct SeparableConv2d {
    conv1: Depthwise3,
    conv2: kernels::Conv2d,
    /// `[height][width]` of the output.
    noise: Option<Vec<f32>>,
}

/// What a layer changes about its picture's size.
#[derive(Clone, Copy, PartialEq)]
pub enum Resample {
    None,
    Down,
    Up,
}

/// A 1×1 convolution with `factor` in its weights and its bias, which there may be none of.
pub fn point(
    cx: &Context,
    scope: &Scope,
    [inputs, outputs]: [usize; 2],
    bias: bool,
    factor: f32,
) -> Result<kernels::Conv2d> {
    let scaled = |name: &str, shape: &[usize]| -> Result<Vec<f32>> {
        let mut all = scope.get(name, shape)?.into_f32()?;
        all.iter_mut().for_each(|v| *v *= factor);
        Ok(all)
    };
    let weight = scaled("weight", &[outputs, inputs, 1, 1])?;
    let bias = bias.then(|| scaled("bias", &[outputs])).transpose()?;
    let shape = ConvShape::same(inputs, outputs, 1);
    kernels::Conv2d::new(cx, Source::F32(&weight), bias.as_deref(), shape)
}

/// Checks that a filter is the published one, where the file has it: no training changes it, an exporter
/// may leave it out, and Mend computes with the one that it knows.
pub fn check_filter(scope: &Scope, channels: usize, gain: f32) -> Result<()> {
    let row = [1.0, 3.0, 3.0, 1.0];
    let fir: Vec<f32> = (0..16)
        .map(|i| row[i / 4] * row[i % 4] / 64.0 * gain)
        .collect();
    check_fixed(scope, "filter.weight", &[channels, 1, 4, 4], &fir)?;
    let corner = [1.0, 0.0, 0.0, 0.0];
    check_fixed(scope, "insert_zeros.weight", &[channels, 1, 2, 2], &corner)?;
    // The same as a mask, in the models that were exported.
    if let Some(shape) = scope.shape("filter_const")
        && let [1, 1, height, width] = shape.as_slice()
    {
        let at = |i: usize| (i % width).is_multiple_of(2) && (i / width).is_multiple_of(2);
        let mask: Vec<f32> = (0..height * width).map(|i| f32::from(at(i))).collect();
        check_fixed(scope, "filter_const", &shape, &mask)?;
    }
    Ok(())
}

fn check_fixed(scope: &Scope, name: &str, shape: &[usize], expected: &[f32]) -> Result<()> {
    if !scope.has(name) {
        return Ok(());
    }
    let found = scope.get(name, shape)?.into_f32()?;
    let same = |part: &[f32]| part.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3);
    if found.chunks(expected.len().max(1)).all(same) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Model,
        format!(
            "{}: tensor '{}' is not the filter that MI-GAN was published with; use a model of \
             Picsart's MI-GAN",
            scope.weights().name(),
            scope.path(name)
        ),
    ))
}

impl SeparableConv2d {
    /// Reads the weights; `noise` is the side of the output where noise is added.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(
        cx: &Context,
        scope: &Scope,
        [inputs, outputs]: [usize; 2],
        resample: Resample,
        noise: Option<usize>,
    ) -> Result<Self> {
        match resample {
            Resample::None => {}
            Resample::Down => check_filter(&scope.pp("downsample"), inputs, 1.0)?,
            Resample::Up => check_filter(&scope.pp("upsample"), outputs, 4.0)?,
        }
        let own = scope.pp("conv1");
        let mut weight = own.get("weight", &[inputs, 1, 3, 3])?.into_f32()?;
        let mut bias = own.get("bias", &[inputs])?.into_f32()?;
        weight
            .iter_mut()
            .chain(&mut bias)
            .for_each(|v| *v *= SQRT_2);
        Ok(Self {
            conv1: Depthwise3::new(Source::F32(&weight), &bias)?,
            conv2: point(cx, &scope.pp("conv2"), [inputs, outputs], false, SQRT_2)?,
            noise: noise.map(|side| read_noise(scope, side)).transpose()?,
        })
    }

    /// Bytes of the weights and of the noise.
    pub fn bytes(&self) -> usize {
        let noise = self.noise.as_ref().map_or(0, |n| n.len() * 4);
        self.conv1.bytes() + self.conv2.bytes() + noise
    }

    /// Channels of the output.
    pub fn outputs(&self) -> usize {
        self.conv2.shape().outputs
    }

    fn noise(&self, rows: &Range<usize>, width: usize) -> Option<&[f32]> {
        let noise = self.noise.as_deref();
        noise.map(|noise| &noise[rows.start * width..rows.end * width])
    }

    /// Rows of the first convolution's output.
    fn depthwise(&self, run: &Run, x: &Band, rows: Range<usize>) -> Result<Act> {
        run.write(&[rows.len(), x.width, x.channels], |out| {
            self.conv1.rows(run.cx(), x, rows, ACTIVATION, out)
        })
    }

    /// The second convolution of `rows` rows.
    fn pointwise(
        &self,
        run: &Run,
        x: &Act,
        width: usize,
        ep: &Epilogue,
        y: &mut [f32],
    ) -> Result<()> {
        let rows = y.len() / (width * self.outputs()).max(1);
        self.conv2
            .forward(run.cx(), 1, rows, width, &values(x)?, ep, y)
    }

    /// `rows` of the output at the input's size, plus `add` as it is laid out, to `y`. Of `x` the rows
    /// around them are needed.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn plain_rows(
        &self,
        run: &Run,
        x: &Band,
        rows: Range<usize>,
        add: Option<&[f32]>,
        y: &mut [f32],
    ) -> Result<()> {
        let between = self.depthwise(run, x, rows.clone())?;
        match self.noise(&rows, x.width) {
            None => {
                let ep = Epilogue {
                    activation: ACTIVATION,
                    add_after: add,
                    ..Epilogue::default()
                };
                self.pointwise(run, &between, x.width, &ep, y)
            }
            Some(noise) => {
                self.pointwise(run, &between, x.width, &Epilogue::default(), y)?;
                add_noise(run.cx(), noise, self.outputs(), ACTIVATION, y)
            }
        }
    }

    /// `rows` of the output at half the input's size, to `y`. They need the input's rows from two above
    /// to two below.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn down_rows(&self, run: &Run, x: &Band, rows: Range<usize>, y: &mut [f32]) -> Result<()> {
        let around = around(&(2 * rows.start..2 * rows.end), 1, x.height);
        let between = self.depthwise(run, x, around.clone())?;
        let (width, channels) = (x.width / 2, x.channels);
        let small = run.write(&[rows.len(), width, channels], |out| {
            let data = &values(&between)?;
            let first = around.start;
            let between = Band { data, first, ..*x };
            downsample(run.cx(), &between, rows, out)
        })?;
        drop(between);
        let ep = Epilogue {
            activation: ACTIVATION,
            ..Epilogue::default()
        };
        self.pointwise(run, &small, width, &ep, y)
    }

    /// The whole output before it is made larger: all but noise and the activation are linear, and done
    /// where there are fewer pixels.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn before_up(&self, run: &Run, x: &Band) -> Result<Act> {
        let shape = [x.height, x.width, self.outputs()];
        in_bands(run, shape, |rows, y| {
            let between = self.depthwise(run, x, rows)?;
            self.pointwise(run, &between, x.width, &Epilogue::default(), y)
        })
    }

    /// `rows` of twice as large an output, of [`Self::before_up`], plus `add` as it is laid out.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn up_rows(
        &self,
        run: &Run,
        before: &Band,
        rows: Range<usize>,
        add: Option<&[f32]>,
        y: &mut [f32],
    ) -> Result<()> {
        let finish = Finish {
            noise: self.noise(&rows, 2 * before.width),
            activation: ACTIVATION,
            add,
        };
        upsample(run.cx(), before, rows, &finish, y)
    }
}

/// `rows` and `more` on both sides, as far as there are any.
pub fn around(rows: &Range<usize>, more: usize, height: usize) -> Range<usize> {
    rows.start.saturating_sub(more)..(rows.end + more).min(height)
}

/// A picture, `[height, width, channels]`, that `fill` makes band by band.
///
/// # Errors
/// Those of `fill`; what stops the pass, see [`Run::write`].
pub fn in_bands(
    run: &Run,
    shape: [usize; 3],
    mut fill: impl FnMut(Range<usize>, &mut [f32]) -> Result<()>,
) -> Result<Act> {
    let [height, width, channels] = shape;
    let row = (width * channels).max(1);
    let step = (BAND / 4 / row).max(4);
    run.write(&shape, |out| {
        for (i, band) in out.chunks_mut(step * row).enumerate() {
            let first = i * step;
            fill(first..(first + step).min(height), band)?;
        }
        Ok(())
    })
}

/// The noise times its strength, or what an exporter made of the two.
fn read_noise(scope: &Scope, side: usize) -> Result<Vec<f32>> {
    let shape = [side, side];
    let added = "conv2.weight.added";
    let (mut noise, strength) = if scope.has("noise_const") || !scope.has(added) {
        let strength = scope.get("noise_strength", &[])?.into_f32()?;
        let strength = strength.first().copied().unwrap_or(0.0);
        (scope.get("noise_const", &shape)?.into_f32()?, strength)
    } else {
        (scope.get(added, &shape)?.into_f32()?, 1.0)
    };
    noise.iter_mut().for_each(|v| *v *= strength * SQRT_2);
    Ok(noise)
}
