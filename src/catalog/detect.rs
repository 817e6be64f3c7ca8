//! What a model is, told from its tensors and not from its name.
#![forbid(unsafe_code)]

use super::bad;
use crate::error::Result;
use crate::weights::Weights;
use std::fs;
use std::path::Path;

/// How a model's files make it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A folder as diffusers writes it: `unet/`, `vae/`, `text_encoder/`, `tokenizer/`.
    Diffusers,
    /// All networks in one file, as Stable Diffusion was first published.
    Checkpoint,
    /// A low-rank change to another model's networks.
    Lora,
    /// A tiny autoencoder for previews and fast decoding.
    Taesd,
    /// big-LaMa, in one file.
    Lama,
    /// MI-GAN, in one file.
    Migan,
    /// A network for region-aware diffusion, or ADM's that one is made from: a folder with `unet/` alone, or one
    /// file.
    Rad,
    /// MobileSAM, which selects objects, in one file.
    MobileSam,
}

/// The family whose networks it holds or changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Base {
    /// Stable Diffusion 1.5 with a UNet of nine channels, trained to fill.
    Sd15Inpainting,
    /// Stable Diffusion 1.x.
    Sd15,
    /// Stable Diffusion 2 with a UNet of nine channels.
    Sd2Inpainting,
    /// Stable Diffusion 2.x.
    Sd2,
    /// Of several families, or none that Mend can tell.
    Any,
}

const KINDS: [(Kind, &str); 8] = [
    (Kind::Diffusers, "diffusers"),
    (Kind::Checkpoint, "checkpoint"),
    (Kind::Lora, "lora"),
    (Kind::Taesd, "taesd"),
    (Kind::Lama, "lama"),
    (Kind::Migan, "migan"),
    (Kind::Rad, "rad"),
    (Kind::MobileSam, "mobile-sam"),
];

const BASES: [(Base, &str); 5] = [
    (Base::Sd15Inpainting, "sd15-inpainting"),
    (Base::Sd15, "sd15"),
    (Base::Sd2Inpainting, "sd2-inpainting"),
    (Base::Sd2, "sd2"),
    (Base::Any, "any"),
];

impl Kind {
    /// As manifests and JSON have it.
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(k, _)| *k == self).map_or("?", |k| k.1)
    }

    /// The id of the engine that uses models of this kind; `None` for what selects and does not fill.
    pub fn engine(self) -> Option<&'static str> {
        match self {
            Self::Diffusers | Self::Checkpoint | Self::Lora | Self::Taesd => Some("diffusion"),
            Self::Lama => Some("lama"),
            Self::Migan => Some("migan"),
            Self::Rad => Some("rad"),
            Self::MobileSam => None,
        }
    }

    /// What its models are for, in a few words for people.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Diffusers | Self::Checkpoint => "Fills with a prompt, or without",
            Self::Lora => "Changes Stable Diffusion",
            Self::Taesd => "Speeds Stable Diffusion up",
            Self::Lama | Self::Migan => "Removes things",
            Self::Rad => "Removes things, step by step",
            Self::MobileSam => "Selects objects",
        }
    }

    /// Of a name.
    pub fn parse(name: &str) -> Option<Self> {
        KINDS.iter().find(|(_, n)| *n == name).map(|k| k.0)
    }
}

impl Base {
    /// As manifests and JSON have it.
    pub fn name(self) -> &'static str {
        BASES.iter().find(|(b, _)| *b == self).map_or("?", |b| b.1)
    }

    /// Of a name.
    pub fn parse(name: &str) -> Option<Self> {
        BASES.iter().find(|(_, n)| *n == name).map(|b| b.0)
    }
}

/// Checks that a model's file is what its name says: a `.safetensors` file, an archive of PyTorch's or
/// an `.onnx` file with sound headers, a `.json` that parses. Others are taken as they are.
///
/// # Errors
/// [`crate::ErrorKind::Model`] with what it is instead (a web page, a pickle),
/// [`crate::ErrorKind::Io`].
pub fn check_file(path: &Path) -> Result<()> {
    let ends = |with: &str| path.to_string_lossy().to_ascii_lowercase().ends_with(with);
    let models = [".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".onnx"];
    if models.into_iter().any(ends) {
        return Weights::open(path).map(drop);
    }
    if ends(".json") {
        const LONGEST: u64 = 100_000_000;
        let about = fs::metadata(path).map_err(|e| super::io_error(path, "read", &e))?;
        if about.len() > LONGEST {
            return Err(bad(path.display(), "it is too long to be a model's JSON"));
        }
        let text = fs::read(path).map_err(|e| super::io_error(path, "read", &e))?;
        crate::json::check(&text).map_err(|e| {
            let page = text.trim_ascii_start().starts_with(b"<");
            let what = if page {
                "this is a web page and no JSON: the site wanted a login or had an error".into()
            } else {
                format!("this is not JSON ({e})")
            };
            bad(path.display(), format!("{what}; fetch it again"))
        })?;
    }
    Ok(())
}

/// Whether these are the tensors of a network for region-aware diffusion, under diffusers' names or ADM's: of
/// pictures, with the noise and its variance out, and without text or classes.
pub(super) fn is_rad(weights: &Weights) -> bool {
    let ends = |with: &str, first: usize, second: usize| {
        let all = weights.names().filter(|n| n.ends_with(with));
        let shapes = all.filter_map(|n| weights.shape(n));
        let fits = |s: &[usize]| matches!(s, [o, i, 3, 3] if (first == 0 || *o == first) && (second == 0 || *i == second));
        shapes.into_iter().any(fits)
    };
    let told = ["transformer_blocks", "label_emb", "class_embedding"];
    if weights.names().any(|n| told.iter().any(|t| n.contains(t))) {
        return false;
    }
    // A LoRA inside stands beside each layer's own.
    let diffusers = ["weight", "base_layer.weight"]
        .iter()
        .any(|own| ends(&format!("conv_in.{own}"), 0, 3) && ends(&format!("conv_out.{own}"), 6, 0));
    let timed = |with: &str| weights.names().any(|n| n.contains(with));
    diffusers && timed("mid_block.resnets.0.time_emb_proj.")
        || ends("input_blocks.0.0.weight", 0, 3)
            && ends("out.2.weight", 6, 0)
            && timed("middle_block.0.emb_layers.1.")
}

/// What a single file holds.
pub(super) fn single(weights: &Weights) -> Result<(Kind, Base)> {
    let shape = |name: &str| weights.shape(name);
    // It may have a LoRA's tensors inside.
    if is_rad(weights) {
        return Ok((Kind::Rad, Base::Any));
    }
    let pairs = [
        ".lora_down.weight",
        ".lora.down.weight",
        "_lora.down.weight",
        ".lora_linear_layer.down.weight",
    ];
    // peft's may have the adapter's name before the last word.
    let is_down = |n: &str| n.contains(".lora_A.") || pairs.iter().any(|p| n.ends_with(p));
    if let Some(down) = weights.names().find(|n| is_down(n)) {
        // The text's width shows where it goes into cross-attention.
        let mut names = weights.names();
        let text = names.find(|n| n.contains("attn2") && n.contains("to_k") && is_down(n));
        let width = text.or(Some(down)).and_then(shape).and_then(|s| s.last());
        let base = match (text, width) {
            (Some(_), Some(768)) => Base::Sd15,
            (Some(_), Some(1024)) => Base::Sd2,
            (Some(_), Some(2048)) => return Err(unsupported(weights, "a LoRA for SDXL")),
            _ => Base::Any,
        };
        return Ok((Kind::Lora, base));
    }
    if let (Some(&[_, 3, ..]), Some(&[_, latent, ..])) = (
        shape("encoder.layers.0.weight"),
        shape("decoder.layers.0.weight"),
    ) {
        if latent != 4 {
            let what = format!("a tiny autoencoder of {latent} latent channels, not 4");
            return Err(unsupported(weights, &what));
        }
        return Ok((Kind::Taesd, Base::Any));
    }
    // Behind whatever the trainer or the exporter wrapped around them.
    let ends = |with: &str| weights.names().any(|n| n.ends_with(with));
    if ends("model.1.ffc.convl2l.weight") {
        return Ok((Kind::Lama, Base::Any));
    }
    if ends("encoder.b512.fromrgb.weight") || ends("encoder.b256.fromrgb.weight") {
        return Ok((Kind::Migan, Base::Any));
    }
    let sam = [
        "image_encoder.patch_embed.seq.0.c.weight",
        "mask_decoder.iou_token.weight",
    ];
    if sam.iter().all(|name| weights.contains(name)) {
        return Ok((Kind::MobileSam, Base::Any));
    }
    let prefix = "model.diffusion_model.input_blocks.";
    if let Some(first) = shape(&format!("{prefix}0.0.weight")) {
        let text = shape(&format!(
            "{prefix}1.1.transformer_blocks.0.attn2.to_k.weight"
        ));
        return Ok((Kind::Checkpoint, family(weights, first, text)?));
    }
    let what = if weights.contains("conv_in.weight") {
        "one network of a diffusers folder; import the whole folder"
    } else {
        "no checkpoint, LoRA or tiny autoencoder that Mend knows; take one of Stable Diffusion 1.5 \
         or 2, LaMa, MI-GAN, RAD or MobileSAM"
    };
    let refused = weights.refused();
    Err(bad(weights.name(), format!("this is {what}{refused}")))
}

/// The family of a diffusers UNet.
pub(super) fn unet(weights: &Weights) -> Result<Base> {
    let Some(first) = weights.shape("conv_in.weight") else {
        return Err(bad(
            weights.name(),
            "this is not a UNet of diffusers: there is no 'conv_in.weight'; import a folder that \
             diffusers wrote",
        ));
    };
    let text = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight";
    family(weights, first, weights.shape(text))
}

fn family(weights: &Weights, first: &[usize], text: Option<&[usize]>) -> Result<Base> {
    let channels = first.get(1).copied().unwrap_or(0);
    let width = text.and_then(|s| s.last()).copied();
    match (channels, width) {
        (9, Some(768)) => Ok(Base::Sd15Inpainting),
        (4, Some(768)) => Ok(Base::Sd15),
        (9, Some(1024)) => Ok(Base::Sd2Inpainting),
        (4, Some(1024)) => Ok(Base::Sd2),
        (4 | 9, None) => Err(unsupported(
            weights,
            "a UNet without text in its first block (SDXL?)",
        )),
        (c, w) => {
            let w = w.map_or("none".into(), |w| w.to_string());
            let what = format!("a UNet of {c} channels and text width {w}");
            Err(unsupported(weights, &what))
        }
    }
}

fn unsupported(weights: &Weights, what: &str) -> crate::Error {
    bad(
        weights.name(),
        format!("this is {what}, which Mend cannot use; take one of Stable Diffusion 1.5 or 2"),
    )
}
