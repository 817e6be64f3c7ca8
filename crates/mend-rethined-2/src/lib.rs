//! Weights of the network that is built into Mend, part 2 of 2. There is nothing here to use by itself.
#![no_std]
#![forbid(unsafe_code)]

/// A safetensors file with some of the network's tensors. `training/rethined/split.py` writes it.
pub static WEIGHTS: &[u8] = include_bytes!("weights.safetensors");

/// A safetensors file with the head that says how sure the network is. `training/rethined/sure.py` writes it.
pub static SURE: &[u8] = include_bytes!("sure.safetensors");
