//! Scores an engine over a folder of photos and a folder of masks.
//!
//! Every hole is filled with noise first, so that nothing of the truth is left in it; then the
//! library fills it, and the result is compared with what stood there. Needs no Python.
//!
//! ```text
//! cargo run --release --example score -- IMAGES MASKS KIND… [--engine E] [--set NAME=VALUE]
//!     [--threads N] [--limit N] [--save DIR] [--each]
//! ```
//!
//! IMAGES holds `NAME.png` (or `.jpg`), MASKS holds `NAME.KIND.png`, light where to fill. One line a
//! kind: means over its pictures, and the median of the seconds that the library took.
#![forbid(unsafe_code)]

mod cases;
mod metrics;
mod random;

use cases::cases;
use mend::pixels::{Depth, Layout, MaskView, PixelFormat};
use mend::progress::Silent;
use mend::{Cancel, ImageView, ImageViewMut, Inpainter, Options, Request};
use metrics::{Hole, Photo, Scores, scores};
use random::Random;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: score IMAGES MASKS KIND... [--engine E] [--set NAME=VALUE] [--threads N] \
                     [--limit N] [--save DIR] [--each]";

type Outcome<T> = Result<T, Box<dyn Error>>;

struct Ask {
    images: PathBuf,
    masks: PathBuf,
    kinds: Vec<String>,
    inpainter: Inpainter,
    request: Request,
    limit: usize,
    save: Option<PathBuf>,
    each: bool,
}

/// One picture's fill.
struct Row {
    scores: Scores,
    /// Pixels outside the mask that are not what they were.
    changed: usize,
    seconds: f64,
}

fn main() -> ExitCode {
    match ask().and_then(|ask| run(&ask)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("score: {e}");
            ExitCode::FAILURE
        }
    }
}

fn ask() -> Outcome<Ask> {
    let (mut plain, mut options, mut request) = (Vec::new(), Options::default(), Request::new());
    let (mut limit, mut save, mut each) = (usize::MAX, None, false);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value\n{USAGE}"));
        match arg.as_str() {
            "--engine" => request.set("engine", &value()?)?,
            "--set" => {
                let pair = value()?;
                let (name, value) = pair.split_once('=').ok_or("--set takes NAME=VALUE")?;
                request.set(name, value)?;
            }
            "--threads" => options.set("threads", &value()?)?,
            "--limit" => limit = value()?.parse()?,
            "--save" => save = Some(PathBuf::from(value()?)),
            "--each" => each = true,
            _ if arg.starts_with("--") => return Err(format!("unknown {arg}\n{USAGE}").into()),
            _ => plain.push(arg),
        }
    }
    let [images, masks, kinds @ ..] = plain.as_slice() else {
        return Err(USAGE.into());
    };
    if kinds.is_empty() {
        return Err(USAGE.into());
    }
    Ok(Ask {
        images: images.into(),
        masks: masks.into(),
        kinds: kinds.to_vec(),
        inpainter: Inpainter::new(options),
        request,
        limit,
        save,
        each,
    })
}

fn run(ask: &Ask) -> Outcome<()> {
    if let Some(folder) = &ask.save {
        fs::create_dir_all(folder)?;
    }
    for kind in &ask.kinds {
        let mut rows = Vec::new();
        let cases = cases(&ask.images, &ask.masks, kind)?;
        for (name, image, mask) in cases.into_iter().take(ask.limit) {
            let row = score(ask, &format!("{name}.{kind}"), &image, &mask)
                .map_err(|e| format!("{name}, {kind}: {e}"))?;
            if ask.each {
                println!("{}", line(&name, std::slice::from_ref(&row)));
            }
            rows.push(row);
        }
        if rows.is_empty() {
            let (masks, images) = (ask.masks.display(), ask.images.display());
            return Err(format!("no NAME.{kind}.png in {masks} with NAME.png in {images}").into());
        }
        println!("{}", line(kind, &rows));
    }
    Ok(())
}

fn open(path: &Path) -> Outcome<image::DynamicImage> {
    image::open(path).map_err(|e| format!("{}: {e}", path.display()).into())
}

fn score(ask: &Ask, name: &str, image: &Path, mask: &Path) -> Outcome<Row> {
    let truth = open(image)?.to_rgb8();
    let mask = open(mask)?.to_luma8();
    let (width, height) = truth.dimensions();
    if mask.dimensions() != (width, height) {
        return Err("the mask has another size than the picture".into());
    }
    let truth = truth.into_raw();
    let selected: Vec<u8> = mask
        .pixels()
        .map(|p| 255 * u8::from(p.0[0] > 127))
        .collect();
    let mut before = truth.clone();
    let mut random = Random::seeded_1();
    for (pixel, mask) in before.chunks_exact_mut(3).zip(&selected) {
        if *mask > 0 {
            pixel.fill_with(|| random.upto(255) as u8);
        }
    }
    let mut after = before.clone();
    let row = width as usize;
    let gray = PixelFormat::new(Layout::Gray, Depth::U8);
    let rgb = PixelFormat::new(Layout::Rgb, Depth::U8);
    let report = ask.inpainter.inpaint(
        &ask.request,
        &mut ImageViewMut::new(&mut after, width, height, row * 3, rgb)?,
        &MaskView::new(ImageView::new(&selected, width, height, row, gray)?)?,
        &mut Silent,
        &Cancel::new(),
    )?;
    if let Some(folder) = &ask.save {
        let path = folder.join(format!("{name}.png"));
        image::save_buffer(&path, &after, width, height, image::ColorType::Rgb8)?;
    }
    let pixels = before.chunks_exact(3).zip(after.chunks_exact(3));
    let changed = pixels
        .zip(&selected)
        .filter(|((b, a), mask)| **mask == 0 && b != a)
        .count();
    let (width, height) = (width as usize, height as usize);
    Ok(Row {
        scores: scores(
            &Photo::of_bytes(width, height, &truth),
            &Photo::of_bytes(width, height, &after),
            &Hole {
                width,
                height,
                inside: selected.iter().map(|m| *m > 0).collect(),
            },
        ),
        changed,
        seconds: report.seconds,
    })
}

fn line(title: &str, rows: &[Row]) -> String {
    let mean = |of: &dyn Fn(&Row) -> f64| {
        // A figure that a hole is too small for is left out.
        let known: Vec<f64> = rows.iter().map(of).filter(|v| !v.is_nan()).collect();
        digits(known.iter().sum::<f64>() / known.len() as f64)
    };
    let mut seconds: Vec<f64> = rows.iter().map(|r| r.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    let median = (seconds[(rows.len() - 1) / 2] + seconds[rows.len() / 2]) / 2.0;
    format!(
        "{title:8} n={:3} psnr={} l1={} ssim={} texture={} texture2={} texture4={} patch={} seam={} \
         changed={} sec_med={}",
        rows.len(),
        mean(&|r| r.scores.psnr),
        mean(&|r| r.scores.l1),
        mean(&|r| r.scores.ssim),
        mean(&|r| r.scores.texture[0]),
        mean(&|r| r.scores.texture[1]),
        mean(&|r| r.scores.texture[2]),
        mean(&|r| r.scores.patch),
        mean(&|r| r.scores.seam),
        mean(&|r| r.changed as f64),
        digits(median),
    )
}

/// Four significant digits.
fn digits(v: f64) -> String {
    if v == 0.0 || !v.is_finite() {
        return format!("{v}");
    }
    let decimals = (3 - v.abs().log10().floor() as i32).clamp(0, 9) as usize;
    format!("{v:.decimals$}")
}
