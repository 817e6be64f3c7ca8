//! LoRA: low-rank changes to a model's layers, `W + Σ weight · alpha / rank · B A`, computed in single
//! precision when a layer's weights are read and only then rounded to what the model has.
#![forbid(unsafe_code)]

mod adapter;
mod keys;
mod merge;
#[cfg(test)]
mod tests;

pub use adapter::Adapter;
pub use keys::Net;

use crate::error::{Error, ErrorKind, Result};
use crate::weights::{Change, METADATA, Weights, clip, is_peft};
use keys::{Key, Role, flat};
use merge::{Factors, Merge};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A LoRA's file, its layers known. Nothing of it is held but the names.
#[derive(Debug)]
pub struct Lora {
    weights: Weights,
    /// How much of it.
    weight: f64,
    /// What peft says of it.
    adapter: Adapter,
    /// The file that this is from, where it is one of its own.
    config: Option<PathBuf>,
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
    /// A layer's strength is its tensor `alpha` over its rank. Where a file has no such tensors, its
    /// metadata says it, or else peft's `adapter_config.json` beside a file of peft's; else it is 1.
    ///
    /// # Errors
    /// As [`Weights::open`]; [`ErrorKind::Model`] naming the tensors that are no LoRA's, or what is wrong
    /// with the configuration; [`ErrorKind::Unsupported`] for DoRA, LoHa, LoKr and LoRAs for SDXL.
    pub fn open(path: &Path, weight: f64) -> Result<Self> {
        let weights = Weights::open(path)?;
        match is_peft(path, &weights) {
            true => Self::with(weights, weight, Adapter::beside(path)?),
            false => Self::with(weights, weight, None),
        }
    }

    /// As [`Self::open`], of tensors that are open; `adapter` is peft's configuration and where it lies,
    /// if there is one.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn with(
        weights: Weights,
        weight: f64,
        adapter: Option<(Adapter, PathBuf)>,
    ) -> Result<Self> {
        let (adapter, config) = match (adapter, weights.metadata(METADATA)) {
            (Some((adapter, path)), _) => (adapter, Some(path)),
            (None, Some(text)) => (Adapter::of_metadata(weights.name(), text)?, None),
            (None, None) => (Adapter::default(), None),
        };
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
            adapter,
            config,
            layers,
        };
        match (unknown.is_empty(), lora.layers.is_empty()) {
            (true, false) => Ok(lora),
            (true, true) => {
                let refused = lora.weights.refused();
                Err(lora.wrong(format!("it is empty; download it again{refused}")))
            }
            (false, _) => Err(lora.wrong(format!(
                "{} of no LoRA, or without their other half; take a LoRA for Stable Diffusion 1 or 2{}",
                some(&unknown),
                lora.weights.refused()
            ))),
        }
    }

    /// The file of peft's configuration, where it is one of its own.
    pub fn config(&self) -> Option<&Path> {
        self.config.as_deref()
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
            found(tensor, self.factors(net, down, up, own.alpha.as_deref())?)?;
        }
        match lost.is_empty() {
            true => Ok(()),
            false => Err(self.wrong(format!(
                "{} for layers that the model does not have; the LoRA is for another model: use \
                 one for this model, or another model",
                some(&lost)
            ))),
        }
    }

    fn factors(&self, net: Net, down: &str, up: &str, alpha: Option<&str>) -> Result<Factors> {
        let rank = self.weights.shape(down).and_then(|s| s.first().copied());
        let rank = rank.unwrap_or(0);
        let scale = match alpha {
            Some(alpha) => self.weights.root().number(alpha)? / rank.max(1) as f64,
            None => {
                let layer = keys::module(down).map_or("", |(_, layer, _)| layer);
                self.adapter.scale(net, layer, rank)
            }
        };
        Ok(Factors {
            down: down.to_owned(),
            up: up.to_owned(),
            rank,
            scale: scale * self.weight,
        })
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
    let shown: Vec<String> = names
        .iter()
        .take(4)
        .map(|n| format!("'{}'", clip(n)))
        .collect();
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
