//! ONNX files: the graph's weights by name, where they lie: initialisers, `Constant` nodes, and what an
//! `Identity` gives another name. No graph is run.
//!
//! A file is one protobuf message, `ModelProto` (<https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>);
//! of its fields these are read: `graph` 7; of the graph `node` 1 and `initializer` 5; of a node `input`
//! 1, `output` 2, `op_type` 4 and `attribute` 5; of an attribute `name` 1 and `t` 5; of a tensor `dims` 1,
//! `data_type` 2, `float_data` 4, `name` 8, `raw_data` 9, `external_data` 13, `data_location` 14. External
//! data lie in a file beside: see [`outside`].
//!
//! An exporter works out what is constant, and the result has a number for a name: noise times its
//! strength, say. Where such a constant is added to what comes out of a 1×1 convolution, it is found here
//! under the name of that convolution's weight with `.added` behind.
//!
//! The file is gone through once, from its beginning to its end; what is kept are names, each as often as it
//! stands there.
#![forbid(unsafe_code)]

mod outside;

use super::header::Header;
use super::pickle::UNKNOWN_TYPE;
use super::source::Source;
use super::{Dtype, clip, damaged};
use crate::error::{Error, Result};
use crate::memory;
use outside::Outside;
pub(super) use outside::open;
use std::collections::{BTreeMap, HashMap};

/// Bytes that are read at a time.
const CHUNK: usize = 64 << 10;
/// More initialisers or nodes than any network has, longer names, more dimensions.
const MOST: usize = 1 << 17;
const NAME: u64 = 512;
const RANK: usize = 16;
/// Fields of all messages together.
const FIELDS: usize = 1 << 22;
/// Nodes between a convolution and what is added: a fourfold one in a network's upsampling.
const BETWEEN: usize = 16;

/// Whether a file is called one. Nothing at an ONNX file's beginning tells.
pub(super) fn is_called(name: &str) -> bool {
    name.len() > 5 && name.as_bytes()[name.len() - 5..].eq_ignore_ascii_case(b".onnx")
}

/// The weights of a file: those in it, and those that lie in others, by the files' names.
pub(super) fn read(source: &Source) -> Result<(Header, BTreeMap<String, Header>)> {
    let mut reader = Reader::new(source);
    let (mut found, mut graph) = (Found::default(), Graph::default());
    let mut part = Part {
        at: 0,
        end: source.len(),
    };
    let mut graphs = 0;
    while let Some((field, value)) = reader.field(&mut part)? {
        if let (7, Field::Bytes(mut inner)) = (field, value) {
            graphs += 1;
            while let Some(field) = reader.field(&mut inner)? {
                match field {
                    (1, Field::Bytes(node)) => graph.node(&mut reader, node, &mut found)?,
                    (5, Field::Bytes(tensor)) => {
                        initialiser(&mut reader, tensor, None, &mut found)?
                    }
                    _ => {}
                }
            }
        }
    }
    if graphs != 1 || found.header.tensors.is_empty() && found.header.refused.is_empty() {
        return Err(reader.wrong("it holds no graph with weights"));
    }
    graph.name_constants(&reader, &mut found)?;
    let Found {
        mut header,
        outside,
    } = found;
    let files = outside::split(&mut header, outside)?;
    header.tensors.sort_by(|a, b| a.0.cmp(&b.0));
    Ok((header, files))
}

/// The weights of a graph.
struct Found {
    /// All of them; of those in other files the offsets are those there.
    header: Header,
    /// The files of those, by the tensors' places in the header.
    outside: HashMap<usize, Outside>,
}

impl Default for Found {
    fn default() -> Self {
        Self {
            header: Header::empty(),
            outside: HashMap::new(),
        }
    }
}

/// A tensor of the graph, under its own name or one that it is `called`.
fn initialiser(
    reader: &mut Reader<'_>,
    mut part: Part,
    called: Option<String>,
    all: &mut Found,
) -> Result<()> {
    let (mut shape, mut kind, mut name) = (Vec::new(), 0, called.unwrap_or_default());
    let named = !name.is_empty();
    let (mut data, mut outside) = (None, Outside::default());
    while let Some(found) = reader.field(&mut part)? {
        match found {
            (1, Field::Number(n)) => shape.push(n),
            (1, Field::Bytes(mut packed)) => {
                while packed.at < packed.end && shape.len() <= RANK {
                    shape.push(reader.varint(&mut packed)?);
                }
            }
            (2, Field::Number(n)) => kind = n,
            (8, Field::Bytes(text)) if !named => name = reader.text(text)?,
            // Packed floats lie as raw ones do.
            (4 | 9, Field::Bytes(bytes)) => data = Some(bytes),
            (13, Field::Bytes(entry)) => outside.entry(reader, entry)?,
            (14, Field::Number(1)) => outside.is = true,
            _ => {}
        }
        if shape.len() > RANK {
            return Err(reader.wrong("a tensor has too many dimensions"));
        }
    }
    if name.is_empty() {
        return Ok(());
    }
    let header = &mut all.header;
    if header.tensors.len() + header.refused.len() >= MOST {
        return Err(reader.wrong("it has more tensors than any network"));
    }
    let Some(dtype) = dtype(kind) else {
        header.refused.insert(name, UNKNOWN_TYPE);
        return Ok(());
    };
    let shape: Option<Vec<usize>> = shape.iter().map(|n| usize::try_from(*n).ok()).collect();
    let numbers = shape.as_ref().and_then(|shape| {
        let each = shape.iter().map(|n| *n as u64);
        each.clone().try_fold(1u64, |n, side| n.checked_mul(side))
    });
    let bytes = numbers.and_then(|n| n.checked_mul(dtype.bitsize() as u64 / 8));
    let (Some(shape), Some(bytes)) = (shape, bytes) else {
        let what = format!("tensor '{}' is beyond all memory", clip(&name));
        return Err(reader.wrong(&what));
    };
    if outside.is {
        let from = outside.offset;
        if from.checked_add(bytes).is_none() {
            let what = format!("tensor '{}' begins beyond all files", clip(&name));
            return Err(reader.wrong(&what));
        }
        all.outside.insert(header.tensors.len(), outside);
        return header.push(name, dtype, &shape, [from, bytes]);
    }
    match data {
        Some(data) if data.end - data.at == bytes => {
            header.push(name, dtype, &shape, [data.at, bytes])
        }
        Some(data) => Err(reader.wrong(&format!(
            "tensor '{}' has {} bytes, expected {bytes}",
            clip(&name),
            data.end - data.at
        ))),
        None => {
            header
                .refused
                .insert(name, "its numbers are not stored as bytes");
            Ok(())
        }
    }
}

/// What a `data_type` is.
fn dtype(kind: u64) -> Option<Dtype> {
    Some(match kind {
        1 => Dtype::F32,
        2 => Dtype::U8,
        3 => Dtype::I8,
        4 => Dtype::U16,
        5 => Dtype::I16,
        6 => Dtype::I32,
        7 => Dtype::I64,
        9 => Dtype::BOOL,
        10 => Dtype::F16,
        11 => Dtype::F64,
        12 => Dtype::U32,
        16 => Dtype::BF16,
        _ => return None,
    })
}

/// What the nodes tell of constants.
#[derive(Default)]
struct Graph {
    /// Of each value its node's first input, and the weight where the node is a convolution.
    from: HashMap<String, (String, Option<String>)>,
    /// Both inputs of each addition.
    sums: Vec<[String; 2]>,
    /// What is given another name: that, and its own.
    same: Vec<(String, String)>,
    nodes: usize,
}

impl Graph {
    fn node(&mut self, reader: &mut Reader<'_>, mut part: Part, all: &mut Found) -> Result<()> {
        self.nodes += 1;
        if self.nodes > MOST {
            return Err(reader.wrong("it has more nodes than any network"));
        }
        let (mut inputs, mut output, mut kind) = (Vec::new(), None, String::new());
        let mut value = None;
        while let Some(found) = reader.field(&mut part)? {
            match found {
                (1, Field::Bytes(text)) if inputs.len() < 2 => inputs.push(reader.text(text)?),
                (2, Field::Bytes(text)) if output.is_none() => output = Some(reader.text(text)?),
                (4, Field::Bytes(text)) => kind = reader.text(text)?,
                (5, Field::Bytes(attribute)) if inputs.is_empty() && value.is_none() => {
                    value = reader.value(attribute)?;
                }
                _ => {}
            }
        }
        if let ("Constant", Some(output), Some(value)) = (kind.as_str(), &output, value) {
            return initialiser(reader, value, Some(output.clone()), all);
        }
        if let ("Identity", [input], Some(output)) = (kind.as_str(), inputs.as_slice(), &output) {
            let pair = (output.clone(), input.clone());
            memory::push(&mut self.same, pair, "an ONNX graph")?;
        }
        let second = inputs.get(1).cloned();
        if let ("Add", [a, b]) = (kind.as_str(), inputs.as_slice()) {
            memory::push(&mut self.sums, [a.clone(), b.clone()], "an ONNX graph")?;
        }
        if let (Some(output), Some(first)) = (output, inputs.into_iter().next()) {
            let weight = second.filter(|_| kind == "Conv");
            self.from.insert(output, (first, weight));
        }
        Ok(())
    }

    /// Gives constants that have other names, and those that are added, the names that they are found by.
    fn name_constants(&self, reader: &Reader<'_>, found: &mut Found) -> Result<()> {
        let header = &found.header;
        let mut index: HashMap<&str, usize> = HashMap::new();
        for (i, (name, _)) in header.tensors.iter().enumerate() {
            if index.insert(name, i).is_some() {
                let what = format!("'{}' is in it twice", clip(name));
                return Err(reader.wrong(&what));
            }
        }
        let same: Vec<(&str, usize)> = self
            .same
            .iter()
            .filter_map(|(name, of)| Some((name.as_str(), *index.get(of.as_str())?)))
            .filter(|(name, _)| !index.contains_key(name))
            .collect();
        index.extend(same.iter().copied());
        let mut more: BTreeMap<String, usize> = BTreeMap::new();
        more.extend(same.iter().map(|(name, i)| ((*name).to_owned(), *i)));
        for [a, b] in &self.sums {
            let (Some(constant), data) = (match index.get(b.as_str()) {
                Some(i) => (Some(*i), a),
                None => (index.get(a.as_str()).copied(), b),
            }) else {
                continue;
            };
            let mut at = data;
            for _ in 0..BETWEEN {
                let Some((first, weight)) = self.from.get(at) else {
                    break;
                };
                let point = weight.as_ref().and_then(|w| {
                    let (_, info) = header.tensors.get(*index.get(w.as_str())?)?;
                    matches!(info.shape.as_slice(), [_, _, 1, 1]).then_some(w)
                });
                if let Some(weight) = point {
                    more.insert(format!("{weight}.added"), constant);
                    break;
                }
                at = first;
            }
        }
        for (name, of) in more {
            let info = found.header.tensors[of].1.clone();
            if let Some(outside) = found.outside.get(&of).cloned() {
                let last = found.header.tensors.len();
                found.outside.insert(last, outside);
            }
            let (from, to) = info.data_offsets;
            let place = [from as u64, (to - from) as u64];
            found.header.push(name, info.dtype, &info.shape, place)?;
        }
        Ok(())
    }
}

/// A part of the file that is still to be read.
#[derive(Clone, Copy)]
struct Part {
    at: u64,
    end: u64,
}

enum Field {
    Number(u64),
    Bytes(Part),
    /// Of 32 or 64 bits, which nothing here needs.
    Fixed,
}

/// Reads protobuf, field by field.
struct Reader<'a> {
    source: &'a Source,
    buffer: Vec<u8>,
    /// Where the buffer's bytes are in the file.
    first: u64,
    fields: usize,
}

impl<'a> Reader<'a> {
    fn new(source: &'a Source) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            first: 0,
            fields: 0,
        }
    }

    fn wrong(&self, what: &str) -> Error {
        damaged(
            self.source.name(),
            format!(
                "this is not an ONNX file, or a damaged one: {what}; download it again, or take \
                 the model in safetensors format"
            ),
        )
    }

    /// The next field of a message, by its number; `None` at the message's end.
    fn field(&mut self, part: &mut Part) -> Result<Option<(u64, Field)>> {
        if part.at == part.end {
            return Ok(None);
        }
        self.fields += 1;
        if self.fields > FIELDS {
            return Err(self.wrong("it has more fields than any network's"));
        }
        let key = self.varint(part)?;
        let value = match key & 7 {
            0 => Field::Number(self.varint(part)?),
            2 => {
                let len = self.varint(part)?;
                let start = part.at;
                self.skip(part, len)?;
                Field::Bytes(Part {
                    at: start,
                    end: part.at,
                })
            }
            1 => {
                self.skip(part, 8)?;
                Field::Fixed
            }
            5 => {
                self.skip(part, 4)?;
                Field::Fixed
            }
            _ => return Err(self.wrong("a field of it is of no known kind")),
        };
        Ok(Some((key >> 3, value)))
    }

    fn skip(&self, part: &mut Part, len: u64) -> Result<()> {
        match part.at.checked_add(len).filter(|end| *end <= part.end) {
            Some(end) => {
                part.at = end;
                Ok(())
            }
            None => Err(self.wrong("a field of it is longer than what contains it")),
        }
    }

    fn varint(&mut self, part: &mut Part) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            if part.at >= part.end {
                return Err(self.wrong("it ends in the middle of a number"));
            }
            let byte = self.byte(part.at)?;
            part.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.wrong("a number in it has no end"))
    }

    fn byte(&mut self, at: u64) -> Result<u8> {
        let inside = at
            .checked_sub(self.first)
            .and_then(|i| usize::try_from(i).ok());
        if let Some(byte) = inside.and_then(|i| self.buffer.get(i)) {
            return Ok(*byte);
        }
        let len = (self.source.len() - at).min(CHUNK as u64) as usize;
        self.buffer = memory::filled(len, 0, "a part of a model file")?;
        self.first = at;
        self.source.read(at, &mut self.buffer)?;
        Ok(self.buffer[0])
    }

    /// The tensor in an attribute that is called `value`.
    fn value(&mut self, mut part: Part) -> Result<Option<Part>> {
        let (mut tensor, mut called) = (None, false);
        while let Some(found) = self.field(&mut part)? {
            match found {
                (1, Field::Bytes(name)) => {
                    called = name.end - name.at == 5 && self.text(name)? == "value"
                }
                (5, Field::Bytes(inner)) => tensor = Some(inner),
                _ => {}
            }
        }
        Ok(tensor.filter(|_| called))
    }

    fn text(&mut self, part: Part) -> Result<String> {
        let len = part.end - part.at;
        if len > NAME {
            return Err(self.wrong("a name in it is too long"));
        }
        let mut bytes = memory::with_capacity(len as usize, "a name in a model file")?;
        for at in part.at..part.end {
            // From the buffer, mostly: a file has many names.
            bytes.push(self.byte(at)?);
        }
        String::from_utf8(bytes).map_err(|_| self.wrong("a name in it is not UTF-8"))
    }
}
