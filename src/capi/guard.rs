//! The wall between Rust and C: results become status codes, panics become errors.

use super::error::mend_error;
use super::status::{MEND_OK, mend_status};
use crate::error::{Error, ErrorKind, Result};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

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

/// Runs `body` where C has no place for an error; `fallback` if it panics.
pub(super) fn shield<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    catch(body).unwrap_or(fallback)
}

/// The error for a null pointer.
pub(super) fn null(name: &str) -> Error {
    Error::new(
        ErrorKind::Null,
        format!("'{name}' is NULL: it must point to something"),
    )
}

fn catch<T>(body: impl FnOnce() -> T) -> Result<T> {
    // What a panic leaves behind is dropped or only read through the checked Rust API, which holds
    // no invariant across calls.
    catch_unwind(AssertUnwindSafe(|| {
        #[cfg(test)]
        injection::fire();
        body()
    }))
    .map_err(told)
}

/// A panic's message as an error.
fn told(payload: Box<dyn Any + Send>) -> Error {
    let said = if let Some(s) = payload.downcast_ref::<&str>() {
        (*s).to_owned()
    } else if let Some(s) = payload.downcast_ref::<String>() {
        s.clone()
    } else {
        "no message".to_owned()
    };
    // A payload may panic as it is dropped; one that does so twice over is left alone.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
    Error::new(
        ErrorKind::Internal,
        format!("a defect in Mend, please report it: {said}"),
    )
}

/// Panics on demand, for the test that every entry point catches them.
#[cfg(test)]
pub(super) mod injection {
    use std::cell::Cell;

    thread_local! { static ARMED: Cell<bool> = const { Cell::new(false) } }

    /// Makes the next entry point that this thread calls panic.
    pub(in super::super) fn arm() {
        ARMED.set(true);
    }

    /// Whether nothing has panicked since [`arm`].
    pub(in super::super) fn armed() -> bool {
        ARMED.get()
    }

    pub(super) fn fire() {
        if ARMED.take() {
            panic!("injected panic");
        }
    }
}
