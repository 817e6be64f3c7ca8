//! What a caller asks for: parameters by name, and images that go with them.
#![forbid(unsafe_code)]

use crate::engines::{self, Values};
use crate::error::{Error, ErrorKind, Result};
use crate::params::{Extent, ParamKind, ParamSpec, Value, did_you_mean};
use crate::pixels::{MaskView, RunMask};

/// The parameters that every engine has.
pub fn common_params() -> Vec<ParamSpec> {
    let mut choices = vec![("auto", "Automatic")];
    choices.extend(engines::all().iter().map(|e| {
        let d = e.description();
        (d.id, d.label)
    }));
    vec![
        ParamSpec {
            name: "engine",
            label: "Engine",
            help: "What fills the hole. Automatic chooses by the hole and by what is installed.",
            kind: ParamKind::Choice(choices),
            default: "auto",
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
    ]
}

/// Every parameter that some engine knows: the common ones first.
pub fn all_params() -> Vec<ParamSpec> {
    let mut all = common_params();
    for engine in engines::all() {
        for p in engine.description().params {
            if !all.iter().any(|have| have.name == p.name) {
                all.push(p);
            }
        }
    }
    all
}

/// A fill's parameters. What is not set has its default.
#[derive(Clone, Debug, Default)]
pub struct Request {
    values: Values,
    source: Option<RunMask>,
}

impl Request {
    /// A request with every parameter at its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the parameter `name` from its text form; [`crate::Inpainter::describe`] lists them.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`] for an unknown name (with the nearest right one) or a value that is
    /// not accepted; the request stays as it was.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let all = all_params();
        if let Some(spec) = all.iter().find(|s| s.name == name) {
            if name == "engine" && value != "auto" {
                engines::find(&engines::all(), value)?;
            }
            self.values.insert(spec.name, spec.parse(value)?);
            return Ok(());
        }
        let names: Vec<_> = all.iter().map(|s| s.name).collect();
        Err(Error::new(
            ErrorKind::Parameter,
            format!(
                "unknown parameter '{name}'{}; there are {}",
                did_you_mean(name, &names),
                names.join(", ")
            ),
        ))
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

    /// The values that were set.
    pub(crate) fn values(&self) -> &Values {
        &self.values
    }

    fn get(&self, name: &str) -> Result<Value> {
        if let Some(v) = self.values.get(name) {
            return Ok(v.clone());
        }
        match all_params().iter().find(|s| s.name == name) {
            Some(spec) => spec.parse(spec.default),
            None => Err(Error::new(
                ErrorKind::Internal,
                format!("no parameter '{name}'"),
            )),
        }
    }

    pub(crate) fn integer(&self, name: &str) -> Result<i64> {
        match self.get(name)? {
            Value::Integer(v) => Ok(v),
            _ => Err(Error::new(
                ErrorKind::Internal,
                format!("'{name}' is no integer"),
            )),
        }
    }

    pub(crate) fn text(&self, name: &str) -> Result<String> {
        match self.get(name)? {
            Value::Text(v) => Ok(v),
            _ => Err(Error::new(
                ErrorKind::Internal,
                format!("'{name}' is no text"),
            )),
        }
    }

    pub(crate) fn extent(&self, name: &str) -> Result<Extent> {
        match self.get(name)? {
            Value::Extent(v) => Ok(v),
            _ => Err(Error::new(
                ErrorKind::Internal,
                format!("'{name}' is no extent"),
            )),
        }
    }
}
