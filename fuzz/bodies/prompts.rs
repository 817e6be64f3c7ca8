//! Prompts, and the files of a tokenizer's folder.

use super::models::Folder;
use mend::ErrorKind;
use mend_infer::models::CLIPTokenizer;
use mend_infer::models::prompt::{Frame, Part, chunks, parse};
use std::fs;

/// A text is a prompt whatever it says; and it is cut into a tokenizer's two files at its first zero.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let parts = parse(&text);
    for part in &parts {
        if let Part::Text(text, weight) = part {
            assert!(!text.is_empty() && weight.abs() <= 100.0, "{part:?}");
        }
    }
    let frame = Frame {
        start: 1,
        end: 2,
        pad: 0,
        length: 7,
    };
    let letters = |text: &str| Ok(text.chars().map(u32::from).collect());
    let all = chunks(&parts, &frame, letters).expect("letters are tokens");
    let length = |c: &mend_infer::models::prompt::Chunk| (c.tokens.len(), c.weights.len());
    assert!(!all.is_empty() && all.iter().all(|c| length(c) == (7, 7)));

    let cut = data.iter().position(|b| *b == 0).unwrap_or(data.len());
    let (vocab, merges) = data.split_at(cut);
    let folder = Folder::new();
    for (name, bytes) in [
        ("vocab.json", vocab),
        ("merges.txt", merges.get(1..).unwrap_or(&[])),
    ] {
        fs::write(folder.0.join(name), bytes).expect("a temporary file");
    }
    match CLIPTokenizer::open(&folder.0) {
        Ok(tokenizer) => drop(tokenizer.tokenize(&text).expect("no text is refused")),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Model, "{error}");
            let names = ["vocab.json", "merges.txt"];
            assert!(names.iter().any(|n| error.message().contains(n)), "{error}");
        }
    }
}
