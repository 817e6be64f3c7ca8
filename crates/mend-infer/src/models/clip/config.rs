//! The text model's `config.json`.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::kernels::Activation;
use crate::models::json::Json;

/// What transformers' `config.json` says about a `CLIPTextModel`, as far as it changes anything here.
/// Defaults are transformers' (5.23.0, `configuration_clip.py`, `CLIPTextConfig`).
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Tokens that there are.
    pub vocab_size: usize,
    /// Channels.
    pub hidden_size: usize,
    /// Channels inside of the feed-forward layers.
    pub intermediate_size: usize,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Heads; they divide the channels.
    pub num_attention_heads: usize,
    /// Tokens of a text at most, 77 in all published models.
    pub max_position_embeddings: usize,
    /// Of the feed-forward layers: OpenAI's models have [`Activation::QuickGelu`], OpenCLIP's
    /// [`Activation::Gelu`].
    pub hidden_act: Activation,
    /// Epsilon of the norms.
    pub layer_norm_eps: f32,
}

impl Config {
    /// Reads a `config.json`; `file` is named in messages.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Model`] naming the key that is out of range or not known here.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let json = Json::parse(file, text)?;
        json.only("model_type", &["\"clip_text_model\""])?;
        let config = Self {
            vocab_size: json.number("vocab_size", 49408, 1..=1 << 20)?,
            hidden_size: json.number("hidden_size", 512, 1..=8192)?,
            intermediate_size: json.number("intermediate_size", 2048, 1..=32768)?,
            num_hidden_layers: json.number("num_hidden_layers", 12, 1..=128)?,
            num_attention_heads: json.number("num_attention_heads", 8, 1..=1024)?,
            // A start and an end stand around at least one word.
            max_position_embeddings: json.number("max_position_embeddings", 77, 3..=4096)?,
            hidden_act: json.choice(
                "hidden_act",
                Activation::QuickGelu,
                &[
                    ("quick_gelu", Activation::QuickGelu),
                    ("gelu", Activation::Gelu),
                ],
            )?,
            layer_norm_eps: json.real("layer_norm_eps", 1e-5, 1e-12..=1.0)? as f32,
        };
        if !config
            .hidden_size
            .is_multiple_of(config.num_attention_heads)
        {
            let expected = format!("a number that divides {} channels", config.hidden_size);
            return Err(json.wrong("num_attention_heads", expected));
        }
        Ok(config)
    }
}
