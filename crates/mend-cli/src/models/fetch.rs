//! `mend models fetch`: the only part of Mend that uses the network.
#![forbid(unsafe_code)]

use super::FetchArgs;
use super::meter::{Meter, bytes};
use super::transfer::{Learned, Manners, Transfer, Wanted, part_of, plain_length, room};
use super::url::Url;
use crate::App;
use crate::terminal::escaped;
use mend::catalog::{
    InstalledFile, Manifest, Model, ModelFile, Sha256, Store, Trust, check_file, hash_file, known,
    parse_catalogue,
};
use mend::params::did_you_mean;
use mend::{Error, ErrorKind, Result};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// The environment variable with a mirror.
const MIRROR: &str = "MEND_MODELS_URL";

/// Runs `fetch`.
///
/// # Errors
/// [`ErrorKind::Argument`] for an unknown id or an address that is none, and those of the transfer.
pub fn run(app: &App, store: &Store, args: &FetchArgs) -> Result<()> {
    let model = find(args)?;
    let base = address(&model, args.from.as_deref())?;
    let names: Vec<&str> = model.files.iter().map(|f| f.path.as_str()).collect();
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
    if !app.terminal.json && !app.terminal.quiet {
        let size = bytes(model.bytes());
        app.terminal
            .print(&format!("{}: {} files, {size}\n", model.id, names.len()))?;
        if let Some(licence) = &model.licence {
            let text = escaped(format!("Licence: {}, {}", licence.name, licence.url)) + "\n";
            app.terminal.print(&text)?;
        }
        app.terminal
            .print(&(escaped(format!("From {base}")) + "\n"))?;
    }
    let _lock = store.lock(&model.id)?;
    let manifest = Fetch::new(app, store, args, &model, base)?.run()?;
    let first: Vec<&str> = manifest
        .files
        .iter()
        .filter(|f| f.trust == Trust::FirstUse)
        .map(|f| f.path.as_str())
        .collect();
    let path = store.locate(&model.id)?;
    if app.terminal.json {
        let mut json = manifest.to_json();
        json["ok"] = json!(true);
        json["path"] = json!(path.to_string_lossy());
        json["first_use"] = json!(first);
        app.terminal.result(&json)?;
    } else if !app.terminal.quiet {
        if !first.is_empty() {
            app.terminal.print(&format!(
                "No published SHA-256 is known for {}: what was downloaded was accepted, and its \
                 SHA-256 was recorded.\n",
                escaped(first.join(", "))
            ))?;
        }
        app.terminal
            .print(&(escaped(format!("{}: {}", model.id, path.display())) + "\n"))?;
    }
    Ok(())
}

/// The model that is asked for, of the built-in catalogue and the user's own.
fn find(args: &FetchArgs) -> Result<Model> {
    let mut models = match &args.catalog {
        Some(path) => parse_catalogue(path)?,
        None => Vec::new(),
    };
    models.extend(known());
    let ids: Vec<&str> = models.iter().map(|m| m.id.as_str()).collect();
    let unknown = || {
        Error::new(
            ErrorKind::Argument,
            format!(
                "unknown model '{}'{}; there are {}. Use 'mend models import' for a model from \
                 elsewhere",
                args.id.escape_default(),
                did_you_mean(&args.id, &ids),
                ids.join(", ")
            ),
        )
    };
    let found = models.iter().find(|m| m.id == args.id);
    found.cloned().ok_or_else(unknown)
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

struct Fetch<'a> {
    app: &'a App,
    store: &'a Store,
    args: &'a FetchArgs,
    model: &'a Model,
    base: Url,
    /// What is installed already.
    old: Option<Manifest>,
    /// By path, what an earlier go learned and finished.
    learned: BTreeMap<String, Learned>,
    finished: BTreeMap<String, String>,
}

impl<'a> Fetch<'a> {
    fn new(
        app: &'a App,
        store: &'a Store,
        args: &'a FetchArgs,
        model: &'a Model,
        base: Url,
    ) -> Result<Self> {
        // A damaged manifest is one more thing that a fetch puts right.
        let old = store.get(&model.id).ok().flatten();
        let own =
            |m: &Manifest| m.linked.is_some() || m.files.iter().any(|f| f.trust == Trust::Local);
        if old.as_ref().is_some_and(own) {
            return Err(Error::new(
                ErrorKind::Model,
                format!(
                    "'{0}': a model of that name was imported; 'mend models remove {0}' removes it",
                    model.id
                ),
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
            app,
            store,
            args,
            model,
            base,
            old,
            learned,
            finished,
        })
    }

    fn run(mut self) -> Result<Manifest> {
        let mut meter = Meter::new(
            &self.app.terminal,
            Some(self.model.bytes()),
            self.args.progress,
        );
        let mut files = Vec::new();
        let mut todo = Vec::new();
        for file in &self.model.files {
            meter.file(&file.path);
            match self.there(file, &mut meter)? {
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
        room(&self.store.folder().join("x"), needed)?;
        for file in todo {
            meter.file(&file.path);
            files.push(self.one(file, &mut meter)?);
        }
        drop(meter);
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
    fn there(&self, file: &ModelFile, meter: &mut Meter) -> Result<Option<InstalledFile>> {
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
            meter.more(size);
        }
        let mut hash = Sha256::new();
        let mut there = |n| meter.there(n);
        hash_file(&path, u64::MAX, &mut hash, &mut there, &self.app.cancel)?;
        let found = hash.finish();
        if found == digest {
            return Ok(Some(Self::done(file, size, found)));
        }
        meter.back(size);
        Ok(None)
    }

    fn one(&mut self, file: &ModelFile, meter: &mut Meter) -> Result<InstalledFile> {
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
            app: self.app,
            manners: Manners {
                tries: self.args.tries,
                wait: Duration::from_secs_f64(self.args.wait),
                timeout: Duration::from_secs_f64(self.args.timeout),
            },
            wanted: Wanted {
                url: &url,
                target: &target,
                name: &file.path,
                size: file.size,
                sha256: digest.as_deref(),
            },
            learned,
            keep: &mut keep,
            meter,
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
