//! EXIF's orientation between a picture and its masks.
//!
//! A fill works on pixels as they are stored. A mask was often drawn on the picture as it is shown:
//! then it is turned back. Its size tells which of the two it is, where it can.
//!
//! Source: CIPA DC-008-2019 (EXIF 2.32), section 4.6.4, Orientation.
#![forbid(unsafe_code)]

use crate::files::{self, Picture, Source, Want};
use crate::mask::Mask;
use mend::Result;
use mend::params::Sides;
use std::path::Path;

/// What a mask's pixels stand for where EXIF turns the picture, or the mask, for showing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum MaskOrientation {
    /// What its size shows; `shown` where it shows nothing
    #[default]
    Auto,
    /// The picture as it is shown
    Shown,
    /// The picture as it is stored
    Stored,
}

/// How to find out what a mask was drawn on.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub choice: MaskOrientation,
    /// Whether a mask of another size is scaled, so that only its shape tells.
    pub scaled: bool,
}

/// Brings `mask`, read from `source`, to the stored pixels of `picture`, called `image`; says so in
/// the mask's notes. A mask that fits neither way is left as it is.
///
/// # Errors
/// Those of reading the mask's header, [`mend::ErrorKind::Memory`].
pub fn stored(
    mut mask: Mask,
    source: &Source<'_>,
    image: &Path,
    picture: &Picture,
    way: Way,
) -> Result<Mask> {
    if way.choice == MaskOrientation::Stored {
        return Ok(mask);
    }
    let about = files::read(source, Want::Header)?;
    let of = |p: &Picture| p.meta.orientation().unwrap_or(1);
    let (own, turn) = (of(&about), of(picture));
    if own == turn {
        return Ok(mask);
    }
    let size = (mask.width, mask.height);
    let whole = (picture.width, picture.height);
    let fits = |a: (u32, u32), b: (u32, u32)| a == b || (way.scaled && shape(a, b));
    let as_stored = fits(size, whole);
    let as_shown = fits(shown_size(own, size), shown_size(turn, whole));
    let name = source.path.display();
    let image = image.display();
    let said = if own == 1 {
        format!("{image} is shown turned (EXIF orientation {turn})")
    } else {
        format!("{name} is shown turned (EXIF orientation {own})")
    };
    match (way.choice, as_shown, as_stored) {
        (MaskOrientation::Auto, false, _) => return Ok(mask),
        (_, false, _) if !way.scaled => return Ok(mask),
        (MaskOrientation::Auto, true, true) => mask.notes.push(format!(
            "{said}; {name} is taken as drawn on {image} as it is shown. If it was drawn on the \
             stored pixels, use --mask-orientation stored"
        )),
        _ => mask.notes.push(format!(
            "{said}; {name} matches {image} as it is shown, and was turned to its stored pixels"
        )),
    }
    // What is scaled afterwards keeps its own size, only turned.
    let sideways = (own >= 5) != (turn >= 5);
    let (width, height) = if sideways { (size.1, size.0) } else { size };
    mask.moved(width, height, |x, y| {
        to_stored(turn, (width, height), to_shown(own, size, (x, y)))
    })
}

/// Whether two sizes are of one shape, to a pixel's rounding of the smaller one.
fn shape((aw, ah): (u32, u32), (bw, bh): (u32, u32)) -> bool {
    let (a, b) = (u64::from(aw) * u64::from(bh), u64::from(bw) * u64::from(ah));
    let slack = u64::from(aw.max(ah)).max(u64::from(bw.max(bh)));
    a.abs_diff(b) <= slack
}

/// The size at which a picture of the stored `size` is shown.
pub fn shown_size(orientation: u16, (w, h): (u32, u32)) -> (u32, u32) {
    if orientation >= 5 { (h, w) } else { (w, h) }
}

/// Where the stored pixel `(x, y)` of a picture of the stored size `(w, h)` is shown.
pub fn to_shown(orientation: u16, (w, h): (u32, u32), (x, y): (u32, u32)) -> (u32, u32) {
    let (right, below) = (w - 1 - x, h - 1 - y);
    match orientation {
        2 => (right, y),
        3 => (right, below),
        4 => (x, below),
        5 => (y, x),
        6 => (below, x),
        7 => (below, right),
        8 => (y, right),
        _ => (x, y),
    }
}

/// Where the pixel that is shown at `(x, y)` is stored in a picture of the stored size `(w, h)`.
pub fn to_stored(orientation: u16, (w, h): (u32, u32), (x, y): (u32, u32)) -> (u32, u32) {
    match orientation {
        // A quarter turn is undone by the other one; the rest undo themselves.
        6 => to_shown(8, (h, w), (x, y)),
        8 => to_shown(6, (h, w), (x, y)),
        5 | 7 => to_shown(orientation, (h, w), (x, y)),
        _ => to_shown(orientation, (w, h), (x, y)),
    }
}

/// The sides of the stored picture that are `shown` as these.
pub fn stored_sides(orientation: u16, shown: &Sides) -> Sides {
    let [left, top, right, bottom] = shown.all();
    // Where the stored first row and first column are shown decides.
    Sides::new(match orientation {
        2 => [right, top, left, bottom],
        3 => [right, bottom, left, top],
        4 => [left, bottom, right, top],
        5 => [top, left, bottom, right],
        6 => [top, right, bottom, left],
        7 => [bottom, right, top, left],
        8 => [bottom, left, top, right],
        _ => [left, top, right, bottom],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_those_that_are_shown() {
        use mend::params::Extent::Pixels;
        // A picture of 1 × 1 with sides of their own lengths: where its pixel is shown tells them.
        let shown = Sides::new([1, 2, 4, 8].map(Pixels));
        for orientation in 1..=8 {
            let stored = stored_sides(orientation, &shown);
            let [left, top, right, bottom] = stored.all().map(|side| match side {
                Pixels(n) => n,
                _ => 0,
            });
            let size = (left + 1 + right, top + 1 + bottom);
            assert_eq!(shown_size(orientation, size), (6, 11), "{orientation}");
            assert_eq!(
                to_shown(orientation, size, (left, top)),
                (1, 2),
                "{orientation}"
            );
        }
    }

    #[test]
    fn rows_and_columns_are_shown_where_exif_says() {
        // Which side of the shown picture the stored first row and first column are.
        let (w, h) = (5, 3);
        for (orientation, row, column) in [
            (1, "top", "left"),
            (2, "top", "right"),
            (3, "bottom", "right"),
            (4, "bottom", "left"),
            (5, "left", "top"),
            (6, "right", "top"),
            (7, "right", "bottom"),
            (8, "left", "bottom"),
        ] {
            let (sw, sh) = shown_size(orientation, (w, h));
            let on = |side, (x, y)| match side {
                "top" => y == 0,
                "bottom" => y == sh - 1,
                "left" => x == 0,
                _ => x == sw - 1,
            };
            let at = |x, y| to_shown(orientation, (w, h), (x, y));
            assert!((0..w).all(|x| on(row, at(x, 0))), "{orientation}");
            assert!((0..h).all(|y| on(column, at(0, y))), "{orientation}");
        }
    }

    #[test]
    fn what_is_shown_is_found_where_it_is_stored() {
        let size = (5, 3);
        for orientation in 1..=8 {
            for y in 0..3 {
                for x in 0..5 {
                    let shown = to_shown(orientation, size, (x, y));
                    assert_eq!(to_stored(orientation, size, shown), (x, y), "{orientation}");
                }
            }
        }
    }
}
