//! A large picture that grows by a little takes what its plan says, and never a copy of itself.

#[path = "requests/peak.rs"]
mod peak;

use mend::pixels::{Depth, Layout, MaskView};
use mend::progress::Silent;
use mend::{Cancel, ImageView, Inpainter, Options, PixelFormat, Request};
use peak::Peak;

#[global_allocator]
static HEAP: peak::Counting = peak::Counting::new();

/// Bytes that no plan speaks of: messages, lists of a few regions, what threads keep.
const SMALL: u64 = 3 << 20;

#[test]
fn twenty_four_megapixels_grow_within_the_plan() {
    let (width, height) = (6000u32, 4000u32);
    let mut pixels = vec![0u8; width as usize * height as usize * 3];
    for (i, value) in pixels.iter_mut().enumerate() {
        let (x, y) = (i / 3 % width as usize, i / 3 / width as usize);
        *value = (((x * 7 + y * 5) % 97) as u8).wrapping_add((x / 400 * 40) as u8);
    }
    let format = PixelFormat::new(Layout::Rgb, Depth::U8);
    let image = ImageView::new(&pixels, width, height, width as usize * 3, format).unwrap();
    let nothing = MaskView::nothing(width, height).unwrap();
    for engine in ["exemplar", "rethined"] {
        let inpainter = Inpainter::new(Options {
            threads: 2,
            ..Options::default()
        });
        let mut request = Request::new();
        request.set("expand", "32").unwrap();
        request.set("engine", engine).unwrap();
        let plan = inpainter.plan(&request, Some(&image), &nothing).unwrap();
        let began = Peak::begin(&HEAP);
        let filled = inpainter
            .fill(&request, &image, &nothing, &mut Silent, &Cancel::new())
            .unwrap();
        let held = began.end();
        assert_eq!(filled.report.pixels, 6064 * 4064 - 6000 * 4000);
        assert!(plan.peak_bytes < 200 << 20, "{} bytes", plan.peak_bytes);
        let said = plan.peak_bytes;
        assert!(
            held <= said + SMALL,
            "{engine}: {held} bytes, planned {said}"
        );
        println!("{engine}: {held} bytes, planned {said}");
    }
}
