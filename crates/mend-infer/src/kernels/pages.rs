//! Large buffers on pages of their own, which go back to the system with them.
//!
//! What an allocator is given back it keeps, wherever something beside it is still in use: after a
//! network of hundreds of tensors, half of it. A budget of memory can be kept only without that.

use super::zeroed::{prefer_huge_pages, zeroed};
use crate::error::Result;
use bytemuck::Pod;
use std::ops::{Deref, DerefMut};

/// Bytes from which on a buffer has its own pages; what is smaller is the allocator's.
const OWN: usize = 256 << 10;

/// A buffer of a fixed length, zeros at first; a page is touched when it is first used.
pub(super) enum Pages<T: Pod> {
    Heap(Vec<T>),
    #[cfg(unix)]
    Own(own::Mapping, usize),
}

impl<T: Pod> Pages<T> {
    /// `len` zeros.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`] naming `what` was to be held.
    pub fn new(len: usize, what: &str) -> Result<Self> {
        #[cfg(unix)]
        if let Some(bytes) = len.checked_mul(size_of::<T>()).filter(|b| *b >= OWN)
            && let Some(mapping) = own::Mapping::new(bytes)
        {
            prefer_huge_pages(mapping.start() as usize, bytes);
            return Ok(Self::Own(mapping, len));
        }
        // Small, or an error in its usual words.
        zeroed(len, what).map(Self::Heap)
    }
}

impl<T: Pod> Deref for Pages<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Heap(v) => v,
            #[cfg(unix)]
            Self::Own(m, len) => {
                // SAFETY: the mapping holds `len` items, zeros or what was written, which `T` may be;
                // it starts on a page, and lives as long as `self`, which is borrowed.
                unsafe { std::slice::from_raw_parts(m.start().cast(), *len) }
            }
        }
    }
}

impl<T: Pod> DerefMut for Pages<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Self::Heap(v) => v,
            #[cfg(unix)]
            Self::Own(m, len) => {
                // SAFETY: as above; nobody else has it, for `self` is borrowed mutably.
                unsafe { std::slice::from_raw_parts_mut(m.start().cast(), *len) }
            }
        }
    }
}

#[cfg(unix)]
mod own {
    use std::ptr::{NonNull, null_mut};

    /// Memory that only this owns.
    pub struct Mapping(NonNull<u8>, usize);

    // SAFETY: plain memory, reached through the owner alone.
    unsafe impl Send for Mapping {}
    // SAFETY: as above.
    unsafe impl Sync for Mapping {}

    impl Mapping {
        /// `bytes` zeros; `None` where the system has no more.
        pub fn new(bytes: usize) -> Option<Self> {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            let kind = libc::MAP_PRIVATE | libc::MAP_ANON;
            // SAFETY: fresh memory, at a place that the system chooses.
            let start = unsafe { libc::mmap(null_mut(), bytes, access, kind, -1, 0) };
            if start == libc::MAP_FAILED {
                return None;
            }
            NonNull::new(start.cast()).map(|start| Self(start, bytes))
        }

        pub fn start(&self) -> *mut u8 {
            self.0.as_ptr()
        }
    }

    impl Drop for Mapping {
        fn drop(&mut self) {
            // SAFETY: mapped by `new` in this length; nobody borrows from what is being dropped.
            unsafe { libc::munmap(self.0.as_ptr().cast(), self.1) };
        }
    }
}

/// Gives back what the allocator keeps of buffers that are gone, where it can be told to: the
/// activations and the tensors read, which are the allocator's, leave hundreds of megabytes.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: only what is free is given back; nothing in use moves.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_buffers_are_zeros_that_can_be_written() {
        for len in [0, 1, 1000, OWN / 4 - 1, OWN / 4, 3 << 20] {
            let mut pages = Pages::<u32>::new(len, "a test").unwrap();
            assert_eq!(pages.len(), len);
            assert!(pages.iter().all(|v| *v == 0));
            pages.iter_mut().zip(1..).for_each(|(v, i)| *v = i);
            let last = std::thread::spawn(move || pages.last().copied());
            assert_eq!(
                last.join().unwrap(),
                len.checked_sub(1).map(|l| l as u32 + 1)
            );
        }
        let error = Pages::<u32>::new(usize::MAX / 8, "the sea").err().unwrap();
        assert_eq!(error.kind(), crate::ErrorKind::Memory);
        assert!(error.message().contains("the sea"));
    }
}
