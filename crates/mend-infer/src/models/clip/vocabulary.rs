//! Tokens and merges: OpenAI's own, and those of a model folder.
#![forbid(unsafe_code)]

use crate::error::{Error, ErrorKind, Result};
use crate::memory;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokenizers::models::bpe::{Merges, Vocab};

/// What begins a text.
pub(super) const START: &str = "<|startoftext|>";
/// What ends it, and what stands for tokens that are in no vocabulary.
pub(super) const END: &str = "<|endoftext|>";
/// Marks a token that ends a word.
pub(super) const WORD_END: &str = "</w>";

/// OpenAI's merges, the first 48,894 of `bpe_simple_vocab_16e6.txt`; `merges.LICENSE` is theirs.
const OPENAI: &str = include_str!("merges.txt");

/// Tokens by name, and the pairs that are merged, the first first.
pub(super) struct Vocabulary {
    pub tokens: Vocab,
    pub merges: Merges,
}

/// A `tokenizer.json`, as far as it matters here.
#[derive(Deserialize)]
struct Fast {
    model: FastModel,
}

#[derive(Deserialize)]
struct FastModel {
    vocab: Vocab,
    merges: Vec<FastMerge>,
}

/// Merges are written as one text, or as two from `tokenizers` 0.20 on.
#[derive(Deserialize)]
#[serde(untagged)]
enum FastMerge {
    Text(String),
    Pair(String, String),
}

impl Vocabulary {
    /// CLIP's 49,408 tokens.
    pub fn openai() -> Result<Self> {
        Self::from_merges("merges.txt", OPENAI)
    }

    /// The tokens that merges lead to, numbered as OpenAI does (CLIP, `clip/simple_tokenizer.py`): the
    /// 256 bytes, the same at a word's end, the merges, start and end.
    pub fn from_merges(file: &str, text: &str) -> Result<Self> {
        let merges = merges(file, text)?;
        let bytes = byte_letters();
        let single = bytes.iter().map(char::to_string);
        let last = bytes.iter().map(|c| format!("{c}{WORD_END}"));
        let merged = merges.iter().map(|(a, b)| format!("{a}{b}"));
        let ends = [START, END].map(str::to_owned);
        let all = single.chain(last).chain(merged).chain(ends);
        Self::checked(all.zip(0..).collect(), merges, file, |i| line(text, i))
    }

    /// A model folder's `vocab.json` and `merges.txt`, each as its name and its text.
    pub fn from_files(vocab: (&str, &str), merged: (&str, &str)) -> Result<Self> {
        let tokens: Vocab = parsed(vocab.0, vocab.1)?;
        has_ends(vocab.0, &tokens)?;
        let merges = merges(merged.0, merged.1)?;
        Self::checked(tokens, merges, merged.0, |i| line(merged.1, i))
    }

    /// A `tokenizer.json`, which newer versions of transformers write in place of the two.
    pub fn from_fast(file: &str, text: &str) -> Result<Self> {
        let Fast { model } = parsed(file, text)?;
        let mut merges = memory::with_capacity(model.merges.len(), "a tokenizer's merges")?;
        for (i, merge) in model.merges.into_iter().enumerate() {
            merges.push(match merge {
                FastMerge::Pair(a, b) => (a, b),
                FastMerge::Text(text) => {
                    let place = format!("merge {i} of 'model.merges'");
                    split(&text).ok_or_else(|| no_pair(file, &place, &text))?
                }
            });
        }
        has_ends(file, &model.vocab)?;
        Self::checked(model.vocab, merges, file, |i| {
            format!("merge {i} of 'model.merges'")
        })
    }

    /// What a merge makes must be a token: the `tokenizers` crate would panic on some that are not
    /// (0.23.2, `bpe/model.rs`, a buffer as long as the longest token).
    fn checked(
        tokens: Vocab,
        merges: Merges,
        file: &str,
        place: impl Fn(usize) -> String,
    ) -> Result<Self> {
        let mut both = String::new();
        for (i, (a, b)) in merges.iter().enumerate() {
            both.clear();
            both.push_str(a);
            both.push_str(b);
            let missing = [a, b, &both].into_iter().find(|t| !tokens.contains_key(*t));
            if let Some(token) = missing {
                let (place, token) = (place(i), short(token));
                return Err(damaged(
                    file,
                    format!("{place} needs '{token}', which is not in the vocabulary"),
                ));
            }
        }
        Ok(Self { tokens, merges })
    }
}

fn has_ends(file: &str, tokens: &Vocab) -> Result<()> {
    match [START, END].iter().find(|t| !tokens.contains_key(**t)) {
        Some(token) => Err(damaged(file, format!("there is no token '{token}'"))),
        None => Ok(()),
    }
}

/// A `merges.txt`: a line with its version, then two tokens a line.
fn merges(file: &str, text: &str) -> Result<Merges> {
    let mut all = Vec::new();
    for (i, line) in merge_lines(text) {
        let place = format!("line {i}");
        let pair = split(line).ok_or_else(|| no_pair(file, &place, line))?;
        memory::push(&mut all, pair, "a tokenizer's merges")?;
    }
    Ok(all)
}

/// The lines that are merges, numbered from 1 as editors do.
fn merge_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(i, line)| (i + 1, line));
    numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with("#version"))
}

/// Where merge `i` stands.
fn line(text: &str, i: usize) -> String {
    let found = merge_lines(text).nth(i);
    format!("line {}", found.map_or(0, |(number, _)| number))
}

fn split(text: &str) -> Option<(String, String)> {
    let (a, b) = text.split_once(' ')?;
    let fine = !a.is_empty() && !b.is_empty() && !b.contains(' ');
    fine.then(|| (a.to_owned(), b.to_owned()))
}

fn no_pair(file: &str, place: &str, text: &str) -> Error {
    let text = short(text);
    damaged(
        file,
        format!("{place} is '{text}', expected two tokens with a blank between them"),
    )
}

pub(super) fn parsed<T: DeserializeOwned>(file: &str, text: &str) -> Result<T> {
    // serde's message tells the line.
    crate::json::parse(text).map_err(|e| damaged(file, short(&e.to_string())))
}

pub(super) fn damaged(file: &str, what: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Model,
        format!("{file}: {what}; the file is damaged or no CLIP tokenizer's: download it again"),
    )
}

/// A text out of a file, fit for a message.
fn short(text: &str) -> String {
    const MOST: usize = 120;
    let mut out: String = text
        .chars()
        .take(MOST)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(MOST).is_some() {
        out.push('…');
    }
    out
}

/// The letter that stands for each byte, in OpenAI's order: printable ones for themselves first, then
/// the others from U+0100 on (GPT-2, `encoder.py`, `bytes_to_unicode`).
fn byte_letters() -> Vec<char> {
    let printable = |b: &u8| matches!(b, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let first = (0..=255u8).filter(printable).map(char::from);
    let others = (0..=255u8).filter(|b| !printable(b));
    let others = others.zip('\u{100}'..).map(|(_, letter)| letter);
    first.chain(others).collect()
}
