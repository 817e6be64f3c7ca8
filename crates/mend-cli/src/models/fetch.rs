//! `mend models fetch`: the library fetches; here are the progress bar and the words.
#![forbid(unsafe_code)]

use super::FetchArgs;
use super::meter::Meter;
use crate::App;
use crate::terminal::escaped;
use mend::Result;
use mend::catalog::{Store, Trust, bytes_text, catalogue};
use mend::fetch::{Fetch, Manners, Watch, Words, find};
use serde_json::json;
use std::time::Duration;

/// As the command line names what to do.
pub const WORDS: Words = Words {
    again: "the same command",
    mirror: "use another mirror with --from",
    import: "use 'mend models import'",
    elsewhere: "Use 'mend models import' for a model from elsewhere",
    remove: "'mend models remove {id}' removes it",
    folder: "use another folder with --models",
};

/// Runs `fetch`.
///
/// # Errors
/// Those of the library.
pub fn run(app: &App, store: &Store, args: &FetchArgs) -> Result<()> {
    let models = catalogue(args.catalog.as_deref())?;
    let model = find(&models, &args.id, &WORDS)?;
    let manners = Manners {
        from: args.from.clone(),
        tries: args.tries,
        wait: Duration::from_secs_f64(args.wait),
        timeout: Duration::from_secs_f64(args.timeout),
        words: WORDS,
    };
    let fetch = Fetch::new(model, &manners)?;
    if !app.terminal.json && !app.terminal.quiet {
        let (size, files) = (bytes_text(model.bytes()), model.files.len());
        app.terminal
            .print(&format!("{}: {files} files, {size}\n", model.id))?;
        if let Some(licence) = &model.licence {
            let text = escaped(format!("Licence: {}, {}", licence.name, licence.url)) + "\n";
            app.terminal.print(&text)?;
        }
        app.terminal
            .print(&(escaped(format!("From {}", fetch.source())) + "\n"))?;
    }
    let manifest = {
        let mut told = Told {
            meter: Meter::new(&app.terminal, Some(model.bytes()), args.progress),
            app,
        };
        fetch.run(store, &mut told, &app.cancel)?
    };
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

/// The bar, and the terminal for what is to be said meanwhile.
struct Told<'a> {
    meter: Meter,
    app: &'a App,
}

impl Watch for Told<'_> {
    fn file(&mut self, name: &str) {
        self.meter.file(name);
    }
    fn more(&mut self, bytes: u64) {
        self.meter.more(bytes);
    }
    fn there(&mut self, bytes: u64) {
        self.meter.there(bytes);
    }
    fn back(&mut self, bytes: u64) {
        self.meter.back(bytes);
    }
    fn add(&mut self, bytes: u64) {
        self.meter.add(bytes);
    }
    fn note(&mut self, text: &str) {
        self.app.terminal.chat(text);
    }
}
