//! Crops whose sides are no multiples of what the autoencoder takes.
#![forbid(unsafe_code)]

use crate::engines::Crop;
use crate::error::Result;
use crate::memory;
use crate::pixels::{Plane, RgbImage, mirrored};

const WHAT: &str = "a crop for the model";

/// A crop that was filled up by its mirror image, hole and all; nothing of that is sampled from.
pub struct Padded {
    image: RgbImage,
    original: Option<RgbImage>,
    hole: Plane<u8>,
    coverage: Option<Plane<f32>>,
    source: Plane<u8>,
    guide: Option<Plane<u8>>,
}

impl Padded {
    /// `crop` with sides that are multiples of `unit`; none where its own are.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn new(crop: &Crop<'_>, unit: usize) -> Result<Option<Self>> {
        let size = [crop.image.width, crop.image.height];
        let padded = size.map(|side| side.next_multiple_of(unit.max(1)));
        if padded == size {
            return Ok(None);
        }
        let mut source = plane(crop.source, padded)?;
        for y in 0..padded[1] {
            let own = if y < size[1] { size[0] } else { 0 };
            source.row_mut(y)[own..].fill(0);
        }
        Ok(Some(Self {
            image: picture(crop.image, padded)?,
            original: crop.original.map(|o| picture(o, padded)).transpose()?,
            hole: plane(crop.hole, padded)?,
            coverage: crop.coverage.map(|c| plane(c, padded)).transpose()?,
            source,
            guide: crop.guide.map(|g| plane(g, padded)).transpose()?,
        }))
    }

    /// The crop that the model sees.
    pub fn crop(&self) -> Crop<'_> {
        Crop {
            image: &self.image,
            original: self.original.as_ref(),
            hole: &self.hole,
            coverage: self.coverage.as_ref(),
            source: &self.source,
            guide: self.guide.as_ref(),
        }
    }
}

/// The upper left `width` × `height` pixels of `image`, which is no smaller.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn cut(image: &RgbImage, width: usize, height: usize) -> Result<RgbImage> {
    picture(image, [width, height])
}

/// Each pixel from the place that it mirrors.
fn picture(from: &RgbImage, [width, height]: [usize; 2]) -> Result<RgbImage> {
    let mut out = RgbImage::black(width, height, WHAT)?;
    for y in 0..height {
        let row = from.row(mirrored(y, from.height));
        for (x, pixel) in out.row_mut(y).chunks_exact_mut(3).enumerate() {
            pixel.copy_from_slice(&row[mirrored(x, from.width) * 3..][..3]);
        }
    }
    Ok(out)
}

/// As [`picture`].
fn plane<T: Copy>(from: &Plane<T>, [width, height]: [usize; 2]) -> Result<Plane<T>> {
    let mut data = memory::with_capacity(width * height, WHAT)?;
    for y in 0..height {
        let row = from.row(mirrored(y, from.height));
        data.extend((0..width).map(|x| row[mirrored(x, from.width)]));
    }
    Ok(Plane {
        width,
        height,
        data,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_is_the_mirror_image_and_no_source() {
        let at = |x: usize, y: usize| (10 * y + x) as f32;
        let data = (0..5 * 3).flat_map(|i| [at(i % 5, i / 5); 3]).collect();
        let image = RgbImage {
            width: 5,
            height: 3,
            data,
        };
        let mut hole = Plane::filled(5, 3, 0u8, "").unwrap();
        hole.row_mut(2)[4] = 1;
        let mut source = hole.clone();
        source.data.iter_mut().for_each(|s| *s = 1 - *s);
        let crop = Crop {
            image: &image,
            original: Some(&image),
            hole: &hole,
            coverage: None,
            source: &source,
            guide: None,
        };
        assert!(Padded::new(&crop, 1).unwrap().is_none());
        let padded = Padded::new(&crop, 4).unwrap().unwrap();
        let seen = padded.crop();
        assert_eq!((seen.image.width, seen.image.height), (8, 4));
        assert_eq!(seen.original, Some(seen.image));
        for y in 0..4 {
            for x in 0..8 {
                let from = (mirrored(x, 5), mirrored(y, 3));
                assert_eq!(seen.image.row(y)[3 * x], at(from.0, from.1), "{x} {y}");
                let own = x < 5 && y < 3;
                assert_eq!(seen.hole.row(y)[x] == 1, from == (4, 2), "{x} {y}");
                assert_eq!(seen.source.row(y)[x] == 1, own && (x, y) != (4, 2));
            }
        }
        assert_eq!(cut(seen.image, 5, 3).unwrap(), image);
    }
}
