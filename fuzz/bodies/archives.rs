//! PyTorch's archives, pickles and ONNX files.

use mend::ErrorKind;
use mend_infer::weights::Weights;

/// The first byte says what the others are: a whole archive, a pickle in a sound one, an ONNX file.
pub fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    match kind % 3 {
        0 => check("fuzz.pt", [b"PK\x03\x04", rest].concat()),
        1 => check("fuzz.pt", archive(rest)),
        _ => check("fuzz.onnx", rest.to_vec()),
    }
}

/// A sound zip archive of this pickle and of a storage of four floats.
pub fn archive(pickle: &[u8]) -> Vec<u8> {
    let storage = [1f32, 2.0, 3.0, 4.0].map(f32::to_le_bytes).concat();
    let (mut body, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in [("m/data.pkl", pickle), ("m/data/0", &storage[..])] {
        let len = (bytes.len() as u32).to_le_bytes();
        let name_len = (name.len() as u16).to_le_bytes();
        let head = [&[0u8; 10][..], &[0; 4], &len, &len, &name_len, &[0; 2]].concat();
        let offset = (body.len() as u32).to_le_bytes();
        body.extend([b"PK\x03\x04", &head[..], name.as_bytes(), bytes].concat());
        directory.extend([b"PK\x01\x02\0\0", &head[..], &[0; 10], &offset].concat());
        directory.extend(name.as_bytes());
    }
    let place = [directory.len() as u32, body.len() as u32].map(u32::to_le_bytes);
    let end = [
        &b"PK\x05\x06\0\0\0\0\x02\0\x02\0"[..],
        &place.concat(),
        &[0; 2],
    ]
    .concat();
    [body, directory, end].concat()
}

/// A pickle of a dictionary with a tensor, a module and a call.
pub fn pickle() -> Vec<u8> {
    let tensor =
        b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n\
        X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQK\x01K\x03\x85K\x01\x85\x89ccollections\n\
        OrderedDict\n)RtR";
    let module = b"c__torch__\nNet\nq\x01)\x81}(X\x01\x00\x00\x00bh\x00ub";
    let call = b"cos\nsystem\nX\x02\x00\x00\x00ls\x85R";
    [
        &b"\x80\x02}(X\x01\x00\x00\x00a"[..],
        tensor,
        b"q\x00X\x01\x00\x00\x00m",
        module,
        b"X\x01\x00\x00\x00c",
        call,
        b"X\x01\x00\x00\x00n](NK\x01J\xff\xff\xff\xff\x8a\x01\x05G\x00\x00\x00\x00\x00\x00\x00\x00\x88eu.",
    ]
    .concat()
}

/// A small ONNX file: a weight, a constant that is added behind it, and their nodes.
pub fn onnx() -> Vec<u8> {
    let field = |key: u8, bytes: &[u8]| [&[key, bytes.len() as u8][..], bytes].concat();
    let tensor = |dims: &[u8], name: &[u8], data: &[u8]| {
        let dims = dims.iter().flat_map(|n| [8, *n]).collect::<Vec<_>>();
        [&dims[..], &[16, 1], &field(0x42, name), &field(0x4a, data)].concat()
    };
    let node = |inputs: [&[u8]; 2], output: &[u8], kind: &[u8]| {
        let inputs = inputs.map(|name| field(0x0a, name)).concat();
        [&inputs[..], &field(0x12, output), &field(0x22, kind)].concat()
    };
    let graph = [
        field(0x0a, &node([b"x", b"w"], b"y", b"Conv")),
        field(0x0a, &node([b"y", b"7"], b"z", b"Add")),
        field(0x2a, &tensor(&[1, 1, 1, 1], b"w", &[0; 4])),
        field(0x2a, &tensor(&[2], b"7", &[0; 8])),
    ]
    .concat();
    [&[8, 7][..], &field(0x3a, &graph)].concat()
}

/// What opens can be read whole; what does not has a message that names it.
pub fn check(name: &str, bytes: Vec<u8>) {
    let weights = match Weights::from_bytes(name, bytes) {
        Ok(weights) => weights,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Model, "{error}");
            assert!(error.message().starts_with(name), "{error}");
            return;
        }
    };
    let root = weights.root();
    for name in weights.names() {
        let shape = weights.shape(name).expect("it is named").to_vec();
        let count: usize = shape.iter().product();
        let floats = root.get(name, &shape).map(|v| v.len());
        let integers = root.integers(name, &shape).map(|v| v.len());
        assert!(floats.is_err() || integers.is_err());
        for outcome in [floats, integers] {
            match outcome {
                Ok(read) => assert_eq!(read, count),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Model, "{error}"),
            }
        }
    }
}
