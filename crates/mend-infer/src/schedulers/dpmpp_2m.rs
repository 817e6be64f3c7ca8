//! DPM-Solver++ (arXiv 2211.01095), multistep, of first or second order.
#![forbid(unsafe_code)]

use super::sigmas::{Sigmas, Style, alpha_sigma};
use super::{Config, FinalSigmasType, Levels, Scheduler, Times, check, wrong};
use crate::error::Result;

/// `DPMSolverMultistepScheduler` of diffusers 0.42.1 with `algorithm_type` `dpmsolver++`.
pub(super) struct Dpmpp2m {
    run: Sigmas,
    order: usize,
    heun: bool,
    /// Whether the last step is of first order.
    lower: bool,
    /// x₀ of the step before, and the step that may use it.
    last: Vec<f32>,
    next: usize,
}

impl Dpmpp2m {
    pub fn new(config: &Config, times: Times) -> Result<Self> {
        if config.solver_order > 2 {
            let what = "3 is for unipc: give 1 or 2, or choose that scheduler";
            return Err(wrong("solver_order", what));
        }
        let run = Sigmas::new(config, Style::Dpm, times)?;
        let lower = config.euler_at_final
            || config.lower_order_final && run.timesteps.len() < 15
            || config.final_sigmas_type == FinalSigmasType::Zero;
        Ok(Self {
            run,
            order: config.solver_order,
            heun: config.solver_type == "heun",
            lower,
            last: Vec::new(),
            next: usize::MAX,
        })
    }
}

impl Scheduler for Dpmpp2m {
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
        let steps = self.run.timesteps.len();
        check(i, steps, model_output, sample)?;
        let x0 = self.original(i).all(sample, model_output)?;
        let sigmas = &self.run.sigmas;
        let (from, to) = (alpha_sigma(sigmas[i]), alpha_sigma(sigmas[i + 1]));
        // h = λ_to − λ_from with λ = −ln σ, so that e^−h is the ratio of the levels.
        let ratio = sigmas[i + 1] / sigmas[i];
        let grown = to.original * (1.0 - ratio);
        let follows = i == self.next && self.last.len() == x0.len();
        let first = self.order == 1 || !follows || i + 1 == steps && self.lower;
        // D1 = h/h₀ · (x₀ − x₀ before), and its factor.
        let of_change = if first {
            0.0
        } else {
            let h = -libm::log(ratio);
            let h_0 = libm::log(sigmas[i - 1] / sigmas[i]);
            let factor = if self.heun && h > 0.0 {
                to.original * ((ratio - 1.0) / h + 1.0)
            } else {
                0.5 * grown
            };
            h / h_0 * factor
        };
        let of_sample = to.noise / from.noise;
        for (k, x) in sample.iter_mut().enumerate() {
            let now = f64::from(x0[k]);
            let change = if first {
                0.0
            } else {
                of_change * (now - f64::from(self.last[k]))
            };
            *x = (of_sample * f64::from(*x) + grown * now + change) as f32;
        }
        self.last = x0;
        self.next = i + 1;
        Ok(())
    }

    fn reset(&mut self) {
        self.next = usize::MAX;
    }
}
