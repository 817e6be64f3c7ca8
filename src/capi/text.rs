//! Strings between C and Rust.

use super::handle::null;
use super::shield::shield;
use crate::error::{Error, ErrorKind, Result};
use std::ffi::{CStr, CString, c_char};

/// A string from C.
///
/// # Safety
/// `pointer` is null or points to bytes that end in a NUL and that nobody writes during `'a`.
pub(super) unsafe fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str> {
    if pointer.is_null() {
        return Err(null(name));
    }
    // SAFETY: not null, and it ends in a NUL.
    unsafe { CStr::from_ptr(pointer) }.to_str().map_err(|e| {
        Error::new(
            ErrorKind::Argument,
            format!(
                "'{name}' is not UTF-8: byte {} is wrong; convert it to UTF-8 first",
                e.valid_up_to()
            ),
        )
    })
}

/// A C string of `text`; NUL bytes, which C would take for its end, become U+FFFD.
pub(super) fn lossless(text: String) -> CString {
    CString::new(text).unwrap_or_else(|e| {
        let text = String::from_utf8_lossy(&e.into_vec()).replace('\0', "\u{fffd}");
        CString::new(text).unwrap_or_default()
    })
}

/// Frees a string that mend_describe, mend_plan, mend_inpaint, mend_inpaint_variations or a function of
/// the models gave. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_string_free(string: *mut c_char) {
    // SAFETY: null or a string from [`lossless`] that was not freed.
    shield((), || unsafe { free_string(string) })
}

/// # Safety
/// `string` is null or came from [`lossless`] and was not freed.
unsafe fn free_string(string: *mut c_char) {
    if !string.is_null() {
        // SAFETY: it came from `CString::into_raw`, once.
        drop(unsafe { CString::from_raw(string) });
    }
}
