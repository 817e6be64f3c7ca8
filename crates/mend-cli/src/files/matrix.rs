//! Every kind of file that a decoder may get wrong, against what the reference decoders see:
//! `tests/data/matrix.py` makes the files and tells what must come out.
#![forbid(unsafe_code)]

use super::{Source, Want, read};
use mend::{Cancel, ErrorKind};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Read;
use std::path::Path;

/// What is wrong with one file; nothing if all is as it must be.
fn fault(path: &Path, what: &[&str], all: &[u8]) -> Option<String> {
    let cancel = Cancel::new();
    let source = Source {
        path,
        at: None,
        cancel: &cancel,
        max_bytes: 1 << 20,
    };
    let got = read(&source, Want::Pixels);
    if let ["refused", word] = what {
        return match got {
            Ok(_) => Some("is read".into()),
            Err(e) if e.kind() == ErrorKind::Unsupported && e.message().contains(word) => None,
            Err(e) => Some(e.to_string()),
        };
    }
    let picture = match got {
        Ok(picture) => picture,
        Err(e) => return Some(e.to_string()),
    };
    let header = read(&source, Want::Header).expect("pixels, so a header");
    if (header.width, header.height, header.format)
        != (picture.width, picture.height, picture.format)
    {
        return Some("its header says something else".into());
    }
    let (w, h, format) = (picture.width, picture.height, picture.format);
    let shape = format!("{w}x{h}x{}", format.layout.channels());
    match what {
        ["exact", want, depth, digest] => {
            let mut data = picture.data;
            if cfg!(target_endian = "big") {
                data.chunks_exact_mut(format.depth.bytes())
                    .for_each(<[u8]>::reverse);
            }
            let sum: String = Sha256::digest(&data)[..8]
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            let got = (shape, format!("{:?}", format.depth), sum);
            let same = got == (want.to_string(), depth.to_string(), digest.to_string());
            (!same).then(|| format!("{got:?} instead of {what:?}"))
        }
        ["near", want, at] => {
            let at: usize = at.parse().expect("an offset");
            let reference = &all[at..at + picture.data.len()];
            let sum: u64 = picture
                .data
                .iter()
                .zip(reference)
                .map(|(a, b)| u64::from(a.abs_diff(*b)))
                .sum();
            let mean = sum as f64 / picture.data.len() as f64;
            (shape != **want || mean >= 1.0).then(|| format!("{shape}, {mean:.2} off on average"))
        }
        _ => Some("the table is wrong".into()),
    }
}

#[test]
fn decoders_see_what_the_references_see() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data");
    let mut all = Vec::new();
    let packed = fs::read(data.join("matrix.bin.gz")).expect("the files");
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_end(&mut all)
        .expect("the files");
    let table = fs::read_to_string(data.join("matrix.txt")).expect("the table");
    let folder = tempfile::tempdir().expect("a folder");
    let mut faults = Vec::new();
    for line in table.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, at, len, ref what @ ..] = words[..] else {
            panic!("{line}");
        };
        let (at, len): (usize, usize) = (at.parse().unwrap(), len.parse().unwrap());
        let path = folder.path().join(name);
        fs::write(&path, &all[at..at + len]).expect("a file");
        if let Some(fault) = fault(&path, what, &all) {
            faults.push(format!("{name}: {fault}"));
        }
    }
    assert!(table.lines().count() > 800);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
