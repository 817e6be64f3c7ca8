//! All models, installed and known, as JSON: what dialogs and `mend models list --json` are made of.
#![forbid(unsafe_code)]

use super::detect::{Base, Kind};
use super::known::Model;
use super::store::{Found, Store};
use super::terms::licence_json;
use crate::error::Result;
use serde_json::{Value as Json, json};

/// What lies in `store`, where there is one, and then those of `known` that do not lie there. Objects with:
///
/// - `"id"`, `"title"` (what people call it), `"state"`: `"installed"`, `"known"` (can be fetched),
///   `"partial"` (half fetched) or `"broken"` (its manifest cannot be read: see `"error"`).
/// - `"kind"` and `"base"` ([`super::Kind`], [`super::Base`]), `"engine"` (which uses it), `"purpose"` (what
///   it is for, for people), `"bytes"` (all its files, 0 where it is not known), `"here"` (how many of them
///   lie in the models folder), `"licence"` (null, or `"name"`, `"url"`, `"terms"` ([`super::Terms`]) and
///   `"accept"`, whether a user should read and accept it first), `"source"` (where from), `"files"`. Not of
///   broken ones and half fetched ones that `known` does not have.
/// - Those in `known`: `"about"`, a line for people.
/// - Installed ones: `"path"`, for parameters such as `model`; it is null where it cannot be told. Others in
///   `known`, and half fetched ones: `"get"`, the command that brings it.
///
/// # Errors
/// [`crate::ErrorKind::Io`] where the folder cannot be read.
pub fn listing(store: Option<&Store>, known: &[Model]) -> Result<Vec<Json>> {
    let found = store.map_or(Ok(Vec::new()), Store::list)?;
    let of = |id: &str| known.iter().find(|m| m.id == id);
    let here = store
        .iter()
        .flat_map(|s| found.iter().map(|f| there(s, f, of(f.id()))));
    let mut all: Vec<Json> = here.collect();
    let here = |m: &&Model| !found.iter().any(|f| f.id() == m.id);
    all.extend(known.iter().filter(here).map(fetchable));
    Ok(all)
}

/// The command that brings a model.
fn get(id: &str) -> String {
    format!("mend models fetch {id}")
}

/// One that lies in the models folder. `known`: as the catalogue has it.
fn there(store: &Store, found: &Found, known: Option<&Model>) -> Json {
    let id = found.id();
    match found {
        Found::Installed(m) => {
            let mut json = m.to_json();
            json["state"] = json!("installed");
            json["title"] = json!(known.map_or(id, |k| &k.title));
            if let Some(known) = known {
                json["about"] = json!(known.about);
            }
            let path = store.locate(id).ok();
            json["path"] = json!(path.map(|p| p.to_string_lossy().into_owned()));
            let bytes = m.bytes();
            let here = if m.linked.is_some() { 0 } else { bytes };
            json["licence"] = licence_json(m.licence.as_ref());
            with(json, common(m.kind, m.base, bytes, here))
        }
        Found::Partial(_) => {
            let own = known.map(fetchable);
            let mut json = own.unwrap_or_else(|| json!({"id": id, "title": id, "get": get(id)}));
            json["state"] = json!("partial");
            json["here"] = json!(store.partial_bytes(id).unwrap_or(0));
            json
        }
        Found::Broken(_, e) => {
            let own = known.map(fetchable);
            let mut json = own.unwrap_or_else(|| json!({"id": id, "title": id}));
            json["state"] = json!("broken");
            json["error"] = e.to_json();
            json
        }
    }
}

fn fetchable(model: &Model) -> Json {
    let files = model.files.iter();
    let files: Vec<Json> = files
        .map(|f| json!({"path": f.path, "size": f.size, "sha256": f.sha256}))
        .collect();
    let json = json!({
        "id": model.id, "state": "known", "title": model.title, "about": model.about,
        "source": model.url, "get": get(&model.id),
        "licence": licence_json(model.licence.as_ref()), "files": files,
    });
    with(json, common(model.kind, model.base, model.bytes(), 0))
}

/// What is said of each.
fn common(kind: Kind, base: Base, bytes: u64, here: u64) -> Json {
    json!({
        "kind": kind.name(), "base": base.name(), "engine": kind.engine(),
        "purpose": kind.purpose(), "bytes": bytes, "here": here,
    })
}

/// `json` with the members of `more`.
fn with(mut json: Json, more: Json) -> Json {
    if let (Some(all), Json::Object(more)) = (json.as_object_mut(), more) {
        all.extend(more);
    }
    json
}
