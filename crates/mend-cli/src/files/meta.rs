//! What goes along with the pixels: colour profile, EXIF, XMP, resolution.
#![forbid(unsafe_code)]

use super::density::Density;
use super::dropped::Dropped;
use super::{exif, exif_tags, xmp};

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

impl Meta {
    /// The resolution: the file's own, else that of its EXIF.
    pub fn resolution(&self) -> Option<Density> {
        self.density
            .or_else(|| exif::density(self.exif.as_deref()?))
    }

    /// EXIF's orientation, 1–8, where there is one.
    pub fn orientation(&self) -> Option<u16> {
        exif::orientation(self.exif.as_deref()?)
    }

    /// Says that the picture has another size, where EXIF says one. (XMP says it as well; programs go by the
    /// file's own size.)
    pub fn set_size(&mut self, width: u32, height: u32) {
        if let Some(changed) = self
            .exif
            .as_deref()
            .and_then(|exif| exif::resized(exif, width, height))
        {
            self.exif = Some(changed);
        }
    }

    /// Takes out what may show an earlier state of the picture: only what is known to hold none
    /// stays.
    pub fn clean(&mut self, dropped: &mut Dropped) {
        if let Some(exif) = self.exif.take() {
            // Some writers put JPEG's prefix before the block in other formats too.
            let plain = exif.strip_prefix(b"Exif\0\0").map(<[u8]>::to_vec);
            self.exif = exif_tags::cleaned(plain.unwrap_or(exif), dropped);
        }
        if let Some(packet) = self.xmp.take() {
            match xmp::cleaned(&packet) {
                Some(clean) => {
                    self.xmp = clean.packet;
                    clean.dropped.iter().for_each(|name| dropped.property(name));
                }
                None => dropped.add("XMP that cannot be read"),
            }
        }
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
