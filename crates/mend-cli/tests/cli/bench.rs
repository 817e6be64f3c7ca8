//! `mend bench` on the goldens' small networks.
#![forbid(unsafe_code)]

use crate::support::*;
use safetensors::tensor::TensorView;
use serde_json::Value as Json;
use std::path::Path;

/// A diffusers folder of the small networks.
fn model(folder: &Path) {
    for (part, golden) in [("unet", "unet_sd15"), ("vae", "vae")] {
        let dir = folder.join(part);
        std::fs::create_dir_all(&dir).unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("../../tests/golden/{golden}.safetensors"));
        let bytes = std::fs::read(file).unwrap();
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: Json = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
        let config = header["__metadata__"]["config"].as_str().unwrap();
        std::fs::write(dir.join("config.json"), config).unwrap();
        std::fs::write(dir.join("diffusion_pytorch_model.safetensors"), bytes).unwrap();
    }
}

#[test]
fn every_stage_is_timed_and_told_as_json() {
    let dir = tempfile::tempdir().unwrap();
    model(dir.path());
    let path = dir.path().to_str().unwrap();
    let args = [
        "bench",
        "--model",
        path,
        "--threads",
        "2",
        "--runs",
        "3",
        "--json",
    ];
    let stages = ["unet64", "unet32", "vae_encode", "vae_decode"];
    let stages = stages.iter().flat_map(|s| ["--stage", s]);
    let args: Vec<&str> = args.into_iter().chain(stages).collect();
    let told = run_ok(
        dir.path(),
        &[&args[..], &["--precision", "int8", "--deviation"]].concat(),
    )
    .json();
    assert!(told["peak_gflops"].as_f64().unwrap() > 0.1, "{told}");
    assert!(told["peak_rss_mb"].as_u64().unwrap() > 1, "{told}");
    assert_eq!(
        (&told["threads"], &told["precision"]),
        (&2.into(), &"int8".into())
    );
    let stages = told["stages"].as_array().unwrap();
    let names: Vec<_> = stages
        .iter()
        .map(|s| (s["stage"].as_str().unwrap(), s["latents"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        names,
        [
            ("unet", 64),
            ("unet", 32),
            ("vae_encode", 64),
            ("vae_decode", 64)
        ]
    );
    for s in stages {
        let t = |key: &str| s[key].as_f64().unwrap();
        assert!(
            0.0 < t("min_s") && t("min_s") <= t("median_s") && t("median_s") <= t("max_s"),
            "{s}"
        );
        assert!(t("gflops") > 0.0 && s["runs"] == 3, "{s}");
    }
    let off = stages[0]["deviation_rms"].as_f64().unwrap();
    assert!(off > 1e-4 && off < 0.05, "{off}");
}

#[test]
fn one_stage_alone_and_the_table() {
    let dir = tempfile::tempdir().unwrap();
    model(dir.path());
    let path = dir.path().to_str().unwrap();
    let text = run_ok(
        dir.path(),
        &["bench", "--model", path, "--stage", "unet32", "--runs", "1"],
    )
    .stdout;
    assert!(
        text.contains("unet        32²") && !text.contains("vae"),
        "{text}"
    );
}

/// A checkpoint of Stable Diffusion 1's names in one file, its shapes small.
fn one_file(path: &Path) {
    let golden = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/golden/single_file.txt"
    );
    let (mut section, mut prefix) = (String::new(), String::new());
    let mut tensors = Vec::new();
    for line in std::fs::read_to_string(golden).unwrap().lines() {
        if let Some(head) = line.strip_prefix('[') {
            let (name, begins) = head.trim_end_matches(']').split_once(' ').unwrap();
            (section, prefix) = (name.to_owned(), begins.to_owned());
        } else if ["unet.1", "vae", "text.1"].contains(&section.as_str()) {
            let mut words = line.split(' ');
            let name = format!("{prefix}{}", words.next().unwrap());
            let sides = words.next().unwrap().split(',').filter(|n| *n != "-");
            let small = |n: usize| match section.as_str() {
                "vae" if n.is_multiple_of(128) => n / 4,
                "text.1" if n == 3072 => 128,
                "unet.1" if n.is_multiple_of(320) => n / 10,
                "unet.1" | "text.1" if n == 768 => 64,
                _ => n,
            };
            let shape: Vec<usize> = sides.map(|n| small(n.parse().unwrap())).collect();
            // 2⁻⁷ in 16 bits.
            let data = [0x00, 0x20].repeat(shape.iter().product());
            tensors.push((name, shape, data));
        }
    }
    let views = tensors.iter().map(|(name, shape, data)| {
        let view = TensorView::new(safetensors::Dtype::F16, shape.clone(), data);
        (name, view.unwrap())
    });
    safetensors::serialize_to_file(views, None, path).unwrap();
}

#[test]
fn a_checkpoint_in_one_file_is_timed_too() {
    let dir = tempfile::tempdir().unwrap();
    one_file(&dir.path().join("one.safetensors"));
    let mut args = vec![
        "bench",
        "--model",
        "one.safetensors",
        "--runs",
        "1",
        "--json",
    ];
    for stage in ["text", "unet32", "vae_encode"] {
        args.extend(["--stage", stage]);
    }
    let told = run_ok(dir.path(), &args).json();
    let stages = told["stages"].as_array().unwrap();
    let names: Vec<_> = stages
        .iter()
        .map(|s| s["stage"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["text", "unet", "vae_encode"]);
    assert!(stages.iter().all(|s| s["gflops"].as_f64().unwrap() > 0.0));
    std::fs::write(dir.path().join("other.safetensors"), b"PK\x03\x04").unwrap();
    let out = run(dir.path(), &["bench", "--model", "other.safetensors"]);
    assert!(
        out.code == 1 && out.stderr.contains("other.safetensors"),
        "{out:?}"
    );
}

#[test]
fn what_is_no_model_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let out = run(dir.path(), &["bench", "--model", "/nonexistent"]);
    assert!(
        out.code == 1 && out.stderr.contains("/nonexistent: not a folder"),
        "{out:?}"
    );
    let out = run(dir.path(), &["bench", "--model", path]);
    assert!(
        out.code == 1 && out.stderr.contains("unet/config.json"),
        "{out:?}"
    );
    model(dir.path());
    let file = dir.path().join("unet/diffusion_pytorch_model.safetensors");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let out = run(dir.path(), &["bench", "--model", path]);
    assert!(
        out.code == 1 && out.stderr.contains("diffusion_pytorch_model.safetensors"),
        "{out:?}"
    );
}
