//! The names of a checkpoint in one file, beside those that the networks here ask for.
//!
//! Source: diffusers 0.42.1, `loaders/single_file_utils.py`; `tests/golden/single_file.txt` holds what
//! it makes of every tensor of Stable Diffusion 1 and 2.
#![forbid(unsafe_code)]

/// A table: a name's beginning in the file, and here.
type Table = [(&'static str, &'static str)];

const UNET: &Table = &[
    ("time_embed.0", "time_embedding.linear_1"),
    ("time_embed.2", "time_embedding.linear_2"),
    ("input_blocks.0.0", "conv_in"),
    ("middle_block.0", "mid_block.resnets.0"),
    ("middle_block.1", "mid_block.attentions.0"),
    ("middle_block.2", "mid_block.resnets.1"),
    ("out.0", "conv_norm_out"),
    ("out.2", "conv_out"),
];

/// Inside of the UNet's residual blocks.
const RESNET: &Table = &[
    ("in_layers.0", "norm1"),
    ("in_layers.2", "conv1"),
    ("emb_layers.1", "time_emb_proj"),
    ("out_layers.0", "norm2"),
    ("out_layers.3", "conv2"),
    ("skip_connection", "conv_shortcut"),
];

/// Of the VAE's encoder and of its decoder.
const VAE: &Table = &[
    ("conv_in", "conv_in"),
    ("mid.block_1", "mid_block.resnets.0"),
    ("mid.attn_1", "mid_block.attentions.0"),
    ("mid.block_2", "mid_block.resnets.1"),
    ("norm_out", "conv_norm_out"),
    ("conv_out", "conv_out"),
];

/// Inside of the VAE's blocks.
const VAE_BLOCK: &Table = &[
    ("norm1", "norm1"),
    ("conv1", "conv1"),
    ("norm2", "norm2"),
    ("conv2", "conv2"),
    ("nin_shortcut", "conv_shortcut"),
    ("norm", "group_norm"),
    ("q", "to_q"),
    ("k", "to_k"),
    ("v", "to_v"),
    ("proj_out", "to_out.0"),
];

/// OpenCLIP's text model.
const OPEN_CLIP: &Table = &[
    ("token_embedding", "embeddings.token_embedding"),
    (
        "positional_embedding",
        "embeddings.position_embedding.weight",
    ),
    ("ln_final", "final_layer_norm"),
];

/// Inside of its layers.
const OPEN_CLIP_LAYER: &Table = &[
    ("ln_1", "layer_norm1"),
    ("ln_2", "layer_norm2"),
    ("attn.out_proj", "self_attn.out_proj"),
    ("mlp.c_fc", "mlp.fc1"),
    ("mlp.c_proj", "mlp.fc2"),
];

/// What a tensor of the file is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Is {
    /// One tensor, under this name.
    One(String),
    /// Queries, keys and values of this attention, one behind another: `weight` or `bias`.
    InProj(String, &'static str),
    /// Nothing that is used.
    Nothing,
}

/// `rest` of `name` behind `prefix` and a dot, or nothing where it is all.
fn behind<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = name.strip_prefix(prefix)?;
    match rest.strip_prefix('.') {
        None if rest.is_empty() => Some(rest),
        rest => rest,
    }
}

fn joined(prefix: &str, rest: &str) -> String {
    match rest {
        "" => prefix.to_owned(),
        rest => format!("{prefix}.{rest}"),
    }
}

/// The name by a table.
fn looked_up(table: &Table, name: &str) -> Option<(&'static str, String)> {
    table
        .iter()
        .find_map(|(there, here)| Some((*here, behind(name, there)?.to_owned())))
}

/// `A.rest` as a number and the rest.
fn numbered(name: &str) -> Option<(usize, &str)> {
    let (number, rest) = name.split_once('.')?;
    Some((number.parse().ok()?, rest))
}

/// Of the UNet, without its prefix; `layers` are the residual blocks of a level on the way down.
pub(super) fn unet(name: &str, layers: usize) -> Is {
    unet_name(name, layers).map_or(Is::Nothing, Is::One)
}

fn unet_name(name: &str, layers: usize) -> Option<String> {
    if let Some((here, rest)) = looked_up(UNET, name) {
        let rest = match here.contains("resnets") {
            true => inside(RESNET, &rest)?,
            false => rest,
        };
        return Some(joined(here, &rest));
    }
    // Levels one behind another: on the way down the last of each halves, on the way up there is one
    // more residual block and the last doubles.
    let (way, i, rest) = match behind(name, "input_blocks") {
        Some(rest) => {
            let (i, rest) = numbered(rest)?;
            ("down_blocks", i.checked_sub(1)?, rest)
        }
        None => {
            let (i, rest) = numbered(behind(name, "output_blocks")?)?;
            ("up_blocks", i, rest)
        }
    };
    let (level, j) = (i / (layers + 1), i % (layers + 1));
    let (k, rest) = numbered(rest)?;
    if let (0, Some(rest)) = (k, behind(rest, "op")) {
        return Some(format!("{way}.{level}.downsamplers.0.conv.{rest}"));
    }
    if let (1 | 2, Some(rest)) = (k, behind(rest, "conv")) {
        return Some(format!("{way}.{level}.upsamplers.0.conv.{rest}"));
    }
    match k {
        0 => {
            let rest = inside(RESNET, rest)?;
            Some(format!("{way}.{level}.resnets.{j}.{rest}"))
        }
        1 => Some(format!("{way}.{level}.attentions.{j}.{rest}")),
        _ => None,
    }
}

fn inside(table: &Table, name: &str) -> Option<String> {
    let (here, rest) = looked_up(table, name)?;
    Some(joined(here, &rest))
}

/// Of the VAE of `levels` levels, without its prefix.
pub(super) fn vae(name: &str, levels: usize) -> Is {
    vae_name(name, levels).map_or(Is::Nothing, Is::One)
}

fn vae_name(name: &str, levels: usize) -> Option<String> {
    if name.starts_with("quant_conv.") || name.starts_with("post_quant_conv.") {
        return Some(name.to_owned());
    }
    let half = ["encoder", "decoder"];
    let (half, name) = half
        .into_iter()
        .find_map(|half| Some((half, behind(name, half)?)))?;
    if let Some((here, rest)) = looked_up(VAE, name) {
        let rest = match here.contains('.') {
            true => inside(VAE_BLOCK, &rest)?,
            false => rest,
        };
        return Some(format!("{half}.{}", joined(here, &rest)));
    }
    let (way, level, rest) = match behind(name, "down") {
        Some(rest) => {
            let (level, rest) = numbered(rest)?;
            ("down", level, rest)
        }
        // Counted from the smallest picture on.
        None => {
            let (level, rest) = numbered(behind(name, "up")?)?;
            ("up", levels.checked_sub(1)?.checked_sub(level)?, rest)
        }
    };
    let sampled = ["downsample", "upsample"];
    if let Some(rest) = sampled.into_iter().find_map(|s| behind(rest, s)) {
        return Some(format!(
            "{half}.{way}_blocks.{level}.{way}samplers.0.{rest}"
        ));
    }
    let (j, rest) = numbered(behind(rest, "block")?)?;
    let rest = inside(VAE_BLOCK, rest)?;
    Some(format!("{half}.{way}_blocks.{level}.resnets.{j}.{rest}"))
}

/// Of OpenCLIP's text model, without its prefix; `layers` are those that are used of it: the last is
/// left out, whose output Stable Diffusion 2 does not take.
pub(super) fn open_clip(name: &str, layers: usize) -> Is {
    open_clip_name(name, layers).unwrap_or(Is::Nothing)
}

fn open_clip_name(name: &str, layers: usize) -> Option<Is> {
    if let Some(name) = inside(OPEN_CLIP, name) {
        return Some(Is::One(format!("text_model.{name}")));
    }
    let (i, rest) = numbered(behind(name, "transformer.resblocks")?)?;
    if i >= layers {
        return None;
    }
    let layer = format!("text_model.encoder.layers.{i}");
    let attention = format!("{layer}.self_attn");
    match rest {
        "attn.in_proj_weight" => Some(Is::InProj(attention, "weight")),
        "attn.in_proj_bias" => Some(Is::InProj(attention, "bias")),
        rest => Some(Is::One(format!(
            "{layer}.{}",
            inside(OPEN_CLIP_LAYER, rest)?
        ))),
    }
}
