//! What tells a checkpoint's variant where its tensors' shapes do not.
#![forbid(unsafe_code)]

use crate::error::{Error, ErrorKind, Result};
use crate::schedulers::PredictionType;
use crate::weights::Weights;
use std::fs;
use std::io;
use std::path::Path;

/// The longest file beside a checkpoint that is read; published ones have two thousand bytes.
const LONGEST: u64 = 1 << 20;
/// Step of training at which Stable Diffusion 2's base, of 512² and ε, was published; its other
/// checkpoints are of 768² and v (diffusers 0.42.1, `single_file_utils.py`, `_legacy_load_scheduler`).
const BASE_STEP: i64 = 875_000;

/// What is said of a checkpoint, as far as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hints {
    pub prediction_type: Option<PredictionType>,
    /// Training's last step was noise alone.
    pub zero_snr: bool,
    /// The side of training's pictures.
    pub side: Option<usize>,
    /// Heads of the UNet, or the size of each.
    pub num_heads: Option<usize>,
    pub num_head_channels: Option<usize>,
}

impl Hints {
    /// In order: a `.yaml` of the same name beside the file, as it was published with; tensors that
    /// are there as marks; the file's metadata by Stability's `ModelSpec`
    /// (<https://github.com/Stability-AI/ModelSpec>).
    pub fn new(file: &Path, weights: &Weights) -> Result<Self> {
        let mut hints = match read(&file.with_extension("yaml"))? {
            Some(text) => Self::yaml(&text),
            None => Self::default(),
        };
        hints.zero_snr = weights.contains("ztsnr");
        let mark = weights
            .contains("v_pred")
            .then_some(PredictionType::VPrediction);
        let text = |key: &str| weights.metadata(key).map(str::to_ascii_lowercase);
        let said = || text("modelspec.prediction_type").and_then(|t| prediction(&t));
        let architecture = || match text("modelspec.architecture")? {
            t if t.contains("768-v") => Some(PredictionType::VPrediction),
            t if t.contains("v2-512") => Some(PredictionType::Epsilon),
            _ => None,
        };
        hints.prediction_type = hints
            .prediction_type
            .or(mark)
            .or_else(said)
            .or_else(architecture)
            .or_else(|| base_step(weights));
        hints.side = text("modelspec.resolution").and_then(|t| {
            let (width, height) = t.split_once('x')?;
            let side = width.trim().parse().ok()?;
            (width.trim() == height.trim() && (64..=1024).contains(&side)).then_some(side)
        });
        Ok(hints)
    }

    /// Of ldm's configuration, line by line: what else stands there the shapes say.
    fn yaml(text: &str) -> Self {
        let value = |key: &str| {
            let mut lines = text.lines().filter_map(|line| line.trim().split_once(':'));
            let (_, value) = lines.find(|(name, _)| *name == key)?;
            let value = value.split('#').next().unwrap_or("");
            Some(value.trim().trim_matches(['"', '\'']).to_owned())
        };
        let number = |key: &str| value(key)?.parse().ok().filter(|n| (1..=1024).contains(n));
        Self {
            prediction_type: value("parameterization").and_then(|t| prediction(&t)),
            num_heads: number("num_heads"),
            num_head_channels: number("num_head_channels"),
            ..Self::default()
        }
    }
}

/// By ldm's names, ModelSpec's or diffusers'.
fn prediction(text: &str) -> Option<PredictionType> {
    match text {
        "eps" | "epsilon" => Some(PredictionType::Epsilon),
        "v" | "v_prediction" | "v-prediction" => Some(PredictionType::VPrediction),
        "x0" | "sample" => Some(PredictionType::Sample),
        _ => None,
    }
}

fn base_step(weights: &Weights) -> Option<PredictionType> {
    let shape = weights.shape("global_step")?.to_vec();
    let step = weights.root().integers("global_step", &shape).ok()?;
    (step == [BASE_STEP]).then_some(PredictionType::Epsilon)
}

fn read(path: &Path) -> Result<Option<String>> {
    let named = |kind, what: String| Error::new(kind, format!("{}: {what}", path.display()));
    let bytes = match fs::metadata(path) {
        Ok(about) if about.is_file() && about.len() <= LONGEST => fs::read(path),
        Ok(_) => {
            let what =
                "is not a configuration of the checkpoint beside it; move it away".to_owned();
            return Err(named(ErrorKind::Model, what));
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => Err(e),
    };
    match bytes {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(e) => Err(named(ErrorKind::Io, format!("cannot be read: {e}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yaml_beside_the_file_is_read_line_by_line() {
        let text = "model:\n  params:\n    parameterization: \"v\" # 768\n    unet_config:\n      \
                    params:\n        num_head_channels: 64 # need to fix for flash-attn\n        \
                    num_heads: -1\n";
        let hints = Hints::yaml(text);
        assert_eq!(hints.prediction_type, Some(PredictionType::VPrediction));
        assert_eq!((hints.num_head_channels, hints.num_heads), (Some(64), None));
        assert_eq!(Hints::yaml("num_heads: 8").num_heads, Some(8));
        assert_eq!(Hints::yaml("parameterization: w"), Hints::default());
    }
}
