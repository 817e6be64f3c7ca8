//! What the erasers' tests share.
#![forbid(unsafe_code)]

use crate::nn::tests::error;
use crate::weights::Weights;
use candle_core::Tensor;
use std::fs::{self, File};
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};

/// Checks the largest error over the reference's root mean square.
pub fn within(what: &str, got: &Tensor, want: &Tensor, tolerance: f64) {
    let error = error(got, want);
    println!("{what}: {error:.2e}");
    assert!(error <= tolerance, "{what}: {error:e}");
}

/// Names and shapes of a published network's state dict, of `tests/golden/erasers.txt`.
pub fn keys(network: &str) -> Vec<(String, Vec<usize>)> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/erasers.txt");
    let text = fs::read_to_string(file).unwrap();
    let own = text.lines().filter_map(|line| {
        let mut words = line.split(' ');
        (words.next() == Some(network)).then_some(())?;
        let (name, shape) = (words.next().unwrap(), words.next().unwrap());
        let sides = shape.split(',').filter(|s| !s.is_empty());
        Some((name.to_owned(), sides.map(|s| s.parse().unwrap()).collect()))
    });
    own.collect()
}

/// A file with these tensors, all zeros: sparse where the file system has that, and gone when it is
/// dropped.
pub fn full_size(name: &str, keys: &[(String, Vec<usize>)]) -> Weights {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mut end = 0;
    let entries = keys.iter().map(|(name, shape)| {
        let bytes = 2 * shape.iter().product::<usize>();
        let from = end;
        end += bytes;
        format!(
            "\"{name}\":{{\"dtype\":\"F16\",\"shape\":{shape:?},\"data_offsets\":[{from},{end}]}}"
        )
    });
    let header = format!("{{{}}}", entries.collect::<Vec<_>>().join(","));
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let file = format!("mend-{name}-{}-{number}.safetensors", std::process::id());
    let path = std::env::temp_dir().join(file);
    let mut out = File::create(&path).unwrap();
    out.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    out.write_all(header.as_bytes()).unwrap();
    out.set_len((8 + header.len() + end) as u64).unwrap();
    let weights = Weights::open(&path).unwrap();
    // On Windows an open file cannot be deleted; it stays until the temporary folder is emptied.
    let _ = fs::remove_file(path);
    weights
}
