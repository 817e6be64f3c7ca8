//! ᾱ, what is left of the picture's power at each step of training.
#![forbid(unsafe_code)]

use super::{BetaSchedule, Config, wrong};
use crate::error::Result;
use crate::memory::with_capacity;
use std::f64::consts::FRAC_PI_2;

/// The least ᾱ of a schedule that is no mistake: the cosine's last is 2e-9, Stable Diffusion's 0.005.
const LEAST: f64 = 1e-12;

/// diffusers' `alphas_cumprod`: falling, `num_train_timesteps` of them, in 0 ..= 1; the last is 0 with
/// `rescale_betas_zero_snr`. An error where β is too small or too large to make levels of.
///
/// Source: `DDIMScheduler.__init__`, `betas_for_alpha_bar` and `rescale_zero_terminal_snr` of diffusers
/// 0.42.1. As there, β and 1−β are rounded to `f32`: the sum of these roundings moves low levels by
/// 1e-5, enough for a time of Karras's to fall to another whole number. What follows is `f64`.
pub(super) fn alphas_cumprod(config: &Config) -> Result<Vec<f64>> {
    let n = config.num_train_timesteps;
    let even = |from: f64, to: f64, i: usize| from + (to - from) * i as f64 / (n - 1) as f64;
    let alpha_bar = |t: usize| {
        let c = libm::cos((t as f64 / n as f64 + 0.008) / 1.008 * FRAC_PI_2);
        c * c
    };
    let beta = |i: usize| match config.beta_schedule {
        BetaSchedule::Linear => even(config.beta_start, config.beta_end, i) as f32,
        BetaSchedule::ScaledLinear => {
            let root = even(config.beta_start.sqrt(), config.beta_end.sqrt(), i) as f32;
            root * root
        }
        BetaSchedule::SquaredcosCapV2 => (1.0 - alpha_bar(i + 1) / alpha_bar(i)).min(0.999) as f32,
    };
    let mut all = with_capacity(n, "the noise schedule")?;
    let mut product = 1.0;
    for i in 0..n {
        let before = product;
        product *= f64::from(1.0 - beta(i));
        // Levels that are equal, or too far for f32 samples, would be divided by.
        if product >= before || product < LEAST {
            let what = format!("to 'beta_end' over {n} steps make no noise, or nothing but noise");
            return Err(wrong("beta_start", what + "; get the model's file again"));
        }
        all.push(product);
    }
    if config.rescale_betas_zero_snr {
        let (first, last) = (all[0].sqrt(), all[n - 1].sqrt());
        for a in &mut all {
            let root = (a.sqrt() - last) * (first / (first - last));
            *a = root * root;
        }
    }
    Ok(all)
}
