//! The engine's parameters.
#![forbid(unsafe_code)]

use super::quality::Quality;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::Precision;
use crate::params::{ParamKind, ParamSpec, Parameters};
use crate::schedulers::{
    Config, Kind, Scheduler, Times, TimestepSpacing, align_your_steps, scheduler, start,
};

/// The strength of a fill without a prompt is no more than this: of the exemplar fill the layout and
/// the colours are left, so that the model has no reason to invent an object, and its own textures
/// replace the rest.
const REMOVING: f64 = 0.9;

/// What the steps begin with where the hole is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// What is to be removed or changed.
    Original,
    /// The exemplar engine's fill.
    Exemplar,
    /// Noise alone; with a strength below 1 a smooth continuation of what is around.
    Noise,
}

/// What the clean latents are decoded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vae {
    /// The model's own.
    Full,
    /// The tiny one.
    Taesd,
}

/// Where the steps lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timesteps {
    /// As the model's configuration has it.
    Own,
    /// Spaced so, whatever the configuration says.
    Spaced(TimestepSpacing),
    /// At the times of Align Your Steps.
    Aligned,
}

/// The values of a fill.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What sets those that were not set one by one, see [`super::quality::preset`].
    pub quality: Quality,
    /// A folder's name in the models folder, a path, or empty.
    pub model: String,
    pub prompt: String,
    pub negative_prompt: String,
    pub steps: usize,
    /// 1 where it would change nothing: then there is one pass a step.
    pub guidance: f64,
    /// How much of the content is given up, see [`REMOVING`].
    pub strength: f64,
    /// The same as it was set.
    pub asked: f64,
    pub scheduler: Kind,
    /// Where the steps lie.
    pub timesteps: Timesteps,
    /// See [`Config::eta`].
    pub eta: f64,
    pub content: Content,
    pub precision: Precision,
    /// LoRAs by name or path, and how much of each.
    pub lora: Vec<(String, f64)>,
    pub vae: Vae,
}

/// Their descriptions.
pub fn params() -> Vec<ParamSpec> {
    vec![
        ParamSpec {
            name: "model",
            label: "Model",
            help: "The model: its name in the models folder, or the path of a diffusers folder or \
                   of a checkpoint in one .safetensors file. If empty, the first one in the models \
                   folder is used.",
            kind: ParamKind::Text,
            default: "",
        },
        ParamSpec {
            name: "prompt",
            label: "Prompt",
            help: "What to show in the hole, in English; (word:1.2) gives a word more weight. If \
                   empty, what is there is removed.",
            kind: ParamKind::Text,
            default: "",
        },
        ParamSpec {
            name: "negative-prompt",
            label: "Negative prompt",
            help: "What not to show in the hole. This needs a guidance above 1.",
            kind: ParamKind::Text,
            default: "",
        },
        ParamSpec {
            name: "quality",
            label: "Quality",
            help: "How good and how slow. Draft takes a few steps, with the LoRA lcm-lora-sdv15 where it \
                   is installed and fits the model, and decodes with TAESD where that is; best takes \
                   40. What is set one by one counts for more.",
            kind: ParamKind::Choice(Quality::CHOICES.to_vec()),
            default: "balanced",
        },
        ParamSpec {
            name: "steps",
            label: "Steps",
            help: "More steps take longer and are more exact.",
            kind: ParamKind::Integer { min: 1, max: 1000 },
            default: "20",
        },
        ParamSpec {
            name: "guidance",
            label: "Guidance",
            help: "How closely to follow the prompt. 1 turns guidance off, which halves the time.",
            kind: ParamKind::Number {
                min: 1.0,
                max: 50.0,
            },
            default: "7.5",
        },
        ParamSpec {
            name: "strength",
            label: "Strength",
            help: "How much of what is under the mask is replaced: 1 replaces all of it, small values \
                   keep most of it. Without a prompt at most 0.9 is used.",
            kind: ParamKind::Number {
                min: 0.01,
                max: 1.0,
            },
            default: "1.0",
        },
        ParamSpec {
            name: "scheduler",
            label: "Scheduler",
            help: "The method that computes the steps.",
            kind: ParamKind::Choice(Kind::ALL.iter().map(|k| (k.id(), k.label())).collect()),
            default: "dpmpp_2m_karras",
        },
        ParamSpec {
            name: "timesteps",
            label: "Time steps",
            help: "Where the steps lie: as the model spaces them, by another spacing, or at the times \
                   of Align Your Steps. Models and LoRAs for few steps mostly ask for trailing. Align \
                   Your Steps suits Stable Diffusion 1.x with about ten steps and a scheduler without \
                   Karras's sigmas.",
            kind: ParamKind::Choice(vec![
                ("spaced", "The model's own"),
                ("trailing", "Trailing: from the noisiest on"),
                ("leading", "Leading: up to the cleanest"),
                ("linspace", "Evenly, with both ends"),
                ("align_your_steps", "Align Your Steps"),
            ]),
            default: "spaced",
        },
        ParamSpec {
            name: "eta",
            label: "Eta",
            help: "With the scheduler TCD, how much of each step is left to chance: 0.3 for TCD's own \
                   LoRAs, 1 for Hyper-SD in one step. Other schedulers do not use it.",
            kind: ParamKind::Number { min: 0.0, max: 1.0 },
            default: "0.3",
        },
        ParamSpec {
            name: "masked-content",
            label: "Masked content",
            help: "What is in the hole before the first step. Automatic: with a prompt, noise at \
                   strength 1 and the original below that; without a prompt, the exemplar fill.",
            kind: ParamKind::Choice(vec![
                ("auto", "Automatic"),
                ("original", "Original"),
                ("exemplar", "Exemplar fill"),
                ("noise", "Noise"),
            ]),
            default: "auto",
        },
        ParamSpec {
            name: "precision",
            label: "Precision",
            help: "f32 computes in single precision. int8 takes half the memory and is slightly \
                   less exact; it is faster on processors with VNNI.",
            kind: ParamKind::Choice(vec![("f32", "Full"), ("int8", "Eight bits")]),
            default: "f32",
        },
        ParamSpec {
            name: "lora",
            label: "LoRA",
            help: "LoRAs to add to the model: names in the models folder or paths of .safetensors \
                   files, separated by commas. A number after a colon is the weight of one, \
                   otherwise it is 1: detail:0.8, lcm-lora-sdv15.",
            kind: ParamKind::Text,
            default: "",
        },
        ParamSpec {
            name: "vae",
            label: "Decoder",
            help: "What decodes the picture at the end: the model's own decoder, or TAESD, a tiny \
                   one that is faster and less sharp. TAESD is a folder 'taesd' in the model's \
                   folder or in the models folder.",
            kind: ParamKind::Choice(vec![("full", "The model's own"), ("taesd", "TAESD, tiny")]),
            default: "full",
        },
    ]
}

impl Settings {
    /// Reads the values.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`] for LoRAs that cannot be read; [`ErrorKind::Internal`] for values of
    /// another type than described.
    pub fn new(parameters: &Parameters) -> Result<Self> {
        let text = |name| parameters.text(name).map(str::to_owned);
        let (prompt, negative_prompt) = (text("prompt")?, text("negative-prompt")?);
        let removing = prompt.trim().is_empty();
        let strength = parameters.number("strength")?;
        let content = match parameters.text("masked-content")? {
            "original" => Content::Original,
            "exemplar" => Content::Exemplar,
            "noise" => Content::Noise,
            _ if removing => Content::Exemplar,
            _ if strength < 1.0 => Content::Original,
            _ => Content::Noise,
        };
        // From noise alone there is nothing to keep.
        let most = match content {
            Content::Exemplar if removing => REMOVING,
            _ => 1.0,
        };
        // Between two equal texts guidance changes nothing but the time.
        let guidance = match prompt.trim() == negative_prompt.trim() {
            true => 1.0,
            false => parameters.number("guidance")?,
        };
        Ok(Self {
            quality: Quality::parse(parameters.text("quality")?),
            model: text("model")?,
            steps: parameters.integer("steps")?,
            guidance,
            strength: strength.min(most),
            asked: strength,
            scheduler: Kind::parse(parameters.text("scheduler")?)?,
            timesteps: match parameters.text("timesteps")? {
                "trailing" => Timesteps::Spaced(TimestepSpacing::Trailing),
                "leading" => Timesteps::Spaced(TimestepSpacing::Leading),
                "linspace" => Timesteps::Spaced(TimestepSpacing::Linspace),
                "align_your_steps" => Timesteps::Aligned,
                _ => Timesteps::Own,
            },
            eta: parameters.number("eta")?,
            content,
            precision: match parameters.text("precision")? {
                "int8" => Precision::Int8,
                _ => Precision::Full,
            },
            lora: loras(parameters.text("lora")?)?,
            vae: match parameters.text("vae")? {
                "taesd" => Vae::Taesd,
                _ => Vae::Full,
            },
            prompt,
            negative_prompt,
        })
    }
}

/// The most of a LoRA that is added, either way.
const MOST: f64 = 10.0;

/// `name[:weight]`, with commas between. A path may have a colon in it.
fn loras(text: &str) -> Result<Vec<(String, f64)>> {
    let each = text.split(',').map(str::trim).filter(|t| !t.is_empty());
    each.map(|one| {
        let (name, weight) = match one.rsplit_once(':') {
            Some((name, weight)) => (name.trim(), weight.trim().parse::<f64>().ok()),
            None => (one, None),
        };
        match weight {
            None => Ok((one.to_owned(), 1.0)),
            Some(weight) if weight.abs() <= MOST && !name.is_empty() => {
                Ok((name.to_owned(), weight))
            }
            Some(_) => Err(Error::new(
                ErrorKind::Parameter,
                format!(
                    "parameter 'lora': '{one}' is not a name with a weight from -{MOST} to {MOST}, \
                     such as detail:0.8"
                ),
            )),
        }
    })
    .collect()
}

impl Settings {
    /// The steps of a fill with a model whose scheduler is configured so.
    ///
    /// # Errors
    /// As [`scheduler`] and [`align_your_steps`].
    pub fn schedule(&self, config: &Config) -> Result<Box<dyn Scheduler>> {
        let mut config = config.clone();
        config.eta = self.eta;
        match self.timesteps {
            Timesteps::Own => {}
            Timesteps::Spaced(_) if matches!(self.scheduler, Kind::Lcm | Kind::Tcd) => {
                return Err(Error::new(
                    ErrorKind::Parameter,
                    format!(
                        "parameter 'timesteps': the scheduler '{}' visits times that its models were \
                         distilled at, and no others: set timesteps back to 'spaced', or take another \
                         scheduler, such as ddim or euler",
                        self.scheduler.id()
                    ),
                ));
            }
            Timesteps::Spaced(spacing) => config.timestep_spacing = Some(spacing),
            Timesteps::Aligned => {
                let times = align_your_steps(&config, self.steps)?;
                return scheduler(self.scheduler, &config, Times::Given(&times));
            }
        }
        scheduler(self.scheduler, &config, Times::Steps(self.steps))
    }

    /// The index of the first of `steps` that is run. What is taken off the strength unasked leaves one
    /// at the least: with diffusers a full strength runs a single step, too.
    ///
    /// # Errors
    /// As [`start`], of the strength that was asked for.
    pub fn first(&self, steps: usize) -> Result<usize> {
        start(steps, self.asked)?;
        Ok(start(steps, self.strength).unwrap_or(steps.saturating_sub(1)))
    }
}

/// The engine's parameters, of which these are set.
#[cfg(test)]
pub fn test_parameters(set: &[(&str, &str)]) -> Parameters {
    let of = |name: &str| {
        let mut set = set.iter().rev();
        set.find(|(own, _)| *own == name).map(|(_, value)| *value)
    };
    let (specs, mut all) = (params(), Parameters::default());
    all.add(&specs, of, ParamSpec::parse).unwrap();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&'static str, &str)]) -> Settings {
        Settings::new(&test_parameters(pairs)).unwrap()
    }

    #[test]
    fn without_a_prompt_the_exemplar_fill_is_painted_over() {
        let plain = with(&[]);
        assert_eq!((plain.guidance, plain.strength), (1.0, REMOVING));
        assert_eq!(plain.content, Content::Exemplar);
        // A negative prompt needs guidance.
        assert_eq!(with(&[("negative-prompt", "people")]).guidance, 7.5);
        assert_eq!(with(&[("strength", "0.5")]).strength, 0.5);
        let noise = with(&[("masked-content", "noise")]);
        assert_eq!((noise.content, noise.strength), (Content::Noise, 1.0));
    }

    #[test]
    fn loras_are_names_with_weights() {
        let lora = |text: &str| with(&[("lora", text)]).lora;
        let one = |name: &str, weight: f64| (name.to_owned(), weight);
        assert_eq!(lora(""), []);
        assert_eq!(
            lora(" detail:0.8, a b.safetensors ,x:-1"),
            [
                one("detail", 0.8),
                one("a b.safetensors", 1.0),
                one("x", -1.0)
            ]
        );
        assert_eq!(lora("C:\\l.safetensors"), [one("C:\\l.safetensors", 1.0)]);
        assert_eq!(lora("C:\\l:2e-1"), [one("C:\\l", 0.2)]);
        for text in ["x:11", "x:nan", ":1", "x:-inf"] {
            assert_eq!(
                loras(text).unwrap_err().kind(),
                ErrorKind::Parameter,
                "{text}"
            );
        }
    }

    #[test]
    fn steps_lie_where_they_are_asked_to() {
        let config = Config::default();
        let times = |pairs: &[(&'static str, &str)]| {
            let steps = with(pairs).schedule(&config);
            steps
                .map(|s| s.timesteps().to_vec())
                .map_err(|e| e.to_string())
        };
        let ays = ("timesteps", "align_your_steps");
        let ten = times(&[("steps", "10"), ("scheduler", "euler"), ays]).unwrap();
        assert_eq!(ten, align_your_steps(&config, 10).unwrap());
        assert_ne!(
            ten,
            times(&[("steps", "10"), ("scheduler", "euler")]).unwrap()
        );
        // The default has levels of its own.
        let error = times(&[ays]).unwrap_err();
        assert!(error.contains("Karras"), "{error}");
        // Whatever the model says of its spacing.
        let at = |spacing, scheduler| {
            let set = [
                ("steps", "4"),
                ("timesteps", spacing),
                ("scheduler", scheduler),
            ];
            times(&set)
        };
        assert_eq!(
            at("trailing", "ddim").unwrap(),
            [999.0, 749.0, 499.0, 249.0]
        );
        assert_eq!(at("leading", "ddim").unwrap(), [751.0, 501.0, 251.0, 1.0]);
        assert_eq!(at("linspace", "euler").unwrap(), [999.0, 666.0, 333.0, 0.0]);
        assert_eq!(at("spaced", "tcd").unwrap().len(), 4);
        for scheduler in ["tcd", "lcm"] {
            let error = at("trailing", scheduler).unwrap_err();
            assert!(
                error.contains("'timesteps'") && error.contains(scheduler),
                "{error}"
            );
        }
    }

    #[test]
    fn one_step_is_run_unless_the_strength_that_was_set_leaves_none() {
        for kind in Kind::ALL {
            let one = with(&[("steps", "1"), ("scheduler", kind.id())]);
            assert_eq!(one.strength, REMOVING);
            let steps = one.schedule(&Config::default()).unwrap();
            assert_eq!(
                one.first(steps.timesteps().len()).unwrap(),
                0,
                "{}",
                kind.id()
            );
        }
        assert_eq!(with(&[("steps", "10")]).first(10).unwrap(), 1);
        for (strength, said) in [
            ("0.95", "0.95 leaves none of 1 step"),
            ("0.3", "give 4 steps"),
        ] {
            let error = with(&[("steps", "1"), ("strength", strength)])
                .first(1)
                .unwrap_err();
            assert!(error.message().contains(said), "{error}");
        }
    }

    #[test]
    fn a_prompt_begins_with_noise_or_with_what_is_there() {
        let cat = with(&[("prompt", "a cat")]);
        assert_eq!((cat.guidance, cat.strength), (7.5, 1.0));
        assert_eq!(cat.content, Content::Noise);
        let weaker = with(&[("prompt", "a cat"), ("strength", "0.6")]);
        assert_eq!(weaker.content, Content::Original);
    }
}
