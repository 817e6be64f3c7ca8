//! LoRA: low-rank changes to a model's layers, `W + Σ weight · alpha / rank · B A`, computed in single
//! precision when a layer's weights are read and only then rounded to what the model has.
#![forbid(unsafe_code)]

mod keys;
mod merge;
#[cfg(test)]
mod tests;

pub use keys::Net;

use crate::error::{Error, ErrorKind, Result};
use crate::weights::{Change, Weights};
use keys::{Key, Role, flat};
use merge::{Factors, Merge};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// A LoRA's file, its layers known. Nothing of it is held but the names.
#[derive(Debug)]
pub struct Lora {
    weights: Weights,
    /// How much of it.
    weight: f64,
    layers: BTreeMap<(Net, String), Layer>,
}

/// A layer's tensors, by their names.
#[derive(Debug, Default)]
struct Layer {
    down: Option<String>,
    up: Option<String>,
    alpha: Option<String>,
}

/// The LoRAs of a fill, in order.
#[derive(Clone, Debug, Default)]
pub struct Loras(Vec<Arc<Lora>>);

impl Lora {
    /// Opens a LoRA's file: of peft, of diffusers (old and new) or of kohya's sd-scripts, for UNet and
    /// text encoder, with linear layers and convolutions. It will be added `weight` times.
    ///
    /// # Errors
    /// As [`Weights::open`]; [`ErrorKind::Model`] naming the tensors that are no LoRA's;
    /// [`ErrorKind::Unsupported`] for DoRA, LoHa, LoKr and LoRAs for SDXL.
    pub fn open(path: &Path, weight: f64) -> Result<Self> {
        Self::new(Weights::open(path)?, weight)
    }

    /// As [`Self::open`], of a file that is open.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn new(weights: Weights, weight: f64) -> Result<Self> {
        let mut layers = BTreeMap::<_, Layer>::new();
        let mut unknown = Vec::new();
        for name in weights.names() {
            match keys::key(name) {
                Key::Of(net, layer, role) => {
                    let layer = layers.entry((net, layer)).or_default();
                    let slot = match role {
                        Role::Down => &mut layer.down,
                        Role::Up => &mut layer.up,
                        Role::Alpha => &mut layer.alpha,
                    };
                    if slot.replace(name.to_owned()).is_some() {
                        unknown.push(name.to_owned());
                    }
                }
                Key::Other(what) => {
                    return Err(Error::new(
                        ErrorKind::Unsupported,
                        format!(
                            "{}: this is {what}, which Mend cannot use; take a plain LoRA for \
                             Stable Diffusion 1 or 2",
                            weights.name()
                        ),
                    ));
                }
                Key::Unknown => unknown.push(name.to_owned()),
            }
        }
        let half = |l: &&Layer| l.down.is_none() || l.up.is_none();
        for layer in layers.values().filter(half) {
            let names = [&layer.down, &layer.up, &layer.alpha];
            unknown.extend(names.into_iter().flatten().cloned());
        }
        let lora = Self {
            weights,
            weight,
            layers,
        };
        match (unknown.is_empty(), lora.layers.is_empty()) {
            (true, false) => Ok(lora),
            (true, true) => Err(lora.wrong("it is empty; download it again".into())),
            (false, _) => Err(lora.wrong(format!(
                "{} of no LoRA, or without their other half; take a LoRA for Stable Diffusion 1 or 2",
                some(&unknown)
            ))),
        }
    }

    fn wrong(&self, what: String) -> Error {
        Error::new(ErrorKind::Model, format!("{}: {what}", self.weights.name()))
    }

    /// Pairs its layers of `net` with the model's tensors; `found` is told of each.
    fn pair(
        &self,
        net: Net,
        model: &BTreeMap<String, &str>,
        found: &mut dyn FnMut(&str, Factors) -> Result<()>,
    ) -> Result<()> {
        let mut lost = Vec::new();
        for ((_, layer), own) in self.layers.iter().filter(|((of, _), _)| *of == net) {
            let (Some(down), Some(up)) = (&own.down, &own.up) else {
                continue;
            };
            let Some(tensor) = model.get(layer) else {
                lost.push(down.clone());
                continue;
            };
            found(
                tensor,
                self.factors(net, layer, down, up, own.alpha.as_deref())?,
            )?;
        }
        match lost.is_empty() {
            true => Ok(()),
            false => Err(self.wrong(format!(
                "{} for layers that the model has not; the LoRA is for another model: take one for \
                 this, or another model",
                some(&lost)
            ))),
        }
    }

    fn factors(
        &self,
        net: Net,
        layer: &str,
        down: &str,
        up: &str,
        alpha: Option<&str>,
    ) -> Result<Factors> {
        let rank = self.weights.shape(down).and_then(|s| s.first().copied());
        let rank = rank.unwrap_or(0);
        let scale = match alpha {
            Some(alpha) => {
                let shape = self.weights.shape(alpha).unwrap_or(&[]).to_vec();
                let value = self.weights.root().get(alpha, &shape)?.into_f32()?;
                match value.as_slice() {
                    [alpha] if alpha.is_finite() => f64::from(*alpha) / rank.max(1) as f64,
                    _ => return Err(self.wrong(format!("'{alpha}' is no number"))),
                }
            }
            None => self.adapter_scale(net, layer, rank),
        };
        Ok(Factors {
            down: down.to_owned(),
            up: up.to_owned(),
            rank,
            scale: scale * self.weight,
        })
    }

    /// What peft's configuration says, which newer files of diffusers carry; else 1.
    fn adapter_scale(&self, net: Net, layer: &str, rank: usize) -> f64 {
        let text = self.weights.metadata("lora_adapter_metadata");
        let Some(json) = text.and_then(|t| serde_json::from_str::<Json>(t).ok()) else {
            return 1.0;
        };
        let prefix = match net {
            Net::Unet => "unet",
            Net::Text => "text_encoder",
        };
        let get = |key: &str| json.get(format!("{prefix}.{key}"));
        let patterns = get("alpha_pattern").and_then(Json::as_object);
        let pattern = patterns.into_iter().flatten().find_map(|(name, alpha)| {
            let ends = layer.ends_with(&flat(net, name));
            ends.then(|| alpha.as_f64()).flatten()
        });
        let alpha = pattern.or_else(|| get("lora_alpha")?.as_f64());
        let root = get("use_rslora").and_then(Json::as_bool).unwrap_or(false);
        let rank = rank.max(1) as f64;
        let scale = alpha.map(|alpha| alpha / if root { rank.sqrt() } else { rank });
        scale.filter(|s| s.is_finite()).unwrap_or(1.0)
    }
}

impl Loras {
    /// These, in this order.
    pub fn new(loras: Vec<Lora>) -> Self {
        Self(loras.into_iter().map(Arc::new).collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tensors of `net` with all of them added.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] where a LoRA changes layers that the model has not, or of another shape.
    pub fn onto(&self, net: Net, weights: Weights) -> Result<Weights> {
        if self.is_empty() {
            return Ok(weights);
        }
        let layer = |name: &str| Some(flat(net, name.strip_suffix(".weight")?));
        let names = weights.names().filter_map(|n| Some((layer(n)?, n)));
        let model: BTreeMap<String, &str> = names.collect();
        let mut merge = Merge::default();
        for lora in &self.0 {
            lora.pair(net, &model, &mut |tensor, factors| {
                let shape = weights.shape(tensor).unwrap_or(&[]);
                merge.add(tensor, shape, lora, factors)
            })?;
        }
        let change: Arc<dyn Change> = Arc::new(merge);
        Ok(weights.changed(change))
    }
}

/// `3 tensors ('first', 'second', …)`.
fn some(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(4).map(|n| format!("'{n}'")).collect();
    let more = if names.len() > shown.len() {
        ", …"
    } else {
        ""
    };
    let plural = if names.len() == 1 { "" } else { "s" };
    format!(
        "{} tensor{plural} ({}{more})",
        names.len(),
        shown.join(", ")
    )
}
