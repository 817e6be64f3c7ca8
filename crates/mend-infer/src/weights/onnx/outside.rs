//! Weights of an ONNX graph that lie in files of their own beside it: `external_data`, whose keys are
//! `location`, `offset` and `length` (ONNX's `docs/ExternalData.md`).
#![forbid(unsafe_code)]

use super::super::header::Header;
use super::super::source::Source;
use super::super::{Shard, clip, damaged};
use super::{Field, Part, Reader};
use crate::error::Result;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

/// More files than any model has.
const FILES: usize = 1 << 12;

/// Where a tensor's numbers lie.
#[derive(Clone, Debug, Default)]
pub(super) struct Outside {
    /// Whether they lie outside at all.
    pub is: bool,
    location: String,
    pub offset: u64,
    length: Option<u64>,
}

impl Outside {
    /// Reads one entry: `key` 1, `value` 2.
    pub fn entry(&mut self, reader: &mut Reader<'_>, mut part: Part) -> Result<()> {
        self.is = true;
        let (mut key, mut value) = (String::new(), String::new());
        while let Some(found) = reader.field(&mut part)? {
            match found {
                (1, Field::Bytes(text)) => key = reader.text(text)?,
                (2, Field::Bytes(text)) => value = reader.text(text)?,
                _ => {}
            }
        }
        let number = |reader: &Reader<'_>| {
            value.parse::<u64>().map_err(|_| {
                let what = format!("the {key} of a tensor outside is '{}'", clip(&value));
                reader.wrong(&what)
            })
        };
        match key.as_str() {
            "location" => self.location = value,
            "offset" => self.offset = number(reader)?,
            "length" => self.length = Some(number(reader)?),
            _ => {}
        }
        Ok(())
    }
}

/// Takes the tensors that lie outside out of `header`; gives them by the files' names.
pub(super) fn split(
    header: &mut Header,
    mut outside: HashMap<usize, Outside>,
) -> Result<BTreeMap<String, Header>> {
    let mut files: BTreeMap<String, Header> = BTreeMap::new();
    if outside.is_empty() {
        return Ok(files);
    }
    let all = std::mem::take(&mut header.tensors);
    for (i, (name, info)) in all.into_iter().enumerate() {
        let Some(place) = outside.remove(&i) else {
            header.tensors.push((name, info));
            continue;
        };
        let (from, to) = info.data_offsets;
        if place
            .length
            .is_some_and(|length| length != (to - from) as u64)
        {
            let why = "its length in the file beside it does not match its shape";
            header.refused.insert(name.to_string(), why);
            continue;
        }
        let file = files.entry(place.location).or_insert_with(Header::empty);
        file.tensors.push((name, info));
    }
    Ok(files)
}

/// Opens the files beside the graph's, `source`, in `folder`. Of a graph in memory nothing lies beside.
///
/// A file is a plain name in the graph's own folder: a graph must not reach other files.
pub(in super::super) fn open(
    source: &Source,
    folder: Option<&Path>,
    files: BTreeMap<String, Header>,
    shards: &mut Vec<Arc<Shard>>,
) -> Result<()> {
    let name = source.name();
    if files.len() > FILES {
        return Err(damaged(
            name,
            "its weights are in more files than those of any model",
        ));
    }
    for (file, header) in files {
        let plain = !file.is_empty()
            && !file.starts_with('.')
            && file
                .chars()
                .all(|c| !matches!(c, '/' | '\\' | ':') && !c.is_control());
        let Some(folder) = folder.filter(|_| plain) else {
            return Err(damaged(
                name,
                format!(
                    "its weights are in the file '{}', expected a plain name in its own folder; \
                     take the model from where it was published, with all its files",
                    clip(&file)
                ),
            ));
        };
        let source = Source::open(&folder.join(&file)).map_err(|e| {
            crate::Error::new(e.kind(), format!("{} ({name} names it)", e.message()))
        })?;
        let ends = header
            .tensors
            .iter()
            .map(|(_, info)| info.data_offsets.1 as u64);
        let needs = ends.max().unwrap_or(0);
        if needs > source.len() {
            return Err(damaged(
                source.name(),
                format!(
                    "the file has {} bytes, and {name} accounts for {needs} of it; download both again",
                    source.len()
                ),
            ));
        }
        shards.push(Arc::new(Shard { source, header }));
    }
    Ok(())
}
