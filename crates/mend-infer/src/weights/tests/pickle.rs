//! PyTorch's archives and ONNX files: sound ones as PyTorch wrote them, and hostile ones by hand.
#![forbid(unsafe_code)]

use super::*;
use std::path::PathBuf;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden")
        .join(name)
}

/// A zip archive of stored members.
fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut body, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in members {
        let offset = body.len() as u32;
        let len = (bytes.len() as u32).to_le_bytes();
        let name_len = (name.len() as u16).to_le_bytes();
        let head = [&[0u8; 10][..], &[0; 4], &len, &len, &name_len, &[0; 2]].concat();
        // What both headers share stands behind the signature and, in the directory, a version.
        body.extend([b"PK\x03\x04", &head[..], name.as_bytes(), bytes].concat());
        directory.extend(
            [
                b"PK\x01\x02\0\0",
                &head[..],
                &[0; 10],
                &offset.to_le_bytes(),
            ]
            .concat(),
        );
        directory.extend(name.as_bytes());
    }
    let count = (members.len() as u16).to_le_bytes();
    let place = [(directory.len() as u32), body.len() as u32].map(u32::to_le_bytes);
    let end = [
        b"PK\x05\x06\0\0\0\0",
        &count[..],
        &count,
        &place.concat(),
        &[0; 2],
    ]
    .concat();
    [body, directory, end].concat()
}

/// An archive of this pickle and a storage of four floats.
fn with(pickle: &[u8]) -> Vec<u8> {
    let four: Vec<u8> = [1f32, 2.0, 3.0, 4.0]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    archive(&[
        ("m/data.pkl", pickle),
        ("m/data/0", &four),
        ("m/version", b"3"),
    ])
}

/// An archive with one tensor of one number.
pub fn one(name: &str, value: f32) -> Vec<u8> {
    let tensor = tensor("FloatStorage", "0", 1, 0, &[1], &[1]);
    let pickle = [b"\x80\x02}", &text(name)[..], &tensor, b"s."].concat();
    archive(&[("m/data.pkl", &pickle), ("m/data/0", &value.to_le_bytes())])
}

fn text(s: &str) -> Vec<u8> {
    [&[b'X'][..], &(s.len() as u32).to_le_bytes(), s.as_bytes()].concat()
}

fn class(module: &str, name: &str) -> Vec<u8> {
    format!("c{module}\n{name}\n").into_bytes()
}

/// `torch._utils._rebuild_tensor_v2` of a storage of `count` numbers under `key`.
fn tensor(kind: &str, key: &str, count: u8, offset: u8, shape: &[u8], strides: &[u8]) -> Vec<u8> {
    let sizes = |all: &[u8]| {
        let each = all.iter().flat_map(|n| [b'K', *n]);
        [b"(", &each.collect::<Vec<_>>()[..], b"t"].concat()
    };
    [
        &class("torch._utils", "_rebuild_tensor_v2")[..],
        b"((",
        &text("storage"),
        &class("torch", kind),
        &text(key),
        &text("cpu"),
        &[b'K', count, b't', b'Q', b'K', offset],
        &sizes(shape),
        &sizes(strides),
        b"\x89}tR",
    ]
    .concat()
}

/// `{"w": …}`, finished.
fn dict(value: &[u8]) -> Vec<u8> {
    [b"\x80\x02}", &text("w")[..], value, b"s."].concat()
}

fn sound() -> Vec<u8> {
    tensor("FloatStorage", "0", 4, 1, &[3], &[1])
}

fn open(bytes: Vec<u8>) -> Result<Weights> {
    Weights::from_bytes("m.pt", bytes)
}

fn told(bytes: Vec<u8>) -> String {
    let error = open(bytes).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Model, "{error}");
    assert!(error.message().starts_with("m.pt: "), "{error}");
    error.message().to_owned()
}

#[test]
fn a_trainers_checkpoint_gives_its_state_dict() {
    let weights = Weights::open(&golden("checkpoint.ckpt")).unwrap();
    let names: Vec<_> = weights.names().collect();
    assert_eq!(
        names,
        [
            "brain",
            "double",
            "generator.0.bias",
            "generator.0.weight",
            "generator.1.bias",
            "generator.1.num_batches_tracked",
            "generator.1.running_mean",
            "generator.1.running_var",
            "generator.1.weight",
            "half",
            "parameter",
            "part",
            "turned"
        ]
    );
    let root = weights.root();
    let twelve: Vec<f32> = (0..12).map(|i| i as f32).collect();
    for name in ["brain", "double", "half", "parameter"] {
        let values = root.get(name, &[12]).unwrap().into_f32().unwrap();
        assert_eq!(values, twelve, "{name}");
    }
    let part = root.get("part", &[2, 3]).unwrap();
    assert_eq!(part, Values::F32(twelve[4..10].to_vec()));
    let count = root.integers("generator.1.num_batches_tracked", &[]);
    assert_eq!(count.unwrap(), [0]);
    assert_eq!(weights.dtype("half"), Some(Dtype::F16));
    let turned = (0..12).map(|i| (i % 3 * 4 + i / 3) as f32).collect();
    assert_eq!(root.get("turned", &[4, 3]).unwrap(), Values::F32(turned));
}

#[test]
fn one_network_is_the_same_in_every_format() {
    let reference = Weights::open(&golden("migan.safetensors")).unwrap();
    let floats = |weights: &Weights, name: &str| {
        let shape = weights.shape(name).unwrap().to_vec();
        let values = weights.root().get(name, &shape).unwrap();
        (shape, values.into_f32().unwrap())
    };
    let own = |name: &&str| !name.starts_with("golden.");
    let names: Vec<_> = reference.names().filter(own).collect();
    assert!(names.len() > 60);
    for file in ["migan.pt", "migan_traced.pt"] {
        let other = Weights::open(&golden(file)).unwrap();
        assert_eq!(other.names().collect::<Vec<_>>(), names, "{file}");
        for name in &names {
            assert_eq!(
                floats(&other, name),
                floats(&reference, name),
                "{file} {name}"
            );
        }
    }
    // The exporter leaves the same tensor out twice and works noise out.
    let onnx = Weights::open(&golden("migan.onnx")).unwrap();
    let mut noises = 0;
    for name in &names {
        if let Some(module) = name.strip_suffix(".noise_const") {
            let (shape, values) = floats(&reference, name);
            let (_, strength) = floats(&reference, &format!("{module}.noise_strength"));
            let product: Vec<f32> = values.iter().map(|v| v * strength[0]).collect();
            let added = format!("{module}.conv2.weight.added");
            assert_eq!(floats(&onnx, &added), (shape, product), "{added}");
            noises += 1;
        } else if !name.contains("filter") && !name.contains("zeros") && !name.contains("noise") {
            assert_eq!(floats(&onnx, name), floats(&reference, name), "{name}");
        }
    }
    assert_eq!(noises, 6);
}

#[test]
fn tensors_are_parts_of_storages() {
    let weights = open(with(&dict(&sound()))).unwrap();
    assert_eq!(
        weights.root().get("w", &[3]).unwrap(),
        Values::F32(vec![2.0, 3.0, 4.0])
    );
    // Of a side of 1 the stride says nothing.
    let flat = tensor("FloatStorage", "0", 4, 0, &[1, 2, 1, 2], &[9, 2, 7, 1]);
    assert!(
        open(with(&dict(&flat)))
            .unwrap()
            .root()
            .get("w", &[1, 2, 1, 2])
            .is_ok()
    );
    for (pickle, says) in [
        (
            tensor("FloatStorage", "0", 3, 0, &[3], &[1]),
            "storage of 16 bytes",
        ),
        (
            tensor("HalfStorage", "0", 4, 0, &[3], &[1]),
            "storage of 16 bytes",
        ),
        (tensor("FloatStorage", "1", 4, 0, &[3], &[1]), "is missing"),
        (
            tensor("FloatStorage", "../0", 4, 0, &[3], &[1]),
            "is missing",
        ),
        (
            tensor("FloatStorage", "0", 4, 2, &[3], &[1]),
            "more than its storage",
        ),
        (
            tensor("FloatStorage", "0", 4, 0, &[255; 9], &[0; 9]),
            "more than its storage",
        ),
        (
            tensor("FloatStorage", "0", 4, 0, &[255; 2], &[0; 2]),
            "many times over",
        ),
        (
            tensor("FloatStorage", "0", 4, 0, &[2, 2], &[2, 2]),
            "more than its storage",
        ),
        (
            tensor("FloatStorage", "0", 4, 0, &[1; 17], &[1; 17]),
            "17 dimensions",
        ),
        (
            tensor("FloatStorage", "0", 4, 0, &[3], &[]),
            "in a way that PyTorch does not",
        ),
    ] {
        let message = told(with(&dict(&pickle)));
        assert!(message.contains(says), "{message}");
    }
    let odd = dict(&tensor("QUInt8Storage", "0", 4, 0, &[3], &[1]));
    let odd = open(with(&odd)).unwrap();
    for name in ["w", "other"] {
        let error = odd.root().get(name, &[3]).unwrap_err();
        assert!(error.message().contains("'w' "), "{error}");
        assert!(error.message().contains("type of numbers"), "{error}");
    }
}

/// Transposed, every second, one for all, in the order that PyTorch calls channels_last: the storage is
/// 1, 2, 3, 4.
#[test]
fn numbers_that_lie_apart_are_put_together() {
    type Case<'a> = (u8, &'a [u8], &'a [u8], &'a [f32]);
    let cases: [Case<'_>; 6] = [
        (0, &[2, 2], &[1, 2], &[1.0, 3.0, 2.0, 4.0]),
        (1, &[2], &[2], &[2.0, 4.0]),
        (2, &[3], &[0], &[3.0, 3.0, 3.0]),
        (0, &[1, 2, 2, 1], &[4, 1, 2, 2], &[1.0, 3.0, 2.0, 4.0]),
        // Of a side of 1 the stride says nothing, and where there is nothing, none does.
        (3, &[1, 1, 1], &[255, 9, 3], &[4.0]),
        (0, &[2, 0], &[1, 7], &[]),
    ];
    for (offset, shape, strides, values) in cases {
        let pickle = dict(&tensor("FloatStorage", "0", 4, offset, shape, strides));
        let weights = open(with(&pickle)).unwrap();
        let wide: Vec<usize> = shape.iter().map(|n| usize::from(*n)).collect();
        let root = weights.root();
        let found = root.get("w", &wide).unwrap();
        assert_eq!(found, Values::F32(values.to_vec()), "{shape:?} {strides:?}");
    }
    // A part of it, by rows, under another name and in another shape.
    let turned = tensor("FloatStorage", "0", 4, 0, &[2, 2], &[1, 2]);
    let weights = open(with(&dict(&turned))).unwrap();
    let part = Part {
        of: "w".into(),
        shape: vec![1, 2, 1],
        first: 1,
    };
    let view = weights.view([("row".to_owned(), part)]).unwrap();
    let row = view.root().get("row", &[1, 2, 1]).unwrap();
    assert_eq!(row, Values::F32(vec![2.0, 4.0]));
    // Of 16 bits, and of whole numbers: the same storage as eight and as two of them.
    let half = dict(&tensor("HalfStorage", "0", 8, 1, &[2, 2], &[2, 4]));
    let weights = open(with(&half)).unwrap();
    let Values::F16(values) = weights.root().get("w", &[2, 2]).unwrap() else {
        panic!("stored as F16");
    };
    let bits: Vec<u16> = values.iter().map(|v| v.to_bits()).collect();
    assert_eq!(bits, [0x3f80, 0x4040, 0x4000, 0x4080]);
    assert!(weights.root().stored("w", &[2, 2]).unwrap().is_none());
    let whole = dict(&tensor("LongStorage", "0", 2, 0, &[3], &[0]));
    let weights = open(with(&whole)).unwrap();
    let first = 0x4000_0000_3f80_0000;
    assert_eq!(weights.root().integers("w", &[3]).unwrap(), [first; 3]);
}

#[test]
fn a_frozen_module_is_told() {
    let module = [&b"\x80\x02"[..], &class("__torch__", "Net"), b")\x81}b."].concat();
    let frozen = archive(&[("m/data.pkl", &module), ("m/constants/0", &[0; 4])]);
    let error = open(frozen).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("frozen"), "{error}");
}

/// What a text is used for takes no longer where the text is long: against the same with a short one, and
/// as many bytes beside it.
#[test]
fn a_long_name_costs_its_length_once() {
    let long = "x".repeat(1 << 20);
    let many =
        |begin: &[u8], each: &[u8]| [b"\x80\x02", begin, &each.repeat(60_000), b"."].concat();
    // A class that is called, made and asked for a storage; a key of a dictionary; a storage's own.
    let call = |name: &str| [&class("torch", name)[..], b"q\x00]"].concat();
    let stack = |name: &str| [&text("torch")[..], &text(name), b"\x93q\x00]"].concat();
    let named = |name: &str| [&text("torch")[..], b"q\x00", &text(name), b"q\x01]"].concat();
    let key = |name: &str| [&text(name)[..], b"q\x00}q\x01"].concat();
    let beside = |short: &dyn Fn(&str) -> Vec<u8>| [&short("y")[..], &text(&long), b"0"].concat();
    type Maker<'a> = &'a dyn Fn(&str) -> Vec<u8>;
    let cases: [(Maker<'_>, &[u8]); 5] = [
        (&call, b"h\x00)R0"),
        (&call, b"h\x00)\x810"),
        (&stack, b"h\x00)R0"),
        (&named, b"h\x00h\x01\x930"),
        (&key, b"h\x00]s"),
    ];
    let time = |pickle: &[u8]| {
        let file = with(pickle);
        let begin = std::time::Instant::now();
        let made = open(file);
        assert!(made.is_err());
        begin.elapsed().as_secs_f64()
    };
    for (i, (begin, each)) in cases.into_iter().enumerate() {
        let plain = time(&many(&beside(begin), each));
        let hostile = time(&many(&begin(&long), each));
        // It was a thousand times as much.
        assert!(hostile < 30.0 * plain, "case {i}: {hostile} s, {plain} s");
    }
}

/// What would run a program in Python is a name here, beside the tensors that are there.
#[test]
fn nothing_is_called() {
    let system = [
        &class("os", "system")[..],
        &text("touch /tmp/mend-was-here"),
        b"\x85R",
    ]
    .concat();
    let message = told(with(&[b"\x80\x02", &system[..], b"."].concat()));
    assert!(
        message.contains("'os.system'") && message.contains("pickle"),
        "{message}"
    );
    // In a dictionary, as a class that takes tensors on, and around the dictionary.
    let beside = [
        b"\x80\x02}(",
        &text("x")[..],
        &system,
        &text("w"),
        &sound(),
        b"u.",
    ]
    .concat();
    let new = [
        &class("__torch__", "Net")[..],
        b")\x81}",
        &text("w"),
        &sound(),
        b"sb",
    ]
    .concat();
    let module = [b"\x80\x02", &new[..], b"."].concat();
    let nested = [
        b"\x80\x02",
        &class("__torch__", "Net")[..],
        b")\x81}",
        &text("_modules"),
        b"}",
        &text("a"),
        &new,
        b"ssb.",
    ]
    .concat();
    for (pickle, name) in [(&beside, "w"), (&module, "w"), (&nested, "a.w")] {
        let weights = open(with(pickle)).unwrap();
        assert_eq!(weights.names().collect::<Vec<_>>(), [name]);
        assert!(weights.root().get(name, &[3]).is_ok());
    }
    assert!(!Path::new("/tmp/mend-was-here").exists());
}

#[test]
fn hostile_pickles_are_refused() {
    // Each list holds the one before twice: 2^40 paths.
    let mut bomb = b"\x80\x02]q\x00".to_vec();
    for i in 0..40u8 {
        bomb.extend([b']', b'(', b'h', i, b'h', i, b'e', b'q', i + 1]);
    }
    bomb.push(b'.');
    assert!(told(with(&bomb)).contains("nested"), "a bomb");
    // As deep as it is long, and around itself.
    let deep = [
        b"\x80\x02".to_vec(),
        vec![b'('; 200_000],
        vec![b't'; 200_000],
        b".".to_vec(),
    ];
    assert!(told(with(&deep.concat())).contains("holds no tensors"));
    assert!(told(with(b"\x80\x02]q\x00h\x00a.")).contains("holds no tensors"));
    // More than any model describes, though the file has room for it.
    for op in [b'N', b']', 0x94] {
        let many = [b"\x80\x02]".to_vec(), vec![op; 3 << 20], b".".to_vec()].concat();
        assert!(told(with(&many)).contains("too much"), "{op}");
    }
    let long = vec![b'N'; (8 << 20) + 1];
    assert!(told(with(&long)).contains("expected 8388608 at most"));
    // The same bytes a hundred times over.
    let same = |i: u8| [text(&format!("{i}")), b"h\x00".to_vec()].concat();
    let all: Vec<u8> = (0..100).flat_map(same).collect();
    let large = tensor("FloatStorage", "0", 250, 0, &[250], &[1]);
    let tied = [b"\x80\x02", &large[..], b"q\x000}(", &all, b"u."].concat();
    let tied = archive(&[("m/data.pkl", &tied), ("m/data/0", &[0; 1000])]);
    assert!(told(tied).contains("many times over"));
    for (pickle, says) in [
        (&b""[..], "ends in the middle"),
        (b"\x80\x02", "ends in the middle"),
        (b"\x80\x00.", "protocol 0"),
        (b"\x80\x02.", "not there"),
        (b"\x80\x02(.", "not there"),
        (b"\x80\x02t.", "mark"),
        (b"\x80\x02N(0.", "not there"),
        (b"\x80\x02h\x05.", "never saw"),
        (b"\x80\x02X\xff\xff\xff\xff", "ends in the middle"),
        (
            b"\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\xff",
            "ends in the middle",
        ),
        (b"\x80\x02X\x01\x00\x00\x00\xff.", "UTF-8"),
        (b"\x80\x02cos\nsystem", "no end"),
        (b"\x80\x02}(K\x01u.", "no value"),
        (b"\x80\x02K\x01)R.", "not a function"),
        (b"\x80\x02K\x01)\x81.", "no class"),
        (b"\x80\x02K\x01Q.", "not a storage"),
        (b"\x80\x02ios\nsystem\n.", "0x69"),
        (b"\x80\x02\x82\x01.", "0x82"),
        (
            b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
            "in a way",
        ),
        (b"\x80\x02N.", "describes nothing"),
    ] {
        let message = told(with(pickle));
        assert!(message.contains(says), "{says}: {message}");
    }
}

#[test]
fn damaged_archives_are_refused() {
    let whole = with(&dict(&sound()));
    assert!(open(whole.clone()).is_ok());
    for len in (4..whole.len()).step_by(3) {
        told(whole[..len].to_vec());
    }
    let pickle = dict(&sound());
    let one = |name: &str| told(archive(&[(name, &pickle)]));
    assert!(one("data.pkl").contains("no data.pkl"));
    assert!(one("a/b/data.pkl").contains("no data.pkl"));
    let two = archive(&[("a/data.pkl", &pickle), ("b/data.pkl", &pickle)]);
    assert!(told(two).contains("several"));
    let twice = archive(&[("a/data.pkl", &pickle), ("a/data.pkl", &pickle)]);
    assert!(told(twice).contains("twice"));
    let order = archive(&[("a/data.pkl", &pickle), ("a/byteorder", b"big")]);
    assert!(told(order).contains("most significant byte"));
    // Compressed: method 8 in the directory.
    let mut squeezed = whole.clone();
    let at = squeezed
        .windows(6)
        .position(|w| w == b"PK\x01\x02\0\0")
        .unwrap();
    squeezed[at + 10] = 8;
    assert!(told(squeezed).contains("compressed"));
    for i in (0..whole.len()).rev().take(250) {
        for value in [0, 0xff] {
            let mut changed = whole.clone();
            changed[i] = value;
            if let Ok(weights) = open(changed) {
                weights
                    .names()
                    .for_each(|n| drop(weights.root().get(n, &[3])));
            }
        }
    }
}

#[test]
fn damaged_onnx_files_are_refused() {
    let whole = fs_read("migan.onnx");
    let told = |bytes: &[u8]| {
        let error = Weights::from_bytes("m.onnx", bytes.to_vec()).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Model, "{error}");
        error.message().to_owned()
    };
    for len in (0..whole.len()).step_by(997) {
        assert!(
            told(&whole[..len]).contains("this is not an ONNX file"),
            "{len}"
        );
    }
    assert!(told(b"PK\x03\x04").contains("ONNX"));
    // A graph with a tensor of two floats in three bytes, of more dimensions than there are, without
    // end, and one whose bytes are elsewhere.
    let graph = |tensor: &[u8]| {
        let inner = [&[0x2a, tensor.len() as u8][..], tensor].concat();
        [&[0x3a, inner.len() as u8][..], &inner].concat()
    };
    let tensor = |more: &[u8]| [b"\x08\x02\x10\x01\x42\x01w", more].concat();
    let good = Weights::from_bytes("m.onnx", graph(&tensor(b"\x4a\x08abcdefgh"))).unwrap();
    assert_eq!(good.shape("w"), Some(&[2usize][..]));
    assert!(told(&graph(&tensor(b"\x4a\x03abc"))).contains("3 bytes, expected 8"));
    assert!(told(&graph(&[&b"\x08\x01"[..]; 20].concat())).contains("too many dimensions"));
    assert!(told(&graph(&[0x08, 0xff, 0xff])).contains("number"));
    assert!(told(&[0xff; 11]).contains("no end"));
    // Of bytes in memory nothing lies beside.
    let entry = b"\x6a\x0d\x0a\x08location\x12\x01d";
    assert!(told(&graph(&tensor(entry))).contains("the file 'd'"));
    let many = [0x0a, 0].repeat(1 << 18);
    let many = [&[0x3a][..], &varint(many.len()), &many].concat();
    assert!(told(&many).contains("more nodes"));
}

fn varint(mut n: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
    out
}

/// A field of a protobuf message that holds bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2][..], &varint(bytes.len()), bytes].concat()
}

/// Weights as `Constant` nodes, under another name by an `Identity`, and in a file beside.
#[test]
fn a_graphs_weights_lie_in_nodes_and_beside_it() {
    let two = [1f32, 2.0].map(f32::to_le_bytes).concat();
    let inside = |name: &str| {
        [
            b"\x08\x02\x10\x01",
            &field(8, name.as_bytes())[..],
            &field(9, &two),
        ]
        .concat()
    };
    let entry = |key: &str, value: &str| {
        let pair = [field(1, key.as_bytes()), field(2, value.as_bytes())].concat();
        field(13, &pair)
    };
    let outside = |name: &str, file: &str, offset: &str| {
        let place = [
            entry("location", file),
            entry("offset", offset),
            entry("length", "8"),
        ]
        .concat();
        [
            b"\x08\x02\x10\x01\x70\x01",
            &field(8, name.as_bytes())[..],
            &place,
        ]
        .concat()
    };
    let node = |kind: &str, input: &str, output: &str, attribute: &[u8]| {
        let mut all = Vec::new();
        if !input.is_empty() {
            all.extend(field(1, input.as_bytes()));
        }
        all.extend(field(2, output.as_bytes()));
        all.extend(field(4, kind.as_bytes()));
        all.extend(attribute);
        field(1, &all)
    };
    let value = |name: &str, tensor: &[u8]| {
        let inner = [field(1, name.as_bytes()), field(5, tensor)].concat();
        field(5, &inner)
    };
    let graph = |file: &str, offset: &str| {
        let parts = [
            node("Constant", "", "constant", &value("value", &inside("own"))),
            node(
                "Constant",
                "",
                "sparse",
                &value("sparse_value", &inside("own")),
            ),
            node("Identity", "plain", "same", b""),
            node("Identity", "out", "same_out", b""),
            node("Relu", "x", "y", b""),
            field(5, &inside("plain")),
            field(5, &outside("out", file, offset)),
        ];
        field(7, &parts.concat())
    };
    let folder = Folder::new();
    let mut beside = vec![0u8; 4];
    beside.extend([5f32, 6.0].map(f32::to_le_bytes).concat());
    folder.put("m.data", &beside);
    let path = folder.put("m.onnx", graph("m.data", "4"));
    let weights = Weights::open(&path).unwrap();
    let names: Vec<_> = weights.names().collect();
    assert_eq!(names, ["constant", "out", "plain", "same", "same_out"]);
    for (name, values) in [
        ("constant", [1.0, 2.0]),
        ("plain", [1.0, 2.0]),
        ("same", [1.0, 2.0]),
        ("out", [5.0, 6.0]),
        ("same_out", [5.0, 6.0]),
    ] {
        let found = weights.root().get(name, &[2]).unwrap();
        assert_eq!(found, Values::F32(values.to_vec()), "{name}");
    }
    for (file, offset, says) in [
        ("m.data", "8", "accounts for 16"),
        ("m.data", "x", "is 'x'"),
        ("m.data", "18446744073709551615", "beyond all files"),
        ("none", "0", "no such file"),
        ("../m.data", "0", "a plain name"),
        ("/etc/passwd", "0", "a plain name"),
        ("", "0", "a plain name"),
        (".hidden", "0", "a plain name"),
    ] {
        let path = folder.put("bad.onnx", graph(file, offset));
        let error = Weights::open(&path).unwrap_err();
        assert!(error.message().contains(says), "{file} {offset}: {error}");
    }
}

fn fs_read(name: &str) -> Vec<u8> {
    std::fs::read(golden(name)).unwrap()
}
