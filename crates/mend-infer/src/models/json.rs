//! A `config.json`, key by key: what is wrong is told with the file's name and the key's.
#![forbid(unsafe_code)]

use crate::error::{Error, ErrorKind, Result};
use serde_json::Value;
use std::ops::RangeInclusive;

/// A configuration's object.
pub(super) struct Json<'a> {
    file: &'a str,
    value: Value,
}

impl<'a> Json<'a> {
    /// The object in `text`; `file` is named in messages.
    pub fn parse(file: &'a str, text: &str) -> Result<Self> {
        match crate::json::parse(text) {
            Ok(value @ Value::Object(_)) => Ok(Self { file, value }),
            Ok(_) => Err(fault(file, "is not a JSON object; download the file again")),
            Err(e) => Err(fault(
                file,
                format!("is damaged ({e}); download the file again"),
            )),
        }
    }

    /// What is under `key`, which may be missing or null.
    fn get(&self, key: &str) -> Option<&Value> {
        self.value.get(key).filter(|v| !v.is_null())
    }

    /// An error about `key`.
    pub fn wrong(&self, key: &str, expected: impl std::fmt::Display) -> Error {
        let found = self.get(key).map_or("nothing".into(), Value::to_string);
        let mut short: String = found.chars().take(120).collect();
        if short.len() < found.len() {
            short.push('…');
        }
        fault(
            self.file,
            format!(
                "'{key}' is {short}, expected {expected}; the file is damaged or belongs to a \
                 model that Mend does not know"
            ),
        )
    }

    /// A whole number; `default` where there is none.
    pub fn number(&self, key: &str, default: usize, range: RangeInclusive<usize>) -> Result<usize> {
        match self.get(key) {
            None => Ok(default),
            Some(v) => self.in_range(key, v, &range),
        }
    }

    /// A whole number, or none.
    pub fn maybe(&self, key: &str, range: RangeInclusive<usize>) -> Result<Option<usize>> {
        self.get(key)
            .map(|v| self.in_range(key, v, &range))
            .transpose()
    }

    fn in_range(&self, key: &str, v: &Value, range: &RangeInclusive<usize>) -> Result<usize> {
        v.as_u64()
            .and_then(|v| usize::try_from(v).ok())
            .filter(|v| range.contains(v))
            .ok_or_else(|| {
                let expected = format!("{} to {}", range.start(), range.end());
                self.wrong(key, expected)
            })
    }

    /// A number for each of `count` levels: a list, or one number for all.
    pub fn levels(
        &self,
        key: &str,
        default: usize,
        count: usize,
        range: RangeInclusive<usize>,
    ) -> Result<Vec<usize>> {
        match self.get(key) {
            None => Ok(vec![default; count]),
            Some(Value::Array(list)) if list.len() == count => {
                list.iter().map(|v| self.in_range(key, v, &range)).collect()
            }
            Some(Value::Array(_)) => Err(self.wrong(key, format!("one number or {count}"))),
            Some(v) => Ok(vec![self.in_range(key, v, &range)?; count]),
        }
    }

    /// As [`Self::levels`], or none.
    pub fn maybe_levels(
        &self,
        key: &str,
        count: usize,
        range: RangeInclusive<usize>,
    ) -> Result<Option<Vec<usize>>> {
        let found = self.get(key).is_some();
        found.then(|| self.levels(key, 0, count, range)).transpose()
    }

    /// Whether there is a list under `key`.
    pub fn is_list(&self, key: &str) -> bool {
        self.get(key).is_some_and(Value::is_array)
    }

    /// A list of whole numbers, which must be there.
    pub fn list(
        &self,
        key: &str,
        length: RangeInclusive<usize>,
        range: RangeInclusive<usize>,
    ) -> Result<Vec<usize>> {
        match self.get(key) {
            Some(Value::Array(list)) if length.contains(&list.len()) => {
                list.iter().map(|v| self.in_range(key, v, &range)).collect()
            }
            _ => Err(self.wrong(
                key,
                format!("a list of {} to {} numbers", length.start(), length.end()),
            )),
        }
    }

    /// A list of `count` names, each turned into a value; `known` are named in the message.
    pub fn names<T: Copy>(&self, key: &str, count: usize, known: &[(&str, T)]) -> Result<Vec<T>> {
        let wrong = || {
            let known: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            self.wrong(key, format!("{count} of {}", known.join(", ")))
        };
        let Some(Value::Array(list)) = self.get(key) else {
            return Err(wrong());
        };
        if list.len() != count {
            return Err(wrong());
        }
        list.iter()
            .map(|v| {
                let found = known.iter().find(|(name, _)| v.as_str() == Some(name));
                found.map(|(_, value)| *value).ok_or_else(wrong)
            })
            .collect()
    }

    /// A name, turned into a value; `known` are named in the message.
    pub fn choice<T: Copy>(&self, key: &str, default: T, known: &[(&str, T)]) -> Result<T> {
        let Some(found) = self.get(key) else {
            return Ok(default);
        };
        let value = known.iter().find(|(name, _)| found.as_str() == Some(name));
        value.map(|(_, value)| *value).ok_or_else(|| {
            let known: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            self.wrong(key, known.join(" or "))
        })
    }

    /// A number with a fraction.
    pub fn real(&self, key: &str, default: f64, range: RangeInclusive<f64>) -> Result<f64> {
        match self.get(key) {
            None => Ok(default),
            Some(v) => v.as_f64().filter(|v| range.contains(v)).ok_or_else(|| {
                let expected = format!("{} to {}", range.start(), range.end());
                self.wrong(key, expected)
            }),
        }
    }

    /// Yes or no.
    pub fn flag(&self, key: &str, default: bool) -> Result<bool> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::Bool(v)) => Ok(*v),
            Some(_) => Err(self.wrong(key, "true or false")),
        }
    }

    /// A key that changes the network in a way that is not built: it must be absent, null or one of
    /// `fine`, which are JSON.
    pub fn only(&self, key: &str, fine: &[&str]) -> Result<()> {
        let Some(found) = self.get(key) else {
            return Ok(());
        };
        let same = |text: &&str| match serde_json::from_str::<Value>(text) {
            Ok(Value::Number(n)) => n.as_f64() == found.as_f64(),
            Ok(value) => value == *found,
            Err(_) => false,
        };
        if fine.iter().any(same) {
            return Ok(());
        }
        let mut fine = fine.to_vec();
        fine.push("null");
        Err(self.wrong(key, fine.join(" or ")))
    }
}

fn fault(file: &str, what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Model, format!("{file}: {what}"))
}
