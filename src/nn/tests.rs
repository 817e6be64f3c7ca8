//! Blocks against the reference.
#![forbid(unsafe_code)]
