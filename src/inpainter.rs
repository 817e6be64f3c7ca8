//! The flow: plan → fill → blend → image. Loads nothing until it must; usable from several threads.
#![forbid(unsafe_code)]

#[cfg(test)]
mod ablation;
mod alpha;
mod asked;
mod beside;
mod checks;
mod colours;
mod early;
mod expanded;
mod foresight;
mod groups;
mod notes;
mod options;
mod pace;
mod part;
mod planning;
mod pool;
mod prepared;
mod reading;
mod region;
mod rough;
mod scaled;
mod score;
mod settings;
mod specks;
#[cfg(test)]
mod tests;
mod variations;
mod vary;

pub use expanded::Expanded;
pub use options::Options;
pub(crate) use pool::Pool;
pub use prepared::Prepared;
pub use variations::Variations;

use crate::catalog::{self, Store, listing};
use crate::engines::{self, Engine};
use crate::error::{Error, ErrorKind, Result};
use crate::pixels::{ImageView, ImageViewMut, MaskView};
use crate::plan::{Canvas, Plan};
use crate::progress::{Cancel, Progress};
use crate::request::{self, Request};
use crate::workers::Workers;
use asked::Asked;
use checks::needs_alpha;
use expanded::check_keeps_size;
use once_cell::sync::OnceCell;
use part::Part;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::time::Instant;
use variations::Kept;

/// Fills regions of images. Creating one costs nothing; threads start with the first fill.
pub struct Inpainter {
    options: Options,
    engines: Vec<Arc<dyn Engine>>,
    pool: OnceCell<Pool>,
}

/// What a fill did.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The engine that ran; empty when there was nothing to fill.
    pub engine: String,
    /// Regions filled.
    pub regions: usize,
    /// Pixels whose mask was not 0, after growing it.
    pub pixels: u64,
    /// Seconds of the whole call.
    pub seconds: f64,
    /// Of those, what the engine's stages took, in the order in which they began; all regions'
    /// together, to some hundredths of a second. An engine whose weights are still here from an earlier
    /// fill has no stage "load".
    pub stages: Vec<(&'static str, f64)>,
    /// Where several fills were made, how well each goes with what is around the hole, the best first: from
    /// 0 on, and the lower the better. Only scores of one call can be compared.
    pub scores: Vec<f64>,
    /// What the caller should tell the user, such as that the mask was empty.
    pub notes: Vec<String>,
}

impl Report {
    /// The report as JSON, the form of `mend_inpaint`.
    pub fn to_json(&self) -> Json {
        json!({
            "engine": self.engine, "regions": self.regions, "pixels": self.pixels,
            "seconds": self.seconds, "notes": self.notes, "scores": self.scores,
            "stages": self.stages.iter().map(|(name, seconds)| json!({
                "name": name, "seconds": seconds,
            })).collect::<Vec<_>>(),
        })
    }
}

/// A finished fill that has not been written anywhere yet.
pub struct Filled {
    held: Held,
    /// Only the fill is wanted, on transparency.
    layer: bool,
    /// Where the picture grew.
    canvas: Option<Canvas>,
    /// What was done.
    pub report: Report,
}

/// What is to be written.
enum Held {
    Parts(Vec<Part>),
    /// The first of these.
    Best(Kept),
}

impl Filled {
    /// The first of `kept`, which is the best.
    fn of_best(kept: Kept, report: Report) -> Self {
        Self {
            held: Held::Best(kept),
            layer: false,
            canvas: None,
            report,
        }
    }

    /// Writes the fill into `dst`, which holds the source picture; with the parameter `expand` it has the size
    /// of [`Plan::canvas`] and holds the picture there, see [`Canvas::lay`]. Every pixel whose mask is 0
    /// keeps its bits; with the parameter `result` at `layer` it becomes zero instead.
    ///
    /// # Errors
    /// [`ErrorKind::Image`] when `dst` has not the size and format of the picture that was filled.
    pub fn apply(&self, dst: &mut ImageViewMut<'_>) -> Result<()> {
        let parts = match &self.held {
            Held::Parts(parts) => parts,
            Held::Best(kept) => return kept.apply(0, dst),
        };
        if let Some(canvas) = &self.canvas {
            canvas.check(dst)?;
        }
        for part in parts {
            let bounds = dst.as_view().bounds();
            if part.rect.intersect(&bounds) != part.rect
                || dst.format().layout.has_alpha() != part.working.alpha.is_some()
            {
                return Err(Error::new(
                    ErrorKind::Image,
                    "the destination has another size or format than the image that was filled",
                ));
            }
        }
        if self.layer {
            needs_alpha(dst.format())?;
            // The blend of a transparent picture with the fill, by coverage, is the layer.
            for y in 0..dst.as_view().height() {
                dst.row_mut(y).fill(0);
            }
        }
        for part in parts {
            part.write(dst)?;
        }
        Ok(())
    }
}

impl Inpainter {
    /// An inpainter with these options. Loads nothing and starts no thread.
    pub fn new(options: Options) -> Self {
        Self::with(options, engines::all())
    }

    fn with(options: Options, engines: Vec<Arc<dyn Engine>>) -> Self {
        Self {
            options,
            engines,
            pool: OnceCell::new(),
        }
    }

    /// The options.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Sets [`Options::max_memory`] for the fills that follow; what is loaded stays.
    pub fn set_max_memory(&mut self, bytes: Option<u64>) {
        self.options.max_memory = bytes;
    }

    /// Engines, models and parameters as JSON: what dialogs and `--help` are drawn from.
    pub fn describe(&self) -> Json {
        let models = self.options.models_folder();
        let params = |list: Vec<crate::params::ParamSpec>| -> Vec<Json> {
            list.iter().map(crate::params::ParamSpec::to_json).collect()
        };
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "options": params(Options::params()),
            "params": params(request::common_params()),
            "engines": self.engines.iter().map(|e| {
                let d = e.description();
                let why = e.unavailable(models.as_deref());
                json!({
                    "id": d.id, "label": d.label, "summary": d.summary,
                    "params": params(d.params), "available": why.is_none(), "reason": why,
                })
            }).collect::<Vec<_>>(),
            "models": self.known_models(),
        })
    }

    /// Installed and known models; where the folder cannot be read, the known ones.
    fn known_models(&self) -> Vec<Json> {
        let own = catalog::catalogue(self.options.catalog.as_deref());
        let known = own.unwrap_or_else(|_| catalog::known());
        let store = self.options.models_folder().map(Store::new);
        listing(store.as_ref(), &known)
            .or_else(|_| listing(None, &known))
            .unwrap_or_default()
    }

    /// What [`Self::fill`] would do, without doing it. Without an image the plan is judged from the
    /// mask alone, whose size the image is taken to have; [`MaskView::nothing`] is one for a picture that is
    /// only to grow.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub fn plan(
        &self,
        request: &Request,
        image: Option<&ImageView<'_>>,
        mask: &MaskView<'_>,
    ) -> Result<Plan> {
        Ok(self.planned(&Asked::new(request, image, mask)?)?.plan)
    }

    /// Plans a fill, which can then be looked at and run: the engine is chosen, its settings are read and
    /// its model is found and opened. No weights are loaded.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`] for a value that the engine does not take; [`ErrorKind::Mask`] when the
    /// sizes differ or no pixel is left to fill from; [`ErrorKind::Image`] for NaN pixels around the
    /// hole; [`ErrorKind::Model`], [`ErrorKind::Io`] for a model that cannot be used;
    /// [`ErrorKind::Budget`], [`ErrorKind::Memory`].
    pub fn prepare<'a>(
        &'a self,
        request: &'a Request,
        image: &ImageView<'a>,
        mask: &MaskView<'a>,
    ) -> Result<Prepared<'a>> {
        let start = Instant::now();
        let asked = Asked::new(request, Some(image), mask)?;
        let planned = self.planned(&asked)?;
        let image = asked.image.unwrap_or(*image);
        Ok(Prepared::new(self, asked, image, planned, start.elapsed()))
    }

    /// Fills the pixels of `image` that `mask` selects, in place.
    ///
    /// # Errors
    /// As [`Self::fill`]; [`ErrorKind::Argument`] where the parameter `expand` makes the picture larger. The
    /// image is untouched then.
    pub fn inpaint(
        &self,
        request: &Request,
        image: &mut ImageViewMut<'_>,
        mask: &MaskView<'_>,
        progress: &mut dyn Progress,
        cancel: &Cancel,
    ) -> Result<Report> {
        check_keeps_size(request, image)?;
        let filled = self.fill(request, &image.as_view(), mask, progress, cancel)?;
        filled.apply(image)?;
        Ok(filled.report)
    }

    /// Fills the pixels of `image` that `mask` selects, and holds the result. Where the request asks for
    /// several fills, by the parameters `variations` and `best-of`, it is the best of them.
    ///
    /// With the parameter `expand` the picture grows, and what is around it is filled, too: the regions lie
    /// on [`Plan::canvas`]. [`Self::expand`] does the same in one step.
    ///
    /// An empty mask is no error: the report has 0 regions and a note that says so.
    ///
    /// # Errors
    /// As [`Self::prepare`] and [`Prepared::run`].
    pub fn fill(
        &self,
        request: &Request,
        image: &ImageView<'_>,
        mask: &MaskView<'_>,
        progress: &mut dyn Progress,
        cancel: &Cancel,
    ) -> Result<Filled> {
        cancel.check()?;
        self.prepare(request, image, mask)?.run(progress, cancel)
    }

    /// Fills the pixels of `image` that `mask` selects several times over, as the parameters `variations`
    /// and `best-of` say, and holds the best fills, the best first.
    ///
    /// An empty mask is no error: all variations are the picture as it is.
    ///
    /// # Errors
    /// As [`Self::prepare`] and [`Prepared::vary`].
    pub fn vary(
        &self,
        request: &Request,
        image: &ImageView<'_>,
        mask: &MaskView<'_>,
        progress: &mut dyn Progress,
        cancel: &Cancel,
    ) -> Result<Variations> {
        cancel.check()?;
        self.prepare(request, image, mask)?.vary(progress, cancel)
    }

    /// Drops what was kept for the next fill, a diffusion model's weights say; what a running fill
    /// uses goes when that ends. The next fill loads it again.
    pub fn trim(&self) {
        self.engines.iter().for_each(|engine| engine.trim());
    }

    /// Threads that fills run on.
    pub fn threads(&self) -> usize {
        match self.options.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        }
    }

    fn pool(&self) -> Result<&Workers> {
        let start = || Pool::new(self.threads());
        self.pool.get_or_try_init(start)?.threads()
    }
}
