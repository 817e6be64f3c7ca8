//! Handles: boxes that C holds.

use crate::error::{Error, ErrorKind, Result};

/// The value behind a handle, to read.
///
/// # Safety
/// `pointer` is null or points to a live `T` that nobody writes during `'a`.
pub(super) unsafe fn shared<'a, T>(pointer: *const T, name: &str) -> Result<&'a T> {
    // SAFETY: as this function's.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// The value behind a handle, to write.
///
/// # Safety
/// `pointer` is null or points to a live `T` that nobody else uses during `'a`.
pub(super) unsafe fn exclusive<'a, T>(pointer: *mut T, name: &str) -> Result<&'a mut T> {
    // SAFETY: as this function's.
    unsafe { pointer.as_mut() }.ok_or_else(|| null(name))
}

/// Takes a handle back from C and drops its value; null does nothing.
///
/// # Safety
/// `pointer` is null or came from `Box::into_raw` and was not freed, and nobody uses it any more.
pub(super) unsafe fn free<T>(pointer: *mut T) {
    if !pointer.is_null() {
        // SAFETY: it came from `Box::into_raw`, once.
        drop(unsafe { Box::from_raw(pointer) });
    }
}

/// The error for a null pointer.
pub(super) fn null(name: &str) -> Error {
    Error::new(
        ErrorKind::Null,
        format!("'{name}' is NULL: it must point to something"),
    )
}
