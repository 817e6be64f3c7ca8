//! Fully connected layers.
#![forbid(unsafe_code)]

use super::gemm::{Operand, product};
use super::int8::{self, Precision};
use super::panels::{Panels, Source, Stored};
use super::{Context, Epilogue};
use crate::error::Result;

/// A fully connected layer: `[rows][inputs] → [rows][outputs]`, `y = x Wᵀ + b`.
pub struct Linear {
    panels: Panels,
    bias: Vec<f32>,
}

impl Linear {
    /// Packs `weight`, `[outputs][inputs]` as PyTorch keeps it, and `bias`, `[outputs]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    ///
    /// # Panics
    /// When a length is not what the shape says: the weights' reader checks shapes.
    pub fn new(
        cx: &Context,
        weight: Source,
        bias: Option<&[f32]>,
        outputs: usize,
        inputs: usize,
    ) -> Result<Self> {
        Self::with_precision(cx, cx.precision(), weight, bias, outputs, inputs)
    }

    /// As [`Self::new`], packed for products of this precision.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn with_precision(
        cx: &Context,
        precision: Precision,
        weight: Source,
        bias: Option<&[f32]>,
        outputs: usize,
        inputs: usize,
    ) -> Result<Self> {
        let panels = Panels::new(cx, precision, weight, outputs, inputs, 1, false)?;
        let bias = panels.bias(bias)?;
        Ok(Self { panels, bias })
    }

    /// As [`Self::new`] in full precision, of weights that are read as they are packed; with `gated`
    /// as [`Self::gated`], `weight` then being `[2 · outputs][inputs]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`]; what stopped the reading.
    pub fn stored(
        cx: &Context,
        weight: &dyn Stored,
        bias: Option<&[f32]>,
        outputs: usize,
        inputs: usize,
        gated: bool,
    ) -> Result<Self> {
        let rows = outputs * (1 + usize::from(gated));
        let panels = Panels::stored(cx, weight, rows, inputs, 1, gated)?;
        let bias = panels.bias(bias)?;
        Ok(Self { panels, bias })
    }

    /// As [`Self::new`], for a layer whose first `outputs` rows are values and whose last `outputs`
    /// are their gates: `y = value · activation(gate)`. `weight` is `[2 · outputs][inputs]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn gated(
        cx: &Context,
        weight: Source,
        bias: Option<&[f32]>,
        outputs: usize,
        inputs: usize,
    ) -> Result<Self> {
        Self::gated_with_precision(cx, cx.precision(), weight, bias, outputs, inputs)
    }

    /// As [`Self::gated`], packed for products of this precision.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn gated_with_precision(
        cx: &Context,
        precision: Precision,
        weight: Source,
        bias: Option<&[f32]>,
        outputs: usize,
        inputs: usize,
    ) -> Result<Self> {
        let panels = Panels::new(cx, precision, weight, 2 * outputs, inputs, 1, true)?;
        let bias = panels.bias(bias)?;
        Ok(Self { panels, bias })
    }

    /// Columns of the result.
    pub fn outputs(&self) -> usize {
        if self.panels.gated {
            self.panels.outputs / 2
        } else {
            self.panels.outputs
        }
    }

    /// Rows of the weight: the result's columns, and those of the gates where there are gates.
    pub fn columns(&self) -> usize {
        self.panels.outputs
    }

    /// Columns of the input.
    pub fn inputs(&self) -> usize {
        self.panels.inputs
    }

    /// How the products are computed.
    pub fn precision(&self) -> Precision {
        self.panels.precision()
    }

    /// Tiles of `set` where the weights are bytes; of this machine's and the path's.
    #[cfg(test)]
    pub(super) fn force(&mut self, set: int8::Set) {
        self.panels.force(set);
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        self.panels.bytes() + self.bias.len() * 4
    }

    /// `out[rows][outputs]` from `x[rows][inputs]`. A gated layer takes no residual.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    ///
    /// # Panics
    /// When a length is not what the shapes say.
    pub fn forward(&self, cx: &Context, x: &[f32], ep: &Epilogue, out: &mut [f32]) -> Result<()> {
        let inputs = self.panels.inputs;
        assert_eq!(x.len() % inputs.max(1), 0, "whole rows");
        let rows = x.len() / inputs.max(1);
        assert!(
            !self.panels.gated || (ep.add_before.is_none() && ep.add_after.is_none()),
            "a gated layer takes no residual"
        );
        if let Some(w) = self.panels.int8() {
            let x = int8::Quantised::new(cx, x, rows, inputs, inputs)?;
            let shape = int8::Shape {
                source: &|row, _| Some(row),
                rows,
                c_row: self.outputs(),
            };
            return int8::product(cx, (&self.panels, w), &self.bias, &x, &shape, ep, out);
        }
        let operand = Operand::Rows {
            data: x,
            stride: inputs,
        };
        product(
            cx,
            &self.panels,
            &self.bias,
            &operand,
            rows,
            ep,
            out,
            self.outputs(),
        )
    }
}
