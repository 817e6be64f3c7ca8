//! Weights in eight bits, as the tiles read them.

use super::super::Context;
use super::super::context::Aligned;
use super::super::panels::{Panels, Source};
use super::super::shared::Shared;
use super::quantise::quantise;
use super::{DEPTH, LONGEST, Set};
use crate::error::Result;
use crate::memory;

/// What is said to be missing when there is no memory.
const WHAT: &str = "a network's weights";

/// A part of the depth: some inputs of one tap, a multiple of four of them but at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub tap: usize,
    pub input: usize,
    pub len: usize,
}

/// A matrix in bytes, laid out as `[panel][tap][inputs / 4][width][4]`, inputs filled up with zeros.
pub struct Weights {
    /// Bytes; on cache lines, which vectors then do not straddle.
    values: Aligned,
    /// `[panel][width]`
    scales: Vec<f32>,
    /// −128 Σ w of each part: `[part][panel][width]`.
    shifts: Vec<i32>,
    parts: Vec<Part>,
    set: Set,
    /// Bytes of a tap of a panel.
    tap: usize,
    /// Bytes of a panel's four inputs.
    four: usize,
    taps: usize,
    panels: usize,
    width: usize,
}

impl Weights {
    /// Quantises `source`, `[outputs][inputs][taps]`, for the panels that `layout` describes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    ///
    /// # Panics
    /// When gated sums are longer than [`LONGEST`], ten times what any network has.
    pub fn new(cx: &Context, source: Source, layout: &Panels) -> Result<Self> {
        let (inputs, taps, width) = (layout.inputs, layout.taps, layout.width);
        let (panels, depth) = (layout.count(), inputs * taps);
        let longest = if layout.gated {
            assert!(inputs <= LONGEST, "gated sums of {inputs} bytes");
            inputs
        } else {
            DEPTH
        };
        let parts = parts(inputs, taps, longest);
        let four = 4 * width;
        let tap = inputs.div_ceil(4) * four;
        let mut weights = Self {
            values: Aligned::new((panels * taps * tap).div_ceil(4), WHAT)?,
            scales: memory::filled(panels * width, 0.0, WHAT)?,
            shifts: memory::filled(parts.len() * panels * width, 0, WHAT)?,
            parts,
            set: Set::of(cx.token()),
            tap,
            four,
            taps,
            panels,
            width,
        };
        let values = Shared::new(bytemuck::cast_slice_mut::<f32, i8>(weights.values.as_mut()));
        let scales = Shared::new(&mut weights.scales);
        let shifts = Shared::new(&mut weights.shifts);
        let parts = &weights.parts;
        // An output's weights, and as many bytes.
        let words = depth + depth.div_ceil(4);
        cx.tasks(panels, words, |scratch, p| {
            let (row, bytes) = scratch.split_at_mut(depth);
            let bytes = &mut bytemuck::cast_slice_mut::<f32, u8>(bytes)[..depth];
            // SAFETY: each task has its own panel.
            let (to, scales) = unsafe {
                (
                    values.part(p * taps * tap, taps * tap),
                    scales.part(p * width, width),
                )
            };
            for j in 0..width {
                let Some(output) = layout.output(p, j) else {
                    continue;
                };
                source.part(output * depth, depth).widen(row);
                let scale = quantise(cx, row, bytes);
                scales[j] = scale;
                for t in 0..taps {
                    let to = &mut to[t * tap + 4 * j..];
                    for i in 0..inputs {
                        to[i / 4 * four + i % 4] = bytes[i * taps + t].wrapping_sub(128) as i8;
                    }
                }
                for (n, part) in parts.iter().enumerate() {
                    let sum: i32 = (part.input..part.input + part.len)
                        .map(|i| bytes[i * taps + part.tap] as i32 - 128)
                        .sum();
                    // SAFETY: as above.
                    let shift = unsafe { shifts.part((n * panels + p) * width + j, 1) };
                    shift[0] = -128 * sum;
                }
            }
        })?;
        Ok(weights)
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        4 * (self.values.len() + self.scales.len() + self.shifts.len())
    }

    /// The parts that a product is made of.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The instruction set that the tiles are to use.
    pub fn set(&self) -> Set {
        self.set
    }

    /// Another set of the same path, which has the same layout.
    #[cfg(test)]
    pub fn force(&mut self, set: Set) {
        self.set = set;
    }

    /// Panel `p`'s weights of `part`.
    pub fn values(&self, p: usize, part: &Part) -> &[i8] {
        let start = (p * self.taps + part.tap) * self.tap + part.input / 4 * self.four;
        let all: &[i8] = bytemuck::cast_slice(self.values.as_slice());
        &all[start..start + part.len.div_ceil(4) * self.four]
    }

    /// Panel `p`'s scales.
    pub fn scales(&self, p: usize) -> &[f32] {
        &self.scales[p * self.width..(p + 1) * self.width]
    }

    /// What panel `p`'s sums of the part of this number start with.
    pub fn shifts(&self, p: usize, part: usize) -> &[i32] {
        let start = (part * self.panels + p) * self.width;
        &self.shifts[start..start + self.width]
    }
}

/// Each tap's inputs in equal parts, none longer than `longest`.
fn parts(inputs: usize, taps: usize, longest: usize) -> Vec<Part> {
    let count = inputs.div_ceil(longest.max(1)).max(1);
    let step = inputs
        .div_ceil(count)
        .next_multiple_of(16)
        .min(inputs)
        .max(1);
    let mut parts = Vec::new();
    for tap in 0..taps {
        for input in (0..inputs).step_by(step) {
            parts.push(Part {
                tap,
                input,
                len: step.min(inputs - input),
            });
        }
    }
    parts
}
