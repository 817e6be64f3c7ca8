//! Prompts to embeddings.
#![forbid(unsafe_code)]

use super::{CLIPTextModel, CLIPTokenizer, HiddenLayer};
use crate::error::Result;
use crate::memory;
use crate::models::prompt::{self, Chunk, Frame};
use crate::nn::{Run, Tensor, from_vec, values};

/// Chunks that go through the network together: enough for full speed, and a long prompt takes no
/// more memory than a short one.
const TOGETHER: usize = 8;

/// What a diffusion model is told: `[prompts, 77 · n, hidden_size]`, with weights and cuts as in
/// [`prompt`]. `n`, the number of chunks, is the longest prompt's; the others, a negative prompt say,
/// are filled up with chunks that say nothing. Every text has a meaning, also the empty one.
///
/// # Errors
/// [`crate::ErrorKind::Argument`] as [`CLIPTextModel::forward_layer`], when tokenizer and model do not
/// belong together or too many layers are skipped; what stops the pass, see [`Run::write`].
pub fn embed(
    run: &Run,
    model: &CLIPTextModel,
    tokenizer: &CLIPTokenizer,
    prompts: &[&str],
    layer: HiddenLayer,
) -> Result<Tensor> {
    let frame = Frame {
        start: tokenizer.bos_token_id,
        end: tokenizer.eos_token_id,
        pad: tokenizer.pad_token_id,
        length: model.config().max_position_embeddings,
    };
    let cut = |text: &&str| prompt::chunks(&prompt::parse(text), &frame, |t| tokenizer.tokenize(t));
    let mut all = prompts.iter().map(cut).collect::<Result<Vec<_>>>()?;
    let count = all.iter().map(Vec::len).max().unwrap_or(1);
    for chunks in &mut all {
        chunks.resize(count, Chunk::empty(&frame));
    }
    let all: Vec<Chunk> = all.into_iter().flatten().collect();

    let hidden = model.config().hidden_size;
    let shape = [prompts.len(), count * frame.length, hidden];
    let mut out = memory::with_capacity(shape.iter().product(), "a prompt's embedding")?;
    for some in all.chunks(TOGETHER) {
        let tokens: Vec<&[u32]> = some.iter().map(|c| &c.tokens[..]).collect();
        let states = model.hidden(run, &tokens, layer)?;
        let from = out.len();
        out.extend_from_slice(&values(&states)?);
        let embeddings = out[from..].chunks_exact_mut(frame.length * hidden);
        for (embedding, chunk) in embeddings.zip(some) {
            prompt::weigh(embedding, &chunk.weights);
        }
    }
    from_vec(out, &shape)
}
