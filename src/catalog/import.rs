//! Taking in a model that the user has already.
#![forbid(unsafe_code)]

use super::detect::{Base, Kind, check_file, is_rad, single, unet};
use super::digest::{Sha256, hash_file};
use super::hub;
use super::manifest::{InstalledFile, Manifest, Trust};
use super::names::{check_id, check_path, id_from, shown};
use super::store::{Store, below, sync_folder};
use super::{bad, io_error};
use crate::error::{Error, ErrorKind, Result};
use crate::memory;
use crate::progress::Cancel;
use crate::weights::{CONFIG, Weights, in_folder, is_peft};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// How to take a model in.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// The id that it gets; `None` makes one of its name.
    pub id: Option<String>,
    /// Leave the files where they are, and only remember where.
    pub link: bool,
}

/// The networks of a diffusers folder, and the stems of their files.
const NETWORKS: [(&str, &str); 3] = [
    ("unet", "diffusion_pytorch_model"),
    ("vae", "diffusion_pytorch_model"),
    ("text_encoder", "model"),
];

/// What else a diffusers folder has, and whether nothing goes without it.
const OTHERS: [(&str, bool); 11] = [
    ("model_index.json", false),
    ("scheduler/scheduler_config.json", false),
    ("tokenizer/vocab.json", false),
    ("tokenizer/merges.txt", false),
    ("tokenizer/tokenizer.json", false),
    ("tokenizer/tokenizer_config.json", false),
    ("tokenizer/special_tokens_map.json", false),
    ("unet/config.json", true),
    ("vae/config.json", true),
    ("text_encoder/config.json", true),
    ("LICENSE.md", false),
];

/// What a folder of RAD's has besides its network: a LoRA of peft's may lie there.
const OF_RAD: [(&str, bool); 6] = [
    ("model_index.json", false),
    ("unet/config.json", true),
    ("unet/adapter_model.safetensors", false),
    ("unet/adapter_model.bin", false),
    ("unet/adapter_config.json", false),
    ("LICENSE.md", false),
];

/// A model outside the models folder, looked through.
struct Outside {
    kind: Kind,
    base: Base,
    /// The folder that `from` is relative to.
    root: PathBuf,
    /// `(from, to)`: the path there, and the one that it gets.
    files: Vec<(String, String)>,
}

impl Store {
    /// An id that no model has yet, made from the name of the file or folder at `path`.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where its name makes none; [`ErrorKind::Io`].
    pub fn free_id(&self, path: &Path) -> Result<String> {
        let path = fs::canonicalize(path).map_err(|e| io_error(path, "read", &e))?;
        let first = id(&hub::snapshot(path), &Import::default())?;
        let taken = |id: &String| {
            let folder = self.model_folder(id);
            folder.is_ok_and(|f| fs::read_dir(f).is_ok_and(|mut all| all.next().is_some()))
        };
        let further =
            (2..1000).map(|n| id_from(&format!("{}-{n}", first.get(..60).unwrap_or(&first))));
        let mut all = std::iter::once(first.clone()).chain(further);
        Ok(all.find(|id| !taken(id)).unwrap_or(first))
    }

    /// Takes in the model at `path`, a diffusers folder or a single file (`.safetensors`, PyTorch's
    /// archive, `.onnx`), after its headers were checked. What it is is told from its tensors. `progress` is told of each piece's
    /// length.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] for what is no such model (with the way to convert a pickle) and for an id
    /// that is taken, [`ErrorKind::Argument`] for what is no id, [`ErrorKind::Io`],
    /// [`ErrorKind::Cancelled`]. Nothing is left behind then.
    pub fn import(
        &self,
        path: &Path,
        how: &Import,
        progress: &mut dyn FnMut(u64),
        cancel: &Cancel,
    ) -> Result<Manifest> {
        let path = fs::canonicalize(path).map_err(|e| io_error(path, "read", &e))?;
        let path = hub::snapshot(path);
        let id = id(&path, how)?;
        let outside = match path.is_dir() {
            // A model of RAD's may have an adapter inside.
            true if path.join("unet/config.json").is_file() => folder(&path)?,
            true => match in_folder(&path).as_slice() {
                [only] => file(only, &id, how.link)?,
                [_, _, ..] => return Err(several(&path)),
                [] => folder(&path)?,
            },
            false => file(&path, &id, how.link)?,
        };
        let _lock = self.lock(&id)?;
        let target = self.model_folder(&id)?;
        let taken = fs::read_dir(&target).is_ok_and(|mut all| all.next().is_some());
        if taken {
            return Err(bad(
                format!("'{id}'"),
                format!(
                    "{} already exists; give another --id or remove it with 'mend models remove \
                     {id}'",
                    target.display()
                ),
            ));
        }
        let linked = match how.link {
            false => None,
            true if outside.root.to_str().is_some() => Some(outside.root.clone()),
            true => {
                let what = "the path is not UTF-8 and cannot be remembered; import a copy";
                return Err(bad(path.display(), what));
            }
        };
        let mut manifest = Manifest {
            id: id.clone(),
            kind: outside.kind,
            base: outside.base,
            licence: None,
            source: shown(&path.to_string_lossy()),
            installed: String::new(),
            linked,
            files: Vec::new(),
        };
        for (from, to) in &outside.files {
            let from = below(&outside.root, from);
            let copied = match how.link {
                true => {
                    let mut hash = Sha256::new();
                    hash_file(&from, u64::MAX, &mut hash, progress, cancel)
                        .map(|size| (size, hash.finish()))
                }
                false => self
                    .make_room(&id, to)
                    .and_then(|to| copy(&from, &to, progress, cancel)),
            };
            match copied {
                Ok((size, sha256)) => manifest.files.push(InstalledFile {
                    path: to.clone(),
                    size,
                    sha256,
                    trust: Trust::Local,
                }),
                Err(e) => {
                    // The folder was empty or not there: all in it is ours.
                    let _ = fs::remove_dir_all(&target);
                    return Err(e);
                }
            }
        }
        self.install(manifest)
    }
}

/// An upper bound of the bytes that an import of `path` reads; 0 where there is nothing.
pub fn import_size(path: &Path) -> u64 {
    let length =
        |path: &Path| fs::metadata(path).map_or(0, |m| if m.is_file() { m.len() } else { 0 });
    let all = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let weights = entries.map(|e| e.path()).filter(|p| {
            p.extension()
                .is_some_and(|e| e == "safetensors" || e == "bin")
        });
        weights.map(|p| length(&p)).sum::<u64>()
    };
    let parts = ["unet", "vae", "text_encoder"].map(|part| all(&path.join(part)));
    length(path) + parts.iter().sum::<u64>()
}

fn id(path: &Path, how: &Import) -> Result<String> {
    let id = match &how.id {
        Some(id) => id.clone(),
        None => {
            let name = match path.is_dir() {
                true => hub::name(path).map(OsStr::new).or(path.file_name()),
                false => path.file_stem(),
            };
            id_from(&name.unwrap_or_default().to_string_lossy())
        }
    };
    check_id(&id).map_err(|e| match how.id {
        Some(_) => e,
        None => Error::new(
            ErrorKind::Argument,
            format!(
                "{}: its name makes no id; give one with --id",
                path.display()
            ),
        ),
    })?;
    Ok(id)
}

fn several(folder: &Path) -> Error {
    let what = "it holds a LoRA for each of two networks; import the two folders in it one by one, or give \
                its path as the LoRA";
    bad(folder.display(), what)
}

fn file(path: &Path, id: &str, link: bool) -> Result<Outside> {
    let json = path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("json"));
    if json {
        let what = "this is JSON; import the folder that it belongs to, or a .safetensors file";
        return Err(bad(path.display(), what));
    }
    let weights = Weights::open(path)?;
    let (kind, base) = single(&weights)?;
    // peft keeps a LoRA's strength in a file beside it.
    let config = path.with_file_name(CONFIG);
    let peft = kind == Kind::Lora && is_peft(path, &weights) && config.is_file();
    if peft {
        check_file(&config)?;
    }
    let (Some(root), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(bad(path.display(), "this is not a file"));
    };
    let Some(name) = name.to_str() else {
        return Err(bad(path.display(), "its name is not UTF-8; rename it"));
    };
    // A copy gets a name that is harmless everywhere; what stays in place keeps its own. Formats that
    // are known by their names stay so.
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    let ending = match ending.to_ascii_lowercase().as_str() {
        "onnx" => "onnx",
        "pt" | "pth" | "ckpt" => "pt",
        "bin" => "bin",
        _ => "safetensors",
    };
    let to = match (link, peft) {
        (true, _) => name.to_owned(),
        // By this name its configuration is known to be its own.
        (false, true) => format!("adapter_model.{ending}"),
        (false, false) => format!("{id}.{ending}"),
    };
    check_path(&to)?;
    let mut files = vec![(name.to_owned(), to.clone())];
    // What a checkpoint was published with says what it predicts, where its tensors do not.
    let yaml = |name: &str| Path::new(name).with_extension("yaml");
    let (beside, to) = (yaml(name), yaml(&to));
    if let (Kind::Checkpoint, true, Some(beside), Some(to)) = (
        kind,
        root.join(&beside).is_file(),
        beside.to_str(),
        to.to_str(),
    ) {
        check_path(to)?;
        files.push((beside.to_owned(), to.to_owned()));
    }
    for name in weights.beside() {
        check_path(&name)?;
        files.push((name.clone(), name));
    }
    if peft {
        files.push((CONFIG.to_owned(), CONFIG.to_owned()));
    }
    Ok(Outside {
        kind,
        base,
        root: root.to_path_buf(),
        files,
    })
}

fn folder(root: &Path) -> Result<Outside> {
    if !root.join("unet").is_dir() {
        return Err(bad(
            root.display(),
            "this is not a diffusers folder, because there is no 'unet' in it; name the folder \
             with unet/, vae/ and text_encoder/, or a single .safetensors file",
        ));
    }
    let mut files = Vec::new();
    let (mut base, mut kind) = (Base::Any, Kind::Diffusers);
    for (network, stem) in NETWORKS {
        if kind == Kind::Rad {
            // It has no other network.
            break;
        }
        let weights = Weights::open_folder(&root.join(network), stem)?;
        if network == "unet" && is_rad(&weights) {
            kind = Kind::Rad;
        } else if network == "unet" {
            base = unet(&weights)?;
        }
        let path = Path::new(weights.name());
        let Some(name) = path
            .file_name()
            .and_then(|n| n.to_str())
            .filter(|_| path.exists())
        else {
            return Err(bad(
                root.display(),
                "the path is not UTF-8; rename the folder",
            ));
        };
        files.push(format!("{network}/{name}"));
        if name.ends_with(".json") {
            files.extend(shards(path)?.into_iter().map(|s| format!("{network}/{s}")));
        }
    }
    let others: &[_] = if kind == Kind::Rad { &OF_RAD } else { &OTHERS };
    for &(path, needed) in others {
        let file = below(root, path);
        if file.is_file() {
            check_file(&file)?;
            files.push(path.to_owned());
        } else if needed {
            let what = "this file of the model is missing; take the whole folder";
            return Err(bad(file.display(), what));
        }
    }
    files.sort();
    files.iter().try_for_each(|path| check_path(path))?;
    Ok(Outside {
        kind,
        base,
        root: root.to_path_buf(),
        files: files.into_iter().map(|f| (f.clone(), f)).collect(),
    })
}

/// The files that an index names, which [`Weights`] has checked already.
fn shards(index: &Path) -> Result<BTreeSet<String>> {
    let text = fs::read(index).map_err(|e| io_error(index, "read", &e))?;
    let json: Json = crate::json::parse(&text).map_err(|e| bad(index.display(), e))?;
    let map = json["weight_map"].as_object();
    let names = map
        .into_iter()
        .flatten()
        .filter_map(|(_, name)| name.as_str());
    Ok(names.map(str::to_owned).collect())
}

/// Copies a file beside its place, hashing, then renames it.
fn copy(
    from: &Path,
    to: &Path,
    progress: &mut dyn FnMut(u64),
    cancel: &Cancel,
) -> Result<(u64, String)> {
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let read = |e: io::Error| io_error(from, "read", &e);
    let write = |e: io::Error| io_error(to, "written", &e);
    let mut source = File::open(from).map_err(read)?;
    let mut target = File::create_new(&part).map_err(write)?;
    let mut buffer = memory::filled(1 << 20, 0u8, "copying a model")?;
    let (mut hash, mut size) = (Sha256::new(), 0);
    loop {
        if cancel.is_cancelled() {
            let what = "cancelled; nothing was imported";
            return Err(Error::new(ErrorKind::Cancelled, what));
        }
        match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                target.write_all(&buffer[..n]).map_err(write)?;
                hash.update(&buffer[..n]);
                size += n as u64;
                progress(n as u64);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(read(e)),
        }
    }
    target.sync_all().map_err(write)?;
    drop(target);
    fs::rename(&part, to).map_err(write)?;
    if let Some(folder) = to.parent() {
        sync_folder(folder);
    }
    Ok((size, hash.finish()))
}
