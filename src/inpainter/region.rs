//! One region: its crop is read, filled and cut down to the hole's box.
#![forbid(unsafe_code)]

use super::checks::no_source;
use super::part::Part;
use super::reading;
use super::scaled::fill_scaled;
use crate::blend;
use crate::detail::{self, Guide};
use crate::engines::{Crop, Engine, Mark, Run};
use crate::error::Result;
use crate::memory;
use crate::pixels::{ImageView, MaskView, Plane, Rect, RgbImage, Working};
use crate::plan::{Needs, Region};
use crate::progress::Cancel;
use crate::request::Request;

/// What all regions of a call share.
pub struct Job<'a> {
    /// What the engine asks for.
    pub needs: &'a Needs,
    /// The caller's picture.
    pub image: &'a ImageView<'a>,
    /// The caller's mask.
    pub mask: &'a MaskView<'a>,
    /// The caller's request.
    pub request: &'a Request,
    /// Pixels by which the mask grows.
    pub grow: u32,
    /// Pixels over which the fill fades in.
    pub feather: u32,
}

/// Fills `region` of the job. `detail` is the share of its time that is spent on native detail, where
/// the engine works on it at a lower resolution; `before` are the regions that are done, of which specks
/// and what goes on in this region count as known.
///
/// # Errors
/// As [`crate::Inpainter::fill`].
pub fn fill_region(
    job: &Job<'_>,
    engine: &dyn Engine,
    region: &Region,
    detail: f64,
    before: &[Part],
    run: &mut Run<'_>,
) -> Result<Part> {
    let rect = region.rect;
    let (w, h) = (rect.width as usize, rect.height as usize);
    let cancel = run.cancel;
    let mut coverage = reading::coverage(job.mask, rect, job.grow, job.feather, cancel)?;
    let mut working = reading::working(job.image, rect, &coverage, cancel)?;
    for part in before.iter().filter(|part| part.goes_on_in(region)) {
        part.lay_into(region, &mut working, &mut coverage);
    }
    // Which pixels are to be filled here, and which are known and may be sampled from. Pixels of
    // another region's hole and transparent ones are neither.
    let inner = Rect::new(
        region.hole.x - rect.x,
        region.hole.y - rect.y,
        region.hole.width,
        region.hole.height,
    );
    let mut hole = Plane::filled(w, h, 0u8, "the region's hole")?;
    let mut source = match job.request.source() {
        Some(mask) => mask.crop(rect)?,
        None => Plane::filled(w, h, 1u8, "the region's sources")?,
    };
    let mut known = Plane::filled(w, h, 1u8, "the region's known pixels")?;
    let inside = |x: usize, y: usize| {
        (inner.x as usize..inner.right() as usize).contains(&x)
            && (inner.y as usize..inner.bottom() as usize).contains(&y)
    };
    for y in 0..h {
        cancel.check()?;
        for x in 0..w {
            let i = y * w + x;
            let masked = coverage.data[i] > 0.0;
            let transparent = working.alpha.as_ref().is_some_and(|a| a.data[i] <= 0.0);
            if masked && inside(x, y) {
                hole.data[i] = 1;
            }
            if masked || transparent {
                known.data[i] = 0;
                source.data[i] = 0;
            }
        }
    }
    if source.data.iter().all(|s| *s == 0) {
        return Err(no_source(job.request));
    }
    run.pool
        .install(|| blend::extend(&mut working.rgb.data, 3, w, h, &known.data, cancel))?;
    let original = match job.needs.original {
        true => Some(original(job, rect, &known, &working.rgb, cancel)?),
        false => None,
    };
    let crop = Crop {
        image: &working.rgb,
        original: original.as_ref(),
        hole: &hole,
        coverage: job.needs.coverage.then_some(&coverage),
        source: &source,
    };
    let softness = softness(job.needs, rect.width, rect.height);
    let until = softness.map_or(1.0, |_| 1.0 - detail);
    let (mut filled, mark) = within(run, until, |run| fill_scaled(engine, job.needs, &crop, run))?;
    if job.needs.blend {
        run.pool
            .install(|| blend::paste(&working.rgb, &hole, &source, &mut filled, cancel))?;
    }
    if let Some(scale) = softness {
        let guide = Guide { scale, weight: 1.0 };
        let (pool, cancel, seed) = (run.pool, run.cancel, run.seed);
        let steps = &mut |share: f64| {
            run.at(Mark {
                stage: "detail",
                share: until + (1.0 - until) * share,
                ..mark
            })
        };
        filled = detail::transfer(&guide, &filled, &hole, &source, seed, pool, cancel, steps)?;
    }
    working.rgb = filled;
    if let Some(alpha) = &mut working.alpha {
        // Alpha goes on smoothly from around the hole: opaque surroundings make an opaque fill.
        let mut around = memory::with_capacity(w * h, "the known alpha")?;
        around.extend(coverage.data.iter().map(|c| u8::from(*c <= 0.0)));
        run.pool
            .install(|| blend::extend(&mut alpha.data, 1, w, h, &around, cancel))?;
    }
    // Only the hole's box is kept until the end.
    let at = |x: usize, y: usize| (y + inner.y as usize) * w + x + inner.x as usize;
    let (iw, ih) = (inner.width as usize, inner.height as usize);
    let mut part = Part {
        rect: region.hole,
        working: Working {
            rgb: RgbImage::black(iw, ih, "the filled hole")?,
            alpha: None,
        },
        coverage: Plane::filled(iw, ih, 0.0, "the hole's mask")?,
        runs: None,
    };
    for y in 0..ih {
        let i = at(0, y);
        part.working
            .rgb
            .row_mut(y)
            .copy_from_slice(&working.rgb.data[i * 3..(i + iw) * 3]);
        part.coverage
            .row_mut(y)
            .copy_from_slice(&coverage.data[i..i + iw]);
    }
    if let Some(alpha) = &working.alpha {
        let mut cut = Plane::filled(iw, ih, 0.0, "the hole's alpha")?;
        for y in 0..ih {
            let i = at(0, y);
            cut.row_mut(y).copy_from_slice(&alpha.data[i..i + iw]);
        }
        part.working.alpha = Some(cut);
    }
    Ok(part)
}

/// How many pixels of a region of this size one of the engine's is; none where that is so few that its
/// fill is as sharp as the picture.
pub fn softness(needs: &Needs, width: u32, height: u32) -> Option<f64> {
    const SOFT: f64 = 1.3;
    let (w, h) = needs.working_size(width, height);
    let along = |native: u32, working: u32| f64::from(native) / f64::from(working.max(1));
    let scale = along(width, w).max(along(height, h));
    (scale > SOFT).then_some(scale)
}

/// Runs `work`, whose time is the share `until` of the region's; what it makes, and the last that it
/// told.
fn within<T>(
    run: &mut Run<'_>,
    until: f64,
    work: impl FnOnce(&mut Run<'_>) -> Result<T>,
) -> Result<(T, Mark)> {
    let mut last = Mark {
        stage: "fill",
        step: 100,
        steps: 100,
        share: until,
    };
    let map = |mark: Mark| {
        last = Mark {
            share: mark.share * until,
            ..mark
        };
        last
    };
    let made = run.mapped(map, work)?;
    Ok((made, last))
}

/// The picture with the content to be removed; what is transparent is as in `filled`.
fn original(
    job: &Job<'_>,
    rect: Rect,
    known: &Plane<u8>,
    filled: &RgbImage,
    cancel: &Cancel,
) -> Result<RgbImage> {
    let (w, h) = (rect.width as usize, rect.height as usize);
    let nothing = Plane::filled(w, h, 0.0f32, "an empty mask")?;
    let mut working = reading::working(job.image, rect, &nothing, cancel)?;
    let pixels = working.rgb.data.chunks_exact_mut(3);
    for (i, (pixel, filled)) in pixels.zip(filled.data.chunks_exact(3)).enumerate() {
        let transparent = working.alpha.as_ref().is_some_and(|a| a.data[i] <= 0.0);
        if known.data[i] != 0 || transparent {
            pixel.copy_from_slice(filled);
        }
    }
    Ok(working.rgb)
}
