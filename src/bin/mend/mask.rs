//! Masks: from any picture file, or from a picture's own alpha, to one gray plane.
//!
//! A mask is mostly zeros. Its plane comes as zero pages that are never touched where nothing is
//! selected, so a small selection in a large picture costs no memory.
#![forbid(unsafe_code)]

use crate::files::{self, Picture, Source, Want, kind_of, png_rows, shielded, zeroed};
use half::f16;
use mend::pixels::{Depth, ImageView, Layout, MaskView, PixelFormat};
use mend::{Error, ErrorKind, Result};

/// A mask in memory.
#[derive(Debug)]
pub struct Mask {
    pub width: u32,
    pub height: u32,
    depth: Depth,
    data: Vec<u8>,
    /// Whether no pixel is selected.
    pub empty: bool,
    /// What the user should know of how it was read.
    pub notes: Vec<String>,
}

/// What of a mask file's pixels counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Lightness, times opacity where there is any.
    Light,
    /// Opacity alone.
    Alpha,
}

/// What was seen on the way, to choose the rule by.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// A pixel that is not opaque.
    clear: bool,
    /// Lightness of the first pixel that shows, and whether another differs.
    light: Option<f64>,
    varied: bool,
}

/// Values below this share of full count as 0 in a mask that was compressed with loss, and those
/// above its complement as full: ringing around an edge is no selection.
const RINGING: f64 = 0.125;

impl Mask {
    fn new(width: u32, height: u32, depth: Depth) -> Result<Self> {
        let bytes = width as usize * height as usize * depth.bytes();
        Ok(Self {
            width,
            height,
            depth,
            data: zeroed(bytes, "the mask")?,
            empty: true,
            notes: Vec::new(),
        })
    }

    /// The mask, for the library.
    ///
    /// # Errors
    /// None that the checks on the way here leave.
    pub fn view(&self) -> Result<MaskView<'_>> {
        MaskView::new(self.image()?)
    }

    /// The mask as a gray picture of its size.
    ///
    /// # Errors
    /// As [`Self::view`].
    pub fn image(&self) -> Result<ImageView<'_>> {
        let stride = self.width as usize * self.depth.bytes();
        let format = PixelFormat::new(Layout::Gray, self.depth);
        ImageView::new(&self.data, self.width, self.height, stride, format)
    }

    /// Puts a row's values, `0.0 ..= 1.0`, where any is not 0.
    fn put(&mut self, y: usize, values: &[f64]) {
        if values.iter().all(|v| *v == 0.0) {
            return;
        }
        self.empty = false;
        let bytes = self.depth.bytes();
        let stride = self.width as usize * bytes;
        let row = &mut self.data[y * stride..(y + 1) * stride];
        for (to, v) in row.chunks_exact_mut(bytes).zip(values) {
            match self.depth {
                // What is not 0 stays so, however little it is.
                Depth::U8 => to[0] = whole(*v, 255.0) as u8,
                Depth::U16 => to.copy_from_slice(&(whole(*v, 65_535.0) as u16).to_ne_bytes()),
                _ => to.copy_from_slice(&(*v as f32).to_ne_bytes()),
            }
        }
    }

    /// Puts a row of bytes that are the mask's own.
    fn put_bytes(&mut self, y: usize, row: &[u8]) {
        if row.iter().any(|b| *b != 0) {
            self.empty = false;
            let stride = row.len();
            self.data[y * stride..(y + 1) * stride].copy_from_slice(row);
        }
    }
}

fn whole(v: f64, largest: f64) -> f64 {
    if v > 0.0 {
        (v * largest).round().clamp(1.0, largest)
    } else {
        0.0
    }
}

/// Reads the mask in `source`.
///
/// # Errors
/// As [`files::read`].
pub fn read(source: &Source<'_>, invert: bool) -> Result<Mask> {
    if kind_of(source)? == files::Kind::Png
        && let Some(mask) = shielded(source, || read_png(source, invert))?
    {
        return Ok(mask);
    }
    let picture = files::read(source, Want::Pixels)?;
    let mut seen = Seen::default();
    let mut mask = of_picture(&picture, Rule::Light, invert, &mut seen)?;
    if seen.wants_alpha() {
        mask = of_picture(&picture, Rule::Alpha, invert, &mut seen)?;
        mask.notes.push(alpha_note(source));
    }
    if picture.lossy {
        mask.notes.push(format!(
            "{} is compressed with loss: its nearly black and nearly white count as black and \
             white; a PNG mask is exact",
            source.path.display()
        ));
    }
    Ok(mask)
}

fn alpha_note(source: &Source<'_>) -> String {
    format!(
        "{} is of one colour, so its opacity is the mask",
        source.path.display()
    )
}

/// Row by row, without the whole picture ever being there; `None` where the file's rows do not come
/// in order.
fn read_png(source: &Source<'_>, invert: bool) -> Result<Option<Mask>> {
    let mut seen = Seen::default();
    let Some(mask) = read_png_by(source, Rule::Light, invert, &mut seen)? else {
        return Ok(None);
    };
    if !seen.wants_alpha() {
        return Ok(Some(mask));
    }
    let mask = read_png_by(source, Rule::Alpha, invert, &mut seen)?;
    Ok(mask.map(|mut mask| {
        mask.notes.push(alpha_note(source));
        mask
    }))
}

fn read_png_by(
    source: &Source<'_>,
    rule: Rule,
    invert: bool,
    seen: &mut Seen,
) -> Result<Option<Mask>> {
    struct Rows {
        mask: Mask,
        format: PixelFormat,
        values: Vec<f64>,
        samples: Vec<u8>,
    }
    let start = |width, height, format: PixelFormat| {
        Ok(Rows {
            mask: Mask::new(width, height, format.depth)?,
            format,
            values: mend::memory::with_capacity(width as usize, "a row")?,
            samples: mend::memory::with_capacity(width as usize * format.bytes(), "a row")?,
        })
    };
    let rows = png_rows(source, start, |rows, y, bytes| {
        // The common mask: its bytes are the plane's.
        if rows.format == PixelFormat::new(Layout::Gray, Depth::U8) && !invert {
            rows.mask.put_bytes(y, bytes);
            return Ok(());
        }
        rows.samples.clear();
        rows.samples.extend_from_slice(bytes);
        if rows.format.depth == Depth::U16 && cfg!(target_endian = "little") {
            rows.samples.chunks_exact_mut(2).for_each(|s| s.swap(0, 1));
        }
        let reading = Reading {
            format: rows.format,
            rule,
            invert,
            lossy: false,
        };
        reading.row(&rows.samples, &mut rows.values, seen);
        rows.mask.put(y, &rows.values);
        Ok(())
    })?;
    Ok(rows.map(|rows| rows.mask))
}

fn of_picture(picture: &Picture, rule: Rule, invert: bool, seen: &mut Seen) -> Result<Mask> {
    let depth = match picture.format.depth {
        Depth::U8 => Depth::U8,
        Depth::U16 => Depth::U16,
        Depth::F16 | Depth::F32 => Depth::F32,
    };
    let mut mask = Mask::new(picture.width, picture.height, depth)?;
    let mut values = mend::memory::with_capacity(picture.width as usize, "a row")?;
    let reading = Reading {
        format: picture.format,
        rule,
        invert,
        lossy: picture.lossy,
    };
    for (y, row) in picture.data.chunks_exact(picture.row_bytes()).enumerate() {
        reading.row(row, &mut values, seen);
        mask.put(y, &values);
    }
    Ok(mask)
}

impl Seen {
    /// A stencil, painted in one colour on nothing: its lightness says nothing.
    fn wants_alpha(&self) -> bool {
        self.clear && !self.varied
    }
}

/// How pixels become values.
#[derive(Clone, Copy)]
struct Reading {
    format: PixelFormat,
    rule: Rule,
    invert: bool,
    lossy: bool,
}

impl Reading {
    /// A row's values.
    fn row(&self, row: &[u8], values: &mut Vec<f64>, seen: &mut Seen) {
        values.clear();
        let pixel = self.format.bytes();
        // Most rows of most masks are of one colour.
        if row[pixel..] == row[..row.len() - pixel] {
            let v = self.value(&row[..pixel], seen);
            values.resize(row.len() / pixel, v);
            return;
        }
        values.extend(row.chunks_exact(pixel).map(|p| self.value(p, seen)));
    }

    /// The mask's value at a pixel, `0.0 ..= 1.0`; NaN stays NaN, for the library to refuse.
    fn value(&self, pixel: &[u8], seen: &mut Seen) -> f64 {
        let Self {
            format,
            rule,
            invert,
            lossy,
        } = *self;
        value(pixel, format, rule, invert, lossy, seen)
    }
}

fn value(
    pixel: &[u8],
    format: PixelFormat,
    rule: Rule,
    invert: bool,
    lossy: bool,
    seen: &mut Seen,
) -> f64 {
    let at = |i: usize| sample(pixel, format.depth, i);
    let light = match format.layout {
        Layout::Gray | Layout::GrayA => at(0),
        // Luma of ITU-R BT.601.
        _ => 0.299 * at(0) + 0.587 * at(1) + 0.114 * at(2),
    };
    let alpha = if format.layout.has_alpha() {
        at(format.layout.channels() - 1)
    } else {
        1.0
    };
    if alpha < 1.0 {
        seen.clear = true;
    }
    if alpha > 0.0 {
        match seen.light {
            None => seen.light = Some(light),
            // Rounding in a premultiplied editor moves a colour a little.
            Some(first) => seen.varied |= (first - light).abs() > 0.02,
        }
    }
    let mut v = match rule {
        Rule::Light if format.premultiplied => light,
        Rule::Light => light * alpha,
        Rule::Alpha => alpha,
    };
    if lossy {
        if v < RINGING {
            v = 0.0;
        } else if v > 1.0 - RINGING {
            v = 1.0;
        }
    }
    if invert {
        v = 1.0 - v;
    }
    if v.is_nan() { v } else { v.clamp(0.0, 1.0) }
}

/// Sample `i` as a share of the largest value.
fn sample(pixel: &[u8], depth: Depth, i: usize) -> f64 {
    let b = &pixel[i * depth.bytes()..];
    match depth {
        Depth::U8 => f64::from(b[0]) / 255.0,
        Depth::U16 => f64::from(u16::from_ne_bytes([b[0], b[1]])) / 65_535.0,
        Depth::F16 => f16::from_ne_bytes([b[0], b[1]]).to_f64(),
        Depth::F32 => f64::from(f32::from_ne_bytes([b[0], b[1], b[2], b[3]])),
    }
}

/// The mask that a picture's own alpha makes: every pixel that is not opaque is filled, to become
/// as opaque as what is around it.
///
/// # Errors
/// [`ErrorKind::Mask`] where the picture has no alpha, [`ErrorKind::Memory`].
pub fn of_alpha(source: &Source<'_>, picture: &Picture, invert: bool) -> Result<Mask> {
    if !picture.format.layout.has_alpha() {
        return Err(Error::new(
            ErrorKind::Mask,
            format!(
                "{} has no transparency that could be its mask: give a mask picture",
                source.path.display()
            ),
        ));
    }
    let mut mask = Mask::new(picture.width, picture.height, Depth::U8)?;
    let mut row = mend::memory::with_capacity(picture.width as usize, "a row")?;
    let (format, last) = (picture.format, picture.format.layout.channels() - 1);
    for (y, line) in picture.data.chunks_exact(picture.row_bytes()).enumerate() {
        row.clear();
        for pixel in line.chunks_exact(format.bytes()) {
            let opaque = sample(pixel, format.depth, last) >= 1.0;
            row.push(if opaque == invert { 255 } else { 0 });
        }
        mask.put_bytes(y, &row);
    }
    Ok(mask)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Kind;

    fn of(layout: Layout, data: &[u8], lossy: bool) -> Mask {
        let format = PixelFormat::new(layout, Depth::U8);
        let width = data.len() / format.bytes();
        let mut picture = Picture::new(Kind::Png, width as u32, 1, format, data.to_vec());
        picture.lossy = lossy;
        let mut seen = Seen::default();
        let light = of_picture(&picture, Rule::Light, false, &mut seen).unwrap();
        if seen.wants_alpha() {
            of_picture(&picture, Rule::Alpha, false, &mut seen).unwrap()
        } else {
            light
        }
    }

    #[test]
    fn any_colour_selects_however_dark() {
        assert_eq!(of(Layout::Rgb, &[0, 0, 1, 0, 0, 0], false).data, [1, 0]);
        assert_eq!(of(Layout::Gray, &[0, 7, 255], false).data, [0, 7, 255]);
    }

    #[test]
    fn a_stencil_selects_by_its_opacity_and_a_picture_by_its_light() {
        // Black strokes on nothing.
        assert_eq!(
            of(Layout::GrayA, &[0, 0, 0, 255, 0, 128], false).data,
            [0, 255, 128]
        );
        // White on opaque black, with one clear pixel.
        assert_eq!(
            of(Layout::GrayA, &[0, 255, 255, 255, 9, 0], false).data,
            [0, 255, 0]
        );
        // All opaque and all white: everything is selected.
        assert_eq!(
            of(Layout::GrayA, &[255, 255, 255, 255], false).data,
            [255, 255]
        );
    }

    #[test]
    fn ringing_is_no_selection() {
        assert_eq!(
            of(Layout::Gray, &[3, 31, 128, 250], true).data,
            [0, 0, 128, 255]
        );
    }

    #[test]
    fn an_inverted_mask_of_nothing_is_everything() {
        let format = PixelFormat::new(Layout::Gray, Depth::U16);
        let picture = Picture::new(Kind::Png, 2, 1, format, vec![0, 0, 0xff, 0xff]);
        let mask = of_picture(&picture, Rule::Light, true, &mut Seen::default()).unwrap();
        assert_eq!(mask.data, [0xff, 0xff, 0, 0]);
    }
}
