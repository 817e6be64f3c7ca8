//! Mend's own inference on the CPU: what a network needs from a model file to its answer, and nothing of
//! pictures, masks or hosts. The library `mend` is built on it; its interface changes as that needs it.
//!
//! Imports go only downward, from a room to those on lower floors; `tests/rooms.rs` holds them to it.
//!
//! | room | floor | what it holds |
//! |---|---|---|
//! | [`error`], [`memory`] | 0 | errors with a kind, buffers that may fail |
//! | [`workers`] | 0 | threads for parallel work |
//! | [`json`] | 0 | JSON as Python writes it |
//! | [`schedulers`] | 0 | a diffusion model's steps, and noise from a seed |
//! | [`kernels`] | 1 | CPU kernels, dispatched by CPU feature |
//! | [`weights`] | 1 | model files: opened, checked, read a tensor at a time |
//! | [`nn`] | 2 | blocks that several networks share |
//! | [`models`] | 3 | networks, one file or folder each |

pub mod error;
pub mod json;
pub mod kernels;
pub mod memory;
pub mod models;
pub mod nn;
pub mod schedulers;
pub mod weights;
pub mod workers;

pub use error::{Error, ErrorKind, Result};
