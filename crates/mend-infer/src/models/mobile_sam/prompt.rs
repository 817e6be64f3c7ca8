//! What the user pointed at, as tokens.
#![forbid(unsafe_code)]

use super::told;
use crate::error::Result;
use crate::nn::{Run, Tensor, from_vec};
use crate::weights::Scope;
use std::f64::consts::TAU;

/// A click, in pixels of the frame: 0 is the first one's middle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Columns from the left.
    pub x: f32,
    /// Rows from the top.
    pub y: f32,
    /// Whether the object is there; otherwise it is not.
    pub wanted: bool,
}

/// A box around the object, in pixels of the frame: its upper left and its lower right corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Corners {
    /// Column and row of the upper left corner.
    pub from: (f32, f32),
    /// Column and row of the lower right corner.
    pub to: (f32, f32),
}

/// SAM's encoder of points and boxes: places by random frequencies, and what a place means.
pub struct PromptEncoder {
    /// `[2, width / 2]`: what a column and a row count in each frequency.
    frequencies: Vec<f32>,
    /// Of a point that is not wanted, one that is, and a box's two corners.
    meanings: [Vec<f32>; 4],
    nowhere: Vec<f32>,
    no_mask: Vec<f32>,
}

impl PromptEncoder {
    /// Reads the weights, for tokens of `width` channels.
    pub fn new(scope: &Scope, width: usize) -> Result<Self> {
        let matrix = "pe_layer.positional_encoding_gaussian_matrix";
        let _: [usize; 2] = told(scope, matrix)?;
        let row = |name: &str| {
            scope
                .get(&format!("{name}.weight"), &[1, width])?
                .into_f32()
        };
        let meaning = |i: usize| row(&format!("point_embeddings.{i}"));
        Ok(Self {
            frequencies: scope.get(matrix, &[2, width / 2])?.into_f32()?,
            meanings: [meaning(0)?, meaning(1)?, meaning(2)?, meaning(3)?],
            nowhere: row("not_a_point_embed")?,
            no_mask: row("no_mask_embed")?,
        })
    }

    /// Bytes of the weights.
    pub fn bytes(&self) -> usize {
        4 * (self.frequencies.len() + 6 * self.no_mask.len())
    }

    /// What the picture's features get added where no mask is given beforehand.
    pub fn no_mask(&self) -> &[f32] {
        &self.no_mask
    }

    /// `[1, points and corners, width]`
    pub fn tokens(
        &self,
        points: &[Point],
        corners: Option<Corners>,
        side: usize,
    ) -> Result<Tensor> {
        let width = self.no_mask.len();
        let mut all = Vec::new();
        let mut token = |(x, y): (f32, f32), meaning: &[f32]| {
            let of = |at: f32| (f64::from(at) + 0.5) / side as f64;
            let from = all.len();
            all.resize(from + width, 0.0);
            self.place(of(x), of(y), &mut all[from..]);
            all[from..]
                .iter_mut()
                .zip(meaning)
                .for_each(|(v, m)| *v += m);
        };
        for point in points {
            token(
                (point.x, point.y),
                &self.meanings[usize::from(point.wanted)],
            );
        }
        if let Some(Corners { from, to }) = corners {
            token(from, &self.meanings[2]);
            token(to, &self.meanings[3]);
        } else {
            // Points alone end with one that is none.
            all.extend_from_slice(&self.nowhere);
        }
        let count = all.len() / width;
        from_vec(all, &[1, count, width])
    }

    /// The places of a picture's `side` × `side` pixels, `[side, side, width]`.
    pub fn grid(&self, run: &Run, side: usize, out: &mut [f32]) -> Result<()> {
        let width = self.no_mask.len();
        let of = |i: usize| (i as f64 + 0.5) / side as f64;
        run.cx().parts(out, side * width, |y, row| {
            for (x, token) in row.chunks_exact_mut(width).enumerate() {
                self.place(of(x), of(y), token);
            }
        })
    }

    /// The place (`x`, `y`), each 0 to 1 across the frame: sines, then cosines.
    fn place(&self, x: f64, y: f64, out: &mut [f32]) {
        let (across, down) = self.frequencies.split_at(self.frequencies.len() / 2);
        let (sines, cosines) = out.split_at_mut(across.len());
        for (i, (sine, cosine)) in sines.iter_mut().zip(cosines).enumerate() {
            let turns =
                (2.0 * x - 1.0) * f64::from(across[i]) + (2.0 * y - 1.0) * f64::from(down[i]);
            let (s, c) = (TAU * turns).sin_cos();
            (*sine, *cosine) = (s as f32, c as f32);
        }
    }
}
