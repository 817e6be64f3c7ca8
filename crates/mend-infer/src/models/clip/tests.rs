//! Against transformers: `tests/golden/clip.safetensors` and `clip_tokens.json`, see
//! `tests/golden/README.md`.
#![forbid(unsafe_code)]

use super::vocabulary::Vocabulary;
use super::*;
use crate::error::ErrorKind;
use crate::kernels::{Context, Path};
use crate::models::prompt::{Part, parse};
use crate::models::tests::{Blocks, compare, every_tensor_counts};
use crate::nn::tests::{Golden, floats};
use crate::nn::{Arena, Run};
use std::fs;

fn config(golden: &Golden, name: &str) -> Config {
    let all: serde_json::Value =
        serde_json::from_str(golden.0.metadata("config").unwrap()).unwrap();
    Config::parse("config.json", &all[name].to_string()).unwrap()
}

fn model(cx: &Context, golden: &Golden, name: &str) -> CLIPTextModel {
    let scope = golden.0.root().pp(name);
    CLIPTextModel::new(cx, &scope, config(golden, name)).unwrap()
}

fn tokens(golden: &Golden, name: &str) -> Vec<Vec<u32>> {
    let name = format!("golden.{name}.tokens");
    let shape = golden.0.shape(&name).unwrap().to_vec();
    let all = golden.0.root().integers(&name, &shape).unwrap();
    let texts = all.chunks_exact(shape[1]);
    texts
        .map(|t| t.iter().map(|i| *i as u32).collect())
        .collect()
}

/// The first merges alone, numbered as all are.
fn small_tokenizer() -> CLIPTokenizer {
    let lines: Vec<&str> = include_str!("merges.txt").lines().take(41).collect();
    let vocabulary = Vocabulary::from_merges("small", &lines.join("\n")).unwrap();
    CLIPTokenizer::new(vocabulary).unwrap()
}

fn prompts(golden: &Golden) -> Vec<Vec<String>> {
    serde_json::from_str(golden.0.metadata("prompts").unwrap()).unwrap()
}

fn pass(cx: &Context, run: &Run, golden: &Golden) -> Blocks {
    let mut made = Blocks::new();
    for name in ["quick", "gelu"] {
        let (net, texts) = (model(cx, golden, name), tokens(golden, name));
        for (output, clip_skip, final_layer_norm) in [
            ("last", 0, true),
            ("penultimate", 1, false),
            ("penultimate_normed", 1, true),
        ] {
            let layer = HiddenLayer {
                clip_skip,
                final_layer_norm,
            };
            let states = net.forward_layer(run, &texts, layer).unwrap();
            made.insert(format!("{name}.{output}"), states);
        }
        if name == "gelu" {
            continue;
        }
        for (i, pair) in prompts(golden).iter().enumerate() {
            let mut tokenizer = small_tokenizer();
            if i % 2 == 1 {
                tokenizer = tokenizer.with_pad_token("!").unwrap();
                assert_eq!(tokenizer.pad_token_id, 0);
            }
            let pair: Vec<&str> = pair.iter().map(String::as_str).collect();
            let states = embed(run, &net, &tokenizer, &pair, HiddenLayer::default());
            made.insert(format!("prompts.{i}"), states.unwrap());
        }
    }
    made
}

#[test]
fn embeddings_are_the_references() {
    let golden = Golden::open("clip");
    compare(&golden, 10, |cx, run| pass(cx, run, &golden));
}

#[test]
fn every_tensor_of_a_text_model_counts() {
    every_tensor_counts("clip", |cx, golden| {
        let arena = Arena::new();
        let run = Run::new(cx, &arena);
        let names = ["quick", "gelu"];
        let outputs = names.map(|name| {
            let net = model(cx, golden, name);
            net.forward(&run, &tokens(golden, name)).unwrap()
        });
        outputs.iter().flat_map(floats).collect()
    });
}

#[test]
fn tokens_are_the_references() {
    let path = format!(
        "{}/../../tests/golden/clip_tokens.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let cases: Vec<(String, Vec<u32>)> =
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(cases.len(), 1000);
    let tokenizer = CLIPTokenizer::openai().unwrap();
    let ids = (tokenizer.bos_token_id, tokenizer.eos_token_id);
    assert_eq!((ids, tokenizer.pad_token_id), ((49406, 49407), 49407));
    let mut used = std::collections::BTreeSet::<u32>::new();
    for (text, want) in &cases {
        assert_eq!(tokenizer.tokenize(text).unwrap(), *want, "{text:?}");
        used.extend(want);
    }
    assert!(used.len() > 3000, "{}", used.len());
}

#[test]
fn parts_are_the_references() {
    let golden = Golden::open("clip");
    type Parts = Vec<Option<(String, f32)>>;
    let want: Vec<Vec<Parts>> = serde_json::from_str(golden.0.metadata("parts").unwrap()).unwrap();
    let pairs = prompts(&golden);
    assert_eq!(want.len(), 4);
    for (text, want) in pairs.iter().flatten().zip(want.iter().flatten()) {
        let parts = parse(text).into_iter().map(|part| match part {
            Part::Text(text, weight) => Some((text, weight)),
            Part::Break => None,
        });
        assert_eq!(parts.collect::<Parts>(), *want, "{text}");
    }
}

#[test]
fn costs_are_those_of_a_pass() {
    let golden = Golden::open("clip");
    let (cx, arena) = (Context::new(Path::best()), Arena::new());
    let net = model(&cx, &golden, "quick");
    let run = Run::new(&cx, &arena);
    net.forward(&run, &tokens(&golden, "quick")).unwrap();
    let cost = net.cost(&cx, 2).unwrap();
    assert_eq!((cost.flops, cost.bytes), (run.flops(), arena.peak()));
    let error = net.cost(&cx, 0).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Argument);
    // The largest table stays as in the file, two bytes a value.
    let table = net.config().vocab_size * net.config().hidden_size * 2;
    assert!(net.bytes() > table && net.bytes() < table + 4 * 40_000);
}

#[test]
fn inputs_that_do_not_fit_are_the_callers_errors() {
    let golden = Golden::open("clip");
    let (cx, arena) = (Context::new(Path::best()), Arena::new());
    let net = model(&cx, &golden, "gelu");
    let run = Run::new(&cx, &arena);
    for (texts, skip, fits) in [
        (vec![vec![0]], 0, true),
        (vec![vec![60; 23]; 3], 1, true),
        (vec![vec![61]], 0, false),
        (vec![vec![u32::MAX]], 0, false),
        (vec![vec![0; 24]], 0, false),
        (vec![vec![]], 0, false),
        (vec![], 0, false),
        (vec![vec![1, 2], vec![1]], 0, false),
        (vec![vec![0]], 2, false),
        (vec![vec![0]], usize::MAX, false),
    ] {
        let layer = HiddenLayer {
            clip_skip: skip,
            ..HiddenLayer::default()
        };
        match net.forward_layer(&run, &texts, layer) {
            Ok(out) => assert!(fits && out.dims() == [texts.len(), texts[0].len(), 20]),
            Err(e) => assert!(!fits && e.kind() == ErrorKind::Argument, "{e}"),
        }
    }
    // A tokenizer with other tokens than the model's.
    let error = embed(
        &run,
        &net,
        &small_tokenizer(),
        &["cat"],
        HiddenLayer::default(),
    );
    let error = error.err().unwrap();
    assert!(error.message().contains("tokenizer belongs"), "{error}");
    // Nothing asked for is nothing.
    let none = embed(&run, &net, &small_tokenizer(), &[], HiddenLayer::default());
    assert_eq!(none.unwrap().elem_count(), 0);
}

#[test]
fn configurations_out_of_bounds_are_named() {
    for (key, value) in [
        ("hidden_act", "\"relu\""),
        ("hidden_act", "1"),
        ("hidden_size", "0"),
        ("hidden_size", "999999"),
        ("num_attention_heads", "7"),
        ("num_attention_heads", "0"),
        ("num_hidden_layers", "1e9"),
        ("max_position_embeddings", "2"),
        ("vocab_size", "-1"),
        ("layer_norm_eps", "0"),
        ("model_type", "\"bert\""),
    ] {
        let text = format!("{{\"{key}\": {value}}}");
        let error = Config::parse("text_encoder/config.json", &text);
        let error = error.err().unwrap_or_else(|| panic!("{text}"));
        assert_eq!(error.kind(), ErrorKind::Model);
        let message = error.message();
        assert!(message.contains("text_encoder/config.json") && message.contains(key));
    }
    assert!(Config::parse("config.json", "{}").is_ok());
}

/// A tokenizer's folder, gone when dropped.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mend-clip-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn with(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn ids(&self) -> crate::Result<Vec<u32>> {
        let tokenizer = CLIPTokenizer::open(&self.0)?;
        let mut ids = tokenizer.tokenize("ab b AB")?;
        ids.push(tokenizer.pad_token_id);
        Ok(ids)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const VOCAB: &str = r#"{"a": 5, "b": 6, "b</w>": 7, "ab</w>": 8, "!": 0, "<|startoftext|>": 1, "<|endoftext|>": 2}"#;

#[test]
fn a_folders_own_tokenizer_is_taken() {
    let folder = Folder::new("own");
    // Nothing there: OpenAI's.
    assert_eq!(folder.ids().unwrap().last(), Some(&49407));
    folder.with(
        "special_tokens_map.json",
        r#"{"pad_token": {"content": "!"}}"#,
    );
    folder.with("tokenizer_config.json", r#"{"pad_token": "<|endoftext|>"}"#);
    assert_eq!(folder.ids().unwrap().last(), Some(&0));
    folder.with("special_tokens_map.json", r#"{"pad_token": null}"#);
    assert_eq!(folder.ids().unwrap().last(), Some(&49407));
    for merge in ["\"a b</w>\"", "[\"a\", \"b</w>\"]"] {
        let model = format!("{{\"model\": {{\"vocab\": {VOCAB}, \"merges\": [{merge}]}}}}");
        folder.with("tokenizer.json", model);
        assert_eq!(folder.ids().unwrap(), [8, 7, 8, 2]);
    }
    folder.with("vocab.json", VOCAB.replace("8,", "9,"));
    folder.with("merges.txt", "#version: 0.2\r\na b</w>\r\n");
    assert_eq!(folder.ids().unwrap(), [9, 7, 9, 2]);
}

#[test]
fn damaged_tokenizers_name_file_and_line() {
    let folder = Folder::new("damaged");
    let cases: [(&str, &[u8], &[u8], &str); 9] = [
        (
            "merges.txt",
            VOCAB.as_bytes(),
            b"#version\na b</w>\n\nab\n",
            "line 4 is 'ab'",
        ),
        ("merges.txt", VOCAB.as_bytes(), b"a  b", "line 1"),
        ("merges.txt", VOCAB.as_bytes(), b"a b</w> c", "line 1"),
        (
            "merges.txt",
            VOCAB.as_bytes(),
            b"#version\na c",
            "line 2 needs 'c'",
        ),
        // Longer than all tokens, which the crate's own reading panics at.
        (
            "merges.txt",
            VOCAB.as_bytes(),
            b"<|endoftext|> <|endoftext|>",
            "line 1 needs",
        ),
        (
            "merges.txt",
            VOCAB.as_bytes(),
            b"a b</w>\n\xff",
            "line 2 is not UTF-8",
        ),
        ("vocab.json", b"{\"a\": 1,\n\"b\": -1}", b"", "line 2"),
        ("vocab.json", b"[]", b"", "line 1"),
        ("vocab.json", b"{\"a\": 1}", b"", "<|startoftext|>"),
    ];
    for (file, vocab, merges, what) in cases {
        folder.with("vocab.json", vocab);
        folder.with("merges.txt", merges);
        let error = folder.ids().err().unwrap_or_else(|| panic!("{what}"));
        let message = error.message();
        assert_eq!(error.kind(), ErrorKind::Model);
        assert!(
            message.contains(file) && message.contains(what),
            "{message}"
        );
    }
    folder.with("vocab.json", VOCAB);
    folder.with("merges.txt", "");
    assert!(folder.ids().is_ok());
    for (text, what) in [
        ("{\"pad_token\": \"?\"}", "\"?\""),
        ("{\"pad_token\": 3}", "not a text"),
        ("{", "line 1"),
    ] {
        folder.with("tokenizer_config.json", text);
        let error = folder.ids().err().unwrap();
        let message = error.message();
        assert!(message.contains("tokenizer_config.json") && message.contains(what));
    }
}
