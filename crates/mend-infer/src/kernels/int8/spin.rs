//! The most that the machine's dot products of bytes could do: the peak that speeds are measured by.

use super::Set;
use super::dots::Dot;
use std::hint::black_box;

/// Sums that do not wait for each other: more than latency times units.
pub const CHAINS: usize = 12;
/// Activations that a turn picks from, so that no compiler sums up the turns beforehand.
const BYTES: [u8; 64] = [129; 64];

/// Some turns, with all sums in registers; gives one of them.
pub type SpinFn = unsafe fn(usize) -> i32;

/// Runs `turns` turns on `set`.
///
/// # Safety
/// The machine has the set: it comes from [`Set::of`].
pub unsafe fn spin(set: Set, turns: usize) {
    // SAFETY: the caller's promise, passed on.
    black_box(unsafe { set.spinner().0(turns) });
}

/// Additions and multiplications of `turns` turns.
pub fn operations(set: Set, turns: usize) -> usize {
    set.spinner().1 * turns
}

/// # Safety
/// The machine has `D`'s instruction set.
#[inline(always)]
pub unsafe fn turns<D: Dot>(turns: usize) -> i32 {
    let bytes = black_box(BYTES);
    let (start, weights) = (black_box([1i32; 32]), black_box([3i8; 128]));
    // SAFETY: the arrays are as long as the longest vectors, and `at` leaves room for four bytes.
    unsafe {
        let mut sums = [D::load(start.as_ptr()); CHAINS];
        let b = D::weights(weights.as_ptr());
        for turn in 0..turns {
            let at = turn % 16 * 4;
            let a = D::spread(bytes.as_ptr().add(at));
            for sum in &mut sums {
                *sum = D::dot(*sum, a, b);
            }
        }
        let mut all = 0;
        for sum in sums {
            // Every lane's sum is in use by its first one's address.
            all ^= (&raw const sum).cast::<i32>().read_unaligned();
        }
        all
    }
}

/// A [`SpinFn`] that has the instruction set.
macro_rules! spin_function {
    ($dot:ty, [$($feature:literal)?]) => {{
        $(#[target_feature(enable = $feature)])?
        unsafe fn spin(turns: usize) -> i32 {
            // SAFETY: the caller's promise, passed on.
            unsafe { $crate::kernels::int8::spin::turns::<$dot>(turns) }
        }
        spin as SpinFn
    }};
}
pub(super) use spin_function;
