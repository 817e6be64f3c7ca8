//! The pictures that a UNet's way up comes back to.
#![forbid(unsafe_code)]

use crate::error::{Error, ErrorKind, Result};
use crate::nn::{Act, Tensor};

/// The last of them.
///
/// # Errors
/// [`ErrorKind::Internal`] where there is none, here and below.
pub fn last(skips: &[Act]) -> Result<&Tensor> {
    match skips.last() {
        Some(act) => Ok(act),
        None => Err(no_skip()),
    }
}

/// The last of them, which nobody comes back to again.
pub fn take(skips: &mut Vec<Act>) -> Result<Act> {
    skips.pop().ok_or_else(no_skip)
}

fn no_skip() -> Error {
    let text = "a defect in Mend: a network's ways down and up differ in length";
    Error::new(ErrorKind::Internal, text)
}
