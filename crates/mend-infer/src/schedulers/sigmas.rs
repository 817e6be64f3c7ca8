//! Noise levels σ = √((1−ᾱ)/ᾱ) for the methods that are written in them.
#![forbid(unsafe_code)]

use super::alphas::alphas_cumprod;
use super::spacing::{Family, Times, timesteps};
use super::{Config, FinalSigmasType, Levels, NoiseLevel, Original, PredictionType, wrong};
use crate::error::Result;
use crate::memory::with_capacity;

/// Karras et al. (arXiv 2206.00364), equation 5.
const RHO: f64 = 7.0;

/// What differs between the methods besides the spacing.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Style {
    Euler,
    EulerA,
    Dpm,
    UniPc,
}

/// A run's times, and σ before each step and after the last.
pub(super) struct Sigmas {
    pub timesteps: Vec<f64>,
    /// One more than there are times.
    pub sigmas: Vec<f64>,
    pub prediction: PredictionType,
}

impl Sigmas {
    /// Source: `set_timesteps` of `EulerDiscreteScheduler`, `EulerAncestralDiscreteScheduler`,
    /// `DPMSolverMultistepScheduler` and `UniPCMultistepScheduler` in diffusers 0.42.1.
    pub fn new(config: &Config, style: Style, times: Times) -> Result<Self> {
        let table = table(config)?;
        let family = match style {
            Style::Euler | Style::EulerA => Family::Euler,
            Style::Dpm | Style::UniPc => Family::Multistep,
        };
        let karras = config.use_karras_sigmas && style != Style::EulerA;
        if karras && matches!(times, Times::Given(_)) {
            let what = "cannot be given with Karras's sigmas; choose a scheduler without them";
            return Err(wrong("timesteps", what));
        }
        let mut timesteps = match times {
            // Karras's need no spacing of whole times, which limits their number.
            Times::Steps(n) if karras && family == Family::Multistep => {
                if !(1..=config.num_train_timesteps).contains(&n) {
                    let most = config.num_train_timesteps;
                    return Err(wrong("steps", format!("cannot be {n}: give 1 to {most}")));
                }
                crate::memory::filled(n, 0.0, "the timesteps")?
            }
            _ => timesteps(config, family, times)?,
        };
        let mut sigmas = with_capacity(timesteps.len() + 1, "the noise levels")?;
        sigmas.extend(timesteps.iter().map(|t| interpolate(&table, *t)));
        if karras {
            let (max, min) = match style {
                Style::Euler => (sigmas[0], sigmas[sigmas.len() - 1]),
                _ => (table[table.len() - 1], table[0]),
            };
            to_karras(&mut sigmas, max, min);
            let rounds = match style {
                Style::Dpm => config.beta_schedule != super::BetaSchedule::SquaredcosCapV2,
                _ => true,
            };
            for (t, sigma) in timesteps.iter_mut().zip(&sigmas) {
                let exact = sigma_to_t(&table, *sigma);
                *t = match (style, rounds) {
                    (Style::Euler, _) => f64::from(exact as f32),
                    (_, true) => exact.round_ties_even(),
                    // diffusers then stores whole numbers all the same.
                    (_, false) => exact.trunc(),
                };
            }
        }
        let last = match config.final_sigmas_type {
            _ if style == Style::EulerA => 0.0,
            FinalSigmasType::Zero => 0.0,
            FinalSigmasType::SigmaMin => table[0],
        };
        sigmas.push(last);
        // Equal levels would be divided by; Karras's one step may end where it began.
        let between = &sigmas[..sigmas.len() - 1];
        if between.windows(2).any(|w| w[0] <= w[1]) {
            let what = "are too many for this model: give fewer";
            return Err(wrong("steps", what));
        }
        Ok(Self {
            timesteps,
            sigmas,
            prediction: config.prediction_type,
        })
    }
}

/// As `α·x₀ + σ·ε` with α² + σ² = 1; clean past the last step.
impl Levels for Sigmas {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn add_noise(&self, i: usize) -> NoiseLevel {
        if i >= self.timesteps.len() {
            return NoiseLevel {
                original: 1.0,
                noise: 0.0,
            };
        }
        alpha_sigma(self.sigmas[i])
    }

    fn original(&self, i: usize) -> Original {
        let at = alpha_sigma(self.sigmas[i.min(self.timesteps.len() - 1)]);
        Original::new(self.prediction, at.original, at.noise)
    }
}

/// diffusers' `_sigma_to_alpha_sigma_t`.
pub(super) fn alpha_sigma(sigma: f64) -> NoiseLevel {
    let original = 1.0 / (sigma * sigma + 1.0).sqrt();
    NoiseLevel {
        original,
        noise: sigma * original,
    }
}

/// σ at every step of training, rising.
pub(super) fn table(config: &Config) -> Result<Vec<f64>> {
    let mut table = alphas_cumprod(config)?;
    if config.rescale_betas_zero_snr
        && let Some(last) = table.last_mut()
    {
        // Close to 0 without infinities: the smallest positive half-precision number.
        *last = 1.0 / f64::from(1 << 24);
    }
    for a in &mut table {
        *a = ((1.0 - *a) / *a).sqrt();
    }
    Ok(table)
}

/// The table at a time between its entries, linearly.
fn interpolate(table: &[f64], t: f64) -> f64 {
    let i = (t as usize).min(table.len() - 1);
    let next = table[(i + 1).min(table.len() - 1)];
    table[i] + (next - table[i]) * (t - i as f64)
}

/// Replaces the levels by Karras's from `max` to `min`.
fn to_karras(sigmas: &mut [f64], max: f64, min: f64) {
    let (max, min) = (libm::pow(max, 1.0 / RHO), libm::pow(min, 1.0 / RHO));
    let steps = sigmas.len().max(2) - 1;
    for (i, sigma) in sigmas.iter_mut().enumerate() {
        *sigma = libm::pow(max + i as f64 / steps as f64 * (min - max), RHO);
    }
}

/// The time of a level, by interpolation of its logarithm; within the table's ends.
pub(super) fn sigma_to_t(table: &[f64], sigma: f64) -> f64 {
    let log = |s: f64| libm::log(s.max(1e-10));
    let low = table
        .partition_point(|s| *s <= sigma)
        .saturating_sub(1)
        .min(table.len() - 2);
    let (a, b) = (log(table[low]), log(table[low + 1]));
    low as f64 + ((log(sigma) - a) / (b - a)).clamp(0.0, 1.0)
}
