//! Transposed convolutions, as one small convolution for each place in a cell of `stride` outputs.
//!
//! Output `stride · m + r` along an axis sees only the taps `k ≡ r + padding (mod stride)`: those of
//! one `r` are an ordinary convolution of stride 1, and no product is with a zero between inputs.
#![forbid(unsafe_code)]

use super::panels::Source;
use super::{Activation, Context, Conv2d, ConvShape, Epilogue};
use crate::error::Result;
use crate::memory;

/// A transposed convolution's shape, in PyTorch's terms; the dilation is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransposedShape {
    /// Channels in, of all groups.
    pub inputs: usize,
    /// Channels out, of all groups.
    pub outputs: usize,
    /// Height and width of the kernel.
    pub kernel: (usize, usize),
    /// Outputs for an input, down and across.
    pub stride: (usize, usize),
    /// Outputs cut off at each side, top and bottom, left and right.
    pub padding: (usize, usize),
    /// Outputs added at the bottom and at the right; less than the stride.
    pub output_padding: (usize, usize),
    /// Groups, each of `inputs / groups` and `outputs / groups` channels.
    pub groups: usize,
}

impl TransposedShape {
    /// Height and width of the output; 0 where the padding leaves nothing.
    pub fn output(&self, height: usize, width: usize) -> (usize, usize) {
        let along = |n: usize, k: usize, s: usize, p: usize, more: usize| {
            (n.saturating_sub(1) * s + k + more).saturating_sub(2 * p) * usize::from(n > 0)
        };
        let (k, s, p, o) = (self.kernel, self.stride, self.padding, self.output_padding);
        (
            along(height, k.0, s.0, p.0, o.0),
            along(width, k.1, s.1, p.1, o.1),
        )
    }
}

/// One axis of a phase.
#[derive(Clone, Copy)]
struct Axis {
    /// The first tap of the phase; the others follow a stride apart.
    tap: usize,
    /// Taps of the phase's convolution, those of weight zero included.
    taps: usize,
    /// Zeros before the first input and behind the last.
    before: usize,
    behind: usize,
}

impl Axis {
    /// Phase `r` of a kernel of `k` taps: output `s m + r` is the sum over `j` of tap `tap + s j` times
    /// input `m + ahead − j`.
    fn new(r: usize, k: usize, s: usize, p: usize, more: usize) -> Self {
        let tap = (r + p) % s;
        let ahead = (r + p - tap) / s;
        // At least so many taps that no input before the first would have to be left out.
        let taps = k.saturating_sub(tap).div_ceil(s).max(ahead + 1);
        // Outputs of this phase are `inputs + extra` many, whatever the inputs.
        let extra = (k as isize + more as isize - s as isize - 2 * p as isize - r as isize)
            .div_euclid(s as isize)
            + isize::from(
                (k as isize + more as isize - s as isize - 2 * p as isize - r as isize)
                    .rem_euclid(s as isize)
                    > 0,
            );
        Self {
            tap,
            taps,
            before: taps - 1 - ahead,
            behind: (extra + ahead as isize).max(0) as usize,
        }
    }
}

/// A transposed convolution's packed weights.
pub struct ConvTranspose2d {
    shape: TransposedShape,
    /// Row by row of a cell of `stride` outputs.
    phases: Vec<Conv2d>,
}

impl ConvTranspose2d {
    /// Packs `weight`, `[inputs][outputs / groups][height][width]` as PyTorch keeps it, and `bias`,
    /// `[outputs]`.
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
        shape: TransposedShape,
    ) -> Result<Self> {
        let s = &shape;
        assert!(
            s.groups > 0 && s.inputs.is_multiple_of(s.groups) && s.outputs.is_multiple_of(s.groups),
            "channels of {} groups",
            s.groups
        );
        assert!(s.stride.0 > 0 && s.stride.1 > 0, "stride");
        let (ci, co) = (s.inputs / s.groups, s.outputs / s.groups);
        let (kh, kw) = s.kernel;
        assert_eq!(weight.len(), s.inputs * co * kh * kw, "weights' length");
        let mut phases = Vec::new();
        for r in 0..s.stride.0 * s.stride.1 {
            let (ry, rx) = (r / s.stride.1, r % s.stride.1);
            let y = Axis::new(ry, kh, s.stride.0, s.padding.0, s.output_padding.0);
            let x = Axis::new(rx, kw, s.stride.1, s.padding.1, s.output_padding.1);
            let part = ConvShape {
                inputs: s.inputs,
                outputs: s.outputs,
                kernel: (y.taps, x.taps),
                stride: (1, 1),
                padding: (y.before, x.before, y.behind, x.behind),
                dilation: (1, 1),
                groups: s.groups,
            };
            // The taps turned about, `[outputs][inputs / groups][taps]`.
            let taps = y.taps * x.taps;
            let mut turned = memory::filled(s.outputs * ci * taps, 0f32, "a network's weights")?;
            for o in 0..s.outputs {
                for i in 0..ci {
                    let from = ((o / co * ci + i) * co + o % co) * kh * kw;
                    for t in 0..taps {
                        let ky = y.tap + s.stride.0 * (y.taps - 1 - t / x.taps);
                        let kx = x.tap + s.stride.1 * (x.taps - 1 - t % x.taps);
                        if ky < kh && kx < kw {
                            turned[(o * ci + i) * taps + t] = weight.at(from + ky * kw + kx);
                        }
                    }
                }
            }
            phases.push(Self::pack(cx, weight, &turned, bias, part)?);
        }
        Ok(Self { shape, phases })
    }

    /// In the precision that the weights had.
    fn pack(
        cx: &Context,
        like: Source,
        turned: &[f32],
        bias: Option<&[f32]>,
        shape: ConvShape,
    ) -> Result<Conv2d> {
        match like {
            Source::F32(_) => Conv2d::new(cx, Source::F32(turned), bias, shape),
            Source::F16(_) => {
                let mut half = memory::with_capacity(turned.len(), "a network's weights")?;
                half.extend(turned.iter().map(|x| half::f16::from_f32(*x)));
                Conv2d::new(cx, Source::F16(&half), bias, shape)
            }
        }
    }

    /// The shape that was given.
    pub fn shape(&self) -> &TransposedShape {
        &self.shape
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        self.phases.iter().map(Conv2d::bytes).sum()
    }

    /// Floats of scratch memory that a picture of this size needs: those of one phase's output.
    pub fn scratch(&self, batch: usize, height: usize, width: usize) -> usize {
        let pixels = self.phases.iter().map(|p| {
            let (h, w) = p.shape().output(height, width);
            h * w
        });
        pixels.max().unwrap_or(0) * batch * self.shape.outputs
    }

    /// `y[batch · out_height · out_width][outputs] = activation(transposed convolution of x)`, with
    /// `x[batch · height · width][inputs]`; `scratch` is as long as [`Self::scratch`] says.
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
        activation: Activation,
        scratch: &mut [f32],
        y: &mut [f32],
    ) -> Result<()> {
        let s = &self.shape;
        let (oh, ow) = s.output(height, width);
        let co = s.outputs;
        assert_eq!(y.len(), batch * oh * ow * co, "output's length");
        if y.is_empty() {
            return Ok(());
        }
        let ep = Epilogue {
            activation,
            ..Epilogue::default()
        };
        for (r, phase) in self.phases.iter().enumerate() {
            let (ry, rx) = (r / s.stride.1, r % s.stride.1);
            let (ph, pw) = phase.shape().output(height, width);
            let part = &mut scratch[..batch * ph * pw * co];
            phase.forward(cx, batch, height, width, x, &ep, part)?;
            let part = &*part;
            cx.parts(y, ow * co, |row, line| {
                let (picture, row) = (row / oh, row % oh);
                if row % s.stride.0 != ry {
                    return;
                }
                let from = &part[(picture * ph + row / s.stride.0) * pw * co..];
                let pixels = line.chunks_exact_mut(co).skip(rx).step_by(s.stride.1);
                for (to, from) in pixels.zip(from.chunks_exact(co)) {
                    to.copy_from_slice(from);
                }
            })?;
        }
        Ok(())
    }
}
