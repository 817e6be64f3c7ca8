//! The diffusion engine on the command line.
#![forbid(unsafe_code)]

#[cfg(unix)]
use crate::support::to_cache;
use crate::support::{folder, mend, names, run_ok, write_mask};
use mend_fixtures::tiny;
use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
use std::fs;
use std::path::Path;

#[test]
fn a_fill_with_a_model_folder_and_the_word_on_a_missing_one() {
    let dir = folder(&["photo.png"]);
    let path = dir.path();
    let (w, h) = image::image_dimensions(path.join("photo.png")).unwrap();
    write_mask(&path.join("m.png"), w, h);
    tiny::model(&path.join("tiny"), 9);
    let fill = [
        "fill",
        "photo.png",
        "--mask",
        "m.png",
        "--engine",
        "diffusion",
    ];
    let mut args = fill.to_vec();
    args.extend(["-o", "out.png", "--model", "tiny", "--steps", "2", "--json"]);
    args.extend(["--prompt", "a cat", "--negative-prompt", "a dog"]);
    let made = run_ok(path, &args).json();
    assert_eq!(made["ok"], true);
    assert!(made.to_string().contains("\"diffusion\""), "{made}");
    assert_ne!(
        image::open(path.join("out.png")).unwrap().to_rgb8(),
        image::open(path.join("photo.png")).unwrap().to_rgb8()
    );
    // A preview a step, of latents' size, and none of another engine's.
    let mut args = fill.to_vec();
    args.extend(["-o", "out.png", "--model", "tiny", "--steps", "2"]);
    args.extend(["--previews", "some/small"]);
    run_ok(path, &args);
    let made = names(&path.join("some/small"));
    assert!(!made.is_empty() && made.len() <= 2, "{made:?}");
    for (i, name) in (1..).zip(&made) {
        assert_eq!(*name, format!("out-000{i}.png"));
        let size = image::image_dimensions(path.join("some/small").join(name));
        assert_eq!(size.unwrap(), (8, 8));
    }
    let mut args = fill[..4].to_vec();
    args.extend(["-o", "out.png", "--previews", "some/none"]);
    let said = run_ok(path, &args).stderr;
    assert!(said.contains("no previews"), "{said}");
    let mut args = fill.to_vec();
    args.extend(["-o", "none.png", "--model", "tinny"]);
    let output = mend()
        .current_dir(path)
        .env("MEND_MODELS", path.join("models"))
        .args(&args)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && !path.join("none.png").exists());
    assert!(
        said.contains("'tinny'") && said.contains("models"),
        "{said}"
    );
}

/// Writes a file of tensors.
fn put(path: &Path, tensors: &[(String, Dtype, Vec<usize>, Vec<u8>)]) {
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    serialize_to_file(views, None, path).unwrap();
}

/// Writes one LoRA of rank 4 as peft does, with an alpha of 8, and as kohya's scripts do, with 8 and with 4.
fn loras(folder: &Path) {
    let layer = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_v";
    let values = |seed: usize| -> Vec<u8> {
        let all = (0..48).map(|i| ((i * 37 + seed) % 101) as f32 / 100.0 - 0.5);
        all.flat_map(f32::to_le_bytes).collect()
    };
    let float =
        |name: String, shape: [usize; 2], seed| (name, Dtype::F32, shape.to_vec(), values(seed));
    let peft = |part: &str| format!("base_model.model.{layer}.lora_{part}.weight");
    let both = [float(peft("A"), [4, 12], 1), float(peft("B"), [12, 4], 5)];
    put(&folder.join("peft/adapter_model.safetensors"), &both);
    let says = r#"{"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["to_v"]}"#;
    fs::write(folder.join("peft/adapter_config.json"), says).unwrap();
    let kohya = |part: &str| format!("lora_unet_{}.{part}", layer.replace('.', "_"));
    for alpha in [4i64, 8] {
        let own = (
            kohya("alpha"),
            Dtype::I64,
            vec![],
            alpha.to_le_bytes().to_vec(),
        );
        let both = [
            float(kohya("lora_down.weight"), [4, 12], 1),
            float(kohya("lora_up.weight"), [12, 4], 5),
        ];
        put(
            &folder.join(format!("kohya{alpha}.safetensors")),
            &[&both[..], &[own]].concat(),
        );
    }
}

#[test]
fn a_lora_has_the_strength_that_peft_wrote_beside_it() {
    let dir = folder(&["photo.png"]);
    let path = dir.path();
    let (w, h) = image::image_dimensions(path.join("photo.png")).unwrap();
    write_mask(&path.join("m.png"), w, h);
    tiny::model(&path.join("tiny"), 9);
    loras(path);
    let fill = |lora: &str, more: &[&str]| {
        let mut args = vec!["fill", "photo.png", "--mask", "m.png", "-o", "out.png"];
        args.extend(["--engine", "diffusion", "--model", "tiny", "--steps", "1"]);
        if !lora.is_empty() {
            args.extend(["--lora", lora]);
        }
        args.extend(more);
        let mut command = mend();
        command.env("MEND_MODELS", path.join("models"));
        let output = command.current_dir(path).args(&args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {said}");
        image::open(path.join("out.png")).unwrap().to_rgb8()
    };
    let strong = fill("kohya8.safetensors", &[]);
    assert_eq!(fill("peft", &[]), strong);
    assert_eq!(fill("peft/adapter_model.safetensors", &[]), strong);
    assert_ne!(fill("kohya4.safetensors", &[]), strong);
    assert_ne!(fill("", &[]), strong);
    // In a folder for each network, and by its name once it was taken in.
    fs::create_dir_all(path.join("both")).unwrap();
    fs::rename(path.join("peft"), path.join("both/unet")).unwrap();
    assert_eq!(fill("both", &[]), strong);
    let imported = |args: &[&str]| {
        let mut command = mend();
        command.env("MEND_MODELS", path.join("models"));
        let args = [&["models", "import"], args].concat();
        let output = command.current_dir(path).args(&args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    imported(&["both/unet/adapter_model.safetensors", "--id", "one"]);
    imported(&["both/unet", "--id", "two", "--link"]);
    assert_eq!(names(&path.join("models/one")).len(), 3);
    assert_eq!(fill("one", &[]), strong);
    assert_eq!(fill("two", &[]), strong);
    // Without it nothing is known, and the strength is 1.
    fs::remove_file(path.join("both/unet/adapter_config.json")).unwrap();
    assert_eq!(fill("both", &[]), fill("kohya4.safetensors", &[]));
}

#[test]
fn a_scheduler_as_python_writes_it_and_a_single_step() {
    let dir = folder(&["photo.png"]);
    let path = dir.path();
    let (w, h) = image::image_dimensions(path.join("photo.png")).unwrap();
    write_mask(&path.join("m.png"), w, h);
    tiny::model(&path.join("tiny"), 9);
    let config = |text: &str| {
        fs::create_dir_all(path.join("tiny/scheduler")).unwrap();
        fs::write(path.join("tiny/scheduler/scheduler_config.json"), text).unwrap();
    };
    config(r#"{"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity}"#);
    let fill = [
        "fill",
        "photo.png",
        "--mask",
        "m.png",
        "-o",
        "out.png",
        "--engine",
        "diffusion",
    ];
    let with = |more: &[&'static str]| {
        let args = [&fill[..], &["--model", "tiny"], more].concat();
        mend().current_dir(path).args(&args).output().unwrap()
    };
    for scheduler in [
        "dpmpp_2m_karras",
        "dpmpp_2m",
        "unipc",
        "euler",
        "euler_a",
        "ddim",
        "ddpm",
        "lcm",
    ] {
        let output = with(&["--steps", "1", "--scheduler", scheduler]);
        assert!(output.status.success(), "{scheduler}: {output:?}");
    }
    for (text, more, says) in [
        (
            "{}",
            ["--strength", "0.3"],
            "give 4 steps or a strength of 1",
        ),
        (
            r#"{"beta_end": NaN}"#,
            ["--strength", "1"],
            "'beta_end' cannot be \"NaN\"",
        ),
    ] {
        config(text);
        let output = with(&["--steps", "1", more[0], more[1]]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(says), "{said}");
    }
    // A side that is given in pixels by mistake.
    let file = path.join("tiny/unet/config.json");
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replace("\"sample_size\":8", "\"sample_size\":1024");
    fs::write(&file, text).unwrap();
    config("{}");
    let said = String::from_utf8_lossy(&with(&[]).stderr).into_owned();
    assert!(
        said.contains("'sample_size' is 1024, expected 1 to 128"),
        "{said}"
    );
}

#[cfg(unix)]
#[test]
fn a_repository_in_hugging_faces_cache_is_a_model() {
    let dir = folder(&["photo.png"]);
    let path = dir.path();
    write_mask(&path.join("m.png"), 96, 72);
    tiny::model(&path.join("tiny"), 9);
    let fill = |model: &str, models: &Path| {
        let output = mend()
            .current_dir(path)
            .env("MEND_MODELS", models)
            .args(["fill", "photo.png", "--mask", "m.png", "-o", "o.png"])
            .args(["--engine", "diffusion", "--steps", "1", "--guidance", "1"])
            .args(["--prompt", "a boat <lora:style:1>", "--model", model])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{model}: {said}");
        // What belongs to other programs is told.
        assert!(said.contains("<lora:style:1>"), "{said}");
        fs::read(path.join("o.png")).unwrap()
    };
    let nowhere = path.join("nowhere");
    let want = fill("tiny", &nowhere);
    let hub = path.join("hub");
    to_cache(&path.join("tiny"), &hub.join("models--some--tiny-sd"));
    fs::remove_dir_all(path.join("tiny")).unwrap();
    for (model, models) in [
        ("hub/models--some--tiny-sd", &nowhere),
        ("hub/models--some--tiny-sd/snapshots/0123abcd", &nowhere),
        ("models--some--tiny-sd", &hub),
        // The first there is in the models folder.
        ("", &hub),
    ] {
        assert!(fill(model, models) == want, "{model}");
    }
}

/// What the first picture of several loads serves the others, and not where memory is bounded: then there is
/// room for the next picture instead.
#[test]
fn a_model_is_loaded_once_for_all_pictures() {
    let dir = folder(&["photo.png"]);
    let path = dir.path();
    let (w, h) = image::image_dimensions(path.join("photo.png")).unwrap();
    write_mask(&path.join("m.png"), w, h);
    fs::copy(path.join("photo.png"), path.join("same.png")).unwrap();
    tiny::model(&path.join("models/tiny"), 9);
    let fill = |more: &[&str]| {
        let mut args = vec![
            "fill",
            "photo.png",
            "same.png",
            "--mask",
            "m.png",
            "-o",
            "out/",
        ];
        args.extend(["--engine", "diffusion", "--steps", "2", "--json"]);
        args.extend(more);
        let mut command = mend();
        command.env("MEND_MODELS", path.join("models"));
        let output = command.current_dir(path).args(&args).output().unwrap();
        let made = crate::support::Run::of(&output);
        assert_eq!(made.code, 0, "{made:?}");
        let made = made.json();
        let loads = |i: usize| {
            let stages = made["filled"][i]["report"]["stages"].as_array().unwrap();
            assert!(stages.iter().any(|stage| stage["name"] == "steps"));
            stages.iter().any(|stage| stage["name"] == "load")
        };
        let read = |name: &str| fs::read(path.join("out").join(name)).unwrap();
        assert_eq!(read("photo.png"), read("same.png"));
        (loads(0), loads(1))
    };
    assert_eq!(fill(&[]), (true, false));
    assert_eq!(fill(&["--max-memory", "2G"]), (true, true));
}
