//! What a model says of its noise: the fields of diffusers' `scheduler_config.json`.
#![forbid(unsafe_code)]

use super::wrong;
use crate::error::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

/// An enumeration with the names that the file has for its values.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            const NAMES: &'static [(&'static str, Self)] = &[$(($text, Self::$variant),)*];
        }
    };
}

named! {
    /// How β grows over the steps of training.
    BetaSchedule {
        /// Evenly.
        Linear = "linear",
        /// Its root grows evenly: Stable Diffusion's.
        ScaledLinear = "scaled_linear",
        /// From a squared cosine of ᾱ, capped at 0.999.
        SquaredcosCapV2 = "squaredcos_cap_v2",
    }
}

named! {
    /// What the model's output is.
    PredictionType {
        /// The noise ε.
        Epsilon = "epsilon",
        /// The velocity v = α·ε − σ·x₀.
        VPrediction = "v_prediction",
        /// The clean sample x₀.
        Sample = "sample",
    }
}

named! {
    /// Which steps of training are visited (table 2 of arXiv 2305.08891).
    TimestepSpacing {
        /// Whole multiples, plus `steps_offset`.
        Leading = "leading",
        /// Backwards from the last.
        Trailing = "trailing",
        /// From the last to the first, evenly.
        Linspace = "linspace",
    }
}

named! {
    /// Where the last step ends.
    FinalSigmasType {
        /// Without noise.
        Zero = "zero",
        /// At training's least noise.
        SigmaMin = "sigma_min",
    }
}

named! {
    /// The variance of DDPM's noise.
    VarianceType {
        /// That of q(x_{t-1} | x_t, x₀).
        FixedSmall = "fixed_small",
        /// The same by another way.
        FixedSmallLog = "fixed_small_log",
        /// β.
        FixedLarge = "fixed_large",
    }
}

/// A model's noise and the solvers' choices; names are diffusers'.
///
/// The default is Stable Diffusion 1.5's file.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Steps of training, `2 ..= 100000`.
    pub num_train_timesteps: usize,
    /// The first β, above 0 and below 1.
    pub beta_start: f64,
    /// The last β, above 0 and below 1.
    pub beta_end: f64,
    /// How β grows.
    pub beta_schedule: BetaSchedule,
    /// What the model's output is.
    pub prediction_type: PredictionType,
    /// Which steps are visited. `None` takes the method's own default, as diffusers does: leading for
    /// DDIM, DDPM and LCM, linspace for the others.
    pub timestep_spacing: Option<TimestepSpacing>,
    /// Added to the times of the leading spacing.
    pub steps_offset: usize,
    /// DDIM: the last step ends without noise, rather than at training's least noise.
    pub set_alpha_to_one: bool,
    /// DDIM, DDPM, LCM: the predicted x₀ is kept within ±`clip_sample_range`.
    pub clip_sample: bool,
    /// Above 0.
    pub clip_sample_range: f64,
    /// β is rescaled so that training's last step is noise alone (algorithm 1 of arXiv 2305.08891).
    pub rescale_betas_zero_snr: bool,
    /// Euler, DPM++ and UniPC: where the last step ends.
    pub final_sigmas_type: FinalSigmasType,
    /// DDPM: the variance of its noise.
    pub variance_type: VarianceType,
    /// DPM++ (1 or 2) and UniPC (1 to 3): the order.
    pub solver_order: usize,
    /// DPM++: `midpoint` or `heun`; UniPC: `bh1` or `bh2`. Another's name stands for the method's
    /// default, midpoint and bh2, as in diffusers.
    pub solver_type: String,
    /// DPM++ and UniPC: lower order in the last steps; DPM++ below 15 steps only.
    pub lower_order_final: bool,
    /// DPM++: the last step is Euler's, whatever the number of steps.
    pub euler_at_final: bool,
    /// Euler, DPM++ and UniPC: noise levels after Karras et al. (arXiv 2206.00364), ρ = 7.
    pub use_karras_sigmas: bool,
    /// LCM, TCD: steps of the teacher in its distillation.
    pub original_inference_steps: usize,
    /// LCM: the factor of times in the boundary condition.
    pub timestep_scaling: f64,
    /// TCD: from 0, where nothing is left to chance, to 1, where each step is noised anew from x₀: the γ of the
    /// paper. No key of the file.
    pub eta: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            num_train_timesteps: 1000,
            beta_start: 0.00085,
            beta_end: 0.012,
            beta_schedule: BetaSchedule::ScaledLinear,
            prediction_type: PredictionType::Epsilon,
            timestep_spacing: None,
            steps_offset: 1,
            set_alpha_to_one: false,
            clip_sample: false,
            clip_sample_range: 1.0,
            rescale_betas_zero_snr: false,
            final_sigmas_type: FinalSigmasType::Zero,
            variance_type: VarianceType::FixedSmall,
            solver_order: 2,
            solver_type: "midpoint".into(),
            lower_order_final: true,
            euler_at_final: false,
            use_karras_sigmas: false,
            original_inference_steps: 50,
            timestep_scaling: 10.0,
            eta: 0.3,
        }
    }
}

impl Config {
    /// Reads the content of a `scheduler_config.json`, in which Python's `-Infinity` has become a text of
    /// that name. What is missing or null is as in
    /// [`Config::default`]; `_class_name` and `algorithm_type` are ignored, for the caller chooses the
    /// method; keys of other methods are ignored.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] that names the key whose value cannot be, [`ErrorKind::Unsupported`] that
    /// names the option that is not built in.
    pub fn from_json(json: &Value) -> Result<Self> {
        let Value::Object(map) = json else {
            return Err(bad("is not a JSON object; get the file again"));
        };
        for key in [
            "thresholding",
            "use_exponential_sigmas",
            "use_beta_sigmas",
            "use_lu_lambdas",
            "use_flow_sigmas",
            "use_dynamic_shifting",
        ] {
            if flag(map, key, false)? {
                return Err(unsupported(key, "true"));
            }
        }
        for key in ["trained_betas", "sigma_min", "sigma_max", "solver_p"] {
            if let Some(v) = given(map, key) {
                return Err(unsupported(key, &short(v)));
            }
        }
        // A number clips nothing where it is below any log-SNR; diffusers writes -Infinity.
        if let Some(v) = given(map, "lambda_min_clipped")
            && v.as_str() != Some("-Infinity")
            && v.as_f64().is_none_or(|v| v > -1e3)
        {
            return Err(unsupported("lambda_min_clipped", &short(v)));
        }
        if !flag(map, "predict_x0", true)? {
            return Err(unsupported("predict_x0", "false"));
        }
        for (key, only) in [
            ("interpolation_type", "linear"),
            ("timestep_type", "discrete"),
        ] {
            if let Some(v) = given(map, key).filter(|v| v.as_str() != Some(only)) {
                return Err(unsupported(key, &short(v)));
            }
        }
        let d = Self::default();
        let config = Self {
            num_train_timesteps: whole(map, "num_train_timesteps", d.num_train_timesteps)?,
            beta_start: number(map, "beta_start", d.beta_start)?,
            beta_end: number(map, "beta_end", d.beta_end)?,
            beta_schedule: choice(map, "beta_schedule", BetaSchedule::NAMES)?
                .unwrap_or(d.beta_schedule),
            prediction_type: choice(map, "prediction_type", PredictionType::NAMES)?
                .unwrap_or(d.prediction_type),
            timestep_spacing: choice(map, "timestep_spacing", TimestepSpacing::NAMES)?,
            steps_offset: whole(map, "steps_offset", d.steps_offset)?,
            set_alpha_to_one: flag(map, "set_alpha_to_one", d.set_alpha_to_one)?,
            clip_sample: flag(map, "clip_sample", d.clip_sample)?,
            clip_sample_range: number(map, "clip_sample_range", d.clip_sample_range)?,
            rescale_betas_zero_snr: flag(map, "rescale_betas_zero_snr", d.rescale_betas_zero_snr)?,
            final_sigmas_type: choice(map, "final_sigmas_type", FinalSigmasType::NAMES)?
                .unwrap_or(d.final_sigmas_type),
            variance_type: choice(map, "variance_type", VarianceType::NAMES)?
                .unwrap_or(d.variance_type),
            solver_order: whole(map, "solver_order", d.solver_order)?,
            solver_type: match given(map, "solver_type") {
                None => d.solver_type,
                Some(Value::String(s)) => s.clone(),
                Some(v) => return Err(cannot("solver_type", v, "give a name")),
            },
            lower_order_final: flag(map, "lower_order_final", d.lower_order_final)?,
            euler_at_final: flag(map, "euler_at_final", d.euler_at_final)?,
            use_karras_sigmas: flag(map, "use_karras_sigmas", d.use_karras_sigmas)?,
            original_inference_steps: whole(
                map,
                "original_inference_steps",
                d.original_inference_steps,
            )?,
            timestep_scaling: number(map, "timestep_scaling", d.timestep_scaling)?,
            eta: d.eta,
        };
        config.check().map_err(|e| bad(e.message()))?;
        Ok(config)
    }

    /// Fails where a field is out of its range.
    pub(super) fn check(&self) -> Result<()> {
        if !(2..=100_000).contains(&self.num_train_timesteps) {
            return Err(wrong("num_train_timesteps", "must be 2 to 100000"));
        }
        for (name, beta) in [("beta_start", self.beta_start), ("beta_end", self.beta_end)] {
            if !(beta > 0.0 && beta < 1.0) {
                return Err(wrong(name, "must be above 0 and below 1"));
            }
        }
        if self.clip_sample_range.is_nan() || self.clip_sample_range <= 0.0 {
            return Err(wrong("clip_sample_range", "must be above 0"));
        }
        if self.steps_offset >= self.num_train_timesteps {
            return Err(wrong("steps_offset", "must be below num_train_timesteps"));
        }
        if !(1..=3).contains(&self.solver_order) {
            return Err(wrong("solver_order", "must be 1, 2 or 3"));
        }
        if !(1..=self.num_train_timesteps).contains(&self.original_inference_steps) {
            let name = "original_inference_steps";
            return Err(wrong(name, "must be 1 to num_train_timesteps"));
        }
        if !(self.timestep_scaling > 0.0 && self.timestep_scaling.is_finite()) {
            return Err(wrong("timestep_scaling", "must be above 0"));
        }
        if !(0.0..=1.0).contains(&self.eta) {
            return Err(wrong("eta", "must be 0 to 1"));
        }
        Ok(())
    }
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::Model, format!("scheduler_config.json: {what}"))
}

fn cannot(key: &str, value: &Value, instead: &str) -> Error {
    bad(&format!("'{key}' cannot be {}: {instead}", short(value)))
}

fn unsupported(key: &str, value: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "scheduler_config.json: '{key}' {value} is not built in; remove it if the model was \
             not trained with it"
        ),
    )
}

/// The value as JSON, cut where it is long.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The value of a key, none where it is null.
fn given<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    map.get(key).filter(|v| !v.is_null())
}

fn flag(map: &Map<String, Value>, key: &str, default: bool) -> Result<bool> {
    match given(map, key) {
        None => Ok(default),
        Some(v) => v
            .as_bool()
            .ok_or_else(|| cannot(key, v, "give true or false")),
    }
}

fn whole(map: &Map<String, Value>, key: &str, default: usize) -> Result<usize> {
    match given(map, key) {
        None => Ok(default),
        Some(v) => v
            .as_u64()
            .and_then(|v| usize::try_from(v).ok())
            .ok_or_else(|| cannot(key, v, "give a whole number")),
    }
}

fn number(map: &Map<String, Value>, key: &str, default: f64) -> Result<f64> {
    match given(map, key) {
        None => Ok(default),
        Some(v) => v.as_f64().ok_or_else(|| cannot(key, v, "give a number")),
    }
}

fn choice<T: Copy>(map: &Map<String, Value>, key: &str, names: &[(&str, T)]) -> Result<Option<T>> {
    let Some(v) = given(map, key) else {
        return Ok(None);
    };
    let found = v
        .as_str()
        .and_then(|s| names.iter().find(|(name, _)| *name == s));
    found.map(|(_, value)| Some(*value)).ok_or_else(|| {
        let all: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        cannot(key, v, &format!("give one of {}", all.join(", ")))
    })
}
