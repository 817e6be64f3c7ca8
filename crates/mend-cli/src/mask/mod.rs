//! Masks: from any picture file, or from a picture's own alpha, to one gray plane.
//!
//! A mask is mostly zeros. Its plane comes as zero pages that are never touched where nothing is
//! selected, so a small selection in a large picture costs no memory.
#![forbid(unsafe_code)]

mod fit;
mod levels;
mod survey;
mod value;

pub use fit::note as fit_note;
pub use levels::threshold;

use crate::files::{self, Picture, Source, Want, kind_of, png_rows, shielded, zeroed};
use levels::Levels;
use mend::pixels::{Depth, ImageView, Layout, MaskView, PixelFormat};
use mend::{Error, ErrorKind, Result};
use survey::Survey;
use value::{Reading, Rule, sample};

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
    /// What to say besides where it selects too much.
    pub advice: Option<String>,
    /// More than half of its file's pixels are neither black nor white, as in a photo.
    pub partial: bool,
}

/// How to read a mask.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// Fill where it is dark.
    pub invert: bool,
    /// The value from which on a pixel is selected, and wholly; without one, see `Levels::meant`.
    pub threshold: Option<f64>,
}

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
            advice: None,
            partial: false,
        })
    }

    /// The mask of a picture of this size that selects nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub fn nothing(width: u32, height: u32) -> Result<Self> {
        Self::new(width, height, Depth::U8)
    }

    /// The mask whose rows, of bytes, `row` gives.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub fn of_rows(width: u32, height: u32, row: impl Fn(u32) -> Vec<u8>) -> Result<Self> {
        let mut mask = Self::new(width, height, Depth::U8)?;
        for y in 0..height {
            mask.put_bytes(y as usize, &row(y));
        }
        Ok(mask)
    }

    /// Its values, row by row, of its depth.
    pub fn into_bytes(self) -> Vec<u8> {
        self.data
    }

    /// An error of the library with what is known of the mask, where it is about that.
    pub fn explain(&self, error: Error) -> Error {
        match (&self.advice, error.kind()) {
            (Some(advice), ErrorKind::Mask) => {
                Error::new(ErrorKind::Mask, format!("{error}; {advice}"))
            }
            _ => error,
        }
    }

    /// The mask, for the library.
    ///
    /// # Errors
    /// None that the checks on the way here leave.
    pub fn view(&self) -> Result<MaskView<'_>> {
        match self.empty {
            // Its zero pages need not be looked at.
            true => MaskView::nothing(self.width, self.height),
            false => MaskView::new(self.image()?),
        }
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

    /// The mask with its selected pixels moved, each to the place that `to` gives for its own, in a
    /// plane of the given size.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub fn moved(
        self,
        width: u32,
        height: u32,
        to: impl Fn(u32, u32) -> (u32, u32),
    ) -> Result<Self> {
        let mut moved = Self::new(width, height, self.depth)?;
        let bytes = self.depth.bytes();
        let row = (self.width as usize * bytes).max(1);
        for (y, line) in self.data.chunks_exact(row).enumerate() {
            for (x, value) in line.chunks_exact(bytes).enumerate() {
                if value.iter().any(|b| *b != 0) {
                    let (x, y) = to(x as u32, y as u32);
                    let at = (y as usize * width as usize + x as usize) * bytes;
                    moved.data[at..at + bytes].copy_from_slice(value);
                }
            }
        }
        moved.empty = self.empty;
        moved.notes = self.notes;
        moved.advice = self.advice;
        moved.partial = self.partial;
        Ok(moved)
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
pub fn read(source: &Source<'_>, how: How) -> Result<Mask> {
    if kind_of(source)? == files::Kind::Png
        && let Some(mask) = shielded(source, || read_png(source, how))?
    {
        return Ok(mask);
    }
    let picture = files::read(source, Want::Pixels)?;
    let mut mask = by_what_is_there(source, how, &mut |way, survey| {
        of_picture(&picture, way, survey).map(Some)
    })?
    .ok_or_else(|| Error::new(ErrorKind::Internal, "the mask was not read"))?;
    if picture.lossy && how.threshold.is_none() {
        mask.notes.push(format!(
            "{} is compressed with loss: its nearly black and nearly white values count as black \
             and white; a PNG mask is exact",
            source.path.display()
        ));
    }
    Ok(mask)
}

/// What is fixed before a way through the pixels.
#[derive(Clone, Copy, Debug)]
struct Way {
    rule: Rule,
    invert: bool,
    levels: Levels,
}

/// Reads as most masks are meant, and anew where what was seen says otherwise.
fn by_what_is_there(
    source: &Source<'_>,
    how: How,
    read: &mut dyn FnMut(Way, &mut Survey) -> Result<Option<Mask>>,
) -> Result<Option<Mask>> {
    let mut way = Way {
        rule: Rule::Light,
        invert: how.invert,
        levels: how.threshold.map_or(Levels::AsIs, Levels::Threshold),
    };
    let name = source.path.display();
    let mut notes = Vec::new();
    let mut seen = Survey::default();
    let Some(mut mask) = read(way, &mut seen)? else {
        return Ok(None);
    };
    let anew = if seen.is_stencil() {
        let colours = if seen.of_one_colour() {
            "of one colour"
        } else {
            "painted in colours on nothing"
        };
        notes.push(format!("{name} is {colours}, so its opacity is the mask"));
        Some(Rule::Opacity)
    } else {
        (how.invert && seen.is_on_white()).then_some(Rule::Ink)
    };
    if let Some(rule) = anew {
        way.rule = rule;
        seen = Survey::default();
        mask.data = Vec::new();
        match read(way, &mut seen)? {
            Some(read) => mask = read,
            None => return Ok(None),
        }
        // Opacity has no colour.
        seen.coloured &= rule != Rule::Opacity;
    }
    let depth = mask.depth;
    let inverted = how.invert && way.rule != Rule::Ink;
    let partial = seen.partial > seen.count / 2;
    if how.threshold.is_none() {
        let (levels, note) = Levels::meant(&seen, inverted, depth);
        if levels != Levels::AsIs {
            way.levels = levels;
            mask.data = Vec::new();
            match read(way, &mut Survey::default())? {
                Some(read) => mask = read,
                None => return Ok(None),
            }
        }
        notes.extend(note.map(|note| format!("the mask {name}: {note}")));
        mask.advice = levels::covers(&seen, inverted, depth);
    }
    mask.notes = notes;
    mask.partial = partial;
    Ok(Some(mask))
}

/// Row by row, without the whole picture ever being there; `None` where the file's rows do not come
/// in order.
fn read_png(source: &Source<'_>, how: How) -> Result<Option<Mask>> {
    by_what_is_there(source, how, &mut |way, survey| {
        read_png_by(source, way, survey)
    })
}

fn read_png_by(source: &Source<'_>, way: Way, survey: &mut Survey) -> Result<Option<Mask>> {
    struct Rows {
        mask: Mask,
        reading: Reading,
        values: Vec<f64>,
        samples: Vec<u8>,
    }
    let start = |width, height, format: PixelFormat| {
        Ok(Rows {
            mask: Mask::new(width, height, format.depth)?,
            reading: way.of(format, false),
            values: mend_infer::memory::with_capacity(width as usize, "a row")?,
            samples: mend_infer::memory::with_capacity(width as usize * format.bytes(), "a row")?,
        })
    };
    let rows = png_rows(source, start, |rows, y, bytes| {
        let format = rows.reading.format;
        // The common mask: its bytes are the plane's.
        let gray = format == PixelFormat::new(Layout::Gray, Depth::U8);
        if gray && !way.invert && way.levels == Levels::AsIs {
            survey.gray(bytes);
            rows.mask.put_bytes(y, bytes);
            return Ok(());
        }
        rows.samples.clear();
        rows.samples.extend_from_slice(bytes);
        if format.depth == Depth::U16 && cfg!(target_endian = "little") {
            rows.samples.chunks_exact_mut(2).for_each(|s| s.swap(0, 1));
        }
        rows.reading.row(&rows.samples, &mut rows.values, survey);
        rows.mask.put(y, &rows.values);
        Ok(())
    })?;
    Ok(rows.map(|rows| rows.mask))
}

fn of_picture(picture: &Picture, way: Way, survey: &mut Survey) -> Result<Mask> {
    let depth = match picture.format.depth {
        Depth::U8 => Depth::U8,
        Depth::U16 => Depth::U16,
        Depth::F16 | Depth::F32 => Depth::F32,
    };
    let mut mask = Mask::new(picture.width, picture.height, depth)?;
    let mut values = mend_infer::memory::with_capacity(picture.width as usize, "a row")?;
    let reading = way.of(picture.format, picture.lossy);
    for (y, row) in picture.data.chunks_exact(picture.row_bytes()).enumerate() {
        reading.row(row, &mut values, survey);
        mask.put(y, &values);
    }
    Ok(mask)
}

impl Way {
    /// For pixels of a format.
    fn of(self, format: PixelFormat, lossy: bool) -> Reading {
        Reading {
            format,
            rule: self.rule,
            invert: self.invert,
            lossy,
            levels: self.levels,
        }
    }
}

/// The mask that a picture's own alpha makes: every pixel that is not opaque (with a threshold: as
/// transparent as that) is filled, to become as opaque as what is around it.
///
/// # Errors
/// [`ErrorKind::Mask`] where the picture has no alpha, [`ErrorKind::Memory`].
pub fn of_alpha(source: &Source<'_>, picture: &Picture, how: How) -> Result<Mask> {
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
    let mut row = mend_infer::memory::with_capacity(picture.width as usize, "a row")?;
    let (format, last) = (picture.format, picture.format.layout.channels() - 1);
    for (y, line) in picture.data.chunks_exact(picture.row_bytes()).enumerate() {
        row.clear();
        for pixel in line.chunks_exact(format.bytes()) {
            let opacity = sample(pixel, format.depth, last);
            let clear = match how.threshold {
                Some(from) => 1.0 - opacity >= from,
                None => opacity < 1.0,
            };
            row.push(if clear != how.invert { 255 } else { 0 });
        }
        mask.put_bytes(y, &row);
    }
    Ok(mask)
}

#[cfg(test)]
mod tests;
