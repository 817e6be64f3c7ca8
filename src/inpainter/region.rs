//! One region: its crop is read, filled and cut down to the hole's box.
#![forbid(unsafe_code)]

use super::alpha::{NOTHING, SEARCHED, settle};
use super::checks::no_source;
use super::colours::{self, within};
use super::part::Part;
use super::reading;
use super::rough::Rough;
use super::scaled::Filler;
use super::score::{Judged, score};
use super::settings::Settings;
use crate::blend;
use crate::engines::{Engine, Mark, Run, variation_seed};
use crate::error::Result;
use crate::pixels::{Coverage, ImageView, MaskView, Plane, Rect, RgbImage, Working};
use crate::plan::Region;
use crate::progress::Cancel;
use crate::request::Request;
use crate::workers::Workers;
use std::sync::Arc;

/// What all regions of a call share.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    /// The engine.
    pub filler: Filler<'a>,
    /// All that there are.
    pub engines: &'a [Arc<dyn Engine>],
    /// The caller's picture.
    pub image: &'a ImageView<'a>,
    /// The caller's mask.
    pub mask: &'a MaskView<'a>,
    /// The caller's request.
    pub request: &'a Request,
    /// What the flow goes by.
    pub settings: &'a Settings,
    /// Whether fills are to be compared.
    pub scored: bool,
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

/// What takes how much of a region's time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shares {
    /// The share of all of it that goes before, to search for alpha.
    pub alpha: f64,
    /// The share of the rest that is spent on native detail, where the engine works at a lower resolution.
    pub detail: f64,
    /// The share of the engine's time that each further fill of the same crop takes, see
    /// [`crate::plan::Costs::variation`].
    pub variation: f64,
}

/// A region's crop, read.
pub(super) struct Read {
    pub working: Working,
    pub coverage: Coverage,
    /// 1 where a pixel is to be filled.
    pub hole: Plane<u8>,
    /// Pixels at a transparent edge, if there are any, see [`settle`].
    edge: Option<Plane<u8>>,
    /// 1 where colour is known: not in any region's hole and not transparent.
    pub known: Plane<u8>,
    /// 1 where a known pixel may be sampled from.
    pub source: Plane<u8>,
    /// 1 where the user painted a line, if there is any here.
    pub guide: Option<Plane<u8>>,
}

impl Read {
    /// Whether the alpha of a pixel is to be found with patches.
    fn searches(&self) -> bool {
        let Some(edge) = &self.edge else { return false };
        let mut pixels = self.hole.data.iter().zip(&edge.data);
        pixels.any(|(hole, edge)| *hole != 0 && *edge == SEARCHED)
    }
}

/// A filled region.
pub(super) struct Done {
    pub part: Part,
    /// How well it goes with what is around it, see [`score`]; 0 where nobody asked.
    pub score: f64,
}

/// Fills `region` of the job. `before` are the regions that are done, of which specks and what goes on in
/// this region count as known.
///
/// # Errors
/// As [`crate::Inpainter::fill`].
pub(super) fn fill_region(
    job: &Job<'_>,
    region: &Region,
    shares: Shares,
    before: &[Part],
    run: &mut Run<'_>,
) -> Result<Done> {
    let mut read = read(job, region, before, run)?;
    let rgb = match guessed(job, &mut read, run)? {
        true => fill(job, region.rect, shares, &mut read, run)?,
        false => taken(&mut read.working.rgb),
    };
    done(job, region, &read, rgb, (run.pool, run.cancel))
}

/// Fills `region` `count` times over, and gives each fill to `each`; the first is that of
/// [`fill_region`], and so is each other with its seed. `before` may hold nothing that differs from one
/// to the other.
///
/// # Errors
/// As [`crate::Inpainter::fill`], and those of `each`.
pub(super) fn vary_region(
    job: &Job<'_>,
    region: &Region,
    shares: Shares,
    before: &[Part],
    count: u32,
    run: &mut Run<'_>,
    each: &mut dyn FnMut(Done) -> Result<()>,
) -> Result<()> {
    let mut read = read(job, region, before, run)?;
    if read.searches() {
        // The edge, and the colours that come with it, are found anew for each.
        drop(read);
        let seed = run.seed;
        for number in 0..count {
            let filled = nth(run, number, count, |run| {
                run.seed = variation_seed(seed, number);
                fill_region(job, region, shares, before, run)
            })?;
            each(filled)?;
        }
        return Ok(());
    }
    if !guessed(job, &mut read, run)? {
        let rgb = taken(&mut read.working.rgb);
        for _ in 0..count {
            let same = rgb.try_clone("the region's colours")?;
            each(done(job, region, &read, same, (run.pool, run.cancel))?)?;
        }
        return Ok(());
    }
    let (pool, cancel) = (run.pool, run.cancel);
    colours::many(job, region.rect, shares, &read, count, run, &mut |rgb| {
        each(done(job, region, &read, rgb, (pool, cancel))?)
    })
}

/// Does `work` as the part `number` of `count` that take the same time.
pub(super) fn nth<T>(
    run: &mut Run<'_>,
    number: u32,
    count: u32,
    work: impl FnOnce(&mut Run<'_>) -> T,
) -> T {
    let map = |mark: Mark| {
        let share = (f64::from(number) + mark.share) / f64::from(count);
        mark.of_whole(share, number, count)
    };
    run.mapped(map, work)
}

/// Lays a smooth guess over what is unknown of a crop, where there is anything to be filled.
fn guessed(job: &Job<'_>, read: &mut Read, run: &Run<'_>) -> Result<bool> {
    if !read.hole.data.contains(&1) {
        return Ok(false);
    }
    if !read.source.data.contains(&1) {
        return Err(no_source(job.request));
    }
    let (w, h) = (read.hole.width, read.hole.height);
    let (known, rgb) = (&read.known.data, &mut read.working.rgb.data);
    run.pool
        .install(|| blend::extend(rgb, 3, w, h, known, run.cancel))?;
    Ok(true)
}

/// The region with its colours, cut down to its hole's box.
fn done(
    job: &Job<'_>,
    region: &Region,
    read: &Read,
    mut rgb: RgbImage,
    (pool, cancel): (&Workers, &Cancel),
) -> Result<Done> {
    let judged = Judged {
        image: &rgb,
        hole: &read.hole,
        known: &read.known,
        source: &read.source,
    };
    let score = match job.scored {
        true => score(&judged, pool, cancel)?,
        false => 0.0,
    };
    if let Some(alpha) = &read.working.alpha {
        // What is transparent has no colour.
        let pixels = rgb.data.as_chunks_mut::<3>().0.iter_mut();
        for (pixel, _) in pixels.zip(&alpha.data).filter(|(_, a)| **a <= 0.0) {
            *pixel = [0.0; 3];
        }
    }
    Ok(Done {
        part: cut(region, read, &rgb)?,
        score,
    })
}

/// The picture, of which nothing is left behind.
fn taken(rgb: &mut RgbImage) -> RgbImage {
    let nothing = RgbImage {
        width: 0,
        height: 0,
        data: Vec::new(),
    };
    std::mem::replace(rgb, nothing)
}

/// Fills what is to be filled of a crop whose unknown colours carry a smooth guess: alpha first, where it
/// is to be searched for.
fn fill(
    job: &Job<'_>,
    rect: Rect,
    shares: Shares,
    read: &mut Read,
    run: &mut Run<'_>,
) -> Result<RgbImage> {
    let searches = read.searches();
    let (Some(edge), Some(alpha)) = (read.edge.take(), &mut read.working.alpha) else {
        return colours::one(job, rect, shares, read, 0.0, run);
    };
    if !searches {
        return colours::one(job, rect, shares, read, 0.0, run);
    }
    let (w, h) = (edge.width, edge.height);
    let mut own = Plane::filled(w, h, 0u8, "the hole at an edge")?;
    let mut rest = Plane::filled(w, h, 0u8, "the rest of the hole")?;
    for (i, edge) in edge.data.iter().enumerate() {
        let at_edge = *edge == SEARCHED;
        own.data[i] = read.hole.data[i] & u8::from(at_edge);
        rest.data[i] = read.hole.data[i] & u8::from(!at_edge);
    }
    let rough = Rough {
        rgb: &read.working.rgb,
        coverage: &read.coverage,
        hole: &own,
        way: &edge,
        source: allowed(job, rect)?,
    };
    let together = job.filler.engine.of_patches() && rough.has_border(alpha, run.cancel)?;
    // The rest of the hole comes last.
    let alone = !rest.data.contains(&1);
    let until = if together && alone { 1.0 } else { shares.alpha };
    let search = |run: &mut Run<'_>| rough.search(alpha, together, run);
    let Some(made) = within(run, 0.0, until, search)?.0 else {
        return colours::one(job, rect, shares, read, until, run);
    };
    let mut rgb = match alone {
        true => taken(&mut read.working.rgb),
        false => {
            let hole = std::mem::replace(&mut read.hole, rest);
            let rgb = colours::one(job, rect, shares, read, until, run)?;
            read.hole = hole;
            rgb
        }
    };
    let filled = rgb.data.as_chunks_mut::<3>().0.iter_mut();
    let all = filled.zip(made.data.as_chunks::<3>().0).zip(&own.data);
    all.filter(|(_, own)| **own != 0)
        .for_each(|((p, made), _)| *p = *made);
    Ok(rgb)
}

/// Reads a region's crop, with what is done of it, and settles its alpha as far as that needs no search.
fn read(job: &Job<'_>, region: &Region, before: &[Part], run: &Run<'_>) -> Result<Read> {
    let (rect, inner, cancel) = (region.rect, inner(region), run.cancel);
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
    let guide = job
        .request
        .guide()
        .map(|mask| mask.crop(rect))
        .transpose()?;
    Ok(Read {
        working,
        coverage,
        hole,
        edge,
        known,
        source,
        guide: guide.filter(|guide| guide.data.contains(&1)),
    })
}

/// The hole's box in the region's crop.
fn inner(region: &Region) -> Rect {
    let (rect, hole) = (region.rect, region.hole);
    Rect::new(hole.x - rect.x, hole.y - rect.y, hole.width, hole.height)
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
fn cut(region: &Region, read: &Read, rgb: &RgbImage) -> Result<Part> {
    let inner = inner(region);
    let (iw, ih) = (inner.width as usize, inner.height as usize);
    let (x, w) = (inner.x as usize, read.hole.width);
    let mut part = Part {
        rect: region.hole,
        working: Working {
            rgb: RgbImage::black(iw, ih, "the filled hole")?,
            alpha: None,
        },
        coverage: Plane::filled(iw, ih, 0.0, "the hole's mask")?,
        runs: None,
        empty: !read.known.data.contains(&1),
    };
    for y in 0..ih {
        let i = (y + inner.y as usize) * w + x;
        let colours = &rgb.data[i * 3..(i + iw) * 3];
        part.working.rgb.row_mut(y).copy_from_slice(colours);
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
