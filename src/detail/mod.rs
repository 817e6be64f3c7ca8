//! Native detail for the answer of an engine that worked at a lower resolution. Floor 3.
//!
//! The answer is brought to the crop's size ([`upscale`]) and laid into the crop, seam and all; then
//! [`transfer`] searches the crop's known pixels for patches that go with it and copies what the answer
//! cannot hold, its high frequencies. What it does hold, structure and colour, stays.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;
mod transfer;
mod upscale;

pub use transfer::{Guide, transfer};
pub use upscale::upscale;
