//! Model files: as bytes, as a header with bytes behind it, as an index with its shard.

use mend::ErrorKind;
use mend::weights::{Scope, Weights};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// A folder that is there until this is dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let id = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mend-fuzz-model-{}-{id}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A file of that header, with `count` bytes behind it.
pub fn file(header: &[u8], count: usize) -> Vec<u8> {
    let len = (header.len() as u64).to_le_bytes();
    [&len, header, &vec![0x3c; count]].concat()
}

pub fn run(data: &[u8]) {
    check(data);
    if let Some((count, header)) = data.split_first() {
        check(&file(header, usize::from(*count)));
    }
    check_index(data);
}

/// What opens is sound for the reference reader too, which agrees on every tensor; what does not has
/// a message that names it.
fn check(data: &[u8]) {
    let theirs = safetensors::SafeTensors::deserialize(data);
    let weights = match Weights::from_bytes("fuzz.safetensors", data.to_vec()) {
        Ok(weights) => weights,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Model);
            assert!(error.message().starts_with("fuzz.safetensors: "), "{error}");
            // A name that stands twice and blanks before the header are nothing to the other.
            let strict = error.message().contains("twice") || data.get(8) != Some(&b'{');
            assert!(theirs.is_err() || strict, "{error}");
            return;
        }
    };
    let theirs = theirs.expect("it opens here");
    assert_eq!(weights.names().count(), theirs.len());
    let mut bytes = 0;
    for (name, view) in theirs.tensors() {
        assert_eq!(weights.shape(&name), Some(view.shape()));
        assert_eq!(weights.dtype(&name), Some(view.dtype()));
        bytes += view.data().len() as u64;
        read(&weights.root(), &name, view.shape());
    }
    assert_eq!(weights.bytes(), bytes);
}

/// A tensor reads as floating-point numbers or as whole ones, never as both.
fn read(root: &Scope<'_>, name: &str, shape: &[usize]) {
    let count: usize = shape.iter().product();
    let floats = root.get(name, shape).map(|v| v.len());
    let integers = root.integers(name, shape).map(|v| v.len());
    assert!(floats.is_err() || integers.is_err());
    for outcome in [floats, integers] {
        match outcome {
            Ok(read) => assert_eq!(read, count),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Model, "{error}"),
        }
    }
    assert!(root.get(name, &[shape, &[1]].concat()).is_err());
}

/// An index opens nothing but what lies beside it.
fn check_index(data: &[u8]) {
    let folder = Folder::new();
    let header = br#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    fs::write(folder.0.join("a.safetensors"), file(header, 4)).expect("a temporary file");
    let path = folder.0.join("m.safetensors.index.json");
    fs::write(&path, data).expect("a temporary file");
    match Weights::open(&path) {
        // There is but one tensor to be had.
        Ok(weights) => {
            assert_eq!(weights.names().collect::<Vec<_>>(), ["x"]);
            assert!(weights.root().get("x", &[1]).is_ok());
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Model, "{error}");
            assert!(error.message().contains("index.json"), "{error}");
        }
    }
}
