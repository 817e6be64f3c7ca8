//! From a request and a mask to a plan that keeps the budget.
#![forbid(unsafe_code)]

use super::asked::Asked;
use super::checks::{Case, check_hole, needs_alpha};
use super::colours::softness;
use super::foresight::Foresight;
use super::groups::groups;
use super::notes;
use super::region::Shares;
use super::settings::Settings;
use super::specks;
use super::{Inpainter, beside};
use crate::blend;
use crate::detail::{transfer_costs, transfer_work};
use crate::engines::{self, Choice, OpenOptions, Opened};
use crate::error::{Error, ErrorKind, Result};
use crate::r#match;
use crate::params::Extent;
use crate::pixels::{Rect, RunMask};
use crate::plan::{self, Costs, Fills, Memory, Needs, Plan, Region, Specks};
use crate::request::Request;
use std::path::Path;

/// A plan, and what its fill goes by.
pub(super) struct Planned {
    pub plan: Plan,
    pub settings: Settings,
    /// How it is done; none where there is nothing to be filled.
    pub work: Option<Work>,
}

/// How a plan is done.
pub(super) struct Work {
    /// The engine's id.
    pub id: &'static str,
    pub engine: Box<dyn Opened>,
    pub needs: Needs,
    pub costs: Costs,
    /// What is left of the budget for the engine, see [`engines::Run::budget`].
    pub room: Option<u64>,
    /// Where there are specks to be filled before the engine is asked.
    pub specks: Option<Specks>,
}

impl Inpainter {
    /// Chooses the engine, opens it and plans with it.
    pub(super) fn planned(&self, asked: &Asked<'_>) -> Result<Planned> {
        let models = self.options.models_folder();
        let mut choice = self.choose(&asked.request, models.as_deref())?;
        let instead = choice.instead.take();
        let planned = self.planned_by(choice, asked, models.as_deref());
        match (planned, instead) {
            (Err(e), Some(instead)) if e.kind() == ErrorKind::Budget => {
                self.planned_by(*instead, asked, models.as_deref())
            }
            (planned, _) => planned,
        }
    }

    /// Opens the chosen engine and plans with it.
    fn planned_by(
        &self,
        choice: Choice,
        asked: &Asked<'_>,
        models: Option<&Path>,
    ) -> Result<Planned> {
        let Asked {
            image,
            mask,
            canvas,
            ..
        } = asked;
        let request: &Request = &asked.request;
        let about = choice.engine.description();
        let parameters = request.parameters(&about)?;
        let settings = Settings::new(&parameters)?;
        if let (Some(image), true) = (image, settings.layer) {
            needs_alpha(image.format())?;
        }
        let runs = RunMask::of(mask)?;
        if runs.count() == 0 {
            return Ok(Planned {
                plan: nothing(about.id, choice.reason, settings.fills),
                settings,
                work: None,
            });
        }
        let mut notes = notes::of(request, &about, choice.note.is_some());
        notes.extend(choice.note);
        let grown = match settings.grow {
            0 => None,
            grow => Some(match canvas {
                Some(canvas) => runs.grown_in(grow, canvas.picture)?,
                None => runs.grown(grow)?,
            }),
        };
        let hole = grown.as_ref().unwrap_or(&runs);
        check_hole(request, hole)?;
        let case = Case {
            request,
            settings: &settings,
            image: image.as_ref(),
            mask,
            runs: &runs,
            hole,
            canvas: canvas.as_ref(),
        };
        let engine = choice.engine.open(&OpenOptions {
            parameters: &parameters,
            models,
        })?;
        notes.extend(engine.note().map(str::to_owned));
        notes.extend(notes::of_guide(request, about.id, engine.guides()));
        let (work, draft) = self.work(about.id, engine, &case)?;
        let seconds = match settings.fills.made {
            1 => {
                let seconds = |r| region_seconds(&work.needs, &work.costs, r).0;
                draft.regions.iter().map(seconds).sum()
            }
            made => total_seconds(&work, &draft.regions, &groups(&draft.regions)?, made),
        };
        let seconds = seconds / (1.0 + 0.85 * (self.threads() as f64 - 1.0));
        Ok(Planned {
            plan: Plan {
                canvas: *canvas,
                ..draft.plan(about.id, choice.reason, seconds, notes, settings.fills)
            },
            settings,
            work: Some(work),
        })
    }

    /// How an engine fills the case.
    fn work(
        &self,
        id: &'static str,
        engine: Box<dyn Opened>,
        case: &Case<'_>,
    ) -> Result<(Work, Draft)> {
        let needs = engine.needs();
        // What a source mask forbids may lie right beside a speck; and what grows is none.
        let grow = case.settings.grow;
        let specks = match needs.specks && case.request.source().is_none() && grow <= 1 {
            true => plan::specks(case.hole)?,
            false => None,
        };
        let planner = Planner {
            case,
            budget: self.options.max_memory,
            engine: engine.as_ref(),
            needs: &needs,
            costs: engine.costs(None),
            specks: specks.as_ref(),
            alpha: Foresight::new(case.image, case.hole),
        };
        let draft = planner.within_budget()?;
        case.check(&draft.regions)?;
        let work = Work {
            id,
            needs,
            costs: engine.costs(draft.room),
            room: draft.room,
            specks,
            engine,
        };
        Ok((work, draft))
    }

    /// The engine that the request names, or the one that suits it.
    fn choose(&self, request: &Request, models: Option<&Path>) -> Result<Choice> {
        if let Some(id) = request.engine() {
            return Ok(Choice {
                engine: engines::find(&self.engines, id)?,
                reason: "asked for".into(),
                note: None,
                instead: None,
            });
        }
        let none = || Error::new(ErrorKind::Engine, "this build of Mend has no engine");
        engines::choose(&self.engines, request.value("prompt"), models).ok_or_else(none)
    }
}

/// The plan for an empty mask.
fn nothing(engine: &str, reason: String, variations: Fills) -> Plan {
    Plan {
        engine: engine.to_owned(),
        reason,
        canvas: None,
        variations,
        regions: Vec::new(),
        stages: Vec::new(),
        peak_bytes: 0,
        seconds: 0.0,
        notes: vec!["the mask is empty: nothing is to be filled".into()],
    }
}

/// What all drafts that are tried have in common.
/// Bytes that lines to continue take for each pixel of a region.
const GUIDE_BYTES: f64 = 24.0;

struct Planner<'a> {
    case: &'a Case<'a>,
    budget: Option<u64>,
    engine: &'a dyn Opened,
    needs: &'a Needs,
    /// Without a budget: the regions follow from these.
    costs: Costs,
    specks: Option<&'a Specks>,
    alpha: Foresight<'a>,
}

/// One way to do it, whether it keeps the budget or not.
struct Draft {
    regions: Vec<Region>,
    /// Bytes that grow with the regions.
    pixels: u64,
    /// Of the engine, and what it was given for it.
    memory: Memory,
    room: Option<u64>,
    /// Whether the context was lowered for the budget.
    lowered: bool,
}

impl Draft {
    fn peak_bytes(&self) -> u64 {
        self.memory.bytes + self.pixels
    }

    fn plan(
        self,
        engine: &str,
        mut reason: String,
        seconds: f64,
        notes: Vec<String>,
        variations: Fills,
    ) -> Plan {
        if !self.memory.given_up.is_empty() {
            reason.push_str("; to keep the memory budget ");
            reason.push_str(&self.memory.given_up);
        }
        if self.lowered {
            reason.push_str("; context lowered to keep the memory budget");
        }
        Plan {
            engine: engine.to_owned(),
            reason,
            canvas: None,
            variations,
            peak_bytes: self.peak_bytes(),
            regions: self.regions,
            stages: self.memory.stages,
            seconds,
            notes,
        }
    }
}

impl Planner<'_> {
    /// The draft with the most context that keeps the budget.
    fn within_budget(&self) -> Result<Draft> {
        let context = self.case.settings.context;
        let draft = self.draft(context, false)?;
        let Some(budget) = self.budget.filter(|budget| draft.peak_bytes() > *budget) else {
            return Ok(draft);
        };
        // What is around a picture may go side by side, for a little more time.
        let split = self.case.canvas.is_some();
        let draft = match split {
            true => self.draft(context, true)?,
            false => draft,
        };
        if draft.peak_bytes() <= budget {
            return Ok(draft);
        }
        // Less context is the one thing that can be given up unasked, and only if none was asked for.
        let (mut smallest, mut instead) = (draft.peak_bytes(), draft.memory.instead);
        if context == Extent::Auto {
            for share in [0.5, 0.25, 0.0] {
                let mut draft =
                    self.draft(Extent::Share(share * self.needs.context_share), split)?;
                if draft.peak_bytes() <= budget {
                    draft.lowered = true;
                    return Ok(draft);
                }
                smallest = smallest.min(draft.peak_bytes());
                instead = instead.or(draft.memory.instead);
            }
        }
        Err(too_small(budget, smallest, instead))
    }

    /// The draft with so much context, what is around a picture `split` or as is cheaper.
    fn draft(&self, context: Extent, split: bool) -> Result<Draft> {
        let regions = self.regions(context, split)?;
        let pixels = self.pixel_bytes(&regions)?.ceil() as u64;
        // Native detail comes after the engine is done, beside what that keeps.
        let detail = most(&regions, |r| match detailed(self.needs, r) {
            true => region_bytes(&transfer_costs(), r),
            false => 0.0,
        });
        let detail = detail.ceil() as u64;
        let mut room = self.budget.map(|budget| budget.saturating_sub(pixels));
        let mut memory = self.memory(room, detail);
        if let Some(whole) = room
            && memory.bytes > whole
            && detail > 0
        {
            // With less to go by the engine may keep less.
            let less = Some(whole.saturating_sub(detail));
            let other = self.memory(less, detail);
            if other.bytes < memory.bytes {
                (room, memory) = (less, other);
            }
        }
        Ok(Draft {
            regions,
            pixels,
            memory,
            room,
            lowered: false,
        })
    }

    /// What the engine takes that is given so much room, and `detail` bytes of native detail after it.
    fn memory(&self, room: Option<u64>, detail: u64) -> Memory {
        let mut memory = self.engine.memory(room);
        if detail > 0 {
            memory.bytes = memory.bytes.max(memory.kept + detail);
        }
        memory
    }

    /// Bytes that grow with the regions.
    fn pixel_bytes(&self, regions: &[Region]) -> Result<f64> {
        // A region's result waits for the last one: 20 bytes a pixel of its hole's box, or of specks,
        // which also say where they belong.
        let waits = |r: &Region| match r.specks {
            true => r.hole_pixels as f64 * 36.0,
            false => r.hole.area() as f64 * 20.0,
        };
        let held: f64 = match self.case.settings.fills.made {
            1 => regions.iter().map(waits).sum(),
            made => {
                // Of several fills the boxes are held that the next piece of the same hole is made from.
                let specks = regions.iter().filter(|r| r.specks).map(waits).sum::<f64>();
                let groups = groups(regions)?;
                let boxes = groups
                    .iter()
                    .map(|group| group.iter().map(|i| waits(&regions[*i])));
                let most = boxes.map(Iterator::sum).fold(0.0, f64::max);
                specks + most + self.variation_bytes(regions, made)
            }
        };
        let grows = Costs {
            bytes: 0.0,
            ..self.costs
        };
        let mut bytes = held + most(regions, |r| region_bytes(&grows, r));
        if self.case.request.guide().is_some() {
            // The lines, and where an engine continues them what they are traced and followed in.
            let each = if self.engine.guides() {
                GUIDE_BYTES
            } else {
                1.0
            };
            bytes += most(regions, |r| r.rect.area() as f64 * each);
        }
        // Where alpha is searched for it is before the engine's own work, beside what that keeps.
        let cutout = cutout_costs();
        for r in regions.iter().filter(|r| !r.specks) {
            if self.alpha.may_have_edge(r)? {
                bytes = bytes.max(held + region_bytes(&cutout, r));
                bytes = bytes.max(held + beside::region_bytes(&grows, r));
            }
        }
        Ok(bytes)
    }

    /// What is held of `made` fills until the best are chosen, and what a scaled region takes beside the
    /// detail of each.
    fn variation_bytes(&self, regions: &[Region], made: u32) -> f64 {
        let hole = self.case.hole;
        // Before there is a picture it is taken to have four channels of eight bits.
        let pixel = self.case.image.map_or(4, |image| image.format().bytes());
        let places = hole.run_count() * size_of::<Rect>();
        let scaled = most(regions, |r| {
            let (w, h) = self.needs.working_size(r.rect.width, r.rect.height);
            match detailed(self.needs, r) {
                true => f64::from(w) * f64::from(h) * 34.0,
                false => 0.0,
            }
        });
        hole.count() as f64 * f64::from(made) * pixel as f64 + places as f64 + scaled
    }

    /// The regions with so much context: first those of specks.
    fn regions(&self, context: Extent, split: bool) -> Result<Vec<Region>> {
        let grow = self.case.settings.grow;
        let of = |mask: &RunMask, grow| match self.case.canvas {
            // What is around the picture does not grow into it.
            Some(canvas) => {
                let mask = if grow > 0 { self.case.hole } else { mask };
                plan::regions_around(mask, canvas, split, context, self.needs, &self.costs)
            }
            None => plan::regions(mask, grow, context, self.needs, &self.costs),
        };
        let (mut regions, own) = match self.specks {
            Some(found) => {
                let mut all = found.regions(blend::MARGIN)?;
                all.extend(of(&found.rest, 0)?);
                (all, &found.rest)
            }
            None => (of(self.case.runs, grow)?, self.case.hole),
        };
        for r in regions.iter_mut().filter(|r| !r.specks) {
            if let Some(bounds) = self.case.request.source().map(RunMask::bounds) {
                r.rect = r.rect.union(&bounds);
                r.scale = self.needs.scale(r.rect.width, r.rect.height);
            }
            let hole = own.cut(r.rect, r.hole)?;
            let work = match softness(self.needs, r.rect.width, r.rect.height) {
                Some(scale) => transfer_work(scale, &hole)?,
                None => r#match::pairs(&hole, self.needs.lit)? / r#match::PAIRS,
            };
            r.work = work.ceil() as u64;
            r.alpha_work = self.alpha.work(r)?.ceil() as u64;
        }
        Ok(regions)
    }
}

/// The most that a region takes.
fn most(regions: &[Region], bytes: impl Fn(&Region) -> f64) -> f64 {
    regions.iter().map(bytes).fold(0.0, f64::max)
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
        variation: costs.variation,
    };
    (alpha + engine + detail, shares)
}

/// Predicted seconds of filling a region `made` times on one thread. Where it is not `alone`, but a piece of
/// a hole, each fill begins anew; so it does where alpha is searched for.
pub(super) fn fills_seconds(
    needs: &Needs,
    costs: &Costs,
    region: &Region,
    made: u32,
    alone: bool,
) -> f64 {
    let (one, shares) = region_seconds(needs, costs, region);
    let made = f64::from(made);
    match alone && region.alpha_work == 0 {
        _ if region.specks => one,
        true => {
            let further = (1.0 - shares.detail) * shares.variation + shares.detail;
            one * (1.0 + (made - 1.0) * further)
        }
        false => one * made,
    }
}

/// Predicted seconds of all regions, in these groups, on one thread.
pub(super) fn total_seconds(
    work: &Work,
    regions: &[Region],
    groups: &[Vec<usize>],
    made: u32,
) -> f64 {
    let seconds = |r, alone| fills_seconds(&work.needs, &work.costs, r, made, alone);
    let specks = regions.iter().filter(|r| r.specks);
    let specks: f64 = specks.map(|r| seconds(r, true)).sum();
    let pieces = groups
        .iter()
        .flat_map(|group| group.iter().map(|i| (&regions[*i], group.len() == 1)));
    let all = specks + pieces.map(|(r, alone)| seconds(r, alone)).sum::<f64>();
    all.max(f64::MIN_POSITIVE)
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
