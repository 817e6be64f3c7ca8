//! How a caller's pixels are laid out.
#![forbid(unsafe_code)]

use crate::error::{Error, ErrorKind, Result};

/// Channels of a pixel, in memory order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Layout {
    /// One gray channel.
    Gray = 1,
    /// Gray, alpha.
    GrayA = 2,
    /// Red, green, blue.
    Rgb = 3,
    /// Red, green, blue, alpha.
    Rgba = 4,
    /// Blue, green, red.
    Bgr = 5,
    /// Blue, green, red, alpha.
    Bgra = 6,
}

impl Layout {
    /// Channels a pixel, alpha included.
    pub const fn channels(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::GrayA => 2,
            Self::Rgb | Self::Bgr => 3,
            Self::Rgba | Self::Bgra => 4,
        }
    }

    /// Whether the last channel is alpha.
    pub const fn has_alpha(self) -> bool {
        matches!(self, Self::GrayA | Self::Rgba | Self::Bgra)
    }
}

/// The number type of a channel, in the machine's byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Depth {
    /// `0 ..= 255`.
    U8 = 1,
    /// `0 ..= 65535`.
    U16 = 2,
    /// IEEE half, nominally `0.0 ..= 1.0`.
    F16 = 3,
    /// IEEE single, nominally `0.0 ..= 1.0`.
    F32 = 4,
}

impl Depth {
    /// Bytes a channel.
    pub const fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::U16 | Self::F16 => 2,
            Self::F32 => 4,
        }
    }
}

/// A pixel format: channels, number type, and what the numbers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PixelFormat {
    /// Channels in memory order.
    pub layout: Layout,
    /// Number type.
    pub depth: Depth,
    /// Colour channels are already multiplied by alpha. Without an alpha channel it means nothing.
    pub premultiplied: bool,
    /// Values are proportional to light (scene-linear); otherwise display-encoded, sRGB-like.
    pub linear: bool,
}

/// Bit of [`PixelFormat::to_bits`] that says premultiplied.
pub const PREMULTIPLIED_BIT: u32 = 0x100;
/// Bit of [`PixelFormat::to_bits`] that says scene-linear.
pub const LINEAR_BIT: u32 = 0x200;

impl PixelFormat {
    /// Straight alpha, display-encoded.
    pub const fn new(layout: Layout, depth: Depth) -> Self {
        Self {
            layout,
            depth,
            premultiplied: false,
            linear: false,
        }
    }

    /// Bytes a pixel.
    pub const fn bytes(&self) -> usize {
        self.layout.channels() * self.depth.bytes()
    }

    /// The C API's number: layout in bits 0–3, depth in bits 4–7, then the two flags.
    pub const fn to_bits(&self) -> u32 {
        (self.layout as u32)
            | ((self.depth as u32) << 4)
            | if self.premultiplied {
                PREMULTIPLIED_BIT
            } else {
                0
            }
            | if self.linear { LINEAR_BIT } else { 0 }
    }

    /// The format that [`Self::to_bits`] gave, or [`ErrorKind::Image`] for any other number.
    pub fn from_bits(bits: u32) -> Result<Self> {
        let layout = match bits & 0xf {
            1 => Layout::Gray,
            2 => Layout::GrayA,
            3 => Layout::Rgb,
            4 => Layout::Rgba,
            5 => Layout::Bgr,
            6 => Layout::Bgra,
            _ => return Err(unknown(bits)),
        };
        let depth = match (bits >> 4) & 0xf {
            1 => Depth::U8,
            2 => Depth::U16,
            3 => Depth::F16,
            4 => Depth::F32,
            _ => return Err(unknown(bits)),
        };
        if bits & !(0xff | PREMULTIPLIED_BIT | LINEAR_BIT) != 0 {
            return Err(unknown(bits));
        }
        Ok(Self {
            layout,
            depth,
            premultiplied: bits & PREMULTIPLIED_BIT != 0,
            linear: bits & LINEAR_BIT != 0,
        })
    }
}

fn unknown(bits: u32) -> Error {
    Error::new(
        ErrorKind::Image,
        format!(
            "unknown pixel format {bits:#x}: combine one layout, one depth and the flags, \
             such as MEND_LAYOUT_RGBA | MEND_DEPTH_U8"
        ),
    )
}
