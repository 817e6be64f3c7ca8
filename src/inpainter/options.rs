//! What an inpainter may use: threads, memory, the folder of models.
#![forbid(unsafe_code)]

use crate::error::{Error, ErrorKind, Result};
use crate::params::{ParamKind, ParamSpec, Value, did_you_mean};
use std::path::PathBuf;

/// What an inpainter may use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Threads; 0 takes as many as the process may use.
    pub threads: usize,
    /// Most bytes that a call may take over what the process holds at its start; `None`: no bound.
    pub max_memory: Option<u64>,
    /// Folder of model files; `None`: the user's own.
    pub models: Option<PathBuf>,
    /// A catalogue of models that can be fetched besides the known ones; `None`: what `MEND_CATALOG` names.
    pub catalog: Option<PathBuf>,
}

impl Options {
    /// The folder of model files, which need not exist: the one that was set, else `MEND_MODELS`, else
    /// `mend/models` where the system keeps a user's data. `None` where there is no such place.
    pub fn models_folder(&self) -> Option<PathBuf> {
        self.models.clone().or_else(crate::catalog::models_folder)
    }

    /// The options that [`Self::set`] knows.
    pub fn params() -> Vec<ParamSpec> {
        vec![
            ParamSpec {
                name: "threads",
                label: "Threads",
                help: "How many threads a fill runs on; 0 uses as many as there are processors.",
                kind: ParamKind::Integer { min: 0, max: 1024 },
                default: "0",
            },
            ParamSpec {
                name: "max-memory",
                label: "Most memory",
                help: "The most memory that a fill may take: bytes, or a number with a unit such \
                       as 1500M or 2G; 0 sets no limit.",
                kind: ParamKind::Bytes,
                default: "0",
            },
            ParamSpec {
                name: "models",
                label: "Models folder",
                help: "The folder with the model files; if empty, the user's own.",
                kind: ParamKind::Text,
                default: "",
            },
            ParamSpec {
                name: "catalog",
                label: "Catalogue",
                help: "A file with a catalogue of models that can be fetched besides the known ones; if \
                       empty, the one that MEND_CATALOG names, if any.",
                kind: ParamKind::Text,
                default: "",
            },
        ]
    }

    /// Sets the option `name` from its text form.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`] for an unknown name (with the nearest right one) or a value that is
    /// not accepted; the options stay as they were.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let all = Self::params();
        let Some(spec) = all.iter().find(|s| s.name == name) else {
            let names: Vec<_> = all.iter().map(|s| s.name).collect();
            return Err(Error::new(
                ErrorKind::Parameter,
                format!(
                    "unknown option '{name}'{}; there are {}",
                    did_you_mean(name, &names),
                    names.join(", ")
                ),
            ));
        };
        match (name, spec.parse(value)?) {
            ("threads", Value::Integer(n)) => self.threads = n as usize,
            ("max-memory", Value::Bytes(n)) => self.max_memory = (n > 0).then_some(n),
            // The untrimmed text: a folder's name may end in a space.
            ("models", Value::Text(_)) => {
                self.models = (!value.is_empty()).then(|| PathBuf::from(value));
            }
            ("catalog", Value::Text(_)) => {
                self.catalog = (!value.is_empty()).then(|| PathBuf::from(value));
            }
            _ => {
                return Err(Error::new(
                    ErrorKind::Internal,
                    format!("option '{name}' is described but cannot be set"),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_described_option_takes_its_default() {
        let mut options = Options::default();
        for p in Options::params() {
            assert_eq!(options.set(p.name, p.default), Ok(()), "{}", p.name);
        }
        assert_eq!(options, Options::default());
    }

    #[test]
    fn a_refused_option_changes_nothing_and_names_the_right_one() {
        let mut options = Options::default();
        options.set("threads", "3").unwrap();
        options.set("max-memory", "1G").unwrap();
        let before = options.clone();
        for (name, value, said) in [
            ("threads", "1025", "from 0 to 1024"),
            ("threads", "-1", "from 0 to 1024"),
            ("max-memory", "lots", "1.5G"),
            ("max_memory", "1G", "did you mean 'max-memory'?"),
            ("thread", "1", "did you mean 'threads'?"),
        ] {
            let e = options.set(name, value).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::Parameter);
            assert!(e.message().contains(said), "{e}");
            assert_eq!(options, before);
        }
    }
}
