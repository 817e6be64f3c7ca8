//! `mend models`: what is known and installed; fetching, importing, checking, removing.
#![forbid(unsafe_code)]

mod fetch;
mod meter;

use crate::App;
use crate::args::TellArgs;
use crate::terminal::escaped;
use clap::{Args, Subcommand};
use mend::catalog::{
    FileState, Found, Import, Manifest, Store, bytes_text as bytes, catalogue, check_room,
    import_size, listing, models_folder,
};
use mend::{Error, ErrorKind, Result};
use meter::Meter;
use serde_json::json;
use std::path::{Path, PathBuf};

pub const AFTER: &str = "\
Nothing but 'fetch' uses the network. The models folder is --models, or the environment variable
MEND_MODELS, or the user's own (see 'mend models path').";

const FETCH: &str = "\
An interrupted fetch continues where it stopped. What a server sends is compared with the published size
and SHA-256; where none is known, the first fetch is accepted and recorded. Proxies come from
HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY. A mirror (--from, or the environment variable
MEND_MODELS_URL) replaces https://huggingface.co and has the same paths.";

/// What `mend models` is told.
#[derive(Debug, Args)]
pub struct ModelsArgs {
    #[command(subcommand)]
    job: Job,
}

impl ModelsArgs {
    /// How to tell of it.
    pub fn tell(&self) -> TellArgs {
        match &self.job {
            Job::List(a) => a.common.tell,
            Job::Fetch(a) => a.common.tell,
            Job::Import(a) => a.common.tell,
            Job::Verify(a) => a.common.tell,
            Job::Remove(a) => a.common.tell,
            Job::Path(a) => a.common.tell,
        }
    }

    fn common(&self) -> &CommonArgs {
        match &self.job {
            Job::List(a) => &a.common,
            Job::Fetch(a) => &a.common,
            Job::Import(a) => &a.common,
            Job::Verify(a) => &a.common,
            Job::Remove(a) => &a.common,
            Job::Path(a) => &a.common,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Job {
    /// List the models that are installed and those that can be fetched
    List(ListArgs),
    /// Download a model from the catalogue, or repair an installed one
    #[command(after_help = FETCH)]
    Fetch(FetchArgs),
    /// Import a model that is on this machine: a diffusers folder or a model's file
    Import(ImportArgs),
    /// Compare installed models with their manifests, file by file
    Verify(VerifyArgs),
    /// Delete an installed model, or what a broken fetch left of one
    Remove(RemoveArgs),
    /// Print the models folder, or where a model is
    Path(PathArgs),
}

#[derive(Debug, Args)]
struct CommonArgs {
    /// The models folder
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
    #[command(flatten)]
    tell: TellArgs,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Also the models of this catalogue
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Args)]
pub struct FetchArgs {
    /// The model's id, from `mend models list`
    id: String,
    /// A mirror to use instead of https://huggingface.co
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// A catalogue of your own, in JSON
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// Tries in a row that may fail
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    tries: u32,
    /// Seconds before the second try; they double each time
    #[arg(long, value_name = "S", default_value_t = 1.0, value_parser = seconds)]
    wait: f64,
    /// Seconds of silence after which a connection counts as lost
    #[arg(long, value_name = "S", default_value_t = 60.0, value_parser = seconds)]
    timeout: f64,
    /// Report progress as lines of JSON on standard error
    #[arg(long)]
    progress: bool,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Args)]
struct ImportArgs {
    /// The folder or the file
    path: PathBuf,
    /// The id to give it, if not one made from its name
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Leave the files where they are, and only record their place
    #[arg(long)]
    link: bool,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Args)]
struct VerifyArgs {
    /// The models; without one, all that are installed
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Args)]
struct RemoveArgs {
    /// The model's id
    id: String,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Args)]
struct PathArgs {
    /// The model's id
    id: Option<String>,
    #[command(flatten)]
    common: CommonArgs,
}

fn seconds(text: &str) -> Result<f64, String> {
    let value = text.parse::<f64>().ok();
    let value = value.filter(|s| (0.01..=3600.0).contains(s));
    value.ok_or_else(|| "give seconds, 0.01 to 3600".into())
}

/// Runs `models`.
///
/// # Errors
/// Those of its parts.
pub fn run(app: &App, args: &ModelsArgs) -> Result<()> {
    let store = store(args.common().models.as_deref())?;
    match &args.job {
        Job::List(args) => list(app, &store, args),
        Job::Fetch(args) => fetch::run(app, &store, args),
        Job::Import(args) => import(app, &store, args),
        Job::Verify(args) => verify(app, &store, &args.ids),
        Job::Remove(args) => remove(app, &store, &args.id),
        Job::Path(args) => path(app, &store, args.id.as_deref()),
    }
}

fn store(folder: Option<&Path>) -> Result<Store> {
    let folder = folder.map(Path::to_path_buf).or_else(models_folder);
    let folder = folder.ok_or_else(|| {
        Error::new(
            ErrorKind::Io,
            "there is no home folder to keep models in; name a folder with --models or in \
             MEND_MODELS",
        )
    })?;
    Ok(Store::new(std::path::absolute(&folder).unwrap_or(folder)))
}

fn list(app: &App, store: &Store, args: &ListArgs) -> Result<()> {
    let mut models = catalogue(args.catalog.as_deref())?;
    if app.terminal.json {
        let all = listing(Some(store), &models)?;
        let folder = store.folder().to_string_lossy();
        app.terminal
            .result(&json!({"ok": true, "folder": folder, "models": all}))?;
        return Ok(());
    }
    let found = store.list()?;
    models.retain(|m| !found.iter().any(|f| f.id() == m.id));
    let mut text = format!("Installed in {}:\n", escaped(store.folder().display()));
    for found in &found {
        text.push_str(&match found {
            Found::Installed(m) => format!(
                "  {:<18} {:<10} {:<15} {:>8}  from {}{}\n",
                escaped(&m.id),
                m.kind.name(),
                m.base.name(),
                bytes(m.bytes()),
                escaped(&m.source),
                if m.linked.is_some() {
                    " (in place)"
                } else {
                    ""
                }
            ),
            Found::Partial(id) => {
                let id = escaped(id);
                format!("  {id:<18} half fetched; 'mend models fetch {id}' continues\n")
            }
            Found::Broken(id, e) => {
                format!("  {:<18} cannot be used: {}\n", escaped(id), escaped(e))
            }
        });
    }
    if found.is_empty() {
        text.push_str("  none; some engines need no model\n");
    }
    text.push_str("Can be fetched:\n");
    for model in &models {
        let licence = model.licence.as_ref().map_or("unknown", |l| &l.name);
        let size = bytes(model.bytes());
        text.push_str(&format!(
            "  {:<18} {:<10} {:<15} {size:>8}  {}; {}\n",
            escaped(&model.id),
            model.kind.name(),
            model.base.name(),
            escaped(&model.about),
            escaped(licence),
        ));
    }
    app.terminal.print(&text)?;
    Ok(())
}

fn import(app: &App, store: &Store, args: &ImportArgs) -> Result<()> {
    if !args.link {
        check_room(store.folder(), import_size(&args.path), fetch::WORDS.folder)?;
    }
    let how = Import {
        id: args.id.clone(),
        link: args.link,
    };
    let mut meter = Meter::new(&app.terminal, Some(import_size(&args.path)), false);
    meter.file(&args.path.to_string_lossy());
    let manifest = store.import(&args.path, &how, &mut |n| meter.add(n), &app.cancel)?;
    drop(meter);
    let path = store.locate(&manifest.id)?;
    if app.terminal.json {
        let mut json = manifest.to_json();
        json["ok"] = json!(true);
        json["path"] = json!(path.to_string_lossy());
        app.terminal.result(&json)?;
    } else if !app.terminal.quiet {
        let Manifest { id, kind, base, .. } = &manifest;
        let what = format!("{} of {}", kind.name(), base.name());
        let size = bytes(manifest.bytes());
        app.terminal
            .print(&(escaped(format!("{id}: {what}, {size}, {}", path.display())) + "\n"))?;
    }
    Ok(())
}

fn verify(app: &App, store: &Store, ids: &[String]) -> Result<()> {
    let mut ids = ids.to_vec();
    let mut broken = Vec::new();
    if ids.is_empty() {
        for found in store.list()? {
            match found {
                Found::Installed(m) => ids.push(m.id),
                Found::Broken(id, e) => broken.push((id, e)),
                Found::Partial(_) => {}
            }
        }
    }
    let mut total = 0u64;
    for id in &ids {
        total = total.saturating_add(store.get(id)?.map_or(0, |m| m.bytes()));
    }
    let mut meter = Meter::new(&app.terminal, Some(total), false);
    let (mut results, mut text, mut wrong) = (Vec::new(), String::new(), broken.len());
    for id in &ids {
        meter.file(id);
        let checks = store.verify(id, &mut |n| meter.add(n), &app.cancel)?;
        let mut files = Vec::new();
        for check in &checks {
            let (state, detail) = match &check.state {
                FileState::Good => ("good", String::new()),
                FileState::Missing => ("missing", String::new()),
                FileState::Odd => ("odd", "a link or a folder is in its place".into()),
                FileState::Size(n) => ("size", format!("it has {n} bytes")),
                FileState::Hash(h) => ("hash", format!("it has the SHA-256 {h}")),
                FileState::Unreadable(e) => ("unreadable", e.clone()),
                _ => ("unknown", String::new()),
            };
            wrong += usize::from(check.state != FileState::Good);
            files.push(json!({"path": check.path, "state": state, "detail": detail}));
            let detail = if detail.is_empty() {
                detail
            } else {
                format!(": {detail}")
            };
            let line = format!("{id}  {:<10} {}{detail}", state, check.path);
            text.push_str(&(escaped(line) + "\n"));
        }
        let good = checks.iter().all(|c| c.state == FileState::Good);
        results.push(json!({"id": id, "good": good, "files": files}));
    }
    drop(meter);
    for (id, e) in &broken {
        text.push_str(&(escaped(format!("{id}  broken     {e}")) + "\n"));
        results.push(json!({"id": id, "good": false, "error": crate::terminal::error_json(e)}));
    }
    let error = Error::new(
        ErrorKind::Model,
        format!(
            "{wrong} of the files are not as they were installed; 'mend models fetch ID' repairs a \
             fetched model; an imported one must be removed and imported again"
        ),
    );
    if app.terminal.json {
        let mut json = json!({"ok": wrong == 0, "models": results});
        if wrong > 0 {
            json["error"] = crate::terminal::error_json(&error);
        }
        app.terminal.result(&json)?;
    } else if !app.terminal.quiet {
        app.terminal.print(&text)?;
    }
    match wrong {
        0 => Ok(()),
        // Told above already in JSON.
        _ if app.terminal.json => Err(app.told(error)),
        _ => Err(error),
    }
}

fn remove(app: &App, store: &Store, id: &str) -> Result<()> {
    let removed = store.remove(id)?;
    if app.terminal.json {
        app.terminal.result(&json!({
            "ok": true, "id": id, "files": removed.files, "bytes": removed.bytes,
            "left": removed.left,
        }))?;
    } else if !app.terminal.quiet {
        let size = bytes(removed.bytes);
        app.terminal
            .print(&format!("{id}: {} files removed, {size}\n", removed.files))?;
        if !removed.left.is_empty() {
            app.terminal.note(&format!(
                "{} stay in its folder, because Mend did not put them there",
                removed.left.join(", ")
            ));
        }
    }
    Ok(())
}

fn path(app: &App, store: &Store, id: Option<&str>) -> Result<()> {
    let path = match id {
        Some(id) => store.locate(id)?,
        None => store.folder().to_path_buf(),
    };
    if app.terminal.json {
        let there = path.exists();
        let path = path.to_string_lossy();
        app.terminal
            .result(&json!({"ok": true, "path": path, "exists": there}))?;
    } else {
        app.terminal.print(&(escaped(path.display()) + "\n"))?;
    }
    Ok(())
}
