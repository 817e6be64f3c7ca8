//! What peft and diffusers call the files of a LoRA, and which of them belong together.
#![forbid(unsafe_code)]

use super::Weights;
use std::path::{Path, PathBuf};

/// peft's configuration, beside the adapter.
pub const CONFIG: &str = "adapter_config.json";
/// What peft puts before the names of an adapter's tensors.
pub const PREFIX: &str = "base_model.model.";
/// Where a file's metadata has what peft says of it, as diffusers writes it.
pub const METADATA: &str = "lora_adapter_metadata";

/// The names of peft's files.
const FILES: [&str; 2] = ["adapter_model.safetensors", "adapter_model.bin"];

/// The LoRA's file in a folder, as diffusers or peft writes it: several where peft wrote the UNet's and the
/// text encoder's into folders of their own; none where there is no LoRA.
pub fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let names = [
        "pytorch_lora_weights.safetensors",
        FILES[0],
        "pytorch_lora_weights.bin",
        FILES[1],
    ];
    let here = |folder: &Path| {
        let mut files = names.iter().map(|name| folder.join(name));
        files.find(|file| file.is_file())
    };
    match here(folder) {
        Some(file) => vec![file],
        None => {
            let parts = ["unet", "text_encoder"].into_iter();
            parts.filter_map(|part| here(&folder.join(part))).collect()
        }
    }
}

/// Whether peft's configuration belongs to the file that it lies beside: to no other writer's file.
pub fn is_peft(path: &Path, weights: &Weights) -> bool {
    let named = FILES.iter().any(|name| path.ends_with(name));
    let alpha = weights.names().any(|name| name.ends_with(".alpha"));
    let own = alpha || weights.metadata(METADATA).is_some();
    (named || weights.names().any(|name| name.starts_with(PREFIX))) && !own
}
