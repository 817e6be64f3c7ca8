//! Schedulers: which noise levels a diffusion model visits, and how a sample goes from one to the next.
//!
//! Numbers in, numbers out: no tensor type, no files, `f64` coefficients over `f32` samples. A
//! [`Scheduler`] is made by [`scheduler`] for one run of steps and then asked by the step's index, `0`
//! the noisiest. Each equals the class of diffusers 0.42.1 that [`Kind`] names: timesteps exactly,
//! sigmas to a relative 2e-5 (diffusers keeps its tables in `f32`). Logarithms and the like come from `libm`,
//! so that every machine has the same numbers.
//!
//! ```
//! # fn main() -> mend_infer::Result<()> {
//! use mend_infer::schedulers::{Config, Kind, Noise, Purpose, Times, scheduler, start};
//!
//! let (seed, steps) = (7, 10);
//! let mut s = scheduler(Kind::parse("dpmpp_2m")?, &Config::default(), Times::Steps(steps))?;
//! let mut latents = vec![0.0; 4 * 64];
//! Noise::new(seed, Purpose::Start, 0).fill(&mut latents);
//! latents.iter_mut().for_each(|x| *x *= s.init_noise_sigma() as f32);
//! for i in start(steps, 1.0)?..s.timesteps().len() {
//!     let scale = s.scale_model_input(i) as f32;
//!     let input: Vec<f32> = latents.iter().map(|x| x * scale).collect();
//!     let output = input; // the network's, at time s.timesteps()[i]
//!     s.step(i, &output, &mut latents, &mut |out| Noise::new(seed, Purpose::Step, i).fill(out))?;
//! }
//! # Ok(()) }
//! ```
#![forbid(unsafe_code)]

mod alphas;
mod ays;
mod config;
mod ddim;
mod ddpm;
mod dpmpp_2m;
mod euler;
mod euler_a;
mod guidance;
mod kind;
mod lcm;
mod noise;
pub mod pixelwise;
mod sigmas;
mod spacing;
mod tcd;
mod unipc;

#[cfg(test)]
mod tests;

pub use ays::align_your_steps;
pub use config::{
    BetaSchedule, Config, FinalSigmasType, PredictionType, TimestepSpacing, VarianceType,
};
pub use guidance::guidance;
pub use kind::{Kind, scheduler};
pub use noise::{Noise, Purpose};
pub use spacing::{Times, start};

use crate::error::{Error, ErrorKind, Result};
use crate::memory::with_capacity;

/// How a clean sample becomes one of a noise level: `original`·x₀ + `noise`·ε.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseLevel {
    /// The factor of the clean sample x₀.
    pub original: f64,
    /// The factor of ε, unit Gaussian noise.
    pub noise: f64,
}

/// How the clean sample, or its noise, follows from a step's input and the model's output:
/// x₀ = `sample`·x + `output`·m, then kept within ±`clip`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Original {
    /// The factor of the sample, unscaled.
    pub sample: f64,
    /// The factor of the model's output.
    pub output: f64,
    /// The largest magnitude; infinite where nothing is clipped.
    pub clip: f64,
}

impl Original {
    /// For a sample α·x₀ + σ·ε with α² + σ² = 1.
    fn new(prediction: PredictionType, alpha: f64, sigma: f64) -> Self {
        let (sample, output) = match prediction {
            PredictionType::Epsilon => (1.0 / alpha, -sigma / alpha),
            PredictionType::Sample => (0.0, 1.0),
            PredictionType::VPrediction => (alpha, -sigma),
        };
        Self {
            sample,
            output,
            clip: f64::INFINITY,
        }
    }

    /// x₀ of one element.
    pub fn of(&self, sample: f32, output: f32) -> f64 {
        let x = self.sample * f64::from(sample) + self.output * f64::from(output);
        x.clamp(-self.clip, self.clip)
    }

    /// x₀ of all elements, for the methods that remember it.
    fn all(&self, sample: &[f32], output: &[f32]) -> Result<Vec<f32>> {
        let mut all = with_capacity(sample.len(), "a step's result")?;
        all.extend(
            sample
                .iter()
                .zip(output)
                .map(|(x, m)| self.of(*x, *m) as f32),
        );
        Ok(all)
    }
}

/// The noise levels of a run, which several methods share; `i` is a step's index in [`Levels::timesteps`].
pub trait Levels {
    /// See [`Scheduler::timesteps`].
    fn timesteps(&self) -> &[f64];

    /// See [`Scheduler::init_noise_sigma`].
    fn init_noise_sigma(&self) -> f64 {
        1.0
    }

    /// See [`Scheduler::scale_model_input`].
    fn scale_model_input(&self, _i: usize) -> f64 {
        1.0
    }

    /// See [`Scheduler::add_noise`].
    fn add_noise(&self, i: usize) -> NoiseLevel;

    /// See [`Scheduler::original`].
    fn original(&self, i: usize) -> Original;
}

/// One run's noise levels and the way from each to the next.
///
/// `i` is a step's index in [`Scheduler::timesteps`]. A run with less than full strength begins at
/// [`start`]'s index. Samples are flat; their shape does not matter.
pub trait Scheduler: Send {
    /// The levels that are gone through.
    fn levels(&self) -> &dyn Levels;

    /// The times to give to the model, falling: in steps of its training, `0 ..= 999` for Stable
    /// Diffusion. Euler's may lie between whole numbers.
    fn timesteps(&self) -> &[f64] {
        self.levels().timesteps()
    }

    /// The deviation of the pure noise that a run of full strength begins with.
    fn init_noise_sigma(&self) -> f64 {
        self.levels().init_noise_sigma()
    }

    /// The factor of the sample before the model sees it at step `i`; 1 past the last step.
    fn scale_model_input(&self, i: usize) -> f64 {
        self.levels().scale_model_input(i)
    }

    /// The level that the sample has before step `i`: for starting from a picture, and for putting
    /// back known latents after step `i - 1`. Past the last step it is the clean sample.
    fn add_noise(&self, i: usize) -> NoiseLevel {
        self.levels().add_noise(i)
    }

    /// How the clean sample follows at step `i`, which must be one of the timesteps' indices; past
    /// them, as at the last.
    fn original(&self, i: usize) -> Original {
        self.levels().original(i)
    }

    /// Takes `sample` from step `i`'s level to the next, in place. `model_output` is the model's for
    /// `sample` times [`Scheduler::scale_model_input`]. `noise` is called where the method adds noise,
    /// at most once, and fills what it gets with unit Gaussians; draw them from the seed and `i`.
    ///
    /// A multistep method remembers the steps before, as long as `i` counts up by one; any other `i`
    /// begins anew, as does [`Scheduler::reset`].
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where `i` is no step or the lengths differ, [`ErrorKind::Memory`]. The
    /// sample is unchanged then.
    fn step(
        &mut self,
        i: usize,
        model_output: &[f32],
        sample: &mut [f32],
        noise: &mut dyn FnMut(&mut [f32]),
    ) -> Result<()>;

    /// Forgets the steps before: for the next picture with the same steps.
    fn reset(&mut self) {}

    /// What the model thinks the clean sample is, for previews: from `sample` before step `i` and the
    /// model's output. Elements past the shortest of the three are left alone.
    fn pred_original_sample(
        &self,
        i: usize,
        model_output: &[f32],
        sample: &[f32],
        out: &mut [f32],
    ) {
        let original = self.original(i);
        for ((o, m), x) in out.iter_mut().zip(model_output).zip(sample) {
            *o = original.of(*x, *m) as f32;
        }
    }
}

/// Fails unless `i` is one of `steps` and both slices have one length.
fn check(i: usize, steps: usize, model_output: &[f32], sample: &[f32]) -> Result<()> {
    if i >= steps {
        return Err(Error::new(
            ErrorKind::Argument,
            format!("scheduler: there is no step {i}, because the run has {steps}; count from 0"),
        ));
    }
    if model_output.len() != sample.len() {
        return Err(Error::new(
            ErrorKind::Argument,
            format!(
                "scheduler: the model's output has {} values and the sample {}; give as many",
                model_output.len(),
                sample.len()
            ),
        ));
    }
    Ok(())
}

/// The error of a parameter or a configuration's key.
fn wrong(name: &str, what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Parameter, format!("scheduler: '{name}' {what}"))
}
