//! Model files: as bytes, as a header with bytes behind it, as an index with its shard.

use mend::ErrorKind;
use mend_infer::models::SingleFile;
use mend_infer::models::lora::Lora;
use mend_infer::models::rad_unet::Checkpoint;
use mend_infer::weights::{Scope, Weights};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// A folder that is there until this is dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let id = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mend-fuzz-model-{}-{id}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A file of that header, with `count` bytes behind it.
pub fn file(header: &[u8], count: usize) -> Vec<u8> {
    let len = (header.len() as u64).to_le_bytes();
    [&len, header, &vec![0x3c; count]].concat()
}

pub fn run(data: &[u8]) {
    check(data);
    if let Some((count, header)) = data.split_first() {
        check(&file(header, usize::from(*count)));
    }
    check_index(data);
    check_parts(data);
}

/// Names that single files and LoRAs have, of which a file is made up.
const NAMES: [&str; 38] = [
    "model.diffusion_model.input_blocks.0.0.weight",
    "model.diffusion_model.input_blocks.1.0.in_layers.2.weight",
    "model.diffusion_model.input_blocks.1.1.proj_in.weight",
    "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
    "model.diffusion_model.input_blocks.2.0.op.weight",
    "model.diffusion_model.input_blocks.3.0.in_layers.2.weight",
    "model.diffusion_model.out.2.weight",
    "model.diffusion_model.output_blocks.99999999999999999999.0.x",
    "model.diffusion_model.output_blocks.18446744073709551615.1.conv.bias",
    "first_stage_model.encoder.conv_in.weight",
    "first_stage_model.encoder.down.0.block.0.conv1.weight",
    "first_stage_model.encoder.mid.attn_1.q.weight",
    "first_stage_model.decoder.conv_in.weight",
    "first_stage_model.decoder.conv_out.weight",
    "first_stage_model.decoder.up.18446744073709551615.block.0.conv1.weight",
    "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight",
    "cond_stage_model.transformer.text_model.encoder.layers.0.mlp.fc1.weight",
    "cond_stage_model.model.token_embedding.weight",
    "cond_stage_model.model.positional_embedding",
    "cond_stage_model.model.transformer.resblocks.0.mlp.c_fc.weight",
    "cond_stage_model.model.transformer.resblocks.1.mlp.c_fc.weight",
    "cond_stage_model.model.transformer.resblocks.0.attn.in_proj_weight",
    "cond_stage_model.model.transformer.resblocks.0.attn.in_proj_bias",
    "global_step",
    "lora_unet_input.lora_down.weight",
    "lora_unet_input.lora_up.weight",
    "lora_unet_input.alpha",
    "unet.x.processor.to_out_lora.down.weight",
    "conv_in.weight",
    "conv_out.base_layer.weight",
    "conv_out.lora_A.default.weight",
    "conv_out.lora_B.default.weight",
    "time_embedding.linear_2.weight",
    "down_blocks.0.resnets.0.conv1.weight",
    "mid_block.resnets.0.time_emb_proj.weight",
    "mid_block.resnets.1.conv2.weight",
    "model.diffusion_model.output_blocks.0.0.in_layers.2.weight",
    "model.diffusion_model.middle_block.1.qkv.weight",
];

const SIDES: [u64; 8] = [0, 1, 3, 4, 9, 32, 64, 96];

/// A file of tensors that networks know, in any shapes: what it is is found or told, and all that its
/// networks would read lies in the file.
fn check_parts(data: &[u8]) {
    let (mut tensors, mut end) = (Vec::new(), 0);
    for (name, bytes) in NAMES.iter().zip(data.chunks_exact(3)) {
        let sides = usize::from(bytes[0] & 7);
        if sides > 5 {
            continue;
        }
        let side = |i: usize| SIDES[usize::from(bytes[1 + i % 2] >> (i / 2 * 2)) & 7];
        let shape: Vec<u64> = (0..sides).map(side).collect();
        let len = 2 * shape.iter().product::<u64>();
        if len > 1 << 15 {
            continue;
        }
        tensors.push(format!(
            "\"{name}\":{{\"dtype\":\"F16\",\"shape\":{shape:?},\"data_offsets\":[{end},{}]}}",
            end + len
        ));
        end += len;
    }
    let header = format!("{{{}}}", tensors.join(","));
    let folder = Folder::new();
    let path = folder.0.join("one.safetensors");
    let count = usize::try_from(end).expect("a small file");
    fs::write(&path, file(header.as_bytes(), count)).expect("a file in a temporary folder");
    let told = |error: mend::Error| {
        let kinds = [ErrorKind::Model, ErrorKind::Unsupported];
        assert!(kinds.contains(&error.kind()), "{error}");
        assert!(error.message().contains("one.safetensors"), "{error}");
    };
    match SingleFile::open(&path) {
        Err(error) => told(error),
        Ok(model) => {
            for part in [
                model.unet_weights(),
                model.vae_weights(),
                model.text_weights(),
            ] {
                match part {
                    Err(error) => told(error),
                    Ok(weights) => read_all(&weights),
                }
            }
        }
    }
    if let Err(error) = Lora::open(&path, 1.0) {
        told(error);
    }
    match Checkpoint::open(&path) {
        Err(error) => told(error),
        Ok(checkpoint) => read_all(&checkpoint.weights),
    }
}

/// Every tensor of a view can be read.
fn read_all(weights: &Weights) {
    for name in weights.names() {
        let shape = weights.shape(name).expect("it is named").to_vec();
        let values = weights
            .root()
            .get(name, &shape)
            .expect("it lies in the file");
        assert_eq!(values.len(), shape.iter().product::<usize>());
    }
}

/// What opens is sound for the reference reader too, which agrees on every tensor; what does not has
/// a message that names it.
fn check(data: &[u8]) {
    let theirs = safetensors::SafeTensors::deserialize(data);
    let weights = match Weights::from_bytes("fuzz.safetensors", data.to_vec()) {
        Ok(weights) => weights,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Model);
            assert!(error.message().starts_with("fuzz.safetensors: "), "{error}");
            // A name that stands twice and blanks before the header are nothing to the other.
            let strict = error.message().contains("twice") || data.get(8) != Some(&b'{');
            assert!(theirs.is_err() || strict, "{error}");
            return;
        }
    };
    let theirs = theirs.expect("it opens here");
    assert_eq!(weights.names().count(), theirs.len());
    let mut bytes = 0;
    for (name, view) in theirs.tensors() {
        assert_eq!(weights.shape(&name), Some(view.shape()));
        assert_eq!(weights.dtype(&name), Some(view.dtype()));
        bytes += view.data().len() as u64;
        read(&weights.root(), &name, view.shape());
    }
    assert_eq!(weights.bytes(), bytes);
}

/// A tensor reads as floating-point numbers or as whole ones, never as both.
fn read(root: &Scope<'_>, name: &str, shape: &[usize]) {
    let count: usize = shape.iter().product();
    let floats = root.get(name, shape).map(|v| v.len());
    let integers = root.integers(name, shape).map(|v| v.len());
    assert!(floats.is_err() || integers.is_err());
    for outcome in [floats, integers] {
        match outcome {
            Ok(read) => assert_eq!(read, count),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Model, "{error}"),
        }
    }
    assert!(root.get(name, &[shape, &[1]].concat()).is_err());
}

/// An index opens nothing but what lies beside it.
fn check_index(data: &[u8]) {
    let folder = Folder::new();
    let header = br#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    fs::write(folder.0.join("a.safetensors"), file(header, 4)).expect("a temporary file");
    let path = folder.0.join("m.safetensors.index.json");
    fs::write(&path, data).expect("a temporary file");
    match Weights::open(&path) {
        // There is but one tensor to be had.
        Ok(weights) => {
            assert_eq!(weights.names().collect::<Vec<_>>(), ["x"]);
            assert!(weights.root().get("x", &[1]).is_ok());
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Model, "{error}");
            assert!(error.message().contains("index.json"), "{error}");
        }
    }
}
