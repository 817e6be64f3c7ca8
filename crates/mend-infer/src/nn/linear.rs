//! Fully connected layers.
#![forbid(unsafe_code)]

use super::load::{Weight, vector};
use super::{Act, Bands, Extra, Run, misfit, values};
use crate::error::Result;
use crate::kernels::{self, Activation, Context, Epilogue};
use crate::weights::Scope;
use candle_core::Tensor;
use std::ops::Range;

/// A fully connected layer, torch's `Linear`, over the last dimension.
pub struct Linear(kernels::Linear);

impl Linear {
    /// Reads `weight`, `[outputs, inputs]`, and `bias`, `[outputs]`.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(cx: &Context, scope: &Scope, outputs: usize, inputs: usize) -> Result<Self> {
        Self::pack(cx, scope, &[outputs, inputs], true)
    }

    /// As [`Self::new`], without a bias.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn without_bias(
        cx: &Context,
        scope: &Scope,
        outputs: usize,
        inputs: usize,
    ) -> Result<Self> {
        Self::pack(cx, scope, &[outputs, inputs], false)
    }

    /// As [`Self::new`], in full precision whatever `cx` packs for: a layer of one row, whose time is
    /// nothing and whose error all others would inherit.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn precise(cx: &Context, scope: &Scope, outputs: usize, inputs: usize) -> Result<Self> {
        let full = kernels::Precision::Full;
        let weight = Weight::open(full, &[scope], &[outputs, inputs])?;
        let bias = vector(scope, "bias", outputs)?;
        weight
            .linear(cx, full, Some(&bias), (outputs, inputs), false)
            .map(Self)
    }

    /// A 1×1 convolution, which channels-last is the same: `weight` is `[outputs, inputs, 1, 1]`.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn conv1x1(cx: &Context, scope: &Scope, outputs: usize, inputs: usize) -> Result<Self> {
        Self::pack(cx, scope, &[outputs, inputs, 1, 1], true)
    }

    /// Of weights that are here: `weight`, `[outputs, inputs]`, and `bias`, `[outputs]`, of the lengths
    /// that the shape says.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`]; [`crate::ErrorKind::Internal`] for other lengths.
    pub fn from_values(
        cx: &Context,
        weight: &[f32],
        bias: Option<&[f32]>,
        outputs: usize,
        inputs: usize,
    ) -> Result<Self> {
        if weight.len() != outputs * inputs || bias.is_some_and(|b| b.len() != outputs) {
            let what = "weights of its shape";
            return Err(misfit("a linear layer", what, &[weight.len()]));
        }
        let weight = kernels::Source::F32(weight);
        kernels::Linear::new(cx, weight, bias, outputs, inputs).map(Self)
    }

    fn pack(cx: &Context, scope: &Scope, shape: &[usize], bias: bool) -> Result<Self> {
        let weight = Weight::open(cx.precision(), &[scope], shape)?;
        let bias = bias.then(|| vector(scope, "bias", shape[0])).transpose()?;
        let size = (shape[0], shape[1]);
        weight
            .linear(cx, cx.precision(), bias.as_deref(), size, false)
            .map(Self)
    }

    /// Layers of the same input as one: the result has the outputs of each, one behind another, and
    /// the input is read once. Each of `scopes` holds `weight`, `[outputs, inputs]`, and, where
    /// `bias`, `bias`.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn fused(
        cx: &Context,
        scopes: &[Scope],
        outputs: usize,
        inputs: usize,
        bias: bool,
    ) -> Result<Self> {
        let all: Vec<&Scope> = scopes.iter().collect();
        let weight = Weight::open(cx.precision(), &all, &[outputs, inputs])?;
        let mut biases = Vec::new();
        for scope in scopes.iter().filter(|_| bias) {
            biases.extend(vector(scope, "bias", outputs)?);
        }
        let bias = bias.then_some(&biases[..]);
        let size = (outputs * scopes.len(), inputs);
        weight
            .linear(cx, cx.precision(), bias, size, false)
            .map(Self)
    }

    /// A layer with twice the outputs, of which the second half, through an activation, are the
    /// factors of the first: `weight` is `[2 · outputs, inputs]`, `bias` `[2 · outputs]`.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn gated(cx: &Context, scope: &Scope, outputs: usize, inputs: usize) -> Result<Self> {
        let weight = Weight::open(cx.precision(), &[scope], &[2 * outputs, inputs])?;
        let bias = vector(scope, "bias", 2 * outputs)?;
        weight
            .linear(cx, cx.precision(), Some(&bias), (outputs, inputs), true)
            .map(Self)
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// Channels of the result.
    pub fn outputs(&self) -> usize {
        self.0.outputs()
    }

    /// `[…, inputs]` to `[…, outputs]`. A gated layer takes no residual.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward(&self, run: &Run, x: &Tensor, extra: Extra) -> Result<Act> {
        let inputs = self.0.inputs();
        let mut shape = x.dims().to_vec();
        match shape.last_mut() {
            Some(last) if *last == inputs => *last = self.0.outputs(),
            _ => {
                return Err(misfit(
                    "a linear layer",
                    &format!("[…, {inputs}]"),
                    x.dims(),
                ));
            }
        }
        run.count(2 * x.elem_count() as u64 * self.0.columns() as u64);
        run.write(&shape, |y| {
            let x = values(x)?;
            extra.with("a linear layer", &shape, |ep: &Epilogue| {
                self.0.forward(run.cx(), &x, ep, y)
            })
        })
    }
}

impl Linear {
    /// `rows` of a picture in bands, `[1, rows, width, outputs]`.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn band(&self, run: &Run, x: &Bands, rows: Range<usize>) -> Result<Act> {
        let ([_, width, inputs], outputs) = (x.shape(), self.0.outputs());
        if inputs != self.0.inputs() {
            let expected = format!("[…, {}]", self.0.inputs());
            return Err(misfit("a linear layer", &expected, &x.shape()));
        }
        run.count(2 * (rows.len() * width * inputs) as u64 * self.0.columns() as u64);
        run.write(&[1, rows.len(), width, outputs], |mut y| {
            for part in x.parts(rows)? {
                let (own, rest) = y.split_at_mut(part.len() / inputs * outputs);
                self.0.forward(run.cx(), &part, &Epilogue::default(), own)?;
                y = rest;
            }
            Ok(())
        })
    }
}

/// diffusers' `FeedForward` with GEGLU: `net.0.proj`, gated by GELU, and `net.2`.
pub struct FeedForward {
    proj: Linear,
    out: Linear,
}

impl FeedForward {
    /// For `dim` channels; inside there are four times as many.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(cx: &Context, scope: &Scope, dim: usize) -> Result<Self> {
        let (net, inner) = (scope.pp("net"), 4 * dim);
        Ok(Self {
            proj: Linear::gated(cx, &net.pp("0.proj"), inner, dim)?,
            out: Linear::new(cx, &net.pp("2"), dim, inner)?,
        })
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        self.proj.bytes() + self.out.bytes()
    }

    /// `[…, dim]` to the same, plus `add` where given.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward(&self, run: &Run, x: Act, add: Option<&Tensor>) -> Result<Act> {
        let inner = self
            .proj
            .forward(run, &x, Extra::activation(Activation::Gelu))?;
        drop(x);
        let extra = Extra { add, ..Extra::NONE };
        self.out.forward(run, &inner, extra)
    }
}
