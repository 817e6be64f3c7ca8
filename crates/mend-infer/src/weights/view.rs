//! Tensors under other names: a file that keeps a network's weights in its own way, shown as the
//! network asks for them. Nothing is read or copied.
#![forbid(unsafe_code)]

use super::{Weights, clip, damaged};
use crate::error::Result;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

/// Where in the file's own names a view's tensor is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The tensor's own name.
    pub of: String,
    /// The shape that it is shown in.
    pub shape: Vec<usize>,
    /// Rows of its first dimension that come before.
    pub first: usize,
}

/// A part, measured.
#[derive(Debug)]
pub(super) struct Place {
    pub shape: Vec<usize>,
    /// Bytes of the tensor that come before.
    pub skip: u64,
}

impl Weights {
    /// The same files, with tensors of other names: each is a part of one that is there. Of several
    /// of the same name the last counts.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Model`] when there is no such tensor or it is too small for the part.
    pub fn view(&self, parts: impl IntoIterator<Item = (String, Part)>) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        for (name, part) in parts {
            let place = self.place(&part)?;
            tensors.insert(name.into(), place);
        }
        Ok(Self {
            name: self.name.clone(),
            shards: self.shards.clone(),
            tensors,
            change: self.change.clone(),
        })
    }

    /// These tensors and those of `other`, which count where both have one of a name. What [`Self::changed`]
    /// does to these is done to all.
    pub fn joined(mut self, other: Self) -> Self {
        let before = self.shards.len();
        self.shards.extend(other.shards);
        for (name, place) in other.tensors {
            let shard = place.shard + before;
            self.tensors.insert(name, super::Place { shard, ..place });
        }
        self
    }

    fn place(&self, part: &Part) -> Result<super::Place> {
        let (Some(place), Some(entry)) = (self.tensors.get(part.of.as_str()), self.entry(&part.of))
        else {
            return Err(self.lacks(&part.of));
        };
        // Of nothing but zeros a shape may be beyond all numbers.
        let many = |sides: &[usize]| {
            sides
                .iter()
                .fold(1u64, |n, side| n.saturating_mul(*side as u64))
        };
        let row = |shape: &[usize]| many(shape.get(1..).unwrap_or(&[]));
        let count = |shape: &[usize]| if shape.contains(&0) { 0 } else { many(shape) };
        let before = row(entry.shape).checked_mul(part.first as u64);
        let end = before.and_then(|n| n.checked_add(count(&part.shape)));
        let bits = before.and_then(|n| n.checked_mul(entry.dtype.bitsize() as u64));
        match (bits, end) {
            (Some(bits), Some(end)) if bits % 8 == 0 && end <= count(entry.shape) => {
                let inside = place.part.as_ref().map_or(0, |p| p.skip);
                Ok(super::Place {
                    shard: place.shard,
                    tensor: place.tensor,
                    part: Some(Place {
                        shape: part.shape.clone(),
                        skip: inside + bits / 8,
                    }),
                    asked: AtomicBool::new(false),
                })
            }
            _ => Err(damaged(
                &self.name,
                format!(
                    "tensor '{}' has shape {:?}, expected {:?} from row {} on in it; the file \
                     belongs to another model: use the one that belongs here",
                    clip(&part.of),
                    entry.shape,
                    part.shape,
                    part.first
                ),
            )),
        }
    }
}
