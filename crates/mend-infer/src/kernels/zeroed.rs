//! Large buffers that the system hands out already cleared.

use crate::error::Result;
use crate::memory;
use std::alloc::{Layout, alloc_zeroed};

/// `len` zeros, on pages that are touched when they are first used: clearing them here as well would
/// write all of a network's activations one time too many.
///
/// # Errors
/// [`crate::ErrorKind::Memory`] naming `what` was to be held.
pub fn zeroed<T: bytemuck::Zeroable>(len: usize, what: &str) -> Result<Vec<T>> {
    let layout = Layout::array::<T>(len).ok().filter(|l| l.size() > 0);
    if let Some(layout) = layout {
        // SAFETY: the layout is not empty.
        let data = unsafe { alloc_zeroed(layout) } as *mut T;
        if !data.is_null() {
            prefer_huge_pages(data as usize, layout.size());
            // SAFETY: just allocated for exactly as many items, all of which are zero, as `T` may be.
            return Ok(unsafe { Vec::from_raw_parts(data, len, len) });
        }
    }
    // Empty, or an error in its usual words.
    memory::with_capacity(len, what)
}

/// Smaller buffers have little to gain.
const HUGE: usize = 8 << 20;

/// Asks the system to back a buffer that nobody has touched yet by huge pages, where it can: a page
/// fault for each 4 KB of a fresh activation takes as long as many a layer.
pub(super) fn prefer_huge_pages(start: usize, bytes: usize) {
    #[cfg(target_os = "linux")]
    if bytes >= HUGE {
        const PAGE: usize = 4096;
        let from = start.next_multiple_of(PAGE);
        let to = (start + bytes) / PAGE * PAGE;
        // SAFETY: whole pages inside a buffer of the caller's; the advice changes no contents, and
        // failing, it changes nothing.
        unsafe { libc::madvise(from as *mut libc::c_void, to - from, libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, bytes, HUGE);
}
