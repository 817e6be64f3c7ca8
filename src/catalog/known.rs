//! The catalogue: models that Mend knows where to get.
//!
//! A size or a digest stands here only where at least two public records that are independent of each
//! other agree on it; `docs/cli.md` names them. A file without one is believed on its first fetch.
#![forbid(unsafe_code)]

use super::detect::{Base, Kind};
use super::digest::is_sha256;
use super::manifest::{
    LONGEST, Licence, base_of, files_of, kind_of, licence_of, no_twins, path_of, text, wrong,
};
use super::{check_id, io_error};
use crate::error::Result;
use serde_json::Value as Json;
use std::fs;
use std::path::Path;

/// A model that can be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its id.
    pub id: String,
    /// How its files make it up.
    pub kind: Kind,
    /// The family.
    pub base: Base,
    /// What people call it.
    pub title: String,
    /// One line for people.
    pub about: String,
    /// Its terms.
    pub licence: Option<Licence>,
    /// The address below which its files lie, without a slash at the end, at a fixed revision.
    pub url: String,
    /// Its files.
    pub files: Vec<ModelFile>,
}

/// A file of a model that can be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFile {
    /// Relative to the model's folder and to its address, with `/`; safe.
    pub path: String,
    /// Bytes, where they are known for certain.
    pub size: Option<u64>,
    /// SHA-256 in lower-case hexadecimal digits, where it is known for certain.
    pub sha256: Option<String>,
}

impl Model {
    /// Bytes of all files whose size is known.
    pub fn bytes(&self) -> u64 {
        let sizes = self.files.iter().filter_map(|f| f.size);
        sizes.fold(0, u64::saturating_add)
    }
}

/// Path, size, SHA-256; 0 and "" where they are not known.
type Row = (&'static str, u64, &'static str);

const VOCAB: Row = (
    "tokenizer/vocab.json",
    1_059_962,
    "e089ad92ba36837a0d31433e555c8f45fe601ab5c221d4f607ded32d9f7a4349",
);
const MERGES: Row = (
    "tokenizer/merges.txt",
    524_619,
    "9fd691f7c8039210e0fced15865466c65820d09b63988b0174bfe25de299051a",
);
const CLIP_L: Row = (
    "text_encoder/model.fp16.safetensors",
    246_144_864,
    "77795e2023adcf39bc29a884661950380bd093cf0750a966d473d1718dc9ef4e",
);
const VAE_SD15: Row = (
    "vae/diffusion_pytorch_model.fp16.safetensors",
    167_335_342,
    "4fbcf0ebe55a0984f5a5e00d8c4521d52359af7229bb4d81890039d2aa16dd7c",
);

const SD15_INPAINTING: &[Row] = &[
    ("model_index.json", 0, ""),
    ("scheduler/scheduler_config.json", 0, ""),
    ("text_encoder/config.json", 0, ""),
    CLIP_L,
    MERGES,
    ("tokenizer/special_tokens_map.json", 0, ""),
    ("tokenizer/tokenizer_config.json", 0, ""),
    VOCAB,
    ("unet/config.json", 0, ""),
    (
        "unet/diffusion_pytorch_model.fp16.safetensors",
        1_719_154_104,
        "24b788b4a777748377cc20364eea4ae113c8c42f4468c16bc8c02fdae5492af9",
    ),
    ("vae/config.json", 0, ""),
    VAE_SD15,
];

const SD15: &[Row] = &[
    (
        "model_index.json",
        541,
        "e2f6f22e274374010aec30c79eb2d6e53fff4a36ac0225523a92cb2d41a83347",
    ),
    (
        "scheduler/scheduler_config.json",
        308,
        "699cce92eb7c122e2eb7dfdea78e6187fda76a5ed4a8e42319b85610e620e091",
    ),
    (
        "text_encoder/config.json",
        617,
        "845df614cb9327ae7bbea027316246fae917827407da6df13572e41b5f93b4cc",
    ),
    CLIP_L,
    MERGES,
    (
        "tokenizer/special_tokens_map.json",
        472,
        "c4864a9376a8401918425bed71fc14fc0e81f9b59ec45c1cf96cccb2df508eac",
    ),
    (
        "tokenizer/tokenizer_config.json",
        806,
        "00439066fcba73de57644cf41e4e3b9f2dbb09d7f3fc2005898ba52399045882",
    ),
    VOCAB,
    (
        "unet/config.json",
        743,
        "78f474de6bab3d893868f37be97b636ae65c0df3073ed3256ca458ff599b5f96",
    ),
    (
        "unet/diffusion_pytorch_model.fp16.safetensors",
        1_719_125_304,
        "c83908253f9a64d08c25fc90874c9c8aef9a329ce1ca5fb909d73b0c83d1ea21",
    ),
    (
        "vae/config.json",
        547,
        "786a7d21647ddea6a04b9675c03d3cb45e90a2f3c6da5fbda2c54ade040036de",
    ),
    VAE_SD15,
];

const SD2_INPAINTING: &[Row] = &[
    ("model_index.json", 0, ""),
    ("scheduler/scheduler_config.json", 0, ""),
    ("text_encoder/config.json", 0, ""),
    (
        "text_encoder/model.fp16.safetensors",
        680_821_096,
        "681c555376658c81dc273f2d737a2aeb23ddb6d1d8e5b3a7064636d359a22668",
    ),
    ("tokenizer/merges.txt", 0, ""),
    ("tokenizer/special_tokens_map.json", 0, ""),
    ("tokenizer/tokenizer_config.json", 0, ""),
    ("tokenizer/vocab.json", 0, ""),
    ("unet/config.json", 0, ""),
    (
        "unet/diffusion_pytorch_model.fp16.safetensors",
        1_731_933_536,
        "29a698f37775d5904a958c9cebed98184483dfb441729a8e5f98dd5b65df70c8",
    ),
    ("vae/config.json", 0, ""),
    (
        "vae/diffusion_pytorch_model.fp16.safetensors",
        167_335_342,
        "3e4c08995484ee61270175e9e7a072b66a6e4eeb5f0c266667fe1f45b90daf9a",
    ),
];

const LCM_LORA: &[Row] = &[(
    "pytorch_lora_weights.safetensors",
    134_621_556,
    "8f90d840e075ff588a58e22c6586e2ae9a6f7922996ee6649a7f01072333afe4",
)];

const TAESD: &[Row] = &[
    ("config.json", 0, ""),
    (
        "diffusion_pytorch_model.safetensors",
        9_793_292,
        "db169d69145ec4ff064e49d99c95fa05d3eb04ee453de35824a6d0f325513549",
    ),
];

const LAMA: &[Row] = &[(
    "big-lama.pt",
    205_669_692,
    "344c77bbcb158f17dd143070d1e789f38a66c04202311ae3a258ef66667a9ea9",
)];

const MIGAN: &[Row] = &[(
    "migan_pipeline_v2.onnx",
    28_079_181,
    "6f1f3530a1a2324b19752018ce756088b07973cda8d7d890034ace5c8a48c40b",
)];

const MOBILE_SAM: &[Row] = &[(
    "mobile_sam.pt",
    40_728_226,
    "6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
)];

const OPENRAIL: [&str; 2] = [
    "CreativeML OpenRAIL-M",
    "https://huggingface.co/spaces/CompVis/stable-diffusion-license",
];
const OPENRAIL_PP: [&str; 2] = [
    "CreativeML Open RAIL++-M",
    "https://huggingface.co/stabilityai/stable-diffusion-2/blob/main/LICENSE-MODEL",
];

/// The models that Mend knows, best known first.
pub fn known() -> Vec<Model> {
    vec![
        model(
            "sd15-inpainting",
            (Kind::Diffusers, Base::Sd15Inpainting),
            "Stable Diffusion 1.5 Inpainting",
            "Stable Diffusion 1.5, trained to fill; 16-bit weights",
            OPENRAIL,
            "stable-diffusion-v1-5/stable-diffusion-inpainting/resolve/8a4288a76071f7280aedbdb3253bdb9e9d5d84bb",
            SD15_INPAINTING,
        ),
        model(
            "sd2-inpainting",
            (Kind::Diffusers, Base::Sd2Inpainting),
            "Stable Diffusion 2 Inpainting",
            "Stable Diffusion 2, trained to fill; 16-bit weights, a community's copy",
            OPENRAIL_PP,
            "sd2-community/stable-diffusion-2-inpainting/resolve/5f74973cbb64c8568780732c17f43eb269d63a0d",
            SD2_INPAINTING,
        ),
        model(
            "sd15",
            (Kind::Diffusers, Base::Sd15),
            "Stable Diffusion 1.5",
            "Stable Diffusion 1.5; 16-bit weights",
            OPENRAIL,
            "stable-diffusion-v1-5/stable-diffusion-v1-5/resolve/451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
            SD15,
        ),
        model(
            "lcm-lora-sdv15",
            (Kind::Lora, Base::Sd15),
            "LCM-LoRA",
            "LCM-LoRA: Stable Diffusion 1.5 in four to eight steps",
            OPENRAIL_PP,
            "latent-consistency/lcm-lora-sdv1-5/resolve/cf2fced511dbe7e26c8d1d397e728fbab875db4b",
            LCM_LORA,
        ),
        model(
            "taesd",
            (Kind::Taesd, Base::Any),
            "TAESD",
            "A tiny autoencoder for Stable Diffusion 1 and 2",
            ["MIT", "https://huggingface.co/madebyollin/taesd"],
            "madebyollin/taesd/resolve/614f76814bbe30edbe2e627ace1c2234c81a2c0e",
            TAESD,
        ),
        model(
            "migan",
            (Kind::Migan, Base::Any),
            "MI-GAN",
            "MI-GAN 512, trained on Places2: erases in a fraction of a second",
            [
                "MIT",
                "https://github.com/Picsart-AI-Research/MI-GAN/blob/main/LICENSE-WEIGHTS",
            ],
            "andraniksargsyan/migan/resolve/406830d0fa60666da0071c342ad2fbc8f30c5c64",
            MIGAN,
        ),
        Model {
            // A release's files may be exchanged: the digest is what holds.
            url: "https://github.com/Sanster/models/releases/download/add_big_lama".to_owned(),
            ..model(
                "lama",
                (Kind::Lama, Base::Any),
                "big-LaMa",
                "big-LaMa, trained on Places2: erases large things in seconds",
                [
                    "Apache-2.0",
                    "https://github.com/advimman/lama/blob/main/LICENSE",
                ],
                "",
                LAMA,
            )
        },
        Model {
            url: "https://raw.githubusercontent.com/ChaoningZhang/MobileSAM/\
                  34bbbfdface3c18e5221aa7de6032d7220c6c6a1/weights"
                .to_owned(),
            ..model(
                "mobile-sam",
                (Kind::MobileSam, Base::Any),
                "MobileSAM",
                "MobileSAM: selects what a click or a box means; fills nothing",
                [
                    "Apache-2.0",
                    "https://github.com/ChaoningZhang/MobileSAM/blob/master/LICENSE",
                ],
                "",
                MOBILE_SAM,
            )
        },
    ]
}

fn model(
    id: &str,
    (kind, base): (Kind, Base),
    title: &str,
    about: &str,
    [licence, url]: [&str; 2],
    place: &str,
    rows: &[Row],
) -> Model {
    let files = rows.iter().map(|(path, size, sha256)| ModelFile {
        path: (*path).to_owned(),
        size: (*size > 0).then_some(*size),
        sha256: (!sha256.is_empty()).then(|| (*sha256).to_owned()),
    });
    Model {
        id: id.to_owned(),
        kind,
        base,
        title: title.to_owned(),
        about: about.to_owned(),
        licence: Some(Licence {
            name: licence.to_owned(),
            url: url.to_owned(),
        }),
        url: format!("https://huggingface.co/{place}"),
        files: files.collect(),
    }
}

/// The environment variable with a user's own catalogue.
const CATALOG: &str = "MEND_CATALOG";

/// All models that can be fetched: those of a user's own catalogue, `file` or the one that the environment
/// variable `MEND_CATALOG` names, and then the [`known`] ones. Of two with one id the first counts.
///
/// # Errors
/// As [`parse`].
pub fn catalogue(file: Option<&Path>) -> Result<Vec<Model>> {
    let set = std::env::var_os(CATALOG).filter(|v| !v.is_empty());
    let file = file.map(Path::to_path_buf).or(set.map(Into::into));
    let mut models = file.map_or(Ok(Vec::new()), |file| parse(&file))?;
    let more = known().into_iter();
    let more: Vec<Model> = more
        .filter(|k| models.iter().all(|m| m.id != k.id))
        .collect();
    models.extend(more);
    Ok(models)
}

/// Reads a catalogue of one's own: `{"models": [{"id", "kind", "base", "title", "about", "licence": {"name",
/// "url"}, "url", "files": [{"path", "size", "sha256"}]}]}`; `title`, `about`, `licence`, `size` and
/// `sha256` may be missing.
///
/// # Errors
/// [`crate::ErrorKind::Model`] when it is none, or names files that could leave the models folder;
/// [`crate::ErrorKind::Io`].
pub fn parse(path: &Path) -> Result<Vec<Model>> {
    let about = fs::metadata(path).map_err(|e| io_error(path, "read", &e))?;
    if !about.is_file() || about.len() > LONGEST {
        return Err(wrong(path, "it is not a file of a sensible size"));
    }
    let bytes = fs::read(path).map_err(|e| io_error(path, "read", &e))?;
    let json: Json = crate::json::parse(&bytes).map_err(|e| wrong(path, &e.to_string()))?;
    let Some(models) = json["models"].as_array() else {
        return Err(wrong(path, "there is no list 'models'"));
    };
    let mut all: Vec<Model> = Vec::new();
    for json in models {
        let model = one(json).map_err(|e| wrong(path, &e))?;
        if all.iter().any(|m| m.id == model.id) {
            return Err(wrong(path, &format!("'{}' appears twice", model.id)));
        }
        all.push(model);
    }
    Ok(all)
}

fn one(json: &Json) -> Result<Model, String> {
    let id = text(json, "id")?;
    check_id(id).map_err(|e| e.message().to_owned())?;
    let mut files = Vec::new();
    for json in files_of(json)? {
        let size = match &json["size"] {
            Json::Null => None,
            size => Some(size.as_u64().ok_or("a 'size' is not a number of bytes")?),
        };
        let sha256 = match &json["sha256"] {
            Json::Null => None,
            Json::String(digest) if is_sha256(digest) => Some(digest.clone()),
            _ => return Err("a 'sha256' is not 64 lower-case hexadecimal digits".into()),
        };
        let path = path_of(json)?;
        files.push(ModelFile { path, size, sha256 });
    }
    no_twins(files.iter().map(|f| f.path.as_str()))?;
    Ok(Model {
        id: id.to_owned(),
        kind: kind_of(json)?,
        base: base_of(json)?,
        title: json["title"].as_str().unwrap_or(id).to_owned(),
        about: json["about"].as_str().unwrap_or("").to_owned(),
        licence: licence_of(json)?,
        url: text(json, "url")?.trim_end_matches('/').to_owned(),
        files,
    })
}
