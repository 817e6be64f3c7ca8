//! `mend_inpainter` and its methods.

use super::error::mend_error;
use super::guard::{Give, guard, guard_out};
use super::handle::{exclusive, free, shared};
use super::shield::shield;
use super::status::mend_status;
use super::text::text;
use crate::error::Result;
use crate::inpainter::{Inpainter, Options};
use std::ffi::c_char;

/// What fills: options, engines and threads. Making one costs nothing; threads start and models
/// load with the first fill that needs them and stay warm for the next. Make one and keep it.
pub struct mend_inpainter(pub(super) Inpainter);

impl Give for mend_inpainter {
    type Out = Self;
    fn give(self) -> *mut Self {
        Box::into_raw(Box::new(self))
    }
}

impl mend_inpainter {
    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let mut options = self.0.options().clone();
        options.set(name, value)?;
        if options != *self.0.options() {
            self.0 = Inpainter::new(options);
        }
        Ok(())
    }
}

/// Makes an inpainter with every option at its default.
///
/// *out receives it; free it with mend_inpainter_free. On failure *out is NULL. 'err' may be NULL.
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_inpainter_new(
    out: *mut *mut mend_inpainter,
    err: *mut *mut mend_error,
) -> mend_status {
    // SAFETY: both are null or may be written.
    unsafe {
        guard_out(out, Some("out"), err, || {
            Ok(mend_inpainter(Inpainter::new(Options::default())))
        })
    }
}

/// Sets an option by name. The options, each with its default:
///
/// - "threads", "0": how many threads a fill runs on, 0 to 1024; 0 uses as many as there are
///   processors. The result is the same on any number.
/// - "max-memory", "0": the most memory that a fill may take: bytes, or a number with a unit such
///   as "1500M" or "2G" (K, M, G, T and KiB to TiB are powers of 1024; KB to TB powers of 1000);
///   0 sets no limit.
/// - "models", "": the folder with the model files; if empty, the user's own.
///
/// mend_describe lists them too. Both strings are copied. No pointer but 'err' may be NULL. No
/// other thread may use the inpainter during the call.
///
/// MEND_ERR_PARAMETER for an unknown name or a value that is not accepted; the message says what is
/// accepted. MEND_ERR_ARGUMENT for a string that is not UTF-8. The inpainter stays as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_inpainter_set(
    inpainter: *mut mend_inpainter,
    name: *const c_char,
    value: *const c_char,
    err: *mut *mut mend_error,
) -> mend_status {
    // SAFETY: a live inpainter for this call alone, strings that end in NUL, or null.
    unsafe {
        guard(err, || {
            exclusive(inpainter, "inpainter")?.set(text(name, "name")?, text(value, "value")?)
        })
    }
}

/// Releases what the inpainter keeps loaded for the next fill, such as a model's weights. Use it
/// when your program has nothing to fill for a while.
///
/// The next fill loads it again, with the same result. What a fill on another thread is using is
/// released when that fill ends. 'inpainter' may not be NULL. Any number of threads may use one
/// inpainter at once. Since version 1.1 of the C interface, the version that pkg-config reports.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_inpainter_trim(
    inpainter: *const mend_inpainter,
    err: *mut *mut mend_error,
) -> mend_status {
    // SAFETY: a live inpainter that nobody changes now, or null.
    unsafe {
        guard(err, || {
            shared(inpainter, "inpainter")?.0.trim();
            Ok(())
        })
    }
}

/// Frees an inpainter and what it loaded, and waits for its threads to end: afterwards, the library
/// runs only code that the caller calls. NULL does nothing. No call may be using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_inpainter_free(inpainter: *mut mend_inpainter) {
    // SAFETY: null or an inpainter that was not freed.
    shield((), || unsafe { free(inpainter) })
}

/// Describes what there is to choose, as a JSON object in UTF-8. Build dialogs from it, and a new
/// engine or parameter appears by itself.
///
/// - "version": as mend_version.
/// - "options": what mend_inpainter_set takes. "params": what mend_request_set takes, whatever the
///   engine. Both are arrays of objects with "name", "label" (short), "help" (a sentence or two),
///   "default" (a string, as 'value' takes it) and "type":
///   "integer" and "number" have "min" and "max"; "text" is any text;
///   "choice" has "choices", an array of {"id", "label"}; "extent" is "auto", pixels such as "64"
///   up to "max_pixels", or a share such as "50%" up to "max_percent"; "sides" are one to four of
///   these, without "auto", see mend_expanded_size; "bytes" is as "max-memory".
/// - "engines": an array of {"id", "label", "summary", "params" (the engine's own), "available"}.
/// - "models": an array of the models in the models folder and of those that can be fetched: "id",
///   "state" ("installed", "known", "partial" or "broken"), "kind", "base", "engine" (which uses it; null for
///   one that mend_select uses),
///   "bytes", "licence" (null, or "name" and "url"); installed ones also have "path", others "get"
///   (the command that gets it), and broken ones "error".
///
/// Later versions may add members and types. *json receives the string; free it with
/// mend_string_free. On failure *json is NULL. No pointer but 'err' may be NULL. Any number of
/// threads may use one inpainter at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_describe(
    inpainter: *const mend_inpainter,
    json: *mut *mut c_char,
    err: *mut *mut mend_error,
) -> mend_status {
    // SAFETY: a live inpainter that nobody changes now, pointers that may be written, or null.
    unsafe {
        guard_out(json, Some("json"), err, || {
            Ok(shared(inpainter, "inpainter")?.0.describe().to_string())
        })
    }
}
