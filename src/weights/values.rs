//! A tensor's values, read into a buffer of their own.
#![forbid(unsafe_code)]

use super::source::Source;
use super::{Dtype, clip, damaged};
use crate::error::{Error, Result};
use crate::memory;
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// Bytes that are converted at a time: what fits the nearer caches.
const CHUNK: usize = 64 << 10;

/// A tensor's values, last dimension fastest.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Stored as F16.
    F16(Vec<f16>),
    /// Stored as F32, or as BF16 and widened, or as F64 and rounded.
    F32(Vec<f32>),
}

impl Values {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::F16(v) => v.len(),
            Self::F32(v) => v.len(),
        }
    }

    /// Whether there are none: a side of the shape is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All as `f32`, which holds every `f16`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn into_f32(self) -> Result<Vec<f32>> {
        match self {
            Self::F16(v) => {
                let mut wide = memory::filled(v.len(), 0.0, WHAT)?;
                v.convert_to_f32_slice(&mut wide);
                Ok(wide)
            }
            Self::F32(v) => Ok(v),
        }
    }
}

const WHAT: &str = "a tensor of the model";

/// Reads `count` floating-point numbers of type `dtype` at `offset`.
pub(super) fn floats(
    source: &Source,
    offset: u64,
    dtype: Dtype,
    count: usize,
    name: &str,
) -> Result<Values> {
    match dtype {
        Dtype::F16 => {
            let mut values = memory::filled(count, f16::ZERO, WHAT)?;
            let bits = values.reinterpret_cast_mut();
            source.read(offset, bytemuck::cast_slice_mut(bits))?;
            bits.iter_mut().for_each(|v| *v = u16::from_le(*v));
            Ok(Values::F16(values))
        }
        Dtype::F32 => {
            let mut values = memory::filled(count, 0.0, WHAT)?;
            source.read(offset, bytemuck::cast_slice_mut(&mut values))?;
            // Nothing at all where numbers are stored as in the file.
            let bits: &mut [u32] = bytemuck::cast_slice_mut(&mut values);
            bits.iter_mut().for_each(|v| *v = u32::from_le(*v));
            Ok(Values::F32(values))
        }
        Dtype::BF16 => {
            converted(source, offset, count, |b| bf16::from_le_bytes(b).to_f32()).map(Values::F32)
        }
        Dtype::F64 => {
            converted(source, offset, count, |b| f64::from_le_bytes(b) as f32).map(Values::F32)
        }
        _ => Err(unfit(
            source,
            name,
            dtype,
            "F16, BF16, F32 or F64; take the model in one of these",
        )),
    }
}

/// A tensor of `f16` in its file, of which any part can be read.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    source: &'a Source,
    offset: u64,
    count: usize,
}

impl<'a> Stored<'a> {
    /// `count` numbers at `offset`.
    pub(super) fn new(source: &'a Source, offset: u64, count: usize) -> Self {
        Self {
            source,
            offset,
            count,
        }
    }

    /// How many values there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Fills `into` with the values from `start` on.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Internal`] beyond the end; [`crate::ErrorKind::Model`] when the file became
    /// shorter, [`crate::ErrorKind::Io`] when reading fails.
    pub fn read(&self, start: usize, into: &mut [f16]) -> Result<()> {
        if start
            .checked_add(into.len())
            .is_none_or(|end| end > self.count)
        {
            return Err(Error::new(
                crate::error::ErrorKind::Internal,
                format!(
                    "a defect in Mend: values {start} to {start} + {} of a tensor of {}",
                    into.len(),
                    self.count
                ),
            ));
        }
        let bits = into.reinterpret_cast_mut();
        let offset = self.offset + 2 * start as u64;
        self.source.read(offset, bytemuck::cast_slice_mut(bits))?;
        bits.iter_mut().for_each(|v| *v = u16::from_le(*v));
        Ok(())
    }
}

/// Reads `count` whole numbers of type `dtype` at `offset`.
pub(super) fn integers(
    source: &Source,
    offset: u64,
    dtype: Dtype,
    count: usize,
    name: &str,
) -> Result<Vec<i64>> {
    match dtype {
        Dtype::I64 => converted(source, offset, count, i64::from_le_bytes),
        Dtype::I32 => converted(source, offset, count, |b| i32::from_le_bytes(b).into()),
        Dtype::U32 => converted(source, offset, count, |b| u32::from_le_bytes(b).into()),
        Dtype::I16 => converted(source, offset, count, |b| i16::from_le_bytes(b).into()),
        Dtype::U16 => converted(source, offset, count, |b| u16::from_le_bytes(b).into()),
        Dtype::I8 => converted(source, offset, count, |b| i8::from_le_bytes(b).into()),
        Dtype::U8 => converted(source, offset, count, |[b]: [u8; 1]| b.into()),
        _ => Err(unfit(
            source,
            name,
            dtype,
            "whole numbers; the file belongs to another model: use the one that belongs here",
        )),
    }
}

fn unfit(source: &Source, name: &str, dtype: Dtype, expected: &str) -> Error {
    damaged(
        source.name(),
        format!("tensor '{}' holds {dtype}, expected {expected}", clip(name)),
    )
}

/// Reads `count` items of `N` bytes and converts each, without holding all in both forms.
fn converted<const N: usize, T: Clone>(
    source: &Source,
    mut offset: u64,
    count: usize,
    convert: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>> {
    let mut values = memory::with_capacity(count, WHAT)?;
    let mut chunk = memory::filled(count.min(CHUNK / N) * N, 0u8, WHAT)?;
    while values.len() < count {
        let bytes = (count - values.len()).min(CHUNK / N) * N;
        source.read(offset, &mut chunk[..bytes])?;
        offset += bytes as u64;
        let (items, _) = chunk[..bytes].as_chunks::<N>();
        values.extend(items.iter().map(|item| convert(*item)));
    }
    Ok(values)
}
