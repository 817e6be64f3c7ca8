//! Adding LoRAs to a tensor when it is read.
#![forbid(unsafe_code)]

use super::Lora;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::{Context, Epilogue, Linear, Path, Precision, Source};
use crate::memory;
use crate::weights::{Change, Values, clip};
use half::slice::HalfFloatSliceExt;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Values of a tensor that are worked on at a time, in single precision.
const BLOCK: usize = 1 << 20;
const WHAT: &str = "a LoRA's addition";

/// A layer's change in one LoRA.
#[derive(Clone, Debug)]
pub(super) struct Factors {
    /// The names of A, `[rank, inputs …]`, and B, `[outputs, rank]`.
    pub down: String,
    pub up: String,
    pub rank: usize,
    /// What `B A` is multiplied by.
    pub scale: f64,
}

/// All changes of a network, by the model's tensors.
#[derive(Default)]
pub(super) struct Merge(BTreeMap<String, Vec<(Arc<Lora>, Factors)>>);

impl fmt::Debug for Merge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "changes to {} tensors", self.0.len())
    }
}

impl Merge {
    /// Another change to `tensor` of `shape`.
    pub fn add(
        &mut self,
        tensor: &str,
        shape: &[usize],
        lora: &Arc<Lora>,
        factors: Factors,
    ) -> Result<()> {
        let of = |name: &str| lora.weights.shape(name).unwrap_or(&[]);
        let (down, up) = (of(&factors.down), of(&factors.up));
        let sides = |s: &[usize]| s.get(1..).unwrap_or(&[]).to_vec();
        let count = |s: &[usize]| sides(s).into_iter().fold(1, usize::saturating_mul);
        let fits = factors.rank > 0
            && up.first() == shape.first()
            && count(up) == factors.rank
            && count(down) == count(shape);
        if !fits {
            return Err(Error::new(
                ErrorKind::Model,
                format!(
                    "{}: '{}' and its other half have shapes {down:?} and {up:?}, and the model's \
                     '{tensor}' has {shape:?}; the LoRA is for another model: take one for this",
                    lora.weights.name(),
                    clip(&factors.down),
                ),
            ));
        }
        let all = self.0.entry(tensor.to_owned()).or_default();
        all.push((lora.clone(), factors));
        Ok(())
    }
}

impl Change for Merge {
    fn apply(&self, name: &str, shape: &[usize], values: Values) -> Result<Values> {
        let Some(all) = self.0.get(name).filter(|_| !values.is_empty()) else {
            return Ok(values);
        };
        let rows = shape.first().copied().unwrap_or(0);
        let columns = values.len() / rows.max(1);
        let product = Product::new(all, rows, columns)?;
        match values {
            Values::F32(mut v) => {
                let mut sums = memory::filled(v.len().min(product.block()), 0f32, WHAT)?;
                for (i, part) in v.chunks_mut(product.block()).enumerate() {
                    let sums = &mut sums[..part.len()];
                    product.rows(i, part, sums)?;
                    part.copy_from_slice(sums);
                }
                Ok(Values::F32(v))
            }
            Values::F16(mut v) => {
                let block = v.len().min(product.block());
                let mut wide = memory::filled(block, 0f32, WHAT)?;
                let mut sums = memory::filled(block, 0f32, WHAT)?;
                for (i, part) in v.chunks_mut(product.block()).enumerate() {
                    let (wide, sums) = (&mut wide[..part.len()], &mut sums[..part.len()]);
                    part.convert_to_f32_slice(wide);
                    product.rows(i, wide, sums)?;
                    part.convert_from_f32_slice(sums);
                }
                Ok(Values::F16(v))
            }
        }
    }
}

/// The changes of all LoRAs to one tensor as one product: their ranks stand side by side.
struct Product {
    cx: Context,
    /// A of all, transposed: from ranks to the tensor's columns.
    down: Linear,
    /// B of all, scaled: `[rows, ranks]`.
    up: Vec<f32>,
    ranks: usize,
    columns: usize,
}

impl Product {
    fn new(all: &[(Arc<Lora>, Factors)], rows: usize, columns: usize) -> Result<Self> {
        let cx = Context::new(Path::chosen());
        let ranks: usize = all.iter().map(|(_, f)| f.rank).sum();
        let mut turned = memory::filled(columns * ranks, 0f32, WHAT)?;
        let mut up = memory::filled(rows * ranks, 0f32, WHAT)?;
        let mut from = 0;
        for (lora, factors) in all {
            let get = |name: &str| {
                let shape = lora.weights.shape(name).unwrap_or(&[]).to_vec();
                lora.weights.root().get(name, &shape)?.into_f32()
            };
            let (a, b) = (get(&factors.down)?, get(&factors.up)?);
            for (r, row) in a.chunks_exact(columns.max(1)).enumerate() {
                let to = turned.iter_mut().skip(from + r).step_by(ranks);
                to.zip(row).for_each(|(to, a)| *to = *a);
            }
            let scale = factors.scale as f32;
            let to = up.chunks_exact_mut(ranks);
            for (to, b) in to.zip(b.chunks_exact(factors.rank)) {
                let to = to[from..].iter_mut();
                to.zip(b).for_each(|(to, b)| *to = scale * b);
            }
            from += factors.rank;
        }
        let full = Precision::Full;
        let weight = Source::F32(&turned);
        let down = Linear::with_precision(&cx, full, weight, None, columns, ranks)?;
        Ok(Self {
            cx,
            down,
            up,
            ranks,
            columns,
        })
    }

    /// Values of a block of whole rows.
    fn block(&self) -> usize {
        (BLOCK / self.columns.max(1)).max(1) * self.columns.max(1)
    }

    /// The `i`th block's sums with what the tensor has there.
    fn rows(&self, i: usize, tensor: &[f32], sums: &mut [f32]) -> Result<()> {
        let count = tensor.len() / self.columns.max(1);
        let first = i * (self.block() / self.columns.max(1));
        let up = &self.up[first * self.ranks..][..count * self.ranks];
        let add = Epilogue {
            add_after: Some(tensor),
            ..Epilogue::default()
        };
        self.down.forward(&self.cx, up, &add, sums)
    }
}
