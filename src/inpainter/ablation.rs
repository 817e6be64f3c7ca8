//! What region cropping, attention slices and bands of rows gain: each switched off in turn. Not in
//! CI, for the weights are gigabytes; `benches/ablation.py` runs it, once a process.
#![forbid(unsafe_code)]

use super::*;
use crate::engines::unthrifty;
use crate::pixels::{Depth, Layout, PixelFormat, Rect};
use crate::progress::Silent;
use std::env::var;

/// `MEND_MODEL=FOLDER MEND_WITHOUT=WHAT cargo test --release --lib -- --ignored ablation`: a fill of a
/// hole of 256² in a region of 512² of a canvas, by a model of the true size. `WHAT` is `nothing`,
/// `cropping`, `slices` or `bands`; `MEND_STEPS`, 2, and `MEND_CANVAS`, 6000x4000, may be set too.
#[test]
#[ignore = "needs a full-size diffusers folder, named by MEND_MODEL; benches/ablation.py runs it"]
fn ablation() {
    let model = var("MEND_MODEL").expect("MEND_MODEL, a diffusers folder");
    let without = var("MEND_WITHOUT").unwrap_or_else(|_| "nothing".into());
    let steps = var("MEND_STEPS").unwrap_or_else(|_| "2".into());
    let canvas = var("MEND_CANVAS").unwrap_or_else(|_| "6000x4000".into());
    assert!(
        ["nothing", "cropping", "slices", "bands"].contains(&without.as_str()),
        "MEND_WITHOUT is {without}"
    );
    let (width, height) = canvas.split_once('x').expect("MEND_CANVAS, WIDTHxHEIGHT");
    let [width, height]: [u32; 2] = [width, height].map(|n| n.parse().expect("MEND_CANVAS"));
    let hole = Rect::new((width - 256) / 2, (height - 256) / 2, 256, 256);
    let row = 3 * width as usize;
    let mut pixels = Vec::with_capacity(row * height as usize);
    for y in 0..height {
        pixels.extend((0..row as u32).map(|x| ((x / 30 + y / 7) * 5 + ((x * 7919) & 15)) as u8));
    }
    let mut mask = vec![0; (width * height) as usize];
    for y in hole.y..hole.bottom() {
        let start = (y * width + hole.x) as usize;
        mask[start..start + hole.width as usize].fill(255);
    }
    let context = match without.as_str() {
        "cropping" => width.max(height).to_string(),
        _ => "128".into(),
    };
    let mut request = Request::new();
    for (name, value) in [
        ("engine", "diffusion"),
        ("model", &model),
        ("prompt", "a red boat"),
        ("guidance", "1"),
        ("steps", &steps),
        ("context", &context),
    ] {
        request.set(name, value).unwrap();
    }
    let engine = unthrifty(without == "slices", without == "bands");
    let inpainter = Inpainter::with(Options::default(), vec![engine]);
    let rgb = PixelFormat::new(Layout::Rgb, Depth::U8);
    let gray = PixelFormat::new(Layout::Gray, Depth::U8);
    let mut view = ImageViewMut::new(&mut pixels, width, height, row, rgb).unwrap();
    let mask = ImageView::new(&mask, width, height, width as usize, gray).unwrap();
    let mask = MaskView::new(mask).unwrap();
    let plan = inpainter.plan(&request, Some(&view.as_view()), &mask);
    let region = plan.unwrap().regions[0].rect;
    let whole = (region.width, region.height) == (width, height);
    assert_eq!(whole, without == "cropping", "{region:?}");
    let done = inpainter
        .inpaint(&request, &mut view, &mask, &mut Silent, &Cancel::new())
        .unwrap();
    // For the script, which knows the process's peak.
    println!("\nABLATION {}", done.to_json());
}
