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

fn description(surface: &dyn Surface) -> Vec<Seen> {
    let said = surface.describe();
    assert_eq!(said["version"], env!("CARGO_PKG_VERSION"));
    let names = |list: &Json| -> Vec<String> {
        let list = list.as_array().expect("an array");
        list.iter()
            .map(|p| p["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(names(&said["options"]), ["threads", "max-memory", "models"]);
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
    a_layer
    refusals
    nan_in_the_hole
    description
}
