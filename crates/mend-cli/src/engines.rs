//! `mend engines`: what the library says of its engines and parameters.
#![forbid(unsafe_code)]

use crate::App;
use crate::terminal::escaped;
use mend::{Inpainter, Options, Result};
use serde_json::Value as Json;

/// Runs `engines`.
pub fn run(app: &App) -> Result<()> {
    let about = Inpainter::new(Options::default()).describe();
    if app.terminal.json {
        app.terminal.result(&about)?;
        return Ok(());
    }
    let mut t = String::new();
    for engine in list(&about, "engines") {
        let ready = if engine["available"] == Json::Bool(false) {
            " (not ready here)"
        } else {
            ""
        };
        t.push_str(&format!(
            "{}{ready} — {}\n    {}\n",
            text(engine, "id"),
            escaped(text(engine, "label")),
            escaped(text(engine, "summary"))
        ));
        for p in list(engine, "params") {
            t.push_str(&param(p, "    "));
        }
    }
    t.push_str("\nParameters of every engine:\n");
    for p in list(&about, "params") {
        t.push_str(&param(p, "  "));
    }
    app.terminal.print(&t)?;
    Ok(())
}

fn list<'a>(json: &'a Json, key: &str) -> &'a [Json] {
    json[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json[key].as_str().unwrap_or("")
}

fn param(p: &Json, indent: &str) -> String {
    format!(
        "{indent}--{} [{}]  {}\n",
        text(p, "name"),
        text(p, "default"),
        text(p, "help")
    )
}
