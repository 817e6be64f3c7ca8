//! Headers, values, scopes.
#![forbid(unsafe_code)]

mod files;
mod pickle;

use super::*;
use files::Folder;
use safetensors::tensor::TensorView;

/// A file of a header and the bytes behind it.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let len = (header.len() as u64).to_le_bytes();
    [len.as_slice(), header.as_bytes(), data].concat()
}

fn entry(name: &str, dtype: &str, shape: &str, from: usize, to: usize) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{from},{to}]}}"#)
}

/// A file with one tensor.
fn one(name: &str, value: f32) -> Vec<u8> {
    file(
        &format!("{{{}}}", entry(name, "F32", "[1]", 0, 4)),
        &value.to_le_bytes(),
    )
}

fn refused(bytes: &[u8]) -> String {
    let error = Weights::from_bytes("m.safetensors", bytes.to_vec()).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Model, "{error}");
    assert!(error.message().starts_with("m.safetensors: "), "{error}");
    error.message().to_owned()
}

#[test]
fn values_of_each_type_come_back() {
    // Enough of them that conversion goes through several chunks, the last of which is not full.
    let numbers: Vec<f32> = (0..40_001).map(|i| i as f32 * 0.25 - 512.0).collect();
    let bytes =
        |f: &dyn Fn(f32) -> Vec<u8>| numbers.iter().flat_map(|v| f(*v)).collect::<Vec<u8>>();
    let stored = [
        (Dtype::F32, bytes(&|v| v.to_le_bytes().to_vec())),
        (Dtype::F64, bytes(&|v| f64::from(v).to_le_bytes().to_vec())),
        (
            Dtype::F16,
            bytes(&|v| half::f16::from_f32(v).to_le_bytes().to_vec()),
        ),
        (
            Dtype::BF16,
            bytes(&|v| half::bf16::from_f32(v).to_le_bytes().to_vec()),
        ),
        (Dtype::I32, bytes(&|v| (v as i32).to_le_bytes().to_vec())),
        (Dtype::I8, bytes(&|v| (v as i8).to_le_bytes().to_vec())),
        (Dtype::U16, bytes(&|v| (v as u16).to_le_bytes().to_vec())),
    ];
    let shape = [numbers.len()];
    let views = stored.iter().map(|(dtype, bytes)| {
        (
            format!("a.{dtype}"),
            TensorView::new(*dtype, shape.to_vec(), bytes).unwrap(),
        )
    });
    let whole = safetensors::serialize(views, None).unwrap();
    let folder = Folder::new();
    let path = folder.put("m.safetensors", &whole);
    for weights in [Weights::open(&path), Weights::from_bytes("m", whole)] {
        let weights = weights.unwrap();
        assert_eq!(weights.bytes(), 40_001 * (4 + 8 + 2 + 2 + 4 + 1 + 2));
        let a = weights.root().pp("a");
        let float = |name| a.get(name, &shape).unwrap();
        assert_eq!(float("F32"), Values::F32(numbers.clone()));
        assert_eq!(float("F64"), Values::F32(numbers.clone()));
        let f16: Vec<_> = numbers.iter().map(|v| half::f16::from_f32(*v)).collect();
        let widened: Vec<f32> = f16.iter().map(|v| v.to_f32()).collect();
        assert_eq!(float("F16").into_f32().unwrap(), widened);
        assert_eq!(float("F16"), Values::F16(f16));
        let bf16 = numbers.iter().map(|v| half::bf16::from_f32(*v).to_f32());
        assert_eq!(float("BF16"), Values::F32(bf16.collect()));
        let whole = |name| a.integers(name, &shape).unwrap();
        assert!(
            whole("I32")
                .iter()
                .zip(&numbers)
                .all(|(i, v)| *i == *v as i64)
        );
        assert!(
            whole("I8")
                .iter()
                .zip(&numbers)
                .all(|(i, v)| *i == i64::from(*v as i8))
        );
        assert!(
            whole("U16")
                .iter()
                .zip(&numbers)
                .all(|(i, v)| *i == i64::from(*v as u16))
        );
        let error = a.get("I32", &shape).unwrap_err();
        assert!(error.message().contains("'a.I32' holds I32"), "{error}");
        let error = a.integers("F16", &shape).unwrap_err();
        assert!(error.message().contains("'a.F16' holds F16"), "{error}");
    }
}

#[test]
fn what_is_no_number_is_refused_by_name() {
    let read = |dtype: &str, size: usize, data: &[u8]| {
        let entry = entry(
            "a.x",
            dtype,
            &format!("[{}]", data.len() / size),
            0,
            data.len(),
        );
        let weights = Weights::from_bytes("m", file(&format!("{{{entry}}}"), data)).unwrap();
        weights.root().get("a.x", &[data.len() / size])
    };
    let bits = [0x8000_0000u32, 1, 0x7f7f_ffff, 0xff7f_ffff];
    let data: Vec<u8> = bits.iter().flat_map(|b| b.to_le_bytes()).collect();
    let Values::F32(values) = read("F32", 4, &data).unwrap() else {
        panic!("stored as F32");
    };
    assert!(values.iter().zip(bits).all(|(v, b)| v.to_bits() == b));
    for (dtype, bad) in [
        ("F32", f32::INFINITY.to_le_bytes().to_vec()),
        ("F32", f32::NEG_INFINITY.to_le_bytes().to_vec()),
        ("F32", 0x7fc1_2345u32.to_le_bytes().to_vec()),
        ("F64", f64::NAN.to_le_bytes().to_vec()),
        ("F16", 0x7c00u16.to_le_bytes().to_vec()),
        ("F16", 0xfe01u16.to_le_bytes().to_vec()),
        ("BF16", 0x7f80u16.to_le_bytes().to_vec()),
    ] {
        let mut data = vec![0; bad.len() * 40];
        data[bad.len() * 33..][..bad.len()].copy_from_slice(&bad);
        let error = read(dtype, bad.len(), &data).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Model);
        assert!(error.message().contains("'a.x'"), "{dtype}: {error}");
        assert!(error.message().contains("no numbers"), "{dtype}: {error}");
    }
}

#[test]
fn scopes_name_and_count_what_they_read() {
    let header = [
        entry("net.0.weight", "F32", "[1,1]", 0, 4),
        entry("net.0.bias", "F32", "[]", 4, 8),
        entry("net.1.empty", "F16", "[0,3]", 8, 8),
        r#""__metadata__":{"config":"{}"}"#.to_owned(),
    ]
    .join(",");
    // Blanks behind a header are allowed: they align what follows.
    let bytes = file(&format!("{{{header}}}   "), &[0; 8]);
    let weights = Weights::from_bytes("m", bytes).unwrap();
    assert_eq!(weights.metadata("config"), Some("{}"));
    assert_eq!(weights.metadata("version"), None);
    let names: Vec<&str> = weights.names().collect();
    assert_eq!(names, ["net.0.bias", "net.0.weight", "net.1.empty"]);
    let first = weights.root().pp("net").pp(0);
    assert_eq!(first.path("weight"), "net.0.weight");
    assert_eq!(first.path(""), "net.0");
    assert_eq!(weights.root().path("x"), "x");
    assert!(first.has("weight") && !first.has("empty"));
    assert_eq!(first.shape("weight"), Some(vec![1, 1]));
    assert_eq!(weights.shape("net.0.bias"), Some(&[][..]));
    assert_eq!(first.dtype("bias"), Some(Dtype::F32));
    assert_eq!(weights.unused().len(), 3);

    assert_eq!(first.get("bias", &[]).unwrap().len(), 1);
    assert!(first.get("weight", &[1]).is_err());
    assert_eq!(weights.unused(), ["net.0.weight", "net.1.empty"]);
    first.get("weight", &[1, 1]).unwrap();
    assert!(
        weights
            .root()
            .get("net.1.empty", &[0, 3])
            .unwrap()
            .is_empty()
    );
    assert!(weights.unused().is_empty());
}

#[test]
fn another_model_is_told_by_tensor_and_shape() {
    let header = entry("unet.conv_in.weight", "F16", "[2, 4, 3, 3]", 0, 144);
    let weights = Weights::from_bytes(
        "sd/u.safetensors",
        file(&format!("{{{header}}}"), &[0; 144]),
    );
    let weights = weights.unwrap();
    let scope = weights.root().pp("unet");
    let error = scope.get("conv_in.weight", &[2, 9, 3, 3]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Model);
    assert!(
        error.message().starts_with(
            "sd/u.safetensors: tensor 'unet.conv_in.weight' has shape [2, 4, 3, 3], expected \
             [2, 9, 3, 3]; the file belongs to another model"
        ),
        "{error}"
    );
    // As many numbers in another shape are another tensor.
    assert!(scope.get("conv_in.weight", &[2, 36]).is_err());
    let error = scope.get("conv_out.weight", &[1]).unwrap_err();
    assert!(
        error.message().contains("no tensor 'unet.conv_out.weight'"),
        "{error}"
    );

    let single = one("model.diffusion_model.out.2.bias", 0.0);
    let weights = Weights::from_bytes("v1-5.safetensors", single).unwrap();
    let error = weights.root().get("conv_in.bias", &[1]).unwrap_err();
    assert!(error.message().contains("give it as a whole"), "{error}");
}

#[test]
fn damaged_headers_are_refused_with_what_is_wrong() {
    let x =
        |dtype: &str, shape: &str, from, to| format!("{{{}}}", entry("x", dtype, shape, from, to));
    let two = |a: &str, b: &str| format!("{{{a},{b}}}");
    for (header, data, says) in [
        ("{".to_owned(), 0, "the header is damaged"),
        ("{} {}".to_owned(), 0, "the header is damaged"),
        (x("F32", "[1]", 0, 4), 3, "expected 66 or more"),
        (x("F32", "[1]", 0, 4), 5, "its header accounts for 66"),
        (
            x("F33", "[1]", 0, 4),
            4,
            "tensor 'x': unknown variant `F33`",
        ),
        (x("F32", "[-1]", 0, 4), 4, "tensor 'x': invalid value"),
        (x("F32", "[1.5]", 0, 4), 4, "tensor 'x': invalid type"),
        (x("F32", "[1]", 4, 0), 4, "before it begins"),
        (x("F32", "[1]", 4, 8), 8, "begins at byte 4, expected 0"),
        (
            x("F32", "[2]", 0, 4),
            4,
            "has 4 bytes, expected 8 for F32 in shape [2]",
        ),
        (x("F4", "[1]", 0, 0), 0, "expected 1 for F4"),
        (
            x("F32", "[4294967296,4294967296]", 0, 4),
            4,
            "beyond all memory",
        ),
        (
            x("F32", "[18446744073709551615,0]", 0, 4),
            4,
            "has 4 bytes, expected 0",
        ),
        (
            x("F32", "[1]", 0, 18446744073709551612),
            4,
            "has 18446744073709551612 bytes",
        ),
        (
            two(
                &entry("a", "F32", "[2]", 0, 8),
                &entry("b", "F32", "[1]", 4, 8),
            ),
            8,
            "tensor 'b' begins at byte 4, inside of 'a', which ends at 8",
        ),
        (
            two(
                &entry("a", "F32", "[1]", 0, 4),
                &entry("b", "F32", "[1]", 8, 12),
            ),
            12,
            "tensor 'b' begins at byte 8, expected 4",
        ),
        (
            two(
                &entry("a", "F32", "[1]", 0, 4),
                &entry("a", "F32", "[1]", 0, 4),
            ),
            4,
            "'a' appears twice",
        ),
        (
            two(&entry("a", "F32", "[1]", 0, 4), r#""__metadata__":{"a":1}"#),
            4,
            "the header is damaged",
        ),
        (r#"{"a\u001b[2J":{}}"#.to_owned(), 0, r"tensor 'a\u{1b}[2J'"),
    ] {
        let message = refused(&file(&header, &vec![0; data]));
        assert!(message.contains(says), "{header}: {message}");
        assert!(!message.chars().any(char::is_control));
        // The reference reader refuses it too, but for what stands twice.
        let theirs = safetensors::SafeTensors::deserialize(&file(&header, &vec![0; data])).is_ok();
        assert_eq!(theirs, says.contains("twice"), "{header}");
    }
    let long = format!("{{\"{}\":{{}}}}", "n".repeat(5000));
    assert!(refused(&file(&long, &[])).len() < 600);
    // Deep nesting is an error too and no overflow of the stack.
    let deep = format!("{{\"a\":{}", "[".repeat(1_000_000));
    assert!(refused(&file(&deep, &[])).contains("the header is damaged"));
}

#[test]
fn every_cut_and_every_length_is_refused() {
    let whole = one("conv.weight", 1.0);
    assert!(Weights::from_bytes("m", whole.clone()).is_ok());
    for len in 0..whole.len() {
        let message = refused(&whole[..len]);
        assert!(message.contains("download"), "{len}: {message}");
        if len > 8 {
            assert!(message.contains("cut short"), "{len}: {message}");
            assert!(message.contains(&format!("has {len} bytes")), "{message}");
        }
    }
    for wrong in [0, 1, 100_000_001, u64::MAX, u64::MAX - 7] {
        let mut bytes = whole.clone();
        bytes[..8].copy_from_slice(&wrong.to_le_bytes());
        refused(&bytes);
    }
}

#[test]
fn other_formats_are_told_by_name() {
    for (begins, says) in [
        (&b"PK\x03\x04\x00\x00\x08\x08"[..], "zip archive"),
        (
            b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.",
            "Python pickle",
        ),
        (b"\x80\x04\x95\x10", "Python pickle"),
        (b"GGUF\x03\x00\x00\x00", "GGUF"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"\n<!DOCTYPE html><html>", "web page"),
        (b"{\"weight_map\": {}}", "JSON text"),
        (b"", "only 0 bytes"),
        (b"abc", "only 3 bytes"),
    ] {
        for more in [0, 200] {
            let bytes = [begins, &vec![0; more]].concat();
            let message = refused(&bytes);
            assert!(
                more > 0 && begins.len() < 4 || message.contains(says),
                "{message}"
            );
        }
    }
    // A header of 640 bytes makes a file begin as pickles do; it is none.
    let mut header = format!("{{{}}}", entry("x", "F32", "[1]", 0, 4));
    header.push_str(&" ".repeat(640 - header.len()));
    let bytes = file(&header, &[0; 4]);
    assert_eq!(bytes[..2], [0x80, 2]);
    assert!(Weights::from_bytes("m", bytes).is_ok());
}

#[test]
fn weights_are_read_from_several_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    let weights = Weights::from_bytes("m", one("x", 1.0)).unwrap();
    shared(&weights);
    shared(&weights.root());
}

/// The goldens of the networks that come later: each opens, and each weight is one that f16 holds.
#[test]
fn parts_in_memory_are_one_model() {
    let part = |name: &str, value: f32| -> &'static [u8] { one(name, value).leak() };
    let (a, b) = (part("a", 1.0), part("b", 2.0));
    let weights = Weights::from_parts("parts", &[a, b]).unwrap();
    assert_eq!(weights.names().collect::<Vec<_>>(), ["a", "b"]);
    for (name, value) in [("a", 1.0), ("b", 2.0)] {
        let read = weights.root().get(name, &[1]).unwrap();
        assert_eq!(read, Values::F32(vec![value]));
    }
    assert!(weights.unused().is_empty());
    for (parts, why) in [
        (vec![a, b, part("a", 3.0)], "two of the parts"),
        (vec![a, &b[..b.len() - 1]], "cut short"),
        (vec![], "no tensors"),
    ] {
        let error = Weights::from_parts("parts", &parts).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Model);
        assert!(error.message().starts_with("parts: "), "{error}");
        assert!(error.message().contains(why), "{error}");
    }
}

#[test]
fn goldens_open() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    for name in ["unet_sd15", "unet_sd2", "vae", "blocks"] {
        let weights = Weights::open(&folder.join(format!("{name}.safetensors"))).unwrap();
        let config = weights.metadata("config").unwrap();
        assert!(
            serde_json::from_str::<serde_json::Value>(config)
                .unwrap()
                .is_object()
        );
        for tensor in weights.names() {
            let shape = weights.shape(tensor).unwrap();
            let values = weights.root().get(tensor, shape).unwrap();
            let half = matches!(values, Values::F16(_));
            assert_eq!(half, !tensor.starts_with("golden."), "{name}: {tensor}");
            assert!(values.into_f32().unwrap().iter().all(|v| v.is_finite()));
        }
    }
}
