//! The schedulers by name.
#![forbid(unsafe_code)]

use super::{
    Config, Scheduler, Times, ddim::Ddim, ddpm::Ddpm, dpmpp_2m::Dpmpp2m, euler::Euler,
    euler_a::EulerA, lcm::Lcm, tcd::Tcd, unipc::UniPc, wrong,
};
use crate::error::Result;

/// A method of sampling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `DDIMScheduler` with η = 0.
    Ddim,
    /// `DDPMScheduler`.
    Ddpm,
    /// `EulerDiscreteScheduler` without churn.
    Euler,
    /// `EulerAncestralDiscreteScheduler`.
    EulerA,
    /// `DPMSolverMultistepScheduler`, algorithm `dpmsolver++`, order 1 or 2.
    Dpmpp2m,
    /// The same with `use_karras_sigmas`.
    Dpmpp2mKarras,
    /// `UniPCMultistepScheduler` with `predict_x0`, order 1 to 3.
    UniPc,
    /// `LCMScheduler`.
    Lcm,
    /// `TCDScheduler`, with [`Config::eta`].
    Tcd,
}

impl Kind {
    /// All of them, in the order of lists in dialogs.
    pub const ALL: [Self; 9] = [
        Self::Dpmpp2m,
        Self::Dpmpp2mKarras,
        Self::UniPc,
        Self::Euler,
        Self::EulerA,
        Self::Ddim,
        Self::Ddpm,
        Self::Lcm,
        Self::Tcd,
    ];

    /// The name in parameters. Names are for ever.
    pub fn id(self) -> &'static str {
        match self {
            Self::Ddim => "ddim",
            Self::Ddpm => "ddpm",
            Self::Euler => "euler",
            Self::EulerA => "euler_a",
            Self::Dpmpp2m => "dpmpp_2m",
            Self::Dpmpp2mKarras => "dpmpp_2m_karras",
            Self::UniPc => "unipc",
            Self::Lcm => "lcm",
            Self::Tcd => "tcd",
        }
    }

    /// The label in dialogs, with a word on what it is good for.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ddim => "DDIM: plain, 20 steps or more",
            Self::Ddpm => "DDPM: fresh noise at each step, 50 steps or more",
            Self::Euler => "Euler: plain, 20 steps or more",
            Self::EulerA => "Euler a: fresh noise at each step, lively textures",
            Self::Dpmpp2m => "DPM++ 2M: good from 15 steps on",
            Self::Dpmpp2mKarras => "DPM++ 2M Karras: more of the steps for fine detail",
            Self::UniPc => "UniPC: good from 8 steps on",
            Self::Tcd => "TCD: 1 to 8 steps, for models distilled for it only",
            Self::Lcm => "LCM: 4 to 8 steps, for models distilled for it only",
        }
    }

    /// The kind of that [`Kind::id`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::Parameter`] that lists the names.
    pub fn parse(id: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|k| k.id() == id).ok_or_else(|| {
            let ids = Self::ALL.map(Self::id).join(", ");
            wrong("scheduler", format!("cannot be '{id}': give one of {ids}"))
        })
    }
}

/// A scheduler for one run.
///
/// # Errors
/// [`crate::ErrorKind::Parameter`] for steps or timesteps that the method cannot take, or a
/// configuration that no model can be run with; [`crate::ErrorKind::Memory`].
pub fn scheduler(kind: Kind, config: &Config, times: Times) -> Result<Box<dyn Scheduler>> {
    config.check()?;
    Ok(match kind {
        Kind::Ddim => Box::new(Ddim::new(config, times)?),
        Kind::Ddpm => Box::new(Ddpm::new(config, times)?),
        Kind::Euler => Box::new(Euler::new(config, times)?),
        Kind::EulerA => Box::new(EulerA::new(config, times)?),
        Kind::Dpmpp2m => Box::new(Dpmpp2m::new(config, times)?),
        Kind::Dpmpp2mKarras => {
            let config = Config {
                use_karras_sigmas: true,
                ..config.clone()
            };
            Box::new(Dpmpp2m::new(&config, times)?)
        }
        Kind::UniPc => Box::new(UniPc::new(config, times)?),
        Kind::Lcm => Box::new(Lcm::new(config, times)?),
        Kind::Tcd => Box::new(Tcd::new(config, times)?),
    })
}
