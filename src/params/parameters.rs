//! A fill's parameters, read by the descriptions of the engine that runs.
#![forbid(unsafe_code)]

use super::{Extent, ParamSpec, Value};
use crate::error::{Error, ErrorKind, Result};
use std::collections::{BTreeMap, BTreeSet};

/// The values of parameters by name. What was not set has its default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    values: BTreeMap<&'static str, Value>,
    /// Those that were set, if to their defaults.
    set: BTreeSet<&'static str>,
}

impl Parameters {
    /// Those of `specs`, each at its default.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`] for a description that refuses its own default.
    pub fn defaults(specs: &[ParamSpec]) -> Result<Self> {
        let mut all = Self::default();
        all.add(specs, |_| None, ParamSpec::parse)?;
        Ok(all)
    }

    /// Adds those of `specs`: what `set` gives for a name, through `parse`, or the default.
    ///
    /// # Errors
    /// Those of `parse`; as [`Self::defaults`].
    pub fn add<'a>(
        &mut self,
        specs: &[ParamSpec],
        set: impl Fn(&str) -> Option<&'a str>,
        parse: impl Fn(&ParamSpec, &str) -> Result<Value>,
    ) -> Result<()> {
        for spec in specs {
            let value = match set(spec.name) {
                Some(text) => {
                    self.set.insert(spec.name);
                    parse(spec, text)?
                }
                None => spec.parse(spec.default)?,
            };
            self.values.insert(spec.name, value);
        }
        Ok(())
    }

    /// Whether it was set, if to its default.
    pub fn was_set(&self, name: &str) -> bool {
        self.set.contains(name)
    }

    /// A text, or the id of a choice.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] for a parameter that was not described, or as another type, here and
    /// below.
    pub fn text(&self, name: &str) -> Result<&str> {
        match self.values.get(name) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(misread(name)),
        }
    }

    /// A number.
    pub fn number(&self, name: &str) -> Result<f64> {
        match self.values.get(name) {
            Some(Value::Number(number)) => Ok(*number),
            _ => Err(misread(name)),
        }
    }

    /// A whole number that fits `N`.
    pub fn integer<N: TryFrom<i64>>(&self, name: &str) -> Result<N> {
        match self.values.get(name) {
            Some(Value::Integer(n)) => N::try_from(*n).map_err(|_| misread(name)),
            _ => Err(misread(name)),
        }
    }

    /// A length around a hole.
    pub fn extent(&self, name: &str) -> Result<Extent> {
        match self.values.get(name) {
            Some(Value::Extent(extent)) => Ok(*extent),
            _ => Err(misread(name)),
        }
    }

    /// The value that belongs to the id of a choice, of a table of ids and values.
    pub fn choice<T: Copy>(&self, name: &str, table: &[(&str, T)]) -> Result<T> {
        let id = self.text(name)?;
        let found = table.iter().find(|(own, _)| *own == id);
        found.map(|(_, value)| *value).ok_or_else(|| misread(name))
    }
}

/// A parameter's value is of another type than described, or none that it may have.
fn misread(name: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("a defect in Mend: parameter '{name}' is not as described"),
    )
}
