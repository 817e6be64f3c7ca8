//! What a user points at in a picture: from `--point`, `--not` and `--box` to a mask.
#![forbid(unsafe_code)]

use crate::App;
use crate::budget::Budget;
use crate::files::Picture;
use crate::mask::Mask;
use crate::orient::{shown_size, to_shown, to_stored};
use clap::Args;
use mend::pixels::{ImageView, Rect};
use mend::select::{Area, Click, Report, Selected, Selector};
use mend::{Error, ErrorKind, Options, Result};

/// Above the options in the help.
const POINTING: &str = "An object by clicks or a box";

/// Where an object is.
#[derive(Clone, Debug, Default, Args)]
pub struct Pointing {
    /// Select the object at this pixel; may be given several times. With ,- behind it: not what is there
    ///
    /// Columns count from 0 at the left and rows from 0 at the top of the picture as it is shown. With
    /// MobileSAM among the models (`mend models fetch mobile-sam`) the object is what its network takes it for; without
    /// it, what colours and edges set apart from plain ground.
    #[arg(long, value_name = "X,Y", value_parser = click, help_heading = POINTING)]
    pub point: Vec<Click>,
    /// What is at this pixel does not belong to the object; may be given several times
    #[arg(long = "not", value_name = "X,Y", value_parser = not_wanted, help_heading = POINTING)]
    pub not: Vec<Click>,
    /// Select the object in this box: its left column, top row, right column and bottom row
    #[arg(long = "box", id = "box", value_name = "X0,Y0,X1,Y1", value_parser = area,
        help_heading = POINTING)]
    pub area: Option<Area>,
}

impl Pointing {
    /// Whether anything was pointed at.
    pub fn is_given(&self) -> bool {
        !self.point.is_empty() || !self.not.is_empty() || self.area.is_some()
    }

    /// All clicks.
    fn clicks(&self) -> Vec<Click> {
        self.point.iter().chain(&self.not).copied().collect()
    }
}

/// What was selected in a picture.
pub struct Made {
    /// In the picture's stored pixels.
    selected: Selected,
    turn: u16,
    size: (u32, u32),
}

/// Selects in `picture`, whose float pixels are proportional to light where `linear`.
///
/// # Errors
/// As [`mend::select::Seen::select`] and [`Selector::picture`].
pub fn select(
    app: &App,
    pointing: &Pointing,
    grow: Option<u32>,
    threads: u32,
    budget: &Budget,
    (picture, linear): (&Picture, bool),
) -> Result<Made> {
    let options = Options {
        threads: threads as usize,
        max_memory: budget.left(),
        ..Options::default()
    };
    let turn = picture.meta.orientation().unwrap_or(1);
    let size = (picture.width, picture.height);
    let clicks = stored_clicks(&pointing.clicks(), turn, size)?;
    let area = pointing
        .area
        .map(|area| stored_area(area, turn, size))
        .transpose()?;
    let mut format = picture.format;
    format.linear = linear;
    let stride = picture.row_bytes();
    let view = ImageView::new(&picture.data, size.0, size.1, stride, format)?;
    let selector = Selector::new(options);
    let seen = selector.picture(&view, &mut mend::progress::Silent, &app.cancel)?;
    Ok(Made {
        selected: seen.select(&clicks, area, grow)?,
        turn,
        size,
    })
}

impl Made {
    /// What was done; its rectangle is that of the picture as it is shown.
    pub fn report(&self) -> Report {
        let mut report = self.selected.report.clone();
        let rect = report.rect;
        if !rect.is_empty() {
            let last = (rect.right() - 1, rect.bottom() - 1);
            let (a, b) = (self.shown((rect.x, rect.y)), self.shown(last));
            let (x, y) = (a.0.min(b.0), a.1.min(b.1));
            report.rect = Rect::new(x, y, a.0.abs_diff(b.0) + 1, a.1.abs_diff(b.1) + 1);
        }
        report
    }

    /// The mask of the picture's stored pixels.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub fn mask(&self) -> Result<Mask> {
        let (width, height) = self.size;
        let mut mask = Mask::of_rows(width, height, |y| self.selected.row(y))?;
        mask.notes = self.selected.report.notes.clone();
        Ok(mask)
    }

    /// The mask of the picture as it is shown.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub fn mask_as_shown(&self) -> Result<Mask> {
        let mask = self.mask()?;
        if self.turn == 1 {
            return Ok(mask);
        }
        let (width, height) = shown_size(self.turn, self.size);
        mask.moved(width, height, |x, y| self.shown((x, y)))
    }

    fn shown(&self, at: (u32, u32)) -> (u32, u32) {
        to_shown(self.turn, self.size, at)
    }
}

/// A place in the picture as it is shown, as whole pixels.
fn within(x: f64, y: f64, (w, h): (u32, u32)) -> Result<(u32, u32)> {
    let (column, row) = (x.round(), y.round());
    if !(column >= 0.0 && column < f64::from(w) && row >= 0.0 && row < f64::from(h)) {
        return Err(Error::new(
            ErrorKind::Argument,
            format!(
                "{x},{y} is not in the picture of {w}×{h}: columns go from 0 to {}, rows from 0 to {}",
                w - 1,
                h - 1
            ),
        ));
    }
    Ok((column as u32, row as u32))
}

fn stored_clicks(clicks: &[Click], turn: u16, size: (u32, u32)) -> Result<Vec<Click>> {
    let one = |click: &Click| {
        let at = within(click.x, click.y, shown_size(turn, size))?;
        let (x, y) = to_stored(turn, size, at);
        Ok(Click {
            x: x.into(),
            y: y.into(),
            wanted: click.wanted,
        })
    };
    clicks.iter().map(one).collect()
}

fn stored_area(area: Area, turn: u16, size: (u32, u32)) -> Result<Area> {
    let shown = shown_size(turn, size);
    let (a, b) = (
        within(area.x0, area.y0, shown)?,
        within(area.x1, area.y1, shown)?,
    );
    let (a, b) = (to_stored(turn, size, a), to_stored(turn, size, b));
    Ok(Area {
        x0: a.0.min(b.0).into(),
        y0: a.1.min(b.1).into(),
        x1: a.0.max(b.0).into(),
        y1: a.1.max(b.1).into(),
    })
}

fn numbers<const N: usize>(text: &str) -> Option<[f64; N]> {
    let all: Vec<f64> = text
        .split(',')
        .map(|part| part.trim().parse().ok().filter(|v: &f64| v.is_finite()))
        .collect::<Option<_>>()?;
    all.try_into().ok()
}

fn click(text: &str) -> Result<Click, String> {
    let (place, wanted) = match text.trim_end().strip_suffix('-') {
        Some(place) => (place.trim_end().strip_suffix(',').unwrap_or(text), false),
        None => (text, true),
    };
    let [x, y] = numbers(place)
        .ok_or("give X,Y in pixels, such as 120,80; or 120,80,- for what is not the object")?;
    Ok(Click { x, y, wanted })
}

fn not_wanted(text: &str) -> Result<Click, String> {
    let [x, y] = numbers(text).ok_or("give X,Y in pixels, such as 120,80")?;
    let wanted = false;
    Ok(Click { x, y, wanted })
}

fn area(text: &str) -> Result<Area, String> {
    let wrong = "give X0,Y0,X1,Y1 in pixels, the upper left corner first, such as 20,30,180,150";
    let [x0, y0, x1, y1] = numbers(text).ok_or(wrong)?;
    if x1 < x0 || y1 < y0 {
        return Err(wrong.into());
    }
    Ok(Area { x0, y0, x1, y1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clicks_and_boxes_are_read_or_refused() {
        let at = |text: &str| click(text).map(|c| (c.x, c.y, c.wanted));
        assert_eq!(at("120,80"), Ok((120.0, 80.0, true)));
        assert_eq!(at("120, 80.5,-"), Ok((120.0, 80.5, false)));
        for wrong in ["", "120", "120,", "120,80,3", "120,-", "nan,3", "a,b", "-"] {
            assert!(click(wrong).is_err(), "{wrong}");
        }
        assert!(area("1,2,3,4").is_ok());
        for wrong in ["1,2,3", "3,2,1,4", "1,4,3,2", "1,2,inf,4"] {
            assert!(area(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_pointed_at_as_shown_is_found_where_it_is_stored() {
        let size = (5, 3);
        for turn in 1..=8 {
            let (w, h) = shown_size(turn, size);
            for at in [(0, 0), (w - 1, 0), (1, h - 1)] {
                let click = Click {
                    x: at.0.into(),
                    y: at.1.into(),
                    wanted: true,
                };
                let stored = stored_clicks(&[click], turn, size).unwrap()[0];
                let back = to_shown(turn, size, (stored.x as u32, stored.y as u32));
                assert_eq!(back, at, "{turn}");
            }
            let whole = Area {
                x0: 0.0,
                y0: 0.0,
                x1: f64::from(w - 1),
                y1: f64::from(h - 1),
            };
            let stored = stored_area(whole, turn, size).unwrap();
            assert_eq!((stored.x1, stored.y1), (4.0, 2.0), "{turn}");
            assert!(
                stored_clicks(
                    &[Click {
                        x: f64::from(w),
                        y: 0.0,
                        wanted: true
                    }],
                    turn,
                    size
                )
                .is_err()
            );
        }
    }
}
