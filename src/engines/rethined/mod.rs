//! The engine with built-in weights: a small network says which light and colours belong in the hole, and
//! how sure it is; the search of the exemplar engine goes by that.
//!
//! The network is RETHINED's (arXiv 2503.14757), as Mend trains it. It works on the region at half
//! the size, or less of a large one. Nothing of its answer is laid over the fill, for it is soft. Or its
//! own attention says where detail comes from, which is quick.
#![forbid(unsafe_code)]

mod answer;

use super::exemplar::{self, Exemplar};
use super::pump::StageReporter;
use super::slot::Slot;
use super::{Crop, Engine, EngineDescription, Mark, OpenOptions, Opened, Run, variation_seed};
use crate::error::Result;
use crate::kernels::{Context, Path};
use crate::models::rethined::Rethined as Network;
use crate::params::{ParamKind, ParamSpec};
use crate::pixels::RgbImage;
use crate::plan::{Costs, Needs};
use answer::Answer;
use std::sync::Arc;

/// Shares of the time: loading and the network's pass.
const NETWORK: f64 = 0.12;

/// The engine, and the network that it keeps.
#[derive(Default)]
pub struct Rethined {
    warm: Arc<Slot<Loaded>>,
}

/// The engine with its settings read.
struct OpenRethined {
    detail: Detail,
    warm: Arc<Slot<Loaded>>,
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

/// Ids and labels of the sources of detail.
const DETAILS: [(&str, &str, Detail); 2] = [
    ("search", "Search: best", Detail::Search),
    ("attention", "Attention: fast", Detail::Attention),
];

impl Engine for Rethined {
    fn description(&self) -> EngineDescription {
        EngineDescription {
            id: "rethined",
            label: "RETHINED",
            summary: "Fills the hole from the picture's own pixels, as the exemplar engine does, where a \
                      small built-in network sees light and colours: sharp, at any resolution, in any \
                      depth, with fewer things in the wrong place. Needs no model. It cannot invent what \
                      the picture does not show.",
            params: vec![ParamSpec {
                name: "detail",
                label: "Detail",
                help: "Where detail comes from: search looks through the region for patches that \
                       continue the surroundings of the hole; attention takes the ones that the network \
                       itself attends to, which is many times as fast and less coherent.",
                kind: ParamKind::Choice(DETAILS.map(|(id, label, _)| (id, label)).to_vec()),
                default: "search",
            }],
        }
    }

    fn open(&self, options: &OpenOptions<'_>) -> Result<Box<dyn Opened>> {
        let table = DETAILS.map(|(id, _, detail)| (id, detail));
        Ok(Box::new(OpenRethined {
            detail: options.parameters.choice("detail", &table)?,
            warm: self.warm.clone(),
        }))
    }

    fn trim(&self) {
        self.warm.trim();
    }
}

impl OpenRethined {
    fn load(&self, run: &mut Run<'_>) -> Result<Arc<Loaded>> {
        let reporter = StageReporter::new(run.cancel, 1);
        let load = || {
            let weights = Network::built_in()?;
            let cx = Context::new(Path::chosen());
            let net = Network::new(&cx, &weights)?;
            Ok(Loaded { cx, net })
        };
        self.warm.get(run, &reporter, |_| true, true, load)
    }

    /// What the network makes of the crop.
    fn answer(&self, crop: &Crop<'_>, run: &mut Run<'_>) -> Result<Answer> {
        run.step(0.0)?;
        let loaded = self.load(run)?;
        let cancel = run.cancel;
        let made = run.pool.install(|| {
            let matched = self.detail == Detail::Attention;
            answer::make(&loaded.cx, &loaded.net, crop, matched, cancel)
        })?;
        loaded.cx.trim();
        run.step(NETWORK)?;
        Ok(made)
    }
}

impl Opened for OpenRethined {
    fn needs(&self) -> Needs {
        Needs {
            lit: self.detail == Detail::Search,
            ..Exemplar.needs()
        }
    }

    fn of_patches(&self) -> bool {
        self.detail == Detail::Search
    }

    fn costs(&self, _: Option<u64>) -> Costs {
        // Measured as the exemplar engine's, which the search is like.
        match self.detail {
            Detail::Search => Costs {
                bytes: 75e6,
                bytes_per_pixel: 70.0,
                bytes_per_hole_pixel: 65.0,
                seconds: 0.02,
                seconds_per_pixel: 2e-7,
                seconds_per_hole_pixel: 4.2e-6,
                variation: 0.4,
            },
            Detail::Attention => Costs {
                bytes: 40e6,
                bytes_per_pixel: 60.0,
                bytes_per_hole_pixel: 40.0,
                seconds: 0.02,
                seconds_per_pixel: 2e-7,
                seconds_per_hole_pixel: 3e-7,
                variation: 0.3,
            },
        }
    }

    fn guides(&self) -> bool {
        // The search continues lines, and is not asked by the other.
        self.detail == Detail::Search
    }

    fn fill(&self, crop: &Crop<'_>, run: &mut Run<'_>) -> Result<RgbImage> {
        let made = self.answer(crop, run)?;
        if self.detail == Detail::Attention {
            let seed = run.seed;
            let filled = run.pool.install(|| made.attended(crop, seed))?;
            run.step(1.0)?;
            return Ok(filled);
        }
        run.mapped(after_network, |run| {
            exemplar::fill(crop, Some(made.guess()), run)
        })
    }

    fn vary(
        &self,
        crop: &Crop<'_>,
        run: &mut Run<'_>,
        count: u32,
        each: &mut dyn FnMut(RgbImage) -> Result<()>,
    ) -> Result<()> {
        let made = self.answer(crop, run)?;
        if self.detail == Detail::Attention {
            for number in 0..count {
                let seed = variation_seed(run.seed, number);
                each(run.pool.install(|| made.attended(crop, seed))?)?;
                let share = f64::from(number + 1) / f64::from(count);
                run.step(NETWORK + (1.0 - NETWORK) * share)?;
            }
            return Ok(());
        }
        let light = Some(made.guess());
        run.mapped(after_network, |run| {
            exemplar::vary(crop, light, run, count, each)
        })
    }
}

/// A mark of what comes after the network's pass.
fn after_network(mark: Mark) -> Mark {
    Mark {
        share: NETWORK + (1.0 - NETWORK) * mark.share,
        ..mark
    }
}
