//! Latent consistency models (arXiv 2310.04378): each step goes to x₀ and noises that anew.
#![forbid(unsafe_code)]

use super::alphas::alphas_cumprod;
use super::ddim::{Alphas, level};
use super::spacing::{Times, check_given};
use super::{Config, Levels, Scheduler, check, wrong};
use crate::error::Result;
use crate::memory::{filled, with_capacity};

/// `sigma_data` of `LCMScheduler.get_scalings_for_boundary_condition_discrete`.
const SIGMA_DATA: f64 = 0.5;

/// `LCMScheduler` of diffusers 0.42.1.
pub(super) struct Lcm {
    run: Alphas,
    timestep_scaling: f64,
}

impl Lcm {
    pub fn new(config: &Config, times: Times) -> Result<Self> {
        let table = alphas_cumprod(config)?;
        let timesteps = distilled(config, table.len(), times, "LCM")?;
        Ok(Self {
            run: Alphas::new(config, &table, timesteps)?,
            timestep_scaling: config.timestep_scaling,
        })
    }
}

/// The times of a method, called `name`, that is distilled from a teacher: of those that the teacher
/// visited, of training's `all`, unless they are given.
///
/// # Errors
/// [`crate::ErrorKind::Parameter`] for more steps than the teacher had.
pub(super) fn distilled(config: &Config, all: usize, times: Times, name: &str) -> Result<Vec<f64>> {
    match times {
        Times::Given(given) => check_given(given, all, true),
        Times::Steps(steps) => spaced(config, steps, name),
    }
}

fn spaced(config: &Config, steps: usize, name: &str) -> Result<Vec<f64>> {
    let taught = config.original_inference_steps;
    if !(1..=taught).contains(&steps) {
        let what = format!(
            "cannot be {steps} with {name}: give 1 to {taught}, the original_inference_steps of the model"
        );
        return Err(wrong("steps", what));
    }
    let k = config.num_train_timesteps / taught;
    let mut times = with_capacity(steps, "the timesteps")?;
    for i in 0..steps {
        // numpy's linspace, whose product may fall below a whole number.
        let skipped = (i as f64 * (taught as f64 / steps as f64)).floor() as usize;
        times.push(((taught - skipped) * k - 1) as f64);
    }
    Ok(times)
}

impl Scheduler for Lcm {
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
        let time = self.run.timesteps[i] * self.timestep_scaling;
        let norm = time * time + SIGMA_DATA * SIGMA_DATA;
        let (c_skip, c_out) = (SIGMA_DATA * SIGMA_DATA / norm, time / norm.sqrt());
        // Past the last step there is no noise: what comes out is x₀.
        let next = level(self.run.alphas.get(i + 1).copied().unwrap_or(1.0));
        if i + 1 < self.run.alphas.len() {
            noise(&mut fresh);
        }
        let original = self.original(i);
        for ((x, m), n) in sample.iter_mut().zip(model_output).zip(&fresh) {
            let denoised = c_out * original.of(*x, *m) + c_skip * f64::from(*x);
            *x = (next.original * denoised + next.noise * f64::from(*n)) as f32;
        }
        Ok(())
    }
}
