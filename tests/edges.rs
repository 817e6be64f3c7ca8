//! Transparent edges through holes: what is opaque beside them is as rich as elsewhere, and what a search for
//! alpha takes is planned.

use mend::pixels::{Depth, Layout, MaskView};
use mend::progress::Silent;
use mend::{Cancel, ImageView, ImageViewMut, Inpainter, Options, PixelFormat, Plan, Request};

const SIZE: (u32, u32) = (280, 220);
/// Left, top, right and bottom.
const HOLE: (u32, u32, u32, u32) = (110, 70, 190, 150);

/// A photo that `alpha` cuts something out of, and what the whole of it was.
struct Cut {
    truth: Vec<u8>,
}

fn in_hole(x: u32, y: u32) -> bool {
    (HOLE.0..HOLE.2).contains(&x) && (HOLE.1..HOLE.3).contains(&y)
}

fn hash(i: u32) -> f64 {
    let z = i.wrapping_mul(0x9e37_79b1) ^ 0x5bd1_e995;
    let z = (z ^ (z >> 15)).wrapping_mul(0x85eb_ca6b);
    f64::from((z ^ (z >> 13)) >> 8) / f64::from(1u32 << 24)
}

/// Left of a torn edge, which wanders by some pixels from row to row.
fn torn(x: u32, y: u32) -> u8 {
    let edge = 150.0 + 5.0 * (f64::from(y) / 11.0).sin() + 6.0 * hash(y / 2) + 2.0 * hash(y + 999);
    255 * u8::from(f64::from(x) < edge)
}

/// Strokes of five pixels, as of letters.
fn strokes(x: u32, y: u32) -> u8 {
    255 * u8::from((x + 3 * (y / 24)) % 17 < 5 && y % 24 > 3)
}

impl Cut {
    fn new(photo: &str, left: u32, top: u32, alpha: impl Fn(u32, u32) -> u8) -> Self {
        let file = format!("{}/examples/photos/{photo}.png", env!("CARGO_MANIFEST_DIR"));
        let photo = image::open(file).unwrap().to_rgb8();
        let mut truth = Vec::new();
        for (y, x) in (0..SIZE.1).flat_map(|y| (0..SIZE.0).map(move |x| (y, x))) {
            let a = alpha(x, y);
            match a {
                0 => truth.extend([0; 4]),
                _ => {
                    // In a colour far from gray.
                    let [r, g, b] = photo.get_pixel(left + x, top + y).0.map(u32::from);
                    let gray = (r + g + b) / 3;
                    truth.extend([gray as u8, (gray * 5 / 9) as u8, (gray / 5) as u8, a]);
                }
            }
        }
        Self { truth }
    }

    fn at(pixels: &[u8], x: u32, y: u32) -> [f64; 4] {
        let i = 4 * (y * SIZE.0 + x) as usize;
        [0, 1, 2, 3].map(|c| f64::from(pixels[i + c]) / 255.0)
    }

    /// What something else of another colour covered, given back.
    fn filled(&self, params: &[(&str, &str)]) -> Vec<u8> {
        let mut out = self.truth.clone();
        for (i, p) in (0u32..).zip(out.chunks_exact_mut(4)) {
            if in_hole(i % SIZE.0, i / SIZE.0) {
                p.copy_from_slice(&[255, 0, 200, 255]);
            }
        }
        let before = out.clone();
        let (request, mask) = (request(params), mask());
        let format = PixelFormat::new(Layout::Rgba, Depth::U8);
        let mut view =
            ImageViewMut::new(&mut out, SIZE.0, SIZE.1, 4 * SIZE.0 as usize, format).unwrap();
        let done = Inpainter::new(Options::default()).inpaint(
            &request,
            &mut view,
            &view_of(&mask),
            &mut Silent,
            &Cancel::new(),
        );
        done.unwrap();
        for (i, (a, b)) in (0u32..).zip(out.chunks_exact(4).zip(before.chunks_exact(4))) {
            assert!(
                in_hole(i % SIZE.0, i / SIZE.0) || a == b,
                "pixel {i} changed"
            );
        }
        out
    }

    fn plan(&self, params: &[(&str, &str)], memory: &str) -> mend::Result<Plan> {
        let format = PixelFormat::new(Layout::Rgba, Depth::U8);
        let stride = 4 * SIZE.0 as usize;
        let image = ImageView::new(&self.truth, SIZE.0, SIZE.1, stride, format).unwrap();
        let mut options = Options::default();
        options.set("max-memory", memory).unwrap();
        let mask = mask();
        Inpainter::new(options).plan(&request(params), Some(&image), &view_of(&mask))
    }
}

fn request(params: &[(&str, &str)]) -> Request {
    let mut request = Request::new();
    for (name, value) in params {
        request.set(name, value).unwrap();
    }
    request
}

fn mask() -> Vec<u8> {
    let all = 0..SIZE.0 * SIZE.1;
    all.map(|i| 255 * u8::from(in_hole(i % SIZE.0, i / SIZE.0)))
        .collect()
}

fn view_of(mask: &[u8]) -> MaskView<'_> {
    let gray = PixelFormat::new(Layout::Gray, Depth::U8);
    let view = ImageView::new(mask, SIZE.0, SIZE.1, SIZE.0 as usize, gray);
    MaskView::new(view.unwrap()).unwrap()
}

/// The mean colour of the hole's opaque pixels within six of a transparent one, and how much neighbours
/// among them differ.
fn beside_the_edge(pixels: &[u8]) -> ([f64; 3], f64) {
    let opaque = |x: u32, y: u32| Cut::at(pixels, x, y)[3] >= 1.0;
    let near = |x: u32, y: u32| {
        let mut around = (y - 6..=y + 6).flat_map(|y| (x - 6..=x + 6).map(move |x| (x, y)));
        in_hole(x, y) && opaque(x, y) && around.any(|(x, y)| Cut::at(pixels, x, y)[3] <= 0.0)
    };
    let (mut sum, mut count, mut steps, mut pairs) = ([0.0; 3], 0.0, 0.0, 0.0);
    for (x, y) in (HOLE.1..HOLE.3).flat_map(|y| (HOLE.0..HOLE.2).map(move |x| (x, y))) {
        if !near(x, y) {
            continue;
        }
        let own = Cut::at(pixels, x, y);
        count += 1.0;
        (0..3).for_each(|c| sum[c] += own[c]);
        if near(x + 1, y) {
            let next = Cut::at(pixels, x + 1, y);
            steps += (0..3).map(|c| (own[c] - next[c]).abs()).sum::<f64>() / 3.0;
            pairs += 1.0;
        }
    }
    assert!(count > 100.0 && pairs > 100.0, "{count}, {pairs}");
    (sum.map(|s| s / count), steps / pairs)
}

#[test]
fn what_is_opaque_at_an_edge_is_as_rich_as_elsewhere() {
    type Alpha = fn(u32, u32) -> u8;
    let straight: Alpha = |x, _| 255 * u8::from(x < 152);
    let disc: Alpha = |x, y| {
        let (x, y) = (f64::from(x) - 80.0, f64::from(y) - 105.0);
        255 * u8::from(x * x + y * y < 75.0 * 75.0)
    };
    let engines: [&[(&str, &str)]; 3] = [
        &[("engine", "exemplar")],
        &[("engine", "rethined")],
        &[("engine", "rethined"), ("detail", "attention")],
    ];
    for (name, alpha) in [
        ("torn", torn as Alpha),
        ("straight", straight),
        ("disc", disc),
        ("strokes", strokes),
    ] {
        let cut = Cut::new("lighthouse", 0, 290, alpha);
        let (colour, steps) = beside_the_edge(&cut.truth);
        for params in engines {
            for seed in ["0", "1"] {
                let params = [params, &[("seed", seed)]].concat();
                let filled = cut.filled(&params);
                let (own, own_steps) = beside_the_edge(&filled);
                let what =
                    format!("{name} {params:?}: {own:?} for {colour:?}, {own_steps} for {steps}");
                // Nothing of a ground, or of a guess.
                let [r, g, b] = own;
                let gray = (g - r * 5.0 / 9.0).abs().max((b - r / 5.0).abs());
                assert!((r - colour[0]).abs() < 0.13 && gray < 0.015, "{what}");
                // There are no patches in strokes for the engines that do not look at edges.
                let least = match name {
                    "strokes" if params[0].1 != "exemplar" => 0.0,
                    "strokes" => 0.2,
                    _ => 0.6,
                };
                assert!(own_steps > least * steps, "{what}");
            }
        }
    }
}

/// A border along a torn edge goes on along it.
#[test]
fn a_border_goes_on() {
    let mut cut = Cut::new("lighthouse", 0, 290, torn);
    let clear = |x: u32, y: u32| torn(x, y) == 0;
    let border = |x: u32, y: u32| !clear(x, y) && (x..x + 7).any(|x| clear(x, y));
    for (i, p) in (0u32..).zip(cut.truth.chunks_exact_mut(4)) {
        if border(i % SIZE.0, i / SIZE.0) {
            p.copy_from_slice(&[30, 60, 240, 255]);
        }
    }
    let blue = |pixels: &[u8]| {
        let inside = pixels.chunks_exact(4).enumerate().filter(|(i, _)| {
            let i = *i as u32;
            in_hole(i % SIZE.0, i / SIZE.0)
        });
        inside
            .filter(|(_, p)| p[3] == 255 && p[2] > 150 && p[0] < 110)
            .count()
    };
    let filled = cut.filled(&[("engine", "exemplar")]);
    let (own, all) = (blue(&filled), blue(&cut.truth));
    assert!(10 * own > 5 * all && 10 * own < 17 * all, "{own} of {all}");
}

#[test]
fn what_a_search_for_alpha_takes_is_planned() {
    type Alpha = fn(u32, u32) -> u8;
    let cases: [(&str, Alpha, bool); 4] = [
        ("torn", torn, true),
        ("straight", |x, _| 255 * u8::from(x < 152), false),
        ("opaque", |_, _| 255, false),
        ("far away", |x, _| 255 * u8::from(x < 240), false),
    ];
    for (name, alpha, searched) in cases {
        let cut = Cut::new("boat", 100, 100, alpha);
        for params in [&[("engine", "exemplar")], &[("engine", "rethined")]] {
            let plan = cut.plan(params, "0").unwrap();
            let work: u64 = plan.regions.iter().map(|r| r.alpha_work).sum();
            assert_eq!(work > 0, searched, "{name}: {work}");
            // Also where a budget makes it try again with less context.
            let budget = (plan.peak_bytes - 1).to_string();
            if let Ok(less) = cut.plan(params, &budget) {
                let again: u64 = less.regions.iter().map(|r| r.alpha_work).sum();
                assert_eq!(again > 0, searched, "{name}: {again}");
                assert!(less.regions[0].rect.area() < plan.regions[0].rect.area());
            }
        }
    }
}
