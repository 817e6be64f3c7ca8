//! From model files to kernels.
#![forbid(unsafe_code)]

use crate::error::{Error, Result};
use crate::kernels::{Context, Source};
use crate::memory;
use crate::weights::{Scope, Values};
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
pub(super) fn stacked(parts: Vec<Values>) -> Result<Values> {
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
