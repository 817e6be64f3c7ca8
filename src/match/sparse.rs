//! Pictures without one whole patch of usable pixels: the gaps between those are closed first.
#![forbid(unsafe_code)]

use super::maps;
use crate::blend;
use crate::error::Result;
use crate::memory;
use crate::pixels::{Plane, RgbImage};
use crate::progress::Cancel;

/// A gap is closed up to this many pixels from the nearest usable one, the fewest first after which one in
/// [`PATCHES`] usable pixels is a whole patch's centre: else the gaps left are specks themselves.
const REACHES: [u8; 2] = [1, 2];
const PATCHES: usize = 4;
/// Where those leave fewer, what is interpolated shows little that could be sampled: as much of the
/// picture is closed as follows from the usable pixels.
const FARTHEST: u8 = 16;

/// A picture, its hole and its usable pixels, as [`super::complete()`] takes them.
pub struct Closed {
    /// The picture, with the closed gaps in it.
    pub image: RgbImage,
    /// What is left of the hole.
    pub hole: Plane<u8>,
    /// The usable pixels, the closed gaps among them.
    pub source: Plane<u8>,
}

/// The picture with the gaps between usable pixels closed, or `None` where a whole patch is usable as
/// it is. All that is put in a gap follows from usable pixels.
///
/// # Errors
/// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
pub fn closed(
    image: &RgbImage,
    hole: &Plane<u8>,
    source: &Plane<u8>,
    cancel: &Cancel,
) -> Result<Option<Closed>> {
    if maps::has_patch(source, cancel)? || !source.data.contains(&1) {
        return Ok(None);
    }
    let (w, h) = (hole.width, hole.height);
    let what = "the picture's gaps";
    let mut gaps = Plane::filled(w, h, 0u8, what)?;
    for (gap, source) in gaps.data.iter_mut().zip(&source.data) {
        *gap = u8::from(*source == 0);
    }
    let depth = maps::depth(&gaps, cancel)?;
    let mut usable = Plane::filled(w, h, 0u8, what)?;
    for reach in REACHES.into_iter().chain([FARTHEST]) {
        for ((usable, gap), depth) in usable.data.iter_mut().zip(&mut gaps.data).zip(&depth.data) {
            *usable = u8::from(*depth <= reach);
            *gap = u8::from((1..=reach).contains(depth));
        }
        let set = |plane: &Plane<u8>| plane.data.iter().filter(|v| **v != 0).count();
        if set(&maps::whole_patches(&usable, cancel)?) * PATCHES >= set(&usable) {
            break;
        }
    }
    let mut data = memory::with_capacity(hole.data.len(), what)?;
    let left = hole.data.iter().zip(&gaps.data);
    data.extend(left.map(|(hole, gap)| u8::from(*hole != 0 && *gap == 0)));
    // What is not usable may be there all the same, and must not show through.
    let mut filled = image.try_clone(what)?;
    blend::extend(&mut filled.data, 3, w, h, &source.data, cancel)?;
    blend::interpolate(&mut filled, source, &gaps, cancel)?;
    let image = replaced(image, &gaps, &filled)?;
    Ok(Some(Closed {
        image,
        hole: Plane {
            width: w,
            height: h,
            data,
        },
        source: usable,
    }))
}

/// `image` with the pixels of `to` where `at` is 1.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn replaced(image: &RgbImage, at: &Plane<u8>, to: &RgbImage) -> Result<RgbImage> {
    let mut out = image.try_clone("the filled crop")?;
    let pixels = out.data.chunks_exact_mut(3).zip(to.data.chunks_exact(3));
    for ((own, new), _) in pixels.zip(&at.data).filter(|(_, at)| **at != 0) {
        own.copy_from_slice(new);
    }
    Ok(out)
}
