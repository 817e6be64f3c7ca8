//! Scores how native detail is carried into the hole of a low-resolution answer, without a network.
//!
//! The "answer" of an engine that works at a lower resolution is made from the photo: the photo
//! itself, reduced (what the best of engines would answer), or the exemplar engine's fill of the
//! reduced photo. It is brought to native size as the flow does it and scored against the photo.
//!
//! ```text
//! cargo run --release --example detail -- IMAGES MASKS KIND… [--scale S | --side N] [--soft S]
//!     [--guide oracle|exemplar|FOLDER] [--by transfer|bicubic] [--weight W] [--foreign IMAGE]
//!     [--threads N] [--limit N] [--only NAME] [--save DIR] [--each]
//! ```
//!
//! `--scale` reduces by that factor, `--side` to that longest side. `--soft` low-passes the answer to
//! a still coarser scale and tells the guide so. A FOLDER holds answers of another program as
//! `NAME.png` or `NAME.coarse.png`, of the photos' size. `--foreign` lays another photo's middle into the
//! answer: an invented thing that nothing known looks like. IMAGES holds `NAME.png` or `.jpg`, MASKS
//! holds `NAME.KIND.png`. Figures as in the example `score`; `low` is the root mean square by which
//! the result's means over the answer's pixels differ from those of the answer at native size.
#![forbid(unsafe_code)]

#[path = "../score/cases.rs"]
mod cases;
#[path = "../score/metrics.rs"]
mod metrics;
#[path = "../score/random.rs"]
#[expect(dead_code, reason = "the scorer draws more than the metrics do")]
mod random;

use cases::cases;
use mend::pixels::resample::resize_rgb;
use mend::pixels::{Depth, Layout, MaskView, PixelFormat, Plane, RgbImage};
use mend::progress::Silent;
use mend::{Cancel, ImageView, ImageViewMut, Inpainter, Options, Request, blend, detail};
use mend_infer::workers::Workers;
use metrics::{Hole, Photo, Scores, scores};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;

struct Ask {
    images: PathBuf,
    masks: PathBuf,
    kinds: Vec<String>,
    scale: f64,
    side: Option<usize>,
    soft: Option<f64>,
    exemplar: bool,
    answers: Option<PathBuf>,
    transfer: bool,
    weight: f32,
    foreign: Option<PathBuf>,
    threads: usize,
    limit: usize,
    only: Option<String>,
    save: Option<PathBuf>,
    each: bool,
}

/// One photo's crop, as a region of the flow would be.
struct Case {
    name: String,
    truth: RgbImage,
    hole: Plane<u8>,
    source: Plane<u8>,
    /// Where in the photo.
    left: u32,
    top: u32,
}

struct Row {
    scores: Scores,
    low: f64,
    seconds: f64,
    changed: usize,
}

fn main() -> ExitCode {
    match ask().and_then(|ask| run(&ask)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("detail: {e}");
            ExitCode::FAILURE
        }
    }
}

fn ask() -> Outcome<Ask> {
    let mut ask = Ask {
        images: PathBuf::new(),
        masks: PathBuf::new(),
        kinds: Vec::new(),
        scale: 4.0,
        side: None,
        soft: None,
        exemplar: false,
        answers: None,
        transfer: true,
        weight: 1.0,
        foreign: None,
        threads: 2,
        limit: usize::MAX,
        only: None,
        save: None,
        each: false,
    };
    let mut plain = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--scale" => ask.scale = value()?.parse()?,
            "--side" => ask.side = Some(value()?.parse()?),
            "--soft" => ask.soft = Some(value()?.parse()?),
            "--guide" => match value()?.as_str() {
                "oracle" => {}
                "exemplar" => ask.exemplar = true,
                folder => ask.answers = Some(folder.into()),
            },
            "--by" => ask.transfer = value()? == "transfer",
            "--weight" => ask.weight = value()?.parse()?,
            "--foreign" => ask.foreign = Some(value()?.into()),
            "--threads" => ask.threads = value()?.parse()?,
            "--limit" => ask.limit = value()?.parse()?,
            "--only" => ask.only = Some(value()?),
            "--save" => ask.save = Some(value()?.into()),
            "--each" => ask.each = true,
            _ if arg.starts_with("--") => return Err(format!("unknown {arg}").into()),
            _ => plain.push(arg),
        }
    }
    let [images, masks, kinds @ ..] = plain.as_slice() else {
        return Err("usage: detail IMAGES MASKS KIND... (see the head of its source)".into());
    };
    (ask.images, ask.masks) = (images.into(), masks.into());
    ask.kinds = kinds.to_vec();
    Ok(ask)
}

fn run(ask: &Ask) -> Outcome<()> {
    if let Some(folder) = &ask.save {
        fs::create_dir_all(folder)?;
    }
    let pool = Workers::new(ask.threads)?;
    for kind in &ask.kinds {
        let mut rows = Vec::new();
        let wanted = |name: &str| ask.only.as_deref().is_none_or(|only| only == name);
        let mut cases = cases(&ask.images, &ask.masks, kind)?;
        cases.retain(|case| wanted(&case.0));
        for (name, image, mask) in cases.into_iter().take(ask.limit) {
            let case = open(&name, &image, &mask)?;
            let row = score(ask, &case, &pool)?;
            if ask.each {
                println!("{}", line(&name, std::slice::from_ref(&row)));
            }
            rows.push(row);
        }
        if rows.is_empty() {
            return Err(format!("no picture for {kind}").into());
        }
        println!("{}", line(kind, &rows));
    }
    Ok(())
}

fn open(name: &str, image: &Path, mask: &Path) -> Outcome<Case> {
    let image = image::open(image)?.to_rgb8();
    let mask = image::open(mask)?.to_luma8();
    // The hole's box and half of its longer side around, as the diffusion engine asks for.
    let (mut left, mut top, mut right, mut bottom) = (u32::MAX, u32::MAX, 0, 0);
    for (x, y, _) in mask.enumerate_pixels().filter(|p| p.2.0[0] > 127) {
        (left, top) = (left.min(x), top.min(y));
        (right, bottom) = (right.max(x + 1), bottom.max(y + 1));
    }
    let context = ((right - left).max(bottom - top) / 2).min(2048);
    let (left, top) = (left.saturating_sub(context), top.saturating_sub(context));
    let right = (right + context).min(image.width());
    let bottom = (bottom + context).min(image.height());
    let (width, height) = (right - left, bottom - top);
    let crop = image::imageops::crop_imm(&image, left, top, width, height).to_image();
    let mask = image::imageops::crop_imm(&mask, left, top, width, height).to_image();
    let (width, height) = (width as usize, height as usize);
    let flags = |inside: bool| Plane {
        width,
        height,
        data: mask
            .iter()
            .map(|m| u8::from((*m > 127) == inside))
            .collect(),
    };
    Ok(Case {
        name: name.to_owned(),
        truth: floats(&crop),
        hole: flags(true),
        source: flags(false),
        left,
        top,
    })
}

fn floats(image: &image::RgbImage) -> RgbImage {
    RgbImage {
        width: image.width() as usize,
        height: image.height() as usize,
        data: image.iter().map(|v| f32::from(*v) / 255.0).collect(),
    }
}

fn bytes(image: &RgbImage) -> Vec<u8> {
    let byte = |v: &f32| (v.clamp(0.0, 1.0) * 255.0).round() as u8;
    image.data.iter().map(byte).collect()
}

/// The answer of an engine that works at the reduced size.
fn answer(ask: &Ask, case: &Case) -> Outcome<RgbImage> {
    let (w, h) = (case.truth.width, case.truth.height);
    let scale = ask
        .side
        .map_or(ask.scale, |side| w.max(h) as f64 / side as f64);
    let to = |side: usize, scale: f64| ((side as f64 / scale).round() as usize).max(1);
    let (sw, sh) = (to(w, scale), to(h, scale));
    let mut small = match &ask.answers {
        Some(folder) => resize_rgb(&foreign(folder, case)?, sw, sh)?,
        None => resize_rgb(&case.truth, sw, sh)?,
    };
    if ask.exemplar {
        small = exemplar(&small, &case.hole, ask.threads)?;
    }
    if let Some(path) = &ask.foreign {
        let other = image::open(path)?.to_rgb8();
        let side = sw.min(sh) / 3;
        let other = resize_rgb(&floats(&other), side, side)?;
        for y in 0..side {
            let at = ((y + (sh - side) / 2) * sw + (sw - side) / 2) * 3;
            small.data[at..at + side * 3].copy_from_slice(other.row(y));
        }
    }
    if let Some(soft) = ask.soft {
        let softer = resize_rgb(&small, to(w, soft), to(h, soft))?;
        small = detail::upscale(&softer, sw, sh)?;
    }
    Ok(small)
}

/// Another program's answer for the crop.
fn foreign(folder: &Path, case: &Case) -> Outcome<RgbImage> {
    let names = ["png", "coarse.png"].map(|e| folder.join(format!("{}.{e}", case.name)));
    let found = names.iter().find(|path| path.is_file());
    let path =
        found.ok_or_else(|| format!("no {} or {}", names[0].display(), names[1].display()))?;
    let (w, h) = (case.truth.width as u32, case.truth.height as u32);
    let whole = image::open(path)?.to_rgb8();
    Ok(floats(
        &image::imageops::crop_imm(&whole, case.left, case.top, w, h).to_image(),
    ))
}

/// The exemplar engine's fill of the reduced photo.
fn exemplar(small: &RgbImage, hole: &Plane<u8>, threads: usize) -> Outcome<RgbImage> {
    let (w, h) = (small.width, small.height);
    let mut mask = vec![0u8; w * h];
    for y in 0..hole.height {
        for x in (0..hole.width).filter(|x| hole.row(y)[*x] != 0) {
            mask[y * h / hole.height * w + x * w / hole.width] = 255;
        }
    }
    let mut image = bytes(small);
    let mut options = Options::default();
    options.set("threads", &threads.to_string())?;
    let mut request = Request::new();
    request.set("engine", "exemplar")?;
    let gray = PixelFormat::new(Layout::Gray, Depth::U8);
    let rgb = PixelFormat::new(Layout::Rgb, Depth::U8);
    let (width, height) = (w as u32, h as u32);
    Inpainter::new(options).inpaint(
        &request,
        &mut ImageViewMut::new(&mut image, width, height, w * 3, rgb)?,
        &MaskView::new(ImageView::new(&mask, width, height, w, gray)?)?,
        &mut Silent,
        &Cancel::new(),
    )?;
    Ok(RgbImage {
        width: w,
        height: h,
        data: image.iter().map(|v| f32::from(*v) / 255.0).collect(),
    })
}

fn score(ask: &Ask, case: &Case, pool: &Workers) -> Outcome<Row> {
    let (w, h) = (case.truth.width, case.truth.height);
    let mut known = case.truth.clone();
    for (pixel, hole) in known.data.chunks_exact_mut(3).zip(&case.hole.data) {
        if *hole != 0 {
            pixel.fill(f32::NAN);
        }
    }
    blend::extend(
        &mut known.data,
        3,
        w,
        h,
        &case.source.data,
        &mend::Cancel::new(),
    )?;
    let answer = answer(ask, case)?;
    let start = Instant::now();
    let mut fill = match ask.transfer {
        true => detail::upscale(&answer, w, h)?,
        false => resize_rgb(&answer, w, h)?,
    };
    pool.install(|| {
        blend::paste(
            &known,
            &case.hole,
            &case.source,
            &mut fill,
            &mend::Cancel::new(),
        )
    })?;
    let pasted = start.elapsed().as_secs_f64();
    let guide = fill.clone();
    if ask.transfer {
        let by = detail::Guide {
            scale: ask.soft.unwrap_or(w as f64 / answer.width as f64),
            weight: ask.weight,
        };
        let cancel = Cancel::new();
        let quiet = &mut |_: f64| Ok(());
        fill = detail::transfer(
            &by,
            &guide,
            &case.hole,
            &case.source,
            0,
            pool,
            &cancel,
            quiet,
        )?;
    }
    let seconds = start.elapsed().as_secs_f64();
    if ask.each {
        println!(
            "  {w}x{h} hole {} paste {pasted:.2}s",
            case.hole.data.iter().filter(|h| **h > 0).count()
        );
    }
    let after = bytes(&fill);
    if let Some(folder) = &ask.save {
        let (w, h) = (w as u32, h as u32);
        let name = |what: &str| folder.join(format!("{}.{what}.png", case.name));
        image::save_buffer(name("fill"), &after, w, h, image::ColorType::Rgb8)?;
        image::save_buffer(name("guide"), &bytes(&guide), w, h, image::ColorType::Rgb8)?;
    }
    let truth = bytes(&case.truth);
    let differs = |i: usize| (0..3).any(|c| fill.data[i * 3 + c] != case.truth.data[i * 3 + c]);
    Ok(Row {
        scores: scores(
            &Photo::of_bytes(w, h, &truth),
            &Photo::of_bytes(w, h, &after),
            &Hole {
                width: w,
                height: h,
                inside: case.hole.data.iter().map(|h| *h != 0).collect(),
            },
        ),
        low: low(&fill, &guide, answer.width, answer.height)?,
        seconds,
        changed: (0..w * h)
            .filter(|i| case.hole.data[*i] == 0 && differs(*i))
            .count(),
    })
}

/// Root mean square difference at the answer's size, where there is any.
fn low(a: &RgbImage, b: &RgbImage, width: usize, height: usize) -> Outcome<f64> {
    let (a, b) = (resize_rgb(a, width, height)?, resize_rgb(b, width, height)?);
    let (mut sum, mut count) = (0.0f64, 1e-9);
    for d in a.data.iter().zip(&b.data).map(|(a, b)| f64::from(a - b)) {
        if d != 0.0 {
            sum += d * d;
            count += 1.0;
        }
    }
    Ok((sum / count).sqrt())
}

fn line(title: &str, rows: &[Row]) -> String {
    let mean = |of: &dyn Fn(&Row) -> f64| {
        let known: Vec<f64> = rows.iter().map(of).filter(|v| !v.is_nan()).collect();
        known.iter().sum::<f64>() / known.len() as f64
    };
    format!(
        "{title:12} n={:2} psnr={:.2} l1={:.4} ssim={:.3} texture={:.3} texture2={:.3} \
         texture4={:.3} patch={:.3} seam={:.4} low={:.4} changed={} sec={:.2}",
        rows.len(),
        mean(&|r| r.scores.psnr),
        mean(&|r| r.scores.l1),
        mean(&|r| r.scores.ssim),
        mean(&|r| r.scores.texture[0]),
        mean(&|r| r.scores.texture[1]),
        mean(&|r| r.scores.texture[2]),
        mean(&|r| r.scores.patch),
        mean(&|r| r.scores.seam),
        mean(&|r| r.low),
        mean(&|r| r.changed as f64),
        mean(&|r| r.seconds),
    )
}
