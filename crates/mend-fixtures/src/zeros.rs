//! Networks of their true sizes, as files of zeros.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// Names and shapes of a published network's state dict, of `tests/golden/erasers.txt`.
pub fn keys(network: &str) -> Vec<(String, Vec<usize>)> {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/golden/erasers.txt"
    );
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

/// Names and shapes of a published state dict, of a list in `tests/golden`: a name and sides a line.
pub fn list(name: &str) -> Vec<(String, Vec<usize>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden");
    let text = fs::read_to_string(format!("{folder}/{name}")).unwrap();
    let lines = text.lines().map(|line| {
        let (name, shape) = line.split_once(' ').unwrap();
        let sides = shape.split(',').filter(|s| !s.is_empty());
        (name.to_owned(), sides.map(|s| s.parse().unwrap()).collect())
    });
    lines.collect()
}

/// A new temporary file with these tensors, all zeros: sparse where the file system has that.
pub fn file(name: &str, keys: &[(String, Vec<usize>)]) -> PathBuf {
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
    path
}
