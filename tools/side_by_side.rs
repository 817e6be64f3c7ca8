//! Puts a photo, its mask and its fill beside each other in one small JPEG, as the pages show them.
//!
//! ```text
//! cargo run --release --example side_by_side -- BEFORE MASK AFTER OUT.jpg
//! ```
//!
//! At full size, so that a fill's faults show. The mask is white over the dimmed photo.
#![forbid(unsafe_code)]

use image::codecs::jpeg::JpegEncoder;
use image::{GenericImage, Rgb, RgbImage};
use std::error::Error;
use std::fs;
use std::process::ExitCode;

/// Pixels between the panels.
const GAP: u32 = 12;
/// The most bytes of the JPEG: pictures in a repository stay in it for ever.
const MOST_BYTES: usize = 200_000;
/// JPEG qualities, the first that is small enough is taken.
const QUALITIES: [u8; 7] = [92, 88, 84, 80, 75, 70, 65];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("side_by_side: {e}");
            ExitCode::FAILURE
        }
    }
}

fn open(path: &str) -> Result<RgbImage, Box<dyn Error>> {
    let image = image::open(path).map_err(|e| format!("{path}: {e}"))?;
    Ok(image.to_rgb8())
}

fn run() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [before, mask, after, out] = args.as_slice() else {
        return Err("usage: side_by_side BEFORE MASK AFTER OUT.jpg".into());
    };
    let panels = [open(before)?, open(mask)?, open(after)?];
    let (width, height) = panels[0].dimensions();
    if panels.iter().any(|p| p.dimensions() != (width, height)) {
        return Err("the pictures have different sizes".into());
    }
    let mut middle = panels[0].clone();
    for (pixel, mask) in middle.pixels_mut().zip(panels[1].pixels()) {
        let selected = f32::from(mask.0[0]) / 255.0;
        pixel.0 = pixel.0.map(|v| {
            let dimmed = f32::from(v) * 0.3;
            (dimmed + (255.0 - dimmed) * selected).round() as u8
        });
    }
    let mut sheet = RgbImage::from_pixel(3 * width + 2 * GAP, height, Rgb([255; 3]));
    for (i, panel) in [&panels[0], &middle, &panels[2]].into_iter().enumerate() {
        sheet.copy_from(panel, i as u32 * (width + GAP), 0)?;
    }
    for quality in QUALITIES {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(&sheet)?;
        if bytes.len() <= MOST_BYTES {
            fs::write(out, &bytes).map_err(|e| format!("{out}: {e}"))?;
            println!("{out}: {} bytes at quality {quality}", bytes.len());
            return Ok(());
        }
    }
    Err(
        format!("{out}: more than {MOST_BYTES} bytes at the lowest quality; take smaller pictures")
            .into(),
    )
}
