//! The flow with engines that are no more than what a test needs.
#![forbid(unsafe_code)]

mod guide;
mod variations;

use super::*;
use crate::engines::{Crop, EngineDescription, OpenOptions, Opened, Run};
use crate::pixels::RgbImage;
use crate::pixels::{Depth, Layout, PixelFormat};
use crate::plan::{Costs, Needs};
use crate::progress::Silent;
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Answers with the crop, one value of it replaced.
#[derive(Clone)]
struct Stub {
    needs: Needs,
    value: f32,
    model: Option<PathBuf>,
    /// The crops that it was given.
    seen: Arc<Mutex<Vec<RgbImage>>>,
    /// How often it was opened.
    opened: Arc<AtomicUsize>,
    /// The opening and the fill that are still to panic.
    panics: Arc<[AtomicBool; 2]>,
}

impl Stub {
    fn new(needs: Needs, value: f32, model: Option<&str>) -> Arc<Self> {
        Arc::new(Self {
            needs,
            value,
            model: model.map(PathBuf::from),
            seen: Arc::default(),
            opened: Arc::default(),
            panics: Arc::default(),
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

    fn open(&self, _: &OpenOptions<'_>) -> Result<Box<dyn Opened>> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics[0].swap(false, Ordering::SeqCst), "opening");
        Ok(Box::new(self.clone()))
    }
}

impl Opened for Stub {
    fn needs(&self) -> Needs {
        self.needs
    }

    fn costs(&self, _: Option<u64>) -> Costs {
        Costs {
            bytes: 0.0,
            bytes_per_pixel: 0.0,
            bytes_per_hole_pixel: 0.0,
            seconds: 1e-6,
            seconds_per_pixel: 1e-7,
            seconds_per_hole_pixel: 0.0,
            variation: 1.0,
        }
    }

    fn model(&self) -> Option<&Path> {
        self.model.as_deref()
    }

    fn fill(&self, crop: &Crop<'_>, _: &mut Run<'_>) -> Result<RgbImage> {
        assert!(!self.panics[1].swap(false, Ordering::SeqCst), "filling");
        let mut out = crop.image.clone();
        let at = crop.hole.data.iter().position(|h| *h != 0).unwrap();
        out.data[3 * at] = self.value;
        self.seen.lock().push(crop.image.clone());
        Ok(out)
    }
}

/// Fills the middle third of a picture of noise by the stub; the picture before and after.
fn fill(stub: &Arc<Stub>, width: u32, height: u32) -> (Vec<u8>, Result<Vec<u8>>) {
    let engine: Arc<dyn Engine> = stub.clone();
    let inpainter = Inpainter::with(Options::default(), vec![engine]);
    fill_by(&inpainter, width, height)
}

fn fill_by(inpainter: &Inpainter, width: u32, height: u32) -> (Vec<u8>, Result<Vec<u8>>) {
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
        let seen = stub.seen.lock();
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

/// The engine is opened once for a plan and its run, however many regions there are; and what was planned is
/// what is run.
#[test]
fn an_engine_is_opened_once_for_a_plan_and_its_fill() {
    let stub = Stub::new(Needs::ANY, 0.5, None);
    let engine: Arc<dyn Engine> = stub.clone();
    let inpainter = Inpainter::with(Options::default(), vec![engine]);
    let opened = || stub.opened.load(Ordering::SeqCst);
    let (width, height) = (300u32, 60u32);
    let pixels = vec![99u8; (width * height * 3) as usize];
    let mut mask = vec![0u8; (width * height) as usize];
    for x in [20, 150, 270] {
        for y in 20..30 {
            mask[(y * width + x) as usize..][..10].fill(255);
        }
    }
    let gray = PixelFormat::new(Layout::Gray, Depth::U8);
    let rgb = PixelFormat::new(Layout::Rgb, Depth::U8);
    let image = ImageView::new(&pixels, width, height, 3 * width as usize, rgb).unwrap();
    let none = vec![0u8; mask.len()];
    let view = |mask| {
        let view = ImageView::new(mask, width, height, width as usize, gray).unwrap();
        MaskView::new(view).unwrap()
    };
    let mut request = Request::new();
    request.set("context", "5").unwrap();
    request.set("steps", "7").unwrap();
    let mask = view(&mask);
    let prepared = inpainter.prepare(&request, &image, &mask).unwrap();
    assert_eq!((opened(), prepared.plan().regions.len()), (1, 3));
    assert!(prepared.plan().notes[0].ends_with("no such parameter: steps"));
    for fills in [3, 6] {
        let filled = prepared.run(&mut Silent, &Cancel::new()).unwrap();
        assert_eq!((opened(), stub.seen.lock().len()), (1, fills));
        assert_eq!(filled.report.notes, prepared.plan().notes);
        assert_eq!(filled.report.pixels, 300);
    }
    let plan = inpainter.plan(&request, Some(&image), &mask).unwrap();
    assert_eq!((opened(), &plan), (2, prepared.plan()));
    inpainter
        .fill(&request, &image, &mask, &mut Silent, &Cancel::new())
        .unwrap();
    assert_eq!(opened(), 3);
    // Nothing to be filled: nothing is opened.
    let none = view(&none);
    let prepared = inpainter.prepare(&request, &image, &none).unwrap();
    assert_eq!((opened(), prepared.plan().peak_bytes), (3, 0));
    let filled = prepared.run(&mut Silent, &Cancel::new()).unwrap();
    assert_eq!((filled.report.regions, stub.seen.lock().len()), (0, 9));
}

/// As the C interface has it, where a panic becomes an error and the inpainter lives on.
#[test]
fn the_next_fill_works_after_one_that_panicked() {
    let stub = Stub::new(Needs::ANY, 0.5, None);
    let engine: Arc<dyn Engine> = stub.clone();
    let inpainter = Inpainter::with(Options::default(), vec![engine]);
    for panics in stub.panics.iter() {
        panics.store(true, Ordering::SeqCst);
        let broken = catch_unwind(AssertUnwindSafe(|| fill_by(&inpainter, 60, 45)));
        assert!(broken.is_err());
        assert!(fill_by(&inpainter, 60, 45).1.is_ok());
    }
}
