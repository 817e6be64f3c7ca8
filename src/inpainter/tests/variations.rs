//! Several fills of one hole, with an engine of which nothing is known but that its seed decides.
#![forbid(unsafe_code)]

use super::*;
use crate::engines::{Mark, variation_seed};
use crate::r#match::Random;
use crate::pixels::{Layout, Plane};

/// Fills with noise of its seed.
#[derive(Clone)]
struct Seeded {
    needs: Needs,
    /// The painted lines that it was given.
    guides: Arc<Mutex<Vec<Option<Plane<u8>>>>>,
    /// Where it says that the noise is the same whatever the seed.
    alike: bool,
}

impl Seeded {
    fn new(needs: Needs) -> Self {
        Self {
            needs,
            guides: Arc::default(),
            alike: false,
        }
    }

    fn inpainter(&self) -> Inpainter {
        self.with(Options::default())
    }

    fn with(&self, options: Options) -> Inpainter {
        Inpainter::with(options, vec![Arc::new(self.clone())])
    }
}

impl Engine for Seeded {
    fn description(&self) -> EngineDescription {
        EngineDescription {
            id: "seeded",
            label: "Seeded",
            summary: "Noise.",
            params: vec![],
        }
    }

    fn open(&self, _: &OpenOptions<'_>) -> Result<Box<dyn Opened>> {
        Ok(Box::new(self.clone()))
    }
}

impl Opened for Seeded {
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

    fn fill(&self, crop: &Crop<'_>, run: &mut Run<'_>) -> Result<RgbImage> {
        self.guides.lock().push(crop.guide.cloned());
        let seed = if self.alike { 0 } else { run.seed };
        let mut random = Random::new(seed, 1);
        let mut out = crop.image.clone();
        for (pixel, hole) in out.data.chunks_exact_mut(3).zip(&crop.hole.data) {
            let noise = random.below(256) as f32 / 255.0;
            if *hole != 0 {
                // It goes on from what is known, so that a piece shows what it was made from.
                pixel.iter_mut().for_each(|v| *v = 0.5 * *v + 0.5 * noise);
            }
        }
        for step in 0..4 {
            run.at(Mark {
                stage: "denoise",
                step: step + 1,
                steps: 4,
                share: f64::from(step + 1) / 4.0,
            })?;
        }
        Ok(out)
    }
}

/// A picture with a mask; a soft rim goes round what is selected.
struct Case {
    size: (u32, u32),
    format: PixelFormat,
    pixels: Vec<u8>,
    mask: Vec<u8>,
}

impl Case {
    fn new(size: (u32, u32), layout: Layout, selected: impl Fn(u32, u32) -> u8) -> Self {
        let (width, height) = size;
        let channels = layout.channels() as u32;
        let noise = |i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8;
        let mask = (0..width * height).map(|i| selected(i % width, i / width));
        Self {
            size,
            format: PixelFormat::new(layout, Depth::U8),
            pixels: (0..width * height * channels).map(noise).collect(),
            mask: mask.collect(),
        }
    }

    fn stride(&self) -> usize {
        self.size.0 as usize * self.format.bytes()
    }

    fn image(&self) -> ImageView<'_> {
        let (w, h) = self.size;
        ImageView::new(&self.pixels, w, h, self.stride(), self.format).unwrap()
    }

    fn mask(&self) -> MaskView<'_> {
        as_mask(&self.mask, self.size)
    }

    fn vary(&self, inpainter: &Inpainter, request: &Request) -> Result<Variations> {
        let (image, mask) = (self.image(), self.mask());
        inpainter.vary(request, &image, &mask, &mut Silent, &Cancel::new())
    }

    fn plain(&self, inpainter: &Inpainter, request: &Request) -> (Vec<u8>, Report) {
        let (image, mask) = (self.image(), self.mask());
        let filled = inpainter.fill(request, &image, &mask, &mut Silent, &Cancel::new());
        let filled = filled.unwrap();
        let mut pixels = self.pixels.clone();
        filled.apply(&mut self.writable(&mut pixels)).unwrap();
        (pixels, filled.report)
    }

    fn writable<'a>(&self, pixels: &'a mut [u8]) -> ImageViewMut<'a> {
        let (w, h) = self.size;
        ImageViewMut::new(pixels, w, h, self.stride(), self.format).unwrap()
    }

    /// Variation `number`, written over `before`.
    fn over(&self, before: &[u8], variations: &Variations, number: usize) -> Vec<u8> {
        let mut pixels = before.to_vec();
        let mut view = self.writable(&mut pixels);
        variations.apply(number, &mut view).unwrap();
        pixels
    }

    fn all(&self, variations: &Variations) -> Vec<Vec<u8>> {
        let numbers = 0..variations.len();
        numbers
            .map(|n| self.over(&self.pixels, variations, n))
            .collect()
    }
}

fn as_mask(mask: &[u8], (width, height): (u32, u32)) -> MaskView<'_> {
    let gray = PixelFormat::new(Layout::Gray, Depth::U8);
    MaskView::new(ImageView::new(mask, width, height, width as usize, gray).unwrap()).unwrap()
}

fn request(set: &[(&str, &str)]) -> Request {
    let mut request = Request::new();
    for (name, value) in set {
        request.set(name, value).unwrap();
    }
    request
}

/// Two holes with soft rims, and specks.
fn holes(x: u32, y: u32) -> u8 {
    let within = |a: u32, b: u32, n: u32| {
        let inside = (a..a + n).contains(&x) && (b..b + n).contains(&y);
        let rim = x.abs_diff(a).min(y.abs_diff(b));
        inside.then_some(if rim == 0 { 90 } else { 255 })
    };
    let speck = x % 50 == 48 && y % 20 == 3;
    let hole = within(12, 9, 14).or(within(66, 20, 9));
    hole.unwrap_or(if speck { 255 } else { 0 })
}

#[test]
fn each_variation_is_the_fill_of_its_seed_and_the_best_come_first() {
    let plain = Needs {
        specks: true,
        ..Needs::ANY
    };
    let scaled = Needs {
        max_side: Some(16),
        blend: true,
        ..plain
    };
    for needs in [plain, scaled] {
        let inpainter = Seeded::new(needs).inpainter();
        for layout in [Layout::Rgb, Layout::GrayA, Layout::Bgra] {
            for result in ["image", "layer"] {
                if result == "layer" && !layout.has_alpha() {
                    continue;
                }
                let mut case = Case::new((90, 40), layout, holes);
                if layout == Layout::GrayA {
                    // A hole in the void, whose region has nothing to be filled.
                    for i in (0..90 * 40).filter(|i| i % 90 > 50) {
                        case.pixels[2 * i + 1] = 0;
                    }
                }
                let set = [("seed", "5"), ("result", result), ("context", "6")];
                let many = [&set[..], &[("variations", "4"), ("best-of", "5")]].concat();
                let made = case.vary(&inpainter, &request(&many)).unwrap();
                assert_eq!(made.len(), 4);
                let scores = &made.report.scores;
                assert_eq!(scores.len(), 5, "{scores:?}");
                assert!(scores.is_sorted() && scores[0] >= 0.0, "{scores:?}");
                for (number, score) in scores.iter().enumerate() {
                    let own = made.score(number);
                    assert_eq!(own, (number < 4).then_some(*score));
                }
                let (_, report) = case.plain(&inpainter, &request(&set));
                assert_eq!(report.scores, Vec::<f64>::new());
                let told = (made.report.regions, made.report.pixels);
                assert_eq!(told, (report.regions, report.pixels));

                // All that a plain fill makes of one of the seeds.
                let mut seeds = Vec::new();
                for number in 0..5 {
                    let seed = variation_seed(5, number).to_string();
                    let set = [&set[1..], &[("seed", seed.as_str())]].concat();
                    seeds.push(case.plain(&inpainter, &request(&set)).0);
                }
                let all = case.all(&made);
                for own in &all {
                    let at = seeds.iter().position(|other| other == own);
                    seeds.remove(at.expect("a fill of one of the seeds"));
                }
                // Taken again, over another one.
                assert_eq!(case.over(&all[3], &made, 1), all[1]);
                for (i, mask) in case.mask.iter().enumerate() {
                    let bytes = i * case.format.bytes()..(i + 1) * case.format.bytes();
                    let before = match result {
                        "layer" => &[0; 4][..bytes.len()],
                        _ => &case.pixels[bytes.clone()],
                    };
                    let same = all.iter().all(|own| own[bytes.clone()] == *before);
                    assert!(*mask != 0 || same, "{layout:?} {result}: pixel {i}");
                }
            }
        }
    }
}

/// A piece of a hole goes on in the piece before it, whose crop is another in each variation.
#[test]
fn pieces_are_those_of_one_fill() {
    let inpainter = Seeded::new(Needs::ANY).inpainter();
    let case = Case::new((70_000, 12), Layout::Rgb, |x, y| {
        255 * u8::from((20..69_980).contains(&x) && (5..8).contains(&y))
    });
    let set = [("context", "4"), ("variations", "2")];
    let plan = inpainter
        .plan(&request(&set), Some(&case.image()), &case.mask())
        .unwrap();
    assert!(plan.regions.len() > 1);
    let made = case.vary(&inpainter, &request(&set)).unwrap();
    assert_eq!(made.report.regions, plan.regions.len());
    assert_eq!(made.report.pixels, 69_960 * 3);
    let all = case.all(&made);
    for number in 0..2 {
        let seed = variation_seed(0, number).to_string();
        let own = [("context", "4"), ("seed", seed.as_str())];
        let (plain, report) = case.plain(&inpainter, &request(&own));
        assert!(all.contains(&plain), "variation {number}");
        assert_eq!(report.pixels, made.report.pixels);
    }
}

#[test]
fn a_single_fill_of_several_is_the_best_and_says_so() {
    let inpainter = Seeded::new(Needs::ANY).inpainter();
    let case = Case::new((90, 40), Layout::Rgb, holes);
    let of = |set: &[(&str, &str)]| case.plain(&inpainter, &request(set));
    let made = case
        .vary(&inpainter, &request(&[("variations", "4")]))
        .unwrap();
    let best = case.over(&case.pixels, &made, 0);
    let (pixels, report) = of(&[("best-of", "4")]);
    assert_eq!(
        (&pixels, &report.scores),
        (&best, &made.report.scores),
        "the best of as many"
    );
    assert_eq!(report.notes, Vec::<String>::new());
    // Of one there is no choice.
    let one = case.vary(&inpainter, &Request::new()).unwrap();
    assert_eq!((one.len(), one.report.scores.len()), (1, 1));
    assert_eq!(case.all(&one)[0], of(&[]).0);
    let (pixels, report) = of(&[("variations", "4")]);
    assert_eq!(pixels, best);
    let note = report.notes.first().expect("a note");
    for said in ["4 variations", "mend_inpaint_variations", "Inpainter::vary"] {
        assert!(note.contains(said), "{note}");
    }
}

#[test]
fn what_is_alike_and_what_is_empty_is_told() {
    let mut engine = Seeded::new(Needs::ANY);
    engine.alike = true;
    let inpainter = engine.inpainter();
    let three = request(&[("variations", "3")]);
    let case = Case::new((90, 40), Layout::Rgb, holes);
    let made = case.vary(&inpainter, &three).unwrap();
    assert!(made.report.notes[0].contains("all 3 variations are the same"));
    let case = Case::new((20, 20), Layout::Rgb, |_, _| 0);
    let made = case.vary(&inpainter, &three).unwrap();
    assert_eq!(made.report.notes.len(), 1, "{:?}", made.report.notes);
    assert_eq!((made.len(), made.report.pixels), (3, 0));
    assert_eq!(case.all(&made), vec![case.pixels.clone(); 3]);
}

#[test]
fn a_wrong_number_or_picture_is_refused_and_left_alone() {
    let inpainter = Seeded::new(Needs::ANY).inpainter();
    let case = Case::new((40, 30), Layout::Rgba, holes);
    let set = request(&[("variations", "2"), ("result", "layer")]);
    let made = case.vary(&inpainter, &set).unwrap();
    let refused = |number, other: &Case, kind| {
        let mut pixels = other.pixels.clone();
        let error = made.apply(number, &mut other.writable(&mut pixels));
        let error = error.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(pixels, other.pixels);
        error.message().to_owned()
    };
    assert!(refused(2, &case, ErrorKind::Argument).contains("from 0 to 1"));
    for (size, layout) in [
        ((41, 30), Layout::Rgba),
        ((40, 31), Layout::Rgba),
        ((40, 30), Layout::Bgra),
        ((40, 30), Layout::Rgb),
    ] {
        refused(0, &Case::new(size, layout, holes), ErrorKind::Image);
    }
}

#[test]
fn the_bar_runs_once_and_a_stop_is_heeded() {
    for max_side in [None, Some(12)] {
        let needs = Needs {
            max_side,
            specks: true,
            ..Needs::ANY
        };
        let inpainter = Seeded::new(needs).inpainter();
        let case = Case::new((90, 40), Layout::Rgb, holes);
        let set = request(&[("variations", "3"), ("context", "4")]);
        let (image, mask) = (case.image(), case.mask());
        let prepared = inpainter.prepare(&set, &image, &mask).unwrap();
        let regions = prepared.plan().regions.len() as u32;
        assert!(regions > 2);
        let mut told = Vec::new();
        let mut progress = |step: &crate::progress::Step| {
            told.push((step.stage, step.step, step.steps));
            true
        };
        prepared.vary(&mut progress, &Cancel::new()).unwrap();
        let steps: Vec<_> = told.iter().filter(|t| t.0 == "denoise").collect();
        assert!(steps.iter().all(|t| t.2 == regions * 3 * 4), "{told:?}");
        assert!(steps.is_sorted_by_key(|t| t.1), "{told:?}");
        assert_eq!(told.last().map(|t| t.1), told.last().map(|t| t.2));
        for stop in 1..told.len() {
            let mut calls = 0;
            let mut progress = |_: &crate::progress::Step| {
                calls += 1;
                calls < stop
            };
            let stopped = prepared
                .vary(&mut progress, &Cancel::new())
                .map(|v| v.len());
            assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Cancelled);
        }
    }
}

#[test]
fn a_plan_counts_all_fills_and_a_budget_holds_them() {
    let engine = Seeded::new(Needs::ANY);
    let case = Case::new((200, 200), Layout::Rgba, |x, y| {
        255 * u8::from((20..180).contains(&x) && (20..180).contains(&y))
    });
    let plan = |inpainter: &Inpainter, count: &str| {
        let set = request(&[("variations", count), ("context", "10")]);
        inpainter.plan(&set, Some(&case.image()), &case.mask())
    };
    let inpainter = engine.inpainter();
    let (one, eight) = (
        plan(&inpainter, "1").unwrap(),
        plan(&inpainter, "8").unwrap(),
    );
    let told = &eight.to_json()["variations"];
    assert_eq!(*told, serde_json::json!({"made": 8, "kept": 8}));
    assert!((eight.seconds / one.seconds - 8.0).abs() < 0.01);
    let held = 8 * 160 * 160 * 4;
    let more = eight.peak_bytes - one.peak_bytes;
    assert!((held..held + 10_000).contains(&more), "{more}");
    let tight = engine.with(Options {
        max_memory: Some(eight.peak_bytes - 1),
        ..Options::default()
    });
    assert!(plan(&tight, "1").is_ok());
    let error = plan(&tight, "8").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Budget);
    assert!(error.message().contains("needs at least"), "{error}");
}

#[test]
fn painted_lines_reach_the_engine_in_its_own_size_where_there_are_any() {
    let size = (90, 40);
    let case = Case::new(size, Layout::Rgb, holes);
    let mut line = vec![0u8; 90 * 40];
    // Through the first hole only, one pixel wide.
    line[15 * 90 + 5..15 * 90 + 30].fill(200);
    let mut set = request(&[("context", "6"), ("engine", "auto")]);
    set.set_guide(&as_mask(&line, size)).unwrap();
    for max_side in [None, Some(13)] {
        let engine = Seeded::new(Needs {
            max_side,
            specks: true,
            ..Needs::ANY
        });
        let inpainter = engine.inpainter();
        let report = case.plain(&inpainter, &set).1;
        let note = "the guide mask is not used: the engine seeded continues no lines";
        assert_eq!(report.notes, [note]);
        let seen = engine.guides.lock();
        let [Some(guide), None] = &seen[..] else {
            panic!("{seen:?}");
        };
        let painted = |x: &usize| (0..guide.height).any(|y| guide.row(y)[*x] != 0);
        let columns: Vec<usize> = (0..guide.width).filter(painted).collect();
        // From the crop's left side, at 4, to 34.
        let want: Vec<usize> = match max_side {
            None => (1..26).collect(),
            Some(_) => (0..12).collect(),
        };
        assert_eq!(columns, want);
    }
    set.set_guide(&as_mask(&line[..89 * 40], (89, 40))).unwrap();
    let (image, mask) = (case.image(), case.mask());
    let engine = Seeded::new(Needs::ANY).inpainter();
    let error = engine.plan(&set, Some(&image), &mask).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mask);
    assert!(error.message().contains("the guide mask is 89×40"));
}
