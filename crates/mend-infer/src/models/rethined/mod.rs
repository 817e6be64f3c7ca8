//! RETHINED (arXiv 2503.14757), as Mend trains it: a light coarse network over a smooth extension of
//! the surroundings, NeuralPatchMatch and a coherence layer.
//!
//! The definition that it is compared with is `training/rethined/network.py`; where that differs from
//! the paper stands in the README beside it. Pictures are RGB, 0 to 1, `[1, height, width, 3]`; holes
//! `[1, height, width, 1]`, 1 to fill; both sides are multiples of [`STRIDE`].
#![forbid(unsafe_code)]

mod coarse;
mod config;
mod high;
mod matching;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use matching::{Alike, Matched};

use super::{Cost, input};
use crate::error::Result;
use crate::kernels::Context;
use crate::nn::{Act, Arena, Run, from_vec};
use crate::weights::Weights;
use candle_core::Tensor;
use coarse::CoarseNet;
use matching::Matching;

/// Sides of pictures are multiples of this: the stride of the coarsest level.
pub const STRIDE: usize = 32;
/// The side of a token.
pub const PATCH: usize = 8;

/// The weights that come with the crate, see `training/rethined/README.md`. They have crates of their own,
/// because a published package may have at most 10 MiB.
const WEIGHTS: [&[u8]; 3] = [
    mend_rethined_1::WEIGHTS,
    mend_rethined_2::WEIGHTS,
    mend_rethined_2::SURE,
];

/// The network.
pub struct Rethined {
    config: Config,
    coarse: CoarseNet,
    matching: Matching,
}

/// What the coarse network makes.
pub struct Coarse {
    /// The picture with its hole filled, `[1, height, width, 3]`, not clamped. Known pixels are the
    /// input's.
    pub answer: Act,
    /// The features at stride 8, `[1, height / 8, width / 8, channels]`.
    pub features: Act,
    /// How sure the answer is: the logarithm of the variance of what each cell of 4×4 pixels is off on
    /// average, `[1, height / 4, width / 4, 1]`. It means something in the hole only.
    pub sure: Act,
}

/// The side of a cell of [`Coarse::sure`].
pub const CELL: usize = 4;

impl Rethined {
    /// Reads and packs the weights; the file's metadata hold the configuration.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Model`] where the configuration is missing or wrong; as
    /// [`crate::weights::Scope::get`].
    pub fn new(cx: &Context, weights: &Weights) -> Result<Self> {
        let config = Config::of(weights)?;
        let root = weights.root();
        Ok(Self {
            coarse: CoarseNet::new(cx, &root.pp("coarse"), &root.pp("sure"), &config)?,
            matching: Matching::new(cx, &root, &config)?,
            config,
        })
    }

    /// The weights that come with the crate.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Model`], which only a damaged build has.
    pub fn built_in() -> Result<Weights> {
        Weights::from_parts("the built-in weights of RETHINED", &WEIGHTS)
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        self.coarse.bytes() + self.matching.bytes()
    }

    /// The coarse answer. `extended` is the picture with a smooth extension of what is known in the
    /// hole, which `mend` makes by `blend::extend`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Argument`] when a shape does not fit; what stops the pass, see
    /// [`Run::write`].
    pub fn fill_coarse(&self, run: &Run, extended: &Tensor, hole: &Tensor) -> Result<Coarse> {
        check(extended, hole)?;
        self.coarse.forward(run, extended, hole)
    }

    /// The coarse answer with what NeuralPatchMatch finds laid over its hole. `known`, of the shape of
    /// `hole`, is 1 where a pixel may be taken; tokens with any other pixel are not taken.
    ///
    /// # Errors
    /// As [`Self::fill_coarse`].
    pub fn fill_matched(
        &self,
        run: &Run,
        coarse: &Coarse,
        hole: &Tensor,
        known: &Tensor,
    ) -> Result<Matched> {
        check(&coarse.answer, hole)?;
        check(&coarse.answer, known)?;
        self.matching.forward(run, coarse, hole, known)
    }

    /// The known tokens that each token of the hole attends to, without what is made of them; as
    /// [`Self::fill_matched`].
    ///
    /// # Errors
    /// As [`Self::fill_coarse`].
    pub fn alike(
        &self,
        run: &Run,
        coarse: &Coarse,
        hole: &Tensor,
        known: &Tensor,
    ) -> Result<Vec<Alike>> {
        check(&coarse.answer, hole)?;
        check(&coarse.answer, known)?;
        self.matching.alike(run, coarse, hole, known)
    }

    /// What a coarse pass over a picture of this size takes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Argument`] where a side is no multiple of [`STRIDE`].
    pub fn cost(&self, cx: &Context, height: usize, width: usize) -> Result<Cost> {
        let arena = Arena::counting();
        let run = Run::new(cx, &arena);
        let outside = Run::new(cx, &Arena::counting());
        let blank = |channels| outside.write(&[1, height, width, channels], |_| Ok(()));
        self.fill_coarse(&run, &*blank(3)?, &*blank(1)?)?;
        Ok(Cost {
            flops: run.flops(),
            bytes: arena.peak(),
        })
    }
}

/// A picture or a hole for the network, of `channels` values a pixel.
///
/// # Errors
/// [`crate::ErrorKind::Internal`] when there are not as many values.
pub fn picture(data: Vec<f32>, height: usize, width: usize, channels: usize) -> Result<Tensor> {
    from_vec(data, &[1, height, width, channels])
}

/// A picture and a mask of it.
fn check(image: &Tensor, mask: &Tensor) -> Result<()> {
    let [_, height, width, _] = input("picture", image, [Some(1), None, None, Some(3)])?;
    let sides = [height, width].map(|side| Some(side.div_ceil(STRIDE) * STRIDE));
    input("picture", image, [Some(1), sides[0], sides[1], Some(3)])?;
    input("mask", mask, [Some(1), Some(height), Some(width), Some(1)]).map(|_| ())
}
