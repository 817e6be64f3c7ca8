//! Several fills of one picture: their names, their order, and that they come all or not at all.
#![forbid(unsafe_code)]

use crate::decode::decode;
use crate::support::{data, folder, in_hole, names, run, run_ok, write_gray, write_mask};
use serde_json::Value as Json;
use std::fs;
use std::path::Path;

fn with_mask(names: &[&str]) -> tempfile::TempDir {
    let dir = folder(names);
    write_mask(&dir.path().join("m.png"), 96, 72);
    dir
}

/// The paths of a fill's outputs and their scores.
fn outputs(told: &Json) -> Vec<(String, Option<f64>)> {
    let all = told["outputs"].as_array().expect("outputs");
    let one = |o: &Json| {
        (
            o["path"].as_str().expect("a path").to_owned(),
            o["score"].as_f64(),
        )
    };
    all.iter().map(one).collect()
}

#[test]
fn variations_are_numbered_the_best_first() {
    let dir = with_mask(&["photo.png"]);
    let fill = |more: &[&str]| {
        let args = [&["fill", "photo.png", "--mask", "m.png"], more].concat();
        run_ok(dir.path(), &args)
    };
    let said = fill(&["-o", "v-{n}.png", "--variations", "4", "--json"]);
    let all = outputs(&said.json());
    let paths: Vec<&str> = all.iter().map(|one| one.0.as_str()).collect();
    assert_eq!(paths, ["v-1.png", "v-2.png", "v-3.png", "v-4.png"]);
    assert!(
        all.is_sorted_by_key(|one| one.1.expect("a score")),
        "{all:?}"
    );
    assert_eq!(said.json()["output"], "v-1.png");
    let filled: Vec<_> = paths.iter().map(|p| decode(&dir.path().join(p))).collect();
    let before = decode(&data("photo.png"));
    for (i, own) in filled.iter().enumerate() {
        for (x, y) in (0..96 * 72).map(|n| (n % 96, n / 96)) {
            let same = own.pixel(x, y) == before.pixel(x, y);
            assert!(same || in_hole(x, y, 96, 72), "{i}: {x} {y}");
        }
        assert!(!filled[..i].contains(own), "variation {i}");
    }
    // The best of as many, and the plain fill is one of them.
    let said = fill(&["-o", "best-{n}.png", "--best-of", "4", "--json"]);
    assert_eq!(outputs(&said.json()), [("best-1.png".to_owned(), all[0].1)]);
    assert_eq!(decode(&dir.path().join("best-1.png")), filled[0]);
    let said = fill(&["-o", "plain.png", "--json"]);
    assert_eq!(outputs(&said.json()), [("plain.png".to_owned(), None)]);
    assert!(filled.contains(&decode(&dir.path().join("plain.png"))));
    // Without a place for it the number goes before the extension, into another format as well.
    let said = fill(&["-o", "o.jpg", "--variations", "2", "--best-of", "3"]);
    assert_eq!(said.stderr.matches("is a JPEG").count(), 1, "{said:?}");
    assert!(dir.path().join("o-2.jpg").exists() && !dir.path().join("o.jpg").exists());
    let plan = ["plan", "photo.png", "--mask", "m.png", "--variations", "2"];
    let said = run_ok(dir.path(), &[&plan[..], &["--best-of", "3"]].concat());
    assert!(
        said.stdout
            .contains("fills    3, and the best 2 of them kept")
    );
    let one = run_ok(dir.path(), &plan[..4]);
    assert!(!one.stdout.contains("\nfills    "), "{one:?}");
}

#[test]
fn what_cannot_be_written_is_refused_before_anything_is() {
    let dir = with_mask(&["photo.png"]);
    fs::create_dir(dir.path().join("o-2.png")).unwrap();
    fs::copy(dir.path().join("m.png"), dir.path().join("m-2.png")).unwrap();
    let before = names(dir.path());
    for (output, code, said) in [
        ("o.png", 1, "it is a folder"),
        ("m-{n}.png", 2, "m-2.png"),
        ("-", 2, "2 variations cannot go to standard output"),
        ("all-{n}/", 2, "{n} stands for a number in a file's name"),
        ("{n}.{n}", 2, "does not say its format"),
    ] {
        let mask = if output.starts_with('m') {
            "m-2.png"
        } else {
            "m.png"
        };
        let args = ["fill", "photo.png", "--mask", mask, "-o", output];
        let run = run(dir.path(), &[&args[..], &["--variations", "2"]].concat());
        assert_eq!(run.code, code, "{output}: {run:?}");
        assert!(run.stderr.contains(said), "{output}: {run:?}");
        assert_eq!(run.stdout, "");
        assert_eq!(names(dir.path()), before, "{output}");
    }
}

#[test]
fn folders_get_all_variations_and_skip_what_has_them_all() {
    let dir = folder(&[]);
    fs::create_dir_all(dir.path().join("in")).unwrap();
    fs::copy(data("photo.png"), dir.path().join("in/a.png")).unwrap();
    fs::copy(data("photo.png"), dir.path().join("in/b{n}.png")).unwrap();
    write_mask(&dir.path().join("m.png"), 96, 72);
    let args = [
        "fill",
        "in",
        "--mask",
        "m.png",
        "-o",
        "out/",
        "--variations",
        "2",
        "--json",
    ];
    let told = run_ok(dir.path(), &args).json();
    let all = ["a-1.png", "a-2.png", "b{n}-1.png", "b{n}-2.png"];
    let out = dir.path().join("out");
    assert_eq!(names(&out), all);
    assert_eq!(outputs(&told["filled"][1]).len(), 2);
    // One is missing: its picture is filled again, and the other is not.
    let read = |name: &str| fs::read(out.join(name)).unwrap();
    let before = read("a-2.png");
    fs::remove_file(out.join("a-1.png")).unwrap();
    fs::write(out.join("b{n}-1.png"), b"mine").unwrap();
    let again = [&args[..], &["--skip-existing"]].concat();
    let told = run_ok(dir.path(), &again).json();
    assert_eq!(told["filled"].as_array().map(Vec::len), Some(1), "{told}");
    assert_eq!(
        (names(&out), read("a-2.png")),
        (all.map(String::from).to_vec(), before)
    );
    assert_eq!(read("b{n}-1.png"), b"mine");
}

#[test]
fn an_empty_mask_gives_copies() {
    let dir = folder(&["phone.jpg"]);
    let picture = decode(&data("phone.jpg"));
    let (w, h) = (picture.width, picture.height);
    write_gray(&dir.path().join("m.png"), w, h, &vec![0; (w * h) as usize]);
    for (output, kind) in [("o.jpg", "jpg"), ("o.png", "png")] {
        let args = ["fill", "phone.jpg", "--mask", "m.png", "-o", output];
        let run = run_ok(dir.path(), &[&args[..], &["--variations", "3"]].concat());
        assert!(run.stderr.contains("empty"), "{run:?}");
        for n in 1..=3 {
            let path = dir.path().join(format!("o-{n}.{kind}"));
            assert_eq!(decode(&path).samples, picture.samples, "{path:?}");
            let same = fs::read(&path).unwrap() == fs::read(data("phone.jpg")).unwrap();
            assert_eq!(same, kind == "jpg", "{path:?}");
        }
    }
}

/// A guide is read as a source mask is, and is an input like one.
#[test]
fn a_guide_is_checked_and_told_where_it_is_not_used() {
    let dir = with_mask(&["photo.png"]);
    let path = |name: &str| dir.path().join(name);
    let mut line = vec![0; 96 * 72];
    line[36 * 96..37 * 96].fill(255);
    write_gray(&path("g.png"), 96, 72, &line);
    write_gray(&path("small.png"), 48, 36, &line[..48 * 36]);
    let fill = |more: &[&str]| {
        let args = ["fill", "photo.png", "--mask", "m.png"];
        run(dir.path(), &[&args[..], more].concat())
    };
    let used = fill(&["-o", "o.png", "--guide", "g.png"]);
    assert_eq!(used.code, 0, "{used:?}");
    assert!(!used.stderr.contains("guide"), "{used:?}");
    let engine = ["--engine", "rethined", "--detail", "attention"];
    let unused = fill(&[&["-o", "o.png", "--guide", "g.png"], &engine[..]].concat());
    assert!(
        unused.stderr.contains("the guide mask is not used"),
        "{unused:?}"
    );
    let small = fill(&["-o", "o.png", "--guide", "small.png"]);
    assert_eq!(small.code, 1, "{small:?}");
    assert!(small.stderr.contains("small.png is 48×36"), "{small:?}");
    assert_eq!(
        fill(&["-o", "o.png", "--guide", "small.png", "--fit-mask"]).code,
        0
    );
    let lost = fill(&["-o", "g.png", "--guide", "g.png"]);
    assert_eq!(lost.code, 2, "{lost:?}");
    assert!(
        lost.stderr.contains("g.png is a guide mask of this fill"),
        "{lost:?}"
    );
    let plan = ["plan", "photo.png", "--mask", "m.png", "--guide", "g.png"];
    let told = run_ok(dir.path(), &[&plan[..], &engine].concat());
    assert!(
        told.stderr.contains("the guide mask is not used"),
        "{told:?}"
    );
    assert!(Path::new(&path("g.png")).exists());
}
