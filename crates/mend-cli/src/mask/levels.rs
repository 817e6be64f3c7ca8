//! Which of a mask's values stand for nothing and for all.
//!
//! A mask is black, white and the grays between. Many files are not: arrays of 0 and 1 saved as 8 bits,
//! 8-bit values in 16 bits, labels in colours, a background that is not quite black. What is plainly
//! meant is taken so and told; what may be meant otherwise is left as it is and told.
#![forbid(unsafe_code)]

use super::survey::{FAINT, Survey};
use mend::pixels::Depth;

/// How values are changed, all of `0.0 ..= 1.0`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Levels {
    /// Not at all.
    AsIs,
    /// From here on is full, below is nothing.
    Threshold(f64),
    /// Below this is nothing.
    Floor(f64),
    /// Above this is full.
    Ceiling(f64),
    /// Above this is full, the rest is nothing.
    Above(f64),
    /// The first is nothing, the second full, and what is between in proportion.
    Stretch(f64, f64),
}

impl Levels {
    /// The value that `v` stands for; NaN for NaN.
    pub fn apply(self, v: f64) -> f64 {
        let full = |yes: bool| if yes { 1.0 } else { 0.0 };
        match self {
            _ if v.is_nan() => v,
            Self::AsIs => v,
            Self::Threshold(from) => full(v >= from),
            Self::Floor(from) if v < from => 0.0,
            Self::Ceiling(from) if v > from => 1.0,
            Self::Floor(_) | Self::Ceiling(_) => v,
            Self::Above(black) => full(v > black),
            Self::Stretch(black, white) => (v - black) / (white - black),
        }
    }

    /// What the mask that was seen, before it is inverted, plainly means, and what to tell of it.
    pub fn meant(seen: &Survey, invert: bool, depth: Depth) -> (Self, Option<String>) {
        let Some((least, most)) = seen.range else {
            return (Self::AsIs, None);
        };
        if most == 0.0 || least == most {
            return (Self::AsIs, None);
        }
        let named = |v| level(v, depth);
        // A background that is not quite black.
        let black = match least < FAINT {
            true => least,
            false => 0.0,
        };
        let few = seen.few_above(black);
        if most < FAINT {
            let strongest = format!("its strongest value is only {}", named(most));
            return match few {
                Some(1) => (
                    Self::Above(black),
                    Some(format!("{strongest}, which is taken as full")),
                ),
                Some(_) => (
                    Self::Above(black),
                    Some(format!(
                        "{strongest}: everything but its background is taken as full"
                    )),
                ),
                None => (
                    Self::Stretch(black, most),
                    Some(format!(
                        "{strongest}, which is taken as full, and the others in proportion"
                    )),
                ),
            };
        }
        if seen.coloured {
            let floor = if black > 0.0 { FAINT } else { 0.0 };
            match few {
                Some(n) if n > 1 || most < 1.0 => {
                    return (
                        Self::Above(floor),
                        Some(
                            "it is in colour: everything that is not black is taken as full".into(),
                        ),
                    );
                }
                None if most < 1.0 => {
                    return (
                        Self::Stretch(black, most),
                        Some("it is in colour: its strongest value is taken as full".into()),
                    );
                }
                _ => {}
            }
        }
        if black > 0.0 {
            return (
                Self::Floor(FAINT),
                Some(format!(
                    "nothing in it is quite black (the darkest is {}): what is nearly black is \
                     taken as black",
                    named(black)
                )),
            );
        }
        if invert && most < 1.0 && most > 1.0 - FAINT {
            return (
                Self::Ceiling(1.0 - FAINT),
                Some(format!(
                    "nothing in it is quite white (the lightest is {}): what is nearly white is \
                     taken as white",
                    named(most)
                )),
            );
        }
        (Self::AsIs, doubt(seen, invert, depth))
    }
}

/// What to tell of a mask that is taken as it is, though it may be meant otherwise.
fn doubt(seen: &Survey, invert: bool, depth: Depth) -> Option<String> {
    let (least, most) = seen.range?;
    let (end, value, strength) = match invert {
        false => ("strongest", most, most),
        true => ("darkest", least, 1.0 - least),
    };
    if strength < 0.98 {
        return Some(format!(
            "its {end} value is {}, so every pixel is replaced only in part; to replace them \
             completely, use --mask-threshold {}",
            level(value, depth),
            share((least + most) / 2.0)
        ));
    }
    let selected = seen.count - seen.black;
    (!invert && seen.faint > selected / 2).then(|| {
        format!(
            "{} of the {selected} pixels that it selects are nearly black, so almost nothing of \
             them is replaced; --mask-threshold sets the value from which on a pixel is replaced \
             completely, such as {} or 50%",
            seen.faint,
            share(match depth {
                Depth::U8 => 1.0 / 255.0,
                _ => 0.001,
            })
        )
    })
}

/// Why a mask selects everything, for an error's message.
pub fn covers(seen: &Survey, invert: bool, depth: Depth) -> Option<String> {
    let (least, most) = seen.range?;
    if seen.coloured && least == most {
        return Some(
            "in the mask, white and every pure colour count as full: give a mask on black, or use \
             --invert-mask to fill where it is not white"
                .into(),
        );
    }
    let middle = share((least + most) / 2.0);
    if !invert && least > 0.0 && least < most {
        return Some(format!(
            "nothing in the mask is black, its darkest value is {}: --mask-threshold {middle} \
             takes everything darker as black, and --invert-mask fills where it is dark",
            level(least, depth),
        ));
    }
    (invert && most < 1.0 && least < most).then(|| {
        format!(
            "nothing in the mask is white, its lightest value is {}: --mask-threshold {middle} \
             takes everything lighter as white",
            level(most, depth)
        )
    })
}

/// A value in the file's own numbers.
fn level(v: f64, depth: Depth) -> String {
    match depth {
        Depth::U8 => format!("{} of 255", (v * 255.0).round()),
        Depth::U16 => format!("{} of 65535", (v * 65_535.0).round()),
        Depth::F16 | Depth::F32 => format!("{} of 1", share(v)),
    }
}

/// A share that the option takes, never rounded up beyond `v`.
fn share(v: f64) -> String {
    let unit = 10f64.powi(1 - v.max(1e-9).log10().floor() as i32);
    format!("{}", (v * unit).floor() / unit)
}

/// Reads `--mask-threshold`: a share above 0 to 1, or per cent.
pub fn threshold(text: &str) -> Result<f64, String> {
    let number = match text.trim().strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|v| v / 100.0),
        None => text.trim().parse(),
    };
    match number {
        Ok(v) if v > 0.0 && v <= 1.0 => Ok(v),
        _ => Err(
            "give a share of full above 0, up to 1, such as 0.5, or per cent, such as 50%".into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_short_and_not_above() {
        for (v, text) in [
            (1.0 / 255.0, "0.0039"),
            (0.5, "0.5"),
            (128.0 / 255.0, "0.5"),
        ] {
            assert_eq!(share(v), text);
            assert!(share(v).parse::<f64>().unwrap() <= v);
        }
    }

    #[test]
    fn thresholds_are_shares_or_per_cent() {
        assert_eq!(threshold("0.5"), Ok(0.5));
        assert_eq!(threshold(" 50 %"), Ok(0.5));
        for wrong in ["0", "1.1", "128", "-1", "nan", "x", "%"] {
            assert!(threshold(wrong).is_err(), "{wrong}");
        }
    }
}
