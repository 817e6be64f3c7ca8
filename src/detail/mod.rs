//! Native detail for the answer of an engine that worked at a lower resolution. Floor 3.
//!
//! The answer is brought to the crop's size (`upscale`) and laid into the crop, seam and all; then
//! `transfer` searches the crop's known pixels for patches that go with it and copies what the answer
//! cannot hold, its high frequencies. What it does hold, structure and colour, stays. Where a network
//! has said which of the known parts it has in mind, `attend` takes detail from there at once.
#![forbid(unsafe_code)]

mod attention;
mod blur;
#[cfg(test)]
mod tests;
mod transfer;
mod upscale;

pub use attention::{Attention, attend};
pub use transfer::{Guide, transfer, transfer_costs, transfer_work};
pub use upscale::upscale;
