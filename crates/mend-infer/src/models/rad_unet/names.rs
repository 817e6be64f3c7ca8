//! Under which names a checkpoint keeps the network: diffusers', with or without a LoRA of peft's inside, or
//! ADM's own.
//!
//! Sources: diffusers 0.42.1, `models/unets/unet_2d.py`; openai/guided-diffusion at 22e0df8,
//! `guided_diffusion/unet.py`; peft 0.21.2 for the LoRA's.
#![forbid(unsafe_code)]

use crate::weights::{PREFIX as ADAPTER, Part, Weights};

/// The network's tensors by diffusers' names, and those of LoRAs, `unet.LAYER.lora_A.weight`.
#[derive(Default)]
pub(super) struct Names {
    pub tensors: Vec<(String, Part)>,
    pub lora: Vec<(String, Part)>,
}

/// Names of ADM's residual block and ours.
const RESNET: [(&str, &str); 6] = [
    ("in_layers.0", "norm1"),
    ("in_layers.2", "conv1"),
    ("emb_layers.1", "time_emb_proj"),
    ("out_layers.0", "norm2"),
    ("out_layers.3", "conv2"),
    ("skip_connection", "conv_shortcut"),
];

/// Of its ends.
const ENDS: [(&str, &str); 5] = [
    ("time_embed.0", "time_embedding.linear_1"),
    ("time_embed.2", "time_embedding.linear_2"),
    ("input_blocks.0.0", "conv_in"),
    ("out.0", "conv_norm_out"),
    ("out.2", "conv_out"),
];

/// Whether a file may hold such a network.
pub(super) fn known(weights: &Weights) -> bool {
    let ends = |name: &str| {
        [
            "conv_in.weight",
            "conv_in.base_layer.weight",
            "input_blocks.0.0.weight",
        ]
        .iter()
        .any(|end| name.ends_with(end))
    };
    weights.names().any(ends)
}

/// The file's names; none where it holds no such network. `head_dim` are the channels of an attention's
/// head, which ADM's files keep one behind another.
pub(super) fn names(weights: &Weights, head_dim: Option<usize>) -> Option<Names> {
    let behind = |what: &str| {
        let mut all = weights.names();
        all.find_map(|name| name.strip_suffix(what).map(str::to_owned))
    };
    let root = weights.contains("conv_in.weight") || weights.contains("conv_in.base_layer.weight");
    if !root && let Some(prefix) = behind("input_blocks.0.0.weight") {
        // Classes are what no picture tells, and nobody is asked for.
        if weights
            .names()
            .any(|name| name.ends_with("label_emb.weight"))
        {
            return None;
        }
        return adm(weights, &prefix, head_dim);
    }
    let prefix = match root {
        true => String::new(),
        false => behind("conv_in.base_layer.weight").or_else(|| behind("conv_in.weight"))?,
    };
    Some(diffusers(weights, &prefix))
}

/// A tensor as the network wants it: linear layers may be stored as convolutions of one pixel.
fn part(weights: &Weights, of: &str, ours: &str) -> Option<Part> {
    let shape = weights.shape(of)?;
    let linear = ours.contains("time_emb") || ours.contains(".to_") && ours.contains("attentions");
    let shape = match shape {
        [o, i, ones @ ..] if linear && ones.iter().all(|n| *n == 1) => vec![*o, *i],
        all => all.to_vec(),
    };
    Some(Part {
        of: of.to_owned(),
        shape,
        first: 0,
    })
}

fn diffusers(weights: &Weights, prefix: &str) -> Names {
    let mut names = Names::default();
    let adapter = |full: &&str| full.starts_with(ADAPTER);
    // What an adapter brings whole stands in the place of the model's own.
    let all: Vec<&str> = weights.names().collect();
    let (new, own): (Vec<&str>, Vec<&str>) = all.into_iter().partition(adapter);
    for full in own.into_iter().chain(new) {
        let name = match full.strip_prefix(ADAPTER) {
            Some(name) => Some(name),
            None => full.strip_prefix(prefix),
        };
        let Some(name) = name.filter(|name| is_network(name)) else {
            continue;
        };
        // A layer that was trained whole is kept with its old self.
        let Some((ours, lora)) = without_peft(name) else {
            continue;
        };
        if lora {
            let part = Part {
                of: full.to_owned(),
                shape: weights.shape(full).unwrap_or(&[]).to_vec(),
                first: 0,
            };
            names.lora.push((format!("unet.{ours}"), part));
            continue;
        }
        if let Some(part) = part(weights, full, &ours) {
            names.tensors.push((ours, part));
        }
    }
    names
}

/// A tensor's name without what peft wraps layers in, and whether it is a LoRA's: then the adapter's own name
/// is left out, `LAYER.lora_A.weight`. None for what is not used.
fn without_peft(name: &str) -> Option<(String, bool)> {
    let (mut ours, mut lora) = (Vec::new(), false);
    let mut words = name.split('.');
    while let Some(word) = words.next() {
        match word {
            "base_layer" => {}
            "original_module" => return None,
            "modules_to_save" => {
                words.next();
            }
            "lora_A" | "lora_B" => {
                ours.extend([word, "weight"]);
                lora = words.next_back() == Some("weight");
                if !lora {
                    return None;
                }
                break;
            }
            word => ours.push(word),
        }
    }
    Some((ours.join("."), lora))
}

fn is_network(name: &str) -> bool {
    let parts = [
        "conv_in.",
        "time_embedding.",
        "down_blocks.",
        "mid_block.",
        "up_blocks.",
        "conv_norm_out.",
        "conv_out.",
    ];
    parts.iter().any(|part| name.starts_with(part))
}

fn adm(weights: &Weights, prefix: &str, head_dim: Option<usize>) -> Option<Names> {
    let has = |name: &str| weights.contains(&format!("{prefix}{name}.weight"));
    let mut layers: Vec<(String, String)> = Vec::new();
    let mut add = |theirs: &str, ours: &str| layers.push((theirs.to_owned(), ours.to_owned()));
    for (theirs, ours) in ENDS {
        add(theirs, ours);
    }
    // The way up has a block for each of the way down; those that end a level enlarge the picture in a second
    // residual block.
    let blocks = (0..512)
        .take_while(|k| has(&format!("output_blocks.{k}.0.in_layers.2")))
        .count();
    let enlarges = |k: usize| {
        let second = (1..3).find(|m| has(&format!("output_blocks.{k}.{m}.in_layers.2")));
        second.map(|m| format!("output_blocks.{k}.{m}"))
    };
    let levels = 1 + (0..blocks).filter(|k| enlarges(*k).is_some()).count();
    if blocks == 0 || blocks % levels != 0 {
        return None;
    }
    let each = blocks / levels;
    let mut resnets: Vec<(String, String)> = vec![
        ("middle_block.0".into(), "mid_block.resnets.0".into()),
        ("middle_block.2".into(), "mid_block.resnets.1".into()),
    ];
    let mut attentions: Vec<(String, String)> =
        vec![("middle_block.1".into(), "mid_block.attentions.0".into())];
    for k in 0..blocks {
        let (i, j) = (k / each, k % each);
        let (theirs, up) = (format!("output_blocks.{k}"), format!("up_blocks.{i}"));
        resnets.push((format!("{theirs}.0"), format!("{up}.resnets.{j}")));
        attentions.push((format!("{theirs}.1"), format!("{up}.attentions.{j}")));
        if let Some(second) = enlarges(k) {
            resnets.push((second, format!("{up}.upsamplers.0")));
        }
        // Of the way down, one is the first convolution, and a level's last makes the picture smaller.
        let (theirs, down) = (
            format!("input_blocks.{}", k + 1),
            format!("down_blocks.{i}"),
        );
        if j + 1 == each {
            resnets.push((format!("{theirs}.0"), format!("{down}.downsamplers.0")));
        } else {
            resnets.push((format!("{theirs}.0"), format!("{down}.resnets.{j}")));
            attentions.push((format!("{theirs}.1"), format!("{down}.attentions.{j}")));
        }
    }
    for (theirs, ours) in &resnets {
        for (part, own) in RESNET {
            add(&format!("{theirs}.{part}"), &format!("{ours}.{own}"));
        }
    }
    let mut names = Names::default();
    attentions.retain(|(theirs, _)| has(&format!("{theirs}.qkv")));
    for (theirs, ours) in &attentions {
        add(&format!("{theirs}.norm"), &format!("{ours}.group_norm"));
        add(&format!("{theirs}.proj_out"), &format!("{ours}.to_out.0"));
        let qkv = format!("{prefix}{theirs}.qkv");
        names.tensors.extend(heads(weights, &qkv, ours, head_dim));
    }
    for (theirs, ours) in layers {
        for what in ["weight", "bias"] {
            let (of, ours) = (format!("{prefix}{theirs}.{what}"), format!("{ours}.{what}"));
            if let Some(part) = part(weights, &of, &ours) {
                names.tensors.push((ours, part));
            }
        }
    }
    Some(names)
}

/// `qkv`, `[3 · channels, channels, 1]`, has queries, keys and values of each head one behind another:
/// `QKVAttentionLegacy`.
fn heads(weights: &Weights, qkv: &str, ours: &str, head_dim: Option<usize>) -> Vec<(String, Part)> {
    let mut all = Vec::new();
    for what in ["weight", "bias"] {
        let of = format!("{qkv}.{what}");
        let Some(shape) = weights.shape(&of) else {
            continue;
        };
        let rows = shape.first().copied().unwrap_or(0);
        let dim = head_dim.unwrap_or(rows / 3).max(1);
        let columns = shape.get(1).copied().filter(|_| what == "weight");
        for head in 0..(rows / 3 / dim).min(1 << 12) {
            for (i, name) in ["to_q", "to_k", "to_v"].iter().enumerate() {
                let part = Part {
                    of: of.clone(),
                    shape: [Some(dim), columns].into_iter().flatten().collect(),
                    first: (3 * head + i) * dim,
                };
                all.push((format!("{ours}.{name}.{head}.{what}"), part));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::without_peft;

    #[test]
    fn what_peft_wraps_layers_in_is_left_out() {
        for (name, ours) in [
            ("a.0.conv1.weight", Some(("a.0.conv1.weight", false))),
            ("a.base_layer.bias", Some(("a.bias", false))),
            ("a.lora_A.weight", Some(("a.lora_A.weight", true))),
            (
                "a.0.lora_B.default.weight",
                Some(("a.0.lora_B.weight", true)),
            ),
            ("a.lora_B.other.weight", Some(("a.lora_B.weight", true))),
            (
                "a.modules_to_save.default.weight",
                Some(("a.weight", false)),
            ),
            ("a.original_module.weight", None),
            ("a.lora_A.default.bias", None),
            ("a.lora_A", None),
        ] {
            let ours = ours.map(|(ours, lora)| (ours.to_owned(), lora));
            assert_eq!(without_peft(name), ours, "{name}");
        }
    }
}
