//! An engine that works at a size of its own: the crop is brought there, and its fill back.
#![forbid(unsafe_code)]

use crate::detail;
use crate::engines::{Crop, Opened, Run};
use crate::error::{Error, ErrorKind, Result};
use crate::pixels::RgbImage;
use crate::pixels::resample::{resize_flags, resize_most, resize_rgb};
use crate::plan::Needs;

/// The engine that fills.
#[derive(Clone, Copy)]
pub struct Filler<'a> {
    /// Its name, for messages.
    pub id: &'a str,
    /// The engine itself.
    pub engine: &'a dyn Opened,
    /// What it asks for.
    pub needs: &'a Needs,
}

/// Gives `each` the engine's fills of `crop`, `count` of them, at the crop's size.
///
/// # Errors
/// Those of [`Opened::vary`] and of `each`; [`crate::ErrorKind::Memory`].
pub fn fill_scaled(
    filler: &Filler<'_>,
    crop: &Crop<'_>,
    run: &mut Run<'_>,
    count: u32,
    each: &mut dyn FnMut(RgbImage) -> Result<()>,
) -> Result<()> {
    let (w, h) = (crop.image.width, crop.image.height);
    let (width, height) = filler.needs.working_size(w as u32, h as u32);
    let (width, height) = (width as usize, height as usize);
    if (width, height) == (w, h) {
        return filled(filler, crop, run, count, each);
    }
    // Each of these takes some time where the crop is large.
    run.cancel.check()?;
    let image = resize_rgb(crop.image, width, height)?;
    let original = crop.original.map(|o| resize_rgb(o, width, height));
    let original = original.transpose()?;
    // A pixel that holds any of the hole is to be filled, and only what is usable whole is sampled.
    run.cancel.check()?;
    let hole = resize_flags(crop.hole, width, height, true)?;
    // And as much of it as of the pixel that is replaced the most.
    let coverage = crop.coverage.map(|c| resize_most(c, width, height));
    let coverage = coverage.transpose()?;
    run.cancel.check()?;
    let mut source = resize_flags(crop.source, width, height, false)?;
    for (s, h) in source.data.iter_mut().zip(&hole.data) {
        *s &= 1 - h;
    }
    let guide = crop.guide.map(|g| resize_flags(g, width, height, true));
    let guide = guide.transpose()?;
    let small = Crop {
        image: &image,
        original: original.as_ref(),
        hole: &hole,
        coverage: coverage.as_ref(),
        source: &source,
        guide: guide.as_ref(),
    };
    let cancel = run.cancel;
    filled(filler, &small, run, count, &mut |filled| {
        cancel.check()?;
        each(detail::upscale(&filled, w, h)?)
    })
}

/// The engine's fills, of numbers.
fn filled(
    filler: &Filler<'_>,
    crop: &Crop<'_>,
    run: &mut Run<'_>,
    count: u32,
    each: &mut dyn FnMut(RgbImage) -> Result<()>,
) -> Result<()> {
    let mut checked = |made: RgbImage| {
        // Once through all is faster than an end at the first.
        let strange = made.data.iter().fold(false, |any, v| any | !v.is_finite());
        match strange {
            true => Err(no_numbers(filler)),
            false => each(made),
        }
    };
    match count {
        1 => checked(filler.engine.fill(crop, run)?),
        _ => filler.engine.vary(crop, run, count, &mut checked),
    }
}

/// Why an engine's picture is of no use.
fn no_numbers(filler: &Filler<'_>) -> Error {
    match filler.engine.model() {
        Some(model) => Error::new(
            ErrorKind::Model,
            format!(
                "{}: the model made values that are no numbers (engine '{}'): its weights are \
                 damaged, or do not go with the parameters, such as a LoRA's weight or the \
                 scheduler; set these back or get the model again",
                model.display(),
                filler.id
            ),
        ),
        None => Error::new(
            ErrorKind::Image,
            format!(
                "the image's values are too large for the engine '{}', which came to values that \
                 are no numbers: scale the image's values down",
                filler.id
            ),
        ),
    }
}
