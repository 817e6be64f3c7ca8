//! The engine in the box: a small network gives the light and the colours, the picture's own pixels the
//! detail.
//!
//! The network is RETHINED's (arXiv 2503.14757), as Mend trains it. It works on the region at half
//! the size, or less of a large one. What it does not know, detail, comes natively from the known
//! pixels: by the exemplar search, or quickly by its own attention.
#![forbid(unsafe_code)]

mod answer;

use super::exemplar::Exemplar;
use super::pump::Told;
use super::slot::Slot;
use super::{Ask, Crop, Engine, EngineDescription, Mark, Run, Values};
use crate::detail::{self, Light};
use crate::error::Result;
use crate::kernels::{Context, Path};
use crate::models::rethined::Rethined as Network;
use crate::params::{ParamKind, ParamSpec, Value};
use crate::pixels::RgbImage;
use crate::plan::{Costs, Needs};
use crate::weights::Weights;
use std::sync::Arc;

/// The weights, see `training/rethined/README.md`.
static WEIGHTS: &[u8] = include_bytes!("../../models/rethined/weights.safetensors");

/// What of the network's answer is laid under the patches that the search finds. Chosen on Kodak's photos
/// with medium masks, see `training/rethined/README.md`; texture stays above 0.7 at every scale there
/// and on the kinds that it was not chosen on.
const LIGHT: Light = Light {
    sigma: 3.0,
    share: 0.1,
};
/// Shares of the time: loading and the network's pass.
const NETWORK: f64 = 0.12;

/// The engine, and the network that it keeps.
#[derive(Default)]
pub struct Rethined {
    warm: Slot<Loaded>,
}

struct Loaded {
    cx: Context,
    net: Network,
}

/// Where detail comes from.
#[derive(Clone, Copy, PartialEq)]
enum Detail {
    Search,
    Attention,
}

impl Detail {
    fn of(values: &Values) -> Self {
        match values.get("detail") {
            Some(Value::Text(text)) if text == "attention" => Self::Attention,
            _ => Self::Search,
        }
    }
}

impl Rethined {
    fn load(&self, run: &mut Run<'_>) -> Result<Arc<Loaded>> {
        let told = Told::new(run.cancel, 1);
        let load = || {
            let weights = Weights::from_bytes("the weights in the box", WEIGHTS)?;
            let cx = Context::new(Path::chosen());
            let net = Network::new(&cx, &weights)?;
            Ok(Loaded { cx, net })
        };
        self.warm.get(run, &told, |_| true, true, load)
    }
}

impl Engine for Rethined {
    fn description(&self) -> EngineDescription {
        EngineDescription {
            id: "rethined",
            label: "RETHINED",
            summary: "A small network in the box gives light and colours, the picture's own pixels \
                      give the detail: sharp, at any resolution, in any depth. Needs no model. As \
                      the exemplar engine, with fewer things in the wrong place.",
            params: vec![ParamSpec {
                name: "detail",
                label: "Detail",
                help: "Where detail comes from: search looks through the region for patches that go \
                       on from what is around the hole, attention takes the ones that the network \
                       itself attends to, which is many times as fast and less coherent.",
                kind: ParamKind::Choice(vec![
                    ("search", "Search: best"),
                    ("attention", "Attention: fast"),
                ]),
                default: "search",
            }],
        }
    }

    fn needs(&self, ask: &Ask<'_>) -> Result<Needs> {
        Exemplar.needs(ask)
    }

    fn costs(&self, ask: &Ask<'_>) -> Result<Costs> {
        // Measured as the exemplar engine's, which the search is like.
        Ok(match Detail::of(ask.values) {
            Detail::Search => Costs {
                bytes: 40e6,
                bytes_per_pixel: 110.0,
                bytes_per_hole_pixel: 60.0,
                seconds: 0.02,
                seconds_per_pixel: 3e-7,
                seconds_per_hole_pixel: 4.2e-6,
            },
            Detail::Attention => Costs {
                bytes: 40e6,
                bytes_per_pixel: 60.0,
                bytes_per_hole_pixel: 40.0,
                seconds: 0.02,
                seconds_per_pixel: 2e-7,
                seconds_per_hole_pixel: 3e-7,
            },
        })
    }

    fn fill(&self, crop: &Crop<'_>, run: &mut Run<'_>) -> Result<RgbImage> {
        run.step(0.0)?;
        let detail = Detail::of(run.values);
        let loaded = self.load(run)?;
        let (pool, cancel, seed) = (run.pool, run.cancel, run.seed);
        let made = pool.install(|| {
            let matched = detail == Detail::Attention;
            answer::make(&loaded.cx, &loaded.net, crop, matched, cancel)
        })?;
        loaded.cx.trim();
        run.step(NETWORK)?;
        if detail == Detail::Attention {
            let filled = pool.install(|| made.attended(crop, seed))?;
            run.step(1.0)?;
            return Ok(filled);
        }
        let rest = |mark: Mark| Mark {
            share: NETWORK + (1.0 - NETWORK) * mark.share,
            ..mark
        };
        let mut filled = run.mapped(rest, |run| Exemplar.fill(crop, run))?;
        pool.install(|| detail::light(LIGHT, &made.image, &mut filled, crop.hole))?;
        Ok(filled)
    }

    fn trim(&self) {
        self.warm.trim();
    }
}
