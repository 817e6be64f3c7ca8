//! UniPC (arXiv 2302.04867): a multistep predictor, and a corrector that uses the next step's output.
#![forbid(unsafe_code)]

use super::sigmas::{Sigmas, Style, alpha_sigma};
use super::{Config, Levels, Scheduler, Times, check};
use crate::error::Result;
use crate::memory::with_capacity;

/// The highest order.
const ORDERS: usize = 3;

/// `UniPCMultistepScheduler` of diffusers 0.42.1 with `predict_x0`.
pub(super) struct UniPc {
    run: Sigmas,
    order: usize,
    bh1: bool,
    lower_order_final: bool,
    /// x₀ of the steps before, the latest first.
    before: [Vec<f32>; ORDERS],
    /// The corrected sample of the step before.
    last_sample: Vec<f32>,
    /// The step that may use what is remembered, how many steps are, and the last one's order.
    next: usize,
    known: usize,
    last_order: usize,
}

/// An update from level `from` to level `to`: x = `sample`·x + `newest`·x₀ + Σ `older`ₖ·(x₀ₖ − x₀)
/// (+ `ahead`·(x₀ at `to` − x₀) for the corrector).
#[derive(Default)]
struct Update {
    sample: f64,
    newest: f64,
    older: [f64; ORDERS - 1],
    ahead: f64,
}

impl UniPc {
    pub fn new(config: &Config, times: Times) -> Result<Self> {
        Ok(Self {
            run: Sigmas::new(config, Style::UniPc, times)?,
            order: config.solver_order,
            bh1: config.solver_type == "bh1",
            lower_order_final: config.lower_order_final,
            before: Default::default(),
            last_sample: Vec::new(),
            next: usize::MAX,
            known: 0,
            last_order: 0,
        })
    }

    /// The coefficients from step `i`'s level to the next, of `order`, at most `i + 1`:
    /// `multistep_uni_p_bh_update`, or with `corrector` `multistep_uni_c_bh_update`.
    fn update(&self, i: usize, order: usize, corrector: bool) -> Update {
        let sigmas = &self.run.sigmas;
        let (from, to) = (alpha_sigma(sigmas[i]), alpha_sigma(sigmas[i + 1]));
        let ratio = sigmas[i + 1] / sigmas[i];
        // −h; infinite where the step ends without noise, and then the order is 1.
        let hh = libm::log(ratio);
        let h_phi_1 = libm::expm1(hh);
        let b_h = if self.bh1 { hh } else { h_phi_1 };
        let mut update = Update {
            sample: to.noise / from.noise,
            newest: -to.original * h_phi_1,
            ..Default::default()
        };
        let mut rks = [1.0; ORDERS];
        for k in 1..order {
            rks[k - 1] = libm::log(sigmas[i - k] / sigmas[i]) / hh;
        }
        // The last of the unknowns is the corrector's own; the predictor has one less.
        let unknowns = if corrector { order } else { order - 1 };
        // With the two functions B(h) and orders below three, the method has 1/2.
        let rhos = if unknowns == 1 && (order == 1 || !corrector) {
            [0.5, 0.0, 0.0]
        } else {
            rks[order - 1] = 1.0;
            let mut b = [0.0; ORDERS];
            let (mut h_phi_k, mut factorial) = (h_phi_1 / hh - 1.0, 1.0);
            for (k, b) in b.iter_mut().enumerate().take(order) {
                *b = h_phi_k * factorial / b_h;
                factorial *= (k + 2) as f64;
                h_phi_k = h_phi_k / hh - 1.0 / factorial;
            }
            vandermonde(&rks[..unknowns], b)
        };
        let factor = -to.original * b_h;
        for k in 1..order {
            update.older[k - 1] = factor * rhos[k - 1] / rks[k - 1];
        }
        if corrector {
            update.ahead = factor * rhos[order - 1];
        }
        update
    }

    /// The sum for element `k`; `ahead` is x₀ at the next level.
    fn apply(&self, u: &Update, order: usize, k: usize, sample: f32, ahead: f64) -> f64 {
        let newest = f64::from(self.before[0][k]);
        let mut sum = u.sample * f64::from(sample) + u.newest * newest;
        for (factor, older) in u.older.iter().zip(&self.before[1..]).take(order - 1) {
            sum += factor * (f64::from(older[k]) - newest);
        }
        if u.ahead != 0.0 {
            sum += u.ahead * (ahead - newest);
        }
        sum
    }
}

/// Solves Σₖ xₖ·rₖ^j = bⱼ for j = 0 …, of three unknowns at most and `r` all different.
fn vandermonde(r: &[f64], b: [f64; ORDERS]) -> [f64; ORDERS] {
    match *r {
        [_] => [b[0], 0.0, 0.0],
        [p, q] => {
            let x = (b[1] - p * b[0]) / (q - p);
            [b[0] - x, x, 0.0]
        }
        [p, q, s] => {
            // Lagrange's polynomials of the other two points, applied to the moments.
            let of = |x: f64, y: f64, z: f64| {
                (b[2] - (y + z) * b[1] + y * z * b[0]) / ((x - y) * (x - z))
            };
            [of(p, q, s), of(q, p, s), of(s, p, q)]
        }
        _ => [0.0; ORDERS],
    }
}

impl Scheduler for UniPc {
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
        let mut corrected = with_capacity(sample.len(), "a step's result")?;
        if i != self.next || self.last_sample.len() != sample.len() {
            self.known = 0;
        }
        if self.known > 0 {
            let order = self.last_order;
            let u = self.update(i - 1, order, true);
            corrected.extend(
                self.last_sample
                    .iter()
                    .enumerate()
                    .map(|(k, last)| self.apply(&u, order, k, *last, f64::from(x0[k])) as f32),
            );
        } else {
            corrected.extend_from_slice(sample);
        }
        self.before.rotate_right(1);
        self.before[0] = x0;
        self.known = (self.known + 1).min(self.order);
        let left = steps - i;
        let ratio = self.run.sigmas[i + 1] / self.run.sigmas[i];
        // Without `lower_order_final` diffusers divides infinities in a step that ends without noise, and
        // zeros in Karras's that ends where it began.
        let order = match self.lower_order_final {
            _ if ratio == 0.0 || ratio > 1.0 - 1e-9 => 1,
            true => self.order.min(left),
            false => self.order,
        }
        .min(self.known);
        let u = self.update(i, order, false);
        for (k, x) in sample.iter_mut().enumerate() {
            *x = self.apply(&u, order, k, corrected[k], 0.0) as f32;
        }
        self.last_sample = corrected;
        self.last_order = order;
        self.next = i + 1;
        Ok(())
    }

    fn reset(&mut self) {
        self.next = usize::MAX;
    }
}
