//! A model's networks, opened.
#![forbid(unsafe_code)]

use super::folder::Folder;
use super::settings::Settings;
use crate::error::Result;
use crate::weights::Weights;
use std::sync::Arc;

/// A model's parts, opened: headers are read, weights are not.
pub struct Model {
    pub folder: Arc<Folder>,
    pub unet: Arc<Weights>,
    pub vae: Arc<Weights>,
    pub text: Arc<Weights>,
    /// The tiny autoencoder, where it decodes.
    pub tiny: Option<Arc<Weights>>,
}

impl Model {
    /// Opens the parts.
    ///
    /// # Errors
    /// As [`Weights::open_folder`].
    pub fn open(folder: Arc<Folder>) -> Result<Self> {
        Ok(Self {
            unet: folder.unet_weights()?,
            vae: folder.vae_weights()?,
            text: folder.text_weights()?,
            tiny: folder.tiny_weights()?,
            folder,
        })
    }

    /// Passes of a step that go through the UNet together.
    pub fn batch(&self, settings: &Settings) -> f64 {
        match settings.guidance > 1.0 && self.folder.unet.time_cond_proj_dim.is_none() {
            true => 2.0,
            false => 1.0,
        }
    }
}
