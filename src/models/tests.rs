//! Networks against the reference.
#![forbid(unsafe_code)]
