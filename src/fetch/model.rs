//! All files of one model: what is there is kept, the rest is fetched, and then it is declared installed.
#![forbid(unsafe_code)]

use super::transfer::{Learned, Transfer, Wanted, part_of, plain_length};
use super::url::Url;
use super::{Manners, Watch, Words};
use crate::catalog::{
    InstalledFile, Manifest, Model, ModelFile, Sha256, Store, Trust, check_file, check_room,
    hash_file,
};
use crate::error::{Error, ErrorKind, Result};
use crate::params::did_you_mean;
use crate::progress::Cancel;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::fs;

/// The environment variable with a mirror.
const MIRROR: &str = "MEND_MODELS_URL";

/// The model `id` of `models`, such as [`crate::catalog::known`].
///
/// # Errors
/// [`ErrorKind::Argument`] for one that is not there.
pub fn find<'a>(models: &'a [Model], id: &str, words: &Words) -> Result<&'a Model> {
    let ids: Vec<&str> = models.iter().map(|m| m.id.as_str()).collect();
    let unknown = || {
        Error::new(
            ErrorKind::Argument,
            format!(
                "unknown model '{}'{}; there are {}. {}",
                id.escape_default(),
                did_you_mean(id, &ids),
                ids.join(", "),
                words.elsewhere
            ),
        )
    };
    models.iter().find(|m| m.id == id).ok_or_else(unknown)
}

/// A fetch of one model, whose address has been checked. Nothing is asked of the network before
/// [`Self::run`].
#[derive(Debug)]
pub struct Fetch<'a> {
    model: &'a Model,
    manners: &'a Manners,
    base: Url,
}

impl<'a> Fetch<'a> {
    /// Of `model`, from where it is published or from a mirror.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for an address that is none, or that is not encrypted though a file has no
    /// known SHA-256.
    pub fn new(model: &'a Model, manners: &'a Manners) -> Result<Self> {
        let base = address(model, manners.from.as_deref())?;
        if let Some(file) = model.files.iter().find(|f| f.sha256.is_none())
            && !base.https
            && !base.local()
        {
            return Err(Error::new(
                ErrorKind::Argument,
                format!(
                    "'{}' has no known SHA-256, and {} is not encrypted: anybody on the way could change \
                     it; use an address with https://",
                    file.path,
                    base.origin()
                ),
            ));
        }
        Ok(Self {
            model,
            manners,
            base,
        })
    }

    /// The address below which its files lie.
    pub fn source(&self) -> String {
        self.base.to_string()
    }

    /// Fetches what is missing or damaged into `store`, and goes on where an earlier fetch stopped. A
    /// cancelled one ends within a tenth of a second; after it, a thread that holds nothing of the caller's
    /// may wait for the network until [`Manners::timeout`] is over.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] where a file is not what was promised or something is in its way,
    /// [`ErrorKind::Io`] where it cannot be had or kept, also where another process works on this model,
    /// [`ErrorKind::Cancelled`]. What came stays, and is gone on from.
    pub fn run(self, store: &Store, watch: &mut dyn Watch, cancel: &Cancel) -> Result<Manifest> {
        let _lock = store.lock(&self.model.id)?;
        Running::new(self, store, cancel)?.run(watch)
    }
}

/// Where the model's files lie: its own address, or the mirror's in place of its host.
fn address(model: &Model, from: Option<&str>) -> Result<Url> {
    let own = Url::parse(&model.url)?;
    let set = std::env::var(MIRROR).ok().filter(|v| !v.trim().is_empty());
    let Some(mirror) = from.map(str::to_owned).or(set) else {
        return Ok(own);
    };
    let mirror = Url::parse(mirror.trim())?;
    let prefix = mirror.path.trim_end_matches('/');
    Ok(Url {
        path: format!("{prefix}{}", own.path),
        ..mirror
    })
}

struct Running<'a> {
    model: &'a Model,
    manners: &'a Manners,
    base: Url,
    store: &'a Store,
    cancel: &'a Cancel,
    /// What is installed already.
    old: Option<Manifest>,
    /// By path, what an earlier go learned and finished.
    learned: BTreeMap<String, Learned>,
    finished: BTreeMap<String, String>,
}

impl<'a> Running<'a> {
    fn new(fetch: Fetch<'a>, store: &'a Store, cancel: &'a Cancel) -> Result<Self> {
        let Fetch {
            model,
            manners,
            base,
        } = fetch;
        // A damaged manifest is one more thing that a fetch puts right.
        let old = store.get(&model.id).ok().flatten();
        let own =
            |m: &Manifest| m.linked.is_some() || m.files.iter().any(|f| f.trust == Trust::Local);
        if old.as_ref().is_some_and(own) {
            let id = &model.id;
            let remove = manners.words.remove.replace("{id}", id);
            return Err(Error::new(
                ErrorKind::Model,
                format!("'{id}': a model of that name was imported; {remove}"),
            ));
        }
        let (mut learned, mut finished) = (BTreeMap::new(), BTreeMap::new());
        let state = store.partial(&model.id)?.unwrap_or_default();
        for (path, json) in state["files"].as_object().into_iter().flatten() {
            if let Some(digest) = json["sha256"].as_str() {
                finished.insert(path.clone(), digest.to_owned());
            }
            let etag = json["etag"].as_str().filter(|e| e.starts_with('"'));
            let one = Learned {
                url: json["url"].as_str().unwrap_or("").to_owned(),
                etag: etag.map(str::to_owned),
                size: json["size"].as_u64(),
            };
            learned.insert(path.clone(), one);
        }
        Ok(Self {
            model,
            manners,
            base,
            store,
            cancel,
            old,
            learned,
            finished,
        })
    }

    fn run(mut self, watch: &mut dyn Watch) -> Result<Manifest> {
        let mut files = Vec::new();
        let mut todo = Vec::new();
        for file in &self.model.files {
            watch.file(&file.path);
            match self.there(file, watch)? {
                Some(done) => files.push(done),
                None => todo.push(file),
            }
        }
        let mut needed = 0u64;
        for file in &todo {
            let target = self.store.file(&self.model.id, &file.path)?;
            let part = plain_length(&part_of(&target))?.unwrap_or(0);
            needed = needed.saturating_add(file.size.unwrap_or(0).saturating_sub(part));
        }
        check_room(self.store.folder(), needed, self.manners.words.folder)?;
        for file in todo {
            watch.file(&file.path);
            files.push(self.one(file, watch)?);
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        self.store.install(Manifest {
            id: self.model.id.clone(),
            kind: self.model.kind,
            base: self.model.base,
            licence: self.model.licence.clone(),
            source: self.base.to_string(),
            installed: String::new(),
            linked: None,
            files,
        })
    }

    /// The digest that a file must have: the published one, or the one that was believed before.
    fn digest<'b>(&'b self, file: &'b ModelFile) -> Option<&'b str> {
        let old = self.old.iter().flat_map(|m| &m.files);
        let old = old
            .filter(|f| f.path == file.path)
            .map(|f| f.sha256.as_str())
            .next();
        let finished = self.finished.get(&file.path).map(String::as_str);
        file.sha256.as_deref().or(old).or(finished)
    }

    fn done(file: &ModelFile, size: u64, sha256: String) -> InstalledFile {
        InstalledFile {
            path: file.path.clone(),
            size,
            sha256,
            trust: match file.sha256 {
                Some(_) => Trust::Published,
                None => Trust::FirstUse,
            },
        }
    }

    /// A file that is in its place already and is the right one.
    fn there(&self, file: &ModelFile, watch: &mut dyn Watch) -> Result<Option<InstalledFile>> {
        let path = self.store.file(&self.model.id, &file.path)?;
        let Some(size) = plain_length(&path)? else {
            return Ok(None);
        };
        let Some(digest) = self.digest(file) else {
            return Err(Error::new(
                ErrorKind::Model,
                format!(
                    "{}: this file is in the way, and Mend did not put it there; move it away",
                    path.display()
                ),
            ));
        };
        if file.size.is_some_and(|s| s != size) {
            return Ok(None);
        }
        if file.size.is_none() {
            watch.more(size);
        }
        let mut hash = Sha256::new();
        let mut there = |n| watch.there(n);
        hash_file(&path, u64::MAX, &mut hash, &mut there, self.cancel)?;
        let found = hash.finish();
        if found == digest {
            return Ok(Some(Self::done(file, size, found)));
        }
        watch.back(size);
        Ok(None)
    }

    fn one(&mut self, file: &ModelFile, watch: &mut dyn Watch) -> Result<InstalledFile> {
        let target = self.store.make_room(&self.model.id, &file.path)?;
        let url = self.base.below(&file.path);
        let digest = self.digest(file).map(str::to_owned);
        let learned = self.learned.get(&file.path).cloned().unwrap_or_default();
        let (store, id) = (self.store, self.model.id.as_str());
        let (all, finished) = (&mut self.learned, &self.finished);
        let mut keep = |l: &Learned| {
            all.insert(file.path.clone(), l.clone());
            store.set_partial(id, &state(all, finished))
        };
        let transfer = Transfer {
            cancel: self.cancel,
            manners: self.manners,
            wanted: Wanted {
                url: &url,
                target: &target,
                name: &file.path,
                size: file.size,
                sha256: digest.as_deref(),
            },
            learned,
            keep: &mut keep,
            watch,
        };
        let (size, sha256) = transfer.run()?;
        if let Err(e) = check_file(&target) {
            // Neither this file nor what was learned of it is of any use.
            drop(fs::remove_file(&target));
            self.learned.remove(&file.path);
            store.set_partial(id, &state(&self.learned, &self.finished))?;
            return Err(e);
        }
        self.finished.insert(file.path.clone(), sha256.clone());
        store.set_partial(id, &state(&self.learned, &self.finished))?;
        Ok(Self::done(file, size, sha256))
    }
}

fn state(learned: &BTreeMap<String, Learned>, finished: &BTreeMap<String, String>) -> Json {
    let files: serde_json::Map<String, Json> = learned
        .iter()
        .map(|(path, l)| {
            let json = json!({
                "url": l.url, "etag": l.etag, "size": l.size, "sha256": finished.get(path),
            });
            (path.clone(), json)
        })
        .collect();
    json!({"files": files})
}
