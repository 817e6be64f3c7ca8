//! Euler's method on the probability-flow equation in σ (arXiv 2206.00364, algorithm 2 without churn).
#![forbid(unsafe_code)]

use super::sigmas::{Sigmas, Style};
use super::{Config, Levels, NoiseLevel, Original, Scheduler, Times, TimestepSpacing, check};
use crate::error::Result;

/// What Euler's method and the ancestral one share: samples are x₀ + σ·ε.
pub(super) struct Exploding {
    pub run: Sigmas,
    init: f64,
}

impl Exploding {
    pub fn new(config: &Config, style: Style, times: Times) -> Result<Self> {
        let run = Sigmas::new(config, style, times)?;
        let max = run.sigmas[0];
        let init = match config.timestep_spacing {
            Some(TimestepSpacing::Leading) => (max * max + 1.0).sqrt(),
            _ => max,
        };
        Ok(Self { run, init })
    }

    /// Along the line from the sample through x₀ to level `to`.
    pub fn walk(&self, i: usize, to: f64, model_output: &[f32], sample: &mut [f32]) {
        let original = self.original(i);
        let left = to / self.run.sigmas[i];
        for (x, m) in sample.iter_mut().zip(model_output) {
            let x0 = original.of(*x, *m);
            *x = (x0 + left * (f64::from(*x) - x0)) as f32;
        }
    }
}

/// As x₀ + σ·ε.
impl Levels for Exploding {
    fn timesteps(&self) -> &[f64] {
        &self.run.timesteps
    }

    fn init_noise_sigma(&self) -> f64 {
        self.init
    }

    fn scale_model_input(&self, i: usize) -> f64 {
        self.run.add_noise(i).original
    }

    fn add_noise(&self, i: usize) -> NoiseLevel {
        let steps = self.run.timesteps.len();
        NoiseLevel {
            original: 1.0,
            noise: if i < steps { self.run.sigmas[i] } else { 0.0 },
        }
    }

    fn original(&self, i: usize) -> Original {
        let steps = self.run.timesteps.len();
        let unscaled = self.run.original(i);
        Original {
            sample: unscaled.sample * self.run.add_noise(i.min(steps - 1)).original,
            ..unscaled
        }
    }
}

/// `EulerDiscreteScheduler` of diffusers 0.42.1 with `s_churn` 0.
pub(super) struct Euler(Exploding);

impl Euler {
    pub fn new(config: &Config, times: Times) -> Result<Self> {
        Ok(Self(Exploding::new(config, Style::Euler, times)?))
    }
}

impl Scheduler for Euler {
    fn levels(&self) -> &dyn Levels {
        &self.0
    }

    fn step(
        &mut self,
        i: usize,
        model_output: &[f32],
        sample: &mut [f32],
        _noise: &mut dyn FnMut(&mut [f32]),
    ) -> Result<()> {
        check(i, self.0.run.timesteps.len(), model_output, sample)?;
        self.0
            .walk(i, self.0.run.sigmas[i + 1], model_output, sample);
        Ok(())
    }
}
