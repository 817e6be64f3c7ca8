//! Convolutions.
#![forbid(unsafe_code)]

use super::load::{Weight, source, vector};
use super::{Act, Bands, Run, Through, misfit, values};
use crate::error::Result;
use crate::kernels::{self, Activation, Context, ConvShape, Epilogue, TransposedShape};
use crate::weights::Scope;
use candle_core::Tensor;
use std::ops::Range;

/// What is done to a layer's sums where they are written: `activation(sum + before) + add`.
#[derive(Clone, Copy)]
pub struct Extra<'a> {
    /// Shaped as the output: a residual that goes through the activation, too.
    pub before: Option<&'a Tensor>,
    /// A function of each value.
    pub activation: Activation,
    /// Shaped as the output: a residual.
    pub add: Option<&'a Tensor>,
}

impl<'a> Extra<'a> {
    /// Nothing.
    pub const NONE: Self = Self {
        before: None,
        activation: Activation::None,
        add: None,
    };

    /// The sum plus `x`.
    pub fn add(x: &'a Tensor) -> Self {
        Self {
            add: Some(x),
            ..Self::NONE
        }
    }

    /// `activation` of the sum.
    pub fn activation(activation: Activation) -> Self {
        Self {
            activation,
            ..Self::NONE
        }
    }

    /// Runs `f` with this as an epilogue, the residual's shape checked.
    pub(super) fn with(
        &self,
        layer: &str,
        shape: &[usize],
        f: impl FnOnce(&Epilogue) -> Result<()>,
    ) -> Result<()> {
        let residual = |x: Option<&'a Tensor>| match x {
            Some(x) if x.elem_count() != shape.iter().product::<usize>() => {
                Err(misfit(layer, "a residual shaped as the output", x.dims()))
            }
            x => x.map(values).transpose(),
        };
        let (before, after) = (residual(self.before)?, residual(self.add)?);
        f(&Epilogue {
            add_before: before.as_deref(),
            activation: self.activation,
            add_after: after.as_deref(),
        })
    }
}

/// `[batch, height, width, channels]` of a picture with `channels` channels.
pub(super) fn dims(layer: &str, x: &Tensor, channels: usize) -> Result<(usize, usize, usize)> {
    match *x.dims() {
        [b, h, w, c] if c == channels => Ok((b, h, w)),
        ref dims => Err(misfit(
            layer,
            &format!("[batch, height, width, {channels}]"),
            dims,
        )),
    }
}

/// A convolution, torch's `Conv2d`.
pub struct Conv2d(kernels::Conv2d);

impl Conv2d {
    /// Reads `weight`, `[outputs, inputs / groups, height, width]`, and `bias`, `[outputs]`.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(cx: &Context, scope: &Scope, shape: ConvShape) -> Result<Self> {
        let weight = Self::weight(cx, scope, &shape)?;
        let bias = vector(scope, "bias", shape.outputs)?;
        weight.conv(cx, Some(&bias), shape).map(Self)
    }

    /// As [`Self::new`], without a bias.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn without_bias(cx: &Context, scope: &Scope, shape: ConvShape) -> Result<Self> {
        Self::weight(cx, scope, &shape)?
            .conv(cx, None, shape)
            .map(Self)
    }

    /// A convolution and the batch normalisation behind it, in one: `norm` holds `weight`, `bias`,
    /// `running_mean` and `running_var`. The convolution's own bias is used where there is one.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn with_batch_norm(
        cx: &Context,
        scope: &Scope,
        norm: &Scope,
        eps: f64,
        shape: ConvShape,
    ) -> Result<Self> {
        let n = shape.outputs;
        let weight = scope.get("weight", &Self::weight_shape(&shape))?;
        let mut weight = weight.into_f32()?;
        let (scale, mut bias) = (vector(norm, "weight", n)?, vector(norm, "bias", n)?);
        let mean = vector(norm, "running_mean", n)?;
        let variance = vector(norm, "running_var", n)?;
        let own = if scope.has("bias") {
            vector(scope, "bias", n)?
        } else {
            crate::memory::filled(n, 0f32, "a bias")?
        };
        let row = (weight.len() / n.max(1)).max(1);
        for (c, row) in weight.chunks_exact_mut(row).enumerate() {
            let factor = scale[c] as f64 / (variance[c] as f64 + eps).sqrt();
            row.iter_mut()
                .for_each(|w| *w = (*w as f64 * factor) as f32);
            bias[c] = (bias[c] as f64 + (own[c] as f64 - mean[c] as f64) * factor) as f32;
        }
        kernels::Conv2d::new(cx, kernels::Source::F32(&weight), Some(&bias), shape).map(Self)
    }

    /// Of weights that are here: `weight`, `[outputs, inputs / groups, height, width]`, and `bias`,
    /// `[outputs]`, of the lengths that the shape says.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`]; [`crate::ErrorKind::Internal`] for other lengths.
    pub fn from_values(
        cx: &Context,
        weight: &[f32],
        bias: Option<&[f32]>,
        shape: ConvShape,
    ) -> Result<Self> {
        let taps = shape.kernel.0 * shape.kernel.1 * shape.inputs / shape.groups.max(1);
        let bias_fits = bias.is_none_or(|b| b.len() == shape.outputs);
        if weight.len() != shape.outputs * taps || !bias_fits {
            return Err(misfit(
                "a convolution",
                "weights of its shape",
                &[weight.len()],
            ));
        }
        kernels::Conv2d::new(cx, kernels::Source::F32(weight), bias, shape).map(Self)
    }

    /// Groups are packed one by one, from all of their weights.
    fn weight<'a>(cx: &Context, scope: &Scope<'a>, s: &ConvShape) -> Result<Weight<'a>> {
        let shape = Self::weight_shape(s);
        match s.groups {
            1 => Weight::open(cx.precision(), &[scope], &shape),
            _ => scope.get("weight", &shape).map(Weight::Whole),
        }
    }

    fn weight_shape(s: &ConvShape) -> [usize; 4] {
        let groups = s.groups.max(1);
        [s.outputs, s.inputs / groups, s.kernel.0, s.kernel.1]
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// The shape that was given.
    pub fn shape(&self) -> &ConvShape {
        self.0.shape()
    }

    /// `[batch, height, width, inputs]` to `[batch, out_height, out_width, outputs]`.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward(&self, run: &Run, x: &Tensor, extra: Extra) -> Result<Act> {
        let s = *self.0.shape();
        let (b, h, w) = dims("a convolution", x, s.inputs)?;
        let (oh, ow) = s.output(h, w);
        let taps = s.kernel.0 * s.kernel.1 * (s.inputs / s.groups);
        run.count(2 * (b * oh * ow * s.outputs) as u64 * taps as u64);
        let shape = [b, oh, ow, s.outputs];
        run.write(&shape, |y| {
            let x = values(x)?;
            extra.with("a convolution", &shape, |ep| {
                self.0.forward(run.cx(), b, h, w, &x, ep, y)
            })
        })
    }
}

/// Of some rows of a picture.
impl Conv2d {
    /// `rows` rows of the output from `x`, `[1, height, width, inputs]`, the rows that they are made of,
    /// with `top` rows of zeros above those and, as far as rows are missing, zeros below.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward_between(
        &self,
        run: &Run,
        x: &Tensor,
        (top, rows): (usize, usize),
        extra: Extra,
    ) -> Result<Act> {
        let s = *self.0.shape();
        let (_, h, w) = dims("a convolution", x, s.inputs)?;
        let ow = s.output(s.under(1), w).1;
        let taps = s.kernel.0 * s.kernel.1 * (s.inputs / s.groups);
        run.count(2 * (rows * ow * s.outputs) as u64 * taps as u64);
        let shape = [1, rows, ow, s.outputs];
        run.write(&shape, |y| {
            let x = values(x)?;
            extra.with("a convolution", &shape, |ep| {
                let at = (top, rows);
                self.0.forward_between(run.cx(), at, h, w, &x, ep, y)
            })
        })
    }
}

/// Of a picture in bands.
impl Conv2d {
    /// All of the output, `x` read `through` something, plus `add`, shaped as the output. Of `x` each
    /// band goes when it has been read.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward_bands(
        &self,
        run: &Run,
        mut x: Bands,
        through: &Through,
        add: Option<&Bands>,
    ) -> Result<Bands> {
        let s = *self.0.shape();
        let (height, width) = through.size(&x);
        let (oh, ow) = s.output(height, width);
        let mut y = Bands::new(run, [oh, ow, s.outputs]);
        while let Some(rows) = y.missing() {
            y.push(self.band(run, &x, through, add, rows.clone())?);
            let next = (rows.end * s.stride.0).saturating_sub(s.padding.0);
            x.release(through.row(next));
        }
        Ok(y)
    }

    /// `rows` of the output, `[1, rows, out_width, outputs]`; the first is a multiple of 4. To the bit
    /// what the whole picture in one gives.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn band(
        &self,
        run: &Run,
        x: &Bands,
        through: &Through,
        add: Option<&Bands>,
        rows: Range<usize>,
    ) -> Result<Act> {
        let s = *self.0.shape();
        let (h, w) = through.size(x);
        let (_, ow) = s.output(h, w);
        if x.shape()[2] != s.inputs {
            let expected = format!("[…, {}]", s.inputs);
            return Err(misfit("a convolution", &expected, &x.shape()));
        }
        let taps = s.kernel.0 * s.kernel.1 * (s.inputs / s.groups);
        run.count(2 * (rows.len() * ow * s.outputs) as u64 * taps as u64);
        if ow == 0 {
            return run.write(&[1, rows.len(), ow, s.outputs], |_| Ok(()));
        }
        let algorithm = self.0.algorithm(run.cx(), 1, h, w);
        // The input as it is read: some rows at a time, so that they stay in a cache.
        let step = run.rows(w, s.inputs * s.stride.0).min(rows.len());
        let read = run.write(&[s.under(step), w, s.inputs], |_| Ok(()))?;
        run.write(&[1, rows.len(), ow, s.outputs], |y| {
            let parts = y.chunks_mut(step * ow * s.outputs);
            for (first, y) in rows.clone().step_by(step).zip(parts) {
                let own = first..(first + step).min(rows.end);
                let len = s.under(own.len()) * w * s.inputs;
                let above = (first * s.stride.0) as isize - s.padding.0 as isize;
                run.rewrite(&read, |read| through.fill(run, x, above, &mut read[..len]))?;
                let add = add.map(|add| add.single(own.clone())).transpose()?;
                let ep = Epilogue {
                    add_after: add.as_deref(),
                    ..Epilogue::default()
                };
                let read = &values(&read)?[..len];
                self.0
                    .forward_rows(run.cx(), algorithm, own.len(), w, read, &ep, y)?;
            }
            Ok(())
        })
    }
}

/// A transposed convolution, torch's `ConvTranspose2d`.
pub struct ConvTranspose2d(kernels::ConvTranspose2d);

impl ConvTranspose2d {
    /// Reads `weight`, `[inputs, outputs / groups, height, width]`, and `bias`, `[outputs]`.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(cx: &Context, scope: &Scope, shape: TransposedShape) -> Result<Self> {
        let (kh, kw) = shape.kernel;
        let groups = shape.groups.max(1);
        let weight = scope.get("weight", &[shape.inputs, shape.outputs / groups, kh, kw])?;
        let bias = vector(scope, "bias", shape.outputs)?;
        kernels::ConvTranspose2d::new(cx, source(&weight), Some(&bias), shape).map(Self)
    }

    /// As [`Self::new`] with the batch normalisation behind it, see [`Conv2d::with_batch_norm`].
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn with_batch_norm(
        cx: &Context,
        scope: &Scope,
        norm: &Scope,
        eps: f64,
        shape: TransposedShape,
    ) -> Result<Self> {
        let n = shape.outputs;
        let ((kh, kw), groups) = (shape.kernel, shape.groups.max(1));
        let each = n / groups;
        let mut weight = scope
            .get("weight", &[shape.inputs, each, kh, kw])?
            .into_f32()?;
        let (scale, mut bias) = (vector(norm, "weight", n)?, vector(norm, "bias", n)?);
        let mean = vector(norm, "running_mean", n)?;
        let variance = vector(norm, "running_var", n)?;
        let own = if scope.has("bias") {
            vector(scope, "bias", n)?
        } else {
            crate::memory::filled(n, 0f32, "a bias")?
        };
        let factor = |c: usize| scale[c] as f64 / (variance[c] as f64 + eps).sqrt();
        for (i, taps) in weight.chunks_exact_mut((kh * kw).max(1)).enumerate() {
            let (input, o) = (i / each, i % each);
            let channel = input / (shape.inputs / groups) * each + o;
            let factor = factor(channel);
            taps.iter_mut()
                .for_each(|w| *w = (*w as f64 * factor) as f32);
        }
        for c in 0..n {
            bias[c] = (bias[c] as f64 + (own[c] as f64 - mean[c] as f64) * factor(c)) as f32;
        }
        let weight = kernels::Source::F32(&weight);
        kernels::ConvTranspose2d::new(cx, weight, Some(&bias), shape).map(Self)
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// `[batch, height, width, inputs]` to `[batch, out_height, out_width, outputs]`.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward(&self, run: &Run, x: &Tensor, activation: Activation) -> Result<Act> {
        let s = *self.0.shape();
        let (b, h, w) = dims("a transposed convolution", x, s.inputs)?;
        let (oh, ow) = s.output(h, w);
        let taps = s.kernel.0 * s.kernel.1 * (s.outputs / s.groups);
        run.count(2 * (b * h * w * s.inputs) as u64 * taps as u64);
        let y = run.write(&[b, oh, ow, s.outputs], |_| Ok(()))?;
        let scratch = [self.0.scratch(b, h, w)];
        // The output is written in turns with the scratch memory, and both are activations.
        let _scratch = run.write(&scratch, |scratch| {
            run.rewrite(&y, |y| {
                let x = values(x)?;
                self.0
                    .forward(run.cx(), b, h, w, &x, activation, scratch, y)
            })
        })?;
        Ok(y)
    }
}
