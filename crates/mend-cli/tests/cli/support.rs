//! Running `mend`, folders to run it in, masks to run it with.
#![forbid(unsafe_code)]

use serde_json::Value as Json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program.
pub fn mend() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mend"));
    command.env_remove("RUST_BACKTRACE");
    command
}

/// What a run left behind.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The JSON object that the run printed.
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e} in {self:?}"))
    }
}

/// Runs `mend` with `args` in `folder`.
pub fn run(folder: &Path, args: &[&str]) -> Run {
    Run::of(&mend().current_dir(folder).args(args).output().unwrap())
}

/// As [`run`], and it must succeed.
pub fn run_ok(folder: &Path, args: &[&str]) -> Run {
    let run = run(folder, args);
    assert_eq!(run.code, 0, "{args:?}: {run:?}");
    run
}

/// A picture that is committed with the tests.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/data")
        .join(name)
}

/// A folder of its own with copies of `names` from the tests' pictures.
pub fn folder(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        fs::copy(data(name), folder.path().join(name)).unwrap();
    }
    folder
}

/// The names in a folder, hidden ones too.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The hole that [`write_mask`] makes in a picture: its middle third.
pub fn in_hole(x: u32, y: u32, width: u32, height: u32) -> bool {
    (width / 3..width - width / 3).contains(&x) && (height / 3..height - height / 3).contains(&y)
}

/// Writes the 8-bit gray PNG mask of [`in_hole`].
pub fn write_mask(path: &Path, width: u32, height: u32) {
    let pixels: Vec<u8> = (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .map(|(x, y)| if in_hole(x, y, width, height) { 255 } else { 0 })
        .collect();
    write_gray(path, width, height, &pixels);
}

/// Writes an 8-bit gray PNG.
pub fn write_gray(path: &Path, width: u32, height: u32, pixels: &[u8]) {
    write_png(path, width, height, png::ColorType::Grayscale, pixels);
}

/// Writes an 8-bit PNG.
pub fn write_png(path: &Path, width: u32, height: u32, color: png::ColorType, pixels: &[u8]) {
    let file = std::io::BufWriter::new(fs::File::create(path).unwrap());
    let mut encoder = png::Encoder::new(file, width, height);
    encoder.set_color(color);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(pixels).unwrap();
    writer.finish().unwrap();
}

/// Moves a model into a folder as Hugging Face's programs keep one: files are links into `blobs`.
#[cfg(unix)]
pub fn to_cache(model: &Path, repository: &Path) {
    let snapshot = repository.join("snapshots/0123abcd");
    for folder in ["blobs", "refs", "snapshots/0123abcd"] {
        fs::create_dir_all(repository.join(folder)).unwrap();
    }
    fs::write(repository.join("refs/main"), "0123abcd").unwrap();
    for part in fs::read_dir(model).unwrap() {
        let part = part.unwrap().path();
        if part.is_file() {
            continue;
        }
        let name = part.file_name().unwrap();
        fs::create_dir(snapshot.join(name)).unwrap();
        for file in fs::read_dir(&part).unwrap() {
            let file = file.unwrap().path();
            let blob = format!("{}-{}", name.display(), file.file_name().unwrap().display());
            fs::rename(&file, repository.join("blobs").join(&blob)).unwrap();
            let link = snapshot.join(name).join(file.file_name().unwrap());
            std::os::unix::fs::symlink(format!("../../../blobs/{blob}"), link).unwrap();
        }
    }
}
