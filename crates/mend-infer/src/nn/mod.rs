//! Blocks that several networks share, over candle's tensors, with our own kernels underneath. Floor 2.
//!
//! # Shapes
//! Inside a network activations are channels-last, `f32`, contiguous and on the CPU: pictures are
//! `[batch, height, width, channels]`, tokens `[batch, tokens, channels]`. Pictures enter and leave
//! as `[batch, channels, height, width]`, see [`to_channels_last`] and [`to_planes`].
//!
//! # Memory
//! Each layer's output is an [`Act`], which lives in an [`Arena`] and goes back there when it is
//! dropped; the next layer that needs as much takes it. Blocks drop what they no longer need before
//! they ask for more. Pictures so large that two of them count are [`Bands`] of rows: a layer has its
//! input and its output together but for a few rows, and nothing between is ever whole.
//!
//! # Costs
//! A [`Run`] on [`Arena::counting`] goes through the very same code, but computes nothing and holds
//! nothing: it counts multiplications and bytes, so that no second description of a network can go
//! wrong.
#![forbid(unsafe_code)]

mod arena;
mod attention;
mod bands;
mod bilinear;
mod conv;
mod layout;
mod level_map;
mod linear;
mod load;
mod norm;
mod resnet;
mod run;
mod sampling;
mod shuffle;
#[cfg(test)]
pub(crate) mod tests;
mod time;
mod transformer;
mod windows;

pub use arena::{Act, Arena};
pub use attention::{Attention, AttentionConfig, Columns, Heads, attend, attend_biased};
pub use bands::{Bands, Through};
pub use bilinear::upsample_bilinear;
pub use candle_core::Tensor;
pub use conv::{Conv2d, ConvTranspose2d, Extra};
pub use layout::{
    concat, from_vec, picture, reflect_pad, stack, to_channels_last, to_planes, upsample_nearest,
};
pub use level_map::LevelMap;
pub use linear::{FeedForward, Linear};
pub use load::{each, pair};
pub use norm::{GroupNorm, LayerNorm};
pub use resnet::{ResnetBlock2D, ResnetConfig};
pub use run::{Run, Values, values};
pub use sampling::{Downsample2D, Upsample2D, average_pool};
pub use shuffle::{pixel_shuffle, pixel_unshuffle};
pub use time::{TimestepEmbedding, Timesteps};
pub use transformer::{BasicTransformerBlock, Transformer2DConfig, Transformer2DModel};
pub use windows::Windows;

use crate::error::{Error, ErrorKind};

/// An error of candle's, which is a defect here: shapes are checked before candle sees them.
pub(crate) fn defect(e: candle_core::Error) -> Error {
    Error::new(ErrorKind::Internal, format!("a defect in Mend: {e}"))
}

/// A tensor that does not fit a layer.
pub(crate) fn misfit(layer: &str, expected: &str, shape: &[usize]) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!(
            "a defect in Mend: {layer} was given a tensor of shape {shape:?}, expected {expected}"
        ),
    )
}
