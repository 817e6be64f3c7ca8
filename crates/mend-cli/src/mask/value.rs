//! How a mask file's pixel becomes a value.
#![forbid(unsafe_code)]

use super::levels::Levels;
use super::survey::Survey;
use half::f16;
use mend::pixels::{Depth, Layout, PixelFormat};

/// What of a mask file's pixels counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The strongest of a pixel's channels times its opacity: colours count as much as white.
    Light,
    /// How far the weakest of a pixel's channels is from white, in the place of an inversion: of
    /// colours on a white ground.
    Ink,
    /// Opacity alone.
    Opacity,
}

/// Values below this share of full count as 0 in a mask that was compressed with loss, and those
/// above its complement as full: ringing around an edge is no selection.
pub const RINGING: f64 = 0.125;

/// How pixels become values.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    pub format: PixelFormat,
    pub rule: Rule,
    pub invert: bool,
    /// Whether the file was compressed with loss.
    pub lossy: bool,
    pub levels: Levels,
}

impl Reading {
    /// A row's values; what was seen of them goes into `survey`.
    pub fn row(&self, row: &[u8], values: &mut Vec<f64>, survey: &mut Survey) {
        values.clear();
        let pixel = self.format.bytes();
        // Most rows of most masks are of one colour.
        if row[pixel..] == row[..row.len() - pixel] {
            let count = row.len() / pixel;
            let v = self.value(&row[..pixel], count as u64, survey);
            values.resize(count, v);
            return;
        }
        values.extend(row.chunks_exact(pixel).map(|p| self.value(p, 1, survey)));
    }

    /// The mask's value at `count` equal pixels, `0.0 ..= 1.0`; NaN stays NaN, for the library to
    /// refuse.
    fn value(&self, pixel: &[u8], count: u64, survey: &mut Survey) -> f64 {
        let at = |i: usize| sample(pixel, self.format.depth, i);
        let alpha = match self.format.layout.has_alpha() {
            true => at(self.format.layout.channels() - 1),
            false => 1.0,
        };
        let mut colour = match self.format.layout {
            Layout::Gray | Layout::GrayA => [at(0); 3],
            _ => [at(0), at(1), at(2)],
        };
        if self.format.premultiplied && alpha > 0.0 && alpha < 1.0 {
            colour = colour.map(|c| (c / alpha).min(1.0));
        }
        survey.pixel(colour, alpha);
        let light = match self.rule {
            Rule::Light => strongest(colour) * alpha,
            Rule::Ink => strongest(colour.map(|c| 1.0 - c)),
            Rule::Opacity => alpha,
        };
        let exact = matches!(self.levels, Levels::Threshold(_));
        let snap = |v| if self.lossy && !exact { snapped(v) } else { v };
        survey.value(snap(within(light)), count);
        let v = snap(within(self.levels.apply(within(light))));
        match self.invert && self.rule != Rule::Ink {
            true => 1.0 - v,
            false => v,
        }
    }
}

/// The largest of a colour's channels; NaN if one is.
pub fn strongest(colour: [f64; 3]) -> f64 {
    match colour.iter().any(|c| c.is_nan()) {
        true => f64::NAN,
        false => colour.into_iter().fold(f64::NEG_INFINITY, f64::max),
    }
}

fn within(v: f64) -> f64 {
    if v.is_nan() { v } else { v.clamp(0.0, 1.0) }
}

fn snapped(v: f64) -> f64 {
    if v < RINGING {
        0.0
    } else if v > 1.0 - RINGING {
        1.0
    } else {
        v
    }
}

/// Sample `i` as a share of the largest value.
pub fn sample(pixel: &[u8], depth: Depth, i: usize) -> f64 {
    let b = &pixel[i * depth.bytes()..];
    match depth {
        Depth::U8 => f64::from(b[0]) / 255.0,
        Depth::U16 => f64::from(u16::from_ne_bytes([b[0], b[1]])) / 65_535.0,
        Depth::F16 => f16::from_ne_bytes([b[0], b[1]]).to_f64(),
        Depth::F32 => f64::from(f32::from_ne_bytes([b[0], b[1], b[2], b[3]])),
    }
}
