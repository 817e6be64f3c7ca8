//! CMYK → RGB: through the picture's own profile, else as if its inks were ideal.
#![forbid(unsafe_code)]

use mend::Result;
use moxcms::{ColorProfile, Layout, RenderingIntent, TransformOptions};

/// What was gone by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Profile,
    IdealInks,
}

impl By {
    /// That a picture was converted, in words that go on after its name.
    pub fn what(self) -> &'static str {
        match self {
            Self::Profile => "is CMYK; it was converted to RGB (sRGB) through its colour profile",
            Self::IdealInks => {
                "is CMYK without a usable colour profile; it was converted to RGB (sRGB) as if its \
                 inks were ideal"
            }
        }
    }
}

/// Pixels of four bytes, the shares of ink (255: all of it), as sRGB.
///
/// # Errors
/// [`mend::ErrorKind::Memory`].
pub fn to_rgb(ink: &[u8], icc: Option<&[u8]>) -> Result<(Vec<u8>, By)> {
    let mut rgb = super::zeroed(ink.len() / 4 * 3, "the picture in RGB")?;
    if icc.is_some_and(|icc| by_profile(ink, icc, &mut rgb).is_some()) {
        return Ok((rgb, By::Profile));
    }
    for (pixel, ink) in rgb.chunks_exact_mut(3).zip(ink.chunks_exact(4)) {
        let light = u32::from(255 - ink[3]);
        for (v, i) in pixel.iter_mut().zip(ink) {
            *v = ((light * u32::from(255 - *i) + 127) / 255) as u8;
        }
    }
    Ok((rgb, By::IdealInks))
}

/// Nothing where the profile is none for CMYK, or does not work.
fn by_profile(ink: &[u8], icc: &[u8], rgb: &mut [u8]) -> Option<()> {
    // The profile's colour space (ICC.1:2022, 7.2.8).
    if icc.get(16..20) != Some(b"CMYK") {
        return None;
    }
    let profile = ColorProfile::new_from_slice(icc).ok()?;
    let options = TransformOptions {
        rendering_intent: RenderingIntent::RelativeColorimetric,
        ..TransformOptions::default()
    };
    let srgb = ColorProfile::new_srgb();
    let transform = profile.create_transform_8bit(Layout::Rgba, &srgb, Layout::Rgb, options);
    transform.ok()?.transform(ink, rgb).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ideal_inks_take_their_light_away() {
        let ink = [0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 255, 0, 128, 255, 0];
        let (rgb, by) = to_rgb(&ink, Some(b"no profile")).unwrap();
        assert_eq!(by, By::IdealInks);
        assert_eq!(rgb, [255, 255, 255, 0, 255, 255, 0, 0, 0, 255, 127, 0]);
    }
}
