//! The names that LoRAs' tensors have, by who wrote the file: peft, diffusers old and new, kohya's
//! sd-scripts.
//!
//! Sources: diffusers 0.42.1, `utils/state_dict_utils.py` and `loaders/lora_conversion_utils.py`.
#![forbid(unsafe_code)]

use crate::weights::PREFIX;

/// The network that a tensor changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Net {
    /// `UNet2DConditionModel`.
    Unet,
    /// `CLIPTextModel`.
    Text,
}

/// What a tensor is of its layer's change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A: `[rank, inputs …]`.
    Down,
    /// B: `[outputs, rank]`.
    Up,
    /// A number: the change is multiplied by it and divided by the rank.
    Alpha,
}

/// A tensor's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// The network, the layer's name with `_` for each dot, and what it is of it.
    Of(Net, String, Role),
    /// What no addition of two matrices is, or of a network that is not here; in words.
    Other(&'static str),
    /// No name of a LoRA's.
    Unknown,
}

const DOWN: [&str; 4] = [
    ".lora_down.weight",
    ".lora.down.weight",
    ".lora_linear_layer.down.weight",
    "_lora.down.weight",
];
const UP: [&str; 4] = [
    ".lora_up.weight",
    ".lora.up.weight",
    ".lora_linear_layer.up.weight",
    "_lora.up.weight",
];

/// peft's, whose weight may lie under the adapter's name.
const PEFT: [(&str, Role); 2] = [(".lora_A.", Role::Down), (".lora_B.", Role::Up)];

const WHOLE: &str = "an adapter with whole layers in it (peft's 'modules_to_save' or 'bias')";

const OTHERS: [(&str, &str); 13] = [
    ("dora_scale", "a DoRA, which also scales the weights' rows"),
    (
        "lora_magnitude_vector",
        "a DoRA, which also scales the weights' rows",
    ),
    ("lora_embedding_", "a LoRA of embeddings"),
    (".lora_A.bias", "a LoRA with biases"),
    (".lora_B.bias", "a LoRA with biases"),
    (".modules_to_save.", WHOLE),
    (".hada_", "a LoHa"),
    (".lokr_", "a LoKr"),
    (".oft_", "an OFT"),
    ("lora_mid", "a LoCon in three factors"),
    ("lora_te1_", "a LoRA for SDXL"),
    ("lora_te2_", "a LoRA for SDXL"),
    ("text_encoder_2.", "a LoRA for SDXL"),
];

/// Prefixes of the networks.
const NETS: [(&str, Net); 4] = [
    ("lora_unet_", Net::Unet),
    ("unet.", Net::Unet),
    ("lora_te_", Net::Text),
    ("text_encoder.", Net::Text),
];

/// Reads a tensor's name.
pub(super) fn key(name: &str) -> Key {
    if let Some((_, what)) = OTHERS.iter().find(|(part, _)| name.contains(part)) {
        return Key::Other(what);
    }
    match module(name) {
        Some((net, layer, role)) => Key::Of(net, flat(net, layer), role),
        None if name.starts_with(PREFIX) => match parts(name) {
            Some(_) => Key::Unknown,
            None => Key::Other(WHOLE),
        },
        None => Key::Unknown,
    }
}

/// The network and the layer that a tensor is of, by its name in the file, and what it is of it.
pub(super) fn module(name: &str) -> Option<(Net, &str, Role)> {
    let (layer, role) = parts(name)?;
    let named = NETS
        .iter()
        .find_map(|(prefix, net)| Some((*net, layer.strip_prefix(prefix)?)));
    // Files of one network alone may leave its name out; its first layers are in no block.
    let begins = |all: &[&str]| all.iter().any(|start| layer.starts_with(start));
    let unet = [
        "down_blocks.",
        "mid_block.",
        "up_blocks.",
        "time_embedding.",
    ];
    let (net, layer) = match named {
        Some(named) => named,
        None if begins(&unet) || ["conv_in", "conv_out"].contains(&layer) => (Net::Unet, layer),
        // transformers left `text_model.` out from version 5 on.
        None if begins(&["text_model.", "encoder.layers."]) => (Net::Text, layer),
        None => return None,
    };
    Some((net, layer, role))
}

/// The layer of a tensor, its network's name perhaps before it, and what the tensor is of it.
fn parts(name: &str) -> Option<(&str, Role)> {
    let name = name.strip_prefix(PREFIX).unwrap_or(name);
    for (mark, role) in PEFT {
        if let Some((layer, rest)) = name.split_once(mark) {
            let weight = rest == "weight" || rest.ends_with(".weight");
            return weight.then_some((layer, role));
        }
    }
    let ends = |all: &[&str]| all.iter().find_map(|end| name.strip_suffix(end));
    match (ends(&DOWN), ends(&UP), name.strip_suffix(".alpha")) {
        (Some(layer), ..) => Some((layer, Role::Down)),
        (_, Some(layer), _) => Some((layer, Role::Up)),
        (.., Some(layer)) => Some((layer, Role::Alpha)),
        _ => None,
    }
}

/// A layer's name with `_` for each dot: kohya's names have no dots, and no two layers become one.
/// diffusers' attention processors, which had the layers of old, are left out.
pub(super) fn flat(net: Net, layer: &str) -> String {
    let mut name = layer.replace(".processor", "").replace('.', "_");
    match net {
        Net::Unet => {
            if name.ends_with("_to_out") {
                name.push_str("_0");
            }
        }
        Net::Text => {
            // transformers left it out from version 5 on.
            if let Some(rest) = name.strip_prefix("text_model_") {
                name = rest.to_owned();
            }
            for (old, new) in [
                ("_to_q", "_q_proj"),
                ("_to_k", "_k_proj"),
                ("_to_v", "_v_proj"),
                ("_to_out", "_out_proj"),
            ] {
                if let Some(rest) = name.strip_suffix(old) {
                    name = format!("{rest}{new}");
                }
            }
        }
    }
    name
}
