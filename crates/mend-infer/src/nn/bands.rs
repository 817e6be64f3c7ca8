//! Pictures in bands of rows: what a layer has read goes while its output comes.
#![forbid(unsafe_code)]

use super::layout::stretch;
use super::{Act, Run, Values, misfit, values};
use crate::error::Result;
use crate::kernels::{Activation, Lines};
use candle_core::Tensor;
use std::ops::Range;

/// One picture's activation, `[height, width, channels]`, in bands of rows that each are an [`Act`].
///
/// A layer that makes bands of another size of the picture's gives back those it has read, and so
/// never has both pictures whole. All bands have about as many bytes, see [`Run::band`], so that the
/// next ones take the memory of those before. How high bands are makes no difference to any bit.
pub struct Bands {
    height: usize,
    width: usize,
    channels: usize,
    /// Of each band but the last.
    rows: usize,
    /// Those that there are so far; none where it was released.
    acts: Vec<Option<Act>>,
}

impl Bands {
    /// A picture without bands yet: [`Self::push`] what [`Self::missing`] asks for.
    pub fn new(run: &Run, [height, width, channels]: [usize; 3]) -> Self {
        Self {
            height,
            width,
            channels,
            rows: run.rows(width, channels),
            acts: Vec::new(),
        }
    }

    /// `[1, height, width, channels]` as the only band.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Internal`] for another shape.
    pub fn whole(act: Act) -> Result<Self> {
        let [1, height, width, channels] = *act.dims() else {
            return Err(misfit("a band", "[1, height, width, channels]", act.dims()));
        };
        Ok(Self {
            height,
            width,
            channels,
            rows: height.max(1),
            acts: vec![Some(act)],
        })
    }

    /// `[1, height, width, channels]` in one.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn into_act(mut self, run: &Run) -> Result<Act> {
        if self.acts.len() == 1
            && let Some(act) = self.acts[0].take()
        {
            return Ok(act);
        }
        let all = run.write(&[1, self.height, self.width, self.channels], |_| Ok(()))?;
        if run.arena().is_counting() {
            return Ok(all);
        }
        run.rewrite(&all, |all| {
            for (i, part) in all.chunks_mut((self.rows * self.row()).max(1)).enumerate() {
                let first = i * self.rows;
                let rows = first..first + part.len() / self.row().max(1);
                part.copy_from_slice(&self.single(rows)?);
                self.acts[i] = None;
            }
            Ok(())
        })?;
        Ok(all)
    }

    /// Height, width and channels.
    pub fn shape(&self) -> [usize; 3] {
        [self.height, self.width, self.channels]
    }

    /// The rows of the next band to come, while there is one.
    pub fn missing(&self) -> Option<Range<usize>> {
        let first = self.acts.len() * self.rows;
        (first < self.height).then(|| first..(first + self.rows).min(self.height))
    }

    /// Takes the next band, `[1, rows, width, channels]`.
    pub fn push(&mut self, act: Act) {
        self.acts.push(Some(act));
    }

    /// Gives back the bands that end above `row` or there.
    pub fn release(&mut self, row: usize) {
        let whole = if row < self.height {
            row / self.rows
        } else {
            self.acts.len()
        };
        self.acts.iter_mut().take(whole).for_each(|act| *act = None);
    }

    /// The bands that are there, each `[1, rows, width, channels]`.
    pub fn tensors(&self) -> Vec<&Tensor> {
        self.acts.iter().flatten().map(|act| &**act).collect()
    }

    /// Values of a row.
    fn row(&self) -> usize {
        self.width * self.channels
    }

    /// These rows, band by band.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Internal`] when they are not there.
    pub(super) fn parts(&self, rows: Range<usize>) -> Result<Vec<Values<'_>>> {
        let mut parts = Vec::new();
        let mut at = rows.start;
        while at < rows.end {
            let (i, row) = (at / self.rows, self.row());
            let Some(Some(act)) = self.acts.get(i) else {
                let expected = format!("rows {rows:?} to be there");
                return Err(misfit("a layer of bands", &expected, &self.shape()));
            };
            let end = rows.end.min((i + 1) * self.rows);
            let own = (at - i * self.rows) * row..(end - i * self.rows) * row;
            parts.push(values(act)?.part(own)?);
            at = end;
        }
        Ok(parts)
    }

    /// These rows, of one band.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Internal`] when they are not there, or not in one.
    pub(super) fn single(&self, rows: Range<usize>) -> Result<Values<'_>> {
        let mut parts = self.parts(rows)?;
        match (parts.pop(), parts.len()) {
            (Some(part), 0) => Ok(part),
            _ => Err(misfit(
                "a layer of bands",
                "rows of one band",
                &self.shape(),
            )),
        }
    }
}

/// How a convolution reads a picture.
pub enum Through {
    /// As it is.
    Nothing,
    /// Normalised, and then through this.
    Norm(Lines, Activation),
    /// Twice as high and wide, of nearest neighbours.
    Nearest,
}

impl Through {
    /// Height and width of `x` through this.
    pub(super) fn size(&self, x: &Bands) -> (usize, usize) {
        match self {
            Self::Nearest => (2 * x.height, 2 * x.width),
            _ => (x.height, x.width),
        }
    }

    /// The row of a picture that row `row` is made of.
    pub(super) fn row(&self, row: usize) -> usize {
        match self {
            Self::Nearest => row / 2,
            _ => row,
        }
    }

    /// Rows of `x` through this to `out`, from `first` on, which may lie above the picture as the last
    /// may lie below it: there they are zeros.
    pub(super) fn fill(&self, run: &Run, x: &Bands, first: isize, out: &mut [f32]) -> Result<()> {
        let (height, width) = self.size(x);
        let row = width * x.channels;
        let inside = |at: isize| at.clamp(0, height as isize);
        let (from, to) = (inside(first), inside(first + (out.len() / row) as isize));
        let (above, rest) = out.split_at_mut((from - first) as usize * row);
        let (out, below) = rest.split_at_mut((to - from) as usize * row);
        above.fill(0.0);
        below.fill(0.0);
        let rows = from as usize..to as usize;
        match self {
            Self::Nearest => nearest(run, x, rows, out),
            Self::Nothing => self.each(x, rows, out, |part, out| {
                run.cx().parts(out, row, |i, line| {
                    line.copy_from_slice(&part[i * row..][..line.len()]);
                })
            }),
            Self::Norm(lines, activation) => self.each(x, rows, out, |part, out| {
                lines.apply(run.cx(), part, *activation, out)
            }),
        }
    }

    /// Band by band what `x` has of `rows`, and its place in `out`.
    fn each(
        &self,
        x: &Bands,
        rows: Range<usize>,
        mut out: &mut [f32],
        f: impl Fn(&[f32], &mut [f32]) -> Result<()>,
    ) -> Result<()> {
        for part in x.parts(rows)? {
            let (own, rest) = out.split_at_mut(part.len());
            f(&part, own)?;
            out = rest;
        }
        Ok(())
    }
}

/// `rows` of `x` twice as high and wide.
fn nearest(run: &Run, x: &Bands, rows: Range<usize>, out: &mut [f32]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let parts = x.parts(rows.start / 2..(rows.end - 1) / 2 + 1)?;
    let lines: Vec<&[f32]> = parts
        .iter()
        .flat_map(|part| part.chunks_exact(x.row()))
        .collect();
    run.cx().parts(out, 2 * x.row(), |i, line| {
        let from = lines[(rows.start + i) / 2 - rows.start / 2];
        stretch(from, x.channels, line);
    })
}

#[cfg(test)]
mod tests;
