//! What each stage of a fill holds, from the headers of the weights, and how the stages are gone
//! through so that a budget is kept. Nothing is loaded for it, and the same headers, parameters and
//! budget always give the same choice.
//!
//! Given up for a budget, in this order: that the UNet stays for the next fill (it is let go before
//! the picture is decoded), then that all of its layers stay between steps. Precision never is.
#![forbid(unsafe_code)]

use super::model::Model;
use super::settings::Settings;
use crate::engines::rates::numbers;
use crate::kernels::{Attention, Context, Path, Precision};
use crate::models::{autoencoder_tiny, unet_2d_condition};
use crate::nn;
use crate::plan::{Memory, Stage};
use crate::weights::{Dtype, Weights};
use std::collections::{BTreeMap, BTreeSet};

/// What the tokenizer, the exemplar fill, the pictures, the kernels and the allocator take beside the
/// networks: measured.
pub const REST: f64 = 100e6;
/// Layers of the first level's size that are alive at a pass's peak; of the UNet for each of a batch.
const UNET_LAYERS: f64 = 9.0;
/// Bands that the VAE's passes hold beside two pictures: of a layer's input and of its output.
const BANDS: f64 = 2.0;
/// Inputs that products in eight bits sum at a time, about, and the channels below which
/// convolutions stay in full.
const PART: usize = 768;
const FEW: usize = 16;

/// How a fill is gone through.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Whether the UNet stays while the picture is decoded, and for the next fill.
    pub keep: bool,
    /// Layers of the UNet that are read anew in each step, by name.
    pub streamed: BTreeSet<String>,
    /// Their bytes in the file.
    pub streamed_bytes: f64,
}

/// A layer of the UNet that can be streamed.
struct Layer {
    name: String,
    /// Of its packed weights, of its tensors in the file, and of those among them that are read as a
    /// whole before they are packed.
    packed: f64,
    stored: f64,
    read: f64,
}

/// Layers of the picture's size that are alive in a block of the tiny autoencoder.
const TINY: f64 = 3.0;

/// Bytes of the stages, of which a choice puts the peak together.
pub struct Stages {
    text: f64,
    encode: f64,
    decode: f64,
    /// Whether the tiny autoencoder decodes.
    tiny: bool,
    /// The UNet's packed weights, all of them, and what a pass takes beside them.
    unet: f64,
    pass: f64,
    /// Smallest first: what is read anew then takes the least room.
    layers: Vec<Layer>,
}

impl Stages {
    /// Measures the stages.
    pub fn new(model: &Model, settings: &Settings) -> Self {
        let packing = Packing::of(settings);
        let (folder, v) = (&model.folder, &model.folder.vae);
        let side = folder.side as f64;
        let latents = (side / v.scale() as f64).powi(2);
        let first = folder.unet.block_out_channels.first();
        let unet_layer = first.map_or(0.0, |channels| *channels as f64) * latents * 4.0;
        let plane = side * side * 4.0;
        let (one, two) = match v.block_out_channels[..] {
            [one, two, ..] => (one as f64, two as f64),
            [one] => (one as f64, one as f64),
            [] => (0.0, 0.0),
        };
        let all = |weights: &Weights, own: &dyn Fn(&str) -> bool| -> f64 {
            let names = weights.names().filter(|name| own(name));
            names.map(|name| packing.bytes(weights, name)).sum()
        };
        // And the picture itself.
        let bands = BANDS * (one * plane).min(nn::Run::BAND as f64) + 3.0 * plane;
        let encoder = all(&model.vae, &|name| name.contains("encoder."));
        let decoder = all(&model.vae, &|name| !name.contains("encoder."));
        let mut layers = layers(model, &packing);
        layers.sort_by(|a, b| a.packed.total_cmp(&b.packed).then(a.name.cmp(&b.name)));
        Self {
            text: all(&model.text, &|_| true),
            // A block's input and output, band by band.
            encode: encoder + 2.0 * one * plane + bands,
            decode: match &model.tiny {
                Some(tiny) => {
                    let (channels, _) = autoencoder_tiny::Decoder::predicted(&tiny.root(), latents);
                    all(tiny, &|name| name.starts_with("decoder.")) + TINY * channels as f64 * plane
                }
                // The last level's first block comes from the second level's channels.
                None => decoder + two.max(2.0 * one) * plane + bands,
            },
            tiny: model.tiny.is_some(),
            unet: all(&model.unet, &|_| true),
            pass: unet_layer * UNET_LAYERS * model.batch(settings),
            layers,
        }
    }

    /// The choice that gives up least of those that keep `budget`; where none does, the smallest.
    pub fn choose(&self, budget: Option<u64>) -> Choice {
        let mut choice = Choice {
            keep: true,
            streamed: BTreeSet::new(),
            streamed_bytes: 0.0,
        };
        let Some(budget) = budget else {
            return choice;
        };
        let mut smallest = (u64::MAX, choice.clone());
        let mut layers = self.layers.iter();
        loop {
            for keep in [true, false] {
                choice.keep = keep;
                let peak = self.peak(&choice);
                if peak <= budget {
                    return choice;
                }
                // One layer more is not always less: it may be the largest to be read.
                if peak < smallest.0 {
                    smallest = (peak, choice.clone());
                }
            }
            let Some(layer) = layers.next() else {
                return smallest.1;
            };
            choice.streamed.insert(layer.name.clone());
            choice.streamed_bytes += layer.stored;
        }
    }

    fn streamed<'a>(&'a self, choice: &'a Choice) -> impl Iterator<Item = &'a Layer> {
        let layers = self.layers.iter();
        layers.filter(|layer| choice.streamed.contains(&layer.name))
    }

    /// Bytes of the UNet that stay between steps.
    pub fn held(&self, choice: &Choice) -> f64 {
        let streamed: f64 = self.streamed(choice).map(|layer| layer.packed).sum();
        self.unet - streamed
    }

    /// Bytes of the stages in their order.
    fn bytes(&self, choice: &Choice) -> [(&'static str, f64); 4] {
        let held = self.held(choice);
        // The layer, and the tensors that it is made of.
        let layers = self.streamed(choice).map(|layer| layer.packed + layer.read);
        let largest = layers.fold(0.0, f64::max);
        let beside = if choice.keep { held } else { 0.0 };
        [
            ("text", beside + self.text + REST),
            ("encode", beside + self.encode + REST),
            ("steps", held + self.pass + largest + REST),
            ("decode", beside + self.decode + REST),
        ]
    }

    /// Bytes at the peak.
    pub fn peak(&self, choice: &Choice) -> u64 {
        let all = self.bytes(choice).into_iter();
        all.map(|(_, bytes)| bytes).fold(0.0, f64::max).ceil() as u64
    }

    /// What a choice takes, in numbers and words.
    pub fn memory(&self, choice: &Choice) -> Memory {
        let mib = |bytes: f64| (bytes / (1 << 20) as f64).round();
        let (count, all) = (choice.streamed.len(), self.layers.len());
        let vae = "in bands of rows";
        let layers = match count {
            0 => "all weights held".into(),
            _ => format!(
                "{count} of {all} layers, {} MiB, read from the file in each step",
                mib(choice.streamed_bytes)
            ),
        };
        let kept = match choice.keep {
            true => "the UNet stays",
            false => "the UNet is released before",
        };
        let way = |name: &str| match name {
            "encode" => vae.to_owned(),
            "steps" => format!("{layers}; attention {} queries at a time", Attention::SLICE),
            "decode" if self.tiny => format!("by the tiny autoencoder; {kept}"),
            "decode" => format!("{vae}; {kept}"),
            _ => String::new(),
        };
        let stage = |(name, bytes): (&'static str, f64)| Stage {
            name,
            bytes: bytes.ceil() as u64,
            way: way(name),
        };
        let given_up = match (choice.keep, count) {
            (true, 0) => String::new(),
            (false, 0) => "the UNet is released before the picture is decoded".into(),
            _ => format!("{count} of the UNet's {all} layers are read from the file in each step"),
        };
        Memory {
            bytes: self.peak(choice),
            kept: match choice.keep {
                true => self.held(choice).ceil() as u64,
                false => 0,
            },
            stages: self.bytes(choice).into_iter().map(stage).collect(),
            given_up,
            instead: None,
        }
    }
}

/// What a fill takes that keeps `budget`, by `stages`; where none does, what would.
pub fn memory(model: &Model, settings: &Settings, stages: &Stages, budget: Option<u64>) -> Memory {
    let mut memory = stages.memory(&stages.choose(budget));
    let full = settings.precision == Precision::Full;
    if let Some(budget) = budget.filter(|budget| full && memory.bytes > *budget) {
        let int8 = Settings {
            precision: Precision::Int8,
            ..settings.clone()
        };
        let stages = Stages::new(model, &int8);
        let least = stages.peak(&stages.choose(Some(budget)));
        memory.instead = (least <= budget).then(|| {
            format!(
                "set precision to int8 (--precision int8), with which it fits in {} MiB",
                least.div_ceil(1 << 20)
            )
        });
    }
    memory
}

/// The layers that can be streamed, with their bytes.
fn layers(model: &Model, packing: &Packing) -> Vec<Layer> {
    let mut bytes: BTreeMap<&str, (f64, f64, f64)> = BTreeMap::new();
    let names = unet_2d_condition::layers(&model.folder.unet);
    for tensor in model.unet.names() {
        // Levels, blocks and numbers: three or four names before the layer's own.
        let own = names.iter().find(|name| {
            let rest = tensor.strip_prefix(name.as_str());
            rest.is_some_and(|rest| rest.starts_with('.'))
        });
        if let Some(name) = own {
            let (packs, stored, read) = bytes.entry(name).or_default();
            let own = numbers(&model.unet, tensor) * stored_bytes(&model.unet, tensor);
            *packs += packing.bytes(&model.unet, tensor);
            *stored += own;
            if packing.precision != Precision::Full || !model.unet.in_parts(tensor) {
                *read += own;
            }
        }
    }
    let layer = |(name, (packed, stored, read)): (&str, (f64, f64, f64))| Layer {
        name: name.to_owned(),
        packed,
        stored,
        read,
    };
    bytes.into_iter().map(layer).collect()
}

/// How weights are laid out.
struct Packing {
    precision: Precision,
    /// Outputs of a panel, which is filled up.
    panel: usize,
}

impl Packing {
    fn of(settings: &Settings) -> Self {
        Self {
            precision: settings.precision,
            panel: Context::new(Path::chosen()).width(),
        }
    }

    /// Bytes of a tensor that has been packed.
    fn bytes(&self, weights: &Weights, name: &str) -> f64 {
        let all = numbers(weights, name);
        let stored = stored_bytes(weights, name);
        let timing = name.contains("time_emb");
        let shape = weights.shape(name).unwrap_or(&[]);
        match shape {
            // Vectors are widened.
            [] | [_] => all * 4.0,
            // Rows that are looked up.
            _ if name.contains("embedding") && !timing => all * stored,
            [outputs, inputs, taps @ ..] => {
                let outputs = outputs.next_multiple_of(self.panel) as f64;
                let taps: f64 = taps.iter().map(|n| *n as f64).product();
                let few = taps > 1.0 && (*inputs < FEW || shape[0] < FEW);
                match self.precision {
                    // Fours of inputs; a scale, and the sums of each tap's parts.
                    Precision::Int8 if !timing && !few => {
                        let row = inputs.next_multiple_of(4) + 4 * inputs.div_ceil(PART);
                        outputs * (row as f64 * taps + 4.0)
                    }
                    // The time's layers stay precise, and convolutions of a few channels.
                    _ => outputs * *inputs as f64 * taps * stored,
                }
            }
        }
    }
}

/// Bytes that a number takes when it has been read.
fn stored_bytes(weights: &Weights, name: &str) -> f64 {
    match weights.dtype(name) {
        Some(Dtype::F16) => 2.0,
        _ => 4.0,
    }
}
