//! Resampling of working pictures.
#![forbid(unsafe_code)]
