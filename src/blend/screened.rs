//! The screened Poisson equation on a hole of any shape, by multigrid.
//!
//! Sources: Pérez, Gangnet, Blake, "Poisson Image Editing", SIGGRAPH 2003; Bhat, Curless, Cohen,
//! Zitnick, "Fourier Analysis of the 2D Screened Poisson Equation for Gradient Domain Problems",
//! ECCV 2008; Briggs, Henson, McCormick, "A Multigrid Tutorial", 2nd ed., 2000.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::memory;
use crate::progress::Cancel;
use rayon::prelude::*;

/// Colour channels of the pictures here.
const C: usize = 3;
/// Smoothing sweeps before and after the visit to the coarser grid.
const SWEEPS: usize = 2;
/// Visits from the finest grid down and up again: as few as come within a thousandth of what endless relaxation
/// solves. Four do not.
const CYCLES: usize = 5;

/// One grid of the hierarchy.
struct Grid {
    width: usize,
    height: usize,
    /// For each row, the runs of unknown pixels.
    rows: Vec<Vec<(u32, u32)>>,
    /// 1 where unknown.
    unknown: Vec<u8>,
    lambda: f32,
    /// Solution and right-hand side, three values a pixel.
    c: Vec<f32>,
    b: Vec<f32>,
}

impl Grid {
    fn new(width: usize, height: usize, unknown: Vec<u8>, lambda: f32) -> Result<Self> {
        let what = "the seam's equations";
        let rows = (0..height)
            .map(|y| runs(&unknown[y * width..(y + 1) * width]))
            .collect();
        Ok(Self {
            width,
            height,
            rows,
            unknown,
            lambda,
            c: memory::filled(width * height * C, 0.0, what)?,
            b: memory::filled(width * height * C, 0.0, what)?,
        })
    }

    /// The next coarser grid: a pixel is unknown where all of its four are.
    fn coarser(&self) -> Result<Self> {
        let (w, h) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let mut unknown = memory::filled(w * h, 0u8, "the seam's equations")?;
        for y in 0..h {
            for x in 0..w {
                let mut all = 1;
                for fy in 2 * y..(2 * y + 2).min(self.height) {
                    for fx in 2 * x..(2 * x + 2).min(self.width) {
                        all &= self.unknown[fy * self.width + fx];
                    }
                }
                unknown[y * w + x] = all;
            }
        }
        Self::new(w, h, unknown, self.lambda * 4.0)
    }

    /// Sum of the neighbours' values and their number; the picture's edge is free (Neumann).
    #[inline(always)]
    fn neighbours(c: &[f32], w: usize, h: usize, x: usize, y: usize) -> ([f32; C], f32) {
        let i = y * w + x;
        if x > 0 && x + 1 < w && y > 0 && y + 1 < h {
            let sum = |k: usize| {
                c[(i - 1) * C + k] + c[(i + 1) * C + k] + c[(i - w) * C + k] + c[(i + w) * C + k]
            };
            return (std::array::from_fn(sum), 4.0);
        }
        let (mut sum, mut n) = ([0.0; C], 0.0);
        let mut add = |j: usize| {
            for k in 0..C {
                sum[k] += c[j * C + k];
            }
            n += 1.0;
        };
        if x > 0 {
            add(i - 1);
        }
        if x + 1 < w {
            add(i + 1);
        }
        if y > 0 {
            add(i - w);
        }
        if y + 1 < h {
            add(i + w);
        }
        (sum, n)
    }

    /// One Gauss–Seidel sweep in red-black order: the two colours one after the other, each row by
    /// itself, so that the result does not depend on the number of threads.
    fn smooth(&mut self, cancel: &Cancel) -> Result<()> {
        let (w, h, lambda) = (self.width, self.height, self.lambda);
        for colour in 0..2 {
            let (rows, b) = (&self.rows, &self.b);
            // A pixel's neighbours have the other colour, so a row pair can be updated from a
            // snapshot of nothing: rows of even and odd index are done in turn.
            for parity in 0..2 {
                cancel.check()?;
                let c = &mut self.c;
                // Rows of one parity only read rows of the other: what is new in them waits beside until all are
                // done.
                let mut own: Vec<(usize, Vec<[f32; C]>)> = (parity..h)
                    .step_by(2)
                    .filter(|y| !rows[*y].is_empty())
                    .map(|y| (y, Vec::new()))
                    .collect();
                let shared: &[f32] = c;
                own.par_iter_mut().with_min_len(16).for_each(|(y, out)| {
                    out.reserve(w / 2 + 1);
                    for x in rows[*y]
                        .iter()
                        .flat_map(|run| every_other(*run, *y + colour))
                    {
                        let (sum, n) = Self::neighbours(shared, w, h, x, *y);
                        let i = (*y * w + x) * C;
                        out.push(std::array::from_fn(|k| (sum[k] + b[i + k]) / (n + lambda)));
                    }
                });
                for (y, out) in own {
                    let at = rows[y].iter().flat_map(|run| every_other(*run, y + colour));
                    for (x, new) in at.zip(out) {
                        c[(y * w + x) * C..][..C].copy_from_slice(&new);
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds up the residual of each coarse pixel's four into `coarse`'s right-hand side.
    fn restrict(&self, coarse: &mut Self) {
        let (w, h, lambda) = (self.width, self.height, self.lambda);
        coarse.c.fill(0.0);
        let cw = coarse.width;
        let rows = &coarse.rows;
        coarse
            .b
            .par_chunks_mut(cw * C)
            .with_min_len(16)
            .enumerate()
            .for_each(|(cy, out)| {
                for &(a, e) in &rows[cy] {
                    for cx in a as usize..e as usize {
                        let mut sum = [0.0; C];
                        for y in 2 * cy..(2 * cy + 2).min(h) {
                            for x in 2 * cx..(2 * cx + 2).min(w) {
                                let i = (y * w + x) * C;
                                let (s, n) = Self::neighbours(&self.c, w, h, x, y);
                                for k in 0..C {
                                    sum[k] += self.b[i + k] + s[k] - (n + lambda) * self.c[i + k];
                                }
                            }
                        }
                        out[cx * C..cx * C + C].copy_from_slice(&sum);
                    }
                }
            });
    }

    /// Adds `coarse`'s solution, bilinearly.
    fn prolong(&mut self, coarse: &Self) {
        let (w, cw, ch) = (self.width, coarse.width, coarse.height);
        let rows = &self.rows;
        self.c
            .par_chunks_mut(w * C)
            .with_min_len(16)
            .enumerate()
            .for_each(|(y, out)| {
                let cy = y / 2;
                let ny = if y % 2 == 0 {
                    cy.saturating_sub(1)
                } else {
                    (cy + 1).min(ch - 1)
                };
                for &(a, e) in &rows[y] {
                    for x in a as usize..e as usize {
                        let cx = x / 2;
                        let nx = if x % 2 == 0 {
                            cx.saturating_sub(1)
                        } else {
                            (cx + 1).min(cw - 1)
                        };
                        for k in 0..C {
                            let at = |x: usize, y: usize| coarse.c[(y * cw + x) * C + k];
                            out[x * C + k] += 0.5625 * at(cx, cy)
                                + 0.1875 * (at(nx, cy) + at(cx, ny))
                                + 0.0625 * at(nx, ny);
                        }
                    }
                }
            });
    }
}

/// Every other pixel of a run, of those that `colour` is even or odd for.
fn every_other((start, end): (u32, u32), colour: usize) -> impl Iterator<Item = usize> {
    let first = start as usize + ((start as usize + colour) & 1);
    (first..end as usize).step_by(2)
}

fn runs(row: &[u8]) -> Vec<(u32, u32)> {
    let mut out = Vec::new();
    let mut start = None;
    for (x, u) in row.iter().chain([&0]).enumerate() {
        match (start, *u != 0) {
            (None, true) => start = Some(x),
            (Some(s), false) => {
                out.push((s as u32, x as u32));
                start = None;
            }
            _ => {}
        }
    }
    out
}

fn cycle(grids: &mut [Grid], cancel: &Cancel) -> Result<()> {
    let Some((fine, coarser)) = grids.split_first_mut() else {
        return Ok(());
    };
    if coarser.is_empty() {
        for _ in 0..16 {
            fine.smooth(cancel)?;
        }
        return Ok(());
    }
    for _ in 0..SWEEPS {
        fine.smooth(cancel)?;
    }
    fine.restrict(&mut coarser[0]);
    cycle(coarser, cancel)?;
    fine.prolong(&coarser[0]);
    for _ in 0..SWEEPS {
        fine.smooth(cancel)?;
    }
    Ok(())
}

/// Corrects `values` (RGB interleaved, `width` × `height`) where `unknown` is 1 so that the
/// differences between neighbours come close to those wanted while the values stay close to what
/// they are: minimises Σ (Δu − g)² + `lambda` Σ (u − v)². Where `unknown` is 0, values stay.
///
/// `gx` holds at each pixel the wanted difference to its right neighbour, `gy` to the one below,
/// three values each. `lambda` is dimensionless: deviations fade over 1/√`lambda` pixels; with 0 the
/// equation is Poisson's.
///
/// # Errors
/// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
#[allow(clippy::too_many_arguments)]
pub fn screened(
    values: &mut [f32],
    width: usize,
    height: usize,
    unknown: &[u8],
    gx: &[f32],
    gy: &[f32],
    lambda: f32,
    cancel: &Cancel,
) -> Result<()> {
    let mut copy = memory::with_capacity(unknown.len(), "the seam's equations")?;
    copy.extend(unknown.iter().map(|u| u8::from(*u != 0)));
    let mut fine = Grid::new(width, height, copy, lambda)?;
    {
        let (rows, v) = (&fine.rows, &*values);
        fine.b
            .par_chunks_mut(width * C)
            .enumerate()
            .for_each(|(y, out)| {
                for &(a, e) in &rows[y] {
                    for x in a as usize..e as usize {
                        let i = y * width + x;
                        for k in 0..C {
                            // What the wanted difference to each neighbour exceeds the present one by.
                            let mut b = 0.0;
                            if x + 1 < width {
                                b -= gx[i * C + k] - (v[(i + 1) * C + k] - v[i * C + k]);
                            }
                            if x > 0 {
                                b += gx[(i - 1) * C + k] - (v[i * C + k] - v[(i - 1) * C + k]);
                            }
                            if y + 1 < height {
                                b -= gy[i * C + k] - (v[(i + width) * C + k] - v[i * C + k]);
                            }
                            if y > 0 {
                                b += gy[(i - width) * C + k]
                                    - (v[i * C + k] - v[(i - width) * C + k]);
                            }
                            out[x * C + k] = b;
                        }
                    }
                }
            });
    }
    let mut grids = vec![fine];
    while grids[grids.len() - 1].rows.iter().any(|r| !r.is_empty())
        && grids[grids.len() - 1]
            .width
            .min(grids[grids.len() - 1].height)
            > 4
    {
        let next = grids[grids.len() - 1].coarser()?;
        if next.rows.iter().all(Vec::is_empty) {
            break;
        }
        grids.push(next);
    }
    for _ in 0..CYCLES {
        cycle(&mut grids, cancel)?;
    }
    let fine = &grids[0];
    for (y, runs) in fine.rows.iter().enumerate() {
        for &(a, e) in runs {
            let span = (y * width + a as usize) * C..(y * width + e as usize) * C;
            for (v, c) in values[span.clone()].iter_mut().zip(&fine.c[span]) {
                *v += c;
            }
        }
    }
    Ok(())
}
