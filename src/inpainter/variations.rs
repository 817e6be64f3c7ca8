//! Fills of one hole to choose from, kept as no more than what is needed to write them.
#![forbid(unsafe_code)]

use super::Report;
use super::checks::needs_alpha;
use super::part::Part;
use crate::error::{Error, ErrorKind, Result};
use crate::memory;
use crate::pixels::{ImageView, ImageViewMut, PixelFormat, Rect};
use crate::plan::Canvas;
use std::cmp::Ordering;

/// Different fills of the same hole, the best first; made by [`super::Inpainter::vary`].
///
/// Of each only the pixels are held that it fills, in the picture's own format.
pub struct Variations {
    pub(super) kept: Kept,
    /// What was done. [`Report::scores`] has the scores of all fills that were made.
    pub report: Report,
}

impl Variations {
    /// How many there are: what the parameter `variations` says, at least 1.
    pub fn len(&self) -> usize {
        self.kept.list.len()
    }

    /// Always false: there is at least one.
    pub fn is_empty(&self) -> bool {
        self.kept.list.is_empty()
    }

    /// How well variation `number` goes with what is around the hole: from 0 on, and the lower the better.
    /// Only scores of one call can be compared. Variation 0 has the lowest; `None` from [`Self::len`] on.
    pub fn score(&self, number: usize) -> Option<f64> {
        self.kept.list.get(number).map(|one| one.score)
    }

    /// The size of the pictures that they are written to, and where the picture that was filled lies there: all
    /// of it, save with the parameter `expand`.
    pub fn canvas(&self) -> Canvas {
        self.kept.canvas
    }

    /// Writes variation `number` into `dst`, which holds the picture that was filled or another variation
    /// of it; with the parameter `expand` it has the size of [`Self::canvas`] and holds it there. Every pixel whose mask is 0 keeps its bits; with the parameter `result` at `layer` it becomes
    /// zero instead. Any of them may be written any number of times.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for a number that there is not; [`ErrorKind::Image`] when `dst` has not the
    /// size and format of the picture that was filled. `dst` is untouched then.
    pub fn apply(&self, number: usize, dst: &mut ImageViewMut<'_>) -> Result<()> {
        self.kept.apply(number, dst)
    }

    /// Refuses a number that there is not.
    pub(crate) fn check_number(&self, number: usize) -> Result<()> {
        self.kept.one(number).map(drop)
    }

    /// Refuses a picture of another size or format than the one that was filled.
    pub(crate) fn check_picture(&self, picture: &ImageView<'_>) -> Result<()> {
        let own = self.kept.canvas.picture;
        self.kept.check_picture(picture, (own.width, own.height))
    }
}

/// The pixels of fills, to be written.
pub(super) struct Kept {
    canvas: Canvas,
    format: PixelFormat,
    /// Only the fill is wanted, on transparency.
    layer: bool,
    /// Where pixels are that are the same in all, and these.
    common: Vec<(Vec<Rect>, Vec<u8>)>,
    /// Where each region fills: runs of pixels.
    places: Vec<Vec<Rect>>,
    list: Vec<One>,
}

/// One of several fills.
struct One {
    score: f64,
    /// Each region's pixels, those of its places one after the other.
    pixels: Vec<Vec<u8>>,
}

const WHAT: &str = "the variations";

impl Kept {
    /// Of `image`, with `count` fills of nothing so far.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub fn new(image: &ImageView<'_>, layer: bool, count: u32) -> Result<Self> {
        let mut list = memory::with_capacity(count as usize, WHAT)?;
        list.extend((0..count).map(|_| One {
            score: 0.0,
            pixels: Vec::new(),
        }));
        Ok(Self {
            canvas: Canvas {
                width: image.width(),
                height: image.height(),
                picture: image.window(),
            },
            format: image.format(),
            layer,
            common: Vec::new(),
            places: Vec::new(),
            list,
        })
    }

    /// Adds what is the same in all.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub fn add_common(&mut self, image: &ImageView<'_>, part: &Part) -> Result<()> {
        let own = (part.places()?, part.bytes(image, self.layer)?);
        memory::push(&mut self.common, own, WHAT)
    }

    /// Adds a region of fill `number`: each has the same regions in the same order. `weighed` is what the
    /// region adds to the fill's score.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub fn add(
        &mut self,
        image: &ImageView<'_>,
        number: usize,
        part: &Part,
        weighed: f64,
    ) -> Result<()> {
        let bytes = part.bytes(image, self.layer)?;
        let one = &mut self.list[number];
        // Where it fills is the mask's to say, whatever the fill.
        if one.pixels.len() == self.places.len() {
            memory::push(&mut self.places, part.places()?, WHAT)?;
        }
        one.score += weighed;
        memory::push(&mut one.pixels, bytes, WHAT)
    }

    /// Keeps the `count` best, the best first; of equals, what was made first. Returns all scores in that
    /// order.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub fn choose(&mut self, count: u32) -> Result<Vec<f64>> {
        self.list.sort_by(|a, b| {
            let order = a.score.partial_cmp(&b.score);
            order.unwrap_or(Ordering::Equal)
        });
        let mut scores = memory::with_capacity(self.list.len(), WHAT)?;
        scores.extend(self.list.iter().map(|one| one.score));
        self.list.truncate(count as usize);
        Ok(scores)
    }

    /// Whether there are several and no pixel of one differs from another's.
    pub fn alike(&self) -> bool {
        let mut pairs = self.list.windows(2);
        self.list.len() > 1 && pairs.all(|pair| pair[0].pixels == pair[1].pixels)
    }

    /// How many pixels are filled.
    pub fn pixels(&self) -> u64 {
        let common = self.common.iter().map(|(places, _)| places);
        let places = common.chain(&self.places).flatten();
        places.map(|place| u64::from(place.width)).sum()
    }

    /// How many regions are filled.
    pub fn regions(&self) -> usize {
        self.common.len() + self.places.len()
    }

    /// As [`Variations::apply`].
    ///
    /// # Errors
    /// As there.
    pub fn apply(&self, number: usize, dst: &mut ImageViewMut<'_>) -> Result<()> {
        let one = self.one(number)?;
        let (width, height) = (self.canvas.width, self.canvas.height);
        self.check_picture(&dst.as_view(), (width, height))?;
        if self.layer {
            needs_alpha(self.format)?;
            for y in 0..height {
                dst.row_mut(y).fill(0);
            }
        }
        let own = self.places.iter().zip(&one.pixels);
        let common = self.common.iter().map(|(places, bytes)| (places, bytes));
        for (places, bytes) in own.chain(common) {
            let (pixel, mut at) = (self.format.bytes(), 0);
            for place in places {
                let len = place.width as usize * pixel;
                let row = dst.row_mut(place.y);
                row[place.x as usize * pixel..][..len].copy_from_slice(&bytes[at..at + len]);
                at += len;
            }
        }
        Ok(())
    }

    /// Refuses a picture of another size than this or of another format.
    fn check_picture(&self, picture: &ImageView<'_>, (w, h): (u32, u32)) -> Result<()> {
        let ((width, height), own) = ((picture.width(), picture.height()), picture.format());
        let size = (w, h);
        let what = match ((width, height) == size, own == self.format) {
            (true, true) => return Ok(()),
            (true, false) => "its format is another than that of the image that was filled".into(),
            (false, _) => {
                format!("it is {width}×{height} and the image that was filled {w}×{h}")
            }
        };
        Err(Error::new(
            ErrorKind::Image,
            format!("a variation cannot be written to this picture: {what}"),
        ))
    }

    fn one(&self, number: usize) -> Result<&One> {
        self.list.get(number).ok_or_else(|| {
            let count = self.list.len();
            let there = match count {
                1 => "there is one, with the number 0".into(),
                _ => format!("there are {count}, from 0 to {}", count - 1),
            };
            Error::new(
                ErrorKind::Argument,
                format!("there is no variation {number}: {there}"),
            )
        })
    }
}
