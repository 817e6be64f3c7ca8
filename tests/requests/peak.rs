//! How many bytes of the heap a call holds at most.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

/// The system's allocator, counting.
pub struct Counting {
    now: AtomicU64,
    most: AtomicU64,
}

impl Counting {
    pub const fn new() -> Self {
        Self {
            now: AtomicU64::new(0),
            most: AtomicU64::new(0),
        }
    }

    fn more(&self, bytes: usize) {
        let now = self.now.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        self.most.fetch_max(now, Ordering::Relaxed);
    }

    fn less(&self, bytes: usize) {
        self.now.fetch_sub(bytes as u64, Ordering::Relaxed);
    }
}

// SAFETY: all is done by the system's allocator; only sizes are counted beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as this function's.
        let at = unsafe { System.alloc(layout) };
        if !at.is_null() {
            self.more(layout.size());
        }
        at
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as this function's.
        let at = unsafe { System.alloc_zeroed(layout) };
        if !at.is_null() {
            self.more(layout.size());
        }
        at
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as this function's.
        unsafe { System.dealloc(at, layout) };
        self.less(layout.size());
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as this function's.
        let at = unsafe { System.realloc(at, layout, size) };
        if !at.is_null() {
            self.more(size);
            self.less(layout.size());
        }
        at
    }
}

/// The time of one call.
pub struct Peak {
    heap: &'static Counting,
    before: u64,
}

impl Peak {
    pub fn begin(heap: &'static Counting) -> Self {
        let before = heap.now.load(Ordering::Relaxed);
        heap.most.store(before, Ordering::Relaxed);
        Self { heap, before }
    }

    /// The most bytes above those at its beginning.
    pub fn end(self) -> u64 {
        let most = self.heap.most.load(Ordering::Relaxed);
        most.saturating_sub(self.before)
    }
}
