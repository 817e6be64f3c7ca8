//! How far a picture is to grow, side by side.
#![forbid(unsafe_code)]

use super::{Extent, read_extent};

/// By how much each side of a picture grows: pixels, or a share of its width (left and right) or of its
/// height (top and bottom).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sides {
    /// To the left.
    pub left: Extent,
    /// Upwards.
    pub top: Extent,
    /// To the right.
    pub right: Extent,
    /// Downwards.
    pub bottom: Extent,
}

/// The sides in the order in which they are written.
const NAMES: [&str; 4] = ["left", "top", "right", "bottom"];

impl Sides {
    /// No side grows.
    pub const NONE: Self = Self::new([Extent::Pixels(0); 4]);

    /// Of left, top, right and bottom.
    pub const fn new([left, top, right, bottom]: [Extent; 4]) -> Self {
        Self {
            left,
            top,
            right,
            bottom,
        }
    }

    /// Left, top, right and bottom.
    pub const fn all(&self) -> [Extent; 4] {
        [self.left, self.top, self.right, self.bottom]
    }

    /// Reads one length for all sides, two for left and right and for top and bottom, four for left, top,
    /// right and bottom, or lengths with the names of their sides; or says what there is.
    pub(super) fn read(text: &str, max_pixels: u32, max_percent: f64) -> Result<Self, String> {
        let accepted = || {
            format!(
                "pixels up to {max_pixels} or a share up to {max_percent}%: one for all sides (64), two \
                 for left and right and for top and bottom (10%,0), four for left, top, right and bottom \
                 (64,0,64,10%), or some by name (left=64,bottom=10%)"
            )
        };
        let length = |text: &str| match read_extent(text.trim(), max_pixels, max_percent) {
            Ok(Extent::Auto) | Err(_) => Err(accepted()),
            Ok(length) => Ok(length),
        };
        let fields: Vec<&str> = text.split(',').collect();
        if fields.iter().any(|field| field.contains('=')) {
            let mut sides = [None; 4];
            for field in fields {
                let (name, value) = field.split_once('=').ok_or_else(accepted)?;
                let name = name.trim();
                let own = NAMES.iter().position(|own| *own == name);
                let side = own.map(|own| &mut sides[own]).ok_or_else(accepted)?;
                // One that is named twice is a slip.
                if side.replace(length(value)?).is_some() {
                    return Err(accepted());
                }
            }
            return Ok(Self::new(
                sides.map(|side| side.unwrap_or(Extent::Pixels(0))),
            ));
        }
        match fields[..] {
            [all] => Ok(Self::new([length(all)?; 4])),
            [x, y] => {
                let (x, y) = (length(x)?, length(y)?);
                Ok(Self::new([x, y, x, y]))
            }
            [left, top, right, bottom] => Ok(Self::new([
                length(left)?,
                length(top)?,
                length(right)?,
                length(bottom)?,
            ])),
            _ => Err(accepted()),
        }
    }
}

impl std::fmt::Display for Sides {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, side) in self.all().iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            match side {
                Extent::Auto => f.write_str("auto")?,
                Extent::Pixels(pixels) => write!(f, "{pixels}")?,
                Extent::Share(share) => write!(f, "{}%", share * 100.0)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Extent::{Pixels, Share};

    #[test]
    fn lengths_are_read_for_all_sides_for_two_and_by_name() {
        let read = |text| Sides::read(text, 1000, 400.0).map(|sides| sides.all());
        let p = Pixels;
        for (text, want) in [
            ("0", [p(0), p(0), p(0), p(0)]),
            ("64", [p(64), p(64), p(64), p(64)]),
            ("10%", [Share(0.1); 4]),
            ("10%, 8", [Share(0.1), p(8), Share(0.1), p(8)]),
            ("1,2,3,4px", [p(1), p(2), p(3), p(4)]),
            ("left=64,bottom=50%", [p(64), p(0), p(0), Share(0.5)]),
            ("right = 1000", [p(0), p(0), p(1000), p(0)]),
        ] {
            assert_eq!(read(text), Ok(want), "{text}");
        }
        for text in [
            "",
            "auto",
            "-1",
            "1001",
            "401%",
            "NaN%",
            "1,2,3",
            "1,2,3,4,5",
            "1,,2,3",
            "left",
            "left=1,2",
            "left=1,left=2",
            "lef=1",
            "left=",
            "=1",
            "1;2",
        ] {
            let accepted = read(text).unwrap_err();
            assert!(
                accepted.contains("left=64,bottom=10%"),
                "{text}: {accepted}"
            );
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        for text in ["64", "12.5%,3", "1,2%,3,4", "top=33.3%"] {
            let sides = Sides::read(text, 1000, 400.0).unwrap();
            let again = Sides::read(&sides.to_string(), 1000, 400.0).unwrap();
            for (a, b) in sides.all().into_iter().zip(again.all()) {
                match (a, b) {
                    (Share(a), Share(b)) => assert!((a - b).abs() < 1e-12, "{text}"),
                    (a, b) => assert_eq!(a, b, "{text}"),
                }
            }
        }
    }
}
