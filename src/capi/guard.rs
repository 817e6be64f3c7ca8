//! The wall between Rust and C: results become status codes and values behind pointers.

use super::error::mend_error;
use super::handle::null;
use super::shield::catch;
use super::status::{MEND_OK, mend_status};
use super::text::lossless;
use crate::error::Result;
use std::ffi::c_char;

/// Runs `body`. A failure or a panic becomes a status, and an error in `*err` where that is asked
/// for; success leaves `*err` alone.
///
/// # Safety
/// `err` is null or may be written.
pub(super) unsafe fn guard(
    err: *mut *mut mend_error,
    body: impl FnOnce() -> Result<()>,
) -> mend_status {
    let Err(error) = catch(body).unwrap_or_else(Err) else {
        return MEND_OK;
    };
    let error = mend_error::new(&error);
    let status = error.status();
    if !err.is_null() {
        // SAFETY: not null, so it may be written.
        unsafe { err.write(Box::into_raw(Box::new(error))) };
    }
    status
}

/// What a function gives back by an `out` pointer.
pub(super) trait Give {
    /// What the pointer points to.
    type Out;
    /// Hands the value over to C.
    fn give(self) -> *mut Self::Out;
}

impl Give for String {
    type Out = c_char;
    /// C gives it back to [`super::mend_string_free`].
    fn give(self) -> *mut c_char {
        lossless(self).into_raw()
    }
}

/// Empties what a function gives back beside its `*out`, so that C may free it without a look at the
/// status.
///
/// # Safety
/// `more` is null or may be written.
pub(super) unsafe fn emptied<T>(more: *mut *mut T) -> *mut *mut T {
    if !more.is_null() {
        // SAFETY: not null, so it may be written.
        unsafe { more.write(std::ptr::null_mut()) };
    }
    more
}

/// As [`guard`], for functions that give something back by `*out`: what `body` made, or null
/// whatever goes wrong, so that C may free it without a look at the status. `name` is what C calls
/// `out` where it must not be null, `None` where it may.
///
/// # Safety
/// `out` and `err` are null or may be written.
pub(super) unsafe fn guard_out<V: Give>(
    out: *mut *mut V::Out,
    name: Option<&str>,
    err: *mut *mut mend_error,
    body: impl FnOnce() -> Result<V>,
) -> mend_status {
    if !out.is_null() {
        // SAFETY: not null, so it may be written.
        unsafe { out.write(std::ptr::null_mut()) };
    }
    let body = || match name {
        Some(name) if out.is_null() => Err(null(name)),
        _ => {
            let made = body()?;
            if !out.is_null() {
                // SAFETY: not null, so it may be written.
                unsafe { out.write(made.give()) };
            }
            Ok(())
        }
    };
    // SAFETY: as this function's.
    unsafe { guard(err, body) }
}
