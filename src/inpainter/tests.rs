//! The flow with engines that are no more than what a test needs.
#![forbid(unsafe_code)]

use super::*;
use crate::engines::{Ask, Crop, EngineDescription};
use crate::pixels::{Depth, Layout, PixelFormat};
use crate::plan::{Costs, Needs};
use crate::progress::Silent;
use std::path::PathBuf;
use std::sync::Mutex;

/// Answers with the crop, one value of it replaced.
struct Stub {
    needs: Needs,
    value: f32,
    model: Option<PathBuf>,
    /// The crops that it was given.
    seen: Mutex<Vec<RgbImage>>,
}

impl Stub {
    fn new(needs: Needs, value: f32, model: Option<&str>) -> Arc<Self> {
        Arc::new(Self {
            needs,
            value,
            model: model.map(PathBuf::from),
            seen: Mutex::default(),
        })
    }
}

impl Engine for Stub {
    fn description(&self) -> EngineDescription {
        EngineDescription {
            id: "stub",
            label: "Stub",
            summary: "A stub.",
            params: vec![],
        }
    }

    fn needs(&self, _: &Ask<'_>) -> Result<Needs> {
        Ok(self.needs)
    }

    fn costs(&self, _: &Ask<'_>) -> Result<Costs> {
        Ok(Costs {
            bytes: 0.0,
            bytes_per_pixel: 0.0,
            bytes_per_hole_pixel: 0.0,
            seconds: 0.1,
            seconds_per_pixel: 1e-7,
            seconds_per_hole_pixel: 0.0,
        })
    }

    fn model(&self, _: &Ask<'_>) -> Option<PathBuf> {
        self.model.clone()
    }

    fn fill(&self, crop: &Crop<'_>, _: &mut Run<'_>) -> Result<RgbImage> {
        let mut out = crop.image.clone();
        let at = crop.hole.data.iter().position(|h| *h != 0).unwrap();
        out.data[3 * at] = self.value;
        self.seen.lock().unwrap().push(crop.image.clone());
        Ok(out)
    }
}

/// Fills the middle third of a picture of noise by the stub; the picture before and after.
fn fill(stub: &Arc<Stub>, width: u32, height: u32) -> (Vec<u8>, Result<Vec<u8>>) {
    let engine: Arc<dyn Engine> = stub.clone();
    let inpainter = Inpainter::with(Options::default(), vec![engine]);
    let mut request = Request::new();
    request.set("context", "4000").unwrap();
    let noise = |i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8;
    let before: Vec<u8> = (0..width * height * 3).map(noise).collect();
    let third = |i: u32, n: u32| (n / 3..2 * n / 3).contains(&i);
    let inside = |i: u32| third(i % width, width) && third(i / width, height);
    let mask: Vec<u8> = (0..width * height)
        .map(|i| 255 * u8::from(inside(i)))
        .collect();
    let gray = PixelFormat::new(Layout::Gray, Depth::U8);
    let rgb = PixelFormat::new(Layout::Rgb, Depth::U8);
    let view = ImageView::new(&mask, width, height, width as usize, gray).unwrap();
    let mask = MaskView::new(view).unwrap();
    let mut after = before.clone();
    let mut image = ImageViewMut::new(&mut after, width, height, 3 * width as usize, rgb).unwrap();
    let done = inpainter.inpaint(&request, &mut image, &mask, &mut Silent, &Cancel::new());
    (before, done.map(|_| after))
}

/// What an engine makes that is no number is told with its model, and the picture stays as it was.
#[test]
fn no_engine_makes_a_hole_of_what_is_no_number() {
    for blend in [false, true] {
        // As it is, and scaled.
        for max_side in [None, Some(32)] {
            let needs = Needs {
                blend,
                max_side,
                ..Needs::ANY
            };
            for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let stub = Stub::new(needs, value, Some("some/model.pt"));
                let error = fill(&stub, 60, 45).1.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Model);
                for said in ["some/model.pt", "no numbers", "'stub'"] {
                    assert!(error.message().contains(said), "{error}");
                }
                let stub = Stub::new(needs, value, None);
                let error = fill(&stub, 60, 45).1.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Image, "{error}");
            }
            assert!(fill(&Stub::new(needs, 0.5, None), 60, 45).1.is_ok());
        }
    }
}

/// The engine sees the picture's own pixels whatever its sides, as long as it can work on so many.
#[test]
fn a_picture_of_any_side_reaches_the_engine_as_it_is() {
    let needs = Needs {
        alignment: 8,
        max_side: Some(1024),
        min_side: 256,
        ..Needs::ANY
    };
    for (width, height) in [(611, 397), (255, 203), (1021, 37), (1024, 8), (1030, 40)] {
        let stub = Stub::new(needs, 0.5, None);
        let (before, after) = fill(&stub, width, height);
        let seen = stub.seen.lock().unwrap();
        let crop = &seen[0];
        // A picture that is a little too wide loses what is furthest away.
        let skipped = width.saturating_sub(1024) as usize / 2;
        assert_eq!(
            (crop.width, crop.height),
            (width.min(1024) as usize, height as usize)
        );
        let (w, h) = (width as usize, height as usize);
        for y in 0..h {
            for x in 0..crop.width {
                let i = y * w + x + skipped;
                let inside =
                    (w / 3..2 * w / 3).contains(&(x + skipped)) && (h / 3..2 * h / 3).contains(&y);
                let own = before[3 * i..3 * i + 3]
                    .iter()
                    .map(|v| f32::from(*v) / 255.0);
                let same = own.eq(crop.row(y)[3 * x..3 * x + 3].iter().copied());
                assert!(same || inside, "{width}×{height}: {x} {y}");
            }
        }
        assert!(after.is_ok());
    }
}
