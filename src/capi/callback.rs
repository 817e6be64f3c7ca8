//! Calling C's progress functions, which may not come back.

use std::ffi::c_void;

/// A function of C's that is told something and says by 1 that the work may go on.
type Told<T> = unsafe extern "C" fn(*const T, *mut c_void) -> i32;

/// The same, with what the end of its thread does.
type Unwinding<T> = unsafe extern "C-unwind" fn(*const T, *mut c_void) -> i32;

/// Calls `function`; whether the work goes on.
///
/// # Safety
/// `function` is a function of C's with this signature, which may be given `told` and `user`.
pub(super) unsafe fn goes_on<T>(function: Told<T>, told: &T, user: *mut c_void) -> bool {
    // SAFETY: the same function and the same way to call it; only that it may be left in another way
    // than by its return is said too.
    let function: Unwinding<T> = unsafe { std::mem::transmute(function) };
    let returns = Returns;
    // SAFETY: as this function's; the struct outlives the call.
    let goes_on = unsafe { function(told, user) == 1 };
    std::mem::forget(returns);
    goes_on
}

/// Dropped where a callback does not return: the thread is being ended (pthread_exit unwinds it, and
/// no Rust function may be ended so).
struct Returns;

impl Drop for Returns {
    fn drop(&mut self) {
        // What the work holds stays; nothing but the end of the process can come.
        loop {
            std::thread::park();
        }
    }
}
