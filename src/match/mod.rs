//! Patch search and voting: the exemplar engine's and the detail stage's. Floor 2.
#![forbid(unsafe_code)]

mod complete;
mod field;
mod level;
mod maps;
mod peel;
mod random;
mod reconstruct;
mod search;
#[cfg(test)]
mod tests;
mod texture;
mod vote;

pub use complete::complete;
