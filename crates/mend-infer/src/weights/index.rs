//! A model in several files: `*.safetensors.index.json` or `*.bin.index.json` says which tensor lies in
//! which.
#![forbid(unsafe_code)]

use super::header::Header;
use super::source::Source;
use super::{Place, Shard, Weights, clip, damaged};
use crate::error::Result;
use crate::memory;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// The longest index: it holds what headers hold, the names.
const LONGEST: u64 = 100_000_000;

/// Opens the shards that an index names, which lie beside it.
pub(super) fn open(path: &Path, source: &Source) -> Result<Weights> {
    let name = source.name();
    let len = usize::try_from(source.len().min(LONGEST + 1)).unwrap_or(usize::MAX);
    if len as u64 > LONGEST {
        return Err(damaged(
            name,
            format!(
                "an index has at most {LONGEST} bytes, this file {}",
                source.len()
            ),
        ));
    }
    let mut text = memory::filled(len, 0, "the index of a model")?;
    source.read(0, &mut text)?;
    let Index(map) = crate::json::parse(&text).map_err(|e| {
        damaged(
            name,
            format!("this is not an index of a model in several files ({e}); download it again"),
        )
    })?;

    let folder = path.parent().unwrap_or(Path::new(""));
    let (mut shards, mut tensors) = (Vec::new(), BTreeMap::new());
    // The number of each shard, and where in it each tensor is.
    let mut opened: BTreeMap<&str, (usize, HashMap<Arc<str>, usize>)> = BTreeMap::new();
    for (tensor, file) in &map {
        if !opened.contains_key(file.as_str()) {
            check_name(name, file)?;
            let source = Source::open(&folder.join(file)).map_err(|e| {
                crate::Error::new(e.kind(), format!("{} ({name} names it)", e.message()))
            })?;
            let header = Header::of(&source)?;
            let names = header.tensors.iter().enumerate();
            let at = names.map(|(i, (n, _))| (n.clone(), i)).collect();
            opened.insert(file, (shards.len(), at));
            shards.push(Arc::new(Shard { source, header }));
        }
        let place = opened.get(file.as_str());
        let Some((shard, i)) = place.and_then(|(s, at)| Some((*s, *at.get(tensor.as_str())?)))
        else {
            return Err(damaged(
                name,
                format!(
                    "tensor '{}' should be in '{file}' and is not; the files belong to different \
                     models: download all of them again",
                    clip(tensor)
                ),
            ));
        };
        tensors.insert(tensor.as_str().into(), Place::new(shard, i));
    }
    Ok(Weights {
        name: name.to_owned(),
        shards,
        tensors,
        change: None,
    })
}

/// A shard is a plain name in the index's own folder: an index must not reach other files.
fn check_name(index: &str, file: &str) -> Result<()> {
    let plain = !file.starts_with('.')
        && file
            .chars()
            .all(|c| !matches!(c, '/' | '\\' | ':') && !c.is_control());
    if !plain {
        return Err(damaged(
            index,
            format!(
                "the index names the file '{}', expected a plain name in its own folder; take the \
                 index from where the model was published",
                clip(file)
            ),
        ));
    }
    if !file.ends_with(".safetensors") && !file.ends_with(".bin") {
        return Err(damaged(
            index,
            format!(
                "the index names '{}', expected .safetensors or .bin files; take the index from where \
                 the model was published",
                clip(file)
            ),
        ));
    }
    Ok(())
}

/// The `weight_map` of an index: tensor → file.
struct Index(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Index {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(IndexVisitor)
    }
}

struct IndexVisitor;

impl<'de> Visitor<'de> for IndexVisitor {
    type Value = Index;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a 'weight_map'")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Index, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != "weight_map" {
                map.next_value::<IgnoredAny>()?;
            } else if found.is_some() {
                return Err(de::Error::custom("'weight_map' appears twice"));
            } else {
                found = Some(map.next_value::<Files>()?.0);
            }
        }
        match found {
            Some(map) if map.is_empty() => Err(de::Error::custom("'weight_map' is empty")),
            Some(map) => Ok(Index(map)),
            None => Err(de::Error::custom("there is no 'weight_map'")),
        }
    }
}

/// Text by text, no key twice.
struct Files(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Files {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FilesVisitor)
    }
}

struct FilesVisitor;

impl<'de> Visitor<'de> for FilesVisitor {
    type Value = Files;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object from tensors to file names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Files, A::Error> {
        let mut files = BTreeMap::new();
        while let Some((tensor, file)) = map.next_entry::<String, String>()? {
            let name = clip(&tensor);
            if files.insert(tensor, file).is_some() {
                return Err(de::Error::custom(format!("'{name}' appears twice")));
            }
        }
        Ok(Files(files))
    }
}
