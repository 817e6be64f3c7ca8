//! The engine `rethined` through the public interface, with the built-in weights.
#![forbid(unsafe_code)]

use mend::pixels::{Depth, Layout, MaskView, PixelFormat};
use mend::progress::Silent;
use mend::{Cancel, ErrorKind, ImageView, ImageViewMut, Inpainter, Options, Request};
use std::path::Path;

/// A picture in 32-bit float and its hole.
struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<f32>,
    mask: Vec<u8>,
}

impl Picture {
    fn new(
        width: usize,
        height: usize,
        hole: [usize; 4],
        at: impl Fn(usize, usize) -> [f32; 3],
    ) -> Self {
        let [left, top, right, bottom] = hole;
        let mut pixels = Vec::new();
        let mut mask = Vec::new();
        for y in 0..height {
            for x in 0..width {
                pixels.extend(at(x, y));
                let inside = (left..right).contains(&x) && (top..bottom).contains(&y);
                mask.push(if inside { 255 } else { 0 });
            }
        }
        Self {
            width,
            height,
            pixels,
            mask,
        }
    }

    /// A photo of the repository's, scaled to this width.
    fn photo(name: &str, width: usize, hole: [usize; 4]) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("examples/photos")
            .join(name);
        let image = image::open(file).unwrap();
        let side = width as u32;
        let image = image
            .resize(side, side, image::imageops::FilterType::Triangle)
            .to_rgb8();
        let (w, h) = (image.width() as usize, image.height() as usize);
        Self::new(w, h, hole, |x, y| {
            image
                .get_pixel(x as u32, y as u32)
                .0
                .map(|v| f32::from(v) / 255.0)
        })
    }

    fn fill(
        &self,
        threads: usize,
        params: &[(&str, &str)],
        cancel: &Cancel,
    ) -> mend::Result<Vec<f32>> {
        let mut request = Request::new();
        request.set("engine", "rethined")?;
        for (name, value) in params {
            request.set(name, value)?;
        }
        let options = Options {
            threads,
            ..Options::default()
        };
        let (w, h) = (self.width as u32, self.height as u32);
        let gray = PixelFormat::new(Layout::Gray, Depth::U8);
        let mask = MaskView::new(ImageView::new(&self.mask, w, h, self.width, gray)?)?;
        let rgb = PixelFormat::new(Layout::Rgb, Depth::F32);
        let mut bytes: Vec<u8> = self.pixels.iter().flat_map(|v| v.to_ne_bytes()).collect();
        let mut view = ImageViewMut::new(&mut bytes, w, h, self.width * 12, rgb)?;
        let report =
            Inpainter::new(options).inpaint(&request, &mut view, &mask, &mut Silent, cancel)?;
        let last = params.iter().rfind(|(name, _)| *name == "engine");
        assert_eq!(report.engine, last.map_or("rethined", |(_, value)| value));
        let four = |b: &[u8]| f32::from_ne_bytes(b.try_into().unwrap());
        let out: Vec<f32> = bytes.chunks_exact(4).map(four).collect();
        for (i, (new, old)) in out.iter().zip(&self.pixels).enumerate() {
            let kept = self.mask[i / 3] == 0;
            assert!(
                !kept || new.to_bits() == old.to_bits(),
                "a pixel outside the mask changed"
            );
            assert!(new.is_finite());
        }
        Ok(out)
    }

    /// The mean squared error in the hole, in dB below 1.
    fn psnr(&self, fill: &[f32]) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for (i, (f, t)) in fill.iter().zip(&self.pixels).enumerate() {
            if self.mask[i / 3] != 0 {
                sum += f64::from(f - t).powi(2);
                count += 1.0;
            }
        }
        -10.0 * (sum / count).log10()
    }
}

const DETAILS: [&str; 2] = ["search", "attention"];

#[test]
fn the_same_fill_on_any_number_of_threads() {
    let photo = Picture::photo("boat.png", 200, [70, 40, 120, 90]);
    let mut fills = Vec::new();
    for detail in DETAILS {
        let params = [("detail", detail), ("seed", "3")];
        let one = photo.fill(1, &params, &Cancel::new()).unwrap();
        let three = photo.fill(3, &params, &Cancel::new()).unwrap();
        assert!(one == three, "{detail}");
        fills.push(one);
    }
    assert!(fills[0] != fills[1]);
}

#[test]
fn it_knows_better_than_the_search_alone() {
    // Over a shore, a sky and water: the exemplar engine's shapes are others' shapes.
    let (mut with, mut without) = (0.0, 0.0);
    for (name, hole) in [
        ("boat.png", [60, 50, 130, 110]),
        ("lighthouse.png", [90, 60, 150, 120]),
        ("beach-couple.png", [80, 30, 150, 100]),
    ] {
        let photo = Picture::photo(name, 240, hole);
        with += photo.psnr(&photo.fill(2, &[], &Cancel::new()).unwrap());
        let exemplar = [("engine", "exemplar")];
        without += photo.psnr(&photo.fill(2, &exemplar, &Cancel::new()).unwrap());
    }
    assert!(with > without + 0.9, "{with} {without}");
}

#[test]
fn what_is_even_stays_even() {
    for value in [0.02, 0.5, 0.97] {
        let even = Picture::new(150, 120, [50, 40, 100, 90], |_, _| {
            [value, value * 0.8, 0.4]
        });
        for detail in DETAILS {
            let fill = even.fill(2, &[("detail", detail)], &Cancel::new()).unwrap();
            let worst = fill.iter().zip(&even.pixels).map(|(a, b)| (a - b).abs());
            let worst = worst.fold(0.0, f32::max);
            assert!(worst < 1.5 / 255.0, "{detail} {value}: {worst}");
        }
    }
}

#[test]
fn any_size_and_range_is_filled() {
    let bright = |x: usize, y: usize| [(x % 7) as f32, 4.0 - (y % 5) as f32 * 0.5, 0.2];
    for (w, h, hole) in [
        (1, 40, [0, 10, 1, 20]),
        (3, 3, [1, 1, 2, 2]),
        (9, 200, [2, 50, 9, 120]),
        (700, 11, [300, 0, 420, 11]),
        (64, 64, [0, 0, 64, 63]),
    ] {
        let picture = Picture::new(w, h, hole, bright);
        for detail in DETAILS {
            let fill = picture
                .fill(2, &[("detail", detail)], &Cancel::new())
                .unwrap();
            let range = fill
                .iter()
                .fold((f32::MAX, f32::MIN), |r, v| (r.0.min(*v), r.1.max(*v)));
            assert!(
                range.0 > -4.0 && range.1 < 12.0,
                "{w}x{h} {detail} {range:?}"
            );
        }
    }
}

#[test]
fn cancelling_leaves_nothing_behind() {
    let photo = Picture::photo("boat.png", 200, [70, 40, 120, 90]);
    let cancel = Cancel::new();
    cancel.cancel();
    let e = photo.fill(2, &[], &cancel).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Cancelled);
}
