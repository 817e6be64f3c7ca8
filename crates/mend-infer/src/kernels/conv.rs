//! Convolutions: which algorithm, and the ones that are a product of gathered rows.
#![forbid(unsafe_code)]

use super::depthwise::Depthwise;
use super::gemm::{Operand, product};
use super::int8::{self, Precision};
use super::panels::{Panels, Source, Stored};
use super::shape::{Algorithm, ConvShape, Field, source};
use super::{Context, Epilogue, winograd};
use crate::error::Result;

/// Channels of a group below which a convolution is not worth eight bits: a network's first and last
/// layers, a thousandth of its time, whose errors are seen most.
pub const FEW: usize = 16;

/// A convolution's packed weights.
pub struct Conv2d {
    shape: ConvShape,
    /// One for each group; for a depthwise convolution see `depthwise`.
    groups: Vec<(Panels, Vec<f32>)>,
    depthwise: Option<Depthwise>,
}

impl Conv2d {
    /// Rows that the tiles of every algorithm divide.
    pub const GRID: usize = 4;

    /// Packs `weight`, `[outputs][inputs / groups][height][width]` as PyTorch keeps it, and `bias`.
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
        shape: ConvShape,
    ) -> Result<Self> {
        Self::with_precision(cx, cx.precision(), weight, bias, shape)
    }

    /// As [`Self::new`], packed for products of this precision where that is of use: a depthwise
    /// convolution and one from or to fewer than 16 channels stay in full.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn with_precision(
        cx: &Context,
        precision: Precision,
        weight: Source,
        bias: Option<&[f32]>,
        shape: ConvShape,
    ) -> Result<Self> {
        let groups = shape.groups.max(1);
        let few = shape.inputs / groups < FEW || shape.outputs / groups < FEW;
        let precision = if few { Precision::Full } else { precision };
        Self::packed(cx, precision, weight, bias, shape)
    }

    /// As [`Self::new`] in full precision, of weights that are read as they are packed.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`]; what stopped the reading.
    ///
    /// # Panics
    /// As [`Self::new`], and with more than one group.
    pub fn stored(
        cx: &Context,
        weight: &dyn Stored,
        bias: Option<&[f32]>,
        shape: ConvShape,
    ) -> Result<Self> {
        assert_eq!(shape.groups, 1, "groups of weights that are read in parts");
        let panels = Panels::stored(cx, weight, shape.outputs, shape.inputs, shape.taps(), false)?;
        let bias = panels.bias(bias)?;
        Ok(Self {
            shape,
            groups: vec![(panels, bias)],
            depthwise: None,
        })
    }

    /// As [`Self::with_precision`], of this precision but where the convolution is depthwise.
    pub(super) fn packed(
        cx: &Context,
        precision: Precision,
        weight: Source,
        bias: Option<&[f32]>,
        shape: ConvShape,
    ) -> Result<Self> {
        let ConvShape {
            inputs,
            outputs,
            groups,
            ..
        } = shape;
        assert!(
            groups > 0 && inputs % groups == 0 && outputs % groups == 0,
            "channels of {groups} groups"
        );
        let (ci, co, taps) = (inputs / groups, outputs / groups, shape.taps());
        assert_eq!(weight.len(), outputs * ci * taps, "weights' length");
        let mut conv = Self {
            shape,
            groups: Vec::new(),
            depthwise: None,
        };
        if groups > 1 && ci == 1 && co == 1 {
            conv.depthwise = Some(Depthwise::new(weight, bias, outputs, taps)?);
            return Ok(conv);
        }
        for g in 0..groups {
            let part = weight.part(g * co * ci * taps, co * ci * taps);
            let panels = Panels::new(cx, precision, part, co, ci, taps, false)?;
            let bias = panels.bias(bias.map(|b| &b[g * co..(g + 1) * co]))?;
            conv.groups.push((panels, bias));
        }
        Ok(conv)
    }

    /// The shape that was given.
    pub fn shape(&self) -> &ConvShape {
        &self.shape
    }

    /// How the products are computed.
    pub fn precision(&self) -> Precision {
        let group = self.groups.first();
        group.map_or(Precision::Full, |(panels, _)| panels.precision())
    }

    /// Tiles of `set` where the weights are bytes; of this machine's and the path's.
    #[cfg(test)]
    pub(super) fn force_set(&mut self, set: int8::Set) {
        self.groups.iter_mut().for_each(|(p, _)| p.force(set));
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        let groups: usize = self
            .groups
            .iter()
            .map(|(p, b)| p.bytes() + b.len() * 4)
            .sum();
        groups + self.depthwise.as_ref().map_or(0, Depthwise::bytes)
    }

    /// What a picture of this size is computed by, where `cx` does not say: the same on every machine and
    /// thread count.
    pub fn algorithm(&self, cx: &Context, batch: usize, height: usize, width: usize) -> Algorithm {
        let s = &self.shape;
        if !self.fits_winograd() || self.precision() == Precision::Int8 {
            return Algorithm::Direct;
        }
        if let Some(algorithm) = cx.algorithm() {
            return algorithm;
        }
        if s.inputs < 16 {
            return Algorithm::Direct;
        }
        let field = self.field(batch, height, width);
        let direct = (9 * batch * field.out_height * field.out_width) as f64;
        let two = winograd::cost(&field, 4);
        let four = winograd::cost(&field, 6);
        if four < two && four < direct {
            Algorithm::Winograd4
        } else if two < direct {
            Algorithm::Winograd2
        } else {
            Algorithm::Direct
        }
    }

    fn fits_winograd(&self) -> bool {
        let s = &self.shape;
        s.kernel == (3, 3) && s.stride == (1, 1) && s.dilation == (1, 1) && s.groups == 1
    }

    fn field(&self, batch: usize, height: usize, width: usize) -> Field {
        let (out_height, out_width) = self.shape.output(height, width);
        let (top, left, ..) = self.shape.padding;
        Field {
            batch,
            height,
            width,
            out_height,
            out_width,
            padding: (top, left),
        }
    }

    /// `y[batch · out_height · out_width][outputs]` from `x[batch · height · width][inputs]`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    ///
    /// # Panics
    /// When a length is not what the shapes say.
    #[allow(clippy::too_many_arguments)]
    pub fn forward(
        &self,
        cx: &Context,
        batch: usize,
        height: usize,
        width: usize,
        x: &[f32],
        ep: &Epilogue,
        y: &mut [f32],
    ) -> Result<()> {
        let algorithm = self.algorithm(cx, batch, height, width);
        let field = self.field(batch, height, width);
        self.forward_field(cx, algorithm, &field, x, ep, y)
    }

    /// `rows` rows of the output of a larger picture, `[rows · out_width][outputs]`: `x` are the rows of
    /// the padded input that they are made of, `[under(rows) · width][inputs]`, with zeros where there
    /// is padding above or below the picture. To the bit what [`Self::forward`] makes of the whole, computed
    /// by its `algorithm`,
    /// where the first of them is a multiple of [`Self::GRID`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    ///
    /// # Panics
    /// When a length is not what the shapes say.
    #[allow(clippy::too_many_arguments)]
    pub fn forward_rows(
        &self,
        cx: &Context,
        algorithm: Algorithm,
        rows: usize,
        width: usize,
        x: &[f32],
        ep: &Epilogue,
        y: &mut [f32],
    ) -> Result<()> {
        let height = self.shape.under(rows);
        let field = Field {
            out_height: rows,
            padding: (0, self.shape.padding.1),
            ..self.field(1, height, width)
        };
        self.forward_field(cx, algorithm, &field, x, ep, y)
    }

    /// `rows` rows of the output, `[rows · out_width][outputs]`, of a picture that continues above and
    /// below `x` or has `top` rows of zeros above it; what is missing below are zeros. Computed directly.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    ///
    /// # Panics
    /// When a length is not what the shapes say.
    #[allow(clippy::too_many_arguments)]
    pub fn forward_between(
        &self,
        cx: &Context,
        (top, rows): (usize, usize),
        height: usize,
        width: usize,
        x: &[f32],
        ep: &Epilogue,
        y: &mut [f32],
    ) -> Result<()> {
        let field = Field {
            out_height: rows,
            padding: (top, self.shape.padding.1),
            ..self.field(1, height, width)
        };
        self.forward_field(cx, Algorithm::Direct, &field, x, ep, y)
    }

    fn forward_field(
        &self,
        cx: &Context,
        algorithm: Algorithm,
        field: &Field,
        x: &[f32],
        ep: &Epilogue,
        y: &mut [f32],
    ) -> Result<()> {
        let s = &self.shape;
        let Field {
            batch,
            height,
            width,
            out_height: oh,
            out_width: ow,
            ..
        } = *field;
        assert_eq!(x.len(), batch * height * width * s.inputs, "input's length");
        assert_eq!(y.len(), batch * oh * ow * s.outputs, "output's length");
        for add in [ep.add_before, ep.add_after].into_iter().flatten() {
            assert_eq!(add.len(), y.len(), "residual's length");
        }
        if y.is_empty() {
            return Ok(());
        }
        if let Some(depthwise) = &self.depthwise {
            return depthwise.forward(cx, s, field, x, ep, y);
        }
        match algorithm {
            Algorithm::Winograd2 if self.fits_winograd() => {
                let (w, bias) = &self.groups[0];
                return winograd::forward::<4>(cx, w, bias, field, x, ep, y);
            }
            Algorithm::Winograd4 if self.fits_winograd() => {
                let (w, bias) = &self.groups[0];
                return winograd::forward::<6>(cx, w, bias, field, x, ep, y);
            }
            _ => {}
        }
        let rows = batch * oh * ow;
        let (ci, co) = (s.inputs / s.groups, s.outputs / s.groups);
        if self.precision() == Precision::Int8 {
            // Each pixel once for all taps; groups apart, since they are summed apart.
            let pixels = batch * height * width * s.groups;
            let x = int8::Quantised::new(cx, x, pixels, ci, ci)?;
            for (g, (panels, bias)) in self.groups.iter().enumerate() {
                let Some(w) = panels.int8() else { continue };
                let shape = int8::Shape {
                    source: &|row, tap| {
                        source(s, field, row, tap).map(|pixel| pixel * s.groups + g)
                    },
                    rows,
                    c_row: s.outputs,
                };
                let (part, y) = (of_group(ep, g * co), &mut y[g * co..]);
                int8::product(cx, (panels, w), bias, &x, &shape, &part, y)?;
            }
            return Ok(());
        }
        let plain = s.taps() == 1 && s.stride == (1, 1) && s.padding == (0, 0, 0, 0);
        for (g, (w, bias)) in self.groups.iter().enumerate() {
            let at = |row: usize, tap: usize| {
                source(s, field, row, tap).map(|pixel| pixel * s.inputs + g * ci)
            };
            let operand = if plain {
                Operand::Rows {
                    data: &x[g * ci..],
                    stride: s.inputs,
                }
            } else {
                Operand::Gather { data: x, at: &at }
            };
            let part = of_group(ep, g * co);
            product(
                cx,
                w,
                bias,
                &operand,
                rows,
                &part,
                &mut y[g * co..],
                s.outputs,
            )?;
        }
        Ok(())
    }
}

/// The residuals from channel `first` on.
fn of_group<'a>(ep: &Epilogue<'a>, first: usize) -> Epilogue<'a> {
    Epilogue {
        add_before: ep.add_before.map(|a| &a[first..]),
        add_after: ep.add_after.map(|a| &a[first..]),
        activation: ep.activation,
    }
}
