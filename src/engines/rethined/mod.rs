//! The engine in the box: a small network says what goes where, the picture's own pixels say it sharply.
//!
//! The network is RETHINED's (arXiv 2503.14757), as Mend trains it. It works on the region at half
//! the size, or less of a large one. What it does not know, detail, comes natively from the known
//! pixels: by the exemplar search guided by its answer, or quickly by its own attention.
#![forbid(unsafe_code)]

mod answer;

use super::{Ask, Crop, Engine, EngineDescription, Run, Values};
use crate::blend;
use crate::detail::{self, Guide};
use crate::error::{Error, Result};
use crate::kernels::{Context, Path};
use crate::models::rethined::Rethined as Network;
use crate::params::{ParamKind, ParamSpec, Value};
use crate::pixels::RgbImage;
use crate::plan::{Costs, Needs};
use crate::weights::Weights;
use std::sync::{Arc, Mutex, PoisonError};

/// The weights, see `training/rethined/README.md`.
static WEIGHTS: &[u8] = include_bytes!("../../models/rethined/weights.safetensors");

/// The answer's pixels are so many times its network's: it is soft, and finer than that the search
/// decides. Measured on photos/: see `training/rethined/README.md`.
const SOFT: f64 = 8.0;
/// How far the search keeps to the answer.
const WEIGHT: f32 = 1.0;
/// Shares of the time: loading and the network's pass.
const NETWORK: f64 = 0.12;

/// The engine, and the network that it keeps.
#[derive(Default)]
pub struct Rethined {
    warm: Mutex<Option<Arc<Loaded>>>,
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
    fn load(&self, run: &Run<'_>) -> Result<Arc<Loaded>> {
        let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = &*warm {
            return Ok(loaded.clone());
        }
        let loaded = run.pool.install(|| -> Result<_> {
            let weights = Weights::from_bytes("the weights in the box", WEIGHTS)?;
            let cx = Context::new(Path::chosen());
            let net = Network::new(&cx, &weights)?;
            Ok(Arc::new(Loaded { cx, net }))
        })?;
        *warm = Some(loaded.clone());
        Ok(loaded)
    }
}

impl Engine for Rethined {
    fn description(&self) -> EngineDescription {
        EngineDescription {
            id: "rethined",
            label: "RETHINED",
            summary: "A small network in the box says what goes where, the picture's own pixels say \
                      it sharply: at any resolution, in any depth. Needs no model. Good at carrying \
                      on shapes, shades and colours through the hole; it invents no objects.",
            params: vec![ParamSpec {
                name: "detail",
                label: "Detail",
                help: "Where sharpness comes from: search looks through the region for patches that \
                       go with the network's answer, attention takes the ones that the network \
                       itself attends to, which is many times as fast and less coherent.",
                kind: ParamKind::Choice(vec![
                    ("search", "Search: best"),
                    ("attention", "Attention: fast"),
                ]),
                default: "search",
            }],
        }
    }

    fn needs(&self, _: &Ask<'_>) -> Result<Needs> {
        Ok(Needs {
            min_context: 64,
            context_share: 0.6,
            max_context: 768,
            ..Needs::ANY
        })
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
                seconds_per_hole_pixel: 6e-6,
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
            let filled = pool.install(|| made.attended(crop))?;
            run.step(1.0)?;
            return Ok(filled);
        }
        let filled = pool.install(|| {
            let mut filled = made.picture(crop)?;
            blend::paste(crop.image, crop.hole, crop.source, &mut filled)?;
            Ok::<_, Error>(filled)
        })?;
        let guide = Guide {
            scale: SOFT * made.scale,
            weight: WEIGHT,
        };
        let steps = &mut |share: f64| run.step(NETWORK + (1.0 - NETWORK) * share);
        let (hole, source) = (crop.hole, crop.source);
        detail::transfer(&guide, &filled, hole, source, seed, pool, cancel, steps)
    }

    fn trim(&self) {
        *self.warm.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
