//! Fills a region of a picture.
//!
//! ```text
//! cargo run --release --example fill -- photo.png mask.png filled.png
//! ```
//!
//! The mask has the picture's size: white is filled, black is kept, gray is between. The picture
//! keeps its channels and its depth. The `image` crate does not carry a colour profile or EXIF over;
//! the command line `mend` does.
#![forbid(unsafe_code)]

use image::{ColorType, DynamicImage};
use mend::pixels::{Depth, Layout, MaskView, PixelFormat};
use mend::progress::Step;
use mend::{Cancel, ImageView, ImageViewMut, Inpainter, Options, Report, Request};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let files: Vec<_> = std::env::args_os().skip(1).collect();
    let [picture, mask, filled] = files.as_slice() else {
        eprintln!("usage: fill IMAGE MASK OUT");
        return ExitCode::from(2);
    };
    match fill(picture.as_ref(), mask.as_ref(), filled.as_ref()) {
        Ok(report) => {
            println!("{}", report.to_json());
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("fill: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Fills what the mask in the file `mask` selects, and writes the picture to `filled`.
pub fn fill(picture: &Path, mask: &Path, filled: &Path) -> Result<Report, Box<dyn Error>> {
    let picture = open(picture)?;
    let mask = open(mask)?.into_luma8();
    let (width, height, colour) = (picture.width(), picture.height(), picture.color());
    let format = format_of(colour)?;
    let stride = width as usize * format.bytes();
    // Rows one behind another, each channel in the machine's byte order: as Mend takes them.
    let mut pixels = picture.into_bytes();

    let mut request = Request::new();
    request.set("seed", "1")?;
    // Make one inpainter and keep it: threads and models stay warm for the next fill.
    let report = Inpainter::new(Options::default()).inpaint(
        &request,
        &mut ImageViewMut::new(&mut pixels, width, height, stride, format)?,
        &MaskView::new(ImageView::new(
            &mask,
            mask.width(),
            mask.height(),
            mask.width() as usize,
            PixelFormat::new(Layout::Gray, Depth::U8),
        )?)?,
        &mut show,
        &Cancel::new(),
    )?;
    eprintln!();
    image::save_buffer(filled, &pixels, width, height, colour)
        .map_err(|e| format!("{}: {e}", filled.display()))?;
    Ok(report)
}

fn open(path: &Path) -> Result<DynamicImage, String> {
    image::open(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// What Mend calls the pixels of the `image` crate.
fn format_of(colour: ColorType) -> Result<PixelFormat, String> {
    let (layout, depth) = match colour {
        ColorType::L8 => (Layout::Gray, Depth::U8),
        ColorType::La8 => (Layout::GrayA, Depth::U8),
        ColorType::Rgb8 => (Layout::Rgb, Depth::U8),
        ColorType::Rgba8 => (Layout::Rgba, Depth::U8),
        ColorType::L16 => (Layout::Gray, Depth::U16),
        ColorType::La16 => (Layout::GrayA, Depth::U16),
        ColorType::Rgb16 => (Layout::Rgb, Depth::U16),
        ColorType::Rgba16 => (Layout::Rgba, Depth::U16),
        other => return Err(format!("this example does not handle {other:?} pixels")),
    };
    Ok(PixelFormat::new(layout, depth))
}

/// Called a few times a second; `false` would cancel the fill.
fn show(step: &Step) -> bool {
    eprint!("\r{} {} %  ", step.stage, step.step * 100 / step.steps);
    true
}
