//! The engines of LaMa, MI-GAN and RAD on the command line.
#![forbid(unsafe_code)]

use crate::support::{folder, in_hole, mend, run_ok, write_mask};
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/golden").join(name)
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
