//! Checkpoints in one file: Stable Diffusion 1's and 2's with their true names (`tests/golden/single_file.txt`)
//! and small shapes.

use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// A tensor of a checkpoint, and what diffusers makes of it: name, shape and first row.
pub struct Line {
    /// Its name in the file.
    pub full: String,
    /// Without the prefix of its network.
    pub name: String,
    /// Its shape in the file.
    pub shape: Vec<usize>,
    /// What diffusers makes of it: name, shape, and the first row of a fused tensor.
    pub here: Option<(String, Vec<usize>, usize)>,
}

fn dims(text: &str) -> Vec<usize> {
    let all = text.split(',').filter(|n| *n != "-");
    all.map(|n| n.parse().unwrap()).collect()
}

/// What diffusers makes of the tensors of each network, by section.
pub fn golden() -> BTreeMap<String, Vec<Line>> {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/golden/single_file.txt"
    );
    let text = std::fs::read_to_string(file).unwrap();
    let (mut all, mut section, mut prefix) = (BTreeMap::<_, Vec<Line>>::new(), "", "");
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        if let Some(head) = line.strip_prefix('[') {
            (section, prefix) = head.trim_end_matches(']').split_once(' ').unwrap();
            continue;
        }
        let words: Vec<&str> = line.split(' ').collect();
        let shape = dims(words[1]);
        let part = words.get(3).map_or(shape.clone(), |s| dims(s));
        let first = words.get(4).map_or(0, |n| n.parse().unwrap());
        all.entry(section.to_owned()).or_default().push(Line {
            full: format!("{prefix}{}", words[0]),
            name: words[0].to_owned(),
            here: (words[2] != "-").then(|| (words[2].to_owned(), part, first)),
            shape,
        });
    }
    all
}

/// `f16` numbers that nothing but the name and the place decide.
pub fn numbers(name: &str, shape: &[usize]) -> Vec<u8> {
    let mut state = name.bytes().fold(0x9e37_79b9_u32, |h, b| {
        (h ^ u32::from(b)).wrapping_mul(0x0100_0193)
    });
    let inputs: usize = shape.iter().skip(1).product();
    let norm = shape.len() == 1 && name.ends_with("weight");
    let (middle, scale) = match (norm, shape.len()) {
        (true, _) => (1.0, 0.3),
        (false, 1) => (0.0, 0.3),
        _ => (0.0, 1.7 / (inputs as f32).sqrt()),
    };
    let mut out = Vec::new();
    for _ in 0..shape.iter().product::<usize>() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let uniform = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
        out.extend(half::f16::from_f32(middle + scale * uniform).to_le_bytes());
    }
    out
}

/// Shape and bytes of each tensor, in half precision.
pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<u8>)>;

/// A safetensors file.
pub fn bytes(tensors: &Tensors, metadata: &[(&str, &str)]) -> Vec<u8> {
    let views = tensors.iter().map(|(name, (shape, data))| {
        let view = TensorView::new(Dtype::F16, shape.clone(), data).unwrap();
        (name.clone(), view)
    });
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let metadata: HashMap<_, _> = metadata.iter().map(own).collect();
    serialize(views, Some(metadata)).unwrap()
}

/// Writes `one.safetensors` and the same as a diffusers folder `folder` into `path`: Stable Diffusion
/// 1's inpainting networks, or `two`'s plain ones, of small shapes and for pictures of 64².
pub fn write(path: &Path, two: bool) {
    let (whole, parts) = checkpoint(if two { SD2 } else { SD1 });
    let side = [("modelspec.resolution", "64x64")];
    std::fs::write(path.join("one.safetensors"), bytes(&whole, &side)).unwrap();
    let unet = json!({
        "in_channels": if two { 4 } else { 9 }, "block_out_channels": [32, 64, 128, 128],
        "down_block_types": DOWN, "up_block_types": UP, "cross_attention_dim": 64,
        "attention_head_dim": if two { json!([1, 1, 2, 2]) } else { json!(8) },
        "use_linear_projection": two, "sample_size": 8,
    });
    let vae = json!({
        "block_out_channels": [32, 64, 128, 128], "layers_per_block": 2,
        "down_block_types": vec!["DownEncoderBlock2D"; 4],
        "up_block_types": vec!["UpDecoderBlock2D"; 4],
    });
    let text = json!({
        "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 1,
        "num_hidden_layers": if two { 23 } else { 12 },
        "hidden_act": if two { "gelu" } else { "quick_gelu" },
    });
    let own = |section: &str| {
        parts
            .iter()
            .find(|(name, _)| name.starts_with(section))
            .unwrap()
            .1
    };
    let folder = |name: &str| {
        let folder = path.join("folder").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    };
    for (name, section, config, stem) in [
        ("unet", "unet", unet, "diffusion_pytorch_model"),
        ("vae", "vae", vae, "diffusion_pytorch_model"),
        ("text_encoder", "text", text, "model"),
    ] {
        let folder = folder(name);
        let file = folder.join(format!("{stem}.safetensors"));
        std::fs::write(file, bytes(own(section), &[])).unwrap();
        std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    }
    if two {
        let (noise, pad) = (
            r#"{"prediction_type": "v_prediction"}"#,
            r#"{"pad_token": "!"}"#,
        );
        let file = folder("scheduler").join("scheduler_config.json");
        std::fs::write(file, noise).unwrap();
        std::fs::write(folder("tokenizer").join("special_tokens_map.json"), pad).unwrap();
    }
}

/// Blocks on the way down.
pub const DOWN: [&str; 4] = [
    "CrossAttnDownBlock2D",
    "CrossAttnDownBlock2D",
    "CrossAttnDownBlock2D",
    "DownBlock2D",
];
/// And up again.
pub const UP: [&str; 4] = [
    "UpBlock2D",
    "CrossAttnUpBlock2D",
    "CrossAttnUpBlock2D",
    "CrossAttnUpBlock2D",
];

/// A small shape in the place of the true one.
fn small(section: &str, shape: &[usize]) -> Vec<usize> {
    let one = |n: &usize| match (section, *n) {
        (_, 768 | 1024) if section != "vae" => 64,
        ("unet.1" | "unet.2", n) if n % 320 == 0 => n / 10,
        ("vae", n) if n % 128 == 0 => n / 4,
        ("text.1", 3072) | ("text.2", 4096) => 128,
        ("text.2", 3072) => 192,
        (_, n) => n,
    };
    shape.iter().map(one).collect()
}

/// A checkpoint, and the networks' tensors as diffusers would write them, by section.
pub fn checkpoint(sections: [&str; 3]) -> (Tensors, BTreeMap<String, Tensors>) {
    let golden = golden();
    let (mut whole, mut parts) = (Tensors::new(), BTreeMap::<_, Tensors>::new());
    for section in sections {
        let here = parts.entry(section.to_owned()).or_default();
        for line in &golden[section] {
            let shape = small(section, &line.shape);
            let data = numbers(&line.full, &shape);
            if let Some((name, part, first)) = &line.here {
                // Of a fused tensor each takes a third.
                let thirds = first * 3 / line.shape[0];
                let part = match part.len() == line.shape.len() && *part != line.shape {
                    true => [&[shape[0] / 3], &shape[1..]].concat(),
                    false => shape[..part.len()].to_vec(),
                };
                let bytes = 2 * part.iter().product::<usize>();
                let data = data[thirds * bytes..][..bytes].to_vec();
                here.insert(name.clone(), (part, data));
            }
            whole.insert(line.full.clone(), (shape, data));
        }
    }
    whole.insert("model_ema.decay".into(), (vec![], vec![0; 2]));
    (whole, parts)
}

/// The sections of Stable Diffusion 1.
pub const SD1: [&str; 3] = ["unet.1", "vae", "text.1"];
/// Of Stable Diffusion 2.
pub const SD2: [&str; 3] = ["unet.2", "vae", "text.2"];
