//! The parameters that every engine has, read.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::params::{Extent, Parameters};
use crate::plan::Fills;

/// What the flow goes by, whatever the engine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub seed: u64,
    pub context: Extent,
    /// Pixels by which the mask grows.
    pub grow: u32,
    /// Pixels over which the fill fades in.
    pub feather: u32,
    /// Only the fill is wanted, on transparency.
    pub layer: bool,
    pub fills: Fills,
}

impl Settings {
    /// # Errors
    /// [`crate::ErrorKind::Internal`] for values of another type than described.
    pub fn new(parameters: &Parameters) -> Result<Self> {
        Ok(Self {
            seed: parameters.integer("seed")?,
            context: parameters.extent("context")?,
            grow: parameters.integer("grow")?,
            feather: parameters.integer("feather")?,
            layer: parameters.text("result")? == "layer",
            fills: Fills::new(
                parameters.integer("variations")?,
                parameters.integer("best-of")?,
            ),
        })
    }
}
