//! What goes along only into a file of the same format.
#![forbid(unsafe_code)]

use super::exif::Entry;
use super::jpeg_markers::Markers;
use super::png_chunks::Chunk;
use super::zeroed;
use mend::{Canvas, Result};

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

impl Carry {
    /// Brings what goes pixel by pixel to the canvas that the picture grows to: what is new has zeros.
    ///
    /// # Errors
    /// [`mend::ErrorKind::Memory`].
    pub fn grow(&mut self, canvas: &Canvas) -> Result<()> {
        let Self::Tiff(tiff) = self else {
            return Ok(());
        };
        let (own, others) = (canvas.picture, &mut tiff.others.1);
        let each = others.len() / (own.width as usize * own.height as usize).max(1);
        if each == 0 {
            return Ok(());
        }
        let stride = canvas.width as usize * each;
        let mut larger = zeroed(stride * canvas.height as usize, "the further channels")?;
        for (y, row) in others.chunks_exact(own.width as usize * each).enumerate() {
            let start = (own.y as usize + y) * stride + own.x as usize * each;
            larger[start..start + row.len()].copy_from_slice(row);
        }
        *others = larger;
        Ok(())
    }
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
