//! One region: its crop is read, filled and cut down to the hole's box.
#![forbid(unsafe_code)]

use super::alpha::{NOTHING, SEARCHED, nearest, settle};
use super::checks::no_source;
use super::part::Part;
use super::reading;
use super::scaled::{Filler, fill_scaled};
use super::settings::Settings;
use crate::blend;
use crate::detail::{self, Guide};
use crate::engines::{Crop, Mark, Run};
use crate::error::Result;
use crate::r#match::{Cutout, complete_cutout};
use crate::pixels::{Coverage, ImageView, MaskView, Plane, Rect, RgbImage, Working, not_numbers};
use crate::plan::{Needs, Region};
use crate::progress::Cancel;
use crate::request::Request;

/// What all regions of a call share.
pub(super) struct Job<'a> {
    /// The engine.
    pub filler: Filler<'a>,
    /// The caller's picture.
    pub image: &'a ImageView<'a>,
    /// The caller's mask.
    pub mask: &'a MaskView<'a>,
    /// The caller's request.
    pub request: &'a Request,
    /// What the flow goes by.
    pub settings: &'a Settings,
}

impl Job<'_> {
    /// How much of each pixel of `rect` is to be replaced.
    ///
    /// # Errors
    /// As [`reading::coverage`].
    pub fn coverage(&self, rect: Rect, cancel: &Cancel) -> Result<Coverage> {
        let Settings { grow, feather, .. } = *self.settings;
        reading::replaced(self.image, self.mask, rect, grow, feather, cancel)
    }
}

/// A region's crop, read.
struct Read {
    working: Working,
    coverage: Coverage,
    /// 1 where a pixel is to be filled.
    hole: Plane<u8>,
    /// Pixels at a transparent edge, if there are any, see [`settle`].
    edge: Option<Plane<u8>>,
    /// 1 where colour is known: not in any region's hole and not transparent.
    known: Plane<u8>,
    /// 1 where a known pixel may be sampled from.
    source: Plane<u8>,
}

/// Fills `region` of the job. `detail` is the share of its time that is spent on native detail, where
/// the engine works on it at a lower resolution; `before` are the regions that are done, of which specks
/// and what goes on in this region count as known.
///
/// # Errors
/// As [`crate::Inpainter::fill`].
pub(super) fn fill_region(
    job: &Job<'_>,
    region: &Region,
    detail: f64,
    before: &[Part],
    run: &mut Run<'_>,
) -> Result<Part> {
    let rect = region.rect;
    let (w, h) = (rect.width as usize, rect.height as usize);
    let inner = Rect::new(
        region.hole.x - rect.x,
        region.hole.y - rect.y,
        region.hole.width,
        region.hole.height,
    );
    let cancel = run.cancel;
    let mut read = read(job, region, &inner, before, run)?;
    let empty = !read.known.data.contains(&1);
    if read.hole.data.contains(&1) {
        if !read.source.data.contains(&1) {
            return Err(no_source(job.request));
        }
        let (known, rgb) = (&read.known.data, &mut read.working.rgb.data);
        run.pool
            .install(|| blend::extend(rgb, 3, w, h, known, cancel))?;
        fill(job, rect, detail, &mut read, run)?;
    }
    if let Some(alpha) = &read.working.alpha {
        // What is transparent has no colour.
        let pixels = read.working.rgb.data.as_chunks_mut::<3>().0.iter_mut();
        for (pixel, _) in pixels.zip(&alpha.data).filter(|(_, a)| **a <= 0.0) {
            *pixel = [0.0; 3];
        }
    }
    cut(&read, &inner, region.hole, empty)
}

/// Fills what is to be filled of a crop whose unknown colours carry a smooth guess.
fn fill(job: &Job<'_>, rect: Rect, detail: f64, read: &mut Read, run: &mut Run<'_>) -> Result<()> {
    let Some(edge) = read.edge.take() else {
        return colours(job, rect, detail, read, 0.0, run);
    };
    // An outline says where the edge goes, and colour goes on within it from what is opaque. Where alpha
    // is searched for, it comes with its colour from patches; other engines need the search for alpha alone.
    let patches = job.filler.engine.of_patches();
    let (w, h) = (edge.width, edge.height);
    let mut own = Plane::filled(w, h, 0u8, "the hole at an edge")?;
    let mut rest = Plane::filled(w, h, 0u8, "the rest of the hole")?;
    for (i, edge) in edge.data.iter().enumerate() {
        let at_edge = *edge == SEARCHED;
        own.data[i] = read.hole.data[i] & u8::from(at_edge);
        rest.data[i] = read.hole.data[i] & u8::from(!at_edge);
    }
    if !own.data.contains(&1) {
        return colours(job, rect, detail, read, 0.0, run);
    }
    let alone = !rest.data.contains(&1);
    let share = match (patches, alone) {
        (true, true) => 1.0,
        (true, false) => 0.5,
        (false, _) => CUTOUT,
    };
    let made = cutout(job, rect, read, (&edge, &own), share, run)?;
    if let Some(image) = made.filter(|_| patches) {
        let hole = std::mem::replace(&mut read.hole, rest);
        if !alone {
            colours(job, rect, detail, read, share, run)?;
        }
        read.hole = hole;
        let filled = read.working.rgb.data.as_chunks_mut::<3>().0.iter_mut();
        let all = filled.zip(image.data.as_chunks::<3>().0).zip(&own.data);
        all.filter(|(_, own)| **own != 0)
            .for_each(|((p, made), _)| *p = *made);
        return Ok(());
    }
    colours(job, rect, detail, read, share, run)
}

/// The share of a region's time that alpha takes where another engine makes the colours.
const CUTOUT: f64 = 0.2;

/// Fills `hole`, which lies at the transparent `edge`, until the share `until` of the time is over: alpha
/// where it is to be searched for. Returns the colours that came with it, if patches were to be had.
fn cutout(
    job: &Job<'_>,
    rect: Rect,
    read: &mut Read,
    (edge, hole): (&Plane<u8>, &Plane<u8>),
    until: f64,
    run: &mut Run<'_>,
) -> Result<Option<RgbImage>> {
    let Some(alpha) = &mut read.working.alpha else {
        return Ok(None);
    };
    let (w, h) = (edge.width, edge.height);
    let mut known = Plane::filled(w, h, 0u8, "the known alpha")?;
    // Here what is transparent is a source like any other, and known where the hole became so.
    let mut source = allowed(job, rect)?;
    for (i, c) in read.coverage.data.iter().enumerate() {
        known.data[i] = u8::from(*c <= 0.0 || edge.data[i] == NOTHING);
        source.data[i] &= u8::from(*c <= 0.0);
    }
    let cutout = Cutout {
        image: &read.working.rgb,
        alpha,
        hole,
        known: &known,
        source: &source,
    };
    let stage = match job.filler.engine.of_patches() {
        true => "fill",
        false => "prepare",
    };
    let (pool, cancel, seed) = (run.pool, run.cancel, run.seed);
    let steps = &mut |share: f64| {
        run.at(Mark {
            stage,
            step: (share * 100.0).round() as u32,
            steps: 100,
            share: share * until,
        })
    };
    let made = complete_cutout(&cutout, seed, pool, cancel, steps)?;
    let mut open = Plane::filled(w, h, 0u8, "the alpha at a transparent edge")?;
    for (open, edge) in open.data.iter_mut().zip(&edge.data) {
        *open = u8::from(*edge == SEARCHED);
    }
    let Some((image, found)) = made else {
        nearest(alpha, &read.coverage, open)?;
        return Ok(None);
    };
    let all = alpha.data.iter_mut().zip(&found.data).zip(&open.data);
    all.filter(|(_, open)| **open != 0)
        .for_each(|((a, found), _)| *a = *found);
    Ok(Some(image))
}

/// Fills the colours of the hole by the engine, from the share `from` of the time on.
fn colours(
    job: &Job<'_>,
    rect: Rect,
    detail: f64,
    read: &mut Read,
    from: f64,
    run: &mut Run<'_>,
) -> Result<()> {
    let original = match job.filler.needs.original {
        true => Some(original(job, rect, read, run.cancel)?),
        false => None,
    };
    let rgb = &read.working.rgb;
    let crop = Crop {
        image: rgb,
        original: original.as_ref(),
        hole: &read.hole,
        coverage: job.filler.needs.coverage.then_some(&read.coverage),
        source: &read.source,
    };
    let softness = softness(job.filler.needs, rect.width, rect.height);
    let until = from + (1.0 - from) * softness.map_or(1.0, |_| 1.0 - detail);
    let (mut filled, mark) = within(run, from, until, |run| fill_scaled(&job.filler, &crop, run))?;
    if job.filler.needs.blend {
        run.pool
            .install(|| blend::paste(rgb, &read.hole, &read.source, &mut filled, run.cancel))?;
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
        let (hole, source) = (&read.hole, &read.source);
        filled = detail::transfer(&guide, &filled, hole, source, seed, pool, cancel, steps)?;
    }
    read.working.rgb = filled;
    Ok(())
}

/// Reads a region's crop, with what is done of it, and settles its alpha as far as that needs no search.
/// `inner` is the hole's box in it.
fn read(
    job: &Job<'_>,
    region: &Region,
    inner: &Rect,
    before: &[Part],
    run: &Run<'_>,
) -> Result<Read> {
    let (rect, cancel) = (region.rect, run.cancel);
    let (w, h) = (rect.width as usize, rect.height as usize);
    let mut coverage = job.coverage(rect, cancel)?;
    let mut working = reading::working(job.image, rect, &coverage, cancel)?;
    for part in before.iter().filter(|part| part.goes_on_in(region)) {
        part.lay_into(region, &mut working, &mut coverage);
    }
    let mut hole = Plane::filled(w, h, 0u8, "the region's hole")?;
    for y in inner.y as usize..inner.bottom() as usize {
        let columns = inner.x as usize..inner.right() as usize;
        let covered = &coverage.row(y)[columns.clone()];
        for (hole, c) in hole.row_mut(y)[columns].iter_mut().zip(covered) {
            *hole = u8::from(*c > 0.0);
        }
    }
    let mut edge: Option<Plane<u8>> = None;
    if let Some(alpha) = &mut working.alpha {
        edge = run
            .pool
            .install(|| settle(alpha, &coverage, &hole, cancel))?;
        // Where nothing comes there is nothing to be filled.
        for (i, hole) in hole.data.iter_mut().enumerate() {
            let own = edge.as_mut().map(|edge| &mut edge.data[i]);
            let open = own.as_ref().is_some_and(|own| **own == SEARCHED);
            if *hole != 0 && alpha.data[i] <= 0.0 && !open {
                *hole = 0;
                if let Some(own) = own {
                    *own = NOTHING;
                }
            }
        }
    }
    // Pixels of another region's hole and transparent ones are neither known nor a source.
    let mut source = allowed(job, rect)?;
    let mut known = Plane::filled(w, h, 1u8, "the region's known pixels")?;
    for i in 0..w * h {
        if i % w == 0 {
            cancel.check()?;
        }
        let transparent = working.alpha.as_ref().is_some_and(|a| a.data[i] <= 0.0);
        if coverage.data[i] > 0.0 || transparent {
            known.data[i] = 0;
            source.data[i] = 0;
        }
    }
    Ok(Read {
        working,
        coverage,
        hole,
        edge,
        known,
        source,
    })
}

/// Where the caller lets pixels be sampled from.
fn allowed(job: &Job<'_>, rect: Rect) -> Result<Plane<u8>> {
    let (w, h) = (rect.width as usize, rect.height as usize);
    match job.request.source() {
        Some(mask) => mask.crop(rect),
        None => Plane::filled(w, h, 1u8, "the region's sources"),
    }
}

/// The hole's box, which is all that is kept until the end.
fn cut(read: &Read, inner: &Rect, rect: Rect, empty: bool) -> Result<Part> {
    let (iw, ih) = (inner.width as usize, inner.height as usize);
    let (x, w) = (inner.x as usize, read.hole.width);
    let mut part = Part {
        rect,
        working: Working {
            rgb: RgbImage::black(iw, ih, "the filled hole")?,
            alpha: None,
        },
        coverage: Plane::filled(iw, ih, 0.0, "the hole's mask")?,
        runs: None,
        empty,
    };
    for y in 0..ih {
        let i = (y + inner.y as usize) * w + x;
        let rgb = &read.working.rgb.data[i * 3..(i + iw) * 3];
        part.working.rgb.row_mut(y).copy_from_slice(rgb);
        let coverage = &read.coverage.data[i..i + iw];
        part.coverage.row_mut(y).copy_from_slice(coverage);
    }
    if let Some(alpha) = &read.working.alpha {
        let mut cut = Plane::filled(iw, ih, 0.0, "the hole's alpha")?;
        for y in 0..ih {
            let i = (y + inner.y as usize) * w + x;
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

/// Runs `work`, whose time is from the share `from` of the region's to `until`; what it makes, and the
/// last that it told.
fn within<T>(
    run: &mut Run<'_>,
    from: f64,
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
            share: from + mark.share * (until - from),
            ..mark
        };
        last
    };
    let made = run.mapped(map, work)?;
    Ok((made, last))
}

/// The picture with the content to be removed; what is known, transparent or no number is as in the crop.
fn original(job: &Job<'_>, rect: Rect, read: &Read, cancel: &Cancel) -> Result<RgbImage> {
    let (w, h) = (rect.width as usize, rect.height as usize);
    let mut unseen = Plane::filled(w, h, 0.0f32, "an empty mask")?;
    // What is no number is replaced whole, or the crop could not have been read.
    if let Some(strange) = not_numbers(job.image, rect)? {
        for (unseen, strange) in unseen.data.iter_mut().zip(&strange.data) {
            *unseen = f32::from(*strange);
        }
    }
    let mut working = reading::working(job.image, rect, &unseen, cancel)?;
    let guess = read.working.rgb.data.as_chunks::<3>().0;
    let pixels = working.rgb.data.as_chunks_mut::<3>().0.iter_mut();
    for (i, (pixel, guess)) in pixels.zip(guess).enumerate() {
        let transparent = working.alpha.as_ref().is_some_and(|a| a.data[i] <= 0.0);
        if read.known.data[i] != 0 || transparent || unseen.data[i] >= 1.0 {
            *pixel = *guess;
        }
    }
    Ok(working.rgb)
}
