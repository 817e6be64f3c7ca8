//! The networks' configurations, found from the shapes of a checkpoint's tensors.
#![forbid(unsafe_code)]

use super::Hints;
use serde_json::{Value, json};

/// A tensor's shape by its name without the network's prefix.
pub(super) type Shapes<'a> = &'a dyn Fn(&str) -> Option<Vec<usize>>;

/// Size of a head in Stable Diffusion 2's UNet and in CLIP's text models; number of them in 1's UNet.
const HEAD_SIZE: usize = 64;
const HEADS: usize = 8;

/// How many of `name(0)`, `name(1)`, … there are.
fn count(shape: Shapes, name: impl Fn(usize) -> String) -> usize {
    (0..).take_while(|i| shape(&name(*i)).is_some()).count()
}

fn side(shape: Shapes, name: &str, dimension: usize) -> usize {
    let shape = shape(name);
    shape.and_then(|s| s.get(dimension).copied()).unwrap_or(0)
}

/// What one level of the UNet is.
#[derive(Default)]
struct Level {
    channels: usize,
    layers: usize,
    /// Transformer blocks behind each residual block.
    depth: usize,
}

/// The UNet's `config.json`, and the residual blocks of a level.
pub(super) fn unet(shape: Shapes, hints: &Hints) -> (Value, usize) {
    let mut levels = vec![Level::default()];
    let (mut linear, mut text) = (false, None);
    for i in 1.. {
        let block = format!("input_blocks.{i}");
        if shape(&format!("{block}.0.op.weight")).is_some() {
            levels.push(Level::default());
            continue;
        }
        let Some(conv) = shape(&format!("{block}.0.in_layers.2.weight")) else {
            break;
        };
        let Some(level) = levels.last_mut() else {
            break;
        };
        level.channels = conv.first().copied().unwrap_or(0);
        level.layers += 1;
        let blocks = format!("{block}.1.transformer_blocks");
        let width = |j: usize| format!("{blocks}.{j}.attn2.to_k.weight");
        level.depth = count(shape, width);
        text = text.or_else(|| shape(&width(0))?.last().copied());
        let project = shape(&format!("{block}.1.proj_in.weight"));
        linear |= project.is_some_and(|s| s.len() == 2);
    }
    let attends = |down: &str, plain: &str| -> Vec<String> {
        let name = |l: &Level| if l.depth > 0 { down } else { plain }.to_owned();
        levels.iter().map(name).collect()
    };
    let mut up = attends("CrossAttnUpBlock2D", "UpBlock2D");
    up.reverse();
    let layers = levels.first().map_or(0, |l| l.layers);
    let head_size = hints.num_head_channels.or(linear.then_some(HEAD_SIZE));
    let heads = |l: &Level| match (hints.num_heads, head_size) {
        (Some(heads), _) => heads,
        (None, Some(size)) => (l.channels / size.max(1)).max(1),
        (None, None) => HEADS,
    };
    let of = |f: &dyn Fn(&Level) -> usize| levels.iter().map(f).collect::<Vec<_>>();
    let config = json!({
        "in_channels": side(shape, "input_blocks.0.0.weight", 1),
        "out_channels": side(shape, "out.2.weight", 0),
        "block_out_channels": of(&|l| l.channels),
        "down_block_types": attends("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": up,
        "layers_per_block": layers,
        "transformer_layers_per_block": of(&|l| l.depth.max(1)),
        "attention_head_dim": of(&heads),
        "cross_attention_dim": text.unwrap_or(0),
        "use_linear_projection": linear,
        "flip_sin_to_cos": true,
        "freq_shift": 0,
        // What other families have: told by name.
        "num_class_embeds": shape("label_emb.weight").map(|s| s.first().copied()),
        "class_embed_type": shape("label_emb.0.0.weight").map(|_| "projection"),
    });
    (config, layers)
}

/// The VAE's `config.json`, and its levels.
pub(super) fn vae(shape: Shapes) -> (Value, usize) {
    let block = |i: usize, j: usize| format!("encoder.down.{i}.block.{j}.conv1.weight");
    let levels = count(shape, |i| block(i, 0));
    let channels: Vec<usize> = (0..levels).map(|i| side(shape, &block(i, 0), 0)).collect();
    let config = json!({
        "in_channels": side(shape, "encoder.conv_in.weight", 1),
        "out_channels": side(shape, "decoder.conv_out.weight", 0),
        "latent_channels": side(shape, "decoder.conv_in.weight", 1),
        "block_out_channels": channels,
        "down_block_types": vec!["DownEncoderBlock2D"; levels],
        "up_block_types": vec!["UpDecoderBlock2D"; levels],
        "layers_per_block": count(shape, |j| block(0, j)),
        "use_quant_conv": shape("quant_conv.weight").is_some(),
        "use_post_quant_conv": shape("post_quant_conv.weight").is_some(),
        "mid_block_add_attention": shape("encoder.mid.attn_1.q.weight").is_some(),
    });
    (config, levels)
}

/// The `config.json` of OpenAI's text model, whose names are those here.
pub(super) fn clip(shape: Shapes) -> Value {
    let inner = |i: usize| format!("encoder.layers.{i}.mlp.fc1.weight");
    let layers = count(shape, inner);
    text(
        shape("embeddings.token_embedding.weight"),
        shape("embeddings.position_embedding.weight"),
        shape(&inner(0)),
        (layers, "quick_gelu"),
    )
}

/// The `config.json` of OpenCLIP's, with the layers that are used: all but the last.
pub(super) fn open_clip(shape: Shapes) -> (Value, usize) {
    let inner = |i: usize| format!("transformer.resblocks.{i}.mlp.c_fc.weight");
    let layers = count(shape, inner).saturating_sub(1);
    let config = text(
        shape("token_embedding.weight"),
        shape("positional_embedding"),
        shape(&inner(0)),
        (layers, "gelu"),
    );
    (config, layers)
}

fn text(
    tokens: Option<Vec<usize>>,
    places: Option<Vec<usize>>,
    inner: Option<Vec<usize>>,
    (layers, act): (usize, &str),
) -> Value {
    let at = |s: &Option<Vec<usize>>, i: usize| s.as_ref().and_then(|s| s.get(i).copied());
    let hidden = at(&tokens, 1).unwrap_or(0);
    json!({
        "vocab_size": at(&tokens, 0).unwrap_or(0),
        "hidden_size": hidden,
        "intermediate_size": at(&inner, 0).unwrap_or(0),
        "num_hidden_layers": layers,
        "num_attention_heads": (hidden / HEAD_SIZE).max(1),
        "max_position_embeddings": at(&places, 0).unwrap_or(0),
        "hidden_act": act,
    })
}
