//! The header of a safetensors file, checked whole.
//!
//! Eight bytes with the length of a JSON object, the object, then the tensors' bytes without a gap:
//! <https://github.com/huggingface/safetensors#format>. What is accepted here, the `safetensors` crate
//! accepts too; it would want the whole file in memory, and it lets a name stand twice and blanks stand
//! before the object, which the format forbids.
#![forbid(unsafe_code)]

use super::source::Source;
use super::{clip, damaged, pickle};
use crate::error::{Error, Result};
use crate::memory;
use safetensors::tensor::TensorInfo;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

/// The length that stands before the header.
const PREFIX: u64 = 8;

/// The longest header, as in the `safetensors` crate: the largest models have some megabytes.
const LONGEST: u64 = 100_000_000;

/// What a checked header says.
#[derive(Debug)]
pub(super) struct Header {
    /// In the order of their bytes; offsets count from `start` and lie in the file.
    pub tensors: Vec<(Arc<str>, TensorInfo)>,
    pub metadata: HashMap<String, String>,
    /// Where the tensors' bytes begin in the file.
    pub start: u64,
    /// Tensors that are there and cannot be used, and why; a safetensors file has none.
    pub refused: BTreeMap<String, &'static str>,
    /// Of tensors whose numbers do not lie one behind another, by their place in `tensors`: how they do.
    /// Their bytes are those from the first to the last number.
    pub strided: HashMap<usize, Strided>,
}

/// How a tensor's numbers lie in the file.
#[derive(Debug)]
pub(super) struct Strided {
    /// Numbers from one place to the next along each dimension.
    pub strides: Vec<usize>,
    /// Numbers from the first to the last.
    pub span: usize,
}

impl Header {
    /// Of a file that shows by its bytes whether it is an archive of PyTorch's.
    pub fn of(source: &Source) -> Result<Self> {
        match pickle::begins(&first(source)?) {
            true => pickle::read(source),
            false => Self::read(source),
        }
    }

    /// Reads and checks the header of a safetensors file.
    pub fn read(source: &Source) -> Result<Self> {
        let text = text(source)?;
        let start = PREFIX + text.len() as u64;
        let Entries { metadata, tensors } = serde_json::from_slice(&text).map_err(|e| {
            damaged(
                source.name(),
                format!("the header is damaged ({e}); download the file again"),
            )
        })?;
        let mut header = Self {
            tensors,
            metadata,
            start,
            refused: BTreeMap::new(),
            strided: HashMap::new(),
        };
        header.tensors.sort_by_key(|(_, info)| info.data_offsets);
        let data = header.check(source)?;
        let (has, needs) = (source.len(), start.saturating_add(data));
        match has.cmp(&needs) {
            std::cmp::Ordering::Equal => Ok(header),
            std::cmp::Ordering::Less => Err(short(source, needs)),
            std::cmp::Ordering::Greater => Err(damaged(
                source.name(),
                format!(
                    "the file has {has} bytes, and its header accounts for {needs} of them; it is \
                     damaged: download it again"
                ),
            )),
        }
    }

    /// Checks that each tensor is as long as its shape says and that they lie one behind another;
    /// gives the number of bytes that they take.
    fn check(&self, source: &Source) -> Result<u64> {
        let (mut end, mut previous) = (0, "");
        for (name, info) in &self.tensors {
            let wrong = |what: String| -> Error {
                damaged(
                    source.name(),
                    format!(
                        "tensor '{}' {what}; the file is damaged: download it again",
                        clip(name)
                    ),
                )
            };
            let (from, to) = info.data_offsets;
            let (dtype, shape) = (info.dtype, &info.shape);
            if to < from {
                return Err(wrong(format!(
                    "ends at byte {to}, before it begins at {from}"
                )));
            }
            if from < end {
                return Err(wrong(format!(
                    "begins at byte {from}, inside of '{}', which ends at {end}",
                    clip(previous)
                )));
            }
            if from > end {
                return Err(wrong(format!(
                    "begins at byte {from}, expected {end}: the bytes between belong to nothing"
                )));
            }
            let bits = shape
                .iter()
                .try_fold(1usize, |n, side| n.checked_mul(*side))
                .and_then(|n| n.checked_mul(dtype.bitsize()))
                .ok_or_else(|| {
                    wrong(format!(
                        "has shape {}, which is beyond all memory",
                        dims(shape)
                    ))
                })?;
            if bits % 8 != 0 || bits / 8 != to - from {
                return Err(wrong(format!(
                    "has {} bytes, expected {} for {dtype} in shape {}",
                    to - from,
                    bits.div_ceil(8),
                    dims(shape)
                )));
            }
            (end, previous) = (to, name);
        }
        Ok(end as u64)
    }
}

/// A shape out of a file, fit for a message.
fn dims(shape: &[usize]) -> String {
    clip(&format!("{:?}", &shape[..shape.len().min(40)]))
}

/// The bytes of the header's JSON.
fn text(source: &Source) -> Result<Vec<u8>> {
    let (name, has) = (source.name(), source.len());
    let first = first(source)?;
    let (first, got) = (first.as_slice(), first.len());

    let len = first
        .first_chunk::<8>()
        .map_or(0, |b| u64::from_le_bytes(*b));
    let opens = first.get(8) == Some(&b'{');
    let sound = opens && len > 0 && len <= LONGEST;
    // A length may begin with any bytes, so other formats are looked for only where it is wrong.
    if !sound && let Some((format, advice)) = other_format(first) {
        return Err(damaged(
            name,
            format!("this is {format} and not a safetensors file; {advice}"),
        ));
    }
    let wrong = |what: String| {
        damaged(
            name,
            format!("{what}; this is not a safetensors file, or a damaged one: download it again"),
        )
    };
    if got < 9 {
        return Err(wrong(format!("the file has only {has} bytes")));
    }
    if len == 0 || len > LONGEST {
        return Err(wrong(format!(
            "the header is said to have {len} bytes, expected 2 to {LONGEST}"
        )));
    }
    if !opens {
        return Err(wrong("the header is not a JSON object".into()));
    }
    if len > has - PREFIX {
        return Err(short(source, PREFIX + len));
    }
    let len = usize::try_from(len).map_err(|e| wrong(e.to_string()))?;
    let mut text = memory::filled(len, 0, "the header of a model file")?;
    source.read(PREFIX, &mut text)?;
    Ok(text)
}

fn short(source: &Source, needs: u64) -> Error {
    damaged(
        source.name(),
        format!(
            "the file has {} bytes, expected {needs} or more; the download was cut short: \
             download it again",
            source.len()
        ),
    )
}

/// What people take for model files, by how it begins, and what to do with it.
fn other_format(first: &[u8]) -> Option<(&'static str, &'static str)> {
    let begins = |with: &[u8]| first.starts_with(with);
    let text = first.trim_ascii_start();
    // Python's pickles of protocols 2 to 5, as PyTorch wrote them before it had archives.
    if first.len() > 1 && first[0] == 0x80 && (2..=5).contains(&first[1]) {
        return Some(("a Python pickle", PICKLE));
    }
    if begins(b"GGUF") {
        return Some(("a GGUF file", "take the model in safetensors format"));
    }
    if begins(b"\x89HDF") {
        return Some(("an HDF5 file", "take the model in safetensors format"));
    }
    if begins(b"version https://git-lfs") {
        return Some((
            "only a pointer of Git LFS to the file",
            "run 'git lfs pull' where it came from, or download the file itself",
        ));
    }
    if text.starts_with(b"<") {
        return Some((
            "a web page",
            "the site wanted a login or had an error: download the file again in a browser",
        ));
    }
    if text.starts_with(b"{") {
        return Some((
            "a JSON text",
            "give the .safetensors file, or the index under a name that ends in .index.json",
        ));
    }
    None
}

/// What to do with a pickle.
pub(super) const PICKLE: &str = "opening one can run any program, so Mend does not: take the model \
     in safetensors format, or convert it with PyTorch on a machine that you can lose: \
     safetensors.torch.save_file(torch.load(FILE, weights_only=True), \"model.safetensors\")";

/// The first bytes of a file, fewer where it is shorter.
pub(super) fn first(source: &Source) -> Result<Vec<u8>> {
    let mut first = [0; 32];
    let got = first
        .len()
        .min(usize::try_from(source.len()).unwrap_or(usize::MAX));
    source.read(0, &mut first[..got])?;
    Ok(first[..got].to_vec())
}

/// A header's JSON as it stands there.
struct Entries {
    metadata: HashMap<String, String>,
    tensors: Vec<(Arc<str>, TensorInfo)>,
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let (mut metadata, mut tensors) = (None, Vec::new());
        // A map would keep the last of two and say nothing.
        let mut seen: HashSet<Arc<str>> = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            let name: Arc<str> = name.into();
            if !seen.insert(name.clone()) {
                let twice = format!("'{}' appears twice", clip(&name));
                return Err(de::Error::custom(twice));
            }
            if &*name == "__metadata__" {
                metadata = map.next_value::<Option<HashMap<String, String>>>()?;
                continue;
            }
            let info = map
                .next_value::<TensorInfo>()
                .map_err(|e| de::Error::custom(format!("tensor '{}': {e}", clip(&name))))?;
            memory::push(&mut tensors, (name, info), "the names of a model's tensors")
                .map_err(de::Error::custom)?;
        }
        Ok(Entries {
            metadata: metadata.unwrap_or_default(),
            tensors,
        })
    }
}
