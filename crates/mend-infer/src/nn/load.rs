//! From model files to kernels.
#![forbid(unsafe_code)]

use crate::error::{Error, Result};
use crate::kernels::{Context, Conv2d, ConvShape, Linear, Precision, Source, Stored};
use crate::memory;
use crate::weights::{self, Scope, Values};
use half::f16;
use rayon::prelude::*;

/// A tensor as kernels take it.
pub(super) fn source(values: &Values) -> Source<'_> {
    match values {
        Values::F16(v) => Source::F16(v),
        Values::F32(v) => Source::F32(v),
    }
}

/// A vector in single precision: a bias, a norm's factors.
pub(super) fn vector(scope: &Scope, name: &str, len: usize) -> Result<Vec<f32>> {
    scope.get(name, &[len])?.into_f32()
}

/// Tensors one behind another: rows of matrices that are multiplied by the same input.
fn stacked(parts: Vec<Values>) -> Result<Values> {
    const WHAT: &str = "a network's weights";
    let len = parts.iter().map(Values::len).sum();
    if parts.iter().all(|p| matches!(p, Values::F16(_))) {
        let mut all = memory::with_capacity(len, WHAT)?;
        for part in parts {
            if let Values::F16(v) = part {
                all.extend_from_slice(&v);
            }
        }
        return Ok(Values::F16(all));
    }
    let mut all = memory::with_capacity(len, WHAT)?;
    for part in parts {
        all.extend_from_slice(&part.into_f32()?);
    }
    Ok(Values::F32(all))
}

/// The matrix of a layer: to be read as it is laid out where that can be, else read.
pub(super) enum Weight<'a> {
    Stored(Parts<'a>),
    Whole(Values),
}

impl<'a> Weight<'a> {
    /// The tensors `weight` of `scopes`, each of `shape`, one behind another; to be packed for
    /// `precision`, of which eight bits need all values at once.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn open(precision: Precision, scopes: &[&Scope<'a>], shape: &[usize]) -> Result<Self> {
        if precision == Precision::Full {
            let parts = scopes.iter().map(|scope| scope.stored("weight", shape));
            let parts: Option<Vec<_>> = parts.collect::<Result<_>>()?;
            if let Some(parts) = parts {
                return Ok(Self::Stored(Parts(parts)));
            }
        }
        let mut whole = scopes.iter().map(|scope| scope.get("weight", shape));
        match (whole.next(), whole.len()) {
            (Some(one), 0) => one.map(Self::Whole),
            (first, _) => {
                let all = first.into_iter().chain(whole).collect::<Result<_>>()?;
                stacked(all).map(Self::Whole)
            }
        }
    }

    /// A layer of it, [`Linear::gated`] where `gated`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`], and what stops the reading, here and below.
    pub fn linear(
        &self,
        cx: &Context,
        precision: Precision,
        bias: Option<&[f32]>,
        (outputs, inputs): (usize, usize),
        gated: bool,
    ) -> Result<Linear> {
        match self {
            Self::Stored(parts) => Linear::stored(cx, parts, bias, outputs, inputs, gated),
            Self::Whole(v) if gated => {
                Linear::gated_with_precision(cx, precision, source(v), bias, outputs, inputs)
            }
            Self::Whole(v) => {
                Linear::with_precision(cx, precision, source(v), bias, outputs, inputs)
            }
        }
    }

    /// A convolution with it, of one group where it is read in parts.
    pub fn conv(&self, cx: &Context, bias: Option<&[f32]>, shape: ConvShape) -> Result<Conv2d> {
        match self {
            Self::Stored(parts) => Conv2d::stored(cx, parts, bias, shape),
            Self::Whole(v) => Conv2d::new(cx, source(v), bias, shape),
        }
    }
}

/// Tensors that stay in their file until kernels lay them out, one behind another.
pub(super) struct Parts<'a>(Vec<weights::Stored<'a>>);

impl Stored for Parts<'_> {
    fn count(&self) -> usize {
        self.0.iter().map(weights::Stored::count).sum()
    }

    fn read(&self, mut start: usize, mut into: &mut [f16]) -> Result<()> {
        for part in &self.0 {
            let count = part.count();
            if start < count {
                let (own, rest) = into.split_at_mut((count - start).min(into.len()));
                part.read(start, own)?;
                into = rest;
            }
            start = start.saturating_sub(count);
        }
        Ok(())
    }
}

/// `make(i)` for each `i < count`, in order; on all threads of the caller's own pool, so that one
/// layer's tensors are read while another's are laid out.
///
/// # Errors
/// The first by number that `make` returned.
pub fn each<T: Send>(
    cx: &Context,
    count: usize,
    make: impl Fn(usize) -> Result<T> + Sync + Send,
) -> Result<Vec<T>> {
    if cx.threads() == 1 {
        return (0..count).map(make).collect();
    }
    let made: Vec<Result<T>> = (0..count)
        .into_par_iter()
        .with_max_len(1)
        .map(make)
        .collect();
    made.into_iter().collect()
}

/// `a` and `b`, at the same time where the caller's pool has threads.
///
/// # Errors
/// What `a` or, else, `b` returned.
pub fn pair<A: Send, B: Send>(
    cx: &Context,
    a: impl FnOnce() -> Result<A, Error> + Send,
    b: impl FnOnce() -> Result<B, Error> + Send,
) -> Result<(A, B)> {
    let (a, b) = if cx.threads() == 1 {
        (a(), b())
    } else {
        rayon::join(a, b)
    };
    Ok((a?, b?))
}
