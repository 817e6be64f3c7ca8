//! What painted lines change, from the request to the pixels.
#![forbid(unsafe_code)]

use super::*;

const SIDE: usize = 180;

/// Whether a pixel lies below an arc that rises and falls again, and how far from it.
fn below(i: usize) -> (bool, f32) {
    let (x, y) = ((i % SIDE) as f32 - 90.0, (i / SIDE) as f32 - 150.0);
    let out = (x * x + y * y).sqrt() - 80.0;
    (out < 0.0, out.abs())
}

/// The arc's picture filled in a disc that cuts its top, along the lines that are given.
fn filled(engine: &str, guide: Option<&[u8]>) -> Vec<u8> {
    let mut pixels = Vec::new();
    for i in 0..SIDE * SIDE {
        let grain = (i * 7919 % 23) as u8;
        pixels.extend(match below(i).0 {
            true => [120 + grain, 70 + grain, 30],
            false => [130, 160 + grain, 210 + grain],
        });
    }
    let hole = |i: usize| (i % SIDE).abs_diff(90).pow(2) + (i / SIDE).abs_diff(76).pow(2) < 1500;
    let mask: Vec<u8> = (0..SIDE * SIDE).map(|i| u8::from(hole(i)) * 255).collect();
    let side = SIDE as u32;
    let gray = PixelFormat::new(Layout::Gray, Depth::U8);
    let as_mask = |data| MaskView::new(ImageView::new(data, side, side, SIDE, gray).unwrap());
    let mut request = Request::new();
    request.set("engine", engine).unwrap();
    if let Some(guide) = guide {
        request.set_guide(&as_mask(guide).unwrap()).unwrap();
    }
    let rgb = PixelFormat::new(Layout::Rgb, Depth::U8);
    let mut view = ImageViewMut::new(&mut pixels, side, side, 3 * SIDE, rgb).unwrap();
    let mask = as_mask(&mask).unwrap();
    let inpainter = Inpainter::new(Options::default());
    inpainter
        .inpaint(&request, &mut view, &mask, &mut Silent, &Cancel::new())
        .unwrap();
    pixels
}

#[test]
fn painted_lines_lead_what_fills_the_hole() {
    // Seven pixels wide, three off.
    let line: Vec<u8> = (0..SIDE * SIDE)
        .map(|i| {
            let (inside, by) = below(i);
            let out = if inside { -by } else { by };
            u8::from(i / SIDE < 140 && (out - 3.0).abs() < 3.5) * 200
        })
        .collect();
    // What stands on the wrong side of the border, away from it.
    let wrong = |pixels: &[u8]| {
        let all = (0..SIDE * SIDE).filter(|i| below(*i).1 > 1.5);
        all.filter(|i| (pixels[i * 3 + 2] < 120) != below(*i).0)
            .count()
    };
    for engine in ["exemplar", "rethined"] {
        let (free, led) = (filled(engine, None), filled(engine, Some(&line)));
        assert_ne!(free, led, "{engine}");
        assert!(
            wrong(&led) * 4 < wrong(&free).max(40),
            "{engine}: {} and {} without",
            wrong(&led),
            wrong(&free)
        );
        let nothing = vec![0; SIDE * SIDE];
        assert_eq!(free, filled(engine, Some(&nothing)), "{engine}");
    }
}
