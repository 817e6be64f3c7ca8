//! The room map, held: imports go only downward, `unsafe` stays where it may be, and the tables in
//! `src/lib.rs` and `crates/mend-infer/src/lib.rs` are what this test knows. That the inference knows nothing
//! of the library, and the library nothing of the command line, is the compiler's to hold.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Every room that there is or will be, and its floor.
const FLOORS: &[(&str, u32)] = &[
    ("error", 0),
    ("memory", 0),
    ("progress", 0),
    ("pixels", 0),
    ("params", 0),
    ("workers", 0),
    ("json", 0),
    ("schedulers", 0),
    ("plan", 1),
    ("blend", 1),
    ("kernels", 1),
    ("weights", 1),
    ("match", 2),
    ("nn", 2),
    ("detail", 3),
    ("models", 3),
    ("catalog", 3),
    ("fetch", 4),
    ("engines", 4),
    ("request", 5),
    ("inpainter", 5),
    ("select", 5),
    ("capi", 6),
];

/// Where the crates with rooms have their sources.
const CRATES: [&str; 2] = ["src", "crates/mend-infer/src"];

/// Rooms that may be imported from their own floor: by whom, and which.
const LEVEL: &[(&[&str], &[&str])] = &[
    (
        &[
            "memory",
            "progress",
            "pixels",
            "params",
            "workers",
            "schedulers",
        ],
        &["error", "memory", "json"],
    ),
    (&["inpainter"], &["request"]),
    (&["select"], &["inpainter"]),
];

/// Rooms that may hold `unsafe`.
const UNSAFE: &[&str] = &["capi", "kernels"];

/// Rooms that may know candle.
const CANDLE: &[&str] = &["weights", "nn", "models", "kernels"];

fn floor(room: &str) -> Option<u32> {
    FLOORS
        .iter()
        .find(|(name, _)| *name == room)
        .map(|(_, f)| *f)
}

fn may_import(from: &str, to: &str) -> bool {
    match (floor(from), floor(to)) {
        (Some(a), Some(b)) => {
            from == to
                || b < a
                || (a == b
                    && LEVEL
                        .iter()
                        .any(|(by, which)| by.contains(&from) && which.contains(&to)))
        }
        _ => false,
    }
}

/// A word, `::`, or any other single character, and the line it stands on.
#[derive(Clone, Debug, PartialEq)]
struct Token {
    text: String,
    line: usize,
}

/// The tokens of a source without its comments and without what stands in quotes.
fn tokens(source: &str) -> Vec<Token> {
    let c: Vec<char> = source.chars().collect();
    let at = |i: usize| c.get(i).copied().unwrap_or('\0');
    let word = |x: char| x.is_alphanumeric() || x == '_';
    let (mut out, mut i, mut line) = (Vec::new(), 0, 1);
    while i < c.len() {
        let start = i;
        if at(i) == '/' && at(i + 1) == '/' {
            while i < c.len() && at(i) != '\n' {
                i += 1;
            }
        } else if at(i) == '/' && at(i + 1) == '*' {
            let mut depth = 0;
            while i < c.len() {
                match (at(i), at(i + 1)) {
                    ('/', '*') => (depth, i) = (depth + 1, i + 2),
                    ('*', '/') => (depth, i) = (depth - 1, i + 2),
                    _ => i += 1,
                }
                if depth == 0 {
                    break;
                }
            }
        } else if at(i) == '"' {
            i += 1;
            while i < c.len() && at(i) != '"' {
                i += 1 + usize::from(at(i) == '\\');
            }
            i += 1;
        } else if at(i) == '\'' {
            // A character, or else a lifetime.
            if at(i + 1) == '\\' {
                i += 3;
                while i < c.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            } else {
                i += if at(i + 2) == '\'' { 3 } else { 1 };
            }
        } else if word(at(i)) {
            while word(at(i)) {
                i += 1;
            }
            let text: String = c[start..i].iter().collect();
            let hashes = c[i..].iter().take_while(|x| **x == '#').count();
            if ["r", "br", "cr"].contains(&text.as_str()) && at(i + hashes) == '"' {
                // A raw string ends at a quote with as many hashes.
                i += hashes + 1;
                let end: Vec<char> = std::iter::once('"')
                    .chain(std::iter::repeat_n('#', hashes))
                    .collect();
                while i < c.len() && !c[i..].starts_with(&end) {
                    i += 1;
                }
                i += end.len();
            } else if text == "r" && hashes == 1 && word(at(i + 1)) {
                // `r#match` is the word `match`.
                i += 1;
            } else {
                out.push(Token { text, line });
            }
        } else if at(i) == ':' && at(i + 1) == ':' {
            i += 2;
            out.push(Token {
                text: "::".into(),
                line,
            });
        } else {
            i += 1;
            if !at(start).is_whitespace() {
                out.push(Token {
                    text: at(start).into(),
                    line,
                });
            }
        }
        let end = i.min(c.len());
        line += c[start..end].iter().filter(|x| **x == '\n').count();
    }
    out
}

/// Full paths, from the crate's root, of what is named by `crate::`, `self::` or `super::` in a file
/// of the module `module`, with the line.
fn imports(tokens: &[Token], module: &[String]) -> Vec<(Vec<String>, usize)> {
    let text = |i: usize| tokens.get(i).map_or("", |t| t.text.as_str());
    let mut module = module.to_vec();
    // Braces that are open, and whether each opened a module.
    let mut braces = Vec::new();
    let mut found = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        match text(i) {
            "{" => {
                let named = i >= 2 && text(i - 2) == "mod";
                if named {
                    module.push(text(i - 1).to_owned());
                }
                braces.push(named);
            }
            "}" if braces.pop() == Some(true) => {
                module.pop();
            }
            "crate" | "self" | "super"
                if text(i + 1) == "::" && (i == 0 || text(i - 1) != "::") =>
            {
                let mut paths = Vec::new();
                i = read_path(tokens, i, Vec::new(), &mut paths);
                for (path, line) in paths {
                    found.push((resolve(&path, &module), line));
                }
                continue;
            }
            _ => {}
        }
        i += 1;
    }
    found
}

/// Reads a path or a use tree from `i` on; gives the first token after it.
fn read_path(
    tokens: &[Token],
    mut i: usize,
    mut prefix: Vec<String>,
    out: &mut Vec<(Vec<String>, usize)>,
) -> usize {
    let text = |i: usize| tokens.get(i).map_or("", |t| t.text.as_str());
    while i < tokens.len() {
        if text(i) == "{" {
            i += 1;
            while i < tokens.len() && text(i) != "}" {
                i = read_path(tokens, i, prefix.clone(), out);
                while i < tokens.len() && text(i) != "," && text(i) != "}" {
                    i += 1;
                }
                i += usize::from(text(i) == ",");
            }
            return i + 1;
        }
        let named = text(i).starts_with(|c: char| c.is_alphabetic() || c == '_');
        if named || text(i) == "*" {
            prefix.push(text(i).to_owned());
            if text(i + 1) == "::" {
                i += 2;
                continue;
            }
            i += 1;
        }
        break;
    }
    let line = tokens.get(i.saturating_sub(1)).map_or(0, |t| t.line);
    out.push((prefix, line));
    i
}

/// The path from the crate's root.
fn resolve(path: &[String], module: &[String]) -> Vec<String> {
    let mut base: Vec<String> = Vec::new();
    for (i, part) in path.iter().enumerate() {
        match part.as_str() {
            "crate" if i == 0 => {}
            "self" if i == 0 => base.extend_from_slice(module),
            "self" => {}
            "super" => {
                if i == 0 {
                    base.extend_from_slice(module);
                }
                base.pop();
            }
            _ => base.push(part.clone()),
        }
    }
    base
}

struct Source {
    path: PathBuf,
    text: String,
    tokens: Vec<Token>,
    /// From the crate's root; the first is the room, none for `lib.rs`.
    module: Vec<String>,
}

impl Source {
    fn room(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all: Vec<Source> = CRATES
        .iter()
        .flat_map(|c| sources_of(&root.join(c)))
        .collect();
    all.sort_by(|a, b| a.path.cmp(&b.path));
    all
}

/// Of one crate.
fn sources_of(root: &Path) -> Vec<Source> {
    let (mut folders, mut all) = (vec![root.to_path_buf()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let inside = path.strip_prefix(root).unwrap().with_extension("");
                let mut module: Vec<String> = inside
                    .iter()
                    .map(|part| part.to_str().unwrap().to_owned())
                    .collect();
                if module.last().is_some_and(|m| m == "mod" || m == "lib") {
                    module.pop();
                }
                all.push(Source {
                    tokens: tokens(&text),
                    path,
                    text,
                    module,
                });
            }
        }
    }
    all
}

/// Names at a crate's root that stand for a room's: `Error` is `error`'s.
fn root_names(lib: &Source) -> BTreeMap<String, String> {
    let (tokens, mut names, mut i) = (&lib.tokens, BTreeMap::new(), 0);
    while i < tokens.len() {
        if tokens[i].text == "use" {
            let mut paths = Vec::new();
            i = read_path(tokens, i + 1, Vec::new(), &mut paths);
            for (path, _) in paths {
                if let (Some(room), Some(name)) = (path.first(), path.last()) {
                    names.insert(name.clone(), room.clone());
                }
            }
        } else {
            i += 1;
        }
    }
    names
}

#[test]
fn imports_go_only_downward() {
    let sources = sources();
    let libs = || sources.iter().filter(|s| s.module.is_empty());
    assert_eq!(libs().count(), CRATES.len());
    let names: BTreeMap<String, String> = libs().flat_map(root_names).collect();
    let (mut wrong, mut edges) = (Vec::new(), BTreeSet::new());
    for source in &sources {
        let room = source.room();
        // The root names every room.
        if room == "lib" {
            continue;
        }
        for (path, line) in imports(&source.tokens, &source.module) {
            let Some(first) = path.first() else { continue };
            let to = match floor(first) {
                Some(_) => first.as_str(),
                None => names.get(first).map_or("?", String::as_str),
            };
            edges.insert((room.to_owned(), to.to_owned()));
            if !may_import(room, to) {
                let place = format!("{}:{line}", source.path.display());
                wrong.push(format!("{place}: {room} imports {}", path.join("::")));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "against the room map:\n{}",
        wrong.join("\n")
    );
    // A parser that sees nothing would find nothing wrong.
    for (from, to) in [
        ("pixels", "error"),
        ("plan", "pixels"),
        ("engines", "plan"),
        ("inpainter", "request"),
        ("inpainter", "engines"),
        ("engines", "models"),
        ("nn", "kernels"),
    ] {
        assert!(
            edges.contains(&(from.into(), to.into())),
            "{from} → {to} was not seen"
        );
    }
}

#[test]
fn the_tables_in_lib_rs_are_this_one() {
    let sources = sources();
    let libs = sources.iter().filter(|s| s.module.is_empty());
    let mut table = BTreeMap::new();
    let lines = libs.flat_map(|lib| lib.text.lines());
    for line in lines.filter(|l| l.starts_with("//! |")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let Some(Ok(floor)) = cells.get(2).map(|c| c.parse::<u32>()) {
            for room in cells[1].split(',') {
                table.insert(room.trim().trim_matches(['[', ']', '`']).to_owned(), floor);
            }
        }
    }
    for (room, at) in &table {
        assert_eq!(floor(room), Some(*at), "the tables in lib.rs on '{room}'");
    }
    for source in &sources {
        let room = source.room();
        if room != "lib" {
            assert!(
                table.contains_key(room),
                "{} is in no room of the tables in lib.rs",
                source.path.display()
            );
        }
    }
}

#[test]
fn unsafe_stays_in_its_rooms_and_says_why() {
    let mut wrong = Vec::new();
    for source in sources() {
        let room = source.room();
        let words = || source.tokens.iter().enumerate();
        let is = |i: usize, text: &str| source.tokens.get(i).is_some_and(|t| t.text == text);
        let place = |line: usize| format!("{}:{line}", source.path.display());
        // A file from elsewhere would be in none of these rooms.
        for (i, t) in words() {
            if t.text == "path" && i > 0 && is(i - 1, "[") && is(i + 1, "=") {
                wrong.push(format!("{}: a module by #[path]", place(t.line)));
            }
            if t.text == "include" && is(i + 1, "!") {
                wrong.push(format!("{}: include!", place(t.line)));
            }
            if t.text.starts_with("candle") && !CANDLE.contains(&room) {
                wrong.push(format!("{}: '{room}' may not know candle", place(t.line)));
            }
        }
        if !UNSAFE.contains(&room) {
            let forbids = source.text.lines().any(|l| l == "#![forbid(unsafe_code)]");
            // The root cannot forbid what two rooms need.
            if room != "lib" && !forbids {
                wrong.push(format!("{}: no #![forbid(unsafe_code)]", place(1)));
            }
            for (_, t) in words().filter(|(_, t)| t.text == "unsafe") {
                wrong.push(format!("{}: unsafe in '{room}'", place(t.line)));
            }
            continue;
        }
        let test = source.module.iter().any(|m| m == "tests");
        let lines: Vec<&str> = source.text.lines().collect();
        for (i, t) in words().filter(|(_, t)| t.text == "unsafe" && !test) {
            // Functions say it in their docs and attributes need no proof; blocks and impls do.
            if !is(i + 1, "{") && !is(i + 1, "impl") {
                continue;
            }
            let above = &lines[t.line.saturating_sub(7)..t.line];
            if !above.iter().any(|l| l.contains("// SAFETY:")) {
                wrong.push(format!("{}: no // SAFETY: line", place(t.line)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_parser_sees_what_rust_sees() {
    let module: Vec<String> = ["plan", "regions"].map(str::to_owned).to_vec();
    let paths = |source: &str| -> Vec<String> {
        imports(&tokens(source), &module)
            .iter()
            .map(|(path, line)| format!("{} {line}", path.join("::")))
            .collect()
    };
    for (source, want) in [
        ("use crate::pixels::Rect;", &["pixels::Rect 1"][..]),
        (
            "use crate::{error::{Error, Result as R}, r#match, pixels::*};",
            &[
                "error::Error 1",
                "error::Result 1",
                "match 1",
                "pixels::* 1",
            ],
        ),
        (
            "use super::{Costs, super::blend::extend};",
            &["plan::Costs 1", "blend::extend 1"],
        ),
        (
            "fn f() -> crate::Result<crate::plan::Plan> {\n crate::nn::g::<u8>() }",
            &["Result 1", "plan::Plan 1", "nn::g 2"],
        ),
        (
            "mod tests {\n use super::f; mod deep { use super::super::g; } }\nuse super::h;",
            &["plan::regions::f 2", "plan::regions::g 2", "plan::h 3"],
        ),
        (
            "use self::inner::X; use crate::{self, params::{self, Extent}};",
            &[
                "plan::regions::inner::X 1",
                " 1",
                "params 1",
                "params::Extent 1",
            ],
        ),
        (
            "// use crate::a;\n/* crate::b /* crate::c */ crate::d */ let s = \"crate::e \\\" crate::f\";",
            &[],
        ),
        (
            "let s = r#\"crate::a\" crate::b\"#; let c = '\"'; let l: &'a str = '\\''; crate::g();",
            &["g 1"],
        ),
        (
            "pub(in crate::plan) fn f(); $crate::params::x!();",
            &["plan 1", "params::x 1"],
        ),
    ] {
        assert_eq!(paths(source), want, "{source}");
    }
    for (from, to, may) in [
        ("plan", "pixels", true),
        ("plan", "blend", false),
        ("pixels", "params", false),
        ("pixels", "memory", true),
        ("inpainter", "request", true),
        ("request", "inpainter", false),
        ("engines", "inpainter", false),
        ("request", "capi", false),
        ("match", "match", true),
        ("plan", "nowhere", false),
    ] {
        assert_eq!(may_import(from, to), may, "{from} → {to}");
    }
}
