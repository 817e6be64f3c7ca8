//! Patch search and voting: the exemplar engine's and the detail stage's. Floor 2.
#![forbid(unsafe_code)]

mod along;
mod complete;
mod cutout;
mod field;
mod forecast;
mod guide;
mod guided;
mod level;
mod light;
mod lines;
mod low;
mod maps;
mod peel;
mod random;
mod reconstruct;
mod rhythm;
mod rounds;
mod search;
mod several;
mod sparse;
#[cfg(test)]
mod tests;
mod texture;
mod vote;

pub use complete::{Scene, complete, hole_bounds};
pub use cutout::{Cutout, search_alpha};
pub use forecast::{GUIDED_PAIRS, PAIRS, guided_pairs, pairs};
pub use guided::{Guide, guided};
pub use light::Guess;
pub use maps::depth;
pub use random::Random;
pub use rounds::Steps;
pub use several::complete_several;
