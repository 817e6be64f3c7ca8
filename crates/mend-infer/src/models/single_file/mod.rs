//! A checkpoint with all networks in one file, as Stable Diffusion 1 and 2 were first published and as
//! people share them. Tensors are read where they lie, under the names that the networks here have.
#![forbid(unsafe_code)]

mod config;
mod hints;
mod names;
#[cfg(test)]
pub(crate) mod tests;

use super::{autoencoder_kl, clip, unet_2d_condition};
use crate::error::{Error, ErrorKind, Result};
use crate::schedulers::{self, PredictionType};
use crate::weights::{Part, Weights};
use hints::Hints;
use names::Is;
use std::path::Path;

/// The networks' prefixes in the file. OpenAI's text model may have `text_model.` behind its own.
const UNET: &str = "model.diffusion_model.";
const VAE: &str = "first_stage_model.";
const CLIP: &str = "cond_stage_model.transformer.";
const OPEN_CLIP: &str = "cond_stage_model.model.";
/// Of SDXL's text models.
const XL: &str = "conditioner.embedders.";

/// The sides of the pictures of training.
const SIDE: usize = 512;
const SIDE_V: usize = 768;

/// A checkpoint whose header is checked and whose networks are known. Weights are not yet read.
#[derive(Debug)]
pub struct SingleFile {
    /// The UNet's shape.
    pub unet: unet_2d_condition::Config,
    /// The VAE's.
    pub vae: autoencoder_kl::Config,
    /// The text encoder's.
    pub text: clip::Config,
    /// The noise: Stable Diffusion's, with what the network predicts.
    pub scheduler: schedulers::Config,
    /// The side of the pictures that the model was trained with.
    pub side: usize,
    /// What a prompt is filled up with, where it is not its end's token.
    pub pad_token: Option<&'static str>,
    weights: Weights,
    /// Residual blocks of the UNet's levels, levels of the VAE, layers of OpenCLIP that are used.
    layers: usize,
    levels: usize,
    text_layers: Option<usize>,
}

impl SingleFile {
    /// Opens a checkpoint; what it is follows from its tensors' shapes. Whether a plain Stable
    /// Diffusion 2 predicts the noise or the velocity does not: a `.yaml` beside the file says it, or
    /// else a tensor `v_pred`, or else the metadata `modelspec.prediction_type` and
    /// `modelspec.architecture`, or else the step of training (875,000 is the base of 512², which
    /// predicts noise); a file that says nothing predicts the velocity, at 768². All others predict
    /// the noise unless one of these says otherwise.
    ///
    /// # Errors
    /// As [`Weights::open`]; [`ErrorKind::Model`] where a network is missing or is none that is known,
    /// [`ErrorKind::Unsupported`] for SDXL.
    pub fn open(path: &Path) -> Result<Self> {
        let weights = Weights::open(path)?;
        let hints = Hints::new(path, &weights)?;
        Self::new(weights, &hints)
    }

    fn new(weights: Weights, hints: &Hints) -> Result<Self> {
        let name = weights.name().to_owned();
        let begins = |prefix: &str| weights.names().any(|n| n.starts_with(prefix));
        if begins(XL) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "{name}: this is SDXL, which Mend cannot use yet; take one of Stable \
                         Diffusion 1.5 or 2"
                ),
            ));
        }
        let open_clip = begins(OPEN_CLIP);
        let text = if open_clip { OPEN_CLIP } else { CLIP };
        for (part, prefix) in [("UNet", UNET), ("VAE", VAE), ("text encoder", text)] {
            if !begins(prefix) {
                return Err(Error::new(
                    ErrorKind::Model,
                    format!(
                        "{name}: there is no {part}, no tensor begins with '{prefix}'; a model in \
                         one file is a whole checkpoint of Stable Diffusion 1 or 2: take one with \
                         all its parts{}",
                        weights.refused()
                    ),
                ));
            }
        }
        let under = |prefix: &str, inner: &str| {
            let prefix = format!("{prefix}{inner}");
            let weights = &weights;
            move |name: &str| {
                let shape = weights.shape(&format!("{prefix}{name}"));
                shape.map(<[usize]>::to_vec)
            }
        };
        let (unet, layers) = config::unet(&under(UNET, ""), hints);
        let (vae, levels) = config::vae(&under(VAE, ""));
        let (text, text_layers) = match open_clip {
            true => {
                let (text, layers) = config::open_clip(&under(OPEN_CLIP, ""));
                (text, Some(layers))
            }
            false => {
                let wrapped = begins(&format!("{CLIP}text_model."));
                let inner = if wrapped { "text_model." } else { "" };
                (config::clip(&under(CLIP, inner)), None)
            }
        };
        let unet = unet_2d_condition::Config::parse(&name, &unet.to_string())?;
        let vae = autoencoder_kl::Config::parse(&name, &vae.to_string())?;
        let text = clip::Config::parse(&name, &text.to_string())?;
        let plain_2 = open_clip && unet.in_channels == vae.latent_channels;
        let prediction_type = hints.prediction_type.unwrap_or(match plain_2 {
            true => PredictionType::VPrediction,
            false => PredictionType::Epsilon,
        });
        let velocity = open_clip && prediction_type == PredictionType::VPrediction;
        Ok(Self {
            scheduler: schedulers::Config {
                prediction_type,
                rescale_betas_zero_snr: hints.zero_snr,
                ..schedulers::Config::default()
            },
            side: hints.side.unwrap_or(if velocity { SIDE_V } else { SIDE }),
            pad_token: open_clip.then_some("!"),
            unet,
            vae,
            text,
            weights,
            layers,
            levels,
            text_layers,
        })
    }

    /// The UNet's tensors.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] for tensors that cannot be taken apart, here and below.
    pub fn unet_weights(&self) -> Result<Weights> {
        self.part(UNET, |name| names::unet(name, self.layers))
    }

    /// The VAE's tensors.
    pub fn vae_weights(&self) -> Result<Weights> {
        self.part(VAE, |name| names::vae(name, self.levels))
    }

    /// The text encoder's tensors.
    pub fn text_weights(&self) -> Result<Weights> {
        match self.text_layers {
            Some(layers) => self.part(OPEN_CLIP, |name| names::open_clip(name, layers)),
            None => self.part(CLIP, |name| Is::One(name.to_owned())),
        }
    }

    fn part(&self, prefix: &str, rename: impl Fn(&str) -> Is) -> Result<Weights> {
        let mut parts = Vec::new();
        for full in self.weights.names() {
            let (Some(name), Some(shape)) = (full.strip_prefix(prefix), self.weights.shape(full))
            else {
                continue;
            };
            let part = |shape: &[usize], first| Part {
                of: full.to_owned(),
                shape: shape.to_vec(),
                first,
            };
            match rename(name) {
                Is::One(name) => {
                    let shape = flat(&name, shape);
                    parts.push((name, part(shape, 0)));
                }
                Is::InProj(attention, which) => {
                    let mut third = shape.to_vec();
                    let rows = third.first().map_or(0, |rows| rows / 3);
                    third.iter_mut().take(1).for_each(|n| *n = rows);
                    for (i, proj) in ["q_proj", "k_proj", "v_proj"].iter().enumerate() {
                        let name = format!("{attention}.{proj}.{which}");
                        parts.push((name, part(&third, i * rows)));
                    }
                }
                Is::Nothing => {}
            }
        }
        self.weights.view(parts)
    }
}

/// The shape of a tensor here: the VAE's attention is kept as 1×1 convolutions there.
fn flat<'a>(name: &str, shape: &'a [usize]) -> &'a [usize] {
    match shape {
        [outputs_inputs @ .., 1, 1]
            if outputs_inputs.len() == 2 && name.contains("mid_block.attentions.0.to_") =>
        {
            outputs_inputs
        }
        shape => shape,
    }
}
