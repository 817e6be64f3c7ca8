//! CLIP's text side: what Stable Diffusion reads a prompt with.
//!
//! [`CLIPTokenizer`] turns text into tokens, [`CLIPTextModel`] tokens into an embedding, [`embed`]
//! whole prompts of any length, with weights, into what a [`super::UNet2DConditionModel`] takes.
#![forbid(unsafe_code)]

mod config;
mod embed;
mod text_model;
mod tokenizer;
mod vocabulary;

#[cfg(test)]
mod tests;

pub use config::Config;
pub use embed::embed;
pub use text_model::{CLIPTextModel, HiddenLayer};
pub use tokenizer::CLIPTokenizer;
