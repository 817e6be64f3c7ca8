//! What goes along with the pixels: colour profile, EXIF, XMP, resolution.
#![forbid(unsafe_code)]

use super::jpeg_markers::Markers;
use super::png::Chunk;
use super::tiff::TiffCarry;
use super::{exif_tags, xmp};

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

/// What of a file did not go on because it may show what was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    things: Vec<String>,
    /// Tags of EXIF or TIFF that are not known.
    tags: Vec<u16>,
    /// Names of XMP's properties.
    properties: Vec<String>,
}

/// Names that a note lists before it only counts.
const LISTED: usize = 6;
/// Characters of a name that a note shows.
const NAME: usize = 40;

impl Dropped {
    /// Adds a thing, such as `the maker's notes`.
    pub fn add(&mut self, what: &str) {
        if !self.things.iter().any(|thing| thing == what) {
            self.things.push(what.to_owned());
        }
    }

    /// Adds a tag: as the thing `what`, or by its number where that is empty.
    pub fn tag(&mut self, what: &str, tag: u16) {
        if !what.is_empty() {
            self.add(what);
        } else if !self.tags.contains(&tag) {
            self.tags.push(tag);
        }
    }

    /// Adds a property of XMP by its name.
    pub fn property(&mut self, name: &str) {
        let name: String = name.chars().take(NAME).collect();
        if !self.properties.contains(&name) {
            self.properties.push(name);
        }
    }

    /// All of it as a sentence on the file called `name`; `None` where nothing was dropped.
    pub fn note(&self, name: &str) -> Option<String> {
        let mut all = self.things.clone();
        let tags: Vec<String> = self.tags.iter().map(|t| format!("{t:#06x}")).collect();
        for (kind, names) in [("tags", &tags), ("XMP's", &self.properties)] {
            if !names.is_empty() {
                let shown = names[..names.len().min(LISTED)].join(", ");
                let more = match names.len().saturating_sub(LISTED) {
                    0 => String::new(),
                    n => format!(" and {n} more"),
                };
                all.push(format!("{kind} {shown}{more}"));
            }
        }
        if all.is_empty() {
            return None;
        }
        Some(format!(
            "{name}: left out, because it may show what was removed: {}",
            all.join("; ")
        ))
    }
}
