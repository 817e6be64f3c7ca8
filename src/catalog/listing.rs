//! All models, installed and known, as JSON: what dialogs and `mend models list --json` are made of.
#![forbid(unsafe_code)]

use super::known::Model;
use super::store::{Found, Store};
use crate::error::Result;
use serde_json::{Value as Json, json};

/// What lies in `store`, where there is one, and then those of `known` that do not lie there. Objects with:
///
/// - `"id"`, `"state"`: `"installed"`, `"known"` (can be fetched), `"partial"` (half fetched) or
///   `"broken"` (its manifest cannot be read: see `"error"`).
/// - Installed and known ones: `"kind"` and `"base"` ([`super::Kind`], [`super::Base`]), `"engine"` (which
///   uses it), `"bytes"` (all its files, 0 where it is not known), `"licence"` (null, or `"name"` and
///   `"url"`), `"source"` (where from), `"files"`.
/// - Installed ones: `"path"`, for parameters such as `model`. Others: `"get"`, the command that brings it.
///
/// # Errors
/// [`crate::ErrorKind::Io`] where the folder cannot be read.
pub fn listing(store: Option<&Store>, known: &[Model]) -> Result<Vec<Json>> {
    let found = store.map_or(Ok(Vec::new()), Store::list)?;
    let here = store
        .iter()
        .flat_map(|s| found.iter().map(|f| installed(s, f)));
    let mut all: Vec<Json> = here.collect();
    let here = |m: &&Model| !found.iter().any(|f| f.id() == m.id);
    all.extend(known.iter().filter(here).map(fetchable));
    Ok(all)
}

/// The command that brings a model.
fn get(id: &str) -> String {
    format!("mend models fetch {id}")
}

fn installed(store: &Store, found: &Found) -> Json {
    match found {
        Found::Installed(m) => {
            let mut json = m.to_json();
            json["state"] = json!("installed");
            json["engine"] = json!(m.kind.engine());
            json["bytes"] = json!(m.bytes());
            let path = store.locate(&m.id).ok();
            json["path"] = json!(path.map(|p| p.to_string_lossy().into_owned()));
            json
        }
        Found::Partial(id) => json!({"id": id, "state": "partial", "get": get(id)}),
        Found::Broken(id, e) => json!({"id": id, "state": "broken", "error": e.to_json()}),
    }
}

fn fetchable(model: &Model) -> Json {
    let licence = model.licence.as_ref();
    let files = model.files.iter();
    let files: Vec<Json> = files
        .map(|f| json!({"path": f.path, "size": f.size, "sha256": f.sha256}))
        .collect();
    json!({
        "id": model.id, "state": "known", "kind": model.kind.name(), "base": model.base.name(),
        "engine": model.kind.engine(), "about": model.about, "bytes": model.bytes(),
        "source": model.url, "get": get(&model.id),
        "licence": licence.map(|l| json!({"name": l.name, "url": l.url})), "files": files,
    })
}
