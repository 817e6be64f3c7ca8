//! Masks: how much of each pixel is to be replaced.
#![forbid(unsafe_code)]

use super::{Depth, ImageView, Layout, PixelFormat, Plane, Rect, disk};
use crate::error::{Error, ErrorKind, Result};
use crate::memory;

/// A caller's mask: one gray channel of any depth but f16, the image's size; 0 keeps the pixel, the
/// largest value (255, 65535, 1.0) replaces it, between is a partial replacement. Floats beyond
/// `0.0 ..= 1.0` count as the nearer end. The linear and premultiplied flags mean nothing here.
#[derive(Clone, Copy, Debug)]
pub struct MaskView<'a> {
    view: ImageView<'a>,
    /// On a canvas, where the picture lies that the mask is for: all that is around it is selected.
    kept: Option<Rect>,
}

/// Coverage of a crop: `0.0` keeps the pixel's bits, `1.0` replaces it.
pub type Coverage = Plane<f32>;

impl<'a> MaskView<'a> {
    /// Takes a gray view as a mask.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Mask`] for another layout and for f16.
    pub fn new(view: ImageView<'a>) -> Result<Self> {
        let format = view.format();
        let channels = format.layout.channels();
        let wrong = if format.layout != Layout::Gray {
            format!("it has {channels} channels")
        } else if format.depth == Depth::F16 {
            "it is 16-bit float".to_owned()
        } else {
            return Ok(Self { view, kept: None });
        };
        Err(Error::new(
            ErrorKind::Mask,
            format!(
                "the mask cannot be used: {wrong}; give one gray channel of 8 or 16 bits or \
                 32-bit float"
            ),
        ))
    }

    /// The mask of a picture of `width` × `height` that selects nothing. It takes no memory.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Mask`] when a size is zero or over 2^20.
    pub fn nothing(width: u32, height: u32) -> Result<Self> {
        let format = PixelFormat::new(Layout::Gray, Depth::U8);
        let view = ImageView::unstored(width, height, format)
            .map_err(|e| Error::new(ErrorKind::Mask, e.message()))?;
        Ok(Self { view, kept: None })
    }

    /// The mask of the same picture on a canvas of `width` × `height`, with its corner at (`x`, `y`): what
    /// is around it is selected, too.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Image`] when it does not fit there.
    pub(crate) fn placed(&self, width: u32, height: u32, x: u32, y: u32) -> Result<Self> {
        Ok(Self {
            kept: Some(Rect::new(x, y, self.width(), self.height())),
            view: self.view.placed(width, height, x, y)?,
        })
    }

    /// Columns.
    pub fn width(&self) -> u32 {
        self.view.width()
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.view.height()
    }

    /// Calls `run(x, end)` for each stretch of non-zero pixels of row `y`, left to right. NaN counts
    /// as non-zero.
    pub fn runs(&self, y: u32, run: &mut dyn FnMut(u32, u32)) {
        self.each_run(y, run);
    }

    /// As [`Self::runs`], compiled for the closure.
    pub(super) fn each_run(&self, y: u32, mut run: impl FnMut(u32, u32)) {
        let Some(kept) = self.kept else {
            return self.each_own_run(y, run);
        };
        if !(kept.y..kept.bottom()).contains(&y) {
            return run(0, self.width());
        }
        // Runs that touch what is around are one with it.
        let mut open = (0, kept.x);
        self.each_own_run(y, |x, end| {
            if x == open.1 {
                open.1 = end;
            } else {
                if open.0 < open.1 {
                    run(open.0, open.1);
                }
                open = (x, end);
            }
        });
        if open.1 == kept.right() {
            open.1 = self.width();
        } else {
            if open.0 < open.1 {
                run(open.0, open.1);
            }
            open = (kept.right(), self.width());
        }
        if open.0 < open.1 {
            run(open.0, open.1);
        }
    }

    /// The runs of what the mask itself says.
    fn each_own_run(&self, y: u32, mut run: impl FnMut(u32, u32)) {
        let (first, bytes) = self.view.stored(y, 0, self.width());
        let run = |x: u32, end: u32| run(first + x, first + end);
        match self.view.format().depth {
            Depth::U8 => each_run::<1>(bytes, |b| b[0] != 0, run),
            Depth::U16 | Depth::F16 => each_run::<2>(bytes, |b| *b != [0; 2], run),
            Depth::F32 => each_run::<4>(
                bytes,
                |b| {
                    let v = f32::from_ne_bytes(*b);
                    v > 0.0 || v.is_nan()
                },
                run,
            ),
        }
    }

    /// [`ErrorKind::Mask`] if a pixel of these runs of row `y` is NaN.
    pub(super) fn check_nan(&self, y: u32, runs: &[(u32, u32)]) -> Result<()> {
        if self.view.format().depth != Depth::F32 {
            return Ok(());
        }
        for &(x, end) in runs {
            let (first, bytes) = self.view.stored(y, x, end);
            let mut part = bytes.as_chunks::<4>().0.iter();
            if let Some(at) = part.position(|b| f32::from_ne_bytes(*b).is_nan()) {
                return Err(self.nan(first as usize + at, y));
            }
        }
        Ok(())
    }

    /// The coverage of `rect`, after growing the mask by a disk of radius `grow` pixels and then
    /// softening its edge inwards over `feather` pixels (nothing outside the grown mask changes).
    ///
    /// Growing takes the largest value within the disk. Softening multiplies by a smooth ramp of
    /// the distance to the nearest pixel outside the grown mask. The image's border is no edge: a
    /// mask that touches it is not softened there. On a canvas, what is around the picture is selected
    /// whole: it neither grows into the picture nor has an edge.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Mask`] for NaN; [`crate::ErrorKind::Argument`] when `rect` leaves the
    /// mask; [`crate::ErrorKind::Memory`].
    pub fn coverage(&self, rect: Rect, grow: u32, feather: u32) -> Result<Coverage> {
        let (w, h) = (u64::from(self.width()), u64::from(self.height()));
        if u64::from(rect.x) + u64::from(rect.width) > w
            || u64::from(rect.y) + u64::from(rect.height) > h
        {
            return Err(Error::new(
                ErrorKind::Argument,
                format!(
                    "the rectangle {}×{} at ({}, {}) does not fit the mask of {w}×{h}",
                    rect.width, rect.height, rect.x, rect.y
                ),
            ));
        }
        match self.view.format().depth {
            Depth::U8 => self.coverage_as::<u8>(rect, grow, feather),
            Depth::U16 | Depth::F16 => self.coverage_as::<u16>(rect, grow, feather),
            Depth::F32 => self.coverage_as::<f32>(rect, grow, feather),
        }
    }

    fn coverage_as<T: Level>(&self, rect: Rect, grow: u32, feather: u32) -> Result<Coverage> {
        let (w, h) = (self.width(), self.height());
        // A pixel's feather depends on the edge that lies up to `feather` away, and that edge on the
        // mask up to `grow` further.
        let edge = if feather > 0 {
            feather.saturating_add(1)
        } else {
            0
        };
        let middle = rect.grown_within(edge, w, h);
        let outer = middle.grown_within(grow, w, h);
        let mut values = self.load::<T>(outer)?;
        // What is grown may not leave the picture, nor what is around it grow: that is laid in below.
        if grow > 0 && !rect.is_empty() {
            let to = Rect::new(
                middle.x - outer.x,
                middle.y - outer.y,
                middle.width,
                middle.height,
            );
            values = disk::dilate(&values, to, grow)?;
        }
        let around = |at: Rect, y: usize| {
            let kept = self.kept?;
            let y = at.y + y as u32;
            let inside = match (kept.y..kept.bottom()).contains(&y) {
                true => kept.intersect(&Rect::new(at.x, y, at.width, 1)),
                false => Rect::default(),
            };
            // All of the row where none of the picture's is in it.
            let (from, to) = match inside.is_empty() {
                true => (at.width, at.width),
                false => (inside.x - at.x, inside.right() - at.x),
            };
            Some((from as usize, to as usize))
        };
        for y in 0..middle.height as usize {
            if let Some((from, to)) = around(middle, y) {
                let row = values.row_mut(y);
                row[..from].fill(T::FULL);
                row[to..].fill(T::FULL);
            }
        }
        let (dx, dy) = ((rect.x - middle.x) as usize, (rect.y - middle.y) as usize);
        let (cw, ch) = (rect.width as usize, rect.height as usize);
        let mut coverage = Plane::filled(cw, ch, 0.0f32, "the region's mask")?;
        for y in 0..ch {
            let row = &values.row(y + dy)[dx..dx + cw];
            for (c, v) in coverage.row_mut(y).iter_mut().zip(row) {
                *c = v.coverage();
            }
        }
        if feather > 0 && !rect.is_empty() {
            let what = "the mask's feather";
            let mut inside = memory::with_capacity(values.data.len(), what)?;
            inside.extend(values.data.iter().map(|v| u8::from(*v > T::default())));
            let (width, height) = (values.width, values.height);
            drop(values);
            let inside = Plane {
                width,
                height,
                data: inside,
            };
            let inner = Rect::new(dx as u32, dy as u32, rect.width, rect.height);
            disk::each_depth(&inside, inner, feather, |y, depths| {
                // Where there is nothing under the fill it does not fade.
                let (from, to) = around(rect, y).unwrap_or((0, cw));
                let row = coverage.row_mut(y)[from..to].iter_mut();
                for (c, squared) in row.zip(&depths[from..to]) {
                    *c *= ramp(*squared, feather);
                }
            })?;
        }
        Ok(coverage)
    }

    fn load<T: Level>(&self, rect: Rect) -> Result<Plane<T>> {
        let (w, h) = (rect.width as usize, rect.height as usize);
        let mut values = Plane::filled(w, h, T::default(), "the region's mask")?;
        for y in 0..h {
            let row = rect.y + y as u32;
            let (first, bytes) = self.view.stored(row, rect.x, rect.right());
            let start = (first - rect.x) as usize;
            let own = start..start + bytes.len() / size_of::<T>();
            if let Some(x) = T::load(bytes, &mut values.row_mut(y)[own]) {
                return Err(self.nan(first as usize + x, row));
            }
        }
        Ok(values)
    }

    /// A pixel is NaN, by its place in the canvas; the caller knows it by that in the mask.
    fn nan(&self, x: usize, y: u32) -> Error {
        let kept = self.kept.unwrap_or_default();
        nan(x - kept.x as usize, y - kept.y)
    }
}

/// The share kept of a pixel whose squared distance to the nearest pixel outside is `squared`: over
/// 0 next to the edge, 1 from `feather + 1` on.
fn ramp(squared: u64, feather: u32) -> f32 {
    let end = f64::from(feather) + 1.0;
    let t = ((squared as f64).sqrt() / end).min(1.0);
    (t * t * (3.0 - 2.0 * t)) as f32
}

fn nan(x: usize, y: u32) -> Error {
    Error::new(
        ErrorKind::Mask,
        format!("the mask's pixel at ({x}, {y}) is NaN: give values from 0 to 1"),
    )
}

/// A mask value in its own number type.
pub(super) trait Level: Copy + PartialOrd + Default {
    /// Replaces the pixel.
    const FULL: Self;

    /// Reads `out.len()` values; the first that is NaN, if any.
    fn load(bytes: &[u8], out: &mut [Self]) -> Option<usize>;

    /// As a share, `0.0 ..= 1.0`.
    fn coverage(self) -> f32;
}

impl Level for u8 {
    const FULL: Self = Self::MAX;

    fn load(bytes: &[u8], out: &mut [Self]) -> Option<usize> {
        out.copy_from_slice(&bytes[..out.len()]);
        None
    }

    fn coverage(self) -> f32 {
        f32::from(self) / 255.0
    }
}

impl Level for u16 {
    const FULL: Self = Self::MAX;

    fn load(bytes: &[u8], out: &mut [Self]) -> Option<usize> {
        for (v, b) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
            *v = Self::from_ne_bytes(*b);
        }
        None
    }

    fn coverage(self) -> f32 {
        f32::from(self) / 65535.0
    }
}

impl Level for f32 {
    const FULL: Self = 1.0;

    fn load(bytes: &[u8], out: &mut [Self]) -> Option<usize> {
        for (v, b) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *v = Self::from_ne_bytes(*b).clamp(0.0, 1.0);
        }
        out.iter().position(|v| v.is_nan())
    }

    fn coverage(self) -> f32 {
        self
    }
}

/// Calls `run` for each stretch of values of `N` bytes for which `selected` holds. All zero bytes
/// must mean not selected.
#[inline(always)]
fn each_run<const N: usize>(
    bytes: &[u8],
    selected: impl Fn(&[u8; N]) -> bool,
    mut run: impl FnMut(u32, u32),
) {
    const BLOCK: usize = 32;
    let values = bytes.as_chunks::<N>().0;
    let mut x = 0;
    while x < values.len() {
        match first_non_zero(&bytes[x * N..]) {
            Some(skip) => x += skip / N,
            None => return,
        }
        if x >= values.len() || !selected(&values[x]) {
            x += 1;
            continue;
        }
        let start = x;
        // Whole blocks first: the test without an early exit vectorises.
        for block in values[x..].chunks_exact(BLOCK) {
            if block.iter().fold(false, |out, v| out | !selected(v)) {
                break;
            }
            x += BLOCK;
        }
        x = values[x..]
            .iter()
            .position(|v| !selected(v))
            .map_or(values.len(), |n| x + n);
        run(start as u32, x as u32);
    }
}

/// Where the first byte that is not zero stands.
#[inline]
fn first_non_zero(bytes: &[u8]) -> Option<usize> {
    const BLOCK: usize = 64;
    // A dense mask finds its next run right away; only a long gap is worth the blocks.
    let near = bytes.len().min(16);
    if let Some(at) = bytes[..near].iter().position(|b| *b != 0) {
        return Some(at);
    }
    let mut at = near;
    for block in bytes[near..].chunks_exact(BLOCK) {
        if block.iter().fold(0, |any, b| any | b) != 0 {
            break;
        }
        at += BLOCK;
    }
    bytes[at..].iter().position(|b| *b != 0).map(|n| at + n)
}
