//! What goes along with the pixels: colour profile, EXIF, XMP, resolution.
#![forbid(unsafe_code)]

use super::jpeg_markers::Markers;
use super::png::Chunk;
use super::tiff::TiffCarry;

/// Metadata that any format may carry, each in the form it is stored in by most of them.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    /// An ICC profile.
    pub icc: Option<Vec<u8>>,
    /// EXIF: a TIFF structure, without the `Exif\0\0` of JPEG.
    pub exif: Option<Vec<u8>>,
    /// XMP: XML text.
    pub xmp: Option<Vec<u8>>,
    /// Resolution, where the file itself (not its EXIF) says it.
    pub density: Option<Density>,
}

/// Resolution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Density {
    /// Pixels a metre, across and down.
    PerMetre(f64, f64),
    /// Only the shape of a pixel: as many pixels across as the first for as many down as the second
    /// make a square.
    Aspect(f64, f64),
}

/// Metres in an inch.
pub const INCH: f64 = 0.0254;

/// What goes along only into a file of the same format.
#[derive(Clone, Debug, Default)]
pub enum Carry {
    #[default]
    None,
    /// Ancillary chunks, as they are in the file.
    Png(Vec<Chunk>),
    /// Quantisation tables, subsampling and segments.
    Jpeg(Box<Markers>),
    /// Tags and storage.
    Tiff(Box<TiffCarry>),
}

impl Meta {
    /// The resolution: the file's own, else that of its EXIF.
    pub fn resolution(&self) -> Option<Density> {
        self.density
            .or_else(|| super::exif::density(self.exif.as_deref()?))
    }

    /// EXIF's orientation, 1–8, where there is one.
    pub fn orientation(&self) -> Option<u16> {
        super::exif::orientation(self.exif.as_deref()?)
    }

    /// Removes the small picture inside the EXIF, which would go on showing what was filled; says
    /// whether there was one.
    pub fn drop_thumbnail(&mut self) -> bool {
        self.exif.as_mut().is_some_and(super::exif::drop_thumbnail)
    }

    /// Removes a profile that is not for gray (`gray`) or colour pictures; says whether it did.
    pub fn drop_foreign_profile(&mut self, gray: bool) -> bool {
        // The profile's colour space stands in bytes 16..20 of its header (ICC.1:2022, 7.2.8).
        let foreign = self.icc.as_deref().is_some_and(|icc| {
            let space = icc.get(16..20);
            if gray {
                space != Some(b"GRAY")
            } else {
                space == Some(b"GRAY")
            }
        });
        if foreign {
            self.icc = None;
        }
        foreign
    }
}
