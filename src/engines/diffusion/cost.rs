//! What a fill takes, from the headers of the weights: before anything is loaded.
//!
//! Operations follow from each tensor's shape and the level that its name tells; a test compares them
//! with what passes count. Bytes of activations are in proportion to the first level, factors measured.
#![forbid(unsafe_code)]

use super::folder::Folder;
use super::settings::Settings;
use crate::error::Result;
use crate::kernels::{Path, Precision};
use crate::weights::Weights;

/// Tokens of a prompt of one chunk.
const TOKENS: f64 = 77.0;
/// Bytes that are read, checked and packed a second.
const LOADING: f64 = 0.9e9;
/// What the tokenizer, the exemplar fill and the pictures take beside the networks.
const REST: f64 = 60e6;

/// What the stages take at the model's own resolution.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Bytes at the peak.
    pub bytes: f64,
    /// Seconds of the stages on one thread; `step` is one of `steps`.
    pub text: f64,
    pub encode: f64,
    pub load: f64,
    pub step: f64,
    pub steps: f64,
    pub decode: f64,
}

impl Cost {
    pub fn seconds(&self) -> f64 {
        self.text + self.encode + self.load + self.step * self.steps + self.decode
    }
}

/// Predicts a fill.
pub fn predict(folder: &Folder, settings: &Settings) -> Result<Cost> {
    let (unet, vae) = (folder.unet_weights()?, folder.vae_weights()?);
    let text = folder.text_weights()?;
    let (v, side) = (&folder.vae, folder.side as f64);
    let latents = (side / v.scale() as f64).powi(2);
    let batch = match settings.guidance > 1.0 && folder.unet.time_cond_proj_dim.is_none() {
        true => 2.0,
        false => 1.0,
    };
    let first = |channels: &[usize]| channels.first().copied().unwrap_or(0) as f64;
    let unet_layer = first(&folder.unet.block_out_channels) * latents * 4.0;
    let vae_layer = first(&v.block_out_channels) * side * side * 4.0;
    let (encoder, decoder) = (part_bytes(&vae, true), part_bytes(&vae, false));
    let packed = match settings.precision {
        Precision::Full => 1.0,
        // Of f16; norms, biases and scales stay.
        Precision::Int8 => 0.55,
    };
    let unet_bytes = unet.bytes() as f64 * packed;
    let bytes = [
        text.bytes() as f64,
        encoder * packed + vae_layer * ENCODER_LAYERS,
        unet_bytes + unet_layer * UNET_LAYERS * batch,
        unet_bytes + decoder * packed + vae_layer * DECODER_LAYERS,
    ];
    let rate = rate(Path::chosen(), settings.precision);
    let pictures = 1.0 + f64::from(u8::from(settings.strength < 1.0));
    let vae_levels = v.block_out_channels.len();
    let started = (settings.steps as f64 * settings.strength).floor();
    Ok(Cost {
        bytes: bytes.into_iter().fold(0.0, f64::max) + REST,
        text: text.bytes() as f64 / LOADING + batch * text_flops(&text) / rate,
        encode: encoder / LOADING
            + pictures * flops(&vae, "encoder.", vae_levels, side * side) / rate,
        load: unet.bytes() as f64 / LOADING,
        step: batch * unet_flops(folder, &unet, latents) / rate,
        steps: started.max(1.0),
        decode: decoder / LOADING + flops(&vae, "decoder.", vae_levels, side * side) / rate,
    })
}

/// Layers of the first level's size that are alive at a pass's peak; of the UNet for each of a batch.
const UNET_LAYERS: f64 = 12.0;
const ENCODER_LAYERS: f64 = 4.0;
const DECODER_LAYERS: f64 = 5.0;

/// Operations a second of one thread, about.
fn rate(path: Path, precision: Precision) -> f64 {
    let full = match path {
        Path::Portable => 4e9,
        Path::Avx2 => 45e9,
        Path::Avx512 => 75e9,
    };
    match precision {
        Precision::Full => full,
        Precision::Int8 => 2.0 * full,
    }
}

fn part_bytes(vae: &Weights, encoder: bool) -> f64 {
    let own = |name: &&str| name.contains("encoder.") == encoder;
    let each = vae.names().filter(own).map(|name| numbers(vae, name));
    each.sum::<f64>() * vae.bytes() as f64 / vae.names().map(|n| numbers(vae, n)).sum::<f64>()
}

fn numbers(weights: &Weights, name: &str) -> f64 {
    let shape = weights.shape(name).unwrap_or(&[]);
    shape.iter().map(|n| *n as f64).product()
}

/// Operations of one text.
fn text_flops(text: &Weights) -> f64 {
    let layers = text.names().filter(|n| n.contains("encoder.layers"));
    layers.map(|n| 2.0 * TOKENS * numbers(text, n)).sum()
}

/// Operations of a pass over one picture's latents.
pub fn unet_flops(folder: &Folder, unet: &Weights, pixels: f64) -> f64 {
    flops(unet, "", folder.unet.block_out_channels.len(), pixels)
}

/// Operations of the layers whose names begin with `part`, over `pixels` at the first level.
pub fn flops(weights: &Weights, part: &str, levels: usize, pixels: f64) -> f64 {
    let own = weights
        .names()
        .filter_map(|name| Some((name, name.strip_prefix(part)?)));
    own.map(|(full, name)| {
        let shape = weights.shape(full).unwrap_or(&[]);
        if shape.len() < 2 || !name.ends_with("weight") {
            return 0.0;
        }
        let decoder = part == "decoder.";
        let at = pixels / 4f64.powi(level(name, levels, decoder, part == "encoder.") as i32);
        let rows = if name.contains("time_emb") {
            1.0
        } else if name.contains("attn2.to_k") || name.contains("attn2.to_v") {
            TOKENS
        } else {
            at
        };
        let product = 2.0 * rows * numbers(weights, full);
        // Each query meets all keys twice, for the score and for the value.
        let channels = shape[0] as f64;
        let attention = if name.contains("attn2.to_q") {
            4.0 * at * TOKENS * channels
        } else if name.contains("to_q") || name.ends_with("query.weight") {
            4.0 * at * at * channels
        } else {
            0.0
        };
        product + attention
    })
    .sum()
}

/// The level that a layer works at, by its name.
fn level(name: &str, levels: usize, decoder: bool, encoder: bool) -> usize {
    let lowest = levels.saturating_sub(1);
    let number = |prefix: &str| -> Option<usize> {
        name.strip_prefix(prefix)?.split('.').next()?.parse().ok()
    };
    if let Some(i) = number("down_blocks.") {
        return (i + usize::from(name.contains("downsamplers"))).min(lowest);
    }
    if let Some(i) = number("up_blocks.") {
        return lowest.saturating_sub(i + usize::from(name.contains("upsamplers")));
    }
    let low = name.starts_with("mid_block")
        || decoder && name.starts_with("conv_in")
        || encoder && name.starts_with("conv_out");
    if low { lowest } else { 0 }
}
