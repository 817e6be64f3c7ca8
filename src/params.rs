//! Parameters as data: names, types, ranges, defaults and help, from which the C API, the command
//! line and the hosts' dialogs are drawn.
#![forbid(unsafe_code)]

mod parameters;
mod sides;

pub(crate) use parameters::Parameters;
pub use sides::Sides;

use crate::error::{Error, ErrorKind, Result};
use serde_json::{Value as Json, json};

/// What values a parameter takes.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamKind {
    /// A whole number, `min ..= max`.
    Integer {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// A real number, `min ..= max`.
    Number {
        /// Smallest value.
        min: f64,
        /// Largest value.
        max: f64,
    },
    /// Any text.
    Text,
    /// One of these, each an id and a label for people.
    Choice(Vec<(&'static str, &'static str)>),
    /// A length: `auto`, pixels (`64`), or a share of the hole's longer side (`50%`).
    Extent {
        /// Most pixels.
        max_pixels: u32,
        /// Largest share, in percent.
        max_percent: f64,
    },
    /// A length for each side of the picture, see [`Sides`]: one for all (`10%`), two for left and right and
    /// for top and bottom, four for left, top, right and bottom (`64,0,64,10%`), or by name
    /// (`left=64,bottom=10%`).
    Sides {
        /// Most pixels.
        max_pixels: u32,
        /// Largest share of the picture's own side, in percent.
        max_percent: f64,
    },
    /// An amount of memory: bytes (`1500000000`) or with a unit (`1500M`, `2G`, `1.5GiB`, `2GB`).
    Bytes,
}

/// A parsed value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of [`ParamKind::Integer`].
    Integer(i64),
    /// Of [`ParamKind::Number`].
    Number(f64),
    /// Of [`ParamKind::Text`] and [`ParamKind::Choice`].
    Text(String),
    /// Of [`ParamKind::Extent`].
    Extent(Extent),
    /// Of [`ParamKind::Sides`].
    Sides(Sides),
    /// Of [`ParamKind::Bytes`].
    Bytes(u64),
}

/// A length around a hole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Extent {
    /// The engine chooses.
    Auto,
    /// So many pixels of the image.
    Pixels(u32),
    /// This share of the longer side of the hole's bounding box; 1.0 is the whole side.
    Share(f64),
}

/// One parameter's description.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamSpec {
    /// The name in every surface: `mend_request_set`, `--NAME`, the procedures of the hosts.
    pub name: &'static str,
    /// A short label for dialogs.
    pub label: &'static str,
    /// One or two sentences for tooltips and `--help`.
    pub help: &'static str,
    /// The values it takes.
    pub kind: ParamKind,
    /// The default, in the form that [`ParamSpec::parse`] reads.
    pub default: &'static str,
}

impl ParamSpec {
    /// Reads a value in its text form.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`] that names the parameter, the value, and what is accepted.
    pub fn parse(&self, text: &str) -> Result<Value> {
        self.read(text)
            .map_err(|accepted| self.refused(text, "", &accepted))
    }

    /// As [`Self::parse`], of the parameter of the engine `engine`, which the error names.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub(crate) fn parse_for(&self, engine: &str, text: &str) -> Result<Value> {
        let with = format!(" with the engine '{engine}'");
        self.read(text)
            .map_err(|accepted| self.refused(text, &with, &accepted))
    }

    /// The error for a value that is not accepted.
    pub(crate) fn refused(&self, text: &str, with: &str, accepted: &str) -> Error {
        let (name, text) = (self.name, text.trim());
        Error::new(
            ErrorKind::Parameter,
            format!("parameter '{name}' cannot be '{text}'{with}: give {accepted}"),
        )
    }

    /// Reads a value in its text form, or says what is accepted.
    ///
    /// # Errors
    /// Words for a sentence that ends in "give …".
    pub(crate) fn read(&self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        match &self.kind {
            ParamKind::Integer { min, max } => match text.parse::<i64>() {
                Ok(v) if (*min..=*max).contains(&v) => Ok(Value::Integer(v)),
                _ => Err(format!("a whole number from {min} to {max}")),
            },
            ParamKind::Number { min, max } => match text.parse::<f64>() {
                Ok(v) if (*min..=*max).contains(&v) => Ok(Value::Number(v)),
                _ => Err(format!("a number from {min} to {max}")),
            },
            ParamKind::Text => Ok(Value::Text(text.to_owned())),
            ParamKind::Choice(choices) => read_choice(choices, text),
            ParamKind::Extent {
                max_pixels,
                max_percent,
            } => read_extent(text, *max_pixels, *max_percent).map(Value::Extent),
            ParamKind::Sides {
                max_pixels,
                max_percent,
            } => Sides::read(text, *max_pixels, *max_percent).map(Value::Sides),
            ParamKind::Bytes => parse_bytes(text)
                .map(Value::Bytes)
                .ok_or_else(|| "bytes, or a number with a unit such as 800M, 1.5G or 2GiB".into()),
        }
    }

    /// The description as JSON, the form of `mend_describe`.
    pub fn to_json(&self) -> Json {
        let mut j = json!({
            "name": self.name, "label": self.label, "help": self.help, "default": self.default,
        });
        let fields = match &self.kind {
            ParamKind::Integer { min, max } => json!({"type": "integer", "min": min, "max": max}),
            ParamKind::Number { min, max } => json!({"type": "number", "min": min, "max": max}),
            ParamKind::Text => json!({"type": "text"}),
            ParamKind::Choice(c) => json!({
                "type": "choice",
                "choices": c.iter().map(|(id, label)| json!({"id": id, "label": label}))
                    .collect::<Vec<_>>(),
            }),
            ParamKind::Extent {
                max_pixels,
                max_percent,
            } => {
                json!({"type": "extent", "max_pixels": max_pixels, "max_percent": max_percent})
            }
            ParamKind::Sides {
                max_pixels,
                max_percent,
            } => {
                json!({"type": "sides", "max_pixels": max_pixels, "max_percent": max_percent})
            }
            ParamKind::Bytes => json!({"type": "bytes"}),
        };
        if let (Json::Object(to), Json::Object(from)) = (&mut j, fields) {
            to.extend(from);
        }
        j
    }
}

/// The id of one of `choices`, or what there is.
fn read_choice(choices: &[(&str, &str)], text: &str) -> Result<Value, String> {
    if choices.iter().any(|(id, _)| *id == text) {
        return Ok(Value::Text(text.to_owned()));
    }
    let ids: Vec<_> = choices.iter().map(|(id, _)| *id).collect();
    Err(format!(
        "one of {}{}",
        ids.join(", "),
        did_you_mean(text, &ids)
    ))
}

/// A length up to these bounds, or what there is.
fn read_extent(text: &str, max_pixels: u32, max_percent: f64) -> Result<Extent, String> {
    if text == "auto" {
        return Ok(Extent::Auto);
    }
    if let Some(percent) = text.strip_suffix('%') {
        if let Ok(p) = percent.trim().parse::<f64>()
            && (0.0..=max_percent).contains(&p)
        {
            return Ok(Extent::Share(p / 100.0));
        }
    } else if let Ok(p) = text
        .strip_suffix("px")
        .unwrap_or(text)
        .trim()
        .parse::<u32>()
        && p <= max_pixels
    {
        return Ok(Extent::Pixels(p));
    }
    Err(format!(
        "auto, pixels from 0 to {max_pixels}, or a share from 0% to {max_percent}%"
    ))
}

/// Bytes from text: a number, then nothing or a unit in any case. `K`, `M`, `G`, `T` and `KiB` …
/// `TiB` are powers of 1024, `KB` … `TB` powers of 1000, as GNU tools have it. `None` for anything
/// else, and for 2^63 bytes or more.
fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kib" => 1024.0,
        "m" | "mib" => 1024.0 * 1024.0,
        "g" | "gib" => 1024.0 * 1024.0 * 1024.0,
        "t" | "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        _ => return None,
    };
    if factor == 1.0 {
        // Whole bytes only, and exactly: a double would round above 2^53.
        return number.parse::<u64>().ok().filter(|v| *v < 1 << 63);
    }
    let bytes = number.parse::<f64>().ok()? * factor;
    (bytes < (1u64 << 63) as f64).then_some(bytes as u64)
}

/// `"; did you mean 'x'?"` for the nearest candidate, or nothing where none is near.
pub fn did_you_mean(name: &str, candidates: &[&str]) -> String {
    candidates
        .iter()
        .map(|c| (edit_distance(name, c), c))
        .min()
        .filter(|(d, c)| *d <= 1 + c.len().max(name.len()) / 3)
        .map_or(String::new(), |(_, c)| format!("; did you mean '{c}'?"))
}

/// Levenshtein distance over bytes, `-` and `_` alike and case ignored.
fn edit_distance(a: &str, b: &str) -> usize {
    let fold = |s: &str| -> Vec<u8> {
        s.bytes()
            .map(|c| {
                if c == b'_' {
                    b'-'
                } else {
                    c.to_ascii_lowercase()
                }
            })
            .take(64)
            .collect()
    };
    let (a, b) = (fold(a), fold(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(ca != cb))
                .min(above + 1)
                .min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_with_units_and_nothing_else_is() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("1500000000", Some(1_500_000_000)),
            ("9007199254740993", Some(9_007_199_254_740_993)),
            ("2G", Some(2 << 30)),
            ("2 gib", Some(2 << 30)),
            ("1.5M", Some(3 << 19)),
            ("2GB", Some(2_000_000_000)),
            ("64KiB", Some(65536)),
            ("1T", Some(1 << 40)),
            ("9223372036854775807", Some((1 << 63) - 1)),
            ("9223372036854775808", None),
            ("8388608T", None),
            ("1.5", None),
            ("-1", None),
            ("", None),
            ("G", None),
            (".", None),
            ("1e9", None),
            ("inf", None),
            ("2G2", None),
            ("2 ГБ", None),
        ] {
            assert_eq!(parse_bytes(text), bytes, "{text:?}");
        }
    }
}
