//! Denoising diffusion implicit models (arXiv 2010.02502) without added noise.
#![forbid(unsafe_code)]

use super::alphas::alphas_cumprod;
use super::spacing::{Family, Times, timesteps};
use super::{Config, Levels, NoiseLevel, Original, PredictionType, Scheduler, check, wrong};
use crate::error::Result;
use crate::memory::with_capacity;

/// ᾱ at a run's times, for the methods that are written in it.
pub(super) struct Alphas {
    pub timesteps: Vec<f64>,
    pub alphas: Vec<f64>,
    prediction: PredictionType,
    clip: f64,
}

impl Alphas {
    /// `timesteps` are whole and within `table`, the ᾱ of training.
    pub fn new(config: &Config, table: &[f64], timesteps: Vec<f64>) -> Result<Self> {
        let mut alphas = with_capacity(timesteps.len(), "the noise levels")?;
        alphas.extend(timesteps.iter().map(|t| table[*t as usize]));
        if config.prediction_type == PredictionType::Epsilon && alphas.contains(&0.0) {
            let what = "'epsilon' says nothing at a step of noise alone, which \
                        rescale_betas_zero_snr makes the first; models so trained predict 'v_prediction'";
            return Err(wrong("prediction_type", what));
        }
        Ok(Self {
            timesteps,
            alphas,
            prediction: config.prediction_type,
            clip: if config.clip_sample {
                config.clip_sample_range
            } else {
                f64::INFINITY
            },
        })
    }
}

impl Alphas {
    /// How ε follows from a step's sample and the model's output.
    pub fn epsilon(&self, i: usize) -> Original {
        let at = level(self.alphas[i]);
        let (sample, output) = match self.prediction {
            PredictionType::Epsilon => (0.0, 1.0),
            PredictionType::VPrediction => (at.noise, at.original),
            PredictionType::Sample => (1.0 / at.noise, -at.original / at.noise),
        };
        Original {
            sample,
            output,
            clip: f64::INFINITY,
        }
    }
}

impl Levels for Alphas {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn add_noise(&self, i: usize) -> NoiseLevel {
        level(self.alphas.get(i).copied().unwrap_or(1.0))
    }

    fn original(&self, i: usize) -> Original {
        let at = level(self.alphas[i.min(self.alphas.len() - 1)]);
        Original {
            clip: self.clip,
            ..Original::new(self.prediction, at.original, at.noise)
        }
    }
}

/// √ᾱ and √(1−ᾱ).
pub(super) fn level(alpha: f64) -> NoiseLevel {
    NoiseLevel {
        original: alpha.sqrt(),
        noise: (1.0 - alpha).sqrt(),
    }
}

/// `DDIMScheduler` of diffusers 0.42.1 with `eta` 0.
///
/// As there, a spaced run steps to the time that lies ⌊T/steps⌋ before, which with the linspace and
/// trailing spacings is not always the next one; given times step to the next.
pub(super) struct Ddim {
    run: Alphas,
    /// ᾱ after each step.
    after: Vec<f64>,
}

impl Ddim {
    pub fn new(config: &Config, times: Times) -> Result<Self> {
        let table = alphas_cumprod(config)?;
        let run = Alphas::new(config, &table, timesteps(config, Family::Alphas, times)?)?;
        let last = if config.set_alpha_to_one {
            1.0
        } else {
            table[0]
        };
        let mut after = with_capacity(run.alphas.len(), "the noise levels")?;
        for (i, t) in run.timesteps.iter().enumerate() {
            let next = match times {
                Times::Steps(n) => (*t as usize).checked_sub(table.len() / n),
                Times::Given(all) => all.get(i + 1).map(|t| *t as usize),
            };
            after.push(next.map_or(last, |t| table[t]));
        }
        Ok(Self { run, after })
    }
}

impl Scheduler for Ddim {
    fn levels(&self) -> &dyn Levels {
        &self.run
    }

    fn step(
        &mut self,
        i: usize,
        model_output: &[f32],
        sample: &mut [f32],
        _noise: &mut dyn FnMut(&mut [f32]),
    ) -> Result<()> {
        check(i, self.run.timesteps.len(), model_output, sample)?;
        let to = level(self.after[i]);
        // ε from the output, before x₀ is clipped, as diffusers has it.
        let (original, epsilon) = (self.original(i), self.run.epsilon(i));
        for (x, m) in sample.iter_mut().zip(model_output) {
            *x = (to.original * original.of(*x, *m) + to.noise * epsilon.of(*x, *m)) as f32;
        }
        Ok(())
    }
}
