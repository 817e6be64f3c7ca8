//! The network's sizes: from its `config.json`, or from its tensors.
#![forbid(unsafe_code)]

use crate::error::{Error, ErrorKind, Result};
use crate::models::json::Json;
use crate::weights::Weights;

/// ADM's: `num_head_channels` of its larger models (openai/guided-diffusion at 22e0df8, `README.md`), and
/// the groups of `GroupNorm32` (`nn.py`).
const HEAD_DIM: usize = 64;
const GROUPS: usize = 32;
const EPS: f32 = 1e-5;
/// More channels than any level has.
const MOST: usize = 8192;
/// Sides of the pictures that networks of so many levels are for: `create_model`'s choice of `channel_mult`
/// (the same repository, `script_util.py`).
const SIDES: [(usize, usize); 4] = [(4, 64), (5, 128), (6, 256), (7, 512)];

/// What is known of a network before it is loaded: diffusers' `config.json` of a `UNet2DModel`, as far as it
/// changes anything here; what would change more is an error.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The side of the pictures that it was trained with.
    pub sample_size: usize,
    /// Channels of each level.
    pub block_out_channels: Vec<usize>,
    /// Which levels on the way down have attention.
    pub down_attention: Vec<bool>,
    /// The same on the way up, from the lowest on.
    pub up_attention: Vec<bool>,
    /// Residual blocks of a level on the way down; one more on the way up.
    pub layers_per_block: usize,
    /// Channels of a head, which divide those of the levels with attention; none: one head has them all.
    pub attention_head_dim: Option<usize>,
    /// Groups of the norms.
    pub norm_num_groups: usize,
    /// Epsilon of the norms.
    pub norm_eps: f32,
    /// Whether cosines stand before sines in the level's vector.
    pub flip_sin_to_cos: bool,
    /// 0 or 1, see [`crate::nn::Timesteps`].
    pub freq_shift: f64,
}

impl Config {
    /// Channels of a picture.
    pub const CHANNELS: usize = 3;
    /// Channels of the answer: the noise, and where its variance lies between the least and the most.
    pub const OUTPUTS: usize = 6;

    /// Reads a `config.json`; `file` is named in messages.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] naming the key that is out of range or not known here.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let json = Json::parse(file, text)?;
        for (key, fine) in [
            ("act_fn", &["\"silu\"", "\"swish\""][..]),
            ("add_attention", &["true"]),
            ("center_input_sample", &["false"]),
            ("class_embed_type", &[]),
            // Whatever its class is called: text makes it another network.
            ("cross_attention_dim", &[]),
            ("downsample_type", &["\"resnet\""]),
            ("in_channels", &["3"]),
            ("mid_block_scale_factor", &["1"]),
            ("mid_block_type", &["\"UNetMidBlock2D\""]),
            ("num_class_embeds", &[]),
            ("resnet_time_scale_shift", &["\"scale_shift\""]),
            ("time_embedding_dim", &[]),
            ("time_embedding_type", &["\"positional\""]),
            ("upsample_type", &["\"resnet\""]),
        ] {
            json.only(key, fine)?;
        }
        // diffusers' defaults are another network's.
        json.choice(
            "resnet_time_scale_shift",
            None,
            &[("scale_shift", Some(()))],
        )?
        .ok_or_else(|| json.wrong("resnet_time_scale_shift", "\"scale_shift\""))?;
        json.number(
            "out_channels",
            Self::CHANNELS,
            Self::OUTPUTS..=Self::OUTPUTS,
        )?;
        let block_out_channels = json.list("block_out_channels", 1..=8, 1..=MOST)?;
        let n = block_out_channels.len();
        let down = [
            ("ResnetDownsampleBlock2D", false),
            ("AttnDownBlock2D", true),
        ];
        let up = [("ResnetUpsampleBlock2D", false), ("AttnUpBlock2D", true)];
        let config = Self {
            sample_size: json.number("sample_size", 256, 8..=1024)?,
            down_attention: json.names("down_block_types", n, &down)?,
            up_attention: json.names("up_block_types", n, &up)?,
            layers_per_block: json.number("layers_per_block", 2, 1..=16)?,
            attention_head_dim: json.maybe("attention_head_dim", 1..=1024)?,
            norm_num_groups: json.number("norm_num_groups", 32, 1..=1024)?,
            norm_eps: json.real("norm_eps", 1e-5, 1e-12..=1.0)? as f32,
            flip_sin_to_cos: json.flag("flip_sin_to_cos", true)?,
            freq_shift: json.number("freq_shift", 0, 0..=1)? as f64,
            block_out_channels,
        };
        match json.maybe("attn_norm_num_groups", 1..=1024)? {
            Some(groups) if groups != config.norm_num_groups => {
                let expected = format!("{} as norm_num_groups", config.norm_num_groups);
                return Err(json.wrong("attn_norm_num_groups", expected));
            }
            _ => {}
        }
        config
            .check()
            .map_err(|(key, expected)| json.wrong(key, expected))?;
        Ok(config)
    }

    /// The sizes of a network whose tensors have diffusers' names, told by these and their shapes: for
    /// files without a `config.json`, with ADM's own constants for what they do not say.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] where it is no such network.
    pub fn of(weights: &Weights) -> Result<Self> {
        let outputs = |name: String| weights.shape(&name).and_then(|s| s.first().copied());
        let conv = |i: usize| outputs(format!("down_blocks.{i}.resnets.0.conv1.weight"));
        let block_out_channels: Vec<usize> = (0..8).map_while(conv).collect();
        let n = block_out_channels.len();
        let layer =
            |j: &usize| weights.contains(&format!("down_blocks.0.resnets.{j}.conv1.weight"));
        let attends = |way: &str, i: usize| {
            let name = format!("{way}_blocks.{i}.attentions.0");
            ["to_q.weight", "to_q.0.weight", "query.weight"]
                .iter()
                .any(|to_q| weights.contains(&format!("{name}.{to_q}")))
        };
        let side = SIDES.iter().find(|(levels, _)| *levels == n);
        let config = Self {
            sample_size: side.map_or(256, |(_, side)| *side),
            down_attention: (0..n).map(|i| attends("down", i)).collect(),
            up_attention: (0..n).map(|i| attends("up", i)).collect(),
            layers_per_block: (0..16).take_while(layer).count(),
            attention_head_dim: Some(HEAD_DIM),
            norm_num_groups: GROUPS,
            norm_eps: EPS,
            flip_sin_to_cos: true,
            freq_shift: 0.0,
            block_out_channels,
        };
        let first = weights.shape("conv_in.weight");
        let last = weights.shape("conv_out.weight");
        let ends = matches!(first, Some(&[_, Self::CHANNELS, 3, 3]))
            && matches!(last, Some(&[Self::OUTPUTS, _, 3, 3]));
        if n == 0 || !ends || config.check().is_err() {
            return Err(Error::new(
                ErrorKind::Model,
                format!(
                    "{}: this is not a network of RAD's or ADM's whose sizes its tensors tell (3 \
                     channels in, 6 out, norms of {GROUPS} groups, heads of {HEAD_DIM}); give the \
                     folder with its config.json",
                    weights.name()
                ),
            ));
        }
        Ok(config)
    }

    /// The key that is wrong, and what was expected there.
    fn check(&self) -> Result<(), (&'static str, String)> {
        let n = self.block_out_channels.len();
        let unit = self.alignment();
        if !self.sample_size.is_multiple_of(unit) {
            let expected = format!("a multiple of {unit}, for there are {n} levels");
            return Err(("sample_size", expected));
        }
        let first = self.block_out_channels.first();
        let inside = |c: &usize| (1..=MOST).contains(c);
        if first.is_none_or(|c| *c < 4) || !self.block_out_channels.iter().all(inside) {
            let expected = format!("4 channels or more at first, and 1 to {MOST} at each level");
            return Err(("block_out_channels", expected));
        }
        for (i, channels) in self.block_out_channels.iter().enumerate() {
            if !channels.is_multiple_of(self.norm_num_groups) {
                let expected = format!("a number that divides {channels} channels");
                return Err(("norm_num_groups", expected));
            }
            let attends = self.down_attention.get(i) == Some(&true)
                || self.up_attention.get(n - 1 - i) == Some(&true)
                || i + 1 == n;
            let head = self.attention_head_dim.unwrap_or(*channels);
            if attends && !channels.is_multiple_of(head) {
                let expected = format!("a number that divides {channels} channels");
                return Err(("attention_head_dim", expected));
            }
        }
        Ok(())
    }

    /// Sides of pictures are multiples of this.
    pub fn alignment(&self) -> usize {
        1 << self.block_out_channels.len().saturating_sub(1)
    }

    /// Channels of the first level.
    pub fn first(&self) -> usize {
        self.block_out_channels.first().copied().unwrap_or(0)
    }

    /// Channels of the level's embedding.
    pub fn time_embed_dim(&self) -> usize {
        4 * self.first()
    }

    /// Channels of a head where a level has so many.
    pub fn head_dim(&self, channels: usize) -> usize {
        self.attention_head_dim.unwrap_or(channels)
    }
}
