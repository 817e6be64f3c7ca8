//! The caller's pixels and the working pixels: views, formats, masks, conversion. Floor 0, pure.
#![forbid(unsafe_code)]

mod convert;
mod coverage;
mod disk;
mod format;
mod lower;
mod plane;
mod rect;
pub mod resample;
mod run_sets;
mod runs;
mod sample;
mod transfer;
mod view;

pub use convert::{
    Working, check_finite, even_alpha, not_numbers, opaque_within, read_alpha, read_working,
    write_back,
};
pub use coverage::{Coverage, MaskView};
pub use format::{Depth, Layout, PixelFormat};
pub(crate) use lower::Lower;
pub use plane::{Plane, RgbImage, mirrored};
pub use rect::Rect;
pub use runs::RunMask;
pub use view::{ImageView, ImageViewMut, MAX_SIDE};

#[cfg(test)]
mod tests;
