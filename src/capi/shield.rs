//! Panics end here: no Rust function may unwind into C.

use crate::error::{Error, ErrorKind, Result};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `body` where C has no place for an error; `fallback` if it panics.
pub(super) fn shield<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    catch(body).unwrap_or(fallback)
}

/// Runs `body`; a panic in it becomes an error.
pub(super) fn catch<T>(body: impl FnOnce() -> T) -> Result<T> {
    // What a panic leaves behind is dropped or only read through the checked Rust API, which holds
    // no invariant across calls.
    catch_unwind(AssertUnwindSafe(|| {
        #[cfg(test)]
        injection::fire();
        body()
    }))
    .map_err(as_error)
}

/// A panic's message as an error.
fn as_error(payload: Box<dyn Any + Send>) -> Error {
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
