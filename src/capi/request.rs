//! `mend_request` and its methods.

use super::error::mend_error;
use super::guard::{Give, guard, guard_out};
use super::handle::{exclusive, free, null, shared};
use super::image::{Checked, mend_image};
use super::shield::shield;
use super::status::mend_status;
use super::text::text;
use crate::error::{Error, ErrorKind, Result};
use crate::params::did_you_mean;
use crate::pixels::MAX_SIDE;
use crate::plan::Canvas;
use crate::request::Request;
use std::ffi::c_char;

/// What a fill is asked to do: parameters by name, and images that go with them. What is not set
/// has its default. One request may serve any number of calls.
pub struct mend_request(pub(super) Request);

impl Give for mend_request {
    type Out = Self;
    fn give(self) -> *mut Self {
        Box::into_raw(Box::new(self))
    }
}

impl mend_request {
    /// The canvas of a picture of this size.
    fn canvas(&self, width: u32, height: u32) -> Result<Canvas> {
        if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
            return Err(Error::new(
                ErrorKind::Argument,
                format!(
                    "a picture cannot be {width}×{height}: give 'width' and 'height' from 1 to {MAX_SIDE}"
                ),
            ));
        }
        self.0.canvas(width, height)
    }

    /// # Safety
    /// As [`Checked::image_of`].
    unsafe fn set_mask(&mut self, name: &str, mask: *const mend_image) -> Result<()> {
        const NAMES: [&str; 2] = ["source", "guide"];
        if !NAMES.contains(&name) {
            return Err(Error::new(
                ErrorKind::Parameter,
                format!(
                    "there is no mask '{name}' to set{}; there are source and guide",
                    did_you_mean(name, &NAMES)
                ),
            ));
        }
        // SAFETY: as this function's; the view ends with the call.
        let mask = unsafe { Checked::mask_of(mask, "mask")?.mask()? };
        match name {
            "guide" => self.0.set_guide(&mask),
            _ => self.0.set_source(&mask),
        }
    }
}

/// Makes a request with every parameter at its default.
///
/// *out receives it; free it with mend_request_free. On failure *out is NULL. 'err' may be NULL.
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_request_new(
    out: *mut *mut mend_request,
    err: *mut *mut mend_error,
) -> mend_status {
    // SAFETY: both are null or may be written.
    unsafe { guard_out(out, Some("out"), err, || Ok(mend_request(Request::new()))) }
}

/// Sets a parameter by name, such as "seed" to "7" or "context" to "50%". mend_describe lists the
/// names, the values that they accept, and their defaults. Numbers have a decimal point.
///
/// Engines may accept different values for one name, and have different defaults. A value that no
/// engine accepts is refused here; so is one that the chosen engine does not accept, if "engine" was
/// set before. If the engine is set later, or is chosen automatically, mend_plan and mend_inpaint refuse
/// the value with MEND_ERR_PARAMETER. A parameter that the engine does not have is not used, and the
/// notes say so.
///
/// Both strings are copied. No pointer but 'err' may be NULL. No other thread may use the request
/// during the call.
///
/// MEND_ERR_PARAMETER for an unknown name (the message has the nearest right one) or a value that
/// is not accepted (the message says what is); MEND_ERR_ENGINE for an unknown engine;
/// MEND_ERR_ARGUMENT for a string that is not UTF-8. The request stays as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_request_set(
    request: *mut mend_request,
    name: *const c_char,
    value: *const c_char,
    err: *mut *mut mend_error,
) -> mend_status {
    // SAFETY: a live request for this call alone, strings that end in NUL, or null.
    unsafe {
        guard(err, || {
            exclusive(request, "request")?
                .0
                .set(text(name, "name")?, text(value, "value")?)
        })
    }
}

/// Sets an image that goes with the request. There are two:
///
/// - "source", a mask that is not 0 where the fill may take its samples from. Without it, samples come
///   from everywhere outside the hole.
/// - "guide", a mask that is not 0 on lines that are to go on through the hole, painted over the
///   picture and the hole. An engine that continues no lines does not use it, and the notes say so.
///   Since version 1.2 of the C interface.
///
/// The mask has one gray channel (MEND_LAYOUT_GRAY) of u8, u16 or f32, and the size of the image
/// that is filled later. Pixels and struct are copied. No pointer but 'err' may be NULL. No other
/// thread may use the request during the call.
///
/// MEND_ERR_PARAMETER for an unknown name, MEND_ERR_MASK for a mask that cannot be used,
/// MEND_ERR_MEMORY. The request stays as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_request_set_mask(
    request: *mut mend_request,
    name: *const c_char,
    mask: *const mend_image,
    err: *mut *mut mend_error,
) -> mend_status {
    // SAFETY: a live request for this call alone, a string that ends in NUL, an image, or null.
    unsafe {
        guard(err, || {
            exclusive(request, "request")?.set_mask(text(name, "name")?, mask)
        })
    }
}

/// Gives the size that the request's parameter "expand" makes of a picture of 'width' × 'height', and
/// where the picture lies in it: its left column and its top row. Without the parameter it is the picture's
/// own size, and 0, 0.
///
/// "expand" says by how much each side grows: pixels ("64"), or a share of the picture's width (left and
/// right) or height (top and bottom) ("10%"); one for all sides, two for left and right and for top and
/// bottom ("10%,0"), four for left, top, right and bottom ("64,0,64,10%"), or some by name
/// ("left=64,bottom=10%").
///
/// No pointer but 'err' may be NULL. Any number of threads may use one request at once. Since version 1.3
/// of the C interface.
///
/// MEND_ERR_ARGUMENT: a size is 0 or over 1048576. MEND_ERR_PARAMETER: the new size is too large. The
/// numbers stay as they were then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_expanded_size(
    request: *const mend_request,
    width: u32,
    height: u32,
    new_width: *mut u32,
    new_height: *mut u32,
    x: *mut u32,
    y: *mut u32,
    err: *mut *mut mend_error,
) -> mend_status {
    // SAFETY: a live request that nobody changes now, numbers to write, or null.
    unsafe {
        guard(err, || {
            let canvas = shared(request, "request")?.canvas(width, height)?;
            let own = canvas.picture;
            let to = [
                (new_width, "new_width", canvas.width),
                (new_height, "new_height", canvas.height),
                (x, "x", own.x),
                (y, "y", own.y),
            ];
            // None is written where one cannot be.
            if let Some((_, name, _)) = to.iter().find(|(place, ..)| place.is_null()) {
                return Err(null(name));
            }
            to.iter().for_each(|(place, _, value)| place.write(*value));
            Ok(())
        })
    }
}

/// Frees a request. NULL does nothing. No call may be using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_request_free(request: *mut mend_request) {
    // SAFETY: null or a request that was not freed.
    shield((), || unsafe { free(request) })
}
