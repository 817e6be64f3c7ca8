//! `mend_cancel` and its methods.

use super::error::mend_error;
use super::guard::{Give, guard, guard_out};
use super::handle::{free, shared};
use super::shield::shield;
use super::status::mend_status;
use crate::progress::Cancel;

/// A flag that any thread may raise to stop a running fill, or to have it end early with what it has come
/// to, such as the thread of a dialog's button.
/// It stays raised: make a new one for the next fill.
pub struct mend_cancel(pub(super) Cancel);

impl Give for mend_cancel {
    type Out = Self;
    fn give(self) -> *mut Self {
        Box::into_raw(Box::new(self))
    }
}

/// Makes a flag that is not raised.
///
/// *out receives it; free it with mend_cancel_free. On failure *out is NULL. 'err' may be NULL. Any
/// thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_cancel_new(
    out: *mut *mut mend_cancel,
    err: *mut *mut mend_error,
) -> mend_status {
    // SAFETY: both are null or may be written.
    unsafe { guard_out(out, Some("out"), err, || Ok(mend_cancel(Cancel::new()))) }
}

/// Raises the flag: running and later calls that were given it end with MEND_ERR_CANCELLED; running
/// ones end within about a tenth of a second. Raising it again does nothing.
///
/// Any thread, at any time between mend_cancel_new and mend_cancel_free. MEND_ERR_NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_cancel_trigger(cancel: *const mend_cancel) -> mend_status {
    // SAFETY: null or a live flag.
    unsafe {
        guard(std::ptr::null_mut(), || {
            shared(cancel, "cancel").map(|c| c.0.cancel())
        })
    }
}

/// Asks running and later calls that were given the flag to end soon with what they have, as MEND_OK:
/// engines that work in steps give the picture of the latest one, and where no step was done yet an
/// engine that needs no model fills. The report's notes say so. Other engines take no notice.
///
/// It cannot be taken back; mend_cancel_trigger still stops everything. Any thread, at any time between
/// mend_cancel_new and mend_cancel_free. MEND_ERR_NULL for NULL. Since version 1.4 of the C interface.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_cancel_finish(cancel: *const mend_cancel) -> mend_status {
    // SAFETY: null or a live flag.
    unsafe {
        guard(std::ptr::null_mut(), || {
            shared(cancel, "cancel").map(|c| c.0.finish())
        })
    }
}

/// Frees a flag. NULL does nothing. No call may be using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_cancel_free(cancel: *mut mend_cancel) {
    // SAFETY: null or a flag that was not freed.
    shield((), || unsafe { free(cancel) })
}
