//! Masks: as runs, as regions, as coverage of a rectangle.

use super::Bytes;
use mend::params::Extent;
use mend::pixels::{Depth, ImageView, Layout, MaskView, PixelFormat, Rect, RunMask};
use mend::plan::{Costs, Needs, regions};

/// A mask with a few boxes in it, and sometimes noise.
pub struct Drawn {
    pub width: usize,
    pub height: usize,
    pub depth: Depth,
    /// Tight rows.
    pub bytes: Vec<u8>,
}

impl Drawn {
    /// Draws a mask of the given size.
    pub fn new(b: &mut Bytes<'_>, width: usize, height: usize) -> Self {
        let depth = b.one_of(&[Depth::U8, Depth::U16, Depth::F32]);
        let mut drawn = Self {
            width,
            height,
            depth,
            bytes: vec![0; width * height * depth.bytes()],
        };
        for _ in 0..b.upto(6) {
            let (x, y) = (b.upto(width - 1), b.upto(height - 1));
            let (w, h) = (1 + b.upto(width / 3), 1 + b.upto(height / 3));
            let value = drawn.value(b);
            for y in y..(y + h).min(height) {
                for x in x..(x + w).min(width) {
                    drawn.put(x, y, &value);
                }
            }
        }
        if b.rarely() {
            let len = drawn.bytes.len();
            drawn.bytes = b.spread(len);
        }
        drawn
    }

    fn value(&self, b: &mut Bytes<'_>) -> Vec<u8> {
        let raw = b.u32();
        let share = if b.rarely() { raw as u8 } else { 255 };
        match self.depth {
            Depth::U8 => vec![share],
            Depth::U16 => (u16::from(share) * 257).to_ne_bytes().to_vec(),
            _ if b.rarely() => raw.to_ne_bytes().to_vec(),
            _ => (f32::from(share) / 255.0).to_ne_bytes().to_vec(),
        }
    }

    fn put(&mut self, x: usize, y: usize, value: &[u8]) {
        let at = (y * self.width + x) * value.len();
        self.bytes[at..at + value.len()].copy_from_slice(value);
    }

    /// The pixel's value as a number: above 0 where it is selected.
    pub fn at(&self, x: usize, y: usize) -> f32 {
        let size = self.depth.bytes();
        match self.bytes[(y * self.width + x) * size..][..size] {
            [v] => f32::from(v),
            [a, b] => f32::from(u16::from_ne_bytes([a, b])),
            [a, b, c, d] => f32::from_ne_bytes([a, b, c, d]),
            _ => f32::NAN,
        }
    }

    fn has_nan(&self) -> bool {
        (0..self.height).any(|y| (0..self.width).any(|x| self.at(x, y).is_nan()))
    }

    fn view(&self) -> MaskView<'_> {
        let format = PixelFormat::new(Layout::Gray, self.depth);
        let stride = self.width * self.depth.bytes();
        let (width, height) = (self.width as u32, self.height as u32);
        ImageView::new(&self.bytes, width, height, stride, format)
            .and_then(MaskView::new)
            .expect("a sound mask")
    }
}

pub fn run(data: &[u8]) {
    let mut b = Bytes(data);
    let (width, height) = (1 + b.upto(90), 1 + b.upto(70));
    let drawn = Drawn::new(&mut b, width, height);
    let mask = drawn.view();
    let runs = RunMask::of(&mask);
    assert_eq!(runs.is_err(), drawn.has_nan());
    let Ok(runs) = runs else { return };

    let mut count = 0;
    for y in 0..height {
        let row = runs.row(y as u32);
        for x in 0..width {
            let inside = row
                .iter()
                .any(|(from, to)| (*from..*to).contains(&(x as u32)));
            assert_eq!(inside, drawn.at(x, y) > 0.0, "{x},{y}");
            count += u64::from(inside);
        }
        assert!(row.iter().all(|(from, to)| from < to));
        assert!(row.windows(2).all(|w| w[0].1 < w[1].0));
    }
    assert_eq!(runs.count(), count);

    check_regions(&mut b, &runs);
    check_coverage(&mut b, &drawn, &mask);
}

/// Every selected pixel lies in the hole of exactly one region, and regions lie in the picture.
fn check_regions(b: &mut Bytes<'_>, runs: &RunMask) {
    let needs = Needs {
        alignment: b.one_of(&[1, 8, 64]),
        min_context: b.upto(40) as u32,
        context_share: b.upto(200) as f64 / 100.0,
        max_context: b.upto(500) as u32,
        max_side: b.one_of(&[None, Some(64), Some(1)]),
        min_side: b.one_of(&[0, 0, 16, 512]),
        ..Needs::ANY
    };
    let costs = Costs {
        bytes: 1e6,
        bytes_per_pixel: 50.0,
        bytes_per_hole_pixel: 50.0,
        seconds: b.one_of(&[0.0, 1e-4, 1.0]),
        seconds_per_pixel: b.one_of(&[0.0, 1e-7, 1e-3]),
        seconds_per_hole_pixel: b.one_of(&[0.0, 1e-6]),
        variation: 1.0,
    };
    let context = b.one_of(&[
        Extent::Auto,
        Extent::Pixels(0),
        Extent::Pixels(65536),
        Extent::Share(0.0),
        Extent::Share(10.0),
    ]);
    let grow = b.one_of(&[0, 1, 5, 256]);
    let regions = regions(runs, grow, context, &needs, &costs).expect("memory");
    for region in &regions {
        let (rect, hole) = (region.rect, region.hole);
        assert_eq!(rect.intersect(&hole), hole);
        assert!(rect.right() <= runs.width() && rect.bottom() <= runs.height());
        assert!(region.scale > 0.0 && (region.scale <= 1.0 || needs.min_side > 0));
    }
    assert_eq!(
        regions.iter().map(|r| r.hole_pixels).sum::<u64>(),
        runs.count()
    );
    for y in 0..runs.height() {
        for &(from, to) in runs.row(y) {
            let run = Rect::new(from, y, to - from, 1);
            let holders = regions
                .iter()
                .filter(|r| !r.hole.intersect(&run).is_empty());
            assert_eq!(holders.count(), 1, "{run:?}");
        }
    }
}

/// The coverage of a rectangle is that part of the whole mask's, and nothing beyond the mask's
/// growth is covered.
fn check_coverage(b: &mut Bytes<'_>, drawn: &Drawn, mask: &MaskView<'_>) {
    let (width, height) = (drawn.width, drawn.height);
    let (x, y) = (b.upto(width - 1), b.upto(height - 1));
    let (w, h) = (b.upto(width - x), b.upto(height - y));
    let (grow, feather) = (b.upto(9) as u32, b.upto(9) as u32);
    let all = Rect::new(0, 0, width as u32, height as u32);
    let part = Rect::new(x as u32, y as u32, w as u32, h as u32);
    let whole = mask.coverage(all, grow, feather).expect("no NaN");
    let cut = mask.coverage(part, grow, feather).expect("no NaN");
    for dy in 0..h {
        assert_eq!(cut.row(dy), &whole.row(y + dy)[x..x + w]);
    }
    let reach = grow as usize;
    for y in 0..height {
        for x in 0..width {
            let covered = whole.row(y)[x];
            assert!((0.0..=1.0).contains(&covered));
            let near = (y.saturating_sub(reach)..=(y + reach).min(height - 1)).any(|sy| {
                (x.saturating_sub(reach)..=(x + reach).min(width - 1)).any(|sx| {
                    let (dx, dy) = (sx.abs_diff(x), sy.abs_diff(y));
                    dx * dx + dy * dy <= reach * reach && drawn.at(sx, sy) > 0.0
                })
            });
            assert_eq!(covered > 0.0, near, "{x},{y}");
        }
    }
}
