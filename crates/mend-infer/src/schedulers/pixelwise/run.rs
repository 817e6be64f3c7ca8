//! A run over one picture: the level of every pixel before each step, and the steps.
#![forbid(unsafe_code)]

use super::steps::{Coefficients, Level};
use super::{Method, Order, Phase, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::with_capacity;

/// Channels of a picture.
const CHANNELS: usize = 3;
const WHAT: &str = "the pixels' noise levels";

/// A pixel of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noisy {
    /// How much of it is noise at first: 1 all, 0 none ever.
    pub mask: f32,
    /// How deep in the hole it lies, 0 at the rim to 1; of no effect where all go together.
    pub depth: f32,
}

/// The steps of a picture of `pixels` pixels, `[3][pixels]` in ±1. Step `i` is one of [`Self::steps`], 0 the
/// noisiest.
pub struct PixelRun {
    table: Table,
    times: Vec<usize>,
    order: Order,
    /// Pixels that are alike have the same levels at any time.
    kinds: Vec<Noisy>,
    /// Of each pixel its kind.
    of: Vec<u32>,
}

impl PixelRun {
    /// A run at `times`, falling numbers of steps taken (see [`super::Spacing`]), over these pixels.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where times are not falling from 1000 to 1 or a mask is none;
    /// [`ErrorKind::Memory`].
    pub fn new(times: &[usize], order: Order, pixels: &[Noisy]) -> Result<Self> {
        let falls = times.windows(2).all(|w| w[0] > w[1]);
        let inside = times.iter().all(|n| (1..=super::STEPS).contains(n));
        let fits = |p: &Noisy| (0.0..=1.0).contains(&p.mask) && (0.0..=1.0).contains(&p.depth);
        if times.is_empty() || !falls || !inside || !pixels.iter().all(fits) {
            let what = "a run's times must fall from 1000 to 1, one at least, and masks and depths be 0 to 1";
            return Err(Error::new(ErrorKind::Argument, what));
        }
        let mut own = with_capacity(times.len(), WHAT)?;
        own.extend_from_slice(times);
        let mut kinds = with_capacity(pixels.len(), WHAT)?;
        kinds.extend_from_slice(pixels);
        let key = |p: &Noisy| (p.mask.to_bits(), p.depth.to_bits());
        kinds.sort_unstable_by_key(key);
        kinds.dedup();
        kinds.shrink_to_fit();
        let mut of = with_capacity(pixels.len(), WHAT)?;
        for pixel in pixels {
            let at = kinds.binary_search_by_key(&key(pixel), key);
            of.push(at.unwrap_or(0) as u32);
        }
        Ok(Self {
            table: Table::new()?,
            times: own,
            order,
            kinds,
            of,
        })
    }

    /// How many there are.
    pub fn steps(&self) -> usize {
        self.times.len()
    }

    /// The level of a kind before step `i`; behind the last there is no noise.
    pub(super) fn level(&self, kind: &Noisy, i: usize) -> Level {
        let place = self.order.place(i, self.times.len(), f64::from(kind.depth));
        let before = (place as usize).min(self.times.len());
        let time = |i: usize| self.times.get(i).map_or(0.0, |n| *n as f64);
        let n = match place - before as f64 {
            0.0 => time(before),
            part => time(before) + part * (time(before + 1) - time(before)),
        };
        let gamma = self.table.gamma(n);
        let mask = f64::from(kind.mask);
        Level::new(self.table.log_kept(mask, gamma, Phase::First))
    }

    /// What the network is told before step `i`: each pixel's [`Table::level`], 0 for those without noise.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub fn levels(&self, i: usize) -> Result<Vec<f32>> {
        let mut of_kinds = with_capacity(self.kinds.len(), WHAT)?;
        let told = |kind: &Noisy| self.table.level(self.level(kind, i).noise) as f32;
        of_kinds.extend(self.kinds.iter().map(told));
        let mut levels = with_capacity(self.of.len(), WHAT)?;
        levels.extend(self.of.iter().map(|kind| of_kinds[*kind as usize]));
        Ok(levels)
    }

    /// `x` becomes the clean picture with as much of `noise` as it has before step `i`. What never has any
    /// stays to the bit.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for other lengths; [`ErrorKind::Memory`].
    pub fn noised(&self, i: usize, noise: &[f32], x: &mut [f32]) -> Result<()> {
        self.check(&[noise.len(), x.len()], CHANNELS)?;
        let mut factors = with_capacity(self.kinds.len(), WHAT)?;
        factors.extend(self.kinds.iter().map(|kind| {
            let level = self.level(kind, i);
            (level.kept.sqrt(), level.noise.sqrt())
        }));
        let planes = self.of.len().max(1);
        for (x, noise) in x.chunks_mut(planes).zip(noise.chunks(planes)) {
            for ((x, n), kind) in x.iter_mut().zip(noise).zip(&self.of) {
                let (kept, amount) = factors[*kind as usize];
                if amount > 0.0 {
                    *x = (kept * f64::from(*x) + amount * f64::from(*n)) as f32;
                }
            }
        }
        Ok(())
    }

    /// What the network thinks the picture is, for previews: of `x` before step `i` and the network's
    /// `output`, of which the first three channels are the noise.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for other lengths; [`ErrorKind::Memory`].
    pub fn original(&self, i: usize, output: &[f32], x: &[f32]) -> Result<Vec<f32>> {
        self.check(&[x.len()], CHANNELS)?;
        self.check(&[output.len()], 2 * CHANNELS)?;
        let mut levels = with_capacity(self.kinds.len(), WHAT)?;
        levels.extend(self.kinds.iter().map(|kind| self.level(kind, i)));
        let mut out = with_capacity(x.len(), WHAT)?;
        for (place, (x, epsilon)) in x.iter().zip(output).enumerate() {
            let own = &levels[self.of[place % self.of.len()] as usize];
            out.push(match own.noise > 0.0 {
                true => own.original(*x, *epsilon) as f32,
                false => *x,
            });
        }
        Ok(out)
    }

    /// Takes `x` from before step `i` to behind it. `output` is the network's, `[6][pixels]`; `fresh` is called
    /// at most once, where noise is added, and fills what it gets with unit Gaussians.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where `i` is no step, and for other lengths; [`ErrorKind::Memory`]. The sample is
    /// unchanged then.
    pub fn step(
        &self,
        method: Method,
        i: usize,
        output: &[f32],
        x: &mut [f32],
        fresh: &mut dyn FnMut(&mut [f32]),
    ) -> Result<()> {
        if i >= self.steps() {
            let what = format!("there is no step {i}, because the run has {}", self.steps());
            return Err(Error::new(ErrorKind::Argument, what));
        }
        self.check(&[x.len()], CHANNELS)?;
        self.check(&[output.len()], 2 * CHANNELS)?;
        let kinds = self.coefficients(method, i)?;
        let mut noise = Vec::new();
        if kinds.iter().any(Coefficients::is_random) {
            noise = crate::memory::filled(x.len(), 0.0f32, "a step's noise")?;
            fresh(&mut noise);
        }
        let (epsilon, between) = output.split_at(x.len());
        for (place, x) in x.iter_mut().enumerate() {
            let own = &kinds[self.of[place % self.of.len()] as usize];
            let fresh = noise.get(place).copied().unwrap_or(0.0);
            *x = own.step(*x, epsilon[place], between[place], fresh);
        }
        Ok(())
    }

    fn coefficients(&self, method: Method, i: usize) -> Result<Vec<Coefficients>> {
        let mut kinds = with_capacity(self.kinds.len(), WHAT)?;
        kinds.extend(self.kinds.iter().map(|kind| {
            let (from, to) = (self.level(kind, i), self.level(kind, i + 1));
            Coefficients::new(method, from, to)
        }));
        Ok(kinds)
    }

    fn check(&self, lengths: &[usize], channels: usize) -> Result<()> {
        let expected = channels * self.of.len();
        match lengths.iter().find(|len| **len != expected) {
            None => Ok(()),
            Some(len) => Err(Error::new(
                ErrorKind::Argument,
                format!("a run's picture has {len} values, expected {expected}"),
            )),
        }
    }
}
