//! `mend-model.json`: what an installed model is made of. It is written last, so it stands for a
//! whole model.
#![forbid(unsafe_code)]

use super::detect::{Base, Kind};
use super::digest::is_sha256;
use super::names::{check_id, check_path};
use super::{bad, io_error};
use crate::error::{Error, Result};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The manifest's name in a model's folder.
pub const MANIFEST: &str = "mend-model.json";

/// The longest manifest or catalogue, and the most files of a model.
pub(super) const LONGEST: u64 = 4 << 20;
const FILES: usize = 1000;

/// Under what terms a model was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Licence {
    /// Its name, `CreativeML OpenRAIL-M`.
    pub name: String,
    /// Where it can be read.
    pub url: String,
}

/// Where a file's SHA-256 comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// From the catalogue: the file is the one that was published.
    Published,
    /// From the first fetch: later changes are noticed, the first one was believed.
    FirstUse,
    /// From the user's own file, when it was imported.
    Local,
}

const TRUST: [(Trust, &str); 3] = [
    (Trust::Published, "published"),
    (Trust::FirstUse, "first-use"),
    (Trust::Local, "local"),
];

impl Trust {
    /// As manifests and JSON have it.
    pub fn name(self) -> &'static str {
        TRUST.iter().find(|(t, _)| *t == self).map_or("?", |t| t.1)
    }
}

/// One file of an installed model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledFile {
    /// Relative to the model's folder, with `/`; checked by [`super::check_path`].
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Where the digest comes from.
    pub trust: Trust,
}

/// What an installed model is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The model's id, and its folder's name.
    pub id: String,
    /// How its files make it up.
    pub kind: Kind,
    /// The family.
    pub base: Base,
    /// Its terms, where they are known.
    pub licence: Option<Licence>,
    /// The address or the path that it came from.
    pub source: String,
    /// When, as `2026-11-20T20:40:00Z`.
    pub installed: String,
    /// Where the files lie, if not here: an absolute path, for models that were imported in place.
    pub linked: Option<PathBuf>,
    /// Its files.
    pub files: Vec<InstalledFile>,
}

impl Manifest {
    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |n, f| n.saturating_add(f.size))
    }

    /// Reads the manifest of the model `id` in `folder`; `None` where there is none.
    pub(super) fn read(folder: &Path, id: &str) -> Result<Option<Self>> {
        let path = folder.join(MANIFEST);
        let name = path.display();
        match fs::symlink_metadata(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(io_error(&path, "read", &e)),
            Ok(about) if !about.is_file() || about.len() > LONGEST => {
                let what = "this is not a plain file of a sensible size; remove it and fetch or \
                            import the model again";
                return Err(bad(name, what));
            }
            Ok(_) => {}
        }
        let text = fs::read(&path).map_err(|e| io_error(&path, "read", &e))?;
        let wrong = |what: String| {
            bad(
                &name,
                format!("the manifest is damaged: {what}; fetch or import the model again"),
            )
        };
        let json: Json = crate::json::parse(&text).map_err(|e| wrong(e.to_string()))?;
        let manifest = Self::parse(&json).map_err(wrong)?;
        if manifest.id != id {
            return Err(wrong(format!("it is of '{}'", manifest.id)));
        }
        Ok(Some(manifest))
    }

    fn parse(json: &Json) -> Result<Self, String> {
        if json["format"] != 1 {
            return Err(format!("it is of format {}, expected 1", json["format"]));
        }
        let id = text(json, "id")?;
        check_id(id).map_err(|e| e.to_string())?;
        let linked = match &json["linked"] {
            Json::Null => None,
            Json::String(path) if Path::new(path).is_absolute() => Some(PathBuf::from(path)),
            _ => return Err("'linked' is not an absolute path".into()),
        };
        let mut files = Vec::new();
        for json in files_of(json)? {
            let sha256 = text(json, "sha256")?;
            if !is_sha256(sha256) {
                return Err("a 'sha256' is invalid".into());
            }
            let trust = text(json, "trust")?;
            let trust = TRUST.iter().find(|(_, name)| *name == trust);
            files.push(InstalledFile {
                path: path_of(json)?,
                size: json["size"].as_u64().ok_or("a 'size' is invalid")?,
                sha256: sha256.to_owned(),
                trust: trust.ok_or("a 'trust' is invalid")?.0,
            });
        }
        no_twins(files.iter().map(|f| f.path.as_str()))?;
        Ok(Self {
            id: id.to_owned(),
            kind: kind_of(json)?,
            base: base_of(json)?,
            licence: licence_of(json)?,
            source: text(json, "source")?.to_owned(),
            installed: text(json, "installed")?.to_owned(),
            linked,
            files,
        })
    }

    /// As it is written, and as JSON for programs.
    pub fn to_json(&self) -> Json {
        let files: Vec<Json> = self
            .files
            .iter()
            .map(|f| {
                json!({
                    "path": f.path, "size": f.size, "sha256": f.sha256, "trust": f.trust.name(),
                })
            })
            .collect();
        let licence = self.licence.as_ref();
        json!({
            "format": 1,
            "id": self.id,
            "kind": self.kind.name(),
            "base": self.base.name(),
            "licence": licence.map(|l| json!({"name": l.name, "url": l.url})),
            "source": self.source,
            "installed": self.installed,
            "linked": self.linked.as_ref().map(|p| p.to_string_lossy()),
            "files": files,
        })
    }

    /// Writes it into the model's folder, in one step.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        write_json(&folder.join(MANIFEST), &self.to_json())
    }
}

/// Writes JSON beside its place, then renames it over it.
pub(super) fn write_json(path: &Path, json: &Json) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let fail = |e: std::io::Error| io_error(path, "written", &e);
    // A link that somebody put there is replaced and not written through.
    let _ = fs::remove_file(&part);
    let mut file = File::create_new(&part).map_err(fail)?;
    file.write_all(format!("{json:#}\n").as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&part, path))
        .map_err(|e| {
            let _ = fs::remove_file(&part);
            fail(e)
        })
}

/// The text under a key.
pub(super) fn text<'a>(json: &'a Json, key: &str) -> Result<&'a str, String> {
    let value = json[key]
        .as_str()
        .filter(|s| !s.is_empty() && s.len() < 4096);
    match value {
        Some(text) if !text.chars().any(char::is_control) => Ok(text),
        _ => Err(format!("'{key}' is missing or no sensible text")),
    }
}

pub(super) fn kind_of(json: &Json) -> Result<Kind, String> {
    let name = text(json, "kind")?;
    Kind::parse(name).ok_or_else(|| format!("there is no kind '{name}'"))
}

pub(super) fn base_of(json: &Json) -> Result<Base, String> {
    let name = text(json, "base")?;
    Base::parse(name).ok_or_else(|| format!("there is no base '{name}'"))
}

pub(super) fn licence_of(json: &Json) -> Result<Option<Licence>, String> {
    match &json["licence"] {
        Json::Null => Ok(None),
        licence => Ok(Some(Licence {
            name: text(licence, "name")?.to_owned(),
            url: text(licence, "url")?.to_owned(),
        })),
    }
}

pub(super) fn files_of(json: &Json) -> Result<&[Json], String> {
    match json["files"].as_array() {
        Some(files) if !files.is_empty() && files.len() <= FILES => Ok(files),
        _ => Err(format!("'files' is not a list of 1 to {FILES} files")),
    }
}

pub(super) fn path_of(json: &Json) -> Result<String, String> {
    let path = json["path"].as_str().ok_or("a 'path' is not a text")?;
    check_path(path).map_err(|e| e.message().to_owned())?;
    Ok(path.to_owned())
}

/// No two files may be one, on any system; nor may one be another's folder.
pub(super) fn no_twins<'a>(paths: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    let all: Vec<String> = paths.map(str::to_ascii_lowercase).collect();
    for path in &all {
        if !seen.insert(path.as_str()) {
            return Err(format!("the file '{path}' is listed twice"));
        }
    }
    let within = |a: &str, b: &str| b.strip_prefix(a).is_some_and(|rest| rest.starts_with('/'));
    match all.iter().find(|a| all.iter().any(|b| within(a, b))) {
        Some(path) => Err(format!("'{path}' is both a file and a folder")),
        None => Ok(()),
    }
}

/// The present second, as `2026-11-20T20:40:00Z`.
pub(super) fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    stamp(since.map_or(0, |d| d.as_secs()))
}

/// Seconds since 1970 in the Gregorian calendar: <https://howardhinnant.github.io/date_algorithms.html>,
/// `civil_from_days`.
pub(super) fn stamp(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Counted from 1 March 0000, so that the leap day comes last in its year.
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}Z")
}

/// What is wrong with text from a file, as an error.
pub(super) fn wrong(path: &Path, what: &str) -> Error {
    bad(
        path.display(),
        format!("this is not a catalogue of models: {what}"),
    )
}
