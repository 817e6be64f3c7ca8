//! A tiny Stable Diffusion with random weights, as a diffusers folder, made of `tests/golden`.

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, serialize_to_file};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Tokens of OpenAI's vocabulary.
const VOCABULARY: usize = 49408;

/// Writes a model whose UNet takes `channels`, 9 or 4, and whose pictures are 64² by itself.
pub fn model(folder: &Path, channels: usize) {
    part(folder, "unet", "unet_sd15", "", &|config| {
        config["in_channels"] = json!(channels);
        config["sample_size"] = json!(8);
    });
    part(folder, "vae", "vae", "", &|_| {});
    part(folder, "text_encoder", "clip", "quick.", &|config| {
        *config = config["quick"].clone();
        config["vocab_size"] = json!(VOCABULARY);
    });
}

/// Writes the UNet's weights in single precision: then they, and not the text encoder's vocabulary, are the
/// most that a fill holds, however a machine packs them.
pub fn widen(folder: &Path) {
    let file = folder.join("unet/diffusion_pytorch_model.safetensors");
    let bytes = fs::read(&file).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let wide: Vec<_> = tensors
        .tensors()
        .into_iter()
        .map(|(key, view)| {
            assert_eq!(view.dtype(), Dtype::F16);
            let halves = view
                .data()
                .chunks_exact(2)
                .map(|b| half::f16::from_le_bytes([b[0], b[1]]));
            let data: Vec<u8> = halves.flat_map(|v| v.to_f32().to_le_bytes()).collect();
            (key, view.shape().to_vec(), data)
        })
        .collect();
    let views = wide.iter().map(|(key, shape, data)| {
        (
            key,
            TensorView::new(Dtype::F32, shape.clone(), data).unwrap(),
        )
    });
    serialize_to_file(views, None, &file).unwrap();
}

/// Writes a tiny Stable Diffusion 2: a UNet of four channels with linear projections that predicts v,
/// and a text encoder of its own.
pub fn model_2(folder: &Path) {
    part(folder, "unet", "unet_sd2", "", &|config| {
        config["in_channels"] = json!(4);
        config["sample_size"] = json!(8);
    });
    part(folder, "vae", "vae", "", &|_| {});
    part(folder, "text_encoder", "clip", "gelu.", &|config| {
        *config = config["gelu"].clone();
        config["vocab_size"] = json!(VOCABULARY);
    });
    fs::create_dir_all(folder.join("scheduler")).unwrap();
    fs::write(
        folder.join("scheduler/scheduler_config.json"),
        r#"{"prediction_type": "v_prediction"}"#,
    )
    .unwrap();
}

fn part(folder: &Path, name: &str, golden: &str, prefix: &str, change: &dyn Fn(&mut Value)) {
    let file = format!(
        "{}/../../tests/golden/{golden}.safetensors",
        env!("CARGO_MANIFEST_DIR")
    );
    let bytes = fs::read(file).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let metadata = header.metadata().clone().unwrap();
    let mut config: Value = serde_json::from_str(&metadata["config"]).unwrap();
    change(&mut config);
    let folder = folder.join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let mut kept: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    for (key, view) in tensors.tensors() {
        let Some(key) = key
            .strip_prefix(prefix)
            .filter(|k| !k.starts_with("golden."))
        else {
            continue;
        };
        if prefix.is_empty() || tensors.tensor(&format!("{prefix}{key}")).is_ok() {
            let (mut shape, mut data) = (view.shape().to_vec(), view.data().to_vec());
            let item = data.len() / shape.iter().product::<usize>();
            if key == "conv_in.weight" && name == "unet" {
                let channels = config["in_channels"].as_u64().unwrap() as usize;
                let (row, used) = (data.len() / shape[0], channels * 9 * item);
                data = data.chunks(row).flat_map(|r| r[..used].to_vec()).collect();
                shape[1] = channels;
            }
            if key.ends_with("token_embedding.weight") {
                // More rows, the same again and again.
                let row = shape[1] * item;
                data = data
                    .iter()
                    .copied()
                    .cycle()
                    .take(VOCABULARY * row)
                    .collect();
                shape[0] = VOCABULARY;
            }
            kept.push((key.to_owned(), view.dtype(), shape, data));
        }
    }
    let views = kept.iter().map(|(key, dtype, shape, data)| {
        (key, TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    let stem = match name {
        "text_encoder" => "model",
        _ => "diffusion_pytorch_model",
    };
    serialize_to_file(views, None, &folder.join(format!("{stem}.safetensors"))).unwrap();
}
