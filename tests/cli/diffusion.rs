//! The diffusion engine on the command line.
#![forbid(unsafe_code)]

#[cfg(unix)]
use crate::support::to_cache;
use crate::support::{folder, mend, names, run_ok, write_mask};
use crate::tiny;
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
