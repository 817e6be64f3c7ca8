//! Trajectory consistency (arXiv 2402.19159): each step goes to a level below the next and noises that anew.
#![forbid(unsafe_code)]

use super::alphas::alphas_cumprod;
use super::ddim::{Alphas, level};
use super::lcm::distilled;
use super::spacing::Times;
use super::{Config, Levels, NoiseLevel, Original, Scheduler, check};
use crate::error::Result;
use crate::memory::{filled, with_capacity};

/// `TCDScheduler` of diffusers 0.42.1.
pub(super) struct Tcd {
    run: Alphas,
    /// Where each step goes before it is noised, and where it ends.
    ways: Vec<Way>,
}

#[derive(Clone, Copy)]
struct Way {
    below: NoiseLevel,
    /// The factors of what is there and of fresh noise, from there to the end.
    again: NoiseLevel,
}

impl Tcd {
    pub fn new(config: &Config, times: Times) -> Result<Self> {
        let table = alphas_cumprod(config)?;
        let timesteps = distilled(config, table.len(), times, "TCD")?;
        let run = Alphas::new(config, &table, timesteps)?;
        let mut ways = with_capacity(run.timesteps.len(), "the noise levels")?;
        for i in 0..run.timesteps.len() {
            let next = run.timesteps.get(i + 1).copied();
            // The last step ends at training's least noise, and none is added there.
            let end = next.unwrap_or(0.0);
            let below = table[((1.0 - config.eta) * end).floor() as usize];
            let kept = table[end as usize] / below;
            let fresh = next.is_some() && config.eta > 0.0;
            ways.push(Way {
                below: level(below),
                again: level(if fresh { kept } else { 1.0 }),
            });
        }
        Ok(Self { run, ways })
    }
}

impl Scheduler for Tcd {
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
        check(i, self.ways.len(), model_output, sample)?;
        let mut fresh = filled(sample.len(), 0.0f32, "a step's noise")?;
        let Way { below, again } = self.ways[i];
        if again.noise > 0.0 {
            noise(&mut fresh);
        }
        // x₀ is not clipped, as diffusers has it.
        let original = Original {
            clip: f64::INFINITY,
            ..self.original(i)
        };
        let epsilon = self.run.epsilon(i);
        for ((x, m), n) in sample.iter_mut().zip(model_output).zip(&fresh) {
            let there = below.original * original.of(*x, *m) + below.noise * epsilon.of(*x, *m);
            *x = (again.original * there + again.noise * f64::from(*n)) as f32;
        }
        Ok(())
    }
}
