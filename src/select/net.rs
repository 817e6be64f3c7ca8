//! MobileSAM: which file it is, and what it makes of a picture and clicks.
#![forbid(unsafe_code)]

use super::reduce::fitting;
use super::{Area, Click};
use crate::engines::place;
use crate::engines::pump::StageReporter;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::{Context, Path as Instructions};
use crate::models::mobile_sam::{Corners, Embedded, MobileSam, Point, SIDE};
use crate::nn::{Arena, Run, from_vec};
use crate::pixels::{Plane, RgbImage};
use crate::weights::Weights;
use parking_lot::Mutex;
use std::path::{Path, PathBuf};

const ENDINGS: [&str; 4] = ["safetensors", "pt", "pth", "ckpt"];
/// The id that it has in the catalogue.
pub const ID: &str = "mobile-sam";
/// Bytes of what a pass needs besides the weights: activations, counted by the network, and scratch memory.
const PASS: u64 = 190 << 20;

/// The file of the network: of a `model` that is named, or else the first one in the models folder that
/// is such a network, by the catalogue's id before all others. `None` where there is none and none is
/// named.
///
/// # Errors
/// [`ErrorKind::Model`] where what is named is not there.
pub fn file(models: Option<&Path>, model: Option<&Path>) -> Result<Option<PathBuf>> {
    if let Some(model) = model {
        let found = place::any(models, &model.to_string_lossy(), &ENDINGS)?;
        let Some((path, _)) = found else {
            return Err(Error::new(
                ErrorKind::Model,
                format!(
                    "{}: there is no such model; 'mend models fetch {ID}' gets it",
                    model.display()
                ),
            ));
        };
        return Ok(Some(path));
    }
    if let Some((path, _)) = place::inside(models, ID, &ENDINGS)? {
        return Ok(Some(path));
    }
    let own = |name: &str| {
        let found = place::inside(models, name, &[]).ok().flatten();
        found.is_some_and(|(path, _)| is(&path))
    };
    let names = place::installed(models, own);
    let Some(name) = names.first() else {
        return Ok(None);
    };
    Ok(place::inside(models, name, &[])?.map(|(path, _)| path))
}

fn is(path: &Path) -> bool {
    path.is_file()
        && place::ends(path, &ENDINGS)
        && Weights::is_light(path)
        && Weights::open(path).is_ok_and(|w| MobileSam::is(&w))
}

/// Bytes that loading the file and a pass take, about.
pub fn bytes(path: &Path) -> u64 {
    let own = std::fs::metadata(path).map_or(0, |about| about.len());
    own + own / 4 + PASS
}

/// The network, loaded.
pub struct Net {
    path: PathBuf,
    cx: Context,
    arena: Arena,
    sam: MobileSam,
    /// A pass at a time: two would need the memory of two.
    turn: Mutex<()>,
}

impl Net {
    /// Loads it.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] for another network's file or a damaged one; [`ErrorKind::Io`],
    /// [`ErrorKind::Memory`].
    pub fn load(path: &Path) -> Result<Self> {
        let weights = Weights::open(path)?;
        let cx = Context::new(Instructions::chosen());
        Ok(Self {
            path: path.to_path_buf(),
            sam: MobileSam::new(&cx, &weights)?,
            cx,
            arena: Arena::new(),
            turn: Mutex::new(()),
        })
    }

    /// The file that it was loaded from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The size at which it looks at a picture.
    pub fn size(width: u32, height: u32) -> (usize, usize) {
        fitting(width, height, SIDE as u32)
    }

    /// Embeds a picture of [`Self::size`].
    ///
    /// # Errors
    /// Those of the pass; [`ErrorKind::Cancelled`].
    pub fn embed(&self, picture: RgbImage, reporter: &StageReporter<'_>) -> Result<Embedded> {
        let _turn = self.turn.lock();
        let check = || reporter.layer();
        let run = Run::new(&self.cx, &self.arena).check(&check);
        let shape = [1, picture.height, picture.width, 3];
        let made = self.sam.embed(&run, &from_vec(picture.data, &shape)?, SIDE);
        // Clicks need little of what embedding needs.
        self.arena.trim();
        self.cx.trim();
        made
    }

    /// What the clicks mean on a picture that is `size` in the frame and `whole` in truth: the logits over
    /// the picture, and how good the network takes them to be.
    ///
    /// # Errors
    /// Those of the pass.
    pub fn select(
        &self,
        seen: &Embedded,
        size: (usize, usize),
        whole: (u32, u32),
        clicks: &[Click],
        area: Option<Area>,
    ) -> Result<(Plane<f32>, f32)> {
        let _turn = self.turn.lock();
        let run = Run::new(&self.cx, &self.arena);
        let scale = (
            size.0 as f64 / f64::from(whole.0),
            size.1 as f64 / f64::from(whole.1),
        );
        let at = |x: f64, y: f64| {
            let along = |v: f64, scale: f64| ((v + 0.5) * scale - 0.5) as f32;
            (along(x, scale.0), along(y, scale.1))
        };
        let points: Vec<Point> = clicks
            .iter()
            .map(|click| {
                let (x, y) = at(click.x, click.y);
                Point {
                    x,
                    y,
                    wanted: click.wanted,
                }
            })
            .collect();
        let corners = area.map(|a| Corners {
            from: at(a.x0, a.y0),
            to: at(a.x1, a.y1),
        });
        let masks = self.sam.masks(&run, seen, &points, corners)?;
        let best = masks.best(points.len(), corners.is_some());
        let logits = masks.logits(best);
        if logits.iter().any(|v| !v.is_finite()) {
            let what = "made a mask that is no number: its weights are damaged, fetch it again";
            return Err(Error::new(
                ErrorKind::Model,
                format!("{}: {what}", self.path.display()),
            ));
        }
        let picture = enlarged(logits, masks.side(), size)?;
        Ok((picture, masks.quality()[best]))
    }
}

/// Logits of the frame, bilinearly at its own size, of which the picture is the upper left corner.
fn enlarged(logits: &[f32], side: usize, (width, height): (usize, usize)) -> Result<Plane<f32>> {
    let mut out = Plane::filled(width, height, 0f32, "the selection's logits")?;
    let step = side as f32 / SIDE as f32;
    let along = |i: usize| {
        let at = ((i as f32 + 0.5) * step - 0.5).max(0.0);
        let first = (at as usize).min(side - 1);
        (first, (first + 1).min(side - 1), at - first as f32)
    };
    for y in 0..height {
        let (y0, y1, t) = along(y);
        for (x, v) in out.row_mut(y).iter_mut().enumerate() {
            let (x0, x1, s) = along(x);
            let mix = |row: usize| {
                let row = &logits[row * side..][..side];
                row[x0] + (row[x1] - row[x0]) * s
            };
            let (a, b) = (mix(y0), mix(y1));
            *v = a + (b - a) * t;
        }
    }
    Ok(out)
}
