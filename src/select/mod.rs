//! Selecting an object by clicks or a box: a picture in, a mask out. Floor 5.
//!
//! With MobileSAM among the models a picture is embedded once, and each set of clicks then costs some
//! hundredths of a second. Without it a plain selection by colour and edges serves, and the report says so.
//!
//! ```
//! use mend::select::{Click, Selector};
//! use mend::pixels::{Depth, Layout};
//! use mend::{Cancel, ImageView, Options, PixelFormat};
//! // A light square on dark ground.
//! let pixels: Vec<u8> = (0..64 * 48)
//!     .map(|i| if (20..40).contains(&(i % 64)) && (10..30).contains(&(i / 64)) { 220 } else { 40 })
//!     .collect();
//! let view = ImageView::new(&pixels, 64, 48, 64, PixelFormat::new(Layout::Gray, Depth::U8))?;
//! let selector = Selector::new(Options { models: Some("no-such-folder".into()), ..Options::default() });
//! let seen = selector.picture(&view, &mut |_: &mend::progress::Step| true, &Cancel::new())?;
//! let selected = seen.select(&[Click { x: 30.0, y: 20.0, wanted: true }], None, Some(0))?;
//! assert!(selected.row(20)[25..35].iter().all(|v| *v == 255));
//! assert!(selected.row(20)[..15].iter().all(|v| *v == 0));
//! # Ok::<(), mend::Error>(())
//! ```
#![forbid(unsafe_code)]

mod field;
mod net;
mod plain;
mod reduce;
#[cfg(test)]
mod tests;

use crate::engines::pump::{StageReporter, pump};
use crate::engines::{Mark, Run};
use crate::error::{Error, ErrorKind, Result};
use crate::inpainter::{Options, Pool};
use crate::models::mobile_sam::Embedded;
use crate::pixels::{Depth, ImageView, ImageViewMut, Layout, Plane, Rect};
use crate::progress::{Cancel, Progress, Step};
use field::{Field, Grown};
use net::Net;
use once_cell::sync::OnceCell;
use parking_lot::Mutex;
use plain::{Plain, Seed};
use serde_json::{Value as Json, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// The most clicks of one selection.
pub const MOST_CLICKS: usize = 1024;

/// A place that was pointed at, in pixels of the picture: the middle of the pixel in column 120 and row 80
/// is `x` 120 and `y` 80.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Click {
    /// Columns from the left.
    pub x: f64,
    /// Rows from the top.
    pub y: f64,
    /// Whether the object is there; otherwise what is there does not belong to it.
    pub wanted: bool,
}

/// A box around an object: the pixels of two of its corners, which both lie inside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Left column.
    pub x0: f64,
    /// Top row.
    pub y0: f64,
    /// Right column, at least [`Self::x0`].
    pub x1: f64,
    /// Bottom row, at least [`Self::y0`].
    pub y1: f64,
}

/// Finds objects in pictures. Making one costs nothing; threads start and the network loads with the first
/// picture, and stay for the next.
pub struct Selector {
    shared: Arc<Shared>,
}

/// What a selector and what it has seen use together.
struct Shared {
    options: Options,
    model: Option<PathBuf>,
    pool: OnceCell<Pool>,
    net: Mutex<Option<Arc<Net>>>,
}

/// A picture that was looked at: clicks on it cost little. It holds nothing of the caller's, and the
/// selector may go before it.
pub struct Seen {
    shared: Arc<Shared>,
    width: u32,
    height: u32,
    way: Way,
    notes: Vec<String>,
    seconds: f64,
}

enum Way {
    Network {
        net: Arc<Net>,
        seen: Box<Embedded>,
        size: (usize, usize),
    },
    Plain(Plain),
}

/// The mask of what clicks and a box mean.
pub struct Selected {
    width: u32,
    height: u32,
    grown: Grown,
    /// What was done.
    pub report: Report,
}

/// How an object was selected.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// `"mobile-sam"`, or `"plain"` for the selection by colour and edges.
    pub way: &'static str,
    /// How well the network takes its mask and the object to agree, their intersection over their union,
    /// about 0 to 1; `None` without a network.
    pub quality: Option<f64>,
    /// Pixels selected, after growing.
    pub pixels: u64,
    /// The smallest rectangle that holds them; empty where there is none.
    pub rect: Rect,
    /// Pixels by which the mask was grown.
    pub grow: u32,
    /// Seconds that looking at the picture took, once.
    pub looking: f64,
    /// Seconds of this selection.
    pub seconds: f64,
    /// What the caller should tell the user, such as that nothing was found.
    pub notes: Vec<String>,
}

impl Report {
    /// The report as JSON, the form of `mend_select`.
    pub fn to_json(&self) -> Json {
        json!({
            "way": self.way, "quality": self.quality, "pixels": self.pixels,
            "rect": {
                "x": self.rect.x, "y": self.rect.y,
                "width": self.rect.width, "height": self.rect.height,
            },
            "grow": self.grow, "looking": self.looking, "seconds": self.seconds,
            "notes": self.notes,
        })
    }
}

impl Selector {
    /// A selector with these options, which takes MobileSAM from the models folder where it is there.
    pub fn new(options: Options) -> Self {
        Self::of(options, None)
    }

    /// A selector with the MobileSAM that `model` names: a model in the models folder, or a file.
    pub fn with_model(options: Options, model: PathBuf) -> Self {
        Self::of(options, Some(model))
    }

    fn of(options: Options, model: Option<PathBuf>) -> Self {
        let shared = Shared {
            options,
            model,
            pool: OnceCell::new(),
            net: Mutex::new(None),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The options.
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// Looks at a picture, of any format. It is read a few rows at a time; transparent pixels count as
    /// black.
    ///
    /// # Errors
    /// [`ErrorKind::Image`] for a pixel that is no number; [`ErrorKind::Model`] for a model that cannot
    /// be used; [`ErrorKind::Memory`], [`ErrorKind::Cancelled`].
    pub fn picture(
        &self,
        view: &ImageView<'_>,
        progress: &mut dyn Progress,
        cancel: &Cancel,
    ) -> Result<Seen> {
        let start = Instant::now();
        let shared = &self.shared;
        let pool = shared.pool()?.threads()?;
        let mut run = Run {
            pool,
            cancel,
            seed: 0,
            budget: None,
            report: &mut |mark: Mark| progress.report(&step(mark)),
            show: &mut |_| {},
            note: &mut |_| {},
        };
        let (width, height) = (view.width(), view.height());
        let folder = shared.options.models_folder();
        let mut notes = Vec::new();
        let mut file = net::file(folder.as_deref(), shared.model.as_deref())?;
        if file.is_none() {
            notes.push(format!(
                "plain selection by colour and edges, which finds a distinct object on plain ground; \
                 'mend models fetch {}' gets a network that knows objects",
                net::ID
            ));
        }
        let needed = file.as_deref().map_or(0, net::bytes);
        if shared.options.max_memory.is_some_and(|most| most < needed) {
            file = None;
            notes.push(format!(
                "plain selection by colour and edges: the network needs {} MiB, which 'max-memory' \
                 does not allow",
                needed >> 20
            ));
        }
        let size = match &file {
            Some(_) => Net::size(width, height),
            // A smaller picture is as it is.
            None => reduce::fitting(width, height, plain::SIDE.min(width.max(height))),
        };
        let small = {
            let mut check = || run.at(mark("look", 0.0));
            reduce::reduced(view, size, &mut check)?
        };
        let way = match file {
            None => Way::Plain(Plain::new(&small)?),
            Some(file) => {
                let reporter = StageReporter::new(cancel, 1);
                let (net, seen) = pump(&mut run, &reporter, || {
                    reporter.begin("load", 0, 0.2);
                    let net = shared.net(&file)?;
                    reporter.begin("look", 0, 1.0);
                    let seen = net.embed(small, &reporter)?;
                    Ok((net, seen))
                })?;
                Way::Network {
                    net,
                    seen: Box::new(seen),
                    size,
                }
            }
        };
        run.at(mark("look", 1.0))?;
        Ok(Seen {
            shared: shared.clone(),
            width,
            height,
            way,
            notes,
            seconds: start.elapsed().as_secs_f64(),
        })
    }

    /// Lets the network go; the next picture loads it again.
    pub fn trim(&self) {
        let net = self.shared.net.lock().take();
        drop(net);
    }
}

impl Shared {
    fn pool(&self) -> Result<&Pool> {
        self.pool
            .get_or_try_init(|| Pool::new(self.options.threads))
    }

    /// The network of this file, loaded where it is not here.
    fn net(&self, file: &std::path::Path) -> Result<Arc<Net>> {
        let here = self.net.lock().clone();
        if let Some(net) = here.filter(|net| net.path() == file) {
            return Ok(net);
        }
        let net = Arc::new(Net::load(file)?);
        *self.net.lock() = Some(net.clone());
        Ok(net)
    }
}

impl Seen {
    /// Columns and rows of the picture.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The mask of what `clicks` and `area` mean, grown by `grow` pixels, 0 to 4096; by itself, by 0.4 % of the object's
    /// longer side, and 2 pixels at the least. The same on any number of threads. That nothing is found
    /// is no error; a note says so.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where no click is wanted and there is no box, a place lies beyond the picture,
    /// or there are more than [`MOST_CLICKS`]; [`ErrorKind::Model`], [`ErrorKind::Memory`].
    pub fn select(
        &self,
        clicks: &[Click],
        area: Option<Area>,
        grow: Option<u32>,
    ) -> Result<Selected> {
        let start = Instant::now();
        self.check(clicks, area, grow)?;
        let (width, height) = (self.width, self.height);
        let workers = self.shared.pool()?.threads()?;
        let (field, quality) = workers.install(|| self.field(clicks, area))?;
        let grown = Field::new(field, width, height).mask(width, height, grow)?;
        let mut notes = self.notes.clone();
        if grown.pixels == 0 {
            notes.push(
                "nothing was found there: point at the object's middle, or draw a box".into(),
            );
        }
        let report = Report {
            way: match self.way {
                Way::Network { .. } => net::ID,
                Way::Plain(_) => "plain",
            },
            quality: quality.map(f64::from),
            pixels: grown.pixels,
            rect: grown.rect,
            grow: grown.grow,
            looking: self.seconds,
            seconds: start.elapsed().as_secs_f64(),
            notes,
        };
        Ok(Selected {
            width,
            height,
            grown,
            report,
        })
    }

    fn field(&self, clicks: &[Click], area: Option<Area>) -> Result<(Plane<f32>, Option<f32>)> {
        match &self.way {
            Way::Network { net, seen, size } => {
                let whole = (self.width, self.height);
                let (field, quality) = net.select(seen, *size, whole, clicks, area)?;
                Ok((field, Some(quality)))
            }
            Way::Plain(plain) => {
                let (w, h) = plain.size();
                let at = |v: f64, all: u32, small: usize| {
                    let at = (v + 0.5) * small as f64 / f64::from(all);
                    (at.max(0.0) as usize).min(small - 1)
                };
                let place = |x: f64, y: f64| (at(x, self.width, w), at(y, self.height, h));
                let seeds: Vec<Seed> = clicks
                    .iter()
                    .map(|click| Seed {
                        at: place(click.x, click.y),
                        wanted: click.wanted,
                    })
                    .collect();
                let within = area.map(|a| {
                    let ((x0, y0), (x1, y1)) = (place(a.x0, a.y0), place(a.x1, a.y1));
                    let along = |from: usize, to: usize| (to + 1 - from) as u32;
                    Rect::new(x0 as u32, y0 as u32, along(x0, x1), along(y0, y1))
                });
                Ok((plain.select(&seeds, within)?, None))
            }
        }
    }

    fn check(&self, clicks: &[Click], area: Option<Area>, grow: Option<u32>) -> Result<()> {
        let fail = |what: String| Err(Error::new(ErrorKind::Argument, what));
        if area.is_none() && !clicks.iter().any(|c| c.wanted) {
            return fail(
                "nothing says where the object is: give a point on it, or a box around it".into(),
            );
        }
        if clicks.len() > MOST_CLICKS {
            let count = clicks.len();
            return fail(format!(
                "there are {count} points: give at most {MOST_CLICKS}"
            ));
        }
        if let Some(grow) = grow.filter(|grow| *grow > field::MOST) {
            return fail(format!(
                "a growth of {grow} pixels: give at most {}",
                field::MOST
            ));
        }
        let (w, h) = (f64::from(self.width), f64::from(self.height));
        // NaN lies nowhere.
        let inside = |x: f64, y: f64| x >= -0.5 && x <= w - 0.5 && y >= -0.5 && y <= h - 0.5;
        if let Some(c) = clicks.iter().find(|c| !inside(c.x, c.y)) {
            return fail(format!(
                "the point ({}, {}) is not in the picture of {w}×{h}: columns go from 0 to {}, rows from 0 to {}",
                c.x,
                c.y,
                w - 1.0,
                h - 1.0
            ));
        }
        match area {
            Some(a) if !inside(a.x0, a.y0) || !inside(a.x1, a.y1) => fail(format!(
                "the box from ({}, {}) to ({}, {}) is not in the picture of {w}×{h}: columns go from 0 \
                 to {}, rows from 0 to {}",
                a.x0,
                a.y0,
                a.x1,
                a.y1,
                w - 1.0,
                h - 1.0
            )),
            Some(a) if a.x1 < a.x0 || a.y1 < a.y0 => fail(format!(
                "the box from ({}, {}) to ({}, {}) is turned about: give its upper left corner first",
                a.x0, a.y0, a.x1, a.y1
            )),
            _ => Ok(()),
        }
    }
}

impl Selected {
    /// Columns and rows: those of the picture.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Row `y` of the mask, `width` values: 255 where it selects, 0 elsewhere; empty where there is no such
    /// row.
    pub fn row(&self, y: u32) -> Vec<u8> {
        let mut row = vec![0; self.width as usize];
        if y >= self.height {
            return Vec::new();
        }
        self.fill(y, &mut row);
        row
    }

    fn fill(&self, y: u32, row: &mut [u8]) {
        row.fill(0);
        let Grown { rect, mask, .. } = &self.grown;
        if (rect.y..rect.bottom()).contains(&y) {
            let from = mask.row((y - rect.y) as usize);
            row[rect.x as usize..][..from.len()].copy_from_slice(from);
        }
    }

    /// Writes the mask to `dst`, one gray channel of 8 bits with the picture's size.
    ///
    /// # Errors
    /// [`ErrorKind::Mask`] for another size or format; it is untouched then.
    pub fn write(&self, dst: &mut ImageViewMut<'_>) -> Result<()> {
        let (format, bounds) = (dst.format(), dst.as_view().bounds());
        if (format.layout, format.depth) != (Layout::Gray, Depth::U8)
            || (bounds.width, bounds.height) != (self.width, self.height)
        {
            return Err(Error::new(
                ErrorKind::Mask,
                format!(
                    "the mask cannot be written: give one gray channel of 8 bits and {}×{} pixels",
                    self.width, self.height
                ),
            ));
        }
        for y in 0..self.height {
            self.fill(y, dst.row_mut(y));
        }
        Ok(())
    }
}

fn mark(stage: &'static str, share: f64) -> Mark {
    Mark {
        stage,
        step: u32::from(share >= 1.0),
        steps: 1,
        share,
    }
}

/// A mark as a caller is told it, in hundredths.
fn step(mark: Mark) -> Step {
    Step {
        stage: mark.stage,
        step: (mark.share.clamp(0.0, 1.0) * 100.0).round() as u32,
        steps: 100,
        seconds_left: None,
        preview: None,
    }
}
