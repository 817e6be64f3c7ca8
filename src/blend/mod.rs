//! Colour match and seam-free paste. Floor 1, pure.
#![forbid(unsafe_code)]

mod autoregression;
mod extend;
mod paste;
mod screened;
mod seam;
#[cfg(test)]
mod tests;

pub use autoregression::{MARGIN, TILE, autoregress, interpolate};
pub use extend::extend;
pub use paste::paste;
pub use screened::screened;
pub use seam::seamless;
