//! What a plan must know of a picture's alpha. It is looked at once, however many plans are tried.
#![forbid(unsafe_code)]

use super::alpha::{SEARCHED, settle};
use crate::error::Result;
use crate::r#match;
use crate::pixels::{
    Depth, ImageView, Layout, MaskView, PixelFormat, Plane, Rect, RunMask, even_alpha, read_alpha,
};
use crate::plan::Region;
use crate::progress::Cancel;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// How far around a hole its alpha is looked at, in pixels: as far as an edge can be wide.
const AROUND: u32 = 64;

/// A picture's alpha beside its holes.
pub struct Foresight<'a> {
    /// None where there is no picture yet.
    image: Option<&'a ImageView<'a>>,
    /// The mask as it was grown.
    hole: &'a RunMask,
    /// By the hole's box, a region of even alpha.
    even: RefCell<BTreeMap<Key, Rect>>,
    /// By the hole's box and what is looked at, see [`Self::work`].
    work: RefCell<BTreeMap<(Key, Key), f64>>,
}

type Key = (u32, u32, u32, u32);

fn key(r: &Rect) -> Key {
    (r.y, r.x, r.height, r.width)
}

impl<'a> Foresight<'a> {
    /// Of `image`, if there is one yet, whose `hole` is to be filled.
    pub fn new(image: Option<&'a ImageView<'a>>, hole: &'a RunMask) -> Self {
        Self {
            image,
            hole,
            even: RefCell::default(),
            work: RefCell::default(),
        }
    }

    /// Whether the alpha of a region may differ from pixel to pixel.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn may_have_edge(&self, region: &Region) -> Result<bool> {
        let Some(image) = self.image else {
            return Ok(false);
        };
        let own = key(&region.hole);
        let within = |rect: &Rect| region.rect.intersect(rect) == region.rect;
        if self.even.borrow().get(&own).is_some_and(within) {
            return Ok(false);
        }
        let even = even_alpha(image, region.rect, self.hole)?;
        if even {
            self.even.borrow_mut().insert(own, region.rect);
        }
        Ok(!even)
    }

    /// What the search for alpha costs in a region, in pixels of a large, compact hole; 0 where alpha goes
    /// on by itself.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Memory`].
    pub fn work(&self, region: &Region) -> Result<f64> {
        let (Some(image), true) = (self.image, self.may_have_edge(region)?) else {
            return Ok(0.0);
        };
        // Nothing that is further away makes a difference, save to what may be taken.
        let near = region.hole.grown_within(AROUND, u32::MAX, u32::MAX);
        let near = near.intersect(&region.rect);
        let own = (key(&region.hole), key(&near));
        if let Some(work) = self.work.borrow().get(&own) {
            return Ok(*work);
        }
        let work = match self.searched(image, near, region.hole)? {
            Some(searched) => r#match::pairs(&searched, false)? / r#match::PAIRS,
            None => 0.0,
        };
        self.work.borrow_mut().insert(own, work);
        Ok(work)
    }

    /// The pixels of the crop at `rect` whose alpha will be searched for, of those in `hole`.
    fn searched(&self, image: &ImageView<'_>, rect: Rect, hole: Rect) -> Result<Option<RunMask>> {
        let Some(mut alpha) = read_alpha(image, rect)? else {
            return Ok(None);
        };
        let rect = rect.intersect(&image.bounds());
        let (w, h) = (rect.width, rect.height);
        let own = self.hole.cut(rect, hole)?.crop(Rect::new(0, 0, w, h))?;
        let selected = self.hole.crop(rect)?;
        let mut coverage = Plane::filled(w as usize, h as usize, 0.0f32, "the plan's alpha")?;
        for (c, selected) in coverage.data.iter_mut().zip(&selected.data) {
            *c = f32::from(*selected);
        }
        drop(selected);
        let Some(mut way) = settle(&mut alpha, &coverage, &own, &Cancel::new())? else {
            return Ok(None);
        };
        drop((alpha, coverage));
        way.data
            .iter_mut()
            .for_each(|way| *way = u8::from(*way == SEARCHED));
        if !way.data.contains(&1) {
            return Ok(None);
        }
        let gray = PixelFormat::new(Layout::Gray, Depth::U8);
        let view = ImageView::new(&way.data, w, h, w as usize, gray)?;
        RunMask::of(&MaskView::new(view)?).map(Some)
    }
}
