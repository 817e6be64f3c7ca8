//! Patch search and voting. Floor 2.
#![forbid(unsafe_code)]
