//! Status codes.

use crate::error::ErrorKind;

/// The result of a call: MEND_OK or one of MEND_ERR_*. The values never change; later versions may
/// add some, so treat an unknown one as a failure.
pub type mend_status = i32;

/// The call did what it says.
pub const MEND_OK: mend_status = 0;
/// A pointer that must not be NULL was NULL; the message names the parameter.
pub const MEND_ERR_NULL: mend_status = 1;
/// An argument is malformed, such as a string that is not UTF-8.
pub const MEND_ERR_ARGUMENT: mend_status = 2;
/// An image cannot be used because of its size, stride, length, format or NaN pixels, or because a
/// destination does not match its source.
pub const MEND_ERR_IMAGE: mend_status = 3;
/// A mask cannot be used: its size is not that of the image, its format is not one for masks, or it
/// leaves nothing to fill from.
pub const MEND_ERR_MASK: mend_status = 4;
/// A parameter or option is unknown, or its value is not accepted.
pub const MEND_ERR_PARAMETER: mend_status = 5;
/// The engine is unknown or cannot run here.
pub const MEND_ERR_ENGINE: mend_status = 6;
/// A model file is missing, damaged or of another kind.
pub const MEND_ERR_MODEL: mend_status = 7;
/// The system did not provide the memory.
pub const MEND_ERR_MEMORY: mend_status = 8;
/// The option "max-memory" is too small for this request.
pub const MEND_ERR_BUDGET: mend_status = 9;
/// The caller cancelled, through the progress callback or a mend_cancel.
pub const MEND_ERR_CANCELLED: mend_status = 10;
/// A file could not be read or written.
pub const MEND_ERR_IO: mend_status = 11;
/// The request is valid, but this build cannot serve it.
pub const MEND_ERR_UNSUPPORTED: mend_status = 12;
/// A defect in Mend. The library remains usable; please report the message.
pub const MEND_ERR_INTERNAL: mend_status = 13;

/// The status of an error's kind, which is its number; a test holds every kind to it.
pub(super) const fn status_of(kind: ErrorKind) -> mend_status {
    kind as mend_status
}
