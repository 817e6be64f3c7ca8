//! How large a pixel is.
#![forbid(unsafe_code)]

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
