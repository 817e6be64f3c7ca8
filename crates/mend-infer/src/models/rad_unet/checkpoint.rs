//! A model as people have it: a folder or a file, opened and named as the network asks for it.
#![forbid(unsafe_code)]

use super::Config;
use super::names::{known, names};
use crate::error::{Error, ErrorKind, Result};
use crate::models::lora::{Adapter, Lora, Loras, Net};
use crate::weights::Weights;
use std::fs;
use std::path::{Path, PathBuf};

/// The file of a network's weights without its ending, as diffusers names it.
const NETWORK: &str = "diffusion_pytorch_model";
/// Where peft keeps a LoRA with the layers that were trained whole.
const ADAPTERS: [&str; 2] = ["adapter_model.safetensors", "adapter_model.bin"];
/// The largest configuration that is read, in bytes; published ones have a thousand.
const LONGEST: u64 = 1 << 20;
/// ADM's channels of a head, where nothing says otherwise.
const HEAD_DIM: usize = 64;

/// A network's weights under diffusers' names, with what a LoRA of peft's adds to them, and its sizes. Nothing
/// but names and shapes is read yet.
#[derive(Debug)]
pub struct Checkpoint {
    /// The tensors.
    pub weights: Weights,
    /// The sizes.
    pub config: Config,
    /// The files that they are from.
    pub files: Vec<PathBuf>,
}

impl Checkpoint {
    /// Opens a model:
    /// - the authors' folder, `unet/config.json` beside `unet/diffusion_pytorch_model.safetensors`, or that
    ///   `unet` itself. LoRA tensors of peft's may stand in the same file, `LAYER.lora_A.default.weight`
    ///   beside `LAYER.base_layer.weight`, or in an `adapter_model.safetensors` there, whose strength its
    ///   `adapter_config.json` tells;
    /// - one file of weights, under diffusers' names or under ADM's own (`input_blocks.0.0.weight`), whose
    ///   time layers are linear ones and become the convolutions of one pixel as they are. Its sizes are
    ///   told by its metadata `config`, or by its tensors.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] naming the file, as [`Weights::open`], [`Config::parse`] and [`Config::of`];
    /// [`ErrorKind::Io`].
    pub fn open(path: &Path) -> Result<Self> {
        if !path.is_dir() {
            return Self::of(Weights::open(path)?, None, vec![path.to_path_buf()]);
        }
        let inside = path.join("unet");
        let folder = if inside.is_dir() {
            inside
        } else {
            path.to_path_buf()
        };
        let (file, text) = config(&folder)?;
        let weights = Weights::open_folder(&folder, NETWORK)?;
        let mut files = vec![PathBuf::from(&file), PathBuf::from(weights.name())];
        let mut adapters = ADAPTERS.iter().map(|name| folder.join(name));
        let Some(adapter) = adapters.find(|adapter| adapter.is_file()) else {
            return Self::of(weights, Some((&file, &text)), files);
        };
        let weights = weights.joined(Weights::open(&adapter)?);
        let says = Adapter::beside(&adapter)?;
        files.push(adapter);
        files.extend(says.iter().map(|(_, path)| path.clone()));
        Self::with(weights, Some((&file, &text)), says, files)
    }

    /// Of weights that are open; `config` is the name and the text of their `config.json`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn of(weights: Weights, config: Option<(&str, &str)>, files: Vec<PathBuf>) -> Result<Self> {
        Self::with(weights, config, None, files)
    }

    /// As [`Self::of`]; `adapter` is what peft says of the LoRA among the weights, and where.
    fn with(
        weights: Weights,
        config: Option<(&str, &str)>,
        adapter: Option<(Adapter, PathBuf)>,
        files: Vec<PathBuf>,
    ) -> Result<Self> {
        // Other networks' files have metadata, too.
        let own = weights.metadata("config").filter(|_| known(&weights));
        let config = match (config, own) {
            (Some((file, text)), _) => Some(Config::parse(file, text)?),
            (None, Some(text)) => Some(Config::parse(weights.name(), text)?),
            (None, None) => None,
        };
        let head_dim = match &config {
            Some(config) => config.attention_head_dim,
            None => Some(HEAD_DIM),
        };
        let Some(found) = names(&weights, head_dim) else {
            return Err(Error::new(
                ErrorKind::Model,
                format!(
                    "{}: this is not a network of RAD's: there is neither a 'conv_in.weight' nor \
                     an 'input_blocks.0.0.weight' with all that belongs to it; take the authors' \
                     folder with unet/, or weights of ADM's{}",
                    weights.name(),
                    weights.refused()
                ),
            ));
        };
        let lora = match found.lora.is_empty() {
            true => Loras::default(),
            false => Loras::new(vec![Lora::with(weights.view(found.lora)?, 1.0, adapter)?]),
        };
        let named = lora.onto(Net::Unet, weights.view(found.tensors)?)?;
        let config = match config {
            Some(config) => config,
            None => Config::of(&named)?,
        };
        let checkpoint = Self {
            weights: named,
            config,
            files,
        };
        checkpoint.check()?;
        Ok(checkpoint)
    }

    /// Checks that the network can be made of these tensors: those of its ends and of its lowest level.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] naming what is not there.
    fn check(&self) -> Result<()> {
        let c = &self.config;
        let last = c.block_out_channels.len() - 1;
        let of = |name: &str, shape: &[usize]| {
            let found = self.weights.shape(name);
            match found == Some(shape) {
                true => Ok(()),
                false => {
                    let found = found.map_or("is missing".into(), |s| format!("has shape {s:?}"));
                    Err(Error::new(
                        ErrorKind::Model,
                        format!(
                            "{}: tensor '{name}' {found}, expected {shape:?}; the weights are not those \
                             that the sizes are of: take both from one place",
                            self.weights.name()
                        ),
                    ))
                }
            }
        };
        let (first, lowest) = (c.first(), c.block_out_channels[last]);
        of("conv_in.weight", &[first, Config::CHANNELS, 3, 3])?;
        of("conv_out.weight", &[Config::OUTPUTS, first, 3, 3])?;
        let time = c.time_embed_dim();
        of("time_embedding.linear_2.weight", &[time, time])?;
        // Twice the outputs: scale and shift.
        of(
            "mid_block.resnets.0.time_emb_proj.weight",
            &[2 * lowest, time],
        )?;
        of("mid_block.resnets.1.conv2.weight", &[lowest, lowest, 3, 3])
    }
}

/// The name and the text of a folder's `config.json`.
fn config(folder: &Path) -> Result<(String, String)> {
    let path = folder.join("config.json");
    let name = path.display().to_string();
    let wrong = |what: &str| Error::new(ErrorKind::Model, format!("{name}: {what}"));
    match fs::metadata(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(wrong(
            "there is no such file; a folder of RAD's has unet/config.json beside \
             unet/diffusion_pytorch_model.safetensors: take the whole folder, or name the file of the \
             weights",
        )),
        Ok(about) if !about.is_file() || about.len() > LONGEST => Err(wrong(
            "this is not a configuration; download the file again",
        )),
        _ => match fs::read_to_string(&path) {
            Ok(text) => Ok((name, text)),
            Err(e) => Err(Error::new(
                ErrorKind::Io,
                format!("{name} cannot be read: {e}"),
            )),
        },
    }
}
