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
//! Imports go only downward; `tests/rooms.rs` parses them and holds them to this table. The inference has a
//! crate of its own, [`mend_infer`], with a table of its own on the same floors; the command line is another,
//! `mend-cli`, on top.
//!
//! | room | floor | what it holds |
//! |---|---|---|
//! | [`progress`] | 0 | progress and cancel |
//! | [`pixels`] | 0 | views with checked strides, pixel formats, working RGB, masks, rectangles |
//! | [`params`] | 0 | descriptions of parameters, their parsing |
//! | [`plan`] | 1 | parts of a mask, regions, memory and time prediction |
//! | [`blend`] | 1 | colour match, seam, smooth extension, outlines that go on |
//! | `match` | 2 | PatchMatch, voting |
//! | [`detail`] | 3 | native detail for an answer of lower resolution |
//! | [`catalog`] | 3 | known and installed models: files, SHA-256, licence, where from |
//! | `fetch` | 4 | getting models from the network; only with the feature `fetch` |
//! | `engines` | 4 | the `Engine` trait, one file an engine |
//! | [`request`], [`inpainter`] | 5 | what is asked for, and the flow above |
//! | [`select`] | 5 | an object's mask from clicks or a box |
//! | [`capi`] | 6 | the C ABI |

#[doc(hidden)]
pub mod blend;
pub mod capi;
pub mod catalog;
#[doc(hidden)]
pub mod detail;
mod engines;
#[cfg(feature = "fetch")]
pub mod fetch;
pub mod inpainter;
mod r#match;
pub mod params;
pub mod pixels;
pub mod plan;
pub mod progress;
pub mod request;
pub mod select;

// The floors below, which have a crate of their own.
pub use mend_infer::error;
use mend_infer::{json, kernels, memory, models, nn, schedulers, weights, workers};

pub use error::{Error, ErrorKind, Result};
pub use inpainter::{Expanded, Inpainter, Options, Prepared, Report, Variations};
pub use pixels::{ImageView, ImageViewMut, PixelFormat};
pub use plan::{Canvas, Plan};
pub use progress::{Cancel, Progress};
pub use request::Request;

// The README's Rust is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
