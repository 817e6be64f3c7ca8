//! The network's `config.json`.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::models::json::Json;

/// What diffusers' `config.json` says about an `AutoencoderKL`.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Channels of a picture that is encoded.
    pub in_channels: usize,
    /// Channels of a decoded picture.
    pub out_channels: usize,
    /// Channels of the latents.
    pub latent_channels: usize,
    /// Channels of each level, the largest picture's first.
    pub block_out_channels: Vec<usize>,
    /// Residual blocks of a level in the encoder; one more in the decoder.
    pub layers_per_block: usize,
    /// Groups of the norms.
    pub norm_num_groups: usize,
    /// What encoded latents are multiplied by before they are noised.
    pub scaling_factor: f64,
    /// Whether there is attention in the middle.
    pub mid_block_add_attention: bool,
    /// Whether the encoder ends with a 1×1 convolution.
    pub use_quant_conv: bool,
    /// Whether the decoder begins with one.
    pub use_post_quant_conv: bool,
}

impl Config {
    /// Reads a `config.json`; `file` is named in messages.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Model`] naming the key that is out of range or not known here.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let json = Json::parse(file, text)?;
        for (key, fine) in [
            ("_class_name", &["\"AutoencoderKL\""][..]),
            ("act_fn", &["\"silu\"", "\"swish\""]),
            ("latents_mean", &[]),
            ("latents_std", &[]),
            ("shift_factor", &["0"]),
        ] {
            json.only(key, fine)?;
        }
        let block_out_channels = json.list("block_out_channels", 1..=8, 1..=8192)?;
        let n = block_out_channels.len();
        json.names("down_block_types", n, &[("DownEncoderBlock2D", ())])?;
        json.names("up_block_types", n, &[("UpDecoderBlock2D", ())])?;
        let config = Self {
            in_channels: json.number("in_channels", 3, 1..=64)?,
            out_channels: json.number("out_channels", 3, 1..=64)?,
            latent_channels: json.number("latent_channels", 4, 1..=64)?,
            layers_per_block: json.number("layers_per_block", 1, 1..=16)?,
            norm_num_groups: json.number("norm_num_groups", 32, 1..=1024)?,
            scaling_factor: json.real("scaling_factor", 0.18215, 1e-6..=1e6)?,
            mid_block_add_attention: json.flag("mid_block_add_attention", true)?,
            use_quant_conv: json.flag("use_quant_conv", true)?,
            use_post_quant_conv: json.flag("use_post_quant_conv", true)?,
            block_out_channels,
        };
        for channels in &config.block_out_channels {
            if !channels.is_multiple_of(config.norm_num_groups) {
                let expected = format!("a number that divides {channels} channels");
                return Err(json.wrong("norm_num_groups", expected));
            }
        }
        Ok(config)
    }

    /// Pixels of a picture for one of its latents, down and across: 8 for four levels.
    pub fn scale(&self) -> usize {
        1 << (self.block_out_channels.len() - 1)
    }
}
