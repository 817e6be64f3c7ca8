//! `mend bench` on the goldens' small networks.
#![forbid(unsafe_code)]

use crate::support::*;
use serde_json::Value as Json;
use std::path::Path;

/// A diffusers folder of the small networks.
fn model(folder: &Path) {
    for (part, golden) in [("unet", "unet_sd15"), ("vae", "vae")] {
        let dir = folder.join(part);
        std::fs::create_dir_all(&dir).unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("tests/golden/{golden}.safetensors"));
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
