//! One test body, two surfaces: each check runs through the Rust API and through C, and what came
//! out must be the same to the bit.

use crate::c::C;
use crate::picture::{GRAY8, Picture, RGB8, formats};
use crate::rust::Rust;
use mend::ErrorKind;
use mend::pixels::Depth;
use serde_json::Value as Json;

/// What is asked of a surface.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    pub image: &'a Picture,
    pub mask: &'a Picture,
    pub source: Option<&'a Picture>,
    pub guide: Option<&'a Picture>,
    pub options: &'a [(&'a str, &'a str)],
    pub params: &'a [(&'a str, &'a str)],
    /// The call of the progress callback, from 1, that says stop.
    pub stop_at: Option<u32>,
    /// Plans only: without the image.
    pub mask_alone: bool,
}

impl<'a> Ask<'a> {
    fn new(image: &'a Picture, mask: &'a Picture) -> Self {
        Self {
            image,
            mask,
            source: None,
            guide: None,
            options: &[],
            params: &[],
            stop_at: None,
            mask_alone: false,
        }
    }
}

/// Why a surface failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub status: i32,
    pub message: String,
}

/// The same operations through one API or the other.
pub trait Surface {
    fn describe(&self) -> Json;
    fn plan(&self, ask: &Ask<'_>) -> Result<Json, Failure>;
    /// Fills in place, or apart with so many bytes after each row. A failure must leave the
    /// destination alone; the surface checks that.
    fn fill(&self, ask: &Ask<'_>, padding: Option<usize>) -> Result<(Json, Picture), Failure>;
    /// Makes the picture larger, into memory that held something else, and gives the picture's corner there.
    /// Without a mask that of the `Ask` is not looked at. A failure must leave the destination alone.
    fn expand(&self, ask: &Ask<'_>, mask: bool) -> Result<(Json, Picture, (u32, u32)), Failure>;
    /// All variations with their scores, each written apart.
    fn vary(&self, ask: &Ask<'_>) -> Result<(Json, Vec<(f64, Picture)>), Failure>;
}

/// What a check saw, to be compared between the surfaces.
#[derive(Debug, PartialEq)]
enum Seen {
    Json(Json),
    Picture(Picture),
    Status(i32),
}

/// Takes the report apart: what must agree.
fn seen_report(mut report: Json) -> Seen {
    let seconds = report["seconds"].take();
    assert!(seconds.as_f64().is_some_and(|s| s >= 0.0), "{seconds}");
    for stage in report["stages"].as_array_mut().into_iter().flatten() {
        let part = stage["seconds"].take();
        assert!(part.as_f64() <= seconds.as_f64(), "{part} of {seconds}");
    }
    Seen::Json(report)
}

const SIZE: (u32, u32) = (40, 30);

fn hole(depth: Depth, padding: usize) -> Picture {
    Picture::mask(SIZE, depth, padding, 14..22, 10..17)
}

fn every_format(surface: &dyn Surface) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mask = hole(Depth::U8, 0);
    for format in formats() {
        let image = Picture::textured(SIZE, format, 3);
        for padding in [None, Some(0), Some(13)] {
            let (report, filled) = surface
                .fill(&Ask::new(&image, &mask), padding)
                .expect("a fill");
            assert_eq!(report["pixels"], 56, "{report}");
            assert_eq!(report["regions"], 1, "{report}");
            filled.assert_fill_of(&image, &mask);
            seen.push(Seen::Picture(filled));
        }
    }
    seen
}

fn every_mask(surface: &dyn Surface) -> Vec<Seen> {
    let image = Picture::textured(SIZE, RGB8, 0);
    let mut seen = Vec::new();
    for depth in [Depth::U8, Depth::U16, Depth::F32] {
        let mask = hole(depth, 5);
        let (report, filled) = surface
            .fill(&Ask::new(&image, &mask), None)
            .expect("a fill");
        filled.assert_fill_of(&image, &mask);
        seen.push(seen_report(report));
        seen.push(Seen::Picture(filled));
    }
    assert!(
        seen[1] == seen[3] && seen[1] == seen[5],
        "the mask's depth changed the fill"
    );
    seen
}

fn an_empty_mask(surface: &dyn Surface) -> Vec<Seen> {
    let image = Picture::textured(SIZE, RGB8, 2);
    let mask = Picture::mask(SIZE, Depth::U8, 0, 0..0, 0..0);
    let mut seen = Vec::new();
    for padding in [None, Some(1)] {
        let (report, filled) = surface
            .fill(&Ask::new(&image, &mask), padding)
            .expect("no failure");
        assert_eq!(report["regions"], 0);
        assert_eq!(
            report["notes"].as_array().map(Vec::len),
            Some(1),
            "{report}"
        );
        assert_eq!(filled, image.repadded(padding.unwrap_or(2)));
        seen.push(seen_report(report));
    }
    let plan = surface.plan(&Ask::new(&image, &mask)).expect("a plan");
    assert_eq!(plan["regions"], Json::Array(Vec::new()));
    seen.push(Seen::Json(plan));
    seen
}

fn plans(surface: &dyn Surface) -> Vec<Seen> {
    let image = Picture::textured(SIZE, RGB8, 0);
    let mask = hole(Depth::U8, 0);
    let ask = Ask::new(&image, &mask);
    let plan = surface.plan(&ask).expect("a plan");
    assert_eq!(plan["regions"].as_array().map(Vec::len), Some(1), "{plan}");
    assert_eq!(plan["regions"][0]["hole_pixels"], 56, "{plan}");
    assert!(plan["peak_bytes"].as_u64().is_some_and(|b| b > 0), "{plan}");
    let alone = surface
        .plan(&Ask {
            mask_alone: true,
            ..ask
        })
        .expect("a plan");
    assert_eq!(alone, plan);
    vec![Seen::Json(plan)]
}

fn threads_do_not_matter(surface: &dyn Surface) -> Vec<Seen> {
    let image = Picture::textured((90, 70), RGB8, 0);
    let mask = Picture::mask((90, 70), Depth::U8, 0, 20..50, 15..40);
    let fill = |threads: &str| {
        let options = [("threads", threads)];
        let ask = Ask {
            options: &options,
            ..Ask::new(&image, &mask)
        };
        surface.fill(&ask, None).expect("a fill").1
    };
    let one = fill("1");
    assert_eq!(fill("3"), one);
    assert_eq!(fill("0"), one);
    vec![Seen::Picture(one)]
}

fn parameters_and_source(surface: &dyn Surface) -> Vec<Seen> {
    let image = Picture::textured(SIZE, RGB8, 0);
    let mask = hole(Depth::U8, 0);
    let source = Picture::mask(SIZE, Depth::U16, 3, 0..12, 0..30);
    let params = [("seed", "7"), ("context", "100%"), ("engine", "exemplar")];
    let ask = Ask {
        params: &params,
        source: Some(&source),
        ..Ask::new(&image, &mask)
    };
    let (report, filled) = surface.fill(&ask, None).expect("a fill");
    filled.assert_fill_of(&image, &mask);
    vec![seen_report(report), Seen::Picture(filled)]
}

/// An engine's own parameters have its own values and defaults; what it has not is told.
fn parameters_of_engines(surface: &dyn Surface) -> Vec<Seen> {
    const RAD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/rad.safetensors");
    let image = Picture::textured(SIZE, RGB8, 0);
    let mask = hole(Depth::U8, 0);
    let mut seen = Vec::new();
    let rad = [("engine", "rad"), ("model", RAD)];
    for more in [&[][..], &[("scheduler", "ddpm"), ("steps", "2")]] {
        let params = [&rad, more].concat();
        let ask = Ask {
            params: &params,
            ..Ask::new(&image, &mask)
        };
        let (report, filled) = surface.fill(&ask, None).expect("a fill");
        assert_eq!(report["engine"], "rad", "{report}");
        assert_eq!(report["notes"], Json::Array(Vec::new()), "{report}");
        seen.extend([seen_report(report), Seen::Picture(filled)]);
    }
    let euler = ("scheduler", "euler");
    for params in [[rad[0], rad[1], euler], [euler, rad[0], rad[1]]] {
        let ask = Ask {
            params: &params,
            ..Ask::new(&image, &mask)
        };
        for refused in [
            surface.plan(&ask).unwrap_err(),
            surface.fill(&ask, None).unwrap_err(),
        ] {
            assert_eq!(refused.status, ErrorKind::Parameter as i32);
            for said in ["'scheduler'", "'euler'", "'rad'", "ddim, ddpm"] {
                assert!(refused.message.contains(said), "{}", refused.message);
            }
            seen.push(Seen::Status(refused.status));
        }
    }
    let ask = Ask {
        params: &[euler, ("steps", "7"), ("guidance", "7.5")],
        ..Ask::new(&image, &mask)
    };
    let (plan, (report, _)) = (
        surface.plan(&ask).expect("a plan"),
        surface.fill(&ask, None).expect("a fill"),
    );
    assert_eq!(plan["notes"], report["notes"]);
    let note = plan["notes"][0].as_str().expect("a note");
    assert!(
        note.ends_with("no such parameter: scheduler, steps"),
        "{note}"
    );
    seen.push(Seen::Json(plan));
    seen
}

/// `result` at `layer`: the fill alone, also where the destination lay apart and held other things.
fn a_layer(surface: &dyn Surface) -> Vec<Seen> {
    let rgba = mend::PixelFormat::new(mend::pixels::Layout::Rgba, Depth::U8);
    let image = Picture::textured(SIZE, rgba, 0);
    let mask = hole(Depth::U8, 0);
    let ask = Ask {
        params: &[("result", "layer")],
        ..Ask::new(&image, &mask)
    };
    let layer = surface.fill(&ask, None).expect("a fill").1;
    for y in 0..SIZE.1 {
        for x in 0..SIZE.0 {
            let (pixel, selected) = (layer.pixel(x, y), mask.pixel(x, y) != [0]);
            // The picture is half opaque or more, and so is what fills it.
            assert_eq!(pixel[3] >= 127, selected, "{x},{y}: {pixel:?}");
            assert!(selected || pixel == [0; 4], "{x},{y}: {pixel:?}");
        }
    }
    assert_eq!(surface.fill(&ask, Some(0)).expect("a fill").1, layer);
    vec![Seen::Picture(layer)]
}

/// Several fills: ordered by score, the plain fill among them, and the best of as many is the first.
fn variations(surface: &dyn Surface) -> Vec<Seen> {
    let rgba = mend::PixelFormat::new(mend::pixels::Layout::Rgba, Depth::U16);
    let mut seen = Vec::new();
    for (image, result) in [
        (Picture::textured((90, 70), RGB8, 3), "image"),
        (Picture::textured((90, 70), rgba, 0), "image"),
        (Picture::textured((90, 70), rgba, 0), "layer"),
        // Along its edge alpha is searched for.
        (cut_out(rgba, 50, 0.0), "image"),
    ] {
        let size = (image.width, image.height);
        // A box, and a speck that is the same in all.
        let mask = Picture::new(size, GRAY8, 0, |x, y, _| {
            let inside = (30..62).contains(&x) && (20..48).contains(&y);
            f32::from(inside || (x, y) == (12, 8))
        });
        let ask = Ask {
            params: &[("variations", "3"), ("best-of", "4"), ("result", result)],
            ..Ask::new(&image, &mask)
        };
        let (report, made) = surface.vary(&ask).expect("variations");
        assert_eq!(made.len(), 3);
        let scores: Vec<f64> = made.iter().map(|one| one.0).collect();
        assert!(scores.is_sorted(), "{scores:?}");
        let told = report["scores"].as_array().expect("scores");
        assert_eq!(told.len(), 4);
        for (told, own) in told.iter().zip(&scores) {
            assert!((told.as_f64().expect("a number") - own).abs() < 1e-12);
        }
        let fill = |params: &[(&str, &str)]| {
            let ask = Ask { params, ..ask };
            surface.fill(&ask, Some(3)).expect("a fill").1.repadded(0)
        };
        let pictures = || made.iter().map(|one| &one.1);
        if result == "image" {
            for picture in pictures() {
                picture.assert_fill_of(&image.repadded(0), &mask);
            }
        }
        let best = fill(&[("best-of", "4"), ("result", result)]);
        assert_eq!(&best, &made[0].1);
        // None is dropped here: the plain fill is one of them.
        let all = Ask {
            params: &[("variations", "3"), ("result", result)],
            ..ask
        };
        let (_, all) = surface.vary(&all).expect("variations");
        let plain = fill(&[("result", result)]);
        assert!(all.iter().any(|one| one.1 == plain));
        assert!(all.iter().any(|one| one.1 != plain));
        seen.push(seen_report(report));
        seen.extend(pictures().map(|picture| Seen::Picture(picture.clone())));
    }
    let (image, mask) = (Picture::textured(SIZE, RGB8, 0), hole(Depth::U8, 0));
    let ask = Ask {
        params: &[("variations", "2")],
        ..Ask::new(&image, &mask)
    };
    let plan = surface.plan(&ask).expect("a plan");
    assert_eq!(plan["variations"]["made"], 2, "{plan}");
    let stopped = Ask {
        stop_at: Some(2),
        ..ask
    };
    let status = surface.vary(&stopped).expect_err("a stop").status;
    assert_eq!(status, ErrorKind::Cancelled as i32);
    for params in [[("variations", "0")], [("best-of", "9")]] {
        let ask = Ask {
            params: &params,
            ..ask
        };
        let refused = surface.vary(&ask).expect_err("out of range");
        assert!(
            refused.message.contains("from 1 to 8"),
            "{}",
            refused.message
        );
        seen.push(Seen::Status(refused.status));
    }
    seen.extend([Seen::Json(plan), Seen::Status(status)]);
    seen
}

/// The picture lies where the geometry says, to the bit, in every format; a mask is filled, too.
fn larger(surface: &dyn Surface) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mask = hole(Depth::U8, 0);
    let params = [("expand", "left=3,top=10%,bottom=2")];
    // Every layout and every depth is among them.
    for format in formats().into_iter().step_by(5) {
        let image = Picture::textured(SIZE, format, 3);
        for with in [false, true] {
            let ask = Ask {
                params: &params,
                ..Ask::new(&image, &mask)
            };
            let (report, made, at) = surface.expand(&ask, with).expect("a larger picture");
            assert_eq!((made.width, made.height), (43, 35));
            assert_eq!(at, (3, 3));
            let new = 43 * 35 - 40 * 30 + if with { 56 } else { 0 };
            assert_eq!(report["pixels"], new, "{report}");
            for (x, y) in (0..30).flat_map(|y| (0..40).map(move |x| (x, y))) {
                let selected = with && mask.pixel(x, y) != [0];
                let same = image.pixel(x, y) == made.pixel(x + 3, y + 3);
                assert!(same || selected, "{format:?}: {x},{y}");
            }
            seen.extend([seen_report(report), Seen::Picture(made)]);
        }
    }
    let image = Picture::textured(SIZE, RGB8, 0);
    let ask = Ask {
        params: &params,
        ..Ask::new(&image, &mask)
    };
    let plan = surface.plan(&ask).expect("a plan");
    let canvas = serde_json::json!({"width": 43, "height": 35, "x": 3, "y": 3});
    assert_eq!(plan["canvas"], canvas);
    seen.push(Seen::Json(plan));
    // By nothing it is the picture.
    let same = Ask {
        params: &[("expand", "0")],
        ..ask
    };
    let (report, made, at) = surface.expand(&same, false).expect("the picture");
    assert_eq!((made.repadded(0), at), (image.clone(), (0, 0)));
    seen.push(seen_report(report));
    for (value, kind, said) in [
        ("20000", ErrorKind::Parameter, "40040×40030"),
        ("1,2,3", ErrorKind::Parameter, "'1,2,3'"),
    ] {
        let ask = Ask {
            params: &[("expand", value)],
            ..ask
        };
        let refused = surface.expand(&ask, false).expect_err(said);
        assert_eq!(refused.status, kind as i32);
        assert!(refused.message.contains(said), "{}", refused.message);
        seen.push(Seen::Status(refused.status));
    }
    seen
}

/// Lines that an engine does not continue are told; one that does says nothing.
fn a_guide(surface: &dyn Surface) -> Vec<Seen> {
    const RAD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/rad.safetensors");
    let (image, mask) = (Picture::textured(SIZE, RGB8, 0), hole(Depth::U8, 0));
    let line = Picture::mask(SIZE, Depth::F32, 4, 8..30, 13..15);
    let narrow = Picture::mask((39, 30), Depth::U8, 0, 3..9, 3..9);
    let ask = Ask {
        guide: Some(&line),
        ..Ask::new(&image, &mask)
    };
    let notes = |params| {
        let plan = surface.plan(&Ask { params, ..ask }).expect("a plan");
        plan["notes"].clone()
    };
    assert_eq!(notes(&[]), Json::Array(Vec::new()));
    assert_eq!(notes(&[("engine", "rethined")]), Json::Array(Vec::new()));
    let unused = notes(&[("engine", "rad"), ("model", RAD)]);
    let note = unused[0].as_str().expect("a note");
    assert!(note.contains("the guide mask is not used: the engine rad"));
    let attended = notes(&[("engine", "rethined"), ("detail", "attention")]);
    assert!(attended[0].as_str().is_some_and(|n| n.contains("guide")));
    let (report, filled) = surface.fill(&ask, None).expect("a fill");
    filled.assert_fill_of(&image, &mask);
    let wrong = Ask {
        guide: Some(&narrow),
        ..ask
    };
    let refused = surface.plan(&wrong).expect_err("another size");
    assert!(
        refused.message.contains("guide mask"),
        "{}",
        refused.message
    );
    vec![
        Seen::Json(unused),
        Seen::Json(attended),
        seen_report(report),
        Seen::Picture(filled),
        Seen::Status(refused.status),
    ]
}

fn refusals(surface: &dyn Surface) -> Vec<Seen> {
    let image = Picture::textured(SIZE, RGB8, 0);
    let mask = hole(Depth::U8, 0);
    let narrow = Picture::mask((39, 30), Depth::U8, 0, 3..9, 3..9);
    let whole = Picture::mask(SIZE, Depth::U8, 0, 0..40, 0..30);
    let nothing = Picture::mask(SIZE, Depth::U8, 0, 0..0, 0..0);
    let coloured = Picture::textured(SIZE, RGB8, 0);
    let half = Picture::mask(SIZE, Depth::F16, 0, 3..9, 3..9);
    let mut nan_mask = hole(Depth::F32, 0);
    nan_mask.set_pixel(3, 3, &f32::NAN.to_ne_bytes());
    let float = mend::PixelFormat {
        depth: Depth::F32,
        ..GRAY8
    };
    let mut nan = Picture::textured(SIZE, float, 0);
    nan.set_pixel(12, 12, &f32::NAN.to_ne_bytes());
    let ask = Ask::new(&image, &mask);
    let asks = [
        (
            "a mask of another size",
            ErrorKind::Mask,
            Ask {
                mask: &narrow,
                ..ask
            },
        ),
        (
            "a hole that is all",
            ErrorKind::Mask,
            Ask {
                mask: &whole,
                ..ask
            },
        ),
        (
            "a mask in colour",
            ErrorKind::Mask,
            Ask {
                mask: &coloured,
                ..ask
            },
        ),
        (
            "a mask of halves",
            ErrorKind::Mask,
            Ask { mask: &half, ..ask },
        ),
        (
            "NaN in the mask",
            ErrorKind::Mask,
            Ask {
                mask: &nan_mask,
                ..ask
            },
        ),
        (
            "NaN by the hole",
            ErrorKind::Image,
            Ask { image: &nan, ..ask },
        ),
        (
            "a source of another size",
            ErrorKind::Mask,
            Ask {
                source: Some(&narrow),
                ..ask
            },
        ),
        (
            "an empty source",
            ErrorKind::Mask,
            Ask {
                source: Some(&nothing),
                ..ask
            },
        ),
        (
            "a small budget",
            ErrorKind::Budget,
            Ask {
                options: &[("max-memory", "1K")],
                ..ask
            },
        ),
        (
            "a wrong option",
            ErrorKind::Parameter,
            Ask {
                options: &[("thread", "1")],
                ..ask
            },
        ),
        (
            "too many threads",
            ErrorKind::Parameter,
            Ask {
                options: &[("threads", "2000")],
                ..ask
            },
        ),
        (
            "a wrong parameter",
            ErrorKind::Parameter,
            Ask {
                params: &[("sede", "1")],
                ..ask
            },
        ),
        (
            "a wrong value",
            ErrorKind::Parameter,
            Ask {
                params: &[("seed", "many")],
                ..ask
            },
        ),
        (
            "a wrong engine",
            ErrorKind::Engine,
            Ask {
                params: &[("engine", "exemplary")],
                ..ask
            },
        ),
        (
            "a stop at once",
            ErrorKind::Cancelled,
            Ask {
                stop_at: Some(1),
                ..ask
            },
        ),
    ];
    let mut seen = Vec::new();
    for (what, kind, ask) in asks {
        for padding in [None, Some(4)] {
            match surface.fill(&ask, padding) {
                Ok(_) => panic!("{what} was taken"),
                Err(e) => {
                    assert_eq!(e.status, kind as i32, "{what}: {}", e.message);
                    seen.push(Seen::Status(e.status));
                }
            }
        }
    }
    seen
}

fn nan_in_the_hole(surface: &dyn Surface) -> Vec<Seen> {
    let float = mend::PixelFormat {
        depth: Depth::F32,
        ..RGB8
    };
    let mut image = Picture::textured(SIZE, float, 0);
    let mask = hole(Depth::U8, 0);
    for y in 10..17 {
        for x in 14..22 {
            image.set_pixel(x, y, &f32::NAN.to_ne_bytes());
        }
    }
    let (_, filled) = surface
        .fill(&Ask::new(&image, &mask), Some(0))
        .expect("a fill");
    filled.assert_fill_of(&image, &mask);
    for b in filled.bytes.chunks_exact(4) {
        assert!(f32::from_ne_bytes([b[0], b[1], b[2], b[3]]).is_finite());
    }
    vec![Seen::Picture(filled)]
}

/// Pixels that are no numbers may lie under all of a full mask, the part that is feathered too; where the
/// mask itself is partial they are refused.
fn nan_under_a_feather(surface: &dyn Surface) -> Vec<Seen> {
    use mend::pixels::{Layout, PixelFormat};
    let mut seen = Vec::new();
    for (layout, depth) in [
        (Layout::Rgb, Depth::F16),
        (Layout::Rgba, Depth::F16),
        (Layout::Gray, Depth::F32),
        (Layout::Rgba, Depth::F32),
        (Layout::GrayA, Depth::F32),
    ] {
        for (premultiplied, bad) in [
            (false, f32::NAN),
            (true, f32::INFINITY),
            (false, f32::NEG_INFINITY),
            (true, f32::NAN),
        ] {
            let format = PixelFormat {
                premultiplied,
                ..PixelFormat::new(layout, depth)
            };
            let bad: Vec<u8> = match depth {
                Depth::F16 => half::f16::from_f32(bad).to_ne_bytes().to_vec(),
                _ => bad.to_ne_bytes().to_vec(),
            };
            let mut image = Picture::textured(SIZE, format, 0);
            for y in 10..17 {
                for x in 14..22 {
                    // One channel after the other, alpha as well; some pixels are sound.
                    let channels = layout.channels() as u32;
                    let mut pixel = image.pixel(x, y).to_vec();
                    let at = ((x + y) % (channels + 1)) as usize * bad.len();
                    if at < pixel.len() {
                        pixel[at..at + bad.len()].copy_from_slice(&bad);
                    }
                    image.set_pixel(x, y, &pixel);
                }
            }
            let full = hole(Depth::U8, 0);
            let ask = Ask {
                params: &[("feather", "3"), ("grow", "1")],
                ..Ask::new(&image, &full)
            };
            let (_, filled) = surface.fill(&ask, Some(0)).expect("a fill");
            for y in 10..17 {
                for x in 14..22 {
                    for b in filled.pixel(x, y).chunks_exact(depth.bytes()) {
                        let v = match depth {
                            Depth::F16 => half::f16::from_ne_bytes([b[0], b[1]]).to_f32(),
                            _ => f32::from_ne_bytes([b[0], b[1], b[2], b[3]]),
                        };
                        assert!(v.is_finite(), "{format:?} {x} {y}: {v}");
                    }
                }
            }
            seen.push(Seen::Picture(filled));
            let mut soft = full.clone();
            soft.set_pixel(15, 11, &[254]);
            soft.set_pixel(16, 11, &[254]);
            soft.set_pixel(17, 11, &[254]);
            let ask = Ask {
                mask: &soft,
                params: &[("feather", "3")],
                ..ask
            };
            let refused = surface.fill(&ask, None).expect_err("what shows through");
            assert_eq!(refused.status, ErrorKind::Image as i32);
            assert!(refused.message.contains(", 11)"), "{}", refused.message);
            seen.push(Seen::Status(refused.status));
        }
    }
    seen
}

/// A cut-out: texture to the left of a straight edge, nothing to the right of it.
fn cut_out(format: mend::PixelFormat, edge: u32, softness: f32) -> Picture {
    let channels = format.layout.channels();
    Picture::new((96, 72), format, 3, |x, y, c| {
        let alpha = match softness > 0.0 {
            true => (0.5 + (edge as f32 - x as f32) / softness).clamp(0.0, 1.0),
            false => f32::from(u8::from(x < edge)),
        };
        let colour = 0.3 + 0.4 * ((x * 3 + y * 5 + c as u32 * 3) % 11) as f32 / 11.0;
        match c + 1 == channels {
            true => alpha,
            false if format.premultiplied => colour * alpha,
            false => colour * f32::from(u8::from(alpha > 0.0)),
        }
    })
}

/// The alpha of a pixel, of 1.
fn alpha(picture: &Picture, x: u32, y: u32) -> f32 {
    let size = picture.format.depth.bytes();
    let b = &picture.pixel(x, y)[picture.format.bytes() - size..];
    match picture.format.depth {
        Depth::U8 => f32::from(b[0]) / 255.0,
        Depth::U16 => f32::from(u16::from_ne_bytes([b[0], b[1]])) / 65535.0,
        Depth::F16 => half::f16::from_ne_bytes([b[0], b[1]]).to_f32(),
        Depth::F32 => f32::from_ne_bytes([b[0], b[1], b[2], b[3]]),
    }
}

/// Alpha is content: an edge goes on as sharp as it is, what is opaque stays so to the bit, and nothing
/// stays nothing.
fn a_transparent_edge(surface: &dyn Surface) -> Vec<Seen> {
    let mut seen = Vec::new();
    let with_alpha = formats().into_iter().filter(|f| f.layout.has_alpha());
    for (i, format) in with_alpha.enumerate() {
        let image = cut_out(format, 50, 0.0);
        let (w, h) = (image.width, image.height);
        for (columns, rows) in [
            // Across the edge, up to it from both sides, inside, outside, at the picture's border.
            (36..64, 22..50),
            (30..50, 22..50),
            (50..70, 22..50),
            (10..40, 20..44),
            (60..90, 20..44),
            (40..60, 0..20),
        ] {
            // All of them for two formats.
            if i > 1 && columns != (36..64) {
                continue;
            }
            let mask = Picture::mask((w, h), Depth::U8, 0, columns.clone(), rows.clone());
            let ask = Ask {
                params: &[("engine", "exemplar")],
                ..Ask::new(&image, &mask)
            };
            let (_, filled) = surface.fill(&ask, None).expect("a fill");
            for y in rows.clone() {
                for x in columns.clone() {
                    let want = f32::from(u8::from(x < 50));
                    let got = alpha(&filled, x, y);
                    assert_eq!(got, want, "{format:?} {columns:?} {x} {y}");
                    let nothing = filled.pixel(x, y).iter().all(|b| *b == 0);
                    assert_eq!(nothing, x >= 50, "{format:?} {x} {y}");
                }
            }
            seen.push(Seen::Picture(filled));
        }
    }
    seen
}

/// Half transparent stays half transparent, a soft edge as soft, and a soft mask mixes.
fn partial_alpha(surface: &dyn Surface) -> Vec<Seen> {
    use mend::pixels::{Layout, PixelFormat};
    let rgba = PixelFormat::new(Layout::Rgba, Depth::U8);
    let size = (96, 72);
    let mask = Picture::mask(size, Depth::U8, 0, 36..64, 22..50);
    let ask = |image, mask, params| {
        let ask = Ask {
            params,
            ..Ask::new(image, mask)
        };
        surface.fill(&ask, None).expect("a fill").1
    };
    let plain: &[(&str, &str)] = &[("engine", "exemplar")];
    let mut even = cut_out(rgba, 96, 0.0);
    even.bytes.chunks_exact_mut(even.stride).for_each(|row| {
        row[..96 * 4].chunks_exact_mut(4).for_each(|p| p[3] = 128);
    });
    let filled = ask(&even, &mask, plain);
    for (x, y) in (22..50).flat_map(|y| (36..64).map(move |x| (x, y))) {
        assert_eq!(filled.pixel(x, y)[3], 128, "{x} {y}");
    }
    // An edge four pixels wide: as many half transparent pixels in the hole as there were.
    let soft = cut_out(rgba, 50, 4.0);
    let partial = |picture: &Picture| {
        let all = (22..50).flat_map(|y| (36..64).map(move |x| (x, y)));
        all.filter(|(x, y)| (1..255).contains(&picture.pixel(*x, *y)[3]))
            .count()
    };
    let softly = ask(&soft, &mask, plain);
    let (before, after) = (partial(&soft), partial(&softly));
    assert!(
        before > 0 && after * 10 <= before * 12 && after * 10 >= before * 8,
        "{after} of {before}"
    );
    // Half of a mask: between what was and what comes.
    let mut void = cut_out(rgba, 50, 0.0);
    for (x, y) in (22..50).flat_map(|y| (36..64).map(move |x| (x, y))) {
        void.set_pixel(x, y, &[200, 10, 10, 255]);
    }
    let half = Picture::new(size, GRAY8, 0, |x, y, _| {
        0.4 * f32::from(u8::from((36..64).contains(&x) && (22..50).contains(&y)))
    });
    let mixed = ask(&void, &half, plain);
    for y in 22..50 {
        for x in 36..64 {
            let a = mixed.pixel(x, y)[3];
            assert_eq!(a, if x < 50 { 255 } else { 153 }, "{x} {y}");
        }
    }
    // As a layer, and feathered, nothing half transparent comes of what is opaque on both sides.
    let image = cut_out(rgba, 50, 0.0);
    let layer = ask(
        &image,
        &mask,
        &[("engine", "exemplar"), ("result", "layer")],
    );
    let feathered = ask(&image, &mask, &[("engine", "exemplar"), ("feather", "4")]);
    for y in 0..72 {
        for x in 0..96 {
            let inside = (36..64).contains(&x) && (22..50).contains(&y);
            let opaque = inside && x < 50;
            assert_eq!(
                layer.pixel(x, y)[3],
                if opaque { 255 } else { 0 },
                "{x} {y}"
            );
            assert_eq!(
                feathered.pixel(x, y)[3],
                if x < 50 { 255 } else { 0 },
                "{x} {y}"
            );
        }
    }
    [filled, softly, mixed, layer, feathered]
        .map(Seen::Picture)
        .into()
}

/// A speck in the void goes, beside a fill of something; where all is void the call is refused.
fn specks_in_the_void(surface: &dyn Surface) -> Vec<Seen> {
    use mend::pixels::{Layout, PixelFormat};
    let rgba = PixelFormat::new(Layout::Rgba, Depth::U8);
    let size = (400, 60);
    let image = Picture::new(size, rgba, 0, |x, y, c| {
        let speck = (300..306).contains(&x) && (30..36).contains(&y);
        match c {
            3 => f32::from(u8::from(x < 60 || speck)),
            _ => 0.2 + 0.6 * ((x * 3 + y * 5) % 11) as f32 / 11.0,
        }
    });
    let both = Picture::new(size, GRAY8, 0, |x, y, _| {
        let hole = (20..30).contains(&x) && (20..30).contains(&y);
        let speck = (298..308).contains(&x) && (28..38).contains(&y);
        f32::from(u8::from(hole || speck))
    });
    let params = [("context", "10"), ("engine", "exemplar")];
    let ask = Ask {
        params: &params,
        ..Ask::new(&image, &both)
    };
    let filled = surface.fill(&ask, None).expect("a fill").1;
    for y in 0..60 {
        for x in 0..400 {
            let want = if x < 60 { 255 } else { 0 };
            assert_eq!(filled.pixel(x, y)[3], want, "{x} {y}");
        }
    }
    let speck = Picture::mask(size, Depth::U8, 0, 298..308, 28..38);
    let ask = Ask {
        mask: &speck,
        ..ask
    };
    let refused = surface.fill(&ask, None).expect_err("the void");
    assert_eq!(
        refused.status,
        ErrorKind::Mask as i32,
        "{}",
        refused.message
    );
    vec![Seen::Picture(filled), Seen::Status(refused.status)]
}

/// With transparency around, too, no number of threads changes a bit.
fn threads_do_not_matter_at_an_edge(surface: &dyn Surface) -> Vec<Seen> {
    use mend::pixels::{Layout, PixelFormat};
    let image = cut_out(PixelFormat::new(Layout::Rgba, Depth::U16), 50, 3.0);
    let mask = Picture::mask((96, 72), Depth::U8, 0, 36..64, 22..50);
    let fill = |threads: &str, engine: &str| {
        let (options, params) = ([("threads", threads)], [("engine", engine)]);
        let ask = Ask {
            options: &options,
            params: &params,
            ..Ask::new(&image, &mask)
        };
        surface.fill(&ask, None).expect("a fill").1
    };
    let mut seen = Vec::new();
    for engine in ["exemplar", "rethined"] {
        let one = fill("1", engine);
        assert_eq!(fill("3", engine), one);
        seen.push(Seen::Picture(one));
    }
    seen
}

fn description(surface: &dyn Surface) -> Vec<Seen> {
    let said = surface.describe();
    assert_eq!(said["version"], env!("CARGO_PKG_VERSION"));
    let names = |list: &Json| -> Vec<String> {
        let list = list.as_array().expect("an array");
        list.iter()
            .map(|p| p["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(
        names(&said["options"]),
        ["threads", "max-memory", "models", "catalog"]
    );
    assert!(names(&said["params"]).contains(&"seed".to_owned()));
    let engines = said["engines"].as_array().expect("engines");
    // Each model is of an engine that there is, and says how it is used or got.
    let models = said["models"].as_array().expect("models");
    assert!(models.iter().any(|m| m["id"] == "sd15-inpainting"));
    for model in models {
        let good = match model["state"].as_str() {
            Some("installed") => model["path"].is_string(),
            Some("known") => model["get"]
                .as_str()
                .is_some_and(|g| g.starts_with("mend models fetch ")),
            _ => true,
        };
        assert!(good, "{model}");
        assert!(
            engines.iter().any(|e| e["id"] == model["engine"]) || model["engine"].is_null(),
            "{model}"
        );
    }
    vec![Seen::Json(said)]
}

/// Runs a check through both surfaces and compares what they saw.
fn agree(check: fn(&dyn Surface) -> Vec<Seen>) {
    let (rust, c) = (check(&Rust), check(&C));
    assert_eq!(rust.len(), c.len());
    for (rust, c) in rust.iter().zip(&c) {
        assert!(rust == c, "Rust gave {rust:?}\nand C {c:?}");
    }
}

macro_rules! through_both {
    ($($check:ident)*) => {
        mod through_both {
            $(#[test]
            fn $check() {
                super::agree(super::$check);
            })*
        }
    };
}

through_both! {
    every_format
    every_mask
    an_empty_mask
    plans
    threads_do_not_matter
    parameters_and_source
    parameters_of_engines
    a_layer
    variations
    larger
    a_guide
    refusals
    nan_in_the_hole
    nan_under_a_feather
    a_transparent_edge
    partial_alpha
    specks_in_the_void
    threads_do_not_matter_at_an_edge
    description
}
