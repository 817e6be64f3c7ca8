//! Layers that are held, and layers that are read anew in each pass.
#![forbid(unsafe_code)]

use super::Config;
use crate::error::Result;
use crate::kernels::Context;
use crate::weights::{Scope, Weights};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::Deref;
use std::sync::Arc;

/// Layers that are not held: each is read, packed, run and dropped in every pass, for memory's sake.
#[derive(Clone, Debug)]
pub struct Streamed {
    /// The UNet's own, kept open; of layers that are streamed nothing is held but this.
    pub weights: Arc<Weights>,
    /// Which, by their names as [`layers`] has them.
    pub layers: BTreeSet<String>,
}

/// The names of the layers that can be streamed, in the order of a pass: residual blocks,
/// transformers, and the samplers between levels. What a pass begins and ends with is always held.
pub fn layers(config: &Config) -> Vec<String> {
    let n = config.block_out_channels.len();
    let mut names = Vec::new();
    for i in 0..n {
        let count = config.layers_per_block[i];
        let block = format!("down_blocks.{i}");
        names.extend(of_level(&block, count, config.down_attention[i]));
        names.extend((i + 1 < n).then(|| format!("{block}.downsamplers.0")));
    }
    names.extend(of_level("mid_block", 1, true));
    names.push("mid_block.resnets.1".into());
    for i in 0..n {
        let count = config.layers_per_block[n - 1 - i] + 1;
        let block = format!("up_blocks.{i}");
        names.extend(of_level(&block, count, config.up_attention[i]));
        names.extend((i + 1 < n).then(|| format!("{block}.upsamplers.0")));
    }
    names
}

fn of_level(block: &str, count: usize, attends: bool) -> impl Iterator<Item = String> + '_ {
    (0..count).flat_map(move |j| {
        let attention = attends.then(|| format!("{block}.attentions.{j}"));
        [Some(format!("{block}.resnets.{j}")), attention]
            .into_iter()
            .flatten()
    })
}

/// Where a module's layers come from.
#[derive(Clone)]
pub(super) struct Origin<'a> {
    pub cx: &'a Context,
    pub scope: Scope<'a>,
    pub streamed: Option<&'a Streamed>,
    /// Called before each layer is read, on any thread; its error ends the reading.
    pub check: &'a Check<'a>,
}

/// Looks whether to go on.
pub type Check<'a> = dyn Fn() -> Result<()> + Sync + 'a;

impl Origin<'_> {
    /// That of the submodule `name`.
    pub fn pp(&self, name: impl Display) -> Self {
        Self {
            scope: self.scope.pp(name),
            ..self.clone()
        }
    }

    /// The layer here, which `make` makes.
    pub fn layer<T>(
        &self,
        make: impl Fn(&Context, &Scope) -> Result<T> + Send + Sync + 'static,
    ) -> Result<Held<T>> {
        let name = self.scope.path("");
        match self.streamed.filter(|s| s.layers.contains(&name)) {
            Some(Streamed { weights, .. }) => {
                let weights = weights.clone();
                Ok(Held::Streamed(Box::new(move |cx| {
                    let made = make(cx, &weights.root().pp(&name))?;
                    weights.check_unchanged()?;
                    Ok(made)
                })))
            }
            None => {
                (self.check)()?;
                make(self.cx, &self.scope).map(Held::Packed)
            }
        }
    }
}

type Load<T> = dyn Fn(&Context) -> Result<T> + Send + Sync;

/// A layer that is here, or the way to it.
pub(super) enum Held<T> {
    Packed(T),
    Streamed(Box<Load<T>>),
}

impl<T> Held<T> {
    /// What is here.
    pub fn packed(&self) -> Option<&T> {
        match self {
            Self::Packed(layer) => Some(layer),
            Self::Streamed(_) => None,
        }
    }

    /// The layer, read now where it is not held; `cx` packs as the one that the network was made with.
    pub fn get(&self, cx: &Context) -> Result<Loan<'_, T>> {
        match self {
            Self::Packed(layer) => Ok(Loan::Packed(layer)),
            Self::Streamed(load) => load(cx).map(Loan::Read),
        }
    }
}

/// A layer for as long as it is needed.
pub(super) enum Loan<'a, T> {
    Packed(&'a T),
    Read(T),
}

impl<T> Deref for Loan<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Packed(layer) => layer,
            Self::Read(layer) => layer,
        }
    }
}
