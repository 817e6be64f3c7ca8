//! A tensor's values, read into a buffer of their own.
#![forbid(unsafe_code)]

use super::source::Source;
use super::{Dtype, Entry, Lie, clip, damaged};
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

    /// Whether none is NaN or infinite. One such weight makes a picture of nothing.
    pub fn are_finite(&self) -> bool {
        match self {
            Self::F16(v) => finite_halves(v.reinterpret_cast()),
            // Once through all vectorises where the first would be an end.
            Self::F32(v) => v.iter().fold(true, |all, v| all & v.is_finite()),
        }
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

/// Whether none of these bits of `f16` is NaN or infinite.
fn finite_halves(bits: &[u16]) -> bool {
    const EXPONENT: u16 = 0x7c00;
    bits.iter()
        .fold(true, |all, b| all & (b & EXPONENT != EXPONENT))
}

/// A weight is NaN or infinite.
pub(super) fn no_numbers(file: &str, tensor: Option<&str>) -> Error {
    let at = tensor.map_or(String::new(), |name| format!("tensor '{}' of ", clip(name)));
    damaged(
        file,
        format!("{at}the model holds values that are no numbers: it is damaged, get it again"),
    )
}

/// Reads a tensor of floating-point numbers, which is called `name` in messages.
pub(super) fn floats(entry: &Entry<'_>, name: &str) -> Result<Values> {
    let count = entry.shape.iter().product();
    let Some(lie) = &entry.strided else {
        return run(entry, count, name);
    };
    match run(entry, lie.strided.span, name)? {
        Values::F16(v) => lie.gather(&v, count).map(Values::F16),
        Values::F32(v) => lie.gather(&v, count).map(Values::F32),
    }
}

/// Reads `count` floating-point numbers that lie one behind another.
fn run(entry: &Entry<'_>, count: usize, name: &str) -> Result<Values> {
    let Entry {
        source,
        offset,
        dtype,
        ..
    } = *entry;
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
    /// [`crate::ErrorKind::Internal`] beyond the end; [`crate::ErrorKind::Model`] for a value that is NaN
    /// or infinite and when the file became shorter, [`crate::ErrorKind::Io`] when reading fails.
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
        match finite_halves(bits) {
            true => Ok(()),
            false => Err(no_numbers(self.source.name(), None)),
        }
    }
}

impl Lie<'_> {
    /// `count` numbers of the tensor, last dimension fastest, of those from its first to its last.
    fn gather<T: Copy>(&self, from: &[T], count: usize) -> Result<Vec<T>> {
        let mut values = memory::with_capacity(count, WHAT)?;
        let shape = self.shape;
        // The place of the first of them along each dimension, and where it lies.
        let (mut place, mut rest) = (vec![0; shape.len()], self.skip);
        for (at, side) in place.iter_mut().zip(shape).rev() {
            *at = rest % (*side).max(1);
            rest /= (*side).max(1);
        }
        let strides = &self.strided.strides;
        let mut at: usize = place
            .iter()
            .zip(strides)
            .map(|(i, stride)| i * stride)
            .sum();
        while values.len() < count {
            let Some(value) = from.get(at) else {
                break;
            };
            values.push(*value);
            for d in (0..shape.len()).rev() {
                place[d] += 1;
                at += strides[d];
                if place[d] < shape[d] {
                    break;
                }
                at -= strides[d] * shape[d];
                place[d] = 0;
            }
        }
        Ok(values)
    }
}

/// Reads a tensor of whole numbers.
pub(super) fn integers(entry: &Entry<'_>, name: &str) -> Result<Vec<i64>> {
    let count = entry.shape.iter().product();
    match &entry.strided {
        None => run_of_integers(entry, count, name),
        Some(lie) => lie.gather(&run_of_integers(entry, lie.strided.span, name)?, count),
    }
}

/// Reads `count` whole numbers that lie one behind another.
fn run_of_integers(entry: &Entry<'_>, count: usize, name: &str) -> Result<Vec<i64>> {
    let Entry {
        source,
        offset,
        dtype,
        ..
    } = *entry;
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
