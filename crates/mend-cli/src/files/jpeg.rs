//! JPEG: its segments and what they mean, its pixels by [`super::jpeg_pixels`]; encoded by `jpeg-encoder` with the source's quantisation tables,
//! subsampling and segments.
#![forbid(unsafe_code)]

use super::carry::Carry;
use super::jpeg_markers::{self, Fault, Markers};
use super::jpeg_pixels::Colour;
use super::jpeg_segments::{self, carried, fresh};
pub use super::jpeg_segments::{MOST_XMP, fits_icc, fits_segment};
use super::{Kind, Output, Picture, Source, Want, cmyk, encode_error, jpeg_pixels};
use jpeg_encoder::{
    ChromaSubsamplingMethod, Encoder, ImageBuffer, JpegColorType, QuantizationTableType,
    SamplingFactor, rgb_to_ycbcr,
};
use mend::Result;
use mend::pixels::{Depth, Layout, PixelFormat};
use std::io::{self, Write};

/// Reads a JPEG.
pub fn read(source: &Source<'_>, want: Want) -> Result<Picture> {
    let file = source.bytes()?;
    let mut markers = jpeg_markers::parse(&file).map_err(|fault| match fault {
        Fault::Truncated => source.truncated(),
        Fault::Malformed(why) => source.damaged(why),
    })?;
    let inks = markers.components.len() == 4;
    let layout = match markers.components.len() {
        1 => Layout::Gray,
        3 | 4 => Layout::Rgb,
        n => {
            return Err(source.unsupported(format!(
                "has {n} components, which is not supported: Mend reads 1, 3 or 4"
            )));
        }
    };
    let colour = Colour::of(&markers);
    let way = jpeg_pixels::way(source, &markers, colour)?;
    let format = PixelFormat::new(layout, Depth::U8);
    let (width, height) = (u32::from(markers.width), u32::from(markers.height));
    let bytes = source.admit(width, height, format.bytes())?;
    // Inks take a byte more.
    source.admit(width, height, markers.components.len())?;
    let mut picture = Picture::new(Kind::Jpeg, width, height, format, Vec::new());
    picture.lossy = true;
    picture.reading = jpeg_pixels::bytes_beside(&markers, way);
    let segments = std::mem::take(&mut markers.segments);
    (picture.meta, markers.segments) = jpeg_segments::sifted(segments, &mut picture.dropped);
    if markers.trailing > 0 {
        picture.dropped.add(
            "what follows the picture in its file (a gain map, a depth map, a video, further pictures)",
        );
    }
    if want == Want::Pixels {
        let name = source.path.display();
        let (data, lack) = jpeg_pixels::decode(source, file, &markers, (way, colour))?;
        picture.notes.extend(lack.map(|l| format!("{name} {l}")));
        picture.data = if inks {
            let (rgb, by) = cmyk::to_rgb(&data, picture.meta.icc.as_deref())?;
            picture.notes.push(format!("{name} {}", by.what()));
            rgb
        } else {
            data
        };
        if picture.data.len() != bytes {
            return Err(source.damaged("its frame header is not what its decoder sees"));
        }
    }
    if inks {
        // Neither its profile nor its tables are for what it has become.
        picture.meta.icc = None;
    } else {
        picture.carry = Carry::Jpeg(Box::new(markers));
    }
    Ok(picture)
}

/// Whether writing `picture` as JPEG holds all its coefficients at once.
pub fn holds_coefficients(picture: &Picture) -> bool {
    match &picture.carry {
        Carry::Jpeg(m) => m.progressive() || m.subsampling().is_some_and(|(h, v)| h > 2 || v > 2),
        _ => false,
    }
}

/// Writes a JPEG.
pub fn write(picture: &mut Picture, quality: u8, out: &mut dyn Output) -> Result<()> {
    let (Ok(width), Ok(height)) = (u16::try_from(picture.width), u16::try_from(picture.height))
    else {
        return Err(encode_error(
            "JPEG",
            "no side of a JPEG may exceed 65535 pixels",
        ));
    };
    let color = match picture.format.layout {
        Layout::Gray => JpegColorType::Luma,
        Layout::Rgb => JpegColorType::Ycbcr,
        other => return Err(encode_error("JPEG", format!("it has no layout {other:?}"))),
    };
    let segments = match &picture.carry {
        Carry::Jpeg(m) => carried(m, &picture.meta)?,
        _ => fresh(&picture.meta)?,
    };
    let mut encoder = Encoder::new(
        Splice {
            out: &mut *out,
            seen: 0,
            segments: &segments,
        },
        quality,
    );
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    if let Carry::Jpeg(m) = &picture.carry {
        if let Some((luma, chroma, _)) = tables(m) {
            encoder.set_quantization_tables(
                QuantizationTableType::Custom(Box::new(luma)),
                QuantizationTableType::Custom(Box::new(chroma)),
            );
        }
        encoder.set_sampling_factor(factor(m).unwrap_or(SamplingFactor::R_4_4_4));
        encoder.set_progressive(m.progressive());
        if m.restart > 0 {
            encoder.set_restart_interval(m.restart);
        }
    } else {
        encoder.set_sampling_factor(if quality >= 90 {
            SamplingFactor::R_4_4_4
        } else {
            SamplingFactor::R_4_2_0
        });
    }
    let pixels = Pixels {
        data: &picture.data,
        width,
        height,
        color,
    };
    encoder.encode_image(pixels).map_err(|e| match e {
        jpeg_encoder::EncodingError::IoError(e) => encode_error("JPEG", e),
        e => encode_error("JPEG", e),
    })
}

/// What of a source's way of coding cannot be kept, in words; empty if all can.
pub fn losses(m: &Markers) -> Vec<&'static str> {
    let mut list = Vec::new();
    if tables(m).is_none_or(|(_, _, kept)| !kept) {
        list.push("its quantisation tables are not all kept (Mend writes two, of 8 bits)");
    }
    if m.components.len() == 3 && factor(m).is_none() {
        list.push("its unusual subsampling is not kept: colour is written at full resolution");
    }
    if m.components.len() == 3 && m.adobe == Some(0) {
        list.push("it stores RGB directly and is written as luma and chroma");
    }
    list
}

/// Luma's and chroma's table, and whether they are the source's without change.
fn tables(m: &Markers) -> Option<([u16; 64], [u16; 64], bool)> {
    let luma = *m.table(0)?;
    let (mut chroma, other) = match m.components.len() {
        3 => (*m.table(1)?, *m.table(2)?),
        _ => (luma, luma),
    };
    let mut kept = chroma == other;
    // One table has to do for both chroma components: the finer of the two, so that neither loses.
    for (c, o) in chroma.iter_mut().zip(other) {
        *c = (*c).min(o);
    }
    let mut luma = luma;
    for v in luma.iter_mut().chain(&mut chroma) {
        let byte = (*v).clamp(1, 255);
        kept &= byte == *v;
        *v = byte;
    }
    Some((luma, chroma, kept))
}

fn factor(m: &Markers) -> Option<SamplingFactor> {
    // Components that are RGB have no chroma to subsample.
    let (h, v) = m.subsampling()?;
    SamplingFactor::from_factors(h, v)
}

/// A grey or an RGB picture. The encoder's own `encode` would have all of it compiled for each of nine layouts.
struct Pixels<'a> {
    data: &'a [u8],
    width: u16,
    height: u16,
    color: JpegColorType,
}

/// Pixels that are turned into luma and chroma at a time.
const CHUNK: usize = 32;

impl ImageBuffer for Pixels<'_> {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        self.color
    }

    fn width(&self) -> u16 {
        self.width
    }

    fn height(&self) -> u16 {
        self.height
    }

    fn fill_buffers(&self, y: u16, buffers: &mut [Vec<u8>; 4]) {
        let channels = match self.color {
            JpegColorType::Luma => 1,
            _ => 3,
        };
        let len = usize::from(self.width) * channels;
        let row = &self.data[usize::from(y) * len..][..len];
        if channels == 1 {
            buffers[0].extend_from_slice(row);
            return;
        }
        let [luma, blue, red, _] = buffers;
        // In chunks, which the compiler makes vectors of.
        for pixels in row.as_chunks::<3>().0.chunks(CHUNK) {
            let mut own = [[0; CHUNK]; 3];
            for (i, [r, g, b]) in pixels.iter().enumerate() {
                (own[0][i], own[1][i], own[2][i]) = rgb_to_ycbcr(*r, *g, *b);
            }
            for (buffer, own) in [&mut *luma, &mut *blue, &mut *red].into_iter().zip(&own) {
                buffer.extend_from_slice(&own[..pixels.len()]);
            }
        }
    }
}

/// Bytes that the encoder writes first: start marker and its own JFIF segment.
const OWN_HEAD: usize = 2 + 18;

/// Puts the segments in the place of the encoder's own JFIF segment: it has no way to write
/// comments, nor to keep an order.
struct Splice<'a> {
    out: &'a mut dyn Output,
    seen: usize,
    segments: &'a [u8],
}

impl Write for Splice<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut body = buf;
        if self.seen < OWN_HEAD {
            let skip = (OWN_HEAD - self.seen).min(buf.len());
            self.seen += skip;
            body = &buf[skip..];
            if self.seen == OWN_HEAD {
                self.out.write_all(&[0xff, 0xd8])?;
                self.out.write_all(self.segments)?;
            }
        }
        self.out.write_all(body)?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
