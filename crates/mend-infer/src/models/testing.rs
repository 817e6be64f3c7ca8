//! What the erasers' tests share.
#![forbid(unsafe_code)]

use crate::nn::tests::error;
use crate::weights::Weights;
use candle_core::Tensor;
pub use mend_fixtures::zeros::{keys, list};
use std::fs;

/// Checks the largest error over the reference's root mean square.
pub fn within(what: &str, got: &Tensor, want: &Tensor, tolerance: f64) {
    let error = error(got, want);
    println!("{what}: {error:.2e}");
    assert!(error <= tolerance, "{what}: {error:e}");
}

/// A file with these tensors, all zeros.
pub fn full_size(name: &str, keys: &[(String, Vec<usize>)]) -> Weights {
    let path = mend_fixtures::zeros::file(name, keys);
    let weights = Weights::open(&path).unwrap();
    // On Windows an open file cannot be deleted; it stays until the temporary folder is emptied.
    let _ = fs::remove_file(path);
    weights
}
