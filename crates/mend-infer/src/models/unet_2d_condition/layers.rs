//! Layers that are held, from the start or from the first pass on, and layers that are read anew in
//! each.
#![forbid(unsafe_code)]

use super::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::Context;
use crate::weights::{Scope, Weights};
use once_cell::sync::OnceCell;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::Deref;
use std::sync::Arc;

/// How layers are read that are not all here from the start.
#[derive(Clone, Debug)]
pub struct Streamed {
    /// The UNet's own, kept open while there are layers to be read.
    pub weights: Arc<Weights>,
    /// Which are not held, by their names as [`layers`] has them: each is read, packed, run and dropped
    /// in every pass, for memory's sake.
    pub layers: BTreeSet<String>,
    /// Whether the others are read when a pass first comes to them, and stay: the first pass then
    /// begins at once.
    pub later: bool,
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
    ) -> Result<LayerSource<T>> {
        let name = self.scope.path("");
        let stays = |streamed: &Streamed| !streamed.layers.contains(&name);
        let passes = self.streamed.filter(|s| s.later || !stays(s));
        let Some(streamed) = passes else {
            (self.check)()?;
            return make(self.cx, &self.scope).map(LayerSource::Packed);
        };
        let stays = stays(streamed);
        let weights = streamed.weights.clone();
        let load = move |cx: &Context| {
            let made = make(cx, &weights.root().pp(&name))?;
            // What was read while somebody wrote is neither the old nor the new one.
            weights.check_unchanged()?;
            Ok(made)
        };
        Ok(match stays {
            true => LayerSource::Later(Later {
                here: OnceCell::new(),
                load: Mutex::new(Some(Arc::new(load))),
            }),
            false => LayerSource::Streamed(Box::new(load)),
        })
    }
}

type Load<T> = dyn Fn(&Context) -> Result<T> + Send + Sync;

/// A layer that is here, or the way to it.
pub(super) enum LayerSource<T> {
    Packed(T),
    Later(Later<T>),
    Streamed(Box<Load<T>>),
}

/// A layer that the first pass reads.
pub(super) struct Later<T> {
    here: OnceCell<T>,
    /// Gone, and the file with it, when the layer is here.
    load: Mutex<Option<Arc<Load<T>>>>,
}

impl<T> Later<T> {
    fn way(&self) -> Option<Arc<Load<T>>> {
        self.load.lock().clone()
    }

    /// The layer. Of two passes that come to it at once each reads it, and one drops its own: while
    /// one waited for the other its thread might be handed that other's work.
    fn get(&self, cx: &Context) -> Result<LayerRef<'_, T>> {
        if let (None, Some(load)) = (self.here.get(), self.way()) {
            let made = load(cx)?;
            if let Err(second) = self.here.set(made) {
                return Ok(LayerRef::Read(second));
            }
            *self.load.lock() = None;
        }
        self.here.get().map(LayerRef::Packed).ok_or_else(|| {
            let what = "a defect in Mend: a layer is neither here nor to be read";
            Error::new(ErrorKind::Internal, what)
        })
    }
}

impl<T> LayerSource<T> {
    /// What is here.
    pub fn packed(&self) -> Option<&T> {
        match self {
            Self::Packed(layer) => Some(layer),
            Self::Later(layer) => layer.here.get(),
            Self::Streamed(_) => None,
        }
    }

    /// Reads the layer if the first pass is to and has not.
    pub fn prepare(&self, cx: &Context) -> Result<()> {
        match self {
            Self::Later(layer) => layer.get(cx).map(|_| ()),
            Self::Packed(_) | Self::Streamed(_) => Ok(()),
        }
    }

    /// The layer, read now where it is not held; `cx` packs as the one that the network was made with.
    pub fn get(&self, cx: &Context) -> Result<LayerRef<'_, T>> {
        match self {
            Self::Packed(layer) => Ok(LayerRef::Packed(layer)),
            Self::Later(layer) => layer.get(cx),
            Self::Streamed(load) => load(cx).map(LayerRef::Read),
        }
    }
}

/// A layer for as long as it is needed.
pub(super) enum LayerRef<'a, T> {
    Packed(&'a T),
    Read(T),
}

impl<T> Deref for LayerRef<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Packed(layer) => layer,
            Self::Read(layer) => layer,
        }
    }
}
