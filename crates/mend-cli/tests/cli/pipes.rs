//! Standard input and output in place of files.
#![forbid(unsafe_code)]

use crate::support::{Run, data, folder, mend, names, write_mask};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

/// Runs `mend` with `input` in its standard input.
fn piped(folder: &Path, args: &[&str], input: &[u8]) -> Output {
    let mut child = mend()
        .current_dir(folder)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that refuses at once has closed it.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn with_mask() -> tempfile::TempDir {
    let dir = folder(&["photo.png"]);
    write_mask(&dir.path().join("m.png"), 96, 72);
    crate::support::run_ok(
        dir.path(),
        &["fill", "photo.png", "--mask", "m.png", "-o", "want.png"],
    );
    dir
}

#[test]
fn pictures_come_from_and_go_to_pipes_as_from_and_to_files() {
    let dir = with_mask();
    let path = dir.path();
    let want = fs::read(path.join("want.png")).unwrap();
    let (photo, mask) = (
        fs::read(data("photo.png")).unwrap(),
        fs::read(path.join("m.png")).unwrap(),
    );
    let before = names(path);
    for (args, input) in [
        (["fill", "-", "--mask", "m.png", "-o", "-"], &photo),
        (["fill", "photo.png", "--mask", "-", "-o", "-"], &mask),
    ] {
        let output = piped(path, &args, input);
        let run = Run::of(&output);
        assert_eq!(run.code, 0, "{args:?}: {}", run.stderr);
        assert_eq!(run.stderr, "", "{args:?}");
        assert!(output.stdout == want, "{args:?}");
        assert_eq!(names(path), before);
    }
    let args = ["fill", "-", "--mask", "m.png", "-o", "o.png", "--json"];
    let run = Run::of(&piped(path, &args, &photo));
    assert_eq!(run.json()["image"], "-");
    assert!(fs::read(path.join("o.png")).unwrap() == want);
    let plan = Run::of(&piped(path, &["plan", "-", "--mask", "m.png"], &photo));
    assert!(plan.stdout.contains("96×72"), "{plan:?}");
}

#[test]
fn a_format_may_be_asked_of_standard_output() {
    let dir = with_mask();
    let path = dir.path();
    for (format, magic) in [("jpg", &b"\xff\xd8"[..]), ("tif", b"II"), ("ppm", b"P6")] {
        let args = [
            "fill",
            "photo.png",
            "--mask",
            "m.png",
            "-o",
            "-",
            "--format",
            format,
        ];
        let output = piped(path, &args, b"");
        assert!(output.status.success(), "{format}: {output:?}");
        assert!(output.stdout.starts_with(magic), "{format}");
    }
    let args = [
        "fill",
        "photo.png",
        "--mask",
        "m.png",
        "-o",
        "-",
        "--format",
        "gif",
    ];
    assert_eq!(Run::of(&piped(path, &args, b"")).code, 2);
}

#[test]
fn what_a_pipe_cannot_do_is_said() {
    let dir = with_mask();
    let path = dir.path();
    let photo = fs::read(data("photo.png")).unwrap();
    for (args, code, said) in [
        (
            &["fill", "-", "--mask", "-", "-o", "o.png"][..],
            2,
            "only one",
        ),
        (
            &["fill", "-", "--mask", "m.png", "-o", "new/"],
            2,
            "no name",
        ),
        (
            &["fill", "-", "photo.png", "--mask", "m.png", "-o", "new"],
            2,
            "means one",
        ),
        (
            &["fill", "photo.png", "--mask", "m.png", "-o", "-", "--json"],
            2,
            "--json",
        ),
        (
            &["fill", "-", "--mask", "alpha", "-o", "-"],
            1,
            "standard input has no transparency",
        ),
    ] {
        let output = piped(path, args, &photo);
        let run = Run::of(&output);
        assert_eq!(run.code, code, "{args:?}: {run:?}");
        let told = format!("{}{}", run.stdout, run.stderr);
        assert!(told.contains(said), "{args:?}: {run:?}");
        assert_eq!(names(path), ["m.png", "photo.png", "want.png"]);
    }
    for (input, said) in [
        (&photo[..5000], "standard input"),
        (b"", "standard input is empty"),
    ] {
        let run = Run::of(&piped(
            path,
            &["fill", "-", "--mask", "m.png", "-o", "-"],
            input,
        ));
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:?}");
        assert!(run.stderr.contains(said), "{run:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn results_that_cannot_be_printed_are_failures() {
    let dir = with_mask();
    for args in [
        &["plan", "photo.png", "--mask", "m.png", "--json"][..],
        &["plan", "photo.png", "--mask", "m.png"],
        &[
            "fill",
            "photo.png",
            "--mask",
            "m.png",
            "-o",
            "o.png",
            "--json",
        ],
        &["fill", "photo.png", "--mask", "m.png", "-o", "-"],
        &["fill", ".", "--mask", "m.png", "-o", "new", "--json"],
        &["engines"],
        &["engines", "--json"],
        &["doctor"],
        &["models", "list"],
        &["models", "path"],
        &["--version"],
        &["help", "fill"],
    ] {
        let full = fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = mend()
            .current_dir(dir.path())
            .args(args)
            .stdout(full)
            .output()
            .unwrap();
        let run = Run::of(&output);
        assert_eq!(run.code, 1, "{args:?}: {run:?}");
        assert!(run.stderr.contains("disk is full"), "{args:?}: {run:?}");
    }
}
