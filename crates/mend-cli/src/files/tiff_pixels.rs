//! A TIFF's samples as they are stored → pixels that Mend fills, and the channels beside them.
#![forbid(unsafe_code)]

use super::tiff_chunks::Chunks;
use super::tiff_stored::{Colours, Stored};
use super::{Source, cmyk, zeroed};
use mend::Result;
use mend::pixels::Depth;

/// Decoded pixels.
#[derive(Debug, Default)]
pub struct Pixels {
    /// Colour and transparency, pixel after pixel.
    pub data: Vec<u8>,
    /// The other channels, pixel after pixel, of the same depth.
    pub others: Vec<u8>,
    /// What the user should know, in words that go on after the file's name.
    pub notes: Vec<String>,
}

/// Decodes the picture. `palette` is tag 320's table, `icc` the profile, for CMYK.
///
/// # Errors
/// Those of [`Chunks::read`]; [`mend::ErrorKind::Image`] for a palette that is too short.
pub fn pixels(
    source: &Source<'_>,
    stored: &Stored,
    chunks: &Chunks,
    palette: &[u16],
    icc: Option<&[u8]>,
) -> Result<Pixels> {
    let (raw, left_out) = chunks.read(source)?;
    let mut out = Pixels::default();
    if left_out > 0 {
        out.notes.push(format!(
            "lacks {left_out} of its {} strips or tiles: they are black",
            chunks.offsets.len()
        ));
    }
    if stored.colours == Colours::Palette {
        out.data = coloured(source, stored, &raw, chunks.sample_bytes(), palette)?;
        return Ok(out);
    }
    let mut samples = to_depth(stored, raw, &mut out.notes)?;
    if stored.colours == (Colours::Gray { inverted: true }) {
        invert(
            &mut samples,
            stored.samples * stored.depth.bytes(),
            stored.depth.bytes(),
        );
    }
    let (data, others) = parted(stored, samples)?;
    (out.data, out.others) = (data, others);
    if stored.colours == Colours::Cmyk {
        out.data = from_inks(source, stored, &out.data, icc, &mut out.notes)?;
    }
    Ok(out)
}

/// All samples at the depth that they go on with.
fn to_depth(stored: &Stored, raw: Vec<u8>, notes: &mut Vec<String>) -> Result<Vec<u8>> {
    let bits = stored.bits;
    match (bits, stored.float) {
        (8, false) | (16 | 32, true) => Ok(raw),
        (16, false) if stored.depth == Depth::U16 => Ok(raw),
        (1..=7, false) => {
            let (mut raw, largest) = (raw, (1u32 << bits) - 1);
            for v in &mut raw {
                *v = ((u32::from(*v) * 255 + largest / 2) / largest) as u8;
            }
            notes.push(format!("has {bits}-bit samples; the output has 8 bits"));
            Ok(raw)
        }
        (16, false) => {
            notes.push("has 16-bit samples of ink; the output has 8 bits".into());
            Ok(raw
                .chunks_exact(2)
                .map(|b| ((u32::from(u16::from_ne_bytes([b[0], b[1]])) + 128) / 257) as u8)
                .collect())
        }
        (9..=15, false) => {
            let (mut raw, largest) = (raw, (1u32 << bits) - 1);
            for b in raw.chunks_exact_mut(2) {
                let v = u32::from(u16::from_ne_bytes([b[0], b[1]]));
                let v = ((v * 65_535 + largest / 2) / largest) as u16;
                b.copy_from_slice(&v.to_ne_bytes());
            }
            notes.push(format!("has {bits}-bit samples; the output has 16 bits"));
            Ok(raw)
        }
        (32, false) => from_u32(&raw, notes),
        _ => {
            notes.push("has 64-bit float samples; the output has 32 bits".into());
            let mut data = mend_infer::memory::with_capacity(raw.len() / 2, "the picture")?;
            for b in raw.as_chunks::<8>().0 {
                data.extend((f64::from_ne_bytes(*b) as f32).to_ne_bytes());
            }
            Ok(data)
        }
    }
}

/// 32-bit whole numbers as 16-bit ones: as they are where all fit, else rounded.
fn from_u32(raw: &[u8], notes: &mut Vec<String>) -> Result<Vec<u8>> {
    let values = || {
        raw.as_chunks::<4>()
            .0
            .iter()
            .map(|b| u32::from_ne_bytes(*b))
    };
    let fit = values().all(|v| v <= 65_535);
    let mut data = mend_infer::memory::with_capacity(raw.len() / 2, "the picture")?;
    for v in values() {
        let v = if fit {
            v
        } else {
            ((u64::from(v) + 32_768) / 65_537) as u32
        };
        data.extend((v as u16).to_ne_bytes());
    }
    notes.push(format!(
        "has 32-bit whole numbers; the output has 16 bits{}",
        if fit {
            ", which hold them all"
        } else {
            ", rounded"
        }
    ));
    Ok(data)
}

/// White is 0 → black is 0, for the first sample of each pixel.
fn invert(samples: &mut [u8], pixel: usize, sample: usize) {
    // Whole numbers only come here: the largest value has all bits set.
    for pixel in samples.chunks_exact_mut(pixel) {
        pixel[..sample].iter_mut().for_each(|b| *b = !*b);
    }
}

/// Colour with transparency, and the other channels.
fn parted(stored: &Stored, samples: Vec<u8>) -> Result<(Vec<u8>, Vec<u8>)> {
    if stored.others.is_empty() {
        return Ok((samples, Vec::new()));
    }
    let size = stored.depth.bytes();
    let pixel = stored.samples * size;
    let count = samples.len() / pixel;
    let colours = stored.colours.samples() * size;
    let alpha = stored.alpha.map(|(i, _)| i * size..(i + 1) * size);
    let kept = colours + alpha.as_ref().map_or(0, std::ops::Range::len);
    let mut data = mend_infer::memory::with_capacity(count * kept, "the picture")?;
    let mut others =
        mend_infer::memory::with_capacity(count * (pixel - kept), "the other channels")?;
    for p in samples.chunks_exact(pixel) {
        data.extend_from_slice(&p[..colours]);
        if let Some(alpha) = &alpha {
            data.extend_from_slice(&p[alpha.clone()]);
        }
        for (i, _) in &stored.others {
            others.extend_from_slice(&p[i * size..(i + 1) * size]);
        }
    }
    Ok((data, others))
}

/// Numbers of a palette's colours → the colours, with transparency as it is.
fn coloured(
    source: &Source<'_>,
    stored: &Stored,
    raw: &[u8],
    size: usize,
    palette: &[u16],
) -> Result<Vec<u8>> {
    let count = 1usize << stored.bits;
    if palette.len() < 3 * count {
        return Err(source.damaged("its palette is shorter than its depth asks for"));
    }
    // The oldest writers stored bytes.
    let bytes = palette.iter().all(|v| *v < 256);
    let byte = |v: u16| {
        if bytes {
            v as u8
        } else {
            ((u32::from(v) + 128) / 257) as u8
        }
    };
    let table: Vec<[u8; 3]> = (0..count)
        .map(|i| [0, 1, 2].map(|c| byte(palette[c * count + i])))
        .collect();
    let value = |b: &[u8]| match b {
        [low] => usize::from(*low),
        [a, b, ..] => usize::from(u16::from_ne_bytes([*a, *b])),
        [] => 0,
    };
    let pixel = stored.samples * size;
    let channels = stored.layout.channels();
    let mut data = zeroed(raw.len() / pixel * channels, "the picture")?;
    for (to, from) in data.chunks_exact_mut(channels).zip(raw.chunks_exact(pixel)) {
        let colour = table.get(value(&from[..size])).copied().unwrap_or_default();
        to[..3].copy_from_slice(&colour);
        if let Some((at, _)) = stored.alpha {
            let largest = count - 1;
            to[3] = (value(&from[at * size..(at + 1) * size]) * 255 / largest) as u8;
        }
    }
    Ok(data)
}

/// Shares of ink, with transparency, as RGB with transparency.
fn from_inks(
    source: &Source<'_>,
    stored: &Stored,
    data: &[u8],
    icc: Option<&[u8]>,
    notes: &mut Vec<String>,
) -> Result<Vec<u8>> {
    source.cancel.check()?;
    let Some(_) = stored.alpha else {
        let (rgb, by) = cmyk::to_rgb(data, icc)?;
        notes.push(by.what().into());
        return Ok(rgb);
    };
    let mut inks = mend_infer::memory::with_capacity(data.len() / 5 * 4, "the picture")?;
    data.chunks_exact(5).for_each(|p| inks.extend(&p[..4]));
    let (rgb, by) = cmyk::to_rgb(&inks, icc)?;
    notes.push(by.what().into());
    let mut rgba = mend_infer::memory::with_capacity(data.len() / 5 * 4, "the picture")?;
    for (colour, pixel) in rgb.chunks_exact(3).zip(data.chunks_exact(5)) {
        rgba.extend(colour);
        rgba.push(pixel[4]);
    }
    Ok(rgba)
}
