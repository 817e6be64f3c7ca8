//! Errors as C sees them.

use super::handle::free;
use super::shield::shield;
use super::status::{MEND_ERR_INTERNAL, MEND_ERR_NULL, mend_status, status_of};
use super::text::lossless;
use crate::error::Error;
use std::ffi::{CString, c_char};

/// Why a call failed: a status and a message for people. Where a function takes 'err', a failure
/// stores a new error in *err, which the caller frees with mend_error_free; what *err held before
/// is overwritten, not freed. On success *err is left alone. NULL for 'err' asks for no error.
pub struct mend_error {
    status: mend_status,
    message: CString,
}

impl mend_error {
    pub(super) fn new(error: &Error) -> Self {
        Self {
            status: status_of(error.kind()),
            message: lossless(error.message().to_owned()),
        }
    }

    pub(super) fn status(&self) -> mend_status {
        self.status
    }
}

/// The error's status: what the call that failed returned. MEND_ERR_NULL for NULL.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_error_status(error: *const mend_error) -> mend_status {
    // SAFETY: null or a live error.
    shield(MEND_ERR_INTERNAL, || {
        unsafe { error.as_ref() }.map_or(MEND_ERR_NULL, |e| e.status)
    })
}

/// The error's message for people: one or two sentences in UTF-8 that name the parameter or file,
/// what is wrong with it, and what to do.
///
/// The string belongs to the error and lives as long as it. It is never NULL; for a NULL error it
/// is empty. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_error_message(error: *const mend_error) -> *const c_char {
    // SAFETY: null or a live error.
    shield(c"", || {
        unsafe { error.as_ref() }.map_or(c"", |e| &e.message)
    })
    .as_ptr()
}

/// Frees an error and its message. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_error_free(error: *mut mend_error) {
    // SAFETY: null or an error that was not freed.
    shield((), || unsafe { free(error) })
}
