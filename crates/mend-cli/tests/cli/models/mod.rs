//! `mend models`, against a server of its own that breaks off, lies and redirects.
#![forbid(unsafe_code)]

mod fetch;
mod hostile;
mod local;
mod server;

use crate::support::{Run, mend};
use serde_json::{Value as Json, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A place to work in: a models folder and a catalogue.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    /// The catalogue of one model, `tiny`, at `url`.
    fn catalogue(&self, url: &str, files: &Json) {
        let model = json!({
            "id": "tiny", "kind": "lora", "base": "sd15", "about": "for tests", "url": url,
            "licence": {"name": "Test-1.0", "url": "https://example.org/licence"}, "files": files,
        });
        let text = json!({"models": [model]}).to_string();
        fs::write(self.path("catalog.json"), text).unwrap();
    }

    /// The catalogue of one file that is known to the last bit.
    fn exact(&self, url: &str, bytes: &[u8]) {
        let file = json!({"path": "a/m.safetensors", "size": bytes.len(), "sha256": sha256(bytes)});
        self.catalogue(url, &json!([file]));
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = mend();
        for name in [
            "http_proxy",
            "https_proxy",
            "all_proxy",
            "no_proxy",
            "MEND_MODELS_URL",
        ] {
            command.env_remove(name);
            command.env_remove(name.to_ascii_uppercase());
        }
        command
            .current_dir(self.dir.path())
            .env("MEND_MODELS", self.path("models"))
            .arg("models")
            .args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Run {
        Run::of(&self.command(args).output().unwrap())
    }

    fn ok(&self, args: &[&str]) -> Run {
        let run = self.run(args);
        assert_eq!(run.code, 0, "{args:?}: {run:?}");
        run
    }

    /// Fetches `tiny`, without much patience.
    fn fetch(&self, more: &[&str]) -> Run {
        self.run(&[&FETCH[..], more].concat())
    }

    /// A fetch that fails as it should, with one error that says all of `said`.
    fn refused(&self, said: &[&str]) -> Run {
        let run = self.fetch(&["--tries", "2"]);
        assert_eq!(run.code, 1, "{run:?}");
        let errors = run
            .stderr
            .lines()
            .filter(|l| l.starts_with("mend: error: "));
        assert_eq!(errors.count(), 1, "{run:?}");
        for part in said {
            assert!(run.stderr.contains(part), "lacks {part:?}: {}", run.stderr);
        }
        assert!(!self.path("models/tiny/mend-model.json").exists());
        assert!(!self.path("models/tiny/a/m.safetensors").exists());
        run
    }

    fn fetched(&self) -> Vec<u8> {
        fs::read(self.path("models/tiny/a/m.safetensors")).unwrap()
    }

    fn part(&self) -> u64 {
        let part = fs::metadata(self.path("models/tiny/a/m.safetensors.part"));
        part.map_or(0, |m| m.len())
    }
}

const FETCH: [&str; 9] = [
    "fetch",
    "tiny",
    "--catalog",
    "catalog.json",
    "--wait",
    "0.05",
    "--timeout",
    "1",
    "--progress",
];

fn sha256(bytes: &[u8]) -> String {
    let mut hash = mend::catalog::Sha256::new();
    hash.update(bytes);
    hash.finish()
}

/// A `.safetensors` file with tensors of bytes.
fn weights(tensors: &[(&str, &[usize])]) -> Vec<u8> {
    let (mut header, mut at) = (serde_json::Map::new(), 0);
    for (name, shape) in tensors {
        let end = at + shape.iter().product::<usize>();
        let entry = json!({"dtype": "U8", "shape": shape, "data_offsets": [at, end]});
        header.insert((*name).to_owned(), entry);
        at = end;
    }
    let header = Json::Object(header).to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    let mut state = 7u32;
    file.extend((0..at).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    }));
    file
}

/// A LoRA of some megabytes.
fn lora() -> Vec<u8> {
    weights(&[("x.attn2_to_k.lora_down.weight", &[4096, 768])])
}

/// All files below a folder.
fn tree(folder: &Path) -> Vec<String> {
    let (mut folders, mut all) = (vec![folder.to_path_buf()], Vec::new());
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(at).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let inside = path.strip_prefix(folder).unwrap();
                all.push(inside.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    all.retain(|p| !p.starts_with(".locks/"));
    all.sort();
    all
}
