//! What engines predict their seconds and bytes from before anything is loaded.
#![forbid(unsafe_code)]

use crate::kernels::{Path, Precision};
use crate::weights::Weights;

/// Bytes that are read, checked and packed a second.
pub const LOADING: f64 = 0.9e9;

/// Operations a second of one thread, about.
pub fn rate(path: Path, precision: Precision) -> f64 {
    let full = match path {
        Path::Portable => 4e9,
        Path::Avx2 => 45e9,
        Path::Avx512 => 75e9,
    };
    match precision {
        Precision::Full => full,
        Precision::Int8 => 2.0 * full,
    }
}

/// Numbers in a tensor.
pub fn numbers(weights: &Weights, name: &str) -> f64 {
    let shape = weights.shape(name).unwrap_or(&[]);
    shape.iter().map(|n| *n as f64).product()
}

/// Numbers in all tensors of a file.
pub fn all_numbers(weights: &Weights) -> f64 {
    weights.names().map(|name| numbers(weights, name)).sum()
}
