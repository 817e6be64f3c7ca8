//! What the program says: JSON, plans, engines, the doctor, silence.
#![forbid(unsafe_code)]

use crate::support::{folder, names, run, run_ok, write_gray, write_mask};

fn with_mask() -> tempfile::TempDir {
    let dir = folder(&["photo.png"]);
    write_mask(&dir.path().join("m.png"), 96, 72);
    dir
}

const FILL: [&str; 6] = ["fill", "photo.png", "--mask", "m.png", "-o", "o.png"];

#[test]
fn a_fill_in_a_pipe_is_silent() {
    let dir = with_mask();
    let run = run_ok(dir.path(), &FILL);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
}

#[test]
fn a_fill_in_json_says_what_was_done() {
    let dir = with_mask();
    let run = run_ok(dir.path(), &[&FILL[..], &["--json"]].concat());
    assert_eq!(run.stderr, "");
    let json = run.json();
    assert_eq!(json["ok"], true);
    assert_eq!(json["output"], "o.png");
    assert_eq!(json["report"]["regions"], 1);
    assert_eq!(json["report"]["pixels"], 32 * 24);
    assert_eq!(json["plan"]["regions"][0]["hole"]["width"], 32);
    assert!(json["seconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn errors_are_json_too() {
    let dir = with_mask();
    write_mask(&dir.path().join("small.png"), 9, 9);
    for (args, code, kind) in [
        (
            &[
                "fill",
                "photo.png",
                "--mask",
                "small.png",
                "-o",
                "o.png",
                "--json",
            ][..],
            1,
            "mask",
        ),
        (
            &[
                "fill", "none.png", "--mask", "m.png", "-o", "o.png", "--json",
            ],
            1,
            "io",
        ),
        (&["fill", "--json"], 2, "argument"),
        (
            &[&FILL[..], &["--seed", "x", "--json"]].concat(),
            2,
            "parameter",
        ),
    ] {
        let run = run(dir.path(), args);
        assert_eq!(run.code, code, "{run:?}");
        assert_eq!(run.stderr, "");
        let json = run.json();
        assert_eq!(json["ok"], false);
        assert_eq!(json["error"]["kind"], kind);
        assert!(json["error"]["message"].as_str().unwrap().len() > 10);
    }
}

#[test]
fn a_plan_says_and_writes_nothing() {
    let dir = with_mask();
    let before = names(dir.path());
    let text = run_ok(dir.path(), &["plan", "photo.png", "--mask", "m.png"]);
    for said in [
        "96×72",
        "rethined",
        "hole 32×24 at 32,24",
        "768 pixels",
        "MiB",
    ] {
        assert!(text.stdout.contains(said), "{said}: {text:?}");
    }
    let args = [
        "plan",
        "photo.png",
        "--mask",
        "m.png",
        "--context",
        "10",
        "--json",
    ];
    let json = run_ok(dir.path(), &args).json();
    let region = &json["plan"]["regions"][0];
    assert_eq!(region["hole"]["x"], 32);
    assert!(json["plan"]["peak_bytes"].as_u64().unwrap() > 0);
    assert!(json["plan"]["seconds"].as_f64().unwrap() > 0.0);
    let wide = run_ok(
        dir.path(),
        &["plan", "photo.png", "--mask", "m.png", "--json"],
    )
    .json();
    let area = |r: &serde_json::Value| {
        r["rect"]["width"].as_u64().unwrap() * r["rect"]["height"].as_u64().unwrap()
    };
    assert!(area(region) <= area(&wide["plan"]["regions"][0]));
    // What the engine has no parameter for is said before the fill as well as after it.
    let unused = ["photo.png", "--mask", "m.png", "--steps", "7", "--json"];
    let plan = run_ok(dir.path(), &[&["plan"], &unused[..]].concat()).json();
    let fill = run_ok(
        dir.path(),
        &[&["fill"], &unused[..], &["-o", "o.png"]].concat(),
    )
    .json();
    let note = plan["notes"][0].as_str().unwrap();
    assert!(
        note.contains("rethined") && note.ends_with(": steps"),
        "{note}"
    );
    assert_eq!(plan["notes"], fill["notes"]);
    assert_eq!(fill["plan"]["notes"], plan["plan"]["notes"]);
    std::fs::remove_file(dir.path().join("o.png")).unwrap();
    let wrong = ["plan", "photo.png", "--mask", "m.png", "--engine", "rad"];
    let said = run(
        dir.path(),
        &[&wrong[..], &["--scheduler", "euler"]].concat(),
    );
    assert!(
        said.code == 2 && said.stderr.contains("'rad': give one of ddim, ddpm"),
        "{said:?}"
    );
    write_gray(&dir.path().join("empty.png"), 96, 72, &[0; 96 * 72]);
    let empty = run_ok(dir.path(), &["plan", "photo.png", "--mask", "empty.png"]);
    assert!(empty.stdout.contains("empty"));
    std::fs::remove_file(dir.path().join("empty.png")).unwrap();
    assert_eq!(names(dir.path()), before);
}

#[test]
fn engines_are_what_the_library_describes() {
    let dir = tempfile::tempdir().unwrap();
    let described = mend::Inpainter::new(mend::Options::default()).describe();
    assert_eq!(run_ok(dir.path(), &["engines", "--json"]).json(), described);
    let text = run_ok(dir.path(), &["engines"]).stdout;
    for engine in described["engines"].as_array().unwrap() {
        assert!(text.contains(engine["id"].as_str().unwrap()));
    }
}

#[test]
fn the_doctor_tries_a_fill() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_ok(dir.path(), &["doctor", "--json"]);
    let json = run.json();
    assert_eq!(json["ok"], true);
    assert!(json["self_test"]["texture"].as_f64().unwrap() > 0.4);
    assert!(json["threads"].as_u64().unwrap() >= 1);
    let text = run_ok(dir.path(), &["doctor"]).stdout;
    assert!(
        text.contains("self-test") && text.contains("models"),
        "{text}"
    );
}

#[test]
fn the_memory_bound_holds_for_the_whole_command() {
    // 12 megapixels, 36 MB decoded; the hole is small.
    let dir = tempfile::tempdir().unwrap();
    let (w, h) = (4000u32, 3000u32);
    let pixels: Vec<u8> = (0..w * h * 3).map(|i| (i / 7 % 251) as u8).collect();
    crate::support::write_png(
        &dir.path().join("p.png"),
        w,
        h,
        png::ColorType::Rgb,
        &pixels,
    );
    let mut mask = vec![0; (w * h) as usize];
    for y in 1000..1100 {
        mask[(y * w + 1500) as usize..(y * w + 1600) as usize].fill(255);
    }
    write_gray(&dir.path().join("m.png"), w, h, &mask);
    let fill = [
        "fill",
        "p.png",
        "--mask",
        "m.png",
        "-o",
        "o.png",
        "--json",
        "--max-memory",
    ];
    let json = run_ok(dir.path(), &[&fill[..], &["120M"]].concat()).json();
    let peak = json["peak_bytes"].as_u64();
    assert!(peak.is_none_or(|p| p < 120 << 20), "{peak:?}");
    let tight = run(dir.path(), &[&fill[..], &["40M"]].concat());
    assert_eq!(tight.code, 1, "{tight:?}");
    assert_eq!(tight.json()["error"]["kind"], "budget", "{tight:?}");
    assert!(!dir.path().join("o2.png").exists());
}

#[test]
fn quiet_means_quiet() {
    let dir = folder(&["palette.png"]);
    write_mask(&dir.path().join("m.png"), 40, 28);
    let args = ["fill", "palette.png", "--mask", "m.png", "-o", "o.png"];
    assert!(run_ok(dir.path(), &args).stderr.contains("note"));
    assert_eq!(
        run_ok(dir.path(), &[&args[..], &["-q"]].concat()).stderr,
        ""
    );
}

/// A name that clears the screen, rings, forges a line and turns the direction of writing.
#[cfg(unix)]
const NASTY: &str = "a\u{1b}[2J\u{7}\nmend: note: all is well\u{202e}gnp\u{9b}31m";

/// Whether `text` holds nothing that a terminal would act on, and no line of the name's own.
#[cfg(unix)]
fn harmless(text: &str) -> bool {
    let steers = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    !text.contains(steers) && !text.contains("\nmend: note: all is well")
}

#[cfg(unix)]
#[test]
fn names_cannot_steer_a_terminal() {
    let dir = with_mask();
    let (picture, mask) = (format!("{NASTY}.png"), format!("{NASTY}.jpg"));
    std::fs::copy(
        dir.path().join("photo.png"),
        dir.path().join(format!("p{NASTY}.bmp")),
    )
    .unwrap();
    std::fs::write(dir.path().join(&picture), "no picture").unwrap();
    std::fs::copy(dir.path().join("m.png"), dir.path().join(&mask)).unwrap();
    let models = dir.path().join(NASTY);
    std::fs::create_dir(&models).unwrap();
    std::fs::write(models.join(format!("{NASTY}.safetensors")), "no model").unwrap();
    let models = models.to_str().unwrap();
    for args in [
        // An error that names a picture, a mask, an output and a folder; a wrong command line.
        &["fill", &picture, "--mask", "m.png", "-o", "o.png"][..],
        &["fill", "photo.png", "--mask", &picture, "-o", "o.png"],
        &["fill", "photo.png", "--mask", "m.png", "-o", NASTY],
        &["fill", ".", "--mask", ".", "-o", "photo.png"],
        &["fill", "photo.png", "m.png", &picture],
        &["fill", "photo.png", "--mask", "m.png", "-o", "o.png", NASTY],
        &["plan", &format!("p{NASTY}.bmp"), "--mask", &mask],
        &["models", "list", "--models", models],
        &["models", "path", "--models", models],
        &["models", "import", &picture, "--models", models],
        &[
            "fill",
            "photo.png",
            "--mask",
            "m.png",
            "-o",
            "o.png",
            "--model",
            &picture,
        ],
    ] {
        let run = run(dir.path(), args);
        let text = [run.stdout, run.stderr].concat();
        assert!(harmless(&text), "{args:?}: {text:?}");
    }
    let run = run(
        dir.path(),
        &["fill", &picture, "--mask", "m.png", "-o", "o.png"],
    );
    assert!(
        run.stderr.contains("a\\u{1b}[2J\\u{7}\\nmend: note"),
        "{run:?}"
    );
    // A program gets the name as it is.
    let json = run_json(
        dir.path(),
        &["fill", &picture, "--mask", "m.png", "-o", "o.png"],
    );
    let message = json["error"]["message"].as_str().unwrap();
    assert!(message.contains(NASTY), "{message:?}");
}

#[cfg(unix)]
fn run_json(dir: &std::path::Path, args: &[&str]) -> serde_json::Value {
    run(dir, &[args, &["--json"]].concat()).json()
}
