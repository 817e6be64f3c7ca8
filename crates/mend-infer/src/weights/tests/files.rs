//! What lies on disk: files, folders, shards.
#![forbid(unsafe_code)]

use super::*;
use half::f16;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;

/// A folder that is there until this is dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let id = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mend-weights-{}-{id}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn refused(&self, stem: &str) -> String {
        let error = Weights::open_folder(&self.0, stem).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Model, "{error}");
        assert!(error.message().contains("mend-weights-"), "{error}");
        error.message().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = Folder::new();
    let gone = Weights::open(&folder.0.join("no.safetensors")).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::Model);
    assert!(gone.message().contains("no such file"), "{gone}");
    let error = Weights::open(&folder.0).unwrap_err();
    assert!(error.message().contains("this is a folder"), "{error}");
    #[cfg(unix)]
    for device in ["/dev/zero", "/dev/null"] {
        let error = Weights::open(Path::new(device)).unwrap_err();
        assert!(error.message().contains("device"), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_cut_short_under_us_is_an_error() {
    let folder = Folder::new();
    let path = folder.put("m.safetensors", one("x", 1.0));
    let weights = Weights::open(&path).unwrap();
    assert!(weights.root().get("x", &[1]).is_ok());
    let len = fs::metadata(&path).unwrap().len();
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(len - 1)
        .unwrap();
    let error = weights.root().get("x", &[1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Model);
    assert!(error.message().contains("is shorter now"), "{error}");
}

#[test]
fn tensors_of_16_bits_are_read_in_parts_unless_they_are_changed() {
    #[derive(Debug)]
    struct Twice;
    impl Change for Twice {
        fn apply(&self, _: &str, _: &[usize], values: Values) -> Result<Values> {
            Ok(values)
        }
    }
    let header = [
        entry("half", "F16", "[2,3]", 0, 12),
        entry("single", "F32", "[1]", 12, 16),
    ];
    let values: Vec<f16> = (0..6).map(|i| f16::from_f32(i as f32)).collect();
    let mut data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    data.extend(1f32.to_le_bytes());
    let folder = Folder::new();
    let path = folder.put("m", file(&format!("{{{}}}", header.join(",")), &data));
    let weights = Weights::open(&path).unwrap();
    let root = weights.root();
    assert!(root.stored("single", &[1]).unwrap().is_none());
    assert_eq!(weights.unused(), ["half"]);
    let half = root.stored("half", &[2, 3]).unwrap().unwrap();
    assert!(weights.unused().is_empty());
    assert_eq!(half.count(), 6);
    let mut two = [f16::ZERO; 2];
    for start in 0..5 {
        half.read(start, &mut two).unwrap();
        assert_eq!(two, values[start..start + 2]);
    }
    for start in [5, usize::MAX] {
        let error = half.read(start, &mut two).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
    }
    for shape in [&[3, 2][..], &[6]] {
        assert!(root.stored("half", shape).is_err());
    }
    let shorter = fs::File::options().write(true).open(&path).unwrap();
    shorter
        .set_len(fs::metadata(&path).unwrap().len() - 5)
        .unwrap();
    let error = half.read(4, &mut two).unwrap_err();
    assert!(error.message().contains("is shorter now"), "{error}");
    let changed =
        Weights::open(&folder.put("n", file(&format!("{{{}}}", header.join(",")), &data)));
    let changed = changed.unwrap().changed(Arc::new(Twice));
    assert!(changed.root().stored("half", &[2, 3]).unwrap().is_none());
}

#[test]
fn a_folder_gives_the_first_form_that_is_there() {
    let folder = Folder::new();
    assert!(
        folder
            .refused("model")
            .contains("model.safetensors.index.fp16.json")
    );
    folder.put("model.bin", b"PK\x03\x04");
    let message = folder.refused("model");
    assert!(
        message.contains("'model.bin' is there and is a pickle"),
        "{message}"
    );

    // What PyTorch writes is opened as what it is, and told where it is none.
    let archive = folder.put("pytorch_model.bin", b"PK\x03\x04");
    assert!(folder.refused("model").contains("zip archive"));
    let stored = super::pickle::one("x", 9.0);
    folder.put("pytorch_model.bin", &stored);
    folder.put("diffusion_pytorch_model.fp16.bin", &stored);
    for stem in ["model", "diffusion_pytorch_model"] {
        let weights = Weights::open_folder(&folder.0, stem).unwrap();
        let nine = weights.root().get("x", &[1]).unwrap();
        assert_eq!(nine, Values::F32(vec![9.0]), "{stem}");
    }
    fs::rename(archive, folder.0.join("pytorch_model-00001.bin")).unwrap();
    let map = r#"{"metadata":{"total_size":NaN},"weight_map":{"x":"pytorch_model-00001.bin"}}"#;
    folder.put("pytorch_model.bin.index.json", map);
    let weights = Weights::open_folder(&folder.0, "model").unwrap();
    assert_eq!(
        weights.root().get("x", &[1]).unwrap(),
        Values::F32(vec![9.0])
    );

    let value = || {
        let weights = Weights::open_folder(&folder.0, "model").unwrap();
        weights.root().get("x", &[1]).unwrap().into_f32().unwrap()[0]
    };
    let index = |file: &str| format!(r#"{{"metadata":{{}},"weight_map":{{"x":"{file}"}}}}"#);
    folder.put("fp16-00001.safetensors", one("x", 4.0));
    folder.put("00001.safetensors", one("x", 2.0));
    folder.put(
        "model.safetensors.index.fp16.json",
        index("fp16-00001.safetensors"),
    );
    assert_eq!(value(), 4.0);
    folder.put("model.fp16.safetensors", one("x", 3.0));
    assert_eq!(value(), 3.0);
    folder.put("model.safetensors.index.json", index("00001.safetensors"));
    assert_eq!(value(), 2.0);
    let whole = folder.put("model.safetensors", one("x", 1.0));
    assert_eq!(value(), 1.0);
    // A damaged one is told and not passed over.
    fs::write(whole, b"PK\x03\x04").unwrap();
    assert!(folder.refused("model").contains("zip archive"));
    let error = Weights::open_folder(&folder.0.join("unet"), "model").unwrap_err();
    assert!(error.message().contains("no such folder"), "{error}");
}

#[test]
fn shards_make_one_model() {
    let folder = Folder::new();
    folder.put("a.safetensors", one("x", 1.0));
    folder.put("b.safetensors", one("y", 2.0));
    let index = r#"{"weight_map":{"x":"a.safetensors","y":"b.safetensors"}}"#;
    let path = folder.put("m.safetensors.index.json", index);
    let weights = Weights::open(&path).unwrap();
    assert_eq!(weights.bytes(), 8);
    let read = |name| weights.root().get(name, &[1]).unwrap();
    assert_eq!(
        (read("x"), read("y")),
        (Values::F32(vec![1.0]), Values::F32(vec![2.0]))
    );
    // A message names the shard.
    let error = weights.root().get("y", &[2]).unwrap_err();
    assert!(
        error.message().contains("b.safetensors: tensor 'y'"),
        "{error}"
    );
}

#[test]
fn an_index_reaches_no_other_files() {
    let folder = Folder::new();
    folder.put("a.safetensors", one("x", 1.0));
    let inner = folder.0.join("inner");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("b.safetensors"), one("x", 1.0)).unwrap();
    let absolute = folder.0.join("a.safetensors");
    let absolute = absolute.to_str().unwrap().replace('\\', "/");
    for (map, says) in [
        (
            r#"{"x":"../a.safetensors"}"#,
            "a plain name in its own folder",
        ),
        (r#"{"x":".."}"#, "a plain name"),
        (r#"{"x":""}"#, "expected .safetensors"),
        (r#"{"x":"a.pt"}"#, "expected .safetensors"),
        (r#"{"x":"inner/b.safetensors"}"#, "a plain name"),
        (r#"{"x":"inner\\b.safetensors"}"#, "a plain name"),
        (r#"{"x":"C:a.safetensors"}"#, "a plain name"),
        (r#"{"x":"a\u0000.safetensors"}"#, "a plain name"),
        (&format!("{{\"x\":\"{absolute}\"}}"), "a plain name"),
        (r#"{"x":"a.bin"}"#, "a.bin: there is no such file"),
        (
            r#"{"x":"gone.safetensors"}"#,
            "gone.safetensors: there is no such file",
        ),
        (
            r#"{"y":"a.safetensors"}"#,
            "tensor 'y' should be in 'a.safetensors'",
        ),
        (
            r#"{"x":"a.safetensors","x":"a.safetensors"}"#,
            "'x' appears twice",
        ),
        (r#"{"x":1}"#, "not an index"),
        ("{}", "'weight_map' is empty"),
        ("[]", "not an index"),
    ] {
        folder.put(
            "m.safetensors.index.json",
            format!("{{\"weight_map\":{map}}}"),
        );
        let message = folder.refused("m");
        assert!(message.contains(says), "{map}: {message}");
        assert!(message.contains("index.json"), "{map}: {message}");
    }
    for text in ["", "{}", "[1]", r#"{"weight_map":{},"weight_map":{}}"#] {
        folder.put("m.safetensors.index.json", text);
        assert!(folder.refused("m").contains("not an index"), "{text}");
    }
}
