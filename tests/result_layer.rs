//! The parameter `result` at `layer`: only the fill, to be laid over the picture.

use mend::pixels::{Depth, Layout, MaskView, PixelFormat};
use mend::progress::Silent;
use mend::{Cancel, ErrorKind, ImageView, ImageViewMut, Inpainter, Options, Request};

const W: usize = 64;
const H: usize = 48;

fn picture() -> Vec<u8> {
    let mut data = Vec::new();
    for y in 0..H {
        for x in 0..W {
            data.extend([(x * 4) as u8, (y * 5) as u8, ((x ^ y) * 4) as u8, 255]);
        }
    }
    data
}

/// A hole with a soft rim.
fn mask() -> Vec<u8> {
    let mut data = vec![0; W * H];
    for y in 10..30 {
        for x in 20..40 {
            let rim = (x - 20).min(39 - x).min(y - 10).min(29 - y);
            data[y * W + x] = (rim * 64 + 63).min(255) as u8;
        }
    }
    data
}

fn fill(data: &mut [u8], layout: Layout, result: &str) -> mend::Result<mend::Report> {
    let format = PixelFormat::new(layout, Depth::U8);
    let gray = PixelFormat::new(Layout::Gray, Depth::U8);
    let mask = mask();
    let mask = MaskView::new(ImageView::new(&mask, W as u32, H as u32, W, gray)?)?;
    let mut request = Request::new();
    request.set("result", result)?;
    request.set("grow", "2")?;
    let stride = W * layout.channels();
    let mut image = ImageViewMut::new(data, W as u32, H as u32, stride, format)?;
    Inpainter::new(Options::default()).inpaint(
        &request,
        &mut image,
        &mask,
        &mut Silent,
        &Cancel::new(),
    )
}

#[test]
fn laid_over_the_picture_it_is_the_filled_picture() {
    let before = picture();
    let (mut filled, mut layer) = (before.clone(), before.clone());
    fill(&mut filled, Layout::Rgba, "image").unwrap();
    fill(&mut layer, Layout::Rgba, "layer").unwrap();
    let mut covered = 0;
    for i in 0..W * H {
        let at = i * 4..i * 4 + 4;
        let over = &layer[at.clone()];
        let alpha = f32::from(over[3]) / 255.0;
        if over[3] == 0 {
            assert_eq!(over, [0; 4], "pixel {i} has colour where it has no alpha");
            assert_eq!(filled[at.clone()], before[at], "pixel {i} was filled");
            continue;
        }
        covered += 1;
        for c in 0..3 {
            let under = f32::from(before[i * 4 + c]);
            let seen = under + (f32::from(over[c]) - under) * alpha;
            let wanted = f32::from(filled[i * 4 + c]);
            assert!(
                (seen - wanted).abs() <= 1.5,
                "pixel {i}, channel {c}: {seen} over the picture, {wanted} in it"
            );
        }
    }
    // The grown mask, its rounded corners aside.
    assert!((20 * 20..=24 * 24).contains(&covered), "{covered} pixels");
}

#[test]
fn without_alpha_it_is_refused_and_nothing_changes() {
    let before: Vec<u8> = picture().chunks(4).flat_map(|p| p[..3].to_vec()).collect();
    let mut data = before.clone();
    let error = fill(&mut data, Layout::Rgb, "layer").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Image);
    assert!(error.message().contains("'result'"), "{error}");
    assert_eq!(data, before);
}
