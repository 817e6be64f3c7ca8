//! Which steps of training are visited, and where a run of less than full strength begins.
#![forbid(unsafe_code)]

use super::{Config, TimestepSpacing, wrong};
use crate::error::Result;
use crate::memory::with_capacity;

/// The times of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Times<'a> {
    /// So many steps, spaced as the configuration has it.
    Steps(usize),
    /// These times, falling, within training's: see [`super::align_your_steps`]. Not with Karras's
    /// sigmas, which are times of their own.
    Given(&'a [f64]),
}

/// The index of the first step of a run of `strength` in 0 … 1: as diffusers' image-to-image and
/// inpainting pipelines (`get_timesteps`), of `steps` the last ⌊steps·strength⌋ run.
///
/// # Errors
/// [`crate::ErrorKind::Parameter`] where the strength is outside 0 … 1 or leaves no step.
pub fn start(steps: usize, strength: f64) -> Result<usize> {
    if !(0.0..=1.0).contains(&strength) {
        return Err(wrong("strength", format!("{strength} must be 0 to 1")));
    }
    let run = ((steps as f64 * strength) as usize).min(steps);
    if run == 0 {
        let plural = if steps == 1 { "step" } else { "steps" };
        // Rounding may leave the quotients a hair too low.
        let enough = (1..).find(|n| (*n as f64 * strength) as usize > 0 || *n > 1000);
        let enough = enough
            .filter(|n| *n <= 1000)
            .map(|n| format!("{n} steps or "));
        let share = (100.0 / steps.max(1) as f64).ceil() / 100.0;
        return Err(wrong(
            "strength",
            format!(
                "{strength} leaves none of {steps} {plural} to run, because only that share of \
                 them is run: give {}a strength of {share}{}",
                enough.unwrap_or_default(),
                if share < 1.0 { " or more" } else { "" }
            ),
        ));
    }
    Ok(steps - run)
}

/// How the families of methods differ in their spacing.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Family {
    /// DDIM and DDPM: whole times, leading by default.
    Alphas,
    /// Euler: times between whole ones, linspace by default.
    Euler,
    /// DPM++ and UniPC: whole times, linspace by default, one more asked for than is used.
    Multistep,
}

/// The times, falling. Given ones are checked: whole but for Euler's, falling, within training's.
///
/// Source: `set_timesteps` of each class in diffusers 0.42.1, rounding as numpy does. With the trailing
/// spacing and some numbers, 61 say, numpy's `arange` has one more, -1: that is left out.
pub(super) fn timesteps(config: &Config, family: Family, times: Times) -> Result<Vec<f64>> {
    let train = config.num_train_timesteps;
    let steps = match times {
        Times::Given(given) => return check_given(given, train, family != Family::Euler),
        Times::Steps(steps) => steps,
    };
    if !(1..=train).contains(&steps) {
        return Err(wrong(
            "steps",
            format!("cannot be {steps}: give 1 to {train}"),
        ));
    }
    let spacing = config.timestep_spacing.unwrap_or(match family {
        Family::Alphas => TimestepSpacing::Leading,
        Family::Euler | Family::Multistep => TimestepSpacing::Linspace,
    });
    let round = |t: f64| match family {
        // numpy's float32.
        Family::Euler => f64::from(t as f32),
        _ => t.round_ties_even(),
    };
    // The multistep methods leave out time 0.
    let skipped = usize::from(family == Family::Multistep);
    let points = steps + skipped;
    let mut all = with_capacity(steps, "the timesteps")?;
    for i in 0..steps {
        let back = points - 1 - i;
        all.push(match spacing {
            TimestepSpacing::Linspace if back == 0 => 0.0,
            TimestepSpacing::Linspace if i == 0 => (train - 1) as f64,
            TimestepSpacing::Linspace => {
                round(back as f64 * ((train - 1) as f64 / (points - 1) as f64))
            }
            TimestepSpacing::Leading => (back * (train / points) + config.steps_offset) as f64,
            TimestepSpacing::Trailing => {
                // numpy's arange adds the difference of its first two values.
                let (from, ratio) = (train as f64, train as f64 / steps as f64);
                (from + i as f64 * ((from - ratio) - from)).round_ties_even() - 1.0
            }
        });
    }
    if all.windows(2).any(|w| w[0] <= w[1]) || all[0] > (train - 1) as f64 {
        let what = format!("cannot be {steps} with this model and scheduler: give fewer");
        return Err(wrong("steps", what));
    }
    Ok(all)
}

/// The same times, if they can be a run's.
pub(super) fn check_given(given: &[f64], train: usize, whole: bool) -> Result<Vec<f64>> {
    let last = (train - 1) as f64;
    let fits = |t: &f64| (0.0..=last).contains(t) && (!whole || t.fract() == 0.0);
    if given.is_empty() || !given.iter().all(fits) || given.windows(2).any(|w| w[0] <= w[1]) {
        let numbers = if whole { "whole numbers" } else { "numbers" };
        let what = format!("must be falling {numbers} from {last} to 0, one at least");
        return Err(wrong("timesteps", what));
    }
    let mut all = with_capacity(given.len(), "the timesteps")?;
    all.extend(
        given
            .iter()
            .map(|t| if whole { *t } else { f64::from(*t as f32) }),
    );
    Ok(all)
}
