//! Between the caller's pixel format and the working picture, at the caller's own depth.
#![forbid(unsafe_code)]

use super::{
    Coverage, Depth, ImageView, ImageViewMut, Layout, PixelFormat, Plane, Rect, RgbImage, RunMask,
    sample, transfer,
};
use crate::error::{Error, ErrorKind, Result};
use crate::memory;

/// A crop of the caller's picture in working form.
#[derive(Clone, Debug)]
pub struct Working {
    /// Display-encoded colour, straight (not premultiplied). Where alpha is 0 it is black.
    pub rgb: RgbImage,
    /// Alpha `0.0 ..= 1.0`, or `None` for formats without.
    pub alpha: Option<Plane<f32>>,
}

/// Reads `rect` of `view` into working form.
///
/// A pixel that `hole` covers fully may hold anything, NaN too: it reads as black, alpha 1. Gray
/// reads as three equal channels. Premultiplied integers with a colour above their alpha, which mean
/// nothing, read as 1.
///
/// # Errors
/// [`crate::ErrorKind::Image`] naming the first pixel that is NaN or infinite outside the fully
/// covered hole; [`crate::ErrorKind::Argument`] when `rect` leaves the picture or `hole` has not its
/// size; [`crate::ErrorKind::Memory`].
pub fn read_working(view: &ImageView<'_>, rect: Rect, hole: &Coverage) -> Result<Working> {
    check(view.bounds(), rect, hole)?;
    let format = view.format();
    let (w, h) = (rect.width as usize, rect.height as usize);
    let channels = format.layout.channels();
    let mut rgb = RgbImage::black(w, h, "a crop of the image")?;
    let mut alpha = if format.layout.has_alpha() {
        Some(Plane::filled(w, h, 1.0f32, "a crop of the image's alpha")?)
    } else {
        None
    };
    let mut raw = memory::filled(w.saturating_mul(channels), 0.0f32, "a row of the image")?;
    for y in 0..h {
        load_row(view, rect, y, &mut raw);
        let hole = hole.row(y);
        if matches!(format.depth, Depth::F16 | Depth::F32)
            && !all_finite(&raw)
            && let Some(x) = first_strange(raw.chunks_exact(channels).zip(hole))
        {
            return Err(not_finite(view, rect.x as usize + x, rect.y as usize + y));
        }
        let alpha = alpha.as_mut().map(|a| a.row_mut(y));
        split(format, &raw, rgb.row_mut(y), alpha, hole);
    }
    Ok(Working { rgb, alpha })
}

/// The alpha of `rect`, `0.0 ..= 1.0`, as far as that lies in the picture; `None` for formats without.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn read_alpha(view: &ImageView<'_>, rect: Rect) -> Result<Option<Plane<f32>>> {
    let rect = rect.intersect(&view.bounds());
    let format = view.format();
    if !format.layout.has_alpha() {
        return Ok(None);
    }
    let (w, h) = (rect.width as usize, rect.height as usize);
    let mut alpha = Plane::filled(w, h, 1.0f32, "a crop of the image's alpha")?;
    let channels = format.layout.channels();
    let mut raw = memory::filled(w.saturating_mul(channels), 0.0f32, "a row of the image")?;
    for y in 0..h {
        load_row(view, rect, y, &mut raw);
        for (a, p) in alpha.row_mut(y).iter_mut().zip(raw.chunks_exact(channels)) {
            *a = p[channels - 1].clamp(0.0, 1.0);
        }
    }
    Ok(Some(alpha))
}

/// Whether all pixels of `rect` that `mask` does not select have the same alpha; so they do in formats
/// without.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn even_alpha(view: &ImageView<'_>, rect: Rect, mask: &RunMask) -> Result<bool> {
    let rect = rect.intersect(&view.bounds());
    let format = view.format();
    if !format.layout.has_alpha() {
        return Ok(true);
    }
    let channels = format.layout.channels();
    let w = rect.width as usize;
    let mut raw = memory::filled(w.saturating_mul(channels), 0.0f32, "a row of the image")?;
    let mut first = None;
    for y in 0..rect.height {
        load_row(view, rect, y as usize, &mut raw);
        let runs = mask.row(rect.y + y);
        let mut next = runs.partition_point(|&(_, end)| end <= rect.x);
        for (x, pixel) in (rect.x..).zip(raw.chunks_exact(channels)) {
            while runs.get(next).is_some_and(|run| run.1 <= x) {
                next += 1;
            }
            let selected = runs.get(next).is_some_and(|run| run.0 <= x);
            let alpha = pixel[channels - 1];
            if !selected && *first.get_or_insert(alpha) != alpha {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// The pixels of `rect` that hold a value that is NaN or infinite, or that are not in memory; `None` where
/// all are finite.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn not_numbers(view: &ImageView<'_>, rect: Rect) -> Result<Option<Plane<u8>>> {
    let rect = rect.intersect(&view.bounds());
    let format = view.format();
    let window = rect.intersect(&view.window());
    if window == rect && !matches!(format.depth, Depth::F16 | Depth::F32) {
        return Ok(None);
    }
    let (w, h) = (rect.width as usize, rect.height as usize);
    let channels = format.layout.channels();
    let mut raw = memory::filled(w.saturating_mul(channels), 0.0f32, "a row of the image")?;
    let mut found: Option<Plane<u8>> = None;
    for y in 0..h {
        load_row(view, rect, y, &mut raw);
        let stored = match (window.y..window.bottom()).contains(&(rect.y + y as u32)) {
            true => (window.x - rect.x) as usize..(window.right() - rect.x) as usize,
            false => 0..0,
        };
        if stored.len() == w && all_finite(&raw) {
            continue;
        }
        let mut plane = match found.take() {
            Some(plane) => plane,
            None => Plane::filled(w, h, 0u8, "the pixels that are no numbers")?,
        };
        let pixels = plane.row_mut(y).iter_mut().zip(raw.chunks_exact(channels));
        for (x, (f, p)) in pixels.enumerate() {
            *f = u8::from(!stored.contains(&x) || !all_finite(p));
        }
        found = Some(plane);
    }
    Ok(found)
}

/// Refuses what [`read_working`] refuses of `rect`. `hole` makes its coverage, where that matters.
///
/// # Errors
/// [`crate::ErrorKind::Image`], and what `hole` returns.
pub fn check_finite(
    view: &ImageView<'_>,
    rect: Rect,
    hole: impl FnOnce() -> Result<Coverage>,
) -> Result<()> {
    let format = view.format();
    let channels = format.layout.channels();
    let w = rect.width as usize;
    let mut raw = memory::filled(w.saturating_mul(channels), 0.0f32, "a row of the image")?;
    let mut hole = Some(hole);
    let mut coverage = None;
    for y in 0..rect.height as usize {
        load_row(view, rect, y, &mut raw);
        if all_finite(&raw) {
            continue;
        }
        if let Some(hole) = hole.take() {
            coverage = Some(hole()?);
        }
        let Some(coverage) = &coverage else { continue };
        let pixels = raw.chunks_exact(channels).zip(coverage.row(y));
        if let Some(x) = first_strange(pixels) {
            return Err(not_finite(view, rect.x as usize + x, rect.y as usize + y));
        }
    }
    Ok(())
}

/// The first pixel that is no number and not replaced whole.
fn first_strange<'a>(mut pixels: impl Iterator<Item = (&'a [f32], &'a f32)>) -> Option<usize> {
    pixels.position(|(p, c)| *c < 1.0 && !all_finite(p))
}

/// Whether a pixel of `x .. end` of row `y` is not wholly transparent.
pub fn opaque_within(view: &ImageView<'_>, y: u32, x: u32, end: u32) -> bool {
    let format = view.format();
    if !format.layout.has_alpha() {
        return x < end;
    }
    let (channels, pixel) = (format.layout.channels(), format.bytes());
    let mut values = [0.0f32; 4];
    let row = view.stored(y, x, end).1;
    row.chunks_exact(pixel).any(|bytes| {
        let values = &mut values[..channels];
        sample::load(format.depth, bytes, values);
        values[channels - 1] > 0.0
    })
}

/// Blends `filled` into `rect` of `dst` by `coverage`: 0 leaves the pixel's bits as they are, 1
/// replaces it, between is a mix in the image's own encoding, premultiplied by alpha.
///
/// Gray formats take the Rec. 709 luma of the encoded colour. A value that the format cannot hold
/// becomes the nearest one that it can.
///
/// # Errors
/// [`crate::ErrorKind::Argument`] when `rect` leaves the picture or the sizes differ;
/// [`crate::ErrorKind::Memory`]. Nothing is written then.
pub fn write_back(
    dst: &mut ImageViewMut<'_>,
    rect: Rect,
    filled: &Working,
    coverage: &Coverage,
) -> Result<()> {
    check(dst.as_view().bounds(), rect, coverage)?;
    let (w, h) = (rect.width as usize, rect.height as usize);
    let same = |width, height, len, each| width == w && height == h && len == w * h * each;
    let rgb = &filled.rgb;
    if !same(rgb.width, rgb.height, rgb.data.len(), 3)
        || !filled
            .alpha
            .as_ref()
            .is_none_or(|a| same(a.width, a.height, a.data.len(), 1))
    {
        return Err(Error::new(
            ErrorKind::Argument,
            "the filled crop has another size than its rectangle",
        ));
    }
    let format = dst.format();
    let (channels, pixel) = (format.layout.channels(), format.bytes());
    let what = "a row of the result";
    let mut colour = memory::filled(w.saturating_mul(3), 0.0f32, what)?;
    let mut new = memory::filled(w.saturating_mul(channels), 0.0f32, what)?;
    let mut old = memory::filled(w.saturating_mul(channels), 0.0f32, what)?;
    for y in 0..h {
        let coverage = coverage.row(y);
        let row = dst.row_mut(rect.y + y as u32);
        let mut end = 0;
        while let Some(skip) = coverage[end..].iter().position(|c| *c > 0.0) {
            let start = end + skip;
            end = coverage[start..]
                .iter()
                .position(|c| *c <= 0.0 || c.is_nan())
                .map_or(w, |n| start + n);
            let n = end - start;
            let bytes = &mut row[(rect.x as usize + start) * pixel..][..n * pixel];
            let colour = &mut colour[..n * 3];
            colour.copy_from_slice(&rgb.row(y)[start * 3..end * 3]);
            let alpha = filled.alpha.as_ref().map(|a| &a.row(y)[start..end]);
            let new = &mut new[..n * channels];
            join(format, colour, alpha, new);
            let part = &coverage[start..end];
            if part.iter().any(|c| *c < 1.0) {
                let old = &mut old[..n * channels];
                sample::load(format.depth, bytes, old);
                mix(format, old, new, part);
            } else if format.premultiplied && format.layout.has_alpha() {
                premultiply(new, channels);
            }
            sample::store(format.depth, new, bytes);
        }
    }
    Ok(())
}

fn check(bounds: Rect, rect: Rect, coverage: &Coverage) -> Result<()> {
    let fits = |at: u32, len: u32, all: u32| u64::from(at) + u64::from(len) <= u64::from(all);
    let (w, h) = (rect.width as usize, rect.height as usize);
    if fits(rect.x, rect.width, bounds.width)
        && fits(rect.y, rect.height, bounds.height)
        && (coverage.width, coverage.height) == (w, h)
        && coverage.data.len() == w * h
    {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Argument,
        format!(
            "the rectangle {}×{} at ({}, {}) with a mask of {}×{} does not fit the image of {}×{}",
            rect.width,
            rect.height,
            rect.x,
            rect.y,
            coverage.width,
            coverage.height,
            bounds.width,
            bounds.height
        ),
    ))
}

fn not_finite(view: &ImageView<'_>, x: usize, y: usize) -> Error {
    // The caller knows it by its place in the picture and not on a canvas.
    let window = view.window();
    let (x, y) = (x - window.x as usize, y - window.y as usize);
    Error::new(
        ErrorKind::Image,
        format!(
            "the image's pixel at ({x}, {y}) is NaN or infinite: replace such pixels first, or \
             select them too"
        ),
    )
}

/// Reads `rect`'s row `y`; pixels that are not in memory are 0.
fn load_row(view: &ImageView<'_>, rect: Rect, y: usize, raw: &mut [f32]) {
    let format = view.format();
    let (first, bytes) = view.stored(rect.y + y as u32, rect.x, rect.right());
    let (channels, count) = (format.layout.channels(), bytes.len() / format.bytes());
    if count < rect.width as usize {
        raw.fill(0.0);
    }
    let start = (first - rect.x) as usize * channels;
    let own = &mut raw[start..start + count * channels];
    sample::load(format.depth, bytes, own);
}

fn all_finite(values: &[f32]) -> bool {
    // A sum over comparisons vectorises where `all` stops at the first.
    values
        .iter()
        .map(|v| u32::from(!v.is_finite()))
        .fold(0, |a, b| a | b)
        == 0
}

/// Channel values of a row to working colour and alpha.
fn split(
    format: PixelFormat,
    raw: &[f32],
    rgb: &mut [f32],
    mut alpha: Option<&mut [f32]>,
    hole: &[f32],
) {
    match format.layout {
        Layout::Gray => pick::<1>(raw, rgb, [0, 0, 0]),
        Layout::GrayA => pick::<2>(raw, rgb, [0, 0, 0]),
        Layout::Rgb => rgb.copy_from_slice(raw),
        Layout::Bgr => pick::<3>(raw, rgb, [2, 1, 0]),
        Layout::Rgba => pick::<4>(raw, rgb, [0, 1, 2]),
        Layout::Bgra => pick::<4>(raw, rgb, [2, 1, 0]),
    }
    if let Some(alpha) = &mut alpha {
        let channels = format.layout.channels();
        // A colour above its alpha has no meaning in integers; in floats it is a light.
        let top = match format.depth {
            Depth::U8 | Depth::U16 => 1.0,
            Depth::F16 | Depth::F32 => f32::MAX,
        };
        let pixels = raw.chunks_exact(channels);
        for ((p, c), a) in pixels.zip(rgb.as_chunks_mut::<3>().0).zip(alpha.iter_mut()) {
            let raw = p[channels - 1];
            *a = raw.clamp(0.0, 1.0);
            if raw <= 0.0 {
                *c = [0.0; 3];
            } else if format.premultiplied {
                *c = c.map(|v| (v / raw).clamp(-f32::MAX, top));
            }
        }
    }
    if format.linear {
        transfer::encode_all(rgb);
    }
    for (c, h) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(hole) {
        if *h >= 1.0 {
            *c = [0.0; 3];
        }
    }
    if let Some(alpha) = alpha {
        for (a, h) in alpha.iter_mut().zip(hole) {
            if *h >= 1.0 {
                *a = 1.0;
            }
        }
    }
}

#[inline(always)]
fn pick<const N: usize>(raw: &[f32], rgb: &mut [f32], order: [usize; 3]) {
    for (p, c) in raw
        .as_chunks::<N>()
        .0
        .iter()
        .zip(rgb.as_chunks_mut::<3>().0)
    {
        *c = order.map(|i| p[i]);
    }
}

/// Working colour and alpha to a row of channel values in the format's own encoding, straight.
/// `colour` is used up.
fn join(format: PixelFormat, colour: &mut [f32], alpha: Option<&[f32]>, new: &mut [f32]) {
    let gray = matches!(format.layout, Layout::Gray | Layout::GrayA);
    if gray {
        for c in colour.as_chunks_mut::<3>().0 {
            // Rec. 709 luma, written so that three equal channels give just that value; adding
            // the differences of 0 would lose the sign of -0.
            let [r, g, b] = *c;
            let rest = 0.2126 * (r - g) + 0.0722 * (b - g);
            *c = [if rest == 0.0 { g } else { g + rest }; 3];
        }
    }
    if format.linear {
        transfer::decode_all(colour);
    }
    if matches!(format.depth, Depth::U8 | Depth::U16) {
        for v in colour.iter_mut() {
            let x = if *v > 0.0 { *v } else { 0.0 };
            *v = if x < 1.0 { x } else { 1.0 };
        }
    }
    match format.layout {
        Layout::Gray => place::<1>(colour, new, [0, 0, 0]),
        Layout::GrayA => place::<2>(colour, new, [0, 0, 0]),
        Layout::Rgb => new.copy_from_slice(colour),
        Layout::Bgr => place::<3>(colour, new, [2, 1, 0]),
        Layout::Rgba => place::<4>(colour, new, [0, 1, 2]),
        Layout::Bgra => place::<4>(colour, new, [2, 1, 0]),
    }
    if format.layout.has_alpha() {
        let channels = format.layout.channels();
        for (i, p) in new.chunks_exact_mut(channels).enumerate() {
            let a = alpha.map_or(1.0, |a| a[i]);
            p[channels - 1] = if a > 0.0 { a.min(1.0) } else { 0.0 };
        }
    }
}

#[inline(always)]
fn place<const N: usize>(colour: &[f32], new: &mut [f32], order: [usize; 3]) {
    for (c, p) in colour
        .as_chunks::<3>()
        .0
        .iter()
        .zip(new.as_chunks_mut::<N>().0)
    {
        for (v, i) in c.iter().zip(order) {
            p[i] = *v;
        }
    }
}

fn premultiply(row: &mut [f32], channels: usize) {
    for p in row.chunks_exact_mut(channels) {
        if let Some((a, colour)) = p.split_last_mut() {
            for v in colour {
                *v *= *a;
            }
        }
    }
}

/// Mixes `new` (straight) over `old` (as the format has it) by `coverage`, as the format has it.
fn mix(format: PixelFormat, old: &[f32], new: &mut [f32], coverage: &[f32]) {
    let channels = format.layout.channels();
    let pixels = old
        .chunks_exact(channels)
        .zip(new.chunks_exact_mut(channels));
    if !format.layout.has_alpha() {
        for ((o, n), &c) in pixels.zip(coverage) {
            if c < 1.0 {
                for (o, n) in o.iter().zip(n) {
                    *n = o + (*n - o) * c;
                }
            }
        }
        return;
    }
    for ((o, n), &c) in pixels.zip(coverage) {
        let (Some((&oa, o)), Some((na, n))) = (o.split_last(), n.split_last_mut()) else {
            continue;
        };
        let replace = c >= 1.0;
        // Weights rather than a difference: under a small alpha a difference would lose digits.
        let rest = 1.0 - c;
        let mixed = if replace || oa == *na {
            *na
        } else {
            oa * rest + *na * c
        };
        for (o, n) in o.iter().zip(n) {
            *n = match (replace, format.premultiplied) {
                (true, true) => *n * *na,
                (true, false) => *n,
                (false, true) => o * rest + *n * *na * c,
                // A transparent pixel has no colour that could shine through.
                (false, false) if mixed > 0.0 => {
                    let under = if oa > 0.0 { o * oa } else { 0.0 };
                    (under * rest + *n * *na * c) / mixed
                }
                (false, false) => 0.0,
            };
        }
        *na = mixed;
    }
}
