//! What an engine's parameters were set to.
#![forbid(unsafe_code)]

use super::Values;
use crate::error::{Error, ErrorKind, Result};
use crate::params::{ParamKind, ParamSpec, Value};

/// The values of a fill by name, of which what was not set has its default.
pub struct Given<'a> {
    values: &'a Values,
    specs: Vec<ParamSpec>,
}

impl<'a> Given<'a> {
    /// Of an engine that describes its parameters so.
    pub fn new(values: &'a Values, specs: Vec<ParamSpec>) -> Self {
        Self { values, specs }
    }

    fn get(&self, name: &str) -> Result<Value> {
        let spec = self.specs.iter().find(|spec| spec.name == name);
        match (self.values.get(name), spec) {
            (Some(value), _) => Ok(value.clone()),
            (None, Some(spec)) => spec.parse(spec.default),
            (None, None) => Err(misread(name)),
        }
    }

    /// A text, or the id of a choice.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] for a value of another type than described, here and below.
    pub fn text(&self, name: &str) -> Result<String> {
        match self.get(name)? {
            Value::Text(text) => Ok(text),
            _ => Err(misread(name)),
        }
    }

    /// A number.
    pub fn number(&self, name: &str) -> Result<f64> {
        match self.get(name)? {
            Value::Number(number) => Ok(number),
            _ => Err(misread(name)),
        }
    }

    /// A whole number that is not negative.
    pub fn count(&self, name: &str) -> Result<usize> {
        match self.get(name)? {
            Value::Integer(n) => usize::try_from(n).map_err(|_| misread(name)),
            _ => Err(misread(name)),
        }
    }
}

/// A parameter's value is of another type than described, or none that it may have.
pub fn misread(name: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("a defect in Mend: parameter '{name}' is not as described"),
    )
}

/// The parameter that names the model of an engine that has several.
pub fn model() -> ParamSpec {
    ParamSpec {
        name: "model",
        label: "Model",
        help: "A model: its name in the models folder, or its path. Empty takes the first of \
               the engine's in the models folder.",
        kind: ParamKind::Text,
        default: "",
    }
}
