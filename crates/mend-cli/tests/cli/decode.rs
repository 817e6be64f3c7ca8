//! Pictures decoded apart from the program's own reading, for comparison.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use tiff::decoder::DecodingResult;

/// A picture: samples as numbers, whatever their depth. Palettes and bits below 8 are widened.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    pub width: u32,
    pub height: u32,
    pub channels: usize,
    pub samples: Vec<f64>,
}

impl Decoded {
    /// A pixel's samples.
    pub fn pixel(&self, x: u32, y: u32) -> &[f64] {
        let i = (y * self.width + x) as usize * self.channels;
        &self.samples[i..i + self.channels]
    }
}

pub fn decode(path: &Path) -> Decoded {
    match path.extension().unwrap().to_str().unwrap() {
        "png" => png(path),
        "tif" => tiff(path),
        "webp" => webp(path),
        "jpg" => jpeg(path),
        _ => other(path),
    }
}

fn png(path: &Path) -> Decoded {
    let mut decoder = png::Decoder::new(BufReader::new(File::open(path).unwrap()));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut data = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut data).unwrap();
    let samples = match info.bit_depth {
        png::BitDepth::Sixteen => data
            .chunks_exact(2)
            .map(|b| f64::from(u16::from_be_bytes([b[0], b[1]])))
            .collect(),
        _ => data.iter().map(|b| f64::from(*b)).collect(),
    };
    Decoded {
        width: info.width,
        height: info.height,
        channels: info.color_type.samples(),
        samples,
    }
}

fn tiff(path: &Path) -> Decoded {
    let mut decoder = tiff::decoder::Decoder::new(File::open(path).unwrap()).unwrap();
    let (width, height) = decoder.dimensions().unwrap();
    let (w, h) = (width as usize, height as usize);
    let mut result = DecodingResult::U8(Vec::new());
    decoder.read_image_to_buffer(&mut result).unwrap();
    let mut samples: Vec<f64> = match result {
        DecodingResult::U8(v) => v.into_iter().map(f64::from).collect(),
        DecodingResult::U16(v) => v.into_iter().map(f64::from).collect(),
        DecodingResult::F16(v) => v.into_iter().map(f64::from).collect(),
        DecodingResult::F32(v) => v.into_iter().map(f64::from).collect(),
        _ => panic!("unexpected samples in {}", path.display()),
    };
    if samples.len() == w.div_ceil(8) * h {
        // One bit a pixel.
        let packed = samples;
        let bit = |x: usize, y: usize| packed[y * w.div_ceil(8) + x / 8] as u8 >> (7 - x % 8) & 1;
        samples = (0..h)
            .flat_map(|y| (0..w).map(move |x| (x, y)))
            .map(|(x, y)| f64::from(bit(x, y)) * 255.0)
            .collect();
    }
    let channels = samples.len() / (w * h);
    if decoder
        .get_tag_u32(tiff::tags::Tag::PlanarConfiguration)
        .ok()
        == Some(2)
    {
        let planes = samples;
        samples = (0..w * h)
            .flat_map(|i| (0..channels).map(move |c| c * w * h + i))
            .map(|i| planes[i])
            .collect();
    }
    Decoded {
        width,
        height,
        channels,
        samples,
    }
}

fn webp(path: &Path) -> Decoded {
    let mut decoder =
        image_webp::WebPDecoder::new(BufReader::new(File::open(path).unwrap())).unwrap();
    let (width, height) = decoder.dimensions();
    let mut data = vec![0; decoder.output_buffer_size().unwrap()];
    decoder.read_image(&mut data).unwrap();
    Decoded {
        width,
        height,
        channels: if decoder.has_alpha() { 4 } else { 3 },
        samples: data.iter().map(|b| f64::from(*b)).collect(),
    }
}

fn jpeg(path: &Path) -> Decoded {
    let file = std::fs::read(path).unwrap();
    let cursor = zune_jpeg::zune_core::bytestream::ZCursor::new(&file);
    let mut decoder = zune_jpeg::JpegDecoder::new(cursor);
    let data = decoder.decode().unwrap();
    let info = decoder.info().unwrap();
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    Decoded {
        width,
        height,
        channels: data.len() / (width * height) as usize,
        samples: data.iter().map(|b| f64::from(*b)).collect(),
    }
}

fn other(path: &Path) -> Decoded {
    use image::ImageDecoder;
    let reader = image::ImageReader::open(path).unwrap();
    let decoder = reader.into_decoder().unwrap();
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    let mut data = vec![0; decoder.total_bytes() as usize];
    decoder.read_image(&mut data).unwrap();
    let wide = color.bytes_per_pixel() > color.channel_count();
    let samples = if wide {
        data.chunks_exact(2)
            .map(|b| f64::from(u16::from_ne_bytes([b[0], b[1]])))
            .collect()
    } else {
        data.iter().map(|b| f64::from(*b)).collect()
    };
    Decoded {
        width,
        height,
        channels: usize::from(color.channel_count()),
        samples,
    }
}
