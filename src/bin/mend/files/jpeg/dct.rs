//! From pixels to quantised coefficients.
//!
//! Source: ITU-T T.81 (1992), A.3.3 and A.3.4; ITU-T T.871 (JFIF), section 7.
#![forbid(unsafe_code)]

use super::coefficients::Block;
use super::markers::{Markers, ZIGZAG};
use crate::files::Picture;
use mend::pixels::Layout;
use std::f32::consts::{FRAC_1_SQRT_2, PI};

/// What the channels of a picture become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// The channels themselves: gray, or a file that stores RGB.
    Same,
    /// Luma and chroma.
    YCbCr,
}

/// Makes the blocks of one picture.
pub struct Blocks<'a> {
    picture: &'a Picture,
    m: &'a Markers,
    colours: Colours,
    /// `cosines[u][x]`, the transform's factors.
    cosines: [[f32; 8]; 8],
}

impl<'a> Blocks<'a> {
    /// For 8-bit gray or RGB pixels, to be coded as `m` says.
    pub fn new(picture: &'a Picture, m: &'a Markers, colours: Colours) -> Self {
        let mut cosines = [[0.0; 8]; 8];
        for (u, row) in cosines.iter_mut().enumerate() {
            let scale = if u == 0 { FRAC_1_SQRT_2 / 2.0 } else { 0.5 };
            for (x, c) in row.iter_mut().enumerate() {
                *c = scale * ((2 * x + 1) as f32 * u as f32 * PI / 16.0).cos();
            }
        }
        Self {
            picture,
            m,
            colours,
            cosines,
        }
    }

    /// The block of component `c` in column `bx` and row `by` of its blocks.
    pub fn block(&self, c: usize, bx: usize, by: usize) -> Block {
        let samples = self.samples(c, bx, by);
        let table = self.m.table(c);
        let coefficients = self.transform(&samples);
        let mut block = [0; 64];
        for (k, raster) in ZIGZAG.iter().enumerate() {
            let i = usize::from(*raster);
            let step = table.map_or(1, |t| t[i].max(1));
            block[k] = (coefficients[i] / f32::from(step)).round() as i16;
        }
        block
    }

    /// The samples of a block around 0; those beyond the picture repeat its edge.
    fn samples(&self, c: usize, bx: usize, by: usize) -> [f32; 64] {
        let component = self.m.components[c];
        let (h_max, v_max) = self.m.largest_factors();
        let (h, v) = (usize::from(component.h), usize::from(component.v));
        // The pixels that sample `s` stands for.
        let span = |s: usize, factor: usize, largest: usize, pixels: u32| {
            let (from, to) = (s * largest / factor, ((s + 1) * largest).div_ceil(factor));
            let last = pixels as usize - 1;
            (from.min(last), to.min(last + 1).max(from.min(last) + 1))
        };
        let mut samples = [0.0; 64];
        for y in 0..8 {
            let (y0, y1) = span(by * 8 + y, v, v_max, self.picture.height);
            for x in 0..8 {
                let (x0, x1) = span(bx * 8 + x, h, h_max, self.picture.width);
                let mut sum = 0.0;
                for py in y0..y1 {
                    for px in x0..x1 {
                        sum += self.value(c, px, py);
                    }
                }
                samples[y * 8 + x] = sum / ((y1 - y0) * (x1 - x0)) as f32;
            }
        }
        samples
    }

    fn value(&self, c: usize, x: usize, y: usize) -> f32 {
        let channels = self.picture.format.layout.channels();
        let i = (y * self.picture.width as usize + x) * channels;
        let p = &self.picture.data[i..i + channels];
        if self.colours == Colours::Same || self.picture.format.layout == Layout::Gray {
            return f32::from(p[c]) - 128.0;
        }
        let (r, g, b) = (f32::from(p[0]), f32::from(p[1]), f32::from(p[2]));
        match c {
            0 => 0.299 * r + 0.587 * g + 0.114 * b - 128.0,
            1 => -0.168_735_9 * r - 0.331_264_1 * g + 0.5 * b,
            _ => 0.5 * r - 0.418_687_6 * g - 0.081_312_4 * b,
        }
    }

    /// The transform, in raster order.
    fn transform(&self, samples: &[f32; 64]) -> [f32; 64] {
        let mut rows = [0.0; 64];
        for (out, line) in rows.chunks_exact_mut(8).zip(samples.chunks_exact(8)) {
            for (o, cosines) in out.iter_mut().zip(&self.cosines) {
                *o = cosines.iter().zip(line).map(|(c, s)| c * s).sum();
            }
        }
        let mut all = [0.0; 64];
        for (out, cosines) in all.chunks_exact_mut(8).zip(&self.cosines) {
            for (line, c) in rows.chunks_exact(8).zip(cosines) {
                for (o, r) in out.iter_mut().zip(line) {
                    *o += c * r;
                }
            }
        }
        all
    }
}
