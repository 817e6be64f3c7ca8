//! Models as people have them: one file, LoRAs, a tiny autoencoder.
#![forbid(unsafe_code)]

use super::*;
use crate::catalog::{Base, InstalledFile, Kind, Manifest, Store, Trust};
use safetensors::tensor::{Dtype, TensorView, serialize_to_file};

/// Writes the tensors of a golden whose names begin with `prefix` as a file of their own.
fn part(golden: &str, prefix: &str, file: &Path) {
    let path = format!(
        "{}/tests/golden/{golden}.safetensors",
        env!("CARGO_MANIFEST_DIR")
    );
    let bytes = fs::read(path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let all = tensors.tensors();
    let own = all.iter().filter_map(|(name, view)| {
        let name = name.strip_prefix(prefix)?;
        let kept = !name.starts_with("golden.");
        kept.then(|| (name.to_owned(), view.clone()))
    });
    let own: Vec<(String, TensorView)> = own.collect();
    assert!(own.iter().all(|(_, view)| view.dtype() == Dtype::F16));
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    serialize_to_file(own, None, file).unwrap();
}

/// Declares the model `id`, of one file of its name, installed.
fn install(models: &Path, id: &str, kind: Kind) {
    let file = InstalledFile {
        path: format!("{id}.safetensors"),
        size: 1,
        sha256: "0".repeat(64),
        trust: Trust::Local,
    };
    let manifest = Manifest {
        id: id.to_owned(),
        kind,
        base: Base::Any,
        licence: None,
        source: "a test".to_owned(),
        installed: String::new(),
        linked: None,
        files: vec![file],
    };
    Store::new(models.to_path_buf()).install(manifest).unwrap();
}

#[test]
fn a_checkpoint_in_one_file_fills_as_its_folder_does() {
    for two in [false, true] {
        let temporary = Temporary::new(&format!("one-{two}"));
        let models = temporary.0.as_path();
        mend_fixtures::checkpoint::write(models, two);
        assert_eq!(find::installed(Some(models)), ["folder", "one.safetensors"]);
        let (engine, cancel) = (Diffusion::default(), Cancel::new());
        let made = |model: &str| {
            fill_with(&engine, models, &cancel, &[("model", model)])
                .unwrap_or_else(|e| panic!("{e}"))
        };
        let folder = made("folder");
        // By its name with and without its ending, and by its path.
        assert_eq!(made("one"), folder);
        assert_eq!(made("one.safetensors"), folder);
        let path = models.join("one.safetensors");
        assert_eq!(made(path.to_str().unwrap()), folder);
        let v = Folder::open(path.clone())
            .unwrap()
            .scheduler
            .prediction_type;
        assert_eq!(v == crate::schedulers::PredictionType::VPrediction, two);
        // By the id of an installed model.
        fs::create_dir(models.join("mine")).unwrap();
        fs::rename(path, models.join("mine/mine.safetensors")).unwrap();
        install(models, "mine", Kind::Checkpoint);
        assert_eq!(find::installed(Some(models)), ["folder", "mine"]);
        assert_eq!(made("mine"), folder);
    }
}

#[test]
fn what_is_no_checkpoint_is_told_with_what_to_do() {
    let temporary = Temporary::new("no-one");
    let models = temporary.0.as_path();
    let said = |name: &str, bytes: &[u8]| {
        let path = models.join(name);
        fs::write(&path, bytes).unwrap();
        let e = Folder::open(path).err().unwrap();
        assert!(e.message().contains(name), "{e}");
        (e.kind(), e.message().to_owned())
    };
    let (kind, message) = said("sd.ckpt", b"PK\x03\x04 and so on, a zip archive");
    assert!(
        kind == ErrorKind::Model && message.contains("safetensors format"),
        "{message}"
    );
    let (_, message) = said(
        "sd.safetensors",
        b"\x80\x02}q\x00, a pickle of another name",
    );
    assert!(
        message.contains("pickle") && message.contains("save_file"),
        "{message}"
    );
    let header = br#"{"x":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}}"#;
    let mut whole = (header.len() as u64).to_le_bytes().to_vec();
    whole.extend_from_slice(header);
    let (_, message) = said("short.safetensors", &whole);
    assert!(
        message.contains("expected") && message.contains("cut short"),
        "{message}"
    );
    whole.extend([0; 8]);
    let (_, message) = said("other.safetensors", &whole);
    assert!(message.contains("there is no UNet"), "{message}");
    assert!(find::installed(Some(models)).is_empty());
}

#[test]
fn loras_change_the_fill_and_the_warm_unet() {
    let temporary = Temporary::new("lora");
    let models = temporary.0.as_path();
    tiny::model(&models.join("tiny"), 9);
    part("lora", "kohya/", &models.join("style.safetensors"));
    part(
        "lora",
        "old/",
        &models.join("other/pytorch_lora_weights.safetensors"),
    );
    assert_eq!(find::installed(Some(models)), ["tiny"]);
    let (engine, cancel) = (Diffusion::default(), Cancel::new());
    let made = |lora: &str| {
        let params = [("model", "tiny"), ("lora", lora)];
        let made = fill_with(&engine, models, &cancel, &params).unwrap();
        (made, engine.warm.held().unwrap())
    };
    let (plain, unet) = made("");
    let (with, other) = made("style");
    assert!(with != plain && !Arc::ptr_eq(&unet, &other));
    let (again, same) = made("style:1.0");
    assert!(again == with && Arc::ptr_eq(&same, &other));
    let (half, other) = made("style:0.5");
    assert!(half != with && half != plain && !Arc::ptr_eq(&same, &other));
    let (both, _) = made("style:0.5,other");
    assert!(both != half);
    assert_eq!(made("style:0, other:0").0, plain);
    part("lora", "kohya/", &models.join("mine/mine.safetensors"));
    install(models, "mine", Kind::Lora);
    assert_eq!(made("mine").0, with);
    let e = fill_with(&engine, models, &cancel, &[("model", "mine")]).unwrap_err();
    assert!(e.message().contains("'mine' is a lora"), "{e}");
    for (lora, part) in [
        ("nothing", "no file or model 'nothing'"),
        ("tiny", "pytorch_lora_weights.safetensors"),
        ("style:99", "-10 to 10"),
    ] {
        let params = [("model", "tiny"), ("lora", lora)];
        let e = fill_with(&engine, models, &cancel, &params).unwrap_err();
        assert!(e.message().contains(part), "{e}");
    }
}

/// As if what the preset chose had been set one by one; a LoRA that is for another model is left alone.
#[test]
fn a_draft_takes_what_is_there() {
    let temporary = Temporary::new("draft");
    let models = temporary.0.as_path();
    tiny::model(&models.join("tiny"), 9);
    let (engine, cancel) = (Diffusion::default(), Cancel::new());
    let made = |set: &[(&str, &str)]| {
        let all: Vec<_> = [("model", "tiny"), ("prompt", "a cat")]
            .iter()
            .chain(set)
            .copied()
            .collect();
        fill_with(&engine, models, &cancel, &all).unwrap()
    };
    let draft = ("quality", "draft");
    // Two steps are set by all tests, and stay.
    let plain = [("scheduler", "unipc")];
    assert!(made(&[draft]) == made(&plain));
    fs::write(models.join("lcm-lora-sdv15.safetensors"), b"another thing").unwrap();
    assert!(made(&[draft]) == made(&plain));
    part("lora", "kohya/", &models.join("lcm-lora-sdv15.safetensors"));
    let few = [
        ("lora", "lcm-lora-sdv15"),
        ("scheduler", "lcm"),
        ("guidance", "1"),
    ];
    assert!(made(&[draft]) == made(&few));
    assert!(made(&[draft, ("guidance", "5")]) != made(&few));
}

/// As LCM-LoRA is used: in the UNet, with the scheduler `lcm` and without guidance.
#[test]
fn a_lora_with_lcm_is_the_references() {
    let (inputs, golden) = (Golden::open("pipeline"), Golden::open("pipeline_lcm"));
    let temporary = Temporary::new("lcm");
    tiny::model(&temporary.0.join("tiny"), 9);
    let lora = temporary.0.join("lcm.safetensors");
    part("lora", "kohya/", &lora);
    let mut folder = Folder::open(temporary.0.join("tiny")).unwrap();
    folder.add_loras(vec![(lora, 1.0)]).unwrap();
    let cases = golden.cases();
    assert_eq!(cases["lcm"]["scheduler"], "lcm");
    for (name, case) in cases {
        let text = inputs.text(false);
        agrees(&folder, &inputs, &golden, (&name, &case), &text);
    }
}

/// Bytes and operations of the tiny decoder, at the size that published models work at.
fn predicted_tiny(models: &Path) {
    let mut settings = Settings::new(&settings::test_parameters(&[])).unwrap();
    settings.vae = settings::Vae::Taesd;
    let mut folder = Folder::find(Some(models), &settings).unwrap();
    folder.side = 512;
    let model = Model::open(Arc::new(folder)).unwrap();
    let weights = model.tiny.as_ref().unwrap().root();
    let cx = Context::new(Instructions::chosen());
    let net = crate::models::autoencoder_tiny::Decoder::new(&cx, &weights).unwrap();
    let pass = net.cost(&cx, 1, 64, 64).unwrap();
    let (_, flops) = crate::models::autoencoder_tiny::Decoder::predicted(&weights, 64.0 * 64.0);
    assert_eq!(flops, pass.flops as f64);
    let mut small = stages::Stages::new(&model, &settings).memory(&stages::Choice {
        keep: false,
        streamed: Default::default(),
        streamed_bytes: 0.0,
    });
    let decode = small.stages.pop().unwrap().bytes as f64 - stages::REST;
    let ratio = decode / (net.bytes() + pass.bytes) as f64;
    assert!((0.9..1.1).contains(&ratio), "{ratio}");
}

#[test]
fn the_tiny_autoencoder_decodes_where_it_is_asked_for() {
    let temporary = Temporary::new("taesd");
    let models = temporary.0.as_path();
    tiny::model(&models.join("tiny"), 9);
    let (engine, cancel) = (Diffusion::default(), Cancel::new());
    let made = || {
        let params = [("model", "tiny"), ("vae", "taesd")];
        fill_with(&engine, models, &cancel, &params)
    };
    let e = made().unwrap_err();
    assert!(e.message().contains("mend models fetch taesd"), "{e}");
    let own = fill_with(&engine, models, &cancel, &[("model", "tiny")]).unwrap();
    // In the models folder as one file, and beside the model as diffusers writes it.
    part("taesd", "", &models.join("taesd.safetensors"));
    let file = made().unwrap();
    assert_ne!(file, own);
    fs::remove_file(models.join("taesd.safetensors")).unwrap();
    part(
        "taesd",
        "",
        &models.join("tiny/taesd/diffusion_pytorch_model.safetensors"),
    );
    assert_eq!(made().unwrap(), file);
    predicted_tiny(models);
    let wrong = models.join("tiny/taesd/diffusion_pytorch_model.safetensors");
    fs::copy(
        models.join("tiny/vae/diffusion_pytorch_model.safetensors"),
        wrong,
    )
    .unwrap();
    let e = made().unwrap_err();
    assert!(e.message().contains("decoder.layers.0.weight"), "{e}");
}
