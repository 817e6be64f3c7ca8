//! Colour match and seam-free paste. Floor 1, pure.
#![forbid(unsafe_code)]

mod autoregression;
mod extend;
mod interpolate;
mod outline;
mod paste;
mod screened;
mod seam;
mod slopes;
#[cfg(test)]
mod tests;

pub use extend::extend;
pub use interpolate::{MARGIN, interpolate};
pub use outline::outline;
pub use paste::paste;
pub use screened::screened;
pub use seam::seamless;
pub use slopes::slopes;
