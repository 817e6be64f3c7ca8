//! The bodies that the fuzzer drives (`fuzz/`), on seeded inputs: what a stable toolchain and a few
//! seconds can find of what a fuzzer would.

#[path = "../../../fuzz/bodies/mod.rs"]
mod bodies;
#[path = "../../../fuzz/bodies/files.rs"]
mod file_body;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `body` on `count` inputs; a failure tells the input, for the fuzzer to be run on.
fn on_seeded_inputs(count: u64, longest: u64, body: fn(&[u8]), make: fn(&mut Random) -> u8) {
    for seed in 0..count {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.next();
        let len = random.next() % (longest + 1);
        let input: Vec<u8> = (0..len).map(|_| make(&mut random)).collect();
        let outcome = catch_unwind(AssertUnwindSafe(|| body(&input)));
        assert!(outcome.is_ok(), "seed {seed} fails, input {input:?}");
    }
}

/// Marsaglia's xorshift with 64 bits.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn byte(&mut self) -> u8 {
        (self.next() >> 24) as u8
    }

    /// Pieces of what a parameter's line is made of.
    fn letter(&mut self) -> u8 {
        let letters = b"=\n%.-+0123456789pxeNaNinfGMKiB \xff\xc3\xa9";
        letters[self.next() as usize % letters.len()]
    }
}

#[test]
fn fills_through_c() {
    on_seeded_inputs(1200, 160, bodies::fill::run, Random::byte);
}

#[test]
fn masks() {
    on_seeded_inputs(3000, 120, bodies::masks::run, Random::byte);
}

#[test]
fn parameters() {
    on_seeded_inputs(3000, 60, bodies::params::run, Random::letter);
    // The names that random letters do not hit, each with random values.
    let common = mend::request::common_params();
    let mut names: Vec<_> = common.iter().map(|s| s.name).collect();
    names.extend(mend::request::engine_params().iter().map(|p| p.name));
    for (i, name) in names.iter().chain(&["threads", "max-memory"]).enumerate() {
        for seed in 0..300u64 {
            let mut random = Random(((i as u64) << 32 | seed) + 1);
            let line: Vec<u8> = (0..random.next() % 9).map(|_| random.letter()).collect();
            bodies::params::run(&[name.as_bytes(), b"=", &line].concat());
        }
    }
}

/// Sound headers and indexes, cut short and with a few bytes changed: to what stands in such files, and
/// to anything.
#[test]
fn models() {
    let header = br#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F16","shape":[1,2],"data_offsets":[4,8]}}"#;
    let meta = br#"{"__metadata__":{"k":"v"},"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}"#;
    let index = br#"{"metadata":{"total_size":4},"weight_map":{"x":"a.safetensors"}}"#;
    let mut whole = vec![index.to_vec()];
    for text in [&header[..], &meta[..]] {
        let count = if text.len() > 90 { 8 } else { 3 };
        whole.push([&[count], text].concat());
        whole.push(bodies::models::file(text, count.into()));
    }
    let letters = b"0123456789-.e,:{}[]\"\\ abxFIUB\x00\x80\xff";
    for (i, file) in whole.iter().enumerate() {
        for seed in 0..1500u64 {
            let mut random = Random(((i as u64) << 32 | seed) + 1);
            let mut file = file.clone();
            if seed % 8 == 1 {
                file.truncate(random.next() as usize % file.len());
            }
            for _ in 0..seed.min(1) * (random.next() % 5) {
                let at = random.next() as usize % file.len().max(1);
                let letter = letters[random.next() as usize % letters.len()];
                match random.next() % 4 {
                    _ if file.is_empty() => {}
                    0 => file.insert(at, letter),
                    1 => drop(file.remove(at)),
                    2 => file[at] = random.byte(),
                    _ => file[at] = letter,
                }
            }
            let outcome = catch_unwind(AssertUnwindSafe(|| bodies::models::run(&file)));
            assert!(outcome.is_ok(), "seed {seed} of model {i} fails: {file:?}");
        }
    }
}

/// Sound archives, pickles and ONNX files, cut short and with a few bytes changed: to what stands in such
/// files, and to anything.
#[test]
fn archives() {
    use bodies::archives::{archive, onnx, pickle};
    let sound = [
        [&[0], &archive(&pickle())[4..]].concat(),
        [&[1], &pickle()[..]].concat(),
        [&[2], &onnx()[..]].concat(),
    ];
    let letters =
        b"\x80\x02}]()tQRqh\x00\x01\x81b\x85\x86ueasX.KNcr\n\x08\x0a\x2a\x3a\x42\x4a\xffPK";
    for (i, file) in sound.iter().enumerate() {
        // As it is, each opens.
        let name = if i == 2 { "m.onnx" } else { "m.pt" };
        let whole = [file[1..].to_vec(), archive(&file[1..])];
        let whole = match i {
            0 => [b"PK\x03\x04", &whole[0][..]].concat(),
            1 => whole[1].clone(),
            _ => whole[0].clone(),
        };
        let opened = mend_infer::weights::Weights::from_bytes(name, whole).expect("it is sound");
        assert!(opened.names().count() > 1);
        for seed in 0..4000u64 {
            let mut random = Random(((i as u64) << 32 | seed) + 1);
            let mut file = file.clone();
            if seed % 8 == 1 {
                file.truncate(1 + random.next() as usize % file.len());
            }
            for _ in 0..seed.min(1) * (random.next() % 5) {
                let at = 1 + random.next() as usize % file.len();
                let letter = letters[random.next() as usize % letters.len()];
                match random.next() % 4 {
                    _ if at >= file.len() => {}
                    0 => file.insert(at, letter),
                    1 => drop(file.remove(at)),
                    2 => file[at] = random.byte(),
                    _ => file[at] = letter,
                }
            }
            let outcome = catch_unwind(AssertUnwindSafe(|| bodies::archives::run(&file)));
            assert!(
                outcome.is_ok(),
                "seed {seed} of archive {i} fails: {file:?}"
            );
        }
    }
}

/// Sound configurations with a value or two replaced by anything that JSON may hold.
#[test]
fn schedulers() {
    let keys = [
        "num_train_timesteps",
        "beta_start",
        "beta_end",
        "beta_schedule",
        "prediction_type",
        "timestep_spacing",
        "steps_offset",
        "clip_sample",
        "clip_sample_range",
        "rescale_betas_zero_snr",
        "final_sigmas_type",
        "variance_type",
        "solver_order",
        "solver_type",
        "lower_order_final",
        "use_karras_sigmas",
        "original_inference_steps",
        "timestep_scaling",
    ];
    let values = r#"0 1 2 3 50 999 1000 100000 -1 1e-300 1e300 0.5 0.999999 true false null [] {} ""
        "linear" "squaredcos_cap_v2" "sample" "v_prediction" "leading" "trailing" "linspace"
        "sigma_min" "fixed_large" "bh1" "heun""#;
    let values: Vec<_> = values.split_whitespace().collect();
    for seed in 0..4000u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.next();
        let mut pick = |of: usize| (random.next() >> 20) as usize % of;
        let steps = pick(60) as u8;
        let entries: Vec<_> = (0..pick(5))
            .map(|_| {
                format!(
                    "\"{}\":{}",
                    keys[pick(keys.len())],
                    values[pick(values.len())]
                )
            })
            .collect();
        let text = format!("{{{}}}", entries.join(","));
        let input = [&[steps], text.as_bytes()].concat();
        let outcome = catch_unwind(AssertUnwindSafe(|| bodies::schedulers::run(&input)));
        assert!(outcome.is_ok(), "seed {seed} fails: {steps} steps, {text}");
    }
}

/// Prompts of what their grammar is made of, and a tokenizer's files with a few bytes changed.
#[test]
fn prompts() {
    on_seeded_inputs(1000, 60, bodies::prompts::run, |random| {
        let letters = b"()[]:\\.0123456789 -+BREAKab,\xc3\xa9\n";
        letters[random.next() as usize % letters.len()]
    });
    let whole =
        b"{\"a\": 5, \"b\": 6, \"b</w>\": 7, \"ab</w>\": 8, \"ab\": 3, \"<|startoftext|>\": 1, \
        \"<|endoftext|>\": 2}\0#version: 0.2\na b\na b</w>\n";
    for seed in 0..1500u64 {
        let mut random = Random(seed + 1);
        let mut file = whole.to_vec();
        for _ in 0..seed.min(1) * (random.next() % 4) {
            let at = random.next() as usize % file.len();
            match random.next() % 4 {
                0 => file[at] = random.byte(),
                1 => file.insert(at, b"0123456789\"\n ab</>"[random.next() as usize % 18]),
                2 => drop(file.remove(at)),
                _ => file[at] = whole[random.next() as usize % whole.len()],
            }
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| bodies::prompts::run(&file)));
        assert!(outcome.is_ok(), "seed {seed} fails: {file:?}");
    }
}

/// Each of the test pictures, as it is, cut short, and with a few bytes changed.
#[test]
fn picture_files() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data");
    let mut whole = Vec::new();
    for entry in std::fs::read_dir(folder).expect("tests/data") {
        let path = entry.expect("tests/data").path();
        if path.extension().is_some_and(|e| e != "py") {
            whole.push(std::fs::read(path).expect("a picture"));
        }
    }
    assert!(whole.len() > 20);
    for (i, file) in whole.iter().enumerate() {
        for seed in 0..60u64 {
            let mut random = Random(((i as u64) << 32 | seed) + 1);
            let mut file = file.clone();
            if seed % 4 == 1 {
                file.truncate(random.next() as usize % file.len());
            }
            // Headers are where it matters, and they come first.
            let reach = if seed % 2 == 0 {
                file.len()
            } else {
                file.len().min(100)
            };
            for _ in 0..seed.min(1) * (random.next() % 6) {
                if reach > 0 {
                    file[random.next() as usize % reach] = random.byte();
                }
            }
            let outcome = catch_unwind(AssertUnwindSafe(|| file_body::run(&file)));
            assert!(
                outcome.is_ok(),
                "seed {seed} of picture {i} fails: {file:?}"
            );
        }
    }
}
