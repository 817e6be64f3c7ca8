//! Attention, to itself and to others.
#![forbid(unsafe_code)]

use super::{Act, Extra, Linear, Run, misfit, values};
use crate::error::Result;
use crate::kernels::{self, Bias, Context, Strided};
use crate::weights::Scope;
use candle_core::Tensor;

/// Some of a tensor's columns: what a fused projection made for one of its parts.
#[derive(Clone, Copy)]
pub struct Columns<'a> {
    /// `[batch, …, columns]`; what is between counts as tokens.
    pub tensor: &'a Tensor,
    /// The first column.
    pub from: usize,
}

impl Columns<'_> {
    /// Batch and tokens; `columns` must be there.
    fn check(&self, columns: usize) -> Result<(usize, usize)> {
        match *self.tensor.dims() {
            [batch, ref tokens @ .., all] if self.from + columns <= all && !tokens.is_empty() => {
                Ok((batch, tokens.iter().product()))
            }
            ref dims => {
                let expected = format!("[batch, …, {} or more]", self.from + columns);
                Err(misfit("attention", &expected, dims))
            }
        }
    }
}

/// How [`attend`] attends.
#[derive(Clone, Copy)]
pub struct Heads {
    /// Heads.
    pub heads: usize,
    /// Channels of a head; scores are divided by its root.
    pub dim: usize,
    /// Whether a query sees only the keys up to its own place.
    pub causal: bool,
}

/// `softmax(q kᵀ / √dim) v`, head by head: `[batch, …, heads · dim]`, shaped as the queries.
///
/// # Errors
/// What stops the pass, see [`Run::write`].
pub fn attend(run: &Run, heads: Heads, q: Columns, k: Columns, v: Columns) -> Result<Act> {
    attend_biased(run, heads, None, q, k, v)
}

/// As [`attend`], with `bias`, of that many heads, queries and keys, added to the scores.
///
/// # Errors
/// What stops the pass, see [`Run::write`].
pub fn attend_biased(
    run: &Run,
    heads: Heads,
    bias: Option<&Bias>,
    q: Columns,
    k: Columns,
    v: Columns,
) -> Result<Act> {
    let columns = heads.heads * heads.dim;
    let (batch, queries) = q.check(columns)?;
    let of_keys = k.check(columns)?;
    if of_keys != v.check(columns)? || of_keys.0 != batch || of_keys.1 == 0 {
        let expected = "as many keys as values, and a batch of each";
        return Err(misfit("attention", expected, k.tensor.dims()));
    }
    let keys = of_keys.1;
    run.count(4 * (batch * queries * keys) as u64 * columns as u64);
    let mut shape = q.tensor.dims().to_vec();
    if let Some(last) = shape.last_mut() {
        *last = columns;
    }
    run.write(&shape, |out| {
        let attention = kernels::Attention {
            batch,
            queries,
            keys,
            heads: heads.heads,
            dim: heads.dim,
            scale: 1.0 / (heads.dim as f32).sqrt(),
            causal: heads.causal,
            slice: run.slice(),
        };
        let stride = |c: &Columns| c.tensor.dims().last().copied().unwrap_or(0);
        let (strides, from) = ([&q, &k, &v].map(stride), [q.from, k.from, v.from]);
        let (q, k, v) = (values(q.tensor)?, values(k.tensor)?, values(v.tensor)?);
        let [q, k, v] = [&q[..], &k[..], &v[..]];
        let part = |i: usize, data| columns_from(data, from[i], strides[i]);
        kernels::attention_biased(
            run.cx(),
            &attention,
            bias,
            part(0, q),
            part(1, k),
            part(2, v),
            out,
        )
    })
}

/// Rows `stride` apart, of which the first begins at `from`.
fn columns_from(data: &[f32], from: usize, stride: usize) -> Strided<'_> {
    Strided {
        data: &data[from.min(data.len())..],
        stride,
    }
}

/// An attention's channels.
#[derive(Clone, Copy, Debug)]
pub struct AttentionConfig {
    /// Channels of the queries' side and of the result.
    pub query_dim: usize,
    /// Channels of what is attended to, or none for attention to itself.
    pub cross_attention_dim: Option<usize>,
    /// Heads.
    pub heads: usize,
    /// Channels of a head.
    pub dim_head: usize,
    /// Whether the projections of queries, keys and values have a bias.
    pub bias: bool,
}

/// diffusers' `Attention`: `to_q`, `to_k`, `to_v`, `to_out.0`.
pub struct Attention {
    heads: Heads,
    /// The queries' projection, or all three in one where it attends to itself.
    to_q: Linear,
    to_kv: Option<Linear>,
    to_out: Linear,
}

impl Attention {
    /// Reads the projections; those of files from before diffusers 0.15 are called `query`, `key`,
    /// `value` and `proj_attn`. Where attention is to itself each may be in parts, one for each head:
    /// `to_q.0`, `to_q.1` and so on.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(cx: &Context, scope: &Scope, config: &AttentionConfig) -> Result<Self> {
        let c = config;
        let inner = c.heads * c.dim_head;
        let old = !scope.has("to_q.weight") && scope.has("query.weight");
        let names = if old {
            ["query", "key", "value", "proj_attn"]
        } else {
            ["to_q", "to_k", "to_v", "to_out.0"]
        };
        let [q, k, v, out] = names.map(|name| scope.pp(name));
        let (to_q, to_kv) = match c.cross_attention_dim {
            None => {
                let mut scopes = vec![q, k, v];
                let mut rows = inner;
                if scopes[0].has("0.weight") {
                    let parts = scopes
                        .iter()
                        .flat_map(|of| (0..c.heads).map(|head| of.pp(head)));
                    (scopes, rows) = (parts.collect(), c.dim_head);
                }
                let all = Linear::fused(cx, &scopes, rows, c.query_dim, c.bias)?;
                (all, None)
            }
            Some(dim) => (
                Linear::fused(cx, &[q], inner, c.query_dim, c.bias)?,
                Some(Linear::fused(cx, &[k, v], inner, dim, c.bias)?),
            ),
        };
        Ok(Self {
            heads: Heads {
                heads: c.heads,
                dim: c.dim_head,
                causal: false,
            },
            to_q,
            to_kv,
            to_out: Linear::new(cx, &out, c.query_dim, inner)?,
        })
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        let kv = self.to_kv.as_ref().map_or(0, Linear::bytes);
        self.to_q.bytes() + kv + self.to_out.bytes()
    }

    /// `x`, `[batch, …, query_dim]`, attends to itself or to `states`, `[batch, tokens,
    /// cross_attention_dim]`; the result, shaped as `x`, plus `add`.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward(&self, run: &Run, x: Act, states: &Tensor, add: &Tensor) -> Result<Act> {
        let inner = self.heads.heads * self.heads.dim;
        let q = self.to_q.forward(run, &x, Extra::NONE)?;
        drop(x);
        let at = |tensor, from| Columns { tensor, from };
        let attended = match &self.to_kv {
            None => attend(run, self.heads, at(&q, 0), at(&q, inner), at(&q, 2 * inner))?,
            Some(to_kv) => {
                let kv = to_kv.forward(run, states, Extra::NONE)?;
                attend(run, self.heads, at(&q, 0), at(&kv, 0), at(&kv, inner))?
            }
        };
        drop(q);
        self.to_out.forward(run, &attended, Extra::add(add))
    }
}
