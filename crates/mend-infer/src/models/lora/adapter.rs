//! What peft says of a LoRA: its `adapter_config.json`, or the same in a file's metadata, as diffusers
//! writes it.
//!
//! Source: peft 0.21.2, `tuners/lora/config.py`, `tuners/lora/layer.py` (`update_layer`) and
//! `utils/other.py` (`get_pattern_key`).
#![forbid(unsafe_code)]

use super::keys::Net;
use crate::error::{Error, ErrorKind, Result};
use crate::weights::CONFIG;
use regex::{Regex, RegexBuilder};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// The longest that is read, in bytes.
const LONGEST: u64 = 4 << 20;
/// peft's default.
const ALPHA: f64 = 8.0;
/// Patterns that are more than a layer's name or its end: each is tried for each layer.
const REGEXES: usize = 64;
/// Bytes of such a pattern once it is compiled.
const COMPILED: usize = 1 << 18;

/// How much of a LoRA is added, by layer.
#[derive(Debug, Default)]
pub struct Adapter {
    /// Of one network, or of both.
    nets: Vec<(Option<Net>, Settings)>,
}

#[derive(Debug)]
struct Settings {
    alpha: f64,
    /// The change is divided by the root of the rank.
    root: bool,
    patterns: Patterns,
}

/// Alphas of single layers, the first that fits.
#[derive(Debug, Default)]
struct Patterns {
    /// By layers' names or their ends.
    names: HashMap<String, (usize, f64)>,
    regexes: Vec<(usize, Regex, f64)>,
}

impl Adapter {
    /// The configuration beside the file of an adapter, and where it lies; `None` where there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] and [`ErrorKind::Unsupported`] naming the file and the key,
    /// [`ErrorKind::Io`].
    pub fn beside(file: &Path) -> Result<Option<(Self, PathBuf)>> {
        let path = file.with_file_name(CONFIG);
        let name = path.display();
        let about = match fs::metadata(&path) {
            Ok(about) => about,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(io(&name, &e)),
        };
        if !about.is_file() || about.len() > LONGEST {
            return Err(wrong(
                &name,
                "this is not a configuration of peft's; get it again",
            ));
        }
        let text = fs::read(&path).map_err(|e| io(&name, &e))?;
        let adapter = Self::parse(&name.to_string(), &text)?;
        Ok(Some((adapter, path)))
    }

    /// The text of an `adapter_config.json`; `file` is named in messages.
    ///
    /// # Errors
    /// As [`Self::beside`].
    pub fn parse(file: &str, text: &[u8]) -> Result<Self> {
        let Entries(entries) = read(file, text)?;
        let settings = Settings::new(file, "", &entries)?;
        Ok(Self {
            nets: vec![(None, settings)],
        })
    }

    /// A file's metadata `lora_adapter_metadata`: the same for each network, its name before each key.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn of_metadata(file: &str, text: &str) -> Result<Self> {
        let Entries(entries) = read(file, text.as_bytes())?;
        let mut nets = Vec::new();
        for (net, prefix) in [(Net::Unet, "unet."), (Net::Text, "text_encoder.")] {
            if entries.keys().any(|key| key.starts_with(prefix)) {
                nets.push((Some(net), Settings::new(file, prefix, &entries)?));
            }
        }
        Ok(Self { nets })
    }

    /// What the product of a layer's factors of `rank` is multiplied by; `layer` is its name in the
    /// network. Where nothing is said, 1.
    pub(super) fn scale(&self, net: Net, layer: &str, rank: usize) -> f64 {
        let own = |(of, _): &&(Option<Net>, Settings)| of.is_none_or(|of| of == net);
        let Some((_, settings)) = self.nets.iter().find(own) else {
            return 1.0;
        };
        let rank = rank.max(1) as f64;
        let by = if settings.root { rank.sqrt() } else { rank };
        settings.patterns.find(net, layer).unwrap_or(settings.alpha) / by
    }
}

impl Settings {
    fn new(file: &str, prefix: &str, entries: &HashMap<String, Entry>) -> Result<Self> {
        let get = |key: &str| entries.get(&format!("{prefix}{key}"));
        for (key, fine, what) in REFUSED {
            if let Some(found) = get(key)
                && !fine.contains(&found.shown().as_str())
            {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!(
                        "{file}: '{prefix}{key}' is {}: this is {what}, which Mend cannot use; take a \
                         plain LoRA for Stable Diffusion 1 or 2",
                        found.shown()
                    ),
                ));
            }
        }
        let expected = |key: &str, found: &Entry, what: &str| {
            let found = found.shown();
            wrong(
                &file,
                format!("'{prefix}{key}' is {found}, expected {what}"),
            )
        };
        let alpha = match get("lora_alpha") {
            None | Some(Entry::Null) => ALPHA,
            Some(Entry::Number(n)) => *n,
            Some(found) => return Err(expected("lora_alpha", found, "a number")),
        };
        let root = match get("use_rslora") {
            None | Some(Entry::Null) => false,
            Some(Entry::Flag(root)) => *root,
            Some(found) => return Err(expected("use_rslora", found, "true or false")),
        };
        let patterns = match get("alpha_pattern") {
            None | Some(Entry::Null) => Patterns::default(),
            Some(Entry::Pairs(pairs)) => Patterns::new(file, pairs)?,
            Some(found) => return Err(expected("alpha_pattern", found, "numbers by layer")),
        };
        Ok(Self {
            alpha,
            root,
            patterns,
        })
    }
}

/// Keys that make an adapter something else, the values with which they do not, and what it is then.
const REFUSED: [(&str, &[&str], &str); 11] = [
    ("peft_type", &["LORA", "null"], "no LoRA"),
    (
        "use_dora",
        OFF,
        "a DoRA, which also scales the weights' rows",
    ),
    ("use_qalora", OFF, "a QA-LoRA"),
    ("use_bdlora", OFF, "a block-diagonal LoRA"),
    ("lora_bias", OFF, "a LoRA with biases"),
    ("kasa_config", NONE, "a KaSA"),
    ("monteclora_config", NONE, "a MonteCLoRA"),
    (
        "arrow_config",
        NONE,
        "several LoRAs of which each input chooses",
    ),
    ("layer_replication", NONE, "a LoRA that repeats layers"),
    ("alora_invocation_tokens", NONE, "an activated LoRA"),
    // These take away from the model's weights what they begin with.
    (
        "init_lora_weights",
        &["true", "false", "null", "gaussian", "orthogonal", "eva"],
        "a LoRA beside changed weights of the model",
    ),
];
const OFF: &[&str] = &["false", "null"];
const NONE: &[&str] = &["null", "nothing"];

impl Patterns {
    fn new(file: &str, pairs: &[(String, Option<f64>)]) -> Result<Self> {
        let mut all = Self::default();
        for (i, (pattern, alpha)) in pairs.iter().enumerate() {
            let shown: String = pattern
                .chars()
                .take(80)
                .flat_map(char::escape_debug)
                .collect();
            let Some(alpha) = *alpha else {
                let what = format!("'alpha_pattern' has no number for '{shown}'");
                return Err(wrong(&file, what));
            };
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            if pattern.chars().all(plain) {
                all.names.entry(pattern.clone()).or_insert((i, alpha)).1 = alpha;
                continue;
            }
            let regex = RegexBuilder::new(&format!(r"^(?:.*\.)?(?:{pattern})$"))
                .size_limit(COMPILED)
                .build();
            match regex {
                Ok(regex) if all.regexes.len() < REGEXES => all.regexes.push((i, regex, alpha)),
                _ => {
                    let what = format!(
                        "'alpha_pattern' has '{shown}', which Mend cannot match layers with; name the \
                         layers in full"
                    );
                    return Err(Error::new(
                        ErrorKind::Unsupported,
                        format!("{file}: {what}"),
                    ));
                }
            }
        }
        Ok(all)
    }

    /// The alpha of the first pattern that a layer's name is or ends with, behind a dot.
    fn find(&self, net: Net, layer: &str) -> Option<f64> {
        // The names of transformers before version 5 and from it on.
        let old = match net {
            Net::Text if !layer.starts_with("text_model.") => Some(format!("text_model.{layer}")),
            _ => None,
        };
        let spellings = [Some(layer), old.as_deref()];
        let spellings = spellings.into_iter().flatten();
        let mut found: Option<(usize, f64)> = None;
        let mut take = |i: usize, alpha: f64| {
            if found.is_none_or(|(first, _)| i < first) {
                found = Some((i, alpha));
            }
        };
        for name in spellings {
            let ends = name.match_indices('.').map(|(dot, _)| &name[dot + 1..]);
            for end in std::iter::once(name).chain(ends) {
                if let Some((i, alpha)) = self.names.get(end) {
                    take(*i, *alpha);
                }
            }
            for (i, regex, alpha) in &self.regexes {
                if regex.is_match(name) {
                    take(*i, *alpha);
                }
            }
        }
        found.map(|(_, alpha)| alpha)
    }
}

fn wrong(file: &dyn fmt::Display, what: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Model, format!("{file}: {what}"))
}

fn io(file: &dyn fmt::Display, e: &std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("{file} cannot be read: {e}"))
}

fn read(file: &str, text: &[u8]) -> Result<Entries> {
    crate::json::parse(text).map_err(|e| {
        wrong(
            &file,
            format!("what peft says of the LoRA is damaged ({e}); get the file again"),
        )
    })
}

/// What stands under a key, as far as it matters here.
#[derive(Debug, PartialEq)]
enum Entry {
    Null,
    Flag(bool),
    Number(f64),
    Text(String),
    /// An object: the numbers in it by key, in order.
    Pairs(Vec<(String, Option<f64>)>),
    List,
}

impl Entry {
    /// For a message, and to compare with.
    fn shown(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Flag(flag) => flag.to_string(),
            Self::Number(n) => n.to_string(),
            Self::Text(text) => text.chars().take(40).flat_map(char::escape_debug).collect(),
            Self::Pairs(all) if all.is_empty() => "nothing".into(),
            Self::Pairs(_) => "an object".into(),
            Self::List => "a list".into(),
        }
    }
}

/// A configuration's keys, at any network's.
struct Entries(HashMap<String, Entry>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut all = HashMap::new();
        let own = ["lora_alpha", "use_rslora", "alpha_pattern"];
        while let Some(key) = map.next_key::<String>()? {
            let last = key.rsplit('.').next().unwrap_or("");
            if own.contains(&last) || REFUSED.iter().any(|(key, ..)| *key == last) {
                all.insert(key, map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Entries(all))
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Entry, E> {
        Ok(Entry::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Entry, E> {
        Ok(Entry::Flag(flag))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Entry, E> {
        Ok(Entry::Number(n as f64))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Entry, E> {
        Ok(Entry::Number(n as f64))
    }

    fn visit_f64<E>(self, n: f64) -> Result<Entry, E> {
        Ok(Entry::Number(n))
    }

    fn visit_str<E>(self, text: &str) -> Result<Entry, E> {
        Ok(Entry::Text(text.chars().take(64).collect()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Entry, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Entry::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let mut pairs = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let number = match map.next_value()? {
                Entry::Number(n) => Some(n),
                _ => None,
            };
            pairs.push((key, number));
        }
        Ok(Entry::Pairs(pairs))
    }
}
