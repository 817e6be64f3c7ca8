//! From a pixel's noise level to a lower one.
#![forbid(unsafe_code)]

/// The largest magnitude of a picture's values.
const CLIP: f64 = 1.0;

/// A method of stepping, each with the level of every pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Without added noise (arXiv 2010.02502, η = 0); the noise is that which belongs to the clipped picture,
    /// as ADM's `ddim_sample` has it.
    Ddim,
    /// With fresh noise at each step (arXiv 2006.11239), whose variance the network chooses between the
    /// least and the most (arXiv 2102.09672).
    Ddpm,
}

/// A pixel's noise level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Level {
    /// The logarithm of ā.
    pub log: f64,
    /// ā.
    pub kept: f64,
    /// 1 − ā.
    pub noise: f64,
}

impl Level {
    /// Of the logarithm of ā, 0 or less.
    pub fn new(log: f64) -> Self {
        Self {
            log,
            kept: libm::exp(log),
            noise: -libm::expm1(log),
        }
    }

    /// The picture that is in the sample `x` where the network says that its noise is `epsilon`, within ±1.
    pub fn original(&self, x: f32, epsilon: f32) -> f64 {
        let noise = self.noise.sqrt() * f64::from(epsilon);
        ((f64::from(x) - noise) / self.kept.sqrt()).clamp(-CLIP, CLIP)
    }
}

/// What a step does with the values of a pixel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coefficients {
    /// The level before it.
    from: Level,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Nothing: there is no noise, or no step.
    Keep,
    /// `picture`·x₀ + `sample`·x, and noise whose variance's logarithm lies between two.
    Random {
        picture: f64,
        sample: f64,
        variance: Option<(f64, f64)>,
    },
}

impl Coefficients {
    /// A step from a level to one that is no higher.
    pub fn new(method: Method, from: Level, to: Level) -> Self {
        let kind = if from.noise <= 0.0 || to.log <= from.log {
            Kind::Keep
        } else {
            match method {
                Method::Ddim => {
                    // √ā'·x₀ + √b̄'·ε with ε = (x − √ā·x₀) / √b̄.
                    let rest = (to.noise / from.noise).sqrt();
                    Kind::Random {
                        picture: to.kept.sqrt() - rest * from.kept.sqrt(),
                        sample: rest,
                        variance: None,
                    }
                }
                Method::Ddpm => {
                    // Equations 6 and 7 of the paper; steps left out make one with α = ā/ā'.
                    let beta = -libm::expm1(from.log - to.log);
                    let least = beta * to.noise / from.noise;
                    Kind::Random {
                        picture: to.kept.sqrt() * beta / from.noise,
                        sample: ((1.0 - beta).sqrt()) * to.noise / from.noise,
                        variance: (to.noise > 0.0).then(|| (libm::log(least), libm::log(beta))),
                    }
                }
            }
        };
        Self { from, kind }
    }

    /// Whether noise is added.
    pub fn is_random(&self) -> bool {
        matches!(
            self.kind,
            Kind::Random {
                variance: Some(_),
                ..
            }
        )
    }

    /// The sample after the step; `between` is the network's place between the variances, −1 to 1.
    pub fn step(&self, x: f32, epsilon: f32, between: f32, fresh: f32) -> f32 {
        match self.kind {
            Kind::Keep => x,
            Kind::Random {
                picture,
                sample,
                variance,
            } => {
                let mean = picture * self.from.original(x, epsilon) + sample * f64::from(x);
                let noise = variance.map_or(0.0, |(least, most)| {
                    let share = (f64::from(between) + 1.0) / 2.0;
                    let log = least + share * (most - least);
                    libm::exp(0.5 * log) * f64::from(fresh)
                });
                (mean + noise) as f32
            }
        }
    }
}
