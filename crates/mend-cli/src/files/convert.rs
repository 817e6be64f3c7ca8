//! Bringing a picture into what an output format can hold, and saying what that loses.
#![forbid(unsafe_code)]

use super::carry::Carry;
use super::{Kind, Picture, jpeg, webp, xmp};
use mend::pixels::{Depth, Layout};
use mend::{Error, ErrorKind, Result};
use std::path::Path;

/// Changes `picture` so that `kind` can hold it; `out` is the output's name. Gives notes on what
/// that loses.
///
/// # Errors
/// [`ErrorKind::Unsupported`] where too much would be lost to do it unasked, [`ErrorKind::Memory`].
pub fn fit(picture: &mut Picture, kind: Kind, out: &Path) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    check(picture, kind, out)?;
    fit_depth(picture, kind, out, &mut notes);
    fit_layout(picture, kind, out)?;
    fit_meta(picture, kind, out, &mut notes);
    if let Carry::Tiff(carry) = &picture.carry
        && kind != Kind::Tiff
        && !carry.others.0.is_empty()
    {
        let which = match carry.others.0.len() {
            1 => "channel".into(),
            n => format!("{n} channels"),
        };
        notes.push(format!(
            "{} has no place for the {which} besides colour and transparency",
            out.display()
        ));
    }
    Ok(notes)
}

/// The parts of [`fit`] that need no pixels: what is refused is refused before any work.
///
/// # Errors
/// As [`fit`].
pub fn check(picture: &Picture, kind: Kind, out: &Path) -> Result<()> {
    let refuse = |what: String| {
        Err(Error::new(
            ErrorKind::Unsupported,
            format!("{} cannot be written: {what}", out.display()),
        ))
    };
    let name = kind.name();
    if !kind.writable() {
        return refuse(format!(
            "{name} can be read but not written; write a .{}",
            kind.instead()
        ));
    }
    let float = matches!(picture.format.depth, Depth::F16 | Depth::F32);
    if float && kind != Kind::Tiff {
        return refuse(format!("{name} has no float pixels; write a .tif"));
    }
    if picture.format.premultiplied && kind != Kind::Tiff {
        return refuse(format!(
            "the picture's colours are premultiplied by alpha and {name} needs them straight; \
             write a .tif"
        ));
    }
    let most = match kind {
        Kind::WebP => webp::MAX_SIDE,
        Kind::Jpeg | Kind::Tga => 65_535,
        _ => u32::MAX,
    };
    if picture.width.max(picture.height) > most {
        return refuse(format!(
            "the picture is {}×{} and no side of a {name} may exceed {most} pixels; write a .png \
             or .tif",
            picture.width, picture.height
        ));
    }
    Ok(())
}

fn fit_depth(picture: &mut Picture, kind: Kind, out: &Path, notes: &mut Vec<String>) {
    let holds_u16 = matches!(kind, Kind::Png | Kind::Tiff | Kind::Pnm);
    if picture.format.depth != Depth::U16 || holds_u16 {
        return;
    }
    // Rounded to the nearest; each byte stands before the pair it comes from.
    for i in 0..picture.data.len() / 2 {
        let v = u16::from_ne_bytes([picture.data[2 * i], picture.data[2 * i + 1]]);
        picture.data[i] = ((u32::from(v) + 128) / 257) as u8;
    }
    picture.data.truncate(picture.data.len() / 2);
    picture.format.depth = Depth::U8;
    notes.push(format!(
        "{} holds 8 bits a channel: the picture's 16 are rounded",
        out.display()
    ));
}

fn fit_layout(picture: &mut Picture, kind: Kind, out: &Path) -> Result<()> {
    let alpha = picture.format.layout.has_alpha();
    // Standard output has no name to say whether it is the one with alpha.
    let pam = out
        .extension()
        .is_none_or(|e| e.eq_ignore_ascii_case("pam"));
    let holds_alpha = match kind {
        Kind::Jpeg => false,
        Kind::Pnm => pam,
        _ => true,
    };
    if alpha && !holds_alpha {
        if !is_opaque(picture) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "{} cannot be written: the picture has transparent pixels and this format has \
                     no transparency; write a .png, .tif or .webp",
                    out.display()
                ),
            ));
        }
        drop_alpha(picture);
    }
    let holds_gray = kind != Kind::Qoi;
    let holds_gray_alpha = matches!(kind, Kind::Png | Kind::Tiff | Kind::WebP | Kind::Pnm);
    match picture.format.layout {
        Layout::Gray if !holds_gray => to_colour(picture, Layout::Rgb),
        Layout::GrayA if !holds_gray_alpha => to_colour(picture, Layout::Rgba),
        _ => Ok(()),
    }
}

fn is_opaque(picture: &Picture) -> bool {
    let (pixel, sample) = (picture.format.bytes(), picture.format.depth.bytes());
    // Only whole numbers come here, and their largest value has all bits set.
    picture
        .data
        .chunks_exact(pixel)
        .all(|p| p[pixel - sample..].iter().all(|b| *b == 0xff))
}

/// Leaves the last channel out, which must be transparency.
pub(super) fn drop_alpha(picture: &mut Picture) {
    let (pixel, sample) = (picture.format.bytes(), picture.format.depth.bytes());
    let kept = pixel - sample;
    let n = picture.data.len() / pixel;
    for i in 0..n {
        picture
            .data
            .copy_within(i * pixel..i * pixel + kept, i * kept);
    }
    picture.data.truncate(n * kept);
    picture.format.layout = match picture.format.layout {
        Layout::GrayA => Layout::Gray,
        _ => Layout::Rgb,
    };
}

/// Gray, with or without alpha, to three equal channels.
fn to_colour(picture: &mut Picture, layout: Layout) -> Result<()> {
    let (from, sample) = (picture.format.bytes(), picture.format.depth.bytes());
    let pixels = picture.data.len() / from;
    let bytes = pixels * layout.channels() * sample;
    let mut data = mend_infer::memory::with_capacity(bytes, "the picture in colour")?;
    for p in picture.data.chunks_exact(from) {
        for _ in 0..3 {
            data.extend_from_slice(&p[..sample]);
        }
        data.extend_from_slice(&p[sample..]);
    }
    picture.data = data;
    picture.format.layout = layout;
    Ok(())
}

fn fit_meta(picture: &mut Picture, kind: Kind, out: &Path, notes: &mut Vec<String>) {
    let name = out.display();
    let mut lost = Vec::new();
    let gray = matches!(picture.format.layout, Layout::Gray | Layout::GrayA);
    // WebP's decoders see gray as colour.
    if picture
        .meta
        .drop_foreign_profile(gray && kind != Kind::WebP)
    {
        lost.push("the colour profile (it is not for this kind of picture)");
    }
    let meta = &mut picture.meta;
    if let (Kind::Jpeg, Some(packet)) = (kind, &meta.xmp)
        && !jpeg::fits_segment(packet.len())
    {
        let short = xmp::shortened(packet, jpeg::MOST_XMP);
        let gone = short.as_ref().map_or_else(Vec::new, |s| s.dropped.clone());
        meta.xmp = short.and_then(|s| s.packet);
        notes.push(match gone.is_empty() {
            true if meta.xmp.is_some() => String::new(),
            true => format!("{name} has no place for such a long XMP"),
            false => format!(
                "{name} has no place for all of the XMP, so {} is left out",
                gone.join(", ")
            ),
        });
        notes.retain(|note| !note.is_empty());
    }
    let (icc, exif) = match kind {
        Kind::Png | Kind::Tiff | Kind::WebP => (true, true),
        Kind::Jpeg => {
            // What came out of a JPEG fits back.
            let own = matches!(picture.carry, Carry::Jpeg(_));
            let fits = |b: &Option<Vec<u8>>| b.as_ref().is_none_or(|b| jpeg::fits_segment(b.len()));
            (
                own || meta.icc.as_deref().is_none_or(jpeg::fits_icc),
                own || (fits(&meta.exif) && fits(&meta.xmp)),
            )
        }
        Kind::Bmp => (true, false),
        _ => (false, false),
    };
    if !icc && meta.icc.take().is_some() {
        lost.push("the colour profile, so its colours may look different");
    }
    if !exif {
        meta.density = meta.resolution();
        if meta.exif.take().is_some() {
            lost.push("EXIF");
        }
        if meta.xmp.take().is_some() {
            lost.push("XMP");
        }
    }
    if !lost.is_empty() {
        notes.push(format!("{name} has no place for {}", lost.join(" and ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mend::pixels::PixelFormat;

    fn picture(layout: Layout, depth: Depth, data: Vec<u8>) -> Picture {
        let width = data.len() / PixelFormat::new(layout, depth).bytes();
        Picture::new(
            Kind::Png,
            width as u32,
            1,
            PixelFormat::new(layout, depth),
            data,
        )
    }

    #[test]
    fn sixteen_bits_are_rounded_to_the_nearest_eight() {
        for v in 0..=u16::MAX {
            let mut p = picture(Layout::Gray, Depth::U16, v.to_ne_bytes().to_vec());
            fit_depth(&mut p, Kind::Bmp, Path::new("x.bmp"), &mut Vec::new());
            let exact = (f64::from(v) / 257.0).round() as u8;
            assert_eq!(p.data, [exact], "{v}");
        }
    }

    #[test]
    fn transparency_is_never_dropped_in_silence() {
        let out = Path::new("x.jpg");
        let mut clear = picture(Layout::Rgba, Depth::U8, vec![1, 2, 3, 254, 4, 5, 6, 255]);
        let e = fit(&mut clear, Kind::Jpeg, out).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Unsupported);
        let mut opaque = picture(Layout::Rgba, Depth::U8, vec![1, 2, 3, 255, 4, 5, 6, 255]);
        fit(&mut opaque, Kind::Jpeg, out).unwrap();
        assert_eq!(opaque.data, [1, 2, 3, 4, 5, 6]);
    }
}
