//! The engine `rad` through the public interface, with the tiny network of the goldens.
#![forbid(unsafe_code)]

use mend::pixels::{Depth, Layout, MaskView, PixelFormat};
use mend::progress::{Silent, Step};
use mend::{Cancel, ErrorKind, ImageView, ImageViewMut, Inpainter, Options, Progress, Request};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/rad.safetensors");

/// A picture of waves in 8 bits, and a soft-edged hole.
struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
    mask: Vec<u8>,
}

impl Picture {
    fn new(width: usize, height: usize, soft: bool) -> Self {
        let (mut pixels, mut mask) = (Vec::new(), Vec::new());
        for y in 0..height {
            for x in 0..width {
                let wave = |k: usize| (128.0 + 90.0 * ((x * k + y * 3) as f64 / 9.0).sin()) as u8;
                pixels.extend([wave(1), wave(2), 255 - wave(3)]);
                let inside =
                    (width / 4..width / 2).contains(&x) && (height / 3..height / 2).contains(&y);
                mask.push(match (inside, soft) {
                    (false, _) => 0,
                    (true, false) => 255,
                    (true, true) => (40 + 200 * (x - width / 4) / (width / 4)) as u8,
                });
            }
        }
        Self {
            width,
            height,
            pixels,
            mask,
        }
    }

    fn fill(
        &self,
        threads: usize,
        params: &[(&str, &str)],
        progress: &mut dyn Progress,
    ) -> mend::Result<Vec<u8>> {
        let mut request = Request::new();
        request.set("engine", "rad")?;
        request.set("model", MODEL)?;
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
        let rgb = PixelFormat::new(Layout::Rgb, Depth::U8);
        let mut out = self.pixels.clone();
        let mut view = ImageViewMut::new(&mut out, w, h, self.width * 3, rgb)?;
        let inpainter = Inpainter::new(options);
        let cancel = Cancel::new();
        let report = inpainter.inpaint(&request, &mut view, &mask, progress, &cancel)?;
        assert_eq!(report.engine, "rad");
        for (i, (new, old)) in out.iter().zip(&self.pixels).enumerate() {
            assert!(
                self.mask[i / 3] != 0 || new == old,
                "a pixel outside the mask changed"
            );
        }
        assert!(out != self.pixels, "nothing was filled");
        Ok(out)
    }
}

#[test]
fn the_same_fill_on_any_number_of_threads() {
    for soft in [false, true] {
        let picture = Picture::new(70, 50, soft);
        let mut made = Vec::new();
        for more in [
            &[][..],
            &[("order", "rim_first")],
            &[("scheduler", "ddpm")],
            &[("seed", "5")],
            &[("spacing", "even")],
        ] {
            let mut params = vec![("steps", "6")];
            params.extend(more);
            let one = picture.fill(1, &params, &mut Silent).unwrap();
            let three = picture.fill(3, &params, &mut Silent).unwrap();
            assert!(one == three, "{params:?}");
            made.push(one);
        }
        let different = |i: usize| made[..i].iter().all(|other| *other != made[i]);
        assert!((1..made.len()).all(different));
    }
}

#[test]
fn steps_are_told_and_previews_shown() {
    let picture = Picture::new(64, 64, false);
    let (mut last, mut steps, mut previews) = (0, 0, 0);
    let mut progress = |step: &Step| {
        assert!(step.step >= last || step.stage != "steps");
        last = step.step;
        steps = steps.max(step.steps);
        if let Some(preview) = &step.preview {
            previews += 1;
            assert_eq!(
                preview.pixels.len() as u32,
                3 * preview.width * preview.height
            );
        }
        true
    };
    picture.fill(2, &[("steps", "40")], &mut progress).unwrap();
    assert!(steps >= 40 && previews > 0, "{steps} {previews}");
}

#[test]
fn what_is_wrong_is_told() {
    let picture = Picture::new(40, 40, false);
    let told = |params: &[(&str, &str)]| {
        let error = picture.fill(2, params, &mut Silent).unwrap_err();
        (error.kind(), error.message().to_owned())
    };
    let (kind, message) = told(&[("scheduler", "euler")]);
    assert_eq!(kind, ErrorKind::Parameter);
    assert!(message.contains("give one of ddim, ddpm"), "{message}");
    let (kind, message) = told(&[("model", "no-such-model")]);
    assert_eq!(kind, ErrorKind::Model);
    assert!(message.contains("no-such-model"), "{message}");
    let (kind, message) = told(&[("order", "rim")]);
    assert_eq!(kind, ErrorKind::Parameter);
    assert!(message.contains("rim_first"), "{message}");
    let mut stop = |_: &Step| false;
    let error = picture.fill(2, &[], &mut stop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}
