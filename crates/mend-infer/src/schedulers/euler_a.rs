//! Euler's method with ancestral noise: a step goes further down than asked, and noise leads back up.
#![forbid(unsafe_code)]

use super::euler::Exploding;
use super::sigmas::Style;
use super::{Config, Levels, Scheduler, Times, check};
use crate::error::Result;
use crate::memory::filled;

/// `EulerAncestralDiscreteScheduler` of diffusers 0.42.1, which has no Karras sigmas and always ends
/// without noise.
pub(super) struct EulerA(Exploding);

impl EulerA {
    pub fn new(config: &Config, times: Times) -> Result<Self> {
        Ok(Self(Exploding::new(config, Style::EulerA, times)?))
    }
}

impl Scheduler for EulerA {
    fn levels(&self) -> &dyn Levels {
        &self.0
    }

    fn step(
        &mut self,
        i: usize,
        model_output: &[f32],
        sample: &mut [f32],
        noise: &mut dyn FnMut(&mut [f32]),
    ) -> Result<()> {
        check(i, self.0.run.timesteps.len(), model_output, sample)?;
        let (from, to) = (self.0.run.sigmas[i], self.0.run.sigmas[i + 1]);
        // σ_up² + σ_down² = σ_to².
        let ratio = to / from;
        let up = to * (1.0 - ratio * ratio).max(0.0).sqrt();
        let down = to * ratio;
        let mut fresh = filled(sample.len(), 0.0f32, "a step's noise")?;
        if up > 0.0 {
            noise(&mut fresh);
        }
        self.0.walk(i, down, model_output, sample);
        for (x, n) in sample.iter_mut().zip(&fresh) {
            *x = (f64::from(*x) + up * f64::from(*n)) as f32;
        }
        Ok(())
    }
}
