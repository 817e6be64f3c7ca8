//! What a caller asks for: parameters by name, and images that go with them.
#![forbid(unsafe_code)]

use crate::engines::{self, EngineDescription};
use crate::error::{Error, ErrorKind, Result};
use crate::params::{ParamKind, ParamSpec, Parameters, Sides, Value, did_you_mean};
use crate::pixels::{MaskView, RunMask};
use crate::plan::Canvas;

/// The most fills that one call makes.
const MOST_FILLS: i64 = 8;

/// The parameters that every engine has.
pub fn common_params() -> Vec<ParamSpec> {
    let mut choices = vec![(AUTO, "Automatic")];
    choices.extend(engines::all().iter().map(|e| {
        let d = e.description();
        (d.id, d.label)
    }));
    vec![
        ParamSpec {
            name: ENGINE,
            label: "Engine",
            help: "What fills the hole. Automatic uses diffusion if there is a prompt and a model for \
                   it, and the picture's own pixels otherwise.",
            kind: ParamKind::Choice(choices),
            default: AUTO,
        },
        ParamSpec {
            name: "seed",
            label: "Seed",
            help: "Another number gives another fill; the same number gives the same fill again.",
            kind: ParamKind::Integer {
                min: 0,
                max: u32::MAX as i64,
            },
            default: "0",
        },
        ParamSpec {
            name: "context",
            label: "Context",
            help: "How much of the picture around the hole is used: pixels (64), a share of the \
                   hole's longer side (50%), or auto.",
            kind: ParamKind::Extent {
                max_pixels: 65536,
                max_percent: 1000.0,
            },
            default: "auto",
        },
        ParamSpec {
            name: "grow",
            label: "Grow selection",
            help: "First widens the mask by this many pixels, to include the rim of an object.",
            kind: ParamKind::Integer { min: 0, max: 256 },
            default: "0",
        },
        ParamSpec {
            name: "feather",
            label: "Feather",
            help: "Fades the fill in over this many pixels inside the mask's edge. Nothing outside \
                   the mask changes.",
            kind: ParamKind::Integer { min: 0, max: 256 },
            default: "0",
        },
        ParamSpec {
            name: "result",
            label: "Result",
            help: "The whole picture with the fill, or only the fill as a transparent layer to put \
                   over the picture. The layer's alpha is how much of each pixel is replaced.",
            kind: ParamKind::Choice(vec![("image", "Picture"), ("layer", "Layer")]),
            default: "image",
        },
        ParamSpec {
            name: EXPAND,
            label: "Expand",
            help: "Makes the picture larger and fills what is new: pixels (64) or a share of its width or \
                   height (10%), for all sides, or for left, top, right and bottom (64,0,64,10%), or \
                   by name (left=64,bottom=10%).",
            kind: ParamKind::Sides {
                max_pixels: 65536,
                max_percent: 400.0,
            },
            default: "0",
        },
        ParamSpec {
            name: "variations",
            label: "Variations",
            help: "How many different fills to make, to choose from; the best comes first.",
            kind: ParamKind::Integer {
                min: 1,
                max: MOST_FILLS,
            },
            default: "1",
        },
        ParamSpec {
            name: "best-of",
            label: "Best of",
            help: "Makes so many fills and keeps the best: those that go on from what is around the \
                   hole with the least seam and the likest texture.",
            kind: ParamKind::Integer {
                min: 1,
                max: MOST_FILLS,
            },
            default: "1",
        },
    ]
}

/// A parameter's description, of each engine that has it: two engines may have different values and
/// defaults for one name.
#[derive(Clone, Debug)]
pub struct EngineParam {
    /// The parameter's name.
    pub name: &'static str,
    /// The engines' ids with their descriptions.
    pub specs: Vec<(&'static str, ParamSpec)>,
}

/// The parameters that only some engines have.
pub fn engine_params() -> Vec<EngineParam> {
    let mut all: Vec<EngineParam> = Vec::new();
    for about in engines::all().iter().map(|engine| engine.description()) {
        for spec in about.params {
            match all.iter_mut().find(|param| param.name == spec.name) {
                Some(param) => param.specs.push((about.id, spec)),
                None => all.push(EngineParam {
                    name: spec.name,
                    specs: vec![(about.id, spec)],
                }),
            }
        }
    }
    all
}

impl EngineParam {
    /// Refuses a value that none of the engines takes.
    fn check(&self, value: &str) -> Result<()> {
        let mut refusals: Vec<(&str, String)> = Vec::new();
        for (engine, spec) in &self.specs {
            match spec.read(value) {
                Ok(_) => return Ok(()),
                Err(accepted) if refusals.iter().any(|(_, other)| *other == accepted) => {}
                Err(accepted) => refusals.push((engine, accepted)),
            }
        }
        let accepted = match &refusals[..] {
            [(_, accepted)] => accepted.clone(),
            several => {
                let each = several
                    .iter()
                    .map(|(engine, accepted)| format!("for the engine {engine} {accepted}"));
                each.collect::<Vec<_>>().join("; ")
            }
        };
        match self.specs.first() {
            Some((_, spec)) => Err(spec.refused(value, "", &accepted)),
            None => Ok(()),
        }
    }
}

/// The name of the parameter that chooses the engine, and its value that leaves the choice open.
const ENGINE: &str = "engine";
/// That of the parameter that makes a picture larger.
const EXPAND: &str = "expand";
const AUTO: &str = "auto";

/// A fill's parameters, as text. What is not set has the default of the engine that runs.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The engine's id; `None` for [`AUTO`].
    engine: Option<&'static str>,
    /// The others by name, in the order in which they were first set.
    values: Vec<(&'static str, String)>,
    source: Option<RunMask>,
    guide: Option<RunMask>,
}

impl Request {
    /// A request with every parameter at its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the parameter `name` from its text form; [`crate::Inpainter::describe`] lists them.
    ///
    /// A parameter that only some engines have is kept whatever engine will run: one that has no such
    /// parameter leaves it unused, which the plan's and the report's notes say.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`] for an unknown name (with the nearest right one), for a value that no
    /// engine takes, and for one that the engine does not take that was set before; the request stays
    /// as it was. Where the engine is set later, or chosen, a fill refuses what it does not take.
    /// [`ErrorKind::Engine`] for an unknown engine.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        if name == ENGINE {
            self.engine = chosen(value.trim())?;
            return Ok(());
        }
        let common = common_params();
        if let Some(spec) = common.iter().find(|spec| spec.name == name) {
            spec.parse(value)?;
            self.keep(spec.name, value);
            return Ok(());
        }
        let all = engine_params();
        let Some(param) = all.iter().find(|param| param.name == name) else {
            return Err(unknown(name, &common, &all));
        };
        let mut specs = param.specs.iter();
        match specs.find(|(engine, _)| Some(*engine) == self.engine) {
            Some((engine, spec)) => spec.parse_for(engine, value).map(|_| ())?,
            None => param.check(value)?,
        }
        self.keep(param.name, value);
        Ok(())
    }

    fn keep(&mut self, name: &'static str, value: &str) {
        match self.values.iter_mut().find(|(own, _)| *own == name) {
            Some((_, own)) => *own = value.to_owned(),
            None => self.values.push((name, value.to_owned())),
        }
    }

    /// Limits where samples may come from to the non-zero pixels of `mask`, which must have the
    /// image's size when the request is used. The mask is copied.
    ///
    /// # Errors
    /// [`ErrorKind::Mask`] for NaN; [`ErrorKind::Memory`].
    pub fn set_source(&mut self, mask: &MaskView<'_>) -> Result<()> {
        self.source = Some(RunMask::of(mask)?);
        Ok(())
    }

    /// The source mask, if one was set.
    pub(crate) fn source(&self) -> Option<&RunMask> {
        self.source.as_ref()
    }

    /// Gives the lines that are to go on through the hole: the non-zero pixels of `mask`, painted over the
    /// picture and the hole. The mask must have the image's size when the request is used, and is copied.
    /// An engine that continues no lines leaves it unused, which the plan's and the report's notes say.
    ///
    /// Lines may be painted with any pen of 1 to 30 pixels, may bend, branch, cross and close, and need not be exact:
    /// one within 8 pixels of a clear edge is moved onto it. What ends inside the hole ends there.
    ///
    /// # Errors
    /// [`ErrorKind::Mask`] for NaN; [`ErrorKind::Memory`].
    pub fn set_guide(&mut self, mask: &MaskView<'_>) -> Result<()> {
        self.guide = Some(RunMask::of(mask)?);
        Ok(())
    }

    /// The guide mask, if one was set.
    pub(crate) fn guide(&self) -> Option<&RunMask> {
        self.guide.as_ref()
    }

    /// The engine that was asked for; `None` where the choice is left open.
    pub(crate) fn engine(&self) -> Option<&'static str> {
        self.engine
    }

    /// The canvas that a picture of `width` × `height` grows to, by the parameter `expand`; without it, one
    /// of the picture's own size.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`] where that is too large.
    pub fn canvas(&self, width: u32, height: u32) -> Result<Canvas> {
        let specs = common_params();
        let spec = specs.iter().find(|spec| spec.name == EXPAND);
        let sides = match (self.value(EXPAND), spec) {
            (Some(text), Some(spec)) => spec.parse(text)?,
            _ => Value::Sides(Sides::NONE),
        };
        match sides {
            Value::Sides(sides) => Canvas::new(&sides, width, height),
            _ => Canvas::new(&Sides::NONE, width, height),
        }
    }

    /// Whether the parameter `expand` was set, to whatever.
    pub(crate) fn expands(&self) -> bool {
        self.value(EXPAND).is_some()
    }

    /// The request for the same picture on `canvas`: its masks lie where the picture does.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub(crate) fn placed(&self, canvas: &Canvas) -> Result<Self> {
        let place = |mask: &Option<RunMask>| match mask {
            Some(mask) => mask
                .placed(canvas.width, canvas.height, canvas.picture)
                .map(Some),
            None => Ok(None),
        };
        Ok(Self {
            engine: self.engine,
            values: self.values.clone(),
            source: place(&self.source)?,
            guide: place(&self.guide)?,
        })
    }

    /// What a parameter other than the engine was set to, as text.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut values = self.values();
        values.find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    /// All that was set but the engine, in the order in which it was set.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.values.iter().map(|(name, value)| (*name, &**value))
    }

    /// The values for the engine of this description: its own parameters and the common ones.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`] for a value that the engine does not take.
    pub(crate) fn parameters(&self, engine: &EngineDescription) -> Result<Parameters> {
        let mut all = Parameters::default();
        let set = |name: &str| self.value(name);
        all.add(&common_params(), set, ParamSpec::parse)?;
        all.add(&engine.params, set, |spec, text| {
            spec.parse_for(engine.id, text)
        })?;
        Ok(all)
    }
}

/// The engine that a value names, if it names one.
fn chosen(value: &str) -> Result<Option<&'static str>> {
    match value {
        AUTO => Ok(None),
        id => engines::find(&engines::all(), id).map(|engine| Some(engine.description().id)),
    }
}

fn unknown(name: &str, common: &[ParamSpec], others: &[EngineParam]) -> Error {
    let mut names: Vec<&str> = common.iter().map(|spec| spec.name).collect();
    names.extend(others.iter().map(|param| param.name));
    Error::new(
        ErrorKind::Parameter,
        format!(
            "unknown parameter '{name}'{}; there are {}",
            did_you_mean(name, &names),
            names.join(", ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(request: &mut Request, name: &str, value: &str) -> String {
        let error = request.set(name, value).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Parameter, "{error}");
        error.message().to_owned()
    }

    #[test]
    fn a_value_is_what_the_engine_takes_that_has_it() {
        let mut request = Request::new();
        // Of diffusion's, and not of RAD's.
        request.set("scheduler", "euler").unwrap();
        let said = refused(&mut request, "scheduler", "heun9");
        assert!(said.contains("diffusion") && said.contains("rad"), "{said}");
        let said = refused(&mut request, "steps", "0");
        assert_eq!(
            said,
            "parameter 'steps' cannot be '0': give a whole number from 1 to 1000"
        );
        assert!(refused(&mut request, "stebs", "1").contains("did you mean 'steps'?"));
        assert_eq!(request.value("scheduler"), Some("euler"));

        request.set("engine", " rad ").unwrap();
        let said = refused(&mut request, "scheduler", "euler_a");
        assert!(
            said.contains("'rad'") && said.contains("ddim, ddpm"),
            "{said}"
        );
        // What the engine has not is kept, and left unused.
        request.set("guidance", "2").unwrap();
        assert_eq!(
            request.set("engine", "raad").unwrap_err().kind(),
            ErrorKind::Engine
        );
        assert_eq!(request.engine(), Some("rad"));
    }

    #[test]
    fn what_is_not_set_has_the_engines_own_default() {
        let engines = engines::all();
        let read = |request: &Request, id: &str| {
            let about = engines::find(&engines, id).unwrap().description();
            request.parameters(&about)
        };
        let mut request = Request::new();
        for (id, scheduler, steps) in [("rad", "ddim", 25), ("diffusion", "dpmpp_2m_karras", 20)] {
            let all = read(&request, id).unwrap();
            assert_eq!(all.text("scheduler").unwrap(), scheduler);
            assert_eq!(all.integer::<usize>("steps").unwrap(), steps);
            assert_eq!(all.text("result").unwrap(), "image");
        }
        assert!(
            read(&request, "exemplar")
                .unwrap()
                .text("scheduler")
                .is_err()
        );
        // The engine came to be known later.
        request.set("scheduler", "euler").unwrap();
        assert!(read(&request, "exemplar").is_ok() && read(&request, "diffusion").is_ok());
        let error = read(&request, "rad").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Parameter);
        for said in ["'scheduler'", "'euler'", "'rad'", "ddim, ddpm"] {
            assert!(error.message().contains(said), "{error}");
        }
    }
}
