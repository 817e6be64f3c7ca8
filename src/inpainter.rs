//! The flow: plan → fill → blend → image. Loads nothing until it must; usable from several threads.
#![forbid(unsafe_code)]

#[cfg(test)]
mod ablation;
mod alpha;
mod beside;
mod checks;
mod foresight;
mod notes;
mod options;
mod pace;
mod part;
mod planning;
mod pool;
mod reading;
mod region;
mod rough;
mod scaled;
mod specks;
#[cfg(test)]
mod tests;

pub use options::Options;

use crate::catalog::{self, Store, listing};
use crate::engines::{self, Engine, Mark, Run};
use crate::error::{Error, ErrorKind, Result};
use crate::memory;
use crate::pixels::{ImageView, ImageViewMut, MaskView, Rect, RgbImage, RunMask};
use crate::plan::Plan;
use crate::progress::{Cancel, Preview, Progress};
use crate::request::{self, Request};
use crate::workers::Workers;
use checks::{check_image, needs_alpha, no_source};
use pace::{Pace, START};
use part::Part;
use planning::{Planned, region_seconds};
use pool::Pool;
use region::{Job, Shares, fill_region};
use serde_json::{Value as Json, json};
use specks::fill_specks;
use std::cell::Cell;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// Fills regions of images. Creating one costs nothing; threads start with the first fill.
pub struct Inpainter {
    options: Options,
    engines: Vec<Arc<dyn Engine>>,
    pool: OnceLock<Pool>,
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
    /// together, to some hundredths of a second.
    pub stages: Vec<(&'static str, f64)>,
    /// What the caller should tell the user, such as that the mask was empty.
    pub notes: Vec<String>,
}

impl Report {
    /// The report as JSON, the form of `mend_inpaint`.
    pub fn to_json(&self) -> Json {
        json!({
            "engine": self.engine, "regions": self.regions, "pixels": self.pixels,
            "seconds": self.seconds, "notes": self.notes,
            "stages": self.stages.iter().map(|(name, seconds)| json!({
                "name": name, "seconds": seconds,
            })).collect::<Vec<_>>(),
        })
    }
}

/// A finished fill that has not been written anywhere yet.
pub struct Filled {
    parts: Vec<Part>,
    /// Only the fill is wanted, on transparency.
    layer: bool,
    /// What was done.
    pub report: Report,
}

impl Filled {
    /// Writes the fill into `dst`, which holds the source picture. Every pixel whose mask is 0
    /// keeps its bits; with the parameter `result` at `layer` it becomes zero instead.
    ///
    /// # Errors
    /// [`ErrorKind::Image`] when `dst` has not the size and format of the picture that was filled.
    pub fn apply(&self, dst: &mut ImageViewMut<'_>) -> Result<()> {
        for part in &self.parts {
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
        for part in &self.parts {
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
            pool: OnceLock::new(),
        }
    }

    /// The options.
    pub fn options(&self) -> &Options {
        &self.options
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
        let known = catalog::known();
        let store = self.options.models_folder().map(Store::new);
        listing(store.as_ref(), &known)
            .or_else(|_| listing(None, &known))
            .unwrap_or_default()
    }

    /// What [`Self::fill`] would do, without doing it. Without an image the plan is judged from the
    /// mask alone, whose size the image is taken to have.
    ///
    /// # Errors
    /// As [`Self::fill`].
    pub fn plan(
        &self,
        request: &Request,
        image: Option<&ImageView<'_>>,
        mask: &MaskView<'_>,
    ) -> Result<Plan> {
        if let Some(image) = image {
            check_image(request, image, mask)?;
        }
        let runs = RunMask::of(mask)?;
        Ok(self.plan_runs(request, image, mask, &runs)?.plan)
    }

    /// Fills the pixels of `image` that `mask` selects, in place.
    ///
    /// # Errors
    /// As [`Self::fill`]; the image is untouched then.
    pub fn inpaint(
        &self,
        request: &Request,
        image: &mut ImageViewMut<'_>,
        mask: &MaskView<'_>,
        progress: &mut dyn Progress,
        cancel: &Cancel,
    ) -> Result<Report> {
        let filled = self.fill(request, &image.as_view(), mask, progress, cancel)?;
        filled.apply(image)?;
        Ok(filled.report)
    }

    /// Fills the pixels of `image` that `mask` selects, and holds the result.
    ///
    /// An empty mask is no error: the report has 0 regions and a note that says so.
    ///
    /// # Errors
    /// [`ErrorKind::Mask`] when the sizes differ or no pixel is left to fill from;
    /// [`ErrorKind::Image`] for NaN pixels around the hole; [`ErrorKind::Budget`],
    /// [`ErrorKind::Memory`], [`ErrorKind::Cancelled`].
    pub fn fill(
        &self,
        request: &Request,
        image: &ImageView<'_>,
        mask: &MaskView<'_>,
        progress: &mut dyn Progress,
        cancel: &Cancel,
    ) -> Result<Filled> {
        let start = Instant::now();
        check_image(request, image, mask)?;
        let layer = request.text("result")? == "layer";
        cancel.check()?;
        let runs = RunMask::of(mask)?;
        let mut report = Report {
            engine: String::new(),
            regions: 0,
            pixels: 0,
            seconds: 0.0,
            stages: Vec::new(),
            notes: Vec::new(),
        };
        if runs.count() == 0 {
            report
                .notes
                .push("the mask is empty: nothing was filled".into());
            report.seconds = start.elapsed().as_secs_f64();
            return Ok(Filled {
                parts: Vec::new(),
                layer,
                report,
            });
        }
        let models = self.options.models_folder();
        let Planned {
            engine,
            plan,
            needs,
            costs,
            room,
            note,
            specks,
        } = self.plan_runs(request, Some(image), mask, &runs)?;
        report
            .notes
            .extend(notes::of(request.values(), engine.as_ref(), note.is_some()));
        report.notes.extend(note);
        let job = Job {
            needs: &needs,
            image,
            mask,
            request,
            grow: request.integer("grow")? as u32,
            feather: request.integer("feather")? as u32,
        };
        let seed = request.integer("seed")? as u64;
        let pool = self.pool()?;
        let weights: Vec<(f64, Shares)> = plan
            .regions
            .iter()
            .map(|r| region_seconds(&needs, &costs, r))
            .collect();
        let total = weights.iter().map(|w| w.0).sum::<f64>();
        let total = total.max(f64::MIN_POSITIVE);
        let mut parts = memory::with_capacity(plan.regions.len(), "the filled regions")?;
        let mut done = 0.0;
        let count = plan.regions.len() as u32;
        // From an engine's preview to the report behind it.
        let preview = Cell::new(None);
        let mut pace = Pace::new(start, progress);
        for (i, (region, (weight, shares))) in (0u32..).zip(plan.regions.iter().zip(&weights)) {
            let mut run = Run {
                pool,
                cancel,
                seed,
                values: request.values(),
                models: models.as_deref(),
                budget: room,
                report: &mut |mark| {
                    let share = (done + mark.share * weight) / total;
                    pace.report(mark.of_all(share, i, count), preview.take())
                },
                show: &mut |picture| preview.set(shown(picture, region.rect)),
            };
            let part = match &specks {
                Some(found) if region.specks => fill_specks(&job, &found.specks, region, &mut run)?,
                _ => fill_region(&job, engine.as_ref(), region, *shares, &parts, &mut run)?,
            };
            parts
                .iter_mut()
                .for_each(|p: &mut Part| p.give_way_to(region));
            parts.push(part);
            done += weight;
        }
        // A speck in the void leaves nothing behind; where all is void, something else was meant.
        if parts.iter().all(|part| part.empty) {
            return Err(no_source(request));
        }
        let filled = |p: &Part| p.coverage.data.iter().filter(|c| **c > 0.0).count() as u64;
        report.pixels = parts.iter().map(filled).sum();
        cancel.check()?;
        if !pace.finish() {
            return Err(Error::cancelled());
        }
        report.stages = pace.stages();
        report.engine = plan.engine;
        report.regions = parts.len();
        report.seconds = start.elapsed().as_secs_f64();
        Ok(Filled {
            parts,
            layer,
            report,
        })
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
        if let Some(pool) = self.pool.get() {
            return pool.threads();
        }
        let pool = Pool::new(self.threads())?;
        self.pool.get_or_init(|| pool).threads()
    }
}

/// An engine's small picture of the region at `rect`; without the memory for it, none.
fn shown(picture: &RgbImage, rect: Rect) -> Option<Preview> {
    let mut pixels = memory::with_capacity(picture.data.len(), "a preview").ok()?;
    let levels = picture
        .data
        .iter()
        .map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8);
    pixels.extend(levels);
    Some(Preview {
        region: [rect.x, rect.y, rect.width, rect.height],
        width: u32::try_from(picture.width).ok()?,
        height: u32::try_from(picture.height).ok()?,
        pixels,
    })
}

impl Mark {
    /// Of the whole call, of which this is region `i` of `count`; hundredths stay hundredths.
    fn of_all(self, share: f64, i: u32, count: u32) -> Self {
        let (step, steps) = match self.stage == START.stage {
            true => ((share * 100.0).round() as u32, 100),
            false => {
                let before = self.steps.saturating_mul(i);
                (before + self.step, self.steps.saturating_mul(count))
            }
        };
        Self {
            step,
            steps,
            share,
            ..self
        }
    }
}
