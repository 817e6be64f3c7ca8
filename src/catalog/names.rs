//! Names that may become paths.
//!
//! A catalogue or a manifest may come from anywhere, and the models folder may be carried from one
//! system to another. So a name must be harmless on every system, not only on this one.
#![forbid(unsafe_code)]

use crate::error::{Error, ErrorKind, Result};

/// The longest id.
const ID: usize = 64;
/// The longest part of a path, and the most parts.
const PART: usize = 128;
const DEPTH: usize = 4;

/// Checks an id: 1 to 64 of `a-z`, `0-9`, `-`, `_` and `.`, the first a letter or a digit.
///
/// # Errors
/// [`ErrorKind::Argument`].
pub fn check_id(id: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    let starts = id.chars().next().is_some_and(char::is_alphanumeric);
    if id.len() > ID || !starts || !id.chars().all(plain) || part_fault(id).is_some() {
        return Err(Error::new(
            ErrorKind::Argument,
            format!(
                "'{}' is not an id of a model; an id has 1 to {ID} lower-case letters, digits, \
                 '-', '_' and '.', begins with a letter or a digit and is not the name of a device",
                shown(id)
            ),
        ));
    }
    Ok(())
}

/// Checks the name of a file inside a model: parts with `/` between them, each harmless on every
/// system; what Mend keeps there itself is taken.
///
/// # Errors
/// [`ErrorKind::Model`].
pub fn check_path(path: &str) -> Result<()> {
    let fault = if path.is_empty() || path.split('/').count() > DEPTH {
        Some("has no name or too many folders")
    } else {
        path.split('/').find_map(part_fault).or_else(|| {
            let lower = path.to_ascii_lowercase();
            let taken = lower == "mend-model.json" || lower == "mend-fetch.json";
            (taken || lower.ends_with(".part")).then_some("is a name that Mend uses itself")
        })
    };
    match fault {
        None => Ok(()),
        Some(fault) => Err(Error::new(
            ErrorKind::Model,
            format!(
                "the file name '{}' {fault}; it could leave the models folder or do harm there, so \
                 it is refused: take the model from where it was published",
                shown(path)
            ),
        )),
    }
}

/// What is wrong with one part of a path.
fn part_fault(part: &str) -> Option<&'static str> {
    if part.is_empty() || part.len() > PART {
        return Some("has an empty or an overlong part");
    }
    if part == ".." || part.starts_with('.') {
        return Some("has a part that begins with a dot");
    }
    if part.ends_with(['.', ' ']) || part.starts_with(' ') {
        return Some("has a part with a blank at its ends or a dot at its end");
    }
    let odd = |c: char| !(c.is_ascii_graphic() || c == ' ') || "\\:*?\"<>|".contains(c);
    if part.chars().any(odd) {
        return Some("has a character that not every system allows");
    }
    // Windows takes these with any extension, too, and with blanks before it.
    let stem = part.split('.').next().unwrap_or(part).trim_end();
    let stem = stem.to_ascii_lowercase();
    let device = matches!(
        stem.as_str(),
        "con" | "prn" | "aux" | "nul" | "conin$" | "conout$" | "clock$"
    );
    let port = stem
        .strip_prefix("com")
        .or_else(|| stem.strip_prefix("lpt"))
        .is_some_and(|n| n.len() == 1 && n.chars().all(|c| c.is_ascii_digit()));
    (device || port).then_some("has a part that is a device on Windows")
}

/// An id out of a file's name: `SD 1.5 Inpaint.safetensors` gives `sd-1.5-inpaint`.
pub(super) fn id_from(name: &str) -> String {
    let mut id = String::new();
    for c in name.chars().flat_map(char::to_lowercase).take(ID) {
        if c.is_ascii_alphanumeric() || c == '.' || c == '_' {
            id.push(c);
        } else if !id.ends_with('-') {
            id.push('-');
        }
    }
    id.trim_matches(['-', '.', '_']).to_owned()
}

/// A name from outside, fit for a message.
pub(super) fn shown(name: &str) -> String {
    let clean = name.chars().take(120);
    clean
        .flat_map(|c| {
            let escaped = c.is_control() || !c.is_ascii() && !c.is_alphanumeric();
            let text = if escaped {
                c.escape_unicode().to_string()
            } else {
                c.to_string()
            };
            text.chars().collect::<Vec<_>>()
        })
        .collect()
}
