//! Align Your Steps: times that were optimised for the model (arXiv 2404.14507).
#![forbid(unsafe_code)]

use super::sigmas::{sigma_to_t, table};
use super::spacing::check_given;
use super::{Config, wrong};
use crate::error::Result;
use crate::memory::with_capacity;

/// `AysSchedules["StableDiffusionTimesteps"]`, `src/diffusers/schedulers/scheduling_utils.py` of
/// diffusers 0.42.1.
const TIMESTEPS: [f64; 10] = [
    999.0, 850.0, 736.0, 645.0, 545.0, 455.0, 343.0, 233.0, 124.0, 24.0,
];

/// The levels of the same steps, `AysSchedules["StableDiffusionSigmas"]` of the same file, and after
/// them training's least in place of none, as the paper's quick-start has it for its interpolation
/// (<https://research.nvidia.com/labs/toronto-ai/AlignYourSteps/howto.html>).
const SIGMAS: [f64; 11] = [
    14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029,
];

/// The times of `steps` steps for Stable Diffusion 1.5 and what has its noise schedule: for
/// [`super::Times::Given`]. Ten are the published ones; for other numbers the published levels are
/// interpolated in their logarithm, as the paper's notebook does, and the nearest whole times taken.
///
/// # Errors
/// [`crate::ErrorKind::Parameter`] where the configuration has other noise levels than the published
/// (so they would not be aligned), or there are no or too many steps.
pub fn align_your_steps(config: &Config, steps: usize) -> Result<Vec<f64>> {
    config.check()?;
    let table = table(config)?;
    let train = config.num_train_timesteps;
    let top = table[table.len() - 1];
    if train != 1000 || (top / SIGMAS[0] - 1.0).abs() > 1e-3 || (table[0] - 0.029).abs() > 1e-3 {
        let what = "by Align Your Steps are Stable Diffusion 1.5's, and this model has other noise \
                    levels; choose the usual spacing";
        return Err(wrong("timesteps", what));
    }
    if steps == TIMESTEPS.len() {
        return Ok(TIMESTEPS.to_vec());
    }
    if !(1..=train).contains(&steps) {
        return Err(wrong(
            "steps",
            format!("cannot be {steps}: give 1 to {train}"),
        ));
    }
    let mut times = with_capacity(steps, "the timesteps")?;
    for i in 0..steps {
        let at = i as f64 / steps as f64 * (SIGMAS.len() - 1) as f64;
        let low = (at as usize).min(SIGMAS.len() - 2);
        let (a, b) = (libm::log(SIGMAS[low]), libm::log(SIGMAS[low + 1]));
        let sigma = libm::exp(a + (b - a) * (at - low as f64));
        times.push(sigma_to_t(&table, sigma).round_ties_even());
    }
    check_given(&times, train, true).map_err(|_| {
        let what = format!("cannot be {steps} with Align Your Steps: give fewer");
        wrong("steps", what)
    })
}
