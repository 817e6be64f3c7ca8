//! One word for how good and how slow a fill is to be: it sets what was not set one by one.
#![forbid(unsafe_code)]

use super::settings::{Settings, Vae};
use crate::params::Parameters;
use crate::schedulers::Kind;

/// The LoRA that makes any model of Stable Diffusion 1.5 one of few steps, by its name in the models folder.
pub const FEW_STEPS: &str = "lcm-lora-sdv15";

/// How good and how slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    /// In a few steps, to see what comes.
    Draft,
    /// Every parameter at its own default.
    Balanced,
    /// Twice the steps.
    Best,
}

impl Quality {
    /// The ids and labels in dialogs.
    pub const CHOICES: [(&'static str, &'static str); 3] = [
        ("draft", "Draft: a few steps"),
        ("balanced", "Balanced"),
        ("best", "Best: more steps"),
    ];

    /// Of an id.
    pub fn parse(id: &str) -> Self {
        match id {
            "draft" => Self::Draft,
            "best" => Self::Best,
            _ => Self::Balanced,
        }
    }
}

/// What a preset may use besides the model.
pub struct Means<'a> {
    /// Whether this model can be run with these settings: with a LoRA that may not be for it.
    pub runs: &'a dyn Fn(&Settings) -> bool,
    /// Whether the tiny autoencoder is there.
    pub taesd: bool,
    /// Whether the model itself was distilled to few steps.
    pub distilled: bool,
}

/// `settings`, read from `parameters`, as their preset has it. What was set one by one stays. And what the
/// user should know of it.
pub fn preset(
    settings: &Settings,
    parameters: &Parameters,
    means: &Means<'_>,
) -> (Settings, Option<String>) {
    let mut made = settings.clone();
    let free = |name| !parameters.was_set(name);
    match settings.quality {
        Quality::Balanced => return (made, None),
        Quality::Draft => {
            let few = few_steps(settings, means, free("lora"), free("scheduler"));
            let distilled = few.is_some();
            made = few.unwrap_or(made);
            if free("scheduler") && !distilled {
                made.scheduler = Kind::UniPc;
            }
            if free("steps") {
                made.steps = if distilled { 4 } else { 8 };
            }
            if free("guidance") && distilled {
                made.guidance = 1.0;
            }
            if free("vae") && means.taesd {
                made.vae = Vae::Taesd;
            }
        }
        Quality::Best => {
            if free("steps") {
                made.steps = if means.distilled { 8 } else { 40 };
            }
            if free("scheduler") && means.distilled {
                made.scheduler = Kind::Lcm;
            }
        }
    }
    let told = told(&made);
    (made, Some(told))
}

/// With what makes few steps enough: the model itself, or the LoRA where it is there and fits.
fn few_steps(
    settings: &Settings,
    means: &Means<'_>,
    lora: bool,
    scheduler: bool,
) -> Option<Settings> {
    if !scheduler {
        return None;
    }
    let lcm = Settings {
        scheduler: Kind::Lcm,
        ..settings.clone()
    };
    if means.distilled {
        return Some(lcm);
    }
    let with = Settings {
        lora: vec![(FEW_STEPS.to_owned(), 1.0)],
        ..lcm
    };
    (lora && (means.runs)(&with)).then_some(with)
}

/// What a preset came to.
fn told(made: &Settings) -> String {
    let name = match made.quality {
        Quality::Draft => "draft",
        Quality::Balanced => "balanced",
        Quality::Best => "best",
    };
    let steps = match made.steps {
        1 => "1 step".to_owned(),
        n => format!("{n} steps"),
    };
    let mut told = format!("quality {name}: {steps} of {}", made.scheduler.id());
    if made.lora.iter().any(|(lora, _)| lora == FEW_STEPS) {
        told += &format!(" with the LoRA {FEW_STEPS}");
    }
    told += &match made.guidance {
        g if g <= 1.0 => ", no guidance".to_owned(),
        g => format!(", guidance {g}"),
    };
    if made.vae == Vae::Taesd {
        told += ", decoded by taesd";
    }
    told
}

#[cfg(test)]
mod tests {
    use super::super::settings::test_parameters;
    use super::*;

    fn made(set: &[(&str, &str)], lora: bool, taesd: bool) -> (Settings, Option<String>) {
        let parameters = test_parameters(set);
        let settings = Settings::new(&parameters).unwrap();
        let means = Means {
            runs: &|with| lora && with.lora == [(FEW_STEPS.to_owned(), 1.0)],
            taesd,
            distilled: false,
        };
        preset(&settings, &parameters, &means)
    }

    #[test]
    fn a_preset_sets_what_was_not_set_and_says_so() {
        let prompt = ("prompt", "a boat");
        let (plain, told) = made(&[prompt], true, true);
        assert_eq!((plain.steps, plain.scheduler), (20, Kind::Dpmpp2mKarras));
        assert_eq!((plain.vae, told), (Vae::Full, None));

        let draft = ("quality", "draft");
        let (few, told) = made(&[prompt, draft], true, true);
        assert_eq!((few.steps, few.scheduler), (4, Kind::Lcm));
        assert_eq!((few.guidance, few.vae), (1.0, Vae::Taesd));
        assert_eq!(
            told.unwrap(),
            "quality draft: 4 steps of lcm with the LoRA lcm-lora-sdv15, no guidance, decoded by taesd"
        );
        // Without the LoRA, or with another one, which may not go with it.
        for (set, there) in [(draft, false), (("lora", "detail:0.5"), true)] {
            let (few, told) = made(&[prompt, draft, set], there, false);
            assert_eq!((few.steps, few.scheduler), (8, Kind::UniPc));
            assert_eq!((few.guidance, few.vae), (7.5, Vae::Full));
            assert!(told.unwrap().ends_with("8 steps of unipc, guidance 7.5"));
        }
        assert_eq!(made(&[prompt, ("quality", "best")], true, true).0.steps, 40);
    }

    #[test]
    fn what_was_set_wins_even_at_its_default() {
        let draft = ("quality", "draft");
        let prompt = ("prompt", "a boat");
        let (own, _) = made(
            &[
                prompt,
                draft,
                ("steps", "20"),
                ("guidance", "7.5"),
                ("vae", "full"),
            ],
            true,
            true,
        );
        assert_eq!((own.steps, own.guidance, own.vae), (20, 7.5, Vae::Full));
        let (own, _) = made(&[prompt, draft, ("scheduler", "ddim")], true, true);
        assert_eq!((own.scheduler, own.steps), (Kind::Ddim, 8));
        assert!(own.lora.is_empty(), "an LCM-LoRA with another scheduler");
    }
}
