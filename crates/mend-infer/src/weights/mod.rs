//! Model files: safetensors, PyTorch's archives and ONNX, opened, checked before anything is used, read
//! a tensor at a time. Floor 1.
//!
//! A model file comes from anywhere and may be cut short, of another kind or made to do harm. So its
//! header is checked whole when it is opened, and tensors are read by position into buffers of their
//! own, never mapped: a file that changes while it is in use is an error and not the end of the
//! host, and what is held is one tensor, or a part of one, and not the file.
//!
//! ```
//! use mend_infer::weights::{Values, Weights};
//! # let header = br#"{"conv_in.bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
//! # let mut file = (header.len() as u64).to_le_bytes().to_vec();
//! # file.extend_from_slice(header);
//! # file.extend([1f32, 2.0].into_iter().flat_map(f32::to_le_bytes));
//! let weights = Weights::from_bytes("embedded", file)?;
//! let conv = weights.root().pp("conv_in");
//! assert_eq!(conv.get("bias", &[2])?, Values::F32(vec![1.0, 2.0]));
//! assert!(weights.unused().is_empty());
//! # Ok::<(), mend_infer::Error>(())
//! ```
#![forbid(unsafe_code)]

mod adapter;
mod archive;
mod folder;
mod header;
mod index;
mod onnx;
mod pickle;
mod scope;
mod source;
#[cfg(test)]
mod tests;
mod values;
mod view;

pub use adapter::{CONFIG, METADATA, PREFIX, in_folder, is_peft};
pub use safetensors::Dtype;
pub use scope::Scope;
pub use values::{Stored, Values};
pub use view::Part;

use crate::error::{Error, ErrorKind, Result};
use header::{Header, Strided};
use source::Source;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A model's tensors by name: one `.safetensors` file, several with an index, or bytes in memory.
///
/// Nothing but the headers is held; each `get` reads its tensor anew. Usable from several threads at
/// once.
#[derive(Debug)]
pub struct Weights {
    /// What was opened, as messages name it.
    name: String,
    shards: Vec<Arc<Shard>>,
    /// Names are the headers' own.
    tensors: BTreeMap<Arc<str>, Place>,
    change: Option<Arc<dyn Change>>,
}

/// What is done to a model's tensors when they are read: a LoRA's addition, say.
pub trait Change: std::fmt::Debug + Send + Sync {
    /// The values of the tensor `name` of `shape` as they are to be used, of those in the file.
    ///
    /// # Errors
    /// What stops the reading.
    fn apply(&self, name: &str, shape: &[usize], values: Values) -> Result<Values>;
}

/// One file of a model.
#[derive(Debug)]
struct Shard {
    source: Source,
    header: Header,
}

/// Where a tensor lies, and whether anybody has read it.
#[derive(Debug)]
struct Place {
    shard: usize,
    /// Into the tensors of the shard's header.
    tensor: usize,
    /// Of a view that shows a part of it or all in another shape.
    part: Option<view::Place>,
    asked: AtomicBool,
}

/// A tensor as it is read.
struct Entry<'a> {
    source: &'a Source,
    dtype: Dtype,
    shape: &'a [usize],
    /// Where its bytes begin in the file; of one whose numbers do not lie one behind another, where the
    /// whole tensor's do.
    offset: u64,
    /// How they lie then.
    strided: Option<Lie<'a>>,
}

/// How the numbers of a tensor lie that do not lie one behind another.
struct Lie<'a> {
    strided: &'a Strided,
    /// The whole tensor's shape.
    shape: &'a [usize],
    /// Numbers of it that come before.
    skip: usize,
}

impl Entry<'_> {
    fn bytes(&self) -> u64 {
        if self.shape.contains(&0) {
            return 0;
        }
        let count: u64 = self.shape.iter().map(|n| *n as u64).product();
        count * self.dtype.bitsize() as u64 / 8
    }
}

impl Weights {
    /// Opens and checks a model file: a `.safetensors` file, or a `*.index.json` with its shards
    /// beside it; an archive as `torch.save` and TorchScript write it, whose pickle is read and not
    /// run; the initialisers of an `.onnx` file. Which of them it is shows in its bytes, an ONNX file
    /// is known by its name. A link to a file is followed.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] when the file is missing, no regular file, cut short, damaged, of another
    /// format (PyTorch's before archives, say) or without tensors, [`ErrorKind::Io`] when the system does not let it be read,
    /// [`ErrorKind::Memory`].
    pub fn open(path: &Path) -> Result<Self> {
        let source = Source::open(path)?;
        if path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("json"))
        {
            return index::open(path, &source);
        }
        Self::single(source, path.parent())
    }

    /// Opens the model file of a diffusers or transformers folder: of `stem.safetensors`,
    /// `stem.safetensors.index.json`, the same two marked `fp16`, and the same as archives of PyTorch's
    /// with `.bin`, the first that is there. The stem is `diffusion_pytorch_model` or `model`, whose
    /// archive is called `pytorch_model`.
    ///
    /// # Errors
    /// As [`Weights::open`]; where there is none of these files, the message names what was looked
    /// for, and what to do with another pickle that lies there instead.
    pub fn open_folder(folder: &Path, stem: &str) -> Result<Self> {
        Self::open(&folder::find(folder, stem)?)
    }

    /// The model in `bytes`, which are a whole `.safetensors` file; `name` stands for the file's
    /// name in messages.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] when they are damaged or of another format, [`ErrorKind::Memory`].
    pub fn from_bytes(name: &str, bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self> {
        Self::single(Source::bytes(name, bytes.into()), None)
    }

    /// The model in `parts`, each of them a whole `.safetensors` file with some of the tensors; `name`
    /// stands for all of them in messages.
    ///
    /// # Errors
    /// As [`Weights::from_bytes`]; also when a tensor is in two parts, or there is no part.
    pub fn from_parts(name: &str, parts: &[&'static [u8]]) -> Result<Self> {
        let mut shards = Vec::new();
        for part in parts {
            let source = Source::bytes(name, Cow::Borrowed(part));
            let header = Header::of(&source)?;
            shards.push(Arc::new(Shard { source, header }));
        }
        let whole = Self::of_shards(name.to_owned(), shards);
        let stored: usize = whole.shards.iter().map(|s| s.header.tensors.len()).sum();
        match whole.tensors.len() {
            0 => Err(damaged(
                name,
                "there are no tensors; build the program again",
            )),
            n if n < stored => Err(damaged(
                name,
                "a tensor is in two of the parts; they belong to different models",
            )),
            _ => Ok(whole),
        }
    }

    /// Of one file; an ONNX graph may have others in `folder`.
    fn single(source: Source, folder: Option<&Path>) -> Result<Self> {
        let mut shards = Vec::new();
        let name = source.name().to_owned();
        let header = match onnx::is_called(&name) {
            true => {
                let (header, files) = onnx::read(&source)?;
                onnx::open(&source, folder, files, &mut shards)?;
                header
            }
            false => Header::of(&source)?,
        };
        shards.insert(0, Arc::new(Shard { source, header }));
        Ok(Self::of_shards(name, shards))
    }

    /// All tensors of all files; of a name that stands in several, the last.
    fn of_shards(name: String, shards: Vec<Arc<Shard>>) -> Self {
        let mut tensors = BTreeMap::new();
        for (i, shard) in shards.iter().enumerate() {
            let own = shard.header.tensors.iter().enumerate();
            tensors.extend(own.map(|(tensor, (name, _))| (name.clone(), Place::new(i, tensor))));
        }
        Self {
            name,
            shards,
            tensors,
            change: None,
        }
    }

    /// Whether a file is opened at little cost: whether its header is no longer than those of published
    /// models. For whoever looks through a folder of files that nobody asked for.
    pub fn is_light(path: &Path) -> bool {
        const LONGEST: u64 = 8 << 20;
        let Ok(source) = Source::open(path) else {
            return false;
        };
        let first = header::first(&source).unwrap_or_default();
        // The other formats' readers have bounds of their own.
        let safetensors = first.get(8) == Some(&b'{') && !onnx::is_called(source.name());
        let len = first
            .first_chunk()
            .map_or(0, |len| u64::from_le_bytes(*len));
        !safetensors || len <= LONGEST
    }

    /// The names of the files beside the first that tensors lie in, in its folder: of an ONNX graph.
    pub fn beside(&self) -> Vec<String> {
        let others = self
            .shards
            .iter()
            .skip(1)
            .map(|s| Path::new(s.source.name()));
        let names = others.filter_map(|path| path.file_name()?.to_str());
        names.map(str::to_owned).collect()
    }

    /// All tensors, by names relative to nothing.
    pub fn root(&self) -> Scope<'_> {
        Scope::new(self)
    }

    /// What was opened, as messages name it: the path, or the name given to `from_bytes`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(|name| &**name)
    }

    /// Whether there is a tensor of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// A tensor's shape, outermost dimension first; `[]` for a single number.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.entry(name).map(|e| e.shape)
    }

    /// What a tensor's values are stored as.
    pub fn dtype(&self, name: &str) -> Option<Dtype> {
        self.entry(name).map(|e| e.dtype)
    }

    /// The bytes of all tensors together, as they are stored.
    pub fn bytes(&self) -> u64 {
        let all = self.tensors.keys().filter_map(|name| self.entry(name));
        all.map(|e| e.bytes()).sum()
    }

    /// The text under `key` in the file's own metadata; of several files, of the first that has it.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        let mut all = self.shards.iter().map(|s| &s.header.metadata);
        all.find_map(|m| m.get(key)).map(String::as_str)
    }

    /// The names of the tensors that nobody has read since opening, sorted. A network that leaves
    /// some of its own file was given another network's.
    pub fn unused(&self) -> Vec<String> {
        let left = self.tensors.iter();
        left.filter(|(_, place)| !place.asked.load(Ordering::Relaxed))
            .map(|(name, _)| name.to_string())
            .collect()
    }

    /// What a message adds that says what the model lacks: why tensors that are in the file cannot be used.
    /// Nothing where all can.
    pub fn refused(&self) -> String {
        let all = self.shards.iter().flat_map(|s| &s.header.refused);
        let count = self.shards.iter().map(|s| s.header.refused.len()).sum();
        match (all.into_iter().next(), count) {
            (None, _) => String::new(),
            (Some((name, why)), 1) => {
                format!("; its tensor '{}' cannot be used: {why}", clip(name))
            }
            (Some((name, why)), count) => {
                let name = clip(name);
                format!("; {count} of its tensors cannot be used, '{name}' for one: {why}")
            }
        }
    }

    /// Checks that nobody has written to the files since they were opened: for whoever reads tensors
    /// again and again. A file that was put in another's place does not matter, for the one that was
    /// opened is still read.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] naming the file.
    pub fn check_unchanged(&self) -> Result<()> {
        self.shards
            .iter()
            .try_for_each(|s| s.source.check_unchanged())
    }

    /// Has the system read the files into its page cache, as far as it gets until `stop` is set: what is
    /// read from there later does not wait for the disk. Only Linux can be asked; elsewhere nothing
    /// happens.
    pub fn read_ahead(&self, stop: &AtomicBool) {
        for shard in &self.shards {
            shard.source.read_ahead(stop);
        }
    }

    /// The same, of which `change` is told of every tensor of floating-point numbers when it is read.
    pub fn changed(mut self, change: Arc<dyn Change>) -> Self {
        self.change = Some(change);
        self
    }

    /// Whether the tensor `name` can be read part by part, see [`Scope::stored`].
    pub fn in_parts(&self, name: &str) -> bool {
        let entry = self.entry(name);
        let plain = entry.is_some_and(|e| e.dtype == Dtype::F16 && e.strided.is_none());
        plain && self.change.is_none()
    }

    fn entry(&self, name: &str) -> Option<Entry<'_>> {
        let place = self.tensors.get(name)?;
        let shard = self.shards.get(place.shard)?;
        let (_, info) = shard.header.tensors.get(place.tensor)?;
        let offset = shard.header.start + info.data_offsets.0 as u64;
        let part = place.part.as_ref();
        let skip = part.map_or(0, |part| part.skip);
        let strided = shard.header.strided.get(&place.tensor);
        let strided = strided.map(|strided| Lie {
            strided,
            shape: &info.shape,
            skip: (skip * 8 / info.dtype.bitsize() as u64) as usize,
        });
        Some(Entry {
            source: &shard.source,
            dtype: info.dtype,
            shape: part.map_or(&info.shape, |part| &part.shape),
            offset: if strided.is_some() {
                offset
            } else {
                offset + skip
            },
            strided,
        })
    }

    /// The tensor `name`, which must be there in that shape, marked as asked for.
    fn demand(&self, name: &str, shape: &[usize]) -> Result<Entry<'_>> {
        let Some(entry) = self.entry(name) else {
            return Err(self.lacks(name));
        };
        if entry.shape != shape {
            return Err(damaged(
                entry.source.name(),
                format!(
                    "tensor '{}' has shape {:?}, expected {shape:?}; the file belongs to another \
                     model or to another variant of it: use the one that belongs here",
                    clip(name),
                    entry.shape
                ),
            ));
        }
        if let Some(place) = self.tensors.get(name) {
            place.asked.store(true, Ordering::Relaxed);
        }
        Ok(entry)
    }

    fn lacks(&self, name: &str) -> Error {
        let mut shards = self.shards.iter();
        if let Some(why) = shards.find_map(|s| s.header.refused.get(name)) {
            return damaged(
                &self.name,
                format!("tensor '{}' cannot be used: {why}", clip(name)),
            );
        }
        // The names that Stable Diffusion was published under, all parts in one file.
        let single = self.names().any(|n| {
            n.starts_with("model.diffusion_model.") || n.starts_with("first_stage_model.")
        });
        let advice = if single {
            "it is a checkpoint with all parts in one file: give it as a whole, as the model, and \
             not as a part of a folder"
        } else {
            "the file belongs to another model: use the one that belongs here"
        };
        let refused = self.refused();
        damaged(
            &self.name,
            format!("there is no tensor '{}'; {advice}{refused}", clip(name)),
        )
    }
}

impl Place {
    fn new(shard: usize, tensor: usize) -> Self {
        Self {
            shard,
            tensor,
            part: None,
            asked: AtomicBool::new(false),
        }
    }
}

/// What is wrong with the model file `name`.
fn damaged(name: &str, what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Model, format!("{name}: {what}"))
}

/// A name out of a file, fit for a message: no longer than a line or two, without control characters and
/// what turns the text's direction.
pub(crate) fn clip(name: &str) -> String {
    const MOST: usize = 160;
    let mut text: String = name.chars().take(MOST).flat_map(printable).collect();
    if name.chars().nth(MOST).is_some() {
        text.push('…');
    }
    text
}

fn printable(c: char) -> impl Iterator<Item = char> {
    let hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let escape = c.is_control() || hidden;
    let escaped = escape.then(|| c.escape_default());
    let plain = (!escape).then_some(c);
    escaped.into_iter().flatten().chain(plain)
}
