//! Tensors under a prefix: what one module of a network sees.
#![forbid(unsafe_code)]

use super::values::no_numbers;
use super::{Dtype, Stored, Values, Weights, clip, damaged, values};
use crate::error::Result;
use std::fmt::Display;

/// The tensors of one module: names are relative to its prefix, `attn1.to_q.weight` and not
/// `down_blocks.0.attentions.1.….attn1.to_q.weight`. Cheap to make and to clone.
#[derive(Clone, Debug)]
pub struct Scope<'a> {
    weights: &'a Weights,
    prefix: String,
}

impl<'a> Scope<'a> {
    pub(super) fn new(weights: &'a Weights) -> Self {
        Self {
            weights,
            prefix: String::new(),
        }
    }

    /// The scope of the submodule `name`, which may be a number or hold dots.
    pub fn pp(&self, name: impl Display) -> Self {
        Self {
            weights: self.weights,
            prefix: self.join(name),
        }
    }

    /// The full name of a tensor here; of `""`, the prefix.
    pub fn path(&self, name: &str) -> String {
        if name.is_empty() {
            self.prefix.clone()
        } else {
            self.join(name)
        }
    }

    fn join(&self, name: impl Display) -> String {
        if self.prefix.is_empty() {
            name.to_string()
        } else {
            format!("{}.{name}", self.prefix)
        }
    }

    /// The file or files behind it.
    pub fn weights(&self) -> &'a Weights {
        self.weights
    }

    /// Whether there is such a tensor here. It does not count as used.
    pub fn has(&self, name: &str) -> bool {
        self.weights.contains(&self.path(name))
    }

    /// A tensor's shape, outermost dimension first. It does not count as used.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.weights.shape(&self.path(name)).map(<[usize]>::to_vec)
    }

    /// What a tensor's values are stored as.
    pub fn dtype(&self, name: &str) -> Option<Dtype> {
        self.weights.dtype(&self.path(name))
    }

    /// Reads the tensor `name`, which must have `shape`; its values, last dimension fastest. They are
    /// as stored, or as [`Weights::changed`] has them.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Model`] when it is not there, has another shape, holds no floating-point
    /// numbers of 16, 32 or 64 bits or one that is NaN or infinite, or when the file became shorter; [`crate::ErrorKind::Io`] when
    /// reading fails; [`crate::ErrorKind::Memory`].
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Values> {
        let name = self.path(name);
        let entry = self.weights.demand(&name, shape)?;
        let values = values::floats(&entry, &name)?;
        if !values.are_finite() {
            return Err(no_numbers(self.weights.name(), Some(&name)));
        }
        match &self.weights.change {
            Some(change) => change.apply(&name, shape, values),
            None => Ok(values),
        }
    }

    /// The tensor `name`, which must have `shape`, to be read part by part, where it can be: where its
    /// values are of 16 bits and used as they are stored.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Model`] when it is not there or has another shape.
    pub fn stored(&self, name: &str, shape: &[usize]) -> Result<Option<Stored<'a>>> {
        let name = self.path(name);
        let entry = self.weights.demand(&name, shape)?;
        let as_it_is = self.weights.in_parts(&name);
        Ok(as_it_is.then(|| Stored::new(entry.source, entry.offset, shape.iter().product())))
    }

    /// Reads a tensor of whole numbers, of 8 to 64 bits.
    ///
    /// # Errors
    /// As [`Scope::get`], for tensors of other types.
    pub fn integers(&self, name: &str, shape: &[usize]) -> Result<Vec<i64>> {
        let name = self.path(name);
        let entry = self.weights.demand(&name, shape)?;
        values::integers(&entry, &name)
    }

    /// Reads a tensor of one number of any type.
    ///
    /// # Errors
    /// As [`Scope::get`]; [`crate::ErrorKind::Model`] where it has several or one that is not finite.
    pub fn number(&self, name: &str) -> Result<f64> {
        let shape = self.shape(name).unwrap_or_default();
        let one = shape.iter().all(|side| *side == 1);
        let value = match self.dtype(name) {
            Some(Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64) if one => {
                let value = self.get(name, &shape)?.into_f32()?;
                value.first().map(|v| f64::from(*v))
            }
            Some(_) if one => self.integers(name, &shape)?.first().map(|v| *v as f64),
            Some(_) => None,
            None => return Err(self.weights.lacks(&self.path(name))),
        };
        value.filter(|v| v.is_finite()).ok_or_else(|| {
            let what = format!(
                "tensor '{}' is not a single finite number",
                clip(&self.path(name))
            );
            damaged(self.weights.name(), what)
        })
    }
}
