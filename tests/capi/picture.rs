//! Small pictures and masks in every format, and what a fill may do to them.

use half::f16;
use mend::pixels::{Depth, ImageView, Layout, PixelFormat};

/// What the bytes between rows hold, so that a write to them is seen.
const PADDING: u8 = 0xa5;

pub const GRAY8: PixelFormat = PixelFormat::new(Layout::Gray, Depth::U8);
pub const RGB8: PixelFormat = PixelFormat::new(Layout::Rgb, Depth::U8);

/// A picture in some format, its rows any distance apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    pub bytes: Vec<u8>,
    pub width: u32,
    pub height: u32,
    pub stride: usize,
    pub format: PixelFormat,
}

impl Picture {
    /// A picture whose channels are `value(x, y, channel)`, `0.0 ..= 1.0`, with `padding` bytes
    /// after each row.
    pub fn new(
        (width, height): (u32, u32),
        format: PixelFormat,
        padding: usize,
        value: impl Fn(u32, u32, usize) -> f32,
    ) -> Self {
        let stride = width as usize * format.bytes() + padding;
        let mut bytes = Vec::new();
        for y in 0..height {
            for x in 0..width {
                for c in 0..format.layout.channels() {
                    let v = value(x, y, c);
                    match format.depth {
                        Depth::U8 => bytes.push((v * 255.0).round() as u8),
                        Depth::U16 => {
                            bytes.extend(((v * 65535.0).round() as u16).to_ne_bytes());
                        }
                        Depth::F16 => bytes.extend(f16::from_f32(v).to_ne_bytes()),
                        Depth::F32 => bytes.extend(v.to_ne_bytes()),
                    }
                }
            }
            bytes.resize(stride * (y as usize + 1), PADDING);
        }
        Self {
            bytes,
            width,
            height,
            stride,
            format,
        }
    }

    /// A picture with some texture and no two neighbours alike; alpha is partly transparent.
    pub fn textured(size: (u32, u32), format: PixelFormat, padding: usize) -> Self {
        let channels = format.layout.channels();
        Self::new(size, format, padding, |x, y, c| {
            let alpha = match format.layout.has_alpha() {
                true => 0.5 + 0.5 * ((x + y) % 4) as f32 / 3.0,
                false => 1.0,
            };
            if format.layout.has_alpha() && c + 1 == channels {
                return alpha;
            }
            let wave = ((x * 5 + y * 3 + c as u32 * 7) % 17) as f32 / 17.0;
            let v = 0.1 + 0.6 * wave + 0.2 * (x as f32 / size.0 as f32);
            if format.premultiplied { v * alpha } else { v }
        })
    }

    /// A mask that selects a box, fully.
    pub fn mask(
        size: (u32, u32),
        depth: Depth,
        padding: usize,
        columns: std::ops::Range<u32>,
        rows: std::ops::Range<u32>,
    ) -> Self {
        Self::new(
            size,
            PixelFormat::new(Layout::Gray, depth),
            padding,
            |x, y, _| f32::from(columns.contains(&x) && rows.contains(&y)),
        )
    }

    /// The same pixels, `padding` bytes after each row.
    pub fn repadded(&self, padding: usize) -> Self {
        let row = self.width as usize * self.format.bytes();
        let stride = row + padding;
        let mut bytes = vec![PADDING; stride * self.height as usize];
        for y in 0..self.height as usize {
            bytes[y * stride..][..row].copy_from_slice(&self.bytes[y * self.stride..][..row]);
        }
        Self {
            bytes,
            stride,
            ..self.clone()
        }
    }

    pub fn view(&self) -> ImageView<'_> {
        ImageView::new(
            &self.bytes,
            self.width,
            self.height,
            self.stride,
            self.format,
        )
        .expect("a sound picture")
    }

    pub fn pixel(&self, x: u32, y: u32) -> &[u8] {
        let size = self.format.bytes();
        &self.bytes[y as usize * self.stride + x as usize * size..][..size]
    }

    /// Overwrites one pixel's bytes.
    pub fn set_pixel(&mut self, x: u32, y: u32, bytes: &[u8]) {
        let at = y as usize * self.stride + x as usize * self.format.bytes();
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Checks that `self` is a fill of `before` through `mask`: nothing but selected pixels differs,
    /// the padding still holds what it held, and some selected pixels did change.
    pub fn assert_fill_of(&self, before: &Self, mask: &Self) {
        let mut changed = 0;
        for y in 0..self.height {
            for x in 0..self.width {
                let same = self.pixel(x, y) == before.pixel(x, y);
                let selected = mask.pixel(x, y).iter().any(|b| *b != 0);
                assert!(same || selected, "{:?}: pixel {x},{y} changed", self.format);
                changed += usize::from(!same);
            }
            let row = self.width as usize * self.format.bytes();
            let padding = &self.bytes[y as usize * self.stride..][row..self.stride];
            assert!(
                padding.iter().all(|b| *b == PADDING),
                "{:?}: row {y}'s padding",
                self.format
            );
        }
        assert!(changed > 0, "{:?}: nothing was filled", self.format);
    }
}

/// Every format that there is.
pub fn formats() -> Vec<PixelFormat> {
    use Depth::{F16, F32, U8, U16};
    use Layout::{Bgr, Bgra, Gray, GrayA, Rgb, Rgba};
    let mut all = Vec::new();
    for layout in [Gray, GrayA, Rgb, Rgba, Bgr, Bgra] {
        for depth in [U8, U16, F16, F32] {
            for (premultiplied, linear) in
                [(false, false), (true, false), (false, true), (true, true)]
            {
                all.push(PixelFormat {
                    layout,
                    depth,
                    premultiplied,
                    linear,
                });
            }
        }
    }
    all
}
