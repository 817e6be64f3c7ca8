//! The engines: each fills one RGB crop and knows nothing of hosts, files or pixel formats. Floor 4.
//!
//! A new engine is one file here and one line in [`all`].
#![forbid(unsafe_code)]

mod exemplar;

use crate::error::{Error, ErrorKind, Result};
use crate::params::{ParamSpec, Value};
use crate::pixels::{Plane, RgbImage};
use crate::plan::{Costs, Needs};
use crate::progress::Cancel;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every engine of this build, the default first.
pub fn all() -> Vec<Arc<dyn Engine>> {
    vec![Arc::new(exemplar::Exemplar)]
}

/// What `mend_describe` says of an engine.
#[derive(Clone, Debug)]
pub struct EngineDescription {
    /// The name in every surface.
    pub id: &'static str,
    /// A short label for dialogs.
    pub label: &'static str,
    /// One or two sentences: what it is good at, what it needs.
    pub summary: &'static str,
    /// The parameters that only some engines have.
    pub params: Vec<ParamSpec>,
}

/// One region's pixels, as an engine gets them.
pub struct Crop<'a> {
    /// The picture; the hole's pixels carry a smooth guess, never the content to be removed.
    pub image: &'a RgbImage,
    /// 1 where a pixel is to be filled.
    pub hole: &'a Plane<u8>,
    /// 1 where a known pixel may be sampled from; 0 in the hole, where the image is transparent,
    /// and outside the caller's source mask.
    pub source: &'a Plane<u8>,
}

/// Values of an engine's parameters by name; what was not set has its default.
pub type Values = BTreeMap<&'static str, Value>;

/// What an engine runs with.
pub struct Run<'a> {
    /// The inpainter's own threads.
    pub pool: &'a rayon::ThreadPool,
    /// Raised when the caller wants to stop; look at it at least ten times a second.
    pub cancel: &'a Cancel,
    /// Seeds every random choice: the same seed gives the same fill on any number of threads.
    pub seed: u64,
    /// The parameters.
    pub values: &'a Values,
    /// Told the share done, `0.0 ..= 1.0`; `false` means stop.
    pub report: &'a mut dyn FnMut(f64) -> bool,
}

impl Run<'_> {
    /// Reports the share done and looks at the cancel flag.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`].
    pub fn step(&mut self, share: f64) -> Result<()> {
        self.cancel.check()?;
        if (self.report)(share.clamp(0.0, 1.0)) {
            Ok(())
        } else {
            Err(Error::cancelled())
        }
    }
}

/// Fills crops.
pub trait Engine: Send + Sync {
    /// Name, label, parameters.
    fn description(&self) -> EngineDescription;

    /// What it asks of a region.
    fn needs(&self) -> Needs;

    /// What a region costs, as data for the planner.
    fn costs(&self) -> Costs;

    /// Fills the hole of `crop`.
    ///
    /// The returned picture has the crop's size. Outside the hole it holds the engine's own version
    /// of the known pixels where it has one (the blend compares the two along the rim), otherwise
    /// the crop's.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`], [`ErrorKind::Memory`], [`ErrorKind::Mask`] when there is nothing
    /// to fill from.
    fn fill(&self, crop: &Crop<'_>, run: &mut Run<'_>) -> Result<RgbImage>;
}

/// The engine called `id`.
///
/// # Errors
/// [`ErrorKind::Engine`] with the nearest right name.
pub fn find(engines: &[Arc<dyn Engine>], id: &str) -> Result<Arc<dyn Engine>> {
    if let Some(e) = engines.iter().find(|e| e.description().id == id) {
        return Ok(e.clone());
    }
    let mut ids: Vec<_> = engines.iter().map(|e| e.description().id).collect();
    ids.insert(0, "auto");
    Err(Error::new(
        ErrorKind::Engine,
        format!(
            "there is no engine '{id}' here: use one of {}{}",
            ids.join(", "),
            crate::params::did_you_mean(id, &ids)
        ),
    ))
}
