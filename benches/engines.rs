//! Times the engines that need no model on one photo at several sizes, with a hole of a tenth of it.
//!
//! ```text
//! cargo bench --bench engines [-- PHOTO] [--threads N] [--sizes 512,1024,2048,4096]
//! ```
//!
//! The photo, by default one of the repository's, is scaled to a square of each size. `first` is a new
//! inpainter's first fill, its creation and the loading of weights included; `warm` the median of five more.
//! The context is the whole picture. Seconds are the library's, without decoding.
#![forbid(unsafe_code)]

use mend::pixels::{Depth, Layout, MaskView, PixelFormat};
use mend::progress::Silent;
use mend::{Cancel, ImageView, ImageViewMut, Inpainter, Options, Request};
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

const WAYS: [&[(&str, &str)]; 3] = [
    &[("engine", "exemplar")],
    &[("engine", "rethined"), ("detail", "search")],
    &[("engine", "rethined"), ("detail", "attention")],
];

fn main() -> Result<(), Box<dyn Error>> {
    let default = "examples/photos/boat.png";
    let mut photo = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(default);
    let (mut threads, mut sizes) = (2, vec![512, 1024, 2048, 4096]);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            // What cargo passes.
            "--bench" => {}
            "--threads" => threads = value()?.parse()?,
            "--sizes" => {
                let all: Result<_, _> = value()?.split(',').map(str::parse).collect();
                sizes = all?;
            }
            _ if arg.starts_with("--") => return Err(format!("unknown {arg}").into()),
            _ => photo = arg.into(),
        }
    }
    let photo = image::open(&photo)?.to_rgb8();
    println!("{threads} threads");
    for size in sizes {
        let side = size as u32;
        let filter = image::imageops::FilterType::CatmullRom;
        let picture = image::imageops::resize(&photo, side, side, filter).into_raw();
        // A square of a tenth of the area, in the middle.
        let hole = (f64::from(side) * 0.1f64.sqrt()).round() as usize;
        let first = (size - hole) / 2;
        let mut mask = vec![0u8; size * size];
        for row in mask.chunks_exact_mut(size).skip(first).take(hole) {
            row[first..first + hole].fill(255);
        }
        for way in WAYS {
            let mut request = Request::new();
            for (name, value) in way {
                request.set(name, value)?;
            }
            request.set("context", &size.to_string())?;
            let mut options = Options::default();
            options.set("threads", &threads.to_string())?;
            let start = Instant::now();
            let inpainter = Inpainter::new(options);
            fill(&inpainter, &request, &picture, &mask, size)?;
            let cold = start.elapsed().as_secs_f64();
            let mut warm = Vec::new();
            for _ in 0..5 {
                let start = Instant::now();
                fill(&inpainter, &request, &picture, &mask, size)?;
                warm.push(start.elapsed().as_secs_f64());
            }
            warm.sort_by(f64::total_cmp);
            let name: Vec<&str> = way.iter().map(|(_, value)| *value).collect();
            println!(
                "{size:5} x {size:<5} {:20} first {cold:7.3} s, warm {:7.3} s",
                name.join(" "),
                warm[2]
            );
        }
    }
    Ok(())
}

fn fill(
    inpainter: &Inpainter,
    request: &Request,
    picture: &[u8],
    mask: &[u8],
    size: usize,
) -> Result<(), Box<dyn Error>> {
    let side = size as u32;
    let gray = PixelFormat::new(Layout::Gray, Depth::U8);
    let rgb = PixelFormat::new(Layout::Rgb, Depth::U8);
    let mut out = picture.to_vec();
    inpainter.inpaint(
        request,
        &mut ImageViewMut::new(&mut out, side, side, size * 3, rgb)?,
        &MaskView::new(ImageView::new(mask, side, side, size, gray)?)?,
        &mut Silent,
        &Cancel::new(),
    )?;
    Ok(())
}
