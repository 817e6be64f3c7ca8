//! **Mend** fills a selected region of an image so that nobody sees it was ever filled.
//!
//! The flow, from the caller's pixels back to the caller's pixels:
//!
//! ```text
//! image + mask + request
//!   → plan     mask → parts → regions of interest, and what fits the memory budget
//!   → fill     each region's crop goes through one engine
//!   → blend    colour match, seam-free paste
//!   → detail   native detail for an answer of lower resolution
//!   → image    in the caller's own pixel format; mask 0 stays bit-identical
//! ```
//!
//! `docs/architecture.md` explains the flow, and shows how C, the command line and the plug-ins reach it.
//!
//! # The rooms
//!
//! Imports go only downward; `tests/rooms.rs` parses them and holds them to this table.
//!
//! | room | floor | what it holds |
//! |---|---|---|
//! | [`error`], [`memory`], [`progress`] | 0 | errors with a kind, fallible buffers, progress and cancel |
//! | [`pixels`] | 0 | views with checked strides, pixel formats, working RGB, masks, rectangles |
//! | [`params`] | 0 | descriptions of parameters, their parsing |
//! | [`workers`] | 0 | the inpainter's own threads |
//! | `json` | 0 | JSON as Python writes it |
//! | [`schedulers`] | 0 | a diffusion model's steps, and noise from a seed |
//! | [`plan`] | 1 | parts of a mask, regions, memory and time prediction |
//! | [`blend`] | 1 | colour match, seam, smooth extension, outlines that go on |
//! | [`kernels`] | 1 | CPU kernels, dispatched by CPU feature |
//! | [`weights`] | 1 | model files: opened, checked, read a tensor at a time |
//! | [`nn`] | 2 | blocks that several networks share |
//! | `match` | 2 | PatchMatch, voting |
//! | [`detail`] | 3 | native detail for an answer of lower resolution |
//! | [`models`] | 3 | networks, one file or folder each |
//! | [`catalog`] | 3 | known and installed models: files, SHA-256, licence, where from |
//! | [`engines`] | 4 | the [`engines::Engine`] trait, one file an engine |
//! | [`request`], [`inpainter`] | 5 | what is asked for, and the flow above |
//! | [`capi`] | 6 | the C ABI |
#![deny(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs)]

pub mod blend;
pub mod capi;
pub mod catalog;
pub mod detail;
pub mod engines;
pub mod error;
pub mod inpainter;
mod json;
pub mod kernels;
mod r#match;
pub mod memory;
pub mod models;
pub mod nn;
pub mod params;
pub mod pixels;
pub mod plan;
pub mod progress;
pub mod request;
pub mod schedulers;
pub mod weights;
pub mod workers;

pub use error::{Error, ErrorKind, Result};
pub use inpainter::{Inpainter, Options, Report};
pub use pixels::{ImageView, ImageViewMut, PixelFormat};
pub use plan::Plan;
pub use progress::{Cancel, Progress};
pub use request::Request;

// The README's Rust is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
