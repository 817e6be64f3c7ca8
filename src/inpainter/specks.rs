//! Specks: interpolated from the pixels around them, tile by tile, before any engine is asked.
#![forbid(unsafe_code)]

use super::part::Part;
use super::region::Job;
use crate::blend;
use crate::engines::Run;
use crate::error::Result;
use crate::memory;
use crate::pixels::{Plane, Rect, RgbImage, RunMask, Working, read_working};
use crate::plan::{Costs, Region};

/// What specks cost, measured on pictures of 0.3 to 3 megapixels, one thread of an AVX-512 machine.
pub const COSTS: Costs = Costs {
    bytes: 4e6,
    bytes_per_pixel: 48.0,
    bytes_per_hole_pixel: 0.0,
    seconds: 1e-4,
    seconds_per_pixel: 8e-8,
    seconds_per_hole_pixel: 1.25e-6,
    variation: 1.0,
};

/// Fills the region's part of `specks`.
///
/// # Errors
/// As [`crate::Inpainter::fill`].
pub(super) fn fill_specks(
    job: &Job<'_>,
    specks: &RunMask,
    region: &Region,
    run: &mut Run<'_>,
) -> Result<Part> {
    run.step(0.0)?;
    let rect = region.rect;
    let (w, h) = (rect.width as usize, rect.height as usize);
    let coverage = job.coverage(rect, run.cancel)?;
    let mut working = read_working(job.image, rect, &coverage)?;
    // Those of the tiles beside this one are interpolated as well, for these to go by.
    let wanted = specks.crop(rect)?;
    let mut around = memory::with_capacity(w * h, "the known pixels")?;
    around.extend(coverage.data.iter().map(|c| u8::from(*c <= 0.0)));
    let mut around = Plane {
        width: w,
        height: h,
        data: around,
    };
    let cancel = run.cancel;
    let interpolated = |image: &mut RgbImage, known: &Plane<u8>| -> Result<()> {
        run.pool.install(|| {
            blend::extend(&mut image.data, 3, w, h, &known.data, cancel)?;
            blend::interpolate(image, known, &wanted, cancel)
        })
    };
    if let Some(alpha) = &mut working.alpha {
        interpolate_alpha(alpha, &around, interpolated)?;
        for (known, alpha) in around.data.iter_mut().zip(&alpha.data) {
            // What is transparent has no colour.
            *known &= u8::from(*alpha > 0.0);
        }
    }
    interpolated(&mut working.rgb, &around)?;
    if let Some(alpha) = &working.alpha {
        let pixels = working.rgb.data.as_chunks_mut::<3>().0.iter_mut();
        for (pixel, _) in pixels.zip(&alpha.data).filter(|(_, a)| **a <= 0.0) {
            *pixel = [0.0; 3];
        }
    }
    let mut part = gathered(region, specks, &working, &coverage)?;
    part.empty = !around.data.contains(&1);
    run.step(1.0)?;
    Ok(part)
}

fn interpolate_alpha(
    alpha: &mut Plane<f32>,
    known: &Plane<u8>,
    interpolated: impl Fn(&mut RgbImage, &Plane<u8>) -> Result<()>,
) -> Result<()> {
    let values = || alpha.data.iter().zip(&known.data).filter(|v| *v.1 != 0);
    let first = values().next().map_or(1.0, |v| *v.0);
    if values().all(|v| *v.0 == first) {
        alpha.data.fill(first);
        return Ok(());
    }
    let mut gray = RgbImage::black(alpha.width, alpha.height, "the region's alpha")?;
    for (gray, alpha) in gray.data.chunks_exact_mut(3).zip(&alpha.data) {
        gray.fill(*alpha);
    }
    interpolated(&mut gray, known)?;
    for (alpha, gray) in alpha.data.iter_mut().zip(gray.data.chunks_exact(3)) {
        *alpha = gray[0];
    }
    Ok(())
}

/// The region's specks, run after run, and where they belong.
fn gathered(
    region: &Region,
    specks: &RunMask,
    working: &Working,
    coverage: &Plane<f32>,
) -> Result<Part> {
    let what = "the filled specks";
    let (rect, hole) = (region.rect, region.hole);
    let own = specks.cut(hole, hole)?;
    let mut runs = memory::with_capacity(own.run_count(), what)?;
    for y in 0..hole.height {
        let places = own.row(y).iter();
        runs.extend(places.map(|(x, end)| Rect::new(hole.x + x, hole.y + y, end - x, 1)));
    }
    let count = own.count() as usize;
    let mut rgb = memory::with_capacity(count * 3, what)?;
    let mut cover = memory::with_capacity(count, what)?;
    let mut alpha = memory::with_capacity(working.alpha.as_ref().map_or(0, |_| count), what)?;
    for place in &runs {
        let (x, y) = ((place.x - rect.x) as usize, (place.y - rect.y) as usize);
        let columns = x..x + place.width as usize;
        rgb.extend_from_slice(&working.rgb.row(y)[columns.start * 3..columns.end * 3]);
        cover.extend_from_slice(&coverage.row(y)[columns.clone()]);
        if let Some(all) = &working.alpha {
            alpha.extend_from_slice(&all.row(y)[columns]);
        }
    }
    let strip = |data| Plane {
        width: count,
        height: 1,
        data,
    };
    Ok(Part {
        rect: hole,
        working: Working {
            rgb: RgbImage {
                width: count,
                height: 1,
                data: rgb,
            },
            alpha: working.alpha.as_ref().map(|_| strip(alpha)),
        },
        coverage: strip(cover),
        runs: Some(runs),
        empty: false,
    })
}
