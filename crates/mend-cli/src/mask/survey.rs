//! What a mask file holds, seen on the way through it: the levels are chosen by that.
#![forbid(unsafe_code)]

use super::value::strongest;

/// Values below this share of full are nearly black: nobody sees so little of a fill, so that nobody
/// asks for it.
pub const FAINT: f64 = 0.125;
/// Values that are told apart.
const FEW: usize = 8;
/// Rounding in an editor moves a colour a little.
const SAME: f64 = 0.02;

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// A pixel that is not opaque.
    pub clear: bool,
    /// A pixel that shows and is more coloured than gray.
    pub coloured: bool,
    /// A white pixel, and one that shows and is nearly black.
    white: bool,
    dark: bool,
    /// The colour of the first pixel that shows, and whether another differs.
    first: Option<[f64; 3]>,
    varied: bool,
    /// Pixels.
    pub count: u64,
    /// Pixels of value 0.
    pub black: u64,
    /// Pixels nearly black, and not black.
    pub faint: u64,
    /// Pixels between black and white.
    pub partial: u64,
    /// The least and the largest value; none before the first.
    pub range: Option<(f64, f64)>,
    /// The values that are not 0, as long as they are few.
    few: Vec<f64>,
    many: bool,
}

impl Survey {
    /// Sees a pixel of the file.
    pub fn pixel(&mut self, colour: [f64; 3], alpha: f64) {
        self.clear |= alpha < 1.0;
        if alpha <= 0.0 {
            return;
        }
        match self.first {
            None => self.first = Some(colour),
            Some(first) if !self.varied => {
                let differs = |(a, b): (f64, f64)| (a - b).abs() > SAME;
                self.varied = first.into_iter().zip(colour).any(differs);
            }
            Some(_) => {}
        }
        self.white |= colour == [1.0; 3];
        self.dark |= strongest(colour) < FAINT;
        let [r, g, b] = colour;
        if !self.coloured && (r != g || g != b) {
            let most = strongest(colour);
            let least = r.min(g).min(b);
            self.coloured = most >= FAINT && most - least > 0.5 * most;
        }
    }

    /// Sees the value, `0.0 ..= 1.0`, of `count` pixels.
    pub fn value(&mut self, v: f64, count: u64) {
        self.count += count;
        if v == 0.0 {
            self.black += count;
        } else if v < 1.0 {
            self.partial += count;
            self.faint += if v < FAINT { count } else { 0 };
        }
        if v.is_nan() {
            return;
        }
        match &mut self.range {
            None => self.range = Some((v, v)),
            Some((least, most)) => (*least, *most) = (least.min(v), most.max(v)),
        }
        if v > 0.0 && !self.many && !self.few.contains(&v) {
            self.many = self.few.len() == FEW;
            if !self.many {
                self.few.push(v);
            }
        }
    }

    /// Sees a row of 8-bit gray.
    pub fn gray(&mut self, row: &[u8]) {
        let mut counts = [0u64; 256];
        for v in row {
            counts[usize::from(*v)] += 1;
        }
        for (v, count) in (0u8..).zip(counts) {
            if count > 0 {
                self.value(f64::from(v) / 255.0, count);
            }
        }
    }

    /// Painted in colours, or in one colour, on nothing: lightness says nothing then.
    pub fn is_stencil(&self) -> bool {
        self.clear && (self.coloured || !self.varied)
    }

    /// Painted in colours on white.
    pub fn is_on_white(&self) -> bool {
        self.coloured && self.white && !self.dark && !self.clear
    }

    /// Whether it is painted in one colour.
    pub fn of_one_colour(&self) -> bool {
        !self.varied
    }

    /// How many values there are above `black`, if they are few.
    pub fn few_above(&self, black: f64) -> Option<usize> {
        let above = self.few.iter().filter(|v| **v > black);
        (!self.many).then(|| above.count())
    }
}
