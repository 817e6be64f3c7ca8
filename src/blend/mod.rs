//! Colour match and seam-free paste. Floor 1, pure.
#![forbid(unsafe_code)]

mod extend;

pub use extend::extend;
