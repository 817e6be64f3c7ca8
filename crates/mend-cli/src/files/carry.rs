//! What goes along only into a file of the same format.
#![forbid(unsafe_code)]

use super::exif::Entry;
use super::jpeg_markers::Markers;
use super::png_chunks::Chunk;

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

/// What a TIFF gives on to a TIFF.
#[derive(Clone, Debug, Default)]
pub struct TiffCarry {
    /// Whether its pixels were compressed.
    pub compressed: bool,
    /// Channels that are neither colour nor transparency: their kinds (tag 338), and their samples,
    /// pixel after pixel, of the picture's depth.
    pub others: (Vec<u16>, Vec<u8>),
    /// Tags of its directory that are no pixels, profile, XMP or EXIF.
    pub tags: Vec<Entry>,
}
