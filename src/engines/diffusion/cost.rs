//! What a fill takes in time, from the headers of the weights: before anything is loaded.
//!
//! Operations follow from each tensor's shape and the level that its name tells; a test compares them
//! with what passes count.
#![forbid(unsafe_code)]

use super::folder::Folder;
use super::model::Model;
use super::settings::Settings;
use super::stages::Choice;
use crate::engines::rates::{LOADING, numbers, rate};
use crate::kernels::Path;
use crate::models::autoencoder_tiny;
use crate::weights::Weights;

/// Tokens of a prompt of one chunk.
const TOKENS: f64 = 77.0;

/// Seconds of the stages on one thread, at the model's own resolution; `step` is one of `steps`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
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

/// Predicts a fill that is gone through so.
pub fn predict(model: &Model, settings: &Settings, choice: &Choice) -> Cost {
    let (folder, unet, vae, text) = (&model.folder, &model.unet, &model.vae, &model.text);
    let (v, side) = (&folder.vae, folder.side as f64);
    let latents = (side / v.scale() as f64).powi(2);
    let batch = model.batch(settings);
    let encoder = part_bytes(vae, true) / LOADING;
    let decoder = part_bytes(vae, false) / LOADING;
    let streamed = choice.streamed_bytes / LOADING;
    let rate = rate(Path::chosen(), settings.precision);
    let pictures = 1.0 + f64::from(u8::from(settings.strength < 1.0));
    let levels = v.block_out_channels.len();
    let first = settings.first(settings.steps).unwrap_or(0);
    Cost {
        text: text.bytes() as f64 / LOADING + batch * text_flops(text) / rate,
        encode: encoder + pictures * flops(vae, "encoder.", levels, side * side) / rate,
        load: unet.bytes() as f64 / LOADING - streamed,
        step: batch * unet_flops(folder, unet, latents) / rate + streamed,
        steps: (settings.steps - first).max(1) as f64,
        decode: match &model.tiny {
            Some(tiny) => autoencoder_tiny::Decoder::predicted(&tiny.root(), latents).1 / rate,
            None => decoder + flops(vae, "decoder.", levels, side * side) / rate,
        },
    }
}

fn part_bytes(vae: &Weights, encoder: bool) -> f64 {
    let own = |name: &&str| name.contains("encoder.") == encoder;
    let each = vae.names().filter(own).map(|name| numbers(vae, name));
    each.sum::<f64>() * vae.bytes() as f64 / vae.names().map(|n| numbers(vae, n)).sum::<f64>()
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
