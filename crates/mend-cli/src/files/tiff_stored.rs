//! What a TIFF's tags say of its samples, and what Mend makes of them.
//!
//! Source: TIFF 6.0 (1992), sections 3–6, 16, 18–23.
#![forbid(unsafe_code)]

use super::Source;
use super::exif::Entry;
use super::tiff_chunks::{self, Chunks};
use super::tiff_entries::{first_number, numbers};
use mend::Result;
use mend::pixels::{Depth, Layout};

/// What the colour samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// Black is 0, or white is.
    Gray {
        inverted: bool,
    },
    Rgb,
    /// Luma and chroma at full resolution.
    YCbCr,
    /// Numbers of a table's colours.
    Palette,
    Cmyk,
}

impl Colours {
    /// Samples in the file.
    pub fn samples(self) -> usize {
        match self {
            Self::Gray { .. } | Self::Palette => 1,
            Self::Rgb | Self::YCbCr => 3,
            Self::Cmyk => 4,
        }
    }
}

/// How the pixels are stored.
#[derive(Clone, Debug)]
pub struct Stored {
    pub colours: Colours,
    /// Bits of a sample.
    pub bits: u32,
    pub float: bool,
    pub samples: usize,
    /// Which sample is transparency, and whether the colours are multiplied by it.
    pub alpha: Option<(usize, bool)>,
    /// Whether the file does not say that the last sample is transparency.
    pub undeclared_alpha: bool,
    /// The numbers and the kinds (tag 338) of further samples, that are no colour.
    pub others: Vec<(usize, u16)>,
    pub layout: Layout,
    pub depth: Depth,
    pub compression: u32,
    pub predictor: u32,
}

/// Tag 338's values.
const ASSOCIATED: u32 = 1;
const UNASSOCIATED: u32 = 2;

impl Stored {
    /// Reads it from a directory's tags.
    ///
    /// # Errors
    /// [`mend::ErrorKind::Unsupported`] for what Mend cannot fill.
    pub fn of(source: &Source<'_>, tags: &[Entry]) -> Result<Self> {
        let number = |tag: u16, default: u32| first_number(tags, tag).unwrap_or(default);
        let compression = number(259, 1);
        let (samples, bits) = (number(277, 1), number(258, 1));
        let float = match number(339, 1) {
            1 | 4 => false,
            3 => true,
            2 => {
                return Err(source.unsupported(
                    "has signed samples, which are not supported: convert it to unsigned 16-bit \
                     or to float first",
                ));
            }
            _ => {
                return Err(source.unsupported(
                    "has samples of an unknown kind, which are not supported: convert it first",
                ));
            }
        };
        let colours = colours(source, number(262, 1), compression, tags)?;
        let depth = depth(source, colours, bits, float)?;
        let predictor = match number(317, 1) {
            _ if !tiff_chunks::predicts(compression) => 1,
            2 if ![8, 16, 32, 64].contains(&bits) => {
                return Err(source.unsupported(format!(
                    "stores differences of {bits}-bit samples, which is not supported: save it \
                     again without a predictor first"
                )));
            }
            3 if !float => {
                return Err(source.unsupported(
                    "stores whole numbers with the predictor for float, which is not supported: \
                     save it again first",
                ));
            }
            predictor @ 1..=3 => predictor,
            other => {
                return Err(source.unsupported(format!(
                    "is stored with predictor {other}, which is not supported: save it again first"
                )));
            }
        };
        let mut stored = Self {
            colours,
            bits,
            float,
            samples: samples as usize,
            alpha: None,
            undeclared_alpha: false,
            others: Vec::new(),
            layout: Layout::Rgb,
            depth,
            compression,
            predictor,
        };
        stored.sort_samples(source, tags)?;
        let gray = matches!(colours, Colours::Gray { .. });
        stored.layout = match (gray, stored.alpha.is_some()) {
            (true, false) => Layout::Gray,
            (true, true) => Layout::GrayA,
            (false, false) => Layout::Rgb,
            (false, true) => Layout::Rgba,
        };
        Ok(stored)
    }

    /// Which of the samples beyond the colours is transparency, and which are something else.
    fn sort_samples(&mut self, source: &Source<'_>, tags: &[Entry]) -> Result<()> {
        let colours = self.colours.samples();
        let Some(more) = self.samples.checked_sub(colours) else {
            return Err(source.unsupported(format!(
                "has {} channels, too few for its kind of colour, which is not supported: convert \
                 it first",
                self.samples
            )));
        };
        let extra = tags.iter().find(|e| e.tag == 338).and_then(numbers);
        let kinds = extra.unwrap_or_default();
        if more == 1 && kinds.is_empty() {
            self.alpha = Some((colours, false));
            self.undeclared_alpha = true;
            return Ok(());
        }
        for i in 0..more {
            let kind = kinds.get(i).copied().unwrap_or(0);
            if self.alpha.is_none() && [ASSOCIATED, UNASSOCIATED].contains(&kind) {
                self.alpha = Some((colours + i, kind == ASSOCIATED));
            } else {
                self.others.push((colours + i, kind.min(2) as u16));
            }
        }
        Ok(())
    }

    /// Bytes that reading takes besides the pixels: the samples as they are stored, where they become
    /// something else.
    pub fn bytes_beside(&self, width: u32, height: u32) -> u64 {
        let plain = matches!(
            self.colours,
            Colours::Gray { .. } | Colours::Rgb | Colours::YCbCr
        );
        if plain && self.others.is_empty() && (self.bits < 32 || self.bits == 32 && self.float) {
            return 0;
        }
        u64::from(width) * u64::from(height) * (self.samples * self.stored_bytes()) as u64
    }

    /// Bytes of a sample as it is stored, in whole ones.
    fn stored_bytes(&self) -> usize {
        self.bits.div_ceil(8).next_power_of_two() as usize
    }

    /// How the chunks are laid out.
    ///
    /// # Errors
    /// [`mend::ErrorKind::Image`] for tags that contradict each other.
    pub fn chunks(
        &self,
        source: &Source<'_>,
        tags: &[Entry],
        (width, height): (u32, u32),
        little_endian: bool,
        (offsets, lengths): (Vec<u64>, Vec<u64>),
    ) -> Result<Chunks> {
        let number = |tag: u16| first_number(tags, tag).map(|n| n as usize);
        let (width, height) = (width as usize, height as usize);
        let tile = number(322).zip(number(323));
        let size = tile.unwrap_or((width, number(278).unwrap_or(height).clamp(1, height)));
        // No sensible tile is larger than the largest picture.
        let limit = 1 << 20;
        if size.0 == 0 || size.1 == 0 || size.0 > limit || size.1 > limit {
            return Err(source.damaged("its tiles have an impossible size"));
        }
        source.admit(
            size.0 as u32,
            size.1 as u32,
            self.samples * self.bits.div_ceil(8) as usize,
        )?;
        Ok(Chunks {
            width,
            height,
            samples: self.samples,
            bits: self.bits as usize,
            little_endian,
            planar: number(284) == Some(2) && self.samples > 1,
            size,
            tiled: tile.is_some(),
            offsets,
            lengths,
            compression: self.compression,
            predictor: self.predictor,
            reversed: number(266) == Some(2),
            jpeg_tables: tags
                .iter()
                .find(|e| e.tag == 347)
                .map(|e| e.data.clone())
                .unwrap_or_default(),
            jpeg_colour: match self.colours {
                _ if number(284) == Some(2) => super::jpeg_pixels::Colour::Gray,
                Colours::Gray { .. } | Colours::Palette => super::jpeg_pixels::Colour::Gray,
                Colours::Rgb => super::jpeg_pixels::Colour::Rgb,
                Colours::YCbCr => super::jpeg_pixels::Colour::YCbCr,
                Colours::Cmyk => super::jpeg_pixels::Colour::Cmyk,
            },
        })
    }
}

fn colours(
    source: &Source<'_>,
    photometric: u32,
    compression: u32,
    tags: &[Entry],
) -> Result<Colours> {
    let number = |tag: u16| first_number(tags, tag);
    let what = match photometric {
        0 => return Ok(Colours::Gray { inverted: true }),
        1 => return Ok(Colours::Gray { inverted: false }),
        2 => return Ok(Colours::Rgb),
        3 => return Ok(Colours::Palette),
        5 if compression == tiff_chunks::JPEG => "is CMYK compressed as JPEG",
        5 if number(332).unwrap_or(1) == 1 => return Ok(Colours::Cmyk),
        5 => "has inks other than CMYK",
        6 if compression == tiff_chunks::JPEG && number(284) != Some(2) => {
            return Ok(Colours::YCbCr);
        }
        6 => "stores luma and chroma (YCbCr) without JPEG",
        4 => "is a transparency mask",
        8..=10 => "is CIE Lab",
        32803 | 34892 => return Err(super::foreign::RAW.refusal(source)),
        32844 | 32845 => "stores logarithms of light (LogLuv)",
        _ => "has colours of an unknown kind",
    };
    Err(source.unsupported(format!(
        "{what}, which is not supported: convert it to RGB or gray first"
    )))
}

/// What the samples become.
fn depth(source: &Source<'_>, colours: Colours, bits: u32, float: bool) -> Result<Depth> {
    let inverted = colours == Colours::Gray { inverted: true };
    let plain = !inverted && matches!(colours, Colours::Gray { .. } | Colours::Rgb);
    Ok(match (bits, float) {
        (1..=16, false) if colours == Colours::Palette => Depth::U8,
        (8 | 16, false) if colours == Colours::Cmyk => Depth::U8,
        (8, false) => Depth::U8,
        (1..=7, false) if colours.samples() == 1 || plain => Depth::U8,
        (9..=16, false) if plain || inverted => Depth::U16,
        (32, false) if plain => Depth::U16,
        (16, true) if plain => Depth::F16,
        (32 | 64, true) if plain => Depth::F32,
        _ => {
            let kind = if float { "float" } else { "whole-number" };
            return Err(source.unsupported(format!(
                "has {bits}-bit {kind} samples of its kind of colour, which are not supported: \
                 convert it to 8 or 16-bit, or 16 or 32-bit float first"
            )));
        }
    })
}
