//! Products in eight bits: activations as bytes with one scale a row (a pixel, a token), found as they
//! come in; weights as signed bytes with one scale an output, found when they are packed; exact sums in
//! `i32`; results in `f32` behind the same epilogue as the full products'.
//!
//! # What is computed
//! A row x with m = max |x| becomes q = 128 + round(x · 127 / m), to even at ties, an output's weights w
//! likewise without the 128. Then y = (m_x / 127) (m_w / 127) Σ (q − 128) w, the sum taken as
//! Σ q w − 128 Σ w, whose second half is known beforehand. Every instruction set computes the very same
//! integers. A row with a value that is not finite becomes not-a-number as a whole.
//!
//! # Why nothing overflows
//! |q w| ≤ 255 · 127 and the sum starts with at most 128 · 127 for each input: [`LONGEST`] inputs stay
//! below 2³¹. Longer sums are cut into parts, each scaled into `f32`. A convolution's parts also end
//! with each tap, since another tap's pixel has another scale.

mod dots;
mod product;
mod quantise;
mod spin;
mod tile;
mod weights;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(super) use dots::Set;
pub(super) use product::{Shape, product};
pub(super) use quantise::Quantised;
pub(super) use spin::{operations, spin};
pub(super) use weights::Weights;

/// How a layer's products are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// In `f32`, from weights as the file holds them.
    #[default]
    Full,
    /// In eight bits, summed exactly: about four times as fast where the processor has the
    /// instructions, half of the memory of `f16`, and about 1 % of rms error a layer.
    Int8,
}

/// Inputs of one tap that are multiplied between two visits of the result: a panel's part of them
/// and a tile's rows stay in the nearest cache.
const DEPTH: usize = 768;
/// Bytes between two gathered rows: fixed, so that a tile's rows are reached from one register; an odd
/// number of cache lines, so that they spread over the cache's sets.
const ROW: usize = DEPTH + 64;
/// The most inputs whose sum is sure to stay inside `i32`: 2³¹ / (255 · 127 + 128 · 127), rounded down
/// to whole [`DEPTH`]s. What must be one sum (values and their gates) may not be longer.
const LONGEST: usize = 56 * DEPTH;

const _: () = assert!(LONGEST as u64 * (255 * 127 + 128 * 127) < 1 << 31);
const _: () = assert!(ROW / 64 % 2 == 1 && ROW.is_multiple_of(64) && DEPTH.is_multiple_of(4));
