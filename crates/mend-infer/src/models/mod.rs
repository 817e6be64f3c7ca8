//! Networks, one file or folder each: a configuration, `new` from weights, `forward`. Floor 3.
//!
//! Each reads like the reference's list of modules, and its weights have the reference's names.
#![forbid(unsafe_code)]

pub mod autoencoder_kl;
pub mod autoencoder_tiny;
pub mod clip;
mod json;
pub mod lama;
pub mod lora;
pub mod migan;
pub mod mobile_sam;
pub mod prompt;
pub mod rad_unet;
pub mod rethined;
pub mod single_file;
mod skips;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod unet_2d_condition;

pub use autoencoder_kl::AutoencoderKL;
pub use clip::{CLIPTextModel, CLIPTokenizer};
pub use mobile_sam::MobileSam;
pub use rad_unet::RadUnet;
pub use rethined::Rethined;
pub use single_file::SingleFile;
pub use unet_2d_condition::UNet2DConditionModel;

use crate::error::{Error, ErrorKind, Result};
use candle_core::Tensor;

/// What one pass takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Floating-point operations, see [`crate::nn::Run::flops`].
    pub flops: u64,
    /// Bytes of activations at the peak; the kernels' scratch memory, some megabytes a thread, comes
    /// on top.
    pub bytes: usize,
}

/// The dimensions of an input, all but the batch's and those that are `None` as they must be.
fn input<const N: usize>(
    what: &str,
    tensor: &Tensor,
    expected: [Option<usize>; N],
) -> Result<[usize; N]> {
    let dims: Option<[usize; N]> = tensor.dims().try_into().ok();
    match dims {
        Some(dims)
            if dims
                .iter()
                .zip(expected)
                .all(|(d, e)| *d > 0 && e.is_none_or(|e| e == *d)) =>
        {
            Ok(dims)
        }
        _ => {
            let expected = expected.map(|e| e.map_or("any".into(), |e| e.to_string()));
            Err(Error::new(
                ErrorKind::Argument,
                format!(
                    "the {what} has shape {:?}, expected [{}]",
                    tensor.dims(),
                    expected.join(", ")
                ),
            ))
        }
    }
}
