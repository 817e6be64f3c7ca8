//! The network's sizes.
#![forbid(unsafe_code)]

use super::super::json::Json;
use crate::error::{Error, ErrorKind, Result};
use crate::weights::Weights;

/// Sizes, under the names of `training/rethined/network.py`; JSON in the weights' metadata `config`.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Pixels to channels before the first convolution: by this, along both sides.
    pub stem: usize,
    /// Channels of the four levels, at strides 4, 8, 16 and 32.
    pub channels: Vec<usize>,
    /// Residual blocks of each level on the way down.
    pub encoder: Vec<usize>,
    /// And on the way up, all levels but the coarsest; at least 1.
    pub decoder: Vec<usize>,
    /// Channels of the matching's queries and keys.
    pub key: usize,
}

impl Config {
    /// The configuration in the metadata of `weights`.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] where it is missing, no JSON, or out of bounds.
    pub fn of(weights: &Weights) -> Result<Self> {
        let Some(text) = weights.metadata("config") else {
            return Err(Error::new(
                ErrorKind::Model,
                format!(
                    "{}: the metadata have no 'config': write the file with \
                     training/rethined/export.py",
                    weights.name()
                ),
            ));
        };
        let json = Json::parse(weights.name(), text)?;
        Ok(Self {
            stem: json.number("stem", 4, 4..=4)?,
            channels: json.list("channels", 4..=4, 1..=4096)?,
            encoder: json.list("encoder", 4..=4, 0..=64)?,
            decoder: json.list("decoder", 3..=3, 1..=64)?,
            key: json.number("key", 128, 1..=4096)?,
        })
    }
}
