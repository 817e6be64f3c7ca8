//! Noise levels pixel by pixel: region-aware diffusion (Kim et al., "RAD: Region-Aware Diffusion Models for Image
//! Inpainting", CVPR 2025, arXiv 2412.09191), written from the paper's equations.
//!
//! Of two phases of 1000 steps each the first takes the masked pixels from picture to noise and the second the
//! others; a network that was trained with both fills a hole by going back through the first alone, in one
//! plain pass in which known pixels have no noise at any time.
//!
//! With `m` a pixel's mask, 1 in the hole, `n` steps taken and ᾱ of linear betas from 1e-4 to 0.02:
//!
//! ```text
//! ν = 1 − ᾱ₁₀₀₀        γ = ln ᾱₙ / ln(1−ν)                                γ goes from 0 to 1
//! phase 1: ā = (1−ν·m)^γ                    phase 2: ā = (1−ν·m)·((1−ν)/(1−ν·m))^γ
//! x = √ā·x₀ + √(1−ā)·ε
//! ```
//!
//! A mask between 0 and 1 is a pixel that keeps some of its content, and never has more noise than that leaves.
//! The network is told the [`Table::level`] of each pixel: the number of plain steps that make as much noise.
#![forbid(unsafe_code)]

mod order;
mod run;
mod steps;
#[cfg(test)]
mod tests;
mod times;

pub use order::Order;
pub use run::{Noisy, PixelRun};
pub use steps::Method;
pub use times::Spacing;

use crate::error::Result;
use crate::memory::with_capacity;

/// Steps of a phase.
pub const STEPS: usize = 1000;
/// The first and the last β of the plain schedule.
const BETAS: (f64, f64) = (1e-4, 0.02);

/// Which way a pixel goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Masked pixels, from picture to noise.
    First,
    /// The others, when those are noise; for training alone.
    Second,
}

/// What is left of a picture's power after each number of plain steps.
#[derive(Clone, Debug)]
pub struct Table {
    /// ᾱ after 0 to 1000 steps.
    kept: Vec<f64>,
    /// Its logarithms.
    logs: Vec<f64>,
}

impl Table {
    /// The schedule of all published models.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn new() -> Result<Self> {
        let what = "the noise levels";
        let mut kept = with_capacity(STEPS + 1, what)?;
        let mut logs = with_capacity(STEPS + 1, what)?;
        let (mut product, mut log) = (1.0, 0.0);
        for n in 0..=STEPS {
            if n > 0 {
                let share = (n - 1) as f64 / (STEPS - 1) as f64;
                let beta = BETAS.0 + (BETAS.1 - BETAS.0) * share;
                product *= 1.0 - beta;
                log += libm::log1p(-beta);
            }
            kept.push(product);
            logs.push(log);
        }
        Ok(Self { kept, logs })
    }

    /// ν, the share of noise at the end.
    pub fn most(&self) -> f64 {
        1.0 - self.kept[STEPS]
    }

    /// γ after `n` steps, 0 to 1000; between whole numbers it goes straight.
    pub fn gamma(&self, n: f64) -> f64 {
        let n = n.clamp(0.0, STEPS as f64);
        let below = (n as usize).min(STEPS - 1);
        let (low, high) = (self.logs[below], self.logs[below + 1]);
        let log = match n - below as f64 {
            0.0 => low,
            1.0 => high,
            part => low + part * (high - low),
        };
        log / self.logs[STEPS]
    }

    /// The logarithm of ā of a pixel with this mask, 0 to 1, at γ.
    pub fn log_kept(&self, mask: f64, gamma: f64, phase: Phase) -> f64 {
        let mask = mask.clamp(0.0, 1.0);
        let least = self.logs[STEPS];
        // Both ends to the last bit.
        let floor = match mask {
            0.0 => 0.0,
            1.0 => least,
            m => libm::log1p(m * libm::expm1(least)),
        };
        match phase {
            Phase::First => gamma * floor,
            Phase::Second => floor + gamma * (least - floor),
        }
    }

    /// The inverse map: how many plain steps make the share `noise`, 1 − ā, of noise. Between whole numbers it
    /// goes straight; 0 and less is 0, more than ν is 1000.
    pub fn level(&self, noise: f64) -> f64 {
        let above = self.kept.partition_point(|kept| 1.0 - kept < noise);
        let above = above.clamp(1, STEPS);
        let (low, high) = (1.0 - self.kept[above - 1], 1.0 - self.kept[above]);
        let part = ((noise - low) / (high - low)).clamp(0.0, 1.0);
        (above - 1) as f64 + part
    }
}
