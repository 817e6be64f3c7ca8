//! From a request and a mask to a plan that keeps the budget.
#![forbid(unsafe_code)]

use super::checks::{Asked, check_hole};
use super::foresight::Foresight;
use super::region::{Shares, softness};
use super::specks;
use super::{Inpainter, beside};
use crate::blend;
use crate::detail::{transfer_costs, transfer_work};
use crate::engines::{self, Ask, Choice, Engine};
use crate::error::{Error, ErrorKind, Result};
use crate::r#match;
use crate::params::Extent;
use crate::pixels::{ImageView, MaskView, RunMask};
use crate::plan::{self, Costs, Memory, Needs, Plan, Region, Specks};
use crate::request::Request;
use std::sync::Arc;

/// A plan, and what its fill goes by.
pub(super) struct Planned {
    pub engine: Arc<dyn Engine>,
    pub plan: Plan,
    pub needs: Needs,
    pub costs: Costs,
    /// What is left of the budget for the engine, see [`Ask::budget`].
    pub room: Option<u64>,
    /// What the user should be told of the choice.
    pub note: Option<String>,
    /// Where there are specks to be filled before the engine is asked.
    pub specks: Option<Specks>,
}

impl Inpainter {
    /// Chooses the engine, the regions and the way to fill them.
    pub(super) fn plan_runs(
        &self,
        request: &Request,
        image: Option<&ImageView<'_>>,
        mask: &MaskView<'_>,
        runs: &RunMask,
    ) -> Result<Planned> {
        let grow = request.integer("grow")? as u32;
        let grown = match grow {
            0 => None,
            _ => Some(runs.grown(grow)?),
        };
        let hole = grown.as_ref().unwrap_or(runs);
        check_hole(request, hole)?;
        let models = self.options.models_folder();
        let ask = Ask {
            values: request.values(),
            models: models.as_deref(),
            budget: None,
        };
        let choice = self.engine(&ask, &request.text("engine")?)?;
        let Choice {
            engine,
            reason,
            note,
        } = choice;
        let needs = engine.needs(&ask)?;
        // What a source mask forbids may lie right beside a speck; and what grows is none.
        let specks = match needs.specks && request.source().is_none() && grow <= 1 {
            true => plan::specks(hole)?,
            false => None,
        };
        let attempt = Attempt {
            needs,
            costs: engine.costs(&ask)?,
            inpainter: self,
            engine,
            ask,
            request,
            runs,
            alpha: Foresight::new(image, hole),
            hole,
            specks: specks.as_ref(),
            reason,
            note,
        };
        let mut planned = attempt.within_budget()?;
        let asked = Asked {
            request,
            image,
            mask,
            hole,
        };
        asked.check(&planned.plan.regions)?;
        planned.specks = specks;
        Ok(planned)
    }

    fn engine(&self, ask: &Ask<'_>, id: &str) -> Result<Choice> {
        if id != "auto" {
            return Ok(Choice {
                engine: engines::find(&self.engines, id)?,
                reason: "asked for".into(),
                note: None,
            });
        }
        let none = || Error::new(ErrorKind::Engine, "this build of Mend has no engine");
        engines::choose(&self.engines, ask).ok_or_else(none)
    }
}

/// What all plans that are tried have in common.
struct Attempt<'a> {
    inpainter: &'a Inpainter,
    engine: Arc<dyn Engine>,
    ask: Ask<'a>,
    needs: Needs,
    /// Without a budget: the regions follow from these.
    costs: Costs,
    request: &'a Request,
    runs: &'a RunMask,
    alpha: Foresight<'a>,
    /// The mask as it was grown.
    hole: &'a RunMask,
    specks: Option<&'a Specks>,
    reason: String,
    note: Option<String>,
}

impl Attempt<'_> {
    fn within_budget(self) -> Result<Planned> {
        let context = self.request.extent("context")?;
        let (planned, memory) = self.with(context)?;
        let Some(budget) = self.inpainter.options.max_memory else {
            return Ok(planned);
        };
        if planned.plan.peak_bytes <= budget {
            return Ok(planned);
        }
        // Less context is the one thing that can be given up unasked, and only if none was asked for.
        let (mut smallest, mut instead) = (planned.plan.peak_bytes, memory.instead);
        if context == Extent::Auto {
            for share in [0.5, 0.25, 0.0] {
                let share = Extent::Share(share * self.needs.context_share);
                let (mut planned, memory) = self.with(share)?;
                instead = instead.or(memory.instead);
                smallest = smallest.min(planned.plan.peak_bytes);
                if planned.plan.peak_bytes <= budget {
                    let reason = &mut planned.plan.reason;
                    reason.push_str("; context lowered to keep the memory budget");
                    return Ok(planned);
                }
            }
        }
        Err(too_small(budget, smallest, instead))
    }

    /// The plan with so much context, whether it keeps the budget or not.
    fn with(&self, context: Extent) -> Result<(Planned, Memory)> {
        let regions = self.regions(context)?;
        let most = |cost: &dyn Fn(&Region) -> f64| regions.iter().map(cost).fold(0.0, f64::max);
        // A region's result waits for the last one: 20 bytes a pixel of its hole's box, or of specks,
        // which also say where they belong.
        let waits = |r: &Region| match r.specks {
            true => r.hole_pixels as f64 * 36.0,
            false => r.hole.area() as f64 * 20.0,
        };
        let held: f64 = regions.iter().map(waits).sum();
        let grows = Costs {
            bytes: 0.0,
            ..self.costs
        };
        let mut pixels = held + most(&|r| region_bytes(&grows, r));
        // Where alpha is searched for it is before the engine's own work, beside what that keeps.
        let cutout = cutout_costs();
        for r in regions.iter().filter(|r| !r.specks) {
            if self.alpha.may_have_edge(r)? {
                pixels = pixels.max(held + region_bytes(&cutout, r));
                pixels = pixels.max(held + beside::region_bytes(&grows, r));
            }
        }
        // Native detail comes after the engine is done, beside what that keeps.
        let detail = most(&|r| match detailed(&self.needs, r) {
            true => region_bytes(&transfer_costs(), r),
            false => 0.0,
        });
        let detail = detail.ceil() as u64;
        let budget = self.inpainter.options.max_memory;
        let room = budget.map(|budget| budget.saturating_sub(pixels.ceil() as u64));
        let of = |budget| -> Result<(Option<u64>, Memory)> {
            let ask = Ask { budget, ..self.ask };
            // Where there is nothing to fill nothing is loaded.
            let mut memory = match regions.is_empty() {
                true => Memory::of(0.0),
                false => self.engine.memory(&ask)?,
            };
            if detail > 0 {
                memory.bytes = memory.bytes.max(memory.kept + detail);
            }
            Ok((budget, memory))
        };
        let (mut asked, mut memory) = of(room)?;
        if let Some(room) = room
            && memory.bytes > room
            && detail > 0
        {
            // With less to go by the engine may keep less.
            let less = of(Some(room.saturating_sub(detail)))?;
            if less.1.bytes < memory.bytes {
                (asked, memory) = less;
            }
        }
        let costs = self.engine.costs(&Ask {
            budget: asked,
            ..self.ask
        })?;
        let seconds: f64 = regions
            .iter()
            .map(|r| region_seconds(&self.needs, &costs, r).0)
            .sum();
        let mut reason = self.reason.clone();
        if !memory.given_up.is_empty() {
            reason.push_str("; to keep the memory budget ");
            reason.push_str(&memory.given_up);
        }
        let plan = Plan {
            engine: self.engine.description().id.to_owned(),
            reason,
            regions,
            stages: memory.stages.clone(),
            peak_bytes: memory.bytes + pixels.ceil() as u64,
            seconds: seconds / (1.0 + 0.85 * (self.inpainter.threads() as f64 - 1.0)),
        };
        let planned = Planned {
            engine: self.engine.clone(),
            plan,
            needs: self.needs,
            costs,
            room: asked,
            note: self.note.clone(),
            specks: None,
        };
        Ok((planned, memory))
    }

    /// The regions with so much context: first those of specks.
    fn regions(&self, context: Extent) -> Result<Vec<Region>> {
        let grow = self.request.integer("grow")? as u32;
        let of = |mask, grow| plan::regions(mask, grow, context, &self.needs, &self.costs);
        let (mut regions, own) = match self.specks {
            Some(found) => {
                let mut all = found.regions(blend::MARGIN)?;
                all.extend(of(&found.rest, 0)?);
                (all, &found.rest)
            }
            None => (of(self.runs, grow)?, self.hole),
        };
        for r in regions.iter_mut().filter(|r| !r.specks) {
            if let Some(bounds) = self.request.source().map(RunMask::bounds) {
                r.rect = r.rect.union(&bounds);
                r.scale = self.needs.scale(r.rect.width, r.rect.height);
            }
            let hole = own.cut(r.rect, r.hole)?;
            let work = match softness(&self.needs, r.rect.width, r.rect.height) {
                Some(scale) => transfer_work(scale, &hole)?,
                None => r#match::pairs(&hole)? / r#match::PAIRS,
            };
            r.work = work.ceil() as u64;
            r.alpha_work = self.alpha.work(r)?.ceil() as u64;
        }
        Ok(regions)
    }
}

/// What the search for alpha at a transparent edge takes: that of patches, and its pictures.
fn cutout_costs() -> Costs {
    let search = engines::patch_costs();
    Costs {
        bytes_per_pixel: search.bytes_per_pixel + 25.0,
        bytes_per_hole_pixel: search.bytes_per_hole_pixel + 5.0,
        ..search
    }
}

/// Whether a region's answer is softer than the picture, so that its detail is another's.
fn detailed(needs: &Needs, region: &Region) -> bool {
    softness(needs, region.rect.width, region.rect.height).is_some()
}

/// Predicted bytes of a region, without those that it takes whatever its size. What is held for each
/// pixel of a hole is held for its box.
fn region_bytes(costs: &Costs, region: &Region) -> f64 {
    match region.specks {
        true => specks::COSTS.region_bytes(region.rect.area(), 0),
        false => costs.region_bytes(region.rect.area(), region.hole.area()),
    }
}

/// Predicted seconds of a region on one thread, and what of them its alpha and its detail take.
pub(super) fn region_seconds(needs: &Needs, costs: &Costs, region: &Region) -> (f64, Shares) {
    let pixels = region.rect.area();
    if region.specks {
        let seconds = specks::COSTS.region_seconds(pixels, region.work);
        return (seconds, Shares::default());
    }
    let (engine, detail) = match detailed(needs, region) {
        true => (
            costs.region_seconds(pixels, region.hole_pixels),
            transfer_costs().region_seconds(pixels, region.work),
        ),
        false => (costs.region_seconds(pixels, region.work), 0.0),
    };
    let alpha = match region.alpha_work {
        0 => 0.0,
        work => cutout_costs().region_seconds(pixels, work),
    };
    let colours = (engine + detail).max(f64::MIN_POSITIVE);
    let shares = Shares {
        alpha: alpha / (alpha + colours),
        detail: detail / colours,
    };
    (alpha + engine + detail, shares)
}

fn too_small(budget: u64, smallest: u64, instead: Option<String>) -> Error {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let instead = instead.map_or(String::new(), |instead| format!(", or {instead}"));
    Error::new(
        ErrorKind::Budget,
        format!(
            "the memory budget of {} MiB is too small: this fill needs at least {} MiB; raise \
             max-memory or select a smaller region{instead}",
            mib(budget),
            mib(smallest)
        ),
    )
}
