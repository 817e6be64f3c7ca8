//! NeuralPatchMatch and the coherence layer: each token of the hole attends to the known ones.
//!
//! Only the rows of the attention that belong to the hole and the columns that are known are ever
//! computed, some rows at a time.
#![forbid(unsafe_code)]

use super::high::high;
use super::{Coarse, Config, PATCH};
use crate::error::Result;
use crate::kernels::{self, Context, ConvShape, Epilogue, Source};
use crate::memory;
use crate::nn::{Act, Conv2d, Extra, Linear, Run, pixel_shuffle, pixel_unshuffle, values};
use crate::weights::Scope;
use candle_core::Tensor;

/// Values of a token.
const TOKEN: usize = 3 * PATCH * PATCH;
/// High frequencies are an order smaller than the features beside them.
const HIGH_GAIN: f32 = 4.0;
/// Features are brought to a root mean square of 1 before they are compared.
const LEAST_FEATURES: f32 = 1e-3;
/// Known tokens that are kept for each token of the hole.
const ALIKE: usize = 8;
/// Tokens of the hole whose attention is held at a time.
const ROWS: usize = 256;
const WHAT: &str = "the matched patches";

/// The matching's layers.
pub struct Matching {
    query: Linear,
    key: Linear,
    dim: usize,
    features: usize,
    coherence: Conv2d,
}

/// The known tokens that a token of the hole attends to most.
#[derive(Clone, Debug, PartialEq)]
pub struct Alike {
    /// The hole's token: row · columns + column. In rising order in a list.
    pub token: u32,
    /// Known tokens and their shares, the largest first; what is left out is less than any of these.
    pub known: Vec<(u32, f32)>,
}

/// The hole's tokens with their queries, and the known ones with their keys; at least one of both.
struct Asked {
    rows: Vec<u32>,
    queries: Act,
    columns: Vec<u32>,
    keys: Act,
}

/// What the matching makes.
pub struct Matched {
    /// The picture with matched patches laid over the coarse answer, `[1, height, width, 3]`, not
    /// clamped.
    pub refined: Act,
    /// The patches as the attention mixes them, `[1, height, width, 3]`; known ones as they are.
    pub mixed: Act,
    /// For each token of the hole. None where no token is known.
    pub alike: Vec<Alike>,
}

impl Matching {
    /// Reads `match` and `coherence` under `root`.
    pub fn new(cx: &Context, root: &Scope, config: &Config) -> Result<Self> {
        let (features, dim) = (config.channels[1], config.key);
        let linear =
            |name| Linear::without_bias(cx, &root.pp("match").pp(name), dim, TOKEN + features);
        let shape = ConvShape {
            padding: (0, 0, 0, 0),
            ..ConvShape::same(TOKEN, TOKEN, 3)
        };
        Ok(Self {
            query: linear("query")?,
            key: linear("key")?,
            dim,
            features,
            coherence: Conv2d::new(cx, &root.pp("coherence.conv"), shape)?,
        })
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        self.query.bytes() + self.key.bytes() + self.coherence.bytes()
    }

    /// See [`super::Rethined::fill_matched`].
    pub fn forward(
        &self,
        run: &Run,
        coarse: &Coarse,
        hole: &Tensor,
        known: &Tensor,
    ) -> Result<Matched> {
        let patches = pixel_unshuffle(run, &coarse.answer, PATCH)?;
        let mixed = run.write(patches.dims(), |out| {
            out.copy_from_slice(&values(&patches)?);
            Ok(())
        })?;
        let mut alike = Vec::new();
        if let Some(asked) = self.asked(run, coarse, hole, known)? {
            let mut found = memory::filled(asked.rows.len() * TOKEN, 0f32, WHAT)?;
            alike = self.attend(run, &asked, Some((&patches, &mut found)))?;
            overlay(run, &mixed, &asked.rows, &found)?;
        }
        let difference = run.write(patches.dims(), |out| {
            let (mixed, patches) = (values(&mixed)?, values(&patches)?);
            for (i, v) in out.iter_mut().enumerate() {
                *v = mixed[i] - patches[i];
            }
            Ok(())
        })?;
        let more = self
            .coherence
            .forward(run, &*reflected(run, &difference)?, Extra::NONE)?;
        let more = pixel_shuffle(run, &more, PATCH)?;
        let refined = run.write(coarse.answer.dims(), |out| {
            let (coarse, more, hole) = (values(&coarse.answer)?, values(&more)?, values(hole)?);
            for (i, v) in out.iter_mut().enumerate() {
                *v = coarse[i] + hole[i / 3] * more[i];
            }
            Ok(())
        })?;
        Ok(Matched {
            refined,
            mixed: pixel_shuffle(run, &mixed, PATCH)?,
            alike,
        })
    }

    /// See [`super::Rethined::alike`].
    pub fn alike(
        &self,
        run: &Run,
        coarse: &Coarse,
        hole: &Tensor,
        known: &Tensor,
    ) -> Result<Vec<Alike>> {
        match self.asked(run, coarse, hole, known)? {
            Some(asked) => self.attend(run, &asked, None),
            None => Ok(Vec::new()),
        }
    }

    /// What attends to what; none where there is nothing of either.
    fn asked(
        &self,
        run: &Run,
        coarse: &Coarse,
        hole: &Tensor,
        known: &Tensor,
    ) -> Result<Option<Asked>> {
        let high = pixel_unshuffle(run, &*high(run, &coarse.answer)?, PATCH)?;
        let grid = [high.dims()[1], high.dims()[2]];
        let rows = tokens(hole, grid, &|all| all.iter().any(|v| *v > 0.0))?;
        let columns = tokens(known, grid, &|all| all.iter().all(|v| *v > 0.0))?;
        if rows.is_empty() || columns.is_empty() {
            return Ok(None);
        }
        Ok(Some(Asked {
            queries: self.project(run, &self.query, &high, &coarse.features, &rows)?,
            keys: self.project(run, &self.key, &high, &coarse.features, &columns)?,
            rows,
            columns,
        }))
    }

    /// Queries or keys of some tokens, `[tokens, dim]`.
    fn project(
        &self,
        run: &Run,
        layer: &Linear,
        high: &Tensor,
        features: &Tensor,
        which: &[u32],
    ) -> Result<Act> {
        let (f, each) = (self.features, TOKEN + self.features);
        let x = run.write(&[which.len(), each], |out| {
            let (high, features) = (values(high)?, values(features)?);
            run.cx().parts(out, each, |i, out| {
                let token = which[i] as usize;
                let (own_high, own_features) = out.split_at_mut(TOKEN);
                for (o, v) in own_high.iter_mut().zip(&high[token * TOKEN..]) {
                    *o = HIGH_GAIN * v;
                }
                let from = &features[token * f..][..f];
                let square: f32 = from.iter().map(|v| v * v).sum();
                let scale = 1.0 / (square / f as f32 + LEAST_FEATURES).sqrt();
                for (o, v) in own_features.iter_mut().zip(from) {
                    *o = scale * v;
                }
            })
        })?;
        layer.forward(run, &x, Extra::NONE)
    }

    /// Which known tokens each query attends to most. Given the patches, what each query mixes of them
    /// goes to the buffer beside, one behind another.
    fn attend(
        &self,
        run: &Run,
        asked: &Asked,
        mixed: Option<(&Tensor, &mut [f32])>,
    ) -> Result<Vec<Alike>> {
        let (rows, columns) = (&asked.rows, &asked.columns);
        let (count, cx) = (columns.len(), run.cx());
        let full = kernels::Precision::Full;
        let scores = {
            let keys = values(&asked.keys)?;
            kernels::Linear::with_precision(cx, full, Source::F32(&keys), None, count, self.dim)?
        };
        run.count(2 * (rows.len() * count * self.dim) as u64);
        let mut mix = match mixed {
            Some((patches, out)) => {
                run.count(2 * (rows.len() * count * TOKEN) as u64);
                Some((packed(cx, patches, columns)?, out.chunks_mut(ROWS * TOKEN)))
            }
            None => None,
        };
        let queries = values(&asked.queries)?;
        let mut alike = memory::with_capacity(rows.len(), WHAT)?;
        let mut shares = memory::filled(rows.len().min(ROWS) * count, 0f32, WHAT)?;
        let scale = 1.0 / (self.dim as f32).sqrt();
        for (queries, rows) in queries.chunks(ROWS * self.dim).zip(rows.chunks(ROWS)) {
            run.checked()?;
            let shares = &mut shares[..rows.len() * count];
            scores.forward(cx, queries, &Epilogue::default(), shares)?;
            cx.parts(shares, count, |_, line| kernels::softmax(cx, line, scale))?;
            if let Some((mix, out)) = &mut mix
                && let Some(out) = out.next()
            {
                mix.forward(cx, shares, &Epilogue::default(), out)?;
            }
            for (token, line) in rows.iter().zip(shares.chunks_exact(count)) {
                alike.push(Alike {
                    token: *token,
                    known: largest(line, columns),
                });
            }
        }
        Ok(alike)
    }
}

/// The known patches as a layer whose inputs are their shares.
fn packed(cx: &Context, patches: &Tensor, columns: &[u32]) -> Result<kernels::Linear> {
    let patches = values(patches)?;
    let mut across = memory::filled(TOKEN * columns.len(), 0f32, WHAT)?;
    for (v, line) in across.chunks_exact_mut(columns.len()).enumerate() {
        for (o, token) in line.iter_mut().zip(columns) {
            *o = patches[*token as usize * TOKEN + v];
        }
    }
    let (full, source) = (kernels::Precision::Full, Source::F32(&across));
    kernels::Linear::with_precision(cx, full, source, None, TOKEN, columns.len())
}

/// The largest shares of a line, and the tokens that they are of.
fn largest(line: &[f32], columns: &[u32]) -> Vec<(u32, f32)> {
    let mut found: Vec<(u32, f32)> = Vec::with_capacity(ALIKE + 1);
    for (share, token) in line.iter().zip(columns) {
        if found.len() == ALIKE && found[ALIKE - 1].1 >= *share {
            continue;
        }
        let at = found.partition_point(|(_, other)| other >= share);
        found.insert(at, (*token, *share));
        found.truncate(ALIKE);
    }
    found
}

/// The tokens of a mask whose pixels are as asked.
fn tokens(
    mask: &Tensor,
    [rows, columns]: [usize; 2],
    fits: &dyn Fn(&[f32]) -> bool,
) -> Result<Vec<u32>> {
    let mask = values(mask)?;
    let mut found = memory::with_capacity(rows * columns, WHAT)?;
    let mut token = [0.0; PATCH * PATCH];
    for row in 0..rows {
        for column in 0..columns {
            for (y, line) in token.chunks_exact_mut(PATCH).enumerate() {
                let from = ((row * PATCH + y) * columns + column) * PATCH;
                line.copy_from_slice(&mask[from..from + PATCH]);
            }
            if fits(&token) {
                found.push((row * columns + column) as u32);
            }
        }
    }
    Ok(found)
}

/// Lays `found` into the tokens `rows` of `mixed`.
fn overlay(run: &Run, mixed: &Act, rows: &[u32], found: &[f32]) -> Result<()> {
    run.rewrite(mixed, |out| {
        for (token, patch) in rows.iter().zip(found.chunks_exact(TOKEN)) {
            out[*token as usize * TOKEN..][..TOKEN].copy_from_slice(patch);
        }
        Ok(())
    })
}

/// `x` with one more token around it: torch's padding `reflect`.
fn reflected(run: &Run, x: &Tensor) -> Result<Act> {
    let (h, w) = (x.dims()[1], x.dims()[2]);
    run.write(&[1, h + 2, w + 2, TOKEN], |out| {
        let x = values(x)?;
        let at = |i: usize, len: usize| match i {
            0 => 1,
            i if i > len => len - 2,
            i => i - 1,
        };
        for (y, line) in out.chunks_exact_mut((w + 2) * TOKEN).enumerate() {
            for (column, token) in line.chunks_exact_mut(TOKEN).enumerate() {
                let from = (at(y, h) * w + at(column, w)) * TOKEN;
                token.copy_from_slice(&x[from..from + TOKEN]);
            }
        }
        Ok(())
    })
}
