//! `include/mend.h` is what cbindgen makes of `src/capi`.

use std::fs;
use std::path::{Path, PathBuf};

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn path() -> PathBuf {
    root().join("include/mend.h")
}

/// The header's text, as it should be.
fn generated() -> String {
    let capi = root().join("src/capi");
    let rooms = fs::read_to_string(capi.join("mod.rs")).expect("src/capi/mod.rs");
    let mut config = cbindgen::Config::from_file(root().join("cbindgen.toml")).expect("config");
    config.after_includes = Some(format!(
        "\n/**\n * The library's own version that this header came with; compare mend_version.\n */\n\
         #define MEND_VERSION \"{}\"",
        env!("CARGO_PKG_VERSION")
    ));
    // File by file, in the order of the modules, which is the order to read them in.
    let mut builder = cbindgen::Builder::new().with_config(config);
    for line in rooms.lines() {
        let name = line.strip_prefix("mod ").and_then(|l| l.strip_suffix(';'));
        if let Some(name) = name.filter(|n| *n != "tests") {
            builder = builder.with_src(capi.join(format!("{name}.rs")));
        }
    }
    let mut text = Vec::new();
    builder
        .generate()
        .expect("src/capi parses")
        .write(&mut text);
    String::from_utf8(text).expect("UTF-8")
}

#[test]
fn header_is_what_the_source_says() {
    let new = generated();
    if std::env::var_os("MEND_BLESS").is_some() {
        fs::create_dir_all(root().join("include")).expect("include");
        fs::write(path(), &new).expect("include/mend.h");
    }
    let old = fs::read_to_string(path()).unwrap_or_default();
    if let Some(line) = first_difference(&old, &new) {
        panic!(
            "include/mend.h is not what src/capi says, from line {line} on. Look at what changed; \
             if the C interface may change so:\n\n    MEND_BLESS=1 cargo test --test capi header\n"
        );
    }
}

fn first_difference(old: &str, new: &str) -> Option<usize> {
    if old == new {
        return None;
    }
    let same = old.lines().zip(new.lines()).take_while(|(a, b)| a == b);
    Some(same.count() + 1)
}
