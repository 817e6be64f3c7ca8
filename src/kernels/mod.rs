//! CPU kernels, dispatched at run time by CPU feature. Floor 1.
//!
//! Each kernel has a portable form, which is the reference, and faster ones whose results are equal.

mod cpu;
pub mod patch;

pub use cpu::Path;
