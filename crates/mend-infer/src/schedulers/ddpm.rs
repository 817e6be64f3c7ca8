//! Denoising diffusion probabilistic models (arXiv 2006.11239).
#![forbid(unsafe_code)]

use super::alphas::alphas_cumprod;
use super::ddim::Alphas;
use super::spacing::{Family, Times, timesteps};
use super::{Config, Levels, Scheduler, VarianceType, check};
use crate::error::Result;
use crate::memory::filled;

/// `DDPMScheduler` of diffusers 0.42.1.
pub(super) struct Ddpm {
    run: Alphas,
    variance: VarianceType,
}

impl Ddpm {
    pub fn new(config: &Config, times: Times) -> Result<Self> {
        let table = alphas_cumprod(config)?;
        let run = Alphas::new(config, &table, timesteps(config, Family::Alphas, times)?)?;
        Ok(Self {
            run,
            variance: config.variance_type,
        })
    }
}

impl Scheduler for Ddpm {
    fn levels(&self) -> &dyn Levels {
        &self.run
    }

    fn step(
        &mut self,
        i: usize,
        model_output: &[f32],
        sample: &mut [f32],
        noise: &mut dyn FnMut(&mut [f32]),
    ) -> Result<()> {
        check(i, self.run.timesteps.len(), model_output, sample)?;
        let mut fresh = filled(sample.len(), 0.0f32, "a step's noise")?;
        let alpha = self.run.alphas[i];
        let next = self.run.alphas.get(i + 1).copied().unwrap_or(1.0);
        let beta = 1.0 - alpha / next;
        // Equations 6 and 7.
        let of_original = next.sqrt() * beta / (1.0 - alpha);
        let of_sample = (alpha / next).sqrt() * (1.0 - next) / (1.0 - alpha);
        let deviation = match self.variance {
            VarianceType::FixedSmall | VarianceType::FixedSmallLog => {
                ((1.0 - next) / (1.0 - alpha) * beta).max(1e-20).sqrt()
            }
            VarianceType::FixedLarge => beta.sqrt(),
        };
        let deviation = if self.run.timesteps[i] > 0.0 {
            noise(&mut fresh);
            deviation
        } else {
            0.0
        };
        let original = self.original(i);
        for ((x, m), n) in sample.iter_mut().zip(model_output).zip(&fresh) {
            let mean = of_original * original.of(*x, *m) + of_sample * f64::from(*x);
            *x = (mean + deviation * f64::from(*n)) as f32;
        }
        Ok(())
    }
}
