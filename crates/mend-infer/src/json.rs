//! JSON as Python writes it: with `NaN`, `Infinity` and `-Infinity`, which the standard does not have and
//! `json.dumps` writes all the same. diffusers' configurations have them.
#![forbid(unsafe_code)]

use serde::de::DeserializeOwned;
use std::borrow::Cow;

/// The words, each with the text that stands for it in what [`parse`] gives.
const WORDS: [(&str, &str); 3] = [
    ("-Infinity", "\"-Infinity\""),
    ("Infinity", "\"Infinity\""),
    ("NaN", "\"NaN\""),
];

/// Reads JSON in which Python's three words may stand where a number is expected. Each becomes a text of
/// that name: whoever needs a number there finds none, and says under which key.
///
/// # Errors
/// Those of the JSON reader, with the line.
pub fn parse<T: DeserializeOwned>(text: impl AsRef<[u8]>) -> serde_json::Result<T> {
    let text = text.as_ref();
    serde_json::from_slice(text).or_else(|e| match quoted(text) {
        Cow::Borrowed(_) => Err(e),
        Cow::Owned(text) => serde_json::from_slice(&text),
    })
}

/// Whether it is such JSON, whatever it says.
///
/// # Errors
/// Those of the JSON reader, with the line.
pub fn check(text: impl AsRef<[u8]>) -> serde_json::Result<()> {
    parse::<serde::de::IgnoredAny>(text).map(drop)
}

/// The text with quotes around the words that stand outside of texts.
fn quoted(text: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Vec<u8> = Vec::new();
    let (mut inside, mut copied, mut i) = (false, 0, 0);
    while i < text.len() {
        match text[i] {
            b'\\' if inside => i += 1,
            b'"' => inside = !inside,
            b'-' | b'I' | b'N' if !inside => {
                let here = &text[i..];
                let word = WORDS
                    .iter()
                    .find(|(word, _)| here.starts_with(word.as_bytes()));
                if let Some((word, instead)) = word {
                    out.extend_from_slice(&text[copied..i]);
                    out.extend_from_slice(instead.as_bytes());
                    i += word.len();
                    copied = i;
                    continue;
                }
            }
            _ => {}
        }
        i += 1;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.extend_from_slice(&text[copied..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn pythons_words_are_texts_where_numbers_would_be() {
        for (text, value) in [
            (
                r#"{"a": -Infinity, "b": [Infinity,NaN]}"#,
                json!({"a": "-Infinity", "b": ["Infinity", "NaN"]}),
            ),
            (r#"NaN"#, json!("NaN")),
            // In texts they stay what they are, behind escaped quotes too.
            (
                r#"{"NaN": "-Infinity \" NaN", "b\\": NaN}"#,
                json!({"NaN": "-Infinity \" NaN", "b\\": "NaN"}),
            ),
            (r#"{"a": -1.5}"#, json!({"a": -1.5})),
        ] {
            assert_eq!(parse::<Value>(text).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn what_python_does_not_read_either_is_refused() {
        for text in [
            "",
            "-NaN",
            "1Infinity",
            "NaN1",
            "nan",
            "--Infinity",
            r#"{NaN: 1}x"#,
            r#"{"a": NaN"#,
            "\"NaN",
            "\\",
        ] {
            assert!(parse::<Value>(text).is_err(), "{text}");
        }
    }
}
