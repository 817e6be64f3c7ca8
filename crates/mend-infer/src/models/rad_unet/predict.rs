//! What a pass takes, before anything is loaded: its tensors' lives in the order of the pass. A test holds it
//! to what a pass counts.
#![forbid(unsafe_code)]

use super::Config;
use super::blocks::Resample;
use crate::models::Cost;
use crate::weights::{Dtype, Weights};

/// Floats that an activation is longer than its values, see `nn::Arena`.
const LINE: usize = 16;

/// Bytes in use, and operations so far.
#[derive(Default)]
struct Tally {
    live: usize,
    peak: usize,
    flops: u64,
}

/// A picture in the middle of a pass.
#[derive(Clone, Copy)]
struct Size {
    height: usize,
    width: usize,
}

impl Size {
    fn pixels(self) -> usize {
        self.height.saturating_mul(self.width)
    }

    fn resampled(self, resample: Resample) -> Self {
        let of = |side: usize| match resample {
            Resample::Keep => side,
            Resample::Down => side / 2,
            Resample::Up => 2 * side,
        };
        Self {
            height: of(self.height),
            width: of(self.width),
        }
    }
}

impl Tally {
    /// An activation of so many values comes; its bytes.
    fn take(&mut self, values: usize) -> usize {
        let bytes = values.saturating_add(LINE).saturating_mul(4);
        self.live = self.live.saturating_add(bytes);
        self.peak = self.peak.max(self.live);
        bytes
    }

    /// It goes.
    fn drop(&mut self, bytes: usize) {
        self.live = self.live.saturating_sub(bytes);
    }

    fn product(&mut self, rows: usize, inputs: usize, outputs: usize) {
        let each = 2u64.saturating_mul(inputs as u64);
        let all = each.saturating_mul(outputs as u64);
        self.flops = self.flops.saturating_add(all.saturating_mul(rows as u64));
    }
}

/// A pass over a picture of this size with so many levels, and its operations.
pub fn predicted(config: &Config, height: usize, width: usize, levels: usize) -> Cost {
    let mut pass = Pass {
        config,
        levels,
        tally: Tally::default(),
    };
    pass.all(Size { height, width });
    Cost {
        flops: pass.tally.flops,
        bytes: pass.tally.peak,
    }
}

struct Pass<'a> {
    config: &'a Config,
    levels: usize,
    tally: Tally,
}

impl Pass<'_> {
    fn all(&mut self, mut size: Size) {
        let c = self.config;
        let channels = &c.block_out_channels;
        let (first, time, n) = (c.first(), c.time_embed_dim(), channels.len());
        // The embedding: sines, what is between the two layers, what stays.
        let sines = self.tally.take(self.levels * first);
        let hidden = self.tally.take(self.levels * time);
        self.tally.product(self.levels, first, time);
        let embedding = self.tally.take(self.levels * time);
        self.tally.product(self.levels, time, time);
        self.tally.drop(hidden);
        self.tally.drop(sines);

        let x = self.tally.take(size.pixels() * Config::CHANNELS);
        let mut skips = vec![(self.conv(size, Config::CHANNELS, first), first)];
        self.tally.drop(x);
        for (i, &to) in channels.iter().enumerate() {
            let mut from = channels[i.saturating_sub(1)];
            for _ in 0..c.layers_per_block {
                let h = self.layer(size, from, to, c.down_attention[i]);
                skips.push((h, to));
                from = to;
            }
            if i + 1 < n {
                let h = self.block(size, to, to, Resample::Down);
                size = size.resampled(Resample::Down);
                skips.push((h, to));
            }
        }
        let lowest = channels[n - 1];
        let middle = self.layer(size, lowest, lowest, true);
        let mut h = self.block(size, lowest, lowest, Resample::Keep);
        self.tally.drop(middle);
        let mut below = lowest;
        for i in 0..n {
            let to = channels[n - 1 - i];
            for _ in 0..=c.layers_per_block {
                let Some((skip, beside)) = skips.pop() else {
                    return;
                };
                let both = self.tally.take(size.pixels() * (below + beside));
                self.tally.drop(skip);
                self.tally.drop(h);
                h = self.block(size, below + beside, to, Resample::Keep);
                self.tally.drop(both);
                if c.up_attention[i] {
                    h = self.attention(size, to, h);
                }
                below = to;
            }
            if i + 1 < n {
                let small = h;
                h = self.block(size, to, to, Resample::Up);
                self.tally.drop(small);
                size = size.resampled(Resample::Up);
            }
        }
        let norm = self.tally.take(size.pixels() * first);
        self.tally.drop(h);
        let out = self.conv(size, first, Config::OUTPUTS);
        self.tally.drop(norm);
        self.tally.take(size.pixels() * Config::OUTPUTS);
        self.tally.drop(out);
        self.tally.drop(embedding);
    }

    /// A residual block whose input stays, and its attention.
    fn layer(&mut self, size: Size, from: usize, to: usize, attends: bool) -> usize {
        let h = self.block(size, from, to, Resample::Keep);
        match attends {
            true => self.attention(size, to, h),
            false => h,
        }
    }

    fn conv(&mut self, size: Size, from: usize, to: usize) -> usize {
        self.tally.product(size.pixels(), 9 * from, to);
        self.tally.take(size.pixels() * to)
    }

    fn block(&mut self, size: Size, from: usize, to: usize, resample: Resample) -> usize {
        let after = size.resampled(resample);
        let resamples = resample != Resample::Keep;
        let mut h = self.tally.take(size.pixels() * from);
        if resamples {
            let resampled = self.tally.take(after.pixels() * from);
            self.tally.drop(std::mem::replace(&mut h, resampled));
        }
        let conv1 = self.conv(after, from, to);
        self.tally.drop(std::mem::replace(&mut h, conv1));
        let table = self.tally.take(self.levels * 2 * to);
        self.tally
            .product(self.levels, self.config.time_embed_dim(), 2 * to);
        let norm2 = self.tally.take(after.pixels() * to);
        self.tally.drop(table);
        self.tally.drop(std::mem::replace(&mut h, norm2));
        let x = resamples.then(|| self.tally.take(after.pixels() * from));
        let shortcut = (from != to).then(|| {
            self.tally.product(after.pixels(), from, to);
            self.tally.take(after.pixels() * to)
        });
        let out = self.conv(after, to, to);
        for gone in [Some(h), x, shortcut].into_iter().flatten() {
            self.tally.drop(gone);
        }
        out
    }

    /// In the place of `h`.
    fn attention(&mut self, size: Size, channels: usize, h: usize) -> usize {
        let pixels = size.pixels();
        let norm = self.tally.take(pixels * channels);
        let qkv = self.tally.take(pixels * 3 * channels);
        self.tally.product(pixels, channels, 3 * channels);
        self.tally.drop(norm);
        let attended = self.tally.take(pixels * channels);
        // Scores, and the sums of values.
        self.tally.product(pixels, 2 * pixels, channels);
        self.tally.drop(qkv);
        let out = self.tally.take(pixels * channels);
        self.tally.product(pixels, channels, channels);
        self.tally.drop(attended);
        self.tally.drop(h);
        out
    }
}

/// Bytes of the weights when they are packed, with panels of `width` outputs.
pub fn weights_bytes(weights: &Weights, width: usize) -> f64 {
    let each = weights.names().map(|name| {
        let stored = match weights.dtype(name) {
            Some(Dtype::F16) => 2.0,
            _ => 4.0,
        };
        let product = |sides: &[usize]| sides.iter().map(|n| *n as f64).product::<f64>();
        match weights.shape(name).unwrap_or(&[]) {
            // Vectors are widened.
            [] | [_] => product(weights.shape(name).unwrap_or(&[])) * 4.0,
            [outputs, rest @ ..] => {
                outputs.next_multiple_of(width.max(1)) as f64 * product(rest) * stored
            }
        }
    });
    each.sum()
}
