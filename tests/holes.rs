//! Holes of every kind: specks and long scratches, and what plan and fill refuse alike.

use mend::pixels::{Depth, Layout, MaskView};
use mend::progress::Silent;
use mend::{Cancel, ErrorKind, ImageView, ImageViewMut, Inpainter, Options, PixelFormat, Request};

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// A tight picture with the mask and the source mask that go with it.
struct Case {
    width: u32,
    height: u32,
    format: PixelFormat,
    pixels: Vec<u8>,
    mask: Vec<u8>,
    source: Option<Vec<u8>>,
    params: Vec<(&'static str, String)>,
}

fn gray() -> PixelFormat {
    PixelFormat::new(Layout::Gray, Depth::U8)
}

fn inpainter(threads: usize) -> Inpainter {
    let mut options = Options::default();
    options.set("threads", &threads.to_string()).unwrap();
    Inpainter::new(options)
}

impl Case {
    /// Stripes and an edge in 8-bit RGB, with nothing selected.
    fn new(width: u32, height: u32) -> Self {
        let mut pixels = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let wave = (f64::from(x) * 0.9 + f64::from(y) * 0.5).sin() * 40.0;
                let edge = f64::from(u8::from(3 * x + y > 2 * width)) * 70.0;
                let value = 80.0 + wave + edge;
                pixels.extend([value as u8, (value * 0.8) as u8, (230.0 - value) as u8]);
            }
        }
        Self {
            width,
            height,
            format: PixelFormat::new(Layout::Rgb, Depth::U8),
            pixels,
            mask: vec![0; (width * height) as usize],
            source: None,
            params: Vec::new(),
        }
    }

    fn select(mut self, set: impl Fn(u32, u32) -> bool) -> Self {
        for (i, m) in self.mask.iter_mut().enumerate() {
            let (x, y) = (i as u32 % self.width, i as u32 / self.width);
            *m = if set(x, y) { 255 } else { 0 };
        }
        self
    }

    fn source(mut self, set: impl Fn(u32, u32) -> bool) -> Self {
        let all = 0..self.width * self.height;
        let value = |i: u32| {
            if set(i % self.width, i / self.width) {
                255
            } else {
                0
            }
        };
        self.source = Some(all.map(value).collect());
        self
    }

    fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.params.push((name, value.to_string()));
        self
    }

    /// The same with an alpha channel.
    fn alpha(mut self, alpha: impl Fn(u32, u32) -> u8) -> Self {
        let pixels = std::mem::take(&mut self.pixels);
        for (i, p) in (0u32..).zip(pixels.chunks_exact(3)) {
            self.pixels.extend(p);
            self.pixels.push(alpha(i % self.width, i / self.width));
        }
        self.format = PixelFormat::new(Layout::Rgba, Depth::U8);
        self
    }

    /// The same in 32-bit float, with these pixels set to NaN.
    fn nan(mut self, nan: &[(u32, u32)]) -> Self {
        let channels = self.format.layout.channels();
        let mut values: Vec<f32> = self.pixels.iter().map(|v| f32::from(*v) / 255.0).collect();
        for (x, y) in nan {
            values[(y * self.width + x) as usize * channels] = f32::NAN;
        }
        self.pixels = values.iter().flat_map(|v| v.to_ne_bytes()).collect();
        self.format = PixelFormat::new(self.format.layout, Depth::F32);
        self
    }

    fn stride(&self) -> usize {
        self.pixels.len() / self.height as usize
    }

    fn request(&self) -> Request {
        let mut request = Request::new();
        for (name, value) in &self.params {
            request.set(name, value).unwrap();
        }
        if let Some(source) = &self.source {
            request.set_source(&self.as_mask(source)).unwrap();
        }
        request
    }

    fn as_mask<'a>(&self, data: &'a [u8]) -> MaskView<'a> {
        let view = ImageView::new(data, self.width, self.height, self.width as usize, gray());
        MaskView::new(view.unwrap()).unwrap()
    }

    fn plan(&self) -> mend::Result<mend::Plan> {
        let (w, h) = (self.width, self.height);
        let image = ImageView::new(&self.pixels, w, h, self.stride(), self.format).unwrap();
        inpainter(2).plan(&self.request(), Some(&image), &self.as_mask(&self.mask))
    }

    fn fill(&self, threads: usize) -> mend::Result<Vec<u8>> {
        let mut out = self.pixels.clone();
        let (w, h) = (self.width, self.height);
        let mut view = ImageViewMut::new(&mut out, w, h, self.stride(), self.format).unwrap();
        let (request, mask) = (self.request(), self.as_mask(&self.mask));
        let cancel = Cancel::new();
        inpainter(threads).inpaint(&request, &mut view, &mask, &mut Silent, &cancel)?;
        Ok(out)
    }

    /// Root mean square difference to the picture over what is selected, and that nothing else changed.
    fn error(&self, filled: &[u8]) -> f64 {
        let each = self.pixels.len() / self.mask.len();
        let (mut sum, mut count) = (0.0, 0);
        for (i, m) in self.mask.iter().enumerate() {
            let (a, b) = (&filled[i * each..(i + 1) * each], &self.pixels[i * each..]);
            if *m == 0 {
                assert_eq!(a, &b[..each], "pixel {i} changed");
                continue;
            }
            for (a, b) in a.iter().zip(b) {
                sum += (f64::from(*a) - f64::from(*b)).powi(2);
                count += 1;
            }
        }
        (sum / f64::from(count.max(1))).sqrt()
    }
}

#[test]
fn specks_come_back() {
    let mut random = Random(4);
    let grain: Vec<bool> = (0..300 * 200).map(|_| random.below(100) < 30).collect();
    type Set<'a> = &'a dyn Fn(u32, u32) -> bool;
    let cases: [(&str, Set<'_>, f64); 5] = [
        ("dots", &|x, y| x % 9 == 4 && y % 9 == 4, 5.0),
        ("grain", &|x, y| grain[(y * 300 + x) as usize], 7.0),
        ("scratches", &|x, y| (x + 7 * y) % 90 < 2, 7.0),
        ("a corner", &|x, y| x < 2 && y < 2, 12.0),
        ("columns", &|x, _| x % 2 == 1, 12.0),
    ];
    for (name, set, most) in cases {
        let case = Case::new(300, 200).select(set);
        let plan = case.plan().unwrap();
        assert!(plan.regions.iter().all(|r| r.specks), "{name}: {plan:?}");
        let filled = case.fill(1).unwrap();
        let error = case.error(&filled);
        assert!(error < most, "{name}: {error:.2}");
        assert_eq!(filled, case.fill(3).unwrap(), "{name}: threads");
    }
}

/// Specks beside an object are what its fill goes by, and not in its way.
#[test]
fn an_object_among_specks() {
    let mut random = Random(4);
    let grain: Vec<bool> = (0..300 * 200).map(|_| random.below(100) < 12).collect();
    let object = |x: u32, y: u32| (120..160).contains(&x) && (70..110).contains(&y);
    let alone = Case::new(300, 200).select(object);
    let both = Case::new(300, 200).select(|x, y| object(x, y) || grain[(y * 300 + x) as usize]);
    let plan = both.plan().unwrap();
    assert!(plan.regions.iter().any(|r| r.specks) && plan.regions.iter().any(|r| !r.specks));
    let inside = |filled: &[u8]| alone.error_in(filled);
    let (a, b) = (
        inside(&alone.fill(2).unwrap()),
        inside(&both.fill(2).unwrap()),
    );
    assert!(b < a + 6.0, "{b:.1} among specks, {a:.1} alone");
}

impl Case {
    /// As [`Self::error`], whatever changed elsewhere.
    fn error_in(&self, filled: &[u8]) -> f64 {
        let each = self.pixels.len() / self.mask.len();
        let mut own = self.pixels.clone();
        for (i, _) in self.mask.iter().enumerate().filter(|(_, m)| **m != 0) {
            own[i * each..(i + 1) * each].copy_from_slice(&filled[i * each..(i + 1) * each]);
        }
        self.error(&own)
    }
}

#[test]
fn specks_in_alpha_keep_its_edge() {
    let specks = |x: u32, y: u32| x % 7 == 3 && y % 5 == 2;
    let edge = |x: u32, _| if x < 60 { 255 } else { 0 };
    let case = Case::new(120, 90).alpha(edge).select(specks);
    let filled = case.fill(2).unwrap();
    for (i, p) in (0u32..).zip(filled.chunks_exact(4)) {
        let (x, y) = (i % 120, i / 120);
        let wrong = p[3].abs_diff(edge(x, y));
        assert!(
            !specks(x, y) || wrong < 30 || (58..62).contains(&x),
            "({x}, {y}): {wrong}"
        );
    }
}

#[test]
fn plan_refuses_what_fill_refuses() {
    let hole = |x: u32, y: u32| (40..60).contains(&x) && (30..50).contains(&y);
    let new = || Case::new(120, 90).select(hole);
    let cases: Vec<(&str, Case, ErrorKind)> = vec![
        (
            "grow over everything",
            new().with("grow", 200),
            ErrorKind::Mask,
        ),
        ("all", Case::new(9, 9).select(|_, _| true), ErrorKind::Mask),
        ("transparent", new().alpha(|_, _| 0), ErrorKind::Mask),
        (
            "a speck where all is transparent",
            Case::new(120, 90)
                .select(|x, y| (x, y) == (50, 50))
                .alpha(|_, _| 0),
            ErrorKind::Mask,
        ),
        ("no alpha", new().with("result", "layer"), ErrorKind::Image),
        ("source inside", new().source(hole), ErrorKind::Mask),
        ("no source", new().source(|_, _| false), ErrorKind::Mask),
        (
            "a transparent source",
            new()
                .alpha(|x, _| if x < 20 { 0 } else { 255 })
                .source(|x, _| x < 20),
            ErrorKind::Mask,
        ),
        (
            "NaN beside the hole",
            new().nan(&[(38, 33)]),
            ErrorKind::Image,
        ),
        (
            "NaN where it is grown softly",
            Case::new(120, 90)
                .select(|x, y| hole(x, y) && x != 45)
                .nan(&[(45, 33)]),
            ErrorKind::Image,
        ),
        (
            "NaN beside a speck",
            Case::new(120, 90)
                .select(|x, y| (x, y) == (50, 50))
                .nan(&[(53, 50)]),
            ErrorKind::Image,
        ),
    ];
    for (name, case, kind) in cases {
        let refused = case.fill(1).expect_err(name);
        assert_eq!(refused.kind(), kind, "{name}: {refused}");
        assert_eq!(case.plan().expect_err(name), refused, "{name}");
    }
    let kept = [
        ("NaN in the hole", new().nan(&[(45, 33)])),
        (
            "NaN in what is grown",
            new().with("grow", 4).nan(&[(38, 33)]),
        ),
        ("NaN far away", new().with("context", 8).nan(&[(110, 80)])),
        (
            "half transparent",
            new().alpha(|x, _| if x < 50 { 0 } else { 255 }),
        ),
        (
            "NaN in the hole, near a soft edge",
            new().with("feather", 6).nan(&[(41, 33)]),
        ),
        (
            "a NaN speck with a soft edge",
            Case::new(120, 90)
                .select(|x, y| (x, y) == (50, 50))
                .with("feather", 6)
                .nan(&[(50, 50)]),
        ),
    ];
    for (name, case) in kept {
        case.plan().expect(name);
        case.fill(1).expect(name);
    }
}

/// Where all around is transparent nothing comes, as long as something else is there to be filled.
#[test]
fn what_lies_in_the_void_becomes_nothing() {
    let hole = |x: u32, y: u32| (3900..3920).contains(&x) && (30..50).contains(&y);
    let void = |x: u32, y: u32| (20..40).contains(&x) && (30..50).contains(&y);
    let speck = |x: u32, y: u32| (x, y) == (60, 70);
    let half = |x: u32, _: u32| if x < 2000 { 0 } else { 255 };
    type Set<'a> = &'a dyn Fn(u32, u32) -> bool;
    let cases: [(&str, Set<'_>, Set<'_>); 3] = [
        ("a hole", &void, &hole),
        ("a speck", &speck, &hole),
        ("a hole and a speck beyond", &void, &|x, y| {
            (x, y) == (3900, 70)
        }),
    ];
    for (name, nothing, something) in cases {
        let case = Case::new(4000, 90)
            .select(|x, y| nothing(x, y) || something(x, y))
            .with("context", 8)
            // Far enough apart to be two regions, and what is selected was opaque.
            .alpha(|x, y| if nothing(x, y) { 255 } else { half(x, y) });
        let plan = case.plan().expect(name);
        assert!(plan.regions.len() > 1, "{name}: {:?}", plan.regions);
        let filled = case.fill(2).expect(name);
        for (i, p) in (0u32..).zip(filled.chunks_exact(4)) {
            let (x, y) = (i % 4000, i / 4000);
            assert_eq!(p[3], half(x, y), "{name}: ({x}, {y})");
        }
    }
}

/// Whatever is asked for, plan and fill say the same.
#[test]
fn plan_and_fill_agree_on_any_request() {
    let mut random = Random(77);
    let mut refused = 0;
    for round in 0..250 {
        let (w, h) = (1 + random.below(60) as u32, 1 + random.below(60) as u32);
        let (kind, percent) = (random.below(4), 1 + random.below(99));
        let bits: Vec<u64> = (0..w * h).map(|_| random.below(100)).collect();
        let (bx, by) = (random.below(w.into()) as u32, random.below(h.into()) as u32);
        let bw = 1 + random.below(40) as u32;
        let inside =
            |x: u32, y: u32| (bx..bx + bw).contains(&x) && (by..by.saturating_add(bw)).contains(&y);
        let set = |x: u32, y: u32| match kind {
            0 => bits[(y * w + x) as usize] < percent,
            1 => inside(x, y),
            2 => inside(x, y) || bits[(y * w + x) as usize] < percent / 4,
            _ => (x + y).is_multiple_of(3),
        };
        let mut case = Case::new(w, h).select(set);
        if random.below(3) == 0 {
            let from = random.below(u64::from(w) + 1) as u32;
            case = case.alpha(|x, _| if x < from { 0 } else { 200 });
        }
        if random.below(4) == 0 {
            case = case.nan(&[(random.below(w.into()) as u32, random.below(h.into()) as u32)]);
        }
        if random.below(3) == 0 {
            let every = 1 + random.below(6) as u32;
            let column = random.below(w.into()) as u32;
            case = case.source(|x, y| (x + y) % every == 0 && x >= column);
        }
        if random.below(3) == 0 {
            case = case.with("grow", [1, 2, 5, 60][random.below(4) as usize]);
        }
        if random.below(4) == 0 {
            case = case.with("feather", random.below(9));
        }
        if random.below(8) == 0 {
            case = case.with("result", "layer");
        }
        let (plan, fill) = (case.plan(), case.fill(1));
        let what = format!("round {round}, {w}×{h}: {:?}", case.params);
        match (plan, fill) {
            (Ok(_), Ok(filled)) if case.params.iter().all(|(name, _)| *name != "grow") => {
                if case.params.iter().all(|(name, _)| *name != "result") {
                    case.error(&filled);
                }
            }
            (Ok(_), Ok(_)) => {}
            (Err(plan), Err(fill)) => {
                assert_eq!(plan, fill, "{what}");
                assert_ne!(fill.kind(), ErrorKind::Internal, "{what}: {fill}");
                refused += 1;
            }
            (plan, fill) => panic!("{what}: plan {:?}, fill {:?}", plan.err(), fill.err()),
        }
    }
    assert!(refused > 10, "{refused} refused");
}

/// A scratch that no region may hold is taken in pieces, and no seam is where they meet.
#[test]
fn a_scratch_longer_than_a_region() {
    let case = Case::new(70_000, 26)
        .select(|x, y| (20..69_980).contains(&x) && (9..14).contains(&y))
        .with("context", 16);
    let plan = case.plan().unwrap();
    assert!(plan.regions.len() > 1);
    let filled = case.fill(2).unwrap();
    let error = case.error(&filled);
    assert!(error < 16.0, "{error:.1}");
    // Where pieces meet it is no worse than elsewhere.
    for pair in plan.regions.windows(2) {
        let (end, start) = (pair[0].hole.right(), pair[1].hole.x);
        assert!(start < end, "{pair:?}");
        let near = Case::new(70_000, 26)
            .select(|x, y| (start - 8..end + 8).contains(&x) && (9..14).contains(&y));
        let seam = near.error_in(&filled);
        assert!(
            seam < 2.0 * error + 4.0,
            "{seam:.1} at {start}, {error:.1} on the whole"
        );
    }
}

/// What costs is each patch that reaches a hole, not the hole's own pixels.
#[test]
fn a_plan_counts_the_patches_that_reach_a_hole() {
    let seconds = |set: &dyn Fn(u32, u32) -> bool| {
        let case = Case::new(400, 400).select(set);
        let pixels = case.mask.iter().filter(|m| **m != 0).count();
        (case.plan().unwrap().seconds, pixels)
    };
    // As many pixels in dots of 5 × 5, each with 121 patches, as in one box.
    let (dots, own) = seconds(&|x, y| x % 20 < 5 && y % 20 < 5);
    let (whole, same) = seconds(&|x, y| (150..250).contains(&x) && (150..250).contains(&y));
    assert_eq!(own, same);
    assert!(dots > 2.0 * whole, "{dots} and {whole} s");
    // Specks need no search.
    let (specks, _) = seconds(&|x, y| x % 4 == 0 && y % 4 == 0);
    assert!(specks < dots / 2.0, "{specks} and {dots} s");
}
