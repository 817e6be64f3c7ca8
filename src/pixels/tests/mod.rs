//! Tests of the pixels room, through what it gives to the other rooms.
#![forbid(unsafe_code)]

mod formats;
mod masks;
mod picture;
mod resampling;
mod run_sets;

use super::{Depth, ImageView, Layout, MaskView, PixelFormat};

/// A small generator of repeatable pseudo-random numbers (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// `0.0 .. 1.0`.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A tight 8-bit mask.
pub(crate) fn mask_u8(data: &[u8], width: u32, height: u32) -> MaskView<'_> {
    let format = PixelFormat::new(Layout::Gray, Depth::U8);
    MaskView::new(ImageView::new(data, width, height, width as usize, format).unwrap()).unwrap()
}
