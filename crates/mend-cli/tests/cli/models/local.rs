//! Models that are on the machine already.
#![forbid(unsafe_code)]

use super::{Place, lora, tree, weights};
use std::fs;
use std::path::Path;

/// A diffusers folder with just enough in it to be told from others.
fn diffusers(folder: &Path, channels: usize, width: usize) {
    let key = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight";
    let unet = weights(&[("conv_in.weight", &[8, channels, 3, 3]), (key, &[8, width])]);
    let other = weights(&[("x", &[4])]);
    for (path, bytes) in [
        ("unet/config.json", &b"{}"[..]),
        ("unet/diffusion_pytorch_model.fp16.safetensors", &unet),
        ("vae/config.json", b"{}"),
        ("vae/diffusion_pytorch_model.safetensors", &other),
        ("text_encoder/config.json", b"{}"),
        ("text_encoder/model.safetensors", &other),
        ("tokenizer/vocab.json", b"{}"),
        ("tokenizer/merges.txt", b"#version"),
        ("safety_checker/pytorch_model.bin", b"\x80\x02x"),
        (".git/config", b"x"),
    ] {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn what_a_model_is_shows_in_its_tensors() {
    let place = Place::new();
    let key = "model.diffusion_model.input_blocks.";
    let (first, text) = (
        format!("{key}0.0.weight"),
        format!("{key}1.1.transformer_blocks.0.attn2.to_k.weight"),
    );
    let checkpoint = |c: usize, w: usize| weights(&[(&first, &[8, c, 3, 3]), (&text, &[8, w])]);
    // What a checkpoint was published with comes along.
    fs::write(place.path("c.yaml"), "parameterization: eps").unwrap();
    for (name, bytes, kind, base) in [
        ("LCM LoRA.safetensors", lora(), "lora", "sd15"),
        (
            "a.safetensors",
            checkpoint(9, 768),
            "checkpoint",
            "sd15-inpainting",
        ),
        ("b.safetensors", checkpoint(4, 768), "checkpoint", "sd15"),
        (
            "c.safetensors",
            checkpoint(9, 1024),
            "checkpoint",
            "sd2-inpainting",
        ),
        (
            "t.safetensors",
            weights(&[
                ("encoder.layers.0.weight", &[64, 3, 3, 3]),
                ("decoder.layers.0.weight", &[64, 4, 3, 3]),
            ]),
            "taesd",
            "any",
        ),
        (
            "l.safetensors",
            weights(&[("generator.model.1.ffc.convl2l.weight", &[64, 4, 7, 7])]),
            "lama",
            "any",
        ),
        (
            "m.safetensors",
            weights(&[("model.encoder.b512.fromrgb.weight", &[64, 4, 1, 1])]),
            "migan",
            "any",
        ),
        (
            "r.safetensors",
            weights(&[
                ("input_blocks.0.0.weight", &[128, 3, 3, 3]),
                ("middle_block.0.emb_layers.1.weight", &[1024, 512]),
                ("out.2.weight", &[6, 128, 3, 3]),
            ]),
            "rad",
            "any",
        ),
    ] {
        fs::write(place.path(name), bytes).unwrap();
        let json = place.ok(&["import", name, "--json"]).json();
        assert_eq!(
            (&json["kind"], &json["base"]),
            (&kind.into(), &base.into()),
            "{name}"
        );
        assert_eq!(json["files"][0]["trust"], "local");
        assert!(Path::new(json["path"].as_str().unwrap()).is_file());
    }
    let all = tree(&place.path("models"));
    for file in [
        "lcm-lora/lcm-lora.safetensors",
        "c/c.safetensors",
        "c/c.yaml",
    ] {
        assert!(all.contains(&file.into()), "{all:?}");
    }
    for (channels, width, base) in [(9, 768, "sd15-inpainting"), (4, 1024, "sd2")] {
        diffusers(&place.path(base), channels, width);
        let json = place.ok(&["import", base, "--json"]).json();
        assert_eq!(
            (&json["kind"], &json["base"]),
            (&"diffusers".into(), &base.into())
        );
        // Neither pickles nor what is hidden came along.
        assert_eq!(json["files"].as_array().unwrap().len(), 8, "{json}");
    }
    place.ok(&["verify"]);
}

#[test]
fn what_is_no_model_is_refused_and_leaves_nothing() {
    let place = Place::new();
    fs::write(
        place.path("m.ckpt"),
        b"PK\x03\x04 and so on, and so on, for a while",
    )
    .unwrap();
    fs::write(
        place.path("fake.safetensors"),
        b"\x80\x02}q\x00(X\x05\x00\x00\x00stateq",
    )
    .unwrap();
    let mut cut = lora();
    cut.truncate(10_000);
    fs::write(place.path("cut.safetensors"), cut).unwrap();
    fs::write(
        place.path("odd.safetensors"),
        weights(&[("what.weight", &[3])]),
    )
    .unwrap();
    fs::write(place.path("taken.safetensors"), lora()).unwrap();
    place.ok(&["import", "taken.safetensors"]);
    diffusers(&place.path("sdxl"), 4, 2048);
    diffusers(&place.path("pickled"), 9, 768);
    // As PyTorch wrote it before it had archives.
    fs::remove_file(place.path("pickled/vae/diffusion_pytorch_model.safetensors")).unwrap();
    fs::write(
        place.path("pickled/vae/diffusion_pytorch_model.bin"),
        b"\x80\x02}q\x00(X\x05\x00\x00\x00stateq",
    )
    .unwrap();
    let before = tree(&place.path("models"));
    for (args, code, said) in [
        (
            &["import", "m.ckpt"][..],
            1,
            "this zip archive is not a checkpoint",
        ),
        (&["import", "fake.safetensors"], 1, "a Python pickle"),
        (&["import", "cut.safetensors"], 1, "cut short"),
        (
            &["import", "odd.safetensors"],
            1,
            "no checkpoint, LoRA or tiny autoencoder",
        ),
        (&["import", "sdxl"], 1, "which Mend cannot use"),
        (&["import", "pickled"], 1, "a Python pickle"),
        (&["import", "none"], 1, "there is no such file"),
        (&["import", "."], 1, "not a diffusers folder"),
        (&["import", "taken.safetensors"], 1, "already exists"),
        (
            &["import", "taken.safetensors", "--id", "../x"],
            2,
            "is not an id of a model",
        ),
        (
            &["import", "taken.safetensors", "--id", "con"],
            2,
            "is not an id of a model",
        ),
        (
            &["fetch", "sd15-inpaintin"],
            2,
            "did you mean 'sd15-inpainting'?",
        ),
        (
            &["path", "sd15-inpainting"],
            1,
            "'mend models fetch sd15-inpainting' gets it",
        ),
    ] {
        let run = place.run(args);
        assert_eq!(run.code, code, "{args:?}: {run:?}");
        assert!(
            run.stderr.contains(said),
            "{args:?} lacks {said:?}: {run:?}"
        );
        assert_eq!(tree(&place.path("models")), before, "{args:?}");
    }
}

#[test]
fn a_model_in_place_stays_where_it_is() {
    let place = Place::new();
    diffusers(&place.path("mine"), 9, 768);
    let before = tree(&place.path("mine"));
    let json = place
        .ok(&["import", "mine", "--link", "--id", "my-model", "--json"])
        .json();
    let mine = fs::canonicalize(place.path("mine")).unwrap();
    assert_eq!(json["path"], mine.to_str().unwrap());
    assert_eq!(tree(&place.path("models")), ["my-model/mend-model.json"]);
    place.ok(&["verify", "my-model"]);
    fs::remove_file(place.path("mine/tokenizer/merges.txt")).unwrap();
    let run = place.run(&["verify", "my-model"]);
    assert_eq!(run.code, 1);
    assert!(
        run.stdout.contains("missing    tokenizer/merges.txt"),
        "{run:?}"
    );
    place.ok(&["remove", "my-model"]);
    assert_eq!(tree(&place.path("mine")).len(), before.len() - 1);
    assert!(!place.path("models/my-model").exists());
}

#[test]
fn remove_leaves_what_is_not_its_own() {
    let place = Place::new();
    fs::write(place.path("m.safetensors"), lora()).unwrap();
    place.ok(&["import", "m.safetensors"]);
    fs::write(place.path("models/m/notes.txt"), b"mine").unwrap();
    let json = place.ok(&["remove", "m", "--json"]).json();
    assert_eq!(json["left"], serde_json::json!(["notes.txt"]));
    assert_eq!(tree(&place.path("models")), ["m/notes.txt"]);
}

#[cfg(unix)]
#[test]
fn a_repository_in_hugging_faces_cache_is_imported_under_its_own_name() {
    let place = Place::new();
    diffusers(&place.path("m"), 9, 768);
    let repository = place.path("hub/models--some--tiny-sd");
    crate::support::to_cache(&place.path("m"), &repository);
    for (path, id) in [
        ("hub/models--some--tiny-sd", "tiny-sd"),
        ("hub/models--some--tiny-sd/snapshots/0123abcd", "tiny-sd"),
    ] {
        let json = place.ok(&["import", path, "--json"]).json();
        assert_eq!(
            (&json["id"], &json["kind"]),
            (&id.into(), &"diffusers".into())
        );
        let unet = Path::new(json["path"].as_str().unwrap()).join("unet/config.json");
        assert!(fs::symlink_metadata(unet).unwrap().is_file(), "{json}");
        place.ok(&["verify", id]);
        place.ok(&["remove", id]);
    }
    place.ok(&[
        "import",
        "hub/models--some--tiny-sd",
        "--link",
        "--id",
        "linked",
    ]);
    let json = place.ok(&["path", "linked", "--json"]).json();
    let path = json["path"].as_str().unwrap();
    assert!(Path::new(path).join("unet/config.json").is_file(), "{json}");
    place.ok(&["verify", "linked"]);
}
