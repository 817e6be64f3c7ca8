//! Buffers whose size comes from input: running out of memory is an error, not an abort of the host.
#![forbid(unsafe_code)]

use crate::error::{Error, ErrorKind, Result};

/// A vector of `len` copies of `value`, or [`ErrorKind::Memory`] naming `what` was to be held.
pub fn filled<T: Clone>(len: usize, value: T, what: &str) -> Result<Vec<T>> {
    let mut v = with_capacity(len, what)?;
    v.resize(len, value);
    Ok(v)
}

/// An empty vector with room for `len` items, or [`ErrorKind::Memory`] naming `what` was to be held.
pub fn with_capacity<T>(len: usize, what: &str) -> Result<Vec<T>> {
    let mut v = Vec::new();
    v.try_reserve_exact(len).map_err(|_| {
        let mib = (len as f64 * size_of::<T>() as f64) / (1024.0 * 1024.0);
        Error::new(
            ErrorKind::Memory,
            format!(
                "out of memory: {mib:.0} MiB for {what} could not be had; close other programs, \
                 select a smaller region or lower the context"
            ),
        )
    })?;
    Ok(v)
}

/// Appends `item`, or [`ErrorKind::Memory`] naming `what` was to be held.
pub fn push<T>(v: &mut Vec<T>, item: T, what: &str) -> Result<()> {
    if v.len() == v.capacity() {
        v.try_reserve(1).map_err(|_| {
            let mib = (v.len() as f64 * size_of::<T>() as f64) / (1024.0 * 1024.0);
            Error::new(
                ErrorKind::Memory,
                format!(
                    "out of memory: more than {mib:.0} MiB for {what} could not be had; close \
                     other programs or select a smaller region"
                ),
            )
        })?;
    }
    v.push(item);
    Ok(())
}
