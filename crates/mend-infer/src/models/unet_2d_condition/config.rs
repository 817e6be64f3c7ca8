//! The network's `config.json`.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::models::json::Json;

/// What diffusers' `config.json` says about a `UNet2DConditionModel`, as far as it changes anything
/// here; what would change more is an error.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Channels in: 4 latents, or 9 with a mask and the masked picture's latents.
    pub in_channels: usize,
    /// Channels out.
    pub out_channels: usize,
    /// Channels of each level.
    pub block_out_channels: Vec<usize>,
    /// Which levels on the way down attend to the text.
    pub down_attention: Vec<bool>,
    /// The same on the way up, from the lowest on.
    pub up_attention: Vec<bool>,
    /// Residual blocks of a level on the way down; one more on the way up.
    pub layers_per_block: Vec<usize>,
    /// Heads of each level. diffusers' key is `attention_head_dim`, which it reads as the number of
    /// heads and not their size (diffusers 0.42.1, `unet_2d_condition.py`: "incorrectly named").
    pub heads: Vec<usize>,
    /// Channels of the text.
    pub cross_attention_dim: usize,
    /// Transformer blocks behind each residual block, for each level.
    pub transformer_layers_per_block: Vec<usize>,
    /// The same on the way up, from the lowest level on.
    pub up_transformer_layers_per_block: Vec<usize>,
    /// Whether the transformers' projections are linear layers and not 1×1 convolutions.
    pub use_linear_projection: bool,
    /// Groups of the norms.
    pub norm_num_groups: usize,
    /// Epsilon of the norms.
    pub norm_eps: f32,
    /// Whether cosines stand before sines in the time's vector.
    pub flip_sin_to_cos: bool,
    /// 0 or 1, see [`crate::nn::Timesteps`].
    pub freq_shift: f64,
    /// Channels of the guidance's vector, in models that are told it (LCM).
    pub time_cond_proj_dim: Option<usize>,
}

/// Latents' side of the largest pictures: twice those that Stable Diffusion 1 was trained with. At a side
/// that is given in pixels by mistake, a pass would take gigabytes.
const LARGEST: usize = 128;

impl Config {
    /// The side of the latents that a `config.json` says the network was trained with, if it does.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Model`] for more than 128, or for two sides that differ.
    pub fn sample_size(file: &str, text: &str) -> Result<Option<usize>> {
        let (json, key) = (Json::parse(file, text)?, "sample_size");
        if !json.is_list(key) {
            return json.maybe(key, 1..=LARGEST);
        }
        match json.list(key, 2..=2, 1..=LARGEST)?[..] {
            [height, width] if height == width => Ok(Some(width)),
            _ => Err(json.wrong(key, "a square's side")),
        }
    }

    /// Reads a `config.json`; `file` is named in messages.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Model`] naming the key that is out of range or not known here.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let json = Json::parse(file, text)?;
        for (key, fine) in [
            ("_class_name", &["\"UNet2DConditionModel\""][..]),
            ("act_fn", &["\"silu\"", "\"swish\""]),
            ("addition_embed_type", &[]),
            ("attention_type", &["\"default\""]),
            ("center_input_sample", &["false"]),
            ("class_embed_type", &[]),
            ("class_embeddings_concat", &["false"]),
            ("conv_in_kernel", &["3"]),
            ("conv_out_kernel", &["3"]),
            ("cross_attention_norm", &[]),
            ("downsample_padding", &["1"]),
            ("dual_cross_attention", &["false"]),
            ("encoder_hid_dim", &[]),
            ("encoder_hid_dim_type", &[]),
            ("mid_block_only_cross_attention", &["false"]),
            ("mid_block_scale_factor", &["1"]),
            ("mid_block_type", &["\"UNetMidBlock2DCrossAttn\""]),
            ("num_attention_heads", &[]),
            ("num_class_embeds", &[]),
            ("only_cross_attention", &["false"]),
            ("resnet_out_scale_factor", &["1"]),
            ("resnet_skip_time_act", &["false"]),
            ("resnet_time_scale_shift", &["\"default\""]),
            ("time_embedding_act_fn", &[]),
            ("time_embedding_dim", &[]),
            ("time_embedding_type", &["\"positional\""]),
            ("timestep_post_act", &[]),
        ] {
            json.only(key, fine)?;
        }
        let block_out_channels = json.list("block_out_channels", 1..=8, 1..=8192)?;
        let n = block_out_channels.len();
        let transformer_layers_per_block =
            json.levels("transformer_layers_per_block", 1, n, 1..=64)?;
        let mut reversed = transformer_layers_per_block.clone();
        reversed.reverse();
        let text = json.levels("cross_attention_dim", 1280, n, 1..=16384)?;
        let cross_attention_dim = text.first().copied().unwrap_or(0);
        if text.iter().any(|dim| *dim != cross_attention_dim) {
            return Err(json.wrong("cross_attention_dim", "the same number for all levels"));
        }
        let config = Self {
            in_channels: json.number("in_channels", 4, 1..=64)?,
            out_channels: json.number("out_channels", 4, 1..=64)?,
            down_attention: json.names(
                "down_block_types",
                n,
                &[("CrossAttnDownBlock2D", true), ("DownBlock2D", false)],
            )?,
            up_attention: json.names(
                "up_block_types",
                n,
                &[("CrossAttnUpBlock2D", true), ("UpBlock2D", false)],
            )?,
            layers_per_block: json.levels("layers_per_block", 2, n, 1..=16)?,
            heads: json.levels("attention_head_dim", 8, n, 1..=1024)?,
            cross_attention_dim,
            up_transformer_layers_per_block: json
                .maybe_levels("reverse_transformer_layers_per_block", n, 1..=64)?
                .unwrap_or(reversed),
            transformer_layers_per_block,
            use_linear_projection: json.flag("use_linear_projection", false)?,
            norm_num_groups: json.number("norm_num_groups", 32, 1..=1024)?,
            norm_eps: json.real("norm_eps", 1e-5, 1e-12..=1.0)? as f32,
            flip_sin_to_cos: json.flag("flip_sin_to_cos", true)?,
            freq_shift: json.number("freq_shift", 0, 0..=1)? as f64,
            time_cond_proj_dim: json.maybe("time_cond_proj_dim", 1..=16384)?,
            block_out_channels,
        };
        config.check(&json)?;
        Ok(config)
    }

    /// Channels that groups and heads must divide.
    fn check(&self, json: &Json) -> Result<()> {
        let groups = self.norm_num_groups;
        for (i, channels) in self.block_out_channels.iter().enumerate() {
            if !channels.is_multiple_of(groups) {
                let expected = format!("a number that divides {channels} channels");
                return Err(json.wrong("norm_num_groups", expected));
            }
            // Half of the first level's channels are sines.
            if i == 0 && *channels < 4 {
                return Err(json.wrong("block_out_channels", "4 channels or more at first"));
            }
            if !channels.is_multiple_of(self.heads[i]) {
                let expected = format!("numbers of heads that divide {channels} channels");
                return Err(json.wrong("attention_head_dim", expected));
            }
        }
        Ok(())
    }

    /// Channels of the time's embedding.
    pub fn time_embed_dim(&self) -> usize {
        4 * self.block_out_channels.first().copied().unwrap_or(0)
    }
}
