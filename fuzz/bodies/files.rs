//! Picture files as the command line reads and writes them.

use mend::Cancel;
use mend_cli::files::{Compression, Kind, Source, Want, WriteOptions, fit, read, write};
use mend_cli::mask;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The most bytes of decoded pixels: what a hostile file may cost.
const MOST: u64 = 4 << 20;

/// A file that is there until this is dropped.
struct Placed(PathBuf);

impl Placed {
    fn new(data: &[u8]) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let id = COUNT.fetch_add(1, Ordering::Relaxed);
        // Of all formats only TGA is known by its name: so every one can be met here.
        let name = format!("mend-fuzz-{}-{id}.tga", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, data).expect("a temporary file");
        Self(path)
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn source<'a>(path: &'a Path, cancel: &'a Cancel) -> Source<'a> {
    Source {
        path,
        at: None,
        cancel,
        max_bytes: MOST,
    }
}

/// Reading gives a picture that is what its header said, or an error that names the file; a picture
/// that was read can be written in its own format, and a lossless one comes back the same.
pub fn run(data: &[u8]) {
    let cancel = Cancel::new();
    let file = Placed::new(data);
    let source = source(&file.0, &cancel);
    let header = read(&source, Want::Header);
    let pixels = read(&source, Want::Pixels);
    let as_mask = mask::read(&source, mask::How::default());
    for error in [
        header.as_ref().err(),
        pixels.as_ref().err(),
        as_mask.as_ref().err(),
    ]
    .into_iter()
    .flatten()
    {
        assert!(error.message().contains("mend-fuzz-"), "{error}");
    }
    if let Ok(mask) = &as_mask {
        assert!(mask.view().is_ok());
    }
    let Ok(mut picture) = pixels else { return };
    let header = header.expect("pixels, so a header");
    assert_eq!(
        (header.width, header.height, header.kind, header.format),
        (picture.width, picture.height, picture.kind, picture.format)
    );
    assert_eq!(
        picture.data.len(),
        picture.row_bytes() * picture.height as usize
    );
    assert!(picture.data.len() as u64 <= MOST);

    let (kind, out) = (picture.kind, Path::new("out.pam"));
    if fit(&mut picture, kind, out).is_err() {
        return;
    }
    let (data, format) = (picture.data.clone(), picture.format);
    let options = WriteOptions {
        png: Compression::Fast,
        jpeg_quality: 90,
    };
    let mut written = Cursor::new(Vec::new());
    if write(&mut picture, kind, &options, &mut written).is_err() {
        return;
    }
    let again = Placed::new(written.get_ref());
    let back = read(&self::source(&again.0, &cancel), Want::Pixels);
    let back = back.unwrap_or_else(|e| panic!("{} was written and is not read: {e}", kind.name()));
    assert_eq!((back.width, back.height), (picture.width, picture.height));
    if kind != Kind::Jpeg {
        assert_eq!(back.format, format, "{}", kind.name());
        assert!(back.data == data, "{} came back otherwise", kind.name());
    }
}
