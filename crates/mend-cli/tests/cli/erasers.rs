//! The engines of LaMa, MI-GAN and RAD on the command line.
#![forbid(unsafe_code)]

use crate::support::{folder, in_hole, mend, run_ok, write_mask};
use mend_fixtures::tiny;
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("../../tests/golden").join(name)
}

#[test]
fn fills_with_files_as_people_have_them_leave_the_rest_alone() {
    let dir = folder(&["photo.png"]);
    let path = dir.path();
    let before = image::open(path.join("photo.png")).unwrap().to_rgb8();
    let (w, h) = before.dimensions();
    write_mask(&path.join("m.png"), w, h);
    for (engine, model) in [
        ("migan", "migan.pt"),
        ("migan", "migan_traced.pt"),
        ("migan", "migan.onnx"),
        ("lama", "lama.safetensors"),
        ("rad", "rad.safetensors"),
    ] {
        let model = golden(model);
        let mut args = vec!["fill", "photo.png", "--mask", "m.png", "-o", "out.png"];
        args.extend(["--engine", engine, "--json"]);
        args.extend(["--model", model.to_str().unwrap()]);
        let made = run_ok(path, &args).json();
        assert_eq!(made["ok"], true);
        assert!(
            made.to_string().contains(&format!("\"{engine}\"")),
            "{made}"
        );
        let after = image::open(path.join("out.png")).unwrap().to_rgb8();
        let mut changed = 0;
        for (x, y, pixel) in after.enumerate_pixels() {
            let same = pixel == before.get_pixel(x, y);
            assert!(same || in_hole(x, y, w, h), "{engine} {x} {y}");
            changed += u32::from(!same);
        }
        assert!(changed > 0, "{engine} fills nothing");
        std::fs::remove_file(path.join("out.png")).unwrap();
    }
}

#[test]
fn without_a_model_the_way_to_one_is_told() {
    let dir = folder(&["photo.png"]);
    let path = dir.path();
    let (w, h) = image::image_dimensions(path.join("photo.png")).unwrap();
    write_mask(&path.join("m.png"), w, h);
    for (engine, way) in [
        ("lama", "mend models fetch lama"),
        ("migan", "mend models fetch migan"),
        ("rad", "docs/models.md"),
    ] {
        let args = [
            "fill",
            "photo.png",
            "--mask",
            "m.png",
            "-o",
            "no.png",
            "--engine",
        ];
        let output = mend()
            .current_dir(path)
            .env("MEND_MODELS", path.join("models"))
            .args(args)
            .arg(engine)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && !path.join("no.png").exists());
        assert!(said.contains(way), "{said}");
    }
}

/// A copy of a model with one of its numbers, stored as `F32` or `F16`, gone.
fn broken(from: &Path, to: &Path, tensor: &str, infinite: bool) {
    let mut bytes = std::fs::read(from).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let json: serde_json::Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    let name = json
        .as_object()
        .unwrap()
        .keys()
        .rfind(|name| name.ends_with(tensor));
    let entry = &json[name.unwrap_or_else(|| panic!("no {tensor}"))];
    let at = 8 + header + entry["data_offsets"][0].as_u64().unwrap() as usize;
    match (entry["dtype"].as_str().unwrap(), infinite) {
        ("F32", true) => bytes[at..at + 4].copy_from_slice(&f32::INFINITY.to_le_bytes()),
        ("F32", false) => bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes()),
        ("F16", true) => bytes[at..at + 2].copy_from_slice(&0x7c00u16.to_le_bytes()),
        (_, _) => bytes[at..at + 2].copy_from_slice(&0x7e00u16.to_le_bytes()),
    }
    std::fs::write(to, bytes).unwrap();
}

/// One weight that is no number makes a picture of none: the file is told, and nothing is written.
#[test]
fn a_weight_that_is_no_number_is_no_black_hole() {
    let dir = folder(&["photo.png"]);
    let path = dir.path();
    let (w, h) = image::image_dimensions(path.join("photo.png")).unwrap();
    write_mask(&path.join("m.png"), w, h);
    tiny::model(&path.join("tiny"), 9);
    let unet = "unet/diffusion_pytorch_model.safetensors";
    let vae = "vae/diffusion_pytorch_model.safetensors";
    let whole = |part: &str| std::fs::read(path.join("tiny").join(part)).unwrap();
    let (whole_unet, whole_vae) = (whole(unet), whole(vae));
    for infinite in [false, true] {
        for (engine, from, tensor) in [
            ("lama", golden("lama.safetensors"), "model.9.weight"),
            ("migan", golden("migan.safetensors"), "torgb.bias"),
            ("migan", golden("migan.safetensors"), "torgb.weight"),
            ("rad", golden("rad.safetensors"), "conv_out.bias"),
            ("diffusion", path.join("tiny").join(unet), "conv_out.weight"),
            (
                "diffusion",
                path.join("tiny").join(vae),
                "decoder.conv_out.bias",
            ),
        ] {
            let to = match engine {
                "diffusion" => from.clone(),
                _ => path.join("broken.safetensors"),
            };
            broken(&from, &to, tensor, infinite);
            let model = if engine == "diffusion" {
                "./tiny"
            } else {
                "./broken.safetensors"
            };
            let mut args = vec!["fill", "photo.png", "--mask", "m.png", "-o", "out.png"];
            args.extend(["--engine", engine, "--model", model]);
            if matches!(engine, "diffusion" | "rad") {
                args.extend(["--steps", "1"]);
            }
            let output = mend().current_dir(path).args(&args).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success(), "{engine} {tensor}");
            assert!(said.contains("no numbers"), "{engine} {tensor}: {said}");
            let file = if engine == "diffusion" {
                "tiny"
            } else {
                "broken"
            };
            assert!(said.contains(file), "{engine} {tensor}: {said}");
            assert!(!path.join("out.png").exists());
            std::fs::write(path.join("tiny").join(unet), &whole_unet).unwrap();
            std::fs::write(path.join("tiny").join(vae), &whole_vae).unwrap();
        }
    }
}
