//! CPU kernels, dispatched at run time by CPU feature. Floor 1.
//!
//! Each kernel has a portable form, which is the reference, and faster ones. The patch kernels'
//! results are equal on every path, the networks' equal but for rounding; no result depends on the
//! number of threads.
//!
//! Activations are channels-last: a picture is `[height * width][channels]`, so that its pixels are
//! the rows of a matrix, and attention's tokens without any transposition.

mod activate;
mod attention;
mod context;
mod conv;
mod cpu;
mod depthwise;
mod deviation;
mod fourier;
mod gemm;
mod int8;
mod linear;
mod mixed;
mod norm;
mod pages;
mod panels;
pub mod patch;
mod peak;
pub mod separable;
mod shape;
mod shared;
mod simd;
mod softmax;
mod tile;
mod transposed;
mod winograd;
mod zeroed;

pub use activate::activate;
pub use attention::{Attention, Bias, Strided, attention, attention_biased};
pub use context::Context;
pub use conv::Conv2d;
pub use cpu::Path;
pub use deviation::Deviation;
pub use fourier::Fourier;
pub use int8::Precision;
pub use linear::Linear;
pub use mixed::Mixed;
pub use norm::{GroupNorm, Lines, group_norm, layer_norm};
pub use pages::give_back;
pub use panels::{Source, Stored};
pub use peak::{peak, peak_int8};
pub use shape::{Algorithm, ConvShape};
pub use softmax::softmax;
pub use transposed::{ConvTranspose2d, TransposedShape};
pub use zeroed::zeroed;

/// A function of one value that a kernel applies where it writes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// The value itself.
    None,
    /// max(x, 0)
    Relu,
    /// x, or this slope times x where x is negative.
    LeakyRelu(f32),
    /// As [`Self::LeakyRelu`] with the first, between plus and minus the second.
    LeakyReluClamped(f32, f32),
    /// x · logistic(x), also called swish.
    Silu,
    /// x · Φ(x), by the error function.
    Gelu,
    /// The approximation of [`Self::Gelu`] by tanh.
    GeluTanh,
    /// x · logistic(1.702 x), CLIP's.
    QuickGelu,
    /// 1 / (1 + e^−x)
    Sigmoid,
    /// tanh(x)
    Tanh,
}

/// What is done to a product's biased sums before they are written: `activation(sum + add_before) +
/// add_after`.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a> {
    /// Laid out as the output.
    pub add_before: Option<&'a [f32]>,
    /// Applied to the sum.
    pub activation: Activation,
    /// Laid out as the output.
    pub add_after: Option<&'a [f32]>,
}

impl Default for Epilogue<'_> {
    fn default() -> Self {
        Self {
            add_before: None,
            activation: Activation::None,
            add_after: None,
        }
    }
}

#[cfg(test)]
mod tests;
