//! Pictures of every format with plain f64 arithmetic for what they mean.
#![forbid(unsafe_code)]

use super::Random;
use crate::pixels::{
    Coverage, Depth, ImageView, ImageViewMut, Layout, PixelFormat, Plane, Rect, RgbImage, Working,
    read_working, write_back,
};
use half::f16;

pub(super) const DEPTHS: [Depth; 4] = [Depth::U8, Depth::U16, Depth::F16, Depth::F32];

pub(super) fn formats() -> Vec<PixelFormat> {
    let mut all = Vec::new();
    for layout in 1..=6 {
        for depth in 1..=4 {
            for flags in 0..4 {
                all.push(PixelFormat::from_bits(layout | depth << 4 | flags << 8).unwrap());
            }
        }
    }
    all
}

/// Channel values as f64, integers as they stand.
pub(super) fn values(bytes: &[u8], depth: Depth) -> Vec<f64> {
    let n = depth.bytes();
    bytes
        .chunks_exact(n)
        .map(|b| match depth {
            Depth::U8 => f64::from(b[0]),
            Depth::U16 => f64::from(u16::from_ne_bytes([b[0], b[1]])),
            Depth::F16 => f16::from_ne_bytes([b[0], b[1]]).to_f64(),
            Depth::F32 => f64::from(f32::from_ne_bytes([b[0], b[1], b[2], b[3]])),
        })
        .collect()
}

/// The bytes of values that the depth holds exactly.
pub(super) fn bytes(values: &[f64], depth: Depth) -> Vec<u8> {
    let mut out = Vec::new();
    for &v in values {
        match depth {
            Depth::U8 => out.push(v as u8),
            Depth::U16 => out.extend((v as u16).to_ne_bytes()),
            Depth::F16 => out.extend(f16::from_f64(v).to_ne_bytes()),
            Depth::F32 => out.extend((v as f32).to_ne_bytes()),
        }
    }
    out
}

pub(super) fn top(depth: Depth) -> f64 {
    match depth {
        Depth::U8 => 255.0,
        Depth::U16 => 65535.0,
        Depth::F16 | Depth::F32 => 1.0,
    }
}

pub(super) fn integer(depth: Depth) -> bool {
    matches!(depth, Depth::U8 | Depth::U16)
}

/// A pixel that means something in `format`: colours up to their alpha in premultiplied integers,
/// black where transparent. Floats reach below 0 and above 1.
pub(super) fn pixel(format: PixelFormat, random: &mut Random) -> Vec<f64> {
    let depth = format.depth;
    let colours = format.layout.channels() - usize::from(format.layout.has_alpha());
    let share = match random.below(6) {
        0 => 0.0,
        1 | 2 => 1.0,
        _ => random.unit(),
    };
    let alpha = exact(share * top(depth), depth);
    let mut p: Vec<f64> = (0..colours)
        .map(|_| {
            let scale = match (integer(depth), random.below(8)) {
                (true, _) => 1.0,
                (false, 0) => -0.7,
                (false, 1) => 12.0,
                (false, 2) => 1e-4,
                (false, _) => 1.0,
            };
            let v = random.unit() * scale;
            let within = if format.premultiplied && format.layout.has_alpha() {
                alpha
            } else {
                top(depth)
            };
            exact(v * within, depth)
        })
        .collect();
    if format.layout.has_alpha() {
        if alpha == 0.0 {
            p.fill(0.0);
        }
        p.push(alpha);
    }
    p
}

/// The nearest value that the depth holds.
pub(super) fn exact(v: f64, depth: Depth) -> f64 {
    match depth {
        Depth::U8 | Depth::U16 => v.round(),
        Depth::F16 => f16::from_f64(v).to_f64(),
        Depth::F32 => f64::from(v as f32),
    }
}

pub(super) fn encode(l: f64) -> f64 {
    let x = l.abs();
    let e = if x <= 0.0031308 {
        12.92 * x
    } else {
        1.055 * x.powf(1.0 / 2.4) - 0.055
    };
    e.copysign(l)
}

pub(super) fn decode(e: f64) -> f64 {
    let x = e.abs();
    let l = if x <= 0.04045 {
        x / 12.92
    } else {
        ((x + 0.055) / 1.055).powf(2.4)
    };
    l.copysign(e)
}

/// Where the colour channels lie.
pub(super) fn order(layout: Layout) -> [usize; 3] {
    match layout {
        Layout::Gray | Layout::GrayA => [0, 0, 0],
        Layout::Rgb | Layout::Rgba => [0, 1, 2],
        Layout::Bgr | Layout::Bgra => [2, 1, 0],
    }
}

/// Straight display-encoded colour and alpha of a pixel.
pub(super) fn read_reference(p: &[f64], format: PixelFormat) -> ([f64; 3], f64) {
    let top = top(format.depth);
    let alpha = if format.layout.has_alpha() {
        p[p.len() - 1] / top
    } else {
        1.0
    };
    let colour = order(format.layout).map(|i| {
        let v = p[i] / top;
        let straight = match (format.premultiplied, format.layout.has_alpha()) {
            _ if alpha <= 0.0 => 0.0,
            (true, true) => v / alpha,
            _ => v,
        };
        if format.linear {
            encode(straight)
        } else {
            straight
        }
    });
    (colour, alpha)
}

/// The pixel after blending, not yet rounded.
pub(super) fn write_reference(
    old: &[f64],
    colour: [f64; 3],
    alpha: f64,
    coverage: f64,
    format: PixelFormat,
) -> Vec<f64> {
    let (top, channels) = (top(format.depth), format.layout.channels());
    let has_alpha = format.layout.has_alpha();
    let own = |e: f64| {
        let v = if format.linear { decode(e) } else { e };
        if integer(format.depth) {
            v.clamp(0.0, 1.0)
        } else {
            v
        }
    };
    let mut new = vec![0.0; channels];
    if matches!(format.layout, Layout::Gray | Layout::GrayA) {
        new[0] = own(0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]);
    } else {
        for (i, at) in order(format.layout).into_iter().enumerate() {
            new[at] = own(colour[i]);
        }
    }
    let alpha = if has_alpha { alpha } else { 1.0 };
    let under_alpha = if has_alpha {
        old[channels - 1] / top
    } else {
        1.0
    };
    let mixed = under_alpha + (alpha - under_alpha) * coverage;
    for (n, o) in new
        .iter_mut()
        .zip(old)
        .take(channels - usize::from(has_alpha))
    {
        let o = o / top;
        let under = if format.premultiplied && has_alpha {
            o
        } else {
            o * under_alpha
        };
        let over = *n * alpha;
        let pre = under + (over - under) * coverage;
        *n = match (format.premultiplied && has_alpha, coverage >= 1.0) {
            (true, _) => pre,
            (false, true) => *n,
            (false, false) if mixed > 0.0 => pre / mixed,
            (false, false) => 0.0,
        };
    }
    if has_alpha {
        new[channels - 1] = mixed;
    }
    new.iter().map(|v| v * top).collect()
}

/// A picture in some format, its rows apart by more than their length.
pub(super) struct Picture {
    pub(super) data: Vec<u8>,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) stride: usize,
    pub(super) format: PixelFormat,
}

impl Picture {
    pub(super) fn new(
        format: PixelFormat,
        width: usize,
        height: usize,
        mut at: impl FnMut(usize, usize) -> Vec<f64>,
    ) -> Self {
        let stride = width * format.bytes() + 7;
        let mut data = vec![0xC3; stride * height];
        for y in 0..height {
            for x in 0..width {
                let start = y * stride + x * format.bytes();
                data[start..start + format.bytes()]
                    .copy_from_slice(&bytes(&at(x, y), format.depth));
            }
        }
        Self {
            data,
            width,
            height,
            stride,
            format,
        }
    }

    pub(super) fn random(
        format: PixelFormat,
        width: usize,
        height: usize,
        random: &mut Random,
    ) -> Self {
        Self::new(format, width, height, |_, _| pixel(format, random))
    }

    pub(super) fn pixel(&self, x: usize, y: usize) -> Vec<f64> {
        let start = y * self.stride + x * self.format.bytes();
        values(
            &self.data[start..start + self.format.bytes()],
            self.format.depth,
        )
    }

    pub(super) fn read(&self, rect: Rect, hole: &Coverage) -> crate::Result<Working> {
        let (w, h) = (self.width as u32, self.height as u32);
        let view = ImageView::new(&self.data, w, h, self.stride, self.format)?;
        read_working(&view, rect, hole)
    }

    pub(super) fn write(
        &mut self,
        rect: Rect,
        filled: &Working,
        coverage: &Coverage,
    ) -> crate::Result<()> {
        let (w, h) = (self.width as u32, self.height as u32);
        let mut view = ImageViewMut::new(&mut self.data, w, h, self.stride, self.format)?;
        write_back(&mut view, rect, filled, coverage)
    }

    pub(super) fn all(&self) -> Rect {
        Rect::new(0, 0, self.width as u32, self.height as u32)
    }
}

pub(super) fn even(rect: Rect, value: f32) -> Coverage {
    Plane::filled(rect.width as usize, rect.height as usize, value, "a test").unwrap()
}

pub(super) fn random_fill(rect: Rect, format: PixelFormat, random: &mut Random) -> Working {
    let (w, h) = (rect.width as usize, rect.height as usize);
    let mut rgb = RgbImage::black(w, h, "a test").unwrap();
    for v in &mut rgb.data {
        *v = (random.unit() * 1.4 - 0.2) as f32;
    }
    let alpha = format.layout.has_alpha().then(|| Plane {
        width: w,
        height: h,
        data: (0..w * h)
            .map(|_| [0.0, 1.0, random.unit() as f32][random.below(3) as usize])
            .collect(),
    });
    Working { rgb, alpha }
}
