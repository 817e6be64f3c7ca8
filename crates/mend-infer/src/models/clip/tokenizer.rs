//! transformers' `CLIPTokenizer`: byte-level byte pair encoding.
#![forbid(unsafe_code)]

use super::vocabulary::{END, START, Vocabulary, WORD_END, damaged, parsed};
use crate::error::{Error, ErrorKind, Result};
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::Path;
use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{Lowercase, NFC, Replace, Sequence as Normalizers};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer};

/// What is a word (transformers 5.23.0, `tokenization_clip.py`).
const WORDS: &str =
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// The longest file that is read: published ones have 1 to 4 MB.
const LONGEST: u64 = 64 << 20;

/// Text to tokens. Usable from several threads at once.
///
/// Case, kinds of blanks and ways to compose a letter are not told apart, nothing is unknown: what is
/// no word of the vocabulary becomes its pieces, at last its bytes.
pub struct CLIPTokenizer {
    inner: Tokenizer,
    /// Token that begins a text, 49406.
    pub bos_token_id: u32,
    /// Token that ends it, 49407.
    pub eos_token_id: u32,
    /// What stands behind the end: the end's token again, or 0, `!`, in Stable Diffusion 2.
    pub pad_token_id: u32,
}

impl CLIPTokenizer {
    /// With OpenAI's 49,408 tokens, which come with Mend, padding with the end's token. Takes some
    /// hundredths of a second and some 20 MB.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub fn openai() -> Result<Self> {
        Self::new(Vocabulary::openai()?)
    }

    /// That of a model's `tokenizer` folder: `vocab.json` and `merges.txt`, or else `tokenizer.json`,
    /// or else OpenAI's tokens; padding as `special_tokens_map.json` or, else, `tokenizer_config.json`
    /// says.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] naming the file and, where there is one, the line that is damaged;
    /// [`ErrorKind::Io`] when a file cannot be read.
    pub fn open(folder: &Path) -> Result<Self> {
        let read = |name: &str| read(&folder.join(name));
        let vocabulary = match (read("vocab.json")?, read("merges.txt")?) {
            (Some((vocab, tokens)), Some((merges, pairs))) => {
                Vocabulary::from_files((&vocab, &tokens), (&merges, &pairs))?
            }
            _ => match read("tokenizer.json")? {
                Some((file, text)) => Vocabulary::from_fast(&file, &text)?,
                None => Vocabulary::openai()?,
            },
        };
        let tokenizer = Self::new(vocabulary)?;
        for name in ["special_tokens_map.json", "tokenizer_config.json"] {
            let Some((file, text)) = read(name)? else {
                continue;
            };
            let settings: Value = parsed(&file, &text)?;
            // The token alone, or an object about it.
            let pad = settings.get("pad_token").filter(|v| !v.is_null());
            let pad = pad.map(|v| v.get("content").unwrap_or(v).as_str());
            return match pad {
                None => continue,
                Some(Some(token)) => tokenizer.with_pad_token(token).ok_or_else(|| {
                    let shown: String = token.chars().take(40).collect();
                    damaged(
                        &file,
                        format!("'pad_token' is {shown:?}, which is not in the vocabulary"),
                    )
                }),
                Some(None) => Err(damaged(&file, "'pad_token' is not a text")),
            };
        }
        Ok(tokenizer)
    }

    pub(super) fn new(vocabulary: Vocabulary) -> Result<Self> {
        Self::build(vocabulary).map_err(|e| {
            Error::new(
                ErrorKind::Internal,
                format!("a defect in Mend: a tokenizer that was checked is refused: {e}"),
            )
        })
    }

    fn build(vocabulary: Vocabulary) -> tokenizers::Result<Self> {
        let id = |token: &str| vocabulary.tokens.get(token).copied().unwrap_or(0);
        let (bos_token_id, eos_token_id) = (id(START), id(END));
        let bpe = BPE::builder()
            .vocab_and_merges(vocabulary.tokens, vocabulary.merges)
            .unk_token(END.into())
            .continuing_subword_prefix(String::new())
            .end_of_word_suffix(WORD_END.into())
            // The cache would be one for each thread of the host, and is for corpora.
            .cache_capacity(0)
            .build()?;
        let mut inner = Tokenizer::new(bpe);
        let blanks = Replace::new(ReplacePattern::Regex(r"\s+".into()), " ")?;
        let normalizers = vec![NFC.into(), blanks.into(), Lowercase.into()];
        inner.with_normalizer(Some(Normalizers::new(normalizers)))?;
        let words = SplitPattern::Regex(WORDS.into());
        let words = Split::new(words, SplitDelimiterBehavior::Removed, true)?;
        let bytes = ByteLevel::new(false, true, true);
        inner.with_pre_tokenizer(Some(PreTokenizers::new(vec![words.into(), bytes.into()])));
        let special = [START, END].map(|token| AddedToken::from(token, true));
        inner.add_special_tokens(special)?;
        Ok(Self {
            inner,
            bos_token_id,
            eos_token_id,
            pad_token_id: eos_token_id,
        })
    }

    /// The same, padding with `token`, as `!`; none when it is no token.
    pub fn with_pad_token(mut self, token: &str) -> Option<Self> {
        self.pad_token_id = self.inner.token_to_id(token)?;
        Some(self)
    }

    /// The tokens of `text`, however many, without start and end.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`]: no text is refused.
    pub fn tokenize(&self, text: &str) -> Result<Vec<u32>> {
        match self.inner.encode_fast(text, false) {
            Ok(encoding) => Ok(encoding.get_ids().to_vec()),
            Err(e) => Err(Error::new(
                ErrorKind::Internal,
                format!("a defect in Mend: the prompt could not be tokenized: {e}"),
            )),
        }
    }
}

/// A text file's name and contents; none when there is no such file.
fn read(path: &Path) -> Result<Option<(String, String)>> {
    let name = path.display().to_string();
    let io = |e: std::io::Error| {
        Error::new(
            ErrorKind::Io,
            format!("{name}: the file cannot be read ({e}); see to its permissions"),
        )
    };
    let about = match fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        about => about.map_err(io)?,
    };
    if !about.is_file() || about.len() > LONGEST {
        let expected = format!("expected a file of at most {} MiB", LONGEST >> 20);
        return Err(damaged(&name, expected));
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(io)?;
    file.take(LONGEST).read_to_end(&mut bytes).map_err(io)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some((name, text))),
        Err(e) => {
            let lines = e.as_bytes()[..e.utf8_error().valid_up_to()].iter();
            let line = 1 + lines.filter(|b| **b == b'\n').count();
            Err(damaged(&name, format!("line {line} is not UTF-8")))
        }
    }
}
