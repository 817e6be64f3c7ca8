//! Which Mend this is.

use super::shield::shield;
use std::ffi::{CStr, c_char};

/// The version of this interface. It changes only when a program compiled against an older header
/// could misbehave with a newer library; the shared library's file name carries it
/// (`libmend.so.1`). New functions, status codes and parameters do not change it.
pub const MEND_ABI_VERSION: u32 = 1;

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(v) => v,
        Err(_) => c"unknown",
    };

/// The MEND_ABI_VERSION that the library was built with. A program that loads the library at run
/// time compares it with its header's before it calls anything else.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn mend_abi_version() -> u32 {
    shield(0, || MEND_ABI_VERSION)
}

/// The library's own version, such as "0.1.0", in UTF-8.
///
/// The string belongs to the library and lives as long as it; it is never NULL. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn mend_version() -> *const c_char {
    shield(VERSION, || VERSION).as_ptr()
}
