//! From a mask to regions of interest, and what they will cost. Floor 1, pure.
#![forbid(unsafe_code)]

mod border;
mod canvas;
mod memory;
mod parts;
mod regions;
mod specks;
#[cfg(test)]
mod tests;

pub use border::regions_around;
pub use canvas::Canvas;
pub use memory::{Memory, Stage};
pub use regions::{LONGEST, regions};
pub use specks::{Specks, specks};

use crate::pixels::Rect;
use serde_json::{Value as Json, json};

/// What an engine asks of a region.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Needs {
    /// Width and height of the crop are multiples of this (1: any size). Where the image is too small for
    /// that, or the crop is scaled, the engine fills up what is missing by itself; nothing is scaled for it.
    pub alignment: u32,
    /// Pixels of context on every side that the engine wants at the least.
    pub min_context: u32,
    /// With [`crate::params::Extent::Auto`], the context as a share of the hole's longer side.
    pub context_share: f64,
    /// With `Auto`, the most pixels of context on a side.
    pub max_context: u32,
    /// The longest side that the engine can work on; a larger region is scaled down, or gives up some of
    /// its context where little is too much. `None`: any.
    pub max_side: Option<u32>,
    /// The longest side is to be no shorter than this: a smaller region gets more context, and where
    /// the image has no more, it is scaled up, unless little is lacking.
    pub min_side: u32,
    /// Whether the flow brings the fill's colours to those around the hole; an engine that does not
    /// ask for it does so by itself.
    pub blend: bool,
    /// Whether the engine wants to see what is to be removed.
    pub original: bool,
    /// Whether the engine wants to know how much of each pixel is to be replaced.
    pub coverage: bool,
    /// Whether specks, which what is around them says all about, are filled before the engine is asked.
    pub specks: bool,
    /// Whether its search of patches expects a light, so that it takes fewer starts.
    pub lit: bool,
}

impl Needs {
    /// Nothing in particular.
    pub const ANY: Self = Self {
        alignment: 1,
        min_context: 0,
        context_share: 0.0,
        max_context: 0,
        max_side: None,
        min_side: 0,
        blend: false,
        original: false,
        coverage: false,
        specks: false,
        lit: false,
    };

    /// Working size over native size of a region of `width` × `height`: 1 unless the longer side is out of
    /// bounds. A side that is nearly long enough stays as it is, for resampling would lose more than the
    /// engine gains.
    pub fn scale(&self, width: u32, height: u32) -> f64 {
        const NEARLY: f64 = 0.8;
        let Some(most) = self.max_side.map(f64::from) else {
            return 1.0;
        };
        let longer = f64::from(width.max(height).max(1));
        let least = f64::from(self.min_side).min(most);
        if longer > most {
            most / longer
        } else if longer < NEARLY * least {
            least / longer
        } else {
            1.0
        }
    }

    /// The size that an engine works at on a region of `width` × `height`: the region's own, or both sides
    /// by [`Self::scale`].
    pub fn working_size(&self, width: u32, height: u32) -> (u32, u32) {
        let scale = self.scale(width, height);
        let to = |side: u32| (f64::from(side) * scale).round().max(1.0) as u32;
        (to(width), to(height))
    }
}

/// What a region costs, linear in its pixels: measured coefficients of one engine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Costs {
    /// Bytes whatever the region.
    pub bytes: f64,
    /// Bytes a pixel of the crop.
    pub bytes_per_pixel: f64,
    /// Bytes a pixel of the hole, in addition.
    pub bytes_per_hole_pixel: f64,
    /// Seconds on one thread whatever the region.
    pub seconds: f64,
    /// Seconds on one thread a pixel of the crop.
    pub seconds_per_pixel: f64,
    /// Seconds on one thread a pixel of the hole, in addition.
    pub seconds_per_hole_pixel: f64,
    /// The share of a region's seconds that each further fill of the same crop takes, where several are
    /// made to choose from: 1 where an engine starts anew for each.
    pub variation: f64,
}

impl Costs {
    /// Predicted seconds of one region on one thread.
    pub fn region_seconds(&self, pixels: u64, hole_pixels: u64) -> f64 {
        self.seconds
            + self.seconds_per_pixel * pixels as f64
            + self.seconds_per_hole_pixel * hole_pixels as f64
    }

    /// Predicted peak bytes of one region.
    pub fn region_bytes(&self, pixels: u64, hole_pixels: u64) -> f64 {
        self.bytes
            + self.bytes_per_pixel * pixels as f64
            + self.bytes_per_hole_pixel * hole_pixels as f64
    }
}

/// How many fills are made, and how many of them are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fills {
    /// Fills made, at least 1.
    pub made: u32,
    /// Those with the best scores, at least 1 and no more than are made.
    pub kept: u32,
}

impl Fills {
    /// For that many `variations`, each of the best of `best_of`; 0 counts as 1.
    pub fn new(variations: u32, best_of: u32) -> Self {
        let kept = variations.max(1);
        Self {
            made: kept.max(best_of),
            kept,
        }
    }
}

/// One region of interest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    /// The crop: the hole and its context.
    pub rect: Rect,
    /// The bounding box of the hole inside, the mask's growth included.
    pub hole: Rect,
    /// Pixels of the hole (those the mask's growth adds not counted).
    pub hole_pixels: u64,
    /// Working size over native size; 1 unless the engine must work smaller or larger.
    pub scale: f64,
    /// What a search of patches costs, in pixels of a large, compact hole: each patch that reaches a
    /// hole's pixel is searched for, and round a speck there are 49 of them. Of specks, what
    /// interpolating them costs, in pixels of dense ones.
    pub work: u64,
    /// What the search for alpha at rough transparent edges costs, likewise; 0 where alpha goes on by itself.
    pub alpha_work: u64,
    /// Whether only specks are filled here, which needs no engine.
    pub specks: bool,
}

/// What a fill will do, before it is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The engine that will run.
    pub engine: String,
    /// Why this engine.
    pub reason: String,
    /// The canvas that the picture grows to, on which the regions lie; none where it keeps its size.
    pub canvas: Option<Canvas>,
    /// How many fills are made. A call that gives one fill keeps the best of them.
    pub variations: Fills,
    /// The regions, in the order they will be filled.
    pub regions: Vec<Region>,
    /// What the engine holds, part by part, of the region that takes the most; none where an engine
    /// has only one part. What grows with the region comes on top.
    pub stages: Vec<Stage>,
    /// Predicted peak of the memory that the call itself takes, in bytes.
    pub peak_bytes: u64,
    /// Predicted seconds.
    pub seconds: f64,
    /// What the user should know before the fill, such as which parameters the engine will not use.
    /// The fill's report says it again.
    pub notes: Vec<String>,
}

impl Plan {
    /// The plan as JSON, the form of `mend_plan`.
    pub fn to_json(&self) -> Json {
        let rect = |r: &Rect| json!({"x": r.x, "y": r.y, "width": r.width, "height": r.height});
        json!({
            "engine": self.engine,
            "reason": self.reason,
            "canvas": self.canvas.as_ref().map(Canvas::to_json),
            "variations": {"made": self.variations.made, "kept": self.variations.kept},
            "regions": self.regions.iter().map(|r| json!({
                "rect": rect(&r.rect), "hole": rect(&r.hole),
                "hole_pixels": r.hole_pixels, "scale": r.scale,
            })).collect::<Vec<_>>(),
            "stages": self.stages.iter().map(Stage::to_json).collect::<Vec<_>>(),
            "peak_bytes": self.peak_bytes,
            "seconds": self.seconds,
            "notes": self.notes,
        })
    }
}
