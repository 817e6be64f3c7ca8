//! The command line, run as a user runs it: the built program on real files.
#![forbid(unsafe_code)]

mod bad_input;
mod bench;
mod cancel;
mod decode;
mod diffusion;
mod erasers;
mod expand;
mod folders;
mod formats;
mod lacking;
mod leaks;
mod masks;
mod metadata;
mod models;
mod orientation;
mod pipes;
mod select;
mod support;
mod telling;
mod variations;
mod writing;
