//! transformers' `CLIPTextModel`: the text encoder of Stable Diffusion 1.x (OpenAI's ViT-L) and 2.x
//! (OpenCLIP's ViT-H).
#![forbid(unsafe_code)]

use super::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::{Activation, Context};
use crate::models::Cost;
use crate::nn::{
    Act, Arena, Columns, Extra, Heads, LayerNorm, Linear, Run, Tensor, attend, each, pair,
};
use crate::weights::{Scope, Values};
use half::slice::HalfFloatSliceExt;

/// Which layer's output is the embedding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HiddenLayer {
    /// Layers from the end that are left out: 0 for the last one's output, 1 for the second to last's.
    /// diffusers' `clip_skip`; AUTOMATIC1111 counts from 1.
    pub clip_skip: usize,
    /// Whether the output goes through the final norm, as in Stable Diffusion 1.x and 2.x; in XL it
    /// does not.
    pub final_layer_norm: bool,
}

impl Default for HiddenLayer {
    /// The last layer's, through the final norm.
    fn default() -> Self {
        Self {
            clip_skip: 0,
            final_layer_norm: true,
        }
    }
}

/// The network, its weights packed.
pub struct CLIPTextModel {
    config: Config,
    embeddings: Embeddings,
    layers: Vec<EncoderLayer>,
    final_layer_norm: LayerNorm,
}

impl CLIPTextModel {
    /// Reads and packs the weights, on all threads of the caller's pool. Their names may begin with
    /// `text_model.` or not: transformers left it out from version 5 on.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(cx: &Context, scope: &Scope, config: Config) -> Result<Self> {
        const FIRST: &str = "embeddings.token_embedding.weight";
        let scope = match scope.has(FIRST) {
            true => scope.clone(),
            false => scope.pp("text_model"),
        };
        let c = &config;
        let layers = scope.pp("encoder.layers");
        let (embeddings, layers) = pair(
            cx,
            || Embeddings::new(&scope.pp("embeddings"), c),
            || {
                each(cx, c.num_hidden_layers, |i| {
                    EncoderLayer::new(cx, &layers.pp(i), c)
                })
            },
        )?;
        let norm = scope.pp("final_layer_norm");
        Ok(Self {
            embeddings,
            layers,
            final_layer_norm: LayerNorm::new(&norm, c.hidden_size, c.layer_norm_eps)?,
            config,
        })
    }

    /// What it was made from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Bytes of the embeddings, as the file holds them, and of the packed weights.
    pub fn bytes(&self) -> usize {
        let layers: usize = self.layers.iter().map(EncoderLayer::bytes).sum();
        self.embeddings.bytes() + layers + self.final_layer_norm.bytes()
    }

    /// What a pass over `batch` texts of full length takes: counted by going through it, computing
    /// nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for a batch of none.
    pub fn cost(&self, cx: &Context, batch: usize) -> Result<Cost> {
        let arena = Arena::counting();
        let run = Run::new(cx, &arena);
        self.forward(
            &run,
            &vec![vec![0; self.config.max_position_embeddings]; batch],
        )?;
        Ok(Cost {
            flops: run.flops(),
            bytes: arena.peak(),
        })
    }

    /// The last layer's output through the final norm, `[batch, tokens, hidden_size]`. `tokens` are
    /// texts of equal length, 1 to `max_position_embeddings`, each with its start, end and padding;
    /// a token sees those before it and not what comes after, so what is behind the end changes
    /// nothing before it.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] when lengths differ or are out of range, or when a token is none of
    /// the model's; what stops the pass, see [`Run::write`].
    pub fn forward(&self, run: &Run, tokens: &[impl AsRef<[u32]>]) -> Result<Tensor> {
        self.forward_layer(run, tokens, HiddenLayer::default())
    }

    /// As [`Self::forward`], of another layer; those behind it are not computed.
    ///
    /// # Errors
    /// As [`Self::forward`]; [`ErrorKind::Argument`] when so many layers are skipped that none is left.
    pub fn forward_layer(
        &self,
        run: &Run,
        tokens: &[impl AsRef<[u32]>],
        layer: HiddenLayer,
    ) -> Result<Tensor> {
        Ok(self.hidden(run, tokens, layer)?.into_tensor())
    }

    pub(super) fn hidden(
        &self,
        run: &Run,
        tokens: &[impl AsRef<[u32]>],
        layer: HiddenLayer,
    ) -> Result<Act> {
        let count = self.layers.len();
        let Some(layers) = count.checked_sub(layer.clip_skip).filter(|left| *left > 0) else {
            return Err(Error::new(
                ErrorKind::Argument,
                format!(
                    "{} layers of the text encoder are to be skipped, and it has {count}; skip \
                     fewer",
                    layer.clip_skip
                ),
            ));
        };
        let mut h = self.embeddings.forward(run, tokens)?;
        for layer in self.layers.iter().take(layers) {
            h = layer.forward(run, h)?;
        }
        if layer.final_layer_norm {
            h = self.final_layer_norm.forward(run, &h)?;
        }
        Ok(h)
    }
}

/// `CLIPTextEmbeddings`: a row for each token and one for its place.
struct Embeddings {
    /// `[vocab_size, hidden_size]`, as the file holds it: of 49,408 rows a text reads 77, and in `f16`
    /// they are half as large.
    token_embedding: Values,
    /// `[max_position_embeddings, hidden_size]`
    position_embedding: Vec<f32>,
    hidden: usize,
}

impl Embeddings {
    fn new(scope: &Scope, c: &Config) -> Result<Self> {
        let hidden = c.hidden_size;
        let places = c.max_position_embeddings;
        if scope.has("position_ids") {
            // 0, 1, 2 …, which older files hold: read, so that nothing of the file is left over.
            let _ = scope.integers("position_ids", &[1, places]);
        }
        let (token, place) = ("token_embedding.weight", "position_embedding.weight");
        Ok(Self {
            token_embedding: scope.get(token, &[c.vocab_size, hidden])?,
            position_embedding: scope.get(place, &[places, hidden])?.into_f32()?,
            hidden,
        })
    }

    fn bytes(&self) -> usize {
        let tokens = match &self.token_embedding {
            Values::F16(v) => size_of_val(&v[..]),
            Values::F32(v) => size_of_val(&v[..]),
        };
        tokens + self.position_embedding.len() * 4
    }

    fn forward(&self, run: &Run, texts: &[impl AsRef<[u32]>]) -> Result<Act> {
        let hidden = self.hidden;
        let length = texts.first().map_or(0, |t| t.as_ref().len());
        let most = self.position_embedding.len() / hidden;
        let vocabulary = self.token_embedding.len() / hidden;
        let wrong = |what: String| Err(Error::new(ErrorKind::Argument, what));
        if length == 0 || length > most || texts.iter().any(|t| t.as_ref().len() != length) {
            let lengths: Vec<usize> = texts.iter().take(8).map(|t| t.as_ref().len()).collect();
            return wrong(format!(
                "the texts have {lengths:?} tokens, expected one number of 1 to {most} for all"
            ));
        }
        let tokens = || texts.iter().flat_map(|t| t.as_ref());
        if let Some(token) = tokens().find(|t| **t as usize >= vocabulary) {
            return wrong(format!(
                "token {token} is not one of the text encoder's {vocabulary}; the tokenizer \
                 belongs to another model: use the one that came with the text encoder"
            ));
        }
        run.write(&[texts.len(), length, hidden], |out| {
            let rows = out.chunks_exact_mut(hidden);
            for ((i, token), row) in tokens().enumerate().zip(rows) {
                let from = *token as usize * hidden;
                match &self.token_embedding {
                    Values::F16(v) => v[from..from + hidden].convert_to_f32_slice(row),
                    Values::F32(v) => row.copy_from_slice(&v[from..from + hidden]),
                }
                let place = &self.position_embedding[i % length * hidden..][..hidden];
                row.iter_mut().zip(place).for_each(|(x, p)| *x += p);
            }
            Ok(())
        })
    }
}

/// `CLIPEncoderLayer`: attention to the tokens before, feed forward, each behind a norm and added to
/// its input.
struct EncoderLayer {
    layer_norm1: LayerNorm,
    /// `self_attn`: queries, keys and values in one.
    qkv_proj: Linear,
    out_proj: Linear,
    heads: Heads,
    layer_norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    hidden_act: Activation,
}

impl EncoderLayer {
    fn new(cx: &Context, scope: &Scope, c: &Config) -> Result<Self> {
        let (hidden, inner) = (c.hidden_size, c.intermediate_size);
        let (attention, mlp) = (scope.pp("self_attn"), scope.pp("mlp"));
        let qkv = ["q_proj", "k_proj", "v_proj"].map(|name| attention.pp(name));
        let norm = |name: &str| LayerNorm::new(&scope.pp(name), hidden, c.layer_norm_eps);
        Ok(Self {
            layer_norm1: norm("layer_norm1")?,
            qkv_proj: Linear::fused(cx, &qkv, hidden, hidden, true)?,
            out_proj: Linear::new(cx, &attention.pp("out_proj"), hidden, hidden)?,
            heads: Heads {
                heads: c.num_attention_heads,
                dim: hidden / c.num_attention_heads,
                causal: true,
            },
            layer_norm2: norm("layer_norm2")?,
            fc1: Linear::new(cx, &mlp.pp("fc1"), inner, hidden)?,
            fc2: Linear::new(cx, &mlp.pp("fc2"), hidden, inner)?,
            hidden_act: c.hidden_act,
        })
    }

    fn bytes(&self) -> usize {
        let norms = self.layer_norm1.bytes() + self.layer_norm2.bytes();
        let attention = self.qkv_proj.bytes() + self.out_proj.bytes();
        norms + attention + self.fc1.bytes() + self.fc2.bytes()
    }

    /// `[batch, tokens, hidden_size]` to the same.
    fn forward(&self, run: &Run, mut h: Act) -> Result<Act> {
        let n = self.layer_norm1.forward(run, &h)?;
        let qkv = self.qkv_proj.forward(run, &n, Extra::NONE)?;
        drop(n);
        let hidden = self.heads.heads * self.heads.dim;
        let part = |i: usize| Columns {
            tensor: &qkv,
            from: i * hidden,
        };
        let attended = attend(run, self.heads, part(0), part(1), part(2))?;
        drop(qkv);
        // Assigned and not shadowed: what it was goes back to the arena at once.
        h = self.out_proj.forward(run, &attended, Extra::add(&h))?;
        drop(attended);
        let n = self.layer_norm2.forward(run, &h)?;
        let inner = self
            .fc1
            .forward(run, &n, Extra::activation(self.hidden_act))?;
        drop(n);
        self.fc2.forward(run, &inner, Extra::add(&h))
    }
}
