//! A fill by a model that is ended before it came to anything, see [`Cancel::finish`]: an engine that needs
//! no model fills in its place.
#![forbid(unsafe_code)]

use super::scaled::Filler;
use crate::engines::{self, Engine, OpenOptions, Opened, Run};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Needs;
use crate::progress::Cancel;
use crate::request::Request;
use std::sync::Arc;

/// The engine that needs no model, opened.
pub(super) struct InBox {
    id: &'static str,
    label: &'static str,
    engine: Box<dyn Opened>,
    needs: Needs,
}

impl InBox {
    /// Of these engines that which is taken where nobody chooses one.
    ///
    /// # Errors
    /// Those of [`Engine::open`].
    pub fn open(engines: &[Arc<dyn Engine>]) -> Result<Self> {
        let choice = engines::choose(engines, None, None);
        let engine = choice.ok_or_else(Error::cancelled)?.engine;
        let about = engine.description();
        let opened = engine.open(&OpenOptions {
            parameters: &Request::new().parameters(&about)?,
            models: None,
        })?;
        Ok(Self {
            id: about.id,
            label: about.label,
            needs: opened.needs(),
            engine: opened,
        })
    }

    /// To fill by.
    pub fn filler(&self) -> Filler<'_> {
        Filler {
            id: self.id,
            engine: self.engine.as_ref(),
            needs: &self.needs,
        }
    }

    /// Notes that this engine takes the other's place.
    pub fn tell(&self, other: &str, run: &mut Run<'_>) {
        (run.note)(format!(
            "ended early, as was asked: before {other} had done a step, so that this is a fill by {} ({})",
            self.label, self.id
        ));
    }
}

/// Whether an engine that failed with `e` only did as it was asked.
pub(super) fn as_asked(e: &Error, cancel: &Cancel) -> bool {
    e.kind() == ErrorKind::Cancelled && cancel.is_finishing() && !cancel.is_cancelled()
}
