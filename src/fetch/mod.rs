//! Fetching models: the only part of Mend that uses the network, and only when it is asked to. Floor 4.
//!
//! It is there with the feature `fetch`, which is on by default, so that the library that plug-ins load can
//! fetch. A program that brings its own models, or may not touch the network, leaves it out
//! (`default-features = false`), and with it TLS and HTTP.
//!
//! Each file is written to `NAME.part` and renamed when its size and SHA-256 are right; what is there goes on
//! where it stopped, in this process or the next. Proxies come from the environment (`HTTPS_PROXY`,
//! `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`), a mirror from [`Manners::from`] or `MEND_MODELS_URL`.
//!
//! ```no_run
//! use mend::catalog::{Store, known, models_folder};
//! use mend::fetch::{Fetch, Manners, Quiet};
//! let (models, manners) = (known(), Manners::default());
//! let store = Store::new(models_folder().expect("a home"));
//! let fetch = Fetch::new(&models[0], &manners)?;
//! println!("from {}", fetch.source());
//! fetch.run(&store, &mut Quiet, &mend::Cancel::new())?;
//! # Ok::<(), mend::Error>(())
//! ```
#![forbid(unsafe_code)]

mod http;
mod model;
mod transfer;
mod url;

pub use model::{Fetch, find};

use std::time::Duration;

/// How to fetch.
#[derive(Clone, Debug)]
pub struct Manners {
    /// A mirror, whose address replaces the scheme and the host of the model's own; the paths are the same.
    /// `None` takes the one in the environment variable `MEND_MODELS_URL`, if any.
    pub from: Option<String>,
    /// Tries in a row that bring nothing, at least 1.
    pub tries: u32,
    /// Before the second try; doubled before each further one, up to two minutes.
    pub wait: Duration,
    /// The longest silence after which a connection counts as lost.
    pub timeout: Duration,
    /// How errors name what to do.
    pub words: Words,
}

impl Default for Manners {
    /// Five tries, a second before the second, a minute of silence.
    fn default() -> Self {
        Self {
            from: None,
            tries: 5,
            wait: Duration::from_secs(1),
            timeout: Duration::from_secs(60),
            words: Words::default(),
        }
    }
}

/// How errors name what a user can do, which differs from one surface to another. Each goes on a sentence.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// What goes on with a fetch: "the same command".
    pub again: &'static str,
    /// "use another mirror".
    pub mirror: &'static str,
    /// "import its file".
    pub import: &'static str,
    /// A sentence on models that the catalogue does not have.
    pub elsewhere: &'static str,
    /// What takes a model away that is in the way; "{id}" stands for its id.
    pub remove: &'static str,
    /// "use another models folder".
    pub folder: &'static str,
}

impl Default for Words {
    fn default() -> Self {
        Self {
            again: "the next fetch",
            mirror: "name another mirror in MEND_MODELS_URL",
            import: "import its file",
            elsewhere: "A model from elsewhere can be imported",
            remove: "remove it first",
            folder: "name another models folder in MEND_MODELS",
        }
    }
}

/// Is told how far a fetch is, on the thread that called [`Fetch::run`].
pub trait Watch {
    /// This file of the model is worked on now.
    fn file(&mut self, name: &str);
    /// So many bytes more are to be fetched than the catalogue knew of.
    fn more(&mut self, bytes: u64);
    /// So many bytes were there already.
    fn there(&mut self, bytes: u64);
    /// So many bytes have to be fetched again.
    fn back(&mut self, bytes: u64);
    /// So many bytes came.
    fn add(&mut self, bytes: u64);
    /// Called some twenty times a second while nothing comes.
    fn wait(&mut self) {}
    /// Something went wrong, and it is tried again.
    fn note(&mut self, _text: &str) {}
}

/// For a caller who wants to know nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Watch for Quiet {
    fn file(&mut self, _: &str) {}
    fn more(&mut self, _: u64) {}
    fn there(&mut self, _: u64) {}
    fn back(&mut self, _: u64) {}
    fn add(&mut self, _: u64) {}
}
