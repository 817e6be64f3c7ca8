//! SAM's transformer: tokens attend to the picture, and the picture to the tokens.
#![forbid(unsafe_code)]

use super::told;
use crate::error::Result;
use crate::kernels::{Activation, Context};
use crate::nn::{Act, Columns, Extra, Heads, LayerNorm, Linear, Run, attend, each, misfit, values};
use crate::weights::Scope;
use candle_core::Tensor;

/// Of every attention.
pub const HEADS: usize = 8;
const EPS: f32 = 1e-5;

/// The sum of two of one shape.
pub fn sum(run: &Run, a: &Tensor, b: &Tensor) -> Result<Act> {
    if a.dims() != b.dims() {
        return Err(misfit("a sum", &format!("{:?}", a.dims()), b.dims()));
    }
    run.write(a.dims(), |out| {
        let (a, b) = (values(a)?, values(b)?);
        const PART: usize = 1 << 14;
        run.cx().parts(out, PART, |i, out| {
            let (a, b) = (&a[i * PART..], &b[i * PART..]);
            for (v, (a, b)) in out.iter_mut().zip(a.iter().zip(b)) {
                *v = a + b;
            }
        })
    })
}

/// Attention whose heads may be narrower than the tokens.
struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
}

impl Attention {
    fn new(cx: &Context, scope: &Scope, width: usize) -> Result<Self> {
        let [inner, _] = told::<2>(scope, "q_proj.weight")?;
        if !inner.is_multiple_of(HEADS) {
            return Err(super::unfit(scope, "its heads are of different widths"));
        }
        let into = |name: &str| Linear::new(cx, &scope.pp(name), inner, width);
        Ok(Self {
            q: into("q_proj")?,
            k: into("k_proj")?,
            v: into("v_proj")?,
            out: Linear::new(cx, &scope.pp("out_proj"), width, inner)?,
        })
    }

    fn bytes(&self) -> usize {
        let all = [&self.q, &self.k, &self.v, &self.out];
        all.map(Linear::bytes).iter().sum()
    }

    fn forward(&self, run: &Run, [q, k, v]: [&Tensor; 3], add: Option<&Tensor>) -> Result<Act> {
        let heads = Heads {
            heads: HEADS,
            dim: self.q.outputs() / HEADS,
            causal: false,
        };
        let q = self.q.forward(run, q, Extra::NONE)?;
        let k = self.k.forward(run, k, Extra::NONE)?;
        let v = self.v.forward(run, v, Extra::NONE)?;
        let [cq, ck, cv] = [&q, &k, &v].map(|act| Columns {
            tensor: act,
            from: 0,
        });
        let attended = attend(run, heads, cq, ck, cv)?;
        let extra = Extra { add, ..Extra::NONE };
        self.out.forward(run, &attended, extra)
    }
}

struct Block {
    first: bool,
    to_itself: Attention,
    to_picture: Attention,
    lin1: Linear,
    lin2: Linear,
    from_picture: Attention,
    norms: [LayerNorm; 4],
}

impl Block {
    fn new(cx: &Context, scope: &Scope, width: usize, first: bool) -> Result<Self> {
        let attention = |name: &str| Attention::new(cx, &scope.pp(name), width);
        let norm = |name: &str| LayerNorm::new(&scope.pp(name), width, EPS);
        let [inner, _] = told::<2>(scope, "mlp.lin1.weight")?;
        Ok(Self {
            first,
            to_itself: attention("self_attn")?,
            to_picture: attention("cross_attn_token_to_image")?,
            lin1: Linear::new(cx, &scope.pp("mlp.lin1"), inner, width)?,
            lin2: Linear::new(cx, &scope.pp("mlp.lin2"), width, inner)?,
            from_picture: attention("cross_attn_image_to_token")?,
            norms: [
                norm("norm1")?,
                norm("norm2")?,
                norm("norm3")?,
                norm("norm4")?,
            ],
        })
    }

    fn bytes(&self) -> usize {
        let attention = [&self.to_itself, &self.to_picture, &self.from_picture];
        let attention: usize = attention.map(Attention::bytes).iter().sum();
        let norms: usize = self.norms.iter().map(LayerNorm::bytes).sum();
        attention + norms + self.lin1.bytes() + self.lin2.bytes()
    }

    /// `queries` and `keys` anew; `tokens` are the queries as they were at first, `positions` the keys'.
    fn forward(
        &self,
        run: &Run,
        queries: &Tensor,
        keys: Act,
        tokens: &Tensor,
        positions: &Tensor,
    ) -> Result<(Act, Act)> {
        let x = if self.first {
            self.to_itself.forward(run, [queries; 3], None)?
        } else {
            let q = sum(run, queries, tokens)?;
            let all: [&Tensor; 3] = [&q, &q, queries];
            self.to_itself.forward(run, all, Some(queries))?
        };
        let queries = self.norms[0].forward(run, &x)?;
        let placed = sum(run, &keys, positions)?;
        let q = sum(run, &queries, tokens)?;
        let all: [&Tensor; 3] = [&q, &placed, &keys];
        let x = self.to_picture.forward(run, all, Some(&*queries))?;
        let queries = self.norms[1].forward(run, &x)?;
        let relu = Extra::activation(Activation::Relu);
        let h = self.lin1.forward(run, &queries, relu)?;
        let x = self.lin2.forward(run, &h, Extra::add(&queries))?;
        let queries = self.norms[2].forward(run, &x)?;
        let q = sum(run, &queries, tokens)?;
        let all: [&Tensor; 3] = [&placed, &q, &queries];
        let x = self.from_picture.forward(run, all, Some(&*keys))?;
        drop((keys, placed));
        let keys = self.norms[3].forward(run, &x)?;
        Ok((queries, keys))
    }
}

/// The transformer.
pub struct TwoWay {
    blocks: Vec<Block>,
    last: Attention,
    norm: LayerNorm,
}

impl TwoWay {
    /// Reads the weights.
    pub fn new(cx: &Context, scope: &Scope, width: usize) -> Result<Self> {
        let layers = scope.pp("layers");
        let depth = (0..)
            .take_while(|i| layers.pp(i).has("norm1.weight"))
            .count();
        Ok(Self {
            blocks: each(cx, depth, |i| Block::new(cx, &layers.pp(i), width, i == 0))?,
            last: Attention::new(cx, &scope.pp("final_attn_token_to_image"), width)?,
            norm: LayerNorm::new(&scope.pp("norm_final_attn"), width, EPS)?,
        })
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        let blocks: usize = self.blocks.iter().map(Block::bytes).sum();
        blocks + self.last.bytes() + self.norm.bytes()
    }

    /// `tokens`, `[1, tokens, width]`, and `keys`, `[1, pixels, width]` as their `positions`, anew.
    pub fn forward(
        &self,
        run: &Run,
        tokens: &Tensor,
        mut keys: Act,
        positions: &Tensor,
    ) -> Result<(Act, Act)> {
        let mut queries: Option<Act> = None;
        for block in &self.blocks {
            let before: &Tensor = queries.as_deref().unwrap_or(tokens);
            let (q, k) = block.forward(run, before, keys, tokens, positions)?;
            (queries, keys) = (Some(q), k);
        }
        let queries: &Tensor = queries.as_deref().unwrap_or(tokens);
        let q = sum(run, queries, tokens)?;
        let placed = sum(run, &keys, positions)?;
        let all: [&Tensor; 3] = [&q, &placed, &keys];
        let x = self.last.forward(run, all, Some(queries))?;
        Ok((self.norm.forward(run, &x)?, keys))
    }
}
